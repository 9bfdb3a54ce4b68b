/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readings become plots, named by OpenTelemetry's conventions for processes,
 * and one INFO event each, outside any span. The first readings come soon and
 * then further and further apart until the interval is reached, so that a
 * short program has some too; the last one has what the kernel told when the
 * program was over. Runs on the recorder's thread.
 */
#include "source/metrics/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"

enum {
    SERIAL = 0x50000000, /* of the stream; others count from elsewhere */
    SITE_FIRST = 65400,  /* ids of a program count up from 2 */
    FIRST_NS = 10000000  /* after its exec */
};
/* A walk over a program's memory that takes so long is not done again: the
 * program waits for it when it maps memory meanwhile. */
#define THOROUGH_MAX_NS UINT64_C(20000000)

/* A plot for each of these. */
static const struct plot {
    const char *name;
    size_t offset; /* in struct metrics_reading */
} plots[] = {
#define PLOT(name, member)                                                                         \
    {                                                                                              \
        name, offsetof(struct metrics_reading, member)                                             \
    }
    PLOT("process.memory.usage", rss_bytes),
    PLOT("process.memory.pss", pss_bytes),
    PLOT("process.memory.anonymous", anonymous_bytes),
    PLOT("process.memory.virtual", virtual_bytes),
    PLOT("process.thread.count", threads),
    PLOT("process.unix.file_descriptor.count", descriptors),
    PLOT("process.paging.faults.minor", minor_faults),
    PLOT("process.paging.faults.major", major_faults),
    PLOT("process.context_switches.voluntary", voluntary_switches),
    PLOT("process.context_switches.involuntary", involuntary_switches),
    PLOT("process.disk.io.read", read_bytes),
    PLOT("process.disk.io.write", written_bytes),
#undef PLOT
};
enum { PLOTS = sizeof plots / sizeof *plots };

static const struct model_field_def event_fields[] = {
    {.name = {"rss_bytes", 9}, .type = ORIEL_TYPE_U64},
    {.name = {"pss_bytes", 9}, .type = ORIEL_TYPE_U64},
    {.name = {"cpu_percent", 11}, .type = ORIEL_TYPE_F64},
    {.name = {"thread_count", 12}, .type = ORIEL_TYPE_U64},
    {.name = {"fd_count", 8}, .type = ORIEL_TYPE_U64},
    {.name = {"process_count", 13}, .type = ORIEL_TYPE_U64},
};
enum { EVENT_FIELDS = sizeof event_fields / sizeof *event_fields };
static const struct model_field_def number_field[] = {
    {.name = {"value", 5}, .type = ORIEL_TYPE_U64}};
static const struct model_field_def share_field[] = {
    {.name = {"value", 5}, .type = ORIEL_TYPE_F64}};

struct metrics_source {
    struct metrics_options options;
    struct model_catalog *catalog;
    const struct model_thread *thread; /* NULL: the program has not begun */
    const struct model_site *event, *cpu, *cpu_time, *plots[PLOTS];
    struct metrics_pids pids;
    struct metrics_reading last;
    uint64_t unix_offset, began_ns, next_ns, gap_ns, position;
    uint64_t thorough_rss_bytes;
    bool over, ended, tiresome; /* tiresome: thorough readings take too long */
};

static int metrics_open(void *state, const void *options, struct model_catalog *catalog,
                        struct oriel_err *err)
{
    struct metrics_source *m = state;
    struct clock_anchor now;
    (void)err;
    memset(m, 0, sizeof *m);
    m->options = *(const struct metrics_options *)options;
    assert(m->options.pid > 0 && m->options.interval_ns > 0);
    if (m->options.interval_ns < METRICS_INTERVAL_MIN_NS)
        m->options.interval_ns = METRICS_INTERVAL_MIN_NS;
    m->catalog = catalog;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    m->unix_offset = now.unix_ns - now.mono_ns;
    m->gap_ns = FIRST_NS;
    return 0;
}

static void metrics_close(void *state)
{
    VEC_DONE(&((struct metrics_source *)state)->pids.items);
}

/* ---- who says it ---- */

/* The recorder's child is a copy of the recorder until its exec is over, which
 * gives it a command line of its own last of all. */
static bool has_begun(const struct metrics_source *m)
{
    char path[64], its[512], own[512];
    snprintf(path, sizeof path, "/proc/%d/cmdline", m->options.pid);
    long n = os_read_file(path, its, sizeof its);
    if (m->options.running)
        return true;
    long k = os_read_file("/proc/self/cmdline", own, sizeof own);
    return n > 0 && (n != k || memcmp(its, own, (size_t)n) != 0);
}

