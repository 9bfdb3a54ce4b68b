#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""OpenTelemetry's own benchmark of an SDK (performance-benchmark.md), of Oriel and of the SDK for Go.

  bench/otel.py [--docs] BUILD [ROUNDS [SECONDS]]

Spans of ten attributes, twenty characters each, made by one thread and exported over gRPC to a
receiver on loopback that forgets them. "A second of one core": spans that were made and taken for
each second of CPU time of the whole process. "10,000 spans/s": its CPU time over SECONDS at that
rate, and the most memory it had, with the batch processor and with the simple one, which for
Oriel is batches of one. All take turns in an order of their own; a row is the median over the
rounds, with the least and the most. Every span must have been taken, or the run ends. With --docs
the table goes into docs/SPEED.md, too. The peer is built by Go, if that is there.
"""
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RATE, FAST = 10000, 400000
SDKS = ("Oriel", "SDK for Go")
BEGIN, END = "<!-- otel: bench/otel.py --docs -->\n", "<!-- end of otel -->\n"


def peer(build):
    """The path of the program with the SDK for Go, or None."""
    if not shutil.which("go"):
        return None
    out = build / "bench/otel_go"
    subprocess.run(["go", "build", "-mod=readonly", "-o", str(out), "."], check=True,
                   cwd=pathlib.Path(__file__).parent / "otel_go",
                   env=dict(os.environ, CGO_ENABLED="0"))
    return out


def run(build, program, words, simple, env):
    with subprocess.Popen([build / "bench/deliver_bench", "serve"], env=env, text=True,
                          stdout=subprocess.PIPE) as receiver:
        url = f"http://127.0.0.1:{receiver.stdout.readline().strip()}"
        env = dict(env, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                   OTEL_BSP_MAX_QUEUE_SIZE="65536")
        if program.name == "attributed":
            env.update(TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true", ORIEL_BACKEND="otlp",
                       OTEL_LOG_LEVEL="warn")
            if simple:
                env.update(OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1", OTEL_BSP_SCHEDULE_DELAY="1")
        elif simple:
            words = words + ["simple"]
        try:
            told = subprocess.run([program] + words, env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False)
        finally:
            receiver.kill()
    if told.returncode != 0 or " lost" in told.stderr:
        sys.exit(f"otel.py: {program}: status {told.returncode}: {told.stderr}")
    return json.loads(told.stdout)


def of(values, form):
    low, middle, high = (format(v, form) for v in (min(values), statistics.median(values),
                                                   max(values)))
    return f"{middle} ({low} to {high})"


def table(found, rounds, seconds):
    yield (f"{rounds} rounds, {seconds:g} s each at the steady rate, {time.strftime('%Y-%m-%d')}; "
           "medians (least to most).\n\n")
    yield ("| | spans for a second of one core | 10,000 spans/s, batch: CPU | memory | "
           "10,000 spans/s, simple: CPU | memory | spans/s reached |\n|---|--:|--:|--:|--:|--:|--:|\n")
    for sdk in dict.fromkeys(name for name, _ in found):
        fast, batch, simple = (found[sdk, way] for way in ("fast", "batch", "simple"))
        cells = [of([r["spans"] / r["cpu_ns"] * 1e9 for r in fast], ",.0f")]
        for runs in (batch, simple):
            cells += [of([r["cpu_ns"] / r["wall_ns"] * 100 for r in runs], ".2f") + " %",
                      f"{statistics.median(r['kib'] for r in runs) / 1024:.1f} MiB"]
        cells += [of([r["spans"] / r["wall_ns"] * 1e9 for r in simple], ",.0f")]
        yield f"| {sdk} | {' | '.join(cells)} |\n"


def write(text):
    page = pathlib.Path(__file__).parents[1] / "docs/SPEED.md"
    first, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(first + BEGIN + text + END + rest.split(END)[1], encoding="utf-8")


def main():
    words = [word for word in sys.argv[1:] if word != "--docs"]
    build = pathlib.Path(words[0]).resolve()
    rounds = int(words[1]) if len(words) > 1 else 10
    seconds = float(words[2]) if len(words) > 2 else 15
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("OTEL_", "ORIEL_", "TELEMETRY_"))}
    env["LD_LIBRARY_PATH"] = str(build)
    programs = {SDKS[0]: build / "bench/attributed", SDKS[1]: peer(build)}
    ways = {"fast": (["0", str(FAST)], False), "batch": ([str(RATE), str(seconds)], False),
            "simple": ([str(RATE), str(seconds)], True)}
    found = {(sdk, way): [] for sdk in SDKS if programs[sdk] for way in ways}
    with tempfile.TemporaryDirectory(prefix="oriel-otel-") as place:
        env["XDG_RUNTIME_DIR"] = place  # rings that others left are none of it
        for _ in range(rounds):
            for sdk, way in random.sample(list(found), len(found)):
                found[sdk, way].append(run(build, programs[sdk], *ways[way], env))
    text = "".join(table(found, rounds, seconds))
    print(text, end="")
    if "--docs" in sys.argv:
        write(text)


if __name__ == "__main__":
    main()
