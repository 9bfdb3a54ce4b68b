# SPDX-License-Identifier: MIT OR Apache-2.0
"""Outlets of samples: profile.proto by a reader of a few lines, JSON by Python's."""
import collections
import gzip
import os

from common import load_json, need, same, utf8

# By enum oriel_sample_kind: what a profile calls count and weight.
TYPES = {1: ("samples/count", "cpu/nanoseconds"), 2: ("waits/count", "off_cpu/nanoseconds"),
         3: ("alloc_objects/count", "alloc_space/bytes"),
         4: ("free_objects/count", "free_space/bytes"),
         5: ("contentions/count", "delay/nanoseconds"),
         6: ("fault_samples/count", "page_faults/count"),
         7: ("preemptions/count", "preempted/nanoseconds"),
         8: ("wakes/count", "wait_ended/nanoseconds"),
         9: ("deeper/count", "stack_depth/bytes"),
         10: ("held/count", "held_delay/nanoseconds"),
         11: ("inuse_objects/count", "inuse_space/bytes"),
         12: ("temporary_objects/count", "temporary_space/bytes"),
         13: ("peak_objects/count", "peak_space/bytes"),
         14: ("condition_waits/count", "condition_delay/nanoseconds"),
         15: ("calls/count", "call_time/nanoseconds")}
CALLS = 15  # sums: outlets with a timeline leave them out


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """{number: [values]}; strings and messages are bytes."""
    out, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            same(tag & 7, 2, "wire type")
            size, at = varint(data, at)
            value = data[at:at + size]
            same(len(value), size, "length of a field")
            at += size
        out[tag >> 3].append(value)
    return out


def packed(values):
    out = []
    for data in values:
        at = 0
        while at < len(data):
            value, at = varint(data, at)
            out.append(value)
    return out


class Profile:
    """Rows of (stack, values, labels) as a reader of pprof sees them."""

    def __init__(self, data):
        message = fields(data)
        self.text = [s.decode("utf-8") for s in message[6]]  # strict: strings are UTF-8
        same(self.text[0], "", "string 0")
        same(len(set(self.text)), len(self.text), "strings told once")
        one = lambda m, field: (m[field] or [0])[0]
        self.types = []
        for m in map(fields, message[1]):
            self.types.append(self.text[one(m, 1)] + "/" + self.text[one(m, 2)])
        functions = {}
        for m in map(fields, message[5]):
            functions[one(m, 1)] = (self.text[one(m, 2)], self.text[one(m, 3)],
                                    self.text[one(m, 4)], one(m, 5))
        need(0 not in functions, "function 0")
        mappings = {}
        for m in map(fields, message[3]):
            mappings[one(m, 1)] = (self.text[one(m, 5)], self.text[one(m, 6)], one(m, 7))
        need(0 not in mappings, "mapping 0")
        self.first_mapping = self.text[one(fields(message[3][0]), 5)]
        places = {}
        for m in map(fields, message[4]):
            lines = [functions[one(l, 1)] + (one(l, 2), one(l, 3)) for l in map(fields, m[4])]
            places[one(m, 1)] = (one(m, 3),) + mappings[one(m, 2)] + (tuple(lines),)
        self.rows = []
        for m in map(fields, message[2]):
            labels = {}
            for l in map(fields, m[3]):
                labels[self.text[one(l, 1)]] = self.text[one(l, 2)] if l[2] else one(l, 3)
            values = packed(m[2])
            same(len(values), len(self.types), "values of a sample")
            self.rows.append((tuple(places[i] for i in packed(m[1])), values, labels))
        self.time, self.duration = one(message, 9), one(message, 10)
        self.comments = [self.text[i] for i in message[13]]
        self.default = self.text[one(message, 14)]
        need(one(message, 12) > 0, "no period")


