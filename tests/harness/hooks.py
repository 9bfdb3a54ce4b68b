#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The preloaded libraries (heap, locks, calls, the sampler inside a program) and
what can happen to them: the recorder killed or stopped, the disk full, the
program killed, set-uid or with stacks of 16 KiB. What the program says on both
streams and how it ends must be what it is without Oriel, nothing may be left,
and what was written must add up.

  hooks.py BUILD_DIR [--rounds N] [--modes MODE[,..]]
Runs itself in a mount namespace of its own for the full disk; without the right
to make one, and to be another user, it leaves those parts out and says so.
"""
import argparse
import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import PATIENCE, Bench, program_of, wait_for_end

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
from refused_filter import refuse_perf  # noqa: E402

NOBODY = 65534
ROUNDS, THREADS, PARTS, IN_CHILD = 400, 4, 3, 200
LEAF_CALLS = PARTS * (ROUNDS * THREADS + IN_CHILD)
# Blocks of the program's own: one a round, and one more for each realloc.
BLOCKS = PARTS * (THREADS * (ROUNDS + ROUNDS // 5) + IN_CHILD)
ASIDE = 4000  # records about what the C library allocates itself, threads, the end
SUBREAPER = 36

# mode: options, does it need perf to be refused, which program
MODES = {
    "sampled": (["--heap", "sampled", "--rate", "0"], False, "busy"),
    "every": (["--heap", "sampled", "--heap-interval", "1", "--rate", "0"], False, "busy"),
    "exact": (["--heap", "exact", "--rate", "0"], False, "busy"),
    "locks": (["--locks", "--rate", "0"], False, "busy"),
    "calls": (["--calls", "leaf", "--rate", "0"], False, "busy_calls"),
    "inside": (["--rate", "997"], True, "busy"),
    "all": (["--heap", "exact", "--locks", "--calls", "leaf", "--rate", "997"], True, "busy_calls"),
}
OURS = re.compile(rb"(oriel[: ]|next: |not seen: )")


class Target:
    """A program under a recorder, both stopped at the program's gate."""

    def __init__(self, bench, mode, capture, argv=None, extra=(), **more):
        options, refused, program = MODES[mode]
        argv = argv or [bench.tool(program), str(ROUNDS), str(THREADS)]
        self.bench, self.out, self.err = bench, bench.path("out"), bench.path("err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.recorder = subprocess.Popen(
                bench.record_command(argv, capture, *options, "--compression", "none", *extra), stdin=subprocess.PIPE,
                stdout=out, stderr=err, env=bench.env, preexec_fn=refuse_perf if refused else None,
                **more)
        self.pid = program_of(self.recorder, os.path.basename(argv[0])[:15])

    def go(self):
        """Once it stands at its gate: what is preloaded has begun."""
        while os.path.getsize(self.out) == 0 and self.recorder.poll() is None:
            time.sleep(0.0005)
        self.recorder.stdin.write(b"g")
        self.recorder.stdin.close()

    def said(self):
        """What the program wrote on both streams, and lines of the recorder."""
        with open(self.out, "rb") as f:
            out = f.read()
        with open(self.err, "rb") as f:
            lines = f.read().splitlines(keepends=True)
        ours = [line for line in lines if OURS.match(line)]
        return out, b"".join(line for line in lines if line not in ours), ours


def bare_run(bench, argv):
    """The same for every mode; twice, since it must not depend on anything."""
    runs = []
    for _ in range(2):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env=bench.env, timeout=PATIENCE)
        runs.append((done.stdout, done.stderr, done.returncode))
    bench.check(runs[0] == runs[1] and runs[0][2] == 7, f"alone: {runs}")
    return runs[0]


def same(bench, what, target, bare, status=None):
    out, err, ours = target.said()
    bench.check((out, err) == bare[:2], f"{what}: said {out} {err}, alone {bare}")
    if status is not None:
        bench.check(status == bare[2], f"{what}: status {status}, alone {bare[2]}: {ours}")
    return ours


