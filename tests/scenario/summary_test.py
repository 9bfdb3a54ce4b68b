# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --summary: what a script learns of a recording, against its schema."""
import json
import unittest

import schema
import tool


class Summary(tool.Scenario):
    def summary(self, *words, status=0):
        run = self.oriel("record", "--no-report", "--summary", "s.json", *words)
        self.assertEqual(run.returncode, status, run.stderr)
        summary = json.loads((self.dir / "s.json").read_text(encoding="utf-8"))
        self.assertEqual(schema.mistakes("record.schema.json", summary), [])
        return summary

    def test_says_what_was_recorded_and_where_it_is(self):
        s = self.summary("-o", "c.oriel", "--", tool.EMITTER, "events", "1000", "1")
        report = self.report("c.oriel")
        self.assertEqual(s["program"], [tool.EMITTER, "events", "1000", "1"])
        self.assertEqual(s["exit"], {"status": 0, "signal": None})
        self.assertEqual(s["counts"]["events"], 1000)
        for name in ("processes", "threads", "spans", "events"):
            self.assertEqual(s["counts"][name], report["counts"][name], name)
        self.assertEqual((s["lost"], s["lost_by_cause"], s["trouble"]), (0, [], None))
        self.assertEqual([(f["outlet"], f["path"], f["written"]) for f in s["files"]],
                         [("capture", "c.oriel", True)])
        self.assertEqual(s["files"][0]["bytes"], (self.dir / "c.oriel").stat().st_size)
        self.assertEqual(s["files"][0]["delivered"], s["counts"]["records"])
        self.assertGreater(s["duration_ns"], 0)
        self.assertGreater(s["user_ns"] + s["system_ns"], 0)
        self.assertLess(abs(s["start_unix_ns"] - report["start_unix_ns"]), 60 * 10**9)

    def test_says_how_the_program_ended(self):
        s = self.summary("-o", "c.oriel", "--", "sh", "-c", "exit 7", status=7)
        self.assertEqual(s["exit"], {"status": 7, "signal": None})
        s = self.summary("-o", "c.oriel", "--", "sh", "-c", "kill -KILL $$", status=-9)
        self.assertEqual(s["exit"], {"status": None, "signal": "SIGKILL"})

    def test_says_that_nothing_was_recorded_and_no_file_is_left(self):
        s = self.summary("--rate", "0", "--metrics-interval", "0", "--", "true")
        self.assertEqual(s["counts"]["records"], 0)
        self.assertEqual([f["written"] for f in s["files"]], [False])

    def test_counts_losses_by_cause(self):
        s = self.summary("--ring", "256KiB", "-o", "c.oriel", "--", tool.EMITTER, "events",
                         "400000", "1")
        self.assertEqual(s["counts"]["events"] + s["lost"], 400000)
        self.assertEqual(sum(c["count"] for c in s["lost_by_cause"]), s["lost"])

    def test_names_every_outlet_and_what_it_refused(self):
        s = self.summary("--to", "capture,chrome", "--max-size", "65536", "--", tool.EMITTER,
                         "events", "200000", "1")
        self.assertEqual([f["outlet"] for f in s["files"]], ["capture", "chrome"])
        self.assertGreater(s["files"][1]["refused"], 0)
        self.assertIsNotNone(s["trouble"])

    def test_a_summary_that_cannot_be_written_is_one_line_and_changes_no_status(self):
        run = self.oriel("record", "--no-report", "--summary", "/proc/none/s.json", "-o", "c.oriel",
                         "--", "sh", "-c", "exit 3")
        self.assertEqual(run.returncode, 3)
        self.assertIn("oriel: record: /proc/none", run.stderr)


if __name__ == "__main__":
    unittest.main()
