#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""pprof in and out. What Go writes has the same totals in oriel as in go tool
pprof; what oriel writes, reads and writes again is the same to the last stack.
Folded stacks read and written again are the same bytes.

  go.py ORIEL SAMPLED DIR
"""
import os
import re
import shutil
import subprocess
import sys

PROGRAM = """package main
import ("math/rand"; "os"; "runtime/pprof"; "sort")
func work() int {
    sum := 0
    for k := 0; k < 60; k++ {
        a := make([]int, 30000)
        for i := range a { a[i] = rand.Int() }
        sort.Ints(a)
        sum += a[0]
    }
    return sum
}
func main() {
    f, _ := os.Create(os.Args[1])
    pprof.StartCPUProfile(f)
    work()
    pprof.StopCPUProfile()
    f.Close()
    h, _ := os.Create(os.Args[2])
    pprof.Lookup("allocs").WriteTo(h, 0)
    h.Close()
}
"""


def run(*words, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return done.stdout


def traces(profile, index):
    """Every stack with its value, without the lines about the profile."""
    text = run("go", "tool", "pprof", "-symbolize=none", "-traces", "-unit=minimum",
               "-sample_index=" + index, profile)
    blocks = re.split(r"-+\+-+\n", text)[1:]
    return sorted(block for block in blocks if not re.match(r"\s*0 ", block))


def total(profile, index):
    text = run("go", "tool", "pprof", "-symbolize=none", "-top", "-unit=minimum",
               "-sample_index=" + index, profile)
    found = re.search(r"of ([\d.]+)\w* total", text)
    return float(found[1]) if found else 0


def main(oriel, sampled, directory):
    if not shutil.which("go"):
        print("go is not installed")
        return 77
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    path = lambda name: os.path.join(directory, name)
    with open(path("main.go"), "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    run("go", "run", path("main.go"), path("cpu.pb.gz"), path("heap.pb.gz"),
        env=dict(os.environ, GOFLAGS="-mod=mod", GO111MODULE="off"))
    for name, indexes in (("cpu", ["cpu", "samples"]), ("heap", ["alloc_space", "alloc_objects"])):
        source = path(name + ".pb.gz")
        run(oriel, "export", "--to", "pprof", "-o", path(name + ".1.pb.gz"), source)
        run(oriel, "export", "--to", "pprof", "-o", path(name + ".2.pb.gz"),
            path(name + ".1.pb.gz"))
        for index in indexes:
            if total(source, index) != total(path(name + ".1.pb.gz"), index):
                sys.exit("%s: another total of %s" % (name, index))
            once, twice = (traces(path("%s.%d.pb.gz" % (name, n)), index) for n in (1, 2))
            if not once or once != twice:
                sys.exit("%s: other stacks of %s" % (name, index))
            print("%s: %d stacks of %s, read and written again" % (name, len(once), index))
    with open(path("1.folded"), "w", encoding="utf-8") as f:
        f.write(run(oriel, "flame", "--format", "folded", path("cpu.pb.gz")))
    with open(path("2.folded"), "w", encoding="utf-8") as f:
        f.write(run(oriel, "flame", "--format", "folded", path("1.folded")))
    with open(path("1.folded"), "rb") as one, open(path("2.folded"), "rb") as two:
        if one.read() != two.read():
            sys.exit("folded: not what was read")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
