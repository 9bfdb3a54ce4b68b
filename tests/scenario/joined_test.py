# SPDX-License-Identifier: MIT OR Apache-2.0
"""Samples, waits, allocations and calls know the task that they belong to, whichever thread runs it."""
import platform
import re

from tool import ORIEL, Scenario, json, main, os, pathlib, unittest

EVENTS = pathlib.Path("/sys/kernel/tracing/uprobe_events")
TASK = 4711
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

    @unittest.skipUnless(os.access(EVENTS, os.W_OK), "needs root and uprobe events")
    def test_a_hit_of_a_probe_is_in_the_span_the_trace_and_the_task_of_its_moment(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-e", f"uprobe:{JOINED}:turn",
                         "-e", f"uprobe:{JOINED}:called", "-o", "p.oriel", "--", JOINED)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.lost(self.report("p.oriel")), 0)
        run = self.oriel("export", "--to", "chrome", "-o", "-", "p.oriel")
        events = json.loads(run.stdout)
        task = next(e for e in events if e["name"] == "task" and e["ph"] == "b")["args"]
        hits = [e for e in events if e["name"] == "called" and e["ph"] == "X"]
        turns = [e for e in events if e["name"] == "turn" and e["ph"] == "X"]
        ops = [e for e in events if e.get("args", {}).get("task.id") == TASK]
        # In both threads, the one that was started and the one that went on when it had ended.
        self.assertEqual(len({e["tid"] for e in hits}), 2)
        self.assertEqual(sorted(e["tid"] for e in hits), sorted(e["tid"] for e in turns))
        for hit in hits:
            self.assertEqual(hit["args"]["trace_id"], task["trace_id"])
            self.assertEqual(hit["args"]["parent_span_id"], task["span_id"])
            done = [e["args"]["task.op"] for e in ops
                    if e["tid"] == hit["tid"] and e["args"].get("span_id") == task["span_id"]
                    and e["ts"] <= hit["ts"]]
            self.assertEqual(done, ["resume"])
        self.assertEqual([e["args"]["task.op"] for e in sorted(ops, key=lambda e: e["ts"])],
                         ["spawn", "resume", "yield", "resume", "yield", "complete"])
        ids = [e["args"]["span_id"] for e in hits + turns] + [task["span_id"]]
        self.assertEqual(len(set(ids)), 5)
        self.assertNotIn("0" * 16, ids)


if __name__ == "__main__":
    main()
