/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a chunk says about itself, into the catalog: processes are the same
 * when pid and trace seeds are, threads when their serial is, sites when
 * process and id are. Growth of the catalog is paid from a budget, so that no
 * file can make it exceed a bound. Untrusted bytes; one thread.
 */
#include "source/file/file.h"

#include <assert.h>

#include "base/err.h"
#include "wire/record.h"
#include "wire/region.h"

enum {
    THREADS_MAX = 1 << 17, /* in one chunk */
    TEXTS_MAX = 1 << 18,
    RESOURCES_MAX = 4096, /* setting one looks at all of them */
    ENTRY_COST = 192      /* of a catalog entry, texts apart, with its indexes */
};

bool decoder_pay(struct decoder *d, uint64_t bytes)
{
    if (bytes > d->budget)
        return false;
    d->budget -= bytes;
    return true;
}

static uint8_t get_byte(struct wire_cursor *c)
{
    const uint8_t *p = wire_bytes_get(c, 1);
    return p ? *p : 0;
}

/* A count of entries of at least one byte each; more than there are bytes
 * cannot be true. */
static uint64_t get_count(struct wire_cursor *c, uint64_t max)
{
    uint64_t n = wire_number_get(c);
    if (n > max || n > (uint64_t)(c->end - c->at))
        c->failed = true;
    return c->failed ? 0 : n;
}

static uint32_t get_u32(struct wire_cursor *c)
{
    uint64_t v = wire_number_get(c);
    if (v > UINT32_MAX)
        c->failed = true;
    return (uint32_t)v;
}

static int32_t get_i32(struct wire_cursor *c)
{
    int64_t v = (int64_t)wire_unzigzag(wire_number_get(c));
    if (v < INT32_MIN || v > INT32_MAX)
        c->failed = true;
    return (int32_t)v;
}

static struct model_str get_text(struct wire_cursor *c)
{
    uint64_t n = wire_number_get(c);
    const uint8_t *p = n <= UINT32_MAX ? wire_bytes_get(c, n) : NULL;
    if (!p) {
        c->failed = true;
        return MODEL_STR("");
    }
    return (struct model_str){(const char *)p, (uint32_t)n};
}

/* A reference to the chunk's own texts. */
static struct model_str get_ref(const struct decoder *d, struct wire_cursor *c)
{
    uint64_t i = wire_number_get(c);
    if (i >= d->texts.count) {
        c->failed = true;
        return MODEL_STR("");
    }
    return d->texts.items[i];
}

static int done(const struct wire_cursor *c)
{
    return c->failed ? ORIEL_EDAMAGED : 0;
}

static int get_texts(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, TEXTS_MAX);
    d->texts.count = 0;
    for (uint64_t i = 0; i <= n && !c->failed; i++) {
        struct model_str *s = VEC_PUSH(&d->texts);
        if (!s)
            return ORIEL_ENOMEM;
        *s = i ? get_text(c) : MODEL_STR("");
    }
    return done(c);
}

