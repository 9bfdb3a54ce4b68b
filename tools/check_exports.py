#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: the symbols a library gives away are those listed in tests/abi.

The shared libraries with their versions, the static archive without; what is
not listed must not be visible, what is listed must be there. --update writes
the lists anew: an addition is a decision, a removal breaks somebody.
"""
import re
import subprocess

import objects
from gate import Gate

HEAD = "# SPDX-License-Identifier: MIT OR Apache-2.0\n" \
       "# What {} exports. Written by tools/check_exports.py --update.\n"


def exports(library):
    """Sorted "name@@VERSION" of a shared library, or "name" of an archive."""
    dynamic = ["-D", "--with-symbol-versions"] if library.suffix == ".so" else []
    output = subprocess.run(["nm", "-P", "-g", "--defined-only", *dynamic, str(library)],
                            capture_output=True, text=True, check=True).stdout
    found = set()
    for line in output.splitlines():
        match = re.match(r"(\S+) (\w) ", line)
        if match and match[2] != "A":  # A: the name of the version itself
            found.add(match[1])
    return sorted(found)


def main():
    gate = Gate(__doc__.splitlines()[0],
                [objects.BUILD, (["--update"], {"action": "store_true"})])
    count = 0
    for name in ("liboriel-core.so", "liboriel.so", "liboriel-core.a"):
        path = f"tests/abi/{'liboriel-core.so' if name.endswith('.a') else name}.symbols"
        found = exports(gate.options.build / name)
        if gate.options.update and name.endswith(".so"):
            (gate.root / path).write_text(
                HEAD.format(name) + "".join(f"{symbol}\n" for symbol in found), encoding="utf-8")
        listed = {words[0]: number for number, words in gate.table(path)}
        if name.endswith(".a"):
            listed = {symbol.split("@", 1)[0]: number for symbol, number in listed.items()}
        for symbol in found:
            if symbol not in listed:
                gate.problem(path, 1, "exports", f"{name} exports {symbol}, which is not listed")
        for symbol, number in listed.items():
            if symbol not in found:
                gate.problem(path, number, "exports", f"{name} does not export {symbol}")
        count += len(found)
    gate.end(f"{count} exported symbols")


main()
