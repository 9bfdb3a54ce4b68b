# SPDX-License-Identifier: MIT OR Apache-2.0
"""A disk that fills under the files of a program that exports by itself: what is in a file and what
is told as missing in it is everything that was said, and the file can be read. And under an export
of a recording, which is there whole or not at all."""
import re
import shutil

from tool import (EMITTER, ORIEL, TIMEOUT, Scenario, json, main, needs_root, os, pathlib, subprocess,
                  time)

LIBRARY = os.path.dirname(ORIEL)
EVENTS = 30000
END = re.compile(r"oriel: (\S+): ([\d,]+) of ([\d,]+) (?:items|records) could not be written: no space left")
FIRST = re.compile(r"oriel: (\S+): no space left: [\d,]+ (?:items?|records?) not written so far; what comes is "
                   r"tried again")


def number(text):
    return int(text.replace(",", ""))


@needs_root
class Full(Scenario):
    def setUp(self):
        super().setUp()
        (self.dir / "disk").mkdir()
        self.env.update(LD_LIBRARY_PATH=LIBRARY, TELEMETRY_ENABLED="true", OTEL_LOG_LEVEL="warn",
                        ORIEL_TRACE_DIR="disk", ORIEL_EXIT_MS="60000", ORIEL_SYSTEM_METRICS_INTERVAL_SECS="0")

    def on_disk(self, kib, outlet, *words, **environment):
        """Its files are copied out of the mount, which ends with the program."""
        script = f'mount -t tmpfs -o size={kib}k none disk && "$@"; status=$?; cp disk/* out/; exit $status'
        shutil.rmtree(self.dir / "out", ignore_errors=True)
        (self.dir / "out").mkdir()
        run = self.run_raw("unshare", "-m", "sh", "-c", script, "sh", *words, text=True,
                           env={**self.env, "ORIEL_TO": outlet, **environment})
        self.assertEqual((run.returncode, run.stdout), (0, f"emitted {EVENTS}\n"), run.stderr)
        return run.stderr.splitlines(), {f.suffix: f for f in (self.dir / "out").iterdir()}

    def events_in(self, path):
        """As another reader of the format counts them."""
        if path.suffix == ".json":
            return sum(e["ph"] == "i" for e in json.loads(path.read_text()))
        if path.suffix == ".jsonl":
            requests = [json.loads(line) for line in path.read_text().splitlines()]
            return sum(len(scope["logRecords"]) for r in requests
                       for resource in r["resourceLogs"] for scope in resource["scopeLogs"])
        text = path.read_text()
        self.assertTrue(text == "" or text.endswith("\n"))
        return len(text.splitlines())

    def ends(self, said):
        """path: (not written, of so many)"""
        ends = [m for m in map(END.fullmatch, said) if m]
        others = [line for line in said if not END.fullmatch(line)]
        self.assertEqual([line for line in others if not FIRST.fullmatch(line)], [])
        for outcome in (ends, others):  # each file once
            paths = [line.split(": ")[1] for line in
                     ([m[0] for m in outcome] if outcome is ends else outcome)]
            self.assertEqual(len(paths), len(set(paths)), said)
        return {m[1]: (number(m[2]), number(m[3])) for m in ends}

    def test_what_is_there_and_what_is_told_as_missing_is_everything(self):
        for kib in (4, 48, 300, 1000):
            for outlet in ("chrome", "otlp", "log", "chrome,otlp,log"):
                with self.subTest(kib=kib, outlet=outlet):
                    said, files = self.on_disk(kib, outlet, EMITTER, "events", EVENTS, 1)
                    ends = self.ends(said)
                    self.assertEqual(len(ends), outlet.count(",") + 1, said)
                    for path, (missing, given) in ends.items():
                        # Beside the program, the system said one thing or two.
                        self.assertIn(given - EVENTS, range(0, 4), said)
                        there = self.events_in(files[pathlib.Path(path).suffix])
                        self.assertEqual(there + missing, given, said)
                        # OTLP goes out in whole requests.
                        least = 300 if outlet == "otlp" else 48
                        self.assertTrue("," in outlet or kib < least or there > 20, there)

    def test_a_capture_says_the_same_and_in_itself(self):
        for kib in (16, 48):
            said, files = self.on_disk(kib, "capture", EMITTER, "events", EVENTS, 1)
            (missing, given), = self.ends(said).values()
            report = self.report(files[".oriel"])
            quality = report["quality"]
            self.assertEqual(report["counts"]["events"] + quality["unwritten"], EVENTS)
            self.assertEqual(missing, quality["unwritten"] + quality["unwritten_seen"])
            self.assertGreater(given, EVENTS)

    def test_one_that_is_written_at_the_end_is_there_or_is_empty(self):
        for outlet in ("firefox", "chrome,firefox"):
            said, files = self.on_disk(48, outlet, EMITTER, "events", EVENTS, 1)
            (path, (missing, given)), = [e for e in self.ends(said).items() if "firefox" in e[0]]
            self.assertEqual(missing, given, said)
            whole = self.dir / "out" / pathlib.Path(path).name
            self.assertEqual(whole.stat().st_size, 0)

    def test_nothing_is_said_to_who_did_not_ask(self):
        for level in ("error", "none"):
            said, _ = self.on_disk(48, "chrome", EMITTER, "events", EVENTS, 1, OTEL_LOG_LEVEL=level)
            self.assertEqual(said, [])

    def test_a_disk_with_room_has_all_of_it_and_nobody_says_a_word(self):
        said, files = self.on_disk(32768, "chrome", EMITTER, "events", EVENTS, 1)
        self.assertEqual(said, [])
        self.assertIn(self.events_in(files[".json"]) - EVENTS, range(0, 4))

    def figures(self, pid):
        run = self.oriel("doctor", "--live", pid, "--json")
        if run.returncode != 0:
            return 0, 0, None
        row, = [r for r in json.loads(run.stdout)["figures"] if r["name"] == "oriel.file.items"]
        return row["value"], row["failed"], row.get("error")

    def until(self, pid, true):
        for _ in range(TIMEOUT * 50):
            figures = self.figures(pid)
            if true(*figures):
                return figures
            time.sleep(0.02)
        return self.fail(f"never: {figures}")

    def test_the_figures_say_so_meanwhile_and_room_that_comes_is_used(self):
        script = ('mount -t tmpfs -o size=128k none disk && dd if=/dev/zero of=disk/fill bs=4k count=16 '
                  '2>/dev/null; exec "$@"')
        child = self.start("unshare", "-m", "sh", "-c", script, "sh", EMITTER, "steps", 100,
                           text=True, env={**self.env, "ORIEL_TO": "chrome"}, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        steps = 0

        def step():
            nonlocal steps
            child.stdin.write("\n")
            child.stdin.flush()
            self.assertEqual(child.stdout.readline(), "step\n")
            steps += 1
            return True
        given, failed, error = self.until(child.pid, lambda _, failed, __: failed or not step())
        self.assertEqual(error, "no space left")
        self.assertLess(failed, given)
        text = self.oriel("doctor", "--live", child.pid).stdout
        self.assertRegex(text, r"(?m)^oriel\.file\.items +[\d,]+ \{item\}, failed: [\d,]+ \(no space left\)$")
        disk = pathlib.Path(f"/proc/{child.pid}/root{self.dir}/disk")
        trace, = disk.glob("*.json")
        self.assertNotIn(f'"i":{100 * steps}', trace.read_text())
        (disk / "fill").unlink()
        last = f'"i":{100 * steps + 99}}}'
        step()
        self.until(child.pid, lambda *_: last in trace.read_text())
        with trace.open(encoding="utf-8") as held:  # it outlives the mount
            _, said = child.communicate()
            events = [e for e in json.load(held) if e["ph"] == "i"]
        self.assertEqual(child.returncode, 0)
        said = said.splitlines()
        self.assertEqual(len([line for line in said if FIRST.fullmatch(line)]), 1, said)
        (missing, given), = self.ends(said).values()
        self.assertEqual(len(events) + missing, given)
        self.assertIn(given - 100 * steps, range(0, 4))


@needs_root
class Export(Scenario):
    def export(self, outlet, kib, before=""):
        """Onto a disk of that size, with a file there before; what is there then, by name."""
        script = (f"mkdir -p disk out && mount -t tmpfs -o size={kib}k none disk && "
                  f'if [ -n "$1" ]; then printf %s "$1" > disk/x; chmod 640 disk/x; fi; '
                  f"{ORIEL} export -f --to {outlet} -o disk/x c.oriel; status=$?; "
                  f"cp -a disk/. out/; exit $status")
        shutil.rmtree(self.dir / "out", ignore_errors=True)
        run = self.run_raw("unshare", "-m", "sh", "-c", script, "sh", before, text=True)
        return run, {f.name: f for f in (self.dir / "out").iterdir()}

    def test_it_is_there_whole_or_not_at_all(self):
        run = self.oriel("record", "--no-report", "-o", "c.oriel", "--", EMITTER, "spans", 20000)
        self.assertEqual(run.returncode, 0, run.stderr)
        for outlet in ("chrome", "perfetto", "otlp", "log", "firefox", "capture"):
            for before in ("", "what was there"):
                run, files = self.export(outlet, 48, before)
                self.assertEqual(run.returncode, 1, (outlet, run.stderr))
                self.assertIn("disk/x", self.one_line(run.stderr))
                self.assertIn("no space left", run.stderr)
                self.assertEqual({n: f.read_text() for n, f in files.items()},
                                 {"x": before} if before else {})
            run, files = self.export(outlet, 32768, "what was there")
            self.assertEqual((run.returncode, list(files)), (0, ["x"]), (outlet, run.stderr))
            self.assertGreater(files["x"].stat().st_size, 48 << 10)
            self.assertEqual(files["x"].stat().st_mode & 0o7777, 0o640)


main()
