/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The end of the copy tells whether what lies below it is the same stack: if
 * its last bytes are found at their place, no function that they belong to has
 * returned between the two moments. In the process that is asked of the memory
 * as it is now; when it has gone on since the sample, of what was read there at
 * an earlier sample. A compiler's stack of 100 KiB is left and entered again
 * mostly at its inner end.
 */
#include "source/perf/deeper.h"

#include <assert.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"

enum {
    OVERLAP_BYTES = 256,
    ELSEWHERE_BYTES = 1 << 20,
    BELOW_BYTES = 256 << 10, /* read at once of what lies below the copy */
    STACKS_MAX = 64          /* threads with such stacks; of others only what is there now */
};

struct deep_stack {
    uint64_t start;
    uint32_t size, capacity;
    uint8_t bytes[];
};

void deep_stacks_done(struct deep_stacks *s)
{
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&s->by_tid, &at, &key, &value))
        mem_free((void *)(uintptr_t)value);
    map_done(&s->by_tid);
    memset(s, 0, sizeof *s);
}

static struct deep_stack *seen_of(const struct deep_stacks *s, int32_t tid)
{
    const uint64_t *at = map_get(&s->by_tid, (uint32_t)tid);
    return at ? (struct deep_stack *)(uintptr_t)*at : NULL;
}

void deep_stacks_forget(struct deep_stacks *s, int32_t tid)
{
    struct deep_stack *k = seen_of(s, tid);
    if (!k)
        return;
    (void)map_remove(&s->by_tid, (uint32_t)tid);
    mem_free(k);
    s->count--;
}

void deeper_init(struct deeper *d, struct deep_stacks *stacks, const struct perf_user *user,
                 int32_t pid, int32_t tid)
{
    d->stacks = stacks;
    d->user = user;
    d->seen = NULL;
    d->tid = tid;
    d->peek.pid = pid;
    d->peek.size = 0;
    d->asked = d->live = d->used = false;
}

static uint64_t end_of_copy(const struct deeper *d)
{
    return d->user->sp + d->user->stack_bytes;
}

static const uint8_t *last_bytes(const struct deeper *d)
{
    return d->user->stack + d->user->stack_bytes - OVERLAP_BYTES;
}

static bool still_there(struct deeper *d)
{
    uint8_t now[OVERLAP_BYTES];
    return unwind_peek_read(&d->peek, end_of_copy(d) - sizeof now, now, sizeof now) &&
           memcmp(now, last_bytes(d), sizeof now) == 0;
}

static bool copy_seen(const struct deep_stack *k, uint64_t address, void *out, size_t n)
{
    if (address < k->start || n > k->size || address - k->start > k->size - n)
        return false;
    memcpy(out, k->bytes + (address - k->start), n);
    return true;
}

static bool was_there(const struct deeper *d, const struct deep_stack *k)
{
    uint8_t then[OVERLAP_BYTES];
    return k && copy_seen(k, end_of_copy(d) - sizeof then, then, sizeof then) &&
           memcmp(then, last_bytes(d), sizeof then) == 0;
}

/* Room for what a thread shows; the old one is given back. NULL: too many, or no
 * memory. */
static struct deep_stack *room_for(struct deep_stacks *s, int32_t tid, uint32_t bytes)
{
    struct deep_stack *k = seen_of(s, tid);
    if (k && k->capacity >= bytes)
        return k;
    deep_stacks_forget(s, tid);
    k = s->count < STACKS_MAX ? mem_alloc(sizeof *k + bytes) : NULL;
    if (!k || !map_put(&s->by_tid, (uint32_t)tid, (uintptr_t)k)) {
        mem_free(k);
        return NULL;
    }
    k->capacity = bytes;
    k->size = 0;
    s->count++;
    return k;
}

/* The copy and what lies below it now. It counts only if the process stood still
 * as far as can be told. */
static void remember(struct deeper *d)
{
    const struct perf_user *u = d->user;
    uint32_t copied = (uint32_t)u->stack_bytes;
    struct deep_stack *k = room_for(d->stacks, d->tid, copied + BELOW_BYTES);
    if (!k)
        return;
    struct iovec to = {k->bytes + copied, BELOW_BYTES};
    struct iovec from = {(void *)(uintptr_t)end_of_copy(d), BELOW_BYTES};
    ssize_t got = process_vm_readv(d->peek.pid, &to, 1, &from, 1, 0);
    memcpy(k->bytes, u->stack, copied);
    k->start = u->sp;
    k->size = copied + (got > 0 ? (uint32_t)got : 0);
    d->peek.size = 0;
    if (!still_there(d))
        k->size = 0;
}

static void ask(struct deeper *d)
{
    const struct deep_stack *k = seen_of(d->stacks, d->tid);
    d->asked = true;
    if (!d->user->stack || d->user->stack_bytes < OVERLAP_BYTES)
        return;
    d->live = still_there(d);
    if (was_there(d, k))
        d->seen = k;
    else if (d->live)
        remember(d);
}

/* What is no part of this stack, far below it or above a copy that is all of it: tables that the
 * rules of a frame refer to. They are read as they are now. */
static bool is_elsewhere(const struct deeper *d, uint64_t address)
{
    const struct perf_user *u = d->user;
    bool whole = u->stack_bytes > 0 && u->stack_bytes + 8 < d->stacks->asked_bytes;
    return (address < u->sp && u->sp - address > ELSEWHERE_BYTES) ||
           (whole && address >= end_of_copy(d));
}

bool deeper_read(void *context, uint64_t address, void *out, size_t n)
{
    struct deeper *d = context;
    assert(n <= UNWIND_PEEK_BYTES / 2);
    if (is_elsewhere(d, address))
        return unwind_peek_read(&d->peek, address, out, n);
    if (!d->asked)
        ask(d);
    if (address < d->user->sp)
        return false;
    bool read = (d->live && unwind_peek_read(&d->peek, address, out, n)) ||
                (d->seen && copy_seen(d->seen, address, out, n));
    d->used |= read;
    return read;
}
