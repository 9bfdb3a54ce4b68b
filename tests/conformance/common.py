# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the readers share: the truth, comparison, trace_processor."""
import json
import math
import os
import struct
import subprocess

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


class Missing(Exception):
    """trace_processor is not installed."""


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


OURS = {"src", "level", "links", "span_id", "trace_id", "parent_span_id", "message"}


def told_apart(name):
    """Attributes with a name of Oriel's get a prefix where both share an object."""
    return "attr." + name if name in OURS or name.startswith("oriel.") else name


# ---- trace_processor ----

def perfetto(path, *queries):
    """The rows of each query."""
    try:
        run = subprocess.run(["node", TP, path, "-"], input=";\n".join(queries).encode(),
                             stdout=subprocess.PIPE, check=False)
    except FileNotFoundError:
        raise Missing("node is not installed") from None
    if run.returncode == 77:
        raise Missing("trace_processor is not installed")
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
