/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which functions are open on a thread. Nothing but the stack pointer is
 * believed: recursion, longjmp, exceptions and lost hits come out right by it.
 * Pure.
 */
#include "source/probe/probe.h"

#include <assert.h>

static struct frame *top_of(const struct framestack *f)
{
    return f->open.count ? &f->open.items[f->open.count - 1] : NULL;
}

static void take(struct framestack *f, size_t at, struct frame *out)
{
    assert(at < f->open.count);
    *out = f->open.items[at];
    memmove(&f->open.items[at], &f->open.items[at + 1],
            (f->open.count - at - 1) * sizeof *f->open.items);
    f->open.count--;
}

bool framestack_stale(struct framestack *f, uint64_t sp, bool chained, struct frame *out)
{
    const struct frame *top = top_of(f);
    if (!top || top->sp > sp || sp - top->sp > FRAMES_REACH)
        return false;
    /* The same slot again: a tail call, if that one still has its return to come. */
    if (top->sp == sp && chained && top->returns)
        return false;
    take(f, f->open.count - 1, out);
    return true;
}

bool framestack_enter(struct framestack *f, const struct frame *frame)
{
    struct frame *slot = VEC_PUSH(&f->open);
    if (slot)
        *slot = *frame;
    return slot != NULL;
}

bool framestack_leave(struct framestack *f, uint32_t def, uint64_t sp, bool *ended,
                      struct frame *out)
{
    size_t at = f->open.count;
    while (at > 0 && (f->open.items[at - 1].def != def || f->open.items[at - 1].sp != sp))
        at--;
    if (at == 0)
        return false;
    /* Above it, on the same stack: gone without an end. */
    for (size_t i = f->open.count; i > at; i--) {
        uint64_t other = f->open.items[i - 1].sp;
        if (other > sp || sp - other > FRAMES_REACH * 32)
            continue;
        *ended = false;
        take(f, i - 1, out);
        return true;
    }
    *ended = true;
    take(f, at - 1, out);
    return true;
}

bool framestack_abandon(struct framestack *f, struct frame *out)
{
    if (f->open.count == 0)
        return false;
    take(f, f->open.count - 1, out);
    return true;
}

void framestack_done(struct framestack *f)
{
    VEC_DONE(&f->open);
}
