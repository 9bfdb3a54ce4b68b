#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""OpenTelemetry's SDK for Python and our propagators hand traces to each other:
hundreds of contexts, with tracestate and baggage, in every format both know.

  their inject -> our extract -> our inject, perhaps in another format -> their extract
  and a span of theirs has ours as its parent; a recorded program has theirs

usage: BUILD=build propagation.py PEER
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from sdk import run_lane

CASES = 400
LISTS = ["tracecontext", "tracecontext,baggage", "b3", "b3multi", "jaeger",
         "tracecontext,baggage,b3"]
STATES = [[], [("oriel", "1")], [("congo", "t61rcWkgMzE"), ("rojo", "00f067aa0ba902b7")],
          [("tenant@vendor", "a b"), ("x", "!~")]]
WORDS = ["plain", "with space", "comma,semicolon;", "käse", "日本", "100%", "a=b", "\"quoted\"",
         "back\\slash", "x" * 300]


class Sdk:
    """What of theirs is used; there only in the Python that has it."""

    def __init__(self):
        from opentelemetry import baggage, trace
        from opentelemetry.baggage.propagation import W3CBaggagePropagator
        from opentelemetry.context import Context
        from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
        from opentelemetry.propagators.composite import CompositePropagator
        from opentelemetry.propagators.jaeger import JaegerPropagator
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        self.baggage, self.trace, self.context = baggage, trace, Context
        self.composite = CompositePropagator
        self.made = {"tracecontext": TraceContextTextMapPropagator, "baggage": W3CBaggagePropagator,
                     "b3": B3SingleFormat, "b3multi": B3MultiFormat, "jaeger": JaegerPropagator}
        self.tracer = TracerProvider(sampler=ALWAYS_ON).get_tracer("peer")

    def of(self, names):
        return self.composite([self.made[n]() for n in names.split(",")])

    def context_of(self, case):
        span = self.trace.SpanContext(
            case["trace"], case["span"], True, self.trace.TraceFlags(case["flags"]),
            self.trace.TraceState(case["state"]))
        context = self.trace.set_span_in_context(self.trace.NonRecordingSpan(span),
                                                 self.context())
        for name, value in case["baggage"].items():
            context = self.baggage.set_baggage(name, value, context)
        return context


class Peer:
    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, encoding="utf-8")

    def ask(self, read, write, headers):
        lines = ["read " + read, "write " + write] + ["%s: %s" % h for h in headers.items()]
        self.child.stdin.write("\n".join(lines) + "\n\n")
        self.child.stdin.flush()
        got, baggage, out = None, {}, {}
        for line in iter(self.child.stdout.readline, "\n"):
            if not line:
                raise RuntimeError("our side ended")
            line = line.rstrip("\n")
            if line.startswith("got "):
                trace, span, flags = line[4:].split()
                got = {"trace": int(trace, 16), "span": int(span, 16), "flags": int(flags, 16)}
            elif line.startswith("state "):
                got["state"] = line[6:]
            elif line.startswith("baggage "):
                name, _, value = line[8:].partition("=")
                baggage[name] = value
            else:
                name, _, value = line.partition(": ")
                out[name] = value
        return got, baggage, out

    def end(self):
        self.child.stdin.close()
        return self.child.wait(60)


def cases(rng):
    for n in range(CASES):
        members = rng.sample(WORDS, rng.randrange(5))
        yield {"trace": rng.getrandbits(64 if n % 7 == 0 else 128) or 1,
               "span": rng.getrandbits(64) or 1, "flags": rng.randrange(2),
               "state": rng.choice(STATES),
               "baggage": {"key%d" % i: word for i, word in enumerate(members)},
               "read": rng.choice(LISTS), "write": rng.choice(LISTS)}


def state_text(case):
    return ",".join("%s=%s" % m for m in case["state"])


def has(names, what):
    return what in names.split(",")


def keeps_state(names):
    """A later format has the last word about the span, and only W3C's has a tracestate."""
    return names.startswith("tracecontext") and not names.endswith("b3")


def baggage_after(case):
    """Their baggage header says + for a blank; W3C's, and ours, means a plus by it."""
    if has(case["read"], "baggage"):
        return {k: v.replace(" ", "+") for k, v in case["baggage"].items()}
    return case["baggage"] if has(case["read"], "jaeger") else {}


def check(sdk, peer, case):
    """Lines about what did not come through, either way."""
    wrong = []

    def same(got, expected, what):
        if got != expected:
            wrong.append("%s: is %r, was %r" % (what, got, expected))
    headers = {}
    sdk.of(case["read"]).inject(headers, sdk.context_of(case))
    got, baggage, out = peer.ask(case["read"], case["write"], headers)
    kept = keeps_state(case["read"])
    bags = baggage_after(case)
    for what in ("trace", "span"):
        same(got[what], case[what], "our " + what)
    same(got["flags"] & 1, case["flags"], "our sampled")
    same(got["state"], state_text(case) if kept else "", "our tracestate")
    same(baggage, bags, "our baggage")
    back = sdk.of(case["write"]).extract(out, sdk.context())
    span = sdk.trace.get_current_span(back).get_span_context()
    same(span.trace_id, case["trace"], "their trace")
    same(span.span_id, case["span"], "their span")
    same(int(span.trace_flags) & 1, case["flags"], "their sampled")
    if kept and keeps_state(case["write"]):
        same(span.trace_state.to_header(), state_text(case), "their tracestate")
    if has(case["write"], "baggage") or has(case["write"], "jaeger"):
        same(dict(sdk.baggage.get_all(back)), bags, "their baggage")
    child = sdk.tracer.start_span("child", back)
    same(child.parent.span_id, case["span"], "parent of their span")
    child.end()
    return ["%s -> %s: %s   %s" % (case["read"], case["write"], line, headers) for line in wrong]


def recorded_child(sdk):
    """A program that is started with their context in its environment: its root spans are
    children of their span, in their trace."""
    import emitted
    parent = sdk.tracer.start_span("parent")
    headers = {}
    sdk.of("tracecontext").inject(headers, sdk.trace.set_span_in_context(parent))
    os.environ.update({"TRACEPARENT": headers["traceparent"]})
    kept = emitted.environment

    def joined(folder):
        return dict(kept(folder), ORIEL_JOIN="1")
    emitted.environment = joined
    with tempfile.TemporaryDirectory(prefix="oriel-interop-") as folder:
        items = emitted.codesearch(pathlib.Path(folder) / "cs").items()
    emitted.environment = kept
    of = parent.get_span_context()
    spans = [i for i in items if i["what"] == "span"]
    ids = {s["span"] for s in spans}
    roots = [s for s in spans if s["parent"] not in ids]
    wrong = ["%s: trace %s, parent %s" % (s["name"], s["trace"], s["parent"]) for s in roots
             if (s["trace"], s["parent"]) != ("%032x" % of.trace_id, "%016x" % of.span_id)]
    print("%d root spans of %d are children of %s" % (len(roots) - len(wrong), len(spans),
                                                      headers["traceparent"]))
    return wrong if roots else ["no root spans"]


def main():
    sdk, peer = Sdk(), Peer(sys.argv[1])
    wrong = []
    tried = {}
    for case in cases(random.Random(1)):
        wrong += check(sdk, peer, case)
        tried[case["read"], case["write"]] = tried.get((case["read"], case["write"]), 0) + 1
    if peer.end() != 0:
        wrong.append("our side ended badly")
    print("%d contexts by %d pairs of formats" % (CASES, len(tried)))
    wrong += recorded_child(sdk)
    for line in wrong[:20]:
        print("DIFFERS " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    run_lane(main)
