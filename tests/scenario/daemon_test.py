# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs that put themselves into the background, switched on by the environment only: what they
say before, between and after arrives at a receiver that is not ours, once each, sent by themselves
and while they run."""
import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import TIMEOUT, Scenario, main

DAEMON = os.environ["DAEMON"]
MALLOC = os.path.join(os.path.dirname(DAEMON), "daemon_malloc")
LIBRARY_MALLOC = os.path.join(os.path.dirname(DAEMON), "daemon_library")
N = 20


def attributes(owner):
    return {a["key"]: next(iter(a["value"].values()), None) for a in owner.get("attributes", [])}


@unittest.skipIf(missing(), missing())
class Daemon(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.receiver = Receiver(self)
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true",
                        OTEL_EXPORTER_OTLP_ENDPOINT=self.receiver.url(), ORIEL_EXIT_MS="20000",
                        OTEL_BSP_SCHEDULE_DELAY="500", ORIEL_SYSTEM_METRICS_INTERVAL_SECS="0")
        self.requests = []
        self.pids = set()
        self.addCleanup(self.end_all)

    def end_all(self):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def launch(self, way, n=N, processes=1, program=DAEMON):
        child = self.start(program, way, n)
        self.wait_for(lambda: len(list(self.dir.glob("pid.*"))) == processes, "the daemon")
        self.pids = {int(f.name[4:]) for f in self.dir.glob("pid.*")}
        if way != "stopped":
            child.wait(TIMEOUT)
        return child

    def wait_for(self, what, name):
        until = time.monotonic() + TIMEOUT
        while not what():
            self.assertLess(time.monotonic(), until, name)
            time.sleep(0.01)

    def spans(self):
        """(attributes of resource, of span)"""
        return [(attributes(r), attributes(s)) for r, _, s in items(self.requests, "traces")
                if s["name"] == "step"]

    def count(self, when):
        while not self.receiver.requests.empty():
            self.requests.append(self.receiver.next())
        return sum(s["when"] == when for _, s in self.spans())

    def arrives(self, when, n):
        """While the daemon runs."""
        self.wait_for(lambda: self.count(when) >= n, f"{n} spans {when}")

    def over(self):
        (self.dir / "go").touch()
        for pid in self.pids:
            self.wait_for(lambda: not alive(pid), "the end of the daemon")
        self.requests += self.receiver.all()

    def check(self, counts, processes=1, rings=0):
        got = collections.Counter(s["when"] for _, s in self.spans())
        self.assertEqual({k: got[k] for k in counts}, counts, got)
        ids = [s["spanId"] for _, _, s in items(self.requests, "traces") if s["name"] == "step"]
        self.assertEqual(len(ids), len(set(ids)))
        # A fork child is an instance of its own, also before it has taken over.
        of = collections.defaultdict(set)
        for resource, span in self.spans():
            kind = "parent" if span["when"] == "before" else "child"
            of[kind].add(resource["service.instance.id"])
        self.assertLessEqual(len(of["parent"]), 1)
        self.assertEqual(len(of["child"]), processes)
        self.assertFalse(of["parent"] & of["child"])
        self.assertEqual(len(list(self.runtime.rglob("*.ring"))), rings)

    def goes(self, way, program=DAEMON, **more):
        self.launch(way, program=program)
        self.arrives("after", N)
        self.over()
        self.check({"before": N, "after": N, "last": 1, **more})
        self.check_books()

    def check_books(self, dropped=0):
        """Of the children: what they said is there, or was dropped and counted; nothing is left in
        a ring, for there is none."""
        books = [[int(n) for n in f.read_text(encoding="utf-8").split()]
                 for f in self.dir.glob("books.*")]
        self.assertEqual(len(books), len(self.pids))
        there = sum(s["when"] != "before" for _, s in self.spans())
        self.assertEqual(sum(said for said, *_ in books),
                         there + sum(sum(lost) for _, *lost in books) + dropped)
        return [sum(column) for column in zip(*books)]

    def test_daemon_of_the_c_library(self):
        self.goes("call")

    def test_two_forks_and_a_session(self):
        self.goes("twice")

    def test_who_is_silent_for_long_is_found_by_its_ring(self):
        """Its parent leaves the ring's file, though nobody else has said a word into it."""
        self.launch("silent")
        self.arrives("after", N)
        pid, = self.pids
        self.wait_for(lambda: self.oriel("doctor", "--live", pid).returncode == 0, "figures")
        self.over()
        self.check({"before": N, "after": N, "last": 1})
        self.check_books()

    def test_every_descriptor_is_closed(self):
        self.goes("closed")

    @unittest.skipIf(os.geteuid() != 0, "chroot is for root")
    def test_a_root_without_anything(self):
        """All goes on, but the ring's file: there is no way to it."""
        self.launch("jailed")
        self.arrives("after", N)
        self.over()
        left = list(self.runtime.rglob("*.ring"))
        self.assertLessEqual(len(left), 1)
        self.check({"before": N, "after": N, "last": 1}, rings=len(left))
        self.check_books()

    def test_eight_children_and_one_that_sends(self):
        self.launch("many", processes=8)
        self.arrives("after", 8 * N)
        senders = [pid for pid in self.pids if "oriel-drain" in threads(pid)]
        self.assertEqual(len(senders), 1)
        os.kill(senders[0], signal.SIGKILL)  # then the next one does
        self.wait_for(lambda: any("oriel-drain" in threads(pid)
                                  for pid in self.pids - set(senders)), "another one")
        self.over()
        self.check({"before": N, "after": 8 * N, "last": 7}, processes=8)

    def test_no_thread_is_made_in_a_signal_handler(self):
        """What is said goes out where the program ends."""
        self.launch("handler")
        self.over()
        self.check({"before": N, "after": N, "handler": 1, "last": 1})
        self.check_books()

    def test_no_thread_is_made_in_an_allocator(self):
        """What is said goes out where the program ends: in an allocator that is a part of the
        program, and in one of a library."""
        for program in MALLOC, LIBRARY_MALLOC:
            with self.subTest(program):
                self.setUp()
                self.launch("allocator", program=program)
                self.over()
                self.check({"before": N, "after": N, "last": 1})
                self.assertGreaterEqual(self.count("malloc"), N)
                self.check_books()

    def test_outside_of_an_allocator_of_a_library_one_is_made(self):
        self.goes("twice", program=LIBRARY_MALLOC)

    def figures(self, pid):
        """How old they are; how many spans wait or are on their way; how many were dropped by the
        queue, for it was full, and by what sends from it."""
        run = self.oriel("doctor", "--live", pid, "--json")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        told = json.loads(run.stdout)
        of = {r["name"].removeprefix("otel.sdk."): r for r in told["figures"]}
        return (told["age_s"],
                of["processor.span.queue.size"]["value"] + of["exporter.span.inflight"]["value"],
                of["processor.span.processed"]["failed"] + of["exporter.span.exported"]["failed"])

    def unread(self):
        """Bytes that wait in the ring."""
        run = self.oriel("recover", "--list", "--json")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return sum(r["unread_bytes"] for r in json.loads(run.stdout)["rings"])

    def test_more_than_there_is_room_for(self):
        """What the ring and the queue could not take is counted, and all else is there."""
        self.env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "100000"  # else some may be there and counted, too
        self.launch("flood")
        pid, = self.pids
        self.arrives("later", 1)
        seen = [-1]

        def settled():
            """Nothing waits, and a second later, as long as a batch may, that is still so: by
            figures that were told after the ring was seen to be read."""
            unread, since = self.unread(), time.monotonic()
            time.sleep(1.5)
            least = time.monotonic() - since
            age, waits, dropped = self.figures(pid)
            seen.append(dropped)
            return age < least and unread == waits == 0 and seen[-1] == seen[-2]
        self.wait_for(settled, "figures that stand still")
        self.over()
        self.assertGreater(self.check_books(seen[-1])[1], 0)
        self.assertGreater(seen[-1], 0)

    def test_an_end_right_after_the_beginning(self):
        self.launch("quiet")
        self.over()
        self.check({"before": N, "after": 1})

    def test_a_parent_that_is_killed(self):
        self.goes("killed", between=N)

    @unittest.skipIf(os.geteuid() != 0, "namespaces of processes are for root")
    def test_a_session_that_cannot_be_seen(self):
        """In a namespace of processes that a session was begun outside of, it has no number."""
        run = self.run_raw("unshare", "--pid", "--fork", "--mount-proc", sys.executable, __file__,
                           "Daemon.test_a_parent_that_is_killed", env=os.environ, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def configure(self, text):
        """Names that begin where the program was started, which is not where it is then."""
        vault = self.dir / "vault"
        vault.write_text('{"ZEPH_OTEL_HEADERS": "authorization=Bearer%20known"}', encoding="utf-8")
        vault.chmod(0o600)
        (self.dir / "oriel.toml").write_text(
            '[telemetry]\notlp_headers_vault_key = "ZEPH_OTEL_HEADERS"\n[telemetry.vault]\n'
            f'provider = "file"\nfile_path = "vault"\n{text}', encoding="utf-8")

    def test_headers_of_a_vault(self):
        self.configure("")
        self.goes("call")
        self.assertEqual({r["headers"].get("authorization") for r in self.requests},
                         {"Bearer known"})

    def test_a_receiver_that_is_away_and_a_spool(self):
        self.configure('[telemetry.otlp]\nspool_dir = "spool"\n')
        there = self.env["OTEL_EXPORTER_OTLP_ENDPOINT"]
        self.env.update(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", ORIEL_EXIT_MS="1000")
        self.launch("call")
        self.wait_for(lambda: list(self.dir.glob("spool/*/*.spool")), "something in the spool")
        (self.dir / "go").touch()
        for pid in self.pids:
            self.wait_for(lambda: not alive(pid), "the end of the daemon")
        self.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = there
        run = self.oriel("export", "--to", "otlp", "--spool", self.dir / "spool")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.requests += self.receiver.all()
        self.check({"before": N, "after": N, "last": 1})
        self.check_books()

    def test_a_child_in_the_session_of_its_parent_follows_with_a_new_thread(self):
        self.goes("worker", between=N, thread=1)

    def test_a_child_in_the_session_of_its_parent_whose_first_span_comes_later(self):
        self.goes("late")

    def test_a_confined_child_makes_no_system_call(self):
        self.launch("confined")
        self.wait_for(lambda: not alive(*self.pids), "the end of the child")
        self.assertEqual((self.dir / "alive").read_text(encoding="utf-8"), "yes")
        self.requests += self.receiver.all()
        ids = [s["spanId"] for _, _, s in items(self.requests, "traces") if s["name"] == "step"]
        self.assertEqual(len(ids), len(set(ids)))

    def test_a_confined_child_that_went_into_the_background(self):
        """Its own threads are confined, not the one that follows its parent."""
        self.launch("apart")
        self.arrives("after", N)
        self.wait_for(lambda: not alive(*self.pids), "the end of the child")
        self.assertEqual((self.dir / "alive").read_text(encoding="utf-8"), "yes")

    def test_a_parent_that_is_stopped_is_not_gone(self):
        parent = self.launch("stopped")
        time.sleep(4)  # for nothing to happen
        pid, = self.pids
        self.assertEqual(threads(pid), ["daemon_ways"])
        (self.dir / "go").touch()
        self.assertEqual(parent.wait(TIMEOUT), 0)
        self.over()
        self.check({"before": N, "after": N, "last": 1})


def threads(pid):
    try:
        return [f.read_text(encoding="utf-8").strip()
                for f in pathlib.Path(f"/proc/{pid}/task").glob("*/comm")]
    except OSError:
        return []


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


if __name__ == "__main__":
    main()
