# SPDX-License-Identifier: MIT OR Apache-2.0
"""Samples, waits, allocations and calls know the task that they belong to, whichever thread runs it."""
import platform
import re

from tool import ORIEL, Scenario, main, os, pathlib, unittest

JOINED = os.environ["JOINED"]


@unittest.skipUnless((pathlib.Path(ORIEL).parent / "liboriel-alloc.so.0").exists(),
                     "this build has no hooks")
class Joined(Scenario):
    def test_a_task_that_changes_threads_has_all_that_it_did(self):
        calls = ("--calls", "called") if platform.machine() == "x86_64" else ()
        run = self.oriel("record", "--rate", 499, "--heap", "exact", *calls, "--no-report", "-o",
                         "c.oriel", "--", JOINED)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = self.report("c.oriel")
        tree = {n["name"]: n for n in report["tree"]}
        self.assertEqual(tree["task"]["count"], 1)
        if calls:
            self.assertEqual(tree["called"]["count"], 2)
            self.assertEqual(report["tree"][tree["called"]["parent"]]["name"], "task")
        text = self.oriel("report", "c.oriel").stdout
        row = re.search(r"(?m)^  task +([\d.]+) % .* 200 kB$", text)
        self.assertTrue(row, text)  # what both threads allocated
        if report["resource"].get("oriel.sample.missing", "").startswith("no samples"):
            self.skipTest("perf events are refused here")
        self.assertGreater(float(row[1]), 50)


if __name__ == "__main__":
    main()
