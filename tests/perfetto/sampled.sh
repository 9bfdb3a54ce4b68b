#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A sampled program: Perfetto has every sample that was recorded, on its thread,
# with the functions of its stack.
#   sampled.sh NODE ORIEL SAMPLED DIR
set -u
node=$1 oriel=$2 sampled=$3 dir=$4
tp=$(dirname "$0")/tp.mjs
"$node" "$tp" --probe || exit $?
rm -rf "$dir" && mkdir -p "$dir"
"$oriel" record --rate 499 --no-report -o "$dir/c.oriel" -- \
  "$sampled" 1000 2 2>"$dir/said" ||
  { cat "$dir/said"; exit 1; }
grep refuses "$dir/said" && exit 77
"$oriel" export --to perfetto -o "$dir/c.pftrace" "$dir/c.oriel" || exit 1
"$node" "$tp" --gate "$dir/c.pftrace" || exit 1
recorded=$("$oriel" report --json "$dir/c.oriel" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["counts"]["records"])')

# Samples, and what the system says: nothing else is recorded here. Of CPU time
# (the session whose stacks end in user code most) three quarters are heavy's;
# every stack of it has main or run.
rows=$("$node" "$tp" "$dir/c.pftrace" "
  with recursive stack(id, at) as (
    select id, id from stack_profile_callsite
    union all
    select stack.id, c.parent_id from stack join stack_profile_callsite c on c.id = stack.at
      where c.parent_id is not null),
  has as (select distinct stack.id, f.name from stack
    join stack_profile_callsite c on c.id = stack.at
    join stack_profile_frame f on f.id = c.frame_id),
  cpu as (select s.id, s.callsite_id, s.utid from perf_sample s
    where perf_session_id = (select perf_session_id from perf_sample
      where cpu_mode = 'user' group by 1 order by count(*) desc limit 1))
  select (select count(*) from perf_sample)
      + (select count(*) from counter c join track t on t.id = c.track_id
        where t.name like 'process.%')
      + (select count(*) from slice where name = 'system metrics') = $recorded as all_there,
    (select count(distinct utid) from cpu) as threads,
    abs((select 1.0 * count(*) from cpu join has on has.id = callsite_id and name = 'heavy')
      / (select count(*) from cpu) - 0.75) < 0.1 as heavy,
    (select 1.0 * count(*) from cpu join has on has.id = callsite_id and name = 'deep')
      / (select count(*) from cpu) > 0.97 as deep,
    (select count(*) from cpu join perf_sample using (id) where perf_sample.cpu is null
      or perf_sample.cpu >= $(getconf _NPROCESSORS_CONF)) as without_cpu")
echo "$recorded recorded: $rows"
[ "$rows" = '[{"all_there":1,"threads":2,"heavy":1,"deep":1,"without_cpu":0}]' ] || exit 1

# What the system says of it: plots, and instants with the same numbers.
told=$("$node" "$tp" "$dir/c.pftrace" "select
  (select count(distinct t.name) from counter c join track t on t.id = c.track_id
    where t.name like 'process.%' and c.value >= 0) >= 12 as plots,
  (select max(c.value) from counter c join track t on t.id = c.track_id
    where t.name like 'process.memory.usage%') > 500000 as memory,
  (select max(c.value) from counter c join track t on t.id = c.track_id
    where t.name like 'process.thread.count%') = 2 as threads,
  (select count(*) from slice where name = 'system metrics' and dur = 0) >= 2 as instants,
  (select count(distinct a.key) from slice s join args a using (arg_set_id)
    where s.name = 'system metrics' and (a.key like '%rss_bytes' or a.key like '%cpu_percent'
      or a.key like '%thread_count' or a.key like '%fd_count')) as numbers")
echo "$told"
[ "$told" = '[{"plots":1,"memory":1,"threads":1,"instants":1,"numbers":4}]' ]
