# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel probes, and oriel record -e: functions, USDT marks, lines and tracepoints of real programs."""
import bisect
import re
import shutil
import sys

from tool import (EMITTER, ORIEL, Scenario, json, main, needs_all_hits, needs_full_speed, os, pathlib,
                  signal, subprocess, unittest)

PROBED, THROWN, HITS = (os.environ[name] for name in ("PROBED", "THROWN", "HITS"))
TP = pathlib.Path(__file__).parent.parent / "perfetto" / "tp.mjs"
TRACEFS = pathlib.Path("/sys/kernel/tracing")


def may_probe():
    try:
        os.close(os.open(TRACEFS / "uprobe_events", os.O_WRONLY | os.O_APPEND))
        return True
    except OSError:
        return False


needs_probes = unittest.skipUnless(may_probe(), "needs root and uprobe events")
RUST = """use std::hint::black_box;
#[inline(never)]
pub fn parse(n: u32) -> u32 {
    if n == 0 { 0 } else { 1 + parse(black_box(n - 1)) }
}
#[inline(never)]
pub fn risky(n: i32) -> i32 {
    if n < 0 { panic!("as is wanted") }
    n + 1
}
fn main() {
    let deep = parse(3);
    let caught = std::panic::catch_unwind(|| risky(black_box(-1)));
    println!("{} {}", deep, caught.is_err());
}
"""
EMPTY = {"count": 0, "unfinished": 0}


class Listing(Scenario):
    def listing(self, *words):
        run = self.oriel("probes", *words, "--format", "json")
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_functions_have_the_arguments_that_debug_information_tells(self):
        greet = self.listing(PROBED, "greet")["functions"]
        self.assertEqual(len(greet), 1)
        self.assertEqual([(a["name"], a["type"]) for a in greet[0]["arguments"]],
                         [("who", "str"), ("n", "u16"), ("room", "ptr")])
        self.assertEqual(greet[0]["result"]["type"], "i32")
        self.assertRegex(greet[0]["line"], r"probed\.c:\d+$")
        add = self.listing(THROWN, "shop::cart::add")["functions"]
        self.assertEqual([a["type"] for a in add[0]["arguments"]], ["ptr", "i32", "str"])

    def test_usdt_marks_of_a_program_with_oriel_are_listed(self):
        marks = {m["name"] for m in self.listing(PROBED, "oriel:*")["usdt"]}
        self.assertTrue(marks, "none found")

    def test_lines_are_listed_with_their_function(self):
        lines = self.listing(PROBED, "probed.c:*")["lines"]
        self.assertIn("factorial", {line["function"] for line in lines})

    def test_what_is_not_there_is_one_line(self):
        for words, what in ((("/nonexistent",), "/nonexistent"), ((PROBED, "no_such"), "no_such"),
                            (("/etc/passwd",), "/etc/passwd")):
            run = self.oriel("probes", *words)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertIn(what, self.one_line(run.stderr))

    @unittest.skipUnless(shutil.which("objdump"), "objdump is not installed")
    def test_ways_out_of_functions_are_those_that_objdump_shows(self):
        checked = 0
        for path in (PROBED, ORIEL, sys.executable):
            asked = self.listing(path)["functions"]
            text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", os.path.realpath(path)],
                                  capture_output=True, text=True, check=True).stdout
            found = [(int(m[1], 16), re.sub(r"^(bnd|repz|notrack|cs|ds|data16) +", "", m[2]))
                     for m in re.finditer(r"^ +([0-9a-f]+):\t(.*)$", text, re.M)]
            addresses = [a for a, _ in found]
            seldom = {}  # what a compiler puts elsewhere because it hardly ever runs
            for m in re.finditer(r"^([0-9a-f]+) ([0-9a-f]+) t (\S+)\.cold$", subprocess.run(
                    ["nm", "-S", os.path.realpath(path)], capture_output=True, text=True,
                    check=True).stdout, re.M):
                at = int(m[1], 16)
                seldom.setdefault(m[3], []).append((at, at + int(m[2], 16)))
            for f in asked:
                low, high = f["address"], f["address"] + f["bytes"]
                here = found[bisect.bisect_left(addresses, low):bisect.bisect_left(addresses, high)]
                if not here:
                    continue
                returns = sum(i.startswith("ret") for _, i in here)
                parts = [(low, high), *seldom.get(f["linkage"], ())]
                ways = 0
                for low, high in parts:
                    for _, i in found[bisect.bisect_left(addresses, low):
                                      bisect.bisect_left(addresses, high)]:
                        jump = re.match(r"jmp\s+([0-9a-f]+)\b", i)
                        ways += i.startswith("ret") or bool(jump and not any(
                            a <= int(jump[1], 16) < b for a, b in parts))
                self.assertLessEqual(f["exits"], ways, f)
                if f["exits_known"]:
                    self.assertGreaterEqual(f["exits"], returns, f)
                checked += 1
        self.assertGreater(checked, 100)


