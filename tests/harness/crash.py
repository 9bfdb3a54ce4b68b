#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crashes (A4): whatever signal ends a program, everything it committed is
there, its open spans are told as unfinished, the report says first who died of
what, and a shell sees what it would have seen without the recorder.

  crash.py BUILD_DIR [--rounds N]
"""
import argparse
import json
import subprocess

from harness import Bench

DEATHS = {"segv": "SIGSEGV", "abrt": "SIGABRT", "bus": "SIGBUS", "fpe": "SIGFPE",
          "stack": "SIGSEGV", "kill": "SIGKILL", "handled": "SIGSEGV"}


def one_death(bench, how, name):
    argv = [bench.tool("crash"), bench.page(), how]
    alone = subprocess.run(argv, env=bench.env, capture_output=True, check=False, timeout=30)
    argv = [bench.tool("crash"), bench.page(), how]
    done = bench.record(argv)
    bench.check(done.returncode == alone.returncode < 0,
                f"{how}: status {done.returncode}, {alone.returncode} without a recorder")
    bench.law(bench.tries(), bench.tally())
    told = subprocess.run([bench.oriel, "report", bench.path("c.oriel")], env=bench.env,
                          capture_output=True, check=True).stdout.decode().splitlines()
    facts = json.loads(subprocess.run([bench.oriel, "report", "--json", bench.path("c.oriel")],
                                      env=bench.env, capture_output=True, check=True).stdout)
    pid = facts["resource"].get("oriel.exit.pid")
    bench.check(facts["resource"].get("oriel.exit.signal") == name, f"{how}: {facts['resource']}")
    bench.check(f"process {pid} died of {name}" in told[:2], f"{how}: {told[:3]}")
    open_spans = {s["name"]: s["unfinished"] for s in facts["spans"]}
    expected = {"outer": 1, "middle": 1, "inner": 1}
    if how == "stack":
        expected["thread.work"] = 1
    bench.check(open_spans == expected, f"{how}: unfinished {open_spans}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    bench = Bench(args.build, "crash")
    for _ in range(args.rounds):
        for how, name in DEATHS.items():
            one_death(bench, how, name)
    bench.done(crashes=args.rounds * len(DEATHS))


if __name__ == "__main__":
    main()
