# SPDX-License-Identifier: MIT OR Apache-2.0
"""OTLP messages as JSON, flattened into items that can be compared: a field that is
not there is its default, integers are integers, and an item carries its resource
and scope."""
import base64
import collections
import json


def value(v):
    """(type, content) of an AnyValue."""
    if not v:
        return ("none", None)
    (kind, content), = v.items()
    if kind == "intValue":
        content = int(content)
    elif kind == "doubleValue":
        content = repr(float(content))
    elif kind == "bytesValue":
        content = base64.b64decode(content).hex()
    elif kind == "arrayValue":
        content = [value(x) for x in content.get("values", [])]
    elif kind == "kvlistValue":
        content = attributes(content.get("values", []))
    return (kind, content)


def attributes(pairs):
    out = {}
    for pair in pairs or []:
        key = pair.get("key", "")
        if key in out:
            raise ValueError("attribute twice: " + key)
        out[key] = value(pair.get("value"))
    return out


def event(e):
    return {"t": int(e.get("timeUnixNano", 0)), "name": e.get("name", ""),
            "attributes": attributes(e.get("attributes")),
            "dropped": e.get("droppedAttributesCount", 0)}


def link(x):
    return {"trace": x.get("traceId", ""), "span": x.get("spanId", ""),
            "state": x.get("traceState", ""), "flags": x.get("flags", 0),
            "attributes": attributes(x.get("attributes")),
            "dropped": x.get("droppedAttributesCount", 0)}


def span(s):
    status = s.get("status") or {}
    return {"what": "span", "trace": s["traceId"], "span": s["spanId"],
            "parent": s.get("parentSpanId", ""), "state": s.get("traceState", ""),
            "flags": s.get("flags", 0), "name": s.get("name", ""), "kind": s.get("kind", 0),
            "start": int(s["startTimeUnixNano"]), "end": int(s["endTimeUnixNano"]),
            "attributes": attributes(s.get("attributes")),
            "events": [event(e) for e in s.get("events", [])],
            "links": [link(x) for x in s.get("links", [])],
            "status": [status.get("code", 0), status.get("message", "")],
            "dropped": [s.get("droppedAttributesCount", 0), s.get("droppedEventsCount", 0),
                        s.get("droppedLinksCount", 0)]}


def record(r):
    return {"what": "log", "t": int(r.get("timeUnixNano", 0)),
            "observed": int(r.get("observedTimeUnixNano", 0)),
            "severity": [r.get("severityNumber", 0), r.get("severityText", "")],
            "body": value(r.get("body")), "event": r.get("eventName", ""),
            "attributes": attributes(r.get("attributes")), "flags": r.get("flags", 0),
            "trace": r.get("traceId", ""), "span": r.get("spanId", ""),
            "dropped": r.get("droppedAttributesCount", 0)}


SHAPES = (("resourceSpans", "scopeSpans", "spans", span),
          ("resourceLogs", "scopeLogs", "logRecords", record))


def items(messages):
    for message in messages:
        for resources, scopes, members, read in SHAPES:
            for r in message.get(resources, []):
                own = {"attributes": attributes(r.get("resource", {}).get("attributes")),
                       "schema": r.get("schemaUrl", "")}
                # Whether log records of the same go out besides, which a file of one kind says not.
                own["attributes"].pop("oriel.span_events", None)
                for s in r.get(scopes, []):
                    scope = s.get("scope") or {}
                    of = {"name": scope.get("name", ""), "version": scope.get("version", ""),
                          "attributes": attributes(scope.get("attributes")),
                          "schema": s.get("schemaUrl", "")}
                    for m in s.get(members, []):
                        yield dict(read(m), resource=own, scope=of)


def messages_of(path):
    """The messages of a file of JSON lines."""
    with open(path, encoding="utf-8", newline="\n") as f:
        return [json.loads(line) for line in f.read().split("\n") if line]


def text_of(item):
    return json.dumps(item, sort_keys=True, ensure_ascii=False)


def differences(got, expected, at=""):
    """The members that differ, as lines."""
    if isinstance(got, dict) and isinstance(expected, dict):
        for key in sorted(set(got) | set(expected)):
            yield from differences(got.get(key, "absent"), expected.get(key, "absent"),
                                   "%s.%s" % (at, key))
    elif got != expected:
        yield "%s is %.200r, was emitted as %.200r" % (at, got, expected)


def compare(got, expected, most=10):
    """Lines about what is not the same; order of items does not matter."""
    got, expected = list(got), list(expected)
    have = collections.Counter(map(text_of, got))
    want = collections.Counter(map(text_of, expected))
    lines = []
    for what in ("span", "log"):
        n = [sum(i["what"] == what for i in side) for side in (got, expected)]
        if n[0] != n[1]:
            lines.append("%d %ss, emitted were %d" % (n[0], what, n[1]))
    extra = [json.loads(t) for t in (have - want)]
    for text in want - have:
        missing = json.loads(text)
        twin = [e for e in extra if e["what"] == missing["what"] and
                (e["span"] == missing["span"] if e["what"] == "span" else e["t"] == missing["t"])]
        if twin:
            name = missing.get("name") or missing.get("event") or "log"
            lines += ["%s%s" % (name, d) for d in differences(twin[0], missing)]
        else:
            lines.append("missing: %.300s" % text)
    if not want - have:
        lines += ["not emitted: %.300s" % text for text in have - want]
    return lines[:most]
