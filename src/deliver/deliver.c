/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A destination as others see it: what is said of it is checked and copied, an out
 * to write to, figures, and how it ends. Threads: as deliver.h says. A child of fork
 * has neither the thread nor the connections, so nothing here does anything in one.
 */
#include "deliver/deliver.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "deliver/inside.h"
#include "deliver/prepare.h"

static struct deliver *of(struct out *o)
{
    return (struct deliver *)o;
}

static bool is_ours(const struct deliver *d)
{
    return d->pid == (int)getpid();
}

/* ---- waiting ---- */

static bool wait_until_gone(struct deliver *d, uint64_t seq, uint64_t deadline_ns)
{
    bool in_time = true;
    while (d->running && queue_holds_until(d, seq) && in_time)
        in_time = queue_wait_change(d, deadline_ns);
    return !queue_holds_until(d, seq);
}

int deliver_flush(struct deliver *d, uint64_t deadline_ns)
{
    if (!is_ours(d))
        return 0;
    sender_wake(d);
    pthread_mutex_lock(&d->lock);
    bool gone = wait_until_gone(d, d->seq, deadline_ns);
    pthread_mutex_unlock(&d->lock);
    return gone ? 0 : ORIEL_ETIMEOUT;
}

/* Whether the disk holds something to send. The lock is held. */
static bool holds_spooled(const struct deliver *d)
{
    return d->spool_counts.messages > 0;
}

int deliver_drain(struct deliver *d, uint64_t deadline_ns)
{
    if (!is_ours(d))
        return 0;
    pthread_mutex_lock(&d->lock);
    bool any = holds_spooled(d);
    pthread_mutex_unlock(&d->lock);
    int rc = any ? sender_start(d) : 0;
    if (rc != 0)
        return rc;
    int flushed = deliver_flush(d, deadline_ns);
    pthread_mutex_lock(&d->lock);
    for (bool in_time = true; d->running && holds_spooled(d) && in_time;)
        in_time = queue_wait_change(d, deadline_ns);
    bool left = holds_spooled(d);
    pthread_mutex_unlock(&d->lock);
    return left ? ORIEL_ETIMEOUT : flushed;
}

/* ---- figures ---- */

/* The lock is held. */
static void add_counts(const struct deliver *d, enum out_signal s, struct deliver_counts *out)
{
    const struct deliver_counts *c = &d->counts[s];
    const struct spool_part *p = &d->spool_counts.own[s];
    out->given += c->given;
    out->delivered += c->delivered;
    out->rejected += c->rejected;
    out->refused += c->refused;
    out->full += c->full;
    out->expired += c->expired;
    out->spool_lost += c->spool_lost + p->dropped;
    out->queued += c->queued;
    out->in_flight += c->in_flight;
    out->spooled += p->held;
    out->recovered += c->recovered;
    out->messages += c->messages;
    out->tries += c->tries;
    out->bytes_out += c->bytes_out;
    out->try_ns += c->try_ns;
    out->open = out->open || d->lanes[d->routes[s].lane].open;
    out->connections = d->connections;
}

void deliver_counts(struct deliver *d, enum out_signal signal, struct deliver_counts *out)
{
    assert(signal < OUT_SIGNALS);
    memset(out, 0, sizeof *out);
    if (!is_ours(d))
        return;
    pthread_mutex_lock(&d->lock);
    add_counts(d, signal, out);
    pthread_mutex_unlock(&d->lock);
}

static void total(const struct deliver *d, struct deliver_counts *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned s = 0; s < OUT_SIGNALS; s++)
        add_counts(d, (enum out_signal)s, out);
}

void deliver_total(struct deliver *d, struct deliver_counts *out)
{
    memset(out, 0, sizeof *out);
    if (!is_ours(d))
        return;
    pthread_mutex_lock(&d->lock);
    total(d, out);
    pthread_mutex_unlock(&d->lock);
    out->queue_items = d->queue_items;
    out->queue_bytes = d->queue_bytes;
}

bool deliver_keeps(const struct deliver *d)
{
    return d->keeps;
}

void deliver_left(struct deliver *d, char out[DELIVER_WHY_BYTES])
{
    out[0] = 0;
    if (!is_ours(d))
        return;
    pthread_mutex_lock(&d->lock);
    memcpy(out, d->left, sizeof d->left);
    pthread_mutex_unlock(&d->lock);
}

static void fate_of(struct out *o, struct out_fate *out)
{
    struct deliver *d = of(o);
    struct deliver_counts c;
    memset(out, 0, sizeof *out);
    if (!is_ours(d))
        return;
    pthread_mutex_lock(&d->lock);
    total(d, &c);
    out->lost = c.rejected + c.refused + c.full + c.expired + c.spool_lost;
    out->held = c.queued + c.spooled;
    out->lost_seen = d->lost_seen;
    for (unsigned s = 0; s < OUT_SIGNALS; s++)
        out->lost_seen += d->spool_counts.own[s].dropped_seen;
    pthread_mutex_unlock(&d->lock);
}

