# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a profiler outside finds of a process (OTEP 4719, a mapping named OTEL_CTX) is the resource
that the receiver got of it, which is not ours (tests/otlp/receiver.mjs): of a parent, of a fork
child, and of one that has gone on with the export."""
import os
import re
import struct
import subprocess
import time
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import TIMEOUT, Scenario, main

PUBLISHED = os.environ["PUBLISHED"]
NAMES = re.compile(r"^([0-9a-f]+)-\S+ .*(?:\[anon_shmem:OTEL_CTX\]|/memfd:OTEL_CTX|\[anon:OTEL_CTX\])")
THREADS = "threadlocal.schema_version"  # not of the resource
EVENTS = "oriel.span_events"  # of the way it is sent


def fields(data):
    """(number, value) of a message in protobuf."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value
    while at < len(data):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            yield tag >> 3, data[at:at + size]
            at += size
        else:
            assert tag & 7 == 0, tag
            yield tag >> 3, varint()


def decode(payload):
    found = {}
    for number, pair in fields(payload):
        assert number == 1, "attributes are left out"
        parts = dict(fields(pair))
        (kind, value), = fields(parts[2])
        key = parts[1].decode()
        assert key not in found, key
        found[key] = value.decode() if kind == 1 else str(value)
    return found


def published(pid):
    """As the standard says how to read it; None: there is none."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        places = [int(m[1], 16) for m in map(NAMES.match, maps) if m]
    assert len(places) <= 1, "there is to be one"
    if not places:
        return None
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        while True:
            head = struct.unpack("<8sIIQQ", os.pread(memory.fileno(), 32, places[0]))
            signature, version, size, at, payload = head
            assert (signature, version) == (b"OTEL_CTX", 2), head
            data = os.pread(memory.fileno(), size, payload)
            if at and os.pread(memory.fileno(), 32, places[0]) == struct.pack("<8sIIQQ", *head):
                return decode(data)


def ended(pid):
    """Or nobody has asked yet how it ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@unittest.skipIf(missing(), missing())
class Published(Scenario):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.receiver = Receiver(self)
        self.got = []
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true", ORIEL_EXIT_MS="20000",
                        OTEL_EXPORTER_OTLP_ENDPOINT=self.receiver.url(),
                        OTEL_BSP_SCHEDULE_DELAY="50")

    def go(self, *words, **variables):
        self.env.update(variables)
        self.child = self.start(PUBLISHED, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True, bufsize=1)

    def says(self, who):
        word, pid = self.child.stdout.readline().split()
        self.assertEqual(word, who)
        return int(pid)

    def step(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def resource(self, span):
        """That the receiver got with it."""
        until = time.monotonic() + TIMEOUT
        while True:
            for resource, _, item in items(self.got, "traces"):
                if item["name"] == span:
                    return {a["key"]: str(next(iter(a["value"].values())))
                            for a in resource["attributes"]}
            self.assertLess(time.monotonic(), until, span)
            self.got.append(self.receiver.next())

    def same(self, pid, span):
        found, told = published(pid), self.resource(span)
        self.assertEqual(found.pop(THREADS), "tls_v1")
        told.pop(EVENTS, None)
        self.assertEqual(found, told)
        return told

    def parent_and_child(self, **variables):
        self.go(**variables)
        parent = self.same(self.says("parent"), "of the parent")
        self.step()
        child = self.same(self.says("child"), "of the child")
        self.step()
        self.assertEqual(self.child.wait(TIMEOUT), 0)
        return parent, child

    def test_a_service_of_the_environment(self):
        parent, child = self.parent_and_child(OTEL_SERVICE_NAME="shop",
                                              OTEL_RESOURCE_ATTRIBUTES="team=blue," + "k=" + 300 * "v")
        self.assertEqual((parent["service.name"], child["service.name"]), ("shop", "shop"))
        self.assertEqual((parent["team"], parent["k"]), ("blue", 300 * "v"))
        self.assertNotEqual(parent["service.instance.id"], child["service.instance.id"])

    def test_a_service_of_a_file(self):
        toml = self.dir / "oriel.toml"
        toml.write_text("[telemetry]\nservice_name = 'of a file'\n", encoding="utf-8")
        toml.chmod(0o600)
        for resource in self.parent_and_child():
            self.assertEqual(resource["service.name"], "of a file")

    def test_a_service_that_nobody_named(self):
        for resource in self.parent_and_child():
            self.assertEqual(resource["service.name"],
                             "unknown_service:" + os.path.basename(PUBLISHED))

    def test_an_instance_that_was_said_is_the_parent(self):
        parent, child = self.parent_and_child(
            OTEL_RESOURCE_ATTRIBUTES="service.instance.id=the-first")
        self.assertEqual(parent["service.instance.id"], "the-first")
        self.assertNotEqual(child["service.instance.id"], "the-first")

    def test_a_resource_that_begins_empty(self):
        parent, child = self.parent_and_child(ORIEL_RESOURCE="empty",
                                              OTEL_RESOURCE_ATTRIBUTES="team=blue")
        self.assertEqual((parent, child), ({"team": "blue"}, {"team": "blue"}))

    def test_who_goes_on_with_the_export_stays_who_it_is(self):
        """Also where the parent was said to be another."""
        self.go("inherits", OTEL_RESOURCE_ATTRIBUTES="service.instance.id=the-first")
        parent = self.same(self.says("parent"), "of the parent")
        self.step()
        pid = self.says("child")
        self.assertEqual(self.child.wait(TIMEOUT), 0)
        before = self.resource("of the child")
        self.step()
        self.step()
        after = self.same(pid, "of the heir")
        self.assertNotEqual(parent["service.instance.id"], after["service.instance.id"])
        self.assertEqual(before["service.instance.id"], after["service.instance.id"])
        self.child.stdin.close()
        self.until("the end of the heir", lambda: ended(pid))


if __name__ == "__main__":
    main()
