#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds every promised thing again in what the outlets wrote (L-06).

  check.py OUTLET DIR          read the files of an outlet in DIR against DIR/truth.json
  check.py docs DIR FILE       FILE is the table of promises; ORIEL_GOLDEN=write writes it

The readers know nothing of Oriel: json of Python, trace_processor of Perfetto,
a reader of text lines. Exit 0 kept, 1 broken, 77 trace_processor is missing.
"""
import json
import math
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TP = os.path.join(HERE, "..", "perfetto", "tp.mjs")
BOOL, I64, U64, F64, STR, BYTES, PTR = 1, 2, 3, 4, 5, 6, 7
UNFINISHED, ASYNC, EXTERNAL, CLAMPED, ROOT, REMOTE, BEGIN_LOST = 1, 2, 4, 8, 16, 32, 64
REDACTED, TRUNCATED = 0x40, 0x80
LEVELS = {1: "TRACE", 2: "DEBUG", 3: "INFO", 4: "WARN", 5: "ERROR", 6: "FATAL"}
OPS = {1: "spawn", 2: "wake", 3: "resume", 4: "yield", 5: "block", 6: "complete", 7: "name"}
MARKS = {UNFINISHED: "unfinished", CLAMPED: "clamped", REMOTE: "remote_parent",
         EXTERNAL: "external", BEGIN_LOST: "begin_lost"}
I64_MAX = (1 << 63) - 1


class Broken(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Broken(" ".join(str(w)[:300] for w in what))


def same(got, expected, *what):
    need(got == expected and type(got) is type(expected), *what, "is", repr(got), "expected",
         repr(expected))


def utf8(hex_text):
    """Any bytes as text; errors as U+FFFD, one per maximal part, as Unicode says."""
    return bytes.fromhex(hex_text).decode("utf-8", "replace")


def double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def same_double(got, expected):
    return isinstance(got, float) and struct.pack("<d", got) == struct.pack("<d", expected)


class Truth:
    def __init__(self, directory):
        with open(os.path.join(directory, "truth.json"), "rb") as f:
            self.__dict__.update(json.load(f))
        self.spans = [i for i in self.items if i["kind"] == "span"]
        self.events = [i for i in self.items if i["kind"] == "event"]
        self.plots = [i for i in self.items if i["kind"] == "plot"]
        self.frames = [i for i in self.items if i["kind"] == "frame"]
        self.tasks = [i for i in self.items if i["kind"] == "task"]
        self.losses = [i for i in self.items if i["kind"] == "loss"]

    def named(self, name):
        found = [s for s in self.spans if utf8(s["name"]) == name]
        need(found, "no fixture", name)
        return found[0]

    def on_own_track(self, s):
        return s["flags"] & (ASYNC | EXTERNAL) or s["thread"] != s["end_thread"]


# ---- what a value looks like in JSON ----

def check_json_value(got, v, u64_limit, what):
    kind, value = v["type"], v["value"]
    if kind == BOOL:
        same(got, value, what)
    elif kind == I64 or (kind == U64 and value <= u64_limit):
        same(got, value, what)
    elif kind == U64:
        same(got, str(value), what)
    elif kind == F64:
        value = double(value)
        if math.isfinite(value):
            need(same_double(got, value), what, got, value)
        else:
            same(got, "NaN" if value != value else "Infinity" if value > 0 else "-Infinity", what)
    elif kind == PTR:
        same(got, hex(value), what)
    elif kind == BYTES and not v["flags"] & REDACTED:
        same(got, value, what)
    else:
        same(got, utf8(value), what)


def no_constant(name):
    raise Broken("not JSON: " + name)


def no_twins(pairs):
    keys = [k for k, _ in pairs]
    need(len(keys) == len(set(keys)), "a key twice in one object:", keys)
    return dict(pairs)


def load_json(text):
    return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_twins)


# ---- Chrome JSON ----

OURS = {"src", "level", "links", "span_id", "trace_id", "parent_span_id", "message"}


def told_apart(name):
    """Attributes with a name of Oriel's get a prefix where both share an object."""
    return "attr." + name if name in OURS or name.startswith("oriel.") else name


