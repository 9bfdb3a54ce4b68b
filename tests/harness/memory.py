#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory and disk that must not give way (A9, A10): a ring that does not fit is
refused in one line before the program starts, one without a name cannot be cut
short by others, and a capture with a limit stays below it.

  memory.py BUILD_DIR [--cap MIB]
"""
import argparse
import os
import subprocess
import sys
import time

from harness import PATIENCE, Bench


def full_memory(bench):
    """The place for rings is a file system of 1 MiB."""
    mount = bench.path("small")
    os.makedirs(mount)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", mount], check=True)
    try:
        env = dict(bench.env, XDG_RUNTIME_DIR=mount)
        command = bench.record_command([bench.tool("flood"), bench.page(), "10"],
                                       bench.path("c.oriel"), "--ring", "16M")
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=PATIENCE)
        lines = done.stderr.decode().splitlines()
        bench.check(done.returncode == 1 and len(lines) == 1 and "--ring" in lines[0],
                    f"not refused well: {done.returncode} {lines}")
        bench.check(not os.path.exists(bench.path("page")), "the program was started")
        bench.check(not any(files for _, _, files in os.walk(mount)), "a part of a ring is left")
    finally:
        subprocess.run(["umount", mount], check=True)


def cut(recorder):
    """(tries, refusals) to cut what the recorder has in memory."""
    tried = refused = 0
    for fd in os.listdir(f"/proc/{recorder.pid}/fd"):
        path = f"/proc/{recorder.pid}/fd/{fd}"
        try:
            if "memfd:" not in os.readlink(path):
                continue
            tried += 1
            os.truncate(path, 0)
        except PermissionError:
            refused += 1
        except OSError:
            pass
    return tried, refused


def sealed_ring(bench):
    """Somebody else tries to cut a ring in memory before and while it is written."""
    gate = bench.path("gate")
    os.mkfifo(gate)
    command = bench.record_command(["sh", "-c", f'read go <{gate}; exec "$@"', "sh",
                                    bench.tool("flood"), bench.page(), "100000", "100"],
                                   bench.path("c.oriel"), "--memfd")
    recorder = subprocess.Popen(command, env=bench.env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)
    with open(gate, "w", encoding="ascii") as f:  # opens when the program is there to read it
        tried, refused = cut(recorder)
        f.write("go\n")
    while recorder.poll() is None and not os.path.exists(bench.path("page")):
        time.sleep(0.001)
    try:
        more = cut(recorder)
        tried, refused = tried + more[0], refused + more[1]
    except OSError:
        pass  # over already
    recorder.communicate(timeout=PATIENCE)
    bench.check(tried > 0 and refused == tried, f"{refused} of {tried} cuts refused")
    bench.check(recorder.returncode == 7, f"sealed: status {recorder.returncode}")
    bench.law(bench.tries(), bench.tally())
    return tried


def capped(bench, mib):
    done = bench.record([bench.tool("flood"), bench.page(), str(mib * 72000), "20"], options=(
        "--max-size", f"{mib}M", "--rate", "0", "--compression", "none"))
    bench.check(done.returncode == 7, f"cap: status {done.returncode}")
    size = os.path.getsize(bench.path("c.oriel"))
    bench.check(size <= mib << 20, f"cap: {size} bytes")
    books = bench.tally()
    bench.law(bench.tries(), books)
    bench.check(books is not None and books["unwritten"] > 0, "cap: never reached")
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--cap", type=int, default=1)
    args = parser.parse_args()
    if "ORIEL_OWN_MOUNTS" not in os.environ:
        if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
            print("no right to a mount namespace")
            sys.exit(77)
        os.environ["ORIEL_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    bench = Bench(args.build, "memory")
    full_memory(bench)
    cuts = sealed_ring(bench)
    size = capped(bench, args.cap)
    bench.done(cuts_refused=cuts, cap=args.cap << 20, size=size)


if __name__ == "__main__":
    main()
