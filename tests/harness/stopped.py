#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The recorder stopped (B5) or killed (B20) while the program runs: the program
must end as it would without one, while the recorder still stands, with the same
output and status, and everything that found room in the ring must be saved
afterwards. Run times are told, not judged.

  stopped.py BUILD_DIR [--rounds N]
"""
import argparse
import random
import signal
import statistics
import subprocess
import time

from harness import PATIENCE, Bench, program_of, wait_for_end

COUNT, PAUSE_US = "20000", "50"  # of each of 4 threads; 200 pauses of at least 50 us


def run_alone(bench):
    start = time.monotonic()
    subprocess.run([bench.tool("flood"), bench.page(), COUNT, PAUSE_US], env=bench.env,
                   capture_output=True, check=False)
    return time.monotonic() - start


def one_round(bench, how, delay):
    capture, out = bench.path("c.oriel"), bench.path("out")
    with open(out, "wb") as f:
        argv = [bench.tool("flood"), bench.page(), COUNT, PAUSE_US]
        start = time.monotonic()
        recorder = subprocess.Popen(bench.record_command(argv, capture, "--ring", "1M"), stdout=f,
                                    stderr=subprocess.DEVNULL, env=bench.env)
        program = program_of(recorder, "flood")
        if not program:  # over before it was seen
            recorder.wait(PATIENCE)
            return None
        time.sleep(delay)
        recorder.send_signal(how)
        ended = wait_for_end(program)
        took = time.monotonic() - start
    bench.check(ended, f"{how.name}: the program hangs")
    if how == signal.SIGSTOP:
        recorder.send_signal(signal.SIGCONT)
        bench.check(recorder.wait(PATIENCE) == 7, f"{how.name}: status {recorder.returncode}")
    else:
        recorder.wait(PATIENCE)
        saved = subprocess.run([bench.oriel, "recover"], env=bench.env, check=False,
                               capture_output=True, timeout=PATIENCE)
        bench.check(saved.returncode == 0, f"recover: {saved.stderr.decode()}")
    with open(out, "rb") as f:
        text = f.read()
    tries = bench.tries()
    bench.check(tries == 4 * int(COUNT) and text == f"done {tries}\n".encode(),
                f"{how.name}: {tries} tries, said {text}")
    books = bench.tally()
    bench.check(bench.law(tries, books), f"{how.name} after {delay:.4f} s: {saved.stderr.decode() if how == signal.SIGKILL else ''}")
    return took, books


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    bench = Bench(args.build, "stopped")
    rng = random.Random(1)
    alone = statistics.median(run_alone(bench) for _ in range(5))
    times = {"SIGSTOP": [], "SIGKILL": []}
    present = lost = 0
    for _ in range(args.rounds):
        for how in (signal.SIGSTOP, signal.SIGKILL):
            result = None
            while not result:
                result = one_round(bench, how, rng.random() * alone)
            took, books = result
            times[how.name].append(took)
            present += books["present"] if books else 0
            lost += books["lost"] if books else 0
    medians = {k: statistics.median(v) for k, v in times.items()}
    bench.done(rounds=2 * args.rounds, present=present, lost=lost, alone_s=round(alone, 4),
               stopped_s=round(medians["SIGSTOP"], 4), killed_s=round(medians["SIGKILL"], 4))


if __name__ == "__main__":
    main()