def heap_ends(bench, capture):
    """{pid: fields of heap.end}"""
    out = bench.path("events.json")
    subprocess.run([bench.oriel, "export", "--to", "chrome", "-f", "-o", out, capture],
                   env=bench.env, capture_output=True, check=True)
    with open(out, encoding="utf-8") as f:
        rows = json.load(f)
    return {row["pid"]: row["args"] for row in rows if row.get("name") == "heap.end"}


def conserved(bench, what, mode, capture, whole=True):
    """What was written adds up to what the program did. `whole`: it came to its end."""
    books = bench.tally(capture)
    if not books:
        return None
    # Samples and numbers of blocks are seen, not said: they are counted apart.
    missing = books["lost"] + books["unwritten"] + books["unwritten_seen"]
    good = books["damaged"] == 0 and books["wrong"] == 0 and books["ends"] <= books["begins"]
    if mode in ("calls", "all") and whole:
        # A call whose begin is lost has no end to lose.
        told = books["ends"] + books["lost"]
        good = good and told <= LEAF_CALLS + (mode == "all") * books["lost"]
        good = good and told + books["unwritten"] >= LEAF_CALLS
    if mode == "every" and whole:
        told = books["samples"] + missing  # a sample for each, and looks at what is alive
        good = good and 2 * BLOCKS <= told + books["plots"]
        good = good and told <= 3 * (BLOCKS + ASIDE)
    if mode == "exact" and whole and missing == 0:
        ends = heap_ends(bench, capture)
        sums = {h["pid"]: h for h in books["heaps"]}
        good = good and len(ends) == 3 and all(  # the child that calls _exit tells none
            int(end[k]) == sums[pid][k] for pid, end in ends.items() for k in ("bytes", "freed_bytes"))
    bench.check(good, f"{what}: does not add up: {json.dumps(books)}")
    return books


def ours_alive(bench):
    """Processes of this bench that are not over."""
    found, mark = [], f"XDG_RUNTIME_DIR={bench.work}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if mark in f.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            pass
    return found


def nothing_left(bench, what, pid):
    end = time.monotonic() + 60  # one that holds nothing may wait for the kernel still
    while ours_alive(bench) and time.monotonic() < end:
        time.sleep(0.01)
    bench.check(not ours_alive(bench), f"{what}: left running: {ours_alive(bench)}")
    rings = os.listdir(bench.path("oriel")) if os.path.isdir(bench.path("oriel")) else []
    bench.check(rings == [], f"{what}: rings left: {rings}")
    shared = [n for n in os.listdir("/dev/shm") if str(pid) in re.findall(r"\d+", n)]
    bench.check(shared == [], f"{what}: left in shared memory: {shared}")


def add_up(total, books):
    for key in ("lost", "unwritten", "unwritten_seen", "samples", "begins"):
        total[key] = total.get(key, 0) + (books[key] if books else 0)


def undisturbed(bench, mode, bare, total, _):
    capture = bench.path("c.oriel")
    target = Target(bench, mode, capture)
    target.go()
    status = target.recorder.wait(PATIENCE)
    same(bench, f"{mode}", target, bare, status)
    add_up(total, conserved(bench, mode, mode, capture))
    nothing_left(bench, mode, target.recorder.pid)


def recorder_killed(bench, mode, bare, total, delay):
    what, capture = f"{mode}, recorder killed after {delay:.4f} s", bench.path("c.oriel")
    target = Target(bench, mode, capture, extra=("--ring", "1M"))
    target.go()
    time.sleep(delay)
    target.recorder.kill()
    target.recorder.wait(PATIENCE)
    try:  # it is ours from now on, unless its recorder had seen its end
        status = os.waitstatus_to_exitcode(os.waitpid(target.pid, 0)[1])
    except ChildProcessError:
        status = None
    same(bench, what, target, bare, status)
    saved = subprocess.run([bench.oriel, "recover"], env=bench.env, capture_output=True, check=False)
    bench.check(saved.returncode == 0, f"{what}: recover: {saved.stderr}")
    add_up(total, conserved(bench, what, mode, capture))
    nothing_left(bench, what, target.recorder.pid)


