#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel record beside `perf record --call-graph dwarf` on real programs: do both
say the same of where the time goes, and are the stacks whole?

  agree.py ORIEL [--workloads sqlite3,zstd,redis,clang] [--rate HZ] [--rounds N] [--z Z] [--markdown]

Each program runs N times under either, in turns, since two runs of one program differ
by more than chance. Of the 20 functions that weigh most by self time in both together,
each must have the share of samples that it has in the other: given the samples of
both, those of one are binomial. What N runs of one tool differ among themselves
beyond that widens it (as for any count that is not purely random); the interval is
one of 99.9 % (--z 3.29). Inlined functions count for the one they are inlined into, kernel
functions count as one, since only symbols of the program are compared.
"""
import argparse
import collections
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = 20
WHOLE = 0.99


# ---- the programs ----

def sql(work, rows=250000):
    path = os.path.join(work, "load.sql")
    with open(path, "w", encoding="ascii") as f:
        f.write("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);\nBEGIN;\n"
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n "
                f"WHERE x<{rows})\n"
                "INSERT INTO t SELECT x, printf('%08d-%s', (x*7919)%250000, hex(x)), x*1.5 FROM n;\n"
                "COMMIT;\nCREATE INDEX tb ON t(b);\n"
                "SELECT count(*), sum(c) FROM t WHERE b LIKE '%77%';\n"
                "SELECT substr(b,1,3) k, count(*), avg(c) FROM t GROUP BY k ORDER BY 2 DESC LIMIT 3;\n"
                "SELECT count(*) FROM t x JOIN t y ON y.b = x.b WHERE x.a % 5 = 0;\n"
                "UPDATE t SET c = c + length(b) WHERE a % 3 = 0;\nDELETE FROM t WHERE a % 7 = 0;\n")
    return ["sqlite3", "-bail", "-init", path, ":memory:", ".quit"]


def tree(work):
    path = os.path.join(work, "tree.tar")
    subprocess.run(["tar", "-cf", path, "-C", "/usr", "include"], check=True,
                   stderr=subprocess.DEVNULL)
    return ["zstd", "-q", "-f", "-9", "-T1", path, "-o", os.path.join(work, "tree.zst")]


def source(work):
    path = os.path.join(work, "heavy.cpp")
    with open(path, "w", encoding="ascii") as f:
        f.write("#include <algorithm>\n#include <functional>\n#include <future>\n#include <iostream>\n"
                "#include <map>\n#include <random>\n#include <regex>\n#include <string>\n"
                "#include <unordered_map>\n#include <vector>\n"
                "int main() { std::regex r(\"a(b|c)*d\"); std::map<std::string, std::vector<int>> m;\n"
                "m[\"x\"].push_back(1); std::vector<std::function<int(int)>> f; std::mt19937 g;\n"
                "f.push_back([](int a) { return a + 1; }); std::shuffle(f.begin(), f.end(), g);\n"
                "std::sort(m[\"x\"].begin(), m[\"x\"].end()); auto later = std::async([] { return 3; });\n"
                "std::cout << std::regex_match(\"abd\", r) << later.get() << \"\\n\"; }\n")
    return ["clang++-14", "-O2", "-c", path, "-o", os.path.join(work, "heavy.o")]


def server(work):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    return ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--bind",
            "127.0.0.1", "--dir", work]


WORKLOADS = {"sqlite3": sql, "zstd": tree, "redis": server, "clang": source}
NEEDS = {"sqlite3": "sqlite3", "zstd": "zstd", "redis": "redis-benchmark", "clang": "clang++-14"}


def run(command, program, environment):
    """Under a tool; a server is loaded and then asked to end."""
    child = subprocess.Popen(command + program, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if program[0] == "redis-server":
        port = program[2]
        while child.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.02)
        subprocess.run(["redis-benchmark", "-q", "-p", port, "-t", "set,get,lpush,lrange_100,zadd",
                        "-n", "60000", "-c", "20"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["redis-cli", "-p", port, "shutdown", "nosave"], check=False,
                       stdout=subprocess.DEVNULL)
    said = child.communicate(timeout=300)[1].decode(errors="replace")
    if child.returncode not in (0, -signal.SIGTERM):
        sys.exit(f"{' '.join(command + program)}: {child.returncode}: {said}")


# ---- names ----

def plain(name):
    """Without parameters and what the compiler appends to copies."""
    name = re.sub(r"\.(isra|constprop|part|cold|llvm)\b[.\d]*", "", name)
    name = re.sub(r"(@@?[\w.]+|@plt)$", "", name)
    deep = 0
    for i, c in enumerate(name):
        deep += (c == "<") - (c == ">" and deep > 0)
        if c == "(" and deep == 0 and i and name[i - 1] not in ": " and not name[:i].endswith("operator"):
            return name[:i]
    return name


class Aliases:
    """One name for all names of an address: which of them a tool shows is its taste."""

    def __init__(self):
        self.names, self.files = {}, set()

    def add(self, path):
        if path in self.files or not os.path.isfile(path):
            return
        self.files.add(path)
        by_address = collections.defaultdict(set)
        for extra in ([], ["-D"]):
            for file in [path] + self.debug_file(path):
                out = subprocess.run(["nm", "-C", "--defined-only", *extra, file], check=False,
                                     capture_output=True, text=True, errors="replace").stdout
                for line in out.splitlines():
                    words = line.split(" ", 2)
                    if len(words) == 3 and words[1] in "tTwWiVv":
                        by_address[words[0]].add(plain(words[2]))
        for names in by_address.values():
            best = min(names, key=lambda n: (len(n), n))
            for name in names:
                self.names.setdefault(name, best)

    @staticmethod
    def debug_file(path):
        out = subprocess.run(["readelf", "-n", path], check=False, capture_output=True, text=True).stdout
        found = re.search(r"Build ID: ([0-9a-f]+)", out)
        if not found:
            return []
        file = f"/usr/lib/debug/.build-id/{found[1][:2]}/{found[1][2:]}.debug"
        return [file] if os.path.isfile(file) else []

    def of(self, name):
        return self.names.get(plain(name), plain(name))


# ---- the tools ----

def by_perf(program, work, rate, aliases, environment):
    data = os.path.join(work, "perf.data")
    run(["perf", "record", "-q", "-F", str(rate), "-e", "cpu-clock", "--call-graph", "dwarf,8192", "-o",
         data, "--"], program, environment)
    text = subprocess.run(["perf", "script", "-i", data, "--no-inline", "-F", "ip,sym,dso"], check=True,
                          capture_output=True, text=True, errors="replace").stdout
    counts = collections.Counter()
    for stack in re.split(r"\n\s*\n", text):
        lines = [line for line in stack.splitlines() if line.strip()]
        found = re.match(r"\s*([0-9a-f]+) (.*) \(([^()]*)\)$", lines[0]) if lines else None
        if not found:
            continue
        name, dso = found[2], found[3]
        if "kernel" in dso or int(found[1], 16) >> 63 or dso.startswith("["):
            counts["[kernel]" if dso != "[vdso]" else "[vdso]"] += 1
        elif name == "[unknown]":
            counts[f"[{os.path.basename(dso)}]"] += 1
        else:
            aliases.add(dso)
            counts[name] += 1
    return counts


def by_oriel(oriel, program, work, rate, environment):
    capture = os.path.join(work, "c.oriel")
    if os.path.exists(capture):
        os.unlink(capture)
    run([oriel, "record", "--rate", str(rate), "--no-report", "-o", capture, "--"], program, environment)
    text = subprocess.run([oriel, "flame", "--format", "folded", capture], check=True,
                          capture_output=True, text=True, errors="replace").stdout
    counts = collections.Counter()
    for line in text.splitlines():
        path, weight = line.rsplit(" ", 1)
        frames = [f for f in path.split(";") if not f.endswith("_[i]")]
        leaf = frames[-1] if frames else "[unknown]"
        # A function without a name is told by where it begins; perf knows the file only.
        leaf = re.sub(r"^(.+)\+0x[0-9a-f]+$", r"[\1]", leaf)
        name = "[kernel]" if leaf.endswith("_[k]") else leaf
        counts[name] += round(int(weight) * rate / 1e9)
    said = json.loads(subprocess.run([oriel, "report", "--json", capture], check=True,
                                     capture_output=True, text=True).stdout)["resource"]
    return counts, int(said.get("oriel.sample.stacks", 0)), int(said.get("oriel.sample.stacks_cut", 0))


# ---- the test ----

def beyond_chance(runs, name):
    """How much more than binomial the counts of one tool's runs spread (>= 1)."""
    total = sum(sum(r.values()) for r in runs)
    share = sum(r[name] for r in runs) / total
    if len(runs) < 2 or share in (0, 1):
        return 1.0
    chi = sum((r[name] - sum(r.values()) * share) ** 2 / (sum(r.values()) * share * (1 - share))
              for r in runs)
    return max(1.0, chi / (len(runs) - 1))


