#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What telemetry costs a program that says 100,000 spans a second, and one that does nothing.

  bench/overhead.py [--docs] BUILD [ROUNDS [SECONDS]]

Shares of one core. CPU time of the program's own thread from its clock, of Oriel's threads from the
kernel (schedstat), all over the same seconds. In every round each way takes its turn in an order of
its own, twice without telemetry: the difference of those two says how far apart equal runs are. A
row is the median over the rounds, with the least and the most of them. The receiver is `oriel
collect` on loopback, whose own time is not counted; of `oriel record` it is told beside. Wake-ups
are the voluntary context switches of Oriel's threads. The floor of what is sent is a thread that
does nothing but write so many bytes to loopback at that pace and wait for an answer to each
message; it takes its turn like the others, so a slow hour of the machine shows in it, too. With
--docs the table goes into docs/SPEED.md, too.
"""
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

RATE, SETTLE = 100000, 2
OFF, AGAIN, TENTH, ALL, LOCAL, INSIDE = (
    "no telemetry", "no telemetry, once more", "OTLP over gRPC, 10 % sampled",
    "OTLP over gRPC, all sampled", "`oriel record`", "a capture written by the program itself")
IDLE = "the program does nothing: "
FLOORS = {TENTH: "its bytes alone, 512 spans of 180 bytes a message",
          ALL: "its bytes alone, ten times as many"}
OURS = ("oriel-drain", "oriel-send")
TARGETS = {LOCAL: 0.5, TENTH: 1.5}  # of one core, in all
BEGIN, END = "<!-- overhead: bench/overhead.py --docs -->\n", "<!-- end of overhead -->\n"


class Host:
    def __init__(self, build, seconds, place):
        self.build, self.seconds, self.place = build, seconds, place
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("OTEL_", "ORIEL_", "TELEMETRY_"))}
        self.env.update(LD_LIBRARY_PATH=str(build), XDG_RUNTIME_DIR=place)
        self.collect = subprocess.Popen(
            [build / "oriel", "collect", "--listen", "0", "--http", "off", "-o", f"{place}/got.oriel"],
            stderr=subprocess.PIPE, text=True)
        self.url = "http://" + self.collect.stderr.readline().split(" at ")[1].split(";")[0]

    def end(self):
        self.collect.terminate()
        self.collect.communicate()

    def variables(self, name):
        if name in (OFF, AGAIN, LOCAL):
            return self.env
        if name == INSIDE:
            return dict(self.env, TELEMETRY_ENABLED="true", ORIEL_BACKEND="local",
                        ORIEL_TO="capture", ORIEL_TRACE_DIR=self.place)
        env = dict(self.env, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true", ORIEL_BACKEND="otlp",
                   OTEL_EXPORTER_OTLP_ENDPOINT=self.url)
        if name == TENTH:
            env.update(OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0.1")
        return env

    def run(self, name, rate):
        """CPU seconds a second of the program, of ours in it and beside it; their wake-ups."""
        program = [self.build / "scenario/paced", str(rate), str(self.seconds), str(SETTLE)]
        before = [self.build / "oriel", "record", "--rate", "0", "--no-report", "-o",
                  f"{self.place}/local.oriel", "--"] if name == LOCAL else []
        with subprocess.Popen(before + program, env=self.variables(name), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            pid = json.loads(child.stdout.readline())["pid"]
            time.sleep(SETTLE - 0.2)
            began = self.look(pid, child.pid)
            time.sleep(self.seconds + 0.2)
            told = json.loads(child.stdout.readline())
            ended = self.look(pid, child.pid)
            child.stdin.close()
        ours, beside, woken = (b - a for a, b in zip(began, ended))
        return {"program": told["cpu_ns"] / self.seconds / 1e9, "ours": ours / self.seconds / 1e9,
                "beside": beside / self.seconds / 1e9, "woken": woken / self.seconds}

    def floor(self, rate):
        """CPU seconds a second of a thread that sends the bytes of so many spans, and no more."""
        told = subprocess.run([self.build / "bench/deliver_bench", "pace", str(rate),
                               str(self.seconds)], env=self.env, stdout=subprocess.PIPE, check=True)
        return {"floor": json.loads(told.stdout)["cpu_ns"] / self.seconds / 1e9}

    @staticmethod
    def look(pid, recorder):
        ours = beside = woken = 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if task.joinpath("comm").read_text(encoding="utf-8").strip() in OURS:
                ours += int(task.joinpath("schedstat").read_text(encoding="utf-8").split()[0])
                status = task.joinpath("status").read_text(encoding="utf-8")
                woken += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        if recorder != pid:
            for task in pathlib.Path(f"/proc/{recorder}/task").iterdir():
                beside += int(task.joinpath("schedstat").read_text(encoding="utf-8").split()[0])
        return ours, beside, woken


def of(values, factor=100, unit=" %"):
    low, middle, high = (f"{v * factor:.2f}" for v in (min(values), statistics.median(values),
                                                       max(values)))
    return f"{middle}{unit} ({low} to {high})"


def table(found, rounds, seconds):
    yield (f"{rounds} rounds of {seconds:g} s, {time.strftime('%Y-%m-%d')}; shares of one core, "
           "medians (least to most).\n\n")
    yield ("| | in the program | threads | together | wake-ups/s | beside it | target | met |\n"
           "|---|--:|--:|--:|--:|--:|---|---|\n")
    off = [run["program"] for run in found[OFF]]
    for name in found:
        if name == OFF:
            continue
        if "floor" in found[name][0]:
            share = of([run["floor"] for run in found[name]])
            yield f"| {name} |  | {share} | {share} |  |  |  |  |\n"
            continue
        runs, idle = found[name], name.startswith(IDLE)
        more = [0 if idle else run["program"] - base for run, base in zip(runs, off)]
        whole = [m + run["ours"] for m, run in zip(more, runs)]
        target = TARGETS.get(name)
        cells = ["" if idle else of(more)]
        if name != AGAIN:
            inside, beside = name.endswith((TENTH, ALL, INSIDE)), name.endswith(LOCAL)
            cells += [of([r["ours"] for r in runs]) if inside else "", of(whole),
                      f"{statistics.median(r['woken'] for r in runs):.0f}" if inside else "",
                      of([r["beside"] for r in runs]) if beside else "",
                      f"<= {target} %" if target else "",
                      "" if not target else
                      "yes" if statistics.median(whole) * 100 <= target else "no"]
        yield f"| {name} | {' | '.join(cells + [''] * (7 - len(cells)))} |\n"


def write(text):
    page = pathlib.Path(__file__).parents[1] / "docs/SPEED.md"
    first, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(first + BEGIN + text + END + rest.split(END)[1], encoding="utf-8")


def main():
    words = [word for word in sys.argv[1:] if word != "--docs"]
    build = pathlib.Path(words[0]).resolve()
    rounds = int(words[1]) if len(words) > 1 else 7
    seconds = float(words[2]) if len(words) > 2 else 5
    names = [OFF, AGAIN, LOCAL, INSIDE, TENTH, FLOORS[TENTH], ALL, FLOORS[ALL]]
    sent = {FLOORS[TENTH]: RATE // 10, FLOORS[ALL]: RATE}
    found = {name: [] for name in names + [IDLE + TENTH, IDLE + LOCAL]}
    with tempfile.TemporaryDirectory(prefix="oriel-overhead-") as place:
        host = Host(build, seconds, place)
        for _ in range(rounds):
            for name in random.sample(names, len(names)):
                found[name].append(host.floor(sent[name]) if name in sent else
                                   host.run(name, RATE))
            for name in (TENTH, LOCAL):
                found[IDLE + name].append(host.run(name, 0))
        host.end()
    text = "".join(table(found, rounds, seconds))
    print(text, end="")
    if "--docs" in sys.argv:
        write(text)


if __name__ == "__main__":
    main()
