# SPDX-License-Identifier: MIT OR Apache-2.0
"""Oriel's own threads inside of a program that exports by itself: nothing of what they do is
in any recording, whoever looks, and what the program does is there to the last byte."""
import os
import pathlib
import signal
import socket
import subprocess

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, main

LIBRARY = os.path.dirname(os.environ["ORIEL"])
OWN = ("oriel-drain", "oriel-send", "oriel-vault")
SPANS = 2000
BUFFER = 4104  # usable bytes of what stdio takes for stdout: all that the emitter allocates


class Own(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_", "LD_"))}
        with socket.socket() as nobody:  # a port where nobody is
            nobody.bind(("127.0.0.1", 0))
            self.url = "http://127.0.0.1:%d" % nobody.getsockname()[1]
        self.exporting = {**self.env, "LD_LIBRARY_PATH": LIBRARY, "TELEMETRY_ENABLED": "true",
                          "ORIEL_BACKEND": "local,otlp", "ORIEL_TO": "capture",
                          "ORIEL_TRACE_DIR": "out", "OTEL_LOG_LEVEL": "none",
                          "OTEL_BSP_SCHEDULE_DELAY": "1",
                          "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
                          "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}

    def export(self, hook, *words, **variables):
        """The report of a program that exports with a library in front of it."""
        if os.environ.get("SCENARIO_INSTRUMENTED", "") not in ("", "OFF"):
            self.skipTest("an instrumented build has no hooks")
        words = words or ("spans", SPANS)
        env = {**self.exporting, "LD_PRELOAD": f"{LIBRARY}/liboriel-{hook}.so.0", **variables}
        run = self.run_raw(EMITTER, *words, env=env, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        captures = list((self.dir / "out").glob("*.oriel"))
        self.assertEqual(len(captures), 1, captures)
        report = self.report(captures[0])
        self.assertEqual(report["quality"].get("lost", 0), 0)
        self.check_threads(report)
        return report

    def check_threads(self, report):
        for thread in report["threads"]:
            self.assertNotIn(thread["name"], OWN)

    def running(self, env):
        """A program that works until it is killed, with its threads and ours."""
        child = self.start(EMITTER, "busy", env=env, stdout=subprocess.DEVNULL)
        self.until("ours are there", lambda: {"oriel-drain", "oriel-send"} <= self.names(child.pid))
        return child

    @staticmethod
    def names(pid):
        tasks = pathlib.Path(f"/proc/{pid}/task")
        return {t.joinpath("comm").read_text(encoding="utf-8").strip() for t in tasks.iterdir()}

    @staticmethod
    def own_cpu(pid):
        """Ticks that ours have run."""
        sum_of = 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            name, rest = task.joinpath("stat").read_text(encoding="utf-8").rsplit(") ", 1)
            if name.split("(", 1)[1] in OWN:
                fields = rest.split()
                sum_of += int(fields[11]) + int(fields[12])
        return sum_of

    def test_not_a_byte_of_theirs_is_the_program_s(self):
        totals = self.export("alloc", ORIEL_HEAP="exact")["memory"]["totals"]
        self.assertEqual((totals["allocations"], totals["allocated_bytes"]), (1, BUFFER))
        self.assertEqual((totals["frees"], totals["freed_bytes"]), (0, 0))
        self.assertEqual(totals["live_bytes"], BUFFER)

    def test_samples_of_memory_know_only_the_program_s(self):
        report = self.export("alloc", ORIEL_HEAP="sampled", ORIEL_HEAP_INTERVAL="1")
        totals = report["memory"]["totals"]
        self.assertEqual((totals["allocations"], totals["allocated_bytes"]), (1, BUFFER))
        self.assertEqual({f["name"] for f in report["memory"]["functions"]},
                         {"_IO_file_doallocate"})

    def test_their_waits_are_nobody_s(self):
        report = self.export("lock", "hold", 1000, 200, ORIEL_LOCKS="1")
        self.assertEqual([t["name"] for t in report["threads"]], ["emitter"])
        self.assertEqual(report["waiting"]["locks"], [])
        text = self.oriel("report", report["path"])
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertNotIn("waiting for", text.stdout)

    def test_a_recorder_s_program_has_none_of_them(self):
        """What `oriel record` records does not export besides: there is one recorder."""
        tool = self.oriel("record", "-o", "a.oriel", "--", EMITTER, "look", env=self.exporting)
        self.assertEqual(tool.returncode, 0, tool.stderr)
        self.assertFalse((self.dir / "out").exists())
        self.check_threads(self.report("a.oriel"))

    def attached(self, *words):
        """Until ours have run for a twentieth of a second meanwhile."""
        child = self.running(self.exporting)
        tool = self.start(ORIEL, "attach", "-p", child.pid, "-o", "a.oriel", "--rate", 997, *words,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        capture = self.dir / "a.oriel"
        self.until("it watches", lambda: tool.poll() is not None or
                   capture.exists() and capture.stat().st_size > 4096)
        before = self.own_cpu(child.pid)
        self.until("ours have run", lambda: self.own_cpu(child.pid) >= before + 5)
        tool.send_signal(signal.SIGINT)
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        return self.report("a.oriel")

    def test_who_looks_on_from_outside_leaves_them_out_and_says_what_they_cost(self):
        report = self.attached()
        folded = self.oriel("flame", "--format", "folded", "a.oriel")
        self.assertEqual(folded.returncode, 0, folded.stderr)
        for name in ("drain_thread", "sender_step", "liboriel.so"):
            self.assertNotIn(name, folded.stdout)
        self.assertGreater(int(report["resource"]["oriel.own.cpu_ns"]), 0)
        text = self.oriel("report", "a.oriel").stdout
        self.assertRegex(text, "(?m)^left out: .+ on the CPU of Oriel's own threads in the program$")

    def test_no_system_call_of_theirs_is_told(self):
        """They poll, and write to each other, which the program does not."""
        report = self.attached("--syscalls")
        if "oriel.syscalls.missing" in report["resource"]:
            self.skipTest(report["resource"]["oriel.syscalls.missing"])
        calls = report["system_calls"]
        self.assertEqual({c["thread"] for c in calls["threads"]}, {"emitter"}, calls)
        self.assertLessEqual({c["call"] for c in calls["calls"]}, {"clock_nanosleep", "nanosleep"})


if __name__ == "__main__":
    main()
