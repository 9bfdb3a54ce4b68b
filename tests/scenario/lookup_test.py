# SPDX-License-Identifier: MIT OR Apache-2.0
"""Name servers that never answer: the program ends in its time all the same, and says so in
one line; so does oriel export. In a network and with a resolv.conf of the test's own."""
import os
import re
import shutil
import subprocess
import sys
import unittest

from receiving import LIBRARY
from tool import EMITTER, Scenario, main

SPANS = 300
ITEMS = 2 * SPANS
# What runs there: loopback, one name server that hears and says nothing, then the program. It
# tells on its last line how many questions came, and for how long the program ran.
THERE = r"""
import fcntl, os, select, socket, struct, subprocess, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # up
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
before = time.monotonic()
run = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=100)
took = time.monotonic() - before
sys.stdout.write(run.stdout)
sys.stderr.write(run.stderr)
asked = 0
while select.select([server], [], [], 0)[0]:
    asked += b"\7nowhere" in server.recv(600)
print("asked", asked, "took", round(took, 3))
sys.exit(run.returncode)
"""
NOT_ALONE = "no network and mounts of its own here (unshare)"


class Silent(Scenario):
    def setUp(self):
        super().setUp()
        if not shutil.which("unshare") or subprocess.run(
                ["unshare", "-mn", "true"], check=False, capture_output=True).returncode:
            self.skipTest(NOT_ALONE)
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, OTEL_LOG_LEVEL="warn")
        (self.dir / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:30 attempts:5\n",
                                              encoding="utf-8")
        (self.dir / "there.py").write_text(THERE, encoding="utf-8")

    def there(self, *words, **variables):
        """(status, lines on stdout, lines on stderr, questions, seconds)"""
        run = self.run_raw("unshare", "-mn", "sh", "-c",
                           'mount --bind "$0" "$(readlink -f /etc/resolv.conf)" && exec "$@"',
                           self.dir / "resolv.conf", sys.executable, self.dir / "there.py",
                           *words, env={**self.env, **variables}, text=True)
        last = re.search(r"asked (\d+) took ([0-9.]+)\n\Z", run.stdout)
        if not last and "mount" in run.stderr:
            raise unittest.SkipTest(NOT_ALONE)
        self.assertTrue(last, (run.stdout, run.stderr))
        return (run.returncode, run.stdout[:last.start()], run.stderr.splitlines(), int(last[1]),
                float(last[2]))

    def emit(self, protocol, **variables):
        status, out, said, asked, took = self.there(
            EMITTER, "spans", SPANS, TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://nowhere.example:4318",
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TIMEOUT="0",  # an hour: who waited for it would not end in time
            **variables)
        self.assertEqual((status, out), (0, f"emitted {SPANS}\n"))
        self.assertLessEqual(len(said), 2, said)
        return said, asked, took

    def lost(self, said):
        return sum(int(n) for line in said
                   for n in re.findall(r"(\d+) items before the end, they are lost", line))

    def test_a_program_ends_in_its_time(self):
        for protocol in ("grpc", "http/protobuf"):
            with self.subTest(protocol):
                said, asked, took = self.emit(protocol)
                self.assertIn(self.lost(said) - ITEMS, range(0, 5), said)
                self.assertGreater(asked, 0)  # or nothing of this was tried
                print(f"{protocol}: {took} s", file=sys.stderr)

    def test_a_budget_of_nothing_waits_for_no_name(self):
        _, _, took = self.emit("grpc", ORIEL_EXIT_MS="1")
        print(f"without a budget: {took} s", file=sys.stderr)

    def test_export_gives_up(self):
        capture = self.dir / "capture.oriel"
        run = self.oriel("record", "-o", capture, "--", EMITTER, "spans", SPANS)
        self.assertEqual(run.returncode, 0, run.stderr)
        status, _, said, asked, _ = self.there(
            os.environ["ORIEL"], "export", "--to", "otlp", "--endpoint",
            "http://nowhere.example:4318", "--timeout-ms", "300", "--retry-for", "100ms", capture)
        self.assertEqual(status, 1)
        self.assertGreater(asked, 0)
        self.assertTrue(any("nowhere.example" in line for line in said), said)


main()
