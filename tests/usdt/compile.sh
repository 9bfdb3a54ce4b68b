#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Probes in inline functions, templates and lambdas: every compiler, level and way
# to place code takes them, and the notes are all there.
#
#   compile.sh SOURCE INCLUDE LIBRARY
set -euo pipefail
source=$1 include=$2 library=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=0
for compiler in g++ clang++; do
  command -v $compiler >/dev/null || { echo "$compiler is not installed: left out"; continue; }
  for how in -O0 -O2 "-Os -std=c++20" "-O2 -fPIC -shared -DPROBED_LIBRARY" \
    "-O0 -fPIC -shared -DPROBED_LIBRARY" "-O2 -no-pie -fno-pie" "-O3 -flto"; do
    # shellcheck disable=SC2086
    $compiler -std=c++17 $how -Wall -Wextra -Wshadow -Werror -I"$include" "$source" "$library" -pthread \
      -o "$work/probed"
    notes=$(readelf -nW "$work/probed")
    # gcc -O0 leaves names as they were written (see probe.h).
    for name in handle_request http.request "GET..users..id.name..100." twice lambda said function \
      "server.ends"; do
      grep -q "Name: $name" <<<"$notes" || { echo "FAILED: $compiler $how: no probe $name"; exit 1; }
    done
    # perf and bcc find a semaphore in the file by the place of .probes.
    grep -q ' \.probes ' <<<"$(readelf -SW "$work/probed")" || { echo "FAILED: $compiler $how: no .probes"; exit 1; }
    if grep -q 'Semaphore: 0x0*$' <<<"$notes"; then
      echo "FAILED: $compiler $how: a probe without a semaphore"
      exit 1
    fi
    tried=$((tried + 1))
  done
done
[ $tried -gt 0 ]
echo "ok: $tried ways"
