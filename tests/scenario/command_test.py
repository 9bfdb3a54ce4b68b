# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line itself: what it says to a wrong one, to bad files, and
whether everything it can do is in help, manual and completions."""
import random
import shutil
import signal

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, json, main, needs_full_speed, os, subprocess

COMMANDS = ("record", "attach", "collect", "probes", "filter", "report", "flame", "diff", "cov", "top", "export",
            "recover", "runs", "config", "vault", "doctor", "version")


class Command(Scenario):
    def capture(self, name="c.oriel", spans=2000):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", name, "--", EMITTER, "spans", spans)
        self.assertEqual(run.returncode, 0, run.stderr)
        return self.dir / name

    def test_wrong_command_lines_are_one_line_and_exit_2(self):
        self.capture()
        table = (
            (["recrod"], 'did you mean "record"?'),
            (["--bogus"], 'unknown option "--bogus"'),
            (["report", "--jsn"], "did you mean --json?"),
            (["report", "--top", "many"], "many"),
            (["report", "--top", "0"], "top"),
            (["report", "--top"], "needs a value"),
            (["report", "--from", "x", "c.oriel"], "--from and --to go together"),
            (["report", "a", "b"], "one argument too many"),
            (["record"], "PROGRAM"),
            (["record", "--rng", "1MiB", "true"], "did you mean --ring?"),
            (["record", "--ring", "1", "true"], "ring"),
            (["record", "--ring", "lots", "true"], "lots"),
            (["record", "--policy", "hope", "true"], "drop-newest"),
            (["record", "--to", "telepathy", "true"], "telepathy"),
            (["record", "--to", "capture,capture", "true"], "twice"),
            (["record", "--to", "capture,,chrome", "true"], "no outlet"),
            (["record", "-o", "-", "true"], "standard output belongs to the program"),
            (["export", "c.oriel"], "--to OUTLET is missing"),
            (["collect", "--listen", "0.0.0.0:0"], "needs --beyond-loopback and --token-file"),
            (["collect", "--http", "[::]:0"], "--http: other machines could connect to ::"),
            (["export", "--to", "telepathy", "c.oriel"], "chrome"),
            (["export", "--to", "chrome", "--frm", "array", "c.oriel"], "did you mean --form?"),
            (["export", "--to", "capture", "c.oriel"], "is the file to read"),
            (["generate", "csh"], "csh"),
            (["help", "recrod"], 'did you mean "record"?'),
            (["version", "x"], "one argument too many"),
        )
        for words, expected in table:
            run = self.oriel(*words)
            self.assertEqual(run.returncode, 2, words)
            self.assertIn(expected, self.one_line(run.stderr), words)
            self.assertEqual(run.stdout, "", words)
        run = self.oriel()
        self.assertEqual(run.returncode, 2)

    def test_an_export_removes_what_killed_ones_to_the_same_path_left(self):
        self.capture()
        gone = subprocess.Popen(["true"])
        gone.wait()
        left = f"x.json.oriel-part-{gone.pid}"
        stays = [f"x.json.part-{gone.pid}", f"x.json.oriel-part-{os.getpid()}",
                 f"x.json.oriel-part-0{gone.pid}", f"{left}x", f"y.json.oriel-part-{gone.pid}",
                 "x.json.oriel-part-", "x.json.oriel-part--1"]
        for name in stays:
            (self.dir / name).write_text("[")
        for output in ("x.json", self.dir / "x.json"):
            (self.dir / left).write_text("[")
            run = self.oriel("export", "-f", "--to", "chrome", "-o", output, "c.oriel")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(sorted(f.name for f in self.dir.glob("*.json*")), sorted(["x.json", *stays]))

    def test_bad_files_are_one_line_with_the_path_and_exit_1(self):
        good = self.capture().read_bytes()
        (self.dir / "empty").write_bytes(b"")
        (self.dir / "text").write_text("hello\n" * 1000)
        (self.dir / "zeros").write_bytes(bytes(100000))
        (self.dir / "noise").write_bytes(random.Random(1).randbytes(100000))
        (self.dir / "version").write_bytes(good.replace(b"ORIELCP\1", b"ORIELCP\x63"))
        (self.dir / "dir").mkdir()
        os.mkfifo(self.dir / "fifo")
        for name in ("missing", "empty", "text", "zeros", "noise", "version", "dir", "fifo",
                     "/dev/null", "a" * 600):
            for words in (["report", name], ["report", "--json", name],
                          ["export", "--to", "chrome", "-o", "out.json", name]):
                run = self.oriel(*words)
                self.assertEqual(run.returncode, 1, f"{words}: {run.stderr}")
                line = self.one_line(run.stderr)
                if len(name) < 100:
                    self.assertIn(name, line)
        for name in ("missing", "empty", "text", "dir", "/dev/null"):
            run = self.oriel("recover", name)
            self.assertEqual(run.returncode, 1, name)
            self.one_line(run.stderr)

    def test_cut_and_damaged_files_give_what_is_left(self):
        good = self.capture(spans=200000).read_bytes()
        rng = random.Random(2)
        for cut in [rng.randrange(len(good)) for _ in range(12)]:
            (self.dir / "cut").write_bytes(good[:cut])
            run = self.oriel("report", "--json", "cut")
            self.assertIn(run.returncode, (0, 1), run.stderr)
            if run.returncode == 0:
                self.assertLessEqual(json.loads(run.stdout)["counts"]["spans"], 200000)
            else:
                self.one_line(run.stderr)
        half = bytearray(good)
        for _ in range(8):
            half[rng.randrange(len(half) // 2, len(half))] ^= 0x55
        (self.dir / "hurt").write_bytes(half)
        report = self.report("hurt")
        self.assertGreater(report["counts"]["spans"], 10000)
        self.assertIsNotNone(report["quality"]["first_damage"])
        run = self.oriel("export", "--to", "chrome", "-o", "hurt.json", "hurt")
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stderr, r"oriel: hurt: damaged at byte [\d,]+")

    def test_a_file_is_named_as_it_is_called(self):
        for name in ("passwd", "secret", "cookies"):
            (self.dir / name).write_bytes(b"root:x:0:0:root:/root:/bin/bash\n" * 9)
            for words in (("report", name), ("export", "--to", "log", self.dir / name)):
                run = self.oriel(*words)
                self.assertEqual(run.returncode, 1)
                self.assertIn(f"{words[-1]}: not an Oriel capture", self.one_line(run.stderr))

    def test_a_reader_that_went_away_ends_an_export_without_a_word(self):
        capture = self.capture(spans=100000)
        for outlet in ("otlp", "chrome", "log", "perfetto", "capture"):
            run = self.start(ORIEL, "export", "--to", outlet, "-o", "-", capture,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            run.stdout.read(1)
            run.stdout.close()
            said = run.stderr.read()
            run.stderr.close()
            self.assertEqual((run.wait(TIMEOUT), said), (-signal.SIGPIPE, b""), outlet)

    def test_ring_given_as_capture_is_explained(self):
        recorder = self.start(ORIEL, "record", "-o", "c.oriel", "--", EMITTER, "steps", 10,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        self.step(recorder)
        run = self.oriel("report", self.rings()[0])
        self.assertEqual(run.returncode, 1)
        self.assertIn("oriel recover", self.one_line(run.stderr))
        recorder.stdin.close()
        self.assertEqual(recorder.wait(TIMEOUT), 0)

    def test_report_of_nothing_says_how_to_begin(self):
        run = self.oriel("report")
        self.assertEqual(run.returncode, 1)
        self.assertIn("oriel record -- PROGRAM", self.one_line(run.stderr))

    def test_newest_run_is_the_default_and_a_run_can_be_named_by_its_directory(self):
        self.oriel("record", "--", EMITTER, "spans", 5)
        self.oriel("record", "--", EMITTER, "spans", 7)
        report = json.loads(self.oriel("report", "--json").stdout)
        self.assertEqual(report["counts"]["spans"], 7)
        runs = json.loads(self.oriel("runs", "--json").stdout)["runs"]
        self.assertEqual(len(runs), 2)
        self.assertEqual(self.report(runs[1]["directory"])["counts"]["spans"], 5)
        self.assertEqual(runs[0]["capture"], report["path"])
        self.assertEqual(len(self.oriel("runs").stdout.splitlines()), 3)  # and a line of titles

    def test_export_goes_beside_its_input_and_never_over_a_file(self):
        self.capture()
        run = self.oriel("export", "--to", "chrome", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        first = (self.dir / "c.json").read_bytes()
        self.assertEqual(sum(e.get("name") == "outer" for e in json.loads(first)), 2000)
        run = self.oriel("export", "--to", "chrome", "c.oriel")
        self.assertEqual(run.returncode, 1)
        self.assertIn("-f overwrites", self.one_line(run.stderr))
        run = self.oriel("export", "-f", "--to", "chrome", "c.oriel")
        self.assertEqual(run.returncode, 0)
        run = self.oriel("export", "--to", "chrome", "-o", ".", "c.oriel")
        self.assertEqual(run.returncode, 1)
        self.one_line(run.stderr)

    def test_export_to_standard_output_is_the_same_bytes_and_nothing_else(self):
        self.capture()
        self.oriel("export", "--to", "chrome", "-o", "a.json", "c.oriel")
        run = self.oriel("export", "--to", "chrome", "-o", "-", "c.oriel")
        self.assertEqual(run.stdout, (self.dir / "a.json").read_text())
        self.assertEqual(run.stderr, "")

    def test_every_outlet_exports(self):
        self.capture()
        outlets = json.loads(self.oriel("version", "--json").stdout)["outlets"]
        for name in outlets:
            run = self.oriel("export", "--to", name, "-o", f"x.{name}", "c.oriel")
            if name in ("pprof", "speedscope", "callgrind", "folded", "perf"):  # no samples here
                self.assertEqual(run.returncode, 1, name)
                self.assertIn("--rate", self.one_line(run.stderr))
                self.assertFalse((self.dir / f"x.{name}").exists(), name)
                continue
            self.assertEqual(run.returncode, 0, f"{name}: {run.stderr}")
            self.assertGreater((self.dir / f"x.{name}").stat().st_size, 1000)
        self.assertEqual(self.report("x.capture")["counts"]["spans"], 2000)

    def test_what_there_is_none_of_is_not_counted(self):
        (self.dir / "a.folded").write_text("main;parse 6\nmain;write 3\n", encoding="ascii")
        run = self.oriel("export", "--to", "pprof", "-o", "a.pprof", "a.folded")
        self.assertRegex(self.one_line(run.stderr), r"a\.pprof: \d+ samples, \d+ B$")
        self.capture()
        run = self.oriel("export", "--to", "chrome", "-o", "a.json", "c.oriel")
        self.assertRegex(self.one_line(run.stderr), r"a\.json: 2,000 spans, 2,000 events, ")

    def test_full_disk_during_export_is_one_line(self):
        self.capture()
        with open("/dev/full", "wb") as full:
            run = self.run_raw(ORIEL, "export", "--to", "chrome", "-o", "-", "c.oriel",
                               stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 1)
        self.one_line(run.stderr)
        with open("/dev/full", "wb") as full:
            run = self.run_raw(ORIEL, "report", "c.oriel", stdout=full, stderr=subprocess.PIPE,
                               text=True)
        self.assertEqual(run.returncode, 1)
        self.one_line(run.stderr)

    def test_help_is_there_for_all_and_wins_over_everything_else(self):
        top = self.oriel("--help")
        self.assertEqual(top.returncode, 0)
        for name in COMMANDS:
            self.assertIn(f"  {name} ", top.stdout)
            for words in ([name, "--help"], [name, "-h"], ["help", name]):
                run = self.oriel(*words)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertTrue(run.stdout.startswith(f"oriel {name}"))
                self.assertLessEqual(max(map(len, run.stdout.splitlines())), 79)

    @needs_full_speed
    def test_help_takes_less_than_5_ms(self):
        self.assertLess(self.least(ORIEL, "--help", below=0.005), 0.005)

    def test_manual_pages_are_valid(self):
        run = self.oriel("generate", "man", "-o", "man")
        self.assertEqual(run.returncode, 0, run.stderr)
        pages = sorted(p.name for p in (self.dir / "man").iterdir())
        self.assertEqual(pages, sorted(["oriel.1"] + [f"oriel-{c}.1" for c in COMMANDS]))
        if not shutil.which("man"):
            self.skipTest("man is not installed")
        for page in pages:
            run = self.run_raw("man", "--warnings=all", "-l", self.dir / "man" / page, text=True,
                               env={**self.env, "MANPAGER": "cat", "MANWIDTH": "100"})
            self.assertEqual(run.stderr, "", page)
            self.assertIn("NAME", run.stdout)

    def test_completions_are_accepted_by_their_shells(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]),
                             ("fish", ["fish", "--no-execute"])):
            run = self.oriel("generate", shell)
            self.assertEqual(run.returncode, 0)
            path = self.dir / f"completion.{shell}"
            path.write_text(run.stdout)
            if shutil.which(shell):
                run = self.run_raw(*check, path, text=True)
                self.assertEqual((run.returncode, run.stderr), (0, ""), shell)

    def test_bash_completion_completes(self):
        self.oriel("generate", "bash", "-o", ".")

        def complete(*words):
            script = ("source ./oriel.bash; "
                      f"COMP_WORDS=({' '.join(repr(w) for w in words)}); "
                      f"COMP_CWORD={len(words) - 1}; _oriel; echo ${{COMPREPLY[@]}}")
            return self.run_raw("bash", "-c", script, text=True).stdout.split()
        self.assertEqual(complete("oriel", "repo"), ["report"])
        self.assertEqual(complete("oriel", "report", "--tr"), ["--tree"])
        self.assertIn("perfetto", complete("oriel", "export", "--to", ""))
        self.assertEqual(complete("oriel", "record", "--policy", "dr"), ["drop-newest"])
        self.assertIn("--include-args", complete("oriel", "record", "--inc"))

    def test_doctor_tells_each_ability_and_a_remedy_for_what_is_missing(self):
        run = self.oriel("doctor", "--json")
        self.assertEqual(run.returncode, 0)
        probes = json.loads(run.stdout)["probes"]
        self.assertGreaterEqual(len(probes), 10)
        for probe in probes:
            self.assertIn(probe["state"], ("ok", "limited", "missing"))
            self.assertTrue(probe["found"])
            if probe["state"] == "missing":
                self.assertTrue(probe["remedy"], probe["name"])
        text = self.oriel("doctor").stdout
        for probe in probes:
            self.assertIn(probe["name"], text)
        self.assertEqual([p["found"] for p in probes if p["name"] == "components"], ["all there are"])

    def test_doctor_names_what_helps_sampling_where_tracepoints_are_hidden(self):
        hide = ("for d in tracing debug; do mount -t tmpfs none /sys/kernel/$d || exit 77; done; "
                'exec "$0" doctor --json')
        run = subprocess.run(["unshare", "-m", "sh", "-c", hide, ORIEL], capture_output=True, text=True,
                             check=False, env=self.env)
        if run.returncode != 0:
            self.skipTest("no mount namespace of our own: " + run.stderr.strip())
        probes = {p["name"]: p for p in json.loads(run.stdout)["probes"]}
        self.assertIn("not mounted", probes["tracefs"]["found"])
        if "tracepoint" in probes["sampling"]["found"]:
            self.assertEqual(probes["sampling"]["remedy"], probes["tracefs"]["remedy"])

    def test_version_says_the_same_everywhere(self):
        text = self.oriel("version").stdout
        data = json.loads(self.oriel("version", "--json").stdout)
        self.assertEqual(text, f"oriel {data['version']}\n")
        self.assertEqual(data["without"], [])
        self.assertIn("otlp", data["outlets"])
        self.assertEqual(self.oriel("--version").stdout, text)

    def test_progress_is_for_terminals_only(self):
        self.capture(spans=50000)
        run = self.oriel("report", "c.oriel")
        self.assertEqual(run.stderr, "")

    def test_colour_follows_the_conventions(self):
        self.capture()
        self.assertNotIn("\033", self.oriel("report", "c.oriel").stdout)
        forced = self.oriel("report", "c.oriel", env={**self.env, "CLICOLOR_FORCE": "1"})
        both = self.oriel("report", "c.oriel",
                          env={**self.env, "CLICOLOR_FORCE": "1", "NO_COLOR": "1"})
        self.assertIn("\033[", forced.stdout)
        self.assertNotIn("\033", both.stdout)

    @needs_full_speed
    def test_binary_is_static_and_small(self):
        run = self.run_raw("ldd", ORIEL, text=True)
        self.assertRegex(run.stdout + run.stderr, "not a dynamic executable|statically linked")
        self.assertLess(os.stat(ORIEL).st_size, 15 << 20)


if __name__ == "__main__":
    main()
