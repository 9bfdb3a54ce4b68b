# SPDX-License-Identifier: MIT OR Apache-2.0
"""A trace that goes on in another process: through its environment, headers and messages."""
from tool import EMITTER, ORIEL, Scenario, json, main, os, pathlib, unittest

RELAY, WORKER = os.environ.get("RELAY"), os.environ.get("WORKER")
SHOW = ("/bin/sh", "-c", "env; cat > /dev/null")  # its environment, and reads what it is sent
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LOCAL, REMOTE = 0x100, 0x300  # of Span.flags: whether the parent is remote is known, and so
# Who is whose parent, and where it is.
TREE = {"request": ("job", LOCAL), "send": ("job", LOCAL), "worker": ("job", REMOTE),
        "serve": ("request", REMOTE), "receive": ("send", REMOTE)}


@unittest.skipUnless(RELAY, "this build has no examples")
class Relay(Scenario):
    def spans(self, *paths):
        """All spans of some recordings, as OTLP has them."""
        spans = []
        for path in paths:
            run = self.oriel("export", "--to", "otlp", "--signals", "traces", "-o", "-", path)
            self.assertEqual(run.returncode, 0, run.stderr)
            for line in run.stdout.splitlines():
                for resource in json.loads(line)["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        spans += scope["spans"]
        return spans

    def check_tree(self, spans, parent="", flags=3, state=None):
        by_name = {s["name"]: s for s in spans}
        self.assertEqual(len(by_name), len(spans))
        self.assertEqual(set(by_name), {"job", *TREE})
        job = by_name["job"]
        self.assertEqual(job.get("parentSpanId", ""), parent)
        for name, (of, place) in TREE.items():
            span = by_name[name]
            self.assertEqual(span["traceId"], job["traceId"], name)
            self.assertEqual(span["parentSpanId"], by_name[of]["spanId"], name)
            self.assertEqual(span["flags"], place | flags, name)
            # A message has no room for it.
            self.assertEqual(span.get("traceState"), None if name == "receive" else state, name)
        tenant = {a["key"]: a["value"] for a in by_name["serve"]["attributes"]}["tenant"]
        self.assertEqual(tenant, {"stringValue": "acme"})
        return job

    def test_a_trace_goes_on_in_a_child_its_requests_and_its_messages(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "r.oriel", "--", RELAY, WORKER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.check_tree(self.spans("r.oriel"))
        text = self.oriel("report", "-t", "r.oriel").stdout
        self.assertIn("6 spans", text)
        self.assertEqual(text.count("trace "), 1, text)

    def test_a_child_with_a_recording_of_its_own_is_in_the_same_trace(self):
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "r.oriel", "--", RELAY, ORIEL,
                         "record", "--rate", "0", "--no-report", "-o", "w.oriel", "--", WORKER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len(self.spans("w.oriel")), 3)
        self.check_tree(self.spans("r.oriel", "w.oriel"))

    def test_without_a_recording_what_comes_in_goes_on(self):
        """The one in the middle is not recorded, and the trace is whole all the same."""
        self.env.update(TRACEPARENT=f"00-{TRACE}-{SPAN}-01", TRACESTATE="vendor=1",
                        ORIEL_JOIN="1")
        run = self.run_raw(RELAY, *SHOW, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stdout.splitlines()
        self.assertIn(f"TRACEPARENT=00-{TRACE}-{SPAN}-01", lines)
        self.assertIn("TRACESTATE=vendor=1", lines)
        self.assertIn("BAGGAGE=tenant=acme", lines)

    def test_a_program_that_is_told_to_joins_the_trace_of_its_environment(self):
        self.env.update(TRACEPARENT=f"00-{TRACE}-{SPAN}-00", TRACESTATE="vendor=1,ot=th:8",
                        ORIEL_JOIN="1")
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "r.oriel", "--", RELAY, WORKER)
        self.assertEqual(run.returncode, 0, run.stderr)
        job = self.check_tree(self.spans("r.oriel"), SPAN, 0, "vendor=1,ot=th:8")
        self.assertEqual(job["traceId"], TRACE)
        self.assertEqual(job["flags"], REMOTE)
        self.assertEqual(job["traceState"], "vendor=1,ot=th:8")

    @unittest.skipUnless((pathlib.Path(ORIEL).parent / "liboriel-alloc.so.0").exists(),
                         "this build has no hooks")
    def test_libraries_that_look_on_join_nothing_and_stand_between_no_spans(self):
        self.env.update(TRACEPARENT=f"00-{TRACE}-{SPAN}-01", ORIEL_JOIN="1")
        run = self.oriel("record", "--heap", "exact", "--locks", "--no-report", "-o", "h.oriel", "--",
                         RELAY, WORKER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.check_tree(self.spans("h.oriel"), SPAN, 1)

    def test_a_program_that_knows_nothing_of_contexts_joins_too(self):
        self.env.update(TRACEPARENT=f"00-{TRACE}-{SPAN}-01", ORIEL_JOIN="1")
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "e.oriel", "--", EMITTER, "spans",
                         10)
        self.assertEqual(run.returncode, 0, run.stderr)
        spans = self.spans("e.oriel")
        self.assertGreater(len(spans), 0)
        self.assertEqual({s["traceId"] for s in spans}, {TRACE})
        self.assertIn(SPAN, {s.get("parentSpanId") for s in spans})

    def test_the_environment_alone_joins_nothing(self):
        self.env.update(TRACEPARENT=f"00-{TRACE}-{SPAN}-01")
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "r.oriel", "--", RELAY, WORKER)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotEqual(self.check_tree(self.spans("r.oriel"))["traceId"], TRACE)

    def test_propagators_are_those_of_the_environment(self):
        self.env.update(OTEL_PROPAGATORS="b3", TRACEPARENT="stale", ORIEL_JOIN="1",
                        B3=f"{TRACE}-{SPAN}-1")
        run = self.run_raw(RELAY, *SHOW, text=True)
        lines = run.stdout.splitlines()
        self.assertIn(f"B3={TRACE}-{SPAN}-1", lines)
        self.assertFalse([line for line in lines if line.startswith(("TRACEPARENT", "BAGGAGE"))])


if __name__ == "__main__":
    main()
