/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's records as records of the house. Every thread that is sampled
 * or that waits has a stream of its own here, beside the one it may write
 * itself; both count as the same thread, so the pipe finds the span that was
 * open when a sample was taken.
 */
#include "source/perf/source.h"

#include <assert.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/own.h"

enum {
    /* A record becomes visible at most this long after the time it carries. */
    SETTLE_NS = 2000000,
    DEEPER_PARTS = 32, /* a stack is deeper than ever by at least one part of so many */
    SERIAL_FIRST = MODEL_SERIAL_SEEN,
    SAMPLE_WORDS = 6
};
#define HURRY_NS UINT64_C(1000000000)      /* what was met may be met again so long */
#define HURRY_FIRST_NS UINT64_C(100000000) /* the program itself is no sign of others */

static int perf_open(void *state, const void *options, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    struct perf_source *p = state;
    const struct perf_options *o = options;
    memset(p, 0, sizeof *p);
    p->catalog = catalog;
    p->next_serial = SERIAL_FIRST;
    struct clock_anchor now;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    p->unix_offset = now.unix_ns - now.mono_ns;
    p->begun = o->running;
    spaces_init(&p->spaces, catalog);
    p->spaces.deep.asked_bytes = o->stack_bytes;
    int rc = perf_events_open(&p->events, o, err);
    p->ability = o->ability;
    if (o->ability)
        *o->ability = p->events.ability;
    if (rc < 0) {
        spaces_done(&p->spaces);
        return rc;
    }
    size_t at = 0;
    uint64_t tid, pid;
    while (map_next(&p->events.attached, &at, &tid, &pid))
        if (tid == pid) { /* first whose it is: code made at run time has an owner */
            (void)program_of(p, (int32_t)pid, now.unix_ns);
            (void)spaces_read(&p->spaces, (int32_t)pid);
        }
    return 0;
}

static void perf_close(void *state)
{
    struct perf_source *p = state;
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&p->threads, &at, &key, &value)) {
        mem_free(((struct perf_thread *)(uintptr_t)value)->window);
        mem_free((void *)(uintptr_t)value);
    }
    map_done(&p->threads);
    map_done(&p->strangers);
    spaces_done(&p->spaces);
    perf_events_close(&p->events);
}

/* ---- who ---- */

static void name_thread(struct perf_source *p, struct perf_thread *t, const char *name)
{
    t->own = t->pid != t->tid && own_thread_name(name);
    struct model_str old = t->thread->name;
    size_t n = strlen(t->comm);
    if (old.n != n || (n && memcmp(old.p, t->comm, n) != 0))
        return;
    snprintf(t->comm, sizeof t->comm, "%s", name);
    (void)model_thread_set_name(p->catalog, t->thread,
                                (struct model_str){t->comm, (uint32_t)strlen(t->comm)});
}

/* A thread that never named itself is called what it was started as. */
static void name_as_started(struct perf_source *p, struct perf_thread *t, int32_t pid)
{
    char path[64], name[32];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, t->thread->tid);
    long n = os_read_file(path, name, sizeof name);
    if (n > 1) {
        name[n - 1] = 0;
        name_thread(p, t, name);
    }
}

static struct perf_thread *new_thread(struct perf_source *p, int32_t pid, int32_t tid,
                                      uint64_t unix_ns)
{
    struct model_process *process = program_of(p, pid, unix_ns);
    struct perf_thread *t = process ? mem_calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->serial = p->next_serial++;
    t->pid = pid;
    t->tid = tid;
    t->thread = model_catalog_find_thread(p->catalog, process->index, tid);
    if (t->thread) {
        if (model_catalog_alias_thread(p->catalog, t->serial, t->thread->index) < 0)
            t->thread = NULL;
    } else {
        t->thread = model_catalog_add_thread(p->catalog, process->index, tid, t->serial);
        if (t->thread)
            t->thread->looked_at = true;
    }
    if (!t->thread || !map_put(&p->threads, (uint32_t)tid, (uintptr_t)t)) {
        mem_free(t);
        return NULL;
    }
    name_as_started(p, t, pid);
    return t;
}

struct perf_thread *perf_source_thread(const struct perf_source *p, int32_t tid)
{
    const uint64_t *at = map_get(&p->threads, (uint32_t)tid);
    return at ? (struct perf_thread *)(uintptr_t)*at : NULL;
}

