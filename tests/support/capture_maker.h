/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Makes batches of records as source/ring would hand them out, without a ring:
 * for tests of what stands behind a source. Also compares records. Header only.
 */
#ifndef ORIEL_TEST_CAPTURE_MAKER_H
#define ORIEL_TEST_CAPTURE_MAKER_H

#include <stdlib.h>

#include "model/batch.h"
#include "random.h"
#include "test.h"
#include "wire/capture.h"
#include "wire/record.h"

enum {
    MAKER_PLAIN = 0,
    MAKER_OTHER,
    MAKER_RICH,
    MAKER_EVENT,
    MAKER_PLOT,
    MAKER_FRAME,
    MAKER_TASK,
    MAKER_SET,
    MAKER_ASYNC,
    MAKER_SITES
};
#define MAKER_STREAMS 8

struct maker_stream {
    const struct model_thread *thread;
    uint64_t position, seed, ticks;
    uint64_t stack[256];
    uint32_t serial, depth;
};

struct maker {
    struct model_catalog catalog;
    struct model_batch batch;
    struct model_process *process;
    const struct model_site *sites[MAKER_SITES];
    struct maker_stream streams[MAKER_STREAMS];
    uint64_t random, words, made, syncs; /* syncs: of those made */
    bool clock_unknown;
};

static inline uint64_t maker_random(struct maker *m)
{
    return random_next(&m->random);
}

static inline const struct model_site *maker_site(struct maker *m, uint32_t id, uint8_t kind,
                                                  const char *name, const uint8_t *types,
                                                  uint16_t count)
{
    static const char *const names[] = {"a", "http.route", "bytes", "ratio", "key", "blob", "at"};
    struct model_field_def fields[16] = {0};
    for (uint16_t i = 0; i < count; i++)
        fields[i] = (struct model_field_def){
            {names[i % 7], (uint32_t)strlen(names[i % 7])}, types[i], i == 3 ? ORIEL_FIELD_ARG : 0};
    struct model_site s = {.id = id,
                           .process = 0,
                           .line = 100 + id,
                           .kind = kind,
                           .level = ORIEL_LEVEL_INFO,
                           .field_count = count,
                           .name = {name, (uint32_t)strlen(name)},
                           .target = MODEL_STR("demo.server"),
                           .file = MODEL_STR("src/demo/server.c"),
                           .function = MODEL_STR("serve"),
                           .fields = fields};
    return model_catalog_add_site(&m->catalog, &s);
}

