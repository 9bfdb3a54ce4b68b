# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who waits, where, for what and for whom: programs whose waits are known."""
import shutil

from tool import ORIEL, TIMEOUT, Scenario, json, main, os, subprocess

WAITING = os.environ["WAITING"]
MS = 400
# Who waits may be kept from beginning to, by other programs, for most of that time.
LEAST = MS * 1_000_000 // 4


def seconds(rows):
    return sum(r["ns"] for r in rows)


class Waiting(Scenario):
    def setUp(self):
        super().setUp()
        self.root = os.geteuid() == 0

    def record(self, *words, once=None, **options):
        """Again if the kernel did not show everything: that is said, and is no defect of ours."""
        for _ in range(9):
            self.said = (once or self.record_once)(*words, **options)
            report = self.report("c.oriel")
            if not any(key.startswith("oriel.wait.unseen") for key in report["resource"]):
                break
        self.conserved(report["waiting"])
        return report["waiting"]

    def record_once(self, what, *more, user=None, **options):
        words = ["record", "--rate", "99", "--no-report", *more, "-o", "c.oriel", "--", WAITING,
                 what, str(MS)]
        if user is None:
            run = self.oriel(*words, **options)
        else:
            self.dir.chmod(0o777)
            os.chown(self.runtime, user, user)
            program = self.dir / "waiting"  # the build may lie where nobody may look
            shutil.copy(WAITING, program)
            shutil.copy(ORIEL, self.dir / "oriel")
            words[-2 - 1] = str(program)
            run = subprocess.run([str(self.dir / "oriel"), *words], cwd=self.dir,
                                 env=dict(self.env, HOME=str(self.dir)), user=user, group=user,
                                 extra_groups=[], text=True, capture_output=True, timeout=TIMEOUT)
        self.assertEqual(run.returncode, 0, run.stderr)
        if "refuses" in run.stderr:
            self.skipTest("perf events are refused here")
        return run.stderr

    def conserved(self, waiting):
        """What the rows tell is what was recorded."""
        self.assertEqual(seconds(waiting["waits"]) + waiting["beyond_ns"], waiting["ns"])
        self.assertEqual(sum(r["count"] for r in waiting["waits"]), waiting["count"])

    def wait(self, waiting, function, what):
        """The waits in a function of the program, all of them for `what`."""
        rows = [r for r in waiting["waits"] if function in r["stack"]]
        self.assertTrue(rows, (function, waiting["waits"]))
        long = max(rows, key=lambda r: r["ns"])
        self.assertGreaterEqual(long["ns"], LEAST, rows)
        self.assertEqual(long["in"], function)
        self.assertEqual(long["for"], what)
        return long

    def chain(self, waiting, function, by, by_in):
        """It waited for thread `by`, which was in `by_in` when it ended that."""
        if not self.root:
            return
        rows = [c for c in waiting["chains"] if c["in"] == function and c["ns"] >= LEAST]
        self.assertEqual(len(rows), 1, waiting["chains"])
        self.assertEqual(rows[0]["by"]["name"], by)
        self.assertIn(by_in, rows[0]["by_stack"])
        self.assertFalse(rows[0]["interrupt"] or rows[0]["outside"])

    def test_a_mutex_is_waited_for_until_its_holder_gives_it_back(self):
        waiting = self.record("lock")
        self.wait(waiting, "want_it", "a lock")
        self.chain(waiting, "want_it", "holder", "give_back")
        holder = self.wait(waiting, "nap", "time to pass")
        self.assertEqual(holder["thread"]["name"], "holder")

    def test_a_lock_for_reading_is_waited_for_until_it_was_written(self):
        waiting = self.record("rwlock")
        self.wait(waiting, "want_to_read", "a lock")
        self.chain(waiting, "want_to_read", "writer", "hold_for_writing")

    def test_a_condition_is_waited_for_until_somebody_announces_it(self):
        waiting = self.record("cond")
        self.wait(waiting, "wait_for_change", "a condition")
        self.chain(waiting, "wait_for_change", "changer", "announce")

    def test_a_pipe_is_waited_for_until_somebody_feeds_it(self):
        waiting = self.record("pipe")
        self.wait(waiting, "drink", "a pipe")
        self.chain(waiting, "drink", "feeder", "feed")

    def test_sleep_is_ended_by_a_timer_and_by_nobody(self):
        waiting = self.record("nap")
        self.wait(waiting, "nap", "time to pass")
        if self.root:
            naps = [c for c in waiting["chains"] if c["in"] == "nap"]
            self.assertEqual(len(naps), 1)
            self.assertTrue(naps[0]["interrupt"])
            self.assertIsNone(naps[0]["by"])

    def record_fed(self):
        ends = os.pipe()
        # Fed once it is seen to wait: by the shell, which then stays to be named.
        feeder = self.start("sh", "-c", "while ! grep -q '^0 ' /proc/$(cat pid)/syscall; do "
                            "sleep 0.05; done 2>/dev/null; sleep 0.5; echo; sleep 1",
                            stdout=ends[1])
        os.close(ends[1])
        pid = self.dir / "pid"
        run = self.start(ORIEL, "record", "--rate", "99", "--no-report", "-o", "c.oriel", "--", "sh",
                         "-c", 'echo $$ >pid.new; mv pid.new pid; exec "$0" stdin', WAITING,
                         stdin=ends[0], stderr=subprocess.PIPE, text=True)
        os.close(ends[0])
        said = run.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(run.returncode, 0, said)
        feeder.wait()
        self.assertTrue(pid.exists())
        pid.unlink()
        return said

    def test_data_from_another_program_comes_from_outside(self):
        if not self.root:
            self.skipTest("wake-ups need privileges")
        waiting = self.record(once=self.record_fed)
        rows = [c for c in waiting["chains"] if c["in"] == "drink"]
        self.assertEqual(len(rows), 1, waiting["chains"])
        self.assertTrue(rows[0]["outside"])
        self.assertEqual(rows[0]["by_stack"][0], "[program sh]")

    def test_a_convoy_is_a_chain_of_waits_for_each_other(self):
        waiting = self.record("convoy")
        # Four threads hold the lock one after the other: they wait once, twice, three times.
        rows = [r for r in waiting["waits"] if r["in"] == "queue_up" and r["for"] == "a lock"]
        self.assertEqual(len({r["thread"]["tid"] for r in rows}), 3, rows)
        self.assertGreaterEqual(seconds(rows), 3 * LEAST)
        if self.root:
            chains = [c for c in waiting["chains"] if c["in"] == "queue_up" and c["by"] and
                      c["for"] == "a lock" and "queue_up" in c["by_stack"]]
            self.assertEqual(len(chains), 3, waiting["chains"])
            for c in chains:
                self.assertIn("queue_up", c["by_stack"])
                self.assertNotEqual(c["by"]["tid"], c["thread"]["tid"])

    def test_the_depth_of_a_stack_is_seen_with_what_made_it(self):
        waiting = self.record("deep")
        deepest = max(waiting["stacks"], key=lambda d: d["deepest_bytes"])
        # A hundred frames of 4,000 bytes, and less than as much again around them.
        self.assertGreaterEqual(deepest["deepest_bytes"], 100 * 4000)
        self.assertLess(deepest["deepest_bytes"], 200 * 4000)
        self.assertEqual(deepest["in"], "go_down")
        self.assertGreaterEqual(deepest["stack"].count("go_down"), 100)
        self.assertGreaterEqual(deepest["limit_bytes"], deepest["deepest_bytes"])

    def test_a_plain_user_sees_where_long_waits_are_and_is_told_what_not(self):
        if not self.root:
            self.skipTest("is a plain user already: the other tests show it")
        self.root = False
        waiting = self.record("lock", user=65534)
        self.wait(waiting, "want_it", "a lock")
        self.wait(waiting, "nap", "time to pass")
        self.assertEqual(waiting["chains"], [])
        self.wait(self.record("pipe", user=65534), "drink", "a pipe")
        self.assertRegex(self.said, "no wake-ups")

    def lock(self, waiting, function, holder, taken_in):
        rows = [c for c in waiting["locks"] if c["in"] == function]
        self.assertEqual(len(rows), 1, waiting["locks"])
        self.assertGreaterEqual(rows[0]["ns"], LEAST)
        self.assertEqual(rows[0]["for"], "a lock")
        self.assertNotEqual(rows[0]["by"]["tid"], rows[0]["thread"]["tid"])
        self.assertEqual(rows[0]["by_in"], taken_in)
        tids = {r["thread"]["tid"]: r["thread"]["name"] for r in waiting["waits"]}
        self.assertEqual(tids[rows[0]["by"]["tid"]], holder)
        return rows[0]

    def needs_hook(self):
        if os.environ.get("SCENARIO_INSTRUMENTED", "") not in ("", "OFF"):
            self.skipTest("an instrumented build has no hooks")

    def test_a_mutex_is_told_with_its_holder_and_where_that_took_it(self):
        self.needs_hook()
        self.lock(self.record("lock", "--locks"), "want_it", "holder", "take_it")

    def test_a_lock_for_writing_is_told_with_its_holder(self):
        self.needs_hook()
        self.lock(self.record("rwlock", "--locks"), "want_to_read", "writer", "write_it")

    def test_locks_and_memory_are_seen_together(self):
        self.needs_hook()
        self.lock(self.record("lock", "--locks", "--heap", "exact"), "want_it", "holder", "take_it")

    def test_holders_are_seen_without_privileges(self):
        self.needs_hook()
        if not self.root:
            self.skipTest("is a plain user already: the other tests show it")
        name = "liboriel-lock.so.0"
        shutil.copy(os.path.join(os.path.dirname(ORIEL), name), self.dir / name)
        self.root = False
        self.lock(self.record("lock", "--locks", user=65534), "want_it", "holder", "take_it")

    def test_all_of_a_convoy_wait_for_one_lock(self):
        self.needs_hook()
        waiting = self.record("convoy", "--locks")
        rows = [c for c in waiting["locks"] if c["in"] == "queue_up"]
        self.assertEqual(len({c["address"] for c in rows}), 1)
        self.assertEqual(sum(c["count"] for c in rows), 3, rows)
        self.assertGreaterEqual(seconds(rows), 3 * LEAST)

    def test_a_program_with_the_hook_does_what_it_does(self):
        self.needs_hook()
        bare = self.run_raw(WAITING, "locks", 0, text=True)
        run = self.oriel("record", "--rate", 0, "--locks", "--no-report", "-o", "l.oriel", "--",
                         WAITING, "locks", 0)
        self.assertEqual((run.returncode, run.stdout), (bare.returncode, bare.stdout))
        self.assertEqual(bare.stdout.count("ok"), 8, bare.stdout)

    def test_the_report_says_it_in_words(self):
        self.record("lock")
        run = self.oriel("report", "c.oriel")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"(?m)^waiting: \S+ \w+ in \d+ waits$")
        self.assertRegex(run.stdout, r"(?m)^  a lock +\d")
        if self.root:
            self.assertRegex(run.stdout,
                             r"(?m)^  waiting \(\d+\) .* want_it +a lock +holder \(\d+\) +give_back")

    def test_flame_graphs_have_waits_and_wakes(self):
        self.record("lock")
        for kind in ("off-cpu", "wake") if self.root else ("off-cpu",):
            run = self.oriel("flame", "--format", "folded", "--kind", kind, "c.oriel")
            self.assertEqual(run.returncode, 0, run.stderr)
            weight = sum(int(line.rsplit(" ", 1)[1]) for line in run.stdout.splitlines()
                         if ("want_it" if kind == "off-cpu" else "give_back") in line)
            self.assertGreaterEqual(weight, LEAST)


if __name__ == "__main__":
    main()
