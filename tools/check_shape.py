#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: the shape of functions and files, measured with pmccabe.

Limits: cyclomatic complexity 20, function 80 lines, file 800 lines, and at
least 8 asserts per 1,000 lines over the product. What is over them stands in
tools/shape_waivers.txt with its present value; a waiver that is not needed, or
says more than is needed, is an error: the list may only shrink.
"""
import collections
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

from gate import Gate, blank, is_test

LIMITS = {"complexity": 20, "function": 80, "file": 800}
AIMS = (  # name, unit, better than, goal
    ("median function", "lines", "<=", 15),
    ("90th percentile function", "lines", "<=", 45),
    ("comment share", "%", ">=", 15),
    ("asserts per 1,000 lines", "", ">=", 8),
    ("tests / source lines", "", ">=", 0.6),
)


# Macros that stand where pmccabe expects a type or a function; it would lose
# the rest of the file.
CONFUSING = ((re.compile(r"\bVEC\([^()]*\)"), "long"), (re.compile(r"^TEST_MAIN\(\)$", re.M), ""),
             (re.compile(r"\bTLS_FUNCTIONS\(TLS_FUNCTION_FIELD\)"), "int fields;"))


def measure_functions(gate, paths):
    """(path, line, name, complexity, lines) of every function."""
    with tempfile.TemporaryDirectory(prefix="oriel-shape.") as folder:
        for path in paths:
            text = gate.text(path)
            for pattern, replacement in CONFUSING:
                text = pattern.sub(replacement, text)
            copy = pathlib.Path(folder) / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
        run = subprocess.run(["pmccabe", *paths], cwd=folder, capture_output=True, text=True,
                             check=False)
    for line in run.stderr.splitlines():
        where = re.match(r'"(.+)", line (\d+): (.*)', line)
        if where:
            gate.problem(where[1], where[2], "shape", f"pmccabe cannot measure it: {where[3]}")
    for line in run.stdout.splitlines():
        fields = line.split("\t")
        where = re.fullmatch(r"(.+)\((\d+)\): (.*)", fields[5])
        yield where[1], int(where[2]), where[3], int(fields[1]), int(fields[4])


def read_waivers(gate):
    """{(metric, path, function): (value, line)}"""
    waivers = {}
    for number, words in gate.table("tools/shape_waivers.txt"):
        metric, path, function, value = words
        waivers[metric, path, function] = (int(value), number)
    return waivers


def compare(gate, measured, waivers):
    for key, (value, line) in sorted(measured.items()):
        metric, path, function = key
        waived = waivers.pop(key, None)
        if value <= LIMITS[metric]:
            if waived:
                gate.problem("tools/shape_waivers.txt", waived[1], "shape",
                             f"{metric} of {path} {function} is {value} now: remove this line")
        elif waived is None:
            gate.problem(path, line, "shape", f"{metric} of {function} is {value}, "
                         f"the limit is {LIMITS[metric]}")
        elif value > waived[0]:
            gate.problem(path, line, "shape", f"{metric} of {function} grew to {value}, "
                         f"its waiver says {waived[0]}")
        elif value < waived[0]:
            gate.problem("tools/shape_waivers.txt", waived[1], "shape",
                         f"{metric} of {path} {function} is {value} now: lower this line to it")
    for (metric, path, function), (_, number) in sorted(waivers.items()):
        gate.problem("tools/shape_waivers.txt", number, "shape",
                     f"{path} {function} is gone: remove this line")


def figures(gate, files, functions):
    """Medians over the product (not its tests), in the order of AIMS."""
    source = [path for path in files if path.startswith(("src/", "include/")) and not is_test(path)]
    tests = [path for path in files if is_test(path)]
    lines, comments, asserts, test_lines = 0, 0, 0, 0
    for path in source:
        text = gate.text(path)
        code = blank(text)
        lines += text.count("\n")
        comments += sum(1 for line, shown in zip(text.splitlines(),
                                                 blank(text, strings=False).splitlines())
                        if line != shown)
        asserts += len(re.findall(r"\b(?:assert|_Static_assert|static_assert)\s*\(", code))
    for path in tests:
        test_lines += gate.text(path).count("\n")
    lengths = sorted(f[4] for f in functions if f[0] in set(source)) or [0]
    return (statistics.median(lengths), lengths[int(len(lengths) * 0.9)],
            100 * comments / max(lines, 1), 1000 * asserts / max(lines, 1),
            test_lines / max(lines, 1)), len(lengths), lines


def main():
    gate = Gate(__doc__.splitlines()[0],
                [(["--strict"], {"action": "store_true", "help": "aims are limits too"})])
    if not shutil.which("pmccabe"):
        gate.skip("pmccabe is not installed (tools/setup check)")
    files = gate.files("include", "src", "tests", "examples", "bench")
    functions = list(measure_functions(gate, files))
    measured = collections.defaultdict(lambda: (0, 0))
    for path in files:
        measured["file", path, "-"] = (gate.text(path).count("\n"), 1)
    for path, line, name, complexity, length in functions:
        # The same name may occur twice, e.g. TEST: the worst one counts.
        for metric, value in (("complexity", complexity), ("function", length)):
            measured[metric, path, name] = max(measured[metric, path, name], (value, line))
    compare(gate, measured, read_waivers(gate))

    values, count, lines = figures(gate, files, functions)
    for (name, unit, sense, goal), value in zip(AIMS, values):
        good = value <= goal if sense == "<=" else value >= goal
        print(f"  {name:26} {value:7.1f} {unit:6} aim {sense} {goal:<5}{'' if good else ' missed'}")
        if gate.options.strict and not good:
            gate.problem("src", 0, "shape", f"{name} is {value:.1f}, the aim is {sense} {goal}")
    gate.end(f"{len(files)} files, {lines} product lines in {count} functions")


main()
