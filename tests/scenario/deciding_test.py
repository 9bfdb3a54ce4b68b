# SPDX-License-Identifier: MIT OR Apache-2.0
"""What headers say of sampling is what happens: of hundreds of traces by each sampler, each span
whose headers said "sampled" comes to the receiver, which is not ours (tests/otlp/receiver.mjs), and
no other does; with the tracestate that the headers had."""
import base64
import os
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import Scenario, main

DECIDING = os.environ["DECIDING"]
TRACES = 400


def number(text):
    return base64.b64decode(text).hex()


@unittest.skipIf(missing(), missing())
class Deciding(Scenario):
    def run_with(self, telemetry="", declarative=None, **variables):
        """{span id: (flag, trace id, tracestate)} as headers said it, and as it came."""
        receiver = Receiver(self)
        env = {k: v for k, v in self.env.items()
               if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", **variables)
        # However slow the machine is, all of it is to come.
        text = "[telemetry]\nexit_ms = 60000\n"
        if declarative is None:
            text += (f"backend = 'otlp'\notlp_endpoint = '{receiver.url()}'\n"
                     f"logs_exporter = 'none'\n{telemetry}\n")
        toml = self.dir / "oriel.toml"
        toml.write_text(text, encoding="utf-8")
        toml.chmod(0o600)
        if declarative is not None:
            path = self.dir / "otel.yaml"
            path.write_text(
                "file_format: '1.0'\ntracer_provider:\n  processors:\n    - batch:\n        exporter:\n"
                f"          otlp_grpc: {{endpoint: '{receiver.url()}'}}\n  sampler:\n{declarative}",
                encoding="utf-8")
            path.chmod(0o600)
            env["OTEL_CONFIG_FILE"] = str(path)
        ran = self.run_raw(DECIDING, TRACES, env=env, text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        said = {}
        for line in ran.stdout.splitlines():
            _, parent, state = line.split(" ", 2)
            _, trace, span, flags = parent.split("-")
            said[span] = (int(flags, 16) & 1, trace, state)
        came = {number(s["spanId"]): (1, number(s["traceId"]), s.get("traceState", ""))
                for _, _, s in items(receiver.all(), "traces")}
        return said, came

    def check(self, *args, states=True, **more):
        """Returns the share of the spans that were sampled."""
        said, came = self.run_with(*args, **more)
        self.assertEqual(len(said), 4 * TRACES)
        sampled = {span: what for span, what in said.items() if what[0]}
        self.assertEqual([(s, said[s]) for s in sampled.keys() - came.keys()], [])
        self.assertEqual([(said.get(s), came[s]) for s in came.keys() - sampled.keys()], [])
        if states:
            self.assertEqual([(said[s], came[s]) for s in sampled if said[s] != came[s]][:3], [])
        return len(sampled) / len(said)

    def test_always_on_and_off(self):
        self.assertEqual(self.check("sampler = 'always_on'", states=False), 1)
        self.assertEqual(self.check("sampler = 'always_off'"), 0)

    def test_a_share_with_and_without_regard_to_parents(self):
        for name in "traceidratio", "parentbased_traceidratio":
            share = self.check(f"sampler = '{name}'\nsample_rate = 0.4")
            self.assertTrue(0.2 < share < 0.6, share)

    def test_by_the_parent(self):
        self.assertTrue(0.8 < self.check("sampler = 'parentbased_always_on'") < 1)
        self.assertTrue(0 < self.check("sampler = 'parentbased_always_off'") < 0.2)

    def test_rates_of_targets(self):
        share = self.check("[telemetry.sampling]\nrates = ['db=0', 'web=0.5']")
        self.assertTrue(0.2 < share < 0.6, share)

    def test_rates_of_targets_without_regard_to_parents(self):
        share = self.check("sampler = 'traceidratio'\n"
                           "[telemetry.sampling]\nrates = ['db=0.1', 'web=0.5']")
        self.assertTrue(0.2 < share < 0.6, share)

    def test_so_many_a_second(self):
        share = self.check("[telemetry.sampling]\ntraces_per_s = 50")
        self.assertTrue(0.1 < share < 0.9, share)

    def test_rules(self):
        share = self.check(declarative="""
    composite/development:
      rule_based:
        rules:
          - {attribute_values: {key: route, values: [/health]}, sampler: {always_off: }}
          - {span_kinds: [server], parent: [none], sampler: {probability: {ratio: 0.5}}}
          - sampler: {parent_threshold: {root: {probability: {ratio: 0.25}}}}
""")
        self.assertTrue(0.1 < share < 0.6, share)

    def test_parents_thresholds(self):
        share = self.check(declarative="""
    composite/development:
      parent_threshold: {root: {rule_based: {rules: [
        {attribute_values: {key: route, values: [/health]}, sampler: {always_off: }},
        {sampler: {probability: {ratio: 0.5}}}]}}}
""")
        self.assertTrue(0.1 < share < 0.7, share)


if __name__ == "__main__":
    main()
