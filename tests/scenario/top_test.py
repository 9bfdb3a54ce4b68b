# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel top: in a terminal (a pty, emulated by pyte) and without one."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios

from tool import EMITTER, ORIEL, Scenario, main, subprocess, unittest

DEBIANS = "/usr/bin/python3"  # which python3-pyte is for, whatever python3 is on the PATH
try:
    import pyte
except ImportError:
    pyte = None
    if os.path.exists(DEBIANS) and not os.environ.get("TOP_TEST_AGAIN"):
        os.environ["TOP_TEST_AGAIN"] = "1"
        os.execv(DEBIANS, [DEBIANS, *sys.argv])

SAMPLED = os.environ["SAMPLED"]


class Terminal:
    """A program in a terminal of 100 columns and 30 rows."""

    def __init__(self, words, env):
        self.screen = pyte.Screen(100, 30)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], [str(w) for w in words], dict(env, TERM="xterm", LC_ALL="C.UTF-8"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.status = None
        self.raw = b""

    def read(self):
        while select.select([self.fd], [], [], 0.05)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                return
            self.raw += data
            self.stream.feed(data)

    def text(self):
        self.read()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def ended(self):
        self.read()
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Top(Scenario):
    def program(self):
        return self.start(SAMPLED, 1000000, 2)

    def wait_for(self, terminal, pattern):
        self.until(pattern, lambda: re.search(pattern, terminal.text()), seconds=100)
        return terminal.text()

    @unittest.skipUnless(pyte, "python3-pyte is not installed")
    def test_a_screen_shows_functions_and_threads_and_obeys_keys(self):
        program = self.program()
        t = Terminal([ORIEL, "top", "-p", program.pid], self.env)
        self.addCleanup(t.close)
        text = self.wait_for(t, r"\n  turn +\d+ %")
        self.assertRegex(text, rf"\Aoriel top  {program.pid} sampled: CPU \d+ %, 2 threads, \d+ samples")
        self.assertRegex(text, r"CPU time by function: .*\n  function +self")
        self.assertIn("sampled.c:", text)
        self.assertRegex(text, r"q quit  c CPU  w waiting  t threads  s spans  space pause\Z")
        t.type("t")
        self.wait_for(t, r"\n  thread +CPU +CPU")
        t.type(" ")
        self.wait_for(t, "paused")
        t.type("c")
        self.wait_for(t, r"\n  turn +\d+ %")
        t.type("q")
        self.until("the end", t.ended, seconds=100)
        self.assertEqual(t.status, 0)
        self.assertTrue(t.raw.rstrip().endswith(b"\x1b>") or b"\x1b[?1049l" in t.raw)
        self.assertIsNone(program.poll())

    @unittest.skipUnless(pyte, "python3-pyte is not installed")
    def test_the_end_of_the_program_ends_it_and_gives_the_terminal_back(self):
        program = self.program()
        t = Terminal([ORIEL, "top", "-p", program.pid], self.env)
        self.addCleanup(t.close)
        self.wait_for(t, "oriel top")
        program.kill()
        program.wait()
        self.until("the end", t.ended, seconds=100)
        self.assertEqual(t.status, 0)
        self.assertIn(b"ended", t.raw)

    def test_without_a_terminal_tables_are_printed(self):
        program = self.program()
        run = self.oriel("top", "-p", program.pid, "-n", 2, "--interval", "2s")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.count("oriel top  "), 2)
        self.assertNotIn("\x1b", run.stdout)
        run = self.oriel("top", "-p", program.pid, "-n", 1, "--interval", "2s", "--view", "threads")
        self.assertEqual(run.returncode, 0, run.stderr)
        child = self.start(ORIEL, "top", "-p", program.pid, stdout=subprocess.PIPE)
        self.assertTrue(child.stdout.readline().startswith(b"oriel top"))
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(100), 0)

    def recorded(self):
        """A program with spans, its recorder, and its pid."""
        recorder = self.start(ORIEL, "record", "--rate", 0, "--no-report", "-o", "c.oriel", "--", EMITTER,
                              "busy", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = self.child_named(recorder, "emitter")
        self.addCleanup(self.quit, pid)  # it outlives a recorder that is killed
        return recorder, pid

    @staticmethod
    def quit(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def spans_of(self, pid):
        """Until a table says that one span burns CPU time and another one waits."""
        child = self.start(ORIEL, "top", "-p", pid, "--view", "spans", stdout=subprocess.PIPE, text=True)
        burns = waits = False
        for line in child.stdout:
            burns = burns or re.match(r"  burning +\d+ % +[\d.]+ m?s ", line)
            waits = waits or re.match(r"  napping .* [\d.]+ m?s$", line)
            if burns and waits:
                break
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(100), 0)
        self.assertTrue(burns and waits)

    def test_spans_of_a_recorded_program_are_seen_and_its_recording_is_whole(self):
        recorder, pid = self.recorded()
        self.spans_of(pid)
        os.kill(pid, signal.SIGTERM)
        recorder.wait()
        report = self.report("c.oriel")
        self.assertEqual((self.lost(report), report["quality"]["orphan_ends"]), (0, 0))
        counts = {n["name"]: n["count"] for n in report["tree"]}
        self.assertLessEqual(abs(counts["burning"] - counts["napping"]), 1)

    def test_spans_of_a_child_are_seen_in_the_tree_of_its_parent(self):
        recorder, _ = self.recorded()
        self.spans_of(recorder.pid)
        run = self.oriel("top", "-p", recorder.pid, "-n", 1, "--view", "threads")
        self.assertRegex(run.stdout, r"emitter \d+ of \d+")

    def test_spans_of_a_program_that_begins_later_are_seen(self):
        shell = self.start(ORIEL, "record", "--rate", 0, "--no-report", "-o", "c.oriel", "--", "sh", "-c",
                           f"read go; exec {EMITTER} busy", stdin=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = self.child_named(shell, "sh")
        self.addCleanup(self.quit, pid)
        top = self.start(ORIEL, "top", "-p", pid, "--view", "spans", "-n", 100, stdout=subprocess.PIPE, text=True)
        seen = ""
        for line in top.stdout:
            seen += line
            if "no spans" in line and shell.stdin:
                shell.stdin.write(b"\n")
                shell.stdin.close()
                shell.stdin = None
            if line.startswith("  burning "):
                break
        top.kill()
        self.assertRegex(seen, r"(?s)no spans: .*\n  burning ")

    def test_without_spans_it_says_why(self):
        run = self.oriel("top", "-p", self.program().pid, "-n", 1, "--view", "spans")
        self.assertIn("no spans: nobody records this program", run.stdout)

    @unittest.skipUnless(pyte, "python3-pyte is not installed")
    def test_a_screen_shows_spans(self):
        _, pid = self.recorded()
        t = Terminal([ORIEL, "top", "-p", pid], self.env)
        self.addCleanup(t.close)
        self.wait_for(t, "oriel top")
        t.type("s")
        self.assertRegex(self.wait_for(t, r"\n  burning +\d+ %"), r"samples by span\n  innermost span +CPU")

    def test_what_cannot_be_watched_is_one_line(self):
        ended = self.start("true")
        ended.wait()
        for words, status in ((("-p", ended.pid), 1), ((), 2), (("-p", "x"), 2)):
            run = self.oriel("top", *words)
            self.assertEqual(run.returncode, status)
            self.one_line(run.stderr)


if __name__ == "__main__":
    main()
