#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Trace stores receive what we emit; what their query API gives back is what was
emitted, as exactly as the API can say it.

  victoriatraces   OTLP by HTTP; answers as Jaeger's query does: microseconds, text
  jaeger           OTLP by HTTP and gRPC; answers in OTLP
  tempo            OTLP by HTTP and gRPC; answers in OTLP

usage: BUILD=build stores.py STORE...
"""
import base64
import collections
import http.client
import json
import pathlib
import re
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True

import emitted as source
from otlp_items import compare, items
from servers import Server, Skip, answers, jaeger, listens, program, until


def get(port, path):
    """The JSON of a page; None when it is not there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return json.loads(text) if reply.status == 200 and text else None


# ---- VictoriaTraces ----

def text_of_value(value):
    """A value as a store that keeps text has it."""
    kind, content = value
    if kind == "boolValue":
        return "true" if content else "false"
    if kind == "doubleValue":
        return repr(float(content))
    return str(content)


def as_jaeger(span):
    """What Jaeger's query API can say of a span that was emitted."""
    def texts(attributes):
        return {k: text_of_value(v) for k, v in attributes.items()}
    return {"what": "span", "trace": span["trace"], "span": span["span"],
            "parent": span["parent"], "name": span["name"],
            "start": span["start"] // 1000, "duration": (span["end"] - span["start"]) // 1000,
            "attributes": texts(span["attributes"]),
            "events": [[e["t"] // 1000, e["name"], texts(e["attributes"])]
                       for e in span["events"]],
            "links": [[x["trace"], x["span"]] for x in span["links"]],
            "status": span["status"][0], "scope": span["scope"]["name"],
            "resource": texts(span["resource"]["attributes"])}


# Tags that the store makes of other fields of a span.
MADE = {"span.kind", "error", "otel.scope.name", "otel.scope.version", "otel.status_description",
        "otel.status_code", "w3c.tracestate", "span.flags"}


def from_jaeger(trace):
    """The spans of Jaeger's JSON in the same form."""
    for span in trace["spans"]:
        tags = {t["key"]: str(t["value"]) for t in span["tags"]}
        process = trace["processes"][span["processID"]]
        resource = {t["key"]: str(t["value"]) for t in process["tags"]}
        resource["service.name"] = process["serviceName"]
        near = [r for r in span["references"] or [] if r["refType"] == "CHILD_OF"]
        events = []
        for log in span["logs"] or []:
            fields = {f["key"]: str(f["value"]) for f in log["fields"]}
            events.append([log["timestamp"], fields.pop("event", ""), fields])
        parents = [r["spanID"] for r in near if r["traceID"] == span["traceID"]]
        yield {"what": "span", "trace": span["traceID"], "span": span["spanID"],
               "parent": parents[0] if parents else "", "name": span["operationName"],
               "start": span["startTime"], "duration": span["duration"],
               "attributes": {k: v for k, v in tags.items() if k not in MADE},
               "events": events,
               "links": [[r["traceID"], r["spanID"]] for r in (span["references"] or [])
                         if r["refType"] != "CHILD_OF" or r["spanID"] not in parents[:1]],
               "status": 2 if tags.get("error") == "true" else 0,
               "scope": tags.get("otel.scope.name", ""), "resource": resource}


def victoriatraces():
    binary = program("ORIEL_VICTORIA_TRACES", "victoria-traces")

    def start(folder, ports):
        port = ports["http"]
        return ([binary, "-httpListenAddr=127.0.0.1:%d" % port, "-storageDataPath=%s" % folder,
                 "-loggerLevel=WARN"], lambda: answers(port, "/health"))

    def query(ports, trace):
        found = get(ports["http"], "/select/jaeger/api/traces/" + trace)
        return list(from_jaeger(found["data"][0])) if found and found.get("data") else []
    return {"server": Server("victoriatraces", start, ["http"]), "query": query,
            "paths": {"protobuf": "/insert/opentelemetry/v1/traces"}, "shape": as_jaeger,
            "oriel": [("http", "/insert/opentelemetry", "http/protobuf")]}


# ---- those that answer in OTLP ----

DEPLOY = pathlib.Path(__file__).resolve().parent.parent.parent / "deploy"


def deployed(name, folder, ports, places, *changes):
    """The file of deploy/ with ports and folders of this run, on loopback only."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for place, port in places.items():
        before = place.rstrip("0123456789")
        if place not in text:
            raise RuntimeError("%s has no %s any more" % (name, place))
        text = text.replace("0.0.0.0" + place, "127.0.0.1:%d" % ports[port])
        text = text.replace(place + "\n", "%s%d\n" % (before, ports[port]))
    for what, becomes in changes:
        text = text.replace(what, becomes)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def without_schema(span):
    """Neither of them gives schema URLs back."""
    return dict(span, resource=dict(span["resource"], schema=""),
                scope=dict(span["scope"], schema=""))


def hex_ids(part):
    """Base64 ids, as protobuf's JSON has them, made hexadecimal as OTLP's has them."""
    if isinstance(part, list):
        for below in part:
            hex_ids(below)
    elif isinstance(part, dict):
        for key, content in part.items():
            if key in ("traceId", "spanId", "parentSpanId") and len(content) % 4 == 0:
                part[key] = base64.b64decode(content).hex()
            else:
                hex_ids(content)


KINDS = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3,
         "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5}
CODES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "STATUS_CODE_UNSET": 0}


def numbers(part):
    """Enumerations by name, made numbers."""
    if isinstance(part, list):
        for below in part:
            numbers(below)
    elif isinstance(part, dict):
        if part.get("kind") in KINDS:
            part["kind"] = KINDS[part["kind"]]
        if part.get("code") in CODES:
            part["code"] = CODES[part["code"]]
        for below in part.values():
            numbers(below)


def jaeger_store():
    binary = jaeger()

    def start(folder, ports):
        config = deployed("jaeger.yaml", folder, ports,
                          {":4317": "grpc", ":4318": "http", ":16686": "query",
                           ":16685": "query_grpc"},
                          ("service:\n", "service:\n  telemetry: {metrics: {level: none}}\n"))
        return ([binary, "--config", config],
                lambda: answers(ports["query"], "/api/services") and listens(ports["grpc"]))

    def query(ports, trace):
        found = get(ports["query"], "/api/v3/traces/" + trace)
        if not found or "result" not in found:
            return []
        numbers(found)
        return list(items([found["result"]]))
    return {"server": Server("jaeger", start, ["http", "grpc", "query", "query_grpc"]),
            "query": query, "shape": without_schema,
            "paths": {"json": "/v1/traces", "protobuf": "/v1/traces"},
            "oriel": [("http", "", "http/protobuf"), ("http", "", "http/json"), ("grpc", "", "grpc")]}


def without_flags(span):
    """Tempo loses the flags of a span with the way from memory to a block."""
    return dict(without_schema(span), flags=0)


def tempo():
    binary = program("ORIEL_TEMPO", "tempo")

    def start(folder, ports):
        config = deployed("tempo.yaml", folder, ports, {":4317": "grpc", ":4318": "http",
                                                        "_port: 3200": "query"},
                          ("/var/tempo", str(folder)),
                          ("server:\n", "server:\n  http_listen_address: 127.0.0.1\n"
                           "  grpc_listen_address: 127.0.0.1\n  grpc_listen_port: %d\n"
                           % ports["inner"]))
        with open(config, "a", encoding="utf-8") as f:
            f.write("memberlist: {bind_addr: [127.0.0.1], bind_port: %d}\n" % ports["gossip"])
        return ([binary, "-config.file=%s" % config],
                lambda: answers(ports["query"], "/ready") and listens(ports["grpc"]))

    def query(ports, trace):
        found = get(ports["query"], "/api/v2/traces/" + trace)
        if not found:
            return []
        hex_ids(found)
        numbers(found)
        return [without_flags(span) for span in items([found["trace"]])]
    return {"server": Server("tempo", start, ["http", "grpc", "query", "inner", "gossip"]),
            "query": query, "shape": without_flags,
            "paths": {"json": "/v1/traces", "protobuf": "/v1/traces"}, "besides": ask_dashboard,
            "oriel": [("http", "", "http/protobuf"), ("http", "", "http/json"), ("grpc", "", "grpc")]}


# ---- what the dashboard asks ----

def dashboard_queries():
    """(title, TraceQL) of the panels, with the values that the variables have at first."""
    board = json.loads((DEPLOY / "grafana/traces.json").read_text(encoding="utf-8"))
    values = {"$" + v["name"]: v["query"] for v in board["templating"]["list"]}
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = target["query"]
            for name, value in values.items():
                query = query.replace(name, value)
            yield panel["title"], query


def ask_dashboard(ports, spans):
    """Every query is one that Tempo understands; those that what was sent answers find it."""
    half = max(s["end"] - s["start"] for s in spans) // 2000
    least = {"Traces": len({s["trace"] for s in spans}), "Slow spans": 1}
    good = True
    for title, query in dashboard_queries():
        if title == "Slow spans":
            query = re.sub(r"duration > \w+", "duration > %dus" % half, query)
        path = "/api/search?limit=500&" + urllib.parse.urlencode({"q": query})

        def enough(path=path, least=least.pop(title, 0)):
            reply = get(ports["query"], path)
            found = None if reply is None else reply.get("traces") or []
            return None if found is None or len(found) < least else (len(found),)
        try:
            print("dashboard, %s: %d traces" % (title, until(enough, query)[0]))
        except RuntimeError as error:
            print("dashboard, %s: %s" % (title, error))
            good = False
    return good and not least


STORES = {"victoriatraces": victoriatraces, "jaeger": jaeger_store, "tempo": tempo}


# ---- what is checked ----

def ways(store, what):
    """(name, function of the ports) of all ways to this store."""
    def file(encoding, path):
        def way(ports):
            for signal, body in what.requests(encoding):
                if signal == "traces":
                    source.post(ports["http"], path, body, encoding)
        return way

    def ours(port, base, protocol):
        return lambda ports: source.send(
            what, "http://127.0.0.1:%d%s" % (ports[port], base), "--protocol", protocol,
            "--signals", "traces")
    for encoding, path in store["paths"].items():
        yield "file, HTTP/" + encoding, file(encoding, path)
    if what.capture:
        for port, base, protocol in store["oriel"]:
            yield "oriel export, " + protocol, ours(port, base, protocol)


def one(store, what, name, way):
    spans = [i for i in what.items() if i["what"] == "span"]
    expected = [store["shape"](s) for s in spans]
    sizes = collections.Counter(s["trace"] for s in spans)
    with store["server"] as server:
        way(server.ports)
        got = []
        for trace, size in sizes.items():
            def whole(trace=trace, size=size):
                found = store["query"](server.ports, trace)
                return found if len(found) >= size else None
            got += until(whole, "%d spans of trace %s" % (size, trace),
                         lambda: server.child.poll() is None)
        answered = "besides" not in store or store["besides"](server.ports, spans)
    wrong = compare(got, expected)
    print("%s  %s by %s: %d spans of %d traces" % ("equal" if not wrong else "DIFFERS", what.name,
                                                   name, len(spans), len(sizes)))
    for line in wrong:
        print("    " + line)
    return answered and not wrong


def check(name):
    store = STORES[name]()
    good = True
    with tempfile.TemporaryDirectory(prefix="oriel-interop-") as folder:
        what = source.codesearch(pathlib.Path(folder) / "cs")
        for way_name, way in ways(store, what):
            good = one(store, what, way_name, way) and good
    return good


def main(names):
    if not names or set(names) - set(STORES):
        print(__doc__)
        return 2
    return 0 if all([check(name) for name in names]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Skip as reason:
        print(reason)
        sys.exit(77)
