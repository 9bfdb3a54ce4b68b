#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: calls that are refused, per room, as tools/banned.txt says.

Tests and examples may call what they like; comments and strings do not count.
"""
import re

from gate import Gate, blank, is_test, room_of


def main():
    gate = Gate(__doc__.splitlines()[0])
    banned = {}
    for number, words in gate.table("tools/banned.txt"):
        allowed = set() if words[1] == "-" else set(words[1].split(","))
        banned[words[0]] = (allowed, " ".join(words[2:]), number)
    # A call, or the address taken by name; not a member (x.free, x->free) and
    # not a declaration of our own with a longer name.
    names = re.compile(r"(?<![\w.>])(?:std::)?(" + "|".join(map(re.escape, banned)) + r")\s*\(")
    files = [path for path in gate.files("include", "src") if not is_test(path)]
    for path in files:
        code = blank(gate.text(path))
        for match in names.finditer(code):
            allowed, instead, _ = banned[match[1]]
            if room_of(path) not in allowed and path not in allowed:
                line = code.count("\n", 0, match.start(1)) + 1
                gate.problem(path, line, "banned call", f"{match[1]}; instead: {instead}")
    gate.end(f"{len(files)} files against {len(banned)} names")


main()
