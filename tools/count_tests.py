#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Adds up JUnit files of ctest.

Prints every failure with the end of its output, every skip with its reason
(also the skipped cases inside a test that passed), and last one line
"N passed, N failed, N skipped". Exits 1 if anything failed or nothing ran.

usage: count_tests.py FILE...
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

TAIL_LINES = 40


def reason_of(output):
    """Why a whole test was skipped: the last thing it said before the count."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line[0].isdigit() or " passed, " not in line]
    return lines[-1] if lines else "no reason given"


def read(path, totals):
    suite = path.stem
    try:
        cases = list(xml.parse(path).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as error:
        print(f"FAILED  {suite}: no test results: {error}")
        totals["failed"] += 1
        return
    for case in cases:
        name = f"{suite}: {case.get('name')}"
        output = case.findtext("system-out") or ""
        status = case.get("status")
        skipped = [line for line in output.splitlines() if line.startswith("skipped ")]
        if case.find("skipped") is not None or status in ("notrun", "disabled"):
            totals["skipped"] += 1
            if skipped:
                for line in skipped:
                    print(f"skipped {name}: {line.removeprefix('skipped ')}")
            else:
                print(f"skipped {name}: {reason_of(output)}")
        elif status == "fail":
            totals["failed"] += 1
            print(f"FAILED  {name}")
            for line in output.splitlines()[-TAIL_LINES:]:
                print(f"        {line}")
        else:
            totals["passed"] += 1
            for line in skipped:
                print(f"part skipped {name}: {line.removeprefix('skipped ')}")


def main(paths):
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        read(pathlib.Path(path), totals)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**totals))
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
