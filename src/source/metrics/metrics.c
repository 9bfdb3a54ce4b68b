/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readings become plots, named by OpenTelemetry's conventions for processes,
 * and one INFO event each, outside any span. The first readings come soon and
 * then further and further apart until the interval is reached, so that a
 * short program has some too; the last one has what the kernel told when the
 * program was over. Readings wait here until somebody polls, which a flight
 * recorder does seldom. Runs on the recorder's thread, or the drain thread.
 */
#include "source/metrics/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"

enum {
    SERIAL = MODEL_SERIAL_SEEN + 0x10000000, /* of the stream; between those of perf and probe */
    FIRST_NS = 1000000,                      /* from the first reading to the second */
    SHARE_NS = 100000000, /* the kernel counts CPU time in 10 ms: a share is of more */
    KEPT = 256            /* readings until the next poll; then the oldest goes */
};
/* Walks over a program's memory take a thousandth of the time, and one that takes
 * so long is not done again: the program waits for it when it maps memory meanwhile. */
#define THOROUGH_PARTS UINT64_C(1000)
#define THOROUGH_MAX_NS UINT64_C(20000000)

/* What a reading has. */
enum { LOOKED = 1, THOROUGH = 2, AT_END = 4, PEAK = 8 };

/* A plot for each of these. */
static const struct plot {
    const char *name;
    size_t offset; /* in struct metrics_reading */
    unsigned when; /* the readings that have it */
} plots[] = {
#define PLOT(name, member, when)                                                                   \
    {                                                                                              \
        name, offsetof(struct metrics_reading, member), when                                       \
    }
    PLOT("process.memory.usage", rss_bytes, LOOKED),
    PLOT("process.memory.peak", peak_rss_bytes, PEAK),
    PLOT("process.memory.pss", pss_bytes, THOROUGH),
    PLOT("process.memory.anonymous", anonymous_bytes, LOOKED),
    PLOT("process.memory.virtual", virtual_bytes, LOOKED),
    PLOT("process.thread.count", threads, LOOKED),
    PLOT("process.unix.file_descriptor.count", descriptors, LOOKED),
    PLOT("process.paging.faults.minor", minor_faults, LOOKED | AT_END),
    PLOT("process.paging.faults.major", major_faults, LOOKED | AT_END),
    PLOT("process.context_switches.voluntary", voluntary_switches, THOROUGH | AT_END),
    PLOT("process.context_switches.involuntary", involuntary_switches, THOROUGH | AT_END),
    PLOT("process.disk.io.read", read_bytes, LOOKED),
    PLOT("process.disk.io.write", written_bytes, LOOKED),
#undef PLOT
};
enum { PLOTS = sizeof plots / sizeof *plots };

static const struct model_field_def event_fields[] = {
    {.name = {"rss_bytes", 9}, .type = ORIEL_TYPE_U64},
    {.name = {"cpu_percent", 11}, .type = ORIEL_TYPE_F64},
    {.name = {"thread_count", 12}, .type = ORIEL_TYPE_U64},
    {.name = {"fd_count", 8}, .type = ORIEL_TYPE_U64},
    {.name = {"process_count", 13}, .type = ORIEL_TYPE_U64},
    {.name = {"pss_bytes", 9}, .type = ORIEL_TYPE_U64}, /* last: not in every reading */
};
enum { EVENT_FIELDS = sizeof event_fields / sizeof *event_fields };
static const struct model_field_def number_field[] = {
    {.name = {"value", 5}, .type = ORIEL_TYPE_U64}};
static const struct model_field_def share_field[] = {
    {.name = {"value", 5}, .type = ORIEL_TYPE_F64}};

/* A reading that was not told yet. */
struct kept {
    struct metrics_reading reading;
    double cpu; /* CPUs in use */
    unsigned has;
    bool event; /* it is also one */
};