static inline void maker_init(struct maker *m, unsigned streams)
{
    static const uint8_t rich[] = {ORIEL_TYPE_BOOL, ORIEL_TYPE_I64, ORIEL_TYPE_U64,
                                   ORIEL_TYPE_F64,  ORIEL_TYPE_STR, ORIEL_TYPE_BYTES,
                                   ORIEL_TYPE_PTR};
    static const uint8_t event[] = {ORIEL_TYPE_STR, ORIEL_TYPE_I64}, plot[] = {ORIEL_TYPE_F64};
    memset(m, 0, sizeof *m);
    model_catalog_init(&m->catalog);
    model_batch_init(&m->batch, &m->catalog);
    memcpy(m->catalog.session_id, "0123456789abcdef", 16);
    m->catalog.start_ns = UINT64_C(1700000000000000000);
    model_catalog_set_resource(&m->catalog, MODEL_STR("service.name"), MODEL_STR("demo"));
    model_catalog_set_resource(&m->catalog, MODEL_STR("vcs.ref.head.revision"),
                               MODEL_STR("0123456789012345678901234567890123456789"));
    m->process = model_catalog_add_process(&m->catalog, 4711, MODEL_STR("/usr/bin/demo"),
                                           MODEL_STR("demo\0-v\0"));
    m->process->ppid = 1;
    m->process->start_ns = m->catalog.start_ns;
    m->process->trace_hi = 0x1122334455667788u;
    m->process->trace_salt = 0x99aabbccddeeff00u;
    /* 2.6 ticks per ns */
    m->process->clock.now =
        (struct clock_piece){UINT64_C(1) << 50, m->catalog.start_ns, 1651910498};
    m->process->clock.before = m->process->clock.now;
    m->sites[MAKER_PLAIN] = maker_site(m, 2, ORIEL_SITE_SPAN, "index.file", NULL, 0);
    m->sites[MAKER_OTHER] = maker_site(m, 3, ORIEL_SITE_SPAN, "tokenize", NULL, 0);
    m->sites[MAKER_RICH] = maker_site(m, 4, ORIEL_SITE_SPAN, "http.request", rich, 7);
    m->sites[MAKER_EVENT] = maker_site(m, 5, ORIEL_SITE_EVENT, "cache miss", event, 2);
    m->sites[MAKER_PLOT] = maker_site(m, 6, ORIEL_SITE_PLOT, "queue depth", plot, 1);
    m->sites[MAKER_FRAME] = maker_site(m, 7, ORIEL_SITE_FRAME, "frame", NULL, 0);
    m->sites[MAKER_TASK] = maker_site(m, 8, ORIEL_SITE_TASK, "task", NULL, 0);
    m->sites[MAKER_SET] = maker_site(m, 9, ORIEL_SITE_SET, "set", event, 2);
    m->sites[MAKER_ASYNC] = maker_site(m, 10, ORIEL_SITE_SPAN, "download", NULL, 0);
    for (unsigned i = 0; i < streams; i++) {
        struct model_thread *t = model_catalog_add_thread(&m->catalog, 0, 4711 + (int32_t)i, i + 1);
        char name[16];
        int n = snprintf(name, sizeof name, "worker-%u", i);
        model_thread_set_name(&m->catalog, t, (struct model_str){name, (uint32_t)n});
        m->streams[i] = (struct maker_stream){.thread = t,
                                              .serial = i + 1,
                                              .seed = UINT64_C(0x5000000000) * (i + 1) + 77 * i,
                                              .ticks = (UINT64_C(1) << 50) + 1000 * i};
    }
}

static inline void maker_done(struct maker *m)
{
    model_batch_done(&m->batch);
    model_catalog_done(&m->catalog);
}

static inline uint64_t maker_ns(const struct maker *m, uint64_t ticks)
{
    struct clock_map map = {.now = m->process->clock.now, .before = m->process->clock.before};
    if (m->clock_unknown)
        map.now = map.before =
            (struct clock_piece){UINT64_C(1) << 50, m->catalog.start_ns, 1651910498};
    return clock_map_ns(&map, ticks);
}

/* A record whose words after the time are given. */
static inline struct model_record *maker_add(struct maker *m, struct maker_stream *s, uint8_t type,
                                             uint8_t flags, const struct model_site *site,
                                             uint32_t low, const uint64_t *words, uint32_t count)
{
    struct model_record *r = model_batch_add_record(&m->batch);
    uint64_t *raw = arena_alloc(&m->batch.arena, (count + 2) * 8, 8);
    uint64_t own = s->seed + s->position;
    raw[0] = ORIEL_RECORD_HEADER(count + 2, type, flags, site ? site->id : low);
    raw[1] = s->ticks;
    if (count)
        memcpy(raw + 2, words, count * 8);
    r->t_ns = maker_ns(m, s->ticks);
    r->position = s->position;
    r->raw = raw;
    r->site = site;
    r->thread = s->thread;
    r->words = (uint16_t)(count + 2);
    r->type = type;
    r->flags = flags;
    r->stream = s->serial;
    if (type == ORIEL_REC_BEGIN || type == ORIEL_REC_OPEN || type == ORIEL_REC_SPAN)
        r->raw_id = own;
    else if (type == ORIEL_REC_END)
        r->raw_id = wire_id_resolve(own, low);
    else if (wire_capture_shape(type, flags)[0] == 'i')
        r->raw_id = raw[2];
    s->position += (count + 2) * 8;
    m->words += count + 2;
    m->made++;
    m->syncs += type == ORIEL_REC_SYNC;
    return r;
}

