#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A long trace keeps every slice, its length and its depth.
#   long.sh NODE PERFETTO_LONG OUTLET FILE
set -u
node=$1 program=$2 outlet=$3 file=$4 rounds=100000
tp=$(dirname "$0")/tp.mjs
"$node" "$tp" --probe || exit $?
trap 'rm -f "$file"' EXIT
"$program" "$outlet" "$file" $rounds || exit 1
rows=$("$node" "$tp" "$file" "select name, depth, count(*) as n, sum(dur) as total from slice
  where name in ('inner', 'middle', 'outer') group by 1, 2 order by 2, 1" \
  "select name, value from stats where severity in ('error', 'data_loss') and value > 0")
last=$((rounds * 50 + 50))
expected='[{"name":"outer","depth":0,"n":2,"total":'$((2 * last))'},'
expected+='{"name":"middle","depth":1,"n":'$((2 * rounds / 100))',"total":'$((2 * rounds / 100 * (99 * 50 + 30)))'},'
expected+='{"name":"inner","depth":2,"n":'$((2 * rounds))',"total":'$((2 * rounds * 10))'}]'$'\n[]'
[ "$rows" = "$expected" ] || { echo "got      $rows"; echo "expected $expected"; exit 1; }
echo "$outlet: $((2 * rounds)) spans, none lost"
