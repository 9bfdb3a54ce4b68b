# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record on a real program: what it leaves untouched, what it keeps."""
from tool import (EMITTER, ORIEL, TIMEOUT, Scenario, json, main, needs_full_speed, os, pathlib, signal,
                  subprocess)


class Record(Scenario):
    def test_exit_status_is_passed_through(self):
        for status in (0, 1, 2, 77, 126, 127, 255):
            run = self.oriel("record", "-o", "c.oriel", "--", EMITTER, "events", 10, 1, status)
            self.assertEqual(run.returncode, status)

    def test_death_by_signal_is_died_again(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT,
                       signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1):
            run = self.oriel("record", "-o", "c.oriel", "--", "sh", "-c", f"kill -{number.value} $$")
            self.assertEqual(run.returncode, -number, number)
            self.assertEqual(list(self.dir.glob("core*")), [])

    def test_a_shell_sees_the_status_it_would_see_without_recorder(self):
        bare = self.run_raw("bash", "-c", "sh -c 'kill -SEGV $$'; echo $?", text=True)
        recorded = self.run_raw("bash", "-c", f"{ORIEL} record -- sh -c 'kill -SEGV $$'; echo $?",
                                text=True)
        self.assertEqual(recorded.stdout, bare.stdout)

    def test_program_that_is_not_there_is_127(self):
        run = self.oriel("record", "--", "no-such-program-anywhere")
        self.assertEqual(run.returncode, 127)
        self.one_line(run.stderr)
        self.assertFalse((self.dir / ".oriel").exists())

    def test_program_that_is_not_executable_is_126(self):
        (self.dir / "text").write_text("hello")
        for name in ("./text", "/", "."):
            run = self.oriel("record", "--", name)
            self.assertEqual(run.returncode, 126, name)
            self.one_line(run.stderr)

    def test_script_without_interpreter_line_runs(self):
        script = self.dir / "script"
        script.write_text('echo "$1"; exit 5\n')
        script.chmod(0o755)
        run = self.oriel("record", "./script", "word")
        self.assertEqual((run.returncode, run.stdout), (5, "word\n"))

    def test_output_is_the_program_s_own_byte_for_byte(self):
        words = (EMITTER, "spans", 1000)
        bare = self.run_raw(*words)
        recorded = self.run_raw(ORIEL, "record", "--", *words)
        self.assertEqual(recorded.stdout, bare.stdout)

    def test_standard_input_reaches_the_program(self):
        data = os.urandom(300000)
        run = self.run_raw(ORIEL, "record", "--", "cat", input=data)
        self.assertEqual(run.stdout, data)

    def test_program_cannot_tell_the_recorder_from_a_shell(self):
        bare = self.run_raw(EMITTER, "look", text=True)
        recorded = self.oriel("record", "--", EMITTER, "look")
        expected = bare.stdout.replace("ring in the environment: 0", "ring in the environment: 1")
        self.assertEqual(recorded.stdout, expected)

    def test_ignored_signals_stay_ignored(self):
        bare = self.run_raw("nohup", EMITTER, "look", text=True)
        recorded = self.run_raw("nohup", ORIEL, "record", "--", EMITTER, "look", text=True)
        self.assertEqual(recorded.stdout.replace("environment: 1", "environment: 0"), bare.stdout)

    def test_the_recorder_s_own_environment_is_not_changed(self):
        run = self.run_raw("sh", "-c", f"{ORIEL} record -- true 2>/dev/null; echo [$ORIEL_RING]",
                           text=True)
        self.assertEqual(run.stdout, "[]\n")

    def test_every_event_is_kept(self):
        run = self.oriel("record", "--rate", 0, "--metrics-interval", 0, "-o", "c.oriel",
                         "--ring", "64MiB", "--", EMITTER, "events", 50000, 4)
        report = self.report("c.oriel")
        self.assertEqual(report["counts"]["events"] + self.lost(report), self.emitted(run.stdout))
        self.assertEqual(report["counts"]["threads"], 4)

    def test_emitted_is_kept_plus_lost_when_the_ring_is_too_small(self):
        for policy in ("drop-newest", "overwrite-oldest"):
            run = self.oriel("record", "-o", "c.oriel", "--ring", "256KiB", "--policy", policy,
                             "--", EMITTER, "events", 300000, 1)
            report = self.report("c.oriel")
            self.assertGreater(report["counts"]["events"], 1000)
            self.assertEqual(report["counts"]["events"] + self.lost(report),
                             self.emitted(run.stdout), policy)
            if self.lost(report):
                self.assertRegex(run.stderr.splitlines()[0], r"[\d,]+ lost \(")

    def test_slow_span_triggers_one_dump_that_says_why(self):
        recorder = self.start(ORIEL, "record", "-o", "c.oriel", "--no-report", "--policy",
                              "overwrite-oldest", "--slow-span", "40ms", "--", EMITTER, "held", 0,
                              1000, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(recorder.stdout.readline(), "held\n")
        self.until("the ring is written out", lambda: json.loads(
            self.oriel("report", "--json", "c.oriel").stdout or "{}")
            .get("counts", {}).get("events") == 1000)
        _, err = recorder.communicate("\n", timeout=TIMEOUT)
        self.assertRegex(err, r"written out 1 time before the end; the last time for: "
                              r"slow span held: still open after \d+")
        report = self.report("c.oriel")
        self.assertRegex(report["resource"]["oriel.dump.1"], r"^slow span held: .* thread \d+ \(")
        self.assertNotIn("oriel.dump.2", report["resource"])
        self.assertEqual((report["counts"]["spans"], report["counts"]["events"]), (1, 2000))
        # At its beginning, while nobody read the ring, and at its end.
        self.assertGreaterEqual(report["system"]["readings"], 2)

    def test_slow_span_with_bad_values_is_one_line(self):
        for words in (("--slow-span", "50ms"), ("--slow-span", "5x"), ("--slow-span", "-1s"),
                      ("--policy", "overwrite-oldest", "--slow-span", "100h")):
            run = self.oriel("record", *words, "--", "true")
            self.assertEqual(run.returncode, 2, words)
            self.assertRegex(self.one_line(run.stderr), "slow.span")

    def test_end_is_one_screen_that_leads_on(self):
        run = self.oriel("record", "-o", "c.oriel", "--", EMITTER, "spans", 1000)
        lines = run.stderr.splitlines()
        self.assertRegex(lines[0], r"^oriel  .* 1 thread · 1,000 spans · 1,000 events · (\d+ samples? · )?0 lost · "
                                   r"c\.oriel$")
        self.assertIn("where the time went", run.stderr)
        self.assertRegex(lines[-1], r"^next: oriel report c\.oriel · ")
        self.assertLess(len(lines), 25)
        self.assertNotIn("\033", run.stderr)

    def test_no_report_leaves_the_summary_line(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "c.oriel", "--", EMITTER, "spans", 10)
        self.assertEqual(len(run.stderr.splitlines()), 2)

    def test_program_without_annotations_gets_one_line_and_leaves_no_run(self):
        run = self.oriel("record", "--rate", 0, "true")
        self.assertIn("recorded nothing", self.one_line(run.stderr))
        self.assertEqual(list((self.dir / ".oriel/runs").iterdir()), [])

    def test_runs_are_private_ignored_by_git_and_never_collide(self):
        for _ in range(3):
            self.oriel("record", "--", EMITTER, "spans", 10)
        runs = sorted((self.dir / ".oriel/runs").iterdir())
        self.assertEqual(len(runs), 3)
        for run in runs:
            self.assertRegex(run.name, r"^\d{4}-\d{6}-emitter(~\d+)?$")
            self.assertEqual((run / "capture.oriel").stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.dir / ".oriel/.gitignore").read_text().strip(), "*")
        self.assertEqual((self.dir / ".oriel").stat().st_mode & 0o777, 0o700)

    def test_no_ring_is_left_behind(self):
        self.oriel("record", "--", EMITTER, "spans", 10)
        self.oriel("record", "no-such-program")
        self.oriel("record", "-o", "/no/such/directory/at-all/\0"[:-1], "--", "true")
        self.assertEqual(self.rings(), [])

    def test_forked_child_is_recorded_too(self):
        run = self.oriel("record", "-o", "c.oriel", "--", EMITTER, "fork", 1000)
        report = self.report("c.oriel")
        self.assertEqual(report["counts"]["events"], self.emitted(run.stdout))
        self.assertEqual(report["counts"]["processes"], 2)
        self.assertRegex(run.stderr, "2 processes")

    def test_grandchildren_are_recorded(self):
        run = self.oriel("record", "--rate", 0, "--metrics-interval", 0, "-o", "c.oriel",
                         "--", "sh", "-c", f"{EMITTER} events 100 1; {EMITTER} events 100 1; true")
        self.assertEqual(run.returncode, 0)
        report = self.report("c.oriel")
        self.assertEqual(report["counts"]["events"], 200)
        self.assertEqual(report["counts"]["processes"], 2)

    def test_exec_of_another_program_is_recorded(self):
        run = self.oriel("record", "-o", "c.oriel", "--", EMITTER, "exec", 500)
        self.assertEqual(run.returncode, 0)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 1000)

    def test_daemon_is_not_waited_for(self):
        run = self.oriel("record", "-o", "c.oriel", "--", EMITTER, "linger")
        os.kill(int(run.stdout.split()[1]), signal.SIGKILL)  # it was there until now
        self.assertIn("1 process is still running", run.stderr)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 2)

    def test_daemon_is_waited_for_on_demand(self):
        run = self.oriel("record", "--wait", "-o", "c.oriel", "--", EMITTER, "daemon", 1)
        self.assertNotIn("still running", run.stderr)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 101)

    def test_memfd_ring_works_and_has_no_name(self):
        run = self.oriel("record", "--memfd", "-o", "c.oriel", "--", "sh", "-c",
                         f"ls {self.runtime}/oriel 2>/dev/null; {EMITTER} events 100 2")
        self.assertEqual(run.stdout, "emitted 200\n")
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 200)

    def test_filter_reaches_the_program(self):
        run = self.oriel("record", "--rate", 0, "--filter", "warn", "-o", "c.oriel", "--", EMITTER,
                         "events", 100, 1)
        self.assertIn("recorded nothing", run.stderr)
        run = self.oriel("record", "--rate", 0, "-o", "c.oriel", "--", EMITTER, "events", 100, 1,
                         env={**self.env, "ORIEL_FILTER": "warn"})
        self.assertIn("recorded nothing", run.stderr)

    def test_signals_sent_to_the_recorder_are_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            recorder = self.start(ORIEL, "record", "-o", "c.oriel", "--", EMITTER, "catch",
                                  number.value, 9, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
            self.assertEqual(recorder.stdout.readline(), "ready\n")
            recorder.send_signal(number)
            out, err = recorder.communicate(timeout=TIMEOUT)
            self.assertEqual((recorder.returncode, out), (9, f"caught {number.value}\n"), err)
            self.assertEqual(self.report("c.oriel")["counts"]["events"], 1)

    def test_interrupt_of_a_terminal_reaches_the_program_once(self):
        # The program counts on getting it from the terminal, not from us.
        script = ("import os,pty,sys,time\n"
                  "pid, fd = pty.fork()\n"
                  f"if pid == 0: os.execv({ORIEL!r}, {[ORIEL, 'record', '-o', 'c.oriel', '--', EMITTER, 'catch', '2', '9']!r})\n"
                  "text = b''\n"
                  "while b'ready' not in text: text += os.read(fd, 1000)\n"
                  "os.write(fd, b'\\x03')\n"
                  "try:\n"
                  "    while True: text += os.read(fd, 1000)\n"
                  "except OSError: pass\n"
                  "status = os.waitpid(pid, 0)[1]\n"
                  "print(os.waitstatus_to_exitcode(status), text.count(b'caught 2'))\n")
        run = self.run_raw("python3", "-c", script, text=True)
        self.assertEqual(run.stdout, "9 1\n", run.stderr)

    def test_outlets_can_be_written_at_once(self):
        run = self.oriel("record", "--to", "capture,chrome", "-o", "c.oriel", "--", EMITTER,
                         "spans", 100)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.report("c.oriel")["counts"]["spans"], 100)
        self.assertIn('"outer"', (self.dir / "c.json").read_text())

    def test_largest_size_is_kept_and_what_is_missing_is_told(self):
        run = self.oriel("record", "--max-size", "256KiB", "--compression", "none", "-o", "c.oriel",
                         "--", EMITTER, "events", 300000, 1)
        self.assertEqual(run.returncode, 0)
        self.assertLessEqual((self.dir / "c.oriel").stat().st_size, 256 << 10)
        self.assertIn("could not be written", run.stderr)
        self.assertGreater(self.report("c.oriel")["counts"]["events"], 10000)

    def test_foreign_file_is_not_overwritten(self):
        (self.dir / "notes").write_text("precious notes")
        run = self.oriel("record", "-o", "notes", "--", "true")
        self.assertEqual(run.returncode, 2)
        self.assertIn("not overwritten", self.one_line(run.stderr))
        self.assertEqual((self.dir / "notes").read_text(), "precious notes")

    def test_directory_as_output_is_refused(self):
        run = self.oriel("record", "-o", ".", "--", "true")
        self.assertEqual(run.returncode, 2)
        self.one_line(run.stderr)

    @needs_full_speed
    def test_starting_costs_less_than_50_ms(self):
        limit = self.least("true") + 0.05
        self.assertLess(self.least(ORIEL, "record", "true", below=limit), limit)

    def test_artifact_header_describes_program_and_machine(self):
        (self.dir / ".git").mkdir()
        (self.dir / ".git/HEAD").write_text("ref: refs/heads/topic\n")
        (self.dir / ".git/refs/heads").mkdir(parents=True)
        (self.dir / ".git/refs/heads/topic").write_text("a" * 40 + "\n")
        self.oriel("record", "-o", "c.oriel", "--", EMITTER, "spans", 1)
        resource = self.report("c.oriel")["resource"]
        self.assertEqual(resource["vcs.ref.head.revision"], "a" * 40)
        self.assertEqual(resource["vcs.ref.head.name"], "topic")
        self.assertEqual(resource["service.name"], pathlib.Path(EMITTER).name)
        self.assertEqual(resource["oriel.kernel.release"], os.uname().release)
        self.assertEqual(resource["host.name"], os.uname().nodename)
        for key in ("host.cpu.model.name", "os.type", "process.command_args",
                    "oriel.build.compiler", "oriel.vcs.dirty"):
            self.assertTrue(resource.get(key), key)


if __name__ == "__main__":
    main()
