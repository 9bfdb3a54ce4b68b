# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Chrome outlet, read by Python's json and by Perfetto."""
import os

from common import (ARGS, ASYNC, BEGIN_LOST, BOOL, FLOWS, I64_MAX, LEVELS, MARKS, OPS, SLICES, STATS,
                    TRUNCATED, check_depths, check_json_value, load_json, need, perfetto, same,
                    told_apart, utf8)


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
