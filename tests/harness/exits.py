#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ends of programs (B11) and plugins that come and go (B12): every way to end
in every way to link, recorded; no crash, no hang, the law of harness.py.

  exits.py BUILD_DIR [COUNT]
"""
import re
import subprocess
import sys

from harness import PATIENCE, Bench

HOWS = 6
THREADS = 50  # that may stand between an emit and the note of it, when all ends
LINKS = ("static", "shared", "plugin")


def command(bench, link, page, how):
    if link == "plugin":
        return [bench.tool("exits_host"), bench.tool("exits_plugin.so"), page, str(how)]
    return [bench.tool(f"exits_{link}"), page, str(how)]


def inner(bench, page, count):
    """Runs below the recorder."""
    crashes = hangs = 0
    for i in range(count):
        argv = command(bench, LINKS[i % 3], page, i * HOWS + i // 3 % HOWS)
        try:
            done = subprocess.run(argv, check=False, timeout=PATIENCE)
            if done.returncode != 0:
                crashes += 1
                print("crash", LINKS[i % 3], i // 3 % HOWS, done.returncode, flush=True)
        except subprocess.TimeoutExpired:
            hangs += 1
            print("hang", LINKS[i % 3], i // 3 % HOWS, flush=True)
    print(f"crashes {crashes} hangs {hangs}")


def main():
    bench = Bench(sys.argv[1], "exits")
    if sys.argv[2:3] == ["--inner"]:
        inner(bench, sys.argv[3], int(sys.argv[4]))
        bench.done()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    done = bench.record([sys.executable, __file__, bench.build, "--inner", bench.page(), str(count)],
                        timeout=4 * PATIENCE)
    bench.check(b"crashes 0 hangs 0" in done.stdout, done.stdout.decode()[-2000:])
    books = bench.tally()
    running = sum(1 for i in range(count) if i // 3 % HOWS in (4, 5))
    bench.law(bench.tries(), books, slack=running * THREADS)
    plugin = [bench.tool("exits_host"), bench.tool("exits_plugin.so"), bench.page(), "cycles", "1000"]
    done = bench.record(plugin)
    grew = re.search(rb"grew_kib (-?\d+)", done.stdout)
    bench.check(done.returncode == 0 and grew and int(grew[1]) <= 64,
                f"cycles: {done.returncode} {done.stdout}")
    cycled = bench.tally()
    bench.law(1000, cycled)
    bench.done(exits=count, **(books or {}), cycles_grew_kib=int(grew[1]) if grew else None)


if __name__ == "__main__":
    main()