@needs_probes
class Watching(Scenario):
    def record(self, program, *events, args=(), status=0, options=()):
        words = [w for e in events for w in ("-e", e)]
        pathlib.Path(self.dir, "c.oriel").unlink(missing_ok=True)
        run = self.oriel("record", "--rate", 0, "--no-report", *options, "-o", "c.oriel", *words,
                         "--", program, *args)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    def spans(self):
        """name -> count and unfinished, over all places in the tree; the tree; the report."""
        report = self.report("c.oriel")
        self.assertEqual(self.lost(report), 0)
        self.assertEqual(report["quality"]["orphan_ends"], 0)
        sums = {}
        for node in report["tree"]:
            s = sums.setdefault(node["name"], dict(EMPTY))
            s["count"] += node["count"]
            s["unfinished"] += node["unfinished"]
        return sums, report["tree"], report

    def log(self):
        run = self.oriel("export", "--to", "log", "c.oriel", "-o", "-")
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def paths(self, tree, name):
        """Names from the root down to each place of `name`."""
        out = set()
        for node in tree:
            if node["name"] != name:
                continue
            path, at = [], node
            while True:
                path.insert(0, at["name"])
                if at["parent"] is None:
                    break
                at = tree[at["parent"]]
            out.add(tuple(path))
        return out

    def nothing_left(self, recorder=""):
        return f"oriel_{recorder}" not in (TRACEFS / "uprobe_events").read_text(encoding="ascii")

    def check_all(self, *options):
        functions = ("factorial", "jumped_over", "greet", "inside", "outside", "tail_*")
        self.record(PROBED, *(f"uprobe:{f}" for f in functions), options=options)
        sums, tree, _ = self.spans()
        # Three threads go through outside(), a child ends with factorial(2).
        self.assertEqual(sums["factorial"], {"count": 7, "unfinished": 0})
        self.assertEqual(sums["outside"], {"count": 3, "unfinished": 0})
        self.assertEqual(sums["jumped_over"], {"count": 12, "unfinished": 12})
        self.assertEqual(sums["greet"], {"count": 7, "unfinished": 0})
        self.assertEqual(sums["tail_caller"], {"count": 1, "unfinished": 0})
        self.assertEqual(sums["tail_target"], {"count": 1, "unfinished": 0})
        for own, count in (("own.outer", 1), ("own.middle", 3), ("own.inner", 3)):
            self.assertEqual(sums[own], {"count": count, "unfinished": 0})
        # One tree of what the program says and what is seen from outside.
        self.assertEqual(self.paths(tree, "own.inner"),
                         {("own.outer", "outside", "own.middle", "inside", "own.inner"),
                          ("outside", "own.middle", "inside", "own.inner")})
        self.assertEqual(self.paths(tree, "greet"), {("own.outer", "outside", "greet"),
                                                     ("outside", "greet")})
        deep = ("factorial",) * 5
        self.assertIn(deep, self.paths(tree, "factorial"))
        self.until("nothing is left, of others on this machine too", self.nothing_left)

    def test_what_others_have_is_removed_only_by_who_can_tell_that_they_are_dead(self):
        """Numbers of processes say nothing outside of their namespace. Events as a recorder has
        them between telling them and using them, which is when they can be removed."""
        stat = pathlib.Path("/proc/self/stat").read_text(encoding="ascii")
        start, mine = stat.rpartition(")")[2].split()[19], os.stat("/proc/self/ns/pid").st_ino
        makers = {"living": f"{os.getpid()}_{start}_{mine}", "dead": f"{os.getpid()}_1_{mine}",
                  "nobody": f"{os.getpid()}_{start}_17"}
        events = TRACEFS / "uprobe_events"

        def left():
            text = events.read_text(encoding="ascii")
            return {name for name, maker in makers.items() if f"oriel_{maker}/" in text}

        def tell(line):
            fd = os.open(events, os.O_WRONLY | os.O_APPEND)
            self.addCleanup(os.close, fd)
            os.write(fd, line.encode())

        def remove():
            for name in left():
                tell(f"-:oriel_{makers[name]}/e0\n")
        self.addCleanup(remove)
        for maker in makers.values():
            tell(f"p:oriel_{maker}/e0 {PROBED}:0x1000\n")
        elsewhere = ("unshare", "--pid", "--fork")
        # /proc of a namespace of its own, and that of another.
        for words in ((*elsewhere, "--mount-proc"), elsewhere):
            self.run_raw(*words, ORIEL, "record", "--rate", "0", "--no-report", "-o", "x.oriel", "--",
                         "true")
            self.assertEqual(left(), set(makers))
        self.oriel("doctor")
        first = mine == 0xEFFFFFFC
        self.assertEqual(left(), {"living"} if first else {"living", "nobody"})

    def test_functions_are_spans_in_one_tree_with_those_of_the_program(self):
        self.check_all("--returns", "fast")

    def test_and_the_same_when_each_way_out_is_watched(self):
        self.check_all("--returns", "exact")

    def test_arguments_and_results_are_typed_fields(self):
        self.record(PROBED, "uprobe:greet", "uprobe:factorial")
        run = self.oriel("export", "--to", "chrome", "c.oriel", "-o", "-")
        spans = [e for e in json.loads(run.stdout) if e.get("name") == "greet"]
        args = [e["args"] for e in spans if "args" in e]
        self.assertEqual({a["who"] for a in args}, {"world"})
        self.assertEqual(sorted(a["n"] for a in args), [0, 0, 0, 1, 1, 1, 2])
        self.assertTrue(all(a["return"] == 5 + a["n"] for a in args))

    def test_perfetto_reads_them_as_slices_on_the_threads(self):
        self.record(PROBED, "uprobe:outside", "uprobe:greet")
        run = self.oriel("export", "--to", "perfetto", "c.oriel", "-o", "c.pftrace")
        self.assertEqual(run.returncode, 0, run.stderr)
        queries = ("select s.name, p.name as parent, count(*) as n from slice s left join slice p "
                   "on p.id = s.parent_id group by 1, 2",
                   "select count(*) as n from stats where severity in ('error', 'data_loss') "
                   "and value > 0")
        try:
            out = subprocess.run(["node", TP, pathlib.Path(self.dir, "c.pftrace"), *queries],
                                 capture_output=True, text=True, check=False)
        except FileNotFoundError:
            self.skipTest("node is not installed")
        if out.returncode == 77:
            self.skipTest("trace_processor is not installed")
        self.assertEqual(out.returncode, 0, out.stderr)
        rows, errors = (json.loads(line) for line in out.stdout.splitlines())
        found = {(r["name"], r["parent"]): r["n"] for r in rows}
        self.assertEqual(found[("greet", "outside")], 7)
        self.assertEqual(found[("outside", "own.outer")], 1)
        self.assertEqual(found[("own.middle", "outside")], 3)
        self.assertEqual(errors[0]["n"], 0)

    def test_exceptions_pass_what_is_watched_and_leave_unfinished_spans(self):
        self.record(THROWN, "uprobe:shop::*", status=7)
        sums, tree, _ = self.spans()
        self.assertEqual(sums["shop::thrower"], {"count": 9, "unfinished": 9})
        self.assertEqual(sums["shop::catcher"], {"count": 1, "unfinished": 0})
        self.assertEqual(sums["shop::cart::add"], {"count": 2, "unfinished": 1})
        chain = ("shop::catcher",) + ("shop::thrower",) * 3
        self.assertEqual(max(self.paths(tree, "shop::thrower"), key=len), chain)

    @unittest.skipUnless(shutil.which("rustc"), "rustc is not installed")
    def test_panics_of_rust_pass_what_is_watched(self):
        source = pathlib.Path(self.dir, "panics.rs")
        source.write_text(RUST, encoding="utf-8")
        made = subprocess.run(["rustc", "-O", "-g", "-o", "panics", source], cwd=self.dir, check=False,
                              capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest("rustc does not compile here")
        run = self.record("./panics", "uprobe:panics::parse", "uprobe:panics::risky")
        self.assertEqual(run.stdout, "3 true\n")
        sums, tree, _ = self.spans()
        self.assertEqual(sums["panics::parse"], {"count": 4, "unfinished": 0})
        self.assertEqual(sums["panics::risky"], {"count": 1, "unfinished": 1})
        self.assertIn(("panics::parse",) * 4, self.paths(tree, "panics::parse"))

    def test_usdt_marks_of_the_runtime_library_are_events(self):
        self.record(THROWN, "usdt:libstdcxx:throw", "usdt:libstdc++.so.6:libstdcxx:catch", status=7)
        text = self.log()
        self.assertEqual(text.count("libstdcxx:throw"), 4)
        self.assertEqual(text.count("libstdcxx:catch"), 4)

    def test_own_usdt_marks_are_seen_whether_or_not_the_site_records(self):
        self.record(PROBED, "usdt:oriel:own*", options=("--filter", "off"))
        text = self.log()
        self.assertIn("usdt", text)

    def test_lines_are_events_where_they_run(self):
        source = (pathlib.Path(__file__).parent / "probed.c").read_text(encoding="utf-8")
        line = source[:source.index("return rest * n")].count("\n") + 1
        self.record(PROBED, f"line:probed.c:{line}")
        self.assertEqual(self.log().count(f"probed.c:{line}"), 7)

    def test_tracepoints_have_the_fields_of_the_kernel(self):
        self.record("sh", "tracepoint:sched:sched_process_exec",
                    "tracepoint:syscalls:sys_enter_write", args=("-c", "echo hi; ls / >/dev/null"))
        text = self.log()
        self.assertRegex(text, r"sched:sched_process_exec.*filename=\S*ls ")
        self.assertRegex(text, r"sys_enter_write.*fd=1.*count=3")

    def test_functions_of_libraries_are_watched_by_hand_written_types(self):
        self.record("python3", "uprobe:libc.so.6:getenv%str->str", "uprobe:libc.so.6:malloc",
                    args=("-c", "pass"))
        sums, _, _ = self.spans()
        self.assertGreater(sums["malloc"]["count"], 100)
        self.assertGreater(sums["getenv"]["count"], 0)

    def test_many_places_that_are_alike_are_few_events_of_the_kernel(self):
        run = self.record("cat", f"uprobe:{EMITTER}:*%u64", args=(TRACEFS / "uprobe_events",),
                          options=("--returns", "fast"))
        ours = re.findall(rf"^[pr]:oriel_\S+/(e\S+) {EMITTER}:\S+ n=\\(\d+):u32 ", run.stdout, re.M)
        self.assertGreater(len(ours), 50)
        self.assertEqual(len({place for _, place in ours}), len(ours))
        # Calls and returns, 256 places in one.
        self.assertLessEqual(len({event for event, _ in ours}), 2 + len(ours) // 256)

    def counted(self, *words, options=()):
        """What hits() counted itself, what the kernel did, what was told, and the losses."""
        profile = TRACEFS / "uprobe_profile"
        text = f"echo recorder $PPID; {' '.join(map(str, words))} || exit 9; cat {profile}"
        run = self.record("sh", *self.events, args=("-c", text), options=options)
        self.said = run.stderr
        recorder = re.search(r"^recorder (\d+)$", run.stdout, re.M)[1]
        kernel = re.findall(rf"^ +\S+ e\d+_{recorder}_\d+_\d+ +(\d+)$", run.stdout, re.M)
        report = self.report("c.oriel")
        self.assertTrue(self.nothing_left(recorder))
        return (int(re.search(r"^hits (\d+)$", run.stdout, re.M)[1]), [int(n) for n in kernel],
                sum(n["count"] for n in report["tree"] if n["name"] == "hit"), self.lost(report))

    @needs_all_hits
    def test_no_hit_is_missing_in_any_kind_of_thread_and_process(self):
        # Where threads follow each other on a CPU the kernel exchanges what they inherited.
        self.events = (f"uprobe:{HITS}:hit",)
        for _ in range(3):
            own, kernel, told, lost = self.counted(HITS)
            self.assertGreater(own, 2000)
            self.assertEqual((told, lost), (own, 0))
            self.assertEqual(set(kernel), {own})

    def test_what_the_kernel_counted_is_told_or_told_as_lost(self):
        self.events = (f"uprobe:{HITS}:hit",)
        own, kernel, told, lost = self.counted(HITS, "flood", 200000, "$PPID")
        self.assertEqual((own, set(kernel)), (200000, {own}))
        self.assertGreater(lost, 0, (own, kernel, told))
        # Of each hit the call or the return may be lost, and some records of who lives.
        self.assertGreaterEqual(told + lost, own)
        self.assertLessEqual(2 * told + lost, 2 * own + 20)
        self.assertRegex(self.said, r"oriel: record: [0-9,]+ hits of probes lost, .* of 4\.19 MB for "
                                    r"each CPU .*; --probe-ring 16MiB has")
        text = self.oriel("report", "c.oriel").stdout
        self.assertRegex(text, r"(?m)^[0-9]+ hits of probes lost, .*; a larger --probe-ring helps$")

    def test_the_buffer_of_the_kernel_may_be_larger(self):
        self.events = (f"uprobe:{HITS}:hit",)
        own, kernel, told, lost = self.counted(HITS, "flood", 200000, "$PPID",
                                               options=("--probe-ring", "64MiB"))
        self.assertEqual((own, set(kernel), told, lost), (200000, {own}, own, 0))
        self.assertNotIn("lost, the kernel's buffer", self.said)

    def fly(self, event, hits):
        """A flight recorder that holds few of so many hits, which the kernel's rings would not
        hold either. The capture's losses, as report and export tell."""
        run = self.record("sh", event, args=("-c", f"{HITS} slow {hits} $PPID"),
                          options=("--policy", "overwrite-oldest", "--ring", "256KiB",
                                   "--returns", "fast", "--metrics-interval", 0))
        self.assertEqual(run.stdout, f"hits {hits}\n")
        report = self.report("c.oriel")
        lost = {row["cause"]: row["count"] for row in report["quality"]["lost_by_cause"]}
        self.assertEqual(list(lost), ["overwritten by newer records"])
        self.assertEqual(sum(lost.values()), self.lost(report))
        told = json.loads(self.oriel("export", "--to", "chrome", "c.oriel", "-o", "-").stdout)
        return report, told

    def test_a_flight_recorder_has_the_last_hits_and_counts_the_first(self):
        hits = 150000  # a ring of the kernel holds some 60,000
        report, told = self.fly(f"uprobe:{HITS}:numbered%u64", hits)
        seen = [e["args"]["arg1"] for e in told if e.get("name") == "numbered" and "args" in e]
        self.assertGreater(len(seen), 1000)
        self.assertEqual(sorted(seen), list(range(hits - len(seen), hits)))
        # A call and its end are two records; the first may be gone without the second.
        orphans = report["quality"]["orphan_ends"]
        self.assertLessEqual(orphans, 1)
        self.assertEqual(2 * len(seen) + orphans + self.lost(report), 2 * hits)

    def test_a_flight_recorder_tells_each_event_or_counts_it(self):
        hits = 150000
        run = self.oriel("probes", HITS, "hits.c:*", "--format", "json")
        line = next(p["line"] for p in json.loads(run.stdout)["lines"]
                    if p["function"] == "numbered")
        report, _ = self.fly(f"line:{HITS}:hits.c:{line}", hits)
        self.assertGreater(report["counts"]["events"], 1000)
        self.assertEqual(report["counts"]["events"] + self.lost(report), hits)

    @needs_full_speed
    def test_every_hit_is_delivered_or_told_as_lost(self):
        calls = 20000
        run = self.record(PROBED, "uprobe:hot", args=("many", calls))
        report = self.report("c.oriel")
        seen = sum(n["count"] for n in report["tree"] if n["name"] == "hot")
        lost = self.lost(report)
        self.assertLessEqual(seen, calls, run.stderr)
        self.assertGreaterEqual(2 * seen + lost, 2 * calls - 2 * lost)
        if lost == 0:
            self.assertEqual(seen, calls)

    def test_what_a_killed_recorder_left_is_removed_by_the_next(self):
        child = self.start(ORIEL, "record", "--rate", 0, "-o", "k.oriel", "-e", "uprobe:libc.so.6:malloc",
                           "--", "sleep", "60", stderr=subprocess.DEVNULL)
        name = f"oriel_{child.pid}_"
        events = TRACEFS / "uprobe_events"
        started = lambda: subprocess.run(["pgrep", "-P", str(child.pid)], check=False,
                                         capture_output=True, text=True).stdout.split()
        self.until("the program runs", lambda: name in events.read_text(encoding="ascii") and started())
        program = int(started()[0])
        child.send_signal(signal.SIGKILL)
        child.wait()
        os.kill(program, signal.SIGKILL)
        # What is left is removed by whichever recorder comes next: this one, or another test's.
        self.record(PROBED, "uprobe:factorial")
        self.assertNotIn(name, events.read_text(encoding="ascii"))

    def test_wrong_events_are_one_line_before_the_program_starts(self):
        for event, status in (("nonsense", 2), ("uprobe:", 2), ("uprobe:no_such_function", 1),
                              ("uprobe:no_such_library.so:f", 1), ("tracepoint:x", 2)):
            run = self.oriel("record", "--rate", 0, "-o", "c.oriel", "-e", event, "--", "echo", "ran")
            self.assertEqual((run.returncode, run.stdout), (status, ""), event)
            self.one_line(run.stderr)

    def test_a_plain_user_is_told_in_one_line_and_the_program_runs(self):
        self.dir.chmod(0o777)
        self.runtime.chmod(0o777)
        run = self.oriel("record", "--rate", 0, "--no-report", "-o", "c.oriel", "-e", "uprobe:factorial",
                         "--", PROBED, user=65534, group=65534, extra_groups=[])
        if run.returncode == 126 or "cannot" in run.stderr:
            self.skipTest("a plain user may not run the program here")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(len([l for l in run.stderr.splitlines() if "no probes" in l]), 1)
        self.assertIn("need root", run.stderr)


if __name__ == "__main__":
    main()