class Chrome:
    """Every form of the file, read by a strict JSON reader."""

    def __init__(self, truth, directory):
        self.truth = truth
        self.files = {}
        for form in ("array", "object", "bare"):
            with open(os.path.join(directory, "chrome." + form), encoding="utf-8") as f:
                self.files[form] = load_json(f.read())
        self.metadata = self.files["object"]["metadata"]
        same(self.files["object"]["traceEvents"], self.files["array"][:-1], "object form")
        self.all = self.files["array"]
        self.by_id = {}
        for e in self.all:
            key = (e["ph"], e.get("args", {}).get("span_id"))
            if key[0] in "Xbi" and key[1] and "oriel.busy" not in e["args"]:
                need(key not in self.by_id, "twice:", key)
                self.by_id[key] = e
        self.ends = {e["id2"]["local"]: e for e in self.all if e["ph"] == "e"}
        meta = [e for e in self.all if e["ph"] == "M"]
        self.thread_names = {(e["pid"], e["tid"]): e["args"] for e in meta
                             if e["name"] == "thread_name"}
        self.process_names = {e["pid"]: e["args"] for e in meta if e["name"] == "process_name"}
        self.session = meta[0]["args"]
        self.summary = self.all[-1]["args"]

    def ns(self, text):
        return round(text * 1000)

    def span(self, s):
        phase = "b" if self.truth.on_own_track(s) else "X"
        need((phase, s["span_id"]) in self.by_id, "span missing:", s["span_id"], s["name"])
        return self.by_id[phase, s["span_id"]]

    def event(self, e):
        need(("i", e["span_id"]) in self.by_id, "event missing:", e["span_id"])
        return self.by_id["i", e["span_id"]]

    def check_thread(self, e, index):
        thread = self.truth.threads[index]
        named = self.thread_names.get((e["pid"], e["tid"]), {})
        same(named.get("os_tid", e["tid"]), thread["tid"], "tid")
        if thread["name"]:
            same(named.get("name"), utf8(thread["name"]), "thread name")
        process = self.truth.processes[thread["process"]]
        named = self.process_names[e["pid"]]
        same(named["name"], utf8(process["name"]), "process name")
        same(named.get("os_pid", e["pid"]), process["pid"], "pid")

    def attrs(self, e, args):
        for v in e["attrs"]:
            key = told_apart(utf8(v["key"]))
            need(key in args, "attribute missing:", repr(key))
            check_json_value(args[key], v, I64_MAX, key)

    # one function per promise

    def spans(self):
        for s in self.truth.spans:
            e = self.span(s)
            same(e["name"], utf8(s["name"]), "name")
            same(e["cat"], utf8(s["target"]), "target")
            start = s["end"] if s["flags"] & BEGIN_LOST else s["start"]
            same(self.ns(e["ts"]), start - self.truth.start, "start")
            if e["ph"] == "X":
                same(self.ns(e["dur"]), s["end"] - start, "duration")
            self.check_thread(e, s["thread"])

    def nesting(self):
        check_chrome_in_perfetto(self.truth, self.directory)

    def ids(self):
        for s in self.truth.spans:
            args = self.span(s)["args"]
            same(args["trace_id"], s["trace_id"], "trace id")
            same(args.get("parent_span_id", ""), s["parent_id"], "parent id")
        for e in self.truth.events:
            if e["trace_id"].strip("0"):
                same(self.event(e)["args"]["trace_id"], e["trace_id"], "trace id")

    def async_spans(self):
        for s in self.truth.spans:
            if not self.truth.on_own_track(s):
                continue
            b = self.span(s)
            e = self.ends[b["id2"]["local"]]
            same(self.ns(e["ts"]), s["end"] - self.truth.start, "end")
            self.check_thread(e, s["end_thread"])
            same((e["name"], e["cat"]), (b["name"], b["cat"]), "end of async span")
            if s["flags"] & ASYNC:
                same(b["args"]["oriel.busy_ns"], s["busy_ns"], "busy time")

    def busy(self):
        for s in self.truth.spans:
            found = [e for e in self.all if e["ph"] == "X" and "oriel.busy" in e["args"] and
                     e["args"]["span_id"] == s["span_id"]]
            same(len(found), len(s["busy"]), "stretches")
            for e, b in zip(found, s["busy"]):
                same(self.ns(e["ts"]), b["start"] - self.truth.start, "start of stretch")
                same(self.ns(e["dur"]), b["end"] - b["start"], "length of stretch")
                self.check_thread(e, b["thread"])

    def marks(self):
        for s in self.truth.spans:
            args = self.span(s)["args"]
            for flag, name in MARKS.items():
                same(args.get("oriel." + name, False), bool(s["flags"] & flag), name)
            same(args.get("otel.status_code"), (None, "OK", "ERROR")[s["status"]], "status")
            same(args.get("otel.status_description", ""), utf8(s["status_message"]), "status text")

    def dropped(self):
        for s in self.truth.spans:
            args = self.span(s)["args"]
            for ours, theirs in (("dropped_attrs", "attributes"), ("dropped_events", "events"),
                                 ("dropped_links", "links")):
                same(args.get("otel.dropped_%s_count" % theirs, 0), s[ours], ours)
            for v in s["attrs"]:
                if v["flags"] & TRUNCATED:
                    same(args["oriel.truncated"][utf8(v["key"])], v["full"], "truncated")

    def links(self):
        for s in self.truth.spans:
            got = self.span(s)["args"].get("links", [])
            same(got, [{"trace_id": k["trace_id"], "span_id": k["span_id"],
                        "kind": "follows_from" if k["follows_from"] else "link"}
                       for k in s["links"]], "links")

    def arrows(self):
        flows = [e for e in self.all if e["ph"] in "stf"]
        by_id = {}
        for e in flows:
            by_id.setdefault((e["name"], e["id"]), []).append(e)
        same(sorted(n for n, _ in by_id), ["link", "task"], "arrows")
        for (name, _), ends in by_id.items():
            same("".join(e["ph"] for e in ends), {"link": "sf", "task": "stf"}[name], "ends")

    def events(self):
        for e in self.truth.events:
            got = self.event(e)
            same(got["name"], utf8(e["name"]), "name")
            same(got["cat"], utf8(e["target"]), "target")
            same(got["args"]["level"], LEVELS[e["level"]], "level")
            same(got["args"].get("message", got["name"]), utf8(e["message"]), "message")
            same(self.ns(got["ts"]), e["t"] - self.truth.start, "time")
            self.check_thread(got, e["thread"])

    def values(self):
        for s in self.truth.spans:
            self.attrs(s, self.span(s)["args"])
        for e in self.truth.events:
            self.attrs(e, self.event(e)["args"])

    def source(self):
        for item in self.truth.spans + self.truth.events:
            got = (self.span(item) if item["kind"] == "span" else self.event(item))["args"]
            if item["file"]:
                same(got["src"], "%s:%d" % (utf8(item["file"]), item["line"]), "source")

    def plots(self):
        counters = [e for e in self.all if e["ph"] == "C"]
        same(len(counters), len(self.truth.plots), "plots")
        for got, plot in zip(counters, self.truth.plots):
            same(got["name"], utf8(plot["name"]), "name of plot")
            same(self.ns(got["ts"]), plot["t"] - self.truth.start, "time of plot")
            v = plot["attrs"][0]
            if v["type"] == BOOL:
                same(got["args"]["value"], int(v["value"]), "plot")
            else:
                check_json_value(got["args"]["value"], v, I64_MAX, plot["name"])

    def frames(self):
        got = [e for e in self.all if e["ph"] == "i" and "oriel.frame" in e["args"]]
        same([self.ns(e["ts"]) for e in got], [f["t"] - self.truth.start for f in self.truth.frames],
             "frames")

    def tasks(self):
        got = [e for e in self.all if e["ph"] == "i" and "task.op" in e["args"]]
        same(len(got), len(self.truth.tasks), "tasks")
        for e, t in zip(got, self.truth.tasks):
            same(e["args"]["task.op"], OPS[t["op"]], "operation")
            same(int(e["args"]["task.id"]), t["task"], "task")
            other = "task.parent" if t["op"] == 1 else "task.waker"
            same(int(e["args"][other]), t["other"], "other task")
            same(e["args"]["span_id"], t["span_id"], "span")
            self.check_thread(e, t["thread"])

    def losses(self):
        got = [e for e in self.all if e["name"] == "records lost"]
        same(len(got), len(self.truth.losses), "losses")
        for e, l in zip(got, self.truth.losses):
            same(e["args"]["count"], l["count"], "count")
            same(e["args"]["cause"], l["cause"], "cause")
            same(self.ns(e["ts"]), l["t"] - self.truth.start, "time")
            if l["thread"] is not None:
                self.check_thread(e, l["thread"])
            for place in (self.summary, self.metadata):
                same(place["lost"][l["cause"]], l["count"], "total")

    def threads(self):
        numbers = {(e["pid"], e["tid"]) for e in self.all if e["ph"] == "X" and
                   "oriel.busy" not in e["args"]}
        used = {s["thread"] for s in self.truth.spans if not self.truth.on_own_track(s)}
        same(len(numbers), len(used), "threads told apart")

    def session_(self):
        for place in (self.session, self.summary, self.metadata):
            same(place["session_id"], self.truth.session_id, "session")
            same(int(place["start_unix_ns"]), self.truth.start, "start")
            same(place["resource"], {k: utf8(v) for k, v in self.truth.resource.items()}, "resource")


