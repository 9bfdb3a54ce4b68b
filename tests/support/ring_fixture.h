/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A region with one attached process, one thread and a reader, for the tests of
 * the live source.
 */
#ifndef ORIEL_TEST_RING_FIXTURE_H
#define ORIEL_TEST_RING_FIXTURE_H

#include "ring_reader.h"
#include "ring_writer.h"

/* Sites that every test may use. */
enum { SPAN = 2, EVENT = 3, TEXT = 4, PLOT = 5, SET = 6 };

struct fixture {
    struct region *region;
    struct rw_process p;
    struct rw_thread t;
    struct reader r;
};

static inline void describe(struct rw_process *p)
{
    REQUIRE(rw_site(p, SPAN, ORIEL_SITE_SPAN, "work", ""));
    REQUIRE(rw_site(p, EVENT, ORIEL_SITE_EVENT, "tick", "u"));
    REQUIRE(rw_site(p, TEXT, ORIEL_SITE_EVENT, "said", "sif"));
    REQUIRE(rw_site(p, PLOT, ORIEL_SITE_PLOT, "depth", "f"));
    REQUIRE(rw_site(p, SET, ORIEL_SITE_SET, "set", "b"));
}

static inline void start(struct fixture *f, uint64_t ring_bytes, uint32_t threads, uint32_t policy)
{
    memset(f, 0, sizeof *f);
    f->region = reader_region(ring_bytes, threads, policy);
    REQUIRE(rw_attach_path(&f->p, region_path(f->region)));
    describe(&f->p);
    REQUIRE(rw_thread_start(&f->t, &f->p, 0));
    if (reader_open(&f->r, region_path(f->region)) != 0)
        test_fail(__FILE__, __LINE__, "%s", f->r.err.text);
    test_stop_if_failed();
}

static inline void stop(struct fixture *f)
{
    reader_close(&f->r);
    rw_detach(&f->p);
    region_free(f->region);
}

static inline void finish(struct fixture *f)
{
    struct source_damage d = reader_damage(&f->r);
    CHECK_EQ(d.records, 0);
    CHECK_EQ(d.bytes_skipped, 0);
    stop(f);
}

/* The first record of this type in the next batch that holds more than SYNCs: a
 * writer at work may have been seen between its SYNC and its record. */
static inline const struct model_record *only(struct fixture *f, uint8_t type)
{
    bool told = false;
    while (!told) {
        REQUIRE(reader_wait(&f->r, 1000) == SOURCE_DATA);
        for (size_t i = 0; i < f->r.batch.record_count; i++) {
            if (f->r.batch.records[i].type == type)
                return &f->r.batch.records[i];
            told |= f->r.batch.records[i].type != ORIEL_REC_SYNC;
        }
    }
    test_fail(__FILE__, __LINE__, "no record of type %d", type);
    test_stop_if_failed();
    return NULL;
}

/* The ring source's own state, for tests that look inside. */
static inline struct ring *inside(struct fixture *f)
{
    return f->r.state;
}

#endif
