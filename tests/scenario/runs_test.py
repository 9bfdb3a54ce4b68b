# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel runs: what lies in .oriel/runs, and pruning it."""
import json
import os

from tool import EMITTER, ORIEL, Scenario, main, subprocess, time


class Runs(Scenario):
    def setUp(self):
        super().setUp()
        self.runs = self.dir / ".oriel" / "runs"

    def record(self, *names):
        for name in names:
            run = self.oriel("record", "--no-report", "--name", name, "--", EMITTER, "spans", 5)
            self.assertEqual(run.returncode, 0, run.stderr)

    def names(self):
        return [r["name"].split("-", 2)[2] for r in
                json.loads(self.oriel("runs", "--json").stdout)["runs"]]

    def prune(self, *words, status=0):
        run = self.oriel("runs", "prune", *words)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr

    def age(self, days, *names):
        then = time.time() - days * 86400
        for directory in self.runs.iterdir():
            if directory.name.split("-", 2)[2] in names:
                os.utime(directory / "capture.oriel", (then, then))

    def test_runs_are_listed_with_number_name_and_program(self):
        self.record("first", "second")
        told = json.loads(self.oriel("runs", "--json").stdout)["runs"]
        self.assertEqual([r["number"] for r in told], [1, 2])
        self.assertTrue(told[0]["name"].endswith("-second"))
        self.assertEqual({r["program"] for r in told}, {"emitter"})
        lines = self.oriel("runs").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["run", "directory", "recorded", "age", "size", "with",
                                            "commit", "command"])
        self.assertRegex(lines[1], r"^ *@1  \.oriel/runs/\d{4}-\d{6}-second  ")
        self.assertTrue(lines[1].endswith("emitter spans 5"), lines[1])
        for word in ("@2", "first", told[1]["name"], told[1]["directory"]):
            self.assertEqual(self.report(word)["path"], told[1]["capture"])

    def test_the_list_says_what_was_recorded_and_how(self):
        subprocess.run(["git", "init", "-q"], cwd=self.dir, check=True)
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q",
                        "--allow-empty", "-m", "one"], cwd=self.dir, check=True)
        begun = time.time_ns()
        run = self.oriel("record", "--no-report", "--rate", 499, "--heap", "exact", "--locks", "--",
                         "sh", "-c", "echo a")
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(self.oriel("runs", "--json").stdout)["runs"][0]
        self.assertRegex(told["with"], r"^(499 Hz, )?heap exact, locks$")
        self.assertEqual(told["command"], "sh -c 'echo a'")
        self.assertRegex(told["commit"], "^[0-9a-f]{12}$")
        self.assertFalse(told["being_written"])
        self.assertLess(abs(told["recorded_unix_ns"] - begun), 3600e9)
        self.assertIn("heap exact, locks", self.oriel("runs").stdout)

    def test_two_names_that_begin_alike_are_two_sides(self):
        self.record("app", "app-2", "app")
        run = self.oriel("diff", "--json", "app", "app-2")
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(run.stdout)
        self.assertEqual((told["a"]["runs"], told["b"]["runs"]), (2, 1))

    def test_nothing_goes_that_was_not_asked_for(self):
        self.record("a", "b")
        for words in (("prune",), ("--keep", "1"), ("sweep",), ("prune", "--older", "soon")):
            run = self.oriel("runs", *words)
            self.assertEqual(run.returncode, 2)
            self.one_line(run.stderr)
        self.assertIn("would go", self.prune("--keep", "1", "--dry-run"))
        self.assertEqual(self.names(), ["b", "a"])

    def test_the_newest_are_kept_and_the_old_go(self):
        self.record("a", "b", "c", "d")
        self.age(40, "a")
        self.age(20, "b")
        self.assertIn("1 of 4 runs removed", self.prune("--keep", "2", "--older", "30d"))
        self.assertEqual(self.names(), ["d", "c", "b"])
        self.prune("--older", "10d")
        self.assertEqual(self.names(), ["d", "c"])
        self.prune("--keep", "1")
        self.assertEqual(self.names(), ["d"])
        self.assertEqual(len(list(self.runs.iterdir())), 1)

    def test_what_is_not_a_recordings_stays(self):
        self.record("a")
        directory = next(self.runs.iterdir())
        (directory / "notes").mkdir()
        self.assertIn("kept", self.prune("--keep", "0", status=1))
        self.assertTrue((directory / "capture.oriel").exists())
        (directory / "notes").rmdir()
        (directory / "notes.txt").write_text("mine, but in a run")
        self.prune("--keep", "0")
        self.assertFalse(directory.exists())

    def test_a_run_that_is_being_written_stays(self):
        child = self.start(ORIEL, "record", "--no-report", "--", "cat", stdin=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until("the run", lambda: list(self.runs.glob("*/capture.oriel")))
        self.assertIn("still being written", self.prune("--keep", "0"))  # empty, perhaps
        self.until("its first byte", lambda: any(
            run.stat().st_size for run in self.runs.glob("*/capture.oriel")))
        self.assertIn("still being written", self.prune("--keep", "0"))
        self.assertEqual(len(list(self.runs.iterdir())), 1)
        child.stdin.close()
        child.wait()


if __name__ == "__main__":
    main()
