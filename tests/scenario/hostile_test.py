# SPDX-License-Identifier: MIT OR Apache-2.0
"""A set-uid program whose environment is an attacker's: nobody is called, and no file is read or made."""
import os
import shutil
import socket
import subprocess
import unittest

from tool import EMITTER, ORIEL, Scenario, main

NOBODY = 65534


class Hostile(Scenario):
    @unittest.skipIf(os.environ.get("SCENARIO_INSTRUMENTED", "") not in ("", "OFF"), "a sanitizer would be set-uid too")
    @unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
    def test_a_set_uid_program_takes_no_orders_from_its_environment(self):
        if os.statvfs(self.dir).f_flag & os.ST_NOSUID:
            self.skipTest("no set-uid programs on this file system")
        self.dir.chmod(0o777)
        self.runtime.chmod(0o777)
        copy = self.dir / "setuid"
        shutil.copy(EMITTER, copy)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = self.dir / "made"
        helper = self.dir / "helper"
        helper.write_text(f"#!/bin/sh\ntouch {made}-by-helper\n", encoding="ascii")
        helper.chmod(0o755)
        config = self.dir / "evil.toml"
        config.write_text(f"[telemetry]\nenabled = true\ntrace_dir = '{made}-by-file'\n"
                          f"[telemetry.vault]\nprovider = 'command'\ncommand_argv = ['{helper}']\n", encoding="ascii")
        env = dict(self.env, TELEMETRY_ENABLED="true", OTEL_SDK_ENABLED="true", ORIEL_ENABLED="1",
                   OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
                   ORIEL_CONFIG=str(config), OTEL_CONFIG_FILE=str(config), ORIEL_TRACE_DIR=f"{made}-by-variable",
                   ORIEL_VAULT="command", ORIEL_RING=f"{made}-ring", ORIEL_CRASH="1",
                   OTEL_SERVICE_NAME="../../x\nline", OTEL_RESOURCE_ATTRIBUTES="a=../../x%0A")
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "env": env, "stdin": subprocess.DEVNULL}
        copy.chmod(0o4755)
        before = sorted(os.listdir(self.dir))
        run = self.run_raw(copy, "spans", 3, **who)
        self.assertEqual(run.stderr, b"")
        self.assertEqual(sorted(os.listdir(self.dir)), before)
        self.assertEqual(self.rings(), [])
        listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            listener.accept()
        # The same for root itself is not set-uid and listens to it: the test can tell.
        env.update(ORIEL_CONFIG="", OTEL_CONFIG_FILE="", ORIEL_VAULT="", ORIEL_RING="", ORIEL_BACKEND="local",
                   OTEL_EXPORTER_OTLP_ENDPOINT="", LD_LIBRARY_PATH=os.path.dirname(ORIEL))
        heard = self.run_raw(copy, "spans", 3, env=env, stdin=subprocess.DEVNULL)
        self.assertEqual(heard.returncode, 0, heard)
        after = sorted(os.listdir(self.dir))
        self.assertEqual(after, sorted([*before, "made-by-variable"]), heard)

    def test_names_that_are_paths_lines_or_endless_stay_in_the_directory(self):
        base = dict(self.env, TELEMETRY_ENABLED="true", ORIEL_BACKEND="local", ORIEL_TRACE_DIR="traces",
                    LD_LIBRARY_PATH=os.path.dirname(ORIEL))
        inner = self.dir / "a" / "b"
        inner.mkdir(parents=True)
        for name in ("../../x", "/etc/x", "two\nlines\x1b[31m", "n" * 65536, "%2e%2e%2fx"):
            env = dict(base, OTEL_SERVICE_NAME=name, OTEL_RESOURCE_ATTRIBUTES=f"service.instance.id={name}")
            run = self.run_raw(EMITTER, "spans", 3, env=env, cwd=inner)
            self.assertEqual((run.returncode, run.stdout), (0, b"emitted 3\n"), name[:20])
            self.assertLessEqual(run.stderr.count(b"\n"), 1, run.stderr)
            self.assertNotIn(b"\x1b", run.stderr)
            self.assertEqual(os.listdir(self.dir), ["a"])
            self.assertEqual(os.listdir(self.dir / "a"), ["b"])
            self.assertLessEqual(set(os.listdir(inner)), {"traces"})
            for file in inner.glob("traces/*"):
                self.assertRegex(file.name, r"\A([0-9a-f]{32}_\w+\..+|\.gitignore)\Z")
        self.assertTrue(any(inner.glob("traces/?*_*")))

    def test_what_cannot_start_says_why_and_leaves_the_program_alone(self):
        base = dict(self.env, TELEMETRY_ENABLED="true", LD_LIBRARY_PATH=os.path.dirname(ORIEL))
        gone = self.dir / "gone"
        ways = {"descriptors": f"ulimit -n 4; exec {EMITTER} spans 3",
                "files": f"ulimit -f 4; exec {EMITTER} spans 3 | cat",
                "memory": f"ulimit -v 60000; exec {EMITTER} spans 3",
                "folder": f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {EMITTER} spans 3"}
        for name, script in ways.items():
            run = self.run_raw("bash", "-c", script, env=base, text=True)
            self.assertEqual((run.returncode, run.stdout), (0, "emitted 3\n"), name)
            self.assertRegex(self.one_line(run.stderr), "oriel: telemetry does not start: ", name)
            self.assertEqual(self.rings(), [], name)

    def test_without_a_place_for_files_what_is_sent_goes_on(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            env = dict(self.env, TELEMETRY_ENABLED="true", ORIEL_BACKEND="local,otlp", ORIEL_EXIT_MS="300",
                       OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{listener.getsockname()[1]}",
                       ORIEL_TRACE_DIR="/proc/nowhere", LD_LIBRARY_PATH=os.path.dirname(ORIEL))
            run = self.run_raw(EMITTER, "spans", 3, env=env, text=True)
            self.assertEqual((run.returncode, run.stdout), (0, "emitted 3\n"))
            self.assertRegex(run.stderr.splitlines()[0], r"\Aoriel: no local files: /proc/nowhere: .* \(trace_dir says")
            listener.setblocking(False)
            listener.accept()[0].close()


if __name__ == "__main__":
    main()
