# SPDX-License-Identifier: MIT OR Apache-2.0
"""System calls of programs whose numbers are known, beside what strace counts."""
import re
import shutil
import tempfile

from tool import ORIEL, TIMEOUT, Scenario, main, os, pathlib, subprocess, unittest

CALLING = os.environ["CALLING"]
PARENT, BAD, MISSING, THREADS, EACH, CHILD = 1000, 70, 30, 4, 500, 250
root = unittest.skipUnless(os.geteuid() == 0, "needs root")


def counted(text):
    """What strace -c tells: call -> (calls, errors)."""
    found = {}
    for line in text.splitlines():
        row = re.match(r"\s*[0-9.]+\s+[0-9.]+\s+[0-9]+\s+([0-9]+)\s+([0-9]+)?\s*([a-z_0-9]+)$", line)
        if row and row[3] != "total":
            found[row[3]] = (int(row[1]), int(row[2] or 0))
    return found


class Syscalls(Scenario):
    said = ""

    def record(self, *words, options=(), **how):
        run = self.oriel("record", "--rate", "0", "--syscalls", "--no-report", *options, "-o",
                         "c.oriel", "--", *words, **how)
        self.assertEqual(run.returncode, 0, run.stderr)
        if "no system calls:" in run.stderr:
            self.skipTest(run.stderr.strip())
        self.said = run.stderr
        told = self.report("c.oriel")["system_calls"]
        self.conserved(told)
        return told

    def conserved(self, told):
        for rows in (told["calls"], told["threads"]):
            for total, key in (("count", "count"), ("failed", "failed"), ("total_ns", "total_ns")):
                self.assertEqual(told[total], sum(r[key] for r in rows), total)
            for r in rows:
                self.assertEqual(r["failed"], sum(r["errors"].values()) + r["errors_not_told_apart"])
                self.assertLessEqual(r["p50_ns"], r["p95_ns"])
                self.assertLessEqual(r["p95_ns"], r["max_ns"])
                self.assertLessEqual(r["max_ns"], r["total_ns"])

    @staticmethod
    def calls(told, name, key="calls"):
        return [r for r in told[key] if r["call"] == name]

    @root
    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_every_count_and_error_is_what_strace_counts(self):
        for words in ([CALLING, "alone"], ["ls", "/", "/nowhere"]):
            run = self.run_raw("strace", "-f", "-c", "-o", "strace.txt", *words)
            told = counted((self.dir / "strace.txt").read_text(encoding="utf-8"))
            if not told:
                self.skipTest(f"strace is refused here: {run.stderr}")
            run = self.oriel("record", "--rate", "0", "--syscalls", "--no-report", "-o", "s.oriel",
                             "--", *words)
            if "no system calls:" in run.stderr:
                self.skipTest(run.stderr.strip())
            ours = self.report("s.oriel")["system_calls"]
            self.conserved(ours)
            self.assertEqual({r["call"]: (r["count"], r["failed"]) for r in ours["calls"]}, told)

    @root
    def test_threads_and_children_are_told_apart_and_errors_by_their_names(self):
        told = self.record(CALLING, "together")
        rows = self.calls(told, "getppid", "threads")
        names = {r["thread"]: r["count"] for r in rows if r["thread"].startswith("caller-")}
        self.assertEqual(names, {f"caller-{i}": EACH for i in range(THREADS)})
        # The main thread; and the child, which keeps its number over its exec.
        self.assertEqual(sorted(r["count"] for r in rows if not r["thread"].startswith("caller-")),
                         [2 * CHILD, PARENT])
        self.assertEqual(self.calls(told, "getppid")[0]["count"],
                         PARENT + 2 * CHILD + THREADS * EACH)
        self.assertEqual(self.calls(told, "close")[0]["errors"], {"EBADF": BAD})
        self.assertEqual(self.calls(told, "openat")[0]["errors"]["ENOTDIR"], MISSING // 3)
        self.assertGreaterEqual(self.calls(told, "openat")[0]["errors"]["ENOENT"], MISSING * 2 // 3)
        self.assertEqual(self.calls(told, "execve")[0]["count"], 2)

    @root
    def test_more_processes_than_there_is_room_for_at_a_time_lose_nothing(self):
        many = 600  # with some 17 calls each that is more than the kernel's table holds
        told = self.record("sh", "-c", f"i=0; while [ $i -lt {many} ]; do /bin/true; i=$((i+1)); done")
        rows = self.calls(told, "execve", "threads")
        self.assertEqual({r["count"] for r in rows if r["pid"]}, {1})
        if "are not counted" in self.said:  # nobody read for long, and it is told
            self.assertLessEqual(sum(r["count"] for r in rows), many + 1)
            return
        self.assertEqual(sum(r["count"] for r in rows), many + 1)
        self.assertGreater(len(told["threads"]), 8192)

    @root
    def test_a_flight_recorder_has_the_calls_of_those_that_came_last(self):
        many = 1500  # what ended threads leave would fill the kernel's table twice
        script = f"i=0; while [ $i -lt {many} ]; do /bin/true; i=$((i+1)); done; exec {CALLING} alone"
        for ring, held in (("64MiB", True), ("256KiB", False)):
            told = self.record("sh", "-c", script,
                               options=("--policy", "overwrite-oldest", "--ring", ring))
            rows = self.calls(told, "execve", "threads")
            if "are not counted" in self.said:  # nobody read for long, and it is told
                continue
            self.assertEqual(self.calls(told, "openat")[0]["errors"]["ENOTDIR"], MISSING // 3)
            older = "older system calls gave way" in self.oriel("report", "c.oriel").stdout
            self.assertEqual(older, not held)
            if held:  # sh, all of those, and CALLING with its child
                self.assertEqual(sum(r["count"] for r in rows), 1 + many + 2)
            else:
                self.assertLess(sum(r["count"] for r in rows), many)

    @root
    def test_a_program_that_runs_already_is_counted_too(self):
        child = self.start(CALLING, "forever")
        run = self.oriel("attach", "-p", child.pid, "--rate", "0", "--metrics-interval", "0",
                         "--syscalls", "--duration", "300ms", "-o", "a.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        if "no system calls:" in run.stderr:
            self.skipTest(run.stderr.strip())
        told = self.report("a.oriel")["system_calls"]
        self.conserved(told)
        pair = {r["call"]: r["count"] for r in told["calls"]}
        self.assertIn("getppid", pair)
        sleeps = sum(n for name, n in pair.items() if "nanosleep" in name)
        self.assertLessEqual(abs(pair["getppid"] - sleeps), 1, pair)
        self.assertEqual({r["pid"] for r in told["threads"]}, {child.pid})
        self.assertIsNone(child.poll())

    @root
    def test_what_was_told_before_the_recorder_was_killed_is_kept(self):
        recorder = self.start(ORIEL, "record", "--rate", "0", "--syscalls", "-o", "k.oriel", "--",
                              CALLING, "forever", stderr=subprocess.DEVNULL)
        path = self.dir / "k.oriel"

        def is_told():
            run = self.oriel("report", "--json", path)
            return run.returncode == 0 and '"call": "getppid"' in run.stdout.replace('":"', '": "')
        self.until("calls are in the capture", lambda: path.exists() and is_told())
        program = self.child_named(recorder, "calling")
        self.addCleanup(lambda: os.kill(program, 9))
        recorder.kill()
        recorder.wait()
        self.assertIsNotNone(self.report("k.oriel")["system_calls"])

    @root
    def test_the_text_has_both_tables(self):
        self.record(CALLING, "together")
        text = self.oriel("report", "c.oriel").stdout
        self.assertRegex(text, r"(?m)^system calls, waiting included$")
        self.assertRegex(text, r"(?m)^ +close .* EBADF 70$")
        self.assertRegex(text, r"(?m)^system calls by thread$")
        self.assertRegex(text, r"(?m)^ +caller-3 [0-9]+ ")

    def test_where_it_is_refused_one_line_says_what_gives_it(self):
        with tempfile.TemporaryDirectory(prefix="oriel-user-") as folder:
            oriel, calling, how = ORIEL, CALLING, {}
            if os.geteuid() == 0:
                home = pathlib.Path(folder)
                oriel, calling = (shutil.copy(path, home / pathlib.Path(path).name) for path in (ORIEL, CALLING))
                os.chmod(home, 0o755)
                os.chown(home, 65534, 65534)
                os.chown(self.runtime, 65534, 65534)
                how = {"user": 65534, "group": 65534, "extra_groups": []}
            for more in (["--rate", "0", "--metrics-interval", "0"], []):  # without a report at the end, and with
                words = [oriel, "record", *more, "--syscalls", "-o", "u.oriel", "--", calling, "alone"]
                run = subprocess.run([str(w) for w in words], cwd=folder, env=dict(self.env, HOME=folder),
                                     text=True, capture_output=True, timeout=TIMEOUT, check=False, **how)
                self.assertEqual(run.returncode, 0, run.stderr)
                lines = [l for l in run.stderr.splitlines() if "no system calls:" in l]
                self.assertEqual(len(lines), 1, run.stderr)
                self.assertRegex(lines[0], r"CAP_BPF|namespace|CONFIG_")


if __name__ == "__main__":
    main()
