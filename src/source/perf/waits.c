/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Times off the CPU. The kernel tells each with its begin and end; where it
 * happened, and who ended it, it shows of a thread so many times a second and
 * no more. While a thread is seen every time, each of its waits is a sample of
 * its own. Else they are counted together for a while, exactly, and divided
 * among the places that were seen in that while, by how long those were, or go to the
 * one that was seen last: the sum is the time that the thread was off its CPU, to the nanosecond. A
 * while is told with its length, so that spans can be given their parts of it; waits in it that are
 * told by themselves are none of them.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "source/perf/source.h"

enum {
    SHARES = 32,
    WINDOW_NS = 100000000,  /* after which they are told */
    LONG_NS = 1000000,      /* a wait that is told by itself wherever its place is known */
    RECENT_NS = 1000000000, /* so long a place that was seen stands for those that were not */
    STATE_DISK = 2          /* TASK_UNINTERRUPTIBLE */
};

/* What a place has of the times that are divided. */
struct share {
    uint64_t flags, wait_ns, ready_ns, count;
    uint32_t stack;
    bool preempted;
};
struct wake_share {
    uint64_t wait_ns, count, flags;
    uint32_t stack;
    int32_t waker; /* tid; 0: nobody's */
};
struct perf_window {
    uint64_t begin_ns; /* of its first wait; 0: none yet */
    /* Exact sums. `unsplit`: of waits whose end nobody saw. */
    uint64_t wait_ns, ready_ns, unsplit_ns, taken_ns, waits, taken;
    uint32_t share_count, wake_count;
    struct share shares[SHARES];
    struct wake_share wakes[SHARES];
};

static uint64_t part(uint64_t whole, uint64_t of, uint64_t sum)
{
    return sum ? (uint64_t)((unsigned __int128)whole * of / sum) : 0;
}

static uint64_t extra_of(const struct perf_wait *w, const struct perf_record *r, bool woken)
{
    return w->flags | (uint64_t)(uint16_t)(r->cpu + 1) << 16 | (uint64_t)w->cpu << 32 |
           (woken ? ORIEL_WAIT_WOKEN : 0);
}

/* ---- counted together ---- */

/* What the shares of one sort amount to. */
static struct share sum_of(const struct perf_window *w, bool preempted)
{
    struct share sum = {0};
    for (uint32_t i = 0; i < w->share_count; i++) {
        if (w->shares[i].preempted != preempted)
            continue;
        sum.wait_ns += w->shares[i].wait_ns;
        sum.ready_ns += w->shares[i].ready_ns;
        sum.count += w->shares[i].count;
    }
    return sum;
}

struct telling {
    struct perf_source *p;
    struct model_batch *batch;
    struct perf_thread *t;
    uint64_t now_ns;
    uint64_t share; /* flag and length of the while, as the extra of waits */
};

/* In microseconds, rounded up: a while is never shorter than the waits in it. */
static uint64_t share_extra(const struct perf_window *w, uint64_t now_ns)
{
    uint64_t us = now_ns > w->begin_ns && w->begin_ns ? (now_ns - w->begin_ns + 999) / 1000 : 0;
    return ORIEL_WAIT_SHARED | (us > UINT32_MAX ? 0 : us << 16);
}

static void tell(const struct telling *to, uint8_t kind, uint64_t weight, uint64_t count,
                 uint32_t stack, uint64_t extra)
{
    const struct perf_sample s = {.time_ns = to->now_ns,
                                  .weight = weight,
                                  .count = count,
                                  .extra = extra | to->share,
                                  .stack = stack,
                                  .kind = kind};
    if (weight || count)
        perf_source_add(to->p, to->batch, to->t, &s);
}

/* Where waits most likely were of which none was shown in their while: the kernel holds
 * a rate that it estimates, far too high for threads that are seldom on a CPU when its
 * clock ticks, and shows one of hundreds that end after 1 ms and are told by themselves. */
static const struct perf_place *recent(const struct telling *to, bool preempted)
{
    static const struct perf_place nowhere;
    const struct perf_place *p = &to->t->places[preempted];
    return p->stack && to->now_ns < p->seen_ns + RECENT_NS ? p : &nowhere;
}

/* Each place gets its part of wait, ready and count; what rounding leaves goes
 * to the last, everything to where it was seen last where none was seen. */
