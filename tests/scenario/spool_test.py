# SPDX-License-Identifier: MIT OR Apache-2.0
"""Places for a spool that are not what they should be: links, directories of others, files and
devices in the way, disks that are full, read-only or gone, and two programs in one. The program
notices nothing, one line says why, nothing planted is followed or written to, and every item is
on disk or said to be lost."""
import os
import re
import shutil
import socket
import stat
import subprocess
import unittest

from receiving import LIBRARY
from tool import EMITTER, ORIEL, Scenario, main

SPANS = 300
ITEMS = 2 * SPANS  # a span and an event each; what Oriel says of itself comes on top


class Spools(Scenario):
    def setUp(self):
        super().setUp()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.port = nobody.getsockname()[1]
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith(("OTEL_", "TELEMETRY_", "TRACY_"))}
        self.env.update(LD_LIBRARY_PATH=LIBRARY, OTEL_LOG_LEVEL="warn", TELEMETRY_ENABLED="true",
                        ORIEL_BACKEND="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.port}")
        self.spool = self.dir / "spool"
        self.keep_in(self.spool)

    def keep_in(self, place):
        (self.dir / "oriel.toml").write_text(f'[telemetry.otlp]\nspool_dir = "{place}"\n',
                                             encoding="utf-8")


class Places(Spools):
    def emit(self):
        """Lines on stderr."""
        run = self.run_raw(EMITTER, "spans", SPANS, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, f"emitted {SPANS}\n"), run.stderr)
        return run.stderr.splitlines()

    def refused(self, why):
        said = self.emit()
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], why)
        capture = self.dir / "capture.oriel"
        if not capture.exists():
            env = {k: v for k, v in self.env.items() if not k.startswith(("TELEMETRY", "ORIEL_B"))}
            run = self.oriel("record", "-o", capture, "--", EMITTER, "spans", 3, env=env)
            self.assertEqual(run.returncode, 0, run.stderr)
        run = self.oriel("export", "--to", "otlp", "--endpoint", f"http://127.0.0.1:{self.port}",
                         "--retry-for", "100ms", "--spool-dir", self.spool, capture)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(self.one_line(run.stderr), why)
        run = self.oriel("export", "--to", "otlp", "--endpoint", f"http://127.0.0.1:{self.port}",
                         "--spool", self.spool)
        self.assertEqual(run.returncode, 1)
        self.one_line(run.stderr)

    def fates(self, said):
        """(items on disk, items said to be lost)"""
        told = self.oriel("doctor", "--spool", self.spool).stdout
        found = re.search(r"([\d,]+) items in", told)
        lost = sum(int(n) for line in said
                   for n in re.findall(r"(\d+) items before the end, they are lost", line))
        return int(found[1].replace(",", "")) if found else 0, lost

    def test_links_are_not_followed(self):
        elsewhere = self.dir / "elsewhere"
        elsewhere.mkdir(0o700)
        self.spool.symlink_to(elsewhere)
        self.refused("is a link or no directory")
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_nor_are_links_to_nothing(self):
        self.spool.symlink_to(self.dir / "nothing")
        said = self.emit()
        self.assertEqual(len(said), 1, said)
        self.assertFalse((self.dir / "nothing").exists())

    def test_where_others_may_write(self):
        self.spool.mkdir()
        self.spool.chmod(0o777)
        self.refused("others may write there")
        self.spool.chmod(0o1777)  # its files could not be taken away, but planted
        self.refused("others may write there")
        self.assertEqual(list(self.spool.iterdir()), [])

    @unittest.skipIf(os.geteuid(), "only root can give directories away")
    def test_what_is_somebody_elses(self):
        self.spool.mkdir(0o700)
        os.chown(self.spool, 65534, 65534)
        self.refused("belongs to another user")
        self.assertEqual(list(self.spool.iterdir()), [])

    def test_what_is_no_directory(self):
        os.mkfifo(self.spool)
        self.refused("not a directory|no directory")
        self.spool.unlink()
        self.spool.write_text("theirs", encoding="utf-8")
        self.refused("not a directory|no directory")
        self.assertEqual(self.spool.read_text(encoding="utf-8"), "theirs")
        self.spool.unlink()
        self.spool = "/dev/null"
        self.keep_in(self.spool)
        self.refused("not a directory|no directory")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_what_is_planted_below_it(self):
        """Under the names that a spool of this destination would take."""
        self.emit()
        key = next(self.spool.iterdir())
        for name in os.listdir(key):
            (key / name).unlink()
        key.rmdir()
        for plant in (lambda: key.symlink_to(self.dir), lambda: os.mkfifo(key),
                      lambda: key.write_text("theirs", encoding="utf-8")):
            plant()
            with self.subTest(oct(os.lstat(key).st_mode)):
                said = self.emit()
                self.assertEqual(len(said), 1, said)
                self.assertRegex(said[0], "is a link or no directory")
            key.unlink()

    def test_one_that_goes_while_the_program_runs(self):
        program = self.start(EMITTER, "steps", SPANS, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        program.stdin.write(b"\n")
        program.stdin.flush()
        self.until("the first is on disk", lambda: self.spool.exists()
                   and "items" in self.oriel("doctor", "--spool", self.spool).stdout)
        shutil.rmtree(self.spool)
        program.stdin.write(b"\n")
        program.stdin.close()
        self.assertEqual(program.wait(), 0)
        said = program.stderr.read().decode().splitlines()
        self.assertTrue(said)
        self.assertLessEqual(len(said), 4, said)

    def test_two_programs_share_one(self):
        programs = [self.start(EMITTER, "spans", SPANS, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True) for _ in range(3)]
        said = []
        for program in programs:
            said += program.communicate()[1].splitlines()
            self.assertEqual(program.returncode, 0)
        disk, lost = self.fates(said)
        self.assertEqual(lost, 0, said)
        self.assertIn(disk - 3 * ITEMS, range(0, 15), said)


@unittest.skipIf(subprocess.run(["unshare", "-m", "true"], check=False,
                                capture_output=True).returncode, "no mounts of its own here")
class Disks(Spools):
    """Of the test's own; what becomes of the items is told there."""

    def there(self, options):
        run = self.run_raw("unshare", "-m", "sh", "-c",
                           f'mkdir -p disk && mount -t tmpfs -o {options} none disk && "$@"; '
                           f'echo "status $?"; {ORIEL} doctor --spool disk/spool', "sh",
                           EMITTER, "spans", 4000, text=True)
        self.assertTrue(run.stdout.startswith("emitted 4000\nstatus 0\n"), (run.stdout, run.stderr))
        said = [line for line in run.stderr.splitlines() if "doctor" not in line]
        found = re.search(r"([\d,]+) items in", run.stdout)
        return said, int(found[1].replace(",", "")) if found else 0

    def test_a_full_one(self):
        self.keep_in("disk/spool")
        said, disk = self.there("size=32k,mode=0700")
        lost = sum(int(n) for line in said
                   for n in re.findall(r"(\d+) items before the end, they are lost", line))
        self.assertGreater(disk, 0)
        self.assertGreater(lost, 0)
        self.assertIn(disk + lost - 8000, range(0, 5), said)
        self.assertLessEqual(len(said), 3, said)

    def test_a_read_only_one(self):
        self.keep_in("disk/spool")
        said, disk = self.there("ro")
        self.assertEqual(disk, 0)
        self.assertIn("Read-only", said[0])


main()
