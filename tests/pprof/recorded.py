#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A sampled program, exported to pprof: go tool pprof reads it and gives every
function the share that oriel flame gives it.

  recorded.py ORIEL SAMPLED DIR
"""
import collections
import os
import re
import shutil
import subprocess
import sys

UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "mins": 60e9}


def run(*words, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def folded(oriel, capture, kind):
    """({function: self}, {function: total}) of the folded stacks."""
    own, total = collections.Counter(), collections.Counter()
    for line in run(oriel, "flame", "--format", "folded", "--kind", kind, capture).splitlines():
        path, weight = line.rsplit(" ", 1)
        names = re.sub(r"_\[[ki]\](?=;|$)", "", path).split(";")
        own[names[-1]] += int(weight)
        for name in set(names):
            total[name] += int(weight)
    return own, total


def pprof(profile, index):
    own, total = {}, {}
    text = run("go", "tool", "pprof", "-symbolize=none", "-top", "-unit=ns", "-nodecount=100000",
               "-nodefraction=0", "-sample_index=" + index, profile)
    for line in text.splitlines():
        row = re.match(r"\s*([\d.]+)(\w*)\s+\S+%\s+\S+%\s+([\d.]+)(\w*)\s+\S+%\s+(.*?)(?: \(inline\))?$",
                       line)
        if row:
            name = row[5]
            own[name] = float(row[1]) * UNITS.get(row[2], 1)
            total[name] = float(row[3]) * UNITS.get(row[4], 1)
    return own, total


def compare(name, ours, theirs):
    everything = sum(ours[0].values())
    for which in (0, 1):
        for function, weight in ours[which].items():
            if function.startswith("["):  # a module: pprof names it in its own way
                continue
            got = theirs[which].get(function, 0)
            if abs(got - weight) > 1e-6 * everything:
                sys.exit("%s: %s: flame says %d, pprof %d" % (name, function, weight, got))
    print("%s: %d functions, %d ns, as flame has them" % (name, len(ours[1]), everything))


def main(oriel, sampled, directory):
    if not shutil.which("go"):
        print("go is not installed: no profile is shown to pprof")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    capture, profile = os.path.join(directory, "c.oriel"), os.path.join(directory, "c.pb.gz")
    said = subprocess.run([oriel, "record", "--rate", "499", "--no-report", "-o", capture, "--",
                           sampled, "1000", "2"], text=True, capture_output=True, timeout=300)
    if "refuses" in said.stderr:
        print(said.stderr)
        return 77
    run(oriel, "export", "--to", "pprof", "-o", profile, capture)
    compare("cpu", folded(oriel, capture, "cpu"), pprof(profile, "cpu"))
    if folded(oriel, capture, "off-cpu")[0]:
        compare("off-cpu", folded(oriel, capture, "off-cpu"), pprof(profile, "off_cpu"))
    raw = run("go", "tool", "pprof", "-symbolize=none", "-raw", profile)
    for expected in (r"thread_id:\[\d+\]", r"Comment: command: .*sampled 1000 2",
                     r"cpu/nanoseconds\[dflt\]",
                     r"Mappings\n\d+: 0x0/0x0/0x0 \S*sampled [0-9a-f]{40} \[FN\]"):
        if not re.search(expected, raw):
            sys.exit("no %s in:\n%s" % (expected, raw[:2000]))
    # Without samples: one line, no file.
    empty = os.path.join(directory, "empty.oriel")
    run(oriel, "record", "--rate", "0", "--no-report", "-o", empty, "--", "true")
    done = subprocess.run([oriel, "export", "--to", "pprof", "-o", profile + ".none", empty],
                          text=True, capture_output=True)
    if done.returncode != 1 or "--rate" not in done.stderr or done.stderr.count("\n") != 1:
        sys.exit("without samples: %d %s" % (done.returncode, done.stderr))
    if os.path.exists(profile + ".none"):
        sys.exit("without samples: a file is left")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
