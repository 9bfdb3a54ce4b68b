#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What perf records in each of its ways, read by oriel: every function has the
period that perf report gives it, and copied stacks reach the program's start.
The text of perf script gives the same stacks as the file it was made from.

  perf.py ORIEL SAMPLED DIR
"""
import collections
import os
import re
import shutil
import subprocess
import sys

FORMS = {
    "plain": [],
    "chain": ["-g"],
    "dwarf": ["--call-graph", "dwarf,16384"],
    "packed": ["-z", "--call-graph", "dwarf,16384"],
    "stream": ["-g"],
    "several": ["-e", "cpu-clock", "-e", "page-faults"],
}


def run(*words, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def record(sampled, directory, form):
    path = os.path.join(directory, form + ".data")
    words = ["perf", "record", "-F", "499", *FORMS[form]]
    if form == "stream":
        with open(path, "wb") as out:
            done = subprocess.run(words + ["-o", "-", "--", sampled, "200", "1"], stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=300)
    else:
        done = subprocess.run(words + ["-o", path, "--", sampled, "200", "1"],
                              capture_output=True, text=True, timeout=300)
    return path if done.returncode == 0 else None


def of_perf(path):
    """{function: period} by the place of each sample, of CPU time only."""
    text = run("perf", "report", "-i", path, "--no-children", "--no-inline", "--stdio", "-g",
               "none", "-F", "period,sym", "--percent-limit", "0")
    sums, event = collections.Counter(), ""
    for line in text.splitlines():
        event = line if "of event" in line else event
        row = re.match(r"\s*(\d+)\s+\[(.)\] (.*?)\s*$", line)
        if row and "page-faults" not in event:
            sums[row[3]] += int(row[1])
    return sums


def of_oriel(oriel, path):
    sums = collections.Counter()
    for line in run(oriel, "flame", "--format", "folded", path).splitlines():
        stack, weight = line.rsplit(" ", 1)
        names = stack.split(";")
        while names[-1].endswith("_[i]"):  # perf names the function it is in
            names.pop()
        sums[re.sub(r"_\[k\]$", "", names[-1])] += int(weight)
    return sums


def named(sums):
    """A library without symbols has addresses with one, its name with the other; so has the vDSO.
    Of several names of one place perf takes the one with fewer underscores in front, and not that
    of the kernel's copy for where it is not mapped yet (__pi_)."""
    out = collections.Counter()
    for name, weight in sums.items():
        unnamed = re.match(r"0x|\[|__vdso_", name)
        out["?" if unnamed else re.sub("^_+(pi_+)?|@.*", "", name)] += weight
    return out


def check_shares(oriel, path, form):
    theirs, ours = named(of_perf(path)), named(of_oriel(oriel, path))
    if sum(theirs.values()) != sum(ours.values()) or not theirs:
        sys.exit("%s: %d by perf, %d by oriel" % (form, sum(theirs.values()), sum(ours.values())))
    for name, weight in theirs.most_common(20):
        if ours[name] != weight:
            sys.exit("%s: %s: %d by perf, %d by oriel" % (form, name, weight, ours[name]))
    print("%s: %d ns in %d functions, as perf has them" % (form, sum(ours.values()), len(theirs)))


def check_depth(oriel, path, form):
    whole = all_of = 0
    for line in run(oriel, "flame", "--format", "folded", path).splitlines():
        stack, weight = line.rsplit(" ", 1)
        if ";deep" not in stack:  # before main, and after it
            continue
        all_of += int(weight)
        if ";main;" in stack and stack.count(";deep") >= 30:
            whole += int(weight)
    if whole < 0.95 * all_of or not all_of:
        sys.exit("%s: only %d of %d reach main" % (form, whole, all_of))


def check_script(oriel, path, directory):
    text = os.path.join(directory, "script.txt")
    with open(text, "w", encoding="utf-8") as out:
        out.write(run("perf", "script", "-i", path, "--no-inline"))
    theirs, ours = named(of_oriel(oriel, text)), named(of_oriel(oriel, path))
    if sum(theirs.values()) != sum(ours.values()):
        sys.exit("script: %d, but %d in the file" % (sum(theirs.values()), sum(ours.values())))


def main(oriel, sampled, directory):
    if not shutil.which("perf"):
        print("perf is not installed")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    for form in FORMS:
        path = record(sampled, directory, form)
        if not path:
            print("perf record refuses", form)
            return 77
        check_shares(oriel, path, form)
        if form in ("dwarf", "packed"):
            check_depth(oriel, path, form)
        if form == "chain":
            check_script(oriel, path, directory)
        os.remove(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
