#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parse and Create of the declarative configuration, by the public headers and the built libraries.

usage: BUILD=build creating.py CREATING
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
PROGRAM = os.path.abspath(sys.argv.pop(1))
CONFIG = """\
file_format: "1.0"
propagator: {composite: [{tracecontext: }, {b3: }]}
tracer_provider:
  processors:
    - batch:
        schedule_delay: 3600000
        exporter:
          mine: {label: "${LABEL}", list: [one, two]}
logger_provider:
  processors:
    - simple:
        exporter:
          mine: {label: logs, list: [1]}
"""
EXPECTED = """\
register 0
again -10
wrong: -5 wrong:1: file_format has to be 0.3, 0.4, 1.0 or 1.1
model: file_format, label theirs
create spans: ours, first of one
create logs: logs, first of 1
create 0, twice -9
header traceparent of 55 bytes
header b3 of 51 bytes
flush 0
shutdown of spans 0
again -10
late span: not recorded
flush 0
shutdown of logs 0
on: 0
"""
GIVEN = """\
logs ends
logs: log INFO "logs go on" of shop.log
logs: log WARN "sold out" of shop.log
ours ends
ours: span inner of shop.cart
ours: span made at run tim of shop.cart
"""


class Creating(unittest.TestCase):
    def run_it(self, text, **more):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("ORIEL_", "OTEL_", "TELEMETRY_", "TRACY_"))}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "otel.yaml"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
            ran = subprocess.run(
                [PROGRAM, str(path)], text=True, capture_output=True, timeout=600, cwd=folder,
                env=dict(env, LABEL="theirs", LD_LIBRARY_PATH=os.path.abspath(os.environ["BUILD"]),
                         **more))
            self.assertEqual(os.listdir(folder), ["otel.yaml"])
        return ran

    def test_a_model_becomes_providers_and_propagators_that_do_what_it_says(self):
        ran = self.run_it(CONFIG)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        given = [line for line in ran.stdout.splitlines(True) if line.startswith(("ours", "logs"))]
        self.assertEqual("".join(sorted(given)), GIVEN)
        rest = [line for line in ran.stdout.splitlines(True) if line not in given]
        self.assertEqual("".join(rest), EXPECTED)

    def test_variables_of_the_environment_do_not_count_beside_a_model(self):
        ran = self.run_it(CONFIG, OTEL_PROPAGATORS="jaeger", OTEL_TRACES_SAMPLER="always_off")
        self.assertIn("header b3 of 51 bytes\n", ran.stdout)
        self.assertIn("ours: span inner of shop.cart\n", ran.stdout)

    def test_a_model_with_a_component_that_nobody_registered_is_refused_in_one_line(self):
        ran = self.run_it(CONFIG.replace("mine: {label: logs", "yours: {label: logs"))
        self.assertEqual(ran.returncode, 1)
        self.assertIn("create -", ran.stdout)
        self.assertNotIn("ours", ran.stdout)
        self.assertRegex(ran.stderr, r"\Aoriel: telemetry does not start: .*logger_provider.processors.simple"
                                     r".exporter.yours is no exporter that Oriel has.*\n\Z")

    def test_a_model_that_says_disabled_gives_providers_that_do_nothing(self):
        ran = self.run_it(CONFIG + "disabled: true\n")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertNotIn("create spans", ran.stdout)
        self.assertNotIn("ours", ran.stdout)
        self.assertIn("create 0", ran.stdout)


if __name__ == "__main__":
    unittest.main()
