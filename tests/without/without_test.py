# SPDX-License-Identifier: MIT OR Apache-2.0
"""A build without OTLP (and without callgrind, to be more than one): nothing of it is there, who
asks for it is told so in one line, and the rest works as ever."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from tool import EMITTER, ORIEL, Scenario, json, main

BUILD = pathlib.Path(ORIEL).parent
MADE_WITHOUT = "this build was made without otlp"
YAML = """file_format: "1.0"
tracer_provider:
  processors:
    - batch: {{exporter: {{{}}}}}
"""


# One of each file, or nearly, that goes.
GONE = set("h2_new h2_client_new h2_exchange_new grpc_start http_client_new net_listen net_dial_new net_lookup_new "
           "stream_new tls_new tls_library_get deliver_open spool_open spool_list vault_read vault_run sending_spooled "
           "export_otlp source_otlp source_collect cli_command_collect cli_command_vault export_callgrind".split())


class Built(unittest.TestCase):
    def functions(self, path):
        """And tables: all names that are defined."""
        return {line.split()[-1] for line in self.out_of("nm", "--defined-only", path).splitlines()}

    def out_of(self, *words):
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def test_no_file_of_it_names_what_only_otlp_uses(self):
        for name in ("liboriel.so", "oriel"):
            data = (BUILD / name).read_bytes()
            for text in (b"nghttp2", b"libssl", b"libcrypto", b"opentelemetry.proto.collector"):
                self.assertNotIn(text, data, name)
        self.assertNotIn("nghttp2", self.out_of("ldd", BUILD / "liboriel.so"))
        names = self.out_of("nm", "-D", "--undefined-only", BUILD / "liboriel.so").split()
        for name in ("connect", "getaddrinfo", "listen", "dlopen"):
            self.assertFalse([n for n in names if n.split("@")[0] == name], name)
        for name in ("liboriel.so", "oriel"):
            self.assertEqual(set(), GONE & self.functions(BUILD / name), name)

    def test_what_it_looks_for_is_in_the_build_that_has_it(self):
        """Or the test above would be content with anything."""
        whole = BUILD.parent / "liboriel.so"
        data = whole.read_bytes()
        for text in (b"nghttp2", b"libssl", b"opentelemetry.proto.collector"):
            self.assertIn(text, data)
        names = self.out_of("nm", "-D", "--undefined-only", whole)
        for name in ("connect", "dlopen"):
            self.assertRegex(names, rf" {name}@")
        self.assertEqual(set(), GONE - self.functions(BUILD.parent / "oriel"))

    def test_it_was_configured_without_a_look_at_nghttp2(self):
        self.assertNotIn("nghttp2", (BUILD / "CMakeCache.txt").read_text())
        self.assertNotIn("-lnghttp2", (BUILD / "oriel.pc").read_text())
        self.assertIn("-lnghttp2", (BUILD.parent / "oriel.pc").read_text())

    def test_every_outlet_but_two_can_be_left_out(self):
        source = pathlib.Path(os.environ["SOURCE"])
        outlets = re.findall(r"^EXPORTER\((\w+)\)", (source / "src/export/exporters.def").read_text(), re.M)
        rows = re.findall(r"EXPORTER\((\w+)\)", (source / "tools/components.txt").read_text())
        self.assertEqual(sorted(rows + ["capture", "log"]), sorted(outlets))

    def test_a_component_that_nobody_has_is_refused_with_those_there_are(self):
        with tempfile.TemporaryDirectory() as scratch:
            run = subprocess.run([os.environ["CMAKE"], "-S", os.environ["SOURCE"], "-B", scratch, "-G", "Ninja",
                                  "-DORIEL_WITHOUT=otpl"], capture_output=True, text=True, check=False)
        self.assertNotEqual(run.returncode, 0)
        said = " ".join(run.stderr.split())
        self.assertIn('there is no component "otpl"; there are otlp, chrome, perfetto', said)


class Command(Scenario):
    def refused(self, *words, why=MADE_WITHOUT):
        run = self.oriel(*words)
        self.assertEqual((run.returncode, run.stdout), (2, ""), run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn(f"{why}; use one that has it", run.stderr)

    def test_who_asks_for_otlp_is_told_in_one_line(self):
        self.refused("collect")
        self.refused("help", "collect")
        self.refused("vault", "check")
        self.refused("record", "--to", "otlp", "--", "true")
        self.refused("record", "--to", "capture,otlp", "--endpoint", "http://127.0.0.1:9", "--", "true")
        self.refused("export", "--to", "otlp", "c.oriel")
        self.refused("export", "--to", "otlp", "--endpoint", "http://127.0.0.1:9", "c.oriel")
        self.refused("export", "--to=otlp", "--spool", ".")
        self.refused("doctor", "--spool", ".")
        self.refused("export", "--to", "callgrind", "c.oriel", why="this build was made without callgrind")

    def test_a_file_that_the_whole_oriel_would_read_is_refused_with_why(self):
        (self.dir / "x.jsonl").write_text('{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}\n')
        run = self.oriel("report", "x.jsonl")
        self.assertEqual(run.returncode, 1)
        self.assertIn("or take a build that was not made without otlp\n", run.stderr)

    def test_the_words_of_a_program_are_its_own(self):
        run = self.oriel("record", "--no-report", "-o", "c.oriel", "echo", "--to", "otlp")
        self.assertEqual((run.returncode, run.stdout), (0, "--to otlp\n"), run.stderr)

    def test_it_says_what_it_is_made_without(self):
        self.assertEqual(self.oriel("version").stdout.split("\n", 1)[1], "made without otlp, callgrind\n")
        told = json.loads(self.oriel("version", "--json").stdout)
        self.assertEqual(told["without"], ["otlp", "callgrind"])
        self.assertIn("perfetto", told["outlets"])
        for name in ("otlp", "callgrind"):
            self.assertNotIn(name, told["outlets"])
        self.assertFalse({"otlp", "collect"} & set(told["sources"]))
        probes = {p["name"]: p for p in json.loads(self.oriel("doctor", "--json").stdout)["probes"]}
        self.assertEqual(probes["components"]["found"], "this build was made without otlp, callgrind")
        self.assertNotIn("collect", self.oriel("--help").stdout)

    def test_a_real_program_is_recorded_reported_and_exported(self):
        run = self.oriel("record", "--no-report", "-o", "c.oriel", "--", EMITTER, "spans", 100)
        self.assertEqual(run.returncode, 0, run.stderr)
        spans = {s["name"]: s["count"] for s in self.report("c.oriel")["spans"]}
        self.assertEqual(spans["outer"], 100)
        for outlet, file, name in (("chrome", "c.json", b"outer"), ("perfetto", "c.pftrace", b"outer"),
                                   ("log", "c.log", b"inside")):
            run = self.oriel("export", "--to", outlet, "-o", file, "c.oriel")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertTrue(name in (self.dir / file).read_bytes(), file)
        run = self.oriel("record", "-o", "p.oriel", "--", sys.executable, "-c", "print(sum(range(3000000)))")
        self.assertEqual((run.returncode, run.stdout), (0, "4499998500000\n"), run.stderr)
        self.assertGreater(self.report("p.oriel")["profile"][0]["samples"], 0)


class Program(Scenario):
    """A program that exports by itself, with the library of this build."""

    def emit(self, **variables):
        run = self.run_raw(EMITTER, "spans", 3, text=True, env={
            **self.env, "LD_LIBRARY_PATH": str(BUILD), "TELEMETRY_ENABLED": "true", **variables})
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(run.stdout.endswith("emitted 3\n"), run.stdout)
        return run

    def files(self, where=".local/traces"):
        return sorted(p for p in (self.dir / where).glob("[!.]*"))

    def refused(self, where, why=MADE_WITHOUT, **variables):
        """No telemetry, one line with what to do, and a program that is as it was."""
        run = self.emit(**variables)
        self.assertEqual(run.stdout, "emitted 3\n")
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertTrue(run.stderr.startswith(f"oriel: telemetry does not start: {where}"), run.stderr)
        self.assertIn(f"cannot take effect: {why}", run.stderr)
        self.assertIn("; use one that has it, or leave this out\n", run.stderr)
        self.assertEqual(self.files(), [])

    def write(self, name, text):
        (self.dir / name).write_text(text)
        (self.dir / name).chmod(0o600)

    def test_files_are_written_as_ever(self):
        run = self.emit(ORIEL_TO="chrome,perfetto,capture")
        self.assertEqual(run.stderr, "")
        self.assertEqual([p.suffix for p in self.files()], [".json", ".oriel", ".pftrace"])
        chrome = next(p for p in self.files() if p.suffix == ".json")
        self.assertEqual(sum(e.get("name") == "outer" for e in json.loads(chrome.read_text())), 3)
        capture = next(p for p in self.files() if p.suffix == ".oriel")
        self.assertEqual({s["name"]: s["count"] for s in self.report(capture)["spans"]}["outer"], 3)

    def test_an_environment_that_asks_for_otlp_is_refused(self):
        self.refused("$OTEL_SDK_ENABLED", OTEL_SDK_ENABLED="true")
        self.refused("$ORIEL_BACKEND", ORIEL_BACKEND="otlp")
        self.refused("$ORIEL_BACKEND", ORIEL_BACKEND="local, otlp")
        self.refused("$OTEL_TRACES_EXPORTER", OTEL_TRACES_EXPORTER="otlp")
        self.refused("$OTEL_LOGS_EXPORTER", OTEL_LOGS_EXPORTER="console,otlp")
        self.refused("$OTEL_TRACES_EXPORTER", OTEL_TRACES_EXPORTER="otlp/stdout")
        self.refused("$ORIEL_TO", ORIEL_TO="chrome,otlp")
        self.refused("preset production", ORIEL_PRESET="production")
        self.refused("$ORIEL_TO", ORIEL_TO="callgrind", why="this build was made without callgrind")

    def test_a_file_that_asks_for_otlp_is_refused(self):
        for line, text in ((2, 'backend = "otlp"'), (2, 'backend = ["local", "otlp"]'),
                           (2, 'otlp_endpoint = "http://127.0.0.1:9"'),
                           (3, '[telemetry.otlp]\nendpoint = "http://127.0.0.1:9"'),
                           (3, '[telemetry.otlp]\nqueue_items = 5'),
                           (2, '[telemetry.otlp.second]\nendpoint = "http://127.0.0.1:9"'),
                           (3, '[telemetry.otlp_traces]\nendpoint = "http://127.0.0.1:9"'),
                           (2, 'outlets = "chrome,otlp"'), (2, 'detectors = ["host", "aws"]'),
                           (3, '[telemetry.vault]\nprovider = "environment"')):
            with self.subTest(text):
                self.write("oriel.toml", f"[telemetry]\n{text}\n")
                self.refused(f"oriel.toml:{line}: ")
                check = self.oriel("config", "check")
                self.assertEqual(check.returncode, 1)
                self.assertIn(MADE_WITHOUT, check.stderr)
        self.write("oriel.toml", "[telemetry.callgrind]\n")
        self.refused("oriel.toml:1: telemetry.callgrind", why="this build was made without callgrind")

    def test_a_declarative_file_with_an_exporter_of_otlp_is_refused(self):
        self.env["OTEL_CONFIG_FILE"] = "otel.yaml"
        for name in ("otlp_grpc", "otlp_http", "otlp", "otlp_file/development"):
            with self.subTest(name):
                self.write("otel.yaml", YAML.format(name + ": "))
                self.refused("otel.yaml:4: ")

    def test_what_asks_for_none_of_it_goes_on(self):
        """The console of the standard is no OTLP, and a switch without telemetry switches nothing."""
        self.write("otel.yaml", YAML.format("console: "))
        run = self.emit(OTEL_CONFIG_FILE="otel.yaml")
        self.assertEqual((run.stdout.count("outer"), run.stderr), (3, ""))
        run = self.emit(OTEL_SDK_ENABLED="true", OTEL_TRACES_EXPORTER="console", OTEL_LOGS_EXPORTER="none")
        self.assertEqual((run.stdout.count("outer"), run.stderr), (3, ""))
        run = self.emit(OTEL_SDK_ENABLED="true", TELEMETRY_ENABLED="false")
        self.assertEqual((run.stdout, run.stderr), ("emitted 3\n", ""))

    def test_variables_for_other_programs_are_told_and_do_no_harm(self):
        """An endpoint alone asks for nothing; headers are a secret whoever uses them."""
        run = self.emit(OTEL_LOG_LEVEL="warn", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
                        OTEL_EXPORTER_OTLP_HEADERS="x-key=plumtree-77")
        said = run.stderr.splitlines()
        self.assertEqual(len(said), 2, run.stderr)
        for line in said:
            self.assertRegex(line, r"oriel: warning: \$OTEL_EXPORTER_OTLP_(ENDPOINT|HEADERS): .*" + MADE_WITHOUT)
        self.assertNotIn("plumtree", run.stderr)
        self.assertEqual(len(self.files()), 1)


main()
