/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Picks what goes out next, follows it until there is a reply, and gives it its
 * fate. Nothing here waits. The sending thread only.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "deliver/inside.h"
#include "util/gzip.h"

enum { REPEATS_MAX = 2, ZSTD_LEVEL = 1, ROUNDS_MAX = 64, SPOOLED_USUAL = 16 << 10 };
#define MS UINT64_C(1000000)

/* ---- tries ---- */

static struct item *item_of(struct transport_job *j)
{
    return (struct item *)((char *)j - offsetof(struct item, job));
}

static void try_over(struct deliver *d, struct item *i, uint64_t now_ns)
{
    struct lane *l = &d->lanes[i->lane];
    unsigned k = 0;
    while (k < l->sending && l->under_way[k] != i)
        k++;
    assert(k < l->sending);
    l->under_way[k] = l->under_way[--l->sending];
    queue_mark(d, i, false);
    pthread_mutex_lock(&d->lock);
    d->counts[i->signal].try_ns += now_ns - i->started_ns;
    pthread_mutex_unlock(&d->lock);
}

static void settle(struct deliver *d, struct item *i, enum fate fate, uint64_t rejected)
{
    if (i->from_spool)
        spill_done(d, i, fate, rejected);
    else
        queue_settle(d, i, fate, rejected);
}

/* It may work another time, but not for ever. */
static void put_back(struct deliver *d, struct item *i, uint64_t now_ns)
{
    if (i->from_spool || now_ns - i->first_ns < d->patience_ns || spill_item(d, i))
        return;
    char why[300];
    snprintf(why, sizeof why, "they were tried for too long (%s)", d->lanes[i->lane].why);
    tell_refused(d, i, why, now_ns);
    queue_settle(d, i, FATE_EXPIRED, 0);
}

/* Before the item has its fate: who waits for that sees what it means for the receiver. */
static void show_lane(struct deliver *d, struct lane *l)
{
    pthread_mutex_lock(&d->lock);
    l->open = l->retry.open;
    l->failing = l->retry.failures > 0;
    pthread_mutex_unlock(&d->lock);
}

static void failed(struct deliver *d, struct item *i, uint64_t now_ns, uint64_t asked_ns,
                   bool plain_fault, const char *why)
{
    struct lane *l = &d->lanes[i->lane];
    snprintf(l->why, sizeof l->why, "%s", why);
    if (retry_failed(&l->retry, i->epoch, now_ns, asked_ns, plain_fault))
        tell_open(d, l);
    show_lane(d, l);
    put_back(d, i, now_ns);
}

/* Messages in the queue and on disk; of files that were not read yet as many as their size
 * lets expect. */
static uint64_t waiting_for(struct deliver *d, const struct lane *l)
{
    const struct spool_counts *s = &d->spool_counts;
    uint64_t by_size = s->bytes / SPOOLED_USUAL;
    uint64_t spooled = !d->spool ? 0 : s->messages > by_size ? s->messages : by_size;
    return queue_messages(d, l) + spooled;
}

static void worked(struct deliver *d, const struct item *i, uint64_t now_ns)
{
    struct lane *l = &d->lanes[i->lane];
    l->answered = true;
    uint64_t waiting = l->retry.failures ? waiting_for(d, l) : 0;
    if (retry_worked(&l->retry, i->epoch, now_ns, waiting))
        tell_back(d, l);
    show_lane(d, l);
}

/* No reply came, or one that is larger than is read: that says nothing of the bytes that were
 * sent. What a second look at the same bytes cannot change is given up. */
static void no_reply(struct deliver *d, struct item *i, uint64_t now_ns)
{
    const struct oriel_err *err = &i->job.err;
    int rc = i->job.rc;
    bool moved_on = rc == ORIEL_EBUSY || (rc == ORIEL_ECLOSED && i->job.kept);
    if (moved_on && i->repeats++ < REPEATS_MAX)
        return; /* a connection that ended between two requests is no failure of the receiver */
    if (rc == ORIEL_EINVAL) {
        tell_refused(d, i, err->text, now_ns);
        settle(d, i, FATE_REFUSED, 0);
        return;
    }
    bool plain_fault = rc == ORIEL_EPERM || rc == ORIEL_EFORMAT || rc == ORIEL_EUNSUPPORTED ||
                       rc == ORIEL_ENOTFOUND || rc == ORIEL_ELIMIT;
    failed(d, i, now_ns, 0, plain_fault, err->text);
}

