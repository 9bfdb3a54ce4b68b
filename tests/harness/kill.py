#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""SIGKILL at random points (A1, A3): a 4-thread writer at full rate, its ring
wrapping, killed alone or together with its recorder. Every record that was
committed must be in the capture, once and whole; every other one counted.

  kill.py BUILD_DIR [--kills N] [--both] [--ring SIZE[,..]] [--seed S]
Several rings are used in turn.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

THREADS = 4


def wait_for_writer(page, deadline=10.0):
    """Until the writer's threads run (they note their attempts in the page)."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        try:
            with open(page, "rb") as f:
                if any(f.read(4096)):
                    return True
        except OSError:
            pass
        time.sleep(0.0005)
    return False


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        children = f.read().split()
    return int(children[0]) if children else None


def threads_alive(pid):
    """Threads of a process that still run; a dead leader waits for the others."""
    alive = 0
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as f:
                alive += f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            pass
    return alive


def wait_until_dead(pid, deadline=10.0):
    """A killed process still runs its exit for a moment."""
    end = time.monotonic() + deadline
    while time.monotonic() < end and threads_alive(pid):
        time.sleep(0.0005)


def one_kill(build, work, rng, both, ring):
    capture, page = f"{work}/k.oriel", f"{work}/page"
    for path in (capture, page):
        if os.path.exists(path):
            os.unlink(path)
    env = dict(os.environ, XDG_RUNTIME_DIR=work)
    recorder = subprocess.Popen(
        [f"{build}/oriel", "record", "--no-report", "--ring", ring, "-o", capture, "--",
         f"{build}/harness/writer", page, str(THREADS)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    if not wait_for_writer(page):
        recorder.kill()
        return None, "the writer did not start"
    writer = child_of(recorder.pid)
    time.sleep(rng.random() * 0.004)
    if both:
        first, second = rng.sample([writer, recorder.pid], 2)
        os.kill(first, signal.SIGKILL)
        # The second may see the first die, and get anywhere in what follows from it.
        time.sleep(rng.choice((0, 0.01, 0.1)) * rng.random())
        os.kill(second, signal.SIGKILL)
    else:
        os.kill(writer, signal.SIGKILL)
    _, err = recorder.communicate(timeout=60)
    wait_until_dead(writer)
    if both:
        saved = subprocess.run([f"{build}/oriel", "recover"], env=env,
                               capture_output=True, check=False, timeout=60)
        if saved.returncode != 0:
            return None, "recover: " + saved.stderr.decode(errors="replace")
    check = subprocess.run([f"{build}/harness/check", capture, page, str(THREADS)],
                           capture_output=True, check=False, timeout=60)
    if not check.stdout:
        return None, check.stderr.decode(errors="replace") + err.decode(errors="replace")
    books = json.loads(check.stdout)
    return books, check.stderr.decode(errors="replace") if check.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--both", action="store_true")
    parser.add_argument("--ring", default="1M")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    total = {"attempted": 0, "present": 0, "lost": 0, "missing": 0, "torn": 0, "damaged": 0}
    failures = 0
    rings = args.ring.split(",")
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    for i in range(args.kills):
        work = tempfile.mkdtemp(prefix="oriel-kill.", dir=base)
        books, problem = one_kill(args.build, work, rng, args.both, rings[i % len(rings)])
        if books:
            for key in total:
                total[key] += books[key]
        if problem:
            failures += 1
            print(f"kill {i}: {problem.strip()}")
            if failures >= 5:
                break
        shutil.rmtree(work)
    print(json.dumps(dict(total, kills=i + 1, both=args.both, rings=rings, failures=failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
