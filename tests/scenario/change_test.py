# SPDX-License-Identifier: MIT OR Apache-2.0
"""A configuration file is changed while a program runs: what was said before goes to the old
receiver, what is said after to the new one, nothing is lost or sent twice, and the program
notices nothing of it. Receivers are not ours (tests/otlp/receiver.mjs)."""
import socket
import subprocess
import time
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import EMITTER, TIMEOUT, Scenario, main

STEP = 50  # events


def numbers(requests):
    """Of the events of `emitter steps`, as they came."""
    return [int(a["value"]["intValue"]) for _, _, r in items(requests, "logs")
            if r.get("body", {}).get("stringValue") == "said"
            for a in r["attributes"] if a["key"] == "i"]


class Taken:
    """What a receiver has got so far."""

    def __init__(self, receiver):
        self.receiver, self.requests = receiver, []

    def look(self):
        while not self.receiver.requests.empty():
            self.requests.append(self.receiver.requests.get())
        return numbers(self.requests)

    def all(self):
        self.requests += self.receiver.all()
        return numbers(self.requests)


@unittest.skipIf(missing(), missing())
class Change(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true")

    def write(self, url, more="", tables=""):
        """In the place of the other, as editors do it."""
        new = self.dir / "new.toml"
        new.write_text(
            "[telemetry]\nbackend = ['local', 'otlp']\noutlets = 'capture'\ntrace_dir = 'traces'\n"
            f"traces_exporter = 'none'\notlp_endpoint = '{url}'\n{more}\n"
            f"[telemetry.batch]\nlogs_delay_ms = 20\n{tables}\n", encoding="utf-8")
        new.chmod(0o600)
        new.rename(self.dir / "oriel.toml")

    def begin(self, url, more="", tables="", **variables):
        self.write(url, more, tables)
        self.count = 0
        return self.start(EMITTER, "steps", STEP, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**self.env, **variables})

    def go(self, program):
        self.step(program)
        self.count += STEP

    def go_until(self, what, program, happens):
        """A file is looked at once a second, and a program goes on meanwhile."""
        deadline = time.monotonic() + TIMEOUT
        while not happens():
            if time.monotonic() > deadline:
                program.stdin.close()
                self.fail(f"did not happen: {what}; said: {program.stderr.read()}")
            self.go(program)
            time.sleep(0.01)

    def end_of(self, program):
        """What it said on standard error."""
        out, err = program.communicate(timeout=TIMEOUT)
        self.assertEqual((program.returncode, out), (0, f"emitted {self.count}\n"))
        return err

    def books(self):
        """The figures of the capture: all that was emitted has its place."""
        captures = list((self.dir / "traces").glob("*.oriel"))
        self.assertEqual(len(captures), 1)
        told = self.report(captures[0])["resource"]

        def figure(name):
            return int(told.get(f"otel.sdk.{name}", "0").partition(",")[0])
        self.assertEqual(figure("log.created"), self.count)
        self.assertEqual(figure("processor.log.processed"), figure("exporter.log.exported")
                         + figure("processor.log.queue.size"))
        return figure

    def check_whole(self, first, second):
        """Each event once; the second has no older one than the first."""
        self.assertEqual(sorted(first + second), list(range(self.count)))
        self.assertLess(max(first), min(second))

    def test_a_changed_endpoint_and_protocol_split_what_is_said_in_two_at_one_point(self):
        a, b = Taken(Receiver(self)), Taken(Receiver(self))
        program = self.begin(a.receiver.url())
        self.go_until("the first receiver gets something", program, a.look)
        self.write(b.receiver.url("http"), "otlp_protocol = 'http/json'\notlp_compression = 'gzip'")
        self.go_until("the second receiver gets something", program, b.look)
        self.assertEqual(self.end_of(program), "")
        first, second = a.all(), b.all()
        self.check_whole(first, second)
        self.assertEqual({r["over"] for r in a.requests}, {"grpc"})
        self.assertEqual({(r["over"], r["headers"]["content-type"],
                           r["headers"]["content-encoding"]) for r in b.requests},
                         {("http", "application/json", "gzip")})
        self.books()

    def test_further_receivers_come_and_go(self):
        a, b = Taken(Receiver(self)), Taken(Receiver(self))
        program = self.begin(a.receiver.url())
        self.go_until("the first receiver gets something", program, a.look)
        self.write(a.receiver.url(), "", f"[telemetry.otlp]\nalso = ['{b.receiver.url()}']")
        self.go_until("the second receiver gets something", program, b.look)
        self.write(a.receiver.url())
        self.assertFalse(program.poll())
        got = len(b.look())
        marks = self.count

        def is_off():  # two rounds of what is said went to the first alone
            nonlocal got, marks
            if len(b.look()) != got:
                got, marks = len(b.look()), self.count
            return max(a.look()) > marks + 100 * STEP
        self.go_until("the second receiver gets nothing more", program, is_off)
        self.assertEqual(self.end_of(program), "")
        self.assertEqual(sorted(a.all()), list(range(self.count)))
        second = sorted(b.all())
        self.assertEqual(second, list(range(second[0], second[-1] + 1)))
        self.assertLess(second[-1], self.count - 1)

    def test_ten_changes_in_a_row_lose_nothing(self):
        a, b = Taken(Receiver(self)), Taken(Receiver(self))
        program = self.begin(a.receiver.url())
        for i in range(10):
            now = (b, a)[i % 2]
            self.write(now.receiver.url(), f"otlp_timeout_ms = {20000 + i}")
            before = len(now.look())
            self.go_until("the new receiver gets something", program,
                          lambda: len(now.look()) > before)
        self.assertEqual(self.end_of(program), "")
        self.assertEqual(sorted(a.all() + b.all()), list(range(self.count)))
        self.books()

    def test_a_wrong_file_is_told_in_one_line_and_the_right_one_after_it_counts(self):
        a, b = Taken(Receiver(self)), Taken(Receiver(self))
        program = self.begin(a.receiver.url())
        self.go_until("the first receiver gets something", program, a.look)
        self.write(b.receiver.url(), "otlp_timeout_ms = 'soon'")
        line = program.stderr.readline()
        self.assertRegex(line, r"\Aoriel: configuration not reloaded, the old one stays: "
                         r".*oriel\.toml:\d+.*\n\Z")
        self.write(b.receiver.url())
        self.go_until("the second receiver gets something", program, b.look)
        self.assertEqual(self.end_of(program), "")
        self.check_whole(a.all(), b.all())

    def silent(self):
        """Connections are made, and nobody ever answers."""
        door = socket.socket()
        self.addCleanup(door.close)
        door.bind(("127.0.0.1", 0))
        door.listen(100)
        return "http://127.0.0.1:%d" % door.getsockname()[1]

    def test_an_old_receiver_that_hangs_holds_up_neither_the_program_nor_the_new_one(self):
        b = Taken(Receiver(self))
        program = self.begin(self.silent(), ORIEL_EXIT_MS="2000")
        for _ in range(5):
            self.go(program)
        self.write(b.receiver.url())
        self.go_until("the new receiver gets something", program, b.look)
        self.end_of(program)
        second = sorted(b.all())
        self.assertEqual(second, list(range(second[0], self.count)))
        figure = self.books()
        # The capture was closed before the end: what the old one has not answered is queued.
        self.assertGreaterEqual(figure("processor.log.queue.size"), second[0])

    def test_what_an_old_receiver_that_hangs_was_given_is_in_its_spool_and_sent_by_the_next_run(self):
        b = Taken(Receiver(self))
        spool = f"[telemetry.otlp]\nspool_dir = '{self.dir}/spool'"
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            door.listen(100)
            url = "http://127.0.0.1:%d" % door.getsockname()[1]
            program = self.begin(url, "", spool, ORIEL_EXIT_MS="2000")
            for _ in range(5):
                self.go(program)
            self.write(b.receiver.url(), "", spool)
            self.go_until("the new receiver gets something", program, b.look)
            self.end_of(program)
        second = b.all()
        a = Taken(Receiver(self, "grpc=" + url.rpartition(":")[2]))
        program = self.begin(url, "", spool)
        self.go(program)
        self.go_until("the spool is sent", program, lambda: len(a.look()) >= min(second))
        self.end_of(program)
        first = a.all()
        here = list(range(self.count))  # of the second run
        for number in here:
            first.remove(number)
        self.assertEqual(sorted(first), list(range(min(second))))


if __name__ == "__main__":
    main()
