/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counts what it gave since everything had a fate, and waits for that again
 * before it could be more than the queue holds. One thread.
 */
#include "session/patient.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deliver/deliver.h"

#define SLICE_NS UINT64_C(50000000)

struct patient {
    struct out base;
    struct deliver *destination;
    struct out *to;
    struct patient_options how;
    uint64_t bytes, items; /* given since the queue was known to be empty */
};

bool patient_is_vain(struct deliver *d)
{
    struct deliver_counts c;
    deliver_total(d, &c);
    return c.open && c.expired > 0;
}

static bool is_over(const struct patient *p)
{
    return p->how.over && p->how.over(p->how.user);
}

/* As long as the destination tries: it gives up by itself. */
static void wait_for_all(struct patient *p)
{
    while (!is_over(p)) {
        const uint64_t until = p->how.over ? clock_mono_ns() + SLICE_NS : UINT64_MAX;
        if (deliver_flush(p->destination, until) == 0)
            return;
    }
}

static int patient_message(struct out *o, const struct out_message *m)
{
    struct patient *p = (struct patient *)o;
    const struct patient_options *how = &p->how;
    bool full = p->bytes + m->n > how->bytes || (how->items && p->items + m->items > how->items);
    if (full && p->bytes && !patient_is_vain(p->destination)) {
        wait_for_all(p);
        p->bytes = p->items = 0;
    }
    p->bytes += m->n;
    p->items += m->items;
    return out_message(p->to, m);
}

static int patient_finish(struct out *o, uint64_t deadline_ns, bool wait)
{
    struct patient *p = (struct patient *)o;
    if (!wait || !p->how.over || deadline_ns != UINT64_MAX)
        return out_finish(p->to, deadline_ns, wait);
    int rc = out_finish(p->to, deadline_ns, false);
    wait_for_all(p);
    return rc < 0 ? rc : out_finish(p->to, is_over(p) ? clock_mono_ns() : deadline_ns, true);
}

static void patient_fate(struct out *o, struct out_fate *out)
{
    out_fate(((struct patient *)o)->to, out);
}

static void patient_close(struct out *o)
{
    out_close(((struct patient *)o)->to);
}

int patient_open(struct out **out, struct deliver *d, const struct patient_options *how)
{
    static const struct out_ops ops = {.message = patient_message,
                                       .finish = patient_finish,
                                       .fate = patient_fate,
                                       .close = patient_close};
    assert(how->bytes > 0);
    struct patient *p = mem_calloc(1, sizeof *p);
    if (!p)
        return ORIEL_ENOMEM;
    p->base.ops = &ops;
    p->destination = d;
    p->to = deliver_out(d);
    p->how = *how;
    *out = &p->base;
    return 0;
}
