# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel attach -e: places in programs that run already, and what is left there afterwards."""
import re
import unittest

from tool import (EMITTER, ORIEL, TIMEOUT, Scenario, main, needs_all_hits, os, pathlib, signal,
                  subprocess)

SAMPLED, HITS = os.environ["SAMPLED"], os.environ["HITS"]
PYTHON = "/usr/bin/python3"  # Debian's has USDT marks
EVENTS = pathlib.Path("/sys/kernel/tracing/uprobe_events")


def may_probe():
    try:
        os.close(os.open(EVENTS, os.O_WRONLY | os.O_APPEND))
        return True
    except OSError:
        return False


def semaphores(program, pid):
    """What the USDT semaphores of a running program are; None: it has none that readelf sees."""
    notes = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    found = {int(m, 16) for m in re.findall(r"Semaphore: (0x[0-9a-f]+)", notes)} - {0}
    header = subprocess.run(["readelf", "-hW", program], capture_output=True, text=True, check=True).stdout
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    real = os.path.realpath(program)
    base = int(next(l for l in maps if l.endswith(real)).split("-")[0], 16) if "DYN" in header else 0
    values = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for address in sorted(found):
            memory.seek(base + address)
            values.append(int.from_bytes(memory.read(2), "little"))
    return values


@unittest.skipUnless(may_probe(), "needs root and uprobe events")
class AttachProbes(Scenario):
    def attach(self, pid, *events, options=()):
        """The command, once it watches."""
        words = [w for e in events for w in ("-e", e)]
        tool = self.start(ORIEL, "attach", "-p", pid, "-o", "a.oriel", "--rate", 0, "--no-report",
                          *options, *words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.until("it watches", lambda: (self.dir / "a.oriel").exists() or tool.poll() is not None)
        self.assertIsNone(tool.poll(), tool.poll() is not None and tool.stderr.read())
        return tool

    def detach(self, tool):
        tool.send_signal(signal.SIGINT)
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        self.assertNotIn(f"oriel_{tool.pid}_", EVENTS.read_text(encoding="ascii"))
        return self.report("a.oriel")

    def emitter(self, count):
        child = self.start(EMITTER, "steps", count, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True)
        self.step(child)
        return child

    def finish(self, child, total):
        out = child.communicate(timeout=TIMEOUT)[0]
        self.assertEqual(child.returncode, 0)
        self.assertEqual(self.emitted(out), total)

    def test_marks_of_a_program_that_nobody_records_are_seen_and_switched_off_again(self):
        child = self.emitter(100)
        tool = self.attach(child.pid, "usdt:oriel:said")
        self.assertIn(1, semaphores(EMITTER, child.pid))
        self.step(child)
        report = self.detach(tool)
        self.assertEqual(report["counts"]["events"] + self.lost(report), 100)
        self.assertEqual(set(semaphores(EMITTER, child.pid)), {0})
        self.step(child)
        self.finish(child, 300)

    def test_what_a_killed_one_watched_goes_on_unharmed_and_the_next_clears_up(self):
        child = self.emitter(100)
        tool = self.attach(child.pid, "usdt:oriel:said", "uprobe:libc.so.6:fflush")
        self.step(child)
        tool.kill()
        tool.wait()
        # The kernel lets go of the program when the descriptors close, a moment later.
        self.until("nothing is switched on", lambda: set(semaphores(EMITTER, child.pid)) == {0})
        self.step(child)
        name = f"oriel_{tool.pid}_"
        # What is left there is the next recorder's to remove, of whom there may be others here.
        run = self.oriel("attach", "-p", child.pid, "--duration", "1ms", "-o", "b.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn(name, EVENTS.read_text(encoding="ascii"))
        self.finish(child, 300)

    def test_functions_are_spans_in_all_threads_and_children_that_run_or_come(self):
        shell = self.start("sh", "-c", f"{SAMPLED} 20 3 gate; {SAMPLED} 20 2; true",
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        running = self.child_named(shell, "sampled")
        self.until("all threads are there", lambda: len(os.listdir(f"/proc/{running}/task")) == 3)
        tool = self.attach(shell.pid, f"uprobe:{SAMPLED}:turn", options=("--metrics-interval", 0))
        shell.stdin.write("\n")
        shell.stdin.close()
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        self.assertEqual(shell.wait(TIMEOUT), 0)
        report = self.report("a.oriel")
        turns = [n for n in report["tree"] if n["name"] == "turn"]
        self.assertGreater(sum(n["count"] for n in turns), 0)
        self.assertEqual(report["counts"]["threads"], 5)
        self.assertEqual(report["quality"]["orphan_ends"], 0)

    @needs_all_hits
    def test_no_hit_is_missing_in_any_kind_of_thread_and_process_that_comes(self):
        child = self.start(HITS, "gate", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        tool = self.attach(child.pid, f"uprobe:{HITS}:hit")
        own = int(re.fullmatch(r"hits (\d+)\n", child.communicate("\n", timeout=TIMEOUT)[0])[1])
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        report = self.report("a.oriel")
        self.assertEqual(sum(n["count"] for n in report["tree"] if n["name"] == "hit"), own)
        self.assertEqual(self.lost(report), 0)

    def test_lines_and_tracepoints_are_events(self):
        child = self.start(SAMPLED, 20, 1, "gate", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        tool = self.attach(child.pid, "line:sampled.c:40", "tracepoint:syscalls:sys_exit_read")
        child.stdin.write("\n")
        child.stdin.close()
        said = tool.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(tool.returncode, 0, said)
        log = self.oriel("export", "--to", "log", "a.oriel", "-o", "-").stdout
        self.assertIn("sampled.c:40", log)
        self.assertIn("syscalls:sys_exit_read", log)

    def test_an_unnamed_mark_is_found_in_a_library_that_is_mapped(self):
        child = self.start(PYTHON, "-c", "import sys,ctypes\nctypes.CDLL('libstdc++.so.6')\nfor _ in sys.stdin: print('step', flush=True)",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.step(child)
        tool = self.attach(child.pid, "usdt:libstdcxx:throw")
        self.step(child)
        self.detach(tool)

    def test_debians_python_tells_its_collections(self):
        marks = self.oriel("probes", PYTHON, "python:gc__*").stdout
        if "gc__start" not in marks:
            self.skipTest("this python has no USDT marks")
        child = self.start(PYTHON, "-c", "import sys,gc,threading\ngc.disable()\nfor _ in sys.stdin:\n"
                           " t = threading.Thread(target=gc.collect); t.start(); t.join()\n"
                           " print('step', flush=True)", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True)
        self.step(child)
        tool = self.attach(child.pid, "usdt:python:gc__start")
        for _ in range(3):
            self.step(child)
        report = self.detach(tool)
        self.assertEqual(report["counts"]["events"], 3)
        self.assertEqual(set(semaphores(PYTHON, child.pid)), {0})

    def test_what_is_not_there_is_one_line_and_nothing_is_left(self):
        child = self.emitter(1)
        for event, status in (("uprobe:no_such_function", 1), ("nonsense", 2)):
            run = self.oriel("attach", "-p", child.pid, "-o", "a.oriel", "-e", event)
            self.assertEqual(run.returncode, status, run.stderr)
            self.one_line(run.stderr)
        run = self.oriel("attach", "-p", child.pid, "--rate", 0)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertFalse((self.dir / "a.oriel").exists())
        self.finish(child, 1)

    def test_a_program_whose_file_was_replaced_is_watched_in_the_file_that_it_runs(self):
        copy = self.dir / "copy"
        copy.write_bytes(pathlib.Path(EMITTER).read_bytes())
        copy.chmod(0o755)
        child = self.start(copy, "steps", 5, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.step(child)
        copy.unlink()
        copy.write_bytes(b"another one")
        tool = self.attach(child.pid, "usdt:oriel:said", "uprobe:main")
        self.step(child)
        report = self.detach(tool)
        self.assertEqual(report["counts"]["events"], 5)
        self.finish(child, 10)


if __name__ == "__main__":
    main()
