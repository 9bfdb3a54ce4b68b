/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Hits as records of the house. Every thread that is hit has a stream of its
 * own here, beside the one it may write itself; both count as the same thread,
 * so spans of both stand in one tree. Begins are marked as watched, so neither
 * side ends what the other began.
 */
#include <assert.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"
#include "source/probe/probe.h"

enum {
    /* A record becomes visible at most this long after the time it carries. */
    SETTLE_NS = 2000000,
    SERIAL_FIRST = MODEL_SERIAL_SEEN + 0x20000000, /* source/perf begins below */
    RECORD_WORDS_MAX = ORIEL_RECORD_MAX_BYTES / 8
};

/* What the kernel has made of one place or many that are alike. */
struct hook_event {
    struct format *format;
    const struct format_field *index; /* tells the place; NULL: there is one */
    uint32_t place;                   /* that one */
};
/* What is made of the bytes of one place. */
struct hook {
    struct format *format;
    uint32_t event;
    const struct format_field *sp, *ra, *result;
    const struct format_field **fields; /* of the definition; NULL where the place has none */
};
struct hit_thread {
    struct model_thread *thread;
    struct framestack frames;
    uint64_t position, seed;
    uint32_t serial;
};
/* The definition's sites in one process. */
struct sites {
    const struct model_site *say, *set;
};
struct probe_source {
    const struct probe_options *options;
    struct tracefs tracefs;
    struct hooks hooks;
    struct hook *hook;         /* one for each place */
    struct hook_event *events; /* these and the next two: event_count, at most as many */
    uint32_t *ids;
    uint32_t *by_tracefs; /* number of an event there -> which one */
    uint32_t event_count;
    struct account account;
    struct keepers keepers;
    struct arena arena;
    struct model_catalog *catalog;
    struct map threads;        /* tid -> struct hit_thread * */
    struct map sites;          /* process << 32 | definition -> struct sites * */
    struct model_batch *batch; /* of the poll that runs */
    uint64_t unix_offset, watermark_ns, seed;
    uint32_t next_serial;
    uint64_t damaged, no_memory, lost, missing;
    struct probe_ability *ability;
    bool over, concluded;
    uint64_t words[RECORD_WORDS_MAX]; /* scratch */
};

/* ---- opening ---- */

static struct format *keep_format(struct probe_source *p, const struct format *f)
{
    size_t n = offsetof(struct format, fields) + f->field_count * sizeof f->fields[0];
    struct format *copy = arena_alloc(&p->arena, n, _Alignof(struct format));
    if (copy)
        memcpy(copy, f, n);
    return copy;
}

/* How the fields of the definition are found in the bytes of this place. */
static bool match_fields(struct probe_source *p, struct hook *h, const struct probe_def *d)
{
    uint32_t n = d->tracepoint ? h->format->field_count : d->field_count;
    h->fields = arena_alloc(&p->arena, (n + 1) * sizeof *h->fields, sizeof *h->fields);
    for (uint32_t i = 0; h->fields && i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", i);
        h->fields[i] = d->tracepoint ? &h->format->fields[i] : format_find(h->format, name);
    }
    h->sp = format_find(h->format, "sp");
    h->ra = format_find(h->format, "ra");
    h->result = format_find(h->format, "r");
    return h->fields != NULL;
}

static int no_memory(struct oriel_err *err)
{
    return err_set(err, ORIEL_ENOMEM, "probes: out of memory");
}

/* A new one, for the first of its places. `number`: of tracefs, UINT32_MAX for a tracepoint. */
static int open_event(struct probe_source *p, uint32_t place, uint32_t number,
                      struct oriel_err *err)
{
    const struct probe_place *of = &p->options->places[place];
    const char *tracepoint = p->options->defs[of->def].tracepoint;
    struct hook_event *e = &p->events[p->event_count];
    struct format f;
    int rc = tracefs_format(&p->tracefs, number, of->path ? NULL : tracepoint, &f, err);
    if (rc < 0)
        return rc;
    *e = (struct hook_event){.format = keep_format(p, &f), .place = place};
    if (!e->format)
        return no_memory(err);
    e->index = of->path ? format_find(e->format, TRACEFS_INDEX) : NULL;
    p->ids[p->event_count] = f.id;
    /* Of returns by address the kernel counts the calls. */
    p->account.events[p->event_count].number = of->returns ? UINT32_MAX : number;
    p->account.count = ++p->event_count;
    return 0;
}

