#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""OpenTelemetry's SDK for Python sends to oriel collect, by gRPC and HTTP, compressed and
not; what the recording gives back is what the SDK had.

usage: BUILD=build collected.py
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from sdk import run_lane

SPANS = 300


def emit(way):
    """In the program that is told where to send: prints what it made."""
    import logging
    import warnings
    warnings.simplefilter("ignore")
    from opentelemetry import trace
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    if way == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    resource, kept = Resource.create({"service.name": "pyshop", "list": ["a", "b"]}), InMemorySpanExporter()
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    traces.add_span_processor(SimpleSpanProcessor(kept))
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
    tracer = traces.get_tracer("app", "0.1")
    for i in range(SPANS // 2):
        with tracer.start_as_current_span("handle", kind=trace.SpanKind.SERVER, attributes={
                "i": i, "half": i / 2, "even": i % 2 == 0, "tags": ["a", "b"], "name": "käse"}) as outer:
            with tracer.start_as_current_span("db", links=[trace.Link(outer.get_span_context(), {"n": i})]) as s:
                s.add_event("row", {"n": i})
                if i % 50 == 0:
                    logging.warning("slow %d", i)
                    s.set_status(trace.StatusCode.ERROR, "no")
    traces.shutdown()
    logs.shutdown()
    print(json.dumps({"spans": [{
        "name": s.name, "trace": "%032x" % s.context.trace_id, "span": "%016x" % s.context.span_id,
        "parent": "%016x" % s.parent.span_id if s.parent else "", "start": str(s.start_time),
        "end": str(s.end_time), "kind": s.kind.value + 1, "status": s.status.status_code.value,
        "attributes": {k: list(v) if isinstance(v, tuple) else v for k, v in s.attributes.items()},
        "events": [[e.name, str(e.timestamp), dict(e.attributes)] for e in s.events],
        "links": [["%016x" % x.context.span_id, dict(x.attributes)] for x in s.links]}
        for s in kept.get_finished_spans()]}))


def plain(value):
    (kind, v), = value.items()
    if kind == "arrayValue":
        return [plain(x) for x in v["values"]]
    return int(v) if kind == "intValue" else v


def pairs(thing):
    return {a["key"]: plain(a["value"]) for a in thing.get("attributes", [])}


def read(path):
    spans, logs = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        for r in request.get("resourceSpans", []):
            assert pairs(r["resource"])["list"] == ["a", "b"], r["resource"]
            for s in r["scopeSpans"]:
                assert (s["scope"]["name"], s["scope"]["version"]) == ("app", "0.1"), s["scope"]
                spans += s["spans"]
        for r in request.get("resourceLogs", []):
            for s in r["scopeLogs"]:
                logs += s["logRecords"]
    return spans, logs


def as_sent(s):
    return {"name": s["name"], "trace": s["traceId"], "span": s["spanId"], "parent": s.get("parentSpanId", ""),
            "start": s["startTimeUnixNano"], "end": s["endTimeUnixNano"], "kind": s.get("kind", 0),
            "status": s.get("status", {}).get("code", 0), "attributes": pairs(s),
            "events": [[e["name"], e["timeUnixNano"], pairs(e)] for e in s.get("events", [])],
            "links": [[x["spanId"], pairs(x)] for x in s.get("links", [])]}


def one(oriel, folder, way, compression):
    env = dict(os.environ)
    env.pop("OTEL_EXPORTER_OTLP_COMPRESSION", None)
    if compression != "none":  # which their gRPC exporter does not know
        env["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
    run = subprocess.run([oriel, "collect", "--no-report", "-o", folder / "c.oriel", "--", sys.executable,
                          os.path.abspath(__file__), way], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "refused: nothing" in run.stderr, run.stderr
    sent = json.loads(run.stdout)["spans"]
    subprocess.run([oriel, "export", "--to", "otlp", "-f", "-o", folder / "x.jsonl", folder / "c.oriel"],
                   check=True, capture_output=True)
    spans, logs = read(folder / "x.jsonl")
    by_id = {s["spanId"]: as_sent(s) for s in spans}
    assert len(spans) == len(sent) == SPANS, (len(spans), len(sent))
    for s in sent:
        assert by_id[s["span"]] == s, (by_id[s["span"]], s)
    bodies = sorted(log["body"]["stringValue"] for log in logs)
    assert bodies == ["slow 0", "slow 100", "slow 50"], bodies
    assert all(log["spanId"] in by_id for log in logs)
    (folder / "c.oriel").unlink()
    print(f"{way} {compression}: {len(spans)} spans and {len(logs)} log records equal")


def main():
    if len(sys.argv) > 1:
        return emit(sys.argv[1])
    oriel = pathlib.Path(os.environ["BUILD"]).resolve() / "oriel"
    with tempfile.TemporaryDirectory(prefix="oriel-collected-") as folder:
        for way in ("grpc", "http"):
            for compression in ("none", "gzip"):
                one(oriel, pathlib.Path(folder), way, compression)
    return 0


run_lane(main)
