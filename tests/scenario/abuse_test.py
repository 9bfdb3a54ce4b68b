# SPDX-License-Identifier: MIT OR Apache-2.0
"""Bad days: killed, stopped, out of space. The program must not notice, and
what was committed must be found again."""
import mmap
import random
import struct

from tool import (EMITTER, ORIEL, TIMEOUT, Scenario, json, main, needs_root, os, signal, subprocess, time,
                  unittest)

KILLS = int(os.environ.get("SCENARIO_KILLS", "12"))


class Abuse(Scenario):
    def count_file(self):
        path = self.dir / "count"
        path.unlink(missing_ok=True)
        self.env["COUNT_FILE"] = str(path)
        return path

    @staticmethod
    def counted(path):
        with open(path, "rb") as f:
            return struct.unpack("q", f.read(8))[0]

    def start_recording(self, *words, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return self.start(ORIEL, "record", "--no-report", "-o", "c.oriel", *words, text=True,
                          **options)

    def pid_of_program(self, recorder):
        return self.child_named(recorder, "emitter")

    def start_stepping(self, count, *words):
        """A recorded emitter that does nothing unless told; it has recorded."""
        recorder = self.start_recording(*words, "--", EMITTER, "steps", count,
                                        stdin=subprocess.PIPE)
        self.step(recorder)
        return recorder, self.pid_of_program(recorder)

    @staticmethod
    def gone(pid):
        """Ended; whoever inherited it may take a while to collect its status."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
        except OSError:
            return True

    def check_no_gap(self, path, at_least):
        """Everything up to the last event is there: nothing committed is lost."""
        report = self.report(path)
        events = report["counts"]["events"]
        self.assertEqual(report["quality"]["damaged"], 0)
        self.assertGreaterEqual(events + self.lost(report), at_least)
        self.assertLessEqual(events + self.lost(report), at_least + 1)
        return events

    def test_killed_program_loses_nothing_it_committed(self):
        for _ in range(KILLS):
            count = self.count_file()
            recorder = self.start_recording("--", EMITTER, "endless")
            program = self.pid_of_program(recorder)
            time.sleep(random.uniform(0.0, 0.1))
            os.kill(program, signal.SIGKILL)
            recorder.communicate(timeout=TIMEOUT)
            self.assertEqual(recorder.returncode, -signal.SIGKILL)
            if count.exists() and count.stat().st_size:
                self.check_no_gap("c.oriel", self.counted(count))
            self.assertEqual(self.rings(), [])

    def test_killed_recorder_does_not_touch_the_program_and_recover_finds_the_rest(self):
        recorder, program = self.start_stepping(150, "--ring", "64MiB")
        recorder.kill()
        recorder.wait()
        self.step(recorder)
        recorder.stdin.close()
        self.until("the program ends", lambda: self.gone(program))
        self.assertEqual(recorder.stdout.read(), "emitted 300\n")
        self.assertEqual(len(self.rings()), 1)
        run = self.oriel("recover")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 300)
        self.assertEqual(self.rings(), [])
        again = self.oriel("recover")
        self.assertIn("no ring was left behind", again.stderr)

    def test_program_and_recorder_killed_together_lose_nothing(self):
        for _ in range(KILLS):
            count = self.count_file()
            recorder = self.start_recording("--ring", "64MiB", "--", EMITTER, "endless")
            program = self.pid_of_program(recorder)
            time.sleep(random.uniform(0.0, 0.1))
            pair = [recorder.pid, program]
            random.shuffle(pair)
            for pid in pair:
                os.kill(pid, signal.SIGKILL)
            recorder.communicate(timeout=TIMEOUT)
            self.until("the program is gone", lambda: self.gone(program))
            run = self.oriel("recover")
            self.assertEqual(run.returncode, 0, run.stderr)
            if count.exists() and count.stat().st_size and self.counted(count):
                self.check_no_gap("c.oriel", self.counted(count))
            self.assertEqual(self.rings(), [])
            (self.dir / "c.oriel").unlink(missing_ok=True)

    def test_stopped_recorder_does_not_stop_the_program(self):
        recorder, program = self.start_stepping(200000, "--ring", "256KiB")
        os.kill(recorder.pid, signal.SIGSTOP)
        self.step(recorder)
        recorder.stdin.close()
        line = recorder.stdout.readline()  # the program ends while its recorder sleeps
        self.until("the program ends", lambda: self.gone(program))
        os.kill(recorder.pid, signal.SIGCONT)
        err = recorder.stderr.read()
        self.assertEqual(recorder.wait(TIMEOUT), 0, err)
        report = self.report("c.oriel")
        self.assertEqual(self.emitted(line), 400000)
        self.assertEqual(report["counts"]["events"] + self.lost(report), 400000)
        self.assertGreater(self.lost(report), 0)
        self.assertIn("ring full", err)

    def test_capture_can_be_read_while_it_is_written(self):
        recorder, _ = self.start_stepping(10)
        self.until("the capture has data",
                   lambda: (self.dir / "c.oriel").exists()
                   and self.oriel("report", "--json", "c.oriel").returncode == 0)
        seen = 0

        def grows():
            nonlocal seen
            report = self.report("c.oriel")
            self.assertGreaterEqual(report["counts"]["events"], seen)
            self.assertEqual(report["quality"]["damaged"], 0)
            seen = report["counts"]["events"]
            return seen == steps * 10
        for steps in range(2, 12):
            self.step(recorder)
            if steps % 5 == 0:
                self.until(f"{steps} steps can be read", grows)
            else:
                grows()
        recorder.stdin.close()
        self.assertEqual(recorder.wait(TIMEOUT), 0)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 110)

    def test_recover_refuses_a_ring_in_use(self):
        recorder, program = self.start_stepping(100)
        run = self.oriel("recover", self.rings()[0])
        self.assertEqual(run.returncode, 1)
        self.assertIn("being recorded by process", self.one_line(run.stderr))
        run = self.oriel("recover")
        self.assertEqual(run.returncode, 0)
        listed = json.loads(self.oriel("recover", "--list", "--json").stdout)
        self.assertEqual([r["orphan"] for r in listed["rings"]], [False])
        recorder.kill()
        recorder.wait()
        # The program lives on and still writes: not ours to take.
        run = self.oriel("recover", self.rings()[0])
        self.assertIn("still used by 1 process", run.stderr)
        os.kill(program, signal.SIGKILL)

    def test_recover_writes_a_new_capture_when_the_old_one_is_gone(self):
        recorder, program = self.start_stepping(50)
        self.until("there is a capture", (self.dir / "c.oriel").exists)
        recorder.kill()
        recorder.wait()
        self.step(recorder)
        recorder.stdin.close()
        self.until("the program ends", lambda: self.gone(program))
        (self.dir / "c.oriel").unlink()
        self.oriel("recover", "-o", "saved.oriel")
        events = self.report("saved.oriel")["counts"]["events"]
        self.assertGreater(events, 0)
        self.assertEqual(self.rings(), [])

    def test_recover_does_not_touch_a_foreign_file_at_its_place(self):
        recorder, program = self.start_stepping(50)
        self.until("there is a capture", (self.dir / "c.oriel").exists)
        recorder.kill()
        recorder.wait()
        self.step(recorder)
        recorder.stdin.close()
        self.until("the program ends", lambda: self.gone(program))
        (self.dir / "c.oriel").write_text("somebody's notes")
        run = self.oriel("recover")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual((self.dir / "c.oriel").read_text(), "somebody's notes")
        self.assertGreater(self.report("c-recovered.oriel")["counts"]["events"], 0)

    def test_damaged_ring_is_recovered_as_far_as_it_goes(self):
        recorder, program = self.start_stepping(200000, "--ring", "1MiB")
        os.kill(recorder.pid, signal.SIGSTOP)
        self.step(recorder)
        recorder.stdin.close()
        self.assertIn("emitted", recorder.stdout.readline())
        recorder.kill()
        self.until("the program ends", lambda: self.gone(program))
        ring, rng = self.rings()[0], random.Random(3)
        with open(ring, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
            for _ in range(2000):
                m[rng.randrange(4096, len(m))] = rng.randrange(256)
        run = self.oriel("recover")
        self.assertIn(run.returncode, (0, 1))
        self.assertNotIn("Traceback", run.stderr)
        if run.returncode == 0:
            self.report("c.oriel")

    @needs_root
    def test_full_disk_of_any_size_leaves_the_program_alone(self):
        for kib in (64, 128, 256, 512, 1024, 2048, 4096, 8192):
            script = (f"mount -t tmpfs -o size={kib}k none /mnt && cd /mnt && "
                      f"{ORIEL} record --no-report --compression none -o c.oriel -- {EMITTER} "
                      f"events 400000 2 && cp c.oriel {self.dir}/c.oriel && stat -f -c '%b %f %S' .")
            run = self.run_raw("unshare", "-m", "sh", "-c", script, text=True)
            self.assertEqual(run.returncode, 0, f"{kib} KiB: {run.stderr}")
            self.assertEqual(self.emitted(run.stdout), 800000)
            blocks, free, size = map(int, run.stdout.splitlines()[-1].split())
            report = self.report("c.oriel")
            events = report["counts"]["events"]
            self.assertTrue(kib > 1024 or "could not be written" in run.stderr, f"{kib} KiB")
            if "could not be written" in run.stderr:  # it was full
                self.assertLess(free * size, kib * 1024 // 10, f"{kib} KiB")
                # At least 95 % of the space holds data that can be read.
                used = (self.dir / "c.oriel").stat().st_size
                self.assertGreater(used, kib * 1024 * 0.9, f"{kib} KiB")
                self.assertGreater(events, 0)
            else:
                self.assertEqual(events + self.lost(report), 800000)

    @needs_root
    def test_no_room_for_the_first_byte_still_runs_the_program(self):
        script = ("mount -t tmpfs -o size=8k none /mnt && cd /mnt && "
                  "{ dd if=/dev/zero of=fill bs=4k count=2 2>/dev/null; true; } && "
                  f"{ORIEL} record -o c.oriel -- {EMITTER} events 100 1 5")
        run = self.run_raw("unshare", "-m", "sh", "-c", script, text=True)
        self.assertEqual((run.returncode, run.stdout), (5, "emitted 100\n"), run.stderr)
        self.assertRegex(run.stderr, "no space|No space|not written")

    @needs_root
    def test_no_room_for_the_ring_is_one_clear_line(self):
        script = ("mount -t tmpfs -o size=1m,mode=700 none /mnt && "
                  f"XDG_RUNTIME_DIR=/mnt {ORIEL} record -- {EMITTER} events 100 1")
        run = self.run_raw("unshare", "-m", "sh", "-c", script, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("--ring", self.one_line(run.stderr))
        self.assertEqual(list(self.dir.glob(".oriel/runs/*")), [])

    def test_limits_on_files_and_memory_end_in_a_line(self):
        for limit in ("ulimit -n 4", "ulimit -v 20000", "ulimit -f 1"):
            run = self.run_raw("bash", "-c", f"{limit}; {ORIEL} record -o c.oriel -- "
                               f"/bin/echo hello; true", text=True)
            self.assertEqual(run.returncode, 0)
            self.assertLessEqual(len(run.stderr.splitlines()), 2, f"{limit}: {run.stderr}")

    def test_closed_standard_streams_are_survived(self):
        run = self.run_raw("sh", "-c", f"{ORIEL} record -o c.oriel -- {EMITTER} events 50 1 3 "
                           "<&- >&- 2>&-", text=True)
        self.assertEqual(run.returncode, 3)
        self.assertEqual(self.report("c.oriel")["counts"]["events"], 50)

    def test_reader_of_the_screen_that_went_away_costs_no_status(self):
        run = self.run_raw("bash", "-c", f"{ORIEL} record -o c.oriel -- {EMITTER} spans 100 "
                           "2> >(exec true)", text=True)
        self.assertEqual(run.returncode, 0)
        run = self.run_raw("bash", "-c", f"{ORIEL} record -o c.oriel -- {EMITTER} events 100 1 6 "
                           "2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}", text=True)
        self.assertEqual(run.returncode, 6)


if __name__ == "__main__":
    main()
