#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: what every source file says and does not say.

A licence line on top, in C and C++ under src/ and include/ a head comment that
says what the file is for, no task left behind in a comment, no path of
somebody's machine, no tab (Makefile apart) and no blank at the end of a line.
"""
import re

from gate import Gate, is_test

LICENCE = "SPDX-License-Identifier: MIT OR Apache-2.0"
SUFFIXES = (".c", ".h", ".cpp", ".hpp", ".py", ".sh", ".cmake", ".in", ".mjs", ".def", ".map",
            ".rs", "CMakeLists.txt", "Makefile")
UNLICENSED = (".def", ".map")  # lists that only make sense inside another file
# Spelled so that this file does not accuse itself.
LEFT_BEHIND = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w+")


def scripts(gate):
    """Files without a suffix that begin with #!."""
    for folder in ("tools", ".ci", "tests", "examples", "bench"):
        for path in gate.files(folder, suffixes=("",)):
            if "." not in path.rsplit("/", 1)[1]:
                with open(gate.root / path, "rb") as file:
                    if file.read(2) == b"#!":
                        yield path


def check_head(gate, path, text):
    """The licence line, then a block comment of at least two lines of words."""
    head = re.match(r"/\*[^\n]*SPDX[^\n]*\*/\s*/\*(.*?)\*/", text, re.S)
    if not head or len(re.findall(r"\w+", head[1])) < 8:
        gate.problem(path, 2, "head comment", "says what the file is for, in 3 to 8 lines")


def check(gate, path):
    text = gate.text(path)
    lines = text.splitlines()
    if not path.endswith(UNLICENSED) and not any(LICENCE in line for line in lines[:3]):
        gate.problem(path, 1, "licence", f'the first lines do not say "{LICENCE}"')
    if path.startswith(("src/", "include/")) and path.endswith((".c", ".h", ".hpp")) \
            and not is_test(path):
        check_head(gate, path, text)
    for number, line in enumerate(lines, 1):
        if LEFT_BEHIND.search(line):
            gate.problem(path, number, "left behind", line.strip()[:60])
        if not path.startswith("tests/") and MACHINE_PATH.search(line):
            gate.problem(path, number, "machine path", MACHINE_PATH.search(line)[0])
        if line != line.rstrip():
            gate.problem(path, number, "white space", "blanks at the end of the line")
        if "\t" in line and not path.endswith("Makefile") and path.endswith(SUFFIXES):
            gate.problem(path, number, "white space", "a tab")
    if text and not text.endswith("\n"):
        gate.problem(path, len(lines), "white space", "no newline at the end of the file")


def main():
    gate = Gate(__doc__.splitlines()[0])
    files = gate.files("include", "src", "tests", "examples", "bench", "tools", "cmake",
                       "CMakeLists.txt", "Makefile", suffixes=SUFFIXES)
    files = sorted(set(files) | set(scripts(gate)))
    for path in files:
        check(gate, path)
    gate.end(f"{len(files)} files")


main()