# ---- trace_processor ----

def perfetto(path, *queries):
    """The rows of each query; ends the run as skipped when it is not installed."""
    run = subprocess.run(["node", TP, path, "-"], input=";\n".join(queries).encode(),
                         stdout=subprocess.PIPE, check=False)
    if run.returncode == 77:
        sys.exit(77)
    need(run.returncode == 0, "trace_processor failed on", path)
    return [json.loads(line) for line in run.stdout.splitlines()]


STATS = "select name, idx, value from stats where severity in ('error', 'data_loss') and value > 0"
SLICES = """select s.id, s.name, s.category, s.ts, s.dur, s.depth, s.parent_id, th.tid,
  th.name as thread, p.pid, p.name as process, s.arg_set_id from slice s
  left join thread_track t on t.id = s.track_id left join thread th using (utid)
  left join process p using (upid) order by s.id"""
ARGS = """select arg_set_id, flat_key, key, value_type, int_value, string_value, real_value
  from args order by id"""
FLOWS = """select a.name as a, b.name as b from flow f join slice a on a.id = f.slice_out
  join slice b on b.id = f.slice_in order by f.id"""


def check_depths(truth, slices, find):
    by_row = {row["id"]: row for row in slices}
    for s in truth.spans:
        if s["name"] != b"nested".hex():
            continue
        row = find(s)
        same(row["depth"], s["depth"], "depth")
        if s["parent_id"]:
            parent = next(p for p in truth.spans if p["span_id"] == s["parent_id"])
            same(by_row[row["parent_id"]]["id"], find(parent)["id"], "slice around it")


