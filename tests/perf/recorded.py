#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A sampled program, exported to perf.data: perf reads it and has every sample, the weight of
every function, every thread and every stack as Oriel has them; and read back by oriel it is the
same again.

  recorded.py ORIEL SAMPLED DIR
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

KINDS = {"cpu": "cpu-clock", "off-cpu": "offcpu-time"}
SAME = 0.98  # of the weight: of several names of one place each takes its own


def run(*words, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def plain(name):
    """A function as all call it; "?" where nobody knows: some say the file, some the address."""
    name = re.sub(r"_\[k\]$|\(.*", "", name)
    if re.match(r"0x|\[|.*\+0x|__vdso_", name):
        return "?"
    return re.sub("^_+(pi_+)?(GI_+)?|@.*", "", name)


def of_oriel(oriel, path, kind):
    """{stack: weight}, the outermost first, without what is inlined."""
    sums = collections.Counter()
    for line in run(oriel, "flame", "--format", "folded", "--kind", kind, path).splitlines():
        stack, weight = line.rsplit(" ", 1)
        names = [plain(n) for n in stack.split(";") if not n.endswith("_[i]")]
        sums[";".join(names)] += int(weight)
    return sums


class Script:
    """What perf script says: samples by event."""

    def __init__(self, path):
        self.stacks = collections.defaultdict(collections.Counter)
        self.threads = collections.defaultdict(collections.Counter)
        self.count = collections.Counter()
        text = run("perf", "script", "-i", path, "--no-inline", "--ns", "-F",
                   "comm,pid,tid,time,period,event,ip,sym", "--max-stack", "1024")
        for block in re.split(r"\n\n+", text):
            self.take(block.strip("\n"))

    def take(self, block):
        if not block:
            return
        lines = block.split("\n")
        head = re.match(r"\s*(.*?)\s+(\d+)/(\d+)\s+(\d+\.\d{9}):\s+(\d+)\s+(\S+?):\s*$", lines[0])
        if not head:
            sys.exit("perf script says: %r" % lines[0])
        event, period = head[6], int(head[5])
        names = [plain(line.split(None, 1)[1]) if " " in line.strip() else "?"
                 for line in lines[1:]]
        self.count[event] += 1
        self.threads[event][int(head[3])] += period
        self.stacks[event][";".join(reversed(names)) or "?"] += period


def by_function(stacks):
    own, total = collections.Counter(), collections.Counter()
    for stack, weight in stacks.items():
        names = stack.split(";")
        own[names[-1]] += weight
        for name in set(names):
            total[name] += weight
    return own, total


def compare(what, ours, theirs):
    """Two counters of the same sum agree in nearly all of it."""
    everything = sum(ours.values())
    agreed = sum(min(weight, theirs[key]) for key, weight in ours.items())
    if agreed < SAME * everything:
        apart = sorted(((ours[k] - theirs[k], k) for k in set(ours) | set(theirs)), key=lambda d: -abs(d[0]))
        sys.exit("%s: only %d of %d agree:\n%s" % (what, agreed, everything, "\n".join(
            "%d %s" % d for d in apart[:6])))
    print("%s: %.2f %% of %d agree" % (what, 100 * agreed / max(everything, 1), everything))


def check_perf(oriel, capture, data):
    script = Script(data)
    for kind, event in KINDS.items():
        ours = of_oriel(oriel, capture, kind)
        if kind == "cpu" and not ours:
            sys.exit("nothing was sampled")
        theirs = script.stacks[event]
        if sum(ours.values()) != sum(theirs.values()):
            sys.exit("%s: %d in the recording, %d by perf" % (kind, sum(ours.values()), sum(theirs.values())))
        compare(kind + " stacks", ours, theirs)
        for which, mine, others in zip(("self", "total"), by_function(ours), by_function(theirs)):
            compare("%s %s" % (kind, which), mine, others)
    return script


def check_report(data, script):
    """perf report adds up the same."""
    text = run("perf", "report", "-i", data, "--no-children", "--no-inline", "--stdio", "-g", "none",
               "-F", "period,sym", "--percent-limit", "0")
    sums, event = collections.Counter(), None
    for line in text.splitlines():
        named = re.match(r"# Samples: .* of event '(.*)'", line)
        event = named[1] if named else event
        row = re.match(r"\s*(\d+)\s+\[(.)\] (.*?)\s*$", line)
        if row:
            sums[event] += int(row[1])
    for event, count in script.count.items():
        if sums[event] != sum(script.stacks[event].values()):
            sys.exit("perf report: %s: %d, not %d" % (event, sums[event], sum(script.stacks[event].values())))
        print("perf: %d samples of %s" % (count, event))


def threads_of(oriel, path, directory):
    """{(name, tid): CPU time}"""
    out = os.path.join(directory, "threads.json")
    run(oriel, "export", "--to", "speedscope", "--kind", "cpu", "-f", "-o", out, path)
    with open(out, encoding="utf-8") as f:
        profiles = json.load(f)["profiles"]
    named = [(re.fullmatch(r"cpu: (.*) \((\d+)\)", p["name"]), p["weights"]) for p in profiles]
    sums = collections.Counter()
    for name, weights in named:
        sums[name[1], int(name[2])] += sum(weights)
    return sums


def check_threads(oriel, capture, data, script, directory):
    ours, again = (threads_of(oriel, path, directory) for path in (capture, data))
    by_tid = collections.Counter()
    for (_, tid), weight in ours.items():
        by_tid[tid] += weight
    if by_tid != script.threads["cpu-clock"]:
        sys.exit("threads: %s, by perf %s" % (ours, script.threads["cpu-clock"]))
    if ours != again:
        sys.exit("threads: %s, read back %s" % (ours, again))
    print("%d threads" % len(ours))


def check_again(oriel, capture, data):
    for kind in KINDS:
        before, after = (of_oriel(oriel, path, kind) for path in (capture, data))
        if before != after:
            sys.exit("read back: %s: %s" % (kind, list((before - after).items())[:3]))
    print("read back: the same stacks and weights")


def check_header(data):
    text = run("perf", "report", "-i", data, "--header-only")
    for expected in (r"# hostname : \S", r"# arch : \S", r"# cmdline : .*sampled 1000 2",
                     r"# clockid: realtime", r"name = cpu-clock,", r"# perf version : oriel"):
        if not re.search(expected, text):
            sys.exit("no %s in:\n%s" % (expected, text))
    listed = run("perf", "buildid-list", "-i", data)
    if not re.search(r"^[0-9a-f]{40} /.*sampled$", listed, re.M):
        sys.exit("no build-id of the program in:\n" + listed)


def check_refused(oriel, capture, directory):
    """A pipe, and a recording without samples: one line, no file."""
    empty, out = os.path.join(directory, "empty.oriel"), os.path.join(directory, "none.data")
    run(oriel, "record", "--rate", "0", "--no-report", "-o", empty, "--", "true")
    for words, said in (((empty, "-o", out), "--rate"), ((capture, "-o", "-"), "-o")):
        done = subprocess.run([oriel, "export", "--to", "perf", *words], text=True,
                              capture_output=True)
        if done.returncode != 1 or said not in done.stderr or done.stderr.count("\n") != 1:
            sys.exit("%s: %d %s" % (words, done.returncode, done.stderr))
        if os.path.exists(out) or done.stdout:
            sys.exit("%s: something is left" % (words,))


def main(oriel, sampled, directory):
    if not shutil.which("perf"):
        print("perf is not installed: no file is shown to it")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    capture, data = os.path.join(directory, "c.oriel"), os.path.join(directory, "c.data")
    said = subprocess.run([oriel, "record", "--rate", "499", "--no-report", "-o", capture, "--",
                           sampled, "1000", "2"], text=True, capture_output=True, timeout=300)
    if "refuses" in said.stderr:
        print(said.stderr)
        return 77
    run(oriel, "export", "--to", "perf", "-o", data, capture)
    check_header(data)
    script = check_perf(oriel, capture, data)
    check_report(data, script)
    check_threads(oriel, capture, data, script, directory)
    check_again(oriel, capture, data)
    check_refused(oriel, capture, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
