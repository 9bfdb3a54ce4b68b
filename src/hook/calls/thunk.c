/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ways from a patched function into calls.c and back. At its beginning a
 * function calls a few instructions near it (patch.c), which come here with its
 * number; here the return address is exchanged for that of a thunk, which comes
 * here when the function returns, and goes on where it would have gone.
 *
 * A thunk belongs to one return address for ever: it is never freed and never
 * means another one. So whatever a program does to its stacks (leaves them by
 * longjmp, copies them, goes on with them in another thread), a return finds
 * its way. And it is described to unwinders as a frame without a body, so
 * exceptions and stack traces pass. Every register is kept: compilers know which ones a
 * function of the same file leaves alone. This file and calls.c are compiled not to use
 * vector registers; only what they call may, and before that all are saved.
 *
 * Any thread; a signal handler may interrupt everything.
 */
#include "hook/calls/calls.h"

#include <errno.h>
#include <stddef.h>

#include <oriel/emit.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* What is laid out in pages: eight bytes that say how far it is from a thunk to its return
 * address, then thunks; and in the same places of calls_returns the addresses. */
enum {
    THUNK_BYTES = 8,
    PAGE_THUNKS = 512, /* the first one is none */
    PAGES = 128,
    PROBES_MAX = 64,
    SAVE_BYTES = 2816 /* x87, SSE, AVX and AVX-512, packed */
};
__attribute__((visibility("hidden"))) uint64_t calls_returns[PAGES * PAGE_THUNKS]
    __attribute__((aligned(4096)));
extern const char calls_thunks[] __attribute__((visibility("hidden")));

/* Aligned as the instruction wants it; its header must begin as zeros. */
__attribute__((visibility("hidden"))) __thread char calls_saved[SAVE_BYTES]
    __attribute__((aligned(64), tls_model("initial-exec")));

_Static_assert(offsetof(struct oriel_tls, thread) == 0 &&
                   offsetof(struct oriel_thread, clock) == 20 && ORIEL_CLOCK_MARK == 0x80000000u,
               "as thunk_code.c has it");

__attribute__((visibility("hidden"))) int calls_entered(uint64_t function, uint64_t *slot);
__attribute__((visibility("hidden"))) void calls_entered_slowly(uint64_t function, uint64_t *slot);
__attribute__((visibility("hidden"))) int calls_left(uintptr_t slot);
__attribute__((visibility("hidden"))) void calls_left_slowly(uintptr_t slot);
__attribute__((visibility("hidden"))) void calls_done(void);

static bool is_thunk(uint64_t address)
{
    return address - (uint64_t)(uintptr_t)calls_thunks < sizeof calls_returns;
}

/* The thunk that returns to `address`; 0: there is no room for another one. */
static uint64_t thunk_of(uint64_t address)
{
    uint32_t at = (uint32_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        uint32_t index = (at + i) % (PAGES * PAGE_THUNKS);
        uint64_t *place = &calls_returns[index], there = 0;
        if (index % PAGE_THUNKS == 0)
            continue;
        /* Who finds it empty and who fills it agree by the exchange. */
        if (__atomic_load_n(place, __ATOMIC_RELAXED) == address ||
            __atomic_compare_exchange_n(place, &there, address, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            there == address)
            return (uint64_t)(uintptr_t)calls_thunks + (uint64_t)index * THUNK_BYTES;
    }
    /* Both records of the call: of all causes the nearest to "more than there is room for". */
    __atomic_fetch_add(&oriel_tls.thread->lost[ORIEL_LOST_TOO_LARGE], 2, __ATOMIC_RELAXED);
    return 0;
}

static void enter(struct calls_thread *t, uint32_t function, uint64_t *slot)
{
    uint64_t thunk = *slot;
    if (!calls_wanted(t, function))
        return;
    if (!is_thunk(thunk)) /* else another one went on here in place of a return */
        thunk = thunk_of(thunk);
    if (thunk == 0)
        return;
    *slot = thunk;
    calls_enter_at(t, function, (uintptr_t)slot);
}

/* 1: come again by the slow way; nothing is seen until calls_done. */
int calls_entered(uint64_t function, uint64_t *slot)
{
    struct calls_thread *t = calls_here.calls;
    if (calls_here.inside)
        return 0;
    calls_here.inside = 1;
    if (!t || function > UINT32_MAX || !calls_are_quick(t, (uintptr_t)slot, false))
        return 1;
    enter(t, (uint32_t)function, slot);
    calls_here.inside = 0;
    return 0;
}

void calls_entered_slowly(uint64_t function, uint64_t *slot)
{
    struct calls_thread *t = calls_thread_new();
    int kept = errno;
    if (oriel_tls.thread->clock == ORIEL_CLOCK_MARK)
        (void)oriel_abi_ticks_slow();
    if (t && t->sums && t->sums->due)
        calls_tell(t, false);
    if (t && function <= UINT32_MAX) {
        calls_leave_at(t, (uintptr_t)slot); /* what is gone makes room */
        enter(t, (uint32_t)function, slot);
    }
    errno = kept;
}

int calls_left(uintptr_t slot)
{
    struct calls_thread *t = calls_here.calls;
    if (calls_here.inside || !t)
        return 0;
    calls_here.inside = 1;
    if (!calls_are_quick(t, slot, true))
        return 1;
    calls_leave_at(t, slot);
    calls_here.inside = 0;
    return 0;
}

void calls_left_slowly(uintptr_t slot)
{
    struct calls_thread *t = calls_here.calls;
    int kept = errno;
    if (t->sums && t->sums->due)
        calls_tell(t, false);
    calls_leave_at(t, slot);
    errno = kept;
}

void calls_done(void)
{
    calls_here.inside = 0;
}

bool calls_thunks_begin(void)
{
    unsigned a, b, c, d;
    bool saves = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) &&
                 __get_cpuid_count(0xd, 1, &a, &b, &c, &d) && (a & 2 /* xsavec */);
    return saves;
}

#endif
