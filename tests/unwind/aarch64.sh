#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Builds this room's unit tests for aarch64 and runs them under qemu: walks over
# real stacks of the other machine, beside libgcc's unwinder.
#
#   usage: aarch64.sh SOURCE
set -euo pipefail
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
  command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
cd "$1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=(tests/support/test.c)
for file in src/unwind/*.c src/base/*.c; do
  [[ $file == *_test.c || $file == *_fuzz.c ]] || sources+=("$file")
done
for name in eh_frame walk current; do
  $cc -std=gnu11 -O2 -D_GNU_SOURCE '-DORIEL_VERSION_TEXT="0"' -Wall -Wextra -Werror \
    -Wno-unused-parameter -Iinclude -Isrc -Itests/support \
    src/unwind/${name}_test.c "${sources[@]}" -lpthread -ldl -o "$folder/$name"
  qemu-aarch64 -L /usr/aarch64-linux-gnu "$folder/$name"
done