struct metrics_source {
    struct metrics_options options;
    struct model_catalog *catalog;
    const struct model_thread *thread; /* NULL: the program has not begun */
    const struct model_site *event, *thorough_event, *cpu, *cpu_time, *plots[PLOTS];
    struct metrics_pids pids;
    struct metrics_reading last;
    VEC(struct kept) kept;
    uint64_t share_since_ns, share_cpu_ns; /* where the next share of CPU time begins */
    uint64_t unix_offset, began_ns, next_ns, gap_ns, position;
    uint64_t thorough_rss_bytes, thorough_next_ns;
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
    struct metrics_source *m = state;
    VEC_DONE(&m->pids.items);
    VEC_DONE(&m->kept);
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
    const struct model_site like = {.id = MODEL_SITE_SEEN + n,
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

/* Where it emits too, the ring will know this thread under a serial of its own. */
static struct model_thread *add_thread(struct metrics_source *m, const struct model_process *p)
{
    struct model_thread *t = model_catalog_add_thread(m->catalog, p->index, p->pid, SERIAL);
    if (t)
        t->looked_at = true;
    return t;
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
        t = add_thread(m, p);
    bool good = t != NULL;
    for (uint32_t i = 0; i < PLOTS && good; i++)
        good = (m->plots[i] = site_of(m, p->index, i, ORIEL_SITE_PLOT, plots[i].name, number_field,
                                      1)) != NULL;
    m->cpu =
        site_of(m, p->index, PLOTS, ORIEL_SITE_PLOT, "process.cpu.utilization", share_field, 1);
    m->cpu_time =
        site_of(m, p->index, PLOTS + 1, ORIEL_SITE_PLOT, "process.cpu.time", share_field, 1);
    m->event = site_of(m, p->index, PLOTS + 2, ORIEL_SITE_EVENT, "system metrics", event_fields,
                       EVENT_FIELDS - 1);
    m->thorough_event = site_of(m, p->index, PLOTS + 3, ORIEL_SITE_EVENT, "system metrics",
                                event_fields, EVENT_FIELDS);
    m->began_ns = now;
    if (m->options.running) { /* since the reading before: its whole life */
        uint64_t age = metrics_age_ns("/proc", m->options.pid);
        m->began_ns = age < now ? now - age : now;
    }
    m->share_since_ns = m->began_ns;
    good &= m->cpu && m->cpu_time && m->event && m->thorough_event;
    m->thread = good ? t : NULL;
    return good;
}

/* ---- records ---- */

static void put(struct metrics_source *m, struct model_batch *batch, uint64_t t_mono_ns,
                const struct model_site *site, uint8_t type, const uint64_t *values, uint16_t count)
{
    const uint8_t flags = type == ORIEL_REC_EVENT ? ORIEL_RECF_HAS_SPAN : 0;
    uint64_t unix_ns = t_mono_ns + m->unix_offset;
    uint16_t words = (uint16_t)(2 + count);
    uint64_t *raw = arena_alloc(&batch->arena, words * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(batch) : NULL;
    if (!r)
        return; /* the next reading is as good */
    raw[0] = ORIEL_RECORD_HEADER(words, type, flags, site->id);
    raw[1] = model_catalog_ticks(m->catalog, m->thread, unix_ns, m->unix_offset);
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

static void tell(struct metrics_source *m, struct model_batch *batch, const struct kept *k)
{
    const struct metrics_reading *r = &k->reading;
    const bool pss = k->has & THOROUGH;
    const uint64_t t = r->t_mono_ns;
    for (uint32_t i = 0; i < PLOTS; i++) {
        uint64_t v;
        memcpy(&v, (const char *)r + plots[i].offset, sizeof v);
        if (plots[i].when & k->has)
            put(m, batch, t, m->plots[i], ORIEL_REC_PLOT, &v, 1);
    }
    const uint64_t share = bits_of(k->cpu), seconds = bits_of((double)r->cpu_ns / 1e9);
    if (k->has & LOOKED)
        put(m, batch, t, m->cpu, ORIEL_REC_PLOT, &share, 1);
    put(m, batch, t, m->cpu_time, ORIEL_REC_PLOT, &seconds, 1);
    if (!k->event)
        return;
    /* An explicit span, and that is none. */
    const uint64_t fields[1 + EVENT_FIELDS] = {0,           r->rss_bytes,   bits_of(k->cpu * 100),
                                               r->threads,  r->descriptors, r->processes,
                                               r->pss_bytes};
    put(m, batch, t, pss ? m->thorough_event : m->event, ORIEL_REC_EVENT, fields,
        pss + EVENT_FIELDS);
}

static void tell_kept(struct metrics_source *m, struct model_batch *batch)
{
    for (size_t i = 0; i < m->kept.count; i++)
        tell(m, batch, &m->kept.items[i]);
    m->kept.count = 0;
}

/* CPUs in use since the last reading that is long enough ago. */
static double share_of(struct metrics_source *m, const struct metrics_reading *r)
{
    uint64_t ns = r->t_mono_ns > m->share_since_ns ? r->t_mono_ns - m->share_since_ns : 0;
    double share = ns ? (double)(r->cpu_ns - m->share_cpu_ns) / (double)ns : 0;
    if (ns < SHARE_NS)
        return share < 1 ? share : 1;
    m->share_since_ns = r->t_mono_ns;
    m->share_cpu_ns = r->cpu_ns;
    return share;
}

/* `has`: what the last reading has. */
static void keep(struct metrics_source *m, unsigned has, bool event)
{
    assert(m->kept.count <= KEPT);
    if (m->kept.count == KEPT)
        memmove(m->kept.items, m->kept.items + 1, --m->kept.count * sizeof *m->kept.items);
    const double cpu = share_of(m, &m->last);
    struct kept *k = VEC_PUSH(&m->kept);
    if (k) /* else the next reading is as good */
        *k = (struct kept){m->last, cpu, has, event};
}

static uint64_t above(uint64_t value, uint64_t floor)
{
    return value > floor ? value : floor;
}

/* Counters never step back, though a process that nobody waited for takes its
 * own with it. */
static void keep_counters(struct metrics_reading *r, const struct metrics_reading *last)
{
    r->peak_rss_bytes = above(r->peak_rss_bytes, last->peak_rss_bytes);
    r->cpu_ns = above(r->cpu_ns, last->cpu_ns);
    r->minor_faults = above(r->minor_faults, last->minor_faults);
    r->major_faults = above(r->major_faults, last->major_faults);
    r->read_bytes = above(r->read_bytes, last->read_bytes);
    r->written_bytes = above(r->written_bytes, last->written_bytes);
    r->voluntary_switches = above(r->voluntary_switches, last->voluntary_switches);
    r->involuntary_switches = above(r->involuntary_switches, last->involuntary_switches);
}

/* The walks over memory only every interval, and when much has changed. */
static bool is_time_for_thorough(const struct metrics_source *m, uint64_t now)
{
    return !m->tiresome && !m->over && now >= m->thorough_next_ns &&
           (m->gap_ns >= m->options.interval_ns || m->last.rss_bytes >= 2 * m->thorough_rss_bytes);
}

static void was_thorough(struct metrics_source *m, uint64_t rss_bytes, uint64_t began_ns)
{
    uint64_t now = clock_mono_ns();
    m->tiresome = now - began_ns > THOROUGH_MAX_NS;
    m->thorough_next_ns = now + THOROUGH_PARTS * (now - began_ns);
    m->thorough_rss_bytes = rss_bytes;
}

static void look(struct metrics_source *m, uint64_t now)
{
    struct metrics_reading r = {.t_mono_ns = now};
    bool thorough = is_time_for_thorough(m, now);
    if (metrics_find("/proc", m->options.pid, m->options.recorder, &m->pids) < 0)
        return;
    for (size_t i = 0; i < m->pids.items.count; i++)
        (void)metrics_read("/proc", m->pids.items.items[i], thorough, &r);
    if (thorough)
        was_thorough(m, r.rss_bytes, now);
    if (r.rss_bytes == 0)
        return; /* it is just going */
    keep_counters(&r, &m->last);
    /* An event at the beginning, every interval and at the end; plots always. */
    bool event = !m->last.t_mono_ns || m->gap_ns >= m->options.interval_ns || m->over;
    m->last = r;
    keep(m, LOOKED | PEAK | (thorough ? THOROUGH : 0), event);
}

/* The kernel counts in what the recorder had when it started the program: only
 * more than that is the program's for sure. */
static uint64_t peak_of(const struct metrics_end *end)
{
    struct rusage own;
    uint64_t ours = getrusage(RUSAGE_SELF, &own) == 0 ? (uint64_t)own.ru_maxrss * 1024 : UINT64_MAX;
    return end->peak_rss_bytes > ours ? end->peak_rss_bytes : 0;
}

/* What it had when it was last seen, and what it used in all its time. */
static void look_back(struct metrics_source *m, uint64_t now)
{
    const struct metrics_end *end = m->options.end;
    const struct metrics_reading last = m->last;
    struct metrics_reading *r = &m->last;
    const bool looked = last.t_mono_ns != 0, known = end && end->known;
    uint64_t peak = known ? peak_of(end) : 0;
    if (!looked && !known)
        return;
    if (known) {
        r->peak_rss_bytes = peak;
        r->cpu_ns = end->cpu_ns;
        r->minor_faults = end->minor_faults;
        r->major_faults = end->major_faults;
        r->voluntary_switches = end->voluntary_switches;
        r->involuntary_switches = end->involuntary_switches;
        keep_counters(r, &last);
    }
    r->t_mono_ns = now;
    /* A peak at the end is told only if it is one: the last look may have been too early. */
    keep(m, (looked ? LOOKED : 0) | (known ? AT_END : 0) | (peak ? PEAK : 0), looked);
}

/* It runs; or it is over already, and others know what it was. */
static bool may_introduce(const struct metrics_source *m)
{
    return m->over ? model_catalog_find_process(m->catalog, m->options.pid) != NULL : has_begun(m);
}

/* The last reading: of a program that goes on without us, as it is now. */
static void look_last(struct metrics_source *m, uint64_t now)
{
    const uint64_t before = m->last.t_mono_ns;
    m->ended = true;
    if (m->options.running)
        look(m, now);
    if (m->last.t_mono_ns == before)
        look_back(m, now);
}

static void look_if_due(struct metrics_source *m)
{
    uint64_t now = clock_mono_ns();
    if (!m->thread && may_introduce(m) && introduce(m, now))
        m->next_ns = now;
    if (!m->thread || m->ended)
        return;
    if (m->over) {
        look_last(m, now);
    } else if (now >= m->next_ns) {
        look(m, now);
        m->next_ns = now + m->gap_ns;
        m->gap_ns = m->gap_ns * 2 < m->options.interval_ns ? m->gap_ns * 2 : m->options.interval_ns;
    }
}

/* A reading is kept here until it is asked for: it is small, and seldom. */
static void metrics_look(void *state, struct model_batch *batch)
{
    (void)batch;
    look_if_due(state);
}

static int metrics_poll(void *state, struct model_batch *batch, size_t max_records,
                        struct oriel_err *err)
{
    struct metrics_source *m = state;
    (void)max_records;
    (void)err;
    look_if_due(m);
    batch->watermark_ns = m->over ? UINT64_MAX : clock_mono_ns() + m->unix_offset;
    tell_kept(m, batch);
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
                                      .look = metrics_look,
                                      .over = metrics_over,
                                      .damage = metrics_damage,
                                      .close = metrics_close};
