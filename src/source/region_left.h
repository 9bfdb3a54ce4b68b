/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs that exported by themselves left in memory when they were killed, or when the time
 * for their end was over: the newest stay for `oriel recover`, and their number and their memory
 * are bounded.
 */
#ifndef ORIEL_SOURCE_REGION_LEFT_H
#define ORIEL_SOURCE_REGION_LEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The newest ring stays, whatever its size. */
struct region_limit {
    unsigned rings;
    uint64_t bytes; /* of memory; never more than a quarter of their file system */
};
/* What stays where nobody asks for less. */
#define REGION_LIMIT_RINGS 8u
#define REGION_LIMIT_BYTES (UINT64_C(64) << 20)

struct region_tidied {
    unsigned removed, kept;
    uint64_t unread_bytes; /* of those that were removed: said, and in no outlet */
    uint64_t kept_bytes;   /* memory */
};

/* Of the rings in a directory (NULL: the runtime directory) that an export left: gives back the
 * memory that holds nothing, and removes as many as are beyond the limit (NULL: as above). First
 * goes what holds nothing, then the oldest of whichever program left most. What the kernel says is
 * open or mapped anywhere is left alone, whoever has it, in whatever namespace; so are rings of
 * recorders. One process does this at a time: *out is zero where another is at it. 0, or a
 * negative code. Any thread; allocates. */
int region_tidy(const char *directory, const struct region_limit *limit, struct region_tidied *out);
/* Is far more there than that, by names and sizes? Reads a directory and no ring. */
bool region_left_late(const char *directory);

/* What was removed there so far. */
struct region_removed {
    uint64_t rings, unread_bytes;
    int64_t unix_s; /* the last time; 0: never */
};
int region_removed_read(const char *directory, struct region_removed *out);
/* The same, of which nobody is told again. */
int region_removed_take(const char *directory, struct region_removed *out);

#endif
