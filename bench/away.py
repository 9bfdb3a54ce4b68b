#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a host notices of a receiver that is away or behaves badly (B1, B2).

  bench/away.py BUILD [ROUNDS [SECONDS]]

A host serves 2,000 requests a second, with a span and an event in each. Each run before a
receiver stands between two runs without telemetry and is compared with those two; so is one
more run without telemetry, which says how much the machine varies by itself. A round has one
run of each, in an order of its own. Prints the medians over the rounds, with the interval that
holds the median of ratios with 95 % (bootstrap), of the service by the clock and of the
processor's time in it; what the serving thread waited for and met
(counts, which no other load changes); and the longest that the end took, with the default
budget and with one of 0.
"""
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

RATE = 2000
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

    def run(self, port=None, budget=None):
        """Its figures, with the seconds of the end, which begins when the line is out."""
        env = dict(self.env)
        if port:
            env.update(TELEMETRY_ENABLED="true", ORIEL_BACKEND="otlp",
                       OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
                       OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
            if budget is not None:
                env["ORIEL_EXIT_MS"] = str(budget)
        with subprocess.Popen([self.program, str(RATE), str(self.seconds)], env=env,
                              cwd=self.place.name, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as child:
            figures = json.loads(child.stdout.readline())
            began = time.monotonic()
            child.wait()
            return dict(figures, end=time.monotonic() - began)

    def before(self, name):
        """What it makes of this receiver, and its end with no time for it."""
        if name == AGAIN:
            return self.run()
        server = bad.BadServer(MOODS[name]) if name in MOODS else None
        port = server.port if server else unused()
        try:
            return dict(self.run(port), end_0=self.run(port, budget=0)["end"])
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
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    host = Host(build, float(sys.argv[3]) if len(sys.argv) > 3 else 1)
    names = [AGAIN, REFUSED, *MOODS]
    runs = {name: [] for name in names}
    ratios = {name: {share: [] for share in SHARES} for name in [*names, ANY]}
    for _ in range(rounds):
        off = host.run()
        for name in random.sample(names, len(names)):
            got, next_off = host.before(name), host.run()
            runs[name].append(got)
            for share in SHARES:
                ratio = got[share] / (off[share] * next_off[share]) ** 0.5
                ratios[name][share].append(ratio)
                if name != AGAIN:
                    ratios[ANY][share].append(ratio)
            off = next_off
    print(f"{rounds} rounds of {host.seconds:g} s; us, and times the runs without beside it\n"
          f"{'receiver':17}" + "".join(f" {share:>7} {'ratio':>6} {'(95 %)':13}"
                                      for share in SHARES.values()) +
          f" {'waits':>7} {'put off':>7} {'faults':>7} {'MiB':>6} {'end s':>6} {'end, 0':>6}")
    for name in names:
        row(name, runs[name], ratios[name])
    row(ANY, [r for name in names[1:] for r in runs[name]], ratios[ANY])


if __name__ == "__main__":
    main()
