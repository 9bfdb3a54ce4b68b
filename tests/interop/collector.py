#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""OpenTelemetry's own Collector receives what we emit, in every encoding, and writes
it to a file: what stands there is what was emitted.

usage: BUILD=build collector.py
"""
import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import emitted as source
from common import Broken, Truth
from otlp_items import compare, items, messages_of
from read_otlp import OtlpJson
from servers import Skip, collector, run, start_collector, until

DEPLOYED = pathlib.Path(__file__).resolve().parent.parent.parent / "deploy" / "collector.yaml"
FIXTURES_CHECKED = ("spans", "ids", "async_spans", "marks", "dropped", "links", "events",
                    "values", "source", "losses", "session_")


def received(out, count):
    """All items, once as many as were sent (or more) are in the file."""
    def state():
        try:
            found = list(items(messages_of(out)))
        except (OSError, ValueError):  # not there yet, or half a line
            return None
        return found if len(found) >= count else None
    return state


def known(emitted, by_json):
    """What this Collector is known to change, and nothing else of it: its JSON says 0 for
    -0.0, and when it reads JSON it passes over eventName."""
    for item in emitted:
        item = json.loads(json.dumps(item).replace('["doubleValue", "-0.0"]',
                                                   '["doubleValue", "0.0"]'))
        if by_json and item["what"] == "log":
            item["event"] = ""
        yield item


def with_defaults(part):
    """The Collector leaves out what is empty: keys of attributes, names of spans."""
    if isinstance(part, dict):
        for pair in part.get("attributes", []):
            pair.setdefault("key", "")
        for span in part.get("spans", []):
            span.setdefault("name", "")
        part = part.values()
    if not isinstance(part, (str, int, float, type(None))):
        for below in part:
            with_defaults(below)


def against_truth(out, folder):
    """The readers of the conformance tests, on the Collector's file."""
    class FromCollector(OtlpJson):
        def check_double(self, got, value, what):
            super().check_double(got, value or 0.0, what)

        @staticmethod
        def messages(_):
            messages = messages_of(out)
            with_defaults(messages)
            return messages
    wrong = []
    reader = FromCollector(Truth(folder), folder)
    for check in FIXTURES_CHECKED:
        try:
            getattr(reader, check)()
        except (Broken, KeyError, IndexError, ValueError, TypeError) as e:
            wrong.append("%s: %s: %s" % (check, type(e).__name__, e))
    return wrong


def by_file(encoding, compressed):
    def way(what, ports):
        for signal, body in what.requests(encoding):
            source.post(ports["http"], "/v1/" + signal, body, encoding, compressed)
    return way


def by_oriel(port, *options):
    def way(what, ports):
        source.send(what, "http://127.0.0.1:%d" % ports[port], *options)
    return way


def ways(what):
    """(name, function) of all ways this goes out."""
    yield "file, HTTP/JSON", by_file("json", False)
    yield "file, HTTP/JSON, gzip", by_file("json", True)
    yield "file, HTTP/protobuf", by_file("protobuf", False)
    yield "file, HTTP/protobuf, gzip", by_file("protobuf", True)
    if what.capture:
        for protocol, port in (("grpc", "grpc"), ("http/protobuf", "http"), ("http/json", "http")):
            for compression in ("none", "gzip"):
                yield ("oriel export, %s, %s" % (protocol, compression),
                       by_oriel(port, "--protocol", protocol, "--compression", compression))


def one(otelcol, what, name, way):
    """A Collector of its own for each way: what is in its file came that way."""
    expected = what.items()
    out = what.folder / "received.jsonl"
    out.unlink(missing_ok=True)
    with start_collector(otelcol, out) as server:
        way(what, server.ports)
        until(received(out, len(expected)), "%d items in the Collector's file" % len(expected),
              lambda: server.child.poll() is None)
        server.end()
        wrong = compare(items(messages_of(out)), known(expected, "json" in name.lower()))
    if what.name == "fixtures":
        wrong += against_truth(out, what.folder)
    print("%s  %s by %s: %d items" % ("equal" if not wrong else "DIFFERS", what.name, name,
                                      len(expected)))
    for line in wrong:
        print("    " + line)
    return not wrong


def main():
    otelcol = collector()
    if DEPLOYED.exists():
        run(otelcol, "validate", "--config", DEPLOYED)
        print("valid  deploy/collector.yaml")
    good = True
    with tempfile.TemporaryDirectory(prefix="oriel-interop-") as folder:
        folder = pathlib.Path(folder)
        for what in (source.fixtures(folder / "fixtures"), source.codesearch(folder / "cs")):
            for name, way in ways(what):
                good = one(otelcol, what, name, way) and good
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(reason)
        sys.exit(77)
