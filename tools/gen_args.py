#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes include/oriel/args.h: the argument-list macros for 0 to 16 fields.

Run it after changing the number of fields; a gate compares its output with
the file in the tree."""
import sys

PAIRS = 16
LISTS = [  # macro, what it makes of one (key, value) pair, index i, count n
    ("FIELDS", "{{k, ORIEL_TYPE_OF(v), 0}},"),
    ("TEMPS", "ORIEL_AUTO oriel_v{i} = oriel_take(k, ORIEL_VAL(v), n);"),
    ("SIZES", "+ORIEL_SIZE(oriel_v{i})"),
    ("PUTS", "oriel_at = ORIEL_PUT(oriel_at, oriel_v{i});"),
    ("VALUES", "oriel_box(ORIEL_TYPE_OF(v), oriel_take(k, ORIEL_VAL(v), n)),"),
]


def main():
    out = [
        "/* SPDX-License-Identifier: MIT OR Apache-2.0 */",
        "/*",
        " * Argument lists: (name, key, value, key, value, ...) turned into static",
        " * field tables, typed temporaries, a size and stores. Standard C11 and",
        " * C++17 preprocessing only. Made by tools/gen_args.py; do not edit.",
        " */",
        "#ifndef ORIEL_ARGS_H",
        "#define ORIEL_ARGS_H",
        "",
        "/* clang-format off */",
        "#define ORIEL_FIRST(...) ORIEL_FIRST_(__VA_ARGS__, 0)",
        "#define ORIEL_FIRST_(a, ...) a",
        "#define ORIEL_CAT(a, b) ORIEL_CAT_(a, b)",
        "#define ORIEL_CAT_(a, b) a##b",
    ]
    top = 2 * PAIRS + 1
    names = ", ".join(f"_{i}" for i in range(1, top + 1))
    # counts: 1 -> 0 pairs, 3 -> 1 pair, ...; an even number of words is a mistake
    counts = ", ".join(str((i - 1) // 2) if i % 2 else "ODD" for i in range(top, 0, -1))
    out.append(f"#define ORIEL_PICK({names}, x, ...) x")
    out.append("/* Number of pairs after the first argument, or ODD. */")
    out.append(f"#define ORIEL_PAIRS(...) ORIEL_PICK(__VA_ARGS__, {counts}, 0)")
    plain = ", ".join(str(i - 1) for i in range(PAIRS + 1, 0, -1))
    few = ", ".join(f"_{i}" for i in range(1, PAIRS + 2))
    out.append(f"#define ORIEL_PICK_ARG({few}, x, ...) x")
    out.append("/* Number of arguments after the first, up to 16. */")
    out.append(f"#define ORIEL_COUNT(...) ORIEL_PICK_ARG(__VA_ARGS__, {plain}, 0)")
    out.append("/* (format, a, b) -> (format, \"\", a, \"\", b) */")
    out.append("#define ORIEL_UNNAMED(n, ...) ORIEL_CAT(ORIEL_UNNAMED_, n)(__VA_ARGS__)")
    for count in range(PAIRS + 1):
        params = "".join(f", v{i}" for i in range(count))
        body = "".join(f', "", v{i}' for i in range(count))
        out.append(f"#define ORIEL_UNNAMED_{count}(name{params}) name{body}")
    for name, text in LISTS:
        out.append("")
        out.append(f"#define ORIEL_{name}(n, ...) ORIEL_CAT(ORIEL_{name}_, n)(n, __VA_ARGS__)")
        out.append(f"#define ORIEL_{name}_ODD(n, ...) "
                   "ORIEL_ERROR_a_field_needs_a_name_and_a_value")
        for count in range(PAIRS + 1):
            params = "".join(f", k{i}, v{i}" for i in range(count))
            body = " ".join(
                "ORIEL_%s_ONE%s(n, k%d, v%d)" % (name, f"_{i}" if "{i}" in text else "", i, i)
                for i in range(count))
            out.append(f"#define ORIEL_{name}_{count}(n, name{params}) {body}".rstrip())
        if "{i}" in text:
            for i in range(PAIRS):
                out.append(f"#define ORIEL_{name}_ONE_{i}(n, k, v) " + text.format(i=i))
        else:
            out.append(f"#define ORIEL_{name}_ONE(n, k, v) " + text.format())
    out += ["/* clang-format on */", "", "#endif", ""]
    text = "\n".join(out)
    path = sys.argv[1] if len(sys.argv) > 1 else "include/oriel/args.h"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


if __name__ == "__main__":
    main()
