#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The rules of every function of a file, ours beside readelf's.

usage: rows.py UNWIND_ROWS READELF STEP FILE...

Compares CFA and every register at every address of each STEP-th function, and
what the 64-bit row makes of it. A FILE that is missing is passed over; none at
all is a skip.
"""
import os
import re
import subprocess
import sys

X86 = ("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra").split()
NUMBER = {name: number for number, name in enumerate(X86)}
ARM = {f"x{n}": n for n in range(31)} | {"sp": 31, "ra": 30}
UNSAID = {"u", "s"}  # readelf shows u for what no instruction named
PLAIN = ("sp", "fp")
SHOWN = 8


def functions_of(tool, path, step):
    """{(begin, end): {va: (cfa, {reg: rule}, [row words])}}"""
    run = subprocess.run([tool, path, str(step)], capture_output=True, text=True, check=False)
    sys.stderr.write(f"  {os.path.basename(path)}: {run.stderr}")
    if run.returncode:
        sys.exit(f"rows.py: {tool} {path} ended with {run.returncode}")
    result, rows = {}, None
    for line in run.stdout.splitlines():
        words = line.split()
        if words[0] == "F":
            rows = result[int(words[1], 16), int(words[2], 16)] = {}
            continue
        bar = words.index("|")
        rules = dict(word.split("=", 1) for word in words[2:bar])
        rows[int(words[0], 16)] = (words[1], {int(k): v for k, v in rules.items()},
                                   words[bar + 1:])
    return result


class Comparison:
    def __init__(self, path):
        self.path, self.rows, self.plain, self.wrong = path, 0, 0, 0

    def say(self, va, text):
        self.wrong += 1
        if self.wrong <= SHOWN:
            print(f"{self.path} {va:#x}: {text}")

    def row(self, va, cfa, expected, ours, arm):
        self.rows += 1
        our_cfa, rules, row = ours
        if our_cfa != cfa:
            self.say(va, f"CFA {our_cfa}, readelf says {cfa}")
        for reg, rule in expected.items():
            mine = rules.get(reg, "s")
            if mine != rule and not (mine in UNSAID and rule in UNSAID and (arm or reg != 16)):
                self.say(va, f"register {reg} {mine}, readelf says {rule}")
        for reg in rules:
            if reg not in expected and rules[reg] != "u":
                self.say(va, f"register {reg} {rules[reg]}, readelf has none")
        if row[0] in PLAIN:
            self.plain += 1
            fp, ra = (29, 30) if arm else (6, 16)
            want_ra = expected.get(ra, "s")
            if row[1] != cfa or row[3] != expected.get(fp, "s").replace("u", "s") or \
                    row[2] != ("lr" if arm and want_ra in UNSAID else want_ra):
                self.say(va, f"row {row}, readelf says {cfa}, {expected}")


def compare(path, readelf, functions):
    c = Comparison(path)
    process = subprocess.Popen([readelf, "-W", "--debug-dump=frames-interp", path],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    name = re.compile(r" \(\w+\)")  # "r3 (rbx)": the same register twice
    address = re.compile(r"[0-9a-f]{16} ")
    head = re.compile(r"cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)")
    arm = "aarch64" in readelf
    numbers = ARM if arm else NUMBER
    ours, columns, last, seen = None, [], {}, set()
    cies, cie = {}, None

    def close():
        if cie is not None:
            cies.update({cie: row for row in last.values()})
        if ours is None:
            return
        if not last:  # no instruction of its own: readelf shows nothing
            last[key[0]] = cies[of]
        last.pop(key[1], None)  # behind the last instruction
        if set(last) != set(ours):
            c.say(min(ours), f"rows at {sorted(map(hex, set(last) ^ set(ours)))} only in one")
        for va in set(last) & set(ours):
            c.row(va, *last[va], ours[va], arm)

    for line in process.stdout:
        if " FDE " in line or " CIE " in line or " ZERO " in line:
            close()
            ours, last = None, {}
            where = head.search(line)
            cie = int(line.split()[0], 16) if " CIE " in line else None
            if where:
                of, *key = (int(word, 16) for word in where.groups())
                key = tuple(key)
                ours = functions.get(key)
                seen.add(key)
        elif ours is not None or cie is not None:
            words = name.sub("", line).split()
            if words and words[0] == "LOC":
                columns = [numbers.get(name) for name in words[2:]]
            elif address.match(line):
                rules = {reg: rule for reg, rule in zip(columns, words[2:]) if reg is not None}
                last[int(words[0], 16)] = (words[1], rules)
    close()
    process.wait()
    for key in set(functions) - seen:
        c.say(key[0], "readelf has no such function")
    print(f"{os.path.basename(path)}: {len(functions)} functions, {c.rows} rows "
          f"({c.plain} of them plain), {c.wrong} differ")
    if c.rows < 10:
        c.say(0, "hardly anything was compared")
    return c.wrong


def main():
    tool, readelf, step, *paths = sys.argv[1:]
    paths = [path for path in paths if os.path.exists(path)]
    if not paths:
        print("none of the files is here")
        sys.exit(77)
    wrong = sum(compare(path, readelf, functions_of(tool, path, step)) for path in paths)
    sys.exit(1 if wrong else 0)


main()
