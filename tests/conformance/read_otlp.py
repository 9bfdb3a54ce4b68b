# SPDX-License-Identifier: MIT OR Apache-2.0
"""The OTLP outlet: JSON lines by Python's json, protobuf by OpenTelemetry's own decoders."""
import base64
import json
import math
import os
import subprocess

from common import (ASYNC, BEGIN_LOST, BOOL, BYTES, CLAMPED, EXTERNAL, F64, HERE, I64, I64_MAX, LEVELS,
                    Missing, PTR, REDACTED, REMOTE, U64, UNFINISHED, double, load_json, need, same,
                    same_double, utf8)

DECODE = os.path.join(HERE, "..", "otlp", "decode.mjs")
MARKS = {UNFINISHED: "oriel.unfinished", CLAMPED: "oriel.clamped", EXTERNAL: "oriel.external",
         BEGIN_LOST: "oriel.begin_lost"}
SEVERITY = {1: 1, 2: 5, 3: 9, 4: 13, 5: 17, 6: 21}
OURS = ("thread.id", "thread.name", "code.function.name", "code.file.path", "code.line.number")


def value_of(v):
    """What an AnyValue holds, and by which name."""
    need(len(v) <= 1, "an AnyValue with several values", v)
    return next(iter(v.items())) if v else (None, None)


def attributes(of):
    out = {}
    for pair in of.get("attributes", []):
        need(pair["key"] not in out, "a key twice", pair["key"])
        out[pair["key"]] = value_of(pair.get("value", {}))
    return out


