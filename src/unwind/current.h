/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The observed program's own side: its modules as signal handlers may see them,
 * and the walk from the context a handler was given. open, refresh and close
 * are for ordinary code (one caller at a time); the walks are async-signal-safe
 * and touch neither heap, lock nor loader.
 *
 * What may be unloaded is copied: a walk never reads a library's bytes while
 * another thread closes it. Without refresh after dlopen the new library's
 * functions have no rows, and walks end there or go on by frame pointer.
 */
#ifndef ORIEL_UNWIND_CURRENT_H
#define ORIEL_UNWIND_CURRENT_H

#include "unwind/unwind.h"

struct unwind_copy;
struct unwind_snapshot {
    uint32_t readers; /* walks under way */
    struct unwind_space space;
    struct unwind_copy **copies; /* of what may be unloaded, beside the modules */
    void *storage;
    size_t storage_size;
};
/* About 64 KiB, zeroed by the caller (static memory will do). */
struct unwind_self {
    struct unwind_cache cache;
    struct unwind_snapshot snapshots[2];
    uint32_t current; /* index + 1 of the published one, 0 = none */
    uint64_t generation, adds, subs;
    uint64_t published; /* atomic; generation of the published one, 0 = none */
    bool pin_all;
};
struct unwind_stack {
    uint64_t low, high;
};

/* `at_start`: nothing was opened by dlopen yet, so what is here now stays. 0 or
 * ORIEL_ENOMEM. */
int unwind_self_open(struct unwind_self *self, bool at_start);
/* After dlopen and dlclose; costs a microsecond when nothing changed. 0,
 * ORIEL_ENOMEM, or ORIEL_EBUSY (a walk still uses the one before the last): what
 * was published before stays, try again later. */
int unwind_self_refresh(struct unwind_self *self);
/* In a fork child, whose other threads are gone with their walks. */
void unwind_self_after_fork(struct unwind_self *self);
/* When no handler can walk any more. */
void unwind_self_close(struct unwind_self *self);

/* The bounds of the calling thread's stack; for its registration, not for
 * handlers. False: not known. */
bool unwind_stack_here(struct unwind_stack *out);

/* Where a call returns to, and sp and fp as they are then. */
struct unwind_caller {
    uint64_t pc, sp, fp;
};

/* From the third argument of a signal handler. Words within `stack` (NULL:
 * not known) are read as they are, all others through the kernel. */
struct unwind_result unwind_current(struct unwind_self *self, const struct unwind_stack *stack,
                                    const void *ucontext, uint64_t *pcs, uint32_t max);
/* From the caller of this function, which is pcs[0]; at most max - 1 of them. */
struct unwind_result unwind_here(struct unwind_self *self, const struct unwind_stack *stack,
                                 uint64_t *pcs, uint32_t max);
/* From the frame that a call will return to: pcs[0] is its return address. Fast, but
 * the few frames that are left by yet another register end the walk: see result.end. */
struct unwind_result unwind_above(struct unwind_self *self, const struct unwind_stack *stack,
                                  const struct unwind_caller *caller, uint64_t *pcs, uint32_t max);

#endif
