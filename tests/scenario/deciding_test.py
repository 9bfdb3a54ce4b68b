# SPDX-License-Identifier: MIT OR Apache-2.0
"""What headers say of sampling is what happens: of hundreds of traces by each sampler, each span
whose headers said "sampled" comes to the receiver, which is not ours (tests/otlp/receiver.mjs), and
no other does; with the tracestate that the headers had."""
import base64
import os
import subprocess
import time
import unittest

from receiving import LIBRARY, Receiver, items, missing
from tool import TIMEOUT, Scenario, main

DECIDING = os.environ["DECIDING"]
TRACES = 400


def number(text):
    return base64.b64decode(text).hex()


@unittest.skipIf(missing(), missing())
class Deciding(Scenario):
    def prepare(self, receiver, telemetry="", declarative=None, **variables):
        """The environment of a program that finds such a configuration."""
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
            env["OTEL_CONFIG_FILE"] = self.declare(receiver, declarative)
        return env

    def declare(self, receiver, sampler):
        """In the place of the other, as editors do it."""
        path, new = self.dir / "otel.yaml", self.dir / "new.yaml"
        new.write_text(
            "file_format: '1.0'\ntracer_provider:\n  processors:\n    - batch:\n        exporter:\n"
            f"          otlp_grpc: {{endpoint: '{receiver.url()}'}}\n  sampler:\n{sampler}",
            encoding="utf-8")
        new.chmod(0o600)
        new.rename(path)
        return str(path)

    @staticmethod
    def heard(lines):
        """{span id: (flag, trace id, tracestate)} as headers said it."""
        said = {}
        for line in lines:
            _, parent, state = line.rstrip("\n").split(" ", 2)
            _, trace, span, flags = parent.split("-")
            said[span] = (int(flags, 16) & 1, trace, state)
        return said

    @staticmethod
    def arrived(receiver):
        """The same as it came."""
        return {number(s["spanId"]): (1, number(s["traceId"]), s.get("traceState", ""))
                for _, _, s in items(receiver.all(), "traces")}

    def run_with(self, *args, **more):
        receiver = Receiver(self)
        ran = self.run_raw(DECIDING, TRACES, env=self.prepare(receiver, *args, **more), text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return self.heard(ran.stdout.splitlines()), self.arrived(receiver)

    def check(self, *args, states=True, **more):
        """Returns the share of the spans that were sampled."""
        said, came = self.run_with(*args, **more)
        self.assertEqual(len(said), 4 * TRACES)
        return self.compare(said, came, states)

    def compare(self, said, came, states=True):
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

    def test_delegates_of_parents_elsewhere(self):
        # A quarter of the traces comes from elsewhere, half of these sampled.
        for keys, share in (("root = 'always_off'\nremote_parent_sampled = 'always_off'\n"
                             "remote_parent_not_sampled = 'always_on'", 1 / 8),
                            ("root = 'always_on'\nremote_parent_sampled = 'always_off'", 3 / 4)):
            self.assertEqual(self.check("[telemetry.sampling]\n" + keys), share)
        share = self.check("sample_rate = 0.5\n[telemetry.sampling]\nroot = 'always_off'\n"
                           "remote_parent_not_sampled = 'traceidratio'")
        self.assertTrue(1 / 8 < share < 1 / 4, share)

    def test_delegates_of_parents_here(self):
        # Four spans each, three of them below the entry.
        share = self.check("[telemetry.sampling]\nroot = 'always_on'\nlocal_parent_sampled = 'always_off'")
        self.assertEqual(share, (3 / 4 + 1 / 8) / 4)
        share = self.check("[telemetry.sampling]\nroot = 'always_off'\nlocal_parent_not_sampled = 'always_on'")
        self.assertEqual(share, (3 + 1 / 8) / 4)
        share = self.check("[telemetry.sampling]\nroot = 'always_on'\n"
                           "remote_parent_not_sampled = 'always_on'\nlocal_parent_sampled = 'always_off'")
        self.assertEqual(share, 1 / 4)

    def test_delegates_of_the_declarative_file(self):
        share = self.check(declarative="""
    parent_based:
      root: {always_off: }
      remote_parent_sampled: {always_off: }
      remote_parent_not_sampled: {always_on: }
      local_parent_sampled: {always_on: }
      local_parent_not_sampled: {always_off: }
""")
        self.assertEqual(share, 1 / 8)

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

    def test_a_composite_that_is_changed_while_the_program_runs(self):
        receiver = Receiver(self)
        rules = "    composite/development: {{rule_based: {{rules: [{}]}}}}\n".format
        off = "{attribute_values: {key: route, values: [/health]}, sampler: {always_off: }}"
        rest = "{{sampler: {{parent_threshold: {{root: {{probability: {{ratio: {}}}}}}}}}}}".format
        env = self.prepare(receiver, declarative=rules(off))
        program = self.start(DECIDING, 24, "steps", env=env, text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, latest, blurred = {}, [], set()

        def share():
            """Of what one step says."""
            program.stdin.write("\n")
            program.stdin.flush()
            step = self.heard(iter(program.stdout.readline, "step\n"))
            said.update(step)
            latest.append(step.keys())
            return sum(flag for flag, _, _ in step.values()) / len(step)

        def until(what, wanted):
            deadline = time.monotonic() + min(TIMEOUT, 60)
            while not wanted(share()):
                self.assertLess(time.monotonic(), deadline, what)
                time.sleep(0.01)
            # A share of all is worked out by headers, and not decided with the record.
            if "no composite" in what or "again" in what:
                blurred.update(*latest[-2:])

        self.assertEqual(share(), 0)  # no rule fits
        self.declare(receiver, rules(f"{off}, {rest(1)}"))
        until("the new rule", lambda it: it > 0.3)
        self.declare(receiver, rules(rest(0)))
        until("another one", lambda it: 0 < it < 0.3)
        self.declare(receiver, "    always_on: \n")
        until("no composite", lambda it: it == 1)
        self.declare(receiver, rules("{sampler: {always_off: }}"))
        until("a composite again", lambda it: it == 0)
        self.assertEqual(program.communicate(timeout=TIMEOUT), ("", ""))
        self.assertEqual(program.returncode, 0)
        came = self.arrived(receiver)
        self.compare({s: said[s] for s in said.keys() - blurred},
                     {s: came[s] for s in came.keys() - blurred}, states=False)


if __name__ == "__main__":
    main()
