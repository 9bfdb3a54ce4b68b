#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/CONFORMANCE.md: OpenTelemetry's table of compliance, each + with its tests.

  conformance.py docs BUILD [FILE]     the page is what matrix.txt says, and every test that
                                       it names is there; ORIEL_GOLDEN=write writes the page
  conformance.py results XML... every test that a + names ran and passed, in results of
                                       ctest; lanes of other registries only if they ran

A case of a unit test is found by its name, which stands once in the tree, and passed when
its program said so. Exit 1 says what is wrong, row by row.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MATRIX = ROOT / "tests" / "otel" / "matrix.txt"
PAGE = ROOT / "docs" / "CONFORMANCE.md"
OTHERS = ["Go", "Java", "Rust", "C++"]
CELLS = {"+", "-", "n/a", "."}
INTRODUCTION = """\
# OpenTelemetry's table of compliance

Made by tests/otel/conformance.py of tests/otel/matrix.txt; do not edit. The rows are those of
`spec-compliance-matrix` of opentelemetry-specification (2026-08-19, 1377f53). A + of Oriel names
the tests that show it: words with underscores are cases of unit tests, words with a dot are tests
of ctest. `make check` fails when one of them is missing or did not pass. What others support is
what they say of themselves in that table; a dot stands for a blank there. X: optional; *: one of
these suffices.

Not here: metrics, self-observation as metrics, Prometheus, which have not been built yet; Zipkin,
OpenCensus and OpenTracing.
"""


class Row:
    def __init__(self, section, heading, line, number):
        parts = [part.strip() for part in line.split("|")]
        self.number, self.wrong = number, []
        self.section, self.heading = section, heading
        if len(parts) != 5:
            parts = (parts + [""] * 5)[:5]
            self.wrong.append("has not five fields")
        self.name, self.optional, others, self.cell, self.text = parts
        self.others = others.split()
        if len(self.others) != len(OTHERS) or set(self.others) - CELLS:
            self.wrong.append("has not four cells of others: " + others)
        if self.cell not in ("+", "-", "n/a"):
            self.wrong.append("Oriel's cell is " + self.cell)
        if not self.text:
            self.wrong.append("names no test" if self.cell == "+" else "gives no reason")
        self.tests = [t.strip() for t in self.text.split(",")] if self.cell == "+" else []


def rows(path=MATRIX):
    section = heading = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            section, heading = line[3:], ""
        elif section and line.startswith("# "):
            heading = line[2:]
        elif section and line:
            yield Row(section, heading, line, number)


def cases():
    """Names of the cases of unit tests, each with the files it stands in."""
    found = collections.defaultdict(list)
    for path in (ROOT / "src").rglob("*_test.c"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^TEST(?:_T)?\((\w+)", text, re.M):
            found[name].append(str(path.relative_to(ROOT)))
    return found


def ctest_names(build):
    said = subprocess.run(["ctest", "--test-dir", build, "-N"], text=True, capture_output=True,
                          check=True).stdout
    return set(re.findall(r"^ *Test +#\d+: (\S+)$", said, re.M))


def missing(row, known_cases, known_tests):
    for test in row.tests:
        if "." in test:
            if test not in known_tests:
                yield "there is no test %s" % test
        elif len(known_cases.get(test, [])) != 1:
            yield "%s stands in %s" % (test, known_cases.get(test) or "no unit test")


def page(all_rows):
    lines = [INTRODUCTION]
    sections = list(dict.fromkeys(r.section for r in all_rows))
    names = ["Oriel"] + OTHERS
    lines += ["How many rows are marked +:", "",
              "| | rows | " + " | ".join(names) + " |", "|---|" + "---|" * (len(names) + 1)]

    def counts(title, of):
        columns = [sum(r.cell == "+" for r in of)]
        columns += [sum(r.others[i] == "+" for r in of) for i in range(len(OTHERS))]
        return "| %s | %d | %s |" % (title, len(of), " | ".join(map(str, columns)))
    for section in sections:
        lines.append(counts(section, [r for r in all_rows if r.section == section]))
    lines.append(counts("all", all_rows))
    lines.append(counts("of these required", [r for r in all_rows if not r.optional]))
    for section in sections:
        lines += ["", "## " + section, "",
                  "| | | Oriel | " + " | ".join(OTHERS) + " | by what, or why not |",
                  "|---|---|---|" + "---|" * (len(OTHERS) + 1)]
        heading = ""
        for r in (r for r in all_rows if r.section == section):
            if r.heading != heading:
                heading = r.heading
                lines.append("| **%s** |%s" % (heading, " |" * (len(OTHERS) + 3)))
            text = ", ".join("`%s`" % t for t in r.tests) or r.text
            lines.append("| %s | %s | %s | %s | %s |" % (r.name, r.optional.replace("*", "\\*"),
                                                        r.cell, " | ".join(r.others), text))
    return "\n".join(lines) + "\n"


def docs(build, path):
    all_rows, bad = list(rows()), 0
    known_cases, known_tests = cases(), ctest_names(build)
    for row in all_rows:
        for what in row.wrong + list(missing(row, known_cases, known_tests)):
            print("matrix.txt:%d: %s: %s" % (row.number, row.name, what))
            bad = 1
    text = page(all_rows) if not bad else None
    if text and os.environ.get("ORIEL_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    elif text and (not path.exists() or path.read_text(encoding="utf-8") != text):
        print("%s is not what matrix.txt says; ORIEL_GOLDEN=write makes it" % path.name)
        bad = 1
    return bad


class Results:
    """What ran and passed: tests of ctest, and cases that unit tests told of."""

    def __init__(self, paths):
        self.passed, self.skipped, self.seen, self.said = set(), set(), set(), set()
        for path in paths:
            for case in xml.parse(path).getroot().iter("testcase"):
                name = case.get("name")
                self.seen.add(name)
                if case.find("skipped") is not None:
                    self.skipped.add(name)
                elif case.get("status") == "run":
                    self.passed.add(name)
                if name.startswith("unit."):
                    output = case.findtext("system-out") or ""
                    self.said |= set(re.findall(r"^ok +(\w+) \(", output, re.M))

    def wrong(self, test):
        if "." not in test:
            return None if test in self.said else "no unit test said that %s is ok" % test
        if test in self.passed:
            return None
        if test.startswith("interop.") and (test in self.skipped or test not in self.seen):
            return None
        return "%s did not %s" % (test, "pass" if test in self.seen else "run")


def results(paths):
    bad, shown = 0, 0
    found = Results(paths)
    for row in rows():
        for test in row.tests:
            what = found.wrong(test)
            if what:
                print("CONFORMANCE.md: %s: marked +, but %s" % (row.name, what))
                bad = 1
        shown += row.cell == "+"
    if not bad:
        print("conformance: %d rows are marked +, each by tests that passed" % shown)
    return bad


def main(args):
    if len(args) in (2, 3) and args[0] == "docs":
        return docs(args[1], pathlib.Path(args[2]) if len(args) == 3 else PAGE)
    if len(args) >= 2 and args[0] == "results":
        return results(args[1:])
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
