#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Gate: with ORIEL_OFF the annotations leave nothing behind. Each sample is
# compiled with -DORIEL_OFF and once more with its annotations deleted (every
# line that says ORIEL_, oriel_ or includes <oriel/...> is emptied); code, data and
# constants of the two objects must be the same bytes.
#
#   off_identity.sh ROOT SAMPLE...
set -uo pipefail
root=$(cd "$1" && pwd)
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/oriel-off.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
count=0

compile() { # compiler standard level source object
  "$1" -std="$2" "$3" -w -g0 -I"$root/include" -DORIEL_OFF -c "$4" -o "$5"
}

# What of an object ends up in the program: sections and their bytes.
contents() {
  local section
  for section in $(objdump -h "$1" | awk '$2 ~ /^\.(text|data|bss|rodata|tbss|tdata|init_array|fini_array)/ ||
      $2 ~ /oriel/ || $2 ~ /stapsdt/ { print $2 ":" $3 }'); do
    case $section in
    *:00000000) ;;
    *)
      echo "$section"
      objcopy -O binary -j "${section%:*}" "$1" "$work/bytes" && sha256sum <"$work/bytes"
      ;;
    esac
  done
  nm -u "$1"
}

for sample in "$@"; do
  extension=${sample##*.}
  sed -e '/ORIEL_\|oriel_/s/.*//' -e '/#include <oriel/s/.*//' "$sample" >"$work/bare.$extension"
  cp "$sample" "$work/annotated.$extension"
  if [ "$extension" = c ]; then
    compilers="gcc clang" standards="c11 gnu11"
  else
    compilers="g++ clang++" standards="c++17"
  fi
  levels="-O0 -O2 -Os"
  [[ $sample == *handles* ]] && levels="-O2 -Os"
  for compiler in $compilers; do
    command -v $compiler >/dev/null || { echo "off: $compiler is not installed and was left out"; continue; }
    for standard in $standards; do
      for level in $levels; do
        what="$(basename "$sample") with $compiler -std=$standard $level"
        count=$((count + 1))
        # Same file name for both, as it may stand in the object.
        for kind in bare annotated; do
          mkdir -p "$work/$kind"
          cp "$work/$kind.$extension" "$work/$kind/sample.$extension"
          if ! (cd "$work/$kind" && compile $compiler $standard $level sample.$extension sample.o); then
            echo "off: $what does not compile ($kind)"
            failed=$((failed + 1))
            continue 2
          fi
          contents "$work/$kind/sample.o" >"$work/$kind.sections"
        done
        if ! diff "$work/bare.sections" "$work/annotated.sections" >"$work/diff"; then
          echo "off: $what differs:"
          cat "$work/diff"
          diff <(objdump -dr "$work/bare/sample.o") <(objdump -dr "$work/annotated/sample.o") | head -n 20
          failed=$((failed + 1))
        fi
      done
    done
  done
done
echo "off: $count objects compared, $failed differ"
[ $failed -eq 0 ]
