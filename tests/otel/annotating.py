#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What annotating.cpp says, in OTLP.

usage: ORIEL=build/oriel annotating.py ANNOTATING
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
PROGRAM = sys.argv.pop(1)
ORIEL = os.environ["ORIEL"]


def attributes(of):
    return {a["key"]: a["value"] for a in of.get("attributes", [])}


def scopes(text):
    """(kind, scope, schema URL) of every scope of a file."""
    return [(kind, s["scope"], s.get("schemaUrl", "")) for message in map(json.loads, text.splitlines())
            for kind in ("Spans", "Logs") for r in message.get("resource" + kind, [])
            for s in r["scope" + kind]]


class Annotating(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spans, cls.logs, cls.scopes, cls.again = {}, [], [], []
        with tempfile.TemporaryDirectory() as directory:
            run, out = os.path.join(directory, "run.oriel"), os.path.join(directory, "run.jsonl")
            subprocess.run([ORIEL, "record", "--no-report", "-o", run, "--", PROGRAM], check=True,
                           stdout=subprocess.DEVNULL, timeout=300)
            subprocess.run([ORIEL, "export", "--to", "otlp", "-o", out, run], check=True,
                           stdout=subprocess.DEVNULL, timeout=300)
            text = pathlib.Path(out).read_text(encoding="utf-8")
            cls.files = {}
            for words in (["chrome"], ["perfetto"], ["firefox"], ["log", "--spans"],
                          ["log", "--spans", "--format=json"], ["otlp", "--encoding=protobuf",
                                                               "--signals=traces"]):
                file = os.path.join(directory, "file")
                subprocess.run([ORIEL, "export", "--to", *words, "-o", file, run], check=True,
                               stdout=subprocess.DEVNULL, timeout=600)
                cls.files[" ".join(words)] = pathlib.Path(file).read_bytes()
                os.remove(file)
            for words in (["report", "--json"], ["report"]):
                cls.files[" ".join(words)] = subprocess.run(
                    [ORIEL, *words, run], check=True, stdout=subprocess.PIPE, timeout=600).stdout
            # What was exported is read as another program's, and exported once more.
            subprocess.run([ORIEL, "export", "--to", "otlp", "-o", run + "2", out], check=True,
                           stdout=subprocess.DEVNULL, timeout=600)
            again = pathlib.Path(run + "2").read_text(encoding="utf-8")
        cls.again = scopes(again)
        for message in map(json.loads, text.splitlines()):
            cls.scopes += scopes(json.dumps(message))
            for r in message.get("resourceSpans", []):
                for s in r["scopeSpans"]:
                    cls.spans.update((span["name"], span) for span in s["spans"])
            for r in message.get("resourceLogs", []):
                for s in r["scopeLogs"]:
                    cls.logs += s["logRecords"]

    def exceptions(self, span):
        return [attributes(log) for log in self.logs if log.get("eventName") == "exception" and
                log["spanId"] == self.spans[span]["spanId"]]

    def test_exceptions_of_cpp_have_their_type_message_and_further_fields(self):
        first, second, third = self.exceptions("catching")
        for found in (first, second):
            self.assertEqual(found["exception.type"], {"stringValue": "shop::sold_out"})
            self.assertEqual(found["exception.message"], {"stringValue": "no more tea"})
        self.assertEqual(second["attempt"], {"intValue": "2"})
        self.assertEqual(second["cart"], {"stringValue": "c7"})
        self.assertNotIn("exception.stacktrace", first)
        self.assertIn("\n", third["exception.stacktrace"]["stringValue"])

    def test_an_exception_is_a_log_record_of_level_error(self):
        levels = {log["severityText"] for log in self.logs if log.get("eventName") == "exception"}
        self.assertEqual({level.upper() for level in levels}, {"ERROR"})

    def test_links_of_the_beginning_keep_their_order(self):
        links = self.spans["linked"]["links"]
        self.assertEqual([int(link["spanId"], 16) for link in links], [3, 2, 1])
        (late,) = self.exceptions("linked")
        self.assertEqual(late["exception.type"], {"stringValue": "late"})

    def test_arrays_have_elements_of_their_type(self):
        found = attributes(self.spans["arrays"])
        for key, name, values in (("i", "intValue", ["1", "-2"]), ("f", "doubleValue", [0.5, 2.0]),
                                  ("b", "boolValue", [True, False]), ("s", "stringValue", ["a", "b"])):
            self.assertEqual(found[key], {"arrayValue": {"values": [{name: v} for v in values]}})

    def test_version_schema_and_attributes_of_a_target_are_those_of_its_scope(self):
        for found in (self.scopes, self.again):
            own = [s for s in found if s[1]["name"] == "annotating"]
            self.assertEqual({kind for kind, _, _ in own}, {"Spans", "Logs"})
            for _, scope, schema in own:
                self.assertEqual(scope["version"], "1.4.2")
                self.assertEqual(schema, "https://opentelemetry.io/schemas/1.30.0")
                self.assertEqual(attributes(scope), {"shard": {"intValue": "7"},
                                                     "team": {"stringValue": "storage"}})

    def test_a_span_has_the_name_that_was_said_last_in_every_outlet_and_report(self):
        self.assertEqual(attributes(self.spans["GET /users/{id}"])["n"], {"intValue": "1"})
        self.assertEqual(self.spans["consume orders"]["parentSpanId"],
                         self.spans["GET /users/{id}"]["spanId"])
        for what, text in self.files.items():
            with self.subTest(what):
                self.assertIn(b"GET /users/{id}", text)
                self.assertIn(b"consume orders", text)
                self.assertNotIn(b"first try", text)
                # Perfetto is told all that a site has, and samples stand below call sites.
                if what != "perfetto" and not what.startswith("report"):
                    self.assertNotIn(b"to be renamed", text)
        spans = {s["name"] for s in json.loads(self.files["report --json"])["spans"]}
        self.assertEqual(spans, set(self.spans))
        events = json.loads(self.files["chrome"])
        events = events["traceEvents"] if isinstance(events, dict) else events
        self.assertEqual([e["ph"] for e in events if e.get("name") == "GET /users/{id}"], ["X"])
        self.assertEqual(sorted(e["ph"] for e in events if e.get("name") == "consume orders"),
                         ["X", "b", "e"])

    def test_the_page_prefers_fields_at_the_beginning_and_tells_of_null(self):
        page = pathlib.Path(__file__).parents[2] / "docs" / "ANNOTATING.md"
        text = " ".join(page.read_text(encoding="utf-8").split())
        self.assertRegex(text, r"known when a span begins in the call that begins it.* That is preferred")
        self.assertIn("A value is never null.", text)


if __name__ == "__main__":
    unittest.main()
