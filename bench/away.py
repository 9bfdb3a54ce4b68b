#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a host notices of a receiver that is away or behaves badly (B1, B2).

  bench/away.py BUILD [ROUNDS [SECONDS]]

A host serves 2,000 requests a second, with a span and an event in each: without telemetry,
once more without (what the machine itself varies by), and with it before each kind of
receiver, in turns. Prints the medians of p50, p99 and p99.9 over the rounds, and the longest
that the end took, with the default budget and with one of 0.
"""
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests/scenario"))
import bad_server as bad  # noqa: E402, it stands with the tests

RATE = 2000
MOODS = {"silent": bad.silent, "reads nothing": bad.deaf, "a byte at a time": bad.drip,
         "reset": bad.reset, "garbage": bad.garbage, "endless headers": bad.endless_headers,
         "10 GiB of answer": bad.ten_gigabytes, "503": bad.always(bad.answer("503 Later")),
         "429, one hour": bad.always(bad.answer("429 Slow", "retry-after: 3600")),
         "redirect": bad.always(bad.answer("302 Found", "location: http://127.0.0.1:1/"))}


class Host:
    def __init__(self, build, seconds):
        self.program, self.seconds = str(build / "bench/requests"), seconds
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "ORIEL_"))}
        self.env["LD_LIBRARY_PATH"] = str(build)
        self.place = tempfile.TemporaryDirectory(prefix="oriel-away-")

    def run(self, port=None, protocol="http/protobuf", budget=None):
        """(figures, seconds of the end): an end begins when the line is out."""
        env = dict(self.env)
        if port:
            env.update(TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                       OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
                       OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
            if budget is not None:
                env["ORIEL_EXIT_MS"] = str(budget)
        with subprocess.Popen([self.program, str(RATE), str(self.seconds)], env=env,
                              cwd=self.place.name, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as child:
            figures = json.loads(child.stdout.readline())
            began = time.monotonic()
            child.wait()
            return figures, time.monotonic() - began


def unused():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    host = Host(build, int(sys.argv[3]) if len(sys.argv) > 3 else 2)
    rows = {"off": [], "off again": []}
    ends, ends_0 = {}, {}
    for _ in range(rounds):
        rows["off"].append(host.run()[0])
        for name, mood in {"refused": None, **MOODS}.items():
            server = bad.BadServer(mood) if mood else None
            port = server.port if server else unused()
            figures, end = host.run(port)
            rows.setdefault(name, []).append(figures)
            ends[name] = max(ends.get(name, 0), end)
            ends_0[name] = max(ends_0.get(name, 0), host.run(port, budget=0)[1])
            if server:
                server.stop()
        rows["off again"].append(host.run()[0])
    base = {k: statistics.median(r[k] for r in rows["off"]) for k in ("p50", "p99", "p999")}
    print(f"{'receiver':18} {'p50 us':>8} {'p99 us':>8} {'p99.9 us':>9} {'p99':>6} {'p99.9':>6}"
          f" {'end s':>6} {'end, 0':>7}")
    for name, got in rows.items():
        m = {k: statistics.median(r[k] for r in got) for k in base}
        end = f"{ends[name]:6.3f} {ends_0[name]:7.3f}" if name in ends else ""
        print(f"{name:18} {m['p50'] / 1e3:8.1f} {m['p99'] / 1e3:8.1f} {m['p999'] / 1e3:9.1f}"
              f" {m['p99'] / base['p99']:6.3f} {m['p999'] / base['p999']:6.3f} {end}")


main()