static struct model_process *process_of(struct metrics_source *m, uint64_t now)
{
    char path[64], cmdline[1024], exe[512];
    struct model_process *p = model_catalog_find_process(m->catalog, m->options.pid);
    if (p)
        return p;
    snprintf(path, sizeof path, "/proc/%d/exe", m->options.pid);
    ssize_t n = readlink(path, exe, sizeof exe);
    snprintf(path, sizeof path, "/proc/%d/cmdline", m->options.pid);
    long k = os_read_file(path, cmdline, sizeof cmdline);
    p = model_catalog_add_process(
        m->catalog, m->options.pid, (struct model_str){exe, n > 0 ? (uint32_t)n : 0},
        (struct model_str){cmdline, k > 0 ? (uint32_t)k - (cmdline[k - 1] == 0) : 0});
    if (p) {
        p->start_ns = now + m->unix_offset;
        p->clock.now = (struct clock_piece){0, m->unix_offset, UINT64_C(1) << 32};
        p->clock.before = p->clock.now;
    }
    return p;
}

static const struct model_site *site_of(struct metrics_source *m, uint32_t process, uint32_t n,
                                        uint8_t kind, const char *name,
                                        const struct model_field_def *fields, uint16_t count)
{
    uint8_t types[EVENT_FIELDS];
    for (uint16_t i = 0; i < count; i++)
        types[i] = fields[i].type;
    const struct model_site like = {.id = SITE_FIRST + n,
                                    .process = process,
                                    .kind = kind,
                                    .level = ORIEL_LEVEL_INFO,
                                    .flags = ORIEL_SITE_NAMED | ORIEL_SITE_SYSTEM,
                                    .name = {name, (uint32_t)strlen(name)},
                                    .target = MODEL_STR("oriel.process"),
                                    .fields = fields,
                                    .types = types,
                                    .field_count = count};
    return model_catalog_add_site(m->catalog, &like);
}

/* Its main thread is who the plots belong to; its stream is one of our own. */
static bool introduce(struct metrics_source *m, uint64_t now)
{
    struct model_process *p = process_of(m, now);
    if (!p)
        return false;
    struct model_thread *t = model_catalog_find_thread(m->catalog, p->index, p->pid);
    if (t && model_catalog_alias_thread(m->catalog, SERIAL, t->index) < 0)
        return false;
    if (!t)
        t = model_catalog_add_thread(m->catalog, p->index, p->pid, SERIAL);
    bool good = t != NULL;
    for (uint32_t i = 0; i < PLOTS && good; i++)
        good = (m->plots[i] = site_of(m, p->index, i, ORIEL_SITE_PLOT, plots[i].name, number_field,
                                      1)) != NULL;
    m->cpu = good ? site_of(m, p->index, PLOTS, ORIEL_SITE_PLOT, "process.cpu.utilization",
                            share_field, 1)
                  : NULL;
    m->cpu_time = m->cpu ? site_of(m, p->index, PLOTS + 2, ORIEL_SITE_PLOT, "process.cpu.time",
                                   share_field, 1)
                         : NULL;
    m->event = m->cpu_time ? site_of(m, p->index, PLOTS + 1, ORIEL_SITE_EVENT, "system metrics",
                                     event_fields, EVENT_FIELDS)
                           : NULL;
    m->began_ns = now;
    m->thread = m->event ? t : NULL;
    return m->thread != NULL;
}

/* ---- records ---- */

/* The time in ticks of the process, in which a capture says it in few bytes. */
static uint64_t ticks_of(const struct metrics_source *m, uint64_t unix_ns)
{
    const struct clock_piece *c = &m->catalog->processes[m->thread->process]->clock.now;
    if (c->mult == 0)
        return unix_ns - m->unix_offset;
    __int128 ticks = ((__int128)(int64_t)(unix_ns - c->base_ns) << 32) / (__int128)c->mult;
    return c->base_ticks + (uint64_t)(int64_t)ticks;
}

