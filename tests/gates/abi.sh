#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Gate: functions, objects and types that liboriel-core gives away are those of
# the stored dump. Additions pass only after the dump was written anew, so that
# they are seen in a review.
#
#   abi.sh ROOT BUILD [--update]
set -uo pipefail
root=$(cd "$1" && pwd)
build=$(cd "$2" && pwd)
dump=$root/tests/abi/liboriel-core.abi
library=$build/liboriel-core.so

if ! command -v abidw >/dev/null; then
  echo "abi: abigail-tools are not installed (tools/setup check)"
  exit 77
fi
options=(--no-show-locs --no-corpus-path --no-comp-dir-path --drop-private-types)
[ -d "$root/include/oriel" ] && options+=(--headers-dir "$root/include/oriel")
write_dump() { # FILE: without the folder it was built in
  abidw "${options[@]}" --out-file "$1" "$library" && sed -i "s|$root/||g" "$1"
}
if [ "${3:-}" = --update ]; then
  write_dump "$dump"
  exit
fi
if [ ! -f "$dump" ]; then
  echo "abi: $dump is missing; write it with --update"
  exit 1
fi
new=$(mktemp "${TMPDIR:-/tmp}/oriel-abi.XXXXXX")
trap 'rm -f "$new"' EXIT
write_dump "$new" || exit 1
if ! abidiff --no-show-locs "$dump" "$new"; then
  echo "abi: the interface changed; if that is meant, run tests/gates/abi.sh ROOT BUILD --update"
  exit 1
fi
echo "abi: as stored"