static inline void maker_wait(struct maker *m, struct maker_stream *s, uint64_t about_ticks)
{
    s->ticks += about_ticks / 2 + maker_random(m) % (about_ticks + 1);
}

static inline void maker_begin(struct maker *m, struct maker_stream *s, unsigned site)
{
    s->stack[s->depth++ % 256] = s->seed + s->position;
    maker_add(m, s, ORIEL_REC_BEGIN, s->depth == 1 ? ORIEL_RECF_ROOT : 0, m->sites[site], 0, NULL,
              0);
}

static inline void maker_end(struct maker *m, struct maker_stream *s)
{
    uint64_t id = s->stack[--s->depth % 256];
    maker_add(m, s, ORIEL_REC_END, 0, NULL, (uint32_t)id, NULL, 0);
}

static inline void maker_sync(struct maker *m, struct maker_stream *s)
{
    uint64_t w[6 + 64] = {0};
    uint32_t kept = s->depth < 64 ? s->depth : 64;
    w[5] = s->depth;
    memcpy(w + 6, s->stack, kept * 8);
    maker_add(m, s, ORIEL_REC_SYNC, 0, NULL, 0, w, 6 + kept);
}

/* A batch of plain nested spans: runs of one ring chunk (16 KiB) per stream. */
static inline void maker_spans(struct maker *m, unsigned streams, unsigned runs, uint64_t ticks)
{
    model_batch_clear(&m->batch);
    for (unsigned run = 0; run < runs; run++) {
        struct maker_stream *s = &m->streams[run % streams];
        uint64_t until = s->position + 16384;
        maker_sync(m, s);
        while (s->position < until - 64) {
            maker_wait(m, s, ticks);
            if (s->depth && (s->depth >= 3 || maker_random(m) % 2))
                maker_end(m, s);
            else
                maker_begin(m, s, maker_random(m) % 4 ? MAKER_PLAIN : MAKER_OTHER);
        }
        s->position = until;
        m->batch.watermark_ns = maker_ns(m, s->ticks) - 1000000;
    }
}

/* The words of a str or bytes value; returns how many. */
static inline uint32_t maker_text(uint64_t *out, const char *p, uint32_t stored, uint32_t original)
{
    out[0] = (uint64_t)original << 32 | stored;
    if (stored)
        out[(stored + 7) / 8] = 0;
    memcpy(out + 1, p, stored);
    return 1 + (stored + 7) / 8;
}

static inline void maker_rich(struct maker *m, struct maker_stream *s, uint8_t type, uint8_t flags,
                              unsigned salt)
{
    static const char text[] = "GET /api/v1/orders?id=\0\1\xff ORIELCP\1 and so on and so on";
    uint64_t w[128];
    uint32_t n = 0;
    double ratio = salt * 0.37;
    if (type == ORIEL_REC_SPAN) {
        w[n++] = s->ticks + salt * 1000;
        w[n++] = s->depth ? s->stack[s->depth - 1] : 0;
    } else if (type == ORIEL_REC_OPEN || type == ORIEL_REC_SET) {
        w[n++] = salt % 3 && s->depth ? s->stack[s->depth - 1] : 0;
    }
    w[n++] = salt % 2;
    w[n++] = salt % 5 == 0 ? (uint64_t)INT64_MIN : 0 - (uint64_t)salt;
    w[n++] = salt % 7 == 0 ? UINT64_MAX : salt * 1000003u;
    memcpy(&w[n++], &ratio, 8);
    n += maker_text(w + n, text, salt % sizeof text, salt % sizeof text + (salt % 4 == 0));
    n += maker_text(w + n, text, 8 * (salt % 4), 8 * (salt % 4));
    w[n++] = 0x7ffd00000000u + salt;
    maker_add(m, s, type, flags, m->sites[MAKER_RICH], 0, w, n);
}