static void asked_again(struct deliver *d, struct item *i, const struct deliver_reply *r,
                        const struct deliver_verdict *v, uint64_t now_ns)
{
    char why[256];
    tell_reason(r, v, why, sizeof why);
    failed(d, i, now_ns, r->has_delay ? r->delay_ns : 0, false, why);
}

static void judge(struct deliver *d, struct item *i, const struct deliver_reply *r, uint64_t now_ns)
{
    struct deliver_verdict v = {.fate = DELIVER_REFUSED};
    d->dialect->judge(i->signal, r, &v);
    if (v.fate == DELIVER_AGAIN) {
        asked_again(d, i, r, &v, now_ns);
        return;
    }
    tell_verdict(d, i, r, &v, now_ns);
    worked(d, i, now_ns); /* it answers, whatever it says */
    settle(d, i, v.fate == DELIVER_TAKEN ? FATE_DELIVERED : FATE_REFUSED,
           v.rejected < i->items ? v.rejected : i->items);
}

/* ---- requests ---- */

/* The body as it goes out, once for all tries. Without room for a second copy, or when it
 * would not be smaller, it goes out as it is. */
static void pack(struct deliver *d, struct item *i)
{
    size_t frame = d->grpc ? GRPC_PREFIX : 0, bound = frame + i->n + i->n / 256 + 1024;
    if (d->compression == DELIVER_PLAIN || i->packed.data || i->n == 0 ||
        !queue_take_bytes(d, bound))
        return;
    struct buf *b = &i->packed;
    b->data = mem_alloc(bound);
    b->capacity = b->data ? bound : 0;
    b->size = frame;
    int rc = b->data ? 0 : ORIEL_ENOMEM;
    if (rc == 0 && d->compression == DELIVER_ZSTD && !d->zip)
        rc = zip_new(&d->zip, ZSTD_LEVEL);
    if (rc == 0)
        rc = d->compression == DELIVER_ZSTD ? zip_compress(d->zip, i->bytes, i->n, b)
                                            : gzip_compress_fast(i->bytes, i->n, b);
    char *tight = rc == 0 && b->size - frame < i->n ? mem_realloc(b->data, b->size) : NULL;
    if (tight) {
        b->data = tight;
        b->capacity = b->size;
        if (frame)
            grpc_prefix((uint8_t *)b->data, b->size - frame, true);
    } else {
        buf_done(b);
    }
    queue_give_bytes(d, bound - b->capacity);
}

static void write_job(struct deliver *d, struct item *i, uint64_t now_ns)
{
    static const char *const codings[] = {NULL, "gzip", "zstd"};
    struct transport_job *j = &i->job;
    const struct route *r = &d->routes[i->signal];
    pack(d, i);
    bool packed = i->packed.data != NULL;
    *j = (struct transport_job){.path = d->grpc ? d->dialect->methods[i->signal] : r->path,
                                .headers = r->headers,
                                .header_count = r->header_count,
                                .content_type = d->dialect->content_type,
                                .encoding = packed ? codings[d->compression] : NULL,
                                .deadline_ns = now_ns + d->timeout_ns,
                                .timeout_ns = d->timeout_ns};
    if (packed) {
        j->body = i->packed.data;
        j->body_n = i->packed.size;
        return;
    }
    if (d->grpc)
        grpc_prefix((uint8_t *)i->frame, i->n, false);
    j->body = d->grpc ? i->frame : i->bytes;
    j->body_n = d->grpc ? i->n + GRPC_PREFIX : i->n;
}

static int open_transport(struct deliver *d, struct lane *l)
{
    struct transport_options o = {.authority = l->endpoint.authority};
    if (l->transport)
        return 0;
    o.stream = l->stream;
    return d->make_transport(&l->transport, &o);
}

