#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A sampled program, exported for the Firefox Profiler: the profiler's own command
line loads it and gives every function the time that the folded stacks give it.

  recorded.py NODE ORIEL SAMPLED DIR
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

CLI = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "node_modules/@firefox-devtools/profiler-cli/dist/profiler-cli.js")


def run(*words, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def of_stacks(text):
    own, total = collections.Counter(), collections.Counter()
    for line in text.splitlines():
        stack, weight = line.rsplit(" ", 1)
        names = re.sub(r"_\[[ki]\](?=;|$)", "", stack).split(";")
        own[names[-1]] += int(weight)
        for name in set(names):
            total[name] += int(weight)
    return own, total


def of_profiler(ask):
    own, total = collections.Counter(), collections.Counter()
    for thread in json.loads(ask("thread", "list", "--json"))["threads"]:
        if ":" in thread["name"]:  # of another kind than CPU time
            continue
        functions = json.loads(ask("thread", "functions", "--json", "--limit", "0",
                                   "--include-idle", "--thread", thread["threadHandle"]))
        for f in functions["functions"]:
            own[f["name"]] += f["selfSamples"] * 1e6
            total[f["name"]] += f["totalSamples"] * 1e6
    return own, total


def main(node, oriel, sampled, directory):
    if not os.path.exists(CLI):
        print("not installed: run npm ci --ignore-scripts in tests/firefox")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    capture, profile = os.path.join(directory, "c.oriel"), os.path.join(directory, "c.json")
    said = subprocess.run([oriel, "record", "--rate", "499", "--no-report", "-o", capture, "--",
                           sampled, "1000", "2"], text=True, capture_output=True, timeout=300)
    if "refuses" in said.stderr:
        print(said.stderr)
        return 77
    run(oriel, "export", "--to", "firefox", "-o", profile, capture)
    expected = of_stacks(run(oriel, "export", "--to", "folded", "-o", "-", capture))
    home = dict(os.environ, HOME=directory)

    def ask(*words):
        return run(node, CLI, *words, "--session", "oriel", env=home)

    def load():
        """The daemon is given half a second to start, which a busy machine may not have."""
        for _ in range(20):
            done = subprocess.run([node, CLI, "load", profile, "--session", "oriel"], text=True,
                                  capture_output=True, timeout=120, env=home)
            if done.returncode == 0:
                return True
            if "ready within" not in done.stderr:
                sys.exit("load: " + done.stderr)
            subprocess.run([node, CLI, "stop", "oriel"], capture_output=True, timeout=120,
                           env=home, check=False)
        return False

    if not load():
        print("the profiler's daemon does not start on a machine that is so busy")
        return 77
    try:
        got = of_profiler(ask)
    finally:
        run(node, CLI, "stop", "oriel", env=home)
    for which, name in enumerate(("self", "total")):
        for function, weight in expected[which].items():
            if abs(got[which][function] - weight) > 1000:  # sums of doubles
                sys.exit("%s of %s: the profiler says %d ns, the stacks %d"
                         % (name, function, got[which][function], weight))
        print("%s: %d functions, as the stacks have them" % (name, len(expected[which])))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
