#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A program whose threads wait for each other: Perfetto shows who was off its CPU
# for how long, and who woke whom.
#   waits.sh NODE ORIEL WAITING DIR
set -u
node=$1 oriel=$2 waiting=$3 dir=$4
tp=$(dirname "$0")/tp.mjs
"$node" "$tp" --probe || exit $?
rm -rf "$dir" && mkdir -p "$dir"
# Again if the kernel did not show everything, which is said.
for _ in 1 2 3 4 5 6 7 8 9; do
  "$oriel" record --rate 99 --no-report -o "$dir/c.oriel" -- "$waiting" lock 300 2>"$dir/said" ||
    { cat "$dir/said"; exit 1; }
  grep -qE 'not seen: .*[0-9] (wake-up|wait|return)' "$dir/said" || break
done
if grep -E 'refuses|no wake-ups' "$dir/said"; then exit 77; fi
"$oriel" export --to perfetto -o "$dir/c.pftrace" "$dir/c.oriel" || exit 1
"$node" "$tp" --gate "$dir/c.pftrace" || exit 1
rows=$("$node" "$tp" "$dir/c.pftrace" "
  select count(*) as waits_ended_by_holder
  from thread_state s join thread t using (utid)
    join thread_state r on r.utid = s.utid and r.ts = s.ts + s.dur
    join thread w on w.utid = r.waker_utid
  where t.name = 'waiting' and s.state = 'S' and s.dur >= 75000000 and r.state = 'R'
    and w.name = 'holder'" "
  select count(*) as naps from thread_state s join thread t using (utid)
  where t.name = 'holder' and s.state = 'S' and s.dur >= 300000000")
echo "$rows"
[ "$rows" = '[{"waits_ended_by_holder":1}]
[{"naps":1}]' ]
