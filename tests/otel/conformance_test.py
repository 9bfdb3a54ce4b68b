#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A + without a test that is there and passed is noticed."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import conformance
from conformance import Results, Row, missing

GOOD = "A row | X | + - n/a . | + | a_case, a.test"


def row(line=GOOD):
    return Row("Section", "Heading", line, 1)


class Rows(unittest.TestCase):
    def test_a_row_has_its_fields(self):
        r = row()
        self.assertEqual((r.name, r.optional, r.others, r.cell, r.tests, r.wrong),
                         ("A row", "X", ["+", "-", "n/a", "."], "+", ["a_case", "a.test"], []))

    def test_what_is_no_row_is_said(self):
        for line in ("A row | + + + + | + | x", "A row | | + + + | + | x", "A row | | + + + ? | + | x",
                     "A row | | + + + + | ? | x", "A row | | + + + + | - |",
                     "A row | | + + + + | + |"):
            self.assertNotEqual(row(line).wrong, [], line)

    def test_tests_that_are_not_there_are_said(self):
        cases = {"a_case": ["one_test.c"]}
        self.assertEqual(list(missing(row(), cases, {"a.test"})), [])
        self.assertEqual(len(list(missing(row(), {}, {"a.test"}))), 1)
        self.assertEqual(len(list(missing(row(), cases, set()))), 1)
        twice = {"a_case": ["one_test.c", "two_test.c"]}
        self.assertEqual(len(list(missing(row(), twice, {"a.test"}))), 1)

    def test_the_page_counts_and_tells(self):
        text = conformance.page([row(), row("B row | | - - - - | - | why not")])
        self.assertIn("| Section | 2 | 1 | 1 | 0 | 0 | 0 |", text)
        self.assertIn("| of these required | 1 | 0 | 0 | 0 | 0 | 0 |", text)
        self.assertIn("| A row | X | + | + | - | n/a | . | `a_case`, `a.test` |", text)
        self.assertIn("| B row |  | - | - | - | - | - | why not |", text)

    def test_the_real_table_can_be_read(self):
        self.assertGreater(len(list(conformance.rows())), 150)


class Runs(unittest.TestCase):
    def results(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write("<testsuite>%s</testsuite>" % text)
            f.flush()
            return Results([pathlib.Path(f.name)])

    def test_only_what_passed_counts(self):
        r = self.results('<testcase name="unit.a" status="run"><system-out>ok      a_case (3 ms)\n'
                         'skipped b_case: why\nFAILED  c_case (x.c:1)</system-out></testcase>'
                         '<testcase name="a.test" status="run"/>'
                         '<testcase name="a.skipped" status="notrun"><skipped/></testcase>'
                         '<testcase name="a.failed" status="fail"/>')
        self.assertIsNone(r.wrong("a_case"))
        self.assertIsNone(r.wrong("a.test"))
        for test in ("b_case", "c_case", "d_case", "a.skipped", "a.failed", "a.absent"):
            self.assertIsNotNone(r.wrong(test), test)

    def test_lanes_of_other_registries_count_when_they_ran(self):
        self.assertIsNone(self.results("").wrong("interop.x"))
        self.assertIsNone(self.results('<testcase name="interop.x" status="notrun"><skipped/>'
                                       '</testcase>').wrong("interop.x"))
        self.assertIsNotNone(self.results('<testcase name="interop.x" status="fail"/>')
                             .wrong("interop.x"))


if __name__ == "__main__":
    unittest.main()
