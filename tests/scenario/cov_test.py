# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel cov on programs that gcc and clang build here, against gcov, llvm-cov
and lcov, and with breakpoints in programs that were not built for it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from tool import ORIEL, Scenario, main, needs_full_speed

SOURCES = pathlib.Path(__file__).resolve().parent / "cov"
COUNTING = ("--coverage", "-fprofile-update=atomic")  # threads lose counts otherwise
WAYS = ("none", "threads", "forks", "signals", "status", "exec", "thread-exec", "all")


def first_of(*names):
    return next((n for n in names if shutil.which(n)), None)


CLANG, CLANGXX = first_of("clang-14", "clang"), first_of("clang++-14", "clang++")
LLVM_COV, PROFDATA = first_of("llvm-cov-14", "llvm-cov"), first_of("llvm-profdata-14", "llvm-profdata")
needs_llvm = unittest.skipUnless(CLANG and LLVM_COV and PROFDATA, "needs clang and llvm-cov")
needs_lcov = unittest.skipUnless(shutil.which("lcov"), "needs lcov")


class Cov(Scenario):
    def build(self, source, name, *flags, compiler=None):
        """Compile a copy of the source, so that paths and notes are this test's own."""
        target = self.dir / source
        if not target.exists():
            shutil.copy(SOURCES / source, target)
        compiler = compiler or ("g++" if source.endswith(".cc") else "gcc")
        run = self.run_raw(compiler, "-g", "-pthread", *flags, source, "-o", name, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        return f"./{name}"

    def cov(self, *words, status=0, **options):
        run = self.oriel("cov", *words, **options)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    def as_json(self, *words):
        return json.loads(self.cov("--json", *words).stdout)

    def file_of(self, told, source):
        return next(f for f in told["files"] if f["file"] == str(self.dir / source))

    def lines(self, told, source):
        return {l["line"]: l["count"] for l in self.file_of(told, source)["lines"]}

    def functions(self, told, source):
        return {f["linkage"]: f["count"] for f in self.file_of(told, source)["functions"]}

    def percents(self, text, name):
        """What gcov says of a file, as (percent, of)."""
        part = text.split(f"File '{name}'\n", 1)[1].split("\n\n", 1)[0]
        return {what: (float(p), int(n)) for what, p, n in
                re.findall(r"(Lines executed):([\d.]+)% of (\d+)", part)}

    def same(self, percent, totals):
        self.assertEqual(percent[1], totals["all"])
        self.assertAlmostEqual(percent[0], totals["percent"], delta=0.006)

    # ---- read from files ----

    def test_a_file_that_cannot_be_read_costs_itself_and_the_exit_status(self):
        good, bad, out = (self.dir / n for n in ("good.info", "bad.info", "all.info"))
        good.write_text("SF:/a.c\nDA:1,1\nend_of_record\n")
        bad.write_text("SF:/b.c\nDA:1,1\nDA:nonsense\n")
        run = self.cov("--json", good, bad, status=1)
        self.assertEqual([f["file"] for f in json.loads(run.stdout)["files"]], ["/a.c"])
        self.assertEqual(run.stderr, f"oriel: {bad}: line 3: DA wants a line and a count\n")
        run = self.cov("-o", out, good, bad, status=1)
        self.assertIn(f"{out}: not written", run.stderr)
        self.assertFalse(out.exists())
        for words in ((bad,), ("diff", good, bad)):
            run = self.cov(*words, status=1)
            self.assertEqual((run.stdout, run.stderr.count("\n")), ("", 1))

    def test_an_object_that_gcov_cannot_read_costs_itself(self):
        self.build("covered.c", "covered", *COUNTING)
        (self.dir / "bad.gcno").write_text("nothing that gcov knows")
        run = self.cov("--json", ".", status=1)
        told = json.loads(run.stdout)
        self.assertEqual(self.file_of(told, "covered.c")["totals"]["lines"]["hit"], 0)
        self.assertIn("bad.gcno", run.stderr)

    # ---- compiled to count ----

    def check_gcov(self, source, *words):
        program = self.build(source, "counted", "-O0", *COUNTING)
        plain = self.run_raw(program, *words, env={**self.env, "GCOV_PREFIX": str(self.dir / "x")})
        run = self.cov("--", program, *words)
        self.assertEqual(run.stdout.encode(), plain.stdout)
        self.assertIn("stored", run.stderr)
        told = self.as_json()
        data = next(self.dir.glob("x/**/*.gcda"))
        notes = next(self.dir.glob("*.gcno"))
        shutil.copy(notes, data.with_suffix(".gcno"))
        text = self.run_raw("gcov", "-b", "-c", data, text=True).stdout
        percents = self.percents(text, source)
        totals = self.file_of(told, source)["totals"]
        self.same(percents["Lines executed"], totals["lines"])
        # Line by line, as gcov annotates them: instances of templates stand below their sum.
        annotated, branches = {}, []
        for line in (self.dir / f"{source}.gcov").read_text().splitlines():
            found = re.match(r"\s*(\d+|#####|=====)\*?:\s*(\d+):", line)
            if found and found[2] not in annotated:
                annotated[found[2]] = int(found[1]) if found[1].isdigit() else 0
            if line.startswith("branch"):
                branches.append(" taken 0" not in line and "never" not in line)
        self.assertEqual((totals["branches"]["all"], totals["branches"]["hit"]),
                         (len(branches), sum(branches)))
        counts = self.lines(told, source)
        self.assertEqual({int(k): v for k, v in annotated.items()}, counts)
        self.assertEqual(sorted(p.name for p in next(self.dir.glob(".oriel/runs/*")).iterdir()),
                         ["capture.oriel", "coverage.info"])
        return told

    def test_counts_of_gcc_are_those_of_gcov_in_c(self):
        told = self.check_gcov("covered.c", "threads")
        self.assertEqual(self.functions(told, "covered.c")["only_in_thread"], 400)
        self.assertEqual(told["method"], "lcov")
        text = self.cov("--source", "covered.c").stdout
        self.assertRegex(text, r"(?m)^ +400 +\d+      return n \* 2;$")
        self.assertRegex(text, r"(?m)^#####.* +int sum = 0;$")

    def test_counts_of_gcc_are_those_of_gcov_in_cpp(self):
        told = self.check_gcov("covered.cc")
        names = {f["name"]: f["count"] for f in self.file_of(told, "covered.cc")["functions"]}
        self.assertEqual(names["shapes::box::volume() const"], 0)
        self.assertEqual(names["shapes::box::area() const"], 2)
        self.assertEqual(len(told["files"]), 1)
        self.assertGreater(len(self.as_json("--system", ".")["files"]), 1)

    @needs_llvm
    def test_a_profile_that_cannot_be_read_costs_itself(self):
        program = self.build("covered.c", "profiled", "-O0", "-fprofile-instr-generate",
                             "-fcoverage-mapping", compiler=CLANG)
        for name in ("a.profraw", "b.profraw"):
            self.run_raw(program, env={**self.env, "LLVM_PROFILE_FILE": name})
        (self.dir / "bad.profraw").write_bytes((self.dir / "a.profraw").read_bytes()[:100])
        words = ("--json", "--object", program, "a.profraw", "b.profraw")
        both = self.lines(json.loads(self.cov(*words).stdout), "covered.c")
        run = self.cov(*words, "bad.profraw", status=1)
        self.assertEqual(self.lines(json.loads(run.stdout), "covered.c"), both)
        self.assertEqual((run.stderr.count("\n"), run.stderr.count("bad.profraw")), (1, 1))
        run = self.cov("--json", "--object", program, "bad.profraw", status=1)
        self.assertEqual((run.stdout, run.stderr.count("\n")), ("", 1))

    @needs_llvm
    def test_counts_of_clang_in_the_format_of_gcov_are_those_of_llvm_cov(self):
        for source, compiler, extra in (("covered.c", CLANG, ("threads",)), ("covered.cc", CLANGXX, ())):
            program = self.build(source, "counted-" + source, "-O0", *COUNTING, compiler=compiler)
            run = self.cov("--system", "--", program, *extra)
            self.assertIn("stored", run.stderr)
            told = self.as_json("--system")
            self.assertEqual(list(self.dir.glob("*.gcda")), [])  # they went with the run
            # The same by hand, as llvm-cov annotates the source.
            self.run_raw(program, *extra)
            notes = next(n for n in self.dir.glob("*.gcno") if n.with_suffix(".gcda").exists())
            text = self.run_raw(LLVM_COV, "gcov", "-b", "-c", "--stdout", notes.name, text=True).stdout
            lines, branches, functions, inside = {}, [], {}, False
            for line in text.splitlines():
                found = re.match(r" *([-\d#=]+): *(\d+):(Source:.*)?", line)
                inside = found[3] == "Source:" + source if found and found[3] else inside
                if inside and found and found[1] != "-":
                    lines[int(found[2])] = int(found[1]) if found[1].isdigit() else 0
                if inside and line.startswith("branch"):
                    branches.append(" taken 0" not in line and "never" not in line)
                called = re.match(r"function (\S+) called (\d+) ", line)
                if inside and called:
                    functions[called[1]] = int(called[2])
            self.assertGreater(len(lines), 20)
            self.assertEqual(self.lines(told, source), lines)
            self.assertEqual(self.functions(told, source), functions)
            totals = self.file_of(told, source)["totals"]["branches"]
            self.assertEqual((totals["all"], totals["hit"]), (len(branches), sum(branches)))
            if source == "covered.cc":
                names = {f["name"] for f in self.file_of(told, source)["functions"]}
                self.assertIn("shapes::box::volume() const", names)
                self.assertGreater(len(told["files"]), 1)
            notes.with_suffix(".gcda").unlink()

    @needs_llvm
    def test_objects_of_gcc_and_clang_add_up_in_one_directory(self):
        (self.dir / "build").mkdir()
        for compiler, name in (("gcc", "a"), (CLANG, "b")):
            (self.dir / f"{name}.c").write_text("int main(void)\n{\n    return 0;\n}\n")
            self.run_raw(compiler, "--coverage", "-c", f"{name}.c", "-o", f"build/{name}.o")
            self.run_raw(compiler, "--coverage", f"build/{name}.o", "-o", f"build/{name}")
        self.run_raw("build/b")
        (self.dir / "build/z.gcno").write_bytes(next(self.dir.glob("build/b.gcno")).read_bytes()[:60])
        run = self.cov("--json", "build", status=1)  # a.c was compiled one directory above
        self.assertRegex(run.stderr, r"\Aoriel: build/z.gcno: llvm-cov cannot read it\n\Z")
        told = json.loads(run.stdout)
        self.assertEqual(self.lines(told, "a.c"), {1: 0, 3: 0})
        self.assertEqual(self.lines(told, "b.c"), {1: 1, 3: 1})

    @needs_llvm
    def test_counts_of_clang_are_those_of_llvm_cov(self):
        flags = ("-fprofile-instr-generate", "-fcoverage-mapping")
        for source, compiler in (("covered.c", CLANG), ("covered.cc", CLANGXX)):
            program = self.build(source, "profiled", "-O0", *flags, compiler=compiler)
            self.run_raw(program, env={**self.env, "LLVM_PROFILE_FILE": "p.profraw"})
            self.run_raw(PROFDATA, "merge", "-sparse", "p.profraw", "-o", "p.profdata")
            export = self.run_raw(LLVM_COV, "export", "-format=lcov", "-instr-profile=p.profdata",
                                  program, text=True).stdout
            # Its records; what it says of their sums counts lines of lambdas twice.
            theirs = {int(l): int(c) for l, c in re.findall(r"(?m)^DA:(\d+),(\d+)$", export)}
            taken = re.findall(r"(?m)^BRDA:.*,([-\d]+)$", export)
            called = [int(c) for c in re.findall(r"(?m)^FNDA:(\d+),", export)]
            report = self.run_raw(LLVM_COV, "report", "-instr-profile=p.profdata", program,
                                  text=True).stdout.splitlines()[-1].split()
            self.cov("--", program)
            for told in (self.as_json(), self.as_json("--object", program, "p.profraw"),
                         self.as_json("--object", program, "p.profdata")):
                totals = self.file_of(told, source)["totals"]
                self.assertEqual(self.lines(told, source), theirs)
                for what, counts in (("branches", [int(t.replace("-", "0")) for t in taken]),
                                     ("functions", called)):
                    self.assertEqual((totals[what]["all"], totals[what]["hit"]),
                                     (len(counts), sum(c > 0 for c in counts)), source)
            if source == "covered.c":  # in C++ its report counts lines of instances twice
                self.assertEqual([int(n) for n in report[7:9]],
                                 [totals["lines"]["all"],
                                  totals["lines"]["all"] - totals["lines"]["hit"]])
        self.assertIn("int shapes::twice<int>(int)",
                      [f["name"] for f in self.file_of(told, "covered.cc")["functions"]])
        self.assertIn("--object", self.one_line(self.cov("p.profraw", status=1).stderr))

    def test_several_runs_add_up_and_a_build_counts_what_never_ran(self):
        program = self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--name", "one", "--", program, "none")
        self.cov("--name", "two", "--", program, "threads")
        one, two = (self.lines(self.as_json(n), "covered.c") for n in ("one", "two"))
        both = self.lines(self.as_json("one", "two"), "covered.c")
        self.assertEqual(both, {l: one[l] + two[l] for l in one})
        self.assertEqual(self.lines(self.as_json("one", "one", "@2"), "covered.c"),
                         {l: 3 * c for l, c in one.items()})
        self.assertEqual(set(self.lines(self.as_json("."), "covered.c").values()), {0})
        self.run_raw(program)
        self.assertEqual(self.lines(self.as_json("."), "covered.c"), one)

    def test_all_programs_that_a_script_runs_count(self):
        program = self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--name", "one", "--", program, "none")
        self.cov("--name", "two", "--", program, "threads")
        text = f"mkdir away && cd away && ../{program} none && .{program} threads & wait; exit 3"
        self.cov("--name", "both", "--", "sh", "-c", text, status=3)
        self.assertEqual(self.lines(self.as_json("both"), "covered.c"),
                         self.lines(self.as_json("one", "two"), "covered.c"))

    @needs_lcov
    def test_lcov_reads_what_is_written_and_the_other_way_round(self):
        program = self.build("covered.cc", "counted", "-O0", *COUNTING)
        self.cov("-o", "ours.info", "--", program)
        told = self.as_json("ours.info")
        rc = ("--rc", "lcov_branch_coverage=1")
        for path in ("ours.info", next(self.dir.glob(".oriel/runs/*/coverage.info"))):
            text = self.run_raw("lcov", *rc, "--summary", path, text=True).stdout
            for what in ("lines", "functions", "branches"):
                totals = told["totals"][what]
                self.assertRegex(text, rf"{what}\.+: [\d.]+% "
                                       rf"\({totals['hit']} of {totals['all']} {what}\)")
            page = self.run_raw("genhtml", "-q", "-o", "page", path, text=True)
            self.assertEqual(page.returncode, 0, page.stderr)
        run = self.run_raw("lcov", *rc, "-a", "ours.info", "-a", "ours.info", "-o", "twice.info",
                           text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.lines(self.as_json("twice.info"), "covered.cc"),
                         self.lines(self.as_json("ours.info", "ours.info"), "covered.cc"))
        # What lcov itself captures of the same build.
        self.run_raw(program)
        run = self.run_raw("lcov", *rc, "-q", "-c", "--no-external", "-d", ".", "-b", ".", "-o",
                           "theirs.info", text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.lines(self.as_json("theirs.info"), "covered.cc"),
                         self.lines(told, "covered.cc"))

    # ---- as it is ----

    def known_to_one_side(self, source, lines, starts):
        """Lines that only one of gcov and debug information knows begin or end something:
        gcov says where a function's name is and knows labels, which have no instruction of
        their own; debug information says where braces are."""
        text = (self.dir / source).read_text().splitlines()
        for line in lines:
            code = text[line - 1].strip()
            self.assertTrue(code in ("{", "}", "} // namespace shapes") or line in starts or
                            re.fullmatch(r"(case \d+|default):", code), f"{line}: {code}")

    def agree(self, source, *words):
        counted = self.build(source, "counted", "-O0", *COUNTING)
        plain = self.build(source, "plain", "-O0")
        before = pathlib.Path(self.dir / "plain").read_bytes()
        self.cov("--name", "counts", "--", counted, *words)
        self.cov("--binary", "--name", "points", "--", plain, *words)
        self.assertEqual(pathlib.Path(self.dir / "plain").read_bytes(), before)
        a, b = self.as_json("counts"), self.as_json("points")
        self.assertTrue(a["counted"] and not b["counted"])
        x, y = self.lines(a, source), self.lines(b, source)
        starts = {f["line"] for f in self.file_of(a, source)["functions"]}
        starts |= {f["line"] for f in self.file_of(b, source)["functions"]}
        self.assertGreater(len(set(x) & set(y)), 15)
        self.known_to_one_side(source, set(x) ^ set(y), starts)
        return ({l: bool(c) for l, c in x.items() if l in y},
                {l: bool(c) for l, c in y.items() if l in x},
                {k: bool(v) for k, v in self.functions(a, source).items()},
                {k: bool(v) for k, v in self.functions(b, source).items()})

    def test_breakpoints_find_the_lines_and_functions_that_gcov_counts(self):
        for words in (("none",), ("threads",), ("signals",), ("none", "300")):
            x, y, f, g = self.agree("covered.c", *words)
            self.assertEqual(x, y)
            self.assertEqual(f, g)
        for words in ((), ("more",)):
            x, y, f, g = self.agree("covered.cc", *words)
            self.assertEqual(x, y)
            # A constructor has two names for one body.
            self.assertEqual({k.replace("C2E", "C1E"): v for k, v in f.items()}, g)

    def test_children_that_end_with_exit_are_seen_though_gcov_loses_them(self):
        x, y, f, g = self.agree("covered.c", "forks")
        self.assertFalse(f["only_in_child"])
        self.assertTrue(g["only_in_child"] and g["also_in_child"] and f["also_in_child"])
        self.assertEqual({l for l in x if x[l] and not y[l]}, set())

    def check_same_behaviour(self, program, *words):
        plain = self.run_raw(program, *words)
        seen = self.run_raw(ORIEL, "cov", "--binary", "--", program, *words)
        self.assertEqual((seen.returncode, seen.stdout), (plain.returncode, plain.stdout),
                         f"{words}: {seen.stderr.decode()}")
        self.assertIn(b"stored", seen.stderr)

    def test_a_program_behaves_the_same_with_breakpoints(self):
        for flags in (("-O0",), ("-O2",), ("-O2", "-static")):
            program = self.build("covered.c", "plain", *flags)
            for way in WAYS:
                self.check_same_behaviour(program, way)
        self.check_same_behaviour(self.build("covered.cc", "thrower", "-O2"))

    def test_threads_that_run_into_one_breakpoint_all_go_on(self):
        program = self.build("covered.c", "plain", "-O0")
        for _ in range(15):
            self.check_same_behaviour(program, "threads")

    def test_a_death_by_signal_is_died_again(self):
        program = self.build("covered.c", "plain", "-O0")
        run = self.cov("--binary", "--", program, "kill", status=-signal.SIGTERM)
        self.assertIn("covered.c", run.stderr)

    def test_a_stopped_program_goes_on_when_it_is_told_to(self):
        program = self.build("covered.c", "plain", "-O0")
        child = self.start(ORIEL, "cov", "--binary", "--", program, "stop",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("work", child.stdout.readline())
        self.until("the program goes on", lambda: self.continued(child))
        out, err = child.communicate()
        self.assertEqual(child.returncode, 0, err)
        self.assertEqual(out, "went on\n")

    @staticmethod
    def only_child(pid):
        path = f"/proc/{pid}/task/{pid}/children"
        return int(pathlib.Path(path).read_text(encoding="ascii").split()[0])

    def test_a_signal_for_the_tracer_reaches_the_program(self):
        child = self.start(ORIEL, "cov", "--binary", "--", self.build("covered.c", "plain", "-O0"),
                           "stop", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("work", child.stdout.readline())
        child.send_signal(signal.SIGTERM)
        self.until("the program gets it", lambda: self.continued(child))
        child.communicate(timeout=300)
        self.assertEqual(child.returncode, -signal.SIGTERM)

    def continued(self, child):
        """A signal that comes before the stop is lost: as often as it takes."""
        try:
            os.kill(self.only_child(child.pid), signal.SIGCONT)
        except (OSError, IndexError):
            pass
        return child.poll() is not None

    def test_what_is_left_behind_goes_on_without_breakpoints(self):
        program = self.build("covered.c", "plain", "-O0")
        self.run_raw(program, "leave", 1, "alone")
        run = self.cov("--binary", "--", program, "leave", 1, "seen")
        self.assertIn("1 process it left behind", run.stderr)
        for name in ("alone", "seen"):
            self.until("it writes its file", lambda n=name: (self.dir / n).exists())
        self.assertEqual((self.dir / "alone").read_text(), (self.dir / "seen").read_text())

    def test_stripped_with_its_debug_information_beside_it_and_without(self):
        program = self.build("covered.c", "plain", "-O0")
        self.cov("--binary", "--name", "whole", "--", program)
        for words in (("--only-keep-debug", program, "plain.debug"), ("--strip-all", program),
                      ("--add-gnu-debuglink=plain.debug", program)):
            self.assertEqual(self.run_raw("objcopy", *words).returncode, 0)
        self.cov("--binary", "--name", "stripped", "--", program)
        whole, stripped = self.as_json("whole"), self.as_json("stripped")
        self.assertEqual(self.lines(whole, "covered.c"), self.lines(stripped, "covered.c"))
        self.assertEqual(self.functions(whole, "covered.c"), self.functions(stripped, "covered.c"))
        (self.dir / "plain.debug").unlink()
        run = self.cov("--binary", "--", program, status=1)
        self.assertIn("build it with -g", self.one_line(run.stderr))
        self.assertEqual(run.stdout, "")  # it was not run

    def test_a_library_and_a_program_that_a_shell_runs(self):
        (self.dir / "part.c").write_text("int half(int n)\n{\n    return n / 2;\n}\n"
                                         "int twice(int n)\n{\n    return n * 2;\n}\n")
        (self.dir / "user.c").write_text("int half(int n);\nint main(void)\n{\n"
                                         "    return half(6);\n}\n")
        self.run_raw("gcc", "-g", "-O0", "-shared", "-fPIC", "part.c", "-o", "libpart.so")
        self.run_raw("gcc", "-g", "-O0", "user.c", "-L.", "-lpart", "-Wl,-rpath,$ORIGIN", "-o", "user")
        both = ("--object", "./user", "--object", "./libpart.so")
        self.cov("--binary", *both, "--name", "direct", "--", "./user", status=3)
        self.cov("--binary", *both, "--name", "shell", "--", "sh", "-c", "./user; exit 4", status=4)
        for name in ("direct", "shell"):
            told = self.as_json(name)
            self.assertEqual(self.functions(told, "part.c"), {"half": 1, "twice": 0})
            self.assertEqual(self.functions(told, "user.c"), {"main": 1})
        self.cov("--binary", "--object", "./libpart.so", "--name", "alone", "--", "./user", status=3)
        self.assertEqual(self.functions(self.as_json("alone"), "part.c"), {"half": 1, "twice": 0})
        run = self.cov("--binary", "--object", "./libpart.so", "--", "true")
        self.assertIn("libpart.so: was not part of the program", run.stderr)

    @needs_full_speed
    def test_breakpoints_cost_nothing_once_they_were_reached(self):
        """Not how fast it is, but that the work of the tracer does not grow with the program's."""
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        program = self.build("covered.c", "plain", "-O0")
        calls = []
        for work in (1000, 1000000):
            run = self.run_raw("strace", "-c", "-e", "trace=ptrace,wait4", "-o", "calls", ORIEL, "cov",
                               "--binary", "--", program, "none", work)
            if run.returncode:
                self.skipTest("a tracer cannot be traced here")
            total = (self.dir / "calls").read_text().splitlines()[-1]
            calls.append(int(re.search(r"(\d+)\s+(?:\d+\s+)?total", total)[1]))
        self.assertLess(calls[1], calls[0] + 200)

    # ---- the rest ----

    def test_the_exit_status_and_the_limit_for_ci(self):
        program = self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--", program, "status", status=42)
        self.cov("--fail-under", "5%", "--", program)
        run = self.cov("--fail-under", "80%", "--", program, status=1)
        self.assertRegex(run.stderr, "of the lines were executed, fewer than 80 %\n")
        self.assertIn("fewer than 99.5 %", self.cov("--fail-under", "99.5", status=1).stderr)
        self.cov("--fail-under", "lots", status=2)
        # The program's own failure goes first.
        self.cov("--fail-under", "80%", "--", program, "status", status=42)
        self.cov("--", "./missing", status=127)
        self.cov("--", "./covered.c", status=126)

    def test_a_program_that_counts_nothing_is_told_what_to_do(self):
        program = self.build("covered.c", "plain", "-O0")
        run = self.cov("--", program, status=1)
        self.assertIn("work ", run.stdout)
        self.assertIn("--coverage", run.stderr)
        self.assertIn("--binary", run.stderr)
        self.assertEqual(list(self.dir.glob(".oriel/runs/*")), [])
        self.cov("--", program, "status", status=42)

    def test_runs_of_coverage_are_listed_and_removed_like_others(self):
        program = self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--", program)
        runs = json.loads(self.oriel("runs", "--json").stdout)["runs"]
        self.assertEqual([r["program"] for r in runs], ["counted"])
        self.assertRegex(runs[0]["with"], r"coverage [\d.]+ % of lines")
        self.assertEqual(runs[0]["command"], program)
        # A report is of recordings.
        self.assertIn("no run", self.one_line(self.oriel("report").stderr))
        self.assertIn("oriel cov @1", self.one_line(self.oriel("report", "@1").stderr))
        self.assertEqual(self.oriel("runs", "prune", "--keep", 0).returncode, 0)
        self.assertEqual(list(self.dir.glob(".oriel/runs/*")), [])

    def test_lines_that_lost_their_coverage_are_named_though_the_code_moved(self):
        program = self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--name", "before", "--", program, "threads")
        source = self.dir / "covered.c"
        text = source.read_text().replace("static int choose", "static int added(void)\n{\n"
                                          "    return 1;\n}\n\nstatic int choose", 1)
        text = text.replace('printf("work', 'if (argc > 9)\n        added();\n    printf("work', 1)
        source.write_text(text)
        self.build("covered.c", "counted", "-O0", *COUNTING)
        self.cov("--name", "after", "--", program, "none")
        told = json.loads(self.cov("diff", "--json", "before", "after").stdout)
        lines = text.splitlines()
        by = {change: [lines[l["line"] - 1].strip() for l in told["lines"] if l["change"] == change]
              for change in ("lost", "gained", "new")}
        self.assertIn("return n * 2;", by["lost"])
        self.assertIn("threads();", by["lost"])
        self.assertTrue(all("else if" in l for l in by["gained"]), by)
        self.assertEqual(sorted(by["new"]), ["added();", "return 1;", "static int added(void)"])
        for line in told["lines"]:
            if line["change"] == "lost":
                self.assertIn(line["line"] - line["line_before"], (5, 7))
        out = self.cov("diff", "before", "after").stdout
        self.assertRegex(out, r"covered\.c:\d+ +return n \* 2; +was line \d+")
        self.cov("diff", "--fail-lost", "before", "after", status=1)
        self.cov("diff", "--fail-lost", "after", "after")

    def test_pages_and_patterns(self):
        program = self.build("covered.cc", "counted", "-O0", *COUNTING)
        self.cov("-o", "page.html", "--", program)
        page = (self.dir / "page.html").read_text()
        self.assertIn("<u>        return side_ * area();</u>", page)
        self.assertIn("template &lt;typename T> T twice(T value)", page)
        self.assertNotIn("<script", page)
        self.cov("-o", "page.html", status=1)
        self.cov("-f", "-o", "page.html")
        self.cov("-o", "page.txt", status=2)
        self.assertEqual(len(self.as_json("--include", "*.cc", "--system", ".")["files"]), 1)
        self.assertEqual(len(self.as_json("--include", str(self.dir), ".")["files"]), 1)
        self.assertIn("no source file is left",
                      self.one_line(self.cov("--exclude", "*.cc", status=1).stderr))
        text = self.cov("--function").stdout.splitlines()
        self.assertRegex(text[1], r"shapes::box::volume\(\) const +never +covered.cc:\d+")

    def test_wrong_words_are_one_line(self):
        (self.dir / "text").write_text("hello\n")
        (self.dir / "empty").mkdir()
        for words, status, expected in (
                (["nowhere"], 1, "no such file"), (["text"], 1, "no source file"),
                (["empty"], 1, "no coverage"), ([], 1, "no run of coverage"),
                (["--binary"], 2, "wants a program"), (["text", "--", "true"], 2, "not both"),
                (["--"], 2, "missing"), (["--json", "--", "true"], 2, "-o FILE.json"),
                (["diff", "text"], 2, "two sides"), (["--source", "x.c", "text"], 1, "no source"),
                (["--gcov", "nowhere", "x.gcno"], 1, "x.gcno")):
            run = self.cov(*words, status=status)
            self.assertIn(expected, self.one_line(run.stderr))
        (self.dir / "x.gcno").write_bytes(b"nothing")
        self.one_line(self.cov("x.gcno", status=1).stderr)
        self.assertIn("--gcov", self.one_line(self.cov("--gcov", "nowhere", "x.gcno", status=1).stderr))


if __name__ == "__main__":
    main()
