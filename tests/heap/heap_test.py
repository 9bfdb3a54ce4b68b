#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record --heap: what programs allocate, compared with what they say they
do. Spans are read back from every kind of outlet."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "scenario"))
import tool  # noqa: E402

SPANS, TRUTH = os.environ["HEAP_SPANS"], os.environ["HEAP_TRUTH"]
TP = os.path.join(os.path.dirname(__file__), "..", "perfetto", "tp.mjs")
FIELDS = "allocations", "bytes", "frees", "freed_bytes"
KEYS = "alloc.count", "alloc.bytes", "dealloc.count", "dealloc.bytes"


def numbers(line):
    return dict(zip(FIELDS, map(int, line.split()[-4:])))


class Heap(tool.Scenario):
    def record(self, *words, heap="sampled", options=(), capture="c.oriel", status=None):
        if status is None:
            status = self.run_raw(*words, text=True).returncode
        run = self.oriel("record", "--heap", heap, "--no-report", "-o", self.dir / capture,
                         *options, "--", *words)
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertNotIn("damaged", run.stderr)
        self.assertIn(" 0 lost", run.stderr)
        return run

    def events(self, name, capture="c.oriel"):
        """Fields of the events of that name."""
        run = self.oriel("export", "--to", "chrome", "-f", "-o", self.dir / "events.json",
                         self.dir / capture)
        self.assertEqual(run.returncode, 0, run.stderr)
        rows = json.loads((self.dir / "events.json").read_text())
        return [r["args"] for r in rows if r["name"] == name]

    def folded(self, kind, capture="c.oriel"):
        """{function: weight} by the innermost function of the program's own."""
        run = self.oriel("flame", "--format", "folded", "--kind", kind, self.dir / capture)
        self.assertEqual(run.returncode, 0, run.stderr)
        sums = {}
        for line in run.stdout.splitlines():
            stack, weight = line.rsplit(" ", 1)
            name = stack.split(";")[-1]
            sums[name] = sums.get(name, 0) + int(weight)
        return sums


class Spans(Heap):
    def expected(self, run):
        rows = {}
        for line in run.stdout.splitlines():
            rows[line.split()[0]] = numbers(line)
        self.assertEqual(len(rows), 15)
        return rows

    def check(self, expected, spans):
        """spans: [(name, {attribute: value})]"""
        found = {}
        for name, args in spans:
            if name == "recursion":
                name = f"recursion.{args['depth']}"
            self.assertNotIn(name, found)
            found[name] = args
        for name, row in expected.items():
            part = ".self" if name.endswith(".self") else ""
            args = found[name[:-len(part)] if part else name]
            prefix = {k: k.replace("alloc.", "alloc.self.", 1) if part else k for k in KEYS}
            got = {f: int(args[prefix[k]]) for f, k in zip(FIELDS, KEYS)}
            net = int(args["alloc.self.net_bytes" if part else "alloc.net_bytes"])
            self.assertEqual(net, got["bytes"] - got["freed_bytes"], name)
            if name == "left_open":  # what the end of a thread allocates is within it
                self.assertGreaterEqual(got["bytes"], row["bytes"])
            else:
                self.assertEqual(got, row, name)
        self.assertEqual(int(found["longjmp"]["alloc.self.count"]) +
                         int(found["jumped_over"]["alloc.count"]),
                         int(found["longjmp"]["alloc.count"]))
        return found

    def test_every_outlet_has_what_spans_allocated(self):
        for heap in MODES:
            run = self.record(SPANS, heap=heap, options=("--to", "capture,chrome,perfetto"),
                              capture=f"{heap}.oriel")
            expected = self.expected(run)
            rows = json.loads((self.dir / f"{heap}.json").read_text())
            direct = self.check(expected, [(r["name"], r["args"]) for r in rows
                                           if r.get("ph") == "X" and r["name"] != "heap.end"])
            again = self.dir / f"{heap}.again.json"
            done = self.oriel("export", "--to", "chrome", "-f", "-o", again,
                              self.dir / f"{heap}.oriel")
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.loads(again.read_text())
            self.assertEqual(direct, self.check(expected, [
                (r["name"], r["args"]) for r in rows if r.get("ph") == "X"]))
            self.perfetto(expected, self.dir / f"{heap}.pftrace")

    def perfetto(self, expected, trace):
        node = shutil.which("node")
        if not node or subprocess.run([node, TP, "--probe"], capture_output=True,
                                      check=False).returncode != 0:
            print("trace_processor is missing: the Perfetto trace is not read back")
            return
        query = ("select s.id, s.name, a.flat_key as key, a.int_value as value from slice s "
                 "join args a using (arg_set_id) where a.int_value is not null")
        rows = json.loads(subprocess.run([node, TP, trace, query], check=True, text=True,
                                         capture_output=True).stdout)
        spans = {}
        for row in rows:
            args = spans.setdefault(row["id"], (row["name"], {}))[1]
            # Perfetto takes dots for nesting, so the outlet writes none.
            key = row["key"].removeprefix("debug.")
            args[key.replace("net_bytes", "net-bytes").replace("_", ".").replace("-", "_")] = row["value"]
        self.check(expected, [s for s in spans.values() if "alloc.count" in s[1]])


