# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel filter on a program that runs: what it records changes, it does not."""
from tool import EMITTER, ORIEL, Scenario, main, os, subprocess, time


class Filter(Scenario):
    def start(self, *words):
        """A recorded emitter that goes on for seconds; the process and its pid."""
        command = [ORIEL, "record", "--no-report", "-o", "c.oriel", *words, "--", EMITTER,
                   "levels", "1500", "2"]
        run = subprocess.Popen(command, cwd=self.dir, env=self.env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        return run, int(run.stdout.readline().split()[1])

    def counts(self):
        return {e["name"]: e["count"] for e in self.report("c.oriel")["events"]["messages"]}

    def test_levels_that_were_off_come_on_and_go_off_again(self):
        run, pid = self.start("--filter", "info")
        time.sleep(0.3)
        began = time.monotonic()
        on = self.oriel("filter", "-p", pid, "debug")
        took = time.monotonic() - began
        time.sleep(0.5)
        off = self.oriel("filter", "-p", pid, "info")
        run.communicate(timeout=60)
        self.assertEqual((on.returncode, on.stderr, off.returncode, off.stderr), (0, "", 0, ""))
        self.assertEqual(run.returncode, 0)
        self.assertLess(took, 1.0)
        counts = self.counts()
        self.assertEqual(counts["coarse"], 1500)
        self.assertGreater(counts["fine"], 20)
        self.assertLess(counts["fine"], 1200)

    def test_flight_recorder_and_the_recorder_s_own_pid_will_do(self):
        run, _ = self.start("--filter", "info", "--policy", "overwrite-oldest")
        time.sleep(0.2)
        self.assertEqual(self.oriel("filter", "-p", run.pid, "emitter=off,trace").returncode, 0)
        run.communicate(timeout=60)
        self.assertGreater(self.counts()["fine"], 20)

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
