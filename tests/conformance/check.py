#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds every promised thing again in what the outlets wrote (L-06).

  check.py OUTLET DIR [FUNCTION...]
                               read the files of an outlet in DIR against DIR/truth.json
  check.py docs DIR FILE       FILE is the table of promises; ORIEL_GOLDEN=write writes it

The readers know nothing of Oriel: json of Python, trace_processor of Perfetto,
a reader of text lines. Exit 0 kept, 1 broken, 77 trace_processor is missing.
"""
import json
import os
import sys

sys.dont_write_bytecode = True  # the tree stays as it is

from common import Broken, Missing, Truth, need, same
from read_chrome import Chrome
from read_log import LogJson, LogText
from read_otlp import OtlpJson, OtlpProtobuf
from read_perf import Perf
from read_perfetto import Perfetto
from read_samples import Callgrind, Firefox, Folded, Pprof, Speedscope


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
NO_TRACE = "no: neither trace nor log"
RECORDS = "yes, as the records they are made of"
PROMISES = [
    # what, function, {column: exception}
    ("Spans: name, target, start and end to the nanosecond, thread, process", "spans",
     {"log text": "yes, as end and duration", "firefox": "yes, as markers"}),
    ("Nesting, also of spans that begin or end in the same nanosecond", "nesting",
     {"log json": "no: by parent_span_id", "log text": "no: by parent_span_id",
      "otlp json": "no: by parentSpanId", "otlp protobuf": "no: by parentSpanId"}),
    ("Trace, span and parent id", "ids", {}),
    ("Async spans, spans with given times, spans ended on another thread", "async_spans",
     {"log json": "yes, with busy time", "log text": "no: duration only",
      "otlp json": "yes, with busy time", "otlp protobuf": "yes, with busy time"}),
    ("Stretches of async spans on their threads", "busy",
     {"log json": "no: their sum", "log text": "no",
      "otlp json": "no: their sum", "otlp protobuf": "no: their sum"}),
    ("Status; unfinished, clamped, begin lost, remote parent, external", "marks",
     {"log text": "yes, without remote parent and external"}),
    ("Dropped attributes, events and links; length before truncation", "dropped",
     {"log text": "no: dropped attributes only",
      "otlp json": "yes, without the length", "otlp protobuf": "yes, without the length"}),
    ("Links and follows-from", "links", {"log text": "no"}),
    ("Arrows from linked spans, from spawn and wake to resume", "arrows",
     {"capture": "no: drawn by the reader", "log json": NO_LOG, "log text": NO_LOG,
      "otlp json": "no: drawn by the reader", "otlp protobuf": "no: drawn by the reader"}),
    ("Events and logs: message, level, target, time, thread", "events",
     {"log text": "yes, without thread (pretty has it)",
      "otlp json": "yes, as log records, and in their spans", "otlp protobuf": "yes, as log records, and in their spans"}),
    ("Values of every type with all their digits; 200 nasty texts; 1 MiB; 10,000 attributes",
     "values",
     {"chrome": "yes; u64 beyond 2^63 as text, NaN and infinities as text, bytes as hex",
      "perfetto": "yes; NaN shown as null, a NUL as U+2400, dots and brackets in names as _",
      "log json": "yes; NaN and infinities as text, bytes as hex", "log text": "yes, escaped",
      "capture": "yes; up to 4 KiB a text and 8 KiB a record, as the wire has it",
      "otlp json": "yes; u64 beyond 2^63 and addresses as text", "otlp protobuf": "yes; u64 beyond 2^63 and addresses as text"}),
    ("Source location", "source", {"log text": "no (pretty has it)"}),
    ("Plots", "plots", {"log json": NO_LOG, "log text": NO_LOG,
                        "perfetto": "yes, as doubles or int64",
      "otlp json": NO_TRACE, "otlp protobuf": NO_TRACE}),
    ("Frame marks", "frames", {"log json": NO_LOG, "log text": NO_LOG,
      "otlp json": NO_TRACE, "otlp protobuf": NO_TRACE}),
    ("Task life", "tasks", {"log json": NO_LOG, "log text": NO_LOG,
      "otlp json": NO_TRACE, "otlp protobuf": NO_TRACE}),
    ("Losses by cause, where they happened", "losses", {}),
    ("Reused pids and tids told apart", "threads",
     {"log json": "no: the kernel's numbers", "log text": "no",
      "otlp json": "no: the kernel's numbers", "otlp protobuf": "no: the kernel's numbers"}),
    ("Session, start, resource", "session_", {"log json": "no", "log text": "no",
      "otlp json": "yes, the resource", "otlp protobuf": "yes, the resource"}),
    ("Samples: functions, lines and inlined calls of each stack; weight, thread, span", "samples",
     {"chrome": "no", "perfetto": "yes, without lines and spans", "log json": NO_LOG, "log text": NO_LOG,
      "pprof": "yes, summed up",
      "speedscope": "yes, without lines of calls and spans",
      "firefox": "yes, with every time; spans as markers beside them",
      "callgrind": "yes, summed up by function and line; without threads and spans",
      "folded": "yes, summed up; names only, one kind a file",
      "perf": "yes, one by one, as addresses: the reader finds functions and lines; without spans",
      "otlp json": NO_TRACE, "otlp protobuf": NO_TRACE}),
]
COLUMNS = {"capture": Capture, "chrome": Chrome, "perfetto": Perfetto, "log json": LogJson,
           "log text": LogText,
           "otlp json": OtlpJson, "otlp protobuf": OtlpProtobuf, "pprof": Pprof,
           "speedscope": Speedscope, "firefox": Firefox, "callgrind": Callgrind, "folded": Folded,
           "perf": Perf}
OUTLETS = {"capture": ["capture"], "chrome": ["chrome"], "perfetto": ["perfetto"],
           "log": ["log json", "log text"],
           "otlp": ["otlp json", "otlp protobuf"], "pprof": ["pprof"],
           "speedscope": ["speedscope"], "firefox": ["firefox"], "callgrind": ["callgrind"],
           "folded": ["folded"], "perf": ["perf"]}
OF_SAMPLES = {"pprof", "speedscope", "firefox", "callgrind", "folded", "perf"}


def cell(column, exceptions):
    """What an outlet of samples does not promise is not its business."""
    if column in OF_SAMPLES:
        return exceptions.get(column, "no")
    return exceptions.get(column, RECORDS if column == "capture" else "yes")


def check(outlet, directory, functions):
    truth = Truth(directory)
    broken = missing = 0
    need(outlet in OUTLETS, "no checks for outlet", outlet)
    for column in OUTLETS[outlet]:
        reader = COLUMNS[column](truth, directory)
        reader.directory = directory
        for what, function, exceptions in PROMISES:
            if cell(column, exceptions).startswith("no") or (functions and
                                                             function not in functions):
                continue
            try:
                getattr(reader, function)()
            except Missing as e:
                print("MISSING %s: %s: %s" % (column, what, e))
                missing += 1
            except (Broken, KeyError, IndexError, ValueError, TypeError, StopIteration) as e:
                print("BROKEN  %s: %s: %s: %s" % (column, what, type(e).__name__, e))
                broken += 1
            else:
                print("kept    %s: %s" % (column, what))
    return 1 if broken else 77 if missing else 0


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
        if len(args) >= 2:
            return check(args[0], args[1], args[2:])
    except Broken as e:
        print("BROKEN ", e)
        return 1
    except Missing as e:
        print("MISSING", e)
        return 77
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
