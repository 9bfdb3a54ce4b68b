#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel attach comes and goes under load, ends by itself, is interrupted and is
killed: the program's output and exit status must be those of a run without it,
and nothing may be left in the program or on the machine.

  attach.py BUILD_DIR [--rounds N]
"""
import argparse
import os
import random
import signal
import subprocess
import time

from harness import Bench


def start(bench, words):
    return subprocess.Popen(words, env=bench.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)


def finish(child):
    out, _ = child.communicate(timeout=120)
    return out, child.returncode


def crowd_of(child):
    """The program itself: below a recorder it is a child."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pids = [child.pid]
        try:
            with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="ascii") as f:
                pids += [int(p) for p in f.read().split()]
        except OSError:
            pass
        for pid in pids:
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith("/crowd") and \
                        len(os.listdir(f"/proc/{pid}/task")) > 1:
                    return pid
            except OSError:
                pass
        time.sleep(0.001)
    return None


def looks(pid, fields):
    """What an observer could leave behind in it."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        files = {line.split(maxsplit=5)[5].strip() for line in f if line.count(" ") > 5 and "/" in line}
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        tracer = [line for line in f if line.startswith(fields)]
    return files, sorted(os.listdir(f"/proc/{pid}/fd")), tracer


def one_round(bench, pid, rng, counts):
    capture = bench.path("a.oriel")
    if os.path.exists(capture):
        os.unlink(capture)
    how = rng.choice(("duration", "duration", "interrupt", "kill"))
    words = [bench.oriel, "attach", "-p", str(pid), "-o", capture, "--no-report"]
    if how == "duration":
        words += ["--duration", f"{rng.randrange(1, 20)}ms"]
    tool = subprocess.Popen(words, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if how != "duration":
        time.sleep(rng.random() * 0.05)
        tool.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
    said = tool.communicate(timeout=60)[1].decode()
    # An interrupt may come before it is caught.
    fine = {"duration": (0,), "interrupt": (0, -signal.SIGINT), "kill": (0, -signal.SIGKILL)}[how]
    bench.check(tool.returncode in fine, f"{how}: {tool.returncode}: {said}")
    counts[how] += 1


def target(bench, words, rounds, rng, counts, bare):
    child = start(bench, words)
    fields = ("TracerPid",) if "say" in words else ("TracerPid", "SigCgt")  # Oriel's own come later
    pid = crowd_of(child)
    if not bench.check(pid, f"{words}: does not run"):
        return
    before = looks(pid, fields)
    for _ in range(rounds):
        one_round(bench, pid, rng, counts)
    after = looks(pid, fields)
    bench.check(after == before, f"{words}: left behind: {before} {after}")
    got = finish(child)
    bench.check(got == bare, f"{words}: {got}, alone {bare}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=24)
    args = parser.parse_args()
    bench = Bench(args.build, "attach")
    rng = random.Random(6)
    counts = {"duration": 0, "interrupt": 0, "kill": 0}
    alone = start(bench, [bench.tool("crowd")])
    crowd_of(alone)
    bare = finish(alone)
    bench.check(bare[1] == 7, f"alone: {bare}")
    half = args.rounds // 2
    target(bench, [bench.tool("crowd")], args.rounds - half, rng, counts, bare)
    target(bench, bench.record_command([bench.tool("crowd"), "say"], bench.path("c.oriel")), half,
           rng, counts, bare)
    left = os.listdir(bench.path("oriel")) if os.path.isdir(bench.path("oriel")) else []
    bench.check(left == [], f"rings left: {left}")
    bench.done(**counts)


if __name__ == "__main__":
    main()