class Totals(Heap):
    def totals(self, *words, heap):
        run = self.record(TRUTH, *words, heap=heap)
        ends = self.events("heap.end")
        return run, ends

    def difference(self, more, less):
        return {f: int(more[f]) - int(less[f]) for f in FIELDS}

    def test_sums_are_those_of_the_program(self):
        for heap in MODES:
            for how in ("all", "threads"):
                _, [none] = self.totals("0", how, heap=heap)
                run, [many] = self.totals("300", how, heap=heap)
                truth = numbers(run.stdout.splitlines()[-1])
                self.assertGreater(truth["allocations"], 5000)
                self.assertEqual(self.difference(many, none), truth, (heap, how))

    def test_a_fork_child_begins_to_count_anew(self):
        _, none = self.totals("0", "fork", heap="sampled")
        run, many = self.totals("100", "fork", heap="sampled")
        self.assertEqual((len(none), len(many)), (2, 2))
        truth = numbers(next(l for l in run.stdout.splitlines() if l.startswith("child")))
        self.assertEqual(self.difference(many[0], none[0]), truth)

    def test_other_allocators_are_counted_behind_us(self):
        folder = "/usr/lib/" + os.uname().machine + "-linux-gnu"
        names = "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"
        there = [p for p in (os.path.join(folder, n) for n in names) if os.path.exists(p)]
        if not there:
            print("no other allocator is installed: none is tried")
        for path in there:
            self.env["LD_PRELOAD"] = path
            self.addCleanup(self.env.pop, "LD_PRELOAD", None)
            for heap in MODES:
                # Alone it would crash: not all of them bring pvalloc and reallocarray.
                run = self.record(TRUTH, "100", "threads", heap=heap, status=3)
                [end] = self.events("heap.end")
                truth = numbers(run.stdout.splitlines()[-1])
                for field in FIELDS:  # and what the process itself needs
                    self.assertGreaterEqual(int(end[field]), truth[field], (path, heap, field))
                    self.assertLess(int(end[field]) - truth[field], 1 << 20, (path, heap, field))

    def test_real_programs_say_what_they_say_without(self):
        sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) " \
              "SELECT count(DISTINCT 'row '||i), sum(i) FROM n;"
        for words in (["sqlite3", ":memory:", sql],
                      [sys.executable, "-c", "import json; print(len(json.dumps(list(range(9999)))))"],
                      ["sh", "-c", "ls / | sort -r | head -3; exit 41"]):
            if not shutil.which(words[0]):
                continue
            bare = self.run_raw(*words, text=True)
            for heap in MODES:
                run = self.oriel("record", "--rate", "0", "--heap", heap, "--no-report", "-o",
                                 self.dir / "real.oriel", "--", *words)
                self.assertEqual((run.returncode, run.stdout), (bare.returncode, bare.stdout))

    def test_with_every_byte_sampled_functions_have_what_they_took(self):
        self.record(TRUTH, "2000", "keep", options=("--heap-interval", "1"))
        took, gone = self.folded("alloc"), self.folded("free")
        self.assertEqual(took["keeps"], 2000 * 1000)
        self.assertEqual(took["gives_back"], 2000 * 3000)
        self.assertEqual((gone.get("keeps", 0), gone["gives_back"]), (0, 2000 * 3000))

    def test_exact_has_every_block_by_function(self):
        run = self.record(TRUTH, "2000", "keep", heap="exact")
        [end] = self.events("heap.end")
        self.assertEqual(run.returncode, 3)
        # What the hook says is not an event of the program, which has none.
        self.assertNotIn("event", run.stderr)
        report = self.report("c.oriel")
        self.assertEqual((report["counts"]["events"], report["events"]["count"]), (0, 0))
        self.assertEqual(report["memory"]["totals"]["allocated_bytes"], int(end["bytes"]))
        took, live, peak = (self.folded(k) for k in ("alloc", "live", "peak"))
        temporary = self.folded("temporary")
        self.assertEqual(took["keeps"], 2000 * 1000)
        self.assertEqual(took["gives_back"], 2000 * 3000)
        self.assertEqual((live["keeps"], live.get("gives_back", 0)), (2000 * 1000, 0))
        self.assertEqual((temporary["gives_back"], temporary.get("keeps", 0)), (2000 * 3000, 0))
        self.assertEqual(sum(took.values()), int(end["bytes"]))
        self.assertEqual(sum(live.values()), int(end["live_bytes"]))
        # What the most was made of is noted whenever it has grown by 1 % and 64 KiB.
        self.assertLess(abs(peak["keeps"] - 2000 * 1000), 2000 * 1000 * 0.01 + 70000)
        self.assertGreaterEqual(int(end["peak_bytes"]), 2000 * 1000 + 3000)

    def test_live_at_the_end_is_what_was_sampled_and_kept(self):
        self.record(TRUTH, "2000", "keep", options=("--heap-interval", "1"))
        live = self.folded("live")
        self.assertEqual((live["keeps"], live.get("gives_back", 0)), (2000 * 1000, 0))

    def test_samples_estimate_without_bias(self):
        # 16,000,000 bytes in blocks of 1,000 and 3,000, a sample each 4 KiB: their sum has
        # a standard deviation of 1.5 %. Ten of these are not met.
        self.record(TRUTH, "4000", "keep", options=("--heap-interval", "4096"))
        took = self.folded("alloc")
        self.assertLess(abs(took["keeps"] - 4000 * 1000), 0.4 * 4000 * 1000)
        self.assertLess(abs(took["gives_back"] - 4000 * 3000), 0.2 * 4000 * 3000)

    def test_thirty_sampled_runs_lie_within_2_percent_of_an_exact_one(self):
        # 80 MB each, a sample every 4 KiB: the mean of thirty has a standard deviation of
        # 0.3 % (keeps, 150,000 samples). Seven of these are not met.
        self.record(TRUTH, "20000", "keep", heap="exact")
        exact = {kind: self.folded(kind) for kind in ("alloc", "live")}
        self.assertEqual((exact["alloc"]["keeps"], exact["alloc"]["gives_back"]),
                         (20000 * 1000, 20000 * 3000))
        sums = {}
        for _ in range(30):
            self.record(TRUTH, "20000", "keep", options=("--heap-interval", "4096"))
            for kind in exact:
                for name, weight in self.folded(kind).items():
                    sums[kind, name] = sums.get((kind, name), 0) + weight
        for kind, name in (("alloc", "keeps"), ("alloc", "gives_back"), ("live", "keeps")):
            mean = sums[kind, name] / 30
            self.assertLess(abs(mean - exact[kind][name]), 0.02 * exact[kind][name], (kind, name))


MODES = os.environ["HEAP_MODES"].split(",")

if __name__ == "__main__":
    unittest.main(verbosity=2)
