# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel attach: programs that run already, watched for a while."""
import shutil

from tool import EMITTER, ORIEL, Scenario, main, os, pathlib, signal, subprocess

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

    def heavy(self):
        run = self.oriel("flame", "--format", "folded", "a.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        return sum(int(line.rsplit(" ", 1)[1]) for line in run.stdout.splitlines() if "heavy" in line)

    def test_detaches_when_its_time_is_over_and_the_program_goes_on(self):
        child = self.program(3000)
        run = self.attach(child.pid, "--duration", "300ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIsNone(child.poll())
        self.assertRegex(run.stderr, r"\d+ samples · 0 lost · a\.oriel")
        self.assertRegex(run.stderr, r"(?m)^  turn +\d+ %")
        resource = self.report("a.oriel")["resource"]
        self.assertEqual(resource["service.name"], "sampled")
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0)

    def test_ends_with_the_program_and_has_seen_its_threads(self):
        child = self.program(400, 3)
        run = self.attach(child.pid, "--rate", 499, "--no-report")
        child.communicate(timeout=60)
        self.assertEqual((run.returncode, child.returncode), (0, 0), run.stderr)
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
        said = tool.communicate(timeout=60)[1]
        self.assertEqual(tool.returncode, 0, said)
        self.assertRegex(said, r"samples · 0 lost · a\.oriel")
        self.assertIsNone(child.poll())

    def test_children_that_run_and_children_to_come_are_watched_too(self):
        shell = self.start("sh", "-c", f"{SAMPLED} 500; {SAMPLED} 500; true",
                           stdout=subprocess.DEVNULL)
        children = pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
        self.until("the first child runs", lambda: children.read_text().split())
        run = self.attach(shell.pid, "--rate", 499, "--no-report")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreater(self.heavy(), 0.45e9)

    def test_the_ring_of_a_killed_recorder_is_read(self):
        recorder = self.start(ORIEL, "record", "--rate", 0, "-o", "c.oriel", "--", EMITTER, "slow",
                              2000, 1, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.until("the program runs", self.rings)
        self.until("it says something", lambda: (self.dir / "c.oriel").exists() and
                   (self.dir / "c.oriel").stat().st_size > 4096)
        with open(f"/proc/{recorder.pid}/task/{recorder.pid}/children", encoding="ascii") as f:
            pids = [int(p) for p in f.read().split()]
        pid = next(p for p in pids if os.path.samefile(f"/proc/{p}/exe", EMITTER))
        recorder.kill()
        recorder.wait()
        run = self.attach(pid, "--no-report")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreater(self.report("a.oriel")["counts"]["events"], 10)
        self.assertEqual(self.rings(), [])

    def test_a_program_that_is_recorded_keeps_its_recorder(self):
        recorder = self.start(ORIEL, "record", "-o", "c.oriel", "--", EMITTER, "slow", 500, 1,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.until("it says something", lambda: (self.dir / "c.oriel").exists() and
                   (self.dir / "c.oriel").stat().st_size > 4096)
        with open(f"/proc/{recorder.pid}/task/{recorder.pid}/children", encoding="ascii") as f:
            pids = [int(p) for p in f.read().split()]
        pid = next(p for p in pids if os.path.samefile(f"/proc/{p}/exe", EMITTER))
        run = self.attach(pid, "--duration", "50ms")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("samples only", run.stderr)
        out, _ = recorder.communicate(timeout=60)
        self.assertEqual(recorder.returncode, 0)
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