def check_chrome_in_perfetto(truth, directory):
    """Perfetto reads every form without complaint and sees the same slices."""
    for form in ("array", "object", "bare"):
        path = os.path.join(directory, "chrome." + form)
        stats, slices, flows, args = perfetto(path, STATS, SLICES, FLOWS, ARGS)
        same(stats, [], form)
        expected = sorted((s["end"] if s["flags"] & BEGIN_LOST else s["start"], s["end"])
                          for s in truth.spans)
        got = sorted((r["ts"], r["ts"] + r["dur"]) for r in slices)
        for start, end in expected:
            pair = (start - truth.start, end - truth.start)
            need(pair in got, form, "slice missing", pair)
            got.remove(pair)
        same(flows, [{"a": "linked to", "b": "links"}, {"a": "task", "b": "task"},
                     {"a": "task", "b": "task"}], "flows")
        if form == "bare":
            continue
        sets = {a["arg_set_id"]: a["string_value"] for a in args
                if a["flat_key"] == "args.span_id"}
        by_id = {sets.get(r["arg_set_id"]): r for r in slices}
        check_depths(truth, slices, lambda s: by_id[s["span_id"]])


class Perfetto:
    def __init__(self, truth, directory):
        self.truth = truth
        path = os.path.join(directory, "perfetto.default")
        self.stats, self.slices, args, self.flows, self.counters, self.meta = perfetto(
            path, STATS, SLICES, ARGS, FLOWS,
            """select t.name, c.ts, c.value from counter c join track t on t.id = c.track_id
               order by c.ts""",
            "select str_value from metadata where name = 'trace_uuid'")
        same(self.stats, [], "stats")
        same(perfetto(os.path.join(directory, "perfetto.bare"), STATS)[0], [], "stats of bare")
        sets = {}
        for a in args:
            sets.setdefault(a["arg_set_id"], []).append(a)
        self.by_id = {}
        for row in self.slices:
            row["list"] = sets.get(row["arg_set_id"], [])
            row["args"] = {a["flat_key"]: self.plain(a) for a in row["list"]}
            span = row["args"].get("debug.span_id")
            if span and "debug.oriel_busy" not in row["args"]:
                need(span not in self.by_id, "twice:", span)
                self.by_id[span] = row

    @staticmethod
    def plain(a):
        kind = a["value_type"]
        if kind == "string":
            return a["string_value"]
        if kind == "real":
            return a["real_value"]
        if kind == "bool":
            return bool(a["int_value"])
        if kind in ("uint", "pointer"):
            return a["int_value"] & (1 << 64) - 1
        return a["int_value"]

    @staticmethod
    def text(hex_text):
        return utf8(hex_text).replace("\0", "\u2400")

    def find(self, item):
        need(item["span_id"] in self.by_id, "missing:", item["span_id"], item["name"])
        return self.by_id[item["span_id"]]

    def note(self, row, key):
        return row["args"].get("debug." + key.replace(".", "_"))

    def check_thread(self, row, index):
        thread = self.truth.threads[index]
        if thread["name"]:
            same(row["thread"], self.text(thread["name"]), "thread name")
        if row["tid"] < 1 << 29:
            same(row["tid"], thread["tid"], "tid")
        else:
            need(any(t["tid"] == thread["tid"] for t in self.truth.threads[:index]), "made-up tid")
        process = self.truth.processes[thread["process"]]
        same(row["process"], self.text(process["name"]), "process name")

    def spans(self):
        for s in self.truth.spans:
            row = self.find(s)
            start = s["end"] if s["flags"] & BEGIN_LOST else s["start"]
            same(row["name"], self.text(s["name"]), "name")
            same(row["category"], self.text(s["target"]), "target")
            same(row["ts"], start, "start")
            same(row["dur"], s["end"] - start, "duration")
            if not self.truth.on_own_track(s):
                self.check_thread(row, s["thread"])

    def nesting(self):
        check_depths(self.truth, self.slices, self.find)

    def ids(self):
        for s in self.truth.spans:
            row = self.find(s)
            same(self.note(row, "trace_id"), s["trace_id"], "trace id")
            same(self.note(row, "parent_span_id") or "", s["parent_id"], "parent id")

    def async_spans(self):
        for s in self.truth.spans:
            if self.truth.on_own_track(s):
                row = self.find(s)
                same(row["tid"], None, "own track")
                same(row["depth"], 0, "own track")
                if s["flags"] & ASYNC:
                    same(self.note(row, "oriel.busy_ns"), s["busy_ns"], "busy time")

    def busy(self):
        for s in self.truth.spans:
            found = [r for r in self.slices if "debug.oriel_busy" in r["args"] and
                     self.note(r, "span_id") == s["span_id"]]
            same(len(found), len(s["busy"]), "stretches")
            for row, b in zip(found, s["busy"]):
                same((row["ts"], row["ts"] + row["dur"]), (b["start"], b["end"]), "stretch")
                self.check_thread(row, b["thread"])

    def marks(self):
        for s in self.truth.spans:
            row = self.find(s)
            for flag, name in MARKS.items():
                same(bool(self.note(row, "oriel." + name)), bool(s["flags"] & flag), name)
            same(self.note(row, "otel.status_code"), (None, "OK", "ERROR")[s["status"]], "status")
            same(self.note(row, "otel.status_description") or "", self.text(s["status_message"]),
                 "status text")

    def dropped(self):
        for s in self.truth.spans:
            row = self.find(s)
            for ours, theirs in (("dropped_attrs", "attributes"), ("dropped_events", "events"),
                                 ("dropped_links", "links")):
                same(self.note(row, "otel.dropped_%s_count" % theirs) or 0, s[ours], ours)
            for v in s["attrs"]:
                if v["flags"] & TRUNCATED:
                    same(row["args"]["debug.oriel_truncated." + self.text(v["key"])], v["full"],
                         "truncated")

    def links(self):
        for s in self.truth.spans:
            row = self.find(s)
            for i, k in enumerate(s["links"]):
                got = {a["key"]: self.plain(a) for a in row["list"]}
                at = "debug.links[%d]." % i
                same(got[at + "trace_id"], k["trace_id"], "trace id of link")
                same(got[at + "span_id"], k["span_id"], "span id of link")
                same(got[at + "kind"], "follows_from" if k["follows_from"] else "link", "kind")

    def arrows(self):
        same(self.flows, [{"a": "linked to", "b": "links"}, {"a": "task", "b": "task"},
                          {"a": "task", "b": "task"}], "flows")

    def events(self):
        for e in self.truth.events:
            row = self.find(e)
            same(row["name"], self.text(e["name"]), "name")
            same(row["category"], self.text(e["target"]), "target")
            same(self.note(row, "level"), LEVELS[e["level"]], "level")
            message = self.note(row, "message")
            same(row["name"] if message is None else message, self.text(e["message"]), "message")
            same((row["ts"], row["dur"]), (e["t"], 0), "time")
            self.check_thread(row, e["thread"])

    def values(self):
        for item in self.truth.spans + self.truth.events:
            row = self.find(item)
            # In a nested message a name has its dots and brackets replaced.
            for v in item["attrs"]:
                key = "debug." + re.sub(r"[.\[\]]", "_", told_apart(self.text(v["key"])))
                mine = [a for a in row["list"] if a["flat_key"] == key]
                need(mine, "attribute missing:", repr(key))
                self.check_value(mine[-1], v, key)

    def check_value(self, a, v, key):
        types = {BOOL: "bool", I64: "int", U64: "uint", F64: "real", STR: "string",
                 BYTES: "string", PTR: "pointer"}
        same(a["value_type"], types[v["type"]], "type of", key)
        got = self.plain(a)
        if v["type"] == F64:
            value = double(v["value"])
            if isinstance(got, str):
                got = float(got)
            need(got is None if value != value else same_double(got, value), key, got, value)
        elif v["type"] == STR or (v["type"] == BYTES and v["flags"] & REDACTED):
            same(got, self.text(v["value"]), key)
        else:
            same(got, v["value"], key)

    def source(self):
        for item in self.truth.spans + self.truth.events:
            args = self.find(item)["args"]
            # Perfetto shows every separator as a slash.
            same(args["source.file_name"] or "", self.text(item["file"]).replace("\\", "/"), "file")
            same(args["source.line_number"], item["line"], "line")
            same(args["source.function_name"], self.text(item["function"]), "function")

    def plots(self):
        same(len(self.counters), len(self.truth.plots), "plots")
        for got, plot in zip(self.counters, self.truth.plots):
            v = plot["attrs"][0]
            value = double(v["value"]) if v["type"] == F64 else float(v["value"])
            same((got["name"], got["ts"]), (self.text(plot["name"]), plot["t"]), "plot")
            if value != value:
                same(got["value"], None, "NaN")
            else:
                same(float(got["value"]), value, "plot")

    def frames(self):
        got = [r["ts"] for r in self.slices if r["name"] == "frame"]
        same(got, [f["t"] for f in self.truth.frames], "frames")

    def tasks(self):
        got = [r for r in self.slices if self.note(r, "task.op")]
        same(len(got), len(self.truth.tasks), "tasks")
        for row, t in zip(got, self.truth.tasks):
            same(self.note(row, "task.op"), OPS[t["op"]], "operation")
            same(self.note(row, "task.id"), t["task"], "task")
            other = "task.parent" if t["op"] == 1 else "task.waker"
            same(self.note(row, other), t["other"], "other task")
            same(self.note(row, "span_id"), t["span_id"], "span")
            self.check_thread(row, t["thread"])

    def losses(self):
        got = [r for r in self.slices if r["name"] == "records lost"]
        same(len(got), len(self.truth.losses), "losses")
        summary = next(r for r in self.slices if r["name"] == "summary")
        for row, l in zip(got, self.truth.losses):
            same(self.note(row, "count"), l["count"], "count")
            same(self.note(row, "cause"), l["cause"], "cause")
            same(row["ts"], l["t"], "time")
            same(summary["args"]["debug.lost: " + l["cause"]], l["count"], "total")

    def threads(self):
        numbers = {r["tid"] for r in self.slices if r["name"] == "on a thread"}
        same(len(numbers), len(self.truth.threads) - 2, "threads told apart")

    def session_(self):
        row = next(r for r in self.slices if r["name"] == "session")
        same(self.note(row, "session_id"), self.truth.session_id, "session")
        same(self.meta[0]["str_value"].replace("-", ""), self.truth.session_id, "trace uuid")
        for key, value in self.truth.resource.items():
            same(self.note(row, key), self.text(value), "resource")


