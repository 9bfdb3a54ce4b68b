/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The last walks of one thread, for walks that begin again and again at a few places of one
 * program: most frames of the next one are still the same. A frame is taken over when the stack
 * pointer, the place and, where it matters, the frame pointer are those of the walk
 * before, and every word that was read to leave it still holds what it held. So the result
 * is that of a walk over the tables, whatever happened to the stack in between.
 *
 * Belongs to one thread; async-signal-safe, but not within itself. Neither heap, lock nor loader.
 */
#ifndef ORIEL_UNWIND_TRAIL_H
#define ORIEL_UNWIND_TRAIL_H

#include "unwind/current.h"

enum { UNWIND_TRAIL_MAX = 128, UNWIND_TRAIL_WAYS = 16 };

struct unwind_trail_frame {
    uint64_t pc, sp, fp; /* where it goes on, and the registers then */
    uint64_t sum;        /* of the pcs from the outermost frame to this one */
    unwind_row row;      /* how it is left */
};
/* One stack, innermost frame first: frames[first] up to the last one there is room for. */
struct unwind_trail {
    struct unwind_trail_frame frames[UNWIND_TRAIL_MAX];
    uint64_t generation; /* of the modules that its rows are of, 0 = empty */
    uint64_t high;       /* end of the stack it is of */
    uint32_t first;
    bool cut; /* the stack goes on beyond that many frames */
};
/* Zeroed memory is an empty one; about 90 KiB, of which a program uses a few. */
struct unwind_trails {
    uint32_t failed, wait;
    struct unwind_trail ways[UNWIND_TRAIL_WAYS];       /* by where walks begin */
    struct unwind_trail_frame fresh[UNWIND_TRAIL_MAX]; /* of the walk under way */
};

/* As unwind_above; valid until the next walk. NULL: this stack needs more than plain rows that
 * were met before: walk it by unwind_above. What is left out of a deep stack is its outer end. */
const struct unwind_trail *unwind_trails_walk(struct unwind_trails *trails,
                                              const struct unwind_self *self,
                                              const struct unwind_stack *stack,
                                              const struct unwind_caller *caller);

/* The next sum, outermost frame first, from 0 on. */
static inline uint64_t unwind_trail_sum(uint64_t sum, uint64_t pc)
{
    sum = (sum ^ pc) * UINT64_C(0x9fb21c651e98df25);
    return sum ^ sum >> 29;
}

#endif
