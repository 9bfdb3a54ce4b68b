/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A recording inside one test process; see recording.h.
 */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include <oriel/runtime.h>

#include "source/source.h"
#include "test.h"

extern const struct source source_ring;

void recording_make(struct recording *r, const struct region_options *options)
{
    struct region_options o = {.size = sizeof o};
    struct oriel_err err = {0, ""};
    if (options)
        o = *options;
    o.size = sizeof o;
    if (!o.directory && !o.memfd)
        o.directory = test_tmpdir();
    if (region_create(&r->region, &o, &err) != 0) {
        test_fail(__FILE__, __LINE__, "region_create: %s", err.text);
        test_stop_if_failed();
    }
    snprintf(r->path, sizeof r->path, "%s", region_path(r->region));
}

void recording_begin(struct recording *r, const struct region_options *options)
{
    recording_make(r, options);
    int rc = oriel_attach(r->path);
    if (rc != 0) {
        test_fail(__FILE__, __LINE__, "oriel_attach: %d", rc);
        test_stop_if_failed();
    }
}

static void open_source(struct recording *r)
{
    struct oriel_err err = {0, ""};
    model_catalog_init(&r->catalog);
    r->state = calloc(1, source_ring.state_size);
    if (source_ring.open(r->state, r->path, &r->catalog, &err) != 0) {
        test_fail(__FILE__, __LINE__, "ring: %s", err.text);
        test_stop_if_failed();
    }
}

void recording_read(struct recording *r, bool all)
{
    struct model_batch batch;
    struct oriel_err err = {0, ""};
    struct source_damage damage;
    if (!r->state)
        open_source(r);
    if (all)
        region_end(r->region);
    model_batch_init(&batch, &r->catalog);
    for (;;) {
        model_batch_clear(&batch);
        int rc = source_ring.poll(r->state, &batch, 65536, &err);
        if (rc < 0)
            test_fail(__FILE__, __LINE__, "poll: %s", err.text);
        for (size_t i = 0; i < batch.record_count; i++) {
            const struct model_record *m = &batch.records[i];
            r->records++;
            r->by_type[m->type]++;
            if (r->on_record)
                r->on_record(r->user, m);
        }
        if (source_ring.commit)
            source_ring.commit(r->state);
        if (rc < 0 || rc == SOURCE_END || (rc == SOURCE_IDLE && !all))
            break;
    }
    model_batch_done(&batch);
    source_ring.damage(r->state, &damage);
    r->damaged = damage.records;
    for (uint32_t c = 0; c < ORIEL_LOST_CAUSES; c++) {
        r->lost[c] = r->catalog.lost[c];
        for (uint32_t i = 0; i < r->catalog.thread_count; i++)
            r->lost[c] += r->catalog.threads[i]->lost[c];
    }
}

uint64_t recording_lost_total(const struct recording *r)
{
    uint64_t total = 0;
    for (uint32_t c = 0; c < ORIEL_LOST_CAUSES; c++)
        total += r->lost[c];
    return total;
}

void recording_close(struct recording *r)
{
    if (r->state) {
        source_ring.close(r->state);
        free(r->state);
        model_catalog_done(&r->catalog);
    }
    r->state = NULL;
}

void recording_end(struct recording *r)
{
    recording_close(r);
    region_unlink(r->path, NULL);
    region_free(r->region);
}
