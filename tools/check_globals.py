#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: a symbol that only its own file uses is static.

Looks at the objects of a build. Public names (oriel_*, see tests/abi) are used
by others by definition, and so is what an interpose.c puts in the place of the C
library's; a use by a test, an example or a benchmark counts.
"""
import collections
import re

import objects
from gate import Gate, is_test

PUBLIC = re.compile(r"oriel_|otel_")
COMPILER = re.compile(r"_GLOBAL__|__(?:asan|tsan|ubsan|odr|gcov|start_|stop_)|DW\.ref")


def line_of(gate, path, name):
    match = re.search(rf"^[^\s#/*][^;\n]*\b{re.escape(name)}\b", gate.text(path), re.M)
    return gate.text(path).count("\n", 0, match.start()) + 1 if match else 1


def main():
    gate = Gate(__doc__.splitlines()[0], [objects.BUILD])
    only = objects.rooms_left_out(gate)
    if only:
        gate.skip(f"this build has only some rooms (ORIEL_ONLY={only})")
    built = objects.by_source(gate)
    source_of = {str(output): source for source, output in built.items()}
    defined, used = {}, collections.defaultdict(set)
    for output, name, kind in objects.symbols(built.values(), "-g"):
        source = source_of[output]
        if kind in "Uw":
            used[name].add(source)
        elif source.startswith("src/") and not is_test(source) and kind not in "uVW" \
                and not source.endswith("/interpose.c") \
                and not PUBLIC.match(name) and not COMPILER.match(name) and name != "main":
            defined[name] = source
    only_tested = 0
    for name, source in sorted(defined.items(), key=lambda item: (item[1], item[0])):
        users = used[name] - {source}
        if not users:
            gate.problem(source, line_of(gate, source, name), "single use",
                         f"{name} is used in no other file: make it static, or remove it")
        only_tested += bool(users) and all(map(is_test, users))
    gate.end(f"{len(defined)} symbols ({only_tested} used by tests only)")


main()