static void tell_shares(const struct telling *to, const struct perf_window *w, bool preempted,
                        struct share left)
{
    const struct share sum = sum_of(w, preempted), whole = left;
    const struct perf_place *last_seen = recent(to, preempted);
    uint32_t after = w->share_count;
    for (uint32_t i = w->share_count; i-- > 0;)
        if (w->shares[i].preempted == preempted && after == w->share_count)
            after = i; /* the last of its sort */
    for (uint32_t i = 0; i <= after; i++) {
        const struct share *s = i < w->share_count ? &w->shares[i] : NULL;
        if (s && s->preempted != preempted)
            continue;
        bool last = i == after;
        uint64_t by = s ? s->wait_ns + s->ready_ns : 0, of = sum.wait_ns + sum.ready_ns;
        uint64_t wait = last ? left.wait_ns : part(whole.wait_ns, by, of);
        uint64_t ready = last ? left.ready_ns : part(whole.ready_ns, by, of);
        uint64_t count = last ? left.count : part(whole.count, s ? s->count : 0, sum.count);
        uint32_t stack = s ? s->stack : last_seen->stack;
        uint64_t flags = s ? s->flags : last_seen->flags;
        if (!preempted)
            tell(to, ORIEL_SAMPLE_OFF_CPU, wait, count, stack, flags);
        tell(to, ORIEL_SAMPLE_PREEMPTED, ready, preempted ? count : 0, stack,
             flags | (preempted ? 0 : ORIEL_WAIT_WOKEN));
        left.wait_ns -= wait;
        left.ready_ns -= ready;
        left.count -= count;
    }
}

static void tell_wakes(const struct telling *to, const struct perf_window *w, uint64_t waited_ns)
{
    uint64_t sum = 0, left = waited_ns;
    for (uint32_t i = 0; i < w->wake_count; i++)
        sum += w->wakes[i].wait_ns;
    for (uint32_t i = 0; i < w->wake_count; i++) {
        const struct wake_share *s = &w->wakes[i];
        struct perf_thread *by = perf_source_thread(to->p, s->waker);
        uint64_t ns = i + 1 == w->wake_count ? left : part(waited_ns, s->wait_ns, sum);
        const struct perf_sample sample = {.time_ns = to->now_ns,
                                           .weight = ns,
                                           .count = s->count,
                                           .extra =
                                               (uint32_t)to->t->tid | s->flags | ORIEL_WAIT_SHARED,
                                           .stack = s->stack,
                                           .kind = ORIEL_SAMPLE_WAKE};
        left -= ns;
        if (s->waker == 0 || by)
            perf_source_add(to->p, to->batch, by ? by : to->t, &sample);
    }
}

static void tell_window(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                        uint64_t now_ns)
{
    struct perf_window *w = t->window;
    const struct telling to = {p, batch, t, now_ns, share_extra(w, now_ns)};
    /* Waits whose end nobody saw end like those whose end was seen. */
    uint64_t ready = part(w->unsplit_ns, w->ready_ns, w->wait_ns + w->ready_ns);
    const struct share waited = {.wait_ns = w->wait_ns + w->unsplit_ns - ready,
                                 .ready_ns = w->ready_ns + ready,
                                 .count = w->waits};
    tell_wakes(&to, w, waited.wait_ns);
    tell_shares(&to, w, false, waited);
    tell_shares(&to, w, true, (struct share){.ready_ns = w->taken_ns, .count = w->taken});
    mem_free(w);
    t->window = NULL;
}

static struct share *share_of(struct perf_window *w, const struct perf_wait *wait)
{
    for (uint32_t i = 0; i < w->share_count; i++)
        if (w->shares[i].stack == wait->stack && w->shares[i].preempted == wait->preempted &&
            w->shares[i].flags == wait->flags)
            return &w->shares[i];
    if (w->share_count == SHARES)
        return NULL;
    struct share *s = &w->shares[w->share_count++];
    *s = (struct share){.flags = wait->flags, .stack = wait->stack, .preempted = wait->preempted};
    return s;
}

static struct perf_window *window_of(struct perf_thread *t)
{
    if (!t->window)
        t->window = mem_calloc(1, sizeof *t->window);
    return t->window;
}