class Otlp:
    """Spans and log records by id; each keeps its resource and scope."""

    def __init__(self, truth, directory):
        self.truth = truth
        self.spans_, self.logs_, self.resources = {}, [], []
        for message in self.messages(directory):
            for resource in message.get("resourceSpans", []):
                self.walk(resource, "scopeSpans", "spans", self.add_span)
            for resource in message.get("resourceLogs", []):
                self.walk(resource, "scopeLogs", "logRecords", self.logs_.append)
        same(len(self.spans_), len(truth.spans), "spans")
        same(len(self.logs_), len(truth.events) + len(truth.losses), "log records")
        self.losses_ = [r for r in self.logs_ if r["scope"] == "oriel" and not r.get("spanId") and
                        r["body"] == {"stringValue": "records lost"}]
        lost = set(map(id, self.losses_))
        self.events_ = [r for r in self.logs_ if id(r) not in lost]

    def walk(self, resource, scopes, items, add):
        own = attributes(resource["resource"])
        self.resources.append(own)
        need(resource["schemaUrl"].startswith("https://opentelemetry.io/schemas/"), "schema")
        for scope in resource[scopes]:
            need(scope[items], "a scope without items")
            for item in scope[items]:
                item["scope"] = scope["scope"].get("name", "")
                item["resource"] = own
                add(item)

    def add_span(self, span):
        key = self.id(span["spanId"], 8)
        need(key not in self.spans_, "a span twice", key)
        self.spans_[key] = span

    def pairs(self):
        for s in self.truth.spans:
            yield self.spans_[s["span_id"]], s
        for got, e in zip(self.events_in_order(), self.truth.events):
            yield got, e

    def events_in_order(self):
        """Groups part what came one after the other: order by time, as the fixtures are."""
        by_key = {}
        for r in self.events_:
            by_key.setdefault((int(r["timeUnixNano"]), r["scope"]), []).append(r)
        for e in self.truth.events:
            yield by_key[(e["t"], utf8(e["target"]))].pop(0)

    def check_thread(self, got, number):
        thread = self.truth.threads[number]
        a = attributes(got)
        same(a["thread.id"], ("intValue", str(thread["tid"])), "thread")
        same(a.get("thread.name", ("stringValue", ""))[1], utf8(thread["name"]), "thread name")

    def spans(self):
        for s in self.truth.spans:
            got = self.spans_[s["span_id"]]
            same(int(got["startTimeUnixNano"]), s["start"], "start")
            same(int(got["endTimeUnixNano"]), s["end"], "end")
            same(got["name"], utf8(s["name"]), "name")
            same(got["scope"], utf8(s["target"]), "target")
            same(got["kind"], 1, "kind")
            self.check_thread(got, s["thread"])

    def ids(self):
        for got, item in self.pairs():
            trace = item["trace_id"] if item["trace_id"].strip("0") else ""
            same(self.id(got.get("traceId", ""), 16), trace, "trace id")
            if "start" in item:
                same(self.id(got.get("parentSpanId", ""), 8),
                     item["parent_id"] if item["parent_id"].strip("0") else "", "parent id")
            elif trace:
                same(self.id(got.get("spanId", ""), 8), item["span_id"], "span of an event")

    def async_spans(self):
        for s in self.truth.spans:
            if s["flags"] & ASYNC:
                same(attributes(self.spans_[s["span_id"]])["oriel.busy_ns"],
                     ("intValue", str(s["busy_ns"])), "busy time")

    def marks(self):
        for s in self.truth.spans:
            got = self.spans_[s["span_id"]]
            a = attributes(got)
            for flag, name in MARKS.items():
                same(a.get(name), ("boolValue", True) if s["flags"] & flag else None, name)
            if self.has_flags:
                same(bool(got["flags"] & 0x200), bool(s["flags"] & REMOTE), "remote parent")
                same(got["flags"] & 0x1ff, 0x100 | s["trace_flags"], "flags")
            same(got.get("traceState", ""), utf8(s["trace_state"]), "tracestate")
            same(got.get("status", {}).get("code", 0), s["status"], "status")
            if s["status"]:
                same(got["status"].get("message", ""), utf8(s["status_message"]), "status text")

    def dropped(self):
        for got, item in self.pairs():
            same(got.get("droppedAttributesCount", 0), item["dropped_attrs"], "dropped attributes")
            if "start" in item:
                same(got.get("droppedEventsCount", 0), item["dropped_events"], "dropped events")
                same(got.get("droppedLinksCount", 0), item["dropped_links"], "dropped links")

    def links(self):
        for s in self.truth.spans:
            got = self.spans_[s["span_id"]].get("links", [])
            same(len(got), len(s["links"]), "links")
            for link, expected in zip(got, s["links"]):
                same(self.id(link["traceId"], 16), expected["trace_id"], "trace of a link")
                same(self.id(link["spanId"], 8), expected["span_id"], "span of a link")
                same(link.get("traceState", ""), utf8(expected["trace_state"]), "state of a link")
                if self.has_flags:
                    same(link.get("flags", 0), expected["flags"], "flags of a link")
                kind = attributes(link).get("opentracing.ref_type", (None, "child_of"))[1]
                same(kind == "follows_from", bool(expected["follows_from"]), "kind of a link")

    def events(self):
        for got, e in zip(self.events_in_order(), self.truth.events):
            same(int(got["timeUnixNano"]), e["t"], "time")
            same(int(got["observedTimeUnixNano"]), e["t"], "observed time")
            same(got["severityText"], LEVELS[e["level"]], "level")
            same(got.get("flags", 0), e["trace_flags"], "flags of an event")
            same(got["severityNumber"], SEVERITY[e["level"]], "severity")
            same(got["scope"], utf8(e["target"]), "target")
            same(got["body"]["stringValue"], utf8(e["message"] or e["name"]), "message")
            self.check_thread(got, e["thread"])

    def values(self):
        for got, item in self.pairs():
            a = attributes(got)
            own = [k for k in a if k in OURS or (k.startswith("oriel.") and "start" in item)]
            same(len(a) - len(own), len(item["attrs"]), "number of attributes")
            for v in item["attrs"]:
                key = utf8(v["key"])
                key = "attr." + key if key in OURS or key.startswith("oriel.") else key
                need(key in a, "attribute missing:", repr(key))
                self.check_value(a[key], v, key)

    def check_value(self, got, v, what):
        kind, value = v["type"], v["value"]
        name, content = got
        if kind == BOOL:
            same(got, ("boolValue", value), what)
        elif kind == I64 or (kind == U64 and value <= I64_MAX):
            same(got, ("intValue", str(value)), what)
        elif kind == U64:
            same(got, ("stringValue", str(value)), what)
        elif kind == PTR:
            same(got, ("stringValue", hex(value)), what)
        elif kind == F64:
            same(name, "doubleValue", what)
            self.check_double(content, double(value), what)
        elif kind == BYTES and not v["flags"] & REDACTED:
            same(name, "bytesValue", what)
            same(base64.b64decode(content).hex(), value, what)
        else:
            same(got, ("stringValue", utf8(value)), what)

    def check_double(self, got, value, what):
        if math.isfinite(value):
            need(same_double(float(got), value), what, got, value)
        else:
            text = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
            need(got == text or got is self.no_number, what, got, value)

    def source(self):
        for got, item in self.pairs():
            a = attributes(got)
            if item["file"]:
                same(a["code.file.path"], ("stringValue", utf8(item["file"])), "file")
                same(a["code.line.number"], ("intValue", str(item["line"])), "line")

    def losses(self):
        same(len(self.losses_), len(self.truth.losses), "losses")
        left = list(self.losses_)
        for l in self.truth.losses:
            want = {"count": ("intValue", str(l["count"])), "cause": ("stringValue", l["cause"])}
            found = [r for r in left if int(r["observedTimeUnixNano"]) == l["t"] and
                     all(attributes(r).get(k) == v for k, v in want.items())]
            need(found, "loss missing", l)
            left.remove(found[0])

    def session_(self):
        need(self.resources, "no resource")
        for r in self.resources:
            same(r["service.name"], ("stringValue", "conformance"), "service name")
            same(r["telemetry.sdk.name"], ("stringValue", "oriel"), "sdk")
            need(r["process.pid"][0] == "intValue", "pid")
        ids = {(r["process.pid"], r["service.instance.id"]) for r in self.resources}
        same(len({i for _, i in ids}), len(ids), "instances")


class OtlpJson(Otlp):
    no_number = "NaN"
    has_flags = True

    @staticmethod
    def messages(directory):
        with open(os.path.join(directory, "otlp.json"), encoding="utf-8", newline="\n") as f:
            for line in f.read().split("\n")[:-1]:
                yield load_json(line)

    @staticmethod
    def id(text, size):
        need(len(text) in (0, 2 * size) and text == text.lower(), "an id of", len(text), "digits")
        return text


class OtlpProtobuf(Otlp):
    no_number = None  # JSON.stringify has null for them
    has_flags = False  # these decoders are older than Span.flags

    @staticmethod
    def messages(directory):
        for signal in ("traces", "logs"):
            run = subprocess.run(["node", DECODE, signal, os.path.join(directory, "otlp." + signal)],
                                 stdout=subprocess.PIPE, check=False)
            if run.returncode == 77:
                raise Missing("the packages of tests/otlp are not installed")
            need(run.returncode == 0, "upstream's decoder refused the", signal)
            yield json.loads(run.stdout)

    @staticmethod
    def id(text, size):
        raw = base64.b64decode(text)
        need(len(raw) in (0, size), "an id of", len(raw), "bytes")
        return raw.hex()
