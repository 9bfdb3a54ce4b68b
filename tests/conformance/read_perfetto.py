# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Perfetto outlet, read by Perfetto's trace_processor."""
import os
import re

from common import (ARGS, ASYNC, BEGIN_LOST, BOOL, BYTES, F64, FLOWS, I64, LEVELS, MARKS, OPS, PTR,
                    REDACTED, SLICES, STATS, STR, TRUNCATED, U64, check_depths, double, need,
                    perfetto, same, same_double, told_apart, utf8)
from read_samples import CALLS


class Perfetto:
    def __init__(self, truth, directory):
        self.truth = truth
        path = os.path.join(directory, "perfetto.default")
        self.stats, self.slices, args, self.flows, self.counters, self.meta = perfetto(
            path, STATS, SLICES, ARGS, FLOWS,
            """select t.name, c.ts, c.value from counter c join track t on t.id = c.track_id
               where t.id not in (select id from perf_counter_track) order by c.ts""",
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

    def samples(self):
        rows, calls, frames, sessions = perfetto(
            os.path.join(self.directory, "perfetto.default"),
            """select s.ts, s.callsite_id, s.perf_session_id, th.tid from perf_sample s
               join thread th using (utid)""",
            "select id, parent_id, frame_id from stack_profile_callsite",
            """select f.id, f.name, f.rel_pc, m.name as module, m.build_id
               from stack_profile_frame f join stack_profile_mapping m on m.id = f.mapping""",
            "select count(distinct perf_session_id) as n from perf_sample")
        placed = [s for s in self.truth.samples if s["kind"] != CALLS]
        same(len(rows), len(placed), "samples")
        calls, frames = {c["id"]: c for c in calls}, {f["id"]: f for f in frames}
        by_time = {r["ts"]: r for r in rows}
        kinds = {}
        for s in placed:
            row = by_time[s["t"]]
            same(row["tid"], self.truth.threads[s["thread"]]["tid"], "thread")
            same(kinds.setdefault(s["kind"], row["perf_session_id"]), row["perf_session_id"],
                 "session of a kind")
            got, at = [], row["callsite_id"]
            while at is not None:
                f = frames[calls[at]["frame_id"]]
                address = f["rel_pc"] % (1 << 64)  # told as int64
                got.append((f["name"] or "", address, f["module"].lstrip("/"), f["build_id"]))
                at = calls[at]["parent_id"]
            expected = [(self.text(l["function"]), p["address"],
                         utf8(p["module"]).lstrip("/"), p["build_id"])
                        for p in s["stack"] for l in p["lines"] or [{"function": ""}]]
            same(got, expected, "stack")
        same(sessions[0]["n"], len(kinds), "sessions")

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
