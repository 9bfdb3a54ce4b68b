/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Option tables as text for people: the rows of `--help`. No I/O.
 */
#ifndef ORIEL_UTIL_OPTION_HELP_H
#define ORIEL_UTIL_OPTION_HELP_H

#include "base/buf.h"
#include "util/option.h"

/* "  -o, --out FILE  help ... (default: x)", one row an option, help wrapped to
 * `width` columns under itself. 0 takes 80; less than 40 is taken as 40. */
void option_help(const struct option_def *defs, unsigned width, struct buf *out);

/* Text wrapped at spaces to `width` columns; the first line is taken to begin
 * at column `at`, later ones are indented to `indent`. No newline at the end. */
void option_help_wrap(struct buf *out, const char *text, unsigned at, unsigned indent,
                      unsigned width);

/* What stands for the value: "FILE", "N", "a|b|c"; "" for a flag. */
void option_help_arg(const struct option_def *def, struct buf *out);

#endif
