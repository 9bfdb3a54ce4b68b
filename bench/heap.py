#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What --heap costs, beside heaptrack, and how near samples come to the truth.

  heap.py ORIEL HEAP_TRUTH [RUNS]

Cost is CPU time of the program and of what records it, start and end included:
the median of five runs, as a ratio to the program alone; "record" has no hook. Samples: the mean of RUNS
(30) recordings of a known 400 MB, which should lie within 2 % of it.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile


def cpu(words, **options):
    """CPU seconds of a command and all it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                   **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def folded(oriel, capture):
    run = subprocess.run([oriel, "flame", "--format", "folded", "--kind", "alloc", capture],
                         text=True, capture_output=True, check=True)
    return {line.rsplit(" ", 1)[0].split(";")[-1]: int(line.rsplit(" ", 1)[1])
            for line in run.stdout.splitlines()}


def costs(oriel, truth, directory):
    capture = os.path.join(directory, "c.oriel")
    record = [oriel, "record", "--rate", "0", "--no-report", "-o", capture]
    sql = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400000) "
           "SELECT count(DISTINCT 'row '||i) FROM n;")
    loads = {"malloc-bound loop": [truth, "400000", "keep"],
             "sqlite3": ["sqlite3", ":memory:", sql]}
    for name, words in loads.items():
        if not shutil.which(words[0]):
            continue
        tools = {"alone": words, "record": record + ["--"] + words,
                 "sampled": record + ["--heap", "sampled", "--"] + words,
                 "exact": record + ["--heap", "exact", "--"] + words}
        if shutil.which("heaptrack"):
            tools["heaptrack"] = ["heaptrack", "-o", os.path.join(directory, "h")] + words
        rows = {tool: statistics.median(cpu(line) for _ in range(5))
                for tool, line in tools.items()}
        for tool, seconds in rows.items():
            print(f"{name:18} {tool:10} {seconds:7.3f} s  x{seconds / rows['alone']:.2f}")


def accuracy(oriel, truth, directory, runs):
    capture, sums = os.path.join(directory, "a.oriel"), {"keeps": [], "gives_back": []}
    for _ in range(runs):
        subprocess.run([oriel, "record", "--rate", "0", "--heap", "sampled", "--no-report", "-o",
                        capture, "--", truth, "100000", "keep"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        got = folded(oriel, capture)
        for name, values in sums.items():
            values.append(got.get(name, 0))
    for name, each in (("keeps", 1000), ("gives_back", 3000)):
        mean = statistics.mean(sums[name]) / (100000 * each)
        print(f"samples of {name:10} {runs} runs: {(mean - 1) * 100:+.2f} % of the truth, "
              f"one run +-{statistics.pstdev(sums[name]) / (1000 * each):.1f} %")


def main(oriel, truth, runs="30"):
    with tempfile.TemporaryDirectory() as directory:
        costs(oriel, truth, directory)
        accuracy(oriel, truth, directory, int(runs))


if __name__ == "__main__":
    main(*sys.argv[1:])
