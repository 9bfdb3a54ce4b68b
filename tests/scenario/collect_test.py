# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel collect: senders that are not ours, what is refused and how, bombs, slow connections,
full disks, kills. What was received is recorded or refused by cause, every time."""
import base64
import gzip
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

from receiving import LIBRARY
from tool import EMITTER, ORIEL, TIMEOUT, Scenario, main

SENDER = pathlib.Path(__file__).parents[1] / "otlp" / "sender.mjs"
NODE = shutil.which("node")
TRACE = "0102030405060708090a0b0c0d0e0f10"


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def span(number, name=b"work", more=b""):
    ids = field(1, bytes.fromhex(TRACE)) + field(2, struct.pack(">Q", number + 1))
    times = b"\x39" + struct.pack("<Q", 10**18 + number) + b"\x41" + struct.pack("<Q", 10**18 + number + 5)
    return field(2, ids + field(5, name) + b"\x30\x01" + times + more)


def request(*spans):
    return field(1, field(1, field(1, field(1, b"service.name") + field(2, field(1, b"shop"))))
                 + field(2, field(1, field(1, b"lib")) + b"".join(spans)))


def any_value(depth):
    value = b""
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


class Receiver:
    def __init__(self, test, *words, name="c.oriel", **options):
        self.test = test
        self.child = test.start(ORIEL, "collect", "--listen", "127.0.0.1:0", "--http", "off", "--no-report",
                                "-o", name, *words, stderr=subprocess.PIPE, text=True, **options)
        self.said = self.child.stderr.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", self.said)
        test.assertTrue(found, self.said)
        self.port = int(found.group(1))

    def post(self, body, path="/v1/traces", kind="application/x-protobuf", method="POST", **headers):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if kind:
            headers["Content-Type"] = kind
        link.request(method, path, body, headers)
        answer = link.getresponse()
        answer.bytes = answer.read()
        link.close()
        return answer

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(data)
            got = b""
            while True:
                try:
                    part = s.recv(65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                got += part
        return got

    def end(self):
        self.child.terminate()
        _, text = self.child.communicate()
        self.test.assertEqual(self.child.returncode, 0, text)
        return text


class Collect(Scenario):
    def spans(self, name="c.oriel"):
        run = self.oriel("export", "--to", "otlp", "-f", "-o", "x.jsonl", name)
        self.assertEqual(run.returncode, 0, run.stderr)
        out = []
        for line in (self.dir / "x.jsonl").read_text(encoding="utf-8").splitlines():
            for r in json.loads(line).get("resourceSpans", []):
                for s in r["scopeSpans"]:
                    out += [(r, s, one) for one in s["spans"]]
        return out

    def test_an_event_of_ours_is_shown_once_and_given_back_as_span_event_and_log_record(self):
        receiver = Receiver(self)
        run = self.oriel("record", "--rate", 0, "--no-report", "--to", "otlp", "--endpoint",
                         f"http://127.0.0.1:{receiver.port}", "--", EMITTER, "spans", 20)
        self.assertEqual(run.returncode, 0, run.stderr)
        receiver.end()
        spans = [s for _, _, s in self.spans() if s["name"] == "outer"]
        self.assertEqual([[e["name"] for e in s["events"]] for s in spans], [["inside"]] * 20)
        logs = [r for line in (self.dir / "x.jsonl").read_text(encoding="utf-8").splitlines()
                for group in json.loads(line).get("resourceLogs", [])
                for scope in group["scopeLogs"] for r in scope["logRecords"]]
        self.assertEqual(sum(r["body"].get("stringValue") == "inside" for r in logs), 20)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], len(logs))
        for outlet in ("log", "chrome"):
            run = self.oriel("export", "--to", outlet, "-f", "-o", "out", "c.oriel")
            self.assertEqual(run.returncode, 0, run.stderr)
            shown = (self.dir / "out").read_text(encoding="utf-8")
            self.assertEqual(len(re.findall(r"INFO[^\n]*inside", shown)) if outlet == "log"
                             else shown.count('"otel.body":"inside"'), 20, outlet)

    def test_long_texts_come_back_whole_through_a_capture(self):
        long = "".join(f"  File \"app.py\", line {i}, in w\u00e4rme\n" for i in range(1200)).encode()

        def pair(number, key, value):
            return field(number, field(1, key) + field(2, field(1, value)))
        event = field(11, field(2, b"exception") + pair(3, b"exception.stacktrace", long)
                      + b"".join(pair(3, b"k%d" % i, long[:5000]) for i in range(9)))
        link = field(13, field(1, bytes.fromhex(TRACE)) + field(2, b"12345678") + pair(4, b"why", long))
        status = field(15, field(2, long) + b"\x18\x02")
        most = b"y" * 70000
        r = Receiver(self)
        answer = r.post(request(span(1, more=pair(9, b"prompt", long) + pair(9, b"most", most) + event + link + status)))
        self.assertEqual(answer.status, 200)
        self.assertIn("1 text was longer than --max-value", r.end())
        (_, _, one), = self.spans()

        def values(of):
            return {a["key"]: a["value"].get("stringValue") for a in of["attributes"]}
        self.assertEqual(values(one), {"prompt": long.decode(), "most": "y" * 65536})
        told = values(one["events"][0])
        self.assertEqual(told.pop("exception.stacktrace"), long.decode())
        self.assertEqual(told, {f"k{i}": long[:5000].decode() for i in range(9)})
        self.assertEqual(values(one["links"][0]), {"why": long.decode()})
        self.assertEqual(one["status"]["message"], long.decode())

    def test_the_place_in_the_code_is_shown_and_given_back_once(self):
        def pair(key, value):
            return field(9, field(1, key) + field(2, value))
        code = (pair(b"code.function.name", field(1, b"work")) + pair(b"code.file.path", field(1, b"/src/app.py"))
                + pair(b"code.line.number", b"\x18\x11"))
        r = Receiver(self)
        self.assertEqual(r.post(request(span(1, more=code))).status, 200)
        r.end()
        (_, _, one), = self.spans()
        self.assertEqual(one["attributes"], [{"key": "code.function.name", "value": {"stringValue": "work"}},
                                             {"key": "code.file.path", "value": {"stringValue": "/src/app.py"}},
                                             {"key": "code.line.number", "value": {"intValue": "17"}}])
        report = self.oriel("report", "--json", "c.oriel")
        self.assertIn("/src/app.py", report.stdout)

    def test_every_encoding_of_the_same_spans_is_recorded_alike(self):
        if not NODE or subprocess.run([NODE, SENDER, "--probe"], capture_output=True, check=False).returncode:
            self.skipTest("node or its packages are missing (tools/setup check)")
        for over, good in (("http/protobuf", 200), ("http/json", 200), ("grpc", 0)):
            name = over.replace("/", "-") + ".oriel"
            receiver = Receiver(self, name=name)
            run = self.run_raw(NODE, SENDER, receiver.port, over, 3, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            sent = json.loads(run.stdout)
            self.assertEqual(sent["answers"], [good] * 6)
            self.assertIn("received 6 spans and 3 log records in 6 requests; refused: nothing", receiver.end())
            got = self.spans(name)
            self.assertEqual(len(got), 6)
            for want in sent["spans"]:
                same = [s for _, _, s in got if s["spanId"] == want["span"]]
                self.assertEqual(len(same), 3)
                s = same[0]
                self.assertEqual((s["name"], s["traceId"], s.get("parentSpanId", ""), s["kind"],
                                  s["startTimeUnixNano"], s["endTimeUnixNano"]),
                                 (want["name"], want["trace"], want["parent"], want["kind"], want["start"],
                                  want["end"]))
            root = [s for _, _, s in got if s["name"] == "GET /x"][0]
            self.assertEqual({a["key"]: a["value"] for a in root["attributes"]}, {
                "route": {"stringValue": "/x"}, "size": {"intValue": "12"}, "ratio": {"doubleValue": 0.5},
                "on": {"boolValue": True},
                "tags": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}},
                "many": {"arrayValue": {"values": [{"intValue": "1"}, {"intValue": "2"}]}}})
            child = [s for _, _, s in got if s["name"] == "query"][0]
            self.assertEqual([e["name"] for e in child["events"]], ["retry", "exception"])
            self.assertEqual(child["links"][0]["spanId"], root["spanId"])
            self.assertEqual(child["links"][0]["attributes"][0]["key"], "why")
            self.assertEqual(child["status"], {"code": 2, "message": "no rows"})
            resource_of, scope, _ = got[0]
            self.assertIn({"key": "service.name", "value": {"stringValue": "shop"}},
                          resource_of["resource"]["attributes"])
            self.assertEqual((scope["scope"]["name"], scope["scope"]["version"]), ("lib", "1.2.3"))

    def test_refusals_over_grpc_have_the_status_that_tells_the_sender_what_to_do(self):
        if not NODE or subprocess.run([NODE, SENDER, "--probe"], capture_output=True, check=False).returncode:
            self.skipTest("node or its packages are missing (tools/setup check)")
        receiver = Receiver(self)
        run = self.run_raw(NODE, SENDER, receiver.port, "refusals", text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads(run.stdout), {
            "garbage": "INVALID_ARGUMENT", "large": "RESOURCE_EXHAUSTED", "bomb": "RESOURCE_EXHAUSTED",
            "method": "UNIMPLEMENTED", "metrics": "OK", "empty": "OK"})
        self.assertIn("refused: 1 request malformed, 2 requests too large, 1 request for what is not here",
                      receiver.end())

    def test_answers_are_those_of_the_protocol(self):
        receiver = Receiver(self)
        good = request(span(1))
        js = "application/json"
        for status, body, options in (
                (200, good, {}), (200, b"", {}), (200, gzip.compress(good), {"content_encoding": "gzip"}),
                (200, b"{}", {"kind": js}), (400, b"{", {"kind": js}), (400, b"[]", {"kind": js}),
                (400, good[:-1], {}), (400, b"\x0a\xff\xff\xff\xff\x0f", {}),
                (400, b"nonsense", {"content_encoding": "gzip"}),
                (415, good, {"content_encoding": "br"}), (415, good, {"kind": "text/plain"}),
                (415, good, {"kind": None}), (404, good, {"path": "/v1/spans"}), (404, good, {"path": "/"}),
                (405, None, {"method": "GET"}), (405, None, {"method": "OPTIONS"}),
                (403, good, {"Host": "evil.example"}), (403, good, {"Host": "evil.example:4318"}),
                (403, good, {"Origin": "http://evil.example"}), (403, good, {"Origin": "null"}),
                (200, good, {"Origin": "http://localhost:3000"}), (200, good, {"Host": "localhost"}),
                (200, good, {"Host": "[::1]:4318"})):
            answer = receiver.post(body, **options)
            self.assertEqual(answer.status, status, (body, options, answer.bytes))
            self.assertEqual(answer.getheader("Content-Type"), options["kind"] if options.get("kind") == js
                             else "application/x-protobuf")
        self.assertEqual(receiver.post(None, method="PUT").getheader("Allow"), "POST")
        self.assertEqual(json.loads(receiver.post(b"{", kind=js).bytes).keys(), {"message"})
        text = receiver.end()
        self.assertIn("refused: 6 requests malformed, 4 requests not allowed, 8 requests for what is not here",
                      text)
        self.assertEqual(len(self.spans()), 5)

    def test_what_is_refused_of_a_request_is_told_with_its_number(self):
        receiver = Receiver(self)
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": TRACE, "spanId": "1112131415161718", "name": "a"}, {"name": "no ids"}]}]}]})
        answer = json.loads(receiver.post(body, kind="application/json").bytes)
        self.assertEqual(answer["partialSuccess"]["rejectedSpans"], "1")
        points = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "m", "gauge": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}}]}]}]}
        answer = json.loads(receiver.post(json.dumps(points), "/v1/metrics", "application/json").bytes)
        self.assertEqual(answer["partialSuccess"]["rejectedDataPoints"], "2")
        self.assertIn("metrics", answer["partialSuccess"]["errorMessage"])
        self.assertIn("received 1 span and 0 log records in 2 requests; refused: 1 span without valid ids, "
                      "2 points of metrics", receiver.end())

    def test_bombs_are_refused_and_take_little_memory(self):
        receiver = Receiver(self)
        receiver.post(request(span(0)))
        idle = self.peak(receiver)
        large = b"\0" * (64 << 20)
        deep = request(span(1, more=field(9, field(1, b"k") + field(2, any_value(20000)))))
        many = request(span(2, more=b"".join(field(9, field(1, b"k%d" % i) + field(2, b"\x18\x01"))
                                             for i in range(200000))))
        empty = gzip.compress(request(b"\x12\0" * ((8 << 20) - 100)))
        million = gzip.compress(request(span(3, more=b"".join(b"\x4a\x0c\x0a\x06%06d\x12\x02\x18\x01" % i
                                                              for i in range(1000000)))))
        bombs = [(413, gzip.compress(large), {"content_encoding": "gzip"}), (413, large[:8 << 20], {}),
                 (413, empty, {"content_encoding": "gzip"}), (200, million, {"content_encoding": "gzip"}),
                 (413, deep, {}), (200, many, {}),
                 (400, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", {}),
                 (413, b"[" * 1000000, {"kind": "application/json"}),
                 (413, b"[" + b"1," * 1000000 + b"1]", {"kind": "application/json"})]
        zstd = shutil.which("zstd")
        if zstd:
            packed = self.run_raw(zstd, "-c", "-q", "--long=29", input=large).stdout
            bombs.append((413, packed, {"content_encoding": "zstd"}))
            # A window of 512 MiB, asked for by the head of a frame without a size.
            bombs.append((413, b"\x28\xb5\x2f\xfd\x00\x98\x01\x00\x00", {"content_encoding": "zstd"}))
        for status, body, options in bombs:
            try:
                answer = receiver.post(body, **options)
            except (BrokenPipeError, ConnectionResetError):
                continue  # answered and closed before all of it was taken
            self.assertEqual(answer.status, status, (body[:20], options, answer.bytes[:200]))
        if not os.environ.get("SCENARIO_INSTRUMENTED"):
            self.assertLess(self.peak(receiver) - idle, 64 << 20)
        receiver.post(request(span(9)))
        receiver.end()
        spans = [s for _, _, s in self.spans()]
        self.assertEqual(len(spans), 4)
        self.assertEqual(sorted(s.get("droppedAttributesCount", 0) + len(s.get("attributes", [])) for s in spans),
                         [0, 0, 200000, 1000000])

    def test_requests_that_never_end_do_not_fill_the_memory(self):
        receiver = Receiver(self)
        receiver.post(request(span(0)))
        idle, links = self.peak(receiver), []
        head = (b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: %d\r\n\r\n" % (4 << 20))
        for _ in range(30):
            s = socket.create_connection(("127.0.0.1", receiver.port))
            links.append(s)
            try:
                s.sendall(head + b"\0" * (7 << 19))
            except OSError:
                pass  # it was the one that held most
        self.assertEqual(receiver.post(request(span(1))).status, 200)
        if not os.environ.get("SCENARIO_INSTRUMENTED"):
            self.assertLess(self.peak(receiver) - idle, 64 << 20)
        for s in links:
            s.close()
        receiver.end()
        self.assertEqual(len(self.spans()), 2)

    @staticmethod
    def peak(receiver):
        text = pathlib.Path(f"/proc/{receiver.child.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s*(\d+) kB", text).group(1)) << 10

    def test_requests_whose_end_is_unclear_are_refused_and_the_connection_closed(self):
        receiver = Receiver(self)
        head = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        body = request(span(1))
        length = b"Content-Length: %d\r\n" % len(body)
        cases = [
            length + b"Transfer-Encoding: chunked\r\n", length + length, length + b"Content-Length: 0\r\n",
            b"Content-Length: 1, 1\r\n", b"Content-Length: +5\r\n", b"Content-Length: -5\r\n",
            b"Content-Length: 0x5\r\n", b"Content-Length: 5 5\r\n", b"Content-Length:\r\n",
            b"Content-Length: 99999999999999999999\r\n", b"Content-Length : 5\r\n", b"Content-Length\r\n",
            b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: identity\r\n",
            b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"X: a\r\n b\r\n" + length,
            b" X: a\r\n" + length, b"X\0: a\r\n" + length, b"X: a\0b\r\n" + length, b"X: a\nY: b\r\n" + length,
            b"X: a\rY: b\r\n" + length, b"Host: other\r\n" + length, b": a\r\n" + length, b"X y: a\r\n" + length]
        for case in cases:
            got = receiver.raw(head + case + b"\r\n" + body)
            self.assertRegex(got[:12], rb"\AHTTP/1.1 400", case)
            self.assertEqual(got.count(b"HTTP/1.1"), 1, case)
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        for case in (b"5;ext=1\r\nabcde\r\n0\r\n\r\n", b"5 \r\nabcde\r\n0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n",
                     b"5\nabcde\r\n0\r\n\r\n", b"5\r\nabcdeX0\r\n\r\n", b"-1\r\nabcde\r\n0\r\n\r\n",
                     b"ffffffffffffffff1\r\nabcde\r\n", b"\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n"):
            got = receiver.raw(chunked + case)
            self.assertRegex(got[:12], rb"\AHTTP/1.1 400", case)
        for line in (b"POST  /v1/traces HTTP/1.1\r\n", b"POST /v1/traces\r\n", b"POST /v1/traces HTTP/1.1 \r\n",
                     b"POST /v1/traces HTTP/2.0\r\n", b"POST /v1/traces HTTP/1.10\r\n", b"POST\t/v1/traces HTTP/1.1\r\n",
                     b"PO ST /v1/traces HTTP/1.1\r\n", b"POST /v1/tra\0ces HTTP/1.1\r\n", b"GET /\r\n"):
            got = receiver.raw(line + b"Host: localhost\r\n" + length + b"\r\n" + body)
            self.assertRegex(got[:12], rb"\AHTTP/1.1 (400|505)", line)
        receiver.raw(b"POST /v1/traces HTTP/1.1\r\n" + length + b"\r\n" + body)  # no host
        self.assertIn("received 0 spans", receiver.end())

    def test_thousands_of_slow_connections_do_not_keep_a_good_one_out(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2200:
            self.skipTest("too few descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2200), hard))
        receiver = Receiver(self)
        slow = []
        try:
            for i in range(2000):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", receiver.port))
                slow.append(s)
                if i % 500 == 250:
                    self.assertEqual(receiver.post(request(span(i))).status, 200)
            for s in slow:
                try:
                    s.send(b"POST /v1/traces HTTP/1.1\r\nHost: lo")
                except OSError:
                    pass
            self.assertEqual(receiver.post(request(span(9999))).status, 200)
            self.assertLessEqual(len(os.listdir(f"/proc/{receiver.child.pid}/fd")), 64)
        finally:
            for s in slow:
                s.close()
        receiver.end()
        self.assertEqual(len(self.spans()), 5)

    def test_senders_that_go_before_their_answer_are_recorded_all_the_same(self):
        receiver = Receiver(self)
        packed = gzip.compress(request(span(1)))
        for i in range(200):
            body = request(span(i)) if i % 2 else packed
            with socket.create_connection(("127.0.0.1", receiver.port)) as s:
                s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                          + (b"" if i % 2 else b"Content-Encoding: gzip\r\n")
                          + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0 if i % 3 else 1))
        self.assertEqual(receiver.post(request(span(1000))).status, 200)
        found = re.search(r"received (\d+) spans", receiver.end())
        self.assertEqual(len(self.spans()), int(found.group(1)))

    def test_it_listens_on_loopback_and_nowhere_else(self):
        receiver = Receiver(self, "--unix", self.dir / "sock")
        listening = self.run_raw("ss", "-Hltnp", text=True).stdout
        mine = [line.split()[3] for line in listening.splitlines() if f"pid={receiver.child.pid}," in line]
        self.assertEqual(mine, [f"127.0.0.1:{receiver.port}"])
        self.assertEqual(os.stat(self.dir / "sock").st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.dir / "sock"))
            body = request(span(5))
            s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: any\r\nContent-Type: application/x-protobuf\r\n"
                      b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200"))
        receiver.end()
        self.assertFalse((self.dir / "sock").exists())
        self.assertEqual(len(self.spans()), 1)
        for words, why in ((["--listen", "0.0.0.0:0"], "loopback"),
                           (["--listen", "0.0.0.0:0", "--beyond-loopback"], "--token-file FILE"),
                           (["--listen", "x"], "PORT")):
            run = self.oriel("collect", "--http", "off", *words)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(why, self.one_line(run.stderr))

    def test_a_socket_alone_is_told_with_its_path(self):
        for path in (self.dir / "sock", "s" * 100):
            child = self.start(ORIEL, "collect", "--listen", "off", "--http", "off", "--no-report",
                               "--unix", path, "-f", stderr=subprocess.PIPE, text=True)
            self.assertEqual(child.stderr.readline(), f"oriel: receiving OTLP at {path}; Ctrl-C ends\n")
            child.terminate()
            child.communicate()

    def test_tls_is_not_waited_for(self):
        receiver = Receiver(self)
        begun = time.monotonic()
        for hello in (b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with socket.create_connection(("127.0.0.1", receiver.port)) as s:
                s.sendall(hello)
                try:
                    self.assertEqual(s.recv(1), b"")
                except ConnectionResetError:
                    pass
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(receiver.post(request(span(1))).status, 200)
        said = receiver.end()
        self.assertEqual(said.count("a sender began with TLS"), 1, said)
        self.assertIn("http://", said)
        self.assertIn("2 connections of TLS", said)

    def test_a_token_is_asked_for_and_never_shown(self):
        (self.dir / "token").write_text("s3cret-token\n", encoding="ascii")
        run = self.oriel("collect", "--token-file", "token", "--listen", "127.0.0.1:0", "--http", "off")
        self.assertIn("chmod 600", self.one_line(run.stderr))
        os.chmod(self.dir / "token", 0o600)
        receiver = Receiver(self, "--token-file", self.dir / "token")
        body = request(span(1))
        for status, headers in ((401, {}), (401, {"Authorization": "Bearer wrong"}),
                                (401, {"Authorization": "Bearer s3cret-toke"}),
                                (401, {"Authorization": "Basic s3cret-token"}),
                                (200, {"Authorization": "Bearer s3cret-token"})):
            answer = receiver.post(body, **headers)
            self.assertEqual(answer.status, status)
            self.assertNotIn(b"s3cret", answer.bytes)
        self.assertNotIn("s3cret", receiver.said + receiver.end())
        self.assertNotIn(b"s3cret", (self.dir / "c.oriel").read_bytes())

    def test_secrets_of_resources_scopes_spans_and_links_are_not_recorded(self):
        receiver = Receiver(self)

        def pair(key, text):
            return {"key": key, "value": {"stringValue": text}}
        plain, shape = "c4nary-by-name", "ghp_" + "c4naryByShape" + "0" * 23
        attributes = [pair("password", plain), pair("note", "use " + shape), pair("fine", "stays")]
        body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{
            "scope": {"name": "lib", "attributes": attributes}, "spans": [{
                "traceId": TRACE, "spanId": "1112131415161718", "name": "a", "attributes": attributes,
                "status": {"code": 2, "message": "no " + shape},
                "events": [{"name": "e", "attributes": attributes}],
                "links": [{"traceId": TRACE, "spanId": "1112131415161719", "attributes": attributes}]}]}]}]}
        self.assertEqual(receiver.post(json.dumps(body), kind="application/json").status, 200)
        receiver.end()
        run = self.oriel("export", "--to", "capture", "--compression", "none", "-o", "plain.oriel", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len(self.spans()), 1)
        for name in ("plain.oriel", "x.jsonl"):
            data = (self.dir / name).read_bytes()
            self.assertNotIn(b"c4nary", data, name)
            self.assertIn(b"stays", data)

    def test_what_was_answered_is_in_the_file_of_a_receiver_that_is_killed(self):
        receiver = Receiver(self)
        for i in range(50):
            self.assertEqual(receiver.post(request(*(span(100 * i + k) for k in range(100)))).status, 200)
        receiver.child.kill()
        receiver.child.wait()
        self.assertEqual(len({s["spanId"] for _, _, s in self.spans()}), 5000)

    def test_a_full_file_is_told_to_the_sender_and_what_was_taken_is_there(self):
        receiver = Receiver(self, "--max-size", "256KiB")
        taken, told_off = set(), 0
        for i in range(60):
            texts = [base64.b64encode(os.urandom(2000)) for _ in range(20)]
            body = request(*(span(20 * i + k, more=field(9, field(1, b"k") + field(2, field(1, text))))
                             for k, text in enumerate(texts)))
            answer = receiver.post(body)
            self.assertIn(answer.status, (200, 503))
            if answer.status == 200:
                taken |= {20 * i + k for k in range(20)}
            else:
                told_off += 1
                self.assertEqual(answer.getheader("Retry-After"), "5")
        self.assertGreater(told_off, 0)
        self.assertGreater(len(taken), 0)
        receiver.child.terminate()
        _, text = receiver.child.communicate()
        self.assertIn(f"{told_off} request{'s' * (told_off != 1)} told to come again", text)
        there = {int(s["spanId"], 16) - 1 for _, _, s in self.spans()}
        self.assertEqual(taken - there, set())

    def test_what_the_sender_lost_is_said_and_a_capture_of_before_stays(self):
        recorder = self.start(ORIEL, "record", "--no-report", "--ring", "256KiB", "-o", "c.oriel", "--",
                              EMITTER, "steps", 100000, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.step(recorder)
        os.kill(recorder.pid, signal.SIGSTOP)  # the ring is full soon
        self.step(recorder)
        os.kill(recorder.pid, signal.SIGCONT)
        recorder.communicate(timeout=TIMEOUT)
        (self.dir / "c.oriel").rename(self.dir / "sent.oriel")
        kept = self.report("sent.oriel")
        lost = self.lost(kept)
        self.assertGreater(lost, 0)
        send = ("import os,sys,subprocess as s; sys.exit(s.run([sys.argv[1],'export','--to','otlp','--protocol',"
                "'http/protobuf','--endpoint',os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'],'sent.oriel']).returncode)")
        words = ("collect", "--no-report", "-o", "c.oriel", "--", sys.executable, "-c", send, ORIEL)
        run = self.oriel(*words)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(f"{lost:,} records were lost before, as the senders say", run.stderr)
        self.assertIn(f"{lost:,} lost (", run.stderr)
        self.assertEqual(kept["counts"]["events"] + lost, 200000)
        before = (self.dir / "c.oriel").read_bytes()
        run = self.oriel(*words)
        self.assertEqual(run.returncode, 1)
        self.assertIn("c.oriel: exists; -f overwrites it, -o names another one", run.stderr)
        self.assertEqual((self.dir / "c.oriel").read_bytes(), before)
        run = self.oriel("collect", "-f", *words[1:])
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_program_behind_dashes_is_told_where_to_send(self):
        script = ("import os,sys,urllib.request as u; e=os.environ; "
                  "r=u.Request(e['OTEL_EXPORTER_OTLP_ENDPOINT']+'/v1/traces',sys.stdin.buffer.read(),"
                  "{'Content-Type':'application/x-protobuf'}); u.urlopen(r); "
                  "print(e['OTEL_EXPORTER_OTLP_PROTOCOL'],e['OTEL_METRICS_EXPORTER']); sys.exit(7)")
        run = self.run_raw(ORIEL, "collect", "-o", "c.oriel", "--", "python3", "-c", script,
                           input=request(span(1), span(2)))
        self.assertEqual((run.returncode, run.stdout), (7, b"http/protobuf none\n"), run.stderr)
        self.assertIn(b"received 2 spans", run.stderr)
        self.assertEqual(len(self.spans()), 2)
        run = self.oriel("collect", "-o", "ours.oriel", "--", EMITTER, "spans", 20,
                         env={**self.env, "LD_LIBRARY_PATH": LIBRARY})
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual([s["name"] for _, _, s in self.spans("ours.oriel")].count("outer"), 20)
        self.assertFalse((self.dir / ".local").exists(), "files were written, too")
        run = self.oriel("collect", "-o", "off.oriel", "--", EMITTER, "spans", 20,
                         env={**self.env, "LD_LIBRARY_PATH": LIBRARY, "TELEMETRY_ENABLED": "false"})
        self.assertIn("received 0 spans", run.stderr)
        run = self.oriel("collect", "--", "/does/not/exist")
        self.assertEqual(run.returncode, 127)

    def test_a_program_is_told_of_a_socket_that_stands_alone(self):
        (self.dir / "below").mkdir()
        # One that goes elsewhere, and one whose signals have endpoints of their own.
        for name, variables in (("a", {}), ("b", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"})):
            run = self.oriel("collect", "--no-report", "--listen", "off", "--unix", "sock", "-o",
                             f"{name}.oriel", "--", "sh", "-c", f"cd below; exec {EMITTER} spans 20",
                             env={**self.env, "LD_LIBRARY_PATH": LIBRARY, **variables})
            self.assertEqual(run.returncode, 0, run.stderr)
            told = [s["name"] for _, _, s in self.spans(f"{name}.oriel")]
            self.assertEqual(told.count("outer"), 20, run.stderr)
        run = self.oriel("collect", "--listen", "off", "--unix", "sock", "-o", "c.oriel", "--", "sh",
                         "-c", "echo $OTEL_EXPORTER_OTLP_ENDPOINT")
        self.assertEqual(run.stdout, f"unix:{self.dir}/sock\n")


if __name__ == "__main__":
    main()
