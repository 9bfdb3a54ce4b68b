# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record where the kernel refuses perf events altogether: the program
samples itself, and nobody notices. Refused by a filter of system calls, as
containers have it."""
from refused_filter import refuse_perf
from tool import EMITTER, ORIEL, Scenario, main, os, pathlib, unittest

SAMPLED, PICKY = os.environ["SAMPLED"], os.environ["PICKY"]
INSIDE = (pathlib.Path(ORIEL).parent / "liboriel-cpu.so.0").exists()


class Refused(Scenario):
    def record(self, *words, options=(), **more):
        return self.oriel("record", *options, "-o", "c.oriel", "--", *words, preexec_fn=refuse_perf,
                          **more)

    def weights(self, *words):
        run = self.oriel("flame", "--format", "folded", *words, "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        return [(line.rsplit(" ", 1)[0].split(";"), int(line.rsplit(" ", 1)[1]))
                for line in run.stdout.splitlines()]

    @unittest.skipUnless(INSIDE, "a build without the library")
    def test_a_useful_result_and_one_line_of_what_is_missing(self):
        run = self.record(SAMPLED, 2000)
        self.assertEqual((run.returncode, run.stdout.strip()[:3]), (0, "200"), run.stderr)
        said = [line for line in run.stderr.splitlines() if line.startswith("not seen: ")]
        self.assertEqual(len(said), 1, run.stderr)
        self.assertRegex(said[0], "refuses perf events .*, so the program samples itself$")
        self.assertRegex(run.stderr, r"(?m)^  turn +\d{2,3} %.* sampled\.c:\d+$")
        stacks = self.weights()
        total = sum(w for _, w in stacks)
        heavy = sum(w for s, w in stacks if "heavy" in s)
        # 200 samples whose distance is known: totals are the CPU time.
        self.assertAlmostEqual(total / 1e9, 2.0, delta=0.2)
        self.assertAlmostEqual(heavy / total, 0.75, delta=0.15)
        self.assertEqual(max(stacks, key=lambda s: s[1])[0].count("deep"), 31)
        self.assertEqual(self.report("c.oriel")["resource"]["oriel.sample.inside"], "true")

    @unittest.skipUnless(INSIDE, "a build without the library")
    def test_threads_and_children_sample_themselves_too(self):
        run = self.record(SAMPLED, 500, 3, options=("--no-report",))
        self.assertEqual(run.returncode, 0, run.stderr)
        by_thread = {}
        for stack, weight in self.weights("--by", "thread"):
            by_thread[stack[0]] = by_thread.get(stack[0], 0) + weight
        self.assertEqual(len(by_thread), 3, by_thread)
        for weight in by_thread.values():
            self.assertAlmostEqual(weight / 1e9, 0.5, delta=0.2)
        run = self.record("sh", "-c", f"{SAMPLED} 300; {SAMPLED} 300", options=("--no-report",))
        heavy = sum(w for s, w in self.weights() if "heavy" in s)
        self.assertAlmostEqual(heavy / 1e9, 0.45, delta=0.15)

    @unittest.skipUnless(INSIDE, "a build without the library")
    def test_a_picky_program_does_not_notice(self):
        for words in ((PICKY,), (PICKY, "take")):
            bare = self.run_raw(*words, text=True)
            run = self.record(*words, options=("--rate", 499, "--no-report"))
            self.assertEqual((run.returncode, run.stdout), (bare.returncode, bare.stdout), words)
            self.assertEqual(bare.returncode, 9)
            burnt = sum(w for s, w in self.weights() if "burn" in s)
            # With its signal taken it is left alone from there on.
            self.assertGreater(burnt, 0.05e9)
            if len(words) == 1:  # 0.1 + 0.3 + 40 short threads + two children
                self.assertAlmostEqual(burnt / 1e9, 0.9, delta=0.25)
            else:
                self.assertLess(burnt, 0.2e9)

    @unittest.skipUnless(INSIDE, "a build without the library")
    def test_calls_that_no_kernel_restarts_are_not_interrupted(self):
        run = self.record(PICKY, "naps", options=("--rate", 997, "--no-report"))
        self.assertEqual((run.returncode, run.stdout), (0, "interrupted 0\n"), run.stderr)
        # It was sampled all the while: its signal came.
        samples = [w for _, w in self.weights() if w]
        self.assertGreater(sum(samples), 0.05e9)

    def test_a_program_with_annotations_is_recorded_all_the_same(self):
        run = self.record(EMITTER, "events", 1000, 2, options=("--no-report",))
        self.assertEqual(run.returncode, 0, run.stderr)
        report = self.report("c.oriel")
        self.assertEqual(report["counts"]["events"] + self.lost(report), self.emitted(run.stdout))
        self.assertRegex(run.stderr, "not seen: .*refuses perf events")

    @unittest.skipIf(os.geteuid() != 0, "namespaces of processes are for root")
    def test_a_container_has_numbers_of_its_own_for_processes(self):
        """Programs in the kernel, which see the machine's, are no help there: all is seen that can
        be without."""
        run = self.run_raw("unshare", "--pid", "--fork", "--mount-proc", ORIEL, "record", "-o",
                           "c.oriel", "--", SAMPLED, 1000, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        stacks = self.weights()
        heavy = sum(w for s, w in stacks if "heavy" in s)
        self.assertAlmostEqual(heavy / sum(w for _, w in stacks), 0.75, delta=0.15)
        self.assertAlmostEqual(heavy / 1e9, 0.75, delta=0.2)
        self.assertRegex(run.stderr, "(?m)^not seen: no wake-ups")

    def test_attaching_is_refused_in_one_line(self):
        child = self.start(SAMPLED, 20000, stdout=-3)
        run = self.oriel("attach", "-p", child.pid, "-o", "c.oriel", preexec_fn=refuse_perf)
        self.assertEqual(run.returncode, 1)
        self.assertIn("refuses perf events", self.one_line(run.stderr))
        self.assertFalse((self.dir / "c.oriel").exists())


if __name__ == "__main__":
    main()
