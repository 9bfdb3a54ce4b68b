#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every gate must be able to fail: each is run over a small tree that breaks
its rule, and over the same tree in order.

usage: selftest.py [Class...]        (unittest; each class is one ctest)
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / "tools"
HEAD = "/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n" \
       "/*\n * A file of a tree that exists only while a gate is tested, in memory of none.\n */\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="oriel-gate.")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "tools").mkdir()
        (self.root / "include").mkdir()
        (self.root / "src").mkdir()

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def table(self, name):
        shutil.copy(TOOLS / name, self.root / "tools" / name)

    def run_gate(self, name, *arguments):
        return subprocess.run([sys.executable, TOOLS / name, "--root", self.root, *arguments],
                              capture_output=True, text=True, cwd=self.root, check=False)

    def passes(self, name, *arguments):
        run = self.run_gate(name, *arguments)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def fails(self, name, *arguments, saying):
        run = self.run_gate(name, *arguments)
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn(saying, run.stdout)

    def compile(self, *sources, options=()):
        """Objects and compile_commands.json in build/, as CMake leaves them."""
        (self.root / "build").mkdir(exist_ok=True)
        (self.root / "build/CMakeCache.txt").write_text("ORIEL_ONLY:STRING=\n", encoding="utf-8")
        commands = []
        for source in sources:
            output = source.replace("/", "_") + ".o"
            subprocess.run(["gcc", "-O2", "-fPIC", *options, "-c", self.root / source, "-o", f"build/{output}"],
                           cwd=self.root, check=True)
            commands.append({"file": str(self.root / source), "directory": str(self.root),
                             "command": f"gcc {' '.join(options)} -o {output} -c {source}"})
        self.write("build/compile_commands.json", json.dumps(commands))

    def link(self, name, *sources, options=()):
        subprocess.run(["gcc", "-shared", *options, "-o", f"build/{name}",
                        *[f"build/{source.replace('/', '_')}.o" for source in sources]],
                       cwd=self.root, check=True)


class Layers(Tree):
    def setUp(self):
        super().setUp()
        self.table("layers.txt")
        self.write("src/base/buf.h", HEAD)
        self.write("src/pipe/pipe.h", HEAD + '#include "base/buf.h"\n#include <stddef.h>\n')
        self.write("src/export/exporter.h", HEAD)
        self.write("src/export/chrome/json.h", HEAD)

    def test_a_tree_in_order_passes(self):
        self.write("src/export/chrome/chrome.c",
                   HEAD + '#include "export/exporter.h"\n#include "export/chrome/json.h"\n')
        self.passes("check_layers.py")

    def test_a_room_that_looks_upward_is_named_with_file_and_line(self):
        self.write("src/base/buf.c", HEAD + '#include "pipe/pipe.h"\n')
        self.fails("check_layers.py", saying="src/base/buf.c:5: layers: base may not include "
                   "src/pipe/pipe.h")

    def test_a_folder_that_sees_its_sibling_is_refused(self):
        self.write("src/export/log/log.c", HEAD + '#include "export/chrome/json.h"\n')
        self.fails("check_layers.py", saying="folders of export never see each other")

    def test_the_top_of_a_room_does_not_know_its_outlets(self):
        self.write("src/export/registry.c", HEAD + '#include "export/chrome/json.h"\n')
        self.fails("check_layers.py", saying="folders of export never see each other")

    def test_only_interface_headers_are_open_where_the_table_says_so(self):
        self.write("src/session/session.c", HEAD + '#include "export/exporter.h"\n')
        self.passes("check_layers.py")
        self.write("src/session/session.c", HEAD + '#include "export/chrome/json.h"\n')
        self.fails("check_layers.py", saying="session may not include src/export/chrome/json.h")

    def test_a_system_header_out_of_its_room_is_refused(self):
        self.write("src/pipe/pipe.c", HEAD + "#include <sys/socket.h>\n")
        self.fails("check_layers.py", saying="pipe may not include <sys/socket.h>")

    def test_an_unknown_system_header_is_refused(self):
        self.write("src/util/x.c", HEAD + "#include <zookeeper.h>\n")
        self.fails("check_layers.py", saying="<zookeeper.h> is in no set")

    def test_a_file_outside_every_room_is_refused(self):
        self.write("src/attic/x.c", HEAD)
        self.fails("check_layers.py", saying="is in no room")

    def test_a_commented_include_does_not_count(self):
        self.write("src/base/buf.c", HEAD + '/*\n#include "pipe/pipe.h"\n*/\n')
        self.passes("check_layers.py")

    def test_tests_may_look_anywhere(self):
        self.write("src/base/buf_test.c", HEAD + '#include "pipe/pipe.h"\n')
        self.passes("check_layers.py")