static inline void maker_life(struct maker *m, struct maker_stream *s, unsigned i)
{
    uint64_t w[64], open = s->seed + s->position, top = s->depth ? s->stack[s->depth - 1] : 0;
    w[0] = i % 2 ? top : 0;
    maker_add(m, s, ORIEL_REC_OPEN, i % 2 ? 0 : ORIEL_RECF_ROOT, m->sites[MAKER_ASYNC], 0, w, 1);
    w[0] = open;
    maker_wait(m, s, 300);
    maker_add(m, s, ORIEL_REC_ENTER, 0, NULL, (uint32_t)open, w, 1);
    maker_wait(m, s, 300);
    w[1] = 0x1111222233334444u, w[2] = 0x5555666677778888u, w[3] = maker_random(m), w[4] = 0;
    maker_add(m, s, ORIEL_REC_LINK, 0, NULL, (uint32_t)open, w, 5);
    w[1] = i % 3;
    uint32_t n = 2 + maker_text(w + 2, "connection reset by peer", i % 25, i % 25);
    maker_add(m, s, ORIEL_REC_STATUS, 0, NULL, (uint32_t)open, w, n);
    w[1] = top ? top : 12345;
    maker_add(m, s, ORIEL_REC_FOLLOW, 0, NULL, (uint32_t)open, w, 2);
    maker_add(m, s, ORIEL_REC_EXIT, 0, NULL, (uint32_t)open, w, 1);
    maker_add(m, s, ORIEL_REC_CLOSE, 0, NULL, (uint32_t)open, w, 1);
    for (uint8_t op = ORIEL_TASK_SPAWN; op <= ORIEL_TASK_NAME; op++) {
        w[0] = 0x7f0000001000u + i, w[1] = op == ORIEL_TASK_SPAWN ? 7 : 0;
        maker_add(m, s, ORIEL_REC_TASK, op, m->sites[MAKER_TASK], 0, w, 2);
    }
    n = maker_text(w, "renamed thread", 14, 20);
    maker_add(m, s, ORIEL_REC_THREAD, 0, NULL, 0, w, n);
    maker_add(m, s, ORIEL_REC_TRIGGER, 0, NULL, 0, w, n);
    w[0] = maker_random(m), w[1] = maker_random(m), w[2] = maker_random(m), w[3] = 1;
    maker_add(m, s, ORIEL_REC_ATTACH, 0, NULL, 0, w, 4);
    maker_begin(m, s, MAKER_PLAIN);
    maker_end(m, s);
    maker_add(m, s, ORIEL_REC_DETACH, 0, NULL, 0, NULL, 0);
}

static inline void maker_events(struct maker *m, struct maker_stream *s, unsigned i)
{
    uint64_t w[64];
    double depth = i * 1.5;
    uint32_t n = maker_text(w, "tenant-17", 9, 9);
    w[n++] = 0 - (uint64_t)i;
    maker_add(m, s, ORIEL_REC_EVENT, 0, m->sites[MAKER_EVENT], 0, w, n);
    memmove(w + 1, w, n * 8);
    w[0] = s->seed + 16 * i;
    maker_add(m, s, ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN, m->sites[MAKER_EVENT], 0, w, n + 1);
    maker_add(m, s, ORIEL_REC_SET, 0, m->sites[MAKER_SET], 0, w, n + 1);
    memcpy(w, &depth, 8);
    maker_add(m, s, ORIEL_REC_PLOT, 0, m->sites[MAKER_PLOT], 0, w, 1);
    maker_add(m, s, ORIEL_REC_FRAME, 0, m->sites[MAKER_FRAME], 0, NULL, 0);
    /* times from outside: the model's time stays that of the record before */
    uint64_t ticks = s->ticks, t_ns = maker_ns(m, ticks);
    s->ticks = t_ns - 5000000 + i;
    maker_rich(m, s, ORIEL_REC_SPAN, ORIEL_RECF_HAS_TIME, i);
    m->batch.records[m->batch.record_count - 1].t_ns = t_ns;
    s->ticks = ticks;
    maker_rich(m, s, ORIEL_REC_OPEN, 0, i);
}