def recorder_stopped(bench, mode, bare, total, _):
    """From before the program begins until after its end."""
    what, capture = f"{mode}, recorder stopped", bench.path("c.oriel")
    target = Target(bench, mode, capture, extra=("--ring", "1M"))
    target.recorder.send_signal(signal.SIGSTOP)
    target.go()  # starting a program needs no recorder either
    bench.check(wait_for_end(target.pid), f"{what}: the program hangs")
    target.recorder.send_signal(signal.SIGCONT)
    status = target.recorder.wait(PATIENCE)
    same(bench, what, target, bare, status)
    add_up(total, conserved(bench, what, mode, capture))
    nothing_left(bench, what, target.recorder.pid)


def program_killed(bench, mode, bare, total, delay):
    what, capture = f"{mode}, killed after {delay:.4f} s", bench.path("c.oriel")
    target = Target(bench, mode, capture)
    target.go()
    time.sleep(delay)
    try:
        os.kill(target.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    status = target.recorder.wait(PATIENCE)
    out, err, _ = target.said()
    bench.check(status in (-signal.SIGKILL, 7), f"{what}: status {status}")
    bench.check(bare[0].startswith(out) and bare[1].startswith(err), f"{what}: said {out} {err}")
    add_up(total, conserved(bench, what, mode, capture, whole=False))
    nothing_left(bench, what, target.recorder.pid)


def disk_full(bench, mode, bare, total, _):
    what, mount = f"{mode}, disk full", bench.path("disk")
    os.makedirs(mount, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], check=True)
    try:
        target = Target(bench, mode, f"{mount}/c.oriel")
        target.go()
        status = target.recorder.wait(PATIENCE)
        same(bench, what, target, bare, status)
        # What heap.end says may be among what found no room.
        add_up(total, conserved(bench, what, mode, f"{mount}/c.oriel"))
    finally:
        subprocess.run(["umount", mount], check=True)
    nothing_left(bench, what, target.recorder.pid)


ABUSES = {"undisturbed": undisturbed, "recorder killed": recorder_killed,
          "recorder stopped": recorder_stopped, "program killed": program_killed,
          "disk full": disk_full}


def small_stacks(bench, modes):
    """Whatever works alone works with a library in front. What --calls has for the
    registers, 3 KB per thread, lies on its stack as well."""
    most = {"calls": 4000, "all": 2000}
    for used in ("64", "2000", "4000", "6000", "7000"):
        for mode in modes:
            if int(used) > most.get(mode, 7000):
                continue
            program = MODES[mode][2].replace("busy", "small")
            argv = [bench.tool(program), "16384", used]
            alone = subprocess.run(argv, capture_output=True, check=False)
            if alone.returncode != 7:
                continue  # too much for this machine
            target = Target(bench, mode, bench.path("c.oriel"), argv)
            target.recorder.stdin.close()
            status = target.recorder.wait(PATIENCE)
            same(bench, f"{mode}, {used} of a stack of 16384", target,
                 (alone.stdout, alone.stderr, alone.returncode), status)


# ---- as somebody else ----

def folder_for(user):
    """Where that user may write, and set-uid means something; None: nowhere."""
    folder = tempfile.mkdtemp(prefix="oriel-hooks.")
    os.chmod(folder, 0o755)
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        shutil.rmtree(folder)
        return None
    os.makedirs(f"{folder}/own/run")
    for path in ("own", "own/run"):
        os.chown(f"{folder}/{path}", user, user)
    os.chmod(f"{folder}/own/run", 0o700)
    return folder


def copy_build(bench, folder):
    """The build may lie where nobody may look."""
    for name in os.listdir(bench.build):
        if re.fullmatch(r"oriel|liboriel-(alloc|lock|cpu|calls)\.so\.0", name):
            shutil.copy(f"{bench.build}/{name}", f"{folder}/{name}")
    shutil.copy(bench.tool("busy"), f"{folder}/busy")
    shutil.copy(bench.tool("busy_calls"), f"{folder}/busy_calls")
    shutil.copy(bench.tool("busy"), f"{folder}/setuid")
    os.chmod(f"{folder}/setuid", 0o4755)


