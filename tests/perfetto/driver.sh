#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The driver itself: a good trace passes the gate, a bad one does not, numbers
# and texts come back as they are, a foreign component is refused.
#   driver.sh NODE BUILD-DIR
set -u
node=$1 out=$2/perfetto-driver
tp=$(dirname "$0")/tp.mjs
mkdir -p "$out"
"$node" "$tp" --probe || exit $?

fail() { echo "driver: $*"; exit 1; }
good='{"ph":"X","name":"a","ts":1.001,"dur":5,"pid":1,"tid":2,"args":{"i":-5,"s":"\u00e9"}}'
echo "[$good]" >"$out/good.json"
echo "[$good,{\"ph\":\"X\",\"name\":\"b\",\"ts\":3,\"dur\":9,\"pid\":1,\"tid\":2}]" >"$out/bad.json"

"$node" "$tp" --gate "$out/good.json" || fail "a good trace did not pass"
"$node" "$tp" --gate "$out/good.json" "$out/bad.json" >"$out/said"
[ $? -eq 1 ] || fail "an overlap passed"
grep -q 'bad.json: error slice_drop_overlapping_complete_event = 1' "$out/said" || fail "$(cat "$out/said")"

rows=$("$node" "$tp" "$out/good.json" "select name, ts, dur from slice" \
  "select string_value as s from args where key = 'args.s'" \
  "select 9007199254740993 as i, 0.5 as f, null as n, x'00ff' as b, -0.0 as z")
expected='[{"name":"a","ts":1001,"dur":5000}]
[{"s":"é"}]
[{"i":9007199254740993,"f":0.5,"n":null,"b":{"blob":"00ff"},"z":0.0}]'
[ "$rows" = "$expected" ] || [ "$rows" = "${expected/0.0\}/-0.0\}}" ] || fail "rows: $rows"

"$node" "$tp" "$out/good.json" "select nonsense from nowhere" 2>/dev/null
[ $? -eq 2 ] || fail "a wrong statement passed"
"$node" "$tp" "$out/missing.json" "select 1" 2>/dev/null && fail "a missing file passed"

mkdir -p "$out/foreign"
echo nothing >"$out/foreign/trace_processor.wasm"
ORIEL_TRACE_PROCESSOR_DIR=$out/foreign "$node" "$tp" --probe 2>"$out/said"
[ $? -eq 2 ] && grep -q SHA-256 "$out/said" || fail "a foreign component passed"
ORIEL_TRACE_PROCESSOR_DIR=$out/none "$node" "$tp" --probe 2>"$out/said"
[ $? -eq 77 ] && grep -q 'not installed' "$out/said" || fail "a missing component passed"
echo "driver: all as expected"