static struct perf_thread *thread_of(struct perf_source *p, const struct perf_record *r)
{
    struct perf_thread *known = perf_source_thread(p, r->tid);
    return known ? known : new_thread(p, r->pid, r->tid, r->time_ns + p->unix_offset);
}

static void forget_thread(struct perf_source *p, int32_t tid)
{
    struct perf_thread *t = perf_source_thread(p, tid);
    if (!t)
        return;
    mem_free(t->window);
    mem_free(t);
    (void)map_remove(&p->threads, (uint32_t)tid);
}

/* ---- samples ---- */

void perf_source_add(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                     const struct perf_sample *s)
{
    uint64_t *raw = arena_alloc(&batch->arena, SAMPLE_WORDS * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(batch) : NULL;
    const uint64_t unix_ns = s->time_ns + p->unix_offset;
    assert(s->kind > 0 && s->kind < ORIEL_SAMPLE_KINDS);
    if (!r) {
        p->counts.no_memory++;
        return;
    }
    raw[0] = ORIEL_RECORD_HEADER(SAMPLE_WORDS, ORIEL_REC_SAMPLE, s->kind, 0);
    raw[1] = model_catalog_ticks(p->catalog, t->thread, unix_ns, p->unix_offset);
    raw[2] = s->stack;
    raw[3] = s->weight;
    raw[4] = s->count;
    raw[5] = s->extra;
    *r = (struct model_record){.t_ns = unix_ns,
                               .position = t->position,
                               .raw = raw,
                               .thread = t->thread,
                               .words = SAMPLE_WORDS,
                               .type = ORIEL_REC_SAMPLE,
                               .flags = s->kind,
                               .stream = t->serial};
    t->position += SAMPLE_WORDS * sizeof *raw;
    p->counts.samples++;
}

/* A new high-water mark of the thread's stack, with the calls that made it. The
 * sum of all is the mark. */
static void deepest(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                    const struct perf_record *r, uint32_t stack, uint64_t depth)
{
    if (depth <= t->deepest + t->deepest / DEEPER_PARTS)
        return;
    if (t->deepest == 0)
        t->limit = look_at_stack_limit(r->pid, r->u.sample.user.sp);
    const struct perf_sample s = {.time_ns = r->time_ns,
                                  .weight = depth - t->deepest,
                                  .count = 1,
                                  .extra = t->limit,
                                  .stack = stack,
                                  .kind = ORIEL_SAMPLE_DEPTH};
    t->deepest = depth;
    perf_source_add(p, batch, t, &s);
}

/* What one sample on the CPU stands for. */
static uint64_t weight_of(const struct perf_source *p, const struct perf_record *r)
{
    const struct perf_ability *can = &p->events.ability;
    return can->hardware ? 1000000000u / can->rate : r->u.sample.period;
}

static void on_cpu(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                   const struct perf_record *r)
{
    uint64_t depth, walks = p->spaces.counts.walks;
    struct perf_sample s = {.time_ns = r->time_ns,
                            .weight = weight_of(p, r),
                            .count = 1,
                            .extra = (uint64_t)r->cpu + 1,
                            .kind = ORIEL_SAMPLE_CPU};
    s.stack = spaces_stack(&p->spaces, r, &depth);
    if (p->spaces.counts.walks > walks)
        p->counts.cpu_ends[p->spaces.counts.last]++;
    ran_sampled(t, s.weight);
    perf_source_add(p, batch, t, &s);
    deepest(p, batch, t, r, s.stack, depth);
}

static void sampled(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    enum perf_event_kind kind = perf_events_kind(&p->events, r->id);
    struct perf_thread *t;
    if (kind == PERF_EVENT_WAKE) { /* perhaps of strangers */
        p->events.pace.seen += r->u.sample.period;
        waits_woken(p, batch, r);
        return;
    }
    if (kind == PERF_EVENT_BACK) { /* somebody else leaves there */
        counted_back(p, batch, r);
        return;
    }
    if (kind == PERF_EVENT_CPU && (!p->begun || r->pid == p->events.watch.starter))
        return; /* who starts the program is not the program */
    t = r->pid > 0 ? thread_of(p, r) : NULL;
    if (t && t->own)
        p->counts.own_ns += kind == PERF_EVENT_CPU ? weight_of(p, r) : 0;
    else if (t && kind == PERF_EVENT_CPU)
        on_cpu(p, batch, t, r);
    else if (t && kind == PERF_EVENT_SWITCH && p->events.watch.counts)
        counted_shown(p, t, r);
    else if (t && kind == PERF_EVENT_SWITCH)
        waits_shown(p, t, r);
    else if (t)
        p->counts.damaged++;
}

static void switched(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    struct perf_thread *t = r->pid > 0 ? thread_of(p, r) : NULL;
    if (t && t->own)
        return;
    if (t && r->u.sw.out) {
        ran_out(p, t, r->time_ns);
        waits_out(t, r);
    } else if (t) {
        ran_in(p, t, r->time_ns);
        waits_in(p, batch, t, r);
    }
}

/* Another program in the same process: what is known of it says nothing any
 * more, unless the new one has introduced itself already. */
static void replaced(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    struct perf_thread *t = perf_source_thread(p, r->tid);
    struct perf_counted counted = {0};
    if (t) {
        counted = t->counted; /* what is told next may be of before */
        waits_end(p, batch, t, r->time_ns);
        ran_end(p, batch, t, r->time_ns);
    }
    forget_thread(p, r->tid);
    program_replaced(p, r->pid, r->time_ns + p->unix_offset);
    t = thread_of(p, r);
    if (t)
        t->counted = counted;
}

static void named(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    if (r->u.comm.exec)
        replaced(p, batch, r);
    p->begun |= r->u.comm.exec;
    struct perf_thread *t = thread_of(p, r);
    if (t && r->u.comm.exec) {
        ran_in(p, t, r->time_ns); /* it is who replaces itself */
        t->exe_due = true;
        memset(t->places, 0, sizeof t->places);
    }
    if (t)
        name_thread(p, t, r->u.comm.name);
}

/* Kernels tell the end of a thread before it wakes who waits for that. */
static void ended(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    struct perf_thread *t = perf_source_thread(p, r->tid);
    if (!t || t->ended)
        return;
    if (!t->own) {
        waits_end(p, batch, t, r->time_ns);
        ran_end(p, batch, t, r->time_ns);
    }
    t->ended = true;
    int32_t *oldest = &p->ended_tids[p->next_ended++ % PERF_ENDED_KEPT];
    const struct perf_thread *gone = *oldest ? perf_source_thread(p, *oldest) : NULL;
    if (gone && gone->ended)
        forget_thread(p, *oldest);
    *oldest = r->tid;
}

static void begun(struct perf_source *p, const struct perf_record *r)
{
    const struct perf_thread *before = perf_source_thread(p, r->tid);
    if (before && before->ended) /* a number that was used before */
        forget_thread(p, r->tid);
    if (r->pid != r->u.life.parent_pid)
        program_forked(p, r->pid, r->u.life.parent_pid, r->time_ns + p->unix_offset);
    if (p->events.watch.counts && r->pid > 0)
        (void)thread_of(p, r); /* it may end before it is told of */
}

static void take(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    spaces_record(&p->spaces, r);
    p->last_ns = r->time_ns;
    switch (r->type) {
    case PERF_RECORD_SAMPLE:
        sampled(p, batch, r);
        break;
    case PERF_RECORD_SWITCH:
        switched(p, batch, r);
        break;
    case PERF_RECORD_COMM:
        named(p, batch, r);
        break;
    case PERF_RECORD_FORK:
        begun(p, r);
        break;
    case PERF_RECORD_MMAP2:
        program_mapped(p, r);
        break;
    case PERF_RECORD_EXIT:
        ended(p, batch, r);
        break;
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES:
        p->counts.lost += r->u.lost;
        break;
    case PERF_RECORD_THROTTLE:
        p->counts.throttled++;
        break;
    default:
        break;
    }
}

/* Those that still run when the recording ends. */
static void end_all(struct perf_source *p, struct model_batch *batch)
{
    size_t at = 0;
    uint64_t key, value;
    while (!p->ended && map_next(&p->threads, &at, &key, &value)) {
        struct perf_thread *t = (struct perf_thread *)(uintptr_t)value;
        if (t->own)
            continue;
        counted_end(p, t);
        waits_end(p, batch, t, p->last_ns);
        if (!t->ended)
            ran_end(p, batch, t, p->last_ns);
    }
    p->ended = true;
}

static void tell_missed(const struct perf_source *p)
{
    const struct perf_missed missed = perf_watch_missed(&p->events.watch);
    p->ability->unknown = missed.threads;
    p->ability->unseen_backs = missed.backs;
    p->ability->unseen_waits = missed.waits;
    p->ability->unseen_wakes = p->ability->wakes_picked ? missed.wakes : 0;
}

/* What the recorder says about it, so far. */
static void tell(const struct perf_source *p)
{
    const uint64_t *ends = p->counts.cpu_ends;
    uint64_t most = 0;
    p->ability->lost = p->counts.lost + p->counts.no_memory;
    p->ability->own_ns = p->counts.own_ns;
    if (p->over)
        tell_missed(p);
    p->ability->stacks = p->ability->cut = 0;
    for (unsigned i = 0; i < UNWIND_END_COUNT; i++) {
        p->ability->stacks += ends[i];
        if (unwind_end_is_complete((enum unwind_end)i))
            continue;
        p->ability->cut += ends[i];
        if (ends[i] > most)
            p->ability->cut_by = unwind_end_text((enum unwind_end)i);
        most = ends[i] > most ? ends[i] : most;
    }
}

/* Is it worth to look again soon? A process may be gone before it was asked who it
 * is, a stack that is deeper than its copy be left, a wait that the kernel does not show
 * be over; of wake-ups that nobody picks out there may be too many. */
static bool in_a_hurry(struct perf_source *p)
{
    const struct perf_ability *can = &p->events.ability;
    uint64_t now = clock_mono_ns();
    uint64_t met = p->catalog->process_count + p->spaces.counts.deep + p->counts.looks;
    if (met != p->met)
        p->hurry_until_ns = now + (met > 1 ? HURRY_NS : HURRY_FIRST_NS);
    p->met = met;
    return now < p->hurry_until_ns || (can->off_cpu && !can->off_cpu_stack) ||
           (can->wakes && !can->wakes_picked);
}

/* How many of the kernel's records were read. */
static size_t read_rings(struct perf_source *p, struct model_batch *batch, size_t max_records)
{
    uint64_t horizon = p->over ? UINT64_MAX : clock_mono_ns() - SETTLE_NS;
    const uint8_t *at = NULL;
    size_t bytes, taken = 0;
    perf_events_woken(&p->events);
    kernel_rings_begin(p->events.rings, p->events.ring_count);
    while (batch->record_count < max_records &&
           (at = kernel_rings_next(p->events.rings, p->events.ring_count, horizon, perf_record_time,
                                   &bytes)) != NULL) {
        struct perf_record r;
        if (perf_record_decode(at, bytes, &r))
            take(p, batch, &r);
        else
            p->counts.damaged++;
        taken++;
    }
    kernel_rings_end(p->events.rings, p->events.ring_count);
    if (at == NULL && p->over)
        end_all(p, batch);
    else if (at == NULL && p->events.ability.off_cpu)
        look_at_waiting(p, horizon);
    if (p->events.ability.wakes)
        perf_points_pace(&p->events, horizon);
    /* What comes later is not older than the horizon, or than what was left. */
    if (at == NULL)
        p->watermark_ns = p->over ? UINT64_MAX : horizon + p->unix_offset;
    if (p->ability) {
        tell(p);
        p->ability->hurry = in_a_hurry(p);
    }
    return taken;
}

static int perf_poll(void *state, struct model_batch *batch, size_t max_records,
                     struct oriel_err *err)
{
    struct perf_source *p = state;
    const size_t taken = read_rings(p, batch, max_records);
    (void)err;
    batch->watermark_ns = p->watermark_ns ? p->watermark_ns : MODEL_NO_PROMISE_YET;
    return taken > 0 || batch->record_count > 0 ? SOURCE_DATA : SOURCE_IDLE;
}

static void perf_over(void *state)
{
    struct perf_source *p = state;
    p->over = true;
}

static void perf_damage(const void *state, struct source_damage *out)
{
    const struct perf_source *p = state;
    *out = (struct source_damage){.records = p->counts.damaged, .first_offset = UINT64_MAX};
}

const struct source source_perf = {.name = "perf",
                                   .state_size = sizeof(struct perf_source),
                                   .open_with = perf_open,
                                   .poll = perf_poll,
                                   .over = perf_over,
                                   .damage = perf_damage,
                                   .close = perf_close};
