/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stack below what the kernel copied with a sample: from the running process
 * while it is still there, else as it was seen there before. Recorder only.
 */
#ifndef ORIEL_SOURCE_PERF_DEEPER_H
#define ORIEL_SOURCE_PERF_DEEPER_H

#include "base/map.h"
#include "source/perf/perf.h"
#include "unwind/modules.h"

/* What was seen of the stacks of threads, the last time there was more than the
 * kernel copies. Zeroed memory is none. */
struct deep_stacks {
    struct map by_tid; /* -> struct deep_stack * */
    uint32_t count;
    uint32_t asked_bytes; /* of a copy: a shorter one is the whole stack; 0: not known */
};
void deep_stacks_done(struct deep_stacks *s);
/* The thread ended, or runs another program. */
void deep_stacks_forget(struct deep_stacks *s, int32_t tid);

struct deep_stack;
struct deeper {
    struct deep_stacks *stacks;
    const struct perf_user *user;
    const struct deep_stack *seen; /* as it was seen, NULL not usable */
    int32_t tid;
    struct unwind_peek peek;
    bool asked, live, used;
};

void deeper_init(struct deeper *d, struct deep_stacks *stacks, const struct perf_user *user,
                 int32_t pid, int32_t tid);
/* An unwind_read_fn: `context` is a struct deeper. */
bool deeper_read(void *context, uint64_t address, void *out, size_t n);

#endif
