# SPDX-License-Identifier: MIT OR Apache-2.0
"""The log outlet: JSON lines by Python's json, lines for people by taking them apart."""
import datetime
import os
import re

from common import (ASYNC, BEGIN_LOST, BOOL, BYTES, CLAMPED, F64, I64, LEVELS, MARKS, PTR, REDACTED,
                    TRUNCATED, U64, UNFINISHED, check_json_value, double, load_json, need, same,
                    same_double, utf8)


class LogJson:
    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "log.json"), encoding="utf-8", newline="\n") as f:
            self.lines = [load_json(line) for line in f.read().split("\n")[:-1]]
        expected = len(truth.spans) + len(truth.events) + len(truth.losses)
        same(len(self.lines), expected, "lines")
        self.by_id = {line["span_id"]: line for line in self.lines if "span_id" in line}

    def check_line(self, item, t, message):
        line = self.by_id[item["span_id"]]
        same(line["timestamp"], stamp(t), "timestamp")
        same(line["level"], LEVELS[item["level"]], "level")
        same(line["target"], utf8(item["target"]), "target")
        same(line["message"], utf8(message), "message")
        thread = self.truth.threads[item.get("end_thread", item["thread"])]
        same(line["thread_id"], thread["tid"], "thread")
        same(line.get("thread_name", ""), utf8(thread["name"]), "thread name")
        return line

    def spans(self):
        for s in self.truth.spans:
            line = self.check_line(s, s["end"], s["name"])
            same(line["event"], "span", "event")
            need(isinstance(line["duration_ms"], float), "duration is no number")
            same(round(line["duration_ms"] * 1e6), s["end"] - s["start"], "duration")

    def ids(self):
        for item in self.truth.spans + self.truth.events:
            line = self.by_id[item["span_id"]]
            trace = item["trace_id"] if item["trace_id"].strip("0") else None
            same(line.get("trace_id"), trace, "trace id")
            same(line.get("parent_span_id", ""), item.get("parent_id", ""), "parent id")

    def async_spans(self):
        for s in self.truth.spans:
            if s["flags"] & ASYNC:
                same(round(self.by_id[s["span_id"]]["busy_ms"] * 1e6), s["busy_ns"], "busy time")

    def marks(self):
        for s in self.truth.spans:
            line = self.by_id[s["span_id"]]
            for flag, name in MARKS.items():
                same(line.get(name, False), bool(s["flags"] & flag), name)
            same(line.get("status"), (None, "OK", "ERROR")[s["status"]], "status")
            same(line.get("status_message", ""), utf8(s["status_message"]), "status text")

    def dropped(self):
        for item in self.truth.spans + self.truth.events:
            line = self.by_id[item["span_id"]]
            same(line.get("dropped_fields", 0), item["dropped_attrs"], "dropped fields")
            same(line.get("dropped_events", 0), item.get("dropped_events", 0), "dropped events")
            same(line.get("dropped_links", 0), item.get("dropped_links", 0), "dropped links")
            for v in item["attrs"]:
                if v["flags"] & TRUNCATED:
                    same(line["truncated"][utf8(v["key"])], v["full"], "truncated")

    def links(self):
        for s in self.truth.spans:
            got = self.by_id[s["span_id"]].get("links", [])
            same(got, [{"trace_id": k["trace_id"], "span_id": k["span_id"],
                        "kind": "follows_from" if k["follows_from"] else "link"}
                       for k in s["links"]], "links")

    def events(self):
        for e in self.truth.events:
            self.check_line(e, e["t"], e["message"] or e["name"])

    def values(self):
        for item in self.truth.spans + self.truth.events:
            fields = self.by_id[item["span_id"]]["fields"]
            same(len(fields), len(item["attrs"]), "number of fields")
            for v in item["attrs"]:
                key = utf8(v["key"])
                need(key in fields, "field missing:", repr(key))
                check_json_value(fields[key], v, (1 << 64) - 1, key)

    def source(self):
        for item in self.truth.spans + self.truth.events:
            if item["file"]:
                same(self.by_id[item["span_id"]]["src"],
                     "%s:%d" % (utf8(item["file"]), item["line"]), "source")

    def losses(self):
        got = [line for line in self.lines if line["message"] == "records lost"]
        for line, l in zip(got, self.truth.losses):
            same(line["fields"]["count"], l["count"], "count")
            same(line["fields"]["cause"], l["cause"], "cause")
            same(line["timestamp"], stamp(l["t"]), "time")
        same(len(got), len(self.truth.losses), "losses")


def stamp(ns):
    day = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return day.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (ns % 10**9)


