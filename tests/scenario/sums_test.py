# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --calls-mode sums: calls are counted, and the counts are those of the program."""
import platform
import re
import signal

from tool import ORIEL, Scenario, main, os, pathlib, unittest

COUNTED = os.environ["COUNTED"]
needs_library = unittest.skipUnless((pathlib.Path(ORIEL).parent / "liboriel-calls.so.0").exists(),
                                    "this build has no liboriel-calls")
needs_room = unittest.skipUnless(platform.machine() == "x86_64", "entries are patched on x86-64")
WAYS = ["leaf", "middle", "recurse", "to", "fro", "jumped", "lands", "handler", "late"]


@needs_library
class Sums(Scenario):
    HOW = "told"

    def setUp(self):
        super().setUp()
        self.program = COUNTED + "_" + self.HOW

    def words(self, pattern="*", *options):
        return [ORIEL, "record", "--rate", "0", "--no-report", "--calls", pattern, "--calls-mode", "sums",
                *options, "-o", "c.oriel", "--", self.program]

    def record(self, pattern="*", *options):
        """What the program says of itself, and what was recorded of it."""
        run = self.oriel(*self.words(pattern, *options)[1:], "all")
        self.assertEqual(run.returncode, 0, run.stderr)
        truth = {name: int(n) for name, n in (line.split() for line in run.stdout.splitlines())}
        report = self.report("c.oriel")
        return truth, report

    def calls(self, report):
        return {f["name"]: f["calls"] for f in report["calls"]["functions"] if f["name"] in WAYS}

    def books(self, report):
        c = report["calls"]
        self.assertEqual(c["counted"], c["told"] + c["too_deep"] + c["no_room"] + c["ring_full"])
        return c

    def test_every_function_was_called_as_often_as_the_program_says(self):
        truth, report = self.record()
        self.assertEqual(self.lost(report), 0)
        self.assertEqual(self.calls(report), truth)
        books = self.books(report)
        self.assertEqual(books["calls"], books["told"])
        self.assertEqual(books["told"], books["counted"])

    def test_edges_say_who_called(self):
        truth, report = self.record()
        edges = {(e["caller"], e["callee"]): e["calls"] for e in report["calls"]["edges"]}
        self.assertEqual(edges["middle", "leaf"], 3 * truth["middle"])
        self.assertEqual(edges["handler", "leaf"], truth["handler"])
        self.assertEqual(edges["late", "leaf"], truth["late"])
        self.assertEqual(edges["lands", "leaf"], truth["lands"])
        self.assertEqual(edges["lands", "jumped"], truth["lands"])
        self.assertEqual(edges["jumped", "jumped"], truth["jumped"] - truth["lands"])
        into = {name: sum(n for (_, callee), n in edges.items() if callee == name) for name in WAYS}
        self.assertEqual(into, truth)

    def test_times_nest_and_recursion_counts_once(self):
        _, report = self.record()
        by = {f["name"]: f for f in report["calls"]["functions"]}
        whole = sum(f["self_ns"] for f in report["calls"]["functions"])
        for f in report["calls"]["functions"]:
            self.assertLessEqual(f["self_ns"], f["total_ns"])
            self.assertLessEqual(f["total_ns"], whole)
        self.assertLessEqual(by["leaf"]["least_ns"], by["leaf"]["most_ns"])
        self.assertEqual(by["recurse"]["self_ns"], by["recurse"]["total_ns"])

    def test_patterns_choose_and_what_is_between_is_passed_through(self):
        truth, report = self.record("l*")
        self.assertEqual(self.calls(report), {n: truth[n] for n in ("leaf", "lands", "late")})
        edges = {(e["caller"], e["callee"]): e["calls"] for e in report["calls"]["edges"]}
        self.assertNotIn(("middle", "leaf"), edges)
        self.assertEqual(edges["late", "leaf"], truth["late"])

    def test_the_depth_limit_holds(self):
        truth, report = self.record("*", "--calls-depth", "1")
        calls = self.calls(report)
        self.assertEqual(calls["middle"], truth["middle"])
        self.assertEqual(calls["lands"], truth["lands"])
        self.assertNotIn("jumped", calls)

    def test_a_filter_switches_it_off(self):
        run = self.oriel(*self.words("*", "--filter", "calls=off")[1:], "all")
        self.assertEqual(run.returncode, 0, run.stderr)
        if pathlib.Path(self.dir, "c.oriel").exists():
            report = self.report("c.oriel")
            self.assertEqual(report.get("calls", {}).get("functions", []), [])

    def test_a_small_ring_loses_nothing(self):
        truth, report = self.record("*", "--ring", "256KiB")
        books = self.books(report)
        self.assertEqual(books["counted"], sum(truth.values()))
        if self.lost(report) == 0 and books["ring_full"] == 0:
            self.assertEqual(self.calls(report), truth)

    def test_a_killed_program_loses_what_it_counted_since_it_told_last(self):
        history = pathlib.Path(self.dir, "history")
        child = self.start(*self.words(), "loop", str(history))

        def rows():
            text = history.read_text(encoding="ascii") if history.exists() else ""
            return [tuple(map(int, row.split())) for row in text.split("\n")[:-1]]
        self.until("two seconds of calls", lambda: child.poll() is not None or (
            rows() and rows()[-1][0] - rows()[0][0] > 2000))
        self.assertIsNone(child.poll())
        os.kill(self.child_named(child, os.path.basename(self.program)[:15]), signal.SIGKILL)
        child.wait()
        last = rows()[-1][0]
        before = max(n for t, n in rows() if t <= last - 1000)
        report = self.report("c.oriel")
        calls = self.calls(report)
        self.assertEqual(self.lost(report), 0)
        self.assertGreaterEqual(calls["middle"], before)
        text = self.oriel("report", "c.oriel").stdout
        self.assertRegex(text, "a process was killed: what its threads counted")

    def test_reports_and_exports_have_the_sums(self):
        truth, _ = self.record()
        text = self.oriel("report", "c.oriel").stdout
        self.assertRegex(text, r"counted calls: [0-9,]+ of \d+ functions")
        self.assertRegex(text, r"(?m)^ +middle +leaf +[0-9,]+ ")
        one = self.oriel("report", "--function", "leaf", "c.oriel").stdout
        self.assertIn(f"{truth['leaf']} calls", one)
        folded = self.oriel("flame", "--format", "folded", "--kind", "calls", "c.oriel").stdout
        self.assertRegex(folded, r"(?m)middle;leaf \d+$")
        grind = self.oriel("export", "--to", "callgrind", "c.oriel", "-o", "-").stdout
        found = [int(n) for n in re.findall(r"(?m)^cfn=\(\d+\)(?: leaf)?\ncalls=(\d+) ", grind)]
        self.assertIn(3 * truth["middle"], found)
        trace = self.oriel("export", "--to", "chrome", "c.oriel", "-o", "-").stdout
        self.assertNotIn('"leaf"', trace)


@needs_room
class Patched(Sums):
    """The same, of the same program, by calls that are written into its functions."""
    HOW = "enough"


if __name__ == "__main__":
    main()
