# SPDX-License-Identifier: MIT OR Apache-2.0
"""Spans and logs at a receiver of OTLP that is not ours (tests/otlp/receiver.mjs), sent by a
program itself, by oriel record and by oriel export; and what a program does without any."""
import json
import pathlib
import socket
import subprocess
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import EMITTER, TIMEOUT, Scenario, main


def attributes(owner):
    return {a["key"]: next(iter(a["value"].values()), None) for a in owner.get("attributes", [])}


@unittest.skipIf(missing(), missing())
class Otlp(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env["LD_LIBRARY_PATH"] = LIBRARY

    def emit(self, *words, status=0, **variables):
        run = self.run_raw(EMITTER, *words, text=True, env={**self.env, **variables})
        self.assertEqual((run.returncode, run.stderr), (status, ""))
        return run

    def check_story(self, requests, count, service=None):
        """`emitter spans N`: N spans with one event each."""
        spans, logs = list(items(requests, "traces")), list(items(requests, "logs"))
        outer = [s for _, _, s in spans if s["name"] == "outer"]
        self.assertEqual(len(outer), count)
        self.assertEqual(sorted(int(attributes(s)["i"]) for s in outer), list(range(count)))
        said = [r for _, _, r in logs if r.get("body", {}).get("stringValue") == "inside"]
        self.assertEqual(len(said), count)
        self.assertEqual({r["spanId"] for r in said}, {s["spanId"] for s in outer})
        self.assertEqual({r["traceId"] for r in said}, {s["traceId"] for s in outer})
        for span in outer:
            self.assertEqual([e["name"] for e in span["events"]], ["inside"])
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        resource = attributes(spans[0][0])
        self.assertEqual(resource["telemetry.sdk.name"], "oriel")
        if service:
            self.assertEqual(resource["service.name"], service)
        self.assertEqual({json.dumps(r, sort_keys=True) for r, _, _ in spans},
                         {json.dumps(r, sort_keys=True) for r, _, _ in logs
                          if r == spans[0][0]})

    def test_two_variables_send_a_program_to_the_usual_port(self):
        receiver = Receiver(self, "grpc=4317")
        self.emit("spans", 700, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true",
                  OTEL_SERVICE_NAME="shop", ORIEL_EXIT_MS="60000")  # for a machine that is slow
        self.check_story(receiver.all(), 700, "shop")

    def test_what_a_program_says_of_its_targets_is_their_scope_and_of_its_spans_their_name(self):
        program = pathlib.Path(EMITTER).resolve().parents[1] / "otel" / "annotating"
        receiver = Receiver(self)
        self.run_raw(program, text=True, env={
            **self.env, "TELEMETRY_ENABLED": "true", "ORIEL_BACKEND": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url("grpc")})
        requests = receiver.all()
        for signal in ("traces", "logs"):
            with self.subTest(signal):
                (own,) = {json.dumps(s) for _, s, _ in items(requests, signal)
                          if s["name"] == "annotating"}
                self.assertEqual(json.loads(own)["version"], "1.4.2")
                self.assertEqual(attributes(json.loads(own)), {"shard": "7", "team": "storage"})
        self.assertLess({"GET /users/{id}", "consume orders"},
                        {s["name"] for _, _, s in items(requests, "traces")})
        schemas = {of_scope["schemaUrl"] for r in requests
                   for of_resource in r["message"].get("resourceSpans", [])
                   for of_scope in of_resource["scopeSpans"]
                   if of_scope["scope"]["name"] == "annotating"}
        self.assertEqual(schemas, {"https://opentelemetry.io/schemas/1.30.0"})

    def test_a_backend_and_an_endpoint_do_without_files(self):
        for over in ("grpc", "http"):
            with self.subTest(over):
                receiver = Receiver(self)
                self.emit("spans", 30, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                          OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url(over),
                          OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if over == "grpc" else "http/protobuf")
                got = receiver.all()
                self.check_story(got, 30)
                self.assertEqual({r["over"] for r in got}, {over})
                self.assertEqual(list(self.dir.iterdir()), [])

    def test_both_tiers_at_once(self):
        receiver = Receiver(self)
        self.emit("spans", 5, TELEMETRY_ENABLED="true", ORIEL_BACKEND="local,otlp",
                  ORIEL_TO="capture", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url())
        self.check_story(receiver.all(), 5)
        capture, = self.dir.glob(".local/traces/*.oriel")
        self.assertEqual(self.report(capture)["counts"]["spans"], 5)

    def test_json_and_compression_and_headers_go_over_http(self):
        receiver = Receiver(self)
        self.emit("spans", 3, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                  OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url("http"),
                  OTEL_EXPORTER_OTLP_PROTOCOL="http/json",
                  OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
                  OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b")
        got = receiver.all()
        self.check_story(got, 3)
        for request in got:
            self.assertEqual(request["headers"]["x-tenant"], "a b")
            self.assertEqual(request["headers"]["content-encoding"], "gzip")
            self.assertEqual(request["headers"]["content-type"], "application/json")

    def test_a_vault_has_the_headers_of_programs_and_commands(self):
        vault = self.dir / "vault"
        vault.write_text("ZEPH_OTEL_HEADERS=authorization=Bearer%20canary-7f3a\n")
        vault.chmod(0o600)
        self.env.update(ORIEL_VAULT="file", ORIEL_VAULT_FILE=str(vault))
        receiver = Receiver(self)
        self.emit("spans", 3, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                  OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url())
        run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), self.capture())
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("canary", run.stderr)
        for request in receiver.all():
            self.assertEqual(request["headers"]["authorization"], "Bearer canary-7f3a")

    def test_a_key_that_the_vault_has_not_stops_what_is_sent_and_no_program(self):
        vault = self.dir / "vault"
        vault.write_text("OTHER=a=b\n")
        vault.chmod(0o600)
        self.env.update(ORIEL_VAULT="file", ORIEL_VAULT_FILE=str(vault), TELEMETRY_ENABLED="true",
                        ORIEL_BACKEND="otlp")
        run = self.run_raw(EMITTER, "spans", 3, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, "emitted 3\n"))
        self.assertIn("nothing is sent", run.stderr)
        self.assertIn("ZEPH_OTEL_HEADERS", run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1)
        receiver = Receiver(self)
        self.env.update(ORIEL_OTLP_HEADERS_REQUIRED="false", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url())
        run = self.run_raw(EMITTER, "spans", 3, text=True)
        self.assertRegex(run.stderr, r"\Aoriel: warning: [^\n]*: sending without authorization\n\Z")
        self.check_story(receiver.all(), 3)
        again = Receiver(self)
        self.emit("spans", 3, OTEL_EXPORTER_OTLP_ENDPOINT=again.url(), OTEL_LOG_LEVEL="error")
        self.check_story(again.all(), 3)

    def test_signals_that_nobody_wants_stay(self):
        receiver = Receiver(self)
        self.emit("spans", 3, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                  OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url(), OTEL_LOGS_EXPORTER="none")
        self.assertEqual({r["signal"] for r in receiver.all()}, {"traces"})

    def print_to(self, **variables):
        """What a program of three spans prints besides its own line."""
        run = self.emit("spans", 3, TELEMETRY_ENABLED="true", **variables)
        lines = run.stdout.splitlines()
        lines.remove("emitted 3")
        return lines

    def test_the_console_is_for_whoever_names_it(self):
        spans = self.print_to(OTEL_SDK_ENABLED="true", ORIEL_BACKEND="otlp",
                              OTEL_TRACES_EXPORTER="console", OTEL_LOGS_EXPORTER="none")
        self.assertEqual([("outer" in l, "trace_id=" in l) for l in spans], [(True, True)] * 3)
        events = self.print_to(ORIEL_BACKEND="otlp", OTEL_TRACES_EXPORTER="none",
                               OTEL_LOGS_EXPORTER="console", ORIEL_FILTER="oriel=off,info")
        self.assertEqual(len([l for l in events if "inside" in l]), 3)
        self.assertFalse([l for l in events if "outer" in l])
        self.assertEqual(list(self.dir.iterdir()), [])
        for variables in ({"OTEL_SDK_ENABLED": "false"}, {"OTEL_SDK_DISABLED": "true"}):
            self.assertEqual(self.print_to(OTEL_TRACES_EXPORTER="console", **variables), [])
        self.emit("spans", 3, OTEL_TRACES_EXPORTER="console")  # nothing is switched on

    def test_lists_send_and_print(self):
        receiver = Receiver(self)
        lines = self.print_to(ORIEL_BACKEND="otlp", OTEL_TRACES_EXPORTER="otlp,console",
                              OTEL_LOGS_EXPORTER="otlp/stdout, otlp",
                              OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url())
        self.check_story(receiver.all(), 3)
        requests = [json.loads(l) for l in lines if l.startswith("{")]
        self.assertEqual(len([l for l in lines if "outer" in l and not l.startswith("{")]), 3)
        self.assertEqual({tuple(r) for r in requests}, {("resourceLogs",)})
        logs = [l for r in requests for o in r["resourceLogs"] for s in o["scopeLogs"]
                for l in s["logRecords"]]
        self.assertEqual(len([l for l in logs if l["body"].get("stringValue") == "inside"]), 3)

    def test_without_standard_output_the_console_is_refused_in_one_line(self):
        run = self.run_raw("sh", "-c", 'exec "$0" spans 3 >&-', EMITTER, text=True,
                           env={**self.env, "TELEMETRY_ENABLED": "true", "ORIEL_BACKEND": "otlp",
                                "OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "none"})
        self.assertEqual(run.stderr, "oriel: telemetry does not start: there is no standard output "
                         "to write telemetry to\n")

    def test_signals_may_have_receivers_of_their_own(self):
        traces, logs = Receiver(self), Receiver(self)
        self.emit("spans", 3, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces.url(),
                  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=logs.url("http") + "/v1/logs",
                  OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="http/protobuf")
        self.assertEqual({(r["signal"], r["over"]) for r in traces.all()}, {("traces", "grpc")})
        self.assertEqual({(r["signal"], r["over"]) for r in logs.all()}, {("logs", "http")})

    def test_several_receivers_get_the_same_and_one_of_them_the_headers(self):
        first, second = Receiver(self), Receiver(self)
        (self.dir / "oriel.toml").write_text(
            f"[telemetry]\nbackend = 'otlp'\notlp_endpoint = '{first.url()}'\n"
            f"[telemetry.otlp]\nalso = ['{second.url('grpc')}']\n")
        (self.dir / "oriel.toml").chmod(0o600)
        self.emit("spans", 9, TELEMETRY_ENABLED="true", OTEL_EXPORTER_OTLP_HEADERS="x-who=me")
        for receiver, who in ((first, "me"), (second, None)):
            got = receiver.all()
            self.check_story(got, 9)
            self.assertEqual({r["headers"].get("x-who") for r in got}, {who})

    def test_a_receiver_that_is_dead_costs_the_other_nothing(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            receiver = Receiver(self)
            self.emit("spans", 9, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp", ORIEL_EXIT_MS="3000",
                      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.url(),
                      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="http://127.0.0.1:%d" % nobody.getsockname()[1])
            spans = list(items(receiver.all(), "traces"))
            self.assertEqual(len(spans), 9)

    def test_receivers_with_sections_of_their_own(self):
        first, second = Receiver(self), Receiver(self)
        vault = self.dir / "vault"
        vault.write_text("SECOND=x-tenant=two\n")
        vault.chmod(0o600)
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            dead = "http://127.0.0.1:%d" % door.getsockname()[1]  # nobody listens
            (self.dir / "oriel.toml").write_text(
                "[telemetry]\nbackend = 'otlp'\nexit_ms = 5000\n"
                "[telemetry.vault]\nprovider = 'file'\nfile_path = 'vault'\n"
                "[telemetry.otlp]\ncompression = 'gzip'\n"
                f"[telemetry.otlp.near]\nendpoint = '{first.url()}'\nsignals = 'traces'\n"
                f"[telemetry.otlp.dead]\nendpoint = '{dead}'\nqueue_items = 4\n"
                f"[telemetry.otlp.far]\nendpoint = '{second.url('http')}'\n"
                "protocol = 'http/json'\nheaders_vault_key = 'SECOND'\ncompression = 'none'\n")
            self.emit("spans", 9, TELEMETRY_ENABLED="true")
        near, far = first.all(), second.all()
        self.assertEqual({(r["signal"], r["over"]) for r in near}, {("traces", "grpc")})
        self.assertEqual(len(list(items(near, "traces"))), 9)
        self.check_story(far, 9)
        self.assertEqual({(r["headers"]["content-type"], r["headers"].get("content-encoding"),
                           r["headers"]["x-tenant"]) for r in far},
                         {("application/json", None, "two")})
        self.assertEqual({"x-tenant" in r["headers"] for r in near}, {False})

    def test_limits_and_batches_of_the_standard_hold(self):
        receiver = Receiver(self)
        self.emit("spans", 25, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                  OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url(), OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
                  OTEL_SPAN_EVENT_COUNT_LIMIT="0")
        got = [r for r in receiver.all() if r["signal"] == "traces"]
        sizes = [len(list(items([r], "traces"))) for r in got]
        self.assertLessEqual(max(sizes), 10)
        self.assertEqual(sum(sizes), 25)
        self.assertEqual([s["droppedEventsCount"] for _, _, s in items(got, "traces")], [1] * 25)

    def test_what_waits_is_sent_while_the_program_runs(self):
        receiver = Receiver(self)
        program = self.start(EMITTER, "steps", 3, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={**self.env, "TELEMETRY_ENABLED": "true", "ORIEL_BACKEND": "otlp",
                                  "OTEL_BLRP_SCHEDULE_DELAY": "10",
                                  "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url()})
        program.stdin.write(b"\n")
        program.stdin.flush()
        said = 0
        while said < 3:
            said += sum("said" in json.dumps(r) for _, _, r in items([receiver.next()], "logs"))
        self.assertEqual(said, 3)

    def test_a_dead_receiver_costs_the_program_nothing_but_its_exit_budget(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            run = self.emit("spans", 50, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                            ORIEL_EXIT_MS="200", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        self.assertEqual(run.stdout, "emitted 50\n")

    def test_switches_of_the_standard_keep_everything_in(self):
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            door.listen()
            door.setblocking(False)
            url = "http://127.0.0.1:%d" % door.getsockname()[1]
            for variables in ({}, {"OTEL_SDK_ENABLED": "true"},
                              {"TELEMETRY_ENABLED": "true", "OTEL_SDK_ENABLED": "true",
                               "OTEL_SDK_DISABLED": "true"},
                              {"TELEMETRY_ENABLED": "true", "OTEL_SDK_ENABLED": "false",
                               "ORIEL_BACKEND": "otlp"}):
                self.emit("spans", 3, OTEL_EXPORTER_OTLP_ENDPOINT=url, **variables)
                with self.assertRaises(BlockingIOError):
                    door.accept()

    def test_without_telemetry_there_is_no_thread_file_socket_or_line(self):
        def look(**variables):
            program = self.start(EMITTER, "steps", 3, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**self.env, **variables})
            program.stdin.write(b"\n")
            program.stdin.flush()
            self.assertEqual(program.stdout.readline(), b"step\n")
            proc = pathlib.Path("/proc") / str(program.pid)
            seen = {"threads": len(list((proc / "task").iterdir())),
                    "descriptors": sorted(int(f.name) for f in (proc / "fd").iterdir()),
                    "libraries": "liboriel.so" in (proc / "maps").read_text(),
                    "files": sorted(str(p) for d in (self.dir, self.runtime)
                                    for p in d.rglob("*"))}
            _, err = program.communicate()
            seen["stderr"] = err
            return seen

        none = {"threads": 1, "descriptors": [0, 1, 2], "libraries": False, "files": [],
                "stderr": b""}
        self.assertEqual(look(), none)
        self.assertEqual(look(OTEL_SDK_ENABLED="true",
                              OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"), none)
        on = look(TELEMETRY_ENABLED="true", ORIEL_BACKEND="local")  # the test can see it
        self.assertGreater(on["threads"], 1)
        self.assertTrue(on["libraries"] and on["files"])
        self.assertEqual(on["stderr"], b"")

    def test_tracy_stands_by_itself_and_is_a_clear_error_as_long_as_there_is_none(self):
        for variables in ({"TRACY_ENABLED": "true"},
                          {"TRACY_ENABLED": "1", "TELEMETRY_ENABLED": "false"},
                          {"TRACY_ENABLED": "true", "TELEMETRY_ENABLED": "true"}):
            run = self.run_raw(EMITTER, "spans", 3, text=True, env={**self.env, **variables})
            self.assertEqual((run.returncode, run.stdout), (0, "emitted 3\n"))
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
            self.assertIn("$TRACY_ENABLED", run.stderr)
        self.emit("spans", 3, TRACY_ENABLED="false")

    # ---- commands ----

    def record(self, *words):
        return self.oriel("record", "--rate", 0, *words)

    def capture(self, count=20):
        self.assertEqual(self.record("-o", "c.oriel", "--", EMITTER, "spans", count).returncode, 0)
        return "c.oriel"

    def test_a_recording_is_sent_afterwards(self):
        for protocol, over in (("grpc", "grpc"), ("http/protobuf", "http"), ("http/json", "http")):
            with self.subTest(protocol):
                receiver = Receiver(self)
                run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(over),
                                 "--protocol", protocol, self.capture())
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn("20 spans and", run.stderr)
                self.check_story(receiver.all(), 20)

    def test_a_recording_larger_than_the_queue_is_sent_whole(self):
        receiver = Receiver(self)
        run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), "--batch", 100,
                         "--queue-bytes", "64KiB", self.capture(5000))
        self.assertEqual(run.returncode, 0, run.stderr)
        sizes = [sum(1 for _ in items([request], "traces")) for request in receiver.all()]
        self.assertEqual((sum(sizes), max(sizes)), (5000, 100))

    def test_a_recording_that_is_not_taken_fails_and_says_why(self):
        receiver = Receiver(self, "reject=1")
        run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), self.capture())
        self.assertEqual(run.returncode, 1)
        self.assertIn("19 spans and", run.stderr)
        self.assertIn("refused by the receiver", run.stderr)
        receiver.all()

    def test_a_receiver_that_is_busy_is_asked_again(self):
        for over in ("grpc", "http"):
            with self.subTest(over):
                receiver = Receiver(self, "fail=2:503")
                run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(over),
                                 "--protocol", "grpc" if over == "grpc" else "http/protobuf",
                                 "--retry-first", "10ms", self.capture())
                self.assertEqual(run.returncode, 0, run.stderr)
                self.check_story(receiver.all(), 20)

    def test_a_program_is_sent_while_it_is_recorded(self):
        receiver = Receiver(self)
        run = self.record("--to", "otlp", "--endpoint", receiver.url(), "--", EMITTER, "spans", 40)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("40 spans and", run.stderr)
        self.check_story(receiver.all(), 40)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_the_environment_names_a_receiver_to_commands_unless_a_file_is_named(self):
        receiver = Receiver(self)
        capture = self.capture()
        self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url()
        self.assertEqual(self.oriel("export", "--to", "otlp", "-o", "f.jsonl", capture).returncode, 0)
        self.assertTrue((self.dir / "f.jsonl").stat().st_size)
        run = self.oriel("export", "--to", "otlp", capture)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.check_story(receiver.all(), 20)

    def test_what_cannot_be_is_one_line(self):
        capture = self.capture()
        for words, says in ((("-o", "x", "--endpoint", "http://h:1"), "choose one"),
                            (("--endpoint", "ftp://h"), "URL"),
                            (("--endpoint", "http://u:secret@h:1"), "")):
            run = self.oriel("export", "--to", "otlp", *words, capture)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1)
            self.assertIn(says, run.stderr)
            self.assertNotIn("secret", run.stderr)


main()
