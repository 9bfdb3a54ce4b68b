# SPDX-License-Identifier: MIT OR Apache-2.0
"""Receivers with bad manners, for tests (outage_test.py) and the bench (bench/away.py)."""
import re
import socket
import struct
import threading

GOAWAY = b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\7\0\0\0\0\0" + struct.pack(">II", 0, 11)


def answer(status, *headers, body=b""):
    lines = (f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


class BadServer:
    """Each connection is served by `mood`, on a thread of its own."""

    def __init__(self, mood):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.mood, self.heard, self.connections = mood, b"", 0
        self.over = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.over.set()
        self.listener.close()

    def accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        try:
            with connection:
                self.mood(self, connection)
        except OSError:
            pass

    def request(self, connection):
        """One request of HTTP/1.1, whole; False: the other side has ended."""
        got = b""
        while b"\r\n\r\n" not in got:
            more = connection.recv(65536)
            if not more:
                return False
            got += more
        head, _, body = got.partition(b"\r\n\r\n")
        self.heard += head
        length = re.search(rb"content-length: *(\d+)", head, re.I)
        length = int(length[1]) if length else 0  # none: not HTTP/1.1 at all
        while len(body) < length:
            more = connection.recv(65536)
            if not more:
                return False
            body += more
        return True

    def until_end(self, connection):
        while connection.recv(65536):
            pass


def always(reply):
    def mood(server, connection):
        while server.request(connection):
            connection.sendall(reply)
    return mood


def silent(server, connection):
    server.until_end(connection)


def deaf(server, connection):
    server.over.wait()


def drip(server, connection):
    server.request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100000:
        connection.sendall(bytes([byte]))
        if server.over.wait(0.05):
            return


def reset(server, connection):
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless_headers(server, connection):
    server.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.over.is_set():
        connection.sendall(b"x-more: " + b"y" * 65000 + b"\r\n")


def ten_gigabytes(server, connection):
    server.request(connection)
    connection.sendall(b"HTTP/1.1 503 Later\r\ncontent-length: 10737418240\r\n\r\n")
    while not server.over.is_set():
        connection.sendall(b"z" * 65536)


def garbage(server, connection):
    connection.recv(100)
    connection.sendall(bytes(range(256)) * 10)


def goaway(server, connection):
    connection.recv(100)
    connection.sendall(GOAWAY)
    server.until_end(connection)
