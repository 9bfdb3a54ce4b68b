# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel collect: requests of which two readers could see the end, the host or the path differently. One
request has one answer, what is refused is refused for good, and what stands behind it is never heard."""
import socket
import struct
import unittest

from collect_test import Receiver, request, span
from tool import TIMEOUT, Scenario, main

BODY = request(span(1))
LINE = b"POST /v1/traces HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/x-protobuf\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# What a smuggler wants to be heard: behind everything that is sent.
BEHIND = b"POST /v1/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def ask(*headers, line=LINE, host=HOST, body=BODY):
    return line + host + TYPE + b"".join(headers) + b"\r\n" + body


def chunk(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts)


def in_chunks(*parts, headers=(), end=b"0\r\n\r\n"):
    return ask(CHUNKED, *headers, body=b"".join(parts) + end)


# Each with its status: RFC 9112 has 400 for what is no message, 501 for a coding within chunks that is
# not known (6.1), 505 for another version (RFC 9110, 15.6.6). Where it lets a server choose, ours refuses.
REFUSED = {
    # Two statements of where the body ends (RFC 9112, 6.3), in either order
    "CL.TE": (400, ask(LENGTH, CHUNKED, body=chunk(BODY) + b"0\r\n\r\n")),
    "TE.CL": (400, ask(CHUNKED, LENGTH, body=chunk(BODY) + b"0\r\n\r\n")),
    "CL.TE, a length of the first chunk": (400, ask(b"Content-Length: 4\r\n", CHUNKED, body=b"5c\r\n" + BODY)),
    "CL.0 and chunks": (400, ask(b"Content-Length: 0\r\n", CHUNKED, body=chunk(BODY) + b"0\r\n\r\n")),
    "TE.TE, the second is hidden": (400, ask(CHUNKED, b"Transfer-Encoding: cow\r\n")),
    "TE.TE, the first is hidden": (400, ask(b"Transfer-Encoding: cow\r\n", CHUNKED)),
    "chunked twice": (400, ask(CHUNKED, CHUNKED)),
    "the same length twice": (400, ask(LENGTH, LENGTH)),
    "two lengths": (400, ask(LENGTH, b"Content-Length: 0\r\n")),
    "two lengths in one line": (400, ask(b"Content-Length: 5, 6\r\n")),
    "the same length in one line": (400, ask(b"Content-Length: 5, 5\r\n")),
    # Lengths that are read differently
    "a length with a sign": (400, ask(b"Content-Length: +5\r\n")),
    "a negative length": (400, ask(b"Content-Length: -5\r\n")),
    "a hexadecimal length": (400, ask(b"Content-Length: 0x5\r\n")),
    "a length with a fraction": (400, ask(b"Content-Length: 5.0\r\n")),
    "a length with an exponent": (400, ask(b"Content-Length: 1e1\r\n")),
    "a length with a space in it": (400, ask(b"Content-Length: 5 5\r\n")),
    "an empty length": (400, ask(b"Content-Length:\r\n")),
    "a length with a separator": (400, ask(b"Content-Length: 1_0\r\n")),
    "a length beyond 64 bits": (400, ask(b"Content-Length: 18446744073709551621\r\n")),
    "a length far too large": (413, ask(b"Content-Length: 999999999999999999\r\n")),
    # Codings: the end of what is not chunked last cannot be found (6.3)
    "identity": (400, ask(b"Transfer-Encoding: identity\r\n")),
    "gzip alone": (400, ask(b"Transfer-Encoding: gzip\r\n")),
    "chunked, then something": (400, ask(b"Transfer-Encoding: chunked, identity\r\n")),
    "chunked, chunked": (400, ask(b"Transfer-Encoding: chunked, chunked\r\n")),
    "chunked with a parameter": (400, ask(b"Transfer-Encoding: chunked;x=1\r\n")),
    "chunked in quotes": (400, ask(b'Transfer-Encoding: "chunked"\r\n')),
    "xchunked": (400, ask(b"Transfer-Encoding: xchunked\r\n")),
    "an empty coding": (400, ask(b"Transfer-Encoding:\r\n")),
    "a vertical tab before chunked": (400, ask(b"Transfer-Encoding:\x0bchunked\r\n")),
    "chunked behind a zero byte": (400, ask(b"Transfer-Encoding: \0chunked\r\n")),
    "something, then chunked": (501, ask(b"Transfer-Encoding: gzip, chunked\r\n")),
    "chunked in HTTP/1.0": (400, ask(CHUNKED, line=b"POST /v1/traces HTTP/1.0\r\n")),
    # Lines and names
    "space before a colon, length": (400, ask(b"Content-Length : 5\r\n")),
    "tab before a colon, coding": (400, ask(b"Transfer-Encoding\t: chunked\r\n")),
    "no colon": (400, ask(b"Content-Length\r\n", LENGTH)),
    "no name": (400, ask(b": 5\r\n", LENGTH)),
    "a name with a space": (400, ask(b"X Y: 5\r\n", LENGTH)),
    "a name with a zero byte": (400, ask(b"X\0: 5\r\n", LENGTH)),
    "a name beyond ASCII": (400, ask(b"X\xe4: 5\r\n", LENGTH)),
    "a folded line": (400, ask(b"X: a\r\n b\r\n", LENGTH)),
    "a coding in a folded line": (400, ask(b"Transfer-Encoding:\r\n chunked\r\n")),
    "a first header that is folded": (400, ask(LENGTH, host=b" X: a\r\n" + HOST)),
    "a line feed alone": (400, ask(b"X: a\nContent-Length: 5\r\n")),
    "a carriage return alone": (400, ask(b"X: a\rContent-Length: 5\r\n")),
    "only line feeds": (400, b"POST /v1/traces HTTP/1.1\nHost: localhost\n\n"),
    "a line feed ends the head": (400, LINE + HOST + LENGTH + b"\n" + BODY),
    "two carriage returns": (400, ask(b"X: a\r\r\n", LENGTH)),
    "a zero byte in a value": (400, ask(b"X: a\0b\r\n", LENGTH)),
    "an empty line first": (400, b"\r\n" + ask(LENGTH)),
    "too many headers": (431, ask(*(b"X-%d: a\r\n" % i for i in range(100)), LENGTH)),
    # The first line
    "no version (HTTP/0.9)": (400, ask(LENGTH, line=b"POST /v1/traces\r\n")),
    "two spaces": (400, ask(LENGTH, line=b"POST  /v1/traces HTTP/1.1\r\n")),
    "a tab": (400, ask(LENGTH, line=b"POST\t/v1/traces HTTP/1.1\r\n")),
    "a space behind": (400, ask(LENGTH, line=b"POST /v1/traces HTTP/1.1 \r\n")),
    "a space in the method": (400, ask(LENGTH, line=b"PO ST /v1/traces HTTP/1.1\r\n")),
    "a zero byte in the path": (400, ask(LENGTH, line=b"POST /v1/tra\0ces HTTP/1.1\r\n")),
    "a path without a slash": (400, ask(LENGTH, line=b"POST v1/traces HTTP/1.1\r\n")),
    "an asterisk": (400, ask(LENGTH, line=b"OPTIONS * HTTP/1.1\r\n")),
    "a tunnel": (400, ask(LENGTH, line=b"CONNECT localhost:80 HTTP/1.1\r\n")),
    "a longer version": (400, ask(LENGTH, line=b"POST /v1/traces HTTP/1.10\r\n")),
    "small letters": (400, ask(LENGTH, line=b"POST /v1/traces http/1.1\r\n")),
    "HTTP/1.2": (505, ask(LENGTH, line=b"POST /v1/traces HTTP/1.2\r\n")),
    "HTTP/2.0 in the first line": (505, ask(LENGTH, line=b"POST /v1/traces HTTP/2.0\r\n")),
    "the preface of HTTP/2, broken": (400, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
    # Hosts (RFC 9112, 3.2)
    "no host": (400, ask(LENGTH, host=b"")),
    "two hosts": (400, ask(LENGTH, b"Host: other\r\n")),
    "the same host twice": (400, ask(LENGTH, HOST)),
    "two hosts in one line": (400, ask(LENGTH, host=b"Host: localhost, other\r\n")),
    "a host with a path": (400, ask(LENGTH, host=b"Host: localhost/x\r\n")),
    "another host in the target": (400, ask(LENGTH, line=b"POST http://other/v1/traces HTTP/1.1\r\n")),
    "a user in the target": (400, ask(LENGTH, line=b"POST http://u@localhost/v1/traces HTTP/1.1\r\n")),
    "a target of TLS": (400, ask(LENGTH, line=b"POST https://localhost/v1/traces HTTP/1.1\r\n")),
    # Chunks (RFC 9112, 7.1). Extensions may be passed over; readers disagree about where they end.
    "an extension": (400, in_chunks(b"5;a=1\r\nabcde\r\n")),
    "an extension with a line feed": (400, in_chunks(b"5;\nabcde\r\n")),
    "a space behind the size": (400, in_chunks(b"5 \r\nabcde\r\n")),
    "a size with 0x": (400, in_chunks(b"0x5\r\nabcde\r\n")),
    "a size with a sign": (400, in_chunks(b"+5\r\nabcde\r\n")),
    "a negative size": (400, in_chunks(b"-1\r\nabcde\r\n")),
    "no size": (400, in_chunks(b"\r\nabcde\r\n")),
    "a size beyond 64 bits": (400, in_chunks(b"10000000000000005\r\nabcde\r\n")),
    "a size far too large": (413, in_chunks(b"fffffffffffff\r\n" + b"a" * (5 << 20))),
    "a size with many zeros": (400, in_chunks(b"0" * 40 + b"5\r\nabcde\r\n")),
    "a line feed behind the size": (400, in_chunks(b"5\nabcde\r\n")),
    "a line feed behind the chunk": (400, in_chunks(b"5\r\nabcde\n")),
    "a carriage return behind the size": (400, in_chunks(b"5\rabcde\r\n")),
    "a chunk longer than its size": (400, in_chunks(b"5\r\nabcdeX\r\n")),
    "a chunk shorter than its size": (400, in_chunks(b"9\r\nabcde\r\n")),
    "a trailer without a colon": (400, in_chunks(chunk(BODY), end=b"0\r\nPOST /x HTTP/1.1\r\n\r\n")),
    "a trailer that is folded": (400, in_chunks(chunk(BODY), end=b"0\r\nX: a\r\n b\r\n\r\n")),
    "a trailer with a line feed": (400, in_chunks(chunk(BODY), end=b"0\r\nX: a\n\r\n")),
    "a last chunk without an end": (400, in_chunks(chunk(BODY), end=b"0\r\nX\0\r\n\r\n")),
}
# Each is one request and has one answer; the one behind it has its own.
TAKEN = {
    "a length": ask(LENGTH),
    "a length with zeros and space": ask(b"Content-Length: \t 000%d \r\n" % len(BODY)),
    "names in any case": ask(LENGTH.upper()),
    "chunks": in_chunks(chunk(BODY[:3], BODY[3:])),
    "chunked in any case": ask(b"Transfer-Encoding: ChunKed\r\n", body=chunk(BODY) + b"0\r\n\r\n"),
    "a size in capitals": in_chunks(b"%X\r\n%s\r\n" % (len(BODY), BODY)),
    "trailers that would change it": in_chunks(
        chunk(BODY), end=b"0\r\nContent-Length: 9\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "the host in the target": ask(LENGTH, line=b"POST http://LOCALHOST/v1/traces HTTP/1.1\r\n"),
    "an upgrade to HTTP/2": ask(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n", LENGTH),
    "an upgrade to anything": ask(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", LENGTH),
    "a body that looks like a request": ask(LENGTH, b"X: a\r\n"),
    "an expectation of none that we know": ask(b"Expect: magic\r\n", LENGTH),
    "an override of the method": ask(b"X-HTTP-Method-Override: GET\r\n", LENGTH),
    "another path in a header": ask(b"X-Original-URL: /x\r\nX-Rewrite-URL: /y\r\n", LENGTH),
}


def answers(data):
    """Status and headers of each answer; there is nothing else between and behind them."""
    out = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if not end or not first.startswith(b"HTTP/1.1 "):
            raise AssertionError(head[:200])
        headers = {k.lower(): v.strip() for k, v in (line.split(b":", 1) for line in lines)}
        out.append((int(first.split()[1]), headers))
        data = data[int(headers.get(b"content-length", 0)):]
    return out


# ---- HTTP/2 ----

POST = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/v1/traces"),
        ("content-type", "application/x-protobuf")]
RST_STREAM, GOAWAY = 3, 7


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def literal(name, value):
    name, value = (t if isinstance(t, bytes) else t.encode() for t in (name, value))
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def stream(number, headers, *data, trailers=None):
    block = b"".join(literal(k, v) for k, v in headers)
    out = frame(1, 4, number, block)
    for i, piece in enumerate(data):
        out += frame(0, trailers is None and i + 1 == len(data), number, piece)
    if trailers is not None:
        out += frame(1, 5, number, b"".join(literal(k, v) for k, v in trailers))
    return out


def without(name):
    return [h for h in POST if h[0] != name]


def instead(name, value):
    return [(k, value if k == name else v) for k, v in POST]


# RFC 9113, 8.1.1: what is malformed is a stream error, and is never answered as a request.
RESET = {
    "a length that is too small": stream(1, [*POST, ("content-length", "3")], BODY),
    "a length that is too large": stream(1, [*POST, ("content-length", str(len(BODY) + 9))], BODY),
    "two lengths": stream(1, [*POST, ("content-length", str(len(BODY))), ("content-length", "3")], BODY),
    "a length that is none": stream(1, [*POST, ("content-length", "0x5")], BODY),
    "a coding": stream(1, [*POST, ("transfer-encoding", "chunked")], chunk(BODY) + b"0\r\n\r\n"),
    "a connection header": stream(1, [*POST, ("connection", "close")], BODY),
    "an upgrade": stream(1, [*POST, ("upgrade", "h2c")], BODY),
    "keep-alive": stream(1, [*POST, ("keep-alive", "1")], BODY),
    "te of anything but trailers": stream(1, [*POST, ("te", "gzip")], BODY),
    "no method": stream(1, without(":method"), BODY),
    "no scheme": stream(1, without(":scheme"), BODY),
    "no path": stream(1, without(":path"), BODY),
    "no host": stream(1, without(":authority"), BODY),
    "an empty path": stream(1, instead(":path", ""), BODY),
    "a path without a slash": stream(1, instead(":path", "v1/traces"), BODY),
    "two paths": stream(1, [(":path", "/x"), *POST], BODY),
    "two methods": stream(1, [(":method", "GET"), *POST], BODY),
    "a pseudo-header behind a header": stream(1, [*without(":path"), ("x", "y"), (":path", "/v1/traces")], BODY),
    "a pseudo-header nobody knows": stream(1, [(":x", "y"), *POST], BODY),
    "a status in a request": stream(1, [(":status", "200"), *POST], BODY),
    "a name in capitals": stream(1, [*POST, ("X-Y", "z")], BODY),
    "a name with a colon": stream(1, [*POST, ("a:b", "z")], BODY),
    "a name with a space": stream(1, [*POST, ("content-length ", "3")], BODY),
    "a name with lines": stream(1, [*POST, ("a: b\r\nhost", "z")], BODY),
    "a value with lines": stream(1, [*POST, ("x", "a\r\ntransfer-encoding: chunked")], BODY),
    "a value with a zero byte": stream(1, [*POST, ("x", "a\0b")], BODY),
    "a path with lines": stream(1, instead(":path", "/v1/traces HTTP/1.1\r\nX: y"), BODY),
    "a method with lines": stream(1, instead(":method", "POST /v1/traces HTTP/1.1\r\nX: y"), BODY),
    "a host with lines": stream(1, instead(":authority", "localhost\r\nx: y"), BODY),
    "a pseudo-header in a trailer": stream(1, POST, BODY, trailers=[(":path", "/x")]),
    "a trailer that does not end": stream(1, POST, BODY) + frame(1, 4, 1, literal("x", "y")),
}
STATUS_200, STATUS_400 = 0x88, 0x8c  # of HPACK's table


class Smuggle(Scenario):
    def good(self, receiver, case):
        self.assertEqual(receiver.post(BODY).status, 200, case)
        self.sent += 1

    def test_what_two_readers_could_read_differently_has_one_answer_and_ends_the_connection(self):
        receiver, self.sent = Receiver(self), 0
        self.assertGreaterEqual(len(REFUSED), 60)
        for case, (status, data) in REFUSED.items():
            got = answers(receiver.raw(data + BEHIND))
            self.assertEqual([s for s, _ in got], [status], case)
            self.assertEqual(got[0][1].get(b"connection"), b"close", case)
            self.good(receiver, case)
        text = receiver.end()
        self.assertIn(f"received {self.sent} spans", text)
        self.assertIn(f"refused: {len(REFUSED)} requests malformed", text)

    def test_one_request_has_one_answer_and_the_next_its_own(self):
        receiver, self.sent = Receiver(self), 0
        for case, data in TAKEN.items():
            got = answers(receiver.raw(data + BEHIND))
            self.assertEqual([s for s, _ in got], [200, 404], case)
            self.assertNotIn(b"upgrade", got[0][1], case)
            self.good(receiver, case)
        self.assertIn(f"received {self.sent + len(TAKEN)} spans", receiver.end())

    def test_who_waits_for_continue_gets_one_answer(self):
        receiver = Receiver(self)
        for version, first in ((b"1.1", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"1.0", b"")):
            with socket.create_connection(("127.0.0.1", receiver.port), timeout=TIMEOUT) as s:
                s.sendall(ask(b"Expect: 100-continue\r\n", LENGTH, b"Connection: close\r\n", body=b"",
                              line=b"POST /v1/traces HTTP/" + version + b"\r\n"))
                got = b""
                while len(got) < len(first):
                    got += s.recv(len(first) - len(got))
                self.assertEqual(got, first)
                s.sendall(BODY + BEHIND)
                rest = b""
                while part := s.recv(65536):
                    rest += part
            self.assertEqual([status for status, _ in answers(rest)], [200])
        # Too large to be waited for: refused instead of continued.
        got = answers(receiver.raw(ask(b"Expect: 100-continue\r\n", b"Content-Length: 99999999\r\n", body=b"")))
        self.assertEqual([status for status, _ in got], [413])
        self.assertIn("received 2 spans", receiver.end())

    def frames(self, receiver, data):
        """(kind, stream, body) of the answers to streams; a last good one ends it, or the connection's end."""
        last = stream(101, POST, BODY)
        out, got = [], b""
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=TIMEOUT) as s:
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + data + last)
            while not any(f[1] == 101 for f in out):
                try:
                    part = s.recv(65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                got += part
                while len(got) >= 9 and len(got) >= 9 + int.from_bytes(got[:3], "big"):
                    n = int.from_bytes(got[:3], "big")
                    out.append((got[3], int.from_bytes(got[5:9], "big"), got[9:9 + n]))
                    got = got[9 + n:]
        return out

    def test_malformed_requests_over_http2_are_reset_and_never_answered(self):
        receiver, self.sent = Receiver(self), 0
        self.assertGreaterEqual(len(RESET), 25)
        for case, data in RESET.items():
            got = self.frames(receiver, data)
            self.assertEqual([f for f in got if f[1] == 1 and f[0] in (0, 1)], [], case)
            ends = [f for f in got if (f[1] == 1 and f[0] == RST_STREAM) or f[0] == GOAWAY]
            self.assertTrue(ends, (case, got))
            code = ends[0][2][-4:] if ends[0][0] == RST_STREAM else ends[0][2][4:8]
            self.assertIn(int.from_bytes(code, "big"), (1, 5), case)  # PROTOCOL_ERROR, STREAM_CLOSED
            self.sent += any(f[1] == 101 and f[0] == 1 for f in got)
            self.good(receiver, case)
        self.assertIn(f"received {self.sent} spans", receiver.end())

    def test_over_http2_one_host_counts_and_trailers_say_nothing_of_the_request(self):
        receiver = Receiver(self)
        for case, status, data in (
                ("a good one", STATUS_200, stream(1, POST, BODY)),
                ("the same host twice", STATUS_200, stream(1, [*POST, ("host", "localhost")], BODY)),
                ("two hosts", STATUS_400, stream(1, [*POST, ("host", "evil.example")], BODY)),
                ("a type and coding in trailers", STATUS_200, stream(1, POST, BODY, trailers=[
                    ("content-type", "text/plain"), ("content-encoding", "br"), ("origin", "http://evil")]))):
            got = [f for f in self.frames(receiver, data) if f[1] == 1 and f[0] == 1]
            self.assertEqual(len(got), 1, case)
            self.assertEqual(next(b for b in got[0][2] if b >> 5 != 1), status, case)
        (self.dir / "token").write_text("s3cret", encoding="ascii")
        (self.dir / "token").chmod(0o600)
        receiver.end()
        receiver = Receiver(self, "--token-file", self.dir / "token", name="t.oriel")
        self.frames(receiver, stream(1, POST, BODY, trailers=[("authorization", "Bearer s3cret")]))
        self.assertIn("received 0 spans", receiver.end())


if __name__ == "__main__":
    main()