/* False: no memory. */
static bool count_together(struct perf_thread *t, uint64_t wait, uint64_t ready)
{
    struct perf_window *w = window_of(t);
    const struct perf_wait *now = &t->wait;
    if (!w)
        return false;
    if (w->begin_ns == 0)
        w->begin_ns = now->left_ns;
    if (now->preempted) {
        w->taken_ns += ready;
        w->taken++;
    } else {
        *(now->woke_ns || now->divided ? &w->wait_ns : &w->unsplit_ns) += wait;
        w->ready_ns += ready;
        w->waits++;
    }
    struct share *s = now->stack ? share_of(w, now) : NULL;
    if (s) {
        s->wait_ns += wait;
        s->ready_ns += ready;
        s->count++;
    }
    return true;
}

bool waits_counted(struct perf_thread *t, const struct perf_counted *many)
{
    if (many->waits == 0 && many->taken == 0)
        return true;
    struct perf_window *w = window_of(t);
    if (!w)
        return false;
    if (w->begin_ns == 0 || many->begin_ns < w->begin_ns)
        w->begin_ns = many->begin_ns;
    w->wait_ns += many->wait_ns;
    w->ready_ns += many->ready_ns;
    w->taken_ns += many->taken_ns;
    w->waits += many->waits;
    w->taken += many->taken;
    return true;
}

/* ---- one by one ---- */

static void tell_one(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                     const struct perf_record *r, uint64_t wait, uint64_t ready)
{
    const struct perf_wait *w = &t->wait;
    struct perf_sample s = {.time_ns = r->time_ns,
                            .weight = wait,
                            .count = 1,
                            .extra = extra_of(w, r, w->woke_ns != 0),
                            .stack = w->stack,
                            .kind = ORIEL_SAMPLE_OFF_CPU};
    if (!w->preempted)
        perf_source_add(p, batch, t, &s);
    s.weight = ready;
    s.kind = ORIEL_SAMPLE_PREEMPTED;
    if (w->preempted || ready)
        perf_source_add(p, batch, t, &s);
}

/* ---- what the records say ---- */

void waits_shown(struct perf_source *p, struct perf_thread *t, const struct perf_record *r)
{
    int64_t state = 0;
    t->wait = (struct perf_wait){.left_ns = r->time_ns,
                                 .stack = spaces_stack(&p->spaces, r, NULL),
                                 .one_of_many = r->u.sample.period > 1,
                                 .sampled = true};
    if (perf_record_field(r, p->events.fields.switch_state, &state) && (state & STATE_DISK))
        t->wait.flags = ORIEL_WAIT_DISK;
}

void waits_out(struct perf_thread *t, const struct perf_record *r)
{
    assert(r->u.sw.out);
    if (!t->wait.sampled || t->wait.left_ns == 0)
        t->wait = (struct perf_wait){.left_ns = 0};
    t->wait.left_ns = r->time_ns;
    t->wait.cpu = (uint16_t)(r->cpu + 1);
    t->wait.preempted = r->u.sw.preempted;
}

/* One that is over: by itself or with others. */
static void take(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                 const struct perf_record *r, uint64_t wait, uint64_t ready)
{
    const struct perf_wait *w = &t->wait;
    bool unseen = p->events.ability.off_cpu_stack && !w->sampled && !w->look_ns;
    bool by_itself = w->stack && wait + ready >= LONG_NS;
    if (w->sampled && w->stack)
        t->places[w->preempted] = (struct perf_place){w->flags, r->time_ns, w->stack};
    if (!by_itself && (t->window || unseen || w->one_of_many)) {
        if (!count_together(t, wait, ready))
            p->counts.no_memory++;
        return;
    }
    tell_one(p, batch, t, r, wait, ready);
}

/* Or what it can hold is in it. */
static bool window_is_over(const struct perf_window *w, uint64_t now_ns)
{
    return w->begin_ns && (now_ns - w->begin_ns >= WINDOW_NS || w->share_count == SHARES ||
                           w->wake_count == SHARES);
}

void waits_in(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
              const struct perf_record *r)
{
    struct perf_wait *w = &t->wait;
    if (w->look_ns > r->time_ns) { /* what we saw was another wait already */
        w->look_ns = w->flags = 0;
        w->stack = 0;
    }
    if (w->left_ns && w->left_ns <= r->time_ns) {
        uint64_t total = r->time_ns - w->left_ns, ready = w->preempted ? total : 0;
        /* Clocks of two processors: the wake may seem to lie outside the wait. */
        if (w->woke_ns && w->woke_ns <= r->time_ns)
            ready = w->woke_ns > w->left_ns ? r->time_ns - w->woke_ns : total;
        take(p, batch, t, r, total - ready, ready);
        if (t->window && window_is_over(t->window, r->time_ns))
            tell_window(p, batch, t, r->time_ns);
    }
    *w = (struct perf_wait){.left_ns = 0};
}

