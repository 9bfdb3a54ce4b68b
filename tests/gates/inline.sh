#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Gate: what is inlined into a program from include/oriel calls nothing but the
# functions that tools/hot_path.txt names as "inline" (slow paths) or "pure";
# and the samples compile as strict C11 and C++17 without a warning.
#
#   inline.sh ROOT SAMPLE...
set -uo pipefail
root=$(cd "$1" && pwd)
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/oriel-inline.XXXXXX")
trap 'rm -rf "$work"' EXIT
allowed=$(awk '$1 == "inline" || $1 == "pure" { print $2 }' "$root/tools/hot_path.txt" |
  sed 's/\*/.*/' | paste -sd '|')
# The sample's own helpers are called sample_*; exceptions are its own affair, and
# the linker provides the bounds of the section.
own='^(_Z[0-9]*)?sample_|^_GLOBAL_OFFSET_TABLE_$|^__stack_chk_fail$|^(__gxx|__cxa|_Unwind|_ZTI|_ZSt9terminate)|^__(start|stop)_oriel_sites$'
failed=0
count=0

for sample in "$@"; do
  case $sample in
  *.c) compilers="gcc clang" standard=c11 ;;
  *) compilers="g++ clang++" standard=c++17 ;;
  esac
  for compiler in $compilers; do
    command -v $compiler >/dev/null || { echo "inline: $compiler is not installed and was left out"; continue; }
    for level in -O0 -O2 -Os; do
      count=$((count + 1))
      if ! $compiler -std=$standard -pedantic -Wall -Wextra -Wshadow -Werror $level \
        -I"$root/include" -c "$sample" -o "$work/sample.o"; then
        echo "inline: $(basename "$sample") does not compile with $compiler $level"
        failed=$((failed + 1))
        continue
      fi
      extra=$(nm -u "$work/sample.o" | awk '{ print $2 }' |
        grep -vE "$own" |
        sort -u | grep -vxE "$allowed")
      if [ -n "$extra" ]; then
        echo "inline: $(basename "$sample") with $compiler $level calls:" $extra
        failed=$((failed + 1))
      fi
    done
  done
done
echo "inline: $count objects, $failed failed"
[ $failed -eq 0 ]
