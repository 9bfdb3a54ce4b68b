# SPDX-License-Identifier: MIT OR Apache-2.0
"""The page of `oriel flame` in a browser: what its buttons do to the tree it draws."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tool import ORIEL, TIMEOUT, Scenario, main

CHROMIUM = shutil.which("chromium")
STACKS = "main;parse;copy 6\nmain;write;copy 3\nmain;write;flush 1\nmain;walk;walk;copy 2\n"
TELL = """<script>
const nodes = t => [...Array(t.n).keys()].map(i => [t.depth(i), t.frame(i) < 0 ? t.labels[-t.frame(i) - 1]
  : data.frames[t.frame(i)].name, t.total(i), t.self(i)]);
const choose = name => [...document.querySelectorAll("#top tr")].find(r => r.firstChild.title === name).onclick();
const said = {begin: nodes(tree)};
$("callers").click(); said.all = nodes(tree);
choose("copy"); said.copy = nodes(tree);
choose("walk"); said.walk = nodes(tree);
$("callers").click(); said.end = nodes(tree);
document.body.replaceChildren(document.createTextNode("SAID" + JSON.stringify(said) + "DIAS"));
</script>"""


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Page(Scenario):
    def said(self):
        folded, page = os.path.join(self.dir, "a.folded"), os.path.join(self.dir, "a.html")
        with open(folded, "w", encoding="ascii") as f:
            f.write(STACKS)
        self.assertEqual(self.oriel("flame", "-o", page, folded).returncode, 0)
        with open(page, "a", encoding="utf-8") as f:
            f.write(TELL)
        with tempfile.TemporaryDirectory(prefix="oriel-page-") as home:
            run = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
                                  "--dump-dom", f"file://{page}"], text=True, capture_output=True,
                                 timeout=TIMEOUT, check=False)
        found = re.search(r"SAID(\{.*\})DIAS", run.stdout)
        self.assertTrue(found, run.stdout[-2000:] + run.stderr[-2000:])
        return json.loads(found[1])

    def test_callers_are_the_tree_upside_down(self):
        said = self.said()
        self.assertEqual(said["begin"], said["end"])
        self.assertEqual(said["begin"][:2], [[0, "all", 12, 0], [1, "main", 12, 0]])
        rows = said["all"]  # each function with what it took itself, and by whose order
        self.assertEqual(rows[0], [0, "all, by who took it", 12, 0])
        self.assertEqual(rows[1:4], [[1, "copy", 11, 0], [2, "parse", 6, 0], [3, "main", 6, 6]])
        self.assertIn([1, "flush", 1, 0], rows)
        self.assertEqual(sum(r[3] for r in rows), 12)
        self.assertEqual(said["copy"][:2], [[0, "callers of copy", 11, 0], [1, "copy", 11, 0]])
        self.assertEqual([r[1:3] for r in said["copy"] if r[0] == 2], [["parse", 6], ["write", 3], ["walk", 2]])
        self.assertEqual(said["walk"], [[0, "callers of walk", 2, 0], [1, "walk", 2, 0], [2, "main", 2, 2]])


if __name__ == "__main__":
    main()
