#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crashes (A4): whatever signal ends a program, everything it committed is
there; who died of what, in which thread, which spans were open and the last
things the thread did are told; the program's own handlers are called; a shell
sees what it would have seen without the recorder. The same from a ring that a
program left which exported by itself.

  crash.py BUILD_DIR [--rounds N]
"""
import argparse
import glob
import json
import os
import subprocess

from harness import PATIENCE, Bench

MAIN = ["outer", "middle", "inner"]
# how: signal the process died of (None: it ended by itself), the crash told
# (None: none), its thread's open spans, number of last acts
DEATHS = {
    "segv": ("SIGSEGV", "SIGSEGV", MAIN, 64),
    "abrt": ("SIGABRT", "SIGABRT", MAIN, 64),
    "bus": ("SIGBUS", "SIGBUS", MAIN, 64),
    "fpe": ("SIGFPE", "SIGFPE", MAIN, 64),
    "stack": ("SIGSEGV", "SIGSEGV", ["thread.work"], 1),
    "thread": ("SIGABRT", "SIGABRT", ["thread.work"], 64),
    "fork": (None, "SIGABRT", None, 1),
    "kill": ("SIGKILL", "SIGKILL", MAIN, 64),
    "handled": ("SIGSEGV", "SIGSEGV", MAIN, 64),
    "early": ("SIGSEGV", "SIGSEGV", MAIN, 64),
    "recovers": (None, None, None, 0),
}
# Killed, or handled by who came later: no handler of ours ran.
NOT_NOTED = ("kill", "handled")


def report(bench, capture, *options):
    return subprocess.run([bench.oriel, "report", *options, capture], env=bench.env,
                          capture_output=True, check=True).stdout.decode()


def check_crash(bench, how, facts, text, said):
    _, signal, stack, last = DEATHS[how]
    crashes = facts.get("crashes", [])
    if not bench.check(len(crashes) == (signal is not None), f"{how}: {len(crashes)} crashes told"):
        return
    bench.check(("\ncrash\n" in text) == bool(crashes), f"{how}: crash section")
    if not crashes:
        return
    crash = crashes[0]
    bench.check(crash["signal"] == signal, f"{how}: {crash['signal']}")
    bench.check(crash["handled"] == (how == "early"), f"{how}: handled {crash['handled']}")
    bench.check((crash["reason"] is None) == (how in NOT_NOTED), f"{how}: {crash['reason']}")
    names = [s["name"] for s in crash["open_spans"]]
    if stack is None:
        bench.check("child.work" in names, f"{how}: open {names}")
    else:
        bench.check(names == stack, f"{how}: open {names}")
    bench.check(all(s["line"] > 0 for s in crash["open_spans"]), f"{how}: lines")
    bench.check(len(crash["last"]) == last, f"{how}: {len(crash['last'])} last")
    if how == "thread":
        bench.check(crash["thread"]["name"] == "worker-3", f"{how}: {crash['thread']}")
    if said is not None and how != "fork":
        bench.check(f"was killed by {signal}" in said, f"{how}: said {said}")


def one_death(bench, how):
    signal = DEATHS[how][0]
    argv = [bench.tool("crash"), bench.page(), how]
    alone = subprocess.run(argv, env=bench.env, capture_output=True, check=False, timeout=PATIENCE)
    bench.page()
    done = bench.record(argv)
    bench.check(done.returncode == alone.returncode,
                f"{how}: status {done.returncode}, {alone.returncode} without a recorder")
    bench.check(done.stdout == alone.stdout, f"{how}: prints {done.stdout}, not {alone.stdout}")
    bench.law(bench.tries(), bench.tally())
    text = report(bench, bench.path("c.oriel"))
    facts = json.loads(report(bench, bench.path("c.oriel"), "--json"))
    pid = facts["resource"].get("oriel.exit.pid")
    bench.check(facts["resource"].get("oriel.exit.signal") == signal, f"{how}: {facts['resource']}")
    if signal:
        bench.check(f"process {pid} died of {signal}" in text.splitlines()[:2], f"{how}: {text[:300]}")
    check_crash(bench, how, facts, text, done.stderr.decode())
    if signal:
        open_spans = {s["name"]: s["unfinished"] for s in facts["spans"]}
        expected = dict.fromkeys(MAIN, 1)
        if DEATHS[how][2] != MAIN:
            expected["thread.work"] = 1
        bench.check(open_spans == expected, f"{how}: unfinished {open_spans}")


def check_outlets(bench):
    """The event in every outlet, under the names of OpenTelemetry."""
    bench.record([bench.tool("crash"), bench.page(), "segv"])
    for outlet in ("chrome", "perfetto", "log"):
        out = bench.path(f"out.{outlet}")
        subprocess.run([bench.oriel, "export", "--to", outlet, "-o", out, bench.path("c.oriel")],
                       env=bench.env, capture_output=True, check=True)
        with open(out, "rb") as f:
            data = f.read()
        bench.check(b"exception.type" in data and b"SIGSEGV" in data, f"{outlet}: no exception")


def left_behind(bench, how):
    """A program that exports by itself dies; recover finds what it left."""
    for old in glob.glob(f"{bench.work}/oriel/*"):
        os.unlink(old)
    env = dict(bench.env, ORIEL_ENABLED="1", ORIEL_CRASH="1", LD_LIBRARY_PATH=bench.build,
               ORIEL_TRACE_DIR=bench.path("traces"))
    done = subprocess.run([bench.tool("crash"), bench.page(), how], env=env, capture_output=True,
                          check=False, timeout=PATIENCE)
    bench.check(done.returncode < 0, f"{how} in-process: status {done.returncode}")
    capture = bench.path("r.oriel")
    if os.path.exists(capture):
        os.unlink(capture)
    saved = subprocess.run([bench.oriel, "recover", "-o", capture], env=bench.env,
                           capture_output=True, check=False)
    if not bench.check(saved.returncode == 0 and os.path.exists(capture),
                       f"{how} recover: {saved.stderr.decode()}"):
        return
    facts = json.loads(report(bench, capture, "--json"))
    crash = facts.get("crashes", [None])[0]
    # While the program's own handler ran, the drain thread may have taken everything, the
    # crash with it; what was in its outlets' buffers died with the program.
    if how == "early" and crash is None and not facts["threads"]:
        return
    # The same of a thread that lost its processor between its event and its end.
    bench.check(crash and crash["signal"] == DEATHS[how][1] and (crash["thread"] or not facts["threads"]),
                f"{how} recovered: {crash}")
    bench.check(f"was killed by {DEATHS[how][1]}" in saved.stderr.decode() or how == "early",
                f"{how} recover said {saved.stderr.decode()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    bench = Bench(args.build, "crash")
    for key in ("ORIEL_CRASH", "ORIEL_TRACE_DIR"):
        bench.env.pop(key, None)
    for _ in range(args.rounds):
        for how in DEATHS:
            one_death(bench, how)
    check_outlets(bench)
    for how in ("segv", "stack", "thread", "early"):
        left_behind(bench, how)
    bench.done(crashes=args.rounds * len(DEATHS))


if __name__ == "__main__":
    main()