def compare(ours, theirs):
    a, b = sum(ours, collections.Counter()), sum(theirs, collections.Counter())
    na, nb = sum(a.values()), sum(b.values())
    rows = []
    for name, both in (a + b).most_common(TOP):
        share = both / (na + nb)
        spread = max(beyond_chance(ours, name), beyond_chance(theirs, name))
        error = math.sqrt(share * (1 - share) * (1 / na + 1 / nb) * spread)
        off = (a[name] / na - b[name] / nb) / error
        rows.append((name, a[name] / na, b[name] / nb, off))
    return rows, na, nb


def rename(counts, aliases):
    out = collections.Counter()
    for name, n in counts.items():
        out[aliases.of(name)] += n
    return out


def workload(name, args, work):
    program = WORKLOADS[name](work)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORIEL_")}
    environment.update(LC_ALL="C", DEBUGINFOD_URLS="", HOME=work)
    aliases, ours, theirs = Aliases(), [], []
    stacks = cut = 0
    for _ in range(args.rounds):
        for tool in random.Random(0).sample(("perf", "oriel"), 2):
            if tool == "perf":
                theirs.append(by_perf(program, work, args.rate, aliases, environment))
            else:
                counts, walked, missed = by_oriel(args.oriel, program, work, args.rate, environment)
                ours.append(counts)
                stacks, cut = stacks + walked, cut + missed
    rows, na, nb = compare([rename(c, aliases) for c in ours], [rename(c, aliases) for c in theirs])
    bad = [r for r in rows if abs(r[3]) > args.z]
    whole = 1 - cut / stacks if stacks else 0
    if args.markdown:
        print(f"| {name} | {na:,} | {nb:,} | {len(rows) - len(bad)} of {len(rows)} | {100 * whole:.2f} % |")
    else:
        print(f"{name}: {na} samples, perf {nb}; {len(rows) - len(bad)} of {len(rows)} functions agree; "
              f"{100 * whole:.2f} % of {stacks} stacks are whole")
        for row in rows:
            print(f"  {100 * row[1]:6.2f} % {100 * row[2]:6.2f} %  {row[3]:+5.1f}  {row[0][:80]}"
                  f"{'  <-- differs' if row in bad else ''}")
    return not bad and whole >= WHOLE


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("oriel")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--rate", type=int, default=499)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--z", type=float, default=3.29)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    args.oriel = os.path.abspath(args.oriel)
    names = args.workloads.split(",")
    missing = [NEEDS[n] for n in names if not shutil.which(NEEDS[n])] + \
        (["perf"] if not shutil.which("perf") else [])
    if missing or os.geteuid() != 0:
        print("not here:", " ".join(missing) or "root, who sees kernel frames")
        sys.exit(77)
    good = True
    if args.markdown:
        print("| program | samples | perf's | of the top 20 agree | whole stacks |\n|---|--:|--:|--:|--:|")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="oriel-agree-") as work:
            good = workload(name, args, work) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
