#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gate: what the build compiles is also clean with clang, assertions included.

Takes the commands of a build, with clang as the compiler, for syntax only.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import objects
from gate import Gate

DROPPED = re.compile(r"-(o|MT|MF)$")
IGNORED = {"-MD", "-DNDEBUG", "-c"}


def arguments(command):
    words = iter(shlex.split(command)[1:])
    for word in words:
        if DROPPED.match(word):
            next(words)
        elif word not in IGNORED:
            yield word


def compile_one(entry):
    compiler = "clang++" if entry["file"].endswith(".cpp") else "clang"
    run = subprocess.run([compiler, "-fsyntax-only", *arguments(entry["command"])],
                         cwd=entry["directory"], capture_output=True, text=True, check=False)
    return entry["file"], run.returncode, run.stderr


def main():
    gate = Gate(__doc__.splitlines()[0], [objects.BUILD])
    if not shutil.which("clang"):
        gate.skip("clang is not installed (tools/setup check)")
    commands = json.loads((gate.options.build / "compile_commands.json").read_text(encoding="utf-8"))
    ours = {entry["file"]: entry for entry in commands
            if pathlib.Path(entry["file"]).is_relative_to(gate.root)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, text in pool.map(compile_one, ours.values()):
            found = re.findall(r"^(.+?):(\d+):\d+: (?:fatal )?error: (.*)$", text, re.M)
            for where, line, message in found:
                gate.problem(os.path.relpath(where, gate.root), line, "clang", message)
            if status and not found:
                gate.problem(os.path.relpath(path, gate.root), 0, "clang", text.strip()[:200])
    gate.end(f"{len(ours)} files")


main()
