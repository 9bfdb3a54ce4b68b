/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stacks out of the observed program, for every hook that samples: one walk,
 * one record that holds the addresses themselves, and the object files they lie
 * in, told once in the ring's meta log. So a sample stands on its own: it needs
 * no table in the program, and no other record that may be overwritten or lost.
 *
 *   hook_stacks_open()      once, outside of signal handlers
 *   hook_stacks_here()      the caller's stack        } into a struct hook_stack
 *   hook_stacks_context()   what a signal interrupted }
 *   hook_stacks_sample()    the record
 *
 * What a stack needs of a library that was opened later is looked up by
 * hook_stacks_refresh, when a stack says that it met unknown code.
 */
#ifndef ORIEL_HOOK_STACKS_H
#define ORIEL_HOOK_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include <oriel/abi/record.h>

#include "unwind/current.h"
#include "unwind/trail.h"
#include "unwind/unwind.h"

enum { HOOK_STACK_DEPTH = 128 };

struct hook_stack {
    struct unwind_result result;
    bool caller; /* the first address is one that is returned to */
    uint64_t pcs[HOOK_STACK_DEPTH];
};

/* In the function that a program calls; not in one that is inlined. Elsewhere than
 * here only the address is known at no cost. */
#if defined(__x86_64__)
#define HOOK_CALLER                                                                                \
    (&(const struct unwind_caller){(uintptr_t)__builtin_return_address(0),                         \
                                   (uintptr_t)__builtin_frame_address(0) + 16,                     \
                                   *(const uint64_t *)__builtin_frame_address(0)})
#else
#define HOOK_CALLER (&(const struct unwind_caller){.pc = (uintptr_t)__builtin_return_address(0)})
#endif

struct hook_sample {
    uint8_t kind; /* enum oriel_sample_kind */
    uint64_t weight, count, extra;
};

/* This process's modules, for walks and for the reader. 0 or a code; without it
 * stacks are empty. Not in signal handlers. */
int hook_stacks_open(bool at_start);
/* After libraries came or went; cheap when none did: false. Takes the loader's
 * lock: not in signal handlers. */
bool hook_stacks_refresh(void);
/* Tell the ring the modules that it does not know yet: after attaching. */
void hook_stacks_tell(void);
/* In a fork child. `alone`: its parent had one thread, so nobody else can have
 * held the loader's lock; else later libraries stay unknown here. */
void hook_stacks_forked(bool alone);

/* A stack to walk into, for a moment: those of the program's threads may be small.
 * NULL: too many are in use. Both async-signal-safe. */
struct hook_stack *hook_stacks_borrow(void);
void hook_stacks_return(struct hook_stack *stack);

/* All async-signal-safe. `skip`: innermost frames that are the hook's own. A thread
 * that is near its stack's end is not walked: no addresses. */
void hook_stacks_here(struct hook_stack *out, uint32_t skip);
/* The same from the frame on that `caller` returns to, without what stands between
 * a program and its allocator: operator new. */
void hook_stacks_below(struct hook_stack *out, const struct unwind_caller *caller);
/* As hook_stacks_below, for a thread that walks often: what the walks before left in
 * `trails`, which are this thread's, is not walked again. The stack begins at frames[*out_first].
 * NULL: not possible here, take hook_stacks_below. */
const struct unwind_trail *hook_stacks_along(struct unwind_trails *trails,
                                             const struct unwind_caller *caller,
                                             uint32_t *out_first);
void hook_stacks_context(struct hook_stack *out, const void *ucontext);
/* The walk ended in code of no module that is known. */
bool hook_stacks_unknown(const struct hook_stack *stack);
/* One record in the thread's stream; `stack` NULL: not known. Async-signal-safe.
 * False: not recorded (counted by cause where a ring is). */
bool hook_stacks_sample(const struct hook_sample *sample, const struct hook_stack *stack);
/* Bounds of this thread's stack, looked up at the first call in it: before the
 * first walk, outside of handlers. Walks are faster with it. */
void hook_stacks_thread(void);

#endif
