# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel config: what a person sees; and that a program obeys what it shows."""
import json
import os
import stat

from tool import EMITTER, Scenario, main

OLD = """# my settings
[debug.traces]  # old
output_dir = "old-traces" # where
redact = true

[telemetry.chrome]
form = "object"
"""


class Config(Scenario):
    def write(self, text, name="oriel.toml", mode=0o600):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def config(self, *words, status=0):
        run = self.oriel("config", *words)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    def emit(self, **variables):
        """The emitter exporting by itself."""
        run = self.run_raw(EMITTER, "spans", 3, text=True, env={
            **self.env, "LD_LIBRARY_PATH": str(self.library()), **variables})
        self.assertEqual(run.returncode, 0, run.stderr)
        return run

    @staticmethod
    def library():
        return os.path.dirname(os.environ["ORIEL"])

    def test_each_value_is_shown_with_where_it_came_from(self):
        self.write('[telemetry]\ntrace_dir = "t"\nservice_name = "s"\n')
        self.env.update(ORIEL_EXIT_MS="77", OTEL_SERVICE_NAME="by-variable")
        outcome, rest = self.config("show").stdout.split("\n\n")
        self.assertEqual(outcome, "# A program started here has no telemetry; enabled = true is not said.")
        lines = [line.split() for line in rest.splitlines()]
        self.assertEqual(lines, [
            ["[telemetry]"], ["trace_dir", "=", '"t"', "#", "oriel.toml:2"],
            ["service_name", "=", '"by-variable"', "#", "$OTEL_SERVICE_NAME"],
            ["exit_ms", "=", "77", "#", "$ORIEL_EXIT_MS"]])
        told = json.loads(self.config("show", "--json").stdout)
        self.assertTrue(told["can_start"])
        keys = {k["key"]: (k["value"], k["origin"]) for k in told["keys"]}
        self.assertEqual(keys["telemetry.exit_ms"], (77, "$ORIEL_EXIT_MS"))
        self.assertEqual(keys["telemetry.enabled"], (False, "default"))
        self.assertIn("telemetry.chrome.form", keys)

    def test_a_file_that_a_program_would_not_read_is_no_good_one(self):
        self.write("[telemetry]\nenabled = true\n")
        self.assertEqual(self.config("check").returncode, 0)
        (self.dir / "oriel.toml").chmod(0o666)
        run = self.config("check", status=1)
        self.assertIn("others could have written it", run.stderr)
        self.assertIn("would not start", run.stderr)

    def test_what_all_of_it_comes_to_is_shown(self):
        def outcome(**variables):
            run = self.oriel("config", "show", env={**self.env, "TELEMETRY_ENABLED": "true", **variables})
            head, *lines = run.stdout.split("\n\n")[0].splitlines()
            return [head, *(line.removeprefix("#   ") for line in lines)]

        title = "# A program started here has telemetry:"
        files = "files (chrome) in .local/traces"
        self.assertEqual(outcome(), [title, files])
        self.assertEqual(outcome(OTEL_SDK_ENABLED="true", OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="https://box:5",
                                 OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="http/protobuf"),
                         [title, files, "by $OTEL_SDK_ENABLED, whatever backend says:",
                          "traces to http://localhost:4317", "logs to https://box:5/"])
        self.assertEqual(outcome(OTEL_SDK_ENABLED="true", OTEL_LOGS_EXPORTER="none"),
                         [title, files, "by $OTEL_SDK_ENABLED, whatever backend says:",
                          "traces to http://localhost:4317"])
        for name, value in (("OTEL_SDK_ENABLED", "false"), ("OTEL_SDK_DISABLED", "true")):
            self.assertEqual(outcome(ORIEL_BACKEND="local,otlp", **{name: value}),
                             [title, files, f"by ${name}, neither by OTLP nor on standard output"])
            shown = self.oriel("config", "show", "--json", env={**self.env, name: value})
            self.assertEqual(json.loads(shown.stdout)["switched_by"], f"${name}")
        (self.dir / "otel.yaml").write_text('file_format: "1.0"\ndisabled: true\n', encoding="utf-8")
        self.assertEqual(outcome(OTEL_CONFIG_FILE="otel.yaml", ORIEL_BACKEND="local,otlp"),
                         [title, files, "by otel.yaml:2, neither by OTLP nor on standard output"])
        self.assertEqual(outcome(OTEL_TRACES_EXPORTER="console"),
                         [title, files, "lines on its standard output"])
        self.write("[telemetry]\nbackend = 'otlp'\n[telemetry.otlp.near]\nendpoint = 'http://near:4317'\n"
                   "[telemetry.otlp.vendor]\nendpoint = 'https://vendor'\nsignals = 'traces'\n")
        named = ["traces to http://near:4317", "logs to http://near:4317", "traces to https://vendor"]
        self.assertEqual(outcome(), [title, *named])  # nothing goes to the default endpoint
        self.assertEqual(outcome(OTEL_EXPORTER_OTLP_ENDPOINT="http://box:4317"),
                         [title, "traces to http://box:4317", "logs to http://box:4317", *named])
        self.write("[telemetry]\nenabled = true\n")
        self.assertEqual(outcome(), [title, files])
        said = self.config("show").stdout  # a file alone starts nothing
        self.assertEqual(said.splitlines()[:2], [
            "# A program that calls oriel_start, or is started here with TELEMETRY_ENABLED=true, has telemetry:",
            "#   " + files])
        self.write("[telemetry]\npyroscope_endpoint = 'http://p'\n")
        self.assertEqual(outcome(), ["# A program started here has no telemetry: what is wrong stands above."])

    def test_the_name_that_others_have_for_the_switch_is_one(self):
        self.emit(RUSTKERNEL_TRACING_ENABLED="true", TELEMETRY_ENABLED="false")
        self.assertEqual(list(self.dir.glob(".local/traces/*.json")), [])
        self.emit(RUSTKERNEL_TRACING_ENABLED="true")
        self.assertEqual(len(list(self.dir.glob(".local/traces/*.json"))), 1)

    def test_what_is_wrong_is_said_and_fails_the_check(self):
        self.assertIn("no file: can start", self.config("check").stderr)
        self.write("[telemetry]\nenable = true\n")
        run = self.config("check")
        self.assertIn("oriel.toml:2: there is no key telemetry.enable; did you mean enabled?", run.stderr)
        self.write("[telemetry]\npyroscope_endpoint = 'http://p'\n")
        self.assertIn("oriel.toml:2: telemetry.pyroscope_endpoint cannot take effect",
                      self.config("check", status=1).stderr)
        self.write("[telemetry]\nexit_ms = 1 2\n", "other.toml")
        self.assertIn("other.toml:2:13: the line should end here",
                      self.config("check", "other.toml", status=1).stderr)
        self.config("check", "missing.toml", status=1)
        self.config("polish", status=2)

    def test_what_is_wrong_for_all_signals_is_told_once(self):
        for url in ("ftp://x", "http://x:99999"):
            self.write(f"[telemetry]\nbackend = 'otlp'\n[telemetry.otlp]\nendpoint = '{url}'\n")
            self.assertEqual(self.config("check", status=1).stderr.count("error: "), 1)

    def test_an_exporter_that_nobody_registered_keeps_telemetry_from_starting_and_the_program_runs_on(self):
        path = self.write("file_format: '1.0'\nlogger_provider:\n  processors:\n"
                          "    - simple: {exporter: {mine: {where: here}}}\n", "otel.yaml")
        line = f"{path}:4: logger_provider.processors.simple.exporter.mine is no exporter that Oriel " \
               "has, and the program has registered none of this name"
        run = self.emit(TELEMETRY_ENABLED="true", OTEL_CONFIG_FILE=str(path))
        self.assertEqual(run.stderr, f"oriel: telemetry does not start: {line}\n")
        self.assertTrue(run.stdout.startswith("emitted "), run.stdout)
        self.env["OTEL_CONFIG_FILE"] = str(path)
        said = self.config("check", status=1).stderr
        self.assertIn("error: " + line, said)
        self.assertIn("--registers", said)
        self.assertIn("can start", self.config("check", "--registers", "yours,mine").stderr)
        self.assertIn("error: " + line, self.config("check", "--registers", "yours", status=1).stderr)

    def test_certificates_where_no_tls_is_spoken_are_said_here_and_not_in_a_program(self):
        self.write("[telemetry]\nenabled = true\nbackend = 'otlp'\n"
                   "otlp_endpoint = 'https://127.0.0.1:1'\n[telemetry.otlp.near]\n"
                   "endpoint = 'unix:none'\nclient_key = 'k'\n")
        says = "oriel.toml:7: telemetry.otlp.near.client_key: has no effect: there is no TLS to " \
               "an endpoint with unix:"
        for verb in ("check", "show"):
            self.assertIn(says, self.config(verb).stderr)
        self.write("[telemetry]\nenabled = true\nbackend = 'otlp'\n"
                   "otlp_endpoint = 'http://127.0.0.1:1'\notlp_certificate = 'none'\n")
        self.assertIn("use https://", self.config("check").stderr)
        self.assertNotIn("no effect", self.emit(OTEL_LOG_LEVEL="warn").stderr)

    def test_old_sections_are_rewritten_and_mean_the_same(self):
        path = self.write(OLD, mode=0o640)
        before = self.config("show")
        self.assertIn("[debug.traces] is now part of [telemetry]", before.stderr)
        printed = self.config("migrate").stdout
        self.assertEqual(path.read_text(), OLD)
        self.config("migrate", "--in-place")
        self.assertEqual(path.read_text(), printed)
        self.assertEqual(printed, OLD.replace("[debug.traces]", "[telemetry]")
                         .replace("output_dir", "trace_dir").replace("redact = true\n", ""))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        after = self.config("show")
        self.assertEqual(after.stderr, "")
        self.assertEqual([line.split("#")[0] for line in after.stdout.splitlines()],
                         [line.split("#")[0] for line in before.stdout.splitlines()])
        self.assertIn("nothing to rewrite", self.config("migrate", "--in-place").stderr)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["oriel.toml"])

    def test_a_file_with_nothing_old_is_printed_and_told(self):
        self.write("[telemetry]\n")
        run = self.config("migrate")
        self.assertEqual(run.stdout, "[telemetry]\n")
        self.assertIn("oriel.toml: nothing to migrate", run.stderr)

    def test_a_link_is_not_rewritten(self):
        self.write(OLD, "real.toml")
        (self.dir / "link.toml").symlink_to("real.toml")
        self.config("migrate", "--in-place", "link.toml", status=1)
        self.assertEqual((self.dir / "real.toml").read_text(), OLD)

    def test_secrets_in_urls_are_masked(self):
        self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://me:canary@host:4317"
        self.write("[telemetry]\notlp_headers = 'authorization=canary'\n")
        for words in (["show", "--all"], ["show", "--json"], ["check"]):
            run = self.oriel("config", *words)
            self.assertNotIn("canary", run.stdout + run.stderr)

    def test_show_shows_what_there_is_and_fails_where_something_is_wrong(self):
        self.write("[telemetry]\ntrace_dir = 't'\nexit_ms = 'x'\n")
        for words in ((), ("--json",)):
            run = self.config("show", *words, status=1)
            self.assertIn("oriel: error: oriel.toml:3: telemetry.exit_ms ", run.stderr)
            self.assertTrue(run.stderr.endswith("oriel: telemetry would not start\n"), run.stderr)
            self.assertIn("trace_dir", run.stdout)
        self.write("[telemetry]\nnone = 1\n")  # which a program bears
        self.assertIn("oriel: warning: ", self.config("show", "--json").stderr)

    def test_the_schema_knows_every_key_that_is_shown(self):
        keys = json.loads(self.config("schema").stdout)["properties"]["telemetry"]["properties"]
        for key in json.loads(self.config("show", "--json").stdout)["keys"]:
            at = keys
            *above, last = key["key"].split(".")[1:]
            for name in above:
                at = at[name]["properties"]
            if last.endswith("headers"):  # a secret: never in a file
                self.assertNotIn(last, at)
                continue
            self.assertIn("description", at[last])

    def test_a_program_obeys_the_file(self):
        self.write('[telemetry]\ntrace_dir = "mine"\n[telemetry.chrome]\nform = "object"\n')
        run = self.emit(TELEMETRY_ENABLED="true")
        self.assertEqual(run.stderr, "")
        trace, = (self.dir / "mine").glob("*.json")
        self.assertIn("traceEvents", json.loads(trace.read_text()))

    def test_a_program_says_one_line_and_goes_on_where_telemetry_cannot_start(self):
        path = self.write("[telemetry]\npyroscope_endpoint = 'http://p'\n")
        run = self.emit(TELEMETRY_ENABLED="true")
        self.assertEqual(run.stderr, "oriel: telemetry does not start: oriel.toml:2: "
                         "telemetry.pyroscope_endpoint cannot take effect: this version has no Pyroscope outlet yet\n")
        path.unlink()
        run = self.emit(TELEMETRY_ENABLED="true", TRACY_ENABLED="true")
        self.assertEqual(run.stderr.count("\n"), 1)
        self.assertIn("$TRACY_ENABLED: telemetry.tracy cannot take effect", run.stderr)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_what_nothing_makes_use_of_keeps_telemetry_from_starting_unless_others_read_it_too(self):
        self.write("[telemetry]\notlp_endpoint = 'http://127.0.0.1:1'\n")
        line = "oriel.toml:2: telemetry.otlp_endpoint cannot take effect: backend has no otlp; " \
               'set backend = "otlp" (ORIEL_BACKEND), or OTEL_SDK_ENABLED=true\n'
        self.assertEqual(self.emit(TELEMETRY_ENABLED="true").stderr, "oriel: telemetry does not start: " + line)
        self.assertIn("error: " + line, self.config("check", status=1).stderr)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["oriel.toml"])
        self.write("[telemetry]\n")
        self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
        self.assertIn("warning: $OTEL_EXPORTER_OTLP_ENDPOINT has no effect: backend has no otlp; ",
                      self.config("check").stderr)
        self.emit(TELEMETRY_ENABLED="true")
        self.assertEqual(len(list(self.dir.glob(".local/traces/*.json"))), 1)

    def test_the_check_finds_what_a_program_would_find_when_it_begins_and_leaves_nothing(self):
        (self.dir / "file").write_text("")
        sent = "[telemetry]\nbackend = 'otlp'\notlp_endpoint = 'https://127.0.0.1:1'\n"
        for text, says in (
                (sent + "otlp_headers_vault_key = 'K'\n", "no vault is configured for the key K"),
                (sent + "[telemetry.vault]\nprovider = 'file'\n", "which file? Say file_path"),
                (sent + "[telemetry.vault]\nprovider = 'age'\n", "say age_file and age_identity"),
                (sent + "[telemetry.vault]\nprovider = 'command'\n", "Say command_argv"),
                (sent + "otlp_certificate = 'none.pem'\n", "none.pem"),
                (sent + "otlp_client_certificate = 'none.pem'\notlp_client_key = 'none.key'\n", "none.pem"),
                (sent + "[telemetry.otlp]\nspool_dir = 'file/spool'\n", "file/spool"),
                (sent + "[telemetry.otlp.near]\nendpoint = 'https://n'\ncertificate = 'other.pem'\n", "other.pem"),
                ("[telemetry]\ntrace_dir = 'file'\n", "trace_dir says where files go"),
                ("[telemetry]\noutlets = 'chromium'\n", 'no outlet is called "chromium"')):
            self.write(text)
            self.assertIn(says, self.config("check", status=1).stderr, text)
        for text in (sent + "[telemetry.otlp]\nspool_dir = 'new/spool'\n", "[telemetry]\ntrace_dir = 'new/er'\n",
                     "[telemetry]\nenabled = false\ntrace_dir = 'file'\n"):
            self.write(text)
            self.config("check")
        self.write(sent.replace("'otlp'", "'local,otlp'") + "trace_dir = 'file'\n")
        self.assertIn("warning: no local files: ", self.config("check").stderr)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["file", "oriel.toml"])

    def test_a_program_says_what_is_surely_a_mistake_unless_it_is_told_not_to(self):
        self.write("[telemetry]\nsampel_rate = 0.5\n")
        wrong = {"TELEMETRY_ENABLED": "true", "ORIEL_BACKEND": "otpl", "ORIEL_SAMPLE_RATE": "7",
                 "OTEL_PROPAGATORS": "tracecontext,xray", "OTEL_TRACES_SAMPLER": "jaeger_remote"}
        run = self.emit(**wrong)
        self.assertEqual(sorted(run.stderr.splitlines()), [
            'oriel: warning: $ORIEL_BACKEND: telemetry.backend: "otpl" is not one of local, otlp, program',
            "oriel: warning: $ORIEL_SAMPLE_RATE: telemetry.sample_rate = 7 is taken as 1",
            "oriel: warning: oriel.toml:2: there is no key telemetry.sampel_rate; did you mean sample_rate?"])
        for level in ("error", "none"):
            self.assertEqual(self.emit(**wrong, OTEL_LOG_LEVEL=level).stderr, "")
        self.assertEqual(self.emit(**wrong, OTEL_LOG_LEVEL="warn").stderr.count("oriel: warning: "), 5)
        self.env.update(wrong)
        self.assertEqual(self.config("check").stderr.count("warning: "), 5)

    def test_a_filter_that_is_none_stops_telemetry_and_no_program(self):
        for name, text, first in (("ORIEL_FILTER", "nope=chatty,=,,==", "nope=chatty"),
                                  ("RUSTKERNEL_LOG_LEVEL", "chatty", "chatty")):
            with self.subTest(name):
                run = self.emit(**{"TELEMETRY_ENABLED": "true", name: text})
                self.assertIn(f'oriel: telemetry does not start: ${name}: telemetry.filter: "{first}" '
                              "is no filter directive", run.stderr)
                self.assertEqual((run.stderr.count("\n"), run.stdout), (1, "emitted 3\n"))
                self.env[name] = text
                said = self.config("check", status=1).stderr
                self.assertIn(f'error: ${name}: telemetry.filter: "{first}" is no filter directive', said)
                del self.env[name]
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_a_program_whose_loader_finds_no_liboriel_says_so_once_and_goes_on(self):
        run = self.emit(TELEMETRY_ENABLED="true", LD_LIBRARY_PATH="/nonexistent")
        self.assertEqual(run.stderr, "oriel: telemetry does not start: liboriel.so.0 is not found by the loader: "
                         "install it, or name its directory in LD_LIBRARY_PATH\n")
        run = self.emit(TELEMETRY_ENABLED="true", LD_LIBRARY_PATH="/nonexistent", OTEL_LOG_LEVEL="none")
        self.assertEqual(run.stderr, "")
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_switched_off_is_silent_and_leaves_nothing(self):
        self.write("[telemetry]\nenabled = maybe\n")
        self.assertEqual(self.emit().stderr, "")
        self.assertEqual(self.emit(TELEMETRY_ENABLED="false", OTEL_SDK_ENABLED="true").stderr, "")
        self.assertEqual([p.name for p in self.dir.iterdir()], ["oriel.toml"])


if __name__ == "__main__":
    main()
