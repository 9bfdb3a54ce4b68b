/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls of functions as spans. calls.c holds the functions and each thread's open
 * calls; interpose.c is what the code of -finstrument-functions calls; patch.c
 * and thunk.c do the same for -fpatchable-function-entry.
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
    const void *address;  /* of the function */
    uint32_t function;
    uint32_t unused;
    struct oriel_scope scope; /* id 0: not recorded */
};
struct calls_thread {
    uint32_t depth;    /* calls in `open` */
    uint32_t recorded; /* of these, with a span */
    uint32_t beyond;   /* calls deeper than `open` has room for */
    struct call open[CALLS_DEPTH_MAX];
};

/* ---- threads.c ---- */

struct calls_here {
    struct calls_thread *calls; /* NULL: none so far, or over */
    uint32_t inside;            /* > 0: in here; what is called meanwhile is not seen */
    uint32_t ends;              /* rounds of destructors so far */
};
extern __thread struct calls_here calls_here __attribute__((tls_model("initial-exec")));
/* This thread's open calls, made if need be; NULL: there is no memory, or it ends. */
struct calls_thread *calls_thread_new(void);
void calls_threads_open(void);

/* ---- calls.c ---- */

/* Take the list and make a site of each function; it is in use from then on. `bias`:
 * load address minus address in the file. `words`: zeroed room for one for each function, NULL:
 * to be found here. 0, ORIEL_EINVAL (no such list), ORIEL_ENOMEM. Once. */
int calls_open(const void *image, size_t n, uint64_t bias, oriel_word *words);
/* The number of the function at an address; UINT32_MAX: not on the list. */
uint32_t calls_find(const void *function);
void calls_enter(struct calls_thread *t, uint32_t function, uintptr_t caller, uintptr_t sp);
void calls_leave(struct calls_thread *t, uint32_t function, uintptr_t sp);
/* The same for this thread and the function at an address, on the list or not. */
void calls_enter_here(const void *function, uintptr_t caller, uintptr_t sp);
void calls_leave_here(const void *function, uintptr_t sp);
/* The same for functions whose ways in and out are both certain (thunk.c): `slot` is where the
 * return address lies. Whether calls_enter would record it now. */
bool calls_wanted(const struct calls_thread *t, uint32_t function);
void calls_enter_at(struct calls_thread *t, uint32_t function, uintptr_t slot);
void calls_leave_at(struct calls_thread *t, uintptr_t slot);
/* True: neither of both would do more than write one record. */
bool calls_are_quick(const struct calls_thread *t, uintptr_t slot, bool leaving);
/* In the child of a fork: what is open there was begun by its parent. */
void calls_forget(struct calls_thread *t);

/* ---- thunk.c: ways into calls.c and back, x86-64 only ---- */

/* What a patched function calls: it saves every register, comes by calls_enter_at, and puts in
 * the place of the return address one of our own that leads here and then back. */
extern const char calls_on_entry[], calls_off_entry[];
/* Before the first function is patched. False: this processor cannot save its registers. */
bool calls_thunks_begin(void);

/* ---- patch.c ---- */

struct calls_patched {
    uint32_t functions; /* that call us now */
    uint32_t refused;   /* on the list, with an entry, but not certain */
    const char *why;    /* most of them, or all; NULL: none is */
};
/* Memory for the words of the functions and what they call, near the program: before calls_open.
 * NULL: there is none. */
oriel_word *calls_patch_room(uint32_t functions, uint64_t base, struct calls_patched *out);
/* Write calls into the entries that are on the list. Only while the process has one thread, and
 * that is not in the program yet. */
void calls_patch(const struct calls_head *list, uint64_t bias, struct calls_patched *out);

#endif
