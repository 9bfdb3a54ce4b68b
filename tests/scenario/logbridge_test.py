# SPDX-License-Identifier: MIT OR Apache-2.0
"""A logger that a program has already, bridged by one callback (examples/c/logbridge)."""
import json
import os
import unittest

from tool import Scenario, main

LOGBRIDGE = os.environ.get("LOGBRIDGE")


@unittest.skipUnless(LOGBRIDGE, "this build has no examples")
class Logbridge(Scenario):
    def records(self, *words):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "c.oriel", *words, "--", LOGBRIDGE)
        self.assertEqual(run.returncode, 0, run.stderr)
        run = self.oriel("export", "--to", "otlp", "-f", "-o", "x.jsonl", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = [json.loads(line) for line in (self.dir / "x.jsonl").read_text(encoding="utf-8").splitlines()]
        return [(record["severityNumber"], record["body"]["stringValue"],
                 "spanId" in record) for line in lines for group in line.get("resourceLogs", [])
                for scope in group["scopeLogs"] for record in scope["logRecords"]
                if scope["scope"]["name"] == "logger"]

    def test_what_a_logger_says_is_a_log_record_of_its_level_in_the_current_span(self):
        got = self.records("--filter", "trace")
        self.assertEqual([(n, t.split(" (")[0], inside) for n, t, inside in got], [
            (13, "slow: 42 ms for db", True), (5, "details: many", True),
            (17, "a line with its end", False)])
        self.assertRegex(got[0][1], r"\(logbridge\.c:\d+\)\Z")

    def test_a_filter_switches_levels_of_the_logger(self):
        self.assertEqual([n for n, _, _ in self.records("--filter", "info,logger=error")], [17])


if __name__ == "__main__":
    main()