static int open_place(struct probe_source *p, uint32_t i, struct oriel_err *err)
{
    const struct probe_place *place = &p->options->places[i];
    uint32_t known = p->tracefs.count, number = UINT32_MAX;
    int rc = place->path ? tracefs_add(&p->tracefs, place, i, &number, err) : 0;
    bool new = number >= known;
    if (rc == 0 && new) {
        if (place->path)
            p->by_tracefs[number] = p->event_count;
        rc = open_event(p, i, number, err);
    }
    if (rc < 0)
        return rc;
    p->hook[i].event = new ? p->event_count - 1 : p->by_tracefs[number];
    p->hook[i].format = p->events[p->hook[i].event].format;
    return match_fields(p, &p->hook[i], &p->options->defs[place->def]) ? 0 : no_memory(err);
}

static void *make_room(struct probe_source *p, size_t item_bytes)
{
    size_t n = (p->options->place_count + 1) * item_bytes;
    void *room = arena_alloc(&p->arena, n, _Alignof(max_align_t));
    return room ? memset(room, 0, n) : NULL;
}

static int open_all(struct probe_source *p, struct oriel_err *err)
{
    const struct probe_options *o = p->options;
    bool writes = false;
    for (uint32_t i = 0; i < o->place_count; i++)
        writes |= o->places[i].path != NULL;
    int rc = tracefs_open(&p->tracefs, writes, err);
    if (rc < 0)
        return rc;
    p->hook = make_room(p, sizeof *p->hook);
    p->events = make_room(p, sizeof *p->events);
    p->ids = make_room(p, sizeof *p->ids);
    p->by_tracefs = make_room(p, sizeof *p->by_tracefs);
    p->account.events = make_room(p, sizeof *p->account.events);
    if (!p->hook || !p->events || !p->ids || !p->by_tracefs || !p->account.events)
        return no_memory(err);
    for (uint32_t i = 0; i < o->place_count && rc == 0; i++)
        rc = open_place(p, i, err);
    const struct hook_events events = {p->ids, p->event_count};
    if (rc == 0)
        rc = hooks_open(&p->hooks, o, &events, err);
    if (rc == 0)
        account_begin(&p->account, &p->tracefs, o->running);
    return rc;
}

static void probe_close(void *state)
{
    struct probe_source *p = state;
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&p->threads, &at, &key, &value)) {
        struct hit_thread *t = (struct hit_thread *)(uintptr_t)value;
        framestack_done(&t->frames);
        mem_free(t);
    }
    map_done(&p->threads);
    map_done(&p->sites);
    keepers_done(&p->keepers);
    hooks_close(&p->hooks); /* first: what is open cannot be removed */
    tracefs_close(&p->tracefs);
    arena_done(&p->arena);
}

static int probe_open(void *state, const void *options, struct model_catalog *catalog,
                      struct oriel_err *err)
{
    struct probe_source *p = state;
    struct clock_anchor now;
    struct oriel_err why = {0};
    memset(p, 0, sizeof *p);
    p->options = options;
    p->catalog = catalog;
    p->next_serial = SERIAL_FIRST;
    p->tracefs.fd = -1;
    p->ability = p->options->ability;
    assert(p->options->def_count <= PROBE_DEFS_MAX);
    arena_init(&p->arena);
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    p->unix_offset = now.unix_ns - now.mono_ns;
    (void)os_random(&p->seed, sizeof p->seed);
    int rc = open_all(p, &why);
    if (p->ability) {
        *p->ability = (struct probe_ability){.works = rc == 0};
        if (rc == 0 && p->hooks.ring_count)
            p->ability->room_bytes = p->hooks.rings[0].data_bytes;
        p->ability->lower_bound = rc == 0 && p->tracefs.count > 0 && !p->hooks.keeps;
        snprintf(p->ability->missing, sizeof p->ability->missing, "%.250s", why.text);
    }
    if (rc < 0) {
        probe_close(p);
        return err_set(err, rc, "%s", why.text);
    }
    return 0;
}

/* ---- who ---- */

