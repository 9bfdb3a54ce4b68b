#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Gate: files that a script of ours writes are as it writes them.
#
#   generated.sh ROOT
set -uo pipefail
root=$(cd "$1" && pwd)
new=$(mktemp "${TMPDIR:-/tmp}/oriel-generated.XXXXXX")
trap 'rm -f "$new"' EXIT

if ! python3 "$root/tools/gen_args.py" "$new" || ! diff "$root/include/oriel/args.h" "$new"; then
  echo "include/oriel/args.h:1: generated: is not what tools/gen_args.py writes"
  exit 1
fi
echo "generated: as written"
