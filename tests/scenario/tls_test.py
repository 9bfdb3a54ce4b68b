# SPDX-License-Identifier: MIT OR Apache-2.0
"""Receivers whose TLS is not what it should be (expired, of another host, signed by nobody we
know, of an old version, none where there should be some and the reverse, without h2), and one
that is good: nothing is delivered to them, one line says why, what was given is on disk or said
to be lost, and the program notices nothing. The same of oriel export."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import warnings

from receiving import LIBRARY
from tool import EMITTER, Scenario, Standstill, main

CANARY = "canary-7d02f1"
SPANS = 300
ITEMS = 2 * SPANS  # a span and an event each; what Oriel says of itself comes on top
CERTIFICATES = """set -e
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2 \
    -addext basicConstraints=critical,CA:TRUE
openssl req -x509 $ec -keyout unknown.key -out unknown.pem -subj /CN=localhost -days 2 \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1
issue() {
    openssl req $ec -keyout $1.key -out $1.csr -subj /CN=$1
    echo "$3" >$1.ext
    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem \
        -days $2 -extfile $1.ext
}
issue good 2 subjectAltName=DNS:localhost,IP:127.0.0.1
issue other 2 subjectAltName=DNS:other.example
issue expired -1 subjectAltName=DNS:localhost,IP:127.0.0.1
"""


class Server:
    """Takes every request of HTTP/1.1, over TLS if there is a context; `heard` is what came
    through, and nothing before a handshake is whole."""

    def __init__(self, context, answer=b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context, self.heard, self.connections, self.raw = context, b"", 0, b""
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        try:
            with connection:
                if not self.context:
                    self.until_end(connection, "raw")
                    return
                with self.context.wrap_socket(connection, server_side=True) as inside:
                    self.until_end(inside, "heard")
        except OSError:  # the handshake's errors are some
            pass

    def until_end(self, connection, where):
        got = b""
        while more := connection.recv(65536):
            setattr(self, where, getattr(self, where) + more)
            if where == "raw":
                if b"\r\n\r\n" in more or more[:1] == b"\x16":  # a request, or a hello
                    connection.sendall(self.answer)
                continue
            got += more
            head, end, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.I)
            if end and length and len(body) >= int(length[1]):
                got = body[int(length[1]):]
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


class Tls(Scenario):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("the openssl command is not installed")
        cls.certificates = tempfile.mkdtemp(prefix="oriel-certificates-")
        cls.addClassCleanup(shutil.rmtree, cls.certificates)
        subprocess.run(["sh", "-c", CERTIFICATES], cwd=cls.certificates, check=True,
                       capture_output=True)

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_", "SSL_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, OTEL_LOG_LEVEL="warn")
        self.ca = os.path.join(self.certificates, "ca.pem")

    def alerting(self):
        """As one of TLS answers what is no handshake, and stays: a fatal alert."""
        server = Server(None, b"\x15\x03\x01\x00\x02\x02\x0a")
        self.addCleanup(server.stop)
        return server

    def serve(self, name, alpn=("h2", "http/1.1"), old=False):
        context = None
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            pair = [os.path.join(self.certificates, f"{name}.{end}") for end in ("pem", "key")]
            context.load_cert_chain(*pair)
            if alpn:
                context.set_alpn_protocols(alpn)
            if old:
                context.set_ciphers("ALL:@SECLEVEL=0")
                with warnings.catch_warnings():  # that it is old is the point
                    warnings.simplefilter("ignore")
                    context.minimum_version = ssl.TLSVersion.TLSv1
                    context.maximum_version = ssl.TLSVersion.TLSv1_1
        server = Server(context)
        self.addCleanup(server.stop)
        return server

    def cases(self):
        """Name, server, scheme, protocols, what the line says."""
        both = ("grpc", "http/protobuf")
        old = "unsupported protocol|protocol version|version"
        return [("expired", self.serve("expired"), "https", both, "certificate has expired"),
                ("another host", self.serve("other"), "https", both, "hostname mismatch"),
                ("unknown", self.serve("unknown"), "https", both, "self-signed certificate"),
                ("TLS 1.1", self.serve("good", old=True), "https", both, old),
                ("none", self.serve(None), "https", both,
                 "does not speak TLS on this port: use http://"),
                ("too much", self.serve("good"), "http", both,
                 "speaks TLS on this port: use https://|may want TLS: https://"),
                ("an alert", self.alerting(), "http", both,
                 "speaks TLS on this port: use https://, not http://"),
                ("no h2", self.serve("good", alpn=None), "https", ("grpc",), "HTTP/2")]

    def emit(self, url, protocol, **variables):
        env = {**self.env, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "TELEMETRY_ENABLED": "true",
               "ORIEL_BACKEND": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
               "OTEL_EXPORTER_OTLP_CERTIFICATE": self.ca,
               "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARY}", **variables}
        run = self.run_raw(EMITTER, "spans", SPANS, env=env, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, f"emitted {SPANS}\n"))
        self.assertNotIn(CANARY, run.stderr)
        return run.stderr.splitlines()

    def lost(self, lines):
        return sum(int(n) for line in lines
                   for n in re.findall(r"(\d+) items before the end, they are lost", line))

    def test_a_program_sends_nothing_to_one_it_cannot_trust(self):
        for name, server, scheme, protocols, why in self.cases():
            for protocol in protocols:
                with self.subTest(f"{name}, {protocol}"):
                    said = Standstill.without(
                        lambda: self.emit(f"{scheme}://localhost:{server.port}", protocol))
                    away = [line for line in said if "does not take what is sent" in line]
                    # One that speaks TLS where none is expected just hangs up: not at once for good.
                    self.assertIn(len(away), (1,) if scheme == "https" else (0, 1), said)
                    self.assertRegex((away or said)[0], why)
                    self.assertIn(self.lost(said) - ITEMS, range(0, 5), said)
                    self.assertLessEqual(len(said), 3, said)
                    self.assertGreater(server.connections, 0)
                    self.assertEqual(server.heard, b"")
                    if scheme == "https":
                        self.assertNotIn(CANARY.encode(), server.raw)

    def test_what_could_not_be_sent_waits_on_disk(self):
        (self.dir / "oriel.toml").write_text('[telemetry.otlp]\nspool_dir = "spool"\n',
                                             encoding="utf-8")
        server = self.serve("expired")
        said = self.emit(f"https://localhost:{server.port}", "grpc")
        self.assertEqual(self.lost(said), 0, said)
        told = self.oriel("doctor", "--spool", self.dir / "spool")
        self.assertIn(int(re.search(r"(\d+) items", told.stdout)[1]) - ITEMS, range(0, 5))

    def test_a_good_one_hears_all_and_nothing_is_said(self):
        server = self.serve("good")
        said = self.emit(f"https://localhost:{server.port}", "http/protobuf")
        self.assertEqual(said, [])
        self.assertIn(CANARY.encode(), server.heard)

    def test_insecure_is_a_word_for_endpoints_without_a_scheme_only(self):
        server = self.serve("expired")
        said = self.emit(f"https://localhost:{server.port}", "http/protobuf",
                         OTEL_EXPORTER_OTLP_INSECURE="true")
        self.assertEqual(server.heard, b"")
        self.assertTrue(self.lost(said), said)

    def capture(self):
        path = self.dir / "capture.oriel"
        run = self.oriel("record", "-o", path, "--", EMITTER, "spans", SPANS)
        self.assertEqual(run.returncode, 0, run.stderr)
        return path

    def test_export_sends_nothing_to_one_it_cannot_trust(self):
        capture = self.capture()
        for name, server, scheme, protocols, why in self.cases():
            for protocol in protocols:
                with self.subTest(f"{name}, {protocol}"):
                    env = {**self.env, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={CANARY}"}
                    run = Standstill.without(lambda: self.oriel(
                        "export", "--to", "otlp", "--endpoint",
                        f"{scheme}://localhost:{server.port}", "--protocol", protocol,
                        "--certificate", self.ca, "--retry-for", "100ms", capture, env=env))
                    self.assertEqual(run.returncode, 1, run.stderr)
                    said = run.stderr.splitlines()
                    self.assertEqual(sum(bool(re.search(why, line)) for line in said
                                         if "does not take" in line), 1, said)
                    self.assertNotIn(CANARY, run.stderr)
                    self.assertNotIn("is back", run.stderr)
                    self.assertEqual(server.heard, b"")

    def test_export_to_a_good_one(self):
        server = self.serve("good")
        run = self.oriel("export", "--to", "otlp", "--endpoint",
                         f"https://localhost:{server.port}", "--protocol", "http/protobuf",
                         "--certificate", self.ca, self.capture())
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(b"POST /v1/traces", server.heard)


main()
