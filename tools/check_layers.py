#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: who may include whom, as tools/layers.txt says.

Tests (foo_test.c, foo_fuzz.c) may look into any room; product code may not.
"""
import fnmatch
import pathlib
import re

from gate import Gate, is_test, room_of

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
ABI = "include/oriel/abi"


class Rules:
    def __init__(self, gate, path):
        self.may, self.apart, self.headers, self.system = {}, set(), {}, {}
        self.lines = {}
        for number, line in enumerate(gate.text(path).splitlines(), 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            left, _, right = line.partition(":")
            words = left.split()
            if words[0] == "@apart":
                self.apart |= set(right.split())
            elif words[0] == "@headers":
                self.headers.setdefault(words[1], set()).update(right.split())
            elif words[0] == "@system":
                self.system[words[1]] = right.split()
            else:
                self.may[left] = right.split()
                self.lines[left] = number

    def sets_of(self, header):
        stem = header[:-2] if header.endswith(".h") else header
        return {name for name, patterns in self.headers.items()
                if any(fnmatch.fnmatchcase(stem, pattern) for pattern in patterns)}


def check_own(gate, rules, path, line, target):
    """An include of one of our files, `target` relative to the root."""
    room, other = room_of(path), room_of(target)
    if other == ABI or (room == other and not inside_apart(rules, path, target)):
        return
    if room == other:
        gate.problem(path, line, "layers", f"{target}: folders of {room} never see each other")
        return
    for allowed in rules.may[room]:
        if allowed == other:
            return
        if allowed == f"{other}/*.h" and re.fullmatch(rf"src/{other}/[^/]+\.h", target):
            return
    gate.problem(path, line, "layers",
                 f"{room} may not include {target} "
                 f"(tools/layers.txt:{rules.lines[room]}: {' '.join(rules.may[room]) or 'nothing'})")


def inside_apart(rules, path, target):
    """Two files of one room, of which the target lies in another folder of it."""
    room = room_of(path)
    if room not in rules.apart:
        return False
    folder = path.split("/")[2:-1]
    return target.split("/")[2:-1] not in ([], folder)


def check_system(gate, rules, path, line, header):
    room = room_of(path)
    sets = rules.sets_of(header)
    if not sets:
        gate.problem(path, line, "system headers", f"<{header}> is in no set of tools/layers.txt")
    elif not sets & set(rules.system.get(room, ["c", "posix"])):
        gate.problem(path, line, "system headers",
                     f"{room} may not include <{header}> (set {', '.join(sorted(sets))})")


def find_own(gate, path, name):
    for base in ("src", "include"):
        if (gate.root / base / name).is_file():
            return f"{base}/{name}"
    here = pathlib.Path(path).parent / name
    return str(here) if (gate.root / here).is_file() else None


def check_file(gate, rules, path):
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), gate.text(path),
                  flags=re.S)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        mark, name = match.groups()
        target = find_own(gate, path, name)
        if target and room_of(target):
            check_own(gate, rules, path, line, target)
            if mark == '"' and room_of(path) not in ("include/oriel", ABI) \
                    and target not in (f"src/{name}", f"include/{name}"):
                gate.problem(path, line, "layers", f'write "{target.split("/", 1)[1]}", from the root')
        elif mark == "<":
            check_system(gate, rules, path, line, name)
        else:
            gate.problem(path, line, "layers", f'"{name}" is no file of the tree')


def main():
    gate = Gate(__doc__.splitlines()[0])
    rules = Rules(gate, "tools/layers.txt")
    files = [path for path in gate.files("include", "src") if not is_test(path)]
    for path in files:
        room = room_of(path)
        if room not in rules.may:
            gate.problem(path, 1, "layers", "is in no room of tools/layers.txt")
        else:
            check_file(gate, rules, path)
    gate.end(f"{len(files)} files")


main()
