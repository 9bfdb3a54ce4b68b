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

from tool import ORIEL, Scenario, main, subprocess, unittest

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
        self.assertRegex(text, r"q quit  c CPU  w waiting  t threads  space pause\Z")
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

    def test_what_cannot_be_watched_is_one_line(self):
        ended = self.start("true")
        ended.wait()
        for words, status in ((("-p", ended.pid), 1), ((), 2), (("-p", "x"), 2)):
            run = self.oriel("top", *words)
            self.assertEqual(run.returncode, status)
            self.one_line(run.stderr)


if __name__ == "__main__":
    main()
