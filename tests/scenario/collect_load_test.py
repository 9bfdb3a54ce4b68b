# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel collect while more comes than it can take: it hears whoever wants it to end, and what it
answered is in the capture."""
import socket
import threading

from collect_test import Receiver, request, span
from tool import TIMEOUT, Scenario, main, re, signal

SENDERS = 32
SPANS = 500  # of a request


class Sender:
    """Requests one behind the other, without a look at the answers, until the receiver hangs up."""

    def __init__(self, port):
        body = request(*[span(i) for i in range(SPANS)])
        self.request = (b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                        b"application/x-protobuf\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
        self.link = socket.create_connection(("127.0.0.1", port))
        self.good = 0
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.read)]
        for thread in self.threads:
            thread.start()

    def send(self):
        try:
            while True:
                self.link.sendall(self.request)
        except OSError:
            pass

    def read(self):
        rest = b""
        try:
            while got := self.link.recv(65536):
                parts = (rest + got).split(b"HTTP/1.1 200 ")
                self.good += len(parts) - 1
                rest = parts[-1][-16:]
        except OSError:
            pass

    def hang_up(self):
        try:
            self.link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self.threads:
            thread.join()
        self.link.close()


class Load(Scenario):
    def test_it_ends_when_told_to_while_requests_keep_coming(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                name = f"{number}.oriel"
                receiver = Receiver(self, "--max-size", "1G", name=name)
                senders = [Sender(receiver.port) for _ in range(SENDERS)]
                try:
                    self.until("every sender is answered", lambda: all(s.good > 2 for s in senders))
                    receiver.child.send_signal(number)
                    _, said = receiver.child.communicate(timeout=TIMEOUT)
                finally:
                    receiver.child.kill()
                    for sender in senders:
                        sender.hang_up()
                self.assertEqual(receiver.child.returncode, 0, said)
                received = int(re.search(r"received ([\d,]+) spans", said)[1].replace(",", ""))
                self.assertGreaterEqual(received, SPANS * sum(s.good for s in senders))
                self.assertEqual(self.report(name)["counts"]["spans"], received)


main()
