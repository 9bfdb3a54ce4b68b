# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --calls: every call of functions compiled with -finstrument-functions."""
from tool import EMITTER, ORIEL, Scenario, main, needs_full_speed, os, pathlib, unittest

INSTRUMENTED = os.environ["INSTRUMENTED"]


@unittest.skipUnless((pathlib.Path(ORIEL).parent / "liboriel-calls.so.0").exists(),
                     "this build has no liboriel-calls")
class Calls(Scenario):
    def record(self, pattern, *args, options=()):
        run = self.oriel("record", "--rate", 0, "--no-report", "--calls", pattern, *options, "-o",
                         "c.oriel", "--", INSTRUMENTED, *args)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = self.report("c.oriel")
        pathlib.Path(self.dir, "c.oriel").unlink()
        self.assertEqual(report["quality"]["orphan_ends"], 0)
        return report

    def count(self, report, name):
        return sum(n["count"] for n in report["tree"] if n["name"] == name)

    def path(self, report, node):
        names = [node["name"]]
        while node["parent"] is not None:
            node = report["tree"][node["parent"]]
            names.insert(0, node["name"])
        return tuple(names)

    def paths(self, report, name):
        return {self.path(report, n) for n in report["tree"] if n["name"] == name}

    def test_calls_are_spans_in_one_tree_with_those_of_the_program(self):
        report = self.record("work::*")
        self.assertEqual(self.lost(report), 0)
        # Five levels in the program, three on its thread, two in its child.
        self.assertEqual(self.count(report, "work::factorial"), 10)
        self.assertIn(("work::factorial",) * 5, self.paths(report, "work::factorial"))
        self.assertEqual(self.paths(report, "own.inner"),
                         {("own.outer", "work::outer", "work::after_jump", "own.inner")})

    def test_exceptions_and_longjmp_end_what_they_pass(self):
        report = self.record("work::*")
        chain = ("work::catcher",) + ("work::thrower",) * 3
        self.assertIn(chain, self.paths(report, "work::thrower"))
        self.assertEqual(self.count(report, "work::thrower"), 3)
        self.assertEqual(self.count(report, "work::jumped_over"), 3)
        # What comes after the jump stands in the function that jumped back.
        self.assertEqual(self.paths(report, "work::after_jump"),
                         {("own.outer", "work::outer", "work::after_jump")})
        self.assertEqual(report["quality"]["unfinished"], 0)

    def test_patterns_depth_and_filters_choose(self):
        report = self.record("work::fact*")
        self.assertEqual(self.count(report, "work::factorial"), 10)
        self.assertEqual(self.count(report, "work::outer"), 0)
        report = self.record("work::factorial", options=("--calls-depth", 2))
        self.assertEqual(self.count(report, "work::factorial"), 6)
        report = self.record("work::*", options=("--filter", "calls=off"))
        self.assertEqual(self.count(report, "work::factorial"), 0)
        self.assertEqual(self.count(report, "own.outer"), 1)

    @needs_full_speed
    def test_every_call_is_delivered_or_told_as_lost(self):
        calls = 300000
        report = self.record("work::hot", "many", calls, options=("--ring", "1MiB"))
        self.assertEqual(self.count(report, "work::hot") + self.lost(report), calls)

    def test_functions_have_their_source_lines(self):
        report = self.record("work::outer")
        node = next(n for n in report["tree"] if n["name"] == "work::outer")
        self.assertRegex(str(node["source"]), r"instrumented\.cc")

    def test_a_program_that_was_not_compiled_for_it_is_told_before_it_starts(self):
        run = self.oriel("record", "--rate", 0, "--calls", "*", "--", EMITTER, "look")
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("-finstrument-functions", self.one_line(run.stderr))

    def test_the_list_of_functions_is_removed(self):
        folder = pathlib.Path("/dev/shm")
        child = self.start(ORIEL, "record", "--rate", 0, "--no-report", "-o", "c.oriel", "--calls",
                           "work::*", "--", INSTRUMENTED, "all", env=dict(self.env))
        child.wait()
        mine = [p for p in folder.glob("oriel-calls-*") if str(child.pid) == p.name.split("-")[2]]
        self.assertEqual(mine, [])


if __name__ == "__main__":
    main()