static struct model_process *add_process(struct probe_source *p, int32_t pid, uint64_t unix_ns)
{
    char path[64], cmdline[1024], exe[512];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, sizeof exe);
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    long m = os_read_file(path, cmdline, sizeof cmdline);
    struct model_process *new = model_catalog_add_process(
        p->catalog, pid, (struct model_str){exe, n > 0 ? (uint32_t)n : 0},
        (struct model_str){cmdline, m > 0 ? (uint32_t)m - (cmdline[m - 1] == 0) : 0});
    if (new) {
        new->start_ns = unix_ns;
        new->clock.now = (struct clock_piece){0, p->unix_offset, UINT64_C(1) << 32};
        new->clock.before = new->clock.now;
    }
    return new;
}

static struct hit_thread *new_thread(struct probe_source *p, const struct hook_record *r)
{
    struct model_process *process = model_catalog_find_process(p->catalog, r->pid);
    if (!process)
        process = add_process(p, r->pid, r->time_ns + p->unix_offset);
    struct hit_thread *t = process ? mem_calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->serial = p->next_serial++;
    /* Ids of two streams never meet: the upper half is random and counts up. */
    t->seed = ((p->seed >> 32) + t->serial) << 32;
    t->thread = model_catalog_find_thread(p->catalog, process->index, r->tid);
    if (t->thread) {
        if (model_catalog_alias_thread(p->catalog, t->serial, t->thread->index) < 0)
            t->thread = NULL;
    } else {
        t->thread = model_catalog_add_thread(p->catalog, process->index, r->tid, t->serial);
        if (t->thread)
            t->thread->looked_at = true;
    }
    if (!t->thread || !map_put(&p->threads, (uint32_t)r->tid, (uintptr_t)t)) {
        mem_free(t);
        return NULL;
    }
    return t;
}

static struct hit_thread *find_thread(struct probe_source *p, int32_t tid)
{
    const uint64_t *at = map_get(&p->threads, (uint32_t)tid);
    return at ? (struct hit_thread *)(uintptr_t)*at : NULL;
}

/* ---- records ---- */

