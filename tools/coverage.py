#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Line coverage per room from a build with ORIEL_COVERAGE, with floors."""
import collections
import gzip
import json
import subprocess
import sys
import tempfile

import objects
from gate import Gate, is_test, room_of

FLOORS = {"src/rec/": 95, "src/wire/": 95, "src/source/ring/": 95}


def lines_of(gate):
    """{source: {line: times reached}} over all objects that ran."""
    found = collections.defaultdict(lambda: collections.defaultdict(int))
    data = sorted(gate.options.build.resolve().rglob("*.gcda"))
    with tempfile.TemporaryDirectory(prefix="oriel-coverage.") as folder:
        for start in range(0, len(data), 50):
            output = subprocess.run(["gcov", "--json-format", "--stdout", *data[start:start + 50]],
                                    cwd=folder, capture_output=True, check=True).stdout
            for document in output.splitlines():
                if document[:2] == b"\x1f\x8b":
                    document = gzip.decompress(document)
                for file in json.loads(document)["files"]:
                    path = file["file"].removeprefix(f"{gate.root}/")
                    if path.startswith(("src/", "include/")) and not is_test(path):
                        for line in file["lines"]:
                            found[path][line["line_number"]] += line["count"]
    return found


def main():
    gate = Gate(__doc__, [objects.BUILD, (["-v", "--verbose"], {"action": "store_true"})])
    found = lines_of(gate)
    if not found:
        sys.exit("coverage: no data; was it built with ORIEL_COVERAGE, and did tests run?")
    rooms = collections.defaultdict(lambda: [0, 0])
    for path, lines in sorted(found.items()):
        reached = sum(1 for count in lines.values() if count)
        for prefix in {f"src/{room_of(path)}/" if path.startswith("src/") else "include/"} | \
                {floor for floor in FLOORS if path.startswith(floor)}:
            rooms[prefix][0] += reached
            rooms[prefix][1] += len(lines)
        missing = [str(line) for line, count in sorted(lines.items()) if not count]
        if gate.options.verbose and missing:
            print(f"{path}: {100 * reached / len(lines):.1f} %, not reached: {' '.join(missing)}")
    for prefix, (reached, total) in sorted(rooms.items()):
        share = 100 * reached / total
        floor = FLOORS.get(prefix)
        print(f"  {prefix:22} {share:6.1f} % of {total:6} lines" + (f"   floor {floor} %" if floor else ""))
        if floor and share < floor:
            gate.problem(prefix, 0, "coverage", f"{share:.1f} % of the lines, the floor is {floor} %")
    for prefix in sorted(set(FLOORS) - set(rooms)):
        gate.problem(prefix, 0, "coverage", "nothing of it ran")
    gate.end(f"{sum(total for _, total in rooms.values())} lines")


main()
