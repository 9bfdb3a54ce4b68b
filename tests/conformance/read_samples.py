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
         10: ("held/count", "held_delay/nanoseconds")}


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


class Speedscope:
    KINDS = ["", "cpu", "off-cpu", "alloc", "free", "lock", "fault", "preempted",
             "wake", "depth", "holder"]
    UNITS = ["", "nanoseconds", "nanoseconds", "bytes", "bytes", "nanoseconds", "none",
             "nanoseconds", "nanoseconds", "bytes", "nanoseconds"]

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
