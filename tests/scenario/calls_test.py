# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --calls: every call of functions compiled with -finstrument-functions or
-fpatchable-function-entry."""
import platform

from tool import (EMITTER, ORIEL, Scenario, main, needs_full_speed, os, pathlib, subprocess,
                  unittest)

INSTRUMENTED, PATCHABLE = os.environ["INSTRUMENTED"], os.environ["PATCHABLE"]
TWISTED = str(pathlib.Path(PATCHABLE).parent / "twisted_")
needs_library = unittest.skipUnless((pathlib.Path(ORIEL).parent / "liboriel-calls.so.0").exists(),
                                    "this build has no liboriel-calls")
needs_room = unittest.skipUnless(platform.machine() == "x86_64", "entries are patched on x86-64")


class Reading(Scenario):
    def count(self, report, name):
        return sum(n["count"] for n in report["tree"] if n["name"] == name)


@needs_library
class Calls(Reading):
    PROGRAM = INSTRUMENTED

    def record(self, pattern, *args, options=()):
        run = self.oriel("record", "--rate", 0, "--no-report", "--calls", pattern, *options, "-o",
                         "c.oriel", "--", self.PROGRAM, *args)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = self.report("c.oriel")
        pathlib.Path(self.dir, "c.oriel").unlink()
        self.assertEqual(report["quality"]["orphan_ends"], 0)
        return report

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
                           "work::*", "--", self.PROGRAM, "all", env=dict(self.env))
        child.wait()
        mine = [p for p in folder.glob("oriel-calls-*") if str(child.pid) == p.name.split("-")[2]]
        self.assertEqual(mine, [])


@needs_room
class Patched(Calls):
    """The same, of the same program, by calls that are written into its functions."""
    PROGRAM = PATCHABLE


@needs_library
class Twisted(Reading):
    """A program that comes out right only if nothing of it was touched."""

    def record(self, room, *options, args=("all",)):
        pathlib.Path(self.dir, "c.oriel").unlink(missing_ok=True)
        run = self.oriel("record", "--rate", 0, "--no-report", "--calls", "*", *options, "-o", "c.oriel",
                         "--", TWISTED + room, *args)
        self.assertEqual((run.returncode, run.stdout), (0, "right\n"), run.stderr)
        return self.report("c.oriel")

    def check(self, room):
        report = self.record(room, "--calls-depth", 500, "--ring", "64MiB")
        self.assertEqual(report["quality"]["orphan_ends"], 0)
        if self.lost(report) == 0:
            self.assertEqual(self.count(report, "six") + self.count(report, "doubles"), 240002)
        self.record(room, "--calls-depth", 3)
        self.record(room, "--ring", "256KiB")
        if (pathlib.Path(ORIEL).parent / "liboriel-alloc.so.0").exists():
            self.record(room, "--heap", "exact")
        self.record(room, "--filter", "calls=off,x=debug")
        self.record(room, "--calls-mode", "sums", "--calls-depth", 500)

    def test_it_comes_out_right_when_the_compiler_calls(self):
        self.check("told")

    @needs_room
    def test_it_comes_out_right_when_calls_are_written_into_it(self):
        self.check("enough")
        self.check("before")

    @needs_room
    def test_functions_without_room_are_left_alone_and_told(self):
        report = self.record("little")
        self.assertEqual(self.count(report, "six"), 0)
        log = self.oriel("export", "--to", "log", "c.oriel", "-o", "-").stdout
        self.assertRegex(log, r"calls of some functions are not seen seen=0 left_out=\d\d+ "
                              r".*fpatchable-function-entry=8")

    @needs_room
    def test_stacks_are_whole_through_exchanged_return_addresses(self):
        run = self.oriel("record", "--rate", 499, "--no-report", "--calls", "spin", "-o", "c.oriel", "--",
                         TWISTED + "enough", "deep", 30)
        self.assertEqual(run.returncode, 0, run.stderr)
        if "not seen: no samples" in run.stderr:
            self.skipTest("perf events are refused here")
        folded = self.oriel("flame", "--format", "folded", "c.oriel").stdout
        whole = [l for l in folded.splitlines() if ";main;" in l and l.count("spin") == 31]
        self.assertTrue(whole, folded)
        self.assertNotIn("calls_thunks;spin;calls_thunks", folded)

    def switch(self, room):
        child = self.start(ORIEL, "record", "--rate", 0, "--no-report", "-o", "c.oriel", "--calls", "target",
                           "--", TWISTED + room, "turns", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
        pid = None
        for directives in ("calls=off", "calls=debug", None):
            self.step(child)
            pid = pid or self.child_named(child, f"twisted_{room}"[:15])
            if directives:
                self.oriel("filter", "-p", pid, directives)
        child.communicate()
        self.assertEqual(child.returncode, 0)
        # Off is noticed by the first record after it, on by the first call that is none.
        seen = self.count(self.report("c.oriel"), "target")
        self.assertGreaterEqual(seen, 195)
        self.assertLessEqual(seen, 205)

    def test_calls_alone_are_switched_off_and_on_again_while_it_runs(self):
        self.switch("told")

    @needs_room
    def test_and_so_are_those_that_are_written_into_it(self):
        self.switch("enough")


if __name__ == "__main__":
    main()