class Pprof:
    def __init__(self, truth, directory):
        self.truth = truth
        with gzip.open(os.path.join(directory, "pprof.default")) as f:
            self.plain = Profile(f.read())
        with open(os.path.join(directory, "pprof.spans"), "rb") as f:
            self.spans = Profile(f.read())

    def stack_of(self, sample):
        resolved = {p["module"] for s in self.truth.samples for p in s["stack"] if p["lines"]}
        stack = []
        for p in sample["stack"]:
            lines = tuple((utf8(l["function"]), utf8(l["linkage"] or l["function"]),
                           utf8(l["file"]), l["start"], l["line"], l["column"])
                          for l in p["lines"])
            stack.append((p["address"], utf8(p["module"]), p["build_id"],
                          int(p["module"] in resolved), lines))
        return tuple(stack)

    def expected(self, with_ids):
        rows = collections.defaultdict(lambda: collections.Counter())
        for s in self.truth.samples:
            thread = self.truth.threads[s["thread"]]
            labels = {"thread_id": thread["tid"]}
            if thread["name"]:
                labels["thread_name"] = utf8(thread["name"])
            if len(self.truth.processes) > 1:
                labels["process_id"] = self.truth.processes[thread["process"]]["pid"]
            if s["span_name"]:
                labels["span_name"] = utf8(s["span_name"])
            if with_ids and s["span_id"]:
                labels["span_id"], labels["trace_id"] = s["span_id"], s["trace_id"]
            row = rows[self.stack_of(s), tuple(sorted(labels.items()))]
            for name, value in zip(TYPES[s["kind"]], (s["count"], s["weight"])):
                row[name] += value
        return rows

    def samples(self):
        for profile, with_ids in ((self.plain, False), (self.spans, True)):
            got = collections.defaultdict(lambda: collections.Counter())
            for stack, values, labels in profile.rows:
                row = got[stack, tuple(sorted(labels.items()))]
                for name, value in zip(profile.types, values):
                    if value:
                        row[name] += value
            expected = self.expected(with_ids)
            same(len(got), len(expected), "rows")
            for key, row in expected.items():
                same(dict(got.get(key, {})), dict(row), "row", key)
            same(profile.types, [t for k in sorted(TYPES) for t in TYPES[k]], "sample types")
            same(profile.default, "cpu", "default")


def named(p):
    """What stands for a place that nobody could resolve."""
    path = utf8(p["module"])
    base = path.split("/")[-1]
    return base if base.startswith("[") else "[%s]" % base


def places(sample):
    """(place, line or None, depth inlined), the outermost first."""
    out = []
    for p in reversed(sample["stack"]):
        if not p["lines"]:
            out.append((p, None, 0))
        out += [(p, l, k) for k, l in enumerate(reversed(p["lines"]))]
    return out


class Folded:
    """The stacks of CPU time; names as they are but for what means something there."""

    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "folded.default"), "rb") as f:
            self.text = f.read().decode("utf-8", "surrogateescape")

    def samples(self):
        got = {}
        need(self.text.endswith("\n"), "no end of the last line")
        for line in self.text[:-1].split("\n"):
            stack, weight = line.rsplit(" ", 1)
            need(stack not in got, "told twice:", stack)
            got[stack] = int(weight)
        same(sorted(got), list(got), "order") if self.text.isascii() else None
        expected = collections.Counter()
        for s in self.truth.samples:
            if s["kind"] != 1:
                continue
            names = []
            for p, l, depth in places(s):
                name = bytes.fromhex(l["function"]).decode("utf-8", "surrogateescape") if l \
                    else named(p)
                name = name.replace(";", ":")
                for c in "\n\r\0":
                    name = name.replace(c, " ")
                kernel = utf8(p["module"]) == "[kernel]"
                names.append(name + ("_[k]" if kernel else "_[i]" if depth else ""))
            expected[";".join(names) or "[unknown]"] += s["weight"]
        same(got, dict(expected), "stacks")


