#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Exporters of a program, by the public headers and the built libraries.

usage: BUILD=build exporting.py EXPORTING
"""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
PROGRAM = os.path.abspath(sys.argv.pop(1))
EXPECTED = """\
mine exported n=7 of exporting
flush 0: memory has 1 exported, 1 told, dropped 0
memory has 0
free at work: -9
mine ends
stop 0
free: 0
remove: -7
"""


class Exporting(unittest.TestCase):
    def test_a_program_gets_what_it_said_and_nothing_is_written_anywhere(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("ORIEL_", "OTEL_", "TELEMETRY_", "TRACY_"))}
        with tempfile.TemporaryDirectory() as folder:
            ran = subprocess.run([PROGRAM], text=True, capture_output=True, timeout=600, cwd=folder,
                                 env=dict(env, LD_LIBRARY_PATH=os.path.abspath(os.environ["BUILD"])))
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertEqual(ran.stdout, EXPECTED)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
