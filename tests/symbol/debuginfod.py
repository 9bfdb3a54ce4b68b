#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Names of a stripped program from a real debuginfod server on this machine.

usage: debuginfod.py ORIEL

A server that has them, one that is gone, one that never answers, and one that
is configured only after the program was looked at without.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ORIEL = ""
SOURCE = """#include <stdio.h>
#include <vector>
static inline unsigned long step(unsigned long s, unsigned long x) { return s * 31 + (s ^ x); }
template <class T> __attribute__((noinline)) T churn(const std::vector<T> &v, int rounds)
{
    T s = 1;
    for (int k = 0; k < rounds; k++)
        for (T x : v)
            s = step(s, x + k);
    return s;
}
int main()
{
    std::vector<unsigned long> v(10000, SALT);
    printf("%lu\\n", churn(v, 40000));
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Debuginfod(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="oriel-debuginfod-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("ORIEL_", "DEBUGINFOD_"))}
        # A slow machine is no slow server.
        self.env.update(XDG_CACHE_HOME=str(self.dir / "cache"), DEBUGINFOD_TIMEOUT="120",
                        DEBUGINFOD_CACHE_PATH=str(self.dir / "client"), HOME=str(self.dir))
        self.store = self.dir / "store"
        self.store.mkdir()

    def run_ok(self, *words):
        done = subprocess.run([str(w) for w in words], cwd=self.dir, env=self.env, text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        return done.stdout

    def program(self, salt=1):
        """Stripped; its debug information is in the server's store alone."""
        (self.dir / "spin.cc").write_text(SOURCE.replace("SALT", str(salt)))
        self.run_ok("g++", "-g", "-O2", "-Wl,--build-id", "spin.cc", "-o", "spin")
        self.run_ok("objcopy", "--only-keep-debug", "spin", self.store / "spin.debug")
        self.run_ok("strip", "spin")
        notes = self.run_ok("readelf", "-n", "spin")
        return notes.split("Build ID:")[1].split()[0]

    def record(self):
        self.run_ok(ORIEL, "record", "--rate", 499, "--no-symbols", "--no-report", "-o", "c.oriel",
                    "--", "./spin")

    def names(self):
        return self.run_ok(ORIEL, "flame", "--format", "folded", "c.oriel")

    def serve(self, build_id):
        """A server that has the build-id by now; its process."""
        for _ in range(5):  # somebody may take the port in between
            port = free_port()
            server = subprocess.Popen(
                ["debuginfod", "-d", ":memory:", "-p", str(port), "-F", str(self.store)],
                cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
            self.env["DEBUGINFOD_URLS"] = f"http://127.0.0.1:{port}"
            while server.poll() is None:
                try:
                    url = f"http://127.0.0.1:{port}/buildid/{build_id}/debuginfo"
                    with urllib.request.urlopen(url, timeout=60) as answer:
                        answer.read()
                        return server
                except (urllib.error.URLError, OSError):
                    time.sleep(0.05)  # it is still looking through the store
        return self.fail("no server could be started")

    def test_a_server_gives_names_inlined_calls_and_lines(self):
        build_id = self.program()
        self.record()
        self.assertNotIn("churn", self.names())
        server = self.serve(build_id)
        # Also of a program that was looked at before.
        names = self.names()
        self.assertRegex(names, r"main;unsigned long churn<unsigned long>\(.*;step.*_\[i\] ")
        source = self.run_ok(ORIEL, "report", "--source", "spin.cc", "c.oriel")
        self.assertRegex(source, r"\d+ %  .*unsigned long step")
        server.kill()
        server.wait()
        # What was fetched stays, even when everything of ours is forgotten.
        self.assertEqual(self.names(), names)
        shutil.rmtree(self.dir / "cache")
        self.assertEqual(self.names(), names)
        # And what only we know needs no client.
        shutil.rmtree(self.dir / "client")
        self.assertEqual(self.names(), names)

    def test_a_server_that_is_gone_costs_names_only(self):
        self.program(2)
        self.record()
        without = self.names()
        self.env["DEBUGINFOD_URLS"] = f"http://127.0.0.1:{free_port()}"
        self.assertEqual(self.names(), without)

    def test_a_server_that_never_answers_costs_names_only(self):
        self.program(3)
        self.record()
        without = self.names()
        listener = socket.create_server(("127.0.0.1", 0))
        callers = []

        def take_calls():
            try:
                while True:
                    callers.append(listener.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=take_calls, daemon=True)
        thread.start()
        self.addCleanup(lambda: [caller.close() for caller in callers])
        self.addCleanup(thread.join, 60)
        self.addCleanup(listener.close)
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        self.env["DEBUGINFOD_URLS"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.env["DEBUGINFOD_TIMEOUT"] = "1"
        self.assertEqual(self.names(), without)
        self.assertTrue(callers)
        # A module that the time did not reach is asked for by the next look, each of them once.
        looks, asked = 1, 0
        while asked != len(callers):
            asked = len(callers)
            self.assertEqual(self.names(), without)
            looks += 1
            self.assertLess(looks, 10, "it is waited for again and again")


if __name__ == "__main__":
    ORIEL = os.path.abspath(sys.argv.pop(1))
    if not all(map(shutil.which, ("debuginfod", "debuginfod-find", "g++", "objcopy"))):
        print("debuginfod is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
