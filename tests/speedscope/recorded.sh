#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A sampled program, exported for speedscope: its schema takes the file, and
# functions have the shares that the program is known to give them.
#   recorded.sh NODE ORIEL SAMPLED DIR
set -u
node=$1 oriel=$2 sampled=$3 dir=$4
rm -rf "$dir" && mkdir -p "$dir"
"$oriel" record --rate 499 --no-report -o "$dir/c.oriel" -- "$sampled" 1000 2 2>"$dir/said" ||
  { cat "$dir/said"; exit 1; }
grep refuses "$dir/said" && exit 77
"$oriel" export --to speedscope -o "$dir/c.json" "$dir/c.oriel" || exit 1
"$node" "$(dirname "$0")/check.mjs" "$dir/c.json" heavy=0.75 light=0.25
