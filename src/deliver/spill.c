/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between the queue and the disk. What goes to disk comes back before anything newer
 * is sent, oldest first. A disk that fails is left alone for a while: messages then
 * wait in the queue as if there were none. The sending thread only.
 */
#include <assert.h>

#include "deliver/inside.h"

#define DISK_PAUSE_NS UINT64_C(5000000000)

void spill_count(struct deliver *d)
{
    spool_counts(d->spool, &d->spool_counts);
}

static void recount(struct deliver *d)
{
    pthread_mutex_lock(&d->lock);
    spill_count(d);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

bool spill_item(struct deliver *d, struct item *i)
{
    struct out_message m = {i->signal, i->items, i->seen, i->bytes, i->n};
    struct oriel_err err;
    if (!d->spool || i->from_spool)
        return false;
    int rc = spool_put(d->spool, &m, clock_unix_ns(), &err);
    if (rc == 0)
        queue_settle(d, i, FATE_SPOOLED, 0);
    else if (rc == ORIEL_ELIMIT) /* it never will */
        queue_settle(d, i, FATE_SPOOL_LOST, 0);
    else
        recount(d); /* room may have been made all the same */
    return rc == 0 || rc == ORIEL_ELIMIT;
}

void spill_some(struct deliver *d, uint64_t now_ns)
{
    struct item *i;
    if (!d->spool || now_ns < d->spool_after_ns)
        return;
    for (unsigned k = 0; k < d->lane_count; k++) {
        struct lane *l = &d->lanes[k];
        while ((l->retry.open || queue_is_over_half(d)) && (i = queue_oldest(d, l)))
            if (!spill_item(d, i)) {
                d->spool_after_ns = now_ns + DISK_PAUSE_NS;
                return;
            }
    }
}

/* 0: d->spooled is the oldest. ORIEL_ENOTFOUND: nothing is there. */
static int read_oldest(struct deliver *d)
{
    struct out_message m;
    struct oriel_err err;
    struct buf bytes;
    bool own = false;
    buf_init(&bytes);
    int rc = spool_next(d->spool, &m, &bytes, &own, &err);
    if (rc == 0) {
        d->spooled = queue_item_new(d, &m);
        rc = d->spooled ? 0 : ORIEL_ENOMEM;
    }
    if (rc == 0)
        d->spooled->own = own;
    buf_done(&bytes);
    recount(d); /* what could not be read back is gone */
    return rc;
}

enum spilled spill_look(struct deliver *d, uint64_t now_ns)
{
    if (!d->spool)
        return SPILLED_NOTHING;
    if (d->spooled)
        return SPILLED_ONE;
    if (d->spool_counts.messages == 0 || now_ns < d->spool_after_ns)
        return SPILLED_NOTHING;
    int rc = read_oldest(d);
    if (rc != 0 && rc != ORIEL_ENOTFOUND)
        d->spool_after_ns = now_ns + DISK_PAUSE_NS;
    return rc == 0 ? SPILLED_ONE : SPILLED_NOTHING;
}

void spill_done(struct deliver *d, enum fate fate, uint64_t rejected)
{
    struct item *i = d->spooled;
    assert(i && i->from_spool);
    d->spooled = NULL;
    spool_done(d->spool);
    queue_settle(d, i, fate, rejected);
}

void spill_end(struct deliver *d)
{
    if (d->spooled)
        queue_forget(d, d->spooled); /* it stays on disk */
    d->spooled = NULL;
    if (d->spool) {
        recount(d);
        spool_close(d->spool);
    }
    d->spool = NULL;
}