/* The record in p->words, of n words. Returns the id of the span it begins. */
static uint64_t add(struct probe_source *p, struct hit_thread *t, uint64_t time_ns, uint32_t n,
                    const struct model_site *site, uint64_t span)
{
    uint32_t type = ORIEL_RECORD_TYPE(p->words[0]);
    uint64_t own = t->seed + t->position, unix_ns = time_ns + p->unix_offset;
    p->words[1] = model_catalog_ticks(p->catalog, t->thread, unix_ns, p->unix_offset);
    uint64_t *raw = arena_alloc(&p->batch->arena, n * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(p->batch) : NULL;
    if (!r) {
        p->no_memory++;
        return 0;
    }
    assert(n <= RECORD_WORDS_MAX);
    memcpy(raw, p->words, n * sizeof *raw);
    *r = (struct model_record){.t_ns = unix_ns,
                               .raw_id = type == ORIEL_REC_BEGIN ? own : span,
                               .position = t->position,
                               .raw = raw,
                               .site = site,
                               .thread = t->thread,
                               .words = (uint16_t)n,
                               .type = (uint8_t)type,
                               .flags = (uint8_t)ORIEL_RECORD_FLAGS(p->words[0]),
                               .stream = t->serial};
    t->position += n * sizeof *raw;
    return own;
}

static void close_span(struct probe_source *p, struct hit_thread *t, uint64_t time_ns, uint64_t id,
                       bool ended)
{
    p->words[0] = ORIEL_RECORD_HEADER(3, ORIEL_REC_CLOSE, ended ? 0 : ORIEL_RECF_WATCHED, id);
    p->words[2] = id;
    (void)add(p, t, time_ns, 3, NULL, id);
}

/* One value behind `at`; returns where the next goes. Texts are cut to what fits. */
static uint32_t put_value(struct probe_source *p, uint32_t at, uint8_t type,
                          const struct format_field *f, const struct hook_record *r)
{
    if (type != ORIEL_TYPE_STR && type != ORIEL_TYPE_BYTES) {
        uint64_t v = f ? format_number(f, r->raw, r->raw_bytes) : 0;
        p->words[at] = type == ORIEL_TYPE_BOOL ? (v & 0xff) != 0 : v;
        return at + 1;
    }
    struct model_str s = f ? format_text(f, r->raw, r->raw_bytes) : (struct model_str){"", 0};
    uint32_t room = (RECORD_WORDS_MAX - at - FORMAT_FIELDS_MAX - 1) * 8;
    uint32_t n = s.n < ORIEL_STRING_MAX_BYTES ? s.n : ORIEL_STRING_MAX_BYTES;
    n = n < room ? n : room;
    uint32_t words = (n + 7) / 8;
    p->words[at] = n | (uint64_t)s.n << 32;
    if (words) {
        p->words[at + words] = 0;
        memcpy(&p->words[at + 1], s.p, n);
    }
    return at + 1 + words;
}

/* ---- sites ---- */

static const struct model_site *make_site(struct probe_source *p, uint32_t process, uint32_t def,
                                          const struct hook *h, bool set)
{
    const struct probe_def *d = &p->options->defs[def];
    struct model_field_def fields[FORMAT_FIELDS_MAX];
    uint8_t types[FORMAT_FIELDS_MAX];
    uint32_t n = set ? 1 : d->tracepoint ? h->format->field_count : d->field_count;
    n = n < FORMAT_FIELDS_MAX ? n : FORMAT_FIELDS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const char *name = set             ? "return"
                           : d->tracepoint ? h->format->fields[i].name
                                           : d->fields[i].name;
        types[i] = set             ? d->result
                   : d->tracepoint ? format_type(&h->format->fields[i])
                                   : d->fields[i].type;
        fields[i] =
            (struct model_field_def){.name = {name, (uint32_t)strlen(name)}, .type = types[i]};
    }
    const struct model_site site = {.id = ORIEL_SITE_ID_MAX - 2 * def -
                                          set, /* programs count from the other end */
                                    .process = process,
                                    .line = d->line,
                                    .kind = set       ? ORIEL_SITE_SET
                                            : d->span ? ORIEL_SITE_SPAN
                                                      : ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_INFO,
                                    .field_count = (uint16_t)n,
                                    .flags = ORIEL_SITE_NAMED,
                                    .name = {d->name, (uint32_t)strlen(d->name)},
                                    .target = {d->target, (uint32_t)strlen(d->target)},
                                    .file = {d->file, (uint32_t)strlen(d->file)},
                                    .function = {d->function, (uint32_t)strlen(d->function)},
                                    .fields = fields,
                                    .types = types};
    return model_catalog_add_site(p->catalog, &site);
}

static const struct sites *sites_of(struct probe_source *p, uint32_t process, uint32_t def,
                                    const struct hook *h)
{
    uint64_t key = (uint64_t)process << 32 | def;
    const uint64_t *known = map_get(&p->sites, key);
    if (known)
        return (const struct sites *)(uintptr_t)*known;
    struct sites *s = arena_alloc(&p->arena, sizeof *s, _Alignof(struct sites));
    if (!s)
        return NULL;
    s->say = make_site(p, process, def, h, false);
    s->set = p->options->defs[def].result ? make_site(p, process, def, h, true) : NULL;
    return s->say && map_put(&p->sites, key, (uintptr_t)s) ? s : NULL;
}

/* ---- hits ---- */

/* The record that says it, with the fields of the definition. */
static uint64_t say(struct probe_source *p, struct hit_thread *t, const struct hook *h,
                    const struct sites *s, const struct hook_record *r, uint32_t type,
                    uint32_t flags)
{
    uint32_t at = 2;
    for (uint32_t i = 0; i < s->say->field_count; i++)
        at = put_value(p, at, s->say->fields[i].type, h->fields[i], r);
    p->words[0] = ORIEL_RECORD_HEADER(at, type, flags, s->say->id);
    return add(p, t, r->time_ns, at, s->say, 0);
}

/* The page of the kernel that returns come back through lies at the very top. */
static bool is_kernels(uint64_t return_address)
{
    return return_address >> 12 >= UINT64_C(0x7fffffff0) && return_address >> 47 == 0;
}

