# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel diff: two builds of a program, and twice the same one."""
import json
import os

from tool import Scenario, main

BEFORE, AFTER = os.environ["CHANGED_BEFORE"], os.environ["CHANGED_AFTER"]


class Diff(Scenario):
    def record(self, program, *names):
        for name in names:
            (self.dir / name).parent.mkdir(exist_ok=True)
            run = self.oriel("record", "--rate", 999, "--no-report", "-o", name, "--", program)
            self.assertEqual(run.returncode, 0, run.stderr)

    def diff(self, *words, status=0):
        run = self.oriel("diff", *words)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    def cpu(self, *words):
        told = json.loads(self.diff("--json", "--kind", "cpu", *words).stdout)
        return told["compared"][0]

    def sure(self, cpu):
        """What changed of the program: how much time the kernel takes is up to the machine, and who
        spins for longer asks its clock more often."""
        return [f["name"] for f in cpu["functions"]
                if f["self"]["sure"] and f["module"] != "[kernel]" and f["name"] != "[vdso]"]

    def test_the_slower_function_of_a_build_is_ranked_first(self):
        for n in "12":  # in turns: a machine that is busier for a while is so for both
            self.record(BEFORE, f"a{n}.oriel")
            self.record(AFTER, f"b{n}.oriel")
        sides = ("a1.oriel", "a2.oriel", "--", "b1.oriel", "b2.oriel")
        cpu = self.cpu(*sides)
        first = cpu["functions"][0]
        self.assertEqual((cpu["guilty"], first["name"]), ("parse", "parse"))
        self.assertTrue(first["self"]["sure"])
        self.assertAlmostEqual(first["self"]["before"] / 1e6, 120, delta=50)
        self.assertAlmostEqual(first["self"]["after"] / 1e6, 220, delta=70)
        self.assertEqual(self.sure(cpu), ["parse"])
        text = self.diff(*sides).stdout
        self.assertRegex(text, r"  more  parse \(changed.c:\d+\): .*; called from load\n")
        # For a check: one line and a status.
        failed = self.diff("--kind", "cpu", "--fail-over", "5%", *sides, status=1)
        self.assertRegex(self.one_line(failed.stderr), "% worse, more than 5 %: parse ")
        self.diff("--kind", "cpu", "--fail-over", "400%", *sides)
        self.assertIn("| parse | ", self.diff("--markdown", *sides).stdout)

    def test_one_build_is_not_told_apart_from_itself(self):
        self.record(BEFORE, "a/1.oriel", "b/1.oriel", "b/2.oriel", "a/2.oriel")  # as above
        for sides in (("a", "b"), ("a/1.oriel", "b/1.oriel")):
            # One in a thousand, not one in twenty: this runs often.
            cpu = self.cpu("--confidence", "99.9%", *sides)
            self.assertEqual(self.sure(cpu), [])
            self.diff("--confidence", "99.9%", "--kind", "cpu", "--fail-over", "20%", *sides)
        text = self.diff("a/1.oriel", "a/1.oriel").stdout
        self.assertIn("no function changed by more than noise", text)

    def test_runs_are_found_by_age_and_by_name(self):
        for program, name in ((BEFORE, "before"), (AFTER, "after")):
            run = self.oriel("record", "--rate", 999, "--no-report", "--name", name, "--", program)
            self.assertEqual(run.returncode, 0, run.stderr)
        by_name = self.cpu("before", "after")
        self.assertEqual(by_name["guilty"], "parse")
        self.assertEqual(self.cpu("@2", "@1"), by_name)
        self.assertNotEqual(self.cpu("@1", "@2")["guilty"], "parse")
        self.assertIn("no run", self.one_line(self.diff("@2", "@7", status=1).stderr))

    def commit(self):
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
        for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
            self.assertEqual(self.run_raw(*git, *words).returncode, 0)
        return self.run_raw("git", "rev-parse", "HEAD", text=True).stdout[:12]

    def test_the_commits_of_both_sides_are_named_and_how_to_look_between_them(self):
        old = self.commit()
        self.record(BEFORE, "a.oriel")
        new = self.commit()
        self.record(AFTER, "b.oriel")
        text = self.diff("a.oriel", "b.oriel").stdout
        self.assertRegex(text, rf"A  a.oriel: changed_before, commit {old}[, ]")
        self.assertRegex(text, rf"B  b.oriel: changed_after, commit {new}[, ]")
        self.assertRegex(text, rf"next: git log -p {old}\.\.{new} -- /.*/changed\.c\n")
        told = json.loads(self.diff("--json", "a.oriel", "b.oriel").stdout)
        self.assertEqual((told["a"]["commit"][:12], told["b"]["commit"][:12]), (old, new))

    def test_the_page_is_written_once_and_not_over_another(self):
        self.record(BEFORE, "a.oriel")
        self.diff("-o", "d.html", "a.oriel", "a.oriel")
        self.assertIn('"other":[', (self.dir / "d.html").read_text())
        self.one_line(self.diff("-o", "d.html", "a.oriel", "a.oriel", status=1).stderr)
        self.diff("-f", "-o", "d.html", "a.oriel", "a.oriel")

    def test_spans_are_compared_without_any_sample(self):
        for name in ("a.oriel", "b.oriel"):
            run = self.oriel("record", "--no-report", "-o", name, "--", os.environ["EMITTER"],
                             "spans", 3, 1, 0)
            self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(self.diff("--json", "a.oriel", "b.oriel").stdout)
        self.assertIn("spans", [f["kind"] for f in told["compared"]])

    def test_what_makes_no_sense_is_refused_in_one_line(self):
        self.record(BEFORE, "a.oriel")
        (self.dir / "empty").mkdir()
        for words in (("a.oriel",), ("--", "a.oriel"), ("a.oriel", "--"), ("a.oriel",) * 3,
                      ("a.oriel", "--", "a.oriel", "--", "a.oriel"),
                      ("--confidence", "30", "a.oriel", "a.oriel"),
                      ("--fail-over", "much", "a.oriel", "a.oriel")):
            self.one_line(self.diff(*words, status=2).stderr)
        for words in (("a.oriel", "nothing"), ("empty", "a.oriel")):
            self.one_line(self.diff(*words, status=1).stderr)


if __name__ == "__main__":
    main()
