# SPDX-License-Identifier: MIT OR Apache-2.0
"""A receiver of OTLP that is not ours (tests/otlp/receiver.mjs), as scenario tests use it."""
import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading
import unittest

from tool import TIMEOUT

RECEIVER = pathlib.Path(__file__).parents[1] / "otlp" / "receiver.mjs"
NODE = shutil.which("node")
LIBRARY = os.path.dirname(os.environ["ORIEL"])


def missing():
    if not NODE:
        return "node is missing (tools/setup check)"
    probe = subprocess.run([NODE, RECEIVER, "--probe"], capture_output=True, text=True, check=False)
    return probe.stderr.strip() if probe.returncode == 77 else None


class Receiver:
    """Requests as they come, in a queue; None at its end."""

    def __init__(self, test, *words):
        self.child = test.start(NODE, RECEIVER, *words, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self.child.stdout.readline()
        if not first:
            raise unittest.SkipTest(self.child.stderr.read().strip())
        self.ports = json.loads(first)
        self.requests = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.child.stdout:
                self.requests.put(json.loads(line))
        finally:
            self.requests.put(None)

    def url(self, over="grpc"):
        return f"http://127.0.0.1:{self.ports[over]}"

    def next(self):
        return self.requests.get(timeout=TIMEOUT)

    def all(self):
        """Everything that came; the receiver has ended then."""
        self.child.stdin.close()
        got = list(iter(self.next, None))
        self.child.wait()
        return got


def items(requests, signal):
    """(resource, scope, item) of each."""
    names = {"traces": ("resourceSpans", "scopeSpans", "spans"),
             "logs": ("resourceLogs", "scopeLogs", "logRecords")}[signal]
    for request in requests:
        if request["signal"] != signal:
            continue
        for of_resource in request["message"].get(names[0], []):
            for of_scope in of_resource.get(names[1], []):
                for item in of_scope.get(names[2], []):
                    yield of_resource["resource"], of_scope["scope"], item
