# SPDX-License-Identifier: MIT OR Apache-2.0
"""Code made at run time gets its names from what its compiler wrote: real ones."""
import pathlib
import re
import shutil
import subprocess
import unittest

from tool import Scenario, main

HOT_JS = """function mixHash(s) {
  let h = 0;
  for (let i = 0; i < 3e7; i++)
    h = (h * 31 + (i ^ s)) | 0;
  return h;
}
let r = 0;
for (let k = 0; k < ROUNDS; k++) r ^= mixHash(k);
console.log(process.pid, r);
"""
HOT_JAVA = """public class Hot {
  static int collatz(long n) {
    int k = 0;
    while (n != 1) { n = (n & 1) == 0 ? n / 2 : 3 * n + 1; k++; }
    return k;
  }
  static long sum(int m) { long s = 0; for (int i = 1; i < m; i++) s += collatz(i); return s; }
  public static void main(String[] a) {
    long s = 0;
    for (int k = 0; k < 6; k++) s += sum(400000);
    System.out.println(ProcessHandle.current().pid() + " " + s);
  }
}
"""
needs_node = unittest.skipUnless(shutil.which("node"), "node is not installed")
needs_java = unittest.skipUnless(shutil.which("javac"), "javac is not installed")


class Jit(Scenario):
    def record(self, *words):
        """Record, forget the list in /tmp, and give the stacks with their weights."""
        run = self.oriel("record", "--rate", 499, "--no-report", "-o", "c.oriel", "--", *words)
        self.assertEqual(run.returncode, 0, run.stderr)
        pid = int(run.stdout.split()[0])
        pathlib.Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)
        return self.stacks()

    def stacks(self):
        run = self.oriel("flame", "--format", "folded", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        return [(stack, int(n)) for stack, n in
                (line.rsplit(" ", 1) for line in run.stdout.splitlines())]

    def share(self, stacks, pattern):
        all_of_it = sum(n for _, n in stacks)
        self.assertGreater(all_of_it, 0)
        return sum(n for stack, n in stacks if re.search(pattern, stack)) / all_of_it

    def javascript(self, *flags, rounds=8):
        (self.dir / "hot.js").write_text(HOT_JS.replace("ROUNDS", str(rounds)))
        return ("node", *flags, "hot.js")

    @needs_node
    def test_a_list_names_javascript_with_its_file(self):
        stacks = self.record(*self.javascript("--perf-basic-prof"))
        # Most of it is in there; it would be "[jit]" alone.
        self.assertGreater(self.share(stacks, r"JS:.mixHash$"), 0.3)
        self.assertLess(self.share(stacks, r"\[jit\]$"), 0.1)
        run = self.oriel("report", "--source", "hot.js", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"\d+ %  .*function mixHash")

    @needs_node
    def test_a_dump_names_javascript_with_its_lines(self):
        stacks = self.record(*self.javascript("--perf-prof"))
        self.assertEqual(len(list(self.dir.glob("jit-*.dump"))), 1)
        self.assertGreater(self.share(stacks, r"JS:.mixHash$"), 0.3)
        run = self.oriel("report", "--source", "hot.js", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"\d+ %  .*(function mixHash|for \(let i|h = \(h)")

    @needs_node
    def test_a_list_of_somebody_else_before_is_not_believed(self):
        """A program that writes none gets no names from one that had its process id."""
        words = self.javascript(rounds=2)
        stale = ("import os, sys\n"
                 "path = f'/tmp/perf-{os.getpid()}.map'\n"
                 "open(path, 'w').write('1 7fffffffffff wrong\\n')\n"
                 "os.utime(path, (1e9, 1e9))\n"
                 "os.execvp(sys.argv[1], sys.argv[1:])\n")
        stacks = self.record("python3", "-c", stale, *words)
        self.assertGreater(self.share(stacks, r"\[jit\]$"), 0.1)
        self.assertEqual(self.share(stacks, r"wrong"), 0)
        # And the person is told what would have helped.
        run = self.oriel("report", "c.oriel")
        self.assertRegex(run.stdout, r"\d+ % of the CPU time is in code made at run time")

    @needs_node
    def test_a_program_that_runs_is_asked_while_it_runs(self):
        words = self.javascript("--perf-basic-prof", rounds=1 << 30)
        child = self.start(*words)
        self.addCleanup(pathlib.Path(f"/tmp/perf-{child.pid}.map").unlink, missing_ok=True)
        listed = pathlib.Path(f"/tmp/perf-{child.pid}.map")
        self.until("the list", lambda: listed.exists() and "*mixHash" in listed.read_text())
        run = self.oriel("attach", "-p", child.pid, "--duration", "2s", "--rate", 499,
                         "-o", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        child.kill()
        self.assertGreater(self.share(self.stacks(), r"JS:.mixHash$"), 0.3)

    @needs_java
    def test_a_list_names_java(self):
        (self.dir / "Hot.java").write_text(HOT_JAVA)
        made = self.run_raw("javac", "Hot.java")
        self.assertEqual(made.returncode, 0, made.stderr)
        flags = ("-XX:+PreserveFramePointer", "-XX:+UnlockDiagnosticVMOptions",
                 "-XX:+DumpPerfMapAtExit")
        known = self.start("java", *flags, "-version", stderr=subprocess.DEVNULL)
        status = known.wait()
        pathlib.Path(f"/tmp/perf-{known.pid}.map").unlink(missing_ok=True)
        if status != 0:
            self.skipTest("this java writes no list")
        stacks = self.record("java", *flags, "-cp", ".", "Hot")
        self.assertGreater(self.share(stacks, r"Hot\.(sum|collatz)\(\w+\)$"), 0.3)
        # Frame pointers lead through it to the thread's start.
        self.assertGreater(self.share(stacks, r"start_thread;.*Hot\.(sum|collatz)\(\w+\)$"), 0.2)


if __name__ == "__main__":
    main()