class Shape(Tree):
    def setUp(self):
        super().setUp()
        if not shutil.which("pmccabe"):
            self.skipTest("pmccabe is not installed")
        self.waive("")

    def waive(self, text):
        self.write("tools/shape_waivers.txt", text)

    def function(self, lines):
        body = "".join(f"    x += {i};\n" for i in range(lines))
        self.write("src/base/a.c", HEAD + f"int f(int x)\n{{\n{body}    return x;\n}}\n")

    def test_a_small_function_passes(self):
        self.function(10)
        self.passes("check_shape.py")

    def test_a_long_function_is_refused(self):
        self.function(90)
        self.fails("check_shape.py", saying="function of f is 94, the limit is 80")

    def test_a_tangled_function_is_refused(self):
        body = "".join(f"    if (x == {i})\n        return {i * i};\n" for i in range(25))
        self.write("src/base/a.c", HEAD + f"int f(int x)\n{{\n{body}    return x;\n}}\n")
        self.fails("check_shape.py", saying="complexity of f is 26, the limit is 20")

    def test_a_long_file_is_refused(self):
        self.write("src/base/a.c", HEAD + "\n" * 800)
        self.fails("check_shape.py", saying="file of - is 804, the limit is 800")

    def test_a_macro_in_place_of_a_type_hides_nothing(self):
        body = "".join(f"    x += {i};\n" for i in range(90))
        self.write("src/base/a.c", HEAD + "struct s {\n    VEC(struct t) items;\n};\n"
                   f"int f(int x)\n{{\n{body}    return x;\n}}\n")
        self.fails("check_shape.py", saying="function of f is 94")

    def test_a_file_that_cannot_be_measured_is_refused(self):
        self.write("src/base/a.c", HEAD + "struct s {\n    ODD(struct t) items;\n};\n")
        self.fails("check_shape.py", saying="cannot measure it")

    def test_a_waiver_allows_what_it_says(self):
        self.function(90)
        self.waive("function src/base/a.c f 94\n")
        self.passes("check_shape.py")

    def test_a_waived_function_may_not_grow(self):
        self.function(91)
        self.waive("function src/base/a.c f 94\n")
        self.fails("check_shape.py", saying="grew to 95, its waiver says 94")

    def test_a_waiver_follows_its_function_down(self):
        self.function(85)
        self.waive("function src/base/a.c f 94\n")
        self.fails("check_shape.py", saying="is 89 now: lower this line to it")

    def test_an_unused_waiver_is_refused(self):
        self.function(10)
        self.waive("function src/base/a.c f 94\n")
        self.fails("check_shape.py", saying="is 14 now: remove this line")
        self.waive("function src/base/b.c g 94\n")
        self.fails("check_shape.py", saying="src/base/b.c g is gone: remove this line")


class Banned(Tree):
    def setUp(self):
        super().setUp()
        self.table("banned.txt")

    def test_a_banned_call_is_named_with_file_and_line(self):
        self.write("src/util/a.c", HEAD + "void f(char *p)\n{\n    sprintf(p, \"x\");\n}\n")
        self.fails("check_banned.py", saying="src/util/a.c:7: banned call: sprintf")

    def test_a_call_in_its_own_room_passes(self):
        self.write("src/base/mem.c", HEAD + "void mem_free(void *p)\n{\n    free(p);\n}\n")
        self.write("src/cli/main.c", HEAD + "void f(void)\n{\n    printf(\"hello\");\n}\n")
        self.passes("check_banned.py")

    def test_the_same_call_elsewhere_is_refused(self):
        self.write("src/base/buf.c", HEAD + "void f(void *p)\n{\n    free(p);\n}\n")
        self.fails("check_banned.py", saying="src/base/buf.c:7: banned call: free")

    def test_members_comments_strings_and_longer_names_pass(self):
        self.write("src/util/a.c", HEAD + "void f(struct o *o)\n{\n    /* free(x) */\n"
                   "    o->free(o);\n    mem_free(o);\n    puts_ours(\"strcpy(a, b)\");\n}\n")
        self.passes("check_banned.py")

    def test_tests_may_call_what_they_like(self):
        self.write("src/util/a_test.c", HEAD + "void f(void)\n{\n    printf(\"x\");\n}\n")
        self.passes("check_banned.py")


