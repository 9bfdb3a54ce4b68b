#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A sampled program, exported to callgrind and to folded stacks: callgrind_annotate
gives every function the self and the inclusive cost that the stacks give it.

  recorded.py ORIEL SAMPLED DIR
"""
import collections
import os
import re
import shutil
import subprocess
import sys


def run(*words):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def of_stacks(path):
    own, total = collections.Counter(), collections.Counter()
    with open(path, encoding="utf-8") as f:
        for line in f:
            stack, weight = line.rsplit(" ", 1)
            names = re.sub(r"_\[[ki]\](?=;|$)", "", stack).split(";")
            own[names[-1]] += int(weight)
            for name in set(names):
                total[name] += int(weight)
    return own, total


def annotated(path, inclusive):
    costs = collections.Counter()
    text = run("callgrind_annotate", "--threshold=100", "--show=Cpu_ns", "--auto=no",
               "--inclusive=" + inclusive, path)
    rows = re.findall(r"^ *([\d,]+) \( *[\d.]+%\) +(\S.*)$", text, re.M)
    for cost, name in rows[1:]:  # after the sum of all
        name = re.sub(r" \[[^ ]*\]$", "", name)  # the object file
        costs[name.split(":", 1)[1]] += int(cost.replace(",", ""))
    return costs


def main(oriel, sampled, directory):
    if not shutil.which("callgrind_annotate"):
        print("valgrind is not installed: nobody to read the file")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    capture = os.path.join(directory, "c.oriel")
    said = subprocess.run([oriel, "record", "--rate", "499", "--no-report", "-o", capture, "--",
                           sampled, "1000", "2"], text=True, capture_output=True, timeout=300)
    if "refuses" in said.stderr:
        print(said.stderr)
        return 77
    paths = {}
    for outlet in ("callgrind", "folded"):
        paths[outlet] = os.path.join(directory, "c." + outlet)
        run(oriel, "export", "--to", outlet, "-o", paths[outlet], capture)
    flame = run(oriel, "flame", "--format", "folded", capture)
    with open(paths["folded"], encoding="utf-8") as f:
        if sorted(f.read().splitlines()) != sorted(flame.splitlines()):
            sys.exit("folded: not what oriel flame writes")
    for inclusive, expected in zip(("no", "yes"), of_stacks(paths["folded"])):
        got = annotated(paths["callgrind"], inclusive)
        for name, weight in expected.items():
            if weight and got[name] != weight:
                sys.exit("inclusive %s: %s: callgrind_annotate says %d, the stacks %d"
                         % (inclusive, name, got[name], weight))
        print("inclusive %s: %d functions, as the stacks have them" % (inclusive, len(expected)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
