# SPDX-License-Identifier: MIT OR Apache-2.0
"""What scenario tests share: the built command, the program it records, a
fresh directory for each test, and rings kept apart from those of the user."""
import faulthandler
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import schema

ORIEL = os.environ["ORIEL"]
EMITTER = os.environ["EMITTER"]
TIMEOUT = 120  # ends what hangs; nothing here is to be fast
HANGS = 840  # seconds for all of a script: says then where it stands


class Standstill:
    """How long the machine stood still at worst, as a machine of a cloud does that is moved
    or stored: how much too late a nap ended. What has a second for something has lost it
    then, and no test can say whose fault that was."""
    NAP = 0.01
    MUCH = 0.2

    def __enter__(self):
        self.worst = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.is_set():
            before = time.monotonic()
            time.sleep(self.NAP)
            self.worst = max(self.worst, time.monotonic() - before - self.NAP)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @classmethod
    def without(cls, run, tries=10):
        """What run() returned the first time without one, or the last time."""
        for _ in range(tries):
            with cls() as still:
                result = run()
            if still.worst < cls.MUCH:
                break
            print(f"the machine stood still for {still.worst:.1f} s, once more", flush=True)
        return result


class Scenario(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="oriel-scenario-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        # A tmpfs of ours is the runtime directory, so that rings of other runs
        # are never seen and never touched.
        self.runtime = pathlib.Path(tempfile.mkdtemp(prefix="oriel-run-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.runtime, ignore_errors=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ORIEL_")}
        self.env.update(XDG_RUNTIME_DIR=str(self.runtime), LC_ALL="C.UTF-8", TZ="UTC")
        self.env.pop("COLUMNS", None)

    def run_raw(self, *words, **options):
        options.setdefault("cwd", self.dir)
        options.setdefault("env", self.env)
        options.setdefault("timeout", TIMEOUT)
        if "stdout" not in options and "stderr" not in options:
            options["capture_output"] = True
        return subprocess.run([str(w) for w in words], check=False, **options)

    def oriel(self, *words, **options):
        """Run the command; text on both streams."""
        return self.run_raw(ORIEL, *words, text=True, **options)

    def start(self, *words, **options):
        options.setdefault("cwd", self.dir)
        options.setdefault("env", self.env)
        child = subprocess.Popen([str(w) for w in words], **options)
        self.addCleanup(self.end, child)
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr, child.stdin):
            if stream:
                stream.close()

    def least(self, *words, below=None):
        """Seconds of the fastest of some runs. A machine that does other things is
        given many more to show that one can be below."""
        began, times = time.monotonic(), []
        while len(times) < 7 or (below and min(times) >= below
                                 and time.monotonic() < began + TIMEOUT / 4):
            before = time.monotonic()
            self.run_raw(*words)
            times.append(time.monotonic() - before)
        return min(times)

    def report(self, path):
        """As JSON; every one that a test looks at is held to its schema."""
        run = self.oriel("report", "--json", path)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = json.loads(run.stdout)
        self.assertEqual(schema.mistakes("report.schema.json", report)[:5], [])
        return report

    def rings(self):
        return sorted(self.runtime.glob("oriel/*"))

    def child_named(self, recorder, name):
        """The program that is recorded; a recorder may have other children, too."""
        path = f"/proc/{recorder.pid}/task/{recorder.pid}/children"
        found = []

        def runs():
            for pid in pathlib.Path(path).read_text(encoding="ascii").split():
                try:
                    comm = pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
                except OSError:
                    continue
                if comm.strip() == name:
                    found.append(int(pid))
            return found
        self.until("the program starts", runs)
        return found[0]

    def step(self, recorder, answer="step"):
        """The emitter goes one step, which is over when it has answered."""
        recorder.stdin.write("\n")
        recorder.stdin.flush()
        self.assertEqual(recorder.stdout.readline(), f"{answer}\n")

    def until(self, what, happens, seconds=TIMEOUT):
        """Wait for a condition another process brings about."""
        deadline = time.monotonic() + seconds
        while not happens():
            if time.monotonic() > deadline:
                self.fail(f"did not happen in {seconds} s: {what}")
            time.sleep(0.002)

    def one_line(self, text):
        self.assertRegex(text, r"\Aoriel: [^\n]+\n\Z")
        return text

    @staticmethod
    def emitted(text):
        return int(re.search(r"emitted (\d+)", text)[1])

    @staticmethod
    def lost(report):
        return report["quality"]["lost"]


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root for a private mount")(test)


def needs_full_speed(test):
    slow = os.environ.get("SCENARIO_INSTRUMENTED", "") not in ("", "OFF")
    return unittest.skipIf(slow, "an instrumented build")(test)


def needs_all_hits(test):
    kernel = tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])
    return unittest.skipIf(kernel < (6, 13), "this kernel may keep hits of probes to itself")(test)


class Result(unittest.TextTestResult):
    """Says what was skipped as the tests in C do, so that the sum of a run has it."""
    ran = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.ran += 1

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped {test.id().rpartition('.')[2]}: {reason}", flush=True)


def main():
    faulthandler.dump_traceback_later(HANGS, exit=True)  # before ctest loses patience
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
    result = unittest.main(exit=False, testRunner=runner).result
    if result.skipped and not result.ran and result.wasSuccessful():
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)


__all__ = ["EMITTER", "ORIEL", "TIMEOUT", "Scenario", "Standstill", "json", "main", "needs_all_hits",
           "needs_full_speed", "needs_root", "os", "pathlib", "signal",
           "subprocess", "time", "unittest"]