class Text(Tree):
    def test_a_file_in_order_passes(self):
        self.write("src/base/a.c", HEAD)
        self.passes("check_text.py")

    def test_a_missing_licence_line_is_refused(self):
        self.write("src/base/a.c", "/*\n * One two three four five six seven eight nine.\n */\n")
        self.fails("check_text.py", saying="src/base/a.c:1: licence")
        self.write("src/base/a.c", HEAD)
        self.write("tools/b", "#!/bin/sh\ntrue\n")
        self.fails("check_text.py", saying="tools/b:1: licence")

    def test_a_missing_head_comment_is_refused(self):
        self.write("src/base/a.c", HEAD.splitlines()[0] + "\nint x;\n")
        self.fails("check_text.py", saying="src/base/a.c:2: head comment")

    def test_a_task_left_behind_is_refused(self):
        self.write("src/base/a.c", HEAD + "/* TO" "DO: later */\n")
        self.fails("check_text.py", saying="src/base/a.c:5: left behind")

    def test_a_path_of_a_machine_is_refused(self):
        self.write("src/base/a.c", HEAD + '#define DIR "/ho' 'me/somebody/x"\n')
        self.fails("check_text.py", saying="src/base/a.c:5: machine path")

    def test_stray_white_space_is_refused(self):
        self.write("src/base/a.c", HEAD + "int x; \n")
        self.fails("check_text.py", saying="src/base/a.c:5: white space: blanks")
        self.write("src/base/a.c", HEAD + "\tint x;\n")
        self.fails("check_text.py", saying="src/base/a.c:5: white space: a tab")
        self.write("src/base/a.c", HEAD + "int x;")
        self.fails("check_text.py", saying="no newline at the end")


class Globals(Tree):
    def test_a_symbol_used_by_another_file_passes(self):
        self.write("src/base/a.c", "int base_f(void);\nint base_f(void)\n{\n    return 1;\n}\n")
        self.write("src/base/b.c", "int base_f(void);\nint oriel_g(void)\n{\n    return base_f();\n}\n")
        self.compile("src/base/a.c", "src/base/b.c")
        self.passes("check_globals.py")

    def test_a_symbol_used_by_nobody_else_is_refused(self):
        self.write("src/base/a.c", "int base_f(void);\n\nint base_f(void)\n{\n    return 1;\n}\n")
        self.compile("src/base/a.c")
        self.fails("check_globals.py", saying="single use: base_f is used in no other file")

    def test_use_by_a_test_counts(self):
        self.write("src/base/a.c", "int base_f(void)\n{\n    return 1;\n}\n")
        self.write("src/base/a_test.c", "int base_f(void);\nint main(void)\n{\n"
                   "    return base_f();\n}\n")
        self.compile("src/base/a.c", "src/base/a_test.c")
        self.passes("check_globals.py")


class Core(Tree):
    SOURCE = """#include <string.h>
void *malloc(unsigned long);
void rec_grow(void **out);
__attribute__((noinline)) void rec_grow(void **out) { *out = malloc(8); }
void oriel_emit(void **out, const void *in);
void oriel_emit(void **out, const void *in)
{
    if (!*out)
        rec_grow(out);
    memcpy(*out, in, *(const unsigned long *)in);
}
"""

    def setUp(self):
        super().setUp()
        self.write("src/rec/emit.c", self.SOURCE)
        self.compile("src/rec/emit.c")
        self.link("liboriel-core.so", "src/rec/emit.c")
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\n_GLOBAL_OFFSET_TABLE_\n")
        self.write("tools/hot_path.txt", "root oriel_emit\npure memcpy\ncold rec_grow first use\n")

    def test_an_allowed_closure_and_a_cold_exit_pass(self):
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\n")
        self.passes("check_core.py")

    def test_a_new_dependency_is_refused(self):
        self.write("tools/core_symbols.txt", "memcpy\n")
        self.fails("check_core.py", saying="src/rec/emit.c:1: core symbols: needs malloc")

    def test_a_permission_that_nothing_needs_is_refused(self):
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\nprintf\n")
        self.fails("check_core.py", saying="nothing needs printf")

    def test_a_call_on_the_hot_path_is_shown_with_its_chain(self):
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\n")
        self.write("tools/hot_path.txt", "root oriel_emit\npure memcpy\n")
        self.fails("check_core.py", saying="oriel_emit -> rec_grow -> malloc")

    def test_a_root_that_is_gone_is_refused(self):
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\n")
        self.write("tools/hot_path.txt",
                   "root oriel_emit\nroot oriel_gone\npure memcpy\ncold rec_grow x\n")
        self.fails("check_core.py", saying="there is no oriel_gone")

    def test_code_beyond_its_size_is_refused(self):
        self.write("tools/core_symbols.txt", "malloc\nmemcpy\n")
        self.write("src/rec/large.c", '__asm__(".text\\n.skip 65536\\n");\n')
        self.compile("src/rec/large.c")
        self.link("liboriel-core.so", "src/rec/emit.c", "src/rec/large.c")
        self.fails("check_core.py", saying="of 65536 at most")


