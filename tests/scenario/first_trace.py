#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/FIRST-TRACE.md, followed to the letter in an empty directory and an empty
environment: the commands are taken from the page itself.

  first_trace.py prefix TREE      TREE is an installed tree somewhere else
  first_trace.py default TREE     the tree stands in /usr/local and ldconfig ran,
                                  in a mount namespace of our own (needs root)
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 120  # what the page promises, installing apart
SKIP = 77
INSTALL = ["git clone", "make", "sudo make install"]
RECIPE = ("@cmake --install build --prefix $(PREFIX)", "ldconfig")


def fail(text):
    sys.exit(f"first trace: {text}")


def blocks():
    """The fenced blocks of the page: of the installation, and all that follow."""
    page = (ROOT / "docs/FIRST-TRACE.md").read_text(encoding="utf-8")
    found = re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)
    if len(found) < 5:
        fail("the page has fewer commands than it had")
    return found[0], found[1:]


def check_installation(block):
    """The tree was installed by the build; the page must say what does that."""
    for line, expected in zip(block.splitlines(), INSTALL, strict=True):
        if not line.startswith(expected):
            fail(f"the page installs by {line!r}, which this test does not know")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile[makefile.index("\ninstall:"):makefile.index("\nclean:")]
    if not all(part in recipe for part in RECIPE):
        fail("`make install` does something this test does not")


def follow(work, env, commands):
    """All of it in one shell, as a reader would; what each block said."""
    script = "set -eu\n" + "\n".join(f"{block}\necho; echo '=== end of block'" for block in commands)
    run = subprocess.run(["bash", "-c", script], cwd=work, env=env, text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * SECONDS)
    if run.returncode != 0:
        fail(f"the page's commands end with {run.returncode}:\n{run.stdout}")
    return run.stdout.split("=== end of block")


def expect(pattern, text):
    if not re.search(pattern, text):
        fail(f"this should say {pattern}:\n{text}")


def check(work, env, said):
    """A page that only runs could still show nothing."""
    record, look, collect = said[1:4]
    expect(r"oriel  .* 1 thread · 9 spans · 4 events · (\d+ samples? · )?0 lost · \.oriel/runs/", record)
    expect(r"where the time went", record)
    expect(r"\bsort\b.*hello\.c:12", look)
    expect(r"(?s)main.*\bfill\b.*\bsort\b", look)
    expect(r"received 9 spans and \d+ log records", collect)
    traces = [p for p in (work / "hello").rglob("*") if p.name.endswith((".pftrace", ".perfetto"))]
    if len(traces) != 1 or traces[0].stat().st_size < 200:
        fail(f"no picture for ui.perfetto.dev: {traces}")
    run = subprocess.run(["oriel", "report", "--json"], cwd=work / "hello", env=env, check=True,
                         capture_output=True, text=True)
    spans = {s["name"]: s["count"] for s in json.loads(run.stdout)["spans"]}
    if spans != {"main": 1, "fill": 4, "sort": 4}:
        fail(f"the recording has {spans}")
    plain = subprocess.run(["./hello"], cwd=work / "hello", env=env, check=False,
                           capture_output=True)
    if plain.returncode != 0 or plain.stdout or plain.stderr:
        fail("./hello alone does not run as it always did")


def in_namespace(tree):
    """This script again, with the tree as /usr/local and an /etc to write to."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        print("skipped: needs root and unshare")
        return SKIP
    layers = tempfile.mkdtemp(prefix="oriel-first.", dir="/dev/shm")
    try:
        for name in ("up", "work"):
            os.mkdir(f"{layers}/{name}")
        prepare = (f"mount -t overlay overlay -o lowerdir=/etc,upperdir={layers}/up,"
                   f"workdir={layers}/work /etc && mount --bind {tree}/usr/local /usr/local")
        probe = subprocess.run(["unshare", "-m", "bash", "-c", prepare], check=False,
                               capture_output=True, text=True)
        if probe.returncode != 0:
            print("skipped: no overlay here:", probe.stderr.strip())
            return SKIP
        again = f"{prepare} && ldconfig && exec {sys.executable} {__file__} inside /"
        return subprocess.run(["unshare", "-m", "bash", "-c", again], check=False).returncode
    finally:
        shutil.rmtree(layers, ignore_errors=True)


def main():
    how, tree = sys.argv[1:]
    if how == "default":
        return in_namespace(tree)
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    if how == "prefix":
        prefix = pathlib.Path(tree) / "usr/local"
        package = next(prefix.glob("lib*/**/pkgconfig"))
        env["PATH"] = f"{prefix}/bin:/usr/bin:/bin"
        env["PKG_CONFIG_PATH"] = str(package)
        env["LD_LIBRARY_PATH"] = str(package.parent)
    installation, commands = blocks()
    check_installation(installation)
    work = pathlib.Path(tempfile.mkdtemp(prefix="oriel-first."))
    env["HOME"] = str(work)
    try:
        begin = time.monotonic()
        said = follow(work, env, commands)
        seconds = time.monotonic() - begin
        check(work, env, said)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if seconds > SECONDS:
        fail(f"took {seconds:.0f} s, the page promises {SECONDS}")
    print(f"first trace: {len(commands)} blocks in {seconds:.1f} s")
    return 0


sys.exit(main())
