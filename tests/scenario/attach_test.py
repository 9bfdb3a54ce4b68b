# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel attach: programs that run already, watched for a while."""
import shutil

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, main, os, signal, subprocess

SAMPLED = os.environ["SAMPLED"]
NOBODY = 65534


class Attach(Scenario):
    def program(self, *words, **options):
        options.setdefault("stdout", subprocess.PIPE)
        child = self.start(SAMPLED, *words, text=True, **options)
        self.until("it runs", lambda: os.readlink(f"/proc/{child.pid}/exe") == os.path.realpath(SAMPLED))
        return child

    def attach(self, pid, *words, **options):
        return self.oriel("attach", "-p", pid, "-o", "a.oriel", *words, **options)

    def attach_and_go(self, child, go, *words):
        """Attached before a child that waits at its gate goes on; the command when it is over."""
        tool = self.start(ORIEL, "attach", "-p", child.pid, "-o", "a.oriel", *words,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # The file comes when all is watched.
        self.until("it watches", lambda: (self.dir / "a.oriel").exists() or tool.poll() is not None)
        go.write("\n")
        go.close()
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        return said

    def heavy(self):
        run = self.oriel("flame", "--format", "folded", "a.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        return sum(int(line.rsplit(" ", 1)[1]) for line in run.stdout.splitlines() if "heavy" in line)

    def test_detaches_when_its_time_is_over_and_the_program_goes_on(self):
        child = self.program(6000)
        run = self.attach(child.pid, "--duration", "300ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIsNone(child.poll())
        self.assertRegex(run.stderr, r"\d+ samples · [\d,]+ lost( \(.*\))? · a\.oriel")
        self.assertRegex(run.stderr, r"(?m)^  turn +\d+ %")
        resource = self.report("a.oriel")["resource"]
        self.assertEqual(resource["service.name"], "sampled")
        child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 0)

    def test_the_system_is_asked_as_long_as_it_watches_and_only_of_that_time(self):
        child = self.program(60000)
        self.until("it has used some time", lambda: self.cpu_seconds(child.pid) > 0.5)
        run = self.attach(child.pid, "--duration", "300ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        before = self.cpu_seconds(child.pid)
        child.kill()
        system = self.report("a.oriel")["system"]
        self.assertGreaterEqual(system["readings"], 2)
        self.assertTrue(system["peak_rss_exact"])
        self.assertGreater(system["peak_rss_bytes"], 100000)
        self.assertLessEqual(system["cpu_seconds"], before - 0.5 + 0.02)
        run = self.attach(os.getpid(), "--duration", "100ms", "--metrics-interval", 0, "--rate", 99,
                          "--to", "chrome")
        self.assertNotIn("system metrics", (self.dir / "a.oriel").read_text())

    @staticmethod
    def cpu_seconds(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_ends_with_the_program_and_has_seen_its_threads(self):
        child = self.program(400, 3, "gate", stdin=subprocess.PIPE)
        self.until("all threads are there",
                   lambda: len(os.listdir(f"/proc/{child.pid}/task")) == 3)
        self.attach_and_go(child, child.stdin, "--rate", 499, "--no-report")
        self.assertEqual(child.wait(TIMEOUT), 0)
        self.assertEqual(self.report("a.oriel")["counts"]["threads"], 3)
        self.assertGreater(self.heavy(), 0.3e9)

    def test_ends_when_it_is_interrupted_and_keeps_what_it_saw(self):
        child = self.program(60000)
        tool = self.start(ORIEL, "attach", "-p", child.pid, "-o", "a.oriel", stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True)
        # The file is there from the beginning; it grows with the first samples.
        self.until("it watches", lambda: (self.dir / "a.oriel").exists() and
                   (self.dir / "a.oriel").stat().st_size > 4096)
        tool.send_signal(signal.SIGINT)
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        self.assertRegex(said, r"samples · [\d,]+ lost( \(.*\))? · a\.oriel")
        self.assertIsNone(child.poll())

    def test_children_that_run_and_children_to_come_are_watched_too(self):
        shell = self.start("sh", "-c", f"{SAMPLED} 500 1 gate; {SAMPLED} 500; true",
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.child_named(shell, "sampled")
        self.attach_and_go(shell, shell.stdin, "--rate", 499, "--no-report")
        self.assertGreater(self.heavy(), 0.45e9)

    def stepping(self, count, *words):
        """A recorded emitter that goes on when told, and its recorder."""
        recorder = self.start(ORIEL, "record", *words, "-o", "c.oriel", "--", EMITTER, "steps", count,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        self.step(recorder)
        return recorder, self.child_named(recorder, "emitter")

    def test_the_ring_of_a_killed_recorder_is_read(self):
        recorder, pid = self.stepping(500, "--rate", 0)
        recorder.kill()
        recorder.wait()
        self.step(recorder)
        tool = self.start(ORIEL, "attach", "-p", pid, "-o", "a.oriel", "--no-report",
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.until("it watches", lambda: (self.dir / "a.oriel").exists() or tool.poll() is not None)
        self.step(recorder)
        recorder.stdin.close()
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        self.assertGreaterEqual(self.report("a.oriel")["counts"]["events"], 1000)
        self.assertEqual(self.rings(), [])

    def test_a_program_that_is_recorded_keeps_its_recorder(self):
        recorder, pid = self.stepping(200)
        run = self.attach(pid, "--duration", "50ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("samples only", run.stderr)
        self.step(recorder)
        recorder.stdin.close()
        out = recorder.stdout.read()
        self.assertEqual(recorder.wait(TIMEOUT), 0)
        report = self.report("c.oriel")
        self.assertEqual(report["counts"]["events"] + self.lost(report), self.emitted(out))

    def test_what_cannot_be_watched_is_one_line(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        run = self.attach(gone.pid)
        self.assertEqual(run.returncode, 1)
        self.assertIn("does not exist", self.one_line(run.stderr))
        run = self.oriel("attach")
        self.assertEqual(run.returncode, 2)
        self.assertIn("-p PID", self.one_line(run.stderr))
        run = self.attach(1, "--rate", 0)
        self.assertEqual(run.returncode, 2)
        self.one_line(run.stderr)
        self.assertFalse((self.dir / "a.oriel").exists())

    def test_programs_of_others_and_set_uid_programs_are_one_line(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to be somebody else")
        for path, mode in ((self.dir, 0o777), (self.runtime, 0o777)):
            path.chmod(mode)
        copy = self.dir / "setuid"
        shutil.copy(SAMPLED, copy)
        copy.chmod(0o4755)
        ours = self.program(20000)
        theirs = self.start(copy, 20000, stdout=subprocess.DEVNULL, user=NOBODY, group=NOBODY,
                            extra_groups=[])
        self.until("it runs", lambda: os.readlink(f"/proc/{theirs.pid}/exe") == str(copy))
        for pid in (ours.pid, theirs.pid):
            run = self.attach(pid, "--duration", "50ms", user=NOBODY, group=NOBODY, extra_groups=[])
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("not yours to watch", self.one_line(run.stderr))
        self.assertFalse((self.dir / "a.oriel").exists())

    def test_a_plain_user_attaches_to_what_is_his(self):
        if os.geteuid() != 0:
            self.skipTest("is a plain user already: the other tests show it")
        self.dir.chmod(0o777)
        os.chown(self.runtime, NOBODY, NOBODY)
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        child = self.program(5000, **who)
        run = self.attach(child.pid, "--duration", "400ms", env=dict(self.env, HOME=str(self.dir)),
                          **who)
        if run.returncode == 1 and "perf_event_paranoid" in run.stderr:
            self.skipTest("this machine permits no perf events to plain users")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, "not seen: no kernel frames")
        self.assertGreater(self.heavy(), 0)


if __name__ == "__main__":
    main()