# ---- logs ----

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
    import datetime
    day = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return day.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (ns % 10**9)


class LogText:
    """Lines for people, taken apart and unescaped again, byte for byte."""

    ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"'}
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
        at, got = 0, b""
        token = re.compile(rb"\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}|\\.|.", re.S)
        while got != expected:
            m = token.match(text, at)
            need(m and expected.startswith(got), "text", text[:80], "expected", expected[:80])
            got += self.unescape(m.group(0)) if m.group(0) != b'"' else b'"'
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


# ---- capture ----

class Capture:
    """Records go in and come out word for word; items are made from them later."""

    def __init__(self, truth, directory):
        self.pairs = []
        for written, read in (("records.json", "capture.default.read.json"),
                              ("types.json", "capture.types.read.json")):
            both = []
            for name in (written, read):
                with open(os.path.join(directory, name), "rb") as f:
                    both.append(json.load(f))
            need(both[0], "no records")
            self.pairs.append(both)
        types = {r["type"] for r in self.pairs[1][0]}
        same(types, set(range(1, 21)), "types of records")

    def all(self):
        for written, read in self.pairs:
            same(len(read), len(written), "records")
            for got, expected in zip(read, written):
                same(got, expected, "record")

    def __getattr__(self, name):
        return self.all


# ---- promises ----