static bool same_text(struct model_str a, struct model_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ---- processes and threads ---- */

/* The seeds of its trace ids are random, so they tell a process from all others
 * with its pid. When it started does not, where it has seeds: every recorder
 * works that out anew, from its own readings of the clocks. */
static uint64_t process_key(const struct model_process *p)
{
    bool seeded = p->trace_hi || p->trace_salt;
    const uint64_t identity[4] = {(uint32_t)p->pid, p->trace_hi, p->trace_salt,
                                  seeded ? 0 : p->start_ns};
    return map_hash_bytes(identity, sizeof identity, 0);
}

const struct model_process *decoder_known_process(const struct decoder *d,
                                                  const struct model_process *told)
{
    const uint64_t *known = map_get(&d->process_by_key, process_key(told));
    return known ? d->catalog->processes[*known] : NULL;
}

static int find_process(struct decoder *d, const struct model_process *told,
                        struct model_process **out)
{
    uint64_t key = process_key(told);
    const uint64_t *known = map_get(&d->process_by_key, key);
    if (!known && (told->trace_hi || told->trace_salt)) {
        /* Sampled before it said anything itself: known by pid and start. */
        struct model_process before = {.pid = told->pid, .start_ns = told->start_ns};
        known = map_get(&d->process_by_key, process_key(&before));
        if (known && !map_put(&d->process_by_key, key, *known))
            return ORIEL_ENOMEM;
        known = map_get(&d->process_by_key, key);
        if (known) {
            d->catalog->processes[*known]->trace_hi = told->trace_hi;
            d->catalog->processes[*known]->trace_salt = told->trace_salt;
        }
    }
    if (known) {
        assert(*known < d->catalog->process_count);
        *out = d->catalog->processes[*known];
        return 0;
    }
    if (!decoder_pay(d, (uint64_t)ENTRY_COST * 2 + told->exe.n + told->cmdline.n))
        return ORIEL_ELIMIT;
    struct model_process *p =
        model_catalog_add_process(d->catalog, told->pid, told->exe, told->cmdline);
    if (!p || !map_put(&d->process_by_key, key, p->index))
        return ORIEL_ENOMEM;
    p->ppid = told->ppid;
    p->start_ns = told->start_ns;
    p->seed[0] = p->trace_hi = told->trace_hi;
    p->seed[1] = p->trace_salt = told->trace_salt;
    *out = p;
    return 0;
}

static int get_processes(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_SITES_MAX);
    d->processes.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct model_process told = {0};
        struct decode_process *p = VEC_PUSH(&d->processes);
        if (!p)
            return ORIEL_ENOMEM;
        told.pid = get_i32(c);
        told.ppid = get_i32(c);
        told.start_ns = wire_number_get(c);
        told.trace_hi = wire_word_get(c);
        told.trace_salt = wire_word_get(c);
        told.exe = get_ref(d, c);
        told.cmdline = get_ref(d, c);
        p->measured = wire_number_get(c) != 0;
        wire_clock_get(c, &p->clock);
        if (c->failed)
            return ORIEL_EDAMAGED;
        int rc = find_process(d, &told, &p->process);
        if (rc < 0)
            return rc;
        if (!p->measured)
            p->process->clock = (struct model_clock){p->clock.now, p->clock.before};
    }
    return done(c);
}

/* By a serial of its own or of one of its streams: a recorder that also sampled the
 * program may have met the thread before its ring did, the one that took over has
 * the ring's word alone. */
static int find_thread(struct decoder *d, uint32_t process, int32_t tid, uint32_t serial,
                       struct model_thread **out)
{
    struct model_catalog *cat = d->catalog;
    const struct model_thread *known = model_catalog_thread(cat, serial);
    if (known && known->process == process && known->tid == tid) {
        *out = cat->threads[known->index];
        return 0;
    }
    if (!decoder_pay(d, ENTRY_COST))
        return ORIEL_ELIMIT;
    *out = model_catalog_add_thread(cat, process, tid, serial);
    return *out ? 0 : ORIEL_ENOMEM;
}

static int get_threads(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, THREADS_MAX);
    d->threads.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct model_thread **slot = VEC_PUSH(&d->threads);
        uint64_t process = wire_number_get(c);
        int32_t tid = get_i32(c);
        uint32_t serial = get_u32(c);
        struct model_str name = get_ref(d, c);
        if (!slot)
            return ORIEL_ENOMEM;
        if (c->failed || process >= d->processes.count)
            return ORIEL_EDAMAGED;
        int rc = find_thread(d, d->processes.items[process].process->index, tid, serial, slot);
        if (rc < 0)
            return rc;
        if (!same_text((*slot)->name, name)) {
            if (!decoder_pay(d, name.n + 1))
                return ORIEL_ELIMIT;
            if (model_thread_set_name(d->catalog, *slot, name) < 0)
                return ORIEL_ENOMEM;
        }
        for (unsigned cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
            uint64_t lost = wire_number_get(c);
            if (lost > (*slot)->lost[cause])
                (*slot)->lost[cause] = lost;
        }
    }
    return done(c);
}

/* ---- sites and codes ---- */

static int get_fields(struct decoder *d, struct wire_cursor *c, struct model_field_def *fields,
                      struct model_site *site, uint64_t *cost)
{
    uint64_t n = get_count(c, WIRE_SITE_FIELDS_MAX);
    for (uint64_t i = 0; i < n && !c->failed; i++) {
        fields[i].name = get_ref(d, c);
        fields[i].type = get_byte(c);
        fields[i].flags = get_byte(c);
        *cost += fields[i].name.n + sizeof *fields + 2;
        if (fields[i].type < ORIEL_TYPE_BOOL || fields[i].type > ORIEL_TYPE_PTR)
            return ORIEL_EDAMAGED;
    }
    site->fields = fields;
    site->field_count = (uint16_t)n;
    return done(c);
}

