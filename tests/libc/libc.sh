#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The core library built for another C library or way of linking; a program
# linked with it, fully static, is recorded and what it said is read back.
#
#   libc.sh KIND SRC BUILD WORK     KIND: musl, static, static-pie
set -euo pipefail
kind=$1 src=$2 build=$3 work=$4
version=$(head -n 1 "$src/VERSION")

fail() {
  echo "libc $kind: $*"
  exit 1
}

rm -rf "$work"
mkdir -p "$work/objects"
flags=(-std=gnu11 -O2 -g -DNDEBUG -fPIC -fvisibility=hidden -D_GNU_SOURCE
  "-DORIEL_VERSION_TEXT=\"$version\"" -I"$src/include" -I"$src/src" -Wall -Wextra -Werror
  -Wno-unused-parameter -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function)
case $kind in
musl)
  command -v musl-gcc >/dev/null || { echo "libc: no musl-gcc here"; exit 77; }
  compiler=musl-gcc link=(-static)
  # The kernel's headers, and nothing else that lies beside them: musl's own come first.
  mkdir -p "$work/kernel"
  for folder in linux asm-generic; do ln -s "/usr/include/$folder" "$work/kernel/$folder"; done
  ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$work/kernel/asm"
  flags+=(-idirafter "$work/kernel")
  ;;
static) compiler=gcc link=(-static) ;;
static-pie) compiler=gcc link=(-static-pie) ;;
*) fail "no such kind" ;;
esac

for file in "$src"/src/{base,wire,rec}/*.c; do
  case $file in *_test.c | *_fuzz.c) continue ;; esac
  object=$(basename "$(dirname "$file")")-$(basename "$file" .c).o
  $compiler "${flags[@]}" -c "$file" -o "$work/objects/$object" || fail "$file does not compile"
done
# As cmake/rooms.cmake does it.
$compiler -r -nostdlib -o "$work/all.o" "$work"/objects/*.o
objcopy --localize-hidden "$work/all.o" "$work/oriel-core.o"
ar rcs "$work/liboriel-core.a" "$work/oriel-core.o"
$compiler "${link[@]}" -fPIE -O2 -g -Wall -Wextra -Werror -I"$src/include" \
  "$src/tests/libc/speaker.c" "$work/liboriel-core.a" -pthread -o "$work/speaker"
if readelf -d "$work/speaker" | grep -q NEEDED; then
  fail "the program is not static"
fi

"$work/speaker" >"$work/off" || fail "not recorded it exits with $?"
[ "$(cat "$work/off")" = "off" ] || fail "not recorded it says $(cat "$work/off")"
"$build/oriel" record --no-report -o "$work/c.oriel" -- "$work/speaker" >"$work/on" ||
  fail "recorded it exits with $?"
[ "$(cat "$work/on")" = "on" ] || fail "recorded it says $(cat "$work/on")"
# 4 threads, main and a fork child: 100 spans, each with an event and a value.
"$build/oriel" export --to log --format json -o "$work/log" "$work/c.oriel" || fail "export"
events=$(grep -c '"said"' "$work/log") || true
[ "$events" = 600 ] || fail "$events events of 600"
"$build/oriel" report --json "$work/c.oriel" >"$work/report" || fail "report"
python3 - "$work/report" <<'END' || fail "$(head -c 400 "$work/report")"
import json, sys
report = json.load(open(sys.argv[1]))
rows = {row["name"]: row["count"] for row in report["spans"]}
assert rows == {"spoke": 600}, rows
END
echo "libc $kind: 600 spans, 600 events"