NO_LOG = "no: not a log"
RECORDS = "yes, as the records they are made of"
PROMISES = [
    # what, function, {column: exception}
    ("Spans: name, target, start and end to the nanosecond, thread, process", "spans",
     {"log text": "yes, as end and duration"}),
    ("Nesting, also of spans that begin or end in the same nanosecond", "nesting",
     {"log json": "no: by parent_span_id", "log text": "no: by parent_span_id"}),
    ("Trace, span and parent id", "ids", {}),
    ("Async spans, spans with given times, spans ended on another thread", "async_spans",
     {"log json": "yes, with busy time", "log text": "no: duration only"}),
    ("Stretches of async spans on their threads", "busy",
     {"log json": "no: their sum", "log text": "no"}),
    ("Status; unfinished, clamped, begin lost, remote parent, external", "marks",
     {"log text": "yes, without remote parent and external"}),
    ("Dropped attributes, events and links; length before truncation", "dropped",
     {"log text": "no: dropped attributes only"}),
    ("Links and follows-from", "links", {"log text": "no"}),
    ("Arrows from linked spans, from spawn and wake to resume", "arrows",
     {"capture": "no: drawn by the reader", "log json": NO_LOG, "log text": NO_LOG}),
    ("Events and logs: message, level, target, time, thread", "events",
     {"log text": "yes, without thread (pretty has it)"}),
    ("Values of every type with all their digits; 200 nasty texts; 1 MiB; 10,000 attributes",
     "values",
     {"chrome": "yes; u64 beyond 2^63 as text, NaN and infinities as text, bytes as hex",
      "perfetto": "yes; NaN shown as null, a NUL as U+2400, dots and brackets in names as _",
      "log json": "yes; NaN and infinities as text, bytes as hex", "log text": "yes, escaped",
      "capture": "yes; up to 4 KiB a text and 8 KiB a record, as the wire has it"}),
    ("Source location", "source", {"log text": "no (pretty has it)"}),
    ("Plots", "plots", {"log json": NO_LOG, "log text": NO_LOG,
                        "perfetto": "yes, as doubles or int64"}),
    ("Frame marks", "frames", {"log json": NO_LOG, "log text": NO_LOG}),
    ("Task life", "tasks", {"log json": NO_LOG, "log text": NO_LOG}),
    ("Losses by cause, where they happened", "losses", {}),
    ("Reused pids and tids told apart", "threads",
     {"log json": "no: the kernel's numbers", "log text": "no"}),
    ("Session, start, resource", "session_", {"log json": "no", "log text": "no"}),
]
COLUMNS = {"capture": Capture, "chrome": Chrome, "perfetto": Perfetto, "log json": LogJson,
           "log text": LogText}
