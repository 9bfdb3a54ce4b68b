# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the scripts of this folder share: recording a program of theirs, and
the one law that must hold afterwards, to the last record."""
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile

PATIENCE = 200  # seconds: ends what hangs, and nothing here is to be fast


def program_of(recorder, name):
    """The process that a recorder runs: it has other children too, since it asks git where it
    is. None: it was over before it was seen."""
    path = f"/proc/{recorder.pid}/task/{recorder.pid}/children"
    while recorder.poll() is None:
        try:
            with open(path, encoding="ascii") as f:
                children = f.read().split()
            for child in children:
                with open(f"/proc/{child}/comm", encoding="utf-8") as f:
                    if f.read().strip() == name:
                        return int(child)
        except OSError:
            pass
        os.sched_yield()
    return None


def wait_for_end(pid):
    """Until a program is over, whoever will ask how: a stopped recorder does not reap it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended = bool(select.select([fd], [], [], PATIENCE)[0])
    os.close(fd)
    return ended


class Bench:
    """A build, and a folder in memory that goes when the script ends well."""

    def __init__(self, build, name):
        self.build = os.path.abspath(build)
        self.oriel = f"{self.build}/oriel"
        base = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.work = tempfile.mkdtemp(prefix=f"oriel-{name}.", dir=base)
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.work)
        for key in ("ORIEL_RING", "ORIEL_ENABLED", "ORIEL_FILTER"):
            self.env.pop(key, None)
        self.failures = []

    def tool(self, name):
        return f"{self.build}/harness/{name}"

    def path(self, name):
        return f"{self.work}/{name}"

    def page(self, name="page"):
        """A fresh page for tries."""
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        return path

    def tries(self, name="page", word=0):
        with open(self.path(name), "rb") as f:
            f.seek(word * 8)
            return struct.unpack("<Q", f.read(8))[0]

    def record_command(self, argv, capture, *options):
        if os.path.exists(capture):
            os.unlink(capture)
        return [self.oriel, "record", "--no-report", *options, "-o", capture, "--", *argv]

    def record(self, argv, capture=None, options=(), timeout=PATIENCE, **more):
        command = self.record_command(argv, capture or self.path("c.oriel"), *options)
        return subprocess.run(command, env=self.env, capture_output=True, check=False,
                              timeout=timeout, **more)

    def tally(self, capture=None):
        done = subprocess.run([self.tool("tally"), capture or self.path("c.oriel")],
                              capture_output=True, check=False, timeout=PATIENCE)
        if done.returncode != 0 or not done.stdout:
            self.fail("unreadable: " + done.stderr.decode(errors="replace").strip())
            return None
        return json.loads(done.stdout)

    def fail(self, text):
        self.failures.append(text)
        print("FAILED:", text, flush=True)

    def check(self, good, text):
        if not good:
            self.fail(text)
        return good

    def law(self, tries, books, slack=0):
        """tries = present + lost + unwritten; nothing twice, torn or misplaced."""
        if books is None:
            return False
        sums = books["present"] + books["lost"] + books["unwritten"]
        good = tries <= sums <= tries + slack
        for key in ("twice", "foreign", "wrong", "damaged"):
            good = good and books[key] == 0
        return self.check(good, f"tries {tries}: {json.dumps(books)}")

    def done(self, **figures):
        """Print the figures; exit status of the script."""
        print(json.dumps(dict(figures, failures=len(self.failures))), flush=True)
        if not self.failures:
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print("left for a look:", self.work)
        sys.exit(1 if self.failures else 0)
