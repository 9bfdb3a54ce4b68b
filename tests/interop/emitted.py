# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is sent to the servers, and the ways it goes there.

  fixtures    every kind of span, event, value and text the conformance tests know
  codesearch  a recording of the example, indexing a tree made here
"""
import gzip
import http.client
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "conformance"))
from otlp_items import items, messages_of  # noqa: E402
from servers import run  # noqa: E402

BUILD = pathlib.Path(os.environ["BUILD"])
ORIEL = BUILD / "oriel"
ALL_TAKEN = (b"", b"\n\0", b"{}", b'{"partialSuccess":{}}')  # replies that reject nothing
TYPES = {"json": "application/json", "protobuf": "application/x-protobuf"}


class Emitted:
    """A capture, its OTLP files, and what stands in them."""

    def __init__(self, name, folder, capture, json_file, protobuf):
        self.name, self.folder, self.capture = name, folder, capture
        self.json_file, self.protobuf = json_file, protobuf  # by signal

    def items(self):
        return list(items(messages_of(self.json_file)))

    def requests(self, encoding):
        """(signal, body) of each request."""
        if encoding == "protobuf":
            for signal, path in self.protobuf.items():
                yield signal, path.read_bytes()
            return
        for line in self.json_file.read_bytes().split(b"\n"):
            if line:
                yield ("traces" if line.startswith(b'{"resourceSpans"') else "logs"), line


def fixtures(folder):
    """Written by the conformance program; folder/truth.json tells what they are."""
    folder.mkdir()
    run(BUILD / "unit" / "conformance", folder)
    return Emitted("fixtures", folder, None, folder / "otlp.json",
                   {"traces": folder / "otlp.traces", "logs": folder / "otlp.logs"})


def environment(folder):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("ORIEL_", "OTEL_", "TELEMETRY_"))}
    runtime = folder / "run"
    runtime.mkdir(exist_ok=True)
    return dict(env, XDG_RUNTIME_DIR=str(runtime), LC_ALL="C.UTF-8", TZ="UTC")


def export(folder, capture, out, *options):
    run(ORIEL, "export", "--to", "otlp", "-f", "-o", out, *options, capture,
        env=environment(folder))
    return out


def codesearch(folder):
    """Spans of several threads, logs in and outside of spans, a warning, a debug line."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for i in range(60):
        (tree / ("file%02d.c" % i)).write_text("int parseHttpHeader%d(void);\n" % i * 20,
                                               encoding="utf-8")
    (tree / "binary.o").write_bytes(bytes(range(256)))
    capture = folder / "codesearch.oriel"
    run(ORIEL, "record", "--rate", "0", "--no-report", "-o", capture, "--",
        BUILD / "examples" / "codesearch", "index", "--db", folder / "code.db", tree,
        env=environment(folder), cwd=folder)
    return Emitted("codesearch", folder, capture, export(folder, capture, folder / "all.jsonl"),
                   {s: export(folder, capture, folder / s, "--encoding", "protobuf",
                              "--signals", s) for s in ("traces", "logs")})


def post(port, path, body, encoding, compressed=False):
    """One request by Python's HTTP; its reply's text."""
    headers = {"Content-Type": TYPES[encoding]}
    if compressed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        text = reply.read()
    finally:
        connection.close()
    if reply.status != 200 or text not in ALL_TAKEN:
        raise RuntimeError("POST %s: %d %.300r" % (path, reply.status, text))


def send(emitted, endpoint, *options):
    """By oriel itself."""
    said = subprocess.run([str(w) for w in (ORIEL, "export", "--to", "otlp", "--endpoint",
                                            endpoint, *options, emitted.capture)],
                          text=True, capture_output=True, check=False,
                          env=environment(emitted.folder), timeout=300)
    if said.returncode:
        raise RuntimeError("oriel export to %s: exit %d\n%s" % (endpoint, said.returncode,
                                                                said.stderr))
    return said.stderr
