# SPDX-License-Identifier: MIT OR Apache-2.0
"""What watching a whole program costs, beside the tools that people use for it.

Each tool takes its turn in every round, right after the program alone. CPU time is
that of the whole command, with all processes of the tool; its ratio to the program
alone is taken in the same turn; a row is the median. Wall clock says how much of a
shared machine was left, so it is not used here. tools/bench makes rows of it.
"""
import glob
import importlib.util
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
PROFILER, TCMALLOC = LIBRARIES + "libprofiler.so.0", LIBRARIES + "libtcmalloc.so.4"
SQL = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1500000) "
       "SELECT count(DISTINCT 'row '||i) FROM n;")
LOCKS, SWITCHES, CALLS = 20_000_000, 400_000, 2_000_000
REDIS_PORT, REQUESTS = "17389", 200_000

WHAT = {
    "cpu_99": "sampled at 99 Hz", "cpu_999": "sampled at 999 Hz",
    "perf_fp_99": "perf record -g, 99 Hz", "perf_fp_999": "perf record -g, 999 Hz",
    "perf_dwarf_99": "perf record --call-graph dwarf, 99 Hz",
    "perf_dwarf_999": "perf record --call-graph dwarf, 999 Hz",
    "gperf_99": "gperftools, 99 Hz asked", "gperf_999": "gperftools, 999 Hz asked",
    "inside_250": "sampled inside the program (perf refused), 250 Hz",
    "loop_counted": "malloc loop, blocks counted for spans",
    "sql_counted": "sqlite3, blocks counted for spans",
    "loop_sampled": "malloc loop, --heap sampled", "loop_exact": "malloc loop, --heap exact",
    "loop_heaptrack": "malloc loop, heaptrack", "loop_heapprofile": "malloc loop, HEAPPROFILE",
    "loop_tcmalloc": "malloc loop, tcmalloc's sampling",
    "sql_sampled": "sqlite3, --heap sampled", "sql_exact": "sqlite3, --heap exact",
    "sql_heaptrack": "sqlite3, heaptrack", "sql_heapprofile": "sqlite3, HEAPPROFILE",
    "sql_tcmalloc": "sqlite3, tcmalloc's sampling",
    "heap_error": "30 sampled heaps, how far their mean is from an exact one",
    "call": "a call under --calls", "call_off": "a call under --calls, switched off",
    "call_uftrace": "a call under uftrace",
    "all_calls": "all functions of SQLite, --calls-mode sums, -finstrument-functions",
    "all_calls_mb": "its file",
    "all_calls_patched": "the same, -fpatchable-function-entry=8",
    "all_calls_empty": "the same program with empty hooks, nobody records",
    "all_calls_uftrace": "the same under uftrace record",
    "all_calls_uftrace_mb": "its files",
    "syscalls": "redis-server under --syscalls, requests per second fewer by",
    "syscalls_cpu": "its own CPU time",
    "syscalls_strace": "the same under strace -f -c", "syscalls_perf": "the same under perf trace -s",
    "lock": "an uncontended lock and unlock under --locks", "lock_bare": "the same alone",
    "lock_perf": "the same under perf lock record",
    "switch": "a context switch with its stack, more than alone",
    "switch_bare": "the same alone", "switch_sched": "the same under perf sched record",
    "switch_g": "the same under perf record -g -e sched:sched_switch",
    "usdt_hit": "a USDT probe of ours, hit, counted in the kernel",
    "usdt_hit_classic": "the same, of <sys/sdt.h>", "usdt_idle": "while nobody looks",
    "unwind_warm": "unwinding, a frame, warm",
    "unwind_along": "unwinding, a frame, along the walk before", "unwind_libunwind": "the same, libunwind",
    "unwind_glibc": "the same, glibc's backtrace",
    "symbols_cold": "10,000 addresses with inlines, no cache",
    "symbols_warm": "the same, cached", "symbols_llvm": "the same, llvm-symbolizer",
    "symbols_addr2line": "the same, addr2line",
    "flame_clang": "clang's profile to a flame graph with inlines",
    "metrics_5s": "system metrics every 5 s, of one core",
}
SIZES = {f"{name}_file": f"{WHAT[name]}: file for 10 s of CPU"
         for name in ("cpu_99", "cpu_999", "perf_fp_99", "perf_fp_999", "perf_dwarf_99",
                      "perf_dwarf_999", "gperf_99", "gperf_999", "inside_250")}
