/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the confined reader of a foreign file and its parent say to each other:
 * messages of a type and a size, each followed by so many bytes.
 */
#ifndef ORIEL_SESSION_FOREIGN_CHILD_H
#define ORIEL_SESSION_FOREIGN_CHILD_H

#include "base/err.h"
#include "source/source.h"
#include "util/confined.h"

enum { FOREIGN_PIECE_BYTES = 1 << 16, FOREIGN_PATH_MAX = 4096 };

enum foreign_type {
    FOREIGN_PIECE = 1,  /* of the capture */
    FOREIGN_OBJECT = 2, /* the path of an object file; the answer: a uint64_t of its size, and
                         * it as a descriptor, if it is one */
    FOREIGN_END = 3     /* a struct foreign_end */
};
struct foreign_message {
    uint32_t type; /* enum foreign_type */
    uint32_t bytes;
};
struct foreign_end {
    int32_t code;
    uint32_t unknown; /* no source knows such files */
    struct source_damage damage;
    char text[sizeof((struct oriel_err *)0)->text];
};

struct foreign_order {
    const char *path;
    uint64_t written_unix_ns;
    const struct source *reader; /* NULL: whoever knows it */
};
/* The work of a confined child; `how` is a struct foreign_order. */
void foreign_child(const void *how, const struct confined_file *file);

#endif