OUTLETS = {"capture": ["capture"], "chrome": ["chrome"], "perfetto": ["perfetto"],
           "log": ["log json", "log text"]}


def cell(column, exceptions):
    return exceptions.get(column, RECORDS if column == "capture" else "yes")


def check(outlet, directory):
    truth = Truth(directory)
    broken = 0
    need(outlet in OUTLETS, "no checks for outlet", outlet)
    for column in OUTLETS[outlet]:
        reader = COLUMNS[column](truth, directory)
        reader.directory = directory
        for what, function, exceptions in PROMISES:
            if cell(column, exceptions).startswith("no"):
                continue
            try:
                getattr(reader, function)()
            except (Broken, KeyError, IndexError, ValueError, TypeError, StopIteration) as e:
                print("BROKEN  %s: %s: %s: %s" % (column, what, type(e).__name__, e))
                broken += 1
            else:
                print("kept    %s: %s" % (column, what))
    return 1 if broken else 0


def docs(directory, path):
    with open(os.path.join(directory, "outlets.json"), "rb") as f:
        registered = json.load(f)
    need(sorted(registered) == sorted(OUTLETS), "outlets without checks:", registered)
    lines = [
        "# What each outlet carries",
        "",
        "Made by tests/conformance/check.py, which finds everything that says yes again in the",
        "outlet's own file with a reader that is not ours; do not edit.",
        "",
        "| | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for what, _, exceptions in PROMISES:
        lines.append("| %s | %s |" % (what, " | ".join(cell(c, exceptions) for c in COLUMNS)))
    text = "\n".join(lines) + "\n"
    if os.environ.get("ORIEL_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return 0
    with open(path, encoding="utf-8") as f:
        need(f.read() == text, path, "is not what the promises say; ORIEL_GOLDEN=write makes it")
    return 0


def main(args):
    try:
        if len(args) == 3 and args[0] == "docs":
            return docs(args[1], args[2])
        if len(args) == 2:
            return check(args[0], args[1])
    except Broken as e:
        print("BROKEN ", e)
        return 1
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
