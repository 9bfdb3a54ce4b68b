/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lines about files, "PATH: what is wrong with it", where many files may have the
 * same to complain of: each complaint is one line, with how many files have it
 * and one of them. One thread at a time.
 */
#ifndef ORIEL_CLI_COMPLAINTS_H
#define ORIEL_CLI_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"

struct complaint {
    const char *text; /* of the first file that had it */
    size_t path;      /* bytes of the path at its beginning */
    size_t files;
};
struct complaints {
    VEC(struct complaint) items; /* in the order they came */
};

/* `text` begins with `path` and ": "; it is kept, not copied. Names in parentheses are those of a
 * file and make no other complaint. False: no memory. */
bool complaints_add(struct complaints *c, const char *path, const char *text);
/* The line for one of them, cut to `size` with its end. */
void complaints_line(const struct complaint *c, char *out, size_t size);
void complaints_done(struct complaints *c);

#endif
