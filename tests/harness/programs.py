#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs that do what programs do, recorded; and the law of harness.py.

  programs.py BUILD_DIR forks [COUNT]        B7: fork storm under load
  programs.py BUILD_DIR signals [COUNT]      B9: emits in handlers, at 7 kHz and more
  programs.py BUILD_DIR churn [THREADS]      B15: short threads
  programs.py BUILD_DIR purity               B14: no allocation, lock, system call
"""
import re
import sys

from harness import PATIENCE, Bench


def numbers(text):
    return {k: int(v) for k, v in re.findall(r"(\w+) (-?\d+)", text.decode())}


def run(bench, name, *args, options=(), timeout=PATIENCE):
    done = bench.record([bench.tool(name), bench.page(), *args], options=options, timeout=timeout)
    bench.check(done.returncode == 0, f"{name}: status {done.returncode}: {done.stderr[-300:]}")
    books = bench.tally()
    tries = bench.tries()
    bench.law(tries, books)
    return dict(numbers(done.stdout), tries=tries, **(books or {}))


def forks(bench, count="500"):
    said = run(bench, "forks", count)
    bench.check(said["hangs"] == 0 and said["odd"] == 0, f"children: {said}")
    return said


def signals(bench, count="10000"):
    said = run(bench, "signals", count)
    bench.check(said["signals"] >= int(count) and said["nested"] > 0, f"signals: {said}")
    return said


def churn(bench, threads="20000"):
    said = run(bench, "churn", threads)
    bench.check(said["tries"] == int(threads) * 10, f"tries: {said}")
    bench.check(said["grew_kib"] <= 1024, f"memory: {said}")
    bench.check(said["lost"] == 0, f"lost: {said}")
    return said


def purity(bench):
    shim = bench.tool("purity_shim.so")
    argv = ["env", f"LD_PRELOAD={shim}", bench.tool("purity")]
    done = bench.record(argv)
    if done.returncode == 77:
        print("no shim, or no right to filter system calls")
        sys.exit(77)
    bench.check(done.returncode == 0 and done.stdout == b"emits 1000000 calls 0\n",
                f"not pure: {done.returncode} {done.stdout}")
    for sin, status in (("syscall", (-31,)), ("malloc", (1, -31)), ("lock", (1,))):
        caught = bench.record([*argv, sin])
        bench.check(caught.returncode in status, f"a {sin} is not noticed: {caught.returncode}")
    return numbers(done.stdout)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    bench = Bench(sys.argv[1], sys.argv[2])
    test = {"forks": forks, "signals": signals, "churn": churn, "purity": purity}[sys.argv[2]]
    figures = test(bench, *sys.argv[3:])
    bench.done(**figures)


if __name__ == "__main__":
    main()