static int get_site(struct decoder *d, struct wire_cursor *c, const struct model_site **out)
{
    struct model_field_def fields[WIRE_SITE_FIELDS_MAX];
    struct model_site site = {0};
    uint64_t process = wire_number_get(c);
    site.id = get_u32(c);
    site.line = get_u32(c);
    site.kind = get_byte(c);
    site.level = get_byte(c);
    site.flags = site.level >> 4;
    site.level &= 0xf;
    site.name = get_ref(d, c);
    site.target = get_ref(d, c);
    site.file = get_ref(d, c);
    site.function = get_ref(d, c);
    site.format = get_ref(d, c);
    uint64_t cost = (uint64_t)ENTRY_COST + sizeof site + site.name.n + site.target.n + site.file.n +
                    site.function.n + site.format.n;
    int rc = get_fields(d, c, fields, &site, &cost);
    if (rc < 0)
        return rc;
    if (process >= d->processes.count || site.id < ORIEL_SITE_ID_FIRST ||
        site.id > ORIEL_SITE_ID_MAX || site.kind > ORIEL_SITE_TASK ||
        site.level > ORIEL_LEVEL_FATAL)
        return ORIEL_EDAMAGED;
    site.process = d->processes.items[process].process->index;
    *out = model_catalog_site(d->catalog, site.process, site.id);
    if (*out)
        return 0;
    if (!decoder_pay(d, cost))
        return ORIEL_ELIMIT;
    *out = model_catalog_add_site(d->catalog, &site);
    return *out ? 0 : ORIEL_ENOMEM;
}

static int get_sites(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_SITES_MAX);
    d->sites.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        const struct model_site **slot = VEC_PUSH(&d->sites);
        int rc = slot ? get_site(d, c, slot) : ORIEL_ENOMEM;
        if (rc < 0)
            return rc;
    }
    return done(c);
}

/* Whether records made by this code are right for every reader behind us. */
static bool code_is_right(const struct decode_code *code)
{
    if (!code->shape)
        return false;
    const struct wire_shape *w = &wire_shapes[code->type];
    uint32_t mode = code->mode & 7u;
    bool is_end = code->type == ORIEL_REC_END;
    if (code->flags > w->flag_max || (w->low == WIRE_LOW_SITE) != (code->site != NULL))
        return false;
    if (code->type == ORIEL_REC_TASK && code->flags < ORIEL_TASK_SPAWN)
        return false;
    if (code->mode > (WIRE_ID_EXPLICIT_END | 7) || mode >= WIRE_ID_MODES)
        return false;
    if (!is_end && (code->mode >= WIRE_ID_RESOLVED))
        return false;
    return mode != WIRE_ID_WORD || code->shape[0] == 'i';
}

static bool is_plain(const struct decode_code *code)
{
    if (code->flags & ORIEL_RECF_HAS_TIME)
        return false;
    if (code->type == ORIEL_REC_BEGIN)
        return code->site->field_count == 0 && code->mode == WIRE_ID_OWN;
    return code->type == ORIEL_REC_END && code->mode == WIRE_ID_RESOLVED;
}

static void make_plain(struct decode_plain *out, const struct decode_code *code)
{
    const struct model_record r = {.words = 2, .type = code->type, .flags = code->flags};
    out->header = ORIEL_RECORD_HEADER(2, code->type, code->flags, code->site ? code->site->id : 0);
    out->needs = code->type == ORIEL_REC_END;
    out->end = 0 - (uint64_t)out->needs;
    out->site = code->site;
    memcpy(&out->kind, (const char *)&r + offsetof(struct model_record, words), sizeof out->kind);
}

static int get_codes(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_CODES_MAX);
    d->codes.count = 0;
    for (unsigned op = 0; op < 256; op++)
        d->plain[op].needs = UINT32_MAX;
    for (uint64_t i = 0; i < n; i++) {
        struct decode_code *code = VEC_PUSH(&d->codes);
        if (!code)
            return ORIEL_ENOMEM;
        code->type = get_byte(c);
        code->flags = get_byte(c);
        code->mode = get_byte(c);
        uint64_t site = wire_number_get(c);
        if (c->failed || site > d->sites.count)
            return ORIEL_EDAMAGED;
        code->site = site ? d->sites.items[site - 1] : NULL;
        code->shape = wire_capture_shape(code->type, code->flags);
        if (!code_is_right(code))
            return ORIEL_EDAMAGED;
        if (i < WIRE_OP_SHORT_CODES && is_plain(code))
            make_plain(&d->plain[WIRE_OP_CODE + i], code);
    }
    return done(c);
}