class Exports(Tree):
    MAP = "ORIEL_0.1 {\n    global: oriel_*;\n    local: *;\n};\n"

    def setUp(self):
        super().setUp()
        self.write("x.map", self.MAP)
        self.build("int oriel_a(void) { return 1; }\n")
        self.list("oriel_a@@ORIEL_0.1\n")

    def build(self, text):
        self.write("src/rec/a.c", text)
        self.compile("src/rec/a.c", options=["-fvisibility=default"])
        for name in ("liboriel-core.so", "liboriel.so"):
            self.link(name, "src/rec/a.c", options=["-Wl,--version-script=x.map"])
        archive = self.root / "build/liboriel-core.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "rcs", archive, self.root / "build/src_rec_a.c.o"], check=True)

    def list(self, text):
        for name in ("liboriel-core.so", "liboriel.so"):
            self.write(f"tests/abi/{name}.symbols", text)

    def test_a_library_as_listed_passes(self):
        self.passes("check_exports.py")

    def test_an_unlisted_export_is_refused(self):
        self.build("int oriel_a(void) { return 1; }\nint oriel_b(void) { return 1; }\n")
        self.fails("check_exports.py", saying="liboriel-core.so exports oriel_b@@ORIEL_0.1")

    def test_a_lost_export_is_refused(self):
        self.list("oriel_a@@ORIEL_0.1\noriel_b@@ORIEL_0.1\n")
        self.fails("check_exports.py", saying="liboriel.so does not export oriel_b@@ORIEL_0.1")

    def test_a_name_that_leaks_from_the_archive_is_refused(self):
        self.build("int oriel_a(void) { return 1; }\nint helper(void) { return 1; }\n")
        self.fails("check_exports.py", saying="liboriel-core.a exports helper")


class Clang(Tree):
    def setUp(self):
        super().setUp()
        if not shutil.which("clang"):
            self.skipTest("clang is not installed")

    def test_what_only_clang_warns_of_is_refused(self):
        self.write("src/base/a.c", "int f(int x)\n{\n    x = x;\n    return x;\n}\n")
        self.compile("src/base/a.c", options=["-Wall", "-Werror", "-DNDEBUG"])
        self.fails("check_clang.py", saying="src/base/a.c:3: clang: explicitly assigning")

    def test_a_file_in_order_passes(self):
        self.write("src/base/a.c", "int f(int x)\n{\n    return x;\n}\n")
        self.compile("src/base/a.c", options=["-Wall", "-Werror"])
        self.passes("check_clang.py")


