# SPDX-License-Identifier: MIT OR Apache-2.0
"""Clocks that are set while a program is recorded, and a kernel that does not
trust the counter."""
import contextlib
import struct

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, json, main, os, pathlib, subprocess, time, unittest

SHIM, DYNAMIC = os.environ.get("FAKE_CLOCK_SHIM", ""), os.environ.get("ORIEL_DYNAMIC", "")
HOUR = 3600 * 10**9
SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


def untrusting(*words):
    """The command, where the kernel's clock source is another one."""
    script = f'echo hpet >source && mount --bind source {SOURCE} && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh", *map(str, words))


@unittest.skipUnless(os.environ.get("SCENARIO_INSTRUMENTED", "") in ("", "OFF"),
                     "a shim cannot come before the sanitizer")
class WallClock(Scenario):
    def set_clock(self, ns):
        with open(self.dir / "offset", "r+b") as f:
            f.write(struct.pack("q", ns))

    @contextlib.contextmanager
    def recorded(self, *words):
        """Recorded with a wall clock that can be set."""
        (self.dir / "offset").write_bytes(bytes(8))
        env = dict(self.env, LD_PRELOAD=SHIM, FAKE_CLOCK=str(self.dir / "offset"))
        run = self.start(DYNAMIC, "record", "--no-report", "-o", "c.oriel", "--", EMITTER, *words,
                         env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        yield run
        run.stdin.close()
        self.assertEqual(run.wait(TIMEOUT), 0)

    def step_clock(self, i):
        self.set_clock((0, HOUR, -HOUR)[i % 3])

    def test_no_duration_and_no_time_follows_a_clock_that_is_set(self):
        wall, began = time.time_ns(), time.monotonic()
        with self.recorded("held", 500, 0) as run:
            self.assertEqual(run.stdout.readline(), "held\n")
            opened = time.monotonic()
            for i in range(150):
                self.step_clock(i)
                time.sleep(0.01)
            kept_open = time.monotonic() - opened
            run.stdin.write("\n")
        took = time.monotonic() - began
        run = self.oriel("export", "--to", "chrome", "-o", "c.json", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        events = json.loads((self.dir / "c.json").read_text())
        spans = [e for e in events if e["ph"] == "X"]
        self.assertEqual(len(spans), 1001)
        self.assertTrue(all(0 <= e["dur"] <= took * 1e6 for e in spans))
        held = max(e["dur"] for e in spans)
        self.assertGreaterEqual(held, kept_open * 1e6)
        first, last = min(e["ts"] for e in spans), max(e["ts"] + e["dur"] for e in spans)
        self.assertLess(last - first, took * 1e6)
        report = self.report("c.oriel")
        start = report["start_unix_ns"]
        self.assertTrue(wall - 10**9 < start < wall + (took + 1) * 10**9, (wall, start))
        self.assertIn(report["resource"]["oriel.clock"], ("tsc", "cntvct", "monotonic"))

    def test_events_keep_the_order_in_which_they_were_said(self):
        with self.recorded("steps", 1) as run:
            for i in range(300):
                self.step_clock(i)
                self.step(run)
        run = self.oriel("export", "--to", "log", "--format", "json", "-o", "-", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertLess({"rss_bytes", "cpu_percent", "thread_count", "fd_count"},
                        set(next(line for line in lines if line["target"] == "oriel.process")["fields"]))
        lines = [line for line in lines if line["target"] != "oriel.process"]
        self.assertEqual([line["fields"]["i"] for line in lines], list(range(300)))
        times = [line["timestamp"] for line in lines]
        self.assertEqual(times, sorted(times))
        self.assertEqual({t[:10] for t in times} - {time.strftime("%Y-%m-%d", time.gmtime(t))
                         for t in (time.time() - 60, time.time())}, set())


@unittest.skipUnless(os.geteuid() == 0, "only root can say that the kernel has another clock")
@unittest.skipUnless(pathlib.Path(SOURCE).exists(), "no clock source here")
class Untrusted(Scenario):
    def setUp(self):
        super().setUp()
        if self.run_raw(*untrusting("true")).returncode != 0:
            self.skipTest("no mount namespace of our own")

    def test_where_the_kernel_does_not_trust_the_counter_its_clock_is_used_and_named(self):
        run = self.run_raw(*untrusting(ORIEL, "doctor"), text=True)
        self.assertRegex(run.stdout, r"CLOCK_MONOTONIC.*kernel: hpet")
        run = self.run_raw(*untrusting(ORIEL, "record", "--no-report", "-o", "c.oriel", "--",
                                       EMITTER, "hold", 500, 200), text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = self.report("c.oriel")
        self.assertEqual(report["resource"]["oriel.clock"], "monotonic")
        run = self.oriel("export", "--to", "chrome", "-o", "c.json", "c.oriel")
        spans = [e for e in json.loads((self.dir / "c.json").read_text()) if e["ph"] == "X"]
        self.assertEqual(len(spans), 1001)
        self.assertTrue(all(0 <= e["dur"] < 60e6 for e in spans))
        self.assertGreater(max(e["dur"] for e in spans), 190e3)


if __name__ == "__main__":
    main()
