/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What waits to be sent: one list for each host, bounded together in messages and
 * bytes, and the figures of every message's fate. The lock is held for a few
 * stores, never over an allocation or a system call. Any thread.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "deliver/inside.h"

enum { LOOK_AHEAD = 8 };
#define SECOND UINT64_C(1000000000)

static size_t cost_of(size_t n)
{
    return sizeof(struct item) + n;
}

/* Room for one more, taken at once. */
static bool take_room(struct deliver *d, uint64_t items, size_t cost)
{
    /* A quarter is kept for compressed copies of what is under way. */
    size_t most = d->compression ? d->queue_bytes - d->queue_bytes / 4 : d->queue_bytes;
    /* One message alone may have more items than that. */
    d->full_in_items = d->queue_items && d->held_items && d->held_items + items > d->queue_items;
    if (d->full_in_items)
        return false;
    if (cost > most || d->held_bytes > most - cost)
        return false;
    d->held_bytes += cost;
    d->held_items += items;
    return true;
}

bool queue_wait_change(struct deliver *d, uint64_t deadline_ns)
{
    uint64_t until = deadline_ns;
    if (deliver_now(d) >= deadline_ns)
        return false;
    if (d->now) /* nobody tells when that clock moves */
        until = clock_mono_ns() + SECOND / 1000;
    if (until > INT64_MAX)
        until = INT64_MAX;
    struct timespec t = {.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)};
    (void)pthread_cond_timedwait(&d->changed, &d->lock, &t);
    return true;
}

/* The same, with patience where that is wanted: not with a receiver that fails or is silent. */
static bool wait_room(struct deliver *d, const struct out_message *m, size_t cost)
{
    const struct lane *l = &d->lanes[d->routes[m->signal].lane];
    if (d->room_wait_ns && d->held_items == 0)
        d->progress_ns = deliver_now(d);
    bool room = take_room(d, m->items, cost), in_time = d->room_wait_ns > 0;
    while (!room && in_time && d->running && !d->finishing && !l->failing) {
        in_time = queue_wait_change(d, d->progress_ns + d->room_wait_ns);
        room = take_room(d, m->items, cost);
    }
    return room;
}

/* Not zeroed where its bytes come. NULL: no memory. */
static struct item *new_item(const struct deliver *d, const struct out_message *m)
{
    struct item *i = mem_alloc(cost_of(m->n));
    if (!i)
        return NULL;
    memset(i, 0, sizeof *i);
    i->items = m->items;
    i->seen = m->seen;
    i->signal = m->signal;
    i->lane = d->routes[m->signal].lane;
    i->cost = cost_of(m->n);
    i->n = m->n;
    if (m->n)
        memcpy(i->bytes, m->bytes, m->n);
    buf_init(&i->packed);
    return i;
}

static void append(struct deliver *d, struct item *i)
{
    struct lane *l = &d->lanes[i->lane];
    i->seq = ++d->seq;
    i->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = i;
    l->last = i;
    l->messages++;
}

int queue_put(struct deliver *d, const struct out_message *m)
{
    struct deliver_counts *c = &d->counts[m->signal];
    size_t cost = cost_of(m->n);
    size_t most = d->compression ? d->queue_bytes - d->queue_bytes / 4 : d->queue_bytes;
    if (m->n > SIZE_MAX / 4 || cost > most)
        return ORIEL_ELIMIT;
    pthread_mutex_lock(&d->lock);
    bool room = wait_room(d, m, cost);
    if (!room) {
        c->given += m->items;
        c->full += m->items;
        d->lost_seen += m->seen;
    }
    pthread_mutex_unlock(&d->lock);
    if (!room)
        return 0;
    struct item *i = new_item(d, m);
    pthread_mutex_lock(&d->lock);
    if (i) {
        append(d, i);
        i->own = true;
        c->given += m->items;
        c->queued += m->items;
        c->messages++;
    } else {
        d->held_bytes -= cost;
        d->held_items -= m->items;
    }
    pthread_mutex_unlock(&d->lock);
    return i ? 0 : ORIEL_ENOMEM;
}

struct item *queue_item_new(struct deliver *d, const struct out_message *m)
{
    struct item *i = new_item(d, m);
    if (!i)
        return NULL;
    i->from_spool = true;
    pthread_mutex_lock(&d->lock);
    d->held_bytes += i->cost;
    d->held_items += i->items;
    pthread_mutex_unlock(&d->lock);
    return i;
}

struct item *queue_next(struct deliver *d, struct lane *l)
{
    struct item *best = NULL;
    unsigned looked = 0;
    pthread_mutex_lock(&d->lock);
    for (struct item *i = l->first; i && looked < LOOK_AHEAD; i = i->next)
        if (!i->sending) {
            looked++;
            if (!best || i->tries < best->tries)
                best = i;
        }
    pthread_mutex_unlock(&d->lock);
    return best;
}

