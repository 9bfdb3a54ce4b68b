#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compare our answers with llvm-symbolizer's, line for line.

usage: oracle.py RESOLVE SOURCES OUT BUILD [COUNT] [VARIANT...]

(COUNT addresses of each variant, ten times as many of BUILD, "own".)

Builds the samples in many ways (compilers, DWARF versions, split, packed,
stripped, shared debug information), asks both for random addresses, and
counts the differences by class. A class that is not explained in
docs/SYMBOLS.md, or has more than its ceiling, fails.
"""
import collections
import os
import random
import re
import shutil
import subprocess
import sys

ORACLE = "llvm-symbolizer-14"

# name: (source, compiler, flags, steps after the build)
VARIANTS = {
    "c-gcc-o2": ("sample.c", "gcc", "-g -O2", []),
    "c-gcc-o3-dwarf4": ("sample.c", "gcc", "-gdwarf-4 -O3", []),
    "c-gcc-o1-dwarf3": ("sample.c", "gcc", "-gdwarf-3 -O1", []),
    "c-gcc-o2-dwarf2": ("sample.c", "gcc", "-gdwarf-2 -O2", []),
    "c-gcc-packed": ("sample.c", "gcc", "-g -O2 -gz", []),
    "c-gcc-packed-gnu": ("sample.c", "gcc", "-gdwarf-4 -O2 -gz=zlib-gnu", []),
    "c-gcc-lto": ("sample.c", "gcc", "-g -O2 -flto", []),
    "c-gcc-split": ("sample.c", "gcc", "-g -O2 -gsplit-dwarf", []),
    "c-gcc-split-dwarf4": ("sample.c", "gcc", "-gdwarf-4 -O2 -gsplit-dwarf", []),
    "c-clang-o2": ("sample.c", "clang-14", "-g -O2", []),
    "c-clang-dwarf4": ("sample.c", "clang-14", "-gdwarf-4 -O2", []),
    "c-clang-split": ("sample.c", "clang-14", "-g -O2 -gsplit-dwarf", ["unsplit"]),
    "c-gcc-static": ("sample.c", "gcc", "-g -O2 -static", []),
    "c-gcc-dwarf64": ("sample.c", "gcc", "-g -gdwarf64 -O2", []),
    "c-gcc-packed-zstd": ("sample.c", "gcc", "-g -O2", ["zstd"]),
    "c-gcc-minidebug": ("sample.c", "gcc", "-O2", ["minidebug"]),
    "c-gcc-no-debug": ("sample.c", "gcc", "-O2", []),
    "cxx-gcc-o2": ("sample.cc", "g++", "-g -O2 -std=c++17", []),
    "cxx-gcc-o3-dwarf4": ("sample.cc", "g++", "-gdwarf-4 -O3 -std=c++17", []),
    "cxx-gcc-sections": ("sample.cc", "g++",
                         "-g -O2 -std=c++17 -ffunction-sections -Wl,--gc-sections", []),
    "cxx-gcc-split": ("sample.cc", "g++", "-g -O2 -std=c++17 -gsplit-dwarf", []),
    "cxx-gcc-package": ("sample.cc", "g++", "-gdwarf-4 -O2 -std=c++17 -gsplit-dwarf", ["dwp"]),
    "cxx-gcc-package5": ("sample.cc", "g++", "-g -O2 -std=c++17 -gsplit-dwarf",
                         ["llvm-dwp", "unsplit"]),
    "cxx-clang-package5": ("sample.cc", "clang++-14", "-g -O2 -std=c++17 -gsplit-dwarf",
                           ["llvm-dwp", "unsplit"]),
    "cxx-gcc-link": ("sample.cc", "g++", "-g -O2 -std=c++17", ["debuglink"]),
    "cxx-gcc-shared": ("sample.cc", "g++", "-g -O2 -std=c++17", ["dwz"]),
    "cxx-clang-o2": ("sample.cc", "clang++-14", "-g -O2 -std=c++17", []),
    "cxx-clang-o3-dwarf4": ("sample.cc", "clang++-14", "-gdwarf-4 -O3 -std=c++17", []),
    "cxx-clang-split-dwarf4": ("sample.cc", "clang++-14",
                               "-gdwarf-4 -O2 -std=c++17 -gsplit-dwarf", []),
    "rust": ("sample.rs", "rustc", "-g -O", []),
    "rust-v0": ("sample.rs", "rustc", "-g -O -C symbol-mangling-version=v0", []),
}

# Share of addresses that may differ, by explained class: all others are errors.
#   plt   stubs of other libraries' functions: "memcpy@plt" for us, nothing or the
#         symbol before for the oracle; checked against objdump's names instead
CEILINGS = {"plt": 1.0}


def run(*args, **more):
    return subprocess.run(args, check=True, capture_output=True, text=True, **more).stdout


def build(name, sources, out):
    source, compiler, flags, steps = VARIANTS[name]
    if not shutil.which(compiler):
        return None
    folder = os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    program = os.path.join(folder, "program")
    run(compiler, *flags.split(), os.path.join(sources, source), "-o", program, cwd=folder)
    whole = program
    for step in steps:
        if step == "unsplit":
            # llvm-symbolizer 14 does not find the range lists of split DWARF 5
            # units: ask it about the same code with its debug information inside.
            whole = program + ".whole"
            flags = flags.replace("-gsplit-dwarf", "")
            run(compiler, *flags.split(), os.path.join(sources, source), "-o", whole, cwd=folder)
        if step == "dwp":
            units = [f for f in os.listdir(folder) if f.endswith(".dwo")]
            run("dwp", "-o", program + ".dwp", *units, cwd=folder)
            whole = os.path.join(folder, "oracle", "program")  # keeps the loose units
            os.makedirs(os.path.join(folder, "oracle"))
            shutil.copy(program, whole)
        elif step == "llvm-dwp": # the package format of DWARF 5, which binutils cannot write
            if not shutil.which("llvm-dwp-14"):
                return None
            units = [f for f in os.listdir(folder) if f.endswith(".dwo")]
            run("llvm-dwp-14", "-o", program + ".dwp", *units, cwd=folder)
            for unit in units: # nothing but the package is left to be found
                os.unlink(os.path.join(folder, unit))
        elif step == "debuglink":
            whole = program + ".whole"
            shutil.copy(program, whole)
            run("objcopy", "--only-keep-debug", program, program + ".debug")
            run("strip", program)
            run("objcopy", "--add-gnu-debuglink=" + program + ".debug", program)
        elif step == "zstd": # newer than the oracle
            whole = program + ".whole"
            shutil.copy(program, whole)
            packed = subprocess.run(["objcopy", "--compress-debug-sections=zstd", program],
                                    capture_output=True)
            if packed.returncode != 0:
                return None
        elif step == "minidebug":
            if not shutil.which("xz"):
                return None
            whole = program + ".whole"
            shutil.copy(program, whole)
            run("objcopy", "--only-keep-debug", program, program + ".small")
            run("xz", "-k", program + ".small")
            run("strip", program)
            run("objcopy", "--add-section=.gnu_debugdata=" + program + ".small.xz", program)
        elif step == "dwz":
            if not shutil.which("dwz"):
                return None
            whole = program + ".whole"
            shutil.copy(program, whole)
            shutil.copy(program, program + ".2")
            run("dwz", "-m", "shared.dwz", "program", "program.2", cwd=folder)
    return program, whole, steps


def executable_sections(path):
    found = []
    for line in run("readelf", "-SW", path).splitlines():
        parts = line[6:].split()
        if len(parts) > 7 and parts[1] in ("PROGBITS", "NOBITS") and "X" in parts[6]:
            found.append((int(parts[2], 16), int(parts[4], 16), parts[0]))
    return found


def choose(path, count):
    sections = executable_sections(path)
    total = sum(size for _, size, _ in sections)
    chosen = set()
    pick = random.Random(20)
    while len(chosen) < min(count, total // 2):
        at = pick.randrange(total)
        for start, size, _ in sections:
            if at < size:
                chosen.add(start + at)
                break
            at -= size
    return sorted(chosen), sections


def stub_names(path):
    """The start of each stub and its name, as objdump has it."""
    names = {}
    text = subprocess.run(["objdump", "-d", "-j", ".plt", "-j", ".plt.sec", "-j", ".plt.got", path],
                          capture_output=True, text=True).stdout
    for line in text.splitlines():
        found = re.match(r"([0-9a-f]+) <([^>]*@plt)>:", line)
        if found:
            names[int(found[1], 16)] = found[2]
    return names


def stub_is_right(ours, stubs):
    at = int(ours[0], 16)
    name = next((stubs[at - k] for k in range(16) if at - k in stubs), None)
    # The first stub of a table belongs to the loader and has no name for us.
    return ours[1] == name or (name is None or name.startswith("*")) and "@plt" not in ours[1]


def blocks(text):
    return [b.split("\n") for b in text.strip().split("\n\n")]


def classify(ours, theirs, sections):
    at = int(ours[0], 16)
    where = next((n for s, size, n in sections if s <= at < s + size), "")
    if where.startswith(".plt"):
        return "plt"
    if len(ours) == len(theirs) and ours[2::2] == theirs[2::2] and ours[1:-2:2] == theirs[1:-2:2]:
        return "name"
    if len(ours) != len(theirs):
        return "depth"
    return "line"


def compare(resolve, name, program, whole, count):
    chosen, sections = choose(whole, count)
    text = "\n".join(hex(a) for a in chosen) + "\n"
    ours = blocks(run(resolve, program, input=text))
    theirs = blocks(run(ORACLE, "--obj=" + whole, "--no-demangle", "--addresses", "-i", input=text))
    counts = collections.Counter()
    examples = {}
    stubs = stub_names(program)
    for o, t in zip(ours, theirs):
        if o == t:
            continue
        kind = classify(o, t, sections)
        if kind == "plt" and not stub_is_right(o, stubs):
            kind = "plt-wrong"
        counts[kind] += 1
        examples.setdefault(kind, (o, t))
    inlined = sum(len(o) > 3 for o in ours)
    known = sum(o[1] != "??" for o in ours)
    print(f"{name:24} {len(ours):6} addresses {known:6} known {inlined:6} inlined  "
          f"{sum(counts.values()):5} differ {dict(counts) or ''}")
    good = len(ours) == len(theirs) == len(chosen)
    for kind, n in counts.items():
        if n > CEILINGS.get(kind, 0) * len(ours):
            good = False
            print("  not explained:", kind)
            print("    ours  ", *examples[kind][0])
            print("    oracle", *examples[kind][1])
    return good, len(ours), sum(counts.values())


def main():
    resolve, sources, out, built = map(os.path.abspath, sys.argv[1:5])
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 1000
    wanted = sys.argv[6:] or list(VARIANTS) + ["own"]
    if not shutil.which(ORACLE):
        print(ORACLE, "is not installed")
        return 77
    failed = asked = differ = 0
    for name in wanted:
        if name == "own":
            made = (built, built, [])
        else:
            made = build(name, sources, out)
        if not made:
            print(f"{name:24} left out: its compiler is not installed")
            continue
        good, n, d = compare(resolve, name, made[0], made[1], 10 * count if name == "own" else count)
        failed += not good
        asked += n
        differ += d
    print(f"{asked} addresses, {differ} differ, {failed} variants failed")
    return 1 if failed or asked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
