# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is wrong with a receiver, as the person at the terminal sees it: one line that names what was
said wrongly, no secret in it, an end that comes when it is told or asked for, and the books."""
import os
import re
import signal
import socket
import subprocess
import sys

from tool import EMITTER, ORIEL, TIMEOUT, Scenario, main

NO_PEM = "no PEM at all\n"


class Sending(Scenario):
    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}

    def capture(self, count=20):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "c.oriel", "--", EMITTER,
                         "spans", count)
        self.assertEqual(run.returncode, 0, run.stderr)
        return "c.oriel"

    def refusal(self, *words, status=2, command=("export", "--to", "otlp"), **variables):
        """The one line of a command that does not even begin."""
        run = self.oriel(*command, *words, env={**self.env, **variables})
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertEqual(run.stdout, "")
        return self.one_line(run.stderr)

    @staticmethod
    def closed_port():
        """A socket that nobody listens at: no other process gets its port meanwhile."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        return s, f"http://127.0.0.1:{s.getsockname()[1]}"

    def test_an_endpoint_that_is_none_names_the_option_and_no_secret(self):
        capture = self.capture()
        before = sorted(self.dir.iterdir())
        for text, says in (
                ("", "empty"), (" ", "neither a name nor an address"), ("htp://h", "must begin"),
                ("http://", "without a host"), ("http://h:0", "port"), ("http://h:65536", "port"),
                ("http://h:99999999999999999999", "port"), ("http://h:x", "port"),
                ("http://[::1", "]"), ("http://[zz]:1", "neither"), ("unix:", "107"),
                ("unix:/" + "a" * 108, "107"), ("http://" + "a" * 5000, "too long"),
                ("http://h/" + "a" * 5000, "too long"), ("http://h:1/a b", "escaped"),
                ("http://h\n:1", "neither"), ("http://h:4317#part", "fragment"),
                ("dns://8.8.8.8/h", "name server"),
                ("https://u:hunter2@h:1", "user or password"), ("http://hunter2@h", "user")):
            with self.subTest(text[:40]):
                line = self.refusal("--endpoint", text, capture)
                self.assertIn("--endpoint", line)
                self.assertIn(says, line)
                self.assertNotIn("hunter2", line)
                self.assertLess(len(line), 200)
        self.assertEqual(sorted(self.dir.iterdir()), before)

    def test_record_and_collect_say_the_same(self):
        for command, rest in ((("record", "--to", "otlp"), ("--", EMITTER, "spans", 1)),
                              (("collect", "--to", "otlp", "--listen", 0, "--http", "off"), ())):
            for text in ("", "htp://h"):
                line = self.refusal("--endpoint", text, *rest, command=command)
                self.assertIn(f"{command[0]}: --endpoint", line)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_what_was_collected_for_nobody_is_given_up_in_time(self):
        socket_, url = self.closed_port()
        with socket_:
            run = self.oriel("collect", "--to", "otlp", "--endpoint", url, "--", EMITTER, "spans", 3,
                             env={**self.env, "TELEMETRY_ENABLED": "true", "ORIEL_BACKEND": "otlp",
                                  "LD_LIBRARY_PATH": os.path.dirname(ORIEL)})
        self.assertEqual((run.returncode, run.stdout), (0, "emitted 3\n"))
        self.assertIn("received 3 spans", run.stderr)
        self.assertRegex(run.stderr, r"\d+ given up: not taken in time \(.*nothing listens there\)")
        self.assertNotIn("0 lost", run.stderr)
        self.assertNotIn("they are lost", run.stderr)  # one line tells it

    def test_what_was_recorded_for_one_that_is_silent_is_said_in_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"http://127.0.0.1:{mute.getsockname()[1]}"
            run = self.oriel("record", "--to", "otlp", "--endpoint", url, "--timeout-ms", 500, "--",
                             EMITTER, "spans", 3)
        self.assertEqual(run.returncode, 0, run.stderr)
        told = [line for line in run.stderr.splitlines() if "given up" in line]
        self.assertEqual(len(told), 1, run.stderr)
        self.assertRegex(told[0], r"0 spans and 0 log records delivered, \d+ given up: not taken in "
                                  r"time \(no reply within 500 ms\)$")
        self.assertRegex(run.stderr, r"\d+ lost \(not delivered\)")
        self.assertNotIn("they are lost", run.stderr)
    def test_samples_that_stay_behind_are_said_with_what_keeps_them(self):
        left = r"left behind: ([\d,]+) samples?: (\w+) has no place for them; (.*)"
        run = self.oriel("record", "--to", "otlp", "-o", "r.jsonl", "--rate", "997", "--",
                         sys.executable, "-c", "sum(range(9000000))")
        told = re.search(left, run.stderr)
        self.assertTrue(told, run.stderr)
        self.assertEqual(told[3], "--to capture,otlp keeps them")
        run = self.oriel("record", "--to", "capture,otlp", "-o", "r.oriel", "--rate", "997", "--",
                         sys.executable, "-c", "sum(range(9000000))")
        self.assertNotIn("left behind", run.stderr)
        run = self.oriel("export", "-f", "--to", "otlp", "r.oriel")
        told = re.search(left, run.stderr)
        self.assertTrue(told, run.stderr)
        self.assertIn("--to perfetto", told[3])
        self.assertEqual(len(re.findall("samples?", run.stderr)), 1, run.stderr)
        run = self.oriel("export", "--to", "perfetto", "r.oriel")
        self.assertNotIn("left behind", run.stderr)
        self.assertRegex(run.stderr, r"[\d,]+ samples?, ")

    def test_a_wrong_variable_is_said_by_its_name(self):
        capture = self.capture()
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            run = self.oriel("export", "--to", "otlp", capture, "-f",
                             env={**self.env, name: "htp://u:hunter2@h"})
            self.assertEqual(run.returncode, 0, run.stderr)
            said, wrote = run.stderr.splitlines()
            self.assertIn(f"${name}", said)
            self.assertIn("counts as unset", said)
            self.assertNotIn("hunter2", said)
            self.assertIn("c.jsonl", wrote)

    def test_other_options_that_are_wrong_are_one_line_with_their_name(self):
        capture = self.capture()
        for words, says in (
                (("--headers", "a"), "--headers: member 1"),
                (("--headers", "a=hunter2,b"), "--headers: member 2"),
                (("--headers", "=hunter2"), "--headers"), (("--headers", "a b=hunter2"), "--headers"),
                (("--headers", "a=%zzhunter2"), "--headers"),
                (("--headers", "a=%0ahunter2"), "--headers"),
                (("--headers", "a=" + "x" * 70000), "--headers: a list of more than"),
                (("--headers", "content-type=hunter2"), "content-type"),
                (("--protocol", "smtp"), "http/protobuf"), (("--protocol", ""), "http/protobuf"),
                (("--compression", "rar"), "zstd"), (("--timeout-ms", "-1"), "--timeout-ms: "),
                (("--timeout-ms", "99999999999999999999"), "--timeout-ms: "),
                (("--retry-for", "-5s"), "--retry-for: "), (("--retry-for", "soon"), "--retry-for: "),
                (("--proxy", "nobody"), "proxy"), (("--proxy", "https://p:1"), "proxy"),
                (("--also", "htp://h"), "also"), (("--also", "http://u:hunter2@h"), "also"),
                (("--also", ""), "--also is empty"), (("--certificate", ""), "--certificate is empty"),
                (("--client-key", ""), "--client-key is empty"),
                (("--spool", ""), "--spool is empty"), (("-o", ""), "-o is empty")):
            with self.subTest(words[0] + " " + words[1][:20]):
                line = self.refusal("--endpoint", "https://127.0.0.1:1", *words, capture)
                self.assertIn(says, line)
                self.assertNotIn("hunter2", line)
                self.assertLess(len(line), 300)

    def test_a_file_of_tls_is_named_with_its_option_and_the_reason(self):
        capture = self.capture()
        (self.dir / "text.pem").write_text(NO_PEM)
        (self.dir / "empty.pem").write_text("")
        (self.dir / "folder").mkdir()
        for option, variable in (("--certificate", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
                                 ("--client-certificate", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")):
            for name, says, status in (("none.pem", "No such file or directory", 1),
                                       ("text.pem", "holds no certificate", 2),
                                       ("empty.pem", "is empty", 2),
                                       ("folder", "is a directory", 2)):
                with self.subTest(f"{option} {name}"):
                    line = self.refusal("--endpoint", "https://h:1", option, name, capture,
                                        status=status)
                    self.assertIn(f"{name} ({option}): ", line)
                    self.assertIn(says, line)
                    line = self.refusal("--endpoint", "https://h:1", capture, status=status,
                                        **{variable: name})
                    self.assertIn(f"{name} (${variable}", line)
                    self.assertIn(says, line)
        line = self.refusal("--endpoint", "https://h:1", "--client-key", "text.pem", capture)
        self.assertIn("text.pem (--client-key): a key without its certificate", line)
        self.assertNotIn("system lib", line)

    def test_collect_says_which_of_its_options_is_wrong(self):
        (self.dir / "file").write_text("mine")
        off = ("--listen", "off", "--http", "off")
        for words, says, status in (
                (("--listen", "65536"), "--listen", 2), (("--listen", "x"), "--listen", 2),
                (("--listen", ""), "--listen is empty", 2), (("--http", "h:"), "--http", 2),
                (("--listen", "a" * 3000 + ":1"), "--listen", 2),
                (("--listen", "[::1:0", "--http", "off"), "[::1", 2),
                (off, "nowhere", 2), ((*off, "--unix", ""), "--unix is empty", 2),
                ((*off, "--unix", "nowhere/s"), "No such file or directory", 1),
                ((*off, "--unix", "/tmp/" + "a" * 300), "107", None),
                ((*off, "--unix", "file"), "is a file and no socket: name a path that is free", 1),
                ((*off, "--unix", "."), "is a directory and no socket", 1),
                (("--token-file", ""), "--token-file is empty", 2),
                (("--token-file", "none"), "--token-file: none", 1),
                (("--token-file", "."), "no regular file", None)):
            with self.subTest(" ".join(words)[:60]):
                run = self.oriel("collect", *words)
                self.assertIn(run.returncode, (1, 2) if status is None else (status,), run.stderr)
                line = self.one_line(run.stderr)
                self.assertIn(says, line)
                self.assertLess(len(line), 500)
        self.assertEqual((self.dir / "file").read_text(), "mine")

    # ---- a receiver that is not there ----

    def books(self, stderr):
        """Delivered and dropped by cause, of the last line about the receiver."""
        line = [l for l in stderr.splitlines() if "delivered" in l][-1]
        return [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:spans|log|given)", line)]

    def test_who_is_not_there_is_said_at_once_and_given_up_in_time(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        run = self.oriel("export", "--to", "otlp", "--endpoint", url, "--retry-for", "200ms",
                         self.capture())
        self.assertEqual(run.returncode, 1)
        lines = run.stderr.splitlines()
        self.assertIn("nothing listens there", lines[0])
        self.assertIn("tried for 200 ms", lines[0])
        spans, logs, lost = self.books(run.stderr)
        self.assertEqual((spans, logs), (0, 0))
        self.assertGreaterEqual(lost, 40)
        self.assertLessEqual(len(lines), 5)

    def interrupt(self, *words):
        """After the line that says that the receiver is not there."""
        child = self.start(ORIEL, "export", "--to", "otlp", *words, env=self.env, text=True,
                           stderr=subprocess.PIPE)
        first = child.stderr.readline()
        self.assertIn("tried for 30.0 s", first)
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
        self.assertEqual(child.wait(TIMEOUT), 1, rest)
        return rest

    def test_an_interrupted_export_keeps_its_books(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        rest = self.interrupt("--endpoint", url, self.capture())
        self.assertIn("0 spans and 0 log records delivered", rest)
        self.assertIn("interrupted", rest)
        self.assertGreaterEqual(self.books(rest)[2], 40)

    def test_an_interrupted_export_of_a_spool_leaves_the_rest_there(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        run = self.oriel("export", "--to", "otlp", "--endpoint", url, "--retry-for", "100ms",
                         "--spool-dir", "spool", self.capture())
        self.assertEqual(run.returncode, 1)
        self.assertIn("kept in the spool", run.stderr)
        rest = self.interrupt("--endpoint", url, "--spool", "spool")
        self.assertIn("0 items delivered, the rest stays in the spool", rest)
        run = self.oriel("export", "--to", "otlp", "--endpoint", url, "--retry-for", "100ms",
                         "--spool", "spool")
        self.assertEqual(run.returncode, 1)
        self.assertNotIn("nothing is left", run.stderr)

    def test_an_interrupted_export_says_what_it_did_not_read(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        rest = self.interrupt("--endpoint", url, "--queue-bytes", "64KiB", "--batch", 20,
                              self.capture(20000))
        self.assertIn("the rest of c.oriel was not read", rest)

    def test_the_rest_of_a_file_is_not_read_for_nobody(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        run = self.oriel("export", "--to", "otlp", "--endpoint", url, "--retry-for", "100ms",
                         "--queue-bytes", "64KiB", "--batch", 20, self.capture(20000))
        self.assertEqual(run.returncode, 1)
        self.assertIn("given up; the rest of c.oriel was not read", run.stderr)
        self.assertLess(self.books(run.stderr)[2], 40000)

    def test_a_time_that_is_given_counts_even_where_it_is_that_of_programs(self):
        dead, url = self.closed_port()
        self.addCleanup(dead.close)
        child = self.start(ORIEL, "export", "--to", "otlp", "--endpoint", url, "--retry-for", "5m",
                           self.capture(), env=self.env, text=True, stderr=subprocess.PIPE)
        self.assertIn("tried for 5", child.stderr.readline())
        child.send_signal(signal.SIGTERM)
        child.stderr.read()
        self.assertEqual(child.wait(TIMEOUT), 1)


main()
