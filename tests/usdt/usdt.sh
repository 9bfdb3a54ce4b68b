#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Every call site is a USDT probe: listed and hit by gdb, bpftrace and perf while
# Oriel itself is off.
#
#   usdt.sh TOOL PROGRAM        TOOL: notes | gdb | bpftrace | perf
set -u
tool=$1
program=$(readlink -f "$2")
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

need_uprobes() {
  [ "$(id -u)" = 0 ] || skip "$tool needs root to place uprobes"
  [ -d /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing 2>/dev/null
  [ -w /sys/kernel/tracing/uprobe_events ] || skip "this kernel has no uprobes in tracefs"
}

case $tool in
notes)
  notes=$(readelf -nW "$program")
  for name in handle_request http_request GET__users__id_name__100_; do
    grep -qF "Name: $name" <<<"$notes" || fail "no probe named $name"
  done
  # The kernel patches a 5-byte nop into a call; anything else traps.
  pc=$(awk '/Provider: oriel/{p=1} p && /Location:/{sub(",","",$2); print $2; exit}' <<<"$notes")
  bytes=$(objdump -d --start-address="$pc" --stop-address=$((pc + 5)) "$program" | grep -c 'nopl.*0x0(%rax,%rax,1)')
  [ "$bytes" = 1 ] || fail "the probe at $pc is not a 5-byte nop"
  ;;
gdb)
  command -v gdb >/dev/null || skip "gdb is not installed"
  out=$(gdb -batch -ex 'info probes stap oriel' -ex 'break -probe-stap oriel:http_request' \
    -ex run -ex 'printf "argument %d\n", $_probe_argc' --args "$program" 1 2>&1)
  grep -q 'handle_request' <<<"$out" || fail "gdb does not list handle_request: $out"
  grep -q 'Breakpoint 1, .*step' <<<"$out" || fail "gdb does not stop at http_request: $out"
  grep -q 'argument 1' <<<"$out" || fail "gdb does not see the argument: $out"
  ;;
bpftrace)
  command -v bpftrace >/dev/null || skip "bpftrace is not installed"
  need_uprobes
  bpftrace -l "usdt:$program:*" | grep -q 'oriel:http_request' || fail "bpftrace does not list http_request"
  hits=$(timeout 60 bpftrace -e "usdt:$program:oriel:http_request { @hits = count(); }" -c "$program 40" 2>/dev/null |
    awk "/@hits/ {print \$2}")
  [ "${hits:-0}" = 40 ] || fail "bpftrace counted ${hits:-0} of 40 hits"
  ;;
perf)
  command -v perf >/dev/null || skip "perf is not installed"
  need_uprobes
  cache=$(mktemp -d)
  trap 'perf --buildid-dir "$cache" probe -q -d "sdt_oriel:*" >/dev/null 2>&1; rm -rf "$cache"' EXIT
  perf --buildid-dir "$cache" buildid-cache --add "$program" 2>/dev/null
  perf --buildid-dir "$cache" list sdt 2>/dev/null | grep -q 'sdt_oriel:handle_request' || fail "perf does not list handle_request"
  perf --buildid-dir "$cache" probe -q sdt_oriel:handle_request || fail "perf cannot place the probe"
  hits=$(perf --buildid-dir "$cache" stat -x, -e sdt_oriel:handle_request "$program" 40 2>&1 | awk -F, '/sdt_oriel/ {print $1}')
  [ "${hits:-0}" = 40 ] || fail "perf counted ${hits:-0} of 40 hits"
  ;;
*)
  fail "unknown tool $tool"
  ;;
esac
echo "ok: $tool"