/* ---- the out ---- */

static int take_message(struct out *o, const struct out_message *m)
{
    struct deliver *d = of(o);
    if (!is_ours(d))
        return ORIEL_ESTATE;
    if (m->signal >= OUT_SIGNALS || !d->dialect->paths[m->signal])
        return ORIEL_EUNSUPPORTED;
    int rc = sender_start(d);
    if (rc == 0)
        rc = queue_put(d, m);
    if (rc == 0)
        sender_wake(d);
    return rc;
}

/* Lost for want of time or room. The lock is held. */
static uint64_t lost_so_far(const struct deliver *d, uint64_t *out_spooled)
{
    struct deliver_counts c;
    total(d, &c);
    *out_spooled = c.spooled;
    return c.expired + c.spool_lost;
}

static int finish(struct out *o, uint64_t deadline_ns, bool wait)
{
    struct deliver *d = of(o);
    if (!is_ours(d))
        return 0;
    uint64_t spooled;
    pthread_mutex_lock(&d->lock);
    if (!d->finishing)
        d->lost_before = lost_so_far(d, &spooled);
    if (!d->finishing || deadline_ns < d->deadline_ns)
        d->deadline_ns = deadline_ns;
    d->finishing = true;
    bool running = d->running;
    pthread_mutex_unlock(&d->lock);
    if (!running)
        return 0;
    sender_wake(d);
    if (!wait)
        return 0;
    pthread_mutex_lock(&d->lock);
    /* The sender keeps the deadline, and settles everything when it passes: nothing waits for the
     * network here, and for a disk out_close would have to wait as well. */
    bool gone = wait_until_gone(d, d->seq, UINT64_MAX);
    bool all = lost_so_far(d, &spooled) == d->lost_before && gone && spooled == 0;
    pthread_mutex_unlock(&d->lock);
    return all ? 0 : ORIEL_ETIMEOUT;
}

static void set_gate(struct deliver *d, enum gate gate)
{
    atomic_store_explicit(&d->gate, gate, memory_order_release); /* see inside.h */
    pthread_mutex_lock(&d->lock);
    bool running = d->running;
    pthread_mutex_unlock(&d->lock);
    if (running)
        sender_wake(d);
}

int deliver_admit(struct deliver *d, const struct http_header *headers, size_t count,
                  struct oriel_err *err)
{
    assert(d->gate == GATE_HELD && is_ours(d));
    int rc = prepare_headers(d, headers, count, err);
    if (rc == 0)
        set_gate(d, GATE_OPEN);
    return rc;
}

void deliver_bar(struct deliver *d)
{
    assert(d->gate == GATE_HELD && is_ours(d));
    set_gate(d, GATE_BARRED);
}

static int write_bytes(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    return ORIEL_EUNSUPPORTED; /* only whole messages are known here */
}

static int sync_nothing(struct out *o)
{
    return 0;
}

static void close_it(struct out *o)
{
    struct deliver *d = of(o);
    if (!is_ours(d)) { /* what the parent's thread had under way cannot be taken apart here */
        prepare_undo(d, false);
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    bool running = d->running;
    pthread_mutex_unlock(&d->lock);
    if (running) {
        sender_wake(d);
        pthread_join(d->thread, NULL);
        wake_close(&d->wake);
    } else {
        sender_end(d);
    }
    prepare_undo(d, true);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
}

static const struct out_ops ops = {.write = write_bytes,
                                   .sync = sync_nothing,
                                   .close = close_it,
                                   .message = take_message,
                                   .finish = finish,
                                   .fate = fate_of};

struct out *deliver_out(struct deliver *d)
{
    return &d->base;
}

/* ---- opening ---- */

static void init_lock(struct deliver *d)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attr);
    pthread_condattr_destroy(&attr);
}

int deliver_open(struct deliver **out, const struct deliver_options *o, struct oriel_err *err)
{
    assert(o->size >= sizeof *o && o->dialect && o->endpoint);
    struct deliver *d = mem_calloc(1, sizeof *d);
    if (!d) {
        spool_close(o->spool);
        return err_set(err, ORIEL_ENOMEM, "no memory for a destination");
    }
    d->base.ops = &ops;
    d->pid = (int)getpid();
    d->wake.read_fd = d->wake.write_fd = -1;
    d->spool = o->spool;
    d->keeps = o->spool != NULL;
    int rc = prepare(d, o, err);
    if (rc != 0) {
        prepare_undo(d, true);
        spool_close(d->spool);
        mem_free(d);
        return rc;
    }
    init_lock(d);
    if (d->spool)
        spill_count(d);
    *out = d;
    return 0;
}
