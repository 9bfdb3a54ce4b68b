#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two copies of the record path in one process (copies.c): one process, one
thread, spans nested as they ran; also in a fork child, where either may be first.

  copies.py BUILD_DIR
"""
import json
import subprocess
import sys

from harness import Bench

NEST = ["program.outer", "plugin.middle", "program.inner"]


def slices(bench, how):
    """[(pid, tid, name, start, end)] of the capture."""
    out = bench.path(f"{how}.json")
    subprocess.run([bench.oriel, "export", "--to", "chrome", "-o", out, bench.path("c.oriel")],
                   check=True, env=bench.env, capture_output=True)
    with open(out, encoding="utf-8") as f:
        told = json.load(f)
    events = told["traceEvents"] if isinstance(told, dict) else told
    return [(e["pid"], e["tid"], e["name"], e["ts"], e["ts"] + e["dur"])
            for e in events if e.get("ph") == "X"]


def nests(found):
    """Names from the outside in, per outermost span."""
    found = sorted(found, key=lambda s: (s[3], -s[4]))
    rows, stack = [], []
    for s in found:
        while stack and stack[-1][4] < s[4]:
            stack.pop()
        if not stack:
            rows.append([])
        stack.append(s)
        rows[-1].append(s[2])
    return rows


def main():
    bench = Bench(sys.argv[1], "copies")
    argv = [bench.tool("copies"), bench.tool("copies_plugin.so")]
    for how, processes in (("stay", 1), ("fork", 2)):
        done = bench.record([*argv, how])
        bench.check(done.returncode == 0, f"{how}: {done.returncode} {done.stderr}")
        found = slices(bench, how)
        threads = {(s[0], s[1]) for s in found}
        bench.check(len(threads) == processes, f"{how}: {len(threads)} threads: {sorted(threads)}")
        rows = sorted(row for t in threads for row in nests([s for s in found if s[:2] == t]))
        expected = [NEST, NEST] if how == "stay" else [NEST[1:], NEST, NEST, NEST]
        bench.check(rows == sorted(expected), f"{how}: {rows}")
        books = bench.tally()
        bench.check(books and books["lost"] == 0 and books["damaged"] == 0, f"{how}: {books}")
    bench.done(ways=2)


if __name__ == "__main__":
    main()
