#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The comparison that the lanes rest on notices every member that differs."""
import copy
import sys
import unittest

sys.dont_write_bytecode = True

from otlp_items import compare, items

SPAN = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
        "parentSpanId": "00f067aa0ba902b7", "name": "n", "kind": 1, "flags": 257,
        "startTimeUnixNano": "1", "endTimeUnixNano": "2", "traceState": "a=b",
        "attributes": [{"key": "k", "value": {"intValue": "9223372036854775807"}},
                       {"key": "d", "value": {"doubleValue": 0.5}}],
        "events": [{"timeUnixNano": "1", "name": "e",
                    "attributes": [{"key": "k", "value": {"boolValue": True}}]}],
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203332"}],
        "status": {"code": 2, "message": "m"}, "droppedEventsCount": 3}
LOG = {"timeUnixNano": "5", "observedTimeUnixNano": "6", "severityNumber": 9,
       "severityText": "INFO", "body": {"stringValue": "hello"}, "eventName": "ev",
       "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}
MESSAGES = [
    {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name",
                                                     "value": {"stringValue": "s"}}]},
                        "schemaUrl": "u", "scopeSpans": [{"scope": {"name": "t"},
                                                          "spans": [SPAN]}]}]},
    {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {"name": "t"},
                                                      "logRecords": [LOG]}]}]}]


def places(part, at=()):
    """The way to everything that is no list and no object."""
    if isinstance(part, (dict, list)):
        pairs = part.items() if isinstance(part, dict) else enumerate(part)
        for key, below in pairs:
            yield from places(below, at + (key,))
    else:
        yield at


def changed(messages, place):
    messages = copy.deepcopy(messages)
    part = messages
    for step in place[:-1]:
        part = part[step]
    old = part[place[-1]]
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, (int, float)):
        new = old + 1
    else:
        new = "7" + old[1:] if old[1:] else "7"
    part[place[-1]] = new
    return messages


class Comparison(unittest.TestCase):
    def test_the_same_is_the_same(self):
        self.assertEqual(compare(items(MESSAGES), items(copy.deepcopy(MESSAGES))), [])

    def test_defaults_may_be_left_out(self):
        fuller = copy.deepcopy(MESSAGES)
        fuller[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["droppedLinksCount"] = 0
        fuller[0]["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"] = ""
        self.assertEqual(compare(items(fuller), items(MESSAGES)), [])

    def test_every_member_that_is_changed_is_noticed(self):
        found = list(places(MESSAGES))
        self.assertGreater(len(found), 30)
        for place in found:
            with self.subTest(place=place):
                self.assertNotEqual(compare(items(changed(MESSAGES, place)), items(MESSAGES)), [])

    def test_one_too_few_and_one_too_many_are_noticed(self):
        self.assertIn("0 logs, emitted were 1", compare(items(MESSAGES[:1]), items(MESSAGES)))
        self.assertIn("2 logs, emitted were 1",
                      compare(items(MESSAGES + MESSAGES[1:]), items(MESSAGES)))

    def test_integers_keep_their_type(self):
        other = copy.deepcopy(MESSAGES)
        span = other[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        span["attributes"][1]["value"] = {"stringValue": "0.5"}
        self.assertNotEqual(compare(items(other), items(MESSAGES)), [])


if __name__ == "__main__":
    unittest.main()
