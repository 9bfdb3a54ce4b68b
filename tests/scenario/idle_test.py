# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program that exports and does nothing: how often the threads of Oriel in it wake up, counted by
the kernel. What it says after that is all there, however much it is."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

from tool import ORIEL, Scenario, Standstill, main, needs_full_speed

LIBRARY = os.path.dirname(ORIEL)
PACED = os.environ["PACED"]
OURS = ("oriel-drain", "oriel-send")
SETTLED, WATCHED = 4, 5  # seconds: until what it said first has gone out, and in which is counted


class Idle(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "LD_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true",
                        ORIEL_SYSTEM_METRICS_INTERVAL_SECS="0")

    @staticmethod
    def waits(pid):
        """How often each of ours has gone to sleep so far."""
        found = {}
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            lines = task.joinpath("status").read_text(encoding="utf-8").splitlines()
            fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            if fields["Name"] in OURS:
                found[fields["Name"]] = int(fields["voluntary_ctxt_switches"])
        return found

    def wake_ups(self, **variables):
        child = self.start(PACED, 0, 0.001, SETTLED + WATCHED + 60, env={**self.env, **variables},
                           stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(SETTLED)
        before = self.waits(child.pid)
        time.sleep(WATCHED)
        after = self.waits(child.pid)
        self.assertEqual(before.keys(), after.keys())
        return {name: after[name] - before[name] for name in after}

    def collector(self):
        """The address of a receiver that takes everything."""
        child = self.start(ORIEL, "collect", "--listen", "0", "--http", "off", "-o", "got.oriel",
                           stderr=subprocess.PIPE, text=True)
        return "http://" + child.stderr.readline().split(" at ")[1].split(";")[0].strip()

    def test_a_receiver_s_delays_are_all_that_wakes(self):
        woken = self.wake_ups(ORIEL_BACKEND="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=self.collector(),
                              OTEL_BSP_SCHEDULE_DELAY="2000", OTEL_BLRP_SCHEDULE_DELAY="2500")
        self.assertLessEqual(woken["oriel-drain"], WATCHED // 2 + 1, woken)
        self.assertLessEqual(woken["oriel-send"], 1, woken)

    def test_files_are_looked_after_once_a_second(self):
        woken = self.wake_ups(ORIEL_BACKEND="local", ORIEL_TO="capture")
        self.assertLessEqual(woken["oriel-drain"], WATCHED + 1, woken)

    @needs_full_speed
    def test_a_hundred_thousand_spans_a_second_are_received(self):
        """A receiver that reads what its answers let in only later takes half of them."""
        def run():
            child = self.start(ORIEL, "collect", "--listen", "0", "--http", "off", "-o",
                               "got.oriel", stderr=subprocess.PIPE, text=True)
            url = "http://" + child.stderr.readline().split(" at ")[1].split(";")[0].strip()
            out = self.run_raw(PACED, 100000, 3, stdin=subprocess.DEVNULL, text=True, env={
                **self.env, "ORIEL_BACKEND": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_LOG_LEVEL": "warn", "ORIEL_EXIT_MS": "20000"})
            child.terminate()
            child.communicate()
            return json.loads(out.stdout.splitlines()[-1])["spans"], out.stderr
        said, stderr = Standstill.without(run)
        spans = sum(span["count"] for span in self.report(pathlib.Path(self.dir) / "got.oriel")["spans"])
        self.assertEqual((spans, stderr), (said + 10, ""))

    @needs_full_speed
    def test_who_speaks_again_loses_nothing(self):
        """64 MB a second into a ring of 16 MiB, while the next look would be in 0.7 s."""
        rate, idle = 2000000, 2.3

        def run():
            folder = tempfile.mkdtemp(dir=self.dir)
            out = self.run_raw(PACED, rate, 1, idle, stdin=subprocess.DEVNULL, text=True, env={
                **self.env, "ORIEL_BACKEND": "local", "ORIEL_TO": "capture",
                "ORIEL_TRACE_DIR": folder, "ORIEL_EXIT_MS": "20000"})
            self.assertEqual(out.returncode, 0, out.stderr)
            return self.report(next(pathlib.Path(folder).glob("*.oriel")))
        # A program that has stood still says all that it is late with at once.
        self.assertEqual(self.lost(Standstill.without(run)), 0)


if __name__ == "__main__":
    main()