/* 0: it is under way, or has failed at once and was seen to; ORIEL_EBUSY: later. */
static int start_try(struct deliver *d, struct lane *l, struct item *i, uint64_t now_ns)
{
    struct transport_job *j = &i->job;
    write_job(d, i, now_ns);
    int rc = open_transport(d, l);
    if (rc == 0)
        rc = l->transport->ops->start(l->transport, j, now_ns);
    if (rc == ORIEL_EBUSY)
        return rc;
    if (i->tries++ == 0)
        i->first_ns = now_ns;
    i->epoch = l->retry.epoch;
    i->started_ns = now_ns;
    retry_began(&l->retry, now_ns);
    pthread_mutex_lock(&d->lock);
    d->counts[i->signal].tries++;
    d->counts[i->signal].bytes_out += j->body_n;
    pthread_mutex_unlock(&d->lock);
    if (rc == 0) {
        assert(l->sending < UNDER_WAY_MAX);
        queue_mark(d, i, true);
        l->under_way[l->sending++] = i;
        return 0;
    }
    j->rc = rc;
    no_reply(d, i, now_ns);
    return 0;
}

/* What is on disk is older than all that waits in the queue. */
static struct item *next_of(struct deliver *d, struct lane *l, uint64_t now_ns)
{
    bool wait;
    struct item *i = spill_next(d, l, now_ns, &wait);
    return i || wait ? i : queue_next(d, l);
}

static bool start_some(struct deliver *d, struct lane *l, uint64_t now_ns)
{
    unsigned most = l->transport ? l->transport->ops->side_by_side : 1;
    if (l->retry.own_ns)
        retry_waits(&l->retry, waiting_for(d, l));
    unsigned room = retry_room(&l->retry, now_ns, l->sending, most);
    bool started = false;
    struct item *i;
    while (room-- > 0 && (i = next_of(d, l, now_ns))) {
        if (start_try(d, l, i, now_ns) != 0)
            break;
        started = true;
        if (l->retry.failures)
            break;
    }
    return started;
}

/* ---- one round ---- */

static void hear(struct deliver *d, struct lane *l, uint64_t now_ns)
{
    struct deliver_reply reply;
    struct transport_job *j;
    while (l->transport && (j = l->transport->ops->step(l->transport, now_ns, &reply))) {
        struct item *i = item_of(j);
        try_over(d, i, now_ns);
        if (j->rc == 0)
            judge(d, i, &reply, now_ns);
        else
            no_reply(d, i, now_ns);
    }
}

static void give_up_late(struct deliver *d, struct lane *l, uint64_t now_ns)
{
    for (unsigned k = l->sending; k-- > 0;) {
        struct item *i = l->under_way[k];
        if (now_ns < i->job.deadline_ns)
            continue;
        l->transport->ops->cancel(l->transport, &i->job);
        try_over(d, i, now_ns);
        i->job.rc = err_set(&i->job.err, ORIEL_ETIMEOUT, "no reply within %u ms",
                            (unsigned)(d->timeout_ns / MS));
        no_reply(d, i, now_ns);
    }
}

/* No more tries: to disk, or lost. */
static void leave(struct deliver *d, struct lane *l, uint64_t now_ns)
{
    const int gate = atomic_load_explicit(&d->gate, memory_order_relaxed);
    const enum fate no_disk = gate == GATE_BARRED ? FATE_REFUSED : FATE_EXPIRED;
    uint64_t lost = 0, kept = 0;
    struct item *i;
    if (l->sending)
        tell_silence(l);
    while (l->sending) {
        i = l->under_way[0];
        l->transport->ops->cancel(l->transport, &i->job);
        try_over(d, i, now_ns);
    }
    if (gate == GATE_HELD)
        snprintf(l->why, sizeof l->why, "the headers to send have not come");
    if (queue_oldest(d, l))
        tell_why(d, l);
    while ((i = queue_oldest(d, l))) {
        uint64_t items = i->items;
        if (spill_item(d, i)) {
            kept += items;
        } else {
            lost += items;
            queue_settle(d, i, d->spool ? FATE_SPOOL_LOST : no_disk, 0);
        }
    }
    if ((lost || kept) && gate != GATE_BARRED) /* who barred it has said why */
        tell_left(d, l, lost, kept);
}