struct item *queue_oldest(struct deliver *d, struct lane *l)
{
    pthread_mutex_lock(&d->lock);
    struct item *i = l->first;
    while (i && i->sending)
        i = i->next;
    pthread_mutex_unlock(&d->lock);
    return i;
}

uint64_t queue_waiting(struct deliver *d, const struct lane *l)
{
    uint64_t items = 0;
    pthread_mutex_lock(&d->lock);
    for (struct item *i = l->first; i; i = i->next)
        items += i->items;
    pthread_mutex_unlock(&d->lock);
    return items;
}

uint64_t queue_messages(struct deliver *d, const struct lane *l)
{
    pthread_mutex_lock(&d->lock);
    uint64_t n = l->messages;
    pthread_mutex_unlock(&d->lock);
    return n;
}

bool queue_is_over_half(struct deliver *d)
{
    pthread_mutex_lock(&d->lock);
    bool over = d->held_bytes > d->queue_bytes / 2;
    pthread_mutex_unlock(&d->lock);
    return over;
}

void queue_mark(struct deliver *d, struct item *i, bool sending)
{
    pthread_mutex_lock(&d->lock);
    assert(i->sending != sending);
    i->sending = sending;
    if (!i->from_spool && sending)
        d->counts[i->signal].in_flight += i->items;
    if (!i->from_spool && !sending)
        d->counts[i->signal].in_flight -= i->items;
    pthread_mutex_unlock(&d->lock);
}

bool queue_take_bytes(struct deliver *d, size_t n)
{
    pthread_mutex_lock(&d->lock);
    bool room = d->held_bytes <= d->queue_bytes && n <= d->queue_bytes - d->held_bytes;
    if (room)
        d->held_bytes += n;
    pthread_mutex_unlock(&d->lock);
    return room;
}

void queue_give_bytes(struct deliver *d, size_t n)
{
    pthread_mutex_lock(&d->lock);
    assert(d->held_bytes >= n);
    d->held_bytes -= n;
    pthread_mutex_unlock(&d->lock);
}

static void unlink_item(struct deliver *d, struct item *i)
{
    struct lane *l = &d->lanes[i->lane];
    *(i->prev ? &i->prev->next : &l->first) = i->next;
    *(i->next ? &i->next->prev : &l->last) = i->prev;
    assert(l->messages > 0);
    l->messages--;
}

/* What one fate means for the figures. */
static void count_fate(struct deliver *d, const struct item *i, enum fate fate, uint64_t rejected)
{
    struct deliver_counts *c = &d->counts[i->signal];
    assert(rejected <= i->items);
    if (!i->own) {
        c->recovered += fate == FATE_DELIVERED ? i->items - rejected : 0;
        return;
    }
    switch (fate) {
    case FATE_DELIVERED:
        c->delivered += i->items - rejected;
        c->rejected += rejected;
        d->lost_seen += rejected < i->seen ? rejected : i->seen;
        return;
    case FATE_REFUSED:
        c->refused += i->items;
        break;
    case FATE_EXPIRED:
        c->expired += i->items;
        break;
    case FATE_SPOOL_LOST:
        c->spool_lost += i->items;
        break;
    case FATE_SPOOLED: /* the spool counts it */
        return;
    }
    d->lost_seen += i->seen;
}

void queue_settle(struct deliver *d, struct item *i, enum fate fate, uint64_t rejected)
{
    struct deliver_counts *c = &d->counts[i->signal];
    size_t packed = i->packed.capacity;
    pthread_mutex_lock(&d->lock);
    if (!i->from_spool) {
        unlink_item(d, i);
        c->queued -= i->items;
        c->in_flight -= i->sending ? i->items : 0;
    }
    count_fate(d, i, fate, rejected);
    if (d->spool)
        spill_count(d);
    if (d->room_wait_ns)
        d->progress_ns = deliver_now(d);
    assert(d->held_bytes >= i->cost + packed && d->held_items >= i->items);
    d->held_bytes -= i->cost + packed;
    d->held_items -= i->items;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    buf_done(&i->packed);
    mem_free(i);
}

void queue_forget(struct deliver *d, struct item *i)
{
    size_t all = i->cost + i->packed.capacity;
    assert(i->from_spool);
    pthread_mutex_lock(&d->lock);
    d->held_bytes -= all;
    d->held_items -= i->items;
    pthread_mutex_unlock(&d->lock);
    buf_done(&i->packed);
    mem_free(i);
}

bool queue_holds_until(const struct deliver *d, uint64_t seq)
{
    for (unsigned i = 0; i < d->lane_count; i++)
        if (d->lanes[i].first && d->lanes[i].first->seq <= seq)
            return true;
    return false;
}
