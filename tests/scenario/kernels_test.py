# SPDX-License-Identifier: MIT OR Apache-2.0
"""Units of work, their stages and the messages between them, as a program and as a library that
a Python script drives."""
import sys

from tool import ORIEL, Scenario, json, main, os, pathlib, unittest

KERNELS = os.environ.get("KERNELS")
SCRIPT = pathlib.Path(__file__).parents[2] / "examples/python/kernels.py"
LIBRARY = os.environ.get("LIBKERNELS", "")
CHAIN = ("scale", "smooth", "square")
STAGES = {"validate", "prepare_input", "gpu_execute", "collect_output"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SUM = "1327342005\n"
ON = {"TELEMETRY_ENABLED": "true", "OTEL_SDK_ENABLED": "true"}


@unittest.skipUnless(KERNELS, "this build has no examples")
class Kernels(Scenario):
    def spans(self, path):
        run = self.oriel("export", "--to", "otlp", "--signals", "traces", "-o", "-", path)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [span for line in run.stdout.splitlines()
                for resource in json.loads(line)["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def check(self, spans, parent=None, state=None):
        """One trace: each kernel below the one that sent to it, its stages below it."""
        by_id = {s["spanId"]: s for s in spans}
        above = [s for s in spans if s["name"] == "kernels.run"]
        self.assertEqual(len(above), 1)
        self.assertEqual(above[0].get("parentSpanId"), parent)
        for s in spans:
            self.assertEqual(s["traceId"], above[0]["traceId"], s["name"])
            self.assertEqual(s["flags"] & 1, 1, s["name"])
            self.assertEqual(s.get("traceState"), state, s["name"])
        at = above[0]
        for kernel in CHAIN:
            below = [s for s in spans if s.get("parentSpanId") == at["spanId"]]
            unit = [s for s in below if s["name"] == f"kernel:{kernel}"]
            self.assertEqual(len(unit), 1, kernel)
            self.assertEqual({s["name"] for s in below} - {unit[0]["name"]},
                             set() if at is above[0] else STAGES)
            self.assertEqual(unit[0]["flags"] & 0x300, 0x100)  # the parent is not remote
            fields = {a["key"]: a["value"] for a in unit[0]["attributes"]}
            self.assertEqual(fields["kernel.id"], {"stringValue": kernel})
            self.assertEqual(fields["elements"], {"intValue": "1000"})
            at = by_id[unit[0]["spanId"]]
        last = [s for s in spans if s.get("parentSpanId") == at["spanId"]]
        self.assertEqual({s["name"] for s in last}, STAGES)
        self.assertEqual(len(spans), 1 + len(CHAIN) * (1 + len(STAGES)))
        for s in last:  # what the device says lies between what the host says
            self.assertLessEqual(int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"]))
        order = sorted(last, key=lambda s: int(s["startTimeUnixNano"]))
        self.assertEqual([s["name"] for s in order],
                         ["validate", "prepare_input", "gpu_execute", "collect_output"])

    def test_kernels_are_units_with_stages_in_the_trace_of_whoever_sent_to_them(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "k.oriel", "--", KERNELS, *CHAIN)
        self.assertEqual((run.returncode, run.stdout), (0, SUM), run.stderr)
        self.check(self.spans("k.oriel"))
        tree = self.oriel("report", "-t", "k.oriel").stdout
        for name in (*(f"kernel:{k}" for k in CHAIN), *STAGES):
            self.assertIn(f" {name}", tree)
        self.assertEqual(tree.count("trace "), 1, tree)

    def test_the_context_of_the_program_goes_along_with_flags_and_tracestate(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "k.oriel", "--", KERNELS, *CHAIN,
                         env={**self.env, "ORIEL_JOIN": "1", "TRACEPARENT": PARENT,
                              "TRACESTATE": "a=1,b=2"})
        self.assertEqual(run.returncode, 0, run.stderr)
        spans = self.spans("k.oriel")
        self.assertEqual(spans[0]["traceId"], TRACE)
        self.check(spans, SPAN, "a=1,b=2")

    def script(self, *words):
        return self.run_raw(sys.executable, SCRIPT, LIBRARY, *words, text=True)

    def test_a_python_script_that_drives_the_library_is_not_changed_by_anything(self):
        run = self.script(PARENT)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, SUM, ""))
        self.assertEqual(os.listdir(self.dir), [])

    def test_the_same_script_sends_what_the_library_says_in_the_scripts_trace(self):
        # A process of its own sets the endpoint; the script and its arguments are the same.
        run = self.oriel("collect", "-o", "c.oriel", "--no-report", "--", sys.executable, SCRIPT,
                         LIBRARY, PARENT, env={**self.env, **ON})
        self.assertEqual((run.returncode, run.stdout), (0, SUM), run.stderr)
        spans = self.spans("c.oriel")
        self.assertEqual(spans[0]["traceId"], TRACE)
        self.check(spans, SPAN)


main()
