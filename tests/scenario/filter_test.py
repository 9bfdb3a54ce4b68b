# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel filter on a program that runs: what it records changes, it does not."""
import struct

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, main, os, signal, subprocess

LATER = "takes effect with the next one"  # said if the program did not get to run meanwhile


class Filter(Scenario):
    def start_levels(self, *words):
        """A recorded emitter that goes on until it is told; the process and its pid."""
        self.env["COUNT_FILE"] = str(self.dir / "count")
        run = self.start(ORIEL, "record", "--no-report", "-o", "c.oriel", *words, "--", EMITTER,
                         "levels", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pid = int(run.stdout.readline().split()[1])
        self.after(20)
        return run, pid

    def said(self):
        """Pairs of events that are complete."""
        return struct.unpack("q", (self.dir / "count").read_bytes()[:8])[0]

    def after(self, more):
        before = self.said()
        self.until("the program goes on", lambda: self.said() >= before + more)

    def stop(self, run, pid):
        os.kill(pid, signal.SIGTERM)
        run.communicate(timeout=TIMEOUT)
        self.assertEqual(run.returncode, 0)
        return {e["name"]: e["count"] for e in self.report("c.oriel")["events"]["messages"]}

    def filter(self, pid, directives):
        """Switched; how many pairs had been said before and after."""
        before = self.said()
        run = self.oriel("filter", "-p", pid, directives)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(run.stderr == "" or LATER in run.stderr, run.stderr)
        return before, self.said()

    def test_levels_that_were_off_come_on_and_go_off_again(self):
        run, pid = self.start_levels("--filter", "info")
        before_on, on = self.filter(pid, "debug")
        self.after(30)
        before_off, off = self.filter(pid, "info")
        self.after(30)
        counts = self.stop(run, pid)
        self.assertEqual(counts["coarse"], self.said())
        # A pair may be under way, and the next one is the latest to be switched.
        self.assertGreaterEqual(counts["fine"], before_off - on - 2)
        self.assertLessEqual(counts["fine"], off - before_on + 2)

    def test_flight_recorder_and_the_recorder_s_own_pid_will_do(self):
        run, pid = self.start_levels("--filter", "info", "--policy", "overwrite-oldest")
        _, on = self.filter(run.pid, "emitter=off,trace")
        self.after(30)
        counts = self.stop(run, pid)
        self.assertGreaterEqual(counts["fine"], self.said() - on - 2)

    def test_what_cannot_be_is_one_line(self):
        for words, status, text in ((("debug",), 2, "which process"),
                                    (("-p", 1, "loud"), 2, '"loud" is no filter directive'),
                                    (("-p", 1, "db=loud,info"), 2, "db=loud"),
                                    (("-p", 1, "=info"), 2, "=info"),
                                    (("-p", os.getpid(), "info"), 1, "not being recorded"),
                                    (("-p", "x", "info"), 2, "pid")):
            run = self.oriel("filter", *words)
            self.assertEqual(run.returncode, status, words)
            self.assertIn(text, self.one_line(run.stderr))
        run = self.oriel("record", "--filter", "db=loud", "--", "true")
        self.assertEqual(run.returncode, 2)
        self.assertIn("db=loud", self.one_line(run.stderr))


if __name__ == "__main__":
    main()
