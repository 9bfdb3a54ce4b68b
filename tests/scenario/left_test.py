# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs that export by themselves and are killed over and over, or end with no time to send:
what they leave in memory is bounded, the newest of it is recovered to the last event, what went is
told, and whoever else has a ring keeps it, whatever pids say of that one."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import EMITTER, TIMEOUT, Scenario, main, needs_root

KILLS = 50
FEW = 100  # events, so that a program sends none of its own accord
RINGS = 8  # that stay (src/source/region_left.h)
LATE = 12  # at most, of programs that are killed within milliseconds
BYTES = 64 << 20
RING_KIB = 22 * 1024  # of one ring, about


def memory(path):
    return path.stat().st_blocks * 512


class Left(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true",
                        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_LOG_LEVEL="none",
                        OTEL_BSP_SCHEDULE_DELAY="600000", OTEL_BLRP_SCHEDULE_DELAY="600000",
                        ORIEL_SYSTEM_METRICS_INTERVAL_SECS="0")

    def files(self):
        return {f for f in self.rings() if f.suffix == ".ring"}

    def begin(self, n, *before):
        """A program that lives, and its ring."""
        there = self.files()
        child = self.start(*before, EMITTER, "steps", n, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
        self.step(child)
        return child, (self.files() - there).pop()

    def kill_one(self, n):
        child, ring = self.begin(n)
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            stream.close()
        return ring

    def listed(self):
        run = self.oriel("recover", "--list", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def recovered(self):
        """Ring to the number of events in it."""
        run = self.oriel("recover")
        self.assertEqual(run.returncode, 0, run.stderr)
        found = re.findall(r"^oriel: (\S+): .*, ([\d,]+) events?\) found, 0 lost", run.stderr, re.M)
        return {name: int(n.replace(",", "")) for name, n in found}, run.stderr

    def settle(self, others):
        """One that lives long enough to see to what there is."""
        child, ring = self.begin(1)
        mine = lambda: self.files() - others - {ring}
        self.until("the newest stay", lambda: len(mine()) <= RINGS
                   and sum(map(memory, mine())) <= BYTES)
        child.stdin.close()
        self.env["ORIEL_EXIT_MS"] = "0"
        child.wait(TIMEOUT)
        return ring

    def test_fifty_kills(self):
        neighbour, its = self.begin(123)
        parent = self.run_raw(EMITTER, "linger", text=True)
        heir = int(parent.stdout.split()[1])
        self.addCleanup(os.kill, heir, signal.SIGKILL)
        others = self.files()
        self.assertEqual(len(others), 2)
        kept = {ring: memory(ring) for ring in others}
        self.assertGreater(min(kept.values()), (RING_KIB - 1024) << 10)  # resident, not only a size
        said = {}
        for i in range(KILLS):
            said[str(self.kill_one(FEW + i))] = FEW + i
            left = self.files() - others
            self.assertLessEqual(len(left), LATE + 1)
            self.assertLessEqual(sum(map(memory, left)), (LATE + 1) * RING_KIB << 10)
        last = self.settle(others)
        self.assertEqual({ring: memory(ring) for ring in others}, kept)
        doctor = self.oriel("doctor").stdout
        self.assertRegex(doctor, r"limited +orphan rings +\d+ left behind .*; \d+ older ones removed")
        listed = self.listed()
        left = [r["path"] for r in listed["rings"] if r["path"] in said]
        self.assertEqual(listed["removed"]["rings"] + len(left), KILLS)
        self.assertGreaterEqual(len(left), RINGS - 1)
        # The newest; one that somebody looked at just then, as ps does, is not removed.
        self.assertLessEqual(len(set(left) - set(list(said)[-len(left):])), 1)
        events, told = self.recovered()
        self.assertEqual(events.get(str(last), 1), 1)
        events.pop(str(last), None)
        self.assertEqual(events, {ring: said[ring] for ring in left})
        self.assertIn(f"{listed['removed']['rings']} older rings were removed", told)
        self.assertEqual(self.listed()["removed"], {"rings": 0, "unread_bytes": 0})
        self.assertEqual(self.files(), others)
        # The neighbour's ring is whole: what it says then is there as well.
        self.step(neighbour)
        neighbour.kill()
        neighbour.wait()
        self.assertEqual(self.recovered()[0], {str(its): 246})

    @needs_root
    @unittest.skipUnless(shutil.which("unshare"), "needs unshare")
    def test_pids_of_another_namespace_say_nothing(self):
        """There each is a stranger's, or nobody's."""
        child, ring = self.begin(77, "unshare", "--pid", "--fork", "--mount-proc")
        kept = memory(ring)
        seen = self.listed()["rings"][0]
        self.assertTrue(seen["orphan"], seen)
        for i in range(RINGS + 6):
            self.kill_one(10 + i)
        self.settle({ring})
        self.assertEqual(memory(ring), kept)
        self.step(child)
        child.stdin.close()
        child.wait(TIMEOUT)

    def test_no_time_to_send(self):
        """A receiver that is away, and a budget of nothing: each run leaves what it said, unless it
        was so fast that it could still say that this is lost."""
        self.env.update(ORIEL_EXIT_MS="0", OTEL_LOG_LEVEL="warn")
        said = {}
        for i in range(20):
            before = self.files()
            run = self.run_raw(EMITTER, "events", 100 + i, 1, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            mine = self.files() - before
            if mine:
                said[str(mine.pop())] = 100 + i
            else:
                self.assertIn("before the end, they are lost", run.stderr)
            self.assertLessEqual(len(self.files()), LATE + 1)
        self.settle(set())
        left = [r["path"] for r in self.listed()["rings"] if r["path"] in said]
        # The newest; one that somebody looked at just then, as ps does, is not removed.
        self.assertLessEqual(len(set(left) - set(list(said)[-len(left):])), 1)
        events, _ = self.recovered()
        self.assertEqual({k: v for k, v in events.items() if k in said}, {k: said[k] for k in left})

    def spooled(self):
        """Items on disk."""
        run = self.oriel("doctor", "--spool", self.dir / "spool", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        return sum(s["items"] for s in json.loads(run.stdout)["spools"])

    def keep_on_disk(self):
        (self.dir / "oriel.toml").write_text('[telemetry.otlp]\nspool_dir = "spool"\n',
                                             encoding="utf-8")
        self.env["ORIEL_EXIT_MS"] = "0"

    def test_no_time_to_send_and_a_spool(self):
        """A disk is no receiver: what is left gets there, and none waits for a receiver that says
        nothing."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.keep_on_disk()
        said = 0
        for port in (1, silent.getsockname()[1]) * 3:
            self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
            self.assertEqual(self.run_raw(EMITTER, "events", FEW, 1).returncode, 0)
            said += FEW
            found = sum(self.recovered()[0].values()) if self.files() else 0
            said -= found  # the machine was busy for all of that time
            self.assertEqual(self.spooled(), said)
        self.assertGreater(said, 0)

    def test_an_endpoint_without_a_scheme_is_tls_which_a_plain_receiver_waits_for(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.env.update(ORIEL_EXIT_MS="300", OTEL_LOG_LEVEL="warn",
                        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                        OTEL_EXPORTER_OTLP_ENDPOINT=f"127.0.0.1:{silent.getsockname()[1]}")
        run = self.run_raw(EMITTER, "events", FEW, 1, text=True)
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stderr, r"\(nothing was answered over TLS, .*: http://, or "
                                     r"OTEL_EXPORTER_OTLP_INSECURE=true where .* no scheme\)")

    def test_more_than_there_is_time_for(self):
        """All of it is on disk or in the ring, and nothing is in both."""
        self.keep_on_disk()
        many = 300_000
        for ms in ("0", "20"):
            self.env["ORIEL_EXIT_MS"] = ms
            shutil.rmtree(self.dir / "spool", ignore_errors=True)
            self.assertEqual(self.run_raw(EMITTER, "events", many, 1).returncode, 0)
            found = sum(self.recovered()[0].values()) if self.files() else 0
            self.assertEqual(self.spooled() + found, many)

    def test_what_the_ring_has_is_not_told_as_lost(self):
        """A receiver that is away was told nothing, so that the ring has all of it."""
        many = 300_000
        self.env.update(ORIEL_EXIT_MS="0", OTEL_LOG_LEVEL="warn")
        run = self.run_raw(EMITTER, "events", many, 1, text=True)
        if sum(self.recovered()[0].values()) == many:
            self.assertNotIn("are lost", run.stderr)

    @unittest.skipIf(missing(), missing())
    def test_the_next_run_sends_what_was_kept(self):
        receiver = Receiver(self)
        self.keep_on_disk()
        self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url()
        runs = 3
        for _ in range(runs):
            self.assertEqual(self.run_raw(EMITTER, "events", FEW, 1).returncode, 0)
        kept = self.spooled()
        ring = sum(self.recovered()[0].values()) if self.files() else 0
        self.env["ORIEL_EXIT_MS"] = "60000"
        self.assertEqual(self.run_raw(EMITTER, "events", 1, 1).returncode, 0)
        self.assertEqual(self.spooled(), 0)
        # What was under way when the time was over may have come all the same, and comes again.
        came = {(json.dumps(resource), json.dumps(item))
                for resource, _, item in items(receiver.all(), "logs")}
        self.assertEqual(len(came) + ring, runs * FEW + 1, kept)

    def test_killed_while_it_waits_for_the_first_answer(self):
        """At its end, all is with a receiver that says nothing."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        silent.settimeout(TIMEOUT)
        self.env.update(ORIEL_EXIT_MS="600000", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
                        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        child = self.start(EMITTER, "events", 500, 1, stdout=subprocess.DEVNULL)
        with silent.accept()[0] as asked:
            self.assertTrue(asked.recv(1))
            child.kill()
            child.wait()
        self.assertEqual(list(self.recovered()[0].values()), [500])

    def test_who_has_nothing_to_say_leaves_nothing(self):
        self.env["ORIEL_EXIT_MS"] = "0"
        for _ in range(5):
            self.run_raw(EMITTER, "events", 0, 1)
        self.assertEqual(self.rings(), [])

    def test_what_was_removed_unread_is_said_once(self):
        self.env["OTEL_LOG_LEVEL"] = "warn"
        for i in range(RINGS + 2):
            self.kill_one(10)
        with open(self.dir / "said", "w+", encoding="utf-8") as said:
            child = self.start(EMITTER, "steps", 1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=said, text=True)
            self.step(child)
            self.until("the newest stay", lambda: len(self.files()) <= RINGS + 1)
            child.stdin.close()
            child.wait(TIMEOUT)
            said.seek(0)
            lines = [line for line in said if "ended programs had left" in line]
        self.assertLessEqual(len(lines), 1)
        if lines:
            self.assertRegex(lines[0], r"\Aoriel: removed \d rings? that ended programs had left, with "
                                       r"[\d.]+ k?B that nobody had read; the newest stay for oriel "
                                       r"recover\n\Z")


if __name__ == "__main__":
    main()
