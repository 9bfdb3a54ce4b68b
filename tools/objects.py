# SPDX-License-Identifier: MIT OR Apache-2.0
"""Object files of a build and their symbols, for the gates that look at what
the compiler made. Which source became which object is read from
compile_commands.json."""
import json
import pathlib
import re
import subprocess

BUILD = (["--build"], {"type": pathlib.Path, "default": pathlib.Path("build"),
                       "help": "build folder, configured with Ninja"})


def by_source(gate):
    """{path of the source relative to the root: path of its object}, only what is built."""
    build = gate.options.build.resolve()
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    found = {}
    for command in commands:
        source = pathlib.Path(command["file"])
        output = re.search(r" -o (\S+)", command["command"])
        if source.is_relative_to(gate.root) and (build / output[1]).exists():
            found[str(source.relative_to(gate.root))] = build / output[1]
    return found


def rooms_left_out(gate):
    """The rooms ORIEL_ONLY restricts this build to; empty: all are built."""
    cache = gate.options.build / "CMakeCache.txt"
    match = re.search(r"^ORIEL_ONLY:\w+=(.+)$", cache.read_text(encoding="utf-8"), re.M)
    return match[1] if match else ""


def symbols(objects, *options):
    """(object, name, type letter) of each symbol of some files."""
    objects = [str(path) for path in objects]
    for start in range(0, len(objects), 200):
        output = subprocess.run(["nm", "-A", "-P", *options, *objects[start:start + 200]],
                                capture_output=True, text=True, check=True).stdout
        for line in output.splitlines():
            match = re.match(r"(.+?)(?:\[[^]]*\])?: (\S+) (\w)", line)
            yield match[1], match[2], match[3]
