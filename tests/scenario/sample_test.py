# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --rate: programs that know nothing of Oriel, sampled."""
import json
import re
import shutil
import sys

from tool import ORIEL, TIMEOUT, Scenario, main, os, subprocess

SAMPLED = os.environ["SAMPLED"]
TRUE = shutil.which("true")


class Sample(Scenario):
    def record(self, *words, rate=499, **options):
        run = self.oriel("record", "--rate", rate, "--no-report", "-o", "c.oriel", "--", *words,
                         **options)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run

    def folded(self, *words):
        """(list of functions from the outermost in, weight) of each stack."""
        run = self.oriel("flame", "--format", "folded", *words, "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        stacks = []
        for line in run.stdout.splitlines():
            path, weight = line.rsplit(" ", 1)
            stacks.append((re.sub(r"_\[[ki]\]", "", path).split(";"), int(weight)))
        return stacks

    def test_time_is_told_by_function_and_every_stack_reaches_the_start(self):
        self.record(SAMPLED, 2000)
        stacks = self.folded()
        total = sum(w for _, w in stacks)
        share = {f: sum(w for s, w in stacks if f in s) / total for f in ("heavy", "light", "main")}
        # 1,000 samples: five standard deviations are 0.07.
        self.assertAlmostEqual(share["heavy"], 0.75, delta=0.08)
        self.assertAlmostEqual(share["light"], 0.25, delta=0.08)
        self.assertGreater(share["main"], 0.97)
        # The weights are the CPU time that the program measured itself.
        self.assertAlmostEqual(total / 1e9, 2.0, delta=0.25)
        # 30 levels of recursion, none missing.
        deepest = max(stacks, key=lambda s: s[1])[0]
        self.assertEqual(deepest.count("deep"), 31)

    def test_waiting_is_told_where_the_program_waits(self):
        self.record(SAMPLED, 1000)
        stacks = self.folded("--kind", "off-cpu")
        total = sum(w for _, w in stacks)
        self.assertGreater(total, 0.49e9)
        if os.geteuid() == 0:  # stacks of waiting threads need the tracepoint
            here = sum(w for s, w in stacks if "wait_here" in s)
            self.assertGreater(here, 0.49e9)
            self.assertLess(here, 0.9e9)

    def test_threads_are_sampled_and_told_apart(self):
        self.record(SAMPLED, 600, 3)
        stacks = self.folded("--by", "thread")
        by_thread = {}
        for s, w in stacks:
            by_thread[s[0]] = by_thread.get(s[0], 0) + w
        self.assertEqual(len(by_thread), 3, by_thread)
        for weight in by_thread.values():
            self.assertAlmostEqual(weight / 1e9, 0.6, delta=0.2)

    def test_children_are_sampled_too(self):
        self.record("sh", "-c", f"{SAMPLED} 300; {SAMPLED} 300")
        stacks = self.folded()
        heavy = sum(w for s, w in stacks if "heavy" in s)
        self.assertAlmostEqual(heavy / 1e9, 0.45, delta=0.15)

    def test_programs_too_short_to_be_sampled_need_cpu_time_too(self):
        shorts = 60
        self.record("sh", "-c", f"i=0; while [ $i -lt {shorts} ]; do {TRUE}; i=$((i+1)); done; :",
                    rate=499)
        told = json.loads(self.oriel("report", "--json", "c.oriel").stdout)
        cpu = next(k for k in told["profile"] if k["kind"] == "cpu")
        programs = {p["name"]: p for p in cpu["programs"]}
        mine = programs[os.path.basename(os.path.realpath(TRUE))]
        self.assertEqual(mine["processes"], shorts, programs)
        self.assertEqual(sum(p["weight"] for p in programs.values()), cpu["weight"])
        between = sum(f["self"] for f in cpu["functions"] if f["name"] == "[between samples]")
        if os.geteuid() == 0:  # by the timers of CPUs, which know no programs
            self.assertEqual(between, 0)
        else:
            self.assertGreater(mine["weight"], 0)
            self.assertGreater(between, cpu["weight"] / 2)
        text = self.oriel("report", "c.oriel").stdout
        self.assertRegex(text, r"(?m)^ +most of it +program$")
        self.assertRegex(text, r"(?m)^samples by program\n  program +processes ")

    def test_a_flight_recorder_has_the_last_samples_not_the_first(self):
        # The first program fills what the kernel's rings hold many times over.
        late = "import time; e = time.process_time() + 1\nwhile time.process_time() < e: pass"
        run = self.oriel("record", "--policy", "overwrite-oldest", "--rate", 997, "--no-report",
                         "-o", "c.oriel", "--", "sh", "-c", f'{SAMPLED} 2000; "$0" -c "$1"',
                         sys.executable, late)
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(self.oriel("report", "--json", "c.oriel").stdout)
        cpu = next(k for k in told["profile"] if k["kind"] == "cpu")
        programs = {p["name"]: p["weight"] for p in cpu["programs"]}
        self.assertAlmostEqual(programs["sampled"] / 1e9, 2, delta=0.5, msg=programs)
        python = programs[os.path.basename(os.path.realpath(sys.executable))]
        self.assertGreater(python / 1e9, 0.8, programs)

    def test_output_and_status_are_those_of_the_program(self):
        run = self.oriel("record", "--rate", 499, "--no-report", "--", "sh", "-c", "echo out; exit 7")
        self.assertEqual((run.returncode, run.stdout), (7, "out\n"))

    def test_a_plain_user_gets_samples_and_is_told_what_is_missing(self):
        if os.geteuid() != 0:
            self.skipTest("is a plain user already: the other tests show it")
        self.dir.chmod(0o777)
        self.runtime.chmod(0o777)
        os.chown(self.runtime, 65534, 65534)
        env = dict(self.env, HOME=str(self.dir))
        run = subprocess.run([ORIEL, "record", "--rate", "499", "--no-report", "-o", "c.oriel", "--",
                              SAMPLED, "1000"], cwd=self.dir, env=env, user=65534, group=65534,
                             extra_groups=[], text=True, capture_output=True, timeout=TIMEOUT)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, "not seen: no (kernel frames|samples)")
        if "no samples" in run.stderr:
            return
        heavy = sum(w for s, w in self.folded() if "heavy" in s)
        self.assertAlmostEqual(heavy / 1e9, 0.75, delta=0.15)

    def test_a_program_that_knows_nothing_of_oriel_is_told_at_once(self):
        run = self.oriel("record", "-o", "c.oriel", "--", SAMPLED, "1000")
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stderr.splitlines()
        self.assertRegex(lines[0], r"^oriel  .* 1 thread · [\d,]+ samples? · 0 lost · c\.oriel$")
        self.assertRegex(run.stderr, r"(?m)^where it went, all threads together\n.*most of it\n"
                                     r"  CPU time +[\d.]+ m?s  \d+ % in turn\n  waiting +[\d.]+ m?s  ")
        self.assertRegex(run.stderr, r"(?m)^  turn +\d{2,3} %.* sampled\.c:\d+$")
        self.assertRegex(lines[-1], r"^next: oriel report c\.oriel · oriel flame c\.oriel · ")
        self.assertLess(len(lines), 25)

    def test_threads_are_told_one_by_one(self):
        self.record(SAMPLED, 300, 3)
        text = self.oriel("report", "c.oriel").stdout
        rows = text.split("samples by thread\n")[1].split("\n\n")[0].splitlines()[1:]
        self.assertEqual(len(rows), 3, text)
        for row in rows:
            self.assertRegex(row, r"^  sampled \d+ +[\d.]+ %")

    def test_a_page_is_written_once_and_not_over_another(self):
        self.record(SAMPLED, 100)
        self.assertEqual(self.oriel("flame", "-o", "f.html", "c.oriel").returncode, 0)
        folded = self.oriel("flame", "--format", "folded", "-o", "f.txt", "c.oriel")
        self.assertTrue(folded.stderr.endswith("f.txt: written\n"), folded.stderr)
        page = (self.dir / "f.html").read_text()
        self.assertIn('"heavy"', page)
        again = self.oriel("flame", "-o", "f.html", "c.oriel")
        self.assertEqual(again.returncode, 1)
        self.one_line(again.stderr)
        self.assertEqual(self.oriel("flame", "-f", "-o", "f.html", "c.oriel").returncode, 0)

    def test_a_recording_without_samples_says_how_to_get_some(self):
        self.assertEqual(self.oriel("record", "--rate", 0, "--no-report", "-o", "c.oriel", "--",
                                    os.environ["EMITTER"], "events", 3, 1, 0).returncode, 0)
        run = self.oriel("flame", "c.oriel")
        self.assertEqual(run.returncode, 1)
        self.assertIn("--rate", self.one_line(run.stderr))

    def test_a_rate_that_makes_no_sense_is_refused(self):
        for rate in ("-1", "10001", "fast"):
            run = self.oriel("record", "--rate", rate, "--", "true")
            self.assertEqual(run.returncode, 2, rate)
            self.one_line(run.stderr)


if __name__ == "__main__":
    main()
