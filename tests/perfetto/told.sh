#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A real program, recorded and exported: trace_processor loads both traces
# without complaint and finds what the program emitted.
#   told.sh NODE ORIEL PROGRAM DIR
set -u
node=$1 oriel=$2 program=$3 dir=$4
tp=$(dirname "$0")/tp.mjs
"$node" "$tp" --probe || exit $?
rm -rf "$dir" && mkdir -p "$dir"
"$oriel" record -o "$dir/told.oriel" -- "$program" 2>"$dir/said" || { cat "$dir/said"; exit 1; }
"$oriel" export --to perfetto -f -o "$dir/told.pftrace" "$dir/told.oriel" || exit 1
"$oriel" export --to chrome -f -o "$dir/told.json" "$dir/told.oriel" || exit 1
"$oriel" export --to chrome --form object -f -o "$dir/object.json" "$dir/told.oriel" || exit 1
"$node" "$tp" --gate "$dir/object.json" || exit 1

# 3 workers: 200 rounds with leaves 4 deep, and one leaf inside the async span
expected='[{"name":"after","depth":0,"n":1},{"name":"first","depth":0,"n":1},{"name":"gpu","depth":0,"n":1},{"name":"leaf","depth":1,"n":603},{"name":"leaf","depth":2,"n":600},{"name":"leaf","depth":3,"n":600},{"name":"leaf","depth":4,"n":600},{"name":"main","depth":0,"n":1},{"name":"moved","depth":0,"n":4},{"name":"round","depth":0,"n":600},{"name":"ten more","depth":1,"n":60}]
[{"out":"first","in":"after","n":1},{"out":"job","in":"job","n":3}]
[{"thread":"told-0"},{"thread":"told-1"},{"thread":"told-2"},{"thread":"told-main"}]
[{"n":50,"least":0.0,"most":73.5}]
[{"n":603,"wrong":0}]
[{"n":600}]
[]'
bad=0
for kind in told.pftrace:debug. told.json:args.; do
  file=${kind%:*} prefix=${kind#*:}
  rows=$("$node" "$tp" "$dir/$file" "select name, depth, count(*) as n from slice
      where name in ('after', 'first', 'gpu', 'leaf', 'main', 'moved', 'round', 'ten more')
      group by 1, 2 order by 1, 2" \
    "select a.name as out, b.name as 'in', count(*) as n from flow f join slice a
      on a.id = f.slice_out join slice b on b.id = f.slice_in group by 1, 2 order by 1, 2" \
    "select distinct th.name as thread from slice s join thread_track t on t.id = s.track_id
      join thread th using (utid) where th.name like 'told-%' order by 1" \
    "select count(*) as n, min(value) as least, max(value) as most from counter c
      join track t on t.id = c.track_id where t.name like 'height%'" \
    "select count(*) as n, sum(s.ts < p.ts or s.ts + s.dur > p.ts + p.dur) as wrong
      from slice s join slice p on p.id = s.parent_id where s.name = 'leaf' and s.depth = 1" \
    "select count(distinct s.id) as n from slice s
      join args i on i.arg_set_id = s.arg_set_id and i.flat_key = '${prefix}i'
      join args w on w.arg_set_id = s.arg_set_id and w.flat_key = '${prefix}worker'
      join args r on r.arg_set_id = s.arg_set_id and r.flat_key = '${prefix}ratio'
      join args t on t.arg_set_id = s.arg_set_id and t.flat_key = '${prefix}text'
      join args d on d.arg_set_id = s.arg_set_id and d.flat_key = '${prefix}done'
      where s.name = 'round' and i.int_value between 0 and 199 and w.int_value between 0 and 2
        and r.real_value = 0.5 and t.string_value = 'a \"b\"' || char(10) and d.int_value = 1" \
    "select name, value from stats where severity in ('error', 'data_loss') and value > 0") || exit 1
  [ "$rows" = "$expected" ] || { bad=1; echo "$file:"; diff <(echo "$expected") <(echo "$rows"); }
done
[ $bad -eq 0 ] && echo "both traces say what the program said"
exit $bad
