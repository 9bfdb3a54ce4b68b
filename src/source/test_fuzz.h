/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For fuzz targets of sources that read other tools' profiles only: whatever the
 * bytes are, what comes out is a stack and a thread of the catalog, and ends.
 */
#ifndef ORIEL_SOURCE_TEST_FUZZ_H
#define ORIEL_SOURCE_TEST_FUZZ_H

#include <stdlib.h>

#include "source/source.h"
#include "source/test_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_import {
    struct model_catalog catalog;
    struct model_batch batch;
};

static inline void fuzz_import_begin(struct fuzz_import *f, const struct source *source,
                                     const uint8_t *data, size_t size)
{
    model_catalog_init(&f->catalog);
    model_batch_init(&f->batch, &f->catalog);
    if (size && source->recognizes)
        (void)source->recognizes(data, size);
}

/* To the end of a source that was opened. `in_order`: what it says is. */
static inline void fuzz_import_run(struct fuzz_import *f, const struct source *source, void *state,
                                   bool in_order)
{
    uint64_t last = 0;
    int rc = SOURCE_DATA;
    while (rc == SOURCE_DATA) {
        model_batch_clear(&f->batch);
        rc = source->poll(state, &f->batch, 97, NULL);
        for (size_t i = 0; i < f->batch.record_count; i++) {
            const struct model_record *r = &f->batch.records[i];
            if ((in_order && r->t_ns < last) || !r->thread || r->flags == 0 ||
                r->flags >= ORIEL_SAMPLE_KINDS ||
                (r->raw[2] && r->raw[2] >= f->catalog.stacks.node_count))
                abort();
            last = r->t_ns;
        }
    }
    if (rc < 0 && rc != ORIEL_ENOMEM)
        abort();
    source->close(state);
}

static inline void fuzz_import_end(struct fuzz_import *f)
{
    model_batch_done(&f->batch);
    model_catalog_done(&f->catalog);
}

#endif