static void entered(struct probe_source *p, struct hit_thread *t, const struct hook *h,
                    const struct probe_place *place, const struct sites *s,
                    const struct hook_record *r)
{
    struct frame frame = {.def = place->def}, gone;
    frame.sp = h->sp ? format_number(h->sp, r->raw, r->raw_bytes) : 0;
    bool chained = h->ra && is_kernels(format_number(h->ra, r->raw, r->raw_bytes));
    frame.returns = h->ra != NULL;
    while (framestack_stale(&t->frames, frame.sp, chained, &gone))
        close_span(p, t, r->time_ns, gone.raw_id, false);
    frame.raw_id = say(p, t, h, s, r, ORIEL_REC_BEGIN, ORIEL_RECF_WATCHED);
    if (frame.raw_id && !framestack_enter(&t->frames, &frame)) {
        p->no_memory++;
        close_span(p, t, r->time_ns, frame.raw_id, false);
    }
}

static void left(struct probe_source *p, struct hit_thread *t, const struct hook *h,
                 const struct probe_place *place, const struct sites *s,
                 const struct hook_record *r)
{
    uint64_t sp = h->sp ? format_number(h->sp, r->raw, r->raw_bytes) : 0;
    struct frame frame;
    bool ended;
    sp -= place->returns ? sizeof(uint64_t) : 0; /* the return address is off already */
    while (framestack_leave(&t->frames, place->def, sp, &ended, &frame)) {
        if (ended && s->set && h->result) {
            uint32_t n = put_value(p, 3, s->set->fields[0].type, h->result, r);
            p->words[0] = ORIEL_RECORD_HEADER(n, ORIEL_REC_SET, 0, s->set->id);
            p->words[2] = frame.raw_id;
            (void)add(p, t, r->time_ns, n, s->set, frame.raw_id);
        }
        close_span(p, t, r->time_ns, frame.raw_id, ended);
        if (ended)
            return;
    }
}

/* The place that a hit of the event is of; false: what it says makes no sense. */
static bool find_place(const struct probe_source *p, uint32_t event, const struct hook_record *r,
                       uint32_t *out)
{
    const struct hook_event *e = &p->events[event];
    uint64_t place = e->index ? format_number(e->index, r->raw, r->raw_bytes) : e->place;
    if (place >= p->options->place_count || p->hook[place].event != event)
        return false;
    *out = (uint32_t)place;
    return true;
}

static void hit(struct probe_source *p, const struct hook_record *r)
{
    const uint64_t *event = map_get(&p->hooks.by_id, r->id);
    uint32_t index;
    if (event)
        account_told(&p->account, (uint32_t)*event, r->time_ns);
    if (!event || r->pid <= 0 || !find_place(p, (uint32_t)*event, r, &index)) {
        p->damaged++;
        return;
    }
    struct hit_thread *t = find_thread(p, r->tid);
    if (!t && !(t = new_thread(p, r))) {
        p->no_memory++;
        return;
    }
    const struct probe_place *place = &p->options->places[index];
    const struct hook *h = &p->hook[index];
    const struct sites *s = sites_of(p, t->thread->process, place->def, h);
    if (!s)
        p->no_memory++;
    else if (place->role == PROBE_BEGIN)
        entered(p, t, h, place, s, r);
    else if (place->role == PROBE_END)
        left(p, t, h, place, s, r);
    else
        (void)say(p, t, h, s, r, ORIEL_REC_EVENT, 0);
}

/* ---- lives ---- */

/* Its functions will not return any more. */
static void forget(struct probe_source *p, const struct hook_record *r)
{
    struct hit_thread *t = find_thread(p, r->tid);
    struct frame gone;
    if (!t)
        return;
    while (framestack_abandon(&t->frames, &gone))
        close_span(p, t, r->time_ns, gone.raw_id, false);
    framestack_done(&t->frames);
    (void)map_remove(&p->threads, (uint32_t)r->tid);
    mem_free(t);
}

/* Another program in the same process. */
static void replaced(struct probe_source *p, const struct hook_record *r)
{
    uint64_t unix_ns = r->time_ns + p->unix_offset;
    forget(p, r);
    const struct model_process *known = model_catalog_find_process(p->catalog, r->pid);
    if (known && known->start_ns < unix_ns)
        (void)add_process(p, r->pid, unix_ns);
}

static void add_lost(struct probe_source *p, uint64_t n)
{
    p->lost += n;
    p->catalog->lost[ORIEL_LOST_RING_FULL] += n;
}

