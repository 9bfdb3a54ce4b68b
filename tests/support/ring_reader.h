/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A reader for tests: the ring source with its state, catalog and batch, and a
 * region to read that is made for the test.
 */
#ifndef ORIEL_TEST_RING_READER_H
#define ORIEL_TEST_RING_READER_H

#include <stdlib.h>

#include "base/clock.h"
#include "model/batch.h"
#include "source/region_io.h"
#include "source/source.h"
#include "test.h"

extern const struct source source_ring;

struct reader {
    void *state;
    struct model_catalog catalog;
    struct model_batch batch;
    struct oriel_err err;
};

static inline struct region *reader_region(uint64_t ring_bytes, uint32_t threads, uint32_t policy)
{
    struct region *region = NULL;
    struct oriel_err err = {0};
    const struct region_options o = {.size = sizeof o,
                                     .ring_bytes = ring_bytes,
                                     .threads = threads,
                                     .policy = policy,
                                     .meta_bytes = 1 << 16,
                                     .directory = test_tmpdir()};
    if (region_create(&region, &o, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return region;
}

static inline int reader_open(struct reader *r, const char *path)
{
    memset(r, 0, sizeof *r);
    r->state = calloc(1, source_ring.state_size);
    model_catalog_init(&r->catalog);
    model_batch_init(&r->batch, &r->catalog);
    return source_ring.open(r->state, path, &r->catalog, &r->err);
}

/* A new batch; enum source_result. */
static inline int reader_poll(struct reader *r, size_t max)
{
    model_batch_clear(&r->batch);
    return source_ring.poll(r->state, &r->batch, max, &r->err);
}

/* Polls until there is data or the end; gives up after five seconds. */
static inline int reader_wait(struct reader *r, size_t max)
{
    uint64_t until = clock_mono_ns() + UINT64_C(300000000000); /* ends what hangs */
    int result;
    do
        result = reader_poll(r, max);
    while (result == SOURCE_IDLE && clock_mono_ns() < until);
    return result;
}

static inline void reader_commit(struct reader *r)
{
    source_ring.commit(r->state);
}

static inline struct source_damage reader_damage(struct reader *r)
{
    struct source_damage d;
    source_ring.damage(r->state, &d);
    return d;
}

static inline void reader_close(struct reader *r)
{
    source_ring.close(r->state);
    free(r->state);
    model_batch_done(&r->batch);
    model_catalog_done(&r->catalog);
}

#endif