class Callgrind:
    """Self and inclusive cost of every function, as readers of the format add them up."""

    EVENTS = ["", "Cpu_ns", "OffCpu_ns", "Alloc_bytes", "Free_bytes", "Lock_ns", "Faults",
              "Preempted_ns", "Wake_ns", "Depth_bytes", "Holder_ns",
              "Live_bytes", "Temporary_bytes", "Peak_bytes", "Condition_ns", "Time_ns"]

    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "callgrind.default"), "rb") as f:
            self.lines = f.read().decode("utf-8", "surrogateescape").split("\n")

    def read(self):
        names = {"ob": {}, "fl": {}, "fn": {}}
        at, own, total, called = {}, collections.Counter(), collections.Counter(), None
        events = []
        for line in self.lines:
            key, _, value = line.partition("=")
            if key in ("ob", "fl", "fn", "cob", "cfi", "cfn"):
                table = names[{"cob": "ob", "cfi": "fl", "cfn": "fn"}.get(key, key)]
                number, _, name = value.partition(" ")
                if name:
                    need(number not in table, "told twice", line)
                    table[number] = name
                at[key] = table[number]
            elif key == "calls":
                called = at["cfn"]
            elif line.startswith("events:"):
                events = line.split()[1:]
            elif line[:1].isdigit():
                position, *costs = [int(n) for n in line.split()]
                same(len(costs), len(events), "costs")
                function = at["ob"], at["fl"], at["fn"]
                for event, cost in zip(events, costs):
                    total[function, event] += cost
                    if called is None:
                        own[function, position, event] += cost
                called = None
        sums = [line.split()[1:] for line in self.lines
                if line.startswith("summary:") or line.startswith("totals:")]
        same(len(sums), 2, "sums")
        same(sums[0], sums[1], "sums")
        for event, n in zip(events, sums[0]):
            same(sum(v for k, v in own.items() if k[2] == event), int(n), "sum of", event)
        return own, total

    def samples(self):
        def text(raw):
            return "".join(" " if ord(c) < 32 or ord(c) == 127 else c
                           for c in bytes.fromhex(raw).decode("utf-8", "surrogateescape"))
        own, total = collections.Counter(), collections.Counter()
        for s in self.truth.samples:
            event = self.EVENTS[s["kind"]]
            stack = []
            for p, l, _ in places(s):
                name = (text(l["function"]), text(l["file"]) or "???") if l else (named(p), "???")
                stack.append(((text(p["module"]), name[1], name[0]), l["line"] if l else 0))
            stack = stack or [(("[unknown]", "???", "[unknown]"), 0)]
            own[stack[-1] + (event,)] += s["weight"]
            for function in {f for f, _ in stack}:
                total[function, event] += s["weight"]
        got = self.read()
        same({k: v for k, v in got[0].items() if v}, dict(own), "self cost")
        same({k: v for k, v in got[1].items() if v}, dict(total), "inclusive cost")


class Firefox:
    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "firefox.default"), encoding="utf-8") as f:
            self.whole = load_json(f.read())
        with open(os.path.join(directory, "firefox.samples"), encoding="utf-8") as f:
            self.file = load_json(f.read())

    def spans(self):
        first = min(i["start"] for i in self.truth.spans)
        begin = round(self.whole["meta"]["startTime"] * 1000000)
        need(abs(begin - first) < 1000 or begin < first, "start", begin, first)
        got, expected = collections.Counter(), collections.Counter()
        for thread in self.whole["threads"]:
            m, texts = thread["markers"], thread["stringArray"]
            for i in range(m["length"]):
                if m["phase"][i] == 1:
                    got[texts[m["name"][i]], m["data"][i]["target"], thread["pid"], thread["tid"],
                        round((m["endTime"][i] - m["startTime"][i]) * 1000000)] += 1
        for s in self.truth.spans:
            thread = self.truth.threads[s["thread"]]
            expected[utf8(s["name"]), utf8(s["target"]),
                     str(self.truth.processes[thread["process"]]["pid"]), thread["tid"],
                     s["end"] - s["start"]] += 1
        same(got, expected, "spans")

    def rows(self, thread):
        """(time in ns, weight, ((function, file, line, column, depth), ...))"""
        texts = thread["stringArray"]
        tables = {}
        for name in ("samples", "stackTable", "frameTable", "funcTable", "resourceTable"):
            tables[name] = table = thread[name]
            for column, values in table.items():
                if isinstance(values, list):
                    same(len(values), table["length"], "length of", name, column)
        stacks, frames, functions = (tables[n] for n in ("stackTable", "frameTable", "funcTable"))
        s = tables["samples"]
        scale = 1000000 if s["weightType"] == "tracing-ms" else 1
        same(s["time"], sorted(s["time"]), "times")
        for t, weight, at in zip(s["time"], s["weight"], s["stack"]):
            stack = []
            while at is not None:
                frame = stacks["frame"][at]
                f = frames["func"][frame]
                file = functions["fileName"][f]
                stack.append((texts[functions["name"][f]], texts[file] if file is not None else "",
                              frames["line"][frame] or 0, frames["column"][frame] or 0,
                              frames["inlineDepth"][frame]))
                need(stacks["prefix"][at] is None or stacks["prefix"][at] < at, "prefix")
                at = stacks["prefix"][at]
            yield round(t * 1000000), round(weight * scale), tuple(reversed(stack))

    def samples(self):
        expected = collections.defaultdict(list)
        begin = round(self.file["meta"]["startTime"] * 1000000)
        placed = [s for s in self.truth.samples if s["kind"] != CALLS]
        first = min(s["t"] for s in placed)
        need(abs(begin - first) < 1000, "start", begin, first)
        for s in placed:
            thread = self.truth.threads[s["thread"]]
            name = utf8(thread["name"] or self.truth.processes[thread["process"]]["name"])
            if s["kind"] != 1:
                name += ": " + Speedscope.KINDS[s["kind"]]
            stack = tuple((utf8(l["function"]), utf8(l["file"]), l["line"], l["column"], depth)
                          if l else (named(p), "", 0, 0, 0) for p, l, depth in places(s))
            expected[name, thread["tid"]].append(
                (s["t"] - first, s["weight"], stack or (("[unknown]", "", 0, 0, 0),)))
        got = {(t["name"], t["tid"]): list(self.rows(t)) for t in self.file["threads"]}
        same(sorted(got), sorted(expected), "tracks")
        for key, rows in expected.items():
            same(got[key], rows, "samples of", key)