WHAT.update(SIZES)
PEERS = {"cpu_99": "perf_fp_99", "cpu_999": "perf_fp_999", "call": "call_uftrace",
         "all_calls": "all_calls_uftrace", "all_calls_mb": "all_calls_uftrace_mb",
         "cpu_99_file": "perf_dwarf_99_file", "cpu_999_file": "perf_dwarf_999_file",
         "loop_exact": "loop_heaptrack", "sql_exact": "sql_heaptrack",
         "loop_sampled": "loop_tcmalloc", "sql_sampled": "sql_tcmalloc",
         "switch": "switch_g", "usdt_hit": "usdt_hit_classic", "syscalls": "syscalls_perf", "unwind_warm": "unwind_glibc", "symbols_cold": "symbols_llvm", "lock": "lock_perf"}


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cpu_of(argv, environment=None, before=None, directory=None):
    """CPU seconds of a command and all it waited for; None: it failed."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ORIEL_")}
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, env={**plain, **(environment or {})}, cwd=directory,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, preexec_fn=before, check=False)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):  # 3 is what heap_truth says at its end
        return None
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def size_of(path):
    found = [path] if os.path.isfile(path) else [
        os.path.join(d, f) for d, _, files in os.walk(path) for f in files]
    near = [os.path.join(os.path.dirname(path), f) for f in os.listdir(os.path.dirname(path))
            if f.startswith(os.path.basename(path) + ".")]
    return sum(os.path.getsize(f) for f in {*found, *near})


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)
    for f in os.listdir(os.path.dirname(path)):
        if f.startswith(os.path.basename(path)) and not os.path.isdir(f):
            os.unlink(os.path.join(os.path.dirname(path), f))


class Turns:
    """Tools beside one program: name -> [(tool's CPU, program's CPU, bytes written)]."""

    def __init__(self, bench, program, out):
        self.bench, self.program, self.out = bench, program, out
        self.runs = {}

    def go(self, tools, rounds):
        for _ in range(rounds):
            for name, how in tools.items():
                bare = cpu_of(self.program)
                wipe(self.out)
                took = cpu_of(*how, os.path.dirname(self.out))
                if took is not None and bare:
                    self.runs.setdefault(name, []).append((took, bare, size_of(self.out)))
                else:
                    self.bench.note(f"{WHAT[name]}: left out, it failed here")

    def percent(self, files=False):
        for name, runs in self.runs.items():
            ratios = [100 * (took / bare - 1) for took, bare, _ in runs]
            self.bench.rows[name] = {"percent": statistics.median(ratios)}
            if files:
                self.bench.rows[name + "_file"] = {
                    "mb": statistics.median(n / bare for _, bare, n in runs) * 10 / 1e6}

    def times(self):
        for name, runs in self.runs.items():
            self.bench.rows[name] = {
                "times": statistics.median(took / bare for took, bare, _ in runs)}

    def each(self, count, more=False):
        """ns for each of `count`; `more`: than alone."""
        for name, runs in self.runs.items():
            ns = statistics.median(took - (bare if more else 0) for took, bare, _ in runs)
            self.bench.rows[name] = {"ns": ns / count * 1e9}
        return statistics.median(b for runs in self.runs.values() for _, b, _ in runs)


def way(argv, settings=None, before=None):
    """How a tool is run: its settings in the environment, and what the child does first."""
    return argv, settings or {}, before


def there(tools):
    """Those whose program and library are installed."""
    return {name: how for name, how in tools.items()
            if shutil.which(how[0][0]) and os.path.exists(how[1].get("LD_PRELOAD", "/"))}


def sampling(bench):
    agree = load("tests/peers/agree.py", "agree")
    refuse = load("tests/scenario/refused_filter.py", "refused_filter").refuse_perf
    program, out = agree.sql(bench.work, 1000000), bench.path("sampled")

    def ours(rate):
        return bench.whole(out, "--no-symbols", "--rate", str(rate), "--", *program)

    def perf(rate, how):
        return way(["perf", "record", "-q", "-F", str(rate), "-e", "cpu-clock", "--call-graph", how,
                    "-o", out, "--", *program])

    def gperf(rate):
        return way(program, {"LD_PRELOAD": PROFILER, "CPUPROFILE": out,
                             "CPUPROFILE_FREQUENCY": str(rate)})
    tools = {}
    for rate in (99, 999):
        tools |= {f"cpu_{rate}": way(ours(rate)), f"perf_fp_{rate}": perf(rate, "fp"),
                  f"perf_dwarf_{rate}": perf(rate, "dwarf"), f"gperf_{rate}": gperf(rate)}
    tools["inside_250"] = way(ours(250), None, refuse)
    turns = Turns(bench, program, out)
    turns.go(there(tools), bench.rounds)
    turns.percent(files=True)
    bench.note("sampled: sqlite3 with "
               f"{statistics.median(b for r in turns.runs.values() for _, b, _ in r):.1f} s of CPU")


def heap(bench):
    truth, out = os.path.abspath(os.path.join(bench.build, "heap/heap_truth")), bench.path("heap")
    for kind, program in (("loop", [truth, "600000", "keep"]), ("sql", ["sqlite3", ":memory:", SQL])):
        tools = {f"{kind}_{mode}": way(bench.whole(out, "--rate", "0", "--heap", mode, "--", *program))
                 for mode in ("sampled", "exact")}
        # What carries the counts of spans, alone: no recorder, no samples.
        tools[f"{kind}_counted"] = way(program, {
            "LD_PRELOAD": os.path.abspath(os.path.join(bench.build, "liboriel-alloc.so"))})
        tools[f"{kind}_heaptrack"] = way(["heaptrack", "-o", out, *program])
        turns = Turns(bench, program, out)
        turns.go(there(tools), bench.rounds)
        slow = {f"{kind}_heapprofile": way(program, {"LD_PRELOAD": TCMALLOC, "HEAPPROFILE": out})}
        turns.go(there(slow), 1)
        # What sampling costs tcmalloc, beside tcmalloc itself: another allocator is no tool.
        sampled = there({f"{kind}_tcmalloc": way(program, {
            "LD_PRELOAD": TCMALLOC, "TCMALLOC_SAMPLE_PARAMETER": "524288"})})
        for name, (argv, settings, _) in sampled.items():
            runs = []
            for _ in range(bench.rounds):
                plain = cpu_of(argv, {"LD_PRELOAD": TCMALLOC})
                runs.append((cpu_of(argv, settings), plain, 0))
            turns.runs[name] = runs
        turns.times()


def estimates(bench):
    """Allocated and kept bytes by function: thirty runs with samples every 512 KiB, one exact.
    The row is the function that is off the most; 1,144 samples a run are of `keeps`."""
    program = [os.path.abspath(os.path.join(bench.build, "heap/heap_truth")), "600000", "keep"]
    out, kinds, runs = bench.path("estimates"), ("alloc", "live"), 30

    def by_function(mode):
        wipe(out)
        cpu_of(bench.whole(out, "--rate", "0", "--heap", mode, "--", *program))
        sums = {}
        for kind in kinds:
            text = subprocess.run([*bench.here(), "flame", "--format", "folded", "--kind", kind, out],
                                  capture_output=True, text=True, check=True).stdout
            for line in text.splitlines():
                stack, weight = line.rsplit(" ", 1)
                key = kind, stack.split(";")[-1]
                sums[key] = sums.get(key, 0) + int(weight)
        return sums
    exact, found = by_function("exact"), [by_function("sampled") for _ in range(runs)]
    which = ("alloc", "keeps"), ("alloc", "gives_back"), ("live", "keeps")
    off = {key: [100 * (run.get(key, 0) / exact[key] - 1) for run in found] for key in which}
    bench.rows["heap_error"] = {"percent": max(abs(statistics.mean(v)) for v in off.values())}
    bench.note("one sampled heap alone has a standard deviation of " + ", ".join(
        f"{statistics.stdev(v):.1f} % ({key[1]}, {key[0]})" for key, v in off.items()))


def calls(bench):
    program = [os.path.abspath(os.path.join(bench.build, "scenario/instrumented")), "many", str(CALLS)]
    out, found = bench.path("calls"), {}

    def best(name, argv):
        wipe(out)
        text = subprocess.run(argv, capture_output=True, text=True, check=False,
                              cwd=bench.work).stdout
        ns = re.findall(r"^[0-9.]+$", text, re.M)
        if ns:
            found.setdefault(name, []).append(float(ns[0]))
    ours = ["--rate", "0", "--ring", "256MiB", "--calls", "work::hot"]
    for _ in range(bench.rounds + 2):
        best("call", bench.whole(out, *ours, "--", *program))
        best("call_off", bench.whole(out, *ours, "--filter", "calls=off", "--", *program))
        if shutil.which("uftrace"):
            best("call_uftrace", ["uftrace", "record", "-d", out, "--no-libcall", *program])
    for name, values in found.items():
        bench.rows[name] = {"ns": statistics.median(values)}


def amalgamation():
    """sqlite3.c: what $ORIEL_SQLITE3_C says, else as cargo keeps it for libsqlite3-sys. None: not here."""
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    named = os.environ.get("ORIEL_SQLITE3_C")
    found = [named] if named else sorted(glob.glob(
        os.path.join(home, "registry/src/*/libsqlite3-sys-*/sqlite3/sqlite3.c")))
    return found[-1] if found and os.path.exists(found[-1]) else None


def all_calls(bench):
    """Every function of SQLite, counted: CPU of everything over the program compiled without."""
    source = amalgamation()
    if not source:
        bench.note("all functions of SQLite: left out, there is no sqlite3.c; ORIEL_SQLITE3_C names it")
        return
    drive = os.path.join(ROOT, "bench/sql_calls.c")
    ways = {"plain": [], "told": ["-finstrument-functions"], "patched": ["-fpatchable-function-entry=8"]}
    built = {name: bench.path(f"sql_{name}") for name in ways}
    for name, flags in ways.items():
        subprocess.run(["gcc", "-O2", "-g", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", *flags,
                        "-I", os.path.dirname(source), drive, source, "-o", built[name], "-lm"], check=True)
    empty = bench.path("empty.so")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-xc", "-o", empty, "-"], check=True, input=(
        b"void __cyg_profile_func_enter(void *f, void *c) {}\nvoid __cyg_profile_func_exit(void *f, void *c) {}"))
    out = bench.path("all_calls")
    ours = ["--rate", "0", "--no-symbols", "--calls", "*", "--calls-mode", "sums"]
    tools = {"all_calls": way(bench.whole(out, *ours, "--", built["told"])),
             "all_calls_patched": way(bench.whole(out, *ours, "--", built["patched"])),
             "all_calls_empty": way([built["told"]], {"LD_PRELOAD": empty})}
    turns = Turns(bench, [built["plain"]], out)
    turns.go(tools, bench.rounds)
    turns.go(there({"all_calls_uftrace": way(["uftrace", "record", "-d", out, "--no-libcall", built["told"]])}), 1)
    wipe(out)
    turns.times()
    for name in ("all_calls", "all_calls_uftrace"):
        if name in turns.runs:
            bench.rows[name + "_mb"] = {"mb": statistics.median(n for _, _, n in turns.runs[name]) / 1e6}


def pairs(bench):
    program, out = os.path.abspath(bench.program("pairs")), bench.path("pairs.out")
    locks = [program, "locks", str(LOCKS)]
    turns = Turns(bench, locks, out)
    turns.go(there({"lock": way(bench.whole(out, "--rate", "0", "--locks", "--", *locks)),
                    "lock_perf": way(["perf", "lock", "record", "-q", "-o", out, "--", *locks])}),
             bench.rounds)
    bench.rows["lock_bare"] = {"ns": turns.each(LOCKS) / LOCKS * 1e9}
    ways = [program, "switches", str(SWITCHES)]
    turns = Turns(bench, ways, out)
    turns.go(there({
        "switch": way(bench.whole(out, "--no-symbols", "--rate", "99", "--", *ways)),
        "switch_sched": way(["perf", "sched", "record", "-q", "-o", out, "--", *ways]),
        "switch_g": way(["perf", "record", "-q", "-g", "-e", "sched:sched_switch", "-o", out, "--",
                         *ways])}), bench.rounds)
    bench.rows["switch_bare"] = {"ns": turns.each(SWITCHES, more=True) / SWITCHES * 1e9}


def redis(bench, words, requests):
    """A server under a tool: what it answers per second, and its own CPU time for a request."""
    ask = ["redis-cli", "-p", REDIS_PORT]

    def say(*more):
        return subprocess.run([*ask, *more], capture_output=True, text=True, check=False).stdout
    server = subprocess.Popen([*words, "redis-server", "--port", REDIS_PORT, "--save", "",
                               "--appendonly", "no"], cwd=bench.work, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None and "PONG" not in say("ping"):
            time.sleep(0.02)
        text = subprocess.run(["redis-benchmark", "-p", REDIS_PORT, "-n", str(requests), "-c", "20", "-t",
                               "set", "-q"], capture_output=True, text=True, check=False).stdout
        rate = re.findall(r"([0-9.]+) requests per second", text)
        cpu = re.findall(r"used_cpu_(?:sys|user):([0-9.]+)", say("info", "cpu"))
        say("shutdown", "nosave")
        server.wait()
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    return (float(rate[-1]), sum(map(float, cpu)) / requests) if rate and cpu else None


def syscalls(bench):
    out, found = bench.path("syscalls"), {}
    ours = [*bench.whole(out, "--rate", "0", "--syscalls", "--metrics-interval", "0", "--")]
    tools = {"syscalls": ours, "syscalls_strace": ["strace", "-f", "-c"],
             "syscalls_perf": ["perf", "trace", "-s"]}
    if not shutil.which("redis-server") or os.geteuid() != 0:
        bench.note("system calls: left out, redis-server or the rights are missing")
        return
    for _ in range(bench.rounds + 2):
        for name, words in tools.items():
            requests = REQUESTS if name == "syscalls" else REQUESTS // 10
            bare = redis(bench, [], requests)
            took = redis(bench, words, requests) if shutil.which(words[0]) else None
            if not bare or not took:
                continue
            found.setdefault(name, []).append(bare[0] / took[0])
            if name == "syscalls":
                found.setdefault("syscalls_cpu", []).append(took[1] / bare[1])
    for name, values in found.items():
        bench.rows[name] = {"times": statistics.median(values)}


def usdt(bench):
    program = bench.program("usdt_bench")
    text = subprocess.run([program], capture_output=True, text=True, check=False).stdout \
        if os.path.exists(program) else ""
    for line in text.splitlines():
        got = json.loads(line)
        if got["name"] in WHAT:
            bench.rows[got["name"]] = {"ns": got["ns"]}
    if not text:
        bench.note("USDT probes: left out, programs in the kernel are refused or not for this machine")


def names(bench):
    """Symbols, flame graphs, unwinding."""
    symbols = bench.load_tool("bench_symbols")
    rows = symbols.measure(os.path.abspath(bench.oriel()[0]), bench.build, bench.rounds)
    for name, theirs in (("symbols_cold", "oriel, cold"), ("symbols_warm", "oriel, warm"),
                         ("symbols_llvm", "llvm-symbolizer"), ("symbols_addr2line", "addr2line")):
        if theirs in rows:
            bench.rows[name] = {"ms": rows[theirs][1]}
    agree, out = load("tests/peers/agree.py", "agree"), bench.path("clang.oriel")
    if shutil.which("clang++-14"):
        cpu_of(bench.whole(out, "--no-symbols", "--rate", "997", "--", *agree.source(bench.work)))
        took = [cpu_of([*bench.here(), "flame", "-f", "-o", bench.path("flame.html"), out],
                       {"XDG_CACHE_HOME": bench.path(f"cache{i}"), "HOME": bench.path(f"cache{i}")})
                for i in range(bench.rounds)]
        bench.rows["flame_clang"] = {"ms": 1000 * statistics.median(took)}
    text = subprocess.run([bench.program("unwind_bench")], capture_output=True, text=True,
                          check=False).stdout
    for line in text.splitlines():
        got = json.loads(line) if line.startswith("{") else {}
        name = {"unwind_here_frame": "unwind_warm", "unwind_along_frame": "unwind_along",
                "backtrace_frame": "unwind_glibc",
                "libunwind_frame": "unwind_libunwind"}.get(got.get("name"))
        if name:
            bench.rows[name] = {"ns": got["ns"]}


def metrics(bench):
    out, took = bench.path("metrics"), {"0": [], "1s": []}
    for _ in range(bench.rounds):
        for interval, times in took.items():
            times.append(cpu_of(bench.whole(out, "--rate", "0", "--metrics-interval", interval, "--",
                                            "sleep", "5")))
    more = statistics.median(took["1s"]) - statistics.median(took["0"])
    bench.rows["metrics_5s"] = {"percent": max(0, more) / 5 / 5 * 100}  # a fifth as often


def measure(bench):
    try:  # what else a shared machine does disturbs less; all that is compared runs so
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        pass
    sampling(bench)
    heap(bench)
    estimates(bench)
    calls(bench)
    all_calls(bench)
    pairs(bench)
    syscalls(bench)
    usdt(bench)
    names(bench)
    metrics(bench)
