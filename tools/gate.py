# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the gates share: finding sources, blanking comments, telling problems.

A gate prints one line per problem, "file:line: rule: message", and exits 1 if
there was one. All paths are relative to the root given with --root.
"""
import argparse
import os
import pathlib
import re
import sys

SKIPPED_FOLDERS = {".git", "node_modules", "corpus", "goldens", "__pycache__", "fixtures"}
C_SUFFIXES = (".c", ".h", ".cpp", ".hpp")

# A comment, a string, or a character constant; whichever begins first wins.
_LEXEME = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text, strings=True):
    """The text with comments (and what stands in strings) replaced by blanks;
    lines keep their numbers."""
    def hide(match):
        lexeme = match.group(0)
        if lexeme[0] == "/":
            return re.sub(r"[^\n]", " ", lexeme)
        if not strings:
            return lexeme
        return lexeme[0] + " " * (len(lexeme) - 2) + lexeme[-1]
    return _LEXEME.sub(hide, text)


def is_test(path):
    return path.startswith("tests/") or re.search(r"(_(test|fuzz)\.(c|cpp|h)|/testing\.h|/test_\w+\.h)$", path) is not None


def room_of(path):
    """"src/pipe/order.c" -> "pipe"; "include/oriel/abi/x.h" -> "include/oriel/abi"."""
    if path.startswith("include/oriel/abi/"):
        return "include/oriel/abi"
    if path.startswith("include/oriel/"):
        return "include/oriel"
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


class Gate:
    def __init__(self, description, arguments=()):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent,
                            type=pathlib.Path, help="the tree to check")
        for names, options in arguments:
            parser.add_argument(*names, **options)
        self.options = parser.parse_args()
        self.root = self.options.root.resolve()
        self.problems = 0
        self.name = pathlib.Path(sys.argv[0]).stem

    def files(self, *folders, suffixes=C_SUFFIXES):
        """Paths under the folders, sorted; a folder may also be one file."""
        found = []
        for folder in folders:
            start = self.root / folder
            if start.is_file():
                found.append(folder)
            for where, below, names in os.walk(start):
                below[:] = [name for name in below if name not in SKIPPED_FOLDERS
                            and not name.startswith("build")]
                for name in names:
                    if name.endswith(suffixes):
                        found.append(str((pathlib.Path(where) / name).relative_to(self.root)))
        return sorted(found)

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def table(self, path):
        """(line number, words) of each line of a table; # begins a comment."""
        if not (self.root / path).is_file():
            self.problem(path, 0, "table", "is missing")
            return
        for number, line in enumerate(self.text(path).splitlines(), 1):
            words = line.split("#", 1)[0].split()
            if words:
                yield number, words

    def problem(self, path, line, rule, message):
        self.problems += 1
        print(f"{path}:{line}: {rule}: {message}")

    def skip(self, reason):
        print(reason)
        sys.exit(77)

    def end(self, summary):
        if self.problems:
            print(f"{self.name}: {self.problems} problem(s) in {summary}")
            sys.exit(1)
        print(f"{self.name}: {summary}, nothing to report")
        sys.exit(0)
