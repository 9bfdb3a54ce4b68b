#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a host notices of a receiver that is away or behaves badly (B1, B2).

  bench/away.py BUILD [ROUNDS [SECONDS]]

Two hosts serve 2,000 requests a second each, with a span and an event in every one: one with
telemetry, one without. They do so in turns of a quarter of a second, without and with, with and
without, so that what else the machine does meets both alike. A round has one such pair before
each receiver, in an order of its own, and two hosts without telemetry, which say how much the
machine varies by itself; who begins changes with the rounds. Prints the medians over the rounds
of the figures with telemetry and of their ratios to those without, with the interval that holds
the median of ratios with 95 % (bootstrap): of the service by the clock and of the processor's
time in it; what the serving thread waited for and met (counts, which no other load changes); and
the longest that the end took, with the default budget and with one of 0.
"""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests/scenario"))
import bad_server as bad  # noqa: E402, it stands with the tests

RATE, WORK = 2000, 100000
AHEAD = "-10"  # of what else runs, if we may; all threads of a host are so
STARTING_NS = 200_000_000  # until the first turn, when both stand ready
MOODS = {"silent": bad.silent, "reads nothing": bad.deaf, "a byte at a time": bad.drip,
         "reset": bad.reset, "garbage": bad.garbage, "endless headers": bad.endless_headers,
         "10 GiB of answer": bad.ten_gigabytes, "503": bad.always(bad.answer("503 Later")),
         "429, one hour": bad.always(bad.answer("429 Slow", "retry-after: 3600")),
         "redirect": bad.always(bad.answer("302 Found", "location: http://127.0.0.1:1/"))}
AGAIN, REFUSED, ANY = "no telemetry", "refused", "any of these"
SHARES = {"p50": "p50", "p99": "p99", "p999": "p99.9", "cpu50": "cpu p50", "cpu99": "cpu p99"}


class Host:
    def __init__(self, build, seconds):
        self.program, self.seconds = str(build / "bench/requests"), seconds
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "ORIEL_"))}
        self.env["LD_LIBRARY_PATH"] = str(build)
        self.place = tempfile.TemporaryDirectory(prefix="oriel-away-")

    def start(self, port=None, budget=None, turn=None):
        env = dict(self.env)
        if port:
            env.update(TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                       OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
                       OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
            if budget is not None:
                env["ORIEL_EXIT_MS"] = str(budget)
        turns = [str(t) for t in turn or ()]
        seconds = self.seconds if turn else 0.5
        child = subprocess.Popen(["nice", "-n", AHEAD, self.program, str(RATE), str(seconds),
                                  str(WORK), *turns], env=env, cwd=self.place.name,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        with contextlib.suppress(OSError):  # where sessions share the processor, nice is within one
            pathlib.Path(f"/proc/{child.pid}/autogroup").write_text(AHEAD, encoding="ascii")
        return child

    @staticmethod
    def result(child):
        """Its figures, with the seconds of the end, which begins when the line is out."""
        with child:
            figures = json.loads(child.stdout.readline())
            began = time.monotonic()
            child.wait()
            return dict(figures, end=time.monotonic() - began)

    def pair(self, name, turn):
        """A host before this receiver, and the one without telemetry that takes turns with it."""
        server = bad.BadServer(MOODS[name]) if name in MOODS else None
        port = server.port if server else unused() if name == REFUSED else None
        try:
            begin = time.monotonic_ns() + STARTING_NS
            children = self.start(port, turn=(begin, turn)), self.start(turn=(begin, 1 - turn))
            with concurrent.futures.ThreadPoolExecutor() as readers:
                got, beside = readers.map(self.result, children)
            if port:
                got["end_0"] = self.result(self.start(port, budget=0))["end"]
            return got, beside
        finally:
            if server:
                server.stop()


def unused():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def interval(values, draws=2000):
    """Where the median lies with 95 %."""
    made = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(draws))
    return made[draws // 40], made[-draws // 40]


def row(name, runs, ratios):
    line = f"{name:17}"
    for share in SHARES:
        low, high = interval(ratios[share])
        line += (f" {statistics.median(r[share] for r in runs) / 1e3:7.1f}"
                 f" {statistics.median(ratios[share]):6.3f} ({low:.3f}-{high:.3f})")
    for count in ("waits", "put_off", "faults"):
        line += f" {statistics.mean(r[count] for r in runs):7.1f}"
    line += f" {max(r['memory'] for r in runs) / 1024:6.1f}"
    ends_0 = [r["end_0"] for r in runs if "end_0" in r]
    if ends_0:
        line += f" {max(r['end'] for r in runs):6.3f} {max(ends_0):6.3f}"
    print(line)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    host = Host(build, float(sys.argv[3]) if len(sys.argv) > 3 else 3)
    names = [AGAIN, REFUSED, *MOODS]
    runs = {name: [] for name in names}
    ratios = {name: {share: [] for share in SHARES} for name in [*names, ANY]}
    for number in range(rounds):
        for k, name in enumerate(random.sample(names, len(names))):
            got, beside = host.pair(name, (number + k) % 2)
            runs[name].append(got)
            for share in SHARES:
                ratios[name][share].append(got[share] / beside[share])
                if name != AGAIN:
                    ratios[ANY][share].append(got[share] / beside[share])
    print(f"{rounds} rounds of {host.seconds:g} s each; us, and times those without in turns\n"
          f"{'receiver':17}" + "".join(f" {share:>7} {'ratio':>6} {'(95 %)':13}"
                                      for share in SHARES.values()) +
          f" {'waits':>7} {'put off':>7} {'faults':>7} {'MiB':>6} {'end s':>6} {'end, 0':>6}")
    for name in names:
        row(name, runs[name], ratios[name])
    row(ANY, [r for name in names[1:] for r in runs[name]], ratios[ANY])


if __name__ == "__main__":
    main()