/* What only a confused or a damaged program writes. */
static inline void maker_odd(struct maker *m, struct maker_stream *s, unsigned i)
{
    uint64_t w[8] = {1, 2, 3};
    struct model_record *r;
    if (s->depth > 1)
        s->depth--; /* a span is abandoned */
    if (s->depth)
        maker_end(m, s);
    r = maker_add(m, s, ORIEL_REC_END, 0, NULL, 0x1234u + i, NULL, 0); /* never begun */
    r = maker_add(m, s, ORIEL_REC_END, 0, NULL, 0x777u, NULL, 0);
    r->raw_id = i; /* names another span than the rule says */
    r = maker_add(m, s, ORIEL_REC_BEGIN, 0, m->sites[MAKER_PLAIN], 0, NULL, 0);
    r->t_ns -= 3 + i; /* clamped by the source */
    s->ticks -= 500;  /* the clock of another CPU */
    maker_add(m, s, ORIEL_REC_END, 0, NULL, (uint32_t)(s->seed + s->position - 16), NULL, 0);
    s->ticks += 500;
    w[0] = UINT64_C(1) << 63; /* an id as far away as can be */
    maker_add(m, s, ORIEL_REC_CLOSE, 0, NULL, 0, w, 1);
    r = maker_add(m, s, ORIEL_REC_BEGIN, 0, m->sites[MAKER_PLAIN], 0, NULL, 0);
    r->raw_id = 0;
    s->position += 4096 - s->position % 4096; /* a gap */
    if (i % 4 == 3)
        s->seed += 0x1000000;
    s->ticks += i % 8 == 7 ? UINT64_C(1) << 40 : 0; /* seven minutes of silence */
}

/* One of everything, `rounds` times, on two streams. */
static inline void maker_everything(struct maker *m, unsigned rounds)
{
    model_batch_clear(&m->batch);
    for (unsigned i = 0; i < rounds; i++) {
        struct maker_stream *s = &m->streams[i % 2];
        maker_sync(m, s);
        maker_wait(m, s, 700);
        maker_begin(m, s, MAKER_PLAIN);
        maker_wait(m, s, 70000000);
        maker_begin(m, s, MAKER_OTHER);
        s->stack[s->depth++ % 256] = s->seed + s->position;
        maker_rich(m, s, ORIEL_REC_BEGIN, ORIEL_RECF_TRUNCATED, i);
        maker_life(m, s, i);
        maker_events(m, s, i);
        maker_end(m, s);
        maker_odd(m, s, i);
    }
    m->batch.watermark_ns = maker_ns(m, m->streams[0].ticks) - 5;
}

/* ---- comparing ---- */

/* A record as bytes that do not depend on where things lie: for exact comparison. */
static inline uint64_t maker_hash(const struct model_record *r)
{
    uint64_t part[12] = {r->t_ns, r->raw_id, r->position, r->words, r->type, r->flags, r->stream};
    part[7] = r->thread ? r->thread->serial : 0;
    part[8] = r->thread ? (uint64_t)r->thread->tid : 0;
    if (r->site) {
        part[9] = map_hash_bytes(r->site->name.p, r->site->name.n, r->site->id);
        part[10] = map_hash_bytes(r->site->types, r->site->field_count, r->site->line);
        for (unsigned i = 0; i < r->site->field_count; i++)
            part[11] =
                map_hash_bytes(r->site->fields[i].name.p, r->site->fields[i].name.n, part[11]);
    }
    return map_hash_bytes(part, sizeof part, map_hash_bytes(r->raw, (size_t)r->words * 8, 1));
}

static inline bool maker_same(const struct model_record *a, const struct model_record *b)
{
    return maker_hash(a) == maker_hash(b);
}
#endif
