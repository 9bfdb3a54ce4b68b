#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The suite toml-test, built from its Go module, against our reader and writer:
every document that is TOML 1.0, every one that is not, and every tree written.

usage: suite.py PEER BUILD-FOLDER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODULE = "github.com/toml-lang/toml-test/v2/cmd/toml-test"
# What the locked version has; fewer would mean that cases were left out.
AT_LEAST = {"valid": 205, "encoder": 205, "invalid": 474}


def main():
    peer, build = sys.argv[1], pathlib.Path(sys.argv[2])
    if not shutil.which("go"):
        print("go is not installed: toml-test is not run")
        return 77
    build.mkdir(parents=True, exist_ok=True)
    tool = build / "toml-test"
    subprocess.run(["go", "build", "-o", tool, MODULE], cwd=HERE / "suite", check=True)
    run = subprocess.run([tool, "test", "-toml=1.0", "-color=never", "-timeout=60s",
                          f"-decoder={peer} decode", f"-encoder={peer} encode"],
                         env=dict(os.environ, NO_COLOR="1"), text=True, capture_output=True)
    print(run.stdout + run.stderr)
    found = {kind: (int(passed), int(failed)) for kind, passed, failed in
             re.findall(r"(\w+) tests:\s+(\d+) passed,\s+(\d+) failed", run.stdout)}
    for kind, least in AT_LEAST.items():
        passed, failed = found.get(kind, (0, 0))
        if failed or passed < least:
            print(f"{kind}: {passed} passed of {least}, {failed} failed")
            return 1
    return run.returncode


sys.exit(main())