class LogText:
    """Lines for people, taken apart and unescaped again, byte for byte."""

    ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"'}
    CHARACTER = re.compile(rb"\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}|\\.|[^\\]", re.S)
    TOKEN = re.compile(rb' ("(?:[^"\\]|\\.)*"|[^ ="]*)=("(?:[^"\\]|\\.)*"|[^ ]*)', re.S)

    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "log.text"), "rb") as f:
            content = f.read()
        bad = re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", content)
        need(not bad, "a control character at byte", bad and bad.start())
        content.decode("utf-8")
        for hidden in "\u0085\u2028\u2029\u202e\u2066\u200b\ufeff":
            need(hidden.encode() not in content, "unescaped", repr(hidden))
        self.lines = content.split(b"\n")[:-1]
        items = [i for i in truth.items if i["kind"] in ("span", "event", "loss")]
        same(len(self.lines), len(items), "lines")
        self.pairs = list(zip(self.lines, items))
        with open(os.path.join(directory, "log.compact"), "rb") as f:
            same(f.read().count(b"\n"), len(truth.events) + len(truth.losses), "compact lines")

    def unescape(self, text):
        if text[:1] == b'"':
            text = text[1:-1]

        def one(m):
            e = m.group(1)
            if e[:1] == b"x":
                return bytes([int(e[1:], 16)])
            if e[:1] == b"u":
                return chr(int(e[2:-1], 16)).encode()
            return self.ESCAPES[e]
        return re.sub(rb"\\(x[0-9a-f]{2}|u\{[0-9a-f]+\}|.)", one, text)

    def head(self, line, item):
        """Checks time, level, target and message; returns the rest of the line."""
        if item["kind"] == "loss":
            level, target, message, t = "WARN", b"oriel", b"records lost", item["t"]
        else:
            level, target = LEVELS[item["level"]], bytes.fromhex(item["target"])
            message = bytes.fromhex(item.get("message") or item["name"])
            t = item["end"] if item["kind"] == "span" else item["t"]
        start = ("%s %-5s " % (stamp(t), level)).encode()
        need(line.startswith(start), "line begins", line[:60], "expected", start)
        rest = line[len(start):]
        for expected, after in ((target, b": "), (message, b"")):
            at = self.measure(rest, expected)
            need(rest[at:].startswith(after), "after", expected, "comes", rest[at:at + 20])
            rest = rest[at + len(after):]
        return rest

    def measure(self, text, expected):
        """Length of the escaped form of `expected` at the begin of `text`."""
        at, pos = 0, 0
        while pos < len(expected):
            m = self.CHARACTER.match(text, at)
            need(m, "text", text[:80], "expected", expected[:80])
            got = m.group(0)
            if got[:1] == b"\\":
                got = self.unescape(got)
            need(expected.startswith(got, pos), "text", text[:80], "expected", expected[:80])
            pos += len(got)
            at = m.end()
        return at

    def fields(self, line, item):
        rest, out, at = self.head(line, item), [], 0
        while at < len(rest):
            m = self.TOKEN.match(rest, at)
            need(m, "no field at", rest[at:at + 60])
            out.append((self.unescape(m.group(1)), m.group(2)))
            at = m.end()
        return out

    def events(self):
        for line, item in self.pairs:
            self.head(line, item)

    spans = events

    def ids(self):
        for line, item in self.pairs:
            if item["kind"] == "loss":
                continue
            expected = [(key, item[field].encode()) for key, field in (
                (b"trace_id", "trace_id"), (b"span_id", "span_id"),
                (b"parent_span_id", "parent_id")) if item.get(field, "").strip("0")]
            same(self.fields(line, item)[-len(expected):], expected, "ids")

    def marks(self):
        for line, item in self.pairs:
            if item["kind"] != "span":
                continue
            f = dict(self.fields(line, item))
            for flag in (UNFINISHED, CLAMPED, BEGIN_LOST):
                same(f.get(MARKS[flag].encode()) == b"true", bool(item["flags"] & flag), flag)
            if item["status"]:
                same(f[b"status"], (b"", b"OK", b"ERROR")[item["status"]], "status")
            if item["status_message"] and b"status_message" not in [
                    bytes.fromhex(v["key"]) for v in item["attrs"]]:
                same(self.unescape(f[b"status_message"]), bytes.fromhex(item["status_message"]),
                     "status text")

    def values(self):
        for line, item in self.pairs:
            if item["kind"] == "loss":
                continue
            fields = self.fields(line, item)
            first = [k for k, _ in fields].index(bytes.fromhex(item["attrs"][0]["key"])) \
                if item["attrs"] else 0
            if item["kind"] == "span" and item["attrs"]:
                # its own fields come first: duration, marks, status
                own = 1 + bool(item["status"]) + bool(item["status_message"]) + sum(
                    bool(item["flags"] & f) for f in (UNFINISHED, CLAMPED, BEGIN_LOST))
                first = own
            for (key, got), v in zip(fields[first:], item["attrs"]):
                same(key, bytes.fromhex(v["key"]), "key")
                self.check_value(got, v, key)

    def check_value(self, got, v, key):
        kind, value = v["type"], v["value"]
        if kind == BOOL:
            same(got, b"true" if value else b"false", key)
        elif kind in (I64, U64):
            same(int(got), value, key)
        elif kind == F64:
            value = double(value)
            need(same_double(float(got), value) or (value != value and got == b"NaN"), key, got)
        elif kind == PTR:
            same(int(got, 16), value, key)
        elif kind == BYTES and not v["flags"] & REDACTED:
            same(got.decode(), value, key)
        else:
            same(self.unescape(got), bytes.fromhex(value), key)

    def losses(self):
        for line, item in self.pairs:
            if item["kind"] == "loss":
                f = dict(self.fields(line, item))
                same(int(f[b"count"]), item["count"], "count")
                same(self.unescape(f[b"cause"]).decode(), item["cause"], "cause")