def as_nobody(bench, folder, program, options, refused):
    def become():
        if refused:
            refuse_perf()
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    env = dict(bench.env, XDG_RUNTIME_DIR=f"{folder}/own/run", HOME=f"{folder}/own")
    capture = f"{folder}/own/c.oriel"
    if os.path.exists(capture):
        os.unlink(capture)
    return subprocess.run([f"{folder}/oriel", "record", "--no-report", *options, "-o", capture, "--",
                           f"{folder}/{program}", str(ROUNDS), str(THREADS)], env=env, check=False,
                          cwd=f"{folder}/own", stdin=subprocess.DEVNULL, capture_output=True,
                          preexec_fn=become, timeout=PATIENCE), capture


def split(done):
    lines = done.stderr.splitlines(keepends=True)
    ours = [line for line in lines if OURS.match(line)]
    return b"".join(line for line in lines if line not in ours), ours


def set_uid(bench, folder, bare, modes):
    """Returns how many runs there were."""
    runs = 0
    for mode in modes:
        options, refused, program = MODES[mode]
        if program != "busy":
            continue
        # The filter takes away what set-uid gives, as no_new_privs does: not both at once.
        done, _ = as_nobody(bench, folder, "setuid", options, False)
        err, ours = split(done)
        bench.check((done.stdout, err, done.returncode) == bare, f"{mode}, set-uid: {done}")
        told = [line for line in ours if b"rights that you lack" in line]
        bench.check(len(told) == 1 and b"root may look" in told[0], f"{mode}, set-uid: told {ours}")
        left = os.listdir(f"{folder}/own/run/oriel") if os.path.isdir(f"{folder}/own/run/oriel") else []
        bench.check(left == [], f"{mode}, set-uid: rings left: {left}")
        runs += 1
    return runs


def plain_user(bench, folder, bare, modes):
    """Without any right: something useful, and one line of what is missing and why."""
    for mode in modes:
        options, refused, program = MODES[mode]
        done, capture = as_nobody(bench, folder, program, options, refused)
        err, ours = split(done)
        bench.check((done.stdout, err, done.returncode) == bare, f"{mode}, plain user: {done}")
        not_seen = [line for line in ours if line.startswith(b"not seen: ")]
        bench.check(len(not_seen) == refused, f"{mode}, plain user: told {ours}")
        bench.check(not refused or b"samples itself" in b"".join(not_seen), f"{mode}: {ours}")
        if mode != "sampled":
            books = conserved(bench, f"{mode}, plain user", mode, capture)
            bench.check(books and (books["samples"] or books["begins"] or mode in ("locks", "inside")),
                        f"{mode}, plain user: {books}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--set-uid-rounds", type=int, default=1)
    args = parser.parse_args()
    rights = os.geteuid() == 0 and "ORIEL_OWN_MOUNTS" in os.environ
    if os.geteuid() == 0 and not rights and subprocess.run(
            ["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0:
        os.environ["ORIEL_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    bench, modes, rng = Bench(args.build, "hooks"), args.modes.split(","), random.Random(3)
    start = time.monotonic()
    bare = {p: bare_run(bench, [bench.tool(p), str(ROUNDS), str(THREADS)])
            for p in ("busy", "busy_calls")}
    alone_s = (time.monotonic() - start) / 4
    total = {"runs": 0}
    for _ in range(args.rounds):
        for mode in modes:
            for name, abuse in ABUSES.items():
                if name == "disk full" and not rights:
                    continue
                abuse(bench, mode, bare[MODES[mode][2]], total, rng.random() * 3 * alone_s)
                total["runs"] += 1
    small_stacks(bench, modes)
    folder = folder_for(NOBODY) if rights else None
    if folder:
        copy_build(bench, folder)
        for _ in range(args.set_uid_rounds):
            total["set_uid"] = total.get("set_uid", 0) + set_uid(bench, folder, bare["busy"], modes)
        plain_user(bench, folder, bare["busy"], modes)
        shutil.rmtree(folder)
    else:
        print("no right to other users and mounts: full disks and set-uid are left out")
    bench.done(**total)


if __name__ == "__main__":
    main()