/* The end was asked for: until when; UINT64_MAX: it was not. */
static uint64_t end_of(struct deliver *d)
{
    pthread_mutex_lock(&d->lock);
    bool barred = atomic_load_explicit(&d->gate, memory_order_relaxed) == GATE_BARRED;
    uint64_t end = d->closing || barred ? 0 : d->finishing ? d->deadline_ns : UINT64_MAX;
    pthread_mutex_unlock(&d->lock);
    return end;
}

/* What others see of the sender. */
static void show_state(struct deliver *d)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < d->lane_count; k++)
        if (d->lanes[k].transport)
            n += d->lanes[k].transport->ops->connections(d->lanes[k].transport);
    pthread_mutex_lock(&d->lock);
    d->connections = n;
    pthread_mutex_unlock(&d->lock);
    for (unsigned k = 0; k < d->lane_count; k++)
        show_lane(d, &d->lanes[k]);
}

/* When whoever waits for this has waited for too long. */
static uint64_t given_up_ns(const struct deliver *d, const struct lane *l)
{
    return d->attended && l->retry.failures ? l->retry.since_ns + d->patience_ns : UINT64_MAX;
}

static void wait_for(struct lane *l, bool more, uint64_t late_ns, struct transport_wait *w)
{
    for (unsigned k = 0; k < l->sending; k++)
        if (l->under_way[k]->job.deadline_ns < w->wake_ns)
            w->wake_ns = l->under_way[k]->job.deadline_ns;
    uint64_t next_ns = retry_next(&l->retry);
    if (more && next_ns && (l->sending == 0 || !l->retry.failures) && next_ns < w->wake_ns)
        w->wake_ns = next_ns;
    if (more && late_ns < w->wake_ns)
        w->wake_ns = late_ns;
    if (l->transport)
        l->transport->ops->wait(l->transport, w);
}

/* What came of the requests under way, and whether there is time for more. */
static void follow(struct deliver *d, struct lane *l, uint64_t now_ns, uint64_t end_ns)
{
    hear(d, l, now_ns);
    give_up_late(d, l, now_ns);
    /* A pause that ends after the end is as good as none. */
    bool pausing = l->retry.failures && !l->sending && l->retry.not_before_ns >= end_ns;
    if (now_ns >= end_ns || pausing || now_ns >= given_up_ns(d, l))
        leave(d, l, now_ns);
}

static void wait_for_all(struct deliver *d, uint64_t now_ns, struct transport_wait *w)
{
    for (unsigned k = 0; k < d->lane_count; k++) {
        struct lane *l = &d->lanes[k];
        wait_for(l, spill_has(d, k) || queue_oldest(d, l), given_up_ns(d, l), w);
    }
    if (d->spool && d->spool_after_ns > now_ns && d->spool_after_ns < w->wake_ns)
        w->wake_ns = d->spool_after_ns;
}

void sender_step(struct deliver *d, uint64_t now_ns, struct transport_wait *w)
{
    /* Pairs with the release in set_gate. */
    const bool held = atomic_load_explicit(&d->gate, memory_order_acquire) == GATE_HELD;
    uint64_t end_ns = end_of(d);
    bool again = true;
    /* Before anything that is left has its fate: a program that waits for no more than that is gone
     * then. */
    tell_full(d, now_ns, false);
    for (unsigned round = 0; again && round < ROUNDS_MAX; round++) {
        for (unsigned k = 0; k < d->lane_count; k++)
            follow(d, &d->lanes[k], now_ns, end_ns);
        spill_some(d, now_ns);
        again = false;
        for (unsigned k = 0; k < d->lane_count && !held && now_ns < end_ns; k++)
            again = start_some(d, &d->lanes[k], now_ns) || again;
    }
    wait_for_all(d, now_ns, w);
    if (again)
        w->wake_ns = 0;
    else if (end_ns > now_ns && end_ns < w->wake_ns)
        w->wake_ns = end_ns;
    show_state(d);
}

void sender_end(struct deliver *d)
{
    uint64_t now_ns = deliver_now(d);
    for (unsigned k = 0; k < d->lane_count; k++) {
        struct lane *l = &d->lanes[k];
        leave(d, l, now_ns);
        if (l->transport)
            l->transport->ops->free(l->transport);
        l->transport = NULL;
    }
    tell_full(d, now_ns, true);
    spill_end(d);
    zip_free(d->zip);
    d->zip = NULL;
}