class Scripts(Tree):
    """The gates that are shell scripts take what they look at as arguments."""

    def sh(self, name, *arguments):
        return subprocess.run(["bash", HERE / name, *map(str, arguments)],
                              capture_output=True, text=True, cwd=self.root, check=False)

    def test_a_header_that_leans_on_another_is_refused(self):
        self.write("include/oriel/good.h", "#include <stddef.h>\nextern size_t x;\n")
        run = self.sh("headers.sh", self.root)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.write("include/oriel/bad.h", "extern size_t x;\n")
        run = self.sh("headers.sh", self.root)
        self.assertEqual(run.returncode, 1)
        self.assertIn("include/oriel/bad.h", run.stdout)

    def test_a_header_that_is_no_cxx_is_refused(self):
        self.write("include/oriel/bad.h", "struct s { int class; };\n")
        run = self.sh("headers.sh", self.root)
        self.assertEqual(run.returncode, 1)
        self.assertIn("does not compile alone as c++17", run.stdout)

    def test_a_macro_that_leaves_code_behind_is_found(self):
        self.write("include/oriel/oriel.h", "#define ORIEL_SPAN(x) ((void)0)\n")
        self.write("s.c", "#include <oriel/oriel.h>\nint f(int x)\n{\n    ORIEL_SPAN(x++);\n"
                   "    return x;\n}\n")
        run = self.sh("off_identity.sh", self.root, self.root / "s.c")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.write("include/oriel/oriel.h", "#define ORIEL_SPAN(x) (x)\n")
        run = self.sh("off_identity.sh", self.root, self.root / "s.c")
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn("differs", run.stdout)

    def test_a_file_edited_by_hand_is_found(self):
        self.write("tools/gen_args.py", "import sys\nopen(sys.argv[1], 'w').write('made')\n")
        self.write("include/oriel/args.h", "made")
        self.assertEqual(self.sh("generated.sh", self.root).returncode, 0)
        self.write("include/oriel/args.h", "made by hand")
        run = self.sh("generated.sh", self.root)
        self.assertEqual(run.returncode, 1)
        self.assertIn("include/oriel/args.h:1: generated", run.stdout)

    def test_inlined_code_that_calls_what_it_may_not_is_found(self):
        self.write("include/oriel/oriel.h", "void oriel_slow(void);\n"
                   "#define ORIEL_SPAN(x) oriel_slow()\n")
        self.write("s.c", "#include <oriel/oriel.h>\nint f(int x);\nint f(int x)\n{\n"
                   "    ORIEL_SPAN(x);\n    return x;\n}\n")
        self.write("tools/hot_path.txt", "inline oriel_s*\n")
        run = self.sh("inline.sh", self.root, self.root / "s.c")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.write("tools/hot_path.txt", "inline oriel_other\n")
        run = self.sh("inline.sh", self.root, self.root / "s.c")
        self.assertEqual(run.returncode, 1)
        self.assertIn("calls: oriel_slow", run.stdout)

    def test_a_changed_signature_is_found(self):
        if not shutil.which("abidw"):
            self.skipTest("abigail-tools are not installed")
        self.write("a.c", "int oriel_a(int x) { return x; }\n")
        self.compile("a.c", options=["-g"])
        self.link("liboriel-core.so", "a.c")
        dump = self.root / "tests/abi/liboriel-core.abi"
        dump.parent.mkdir(parents=True)
        run = self.sh("abi.sh", self.root, self.root / "build", "--update")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotIn(str(self.root), dump.read_text(encoding="utf-8"))
        run = self.sh("abi.sh", self.root, self.root / "build")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.write("a.c", "int oriel_a(long x) { return (int)x; }\n")
        self.compile("a.c", options=["-g"])
        self.link("liboriel-core.so", "a.c")
        run = self.sh("abi.sh", self.root, self.root / "build")
        self.assertEqual(run.returncode, 1)
        self.assertIn("oriel_a", run.stdout)


class Count(unittest.TestCase):
    """tools/count_tests.py, on which the last line of every run rests."""

    def count(self, *cases):
        with tempfile.TemporaryDirectory(prefix="oriel-gate.") as folder:
            path = pathlib.Path(folder) / "release.xml"
            path.write_text("<testsuite>" + "".join(cases) + "</testsuite>", encoding="utf-8")
            return subprocess.run([sys.executable, TOOLS / "count_tests.py", path],
                                  capture_output=True, text=True, check=False)

    PASSED = '<testcase name="a" status="run"/>'

    def test_the_last_line_has_the_totals(self):
        run = self.count(self.PASSED, '<testcase name="b" status="notrun"><skipped/>'
                         '<system-out>no such tool</system-out></testcase>')
        self.assertEqual(run.returncode, 0)
        self.assertEqual(run.stdout.splitlines()[-1], "1 passed, 0 failed, 1 skipped")
        self.assertIn("skipped release: b: no such tool", run.stdout)

    def test_one_failure_fails_the_run(self):
        run = self.count(self.PASSED, '<testcase name="b" status="fail"/>')
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout.splitlines()[-1], "1 passed, 1 failed, 0 skipped")

    def test_a_skipped_case_inside_a_test_is_told(self):
        run = self.count('<testcase name="a" status="run"><system-out>ok x\n'
                         'skipped y: needs root\n</system-out></testcase>')
        self.assertIn("part skipped release: a: y: needs root", run.stdout)

    def test_no_results_are_a_failure(self):
        self.assertEqual(self.count().returncode, 1)
        run = subprocess.run([sys.executable, TOOLS / "count_tests.py", "/nonexistent.xml"],
                             capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    for test, reason in program.result.skipped:
        print(f"skipped {test.id()}: {reason}")
    sys.exit(not program.result.wasSuccessful())
