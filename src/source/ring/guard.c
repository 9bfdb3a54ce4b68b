/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A ring that lies in a file can be cut short by anybody of the same user, and
 * touching a page that is gone is SIGBUS. In the command, which has nobody
 * else's signals to respect, a handler then puts zeros in the place of the whole
 * mapping: the access that failed goes on, the reader finds a ring that makes no
 * sense, as from any hostile writer, and asks here why. Other faults stay deadly.
 */
#include "source/ring/guard.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "source/region_io.h"

enum { GUARDED_MAX = 16 };

/* Changed by one thread, read by a handler that may interrupt it. */
static struct guarded {
    uintptr_t base; /* atomic; 0 free */
    size_t bytes;
    uint32_t cut; /* atomic */
} guarded[GUARDED_MAX];

void guard_add(void *base, size_t bytes)
{
    assert(base && bytes > 0);
    for (int i = 0; i < GUARDED_MAX; i++) {
        if (__atomic_load_n(&guarded[i].base, __ATOMIC_RELAXED))
            continue;
        guarded[i].bytes = bytes;
        __atomic_store_n(&guarded[i].cut, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&guarded[i].base, (uintptr_t)base, __ATOMIC_RELEASE);
        return;
    }
}

static struct guarded *find(uintptr_t address)
{
    for (int i = 0; i < GUARDED_MAX; i++) {
        uintptr_t base = __atomic_load_n(&guarded[i].base, __ATOMIC_ACQUIRE);
        if (base && address >= base && address - base < guarded[i].bytes)
            return &guarded[i];
    }
    return NULL;
}

void guard_remove(const void *base)
{
    struct guarded *g = find((uintptr_t)base);
    if (g)
        __atomic_store_n(&g->base, 0, __ATOMIC_RELEASE);
}

bool guard_is_cut(const void *base)
{
    const struct guarded *g = find((uintptr_t)base);
    return g && __atomic_load_n(&g->cut, __ATOMIC_ACQUIRE);
}

static void handle(void (*fn)(int, siginfo_t *, void *))
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    if (fn)
        sa.sa_sigaction = fn;
    else
        sa = (struct sigaction){.sa_handler = SIG_DFL};
    sigaction(SIGBUS, &sa, NULL);
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    struct guarded *g = find((uintptr_t)info->si_addr);
    (void)number;
    (void)context;
    if (info->si_code == BUS_ADRERR && g &&
        mmap((void *)g->base, g->bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
        __atomic_store_n(&g->cut, 1, __ATOMIC_RELEASE);
    else
        handle(NULL); /* the fault comes again, and is final */
    errno = kept;
}

void region_guard(void)
{
    handle(on_bus);
}
