#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Gate: every public header compiles alone, as C11 and as C++17, with gcc and
# clang, in an order of includes that is only its own, without a warning.
#
#   headers.sh ROOT
set -uo pipefail
root=$(cd "$1" && pwd)
cd "$root" || exit 2

strict=(-fsyntax-only -Iinclude -pedantic -Wall -Wextra -Wshadow -Werror -Wundef
  -Wconversion -Wno-sign-conversion -Wcast-qual -Wno-unused-function -Wno-unused-const-variable)
failed=0
count=0

# alone HEADER LANGUAGE STANDARD COMPILER...: includes the header twice, too.
alone() {
  local header=$1 language=$2 standard=$3 compiler output
  shift 3
  for compiler in "$@"; do
    command -v "$compiler" >/dev/null || continue
    count=$((count + 1))
    if ! output=$(printf '#include <%s>\n#include <%s>\nextern int oriel_alone;\n' "${header#include/}" "${header#include/}" |
      "$compiler" -x "$language" -std="$standard" "${strict[@]}" - 2>&1); then
      echo "$header:1: public headers: does not compile alone as $standard with $compiler"
      head -n 8 <<<"$output"
      failed=$((failed + 1))
    fi
  done
}

for header in $(find include/oriel -name '*.h' -o -name '*.hpp' | sort); do
  [ "${header##*.}" = h ] && alone "$header" c c11 gcc clang
  alone "$header" c++ c++17 g++ clang++
done
for compiler in clang clang++; do
  command -v $compiler >/dev/null || echo "headers: $compiler is not installed and was left out"
done
echo "headers: $count compilations, $failed failed"
[ $failed -eq 0 ]