void waits_end(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
               uint64_t now_ns)
{
    if (t->window)
        tell_window(p, batch, t, now_ns);
}

/* ---- who woke it ---- */

/* A process that is not watched, as a stack that is its name. */
static uint32_t stranger(struct perf_source *p, int32_t pid)
{
    char path[40], comm[32], name[64];
    uint64_t *known = map_put(&p->strangers, (uint32_t)pid, 0);
    if (known && *known)
        return (uint32_t)*known;
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    long n = os_read_file(path, comm, sizeof comm);
    if (n > 0 && comm[n - 1] == '\n')
        n--;
    snprintf(name, sizeof name, n > 0 ? "[program %.*s]" : "[another program]", (int)n, comm);
    for (char *slash = name; (slash = strchr(slash, '/')) != NULL;)
        *slash = '|'; /* "kworker/1:1" is no path */
    uint32_t stack = spaces_stack_named(&p->spaces, name);
    if (known)
        *known = stack;
    return stack;
}

/* Who and where, as far as somebody can be named. An interrupt takes the stack of
 * whoever ran, on top of which its own functions tell what it is. */
static struct wake_share who(struct perf_source *p, const struct perf_record *r)
{
    int64_t count = 1;
    struct wake_share s = {0};
    const struct perf_thread *by = perf_source_thread(p, r->tid);
    (void)perf_record_field(r, p->events.fields.wake_count, &count);
    s.count = (uint64_t)count;
    if (r->pid == 0) { /* nobody runs: only an interrupt can have */
        s.flags = ORIEL_WAKE_INTERRUPT;
    } else if (by || spaces_knows(&p->spaces, r->pid)) {
        s.waker = by ? r->tid : 0;
        s.stack = spaces_stack(&p->spaces, r, NULL);
    } else {
        s.flags = ORIEL_WAKE_OUTSIDE;
        s.stack = spaces_stack_on(&p->spaces, stranger(p, r->pid), r);
    }
    return s;
}

static void count_wake(struct perf_window *w, const struct wake_share *s)
{
    for (uint32_t i = 0; i < w->wake_count; i++) {
        struct wake_share *at = &w->wakes[i];
        if (at->stack != s->stack || at->waker != s->waker || at->flags != s->flags)
            continue;
        at->wait_ns += s->wait_ns;
        at->count += s->count;
        return;
    }
    if (w->wake_count < SHARES)
        w->wakes[w->wake_count++] = *s;
}

/* Of all that happen on the machine, those of threads that are watched. A second
 * one before the thread is on its CPU changes nothing. */
void waits_woken(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    int64_t tid = 0;
    if (!perf_record_field(r, p->events.fields.wake_pid, &tid))
        return;
    struct perf_thread *t = perf_source_thread(p, (int32_t)tid);
    int64_t left = 0;
    if (t && perf_record_field(r, p->events.fields.wake_left, &left) &&
        t->wait.left_ns != (uint64_t)left) /* one that was not shown */
        t->wait = (struct perf_wait){.left_ns = (uint64_t)left};
    if (!t || t->wait.left_ns == 0 || t->wait.woke_ns || t->wait.preempted ||
        r->time_ns <= t->wait.left_ns)
        return;
    struct wake_share s = who(p, r);
    t->wait.woke_ns = r->time_ns;
    s.wait_ns = r->time_ns - t->wait.left_ns;
    bool many = t->window || s.count > 1 || r->u.sample.period > 1 || t->wait.one_of_many;
    struct perf_window *w = many && s.wait_ns < LONG_NS ? window_of(t) : NULL;
    if (w) {
        count_wake(w, &s);
        return;
    }
    struct perf_thread *by = s.waker ? perf_source_thread(p, s.waker) : NULL;
    const struct perf_sample sample = {.time_ns = r->time_ns,
                                       .weight = s.wait_ns,
                                       .count = s.count,
                                       .extra = (uint32_t)t->tid | s.flags,
                                       .stack = s.stack,
                                       .kind = ORIEL_SAMPLE_WAKE};
    perf_source_add(p, batch, by ? by : t, &sample);
}
