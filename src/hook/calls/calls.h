/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls of instrumented functions as spans. calls.c holds the functions and each
 * thread's open calls; interpose.c is what the compiler's code calls.
 *
 * Lives in the observed program: no lock, no allocation and no system call once
 * opened. Any thread; a signal handler may interrupt everything.
 */
#ifndef ORIEL_HOOK_CALLS_CALLS_H
#define ORIEL_HOOK_CALLS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/runtime.h>

#include "base/calls.h"

/* One that was entered. The stack grows downwards: a call made by another lies
 * below it, or in the same place, with the same caller, when the compiler inlined it. */
struct call {
    uintptr_t sp, caller; /* where the hook was called; where the function returns to */
    uint32_t function;
    uint32_t unused;
    struct oriel_scope scope; /* id 0: not recorded */
};
struct calls_thread {
    uint32_t depth;    /* calls in `open` */
    uint32_t recorded; /* of these, with a span */
    uint32_t beyond;   /* calls deeper than `open` has room for */
    uint32_t inside;   /* > 0: in here; what is called meanwhile is not seen */
    struct call open[CALLS_DEPTH_MAX];
};

/* Take the list and make a site of each function; it is in use from then on. `bias`:
 * load address minus address in the file. 0, ORIEL_EINVAL (no such list), ORIEL_ENOMEM. Once. */
int calls_open(const void *image, size_t n, uint64_t bias);
/* The number of the function at an address; UINT32_MAX: not on the list. */
uint32_t calls_find(const void *function);
void calls_enter(struct calls_thread *t, uint32_t function, uintptr_t caller, uintptr_t sp);
void calls_leave(struct calls_thread *t, uint32_t function, uintptr_t sp);
/* In the child of a fork: what is open there was begun by its parent. */
void calls_forget(struct calls_thread *t);

#endif
