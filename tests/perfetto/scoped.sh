#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A program that says version and attributes of its target: trace_processor finds
# them at everything that it said, in both traces, and loads both without complaint.
#   scoped.sh NODE ORIEL PROGRAM DIR
set -u
node=$1 oriel=$2 program=$3 dir=$4
tp=$(dirname "$0")/tp.mjs
"$node" "$tp" --probe || exit $?
rm -rf "$dir" && mkdir -p "$dir"
"$oriel" record --no-report -o "$dir/c.oriel" -- "$program" >"$dir/said" 2>&1 || { cat "$dir/said"; exit 1; }
"$oriel" export --to perfetto -o "$dir/c.pftrace" "$dir/c.oriel" || exit 1
"$oriel" export --to chrome -o "$dir/c.json" "$dir/c.oriel" || exit 1
expected='[{"version":"1.4.2","team":"storage","shard":7,"missing":0}]'
bad=0
for kind in c.pftrace:debug.otel_scope_ c.json:args.otel.scope.; do
  file=${kind%:*} prefix=${kind#*:}
  "$node" "$tp" --gate "$dir/$file" || exit 1
  rows=$("$node" "$tp" "$dir/$file" "select v.string_value as version, t.string_value as team,
      h.int_value as shard, (select count(*) from slice o where o.category = 'annotating' and
      not exists (select 1 from args a where a.arg_set_id = o.arg_set_id
        and a.flat_key = '${prefix}version')) as missing
    from slice s join args v on v.arg_set_id = s.arg_set_id and v.flat_key = '${prefix}version'
      join args t on t.arg_set_id = s.arg_set_id and t.flat_key = '${prefix}team'
      join args h on h.arg_set_id = s.arg_set_id and h.flat_key = '${prefix}shard'
    where s.category = 'annotating' group by 1, 2, 3")
  if [ "$rows" != "$expected" ]; then
    echo "$file: $rows, expected $expected"
    bad=1
  fi
done
exit $bad
