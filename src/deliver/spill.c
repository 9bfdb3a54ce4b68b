/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between the queue and the disk. What goes to disk comes back before anything newer
 * is sent, oldest first. A disk that fails is left alone for a while: messages then
 * wait in the queue as if there were none. The sending thread only.
 */
#include <assert.h>
#include <string.h>

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

/* Memory for one more like the last, beside what waits in the queue. One is always read. */
static bool has_room(struct deliver *d)
{
    if (d->spooled_count == 0)
        return true;
    pthread_mutex_lock(&d->lock);
    size_t more = 2 * d->spooled[d->spooled_count - 1]->cost;
    bool room = d->held_bytes < d->queue_bytes && more <= d->queue_bytes - d->held_bytes;
    pthread_mutex_unlock(&d->lock);
    return room;
}

/* One more of the disk behind those of d->spooled. 0; ORIEL_ENOTFOUND, ORIEL_EBUSY: none now. */
static int read_one(struct deliver *d)
{
    struct out_message m;
    struct oriel_err err;
    struct buf bytes;
    bool own = false;
    unsigned ticket;
    buf_init(&bytes);
    int rc = spool_take(d->spool, &m, &bytes, &own, &ticket, &err);
    struct item *i = rc == 0 ? queue_item_new(d, &m) : NULL;
    buf_done(&bytes);
    if (rc == 0 && !i) {
        spool_untake(d->spool);
        rc = ORIEL_ENOMEM;
    }
    if (i) {
        i->own = own;
        i->ticket = ticket;
        d->spooled[d->spooled_count++] = i;
    }
    recount(d); /* what could not be read back is gone */
    return rc;
}

static bool read_more(struct deliver *d, uint64_t now_ns)
{
    if (d->spooled_count == SPOOL_AHEAD || d->spool_counts.messages <= d->spooled_count ||
        now_ns < d->spool_after_ns || !has_room(d))
        return false;
    int rc = read_one(d);
    if (rc != 0 && rc != ORIEL_ENOTFOUND && rc != ORIEL_EBUSY)
        d->spool_after_ns = now_ns + DISK_PAUSE_NS;
    return rc == 0;
}

struct item *spill_next(struct deliver *d, const struct lane *l, uint64_t now_ns, bool *out_wait)
{
    const unsigned lane = (unsigned)(l - d->lanes);
    *out_wait = false;
    if (!d->spool)
        return NULL;
    unsigned at = 0;
    do {
        for (; at < d->spooled_count; at++)
            if (d->spooled[at]->lane == lane && !d->spooled[at]->sending)
                return d->spooled[at];
    } while (read_more(d, now_ns));
    for (unsigned i = 0; i < d->spooled_count; i++) /* who is away keeps nobody waiting */
        *out_wait =
            *out_wait || d->spooled[i]->lane == lane || !d->lanes[d->spooled[i]->lane].retry.open;
    return NULL;
}

bool spill_has(const struct deliver *d, unsigned lane)
{
    if (!d->spool || d->spool_counts.messages == 0)
        return false;
    for (unsigned i = 0; i < d->spooled_count; i++)
        if (d->spooled[i]->lane == lane)
            return true;
    return d->spooled_count == 0;
}

void spill_done(struct deliver *d, struct item *i, enum fate fate, uint64_t rejected)
{
    unsigned k = 0;
    while (k < d->spooled_count && d->spooled[k] != i)
        k++;
    assert(k < d->spooled_count && i->from_spool);
    d->spooled_count--;
    memmove(&d->spooled[k], &d->spooled[k + 1], (d->spooled_count - k) * sizeof(struct item *));
    spool_settle(d->spool, i->ticket);
    queue_settle(d, i, fate, rejected);
}

void spill_end(struct deliver *d)
{
    for (unsigned k = 0; k < d->spooled_count; k++)
        queue_forget(d, d->spooled[k]); /* it stays on disk */
    d->spooled_count = 0;
    if (d->spool) {
        recount(d);
        spool_close(d->spool);
    }
    d->spool = NULL;
}
