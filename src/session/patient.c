/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counts what it gave since everything had a fate, and waits for that again
 * before it could be more than the queue holds. One thread.
 */
#include "session/patient.h"

#include <assert.h>

#include "base/mem.h"
#include "deliver/deliver.h"

struct patient {
    struct out base;
    struct deliver *destination;
    struct out *to;
    uint64_t most_bytes, most_items;
    uint64_t bytes, items; /* given since the queue was known to be empty */
};

static int patient_message(struct out *o, const struct out_message *m)
{
    struct patient *p = (struct patient *)o;
    bool full =
        p->bytes + m->n > p->most_bytes || (p->most_items && p->items + m->items > p->most_items);
    if (full && p->bytes) {
        /* As long as the destination tries: it gives up by itself. */
        (void)deliver_flush(p->destination, UINT64_MAX);
        p->bytes = p->items = 0;
    }
    p->bytes += m->n;
    p->items += m->items;
    return out_message(p->to, m);
}

static int patient_finish(struct out *o, uint64_t deadline_ns, bool wait)
{
    return out_finish(((struct patient *)o)->to, deadline_ns, wait);
}

static void patient_fate(struct out *o, struct out_fate *out)
{
    out_fate(((struct patient *)o)->to, out);
}

static void patient_close(struct out *o)
{
    out_close(((struct patient *)o)->to);
}

int patient_open(struct out **out, struct deliver *d, uint64_t bytes, uint64_t items)
{
    static const struct out_ops ops = {.message = patient_message,
                                       .finish = patient_finish,
                                       .fate = patient_fate,
                                       .close = patient_close};
    assert(bytes > 0);
    struct patient *p = mem_calloc(1, sizeof *p);
    if (!p)
        return ORIEL_ENOMEM;
    p->base.ops = &ops;
    p->destination = d;
    p->to = deliver_out(d);
    p->most_bytes = bytes;
    p->most_items = items;
    *out = &p->base;
    return 0;
}
