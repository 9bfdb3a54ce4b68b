#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What of sending the compliance table asks for and no other test says: that a flush
sends, and what requests call their sender.

usage: BUILD=build sending.py FLUSHING
"""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
PROGRAM = sys.argv.pop(1)
BUILD = pathlib.Path(os.environ["BUILD"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers, json.loads(body)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def names(got):
    """Of spans, and what log records say."""
    for _, _, message in got:
        for r in message.get("resourceSpans", []):
            for s in r["scopeSpans"]:
                yield from (span["name"] for span in s["spans"])
        for r in message.get("resourceLogs", []):
            for s in r["scopeLogs"]:
                yield from (record["body"].get("stringValue") for record in s["logRecords"])


class Sending(unittest.TestCase):
    WORDS, VARIABLES = [], {}

    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.got = []
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.shutdown)
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("ORIEL_", "OTEL_", "TELEMETRY_", "TRACY_"))}
        self.child = subprocess.Popen(
            [PROGRAM, "http://127.0.0.1:%d" % self.server.server_port, *self.WORDS], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(env, LD_LIBRARY_PATH=str(BUILD), **self.VARIABLES))
        self.flushed = self.child.stdout.readline()
        self.service = self.child.stdout.readline()
        self.got = list(self.server.got)
        _, said = self.child.communicate("\n", timeout=300)
        self.assertEqual((self.child.returncode, said), (0, ""))

    def test_a_flush_sends_spans_and_logs_and_waits_for_the_answers(self):
        self.assertEqual(self.flushed, "0\n")
        found = list(names(self.got))
        self.assertEqual(found.count("flushed span"), 1, found)
        self.assertEqual(found.count("flushed log"), 1, found)

    def test_the_program_is_told_the_service_that_receivers_are_told(self):
        resources = [r["resource"] for _, _, m in self.got
                     for r in m.get("resourceSpans", []) + m.get("resourceLogs", [])]
        self.assertTrue(resources)
        for resource in resources:
            found = {a["key"]: a["value"].get("stringValue") for a in resource["attributes"]}
            self.assertEqual(found["service.name"] + "\n", self.service)

    def test_the_user_agent_is_of_the_form_the_standard_asks_for(self):
        version = (pathlib.Path(__file__).parents[2] / "VERSION").read_text(encoding="ascii").strip()
        agents = {headers["User-Agent"] for _, headers, _ in self.got}
        self.assertEqual(len(agents), 1)
        found = re.fullmatch(r"OTel-OTLP-Exporter-C/(\S+)", agents.pop())
        self.assertTrue(found)
        self.assertEqual(found[1], version)

    def test_spans_and_logs_go_to_their_paths(self):
        self.assertEqual({path for path, _, _ in self.got}, {"/v1/traces", "/v1/logs"})


class Empty(Sending):
    """The same of a program whose resource begins empty, and to which nothing is added."""
    WORDS, VARIABLES = ["nameless"], {"ORIEL_RESOURCE": "empty"}

    def resources(self):
        return [r for _, _, m in self.got
                for r in m.get("resourceSpans", []) + m.get("resourceLogs", [])]

    def test_the_program_is_told_the_service_that_receivers_are_told(self):
        self.assertEqual(self.service, "\n")

    def test_receivers_are_told_nothing_of_it_and_no_schema(self):
        self.assertTrue(self.resources())
        for r in self.resources():
            self.assertEqual(r["resource"].get("attributes", []), [])
            self.assertNotIn("schemaUrl", r)


class Said(Empty):
    """And of one to which attributes are added, the detectors that are asked for notwithstanding."""
    VARIABLES = {"ORIEL_RESOURCE": "empty", "ORIEL_DETECTORS": "process,host,os",
                 "OTEL_RESOURCE_ATTRIBUTES": "team=shop,service.instance.id=i"}

    def test_receivers_are_told_nothing_of_it_and_no_schema(self):
        for r in self.resources():
            self.assertEqual(sorted((a["key"], a["value"]["stringValue"]) for a in
                                    r["resource"]["attributes"]),
                             [("service.instance.id", "i"), ("team", "shop")])
            self.assertNotIn("schemaUrl", r)


if __name__ == "__main__":
    unittest.main()
