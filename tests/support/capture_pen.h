/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Writes captures into memory (or any out) and reads them back from memory, for
 * the tests of the outlet and of the source. Header only.
 */
#ifndef ORIEL_TEST_CAPTURE_PEN_H
#define ORIEL_TEST_CAPTURE_PEN_H

#include "capture_maker.h"
#include "export/capture/capture.h"
#include "source/file/file.h"

extern const struct exporter export_capture;

/* ---- writing into memory ---- */

struct pen {
    struct buf bytes;
    struct out *out;
    struct capture_options options;
    struct capture state;
    int rc;
};

/* Options left zero get what suits a test; `out` left NULL is memory. */
static inline int pen_try(struct pen *p, const struct model_catalog *c, struct oriel_err *err)
{
    if (!p->out) {
        buf_init(&p->bytes);
        out_buf_open(&p->out, &p->bytes);
    }
    if (!p->options.chunk_bytes)
        p->options.chunk_bytes = 256 << 10;
    if (!p->options.flush_ns)
        p->options.flush_ns = UINT64_MAX;
    if (!p->options.schema_bytes)
        p->options.schema_bytes = 16 << 20;
    p->options.level = 1;
    struct export_env env = {c, p->out, "demo", "0.1.0"};
    memset(&p->state, 0, sizeof p->state);
    p->rc = export_capture.open(&p->state, &p->options, &env, err);
    return p->rc;
}

static inline void pen_open(struct pen *p, const struct model_catalog *c)
{
    struct oriel_err err = {0};
    if (pen_try(p, c, &err) != 0)
        test_fail(__FILE__, __LINE__, "open: %s", err.text);
}

static inline void pen_close(struct pen *p)
{
    struct export_summary end = {0};
    CHECK_EQ(export_capture.close(&p->state, &end, NULL), 0);
}

static inline void pen_done(struct pen *p)
{
    out_close(p->out);
    buf_done(&p->bytes);
}

/* ---- reading from memory ---- */

struct eye {
    struct file_source s;
    struct model_catalog catalog;
    struct model_batch batch;
    struct source_damage damage;
    uint64_t records, syncs, sum; /* sum of hashes: does not depend on the order */
    int rc;
    bool only_count; /* no sum: four times faster */
};

static inline int eye_open(struct eye *e, const void *bytes, size_t n)
{
    memset(e, 0, sizeof *e);
    model_catalog_init(&e->catalog);
    model_batch_init(&e->batch, &e->catalog);
    e->rc = file_source_open_memory(&e->s, bytes, n, &e->catalog, NULL);
    return e->rc;
}

static inline int eye_poll(struct eye *e, size_t max)
{
    model_batch_clear(&e->batch);
    int rc = source_file.poll(&e->s, &e->batch, max, NULL);
    CHECK(rc >= 0);
    for (size_t i = 0; i < e->batch.record_count; i++) {
        e->syncs += e->batch.records[i].type == ORIEL_REC_SYNC;
        if (!e->only_count)
            e->sum += maker_hash(&e->batch.records[i]);
    }
    e->records += e->batch.record_count;
    return rc;
}

static inline void eye_drain(struct eye *e, size_t max)
{
    while (eye_poll(e, max) == SOURCE_DATA)
        ;
    source_file.damage(&e->s, &e->damage);
}

static inline void eye_close(struct eye *e)
{
    if (e->rc == 0)
        source_file.close(&e->s);
    model_batch_done(&e->batch);
    model_catalog_done(&e->catalog);
}

static inline uint64_t sum_of(const struct model_batch *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->record_count; i++)
        sum += maker_hash(&b->records[i]);
    return sum;
}
#endif
