# SPDX-License-Identifier: MIT OR Apache-2.0
"""Names that travel in the capture: read without the program they are of."""
import os
import shutil
import signal

from tool import ORIEL, Scenario, main

SAMPLED = os.environ["SAMPLED"]


class Symbols(Scenario):
    def setUp(self):
        super().setUp()
        self.env["XDG_CACHE_HOME"] = str(self.dir / "cache")
        shutil.copy(SAMPLED, self.dir / "program")

    def record(self, *words):
        run = self.oriel("record", "--rate", 999, "--no-report", "-o", "c.oriel", *words, "--",
                         "./program", 200)
        self.assertEqual(run.returncode, 0, run.stderr)

    def forget_the_program(self):
        """As on another machine: neither the file nor what was read of it."""
        (self.dir / "program").unlink()
        shutil.rmtree(self.dir / "cache", ignore_errors=True)

    def folded(self):
        run = self.oriel("flame", "--format", "folded", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        return run

    def test_a_capture_is_read_without_the_program(self):
        self.record()
        before = self.folded().stdout
        self.forget_the_program()
        after = self.folded()
        self.assertIn(";heavy", after.stdout)
        self.assertEqual(before, after.stdout)
        self.assertEqual(after.stderr, "")
        copy = self.oriel("export", "--to", "capture", "-o", "copy.oriel", "c.oriel")
        self.assertEqual(copy.returncode, 0, copy.stderr)
        (self.dir / "copy.oriel").replace(self.dir / "c.oriel")
        self.assertEqual(before, self.folded().stdout)

    def test_one_function_and_one_file_are_shown_with_their_lines(self):
        self.record()
        run = self.oriel("report", "--function", "heavy", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"\Aheavy\n.*sampled.c:\d+\n")
        self.assertRegex(run.stdout, r"called by +share\n +deep +100 %")
        self.assertRegex(run.stdout, r"calls +share\n +turn +\d+ %")
        self.assertIn("turn(20000);", run.stdout)
        run = self.oriel("report", "--source", "sampled.c", "c.oriel")
        self.assertRegex(run.stdout, r"\d+ %  .*sink \+= i \* i;\n")
        for words in (("--function", "nobody"), ("--source", "nothing.c")):
            run = self.oriel("report", *words, "c.oriel")
            self.assertEqual(run.returncode, 1)
            self.one_line(run.stderr)

    def test_names_are_left_out_when_they_are_not_wanted(self):
        self.record("--no-symbols")
        self.assertIn(";heavy", self.folded().stdout)
        self.forget_the_program()
        self.assertNotIn("heavy", self.folded().stdout)

    def test_what_was_cut_off_gets_its_names_when_it_is_read(self):
        child = self.start(ORIEL, "record", "--rate", 999, "-o", "c.oriel", "--", "./program", 100000)
        capture = self.dir / "c.oriel"
        self.until("a capture with samples",
                   lambda: capture.exists() and capture.stat().st_size > 6000, seconds=100)
        child.kill()
        child.wait()
        for pid in self.programs():
            os.kill(pid, signal.SIGKILL)
        self.until("the program's end", lambda: not self.programs(), seconds=100)
        run = self.oriel("recover")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(";heavy", self.folded().stdout)
        self.forget_the_program()
        self.assertNotIn("heavy", self.folded().stdout)

    def programs(self):
        """Processes of the program, whose parent is gone."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/exe") == str(self.dir / "program"):
                    found.append(int(entry))
            except OSError:
                pass
        return found


if __name__ == "__main__":
    main()
