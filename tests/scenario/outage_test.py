# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program whose receiver is away or behaves badly: it notices nothing, its memory
stays bounded, no secret is sent to anybody else, and every item is on disk or said to be
lost. What is on disk goes out with the next run, or by oriel export --spool."""
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

from bad_server import (BadServer, always, answer, deaf, drip, endless_headers, garbage, goaway,
                        reset, silent, ten_gigabytes)
from receiving import LIBRARY, Receiver, items, missing
from tool import EMITTER, TIMEOUT, Scenario, Standstill, main

CANARY = "canary-5b1c9e"
SPANS = 2000
ITEMS = 2 * SPANS  # a span and an event each; what Oriel says of itself comes on top
PATIENT = "60000"  # where the time of an exit is not what is looked at
MEMORY_KIB = 96 << 10  # a ring of 16 MiB, a queue of 16 MiB, and what a program needs


class Outage(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                        OTEL_LOG_LEVEL="warn")
        self.spool = self.dir / "spool"
        self.keep_on_disk()

    def serve(self, mood):
        server = BadServer(mood)
        self.addCleanup(server.stop)
        return server

    def keep_on_disk(self, *lines):
        text = "\n".join(("[telemetry.otlp]", f'spool_dir = "{self.spool}"', *lines, ""))
        (self.dir / "oriel.toml").write_text(text, encoding="utf-8")

    def emit(self, url, protocol="http/protobuf", spans=SPANS, **variables):
        """(lines on stderr, peak of its memory in KiB) of a program that notices nothing."""
        env = {**self.env, "OTEL_EXPORTER_OTLP_ENDPOINT": url,
               "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
               "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARY}", **variables}
        with open(self.dir / "out", "w+b") as out, open(self.dir / "err", "w+b") as err:
            child = self.start(EMITTER, "spans", spans, env=env, stdout=out, stderr=err)
            killer = threading.Timer(TIMEOUT, child.kill)
            killer.start()
            _, status, usage = os.wait4(child.pid, 0)
            killer.cancel()
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            self.assertEqual((child.returncode, out.read()), (0, b"emitted %d\n" % spans))
            said = err.read().decode()
        self.assertNotIn(CANARY, said)
        return said.splitlines(), usage.ru_maxrss

    def listed(self):
        run = self.oriel("doctor", "--spool", self.spool, "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)["spools"]

    def on_disk(self):
        spools = self.listed()
        self.assertEqual([s["damaged"] for s in spools], [0] * len(spools))
        return sum(s["items"] for s in spools)

    def lost(self, lines):
        return sum(int(n) for line in lines
                   for n in re.findall(r"(\d+) items (?:before the end, they are lost|refused)",
                                       line))

    def check_disk_has_all(self, url, protocol="http/protobuf"):
        """Every item on disk, a line when it went away and one at the end."""
        def run():
            self.spool = pathlib.Path(tempfile.mkdtemp(prefix="spool-", dir=self.dir))
            self.keep_on_disk()
            return self.emit(url, protocol)
        said, peak = Standstill.without(run)
        self.assertEqual(self.lost(said), 0)
        self.assertIn(self.on_disk() - ITEMS, range(0, 5), said)
        self.assertLessEqual(len(said), 3, said)
        self.assertLess(peak, MEMORY_KIB)
        for folder, _, names in os.walk(self.spool):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(CANARY.encode(), file.read())


class Away(Outage):
    def test_nobody_listens(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            for protocol in ("http/protobuf", "grpc"):
                with self.subTest(protocol):
                    self.check_disk_has_all(f"http://127.0.0.1:{port}", protocol)

    def test_bad_manners(self):
        moods = {"silent": silent, "deaf": deaf, "drip": drip, "reset": reset, "garbage": garbage,
                 "10 GiB": ten_gigabytes,
                 "503": always(answer("503 Later")),
                 "429": always(answer("429 Slow", "retry-after: 3600"))}
        for name, mood in moods.items():
            with self.subTest(name):
                server = self.serve(mood)
                self.check_disk_has_all(f"http://127.0.0.1:{server.port}")
                self.assertGreater(server.connections, 0)
                server.stop()

    def test_endless_headers_are_read_to_their_limit(self):
        server = self.serve(endless_headers)
        said, peak = self.emit(f"http://127.0.0.1:{server.port}")
        self.assertTrue(said)
        self.assertLess(peak, MEMORY_KIB)

    def test_bad_manners_before_grpc(self):
        for name, mood in {"silent": silent, "deaf": deaf, "reset": reset, "garbage": garbage,
                           "goaway": goaway, "http1": always(answer("200 OK"))}.items():
            with self.subTest(name):
                server = self.serve(mood)
                self.check_disk_has_all(f"http://127.0.0.1:{server.port}", "grpc")
                server.stop()

    def test_nothing_is_sent_where_a_redirect_points(self):
        other = self.serve(always(answer("200 OK")))
        for status in ("301 Moved", "302 Found", "307 There", "308 There"):
            with self.subTest(status):
                server = self.serve(always(answer(
                    status, f"location: http://127.0.0.1:{other.port}/v1/traces")))
                said, peak = self.emit(f"http://127.0.0.1:{server.port}")
                self.assertIn(CANARY.encode(), server.heard)
                self.assertEqual((other.connections, other.heard), (0, b""))
                self.assertTrue(said)
                self.assertLess(peak, MEMORY_KIB)
                server.stop()

    def test_what_is_refused_is_said_and_not_kept(self):
        for status in ("400 Bad", "413 Large", "401 Who"):
            with self.subTest(status):
                server = self.serve(always(answer(status)))
                said, _ = self.emit(f"http://127.0.0.1:{server.port}", ORIEL_EXIT_MS=PATIENT)
                self.assertEqual(self.on_disk(), 0)
                self.assertTrue(any(status[:3] in line for line in said), said)
                self.assertLessEqual(len(said), 6, said)
                server.stop()

    def test_tls_that_is_none_is_no_reason_to_do_without(self):
        server = self.serve(garbage)
        self.check_disk_has_all(f"https://127.0.0.1:{server.port}")
        self.assertEqual(server.heard, b"")

    def test_a_secret_does_not_go_far_without_tls(self):
        said, _ = self.emit("http://192.0.2.1:4318")
        self.assertEqual(len(said), 1, said)
        self.assertFalse(self.spool.exists() and self.listed())

    def test_a_budget_of_nothing_waits_for_nobody(self):
        server = self.serve(silent)
        self.emit(f"http://127.0.0.1:{server.port}", ORIEL_EXIT_MS="1")

    def test_names_of_services_are_no_paths(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.emit(f"http://127.0.0.1:{nobody.getsockname()[1]}",
                      OTEL_SERVICE_NAME="../../../escaped\n/x", ORIEL_BACKEND="local,otlp")
        found = [str(p.relative_to(self.dir)) for p in self.dir.rglob("*")]
        self.assertFalse([p for p in found if "escaped" in p], found)
        self.assertFalse((self.dir.parent / "escaped").exists())


class Back(Outage):
    """With a receiver that is not ours."""

    def setUp(self):
        super().setUp()
        if missing():
            self.skipTest(missing())

    def spans_of(self, requests):
        return sorted(int(next(a["value"]["intValue"] for a in s["attributes"] if a["key"] == "i"))
                      for _, _, s in items(requests, "traces"))

    def leave(self, spans):
        """A program whose receiver is away: its port is free again afterwards."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            said, _ = self.emit(f"http://127.0.0.1:{port}", "grpc", spans=spans, ORIEL_EXIT_MS=PATIENT)
        self.assertEqual(self.lost(said), 0, said)
        return port

    def test_the_next_run_sends_what_one_left(self):
        port = self.leave(700)
        receiver = Receiver(self, f"grpc={port}")
        program = self.start(EMITTER, "steps", 1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={**self.env, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(),
                                  "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                                  "OTEL_BLRP_SCHEDULE_DELAY": "10", "ORIEL_EXIT_MS": PATIENT})
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.until("the disk is empty", lambda: not self.listed())
        program.stdin.close()
        self.assertEqual(program.wait(), 0)
        self.assertEqual(self.spans_of(receiver.all()), list(range(700)))

    def test_a_command_sends_what_programs_left(self):
        self.leave(300)
        self.leave(50)
        told = self.oriel("doctor", "--spool", self.spool)
        self.assertRegex(told.stdout, r"http://127\.0\.0\.1:\d+\n  \d+ items in .*, oldest .* ago\n")
        receiver = Receiver(self)
        run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), "--spool",
                         self.spool)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.spans_of(receiver.all()), sorted([*range(300), *range(50)]))
        self.assertEqual(self.listed(), [])
        again = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), "--spool",
                           self.spool)
        self.assertEqual((again.returncode, again.stderr),
                         (0, f"oriel: {self.spool}: nothing is left there\n"))

    def test_json_is_not_sent_as_protobuf(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.emit(f"http://127.0.0.1:{nobody.getsockname()[1]}", "http/json", spans=5,
                      ORIEL_EXIT_MS=PATIENT)
        receiver = Receiver(self)
        words = ("export", "--to", "otlp", "--endpoint", receiver.url("http"), "--spool", self.spool)
        wrong = self.oriel(*words, "--protocol", "http/protobuf")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("application/json", self.one_line(wrong.stderr))
        right = self.oriel(*words, "--protocol", "http/json")
        self.assertEqual(right.returncode, 0, right.stderr)
        self.assertEqual(self.spans_of(receiver.all()), list(range(5)))

    def test_a_killed_program_loses_nothing_that_was_on_disk(self):
        server = self.serve(reset)
        env = {**self.env, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.port}",
               "OTEL_BLRP_SCHEDULE_DELAY": "10"}
        program = self.start(EMITTER, "steps", 100, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=env)
        for _ in range(5):
            program.stdin.write(b"\n")
            program.stdin.flush()
        self.until("all of it is on disk",
                   lambda: self.spool.exists() and self.on_disk() >= 500)
        program.kill()
        program.wait()
        receiver = Receiver(self)
        run = self.oriel("export", "--to", "otlp", "--endpoint", receiver.url(), "--spool",
                         self.spool)
        self.assertEqual(run.returncode, 0, run.stderr)
        said = sorted(int(a["value"]["intValue"]) for _, _, r in items(receiver.all(), "logs")
                      for a in r.get("attributes", []) if a["key"] == "i")
        self.assertEqual(said, list(range(500)))

    def test_usage(self):
        for words in (("--to", "log", "--spool", "x"), ("--to", "otlp", "--spool", "x"),
                      ("--to", "otlp", "--endpoint", "http://127.0.0.1:1", "--spool", "x", "file")):
            run = self.oriel("export", *words)
            self.assertEqual(run.returncode, 2, (words, run.stderr))
            self.one_line(run.stderr)
        run = self.oriel("doctor", "--spool", self.dir / "none")
        self.assertEqual(run.returncode, 1)
        self.one_line(run.stderr)


main()