class Speedscope:
    KINDS = ["", "cpu", "off-cpu", "alloc", "free", "lock", "fault", "preempted",
             "wake", "depth", "holder", "live", "temporary", "peak", "condition",
             "calls"]
    UNITS = ["", "nanoseconds", "nanoseconds", "bytes", "bytes", "nanoseconds", "none",
             "nanoseconds", "nanoseconds", "bytes", "nanoseconds", "bytes", "bytes", "bytes",
             "nanoseconds", "nanoseconds"]

    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "speedscope.default"), encoding="utf-8") as f:
            self.file = load_json(f.read())

    def frames(self, sample):
        """(function, file, line it starts on), the outermost first."""
        out = []
        for p in reversed(sample["stack"]):
            path = utf8(p["module"])
            if not p["lines"]:
                base = path.split("/")[-1]
                out.append((base if base.startswith("[") else "[%s]" % base, path, 0))
            out += [(utf8(l["function"]), utf8(l["file"]), l["start"]) for l in reversed(p["lines"])]
        return out or [("[unknown]", "", 0)]

    def samples(self):
        expected = collections.defaultdict(list)
        for s in self.truth.samples:
            thread = self.truth.threads[s["thread"]]
            name = thread["name"] or self.truth.processes[thread["process"]]["name"]
            rows = expected["%s: %s (%d)" % (self.KINDS[s["kind"]], utf8(name), thread["tid"]),
                            self.UNITS[s["kind"]]]
            rows.append((self.frames(s), s["weight"]))
        shared = [(f["name"], f.get("file", ""), f.get("line", 0))
                  for f in self.file["shared"]["frames"]]
        same(len(set(shared)), len(shared), "frames told once")
        profiles = {(p["name"], p["unit"]): p for p in self.file["profiles"]}
        same(sorted(profiles), sorted(expected), "profiles")
        for key, rows in expected.items():
            p = profiles[key]
            got = [([shared[i] for i in s], w) for s, w in zip(p["samples"], p["weights"])]
            same(len(p["weights"]), len(p["samples"]), "weights")
            same((p["startValue"], p["endValue"]), (0, sum(w for _, w in rows)), "values")
            same(got, merged(rows), "samples of", key)


def merged(rows):
    """Equal neighbours are one."""
    out = []
    for stack, weight in rows:
        if out and out[-1][0] == stack:
            out[-1] = (stack, out[-1][1] + weight)
        else:
            out.append((stack, weight))
    return out
