# SPDX-License-Identifier: MIT OR Apache-2.0
"""Secrets in every place where a text can stand come out of no output: not of a
recording, its reports, any outlet, what is said of configurations, or errors."""
import gzip
import http.server
import os
import re
import signal
import socket
import threading

from tool import ORIEL, Scenario, main

LEAKY = os.environ["LEAKY"]
MARK = b"C4N4RY"
ARGS = ("--password", "C4N4RY-arg1", "--api-key=C4N4RY-arg2", "https://u:C4N4RY-arg3@h/", "ghp_C4N4RY0123456789abcdef")


class Leak(Scenario):
    def clean(self, run, *statuses):
        """What a command said has no mark, and it ended as it should."""
        for stream in (run.stdout, run.stderr):
            text = stream if isinstance(stream, bytes) else stream.encode()
            at = text.find(MARK)
            self.assertEqual(at, -1, text[max(0, at - 150):at + 60])
        self.assertIn(run.returncode, statuses or (0,), run.stderr)
        return run

    def clean_files(self, folder, but=()):
        """Nor has any file below a folder; how many there are."""
        seen = 0
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.name in but:
                continue
            seen += 1
            self.assertNotIn("C4N4RY", path.name)
            text = path.read_bytes()
            if text.startswith(b"\x1f\x8b"):
                text = gzip.decompress(text)
            at = text.find(MARK)
            self.assertEqual(at, -1, (path.name, text[max(0, at - 150):at + 60]))
        return seen

    def record(self, name, *tail, status=0):
        # Not compressed, so that what is in the file can be seen.
        self.env["SERVICE_TOKEN"] = "C4N4RY-environment"
        run = self.oriel("record", "--compression", "none", "-o", name, *tail, env=self.env)
        self.clean(run, status)
        return self.dir / name

    def outlets(self):
        listed = self.oriel("generate", "config").stdout
        return re.findall(r"^## Outlet (\S+)$", listed, re.M)

    def look_everywhere(self, name):
        for words in (("report", name), ("report", "-t", name), ("report", "--json", name),
                      ("report", "--markdown", name), ("recover", "-o", "again.oriel", name)):
            run = self.oriel(*words)
            self.clean(run, 0, 1, 2)
        outlets = self.outlets()
        self.assertGreater(len(outlets), 8)
        written = 0
        plain = {"capture": ("--compression", "none")}
        for outlet in outlets:
            run = self.oriel("export", "--to", outlet, *plain.get(outlet, ()), "-o", f"out.{outlet}", name)
            self.assertNotEqual(run.returncode, 2, run.stderr)
            self.clean(run, 0, 1)
            written += run.returncode == 0
        self.assertGreaterEqual(written, 5)
        self.clean(self.oriel("flame", "-o", "flame.html", name), 0, 1)
        self.clean(self.oriel("diff", name, name), 0, 1)

    def test_nothing_leaves_a_recording(self):
        self.record("c.oriel", "--", LEAKY, *ARGS)
        self.look_everywhere("c.oriel")
        self.assertGreater(self.clean_files(self.dir), 5)
        # They were there: the places are told, without what stood in them.
        text = self.oriel("export", "--to", "log", "-o", "-", "c.oriel").stdout
        self.assertGreater(text.count("[redacted]"), 30)
        self.assertIn("GET /login?user=x&token=***", text)

    def test_nothing_leaves_a_crash(self):
        self.record("c.oriel", "--", LEAKY, *ARGS, "crash", status=-signal.SIGABRT)
        self.look_everywhere("c.oriel")
        self.clean_files(self.dir)

    def test_nothing_leaves_a_program_that_exports_itself(self):
        library = os.path.dirname(ORIEL)
        outlets = [o for o in self.outlets() if o in ("capture", "chrome", "perfetto", "log", "otlp")]
        env = {**self.env, "LD_LIBRARY_PATH": library, "TELEMETRY_ENABLED": "true", "ORIEL_TRACE_DIR": "t",
               "ORIEL_TO": ",".join(outlets), "SERVICE_TOKEN": "C4N4RY-environment",
               "OTEL_RESOURCE_ATTRIBUTES": "team=a,api.token=C4N4RY-r,db=postgres://u:C4N4RY@h"}
        (self.dir / "oriel.toml").write_text('[telemetry.capture]\ncompression = "none"\n')
        (self.dir / "oriel.toml").chmod(0o600)
        self.clean(self.run_raw(LEAKY, *ARGS, env=env, text=True))
        self.assertGreaterEqual(self.clean_files(self.dir / "t"), len(outlets))

    def receiver(self, port=0):
        seen = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # the name is http.server's
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port, seen

    def export_to(self, port, **more):
        """The program sends to a receiver, with headers of a vault and of the environment."""
        secret = self.dir / "vault"
        secret.write_text("ZEPH_OTEL_HEADERS=authorization=Bearer C4N4RY-vault,x-k=C4N4RY-w\n")
        secret.chmod(0o600)
        (self.dir / "oriel.toml").write_text('[telemetry.vault]\nprovider = "file"\nfile_path = "vault"\n'
                                             '[telemetry.otlp]\nspool_dir = "spool"\ncompression = "none"\n')
        (self.dir / "oriel.toml").chmod(0o600)
        env = {**self.env, "LD_LIBRARY_PATH": os.path.dirname(ORIEL), "TELEMETRY_ENABLED": "true",
               "ORIEL_BACKEND": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
               "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "ORIEL_EXIT_MS": "60000",
               "OTEL_EXPORTER_OTLP_HEADERS": "x-env=C4N4RY-env", "SERVICE_TOKEN": "C4N4RY-environment",
               "OTEL_RESOURCE_ATTRIBUTES": "team=a,api.token=C4N4RY-r,db=postgres://u:C4N4RY@h", **more}
        return self.clean(self.run_raw(LEAKY, *ARGS, "C4N4RY-vault", env=env, text=True))

    @staticmethod
    def told(seen):
        """Spans and events, which all say the file they are of."""
        return sum(body.count(b"leaky.c") for _, _, body in seen)

    def clean_bodies(self, seen):
        self.assertTrue({"/v1/traces", "/v1/logs"} <= {path for path, _, _ in seen}, seen)
        for _, headers, body in seen:
            headers = {k.lower(): v for k, v in headers.items()}
            self.assertEqual(headers["authorization"], "Bearer C4N4RY-vault")
            self.assertEqual((headers["x-k"], headers["x-env"]), ("C4N4RY-w", "C4N4RY-env"))
            at = body.find(MARK)
            self.assertEqual(at, -1, body[max(0, at - 150):at + 60])

    def test_a_receiver_gets_headers_and_no_secret(self):
        port, seen = self.receiver()
        self.export_to(port)
        self.clean_bodies(seen)
        self.assertLess(self.told(seen), 100)

    def test_nothing_leaves_into_a_spool(self):
        with socket.socket() as nobody:  # bound, and not listening: refused
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            self.export_to(port, ORIEL_EXIT_MS="1000")
        # No header is kept there, in plain; the messages are packed: the next run sends them.
        self.assertGreater(self.clean_files(self.dir / "spool"), 0)
        seen = self.receiver(port)[1]
        self.export_to(port)
        self.clean_bodies(seen)
        self.assertGreater(self.told(seen), 150)  # of two runs

    def test_nothing_leaves_what_is_said_of_configurations(self):
        path = self.dir / "oriel.toml"
        path.write_text('[telemetry]\notlp_endpoint = "https://u:C4N4RY@h:1"\n'
                        'resource_attributes = "a=b,password=C4N4RY"\n'
                        'service_name = "sk_live_C4N4RY0123456789"\n'
                        '[telemetry.vault]\nkv_address = "https://C4N4RY:C4N4RY@h"\nprovider = "kv"\n')
        path.chmod(0o600)
        for words in (("show",), ("show", "--all"), ("show", "--json"), ("check",)):
            self.clean(self.oriel("config", *words), 0, 1)
        self.clean(self.oriel("vault", "check"), 1)
        self.clean(self.oriel("doctor"), 0, 1)
        path.write_text('[telemetry]\notlp_headers = "authorization=C4N4RY"\n'
                        '[telemetry.otlp]\nheaders = { authorization = "C4N4RY" }\n')
        run = self.clean(self.oriel("config", "check"), 1)
        self.assertIn("never stand in a file", run.stderr)
        env = {**self.env, "LD_LIBRARY_PATH": os.path.dirname(ORIEL), "TELEMETRY_ENABLED": "true"}
        run = self.clean(self.run_raw(LEAKY, env=env, text=True))
        self.assertIn("telemetry does not start", run.stderr)

    def test_who_says_so_sees_what_only_looks_like_a_secret(self):
        self.env["ORIEL_REDACTION"] = "known"
        run = self.oriel("record", "-o", "c.oriel", "--", LEAKY)
        self.assertEqual(run.returncode, 0, run.stderr)
        text = self.oriel("export", "--to", "log", "-o", "-", "c.oriel").stdout
        self.assertIn("ghp_C4N4RY03", text)
        self.assertNotIn("C4N4RY-h", text)  # was marked
        del self.env["ORIEL_REDACTION"]
        self.clean(self.oriel("export", "--to", "log", "-o", "-", "c.oriel"))

    def test_nothing_leaves_errors(self):
        for words in (("export", "https://u:C4N4RY@h/x.oriel"), ("report", "token=C4N4RY"),
                      ("report", "--password=C4N4RY"), ("record", "--", "/no/ghp_C4N4RY0123456789abcdef"),
                      ("diff", "sk_live_C4N4RY0123456789", "x"), ("flame", "Bearer C4N4RY0123456789")):
            run = self.oriel(*words)
            self.clean(run, 1, 2, 127)

    def test_headers_of_a_vault_are_never_shown(self):
        secret = self.dir / "vault"
        secret.write_text('ZEPH_OTEL_HEADERS=authorization=Bearer C4N4RY-v,x-k=C4N4RY-w\n')
        secret.chmod(0o600)
        (self.dir / "oriel.toml").write_text('[telemetry.vault]\nprovider = "file"\nfile_path = "vault"\n')
        run = self.clean(self.oriel("vault", "check"))
        self.assertIn("authorization: ***", run.stdout)
        self.clean(self.oriel("vault", "check", "--json"))
        secret.write_text('ZEPH_OTEL_HEADERS=authorization Bearer C4N4RY-v\n')
        self.clean(self.oriel("vault", "check"), 1)
        secret.chmod(0o644)
        self.clean(self.oriel("vault", "check"), 1)


if __name__ == "__main__":
    main()
