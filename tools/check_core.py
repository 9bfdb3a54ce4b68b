#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: what the code in a stranger's process depends on, and what a record calls.

1. The undefined symbols of base, wire and rec stand in tools/core_symbols.txt.
2. From every entry point a record can come through ("root" in
   tools/hot_path.txt), following calls in liboriel-core.so, nothing outside is
   reached but "pure" functions; the walk stops at "cold" ones, each of which
   says why it is rare.
3. The code of liboriel-core.so is 64 KiB at most.
"""
import collections
import fnmatch
import re
import subprocess

import objects
from gate import Gate

TEXT_MAX = 64 << 10
CORE = ("src/base/", "src/wire/", "src/rec/")


def check_closure(gate, built):
    allowed = {words[0]: number for number, words in gate.table("tools/core_symbols.txt")}
    core = {str(output): source for source, output in built.items()
            if source.startswith(CORE) and "_test." not in source and "_fuzz." not in source}
    defined, wanted = set(), {}
    for output, name, kind in objects.symbols(core, "-g"):
        if kind in "Uw":
            wanted.setdefault(name, core[output])
        else:
            defined.add(name)
    used = set()
    for name in sorted(set(wanted) - defined):
        match = next((pattern for pattern in allowed if fnmatch.fnmatchcase(name, pattern)), None)
        if match is None:
            gate.problem(wanted[name], 1, "core symbols",
                         f"needs {name}, which is not in tools/core_symbols.txt")
        used.add(match)
    for pattern in sorted(set(allowed) - used):
        gate.problem("tools/core_symbols.txt", allowed[pattern], "core symbols",
                     f"nothing needs {pattern}: remove this line")
    return len(core), len(set(wanted) - defined)


def calls_of(library):
    """{function: set of functions it calls or jumps to}; outside ones end in @plt."""
    output = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(library)],
                            capture_output=True, text=True, check=True).stdout
    calls, function = collections.defaultdict(set), None
    for line in output.splitlines():
        head = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if head:
            function = plain(head[1])
            calls[function]
            continue
        call = re.search(r"\b(?:call|jmp|j[a-z]+|bl|b|b\.\w+|cbz|cbnz)\s[^<]*<([^>+]+)>", line)
        if call and plain(call[1]) != function:
            calls[function].add(plain(call[1]))
    return calls


def plain(name):
    """Without what the compiler appends to parts and copies of a function."""
    outside = "@plt" if "@plt" in name else ""
    name = name.split("@", 1)[0]
    return re.sub(r"(\.(part|cold|constprop|isra|lto_priv)(\.\d+)?)+$", "", name) + outside


def expand(gate, calls, names):
    """Functions that match the patterns of a kind; each must match something."""
    found = set()
    for pattern, number in names.items():
        matching = {name for name in calls if fnmatch.fnmatchcase(name, pattern)}
        if not matching:
            gate.problem("tools/hot_path.txt", number, "hot path", f"there is no {pattern}")
        found |= matching
    return found


def check_hot_path(gate, calls):
    kinds = {"root": {}, "cold": {}, "pure": {}, "inline": {}}
    for number, words in gate.table("tools/hot_path.txt"):
        kinds[words[0]][words[1]] = number
    roots, cold = expand(gate, calls, kinds["root"]), expand(gate, calls, kinds["cold"])
    came_from = {root: None for root in roots}
    todo = sorted(roots)
    while todo:
        function = todo.pop()
        if function in cold:
            continue
        for callee in sorted(calls.get(function, ())):
            if callee.endswith("@plt"):
                name = callee.removesuffix("@plt")
                if name in calls:  # our own, through the table: follow it
                    callee = name
                elif name not in kinds["pure"]:
                    gate.problem("liboriel-core.so", 0, "hot path",
                                 f"{chain(came_from, function)} -> {name}")
                    continue
                else:
                    continue
            if callee not in came_from:
                came_from[callee] = function
                todo.append(callee)
    return len(came_from)


def chain(came_from, function):
    path = []
    while function:
        path.append(function)
        function = came_from[function]
    return " -> ".join(reversed(path))


def check_size(gate, library):
    output = subprocess.run(["size", "-A", str(library)], capture_output=True, text=True, check=True).stdout
    size = int(re.search(r"^\.text\s+(\d+)", output, re.MULTILINE)[1])
    if size > TEXT_MAX:
        gate.problem("liboriel-core.so", 0, "size", f"{size} bytes of code, of {TEXT_MAX} at most; "
                     "what is seldom used stands in core_cold of cmake/rooms.cmake")
    return size


def main():
    gate = Gate(__doc__.splitlines()[0], [objects.BUILD])
    built = objects.by_source(gate)
    if not any(source.startswith("src/rec/") for source in built):
        gate.skip("the record path (src/rec) is not built")
    count, wanted = check_closure(gate, built)
    reached = check_hot_path(gate, calls_of(gate.options.build / "liboriel-core.so"))
    size = check_size(gate, gate.options.build / "liboriel-core.so")
    gate.end(f"{count} core objects need {wanted} symbols; records reach {reached} functions; {size} bytes of code")


main()
