#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Full disks (A6): a file system of a given size, and a program that records
more than fits. The program must not notice, the capture must be readable, and
  tries = present + lost + unwritten, exactly.

  disk_full.py BUILD_DIR [--all | --sizes KIB[,..]]
Runs itself in a mount namespace of its own; needs the right to make one (77).
"""
import argparse
import json
import os
import re
import subprocess
import sys

from harness import Bench

PER_KIB = 70  # ticks of each of 4 threads: more than fits, at 8 bytes each
PAUSE_US = "20"  # so that the recorder keeps up, and the disk is what is short


def one_size(bench, kib):
    mount = bench.path("disk")
    os.makedirs(mount, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", mount], check=True)
    try:
        capture = f"{mount}/c.oriel"
        # Not compressed: the disk is full soon, and bytes can be told from bytes.
        done = bench.record([bench.tool("flood"), bench.page(), str(kib * PER_KIB + 20000), PAUSE_US], capture,
                            ("--ring", "16M", "--rate", "0", "--compression", "none"))
        tries = bench.tries()
        bench.check(done.returncode == 7 and done.stdout == f"done {tries}\n".encode(),
                    f"{kib} KiB: the program noticed: {done.returncode} {done.stdout}")
        books = bench.tally(capture)
        bench.law(tries, books)
        st = os.stat(capture)
        share = st.st_size / (kib * 1024)
        full = books is not None and books["unwritten"] > 0
        told = re.search(rb"([0-9,]+) records could not be written", done.stderr)
        told = int(told.group(1).replace(b",", b"")) if told else 0
        bench.check(books is None or told == books["unwritten"],
                    f"{kib} KiB: told that {told} were not written, {books} is so")
        bench.check(not full or share >= 0.95, f"{kib} KiB: {share:.4f} of the space is used")
        said = json.loads(subprocess.run([bench.oriel, "report", "--json", capture],
                                         env=bench.env, capture_output=True, check=True).stdout)
        unwritten = said["quality"]["unwritten"]
        bench.check(books is None or unwritten == books["unwritten"],
                    f"{kib} KiB: the report says {unwritten} unwritten")
        return full, share, books
    finally:
        subprocess.run(["umount", mount], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sizes", default="64,128,320,576,1024,2048,3072,4096")
    args = parser.parse_args()
    if "ORIEL_OWN_MOUNTS" not in os.environ:
        if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
            print("no right to a mount namespace")
            sys.exit(77)
        os.environ["ORIEL_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    sizes = range(64, 16385, 64) if args.all else [int(s) for s in args.sizes.split(",")]
    bench = Bench(args.build, "disk")
    total = {"sizes": 0, "full": 0, "present": 0, "lost": 0, "unwritten": 0}
    least = 1.0
    for kib in sizes:
        full, share, books = one_size(bench, kib)
        total["sizes"] += 1
        total["full"] += full
        least = min(least, share) if full else least
        for key in ("present", "lost", "unwritten"):
            total[key] += books[key] if books else 0
    bench.check(total["full"] == total["sizes"], f"only {total['full']} disks were full")
    bench.done(**total, least_share=round(least, 4))


if __name__ == "__main__":
    main()