/* A process that was started or replaced itself, or one that is over. */
static void meet(struct probe_source *p, const struct hook_record *r)
{
    const struct hook_events events = {p->ids, p->event_count};
    if (p->hooks.keeps)
        return;
    if (r->type == PERF_RECORD_EXIT && r->tid == r->pid)
        keepers_remove(&p->keepers, r->pid);
    else if (r->type == PERF_RECORD_COMM ? r->exec : r->pid != r->parent_pid)
        keepers_add(&p->keepers, &events, r->pid);
}

static void take(struct probe_source *p, const struct hook_record *r)
{
    struct hit_thread *t;
    if (!r->good) {
        p->damaged++;
        return;
    }
    switch (r->type) {
    case PERF_RECORD_SAMPLE:
        hit(p, r);
        break;
    case PERF_RECORD_FORK:
        meet(p, r);
        break;
    case PERF_RECORD_COMM:
        meet(p, r);
        if (r->exec)
            replaced(p, r);
        t = find_thread(p, r->tid);
        if (t && t->thread->name.n == 0)
            (void)model_thread_set_name(p->catalog, t->thread,
                                        (struct model_str){r->comm, (uint32_t)strlen(r->comm)});
        break;
    case PERF_RECORD_EXIT:
        meet(p, r);
        forget(p, r);
        break;
    case PERF_RECORD_LOST:
        add_lost(p, r->lost);
        break;
    default:
        break;
    }
}

/* Whoever reads the recording is to know what would have made room. */
static void note_full(struct probe_source *p)
{
    char text[24];
    const int n = snprintf(text, sizeof text, "%llu", (unsigned long long)p->lost);
    if (p->lost)
        (void)model_catalog_set_resource(p->catalog,
                                         (struct model_str)MODEL_STR("oriel.probe.lost"),
                                         (struct model_str){text, (uint32_t)n});
}

/* Everything was read. A loss is in the ring only when something came after it, and what the
 * kernel kept to itself is nowhere there. */
static void conclude(struct probe_source *p)
{
    uint32_t n = p->event_count;
    uint64_t *lost = mem_calloc(n + 1, sizeof *lost), sum = 0;
    p->concluded = true;
    if (!lost)
        return;
    bool known = hooks_lost(&p->hooks, n, lost);
    for (uint32_t i = 0; i <= n; i++)
        sum += lost[i];
    if (sum > p->lost)
        add_lost(p, sum - p->lost);
    p->missing = account_missing(&p->account, lost);
    if (!known) /* which of them have been told as lost */
        p->missing -= p->missing < p->lost ? p->missing : p->lost;
    note_full(p);
    add_lost(p, p->missing);
    mem_free(lost);
}

static int probe_poll(void *state, struct model_batch *batch, size_t max_records,
                      struct oriel_err *err)
{
    struct probe_source *p = state;
    uint64_t horizon = p->over ? UINT64_MAX : clock_mono_ns() - SETTLE_NS;
    struct hook_record r;
    size_t taken = 0;
    bool more = true;
    p->batch = batch;
    hooks_begin(&p->hooks);
    while (batch->record_count < max_records && (more = hooks_next(&p->hooks, horizon, &r))) {
        take(p, &r);
        taken++;
    }
    hooks_end(&p->hooks);
    p->batch = NULL;
    if (!more)
        p->watermark_ns = p->over ? UINT64_MAX : horizon + p->unix_offset;
    batch->watermark_ns = p->watermark_ns ? p->watermark_ns : MODEL_NO_PROMISE_YET;
    if (p->over && !more && !p->concluded)
        conclude(p);
    if (p->ability) {
        p->ability->lost = p->lost + p->no_memory;
        p->ability->missing_hits = p->missing;
    }
    return taken > 0 ? SOURCE_DATA : SOURCE_IDLE;
}

static void probe_over(void *state)
{
    struct probe_source *p = state;
    account_end(&p->account, &p->tracefs);
    p->over = true;
}

static void probe_damage(const void *state, struct source_damage *out)
{
    const struct probe_source *p = state;
    *out = (struct source_damage){.records = p->damaged, .first_offset = UINT64_MAX};
}

const struct source source_probe = {.name = "probe",
                                    .state_size = sizeof(struct probe_source),
                                    .open_with = probe_open,
                                    .poll = probe_poll,
                                    .over = probe_over,
                                    .damage = probe_damage,
                                    .close = probe_close};