/* ---- streams and losses ---- */

/* Streams come first in the section but name threads that come later. */
static int get_streams(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_STREAMS_MAX);
    d->streams.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct decode_stream *s = VEC_PUSH(&d->streams);
        if (!s)
            return ORIEL_ENOMEM;
        s->serial = get_u32(c);
        s->process = get_u32(c); /* the thread, for now; plus one */
        s->p.position = wire_number_get(c);
        wire_number_get(c); /* how far it goes: for appending */
        s->p.seed = wire_word_get(c);
        s->p.ticks = wire_word_get(c);
    }
    return done(c);
}

static int resolve_streams(struct decoder *d)
{
    for (size_t i = 0; i < d->streams.count; i++) {
        struct decode_stream *s = &d->streams.items[i];
        uint32_t thread = s->process;
        s->process = 0;
        if (thread == 0)
            continue;
        if (thread > d->threads.count)
            return ORIEL_EDAMAGED;
        s->thread = d->threads.items[thread - 1];
        for (uint32_t p = 0; p < d->processes.count && !s->known; p++)
            if (d->processes.items[p].process->index == s->thread->process)
                s->process = p, s->known = true;
        if (model_catalog_thread(d->catalog, s->serial) == s->thread)
            continue;
        if (!decoder_pay(d, 64))
            return ORIEL_ELIMIT;
        if (model_catalog_alias_thread(d->catalog, s->serial, s->thread->index) < 0)
            return ORIEL_ENOMEM;
    }
    return 0;
}

static int get_losses(struct decoder *d, struct wire_cursor *c)
{
    uint64_t unwritten = 0;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++) {
        uint64_t lost = wire_number_get(c);
        if (lost > d->catalog->lost[i])
            d->catalog->lost[i] = lost;
    }
    for (unsigned i = 0; i < WIRE_CAPTURE_CAUSES; i++)
        unwritten += wire_number_get(c);
    if (!c->failed && unwritten > d->unwritten)
        d->unwritten = unwritten;
    return done(c);
}

int decoder_tables(struct decoder *d, const uint8_t *bytes, size_t n)
{
    static int (*const parts[])(struct decoder * d, struct wire_cursor * c) = {
        get_streams, get_losses, get_texts,      get_processes, get_threads,
        get_sites,   get_codes,  decoder_stacks, decoder_told,
    };
    struct wire_cursor c = {bytes, bytes + n, false};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        int rc = parts[i](d, &c);
        if (rc < 0)
            return rc;
    }
    return resolve_streams(d);
}

/* ---- schema ---- */

static int set_resource(struct decoder *d, struct model_str key, struct model_str value)
{
    for (uint32_t i = 0; i < d->catalog->resource_count; i++)
        if (same_text(d->catalog->resource[i].key, key) &&
            same_text(d->catalog->resource[i].value, value))
            return 0;
    if (!decoder_pay(d, (uint64_t)ENTRY_COST + key.n + value.n))
        return ORIEL_ELIMIT;
    return model_catalog_set_resource(d->catalog, key, value);
}

int decoder_schema(struct decoder *d, const uint8_t *bytes, size_t n, bool first)
{
    struct wire_cursor c = {bytes, bytes + n, false};
    uint64_t version = wire_number_get(&c);
    get_text(&c); /* version of the Oriel that wrote it */
    const uint8_t *id = wire_bytes_get(&c, 16);
    uint64_t start_ns = wire_number_get(&c);
    if (c.failed || !id)
        return ORIEL_EDAMAGED;
    if (version != WIRE_CAPTURE_VERSION)
        return ORIEL_EVERSION;
    if (first) {
        memcpy(d->catalog->session_id, id, 16);
        d->catalog->start_ns = start_ns;
    }
    uint64_t attributes = get_count(&c, RESOURCES_MAX);
    for (uint64_t i = 0; i < attributes && !c.failed; i++) {
        struct model_str key = get_text(&c), value = get_text(&c);
        int rc = c.failed ? ORIEL_EDAMAGED : set_resource(d, key, value);
        if (rc < 0)
            return rc;
    }
    return done(&c);
}