static void put(struct metrics_source *m, struct model_batch *batch, const struct model_site *site,
                uint8_t type, uint8_t flags, const uint64_t *values, uint16_t count)
{
    uint64_t unix_ns = m->last.t_mono_ns + m->unix_offset;
    uint16_t words = (uint16_t)(2 + count);
    uint64_t *raw = arena_alloc(&batch->arena, words * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(batch) : NULL;
    if (!r)
        return; /* the next reading is as good */
    raw[0] = ORIEL_RECORD_HEADER(words, type, flags, site->id);
    raw[1] = ticks_of(m, unix_ns);
    memcpy(raw + 2, values, count * sizeof *raw);
    *r = (struct model_record){.t_ns = unix_ns,
                               .position = m->position,
                               .raw = raw,
                               .site = site,
                               .thread = m->thread,
                               .words = words,
                               .type = type,
                               .flags = flags,
                               .stream = SERIAL};
    m->position += words * sizeof *raw;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static void tell(struct metrics_source *m, struct model_batch *batch, double cpu, bool event)
{
    const struct metrics_reading *r = &m->last;
    for (uint32_t i = 0; i < PLOTS; i++) {
        uint64_t v;
        memcpy(&v, (const char *)r + plots[i].offset, sizeof v);
        put(m, batch, m->plots[i], ORIEL_REC_PLOT, 0, &v, 1);
    }
    const uint64_t share = bits_of(cpu), seconds = bits_of((double)r->cpu_ns / 1e9);
    put(m, batch, m->cpu, ORIEL_REC_PLOT, 0, &share, 1);
    put(m, batch, m->cpu_time, ORIEL_REC_PLOT, 0, &seconds, 1);
    if (!event)
        return;
    /* An explicit span, and that is none. */
    const uint64_t fields[1 + EVENT_FIELDS] = {
        0,          r->rss_bytes,   r->pss_bytes, bits_of(cpu * 100),
        r->threads, r->descriptors, r->processes};
    put(m, batch, m->event, ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN, fields, 1 + EVENT_FIELDS);
}

static uint64_t above(uint64_t value, uint64_t floor)
{
    return value > floor ? value : floor;
}

/* Counters never step back, though a process that nobody waited for takes its
 * own with it; what was not read keeps its last value. */
static void keep_counters(struct metrics_reading *r, const struct metrics_reading *last,
                          bool thorough)
{
    r->cpu_ns = above(r->cpu_ns, last->cpu_ns);
    r->minor_faults = above(r->minor_faults, last->minor_faults);
    r->major_faults = above(r->major_faults, last->major_faults);
    r->read_bytes = above(r->read_bytes, last->read_bytes);
    r->written_bytes = above(r->written_bytes, last->written_bytes);
    r->voluntary_switches = above(r->voluntary_switches, last->voluntary_switches);
    r->involuntary_switches = above(r->involuntary_switches, last->involuntary_switches);
    if (!thorough)
        r->pss_bytes = last->pss_bytes;
}

static void look(struct metrics_source *m, struct model_batch *batch, uint64_t now)
{
    struct metrics_reading r = {.t_mono_ns = now};
    /* The walks over memory only every interval, and when much has changed. */
    bool thorough = !m->tiresome && (m->gap_ns >= m->options.interval_ns ||
                                     m->last.rss_bytes >= 2 * m->thorough_rss_bytes);
    if (metrics_find("/proc", m->options.pid, m->options.recorder, &m->pids) < 0)
        return;
    for (size_t i = 0; i < m->pids.items.count; i++)
        (void)metrics_read("/proc", m->pids.items.items[i], thorough, &r);
    if (thorough && clock_mono_ns() - now > THOROUGH_MAX_NS)
        m->tiresome = true;
    if (r.rss_bytes == 0)
        return; /* it is just going */
    uint64_t since = m->last.t_mono_ns ? m->last.t_mono_ns : m->began_ns;
    keep_counters(&r, &m->last, thorough);
    double cpu = now > since ? (double)(r.cpu_ns - m->last.cpu_ns) / (double)(now - since) : 0;
    if (thorough)
        m->thorough_rss_bytes = r.rss_bytes;
    /* An event at the beginning, every interval and at the end; plots always. */
    bool event = !m->last.t_mono_ns || m->gap_ns >= m->options.interval_ns;
    m->last = r;
    tell(m, batch, cpu, event);
}

/* What it had when it was last seen, and what it used in all its time. */
static void look_back(struct metrics_source *m, struct model_batch *batch, uint64_t now)
{
    const struct metrics_end *end = m->options.end;
    struct metrics_reading *r = &m->last;
    uint64_t before = r->cpu_ns, since = r->t_mono_ns ? r->t_mono_ns : m->began_ns;
    if (end && end->known) {
        struct metrics_reading last = *r;
        r->cpu_ns = end->cpu_ns;
        r->minor_faults = end->minor_faults;
        r->major_faults = end->major_faults;
        r->voluntary_switches = end->voluntary_switches;
        r->involuntary_switches = end->involuntary_switches;
        keep_counters(r, &last, false);
        if (!r->rss_bytes)
            r->rss_bytes = end->peak_rss_bytes;
    }
    r->t_mono_ns = now;
    tell(m, batch, now > since ? (double)(r->cpu_ns - before) / (double)(now - since) : 0, true);
}

static int metrics_poll(void *state, struct model_batch *batch, size_t max_records,
                        struct oriel_err *err)
{
    struct metrics_source *m = state;
    uint64_t now = clock_mono_ns();
    (void)max_records;
    (void)err;
    batch->watermark_ns = m->over ? UINT64_MAX : now + m->unix_offset;
    if (!m->thread && !m->over && has_begun(m) && introduce(m, now))
        m->next_ns = now;
    if (!m->thread || m->ended)
        return SOURCE_IDLE;
    if (m->over) {
        m->ended = true;
        look_back(m, batch, now);
    } else if (now >= m->next_ns) {
        look(m, batch, now);
        m->next_ns = now + m->gap_ns;
        m->gap_ns = m->gap_ns * 2 < m->options.interval_ns ? m->gap_ns * 2 : m->options.interval_ns;
    }
    return batch->record_count ? SOURCE_DATA : SOURCE_IDLE;
}

static void metrics_over(void *state)
{
    ((struct metrics_source *)state)->over = true;
}

static void metrics_damage(const void *state, struct source_damage *out)
{
    (void)state;
    *out = (struct source_damage){.first_offset = UINT64_MAX};
}

const struct source source_metrics = {.name = "metrics",
                                      .state_size = sizeof(struct metrics_source),
                                      .open_with = metrics_open,
                                      .poll = metrics_poll,
                                      .over = metrics_over,
                                      .damage = metrics_damage,
                                      .close = metrics_close};
