/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a capture, through the pipe and every outlet. No
 * record is without a fate, items come in order with no negative duration, and
 * no outlet fails over what a program may have said.
 */
#include <stdlib.h>
#include <string.h>

#include "export/exporter.h"
#include "pipe/pipe.h"
#include "source/file/file.h"
#include "util/crc32c.h"

enum { RECORDS_MAX = 1 << 14, POLL = 997, OUTLETS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outlet {
    const struct exporter *exporter;
    void *options, *state;
    struct buf bytes;
    struct out *out;
    struct export_env env;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void outlet_open(struct outlet *o, const struct exporter *e, const struct model_catalog *c)
{
    struct oriel_err err;
    o->exporter = e;
    o->state = calloc(1, e->state_size);
    o->options = calloc(1, e->options_size + 1);
    buf_init(&o->bytes);
    require(o->state && o->options && option_defaults(e->options, o->options) == 0);
    require(out_buf_open(&o->out, &o->bytes) == 0);
    o->env = (struct export_env){c, o->out, "fuzz", "0"};
    require(e->open(o->state, o->options, &o->env, &err) == 0);
}

static void outlet_close(struct outlet *o, const struct export_summary *end)
{
    struct oriel_err err;
    int rc = o->exporter->close(o->state, end, &err);
    require(rc == 0 || (rc == ORIEL_ENOTFOUND && o->bytes.size == 0));
    out_close(o->out);
    buf_done(&o->bytes);
    option_done(o->exporter->options, o->options);
    free(o->options);
    free(o->state);
}

static void check_items(const struct model_batch *items)
{
    for (size_t i = 0; i < items->item_count; i++) {
        const struct model_item *item = &items->items[i];
        if (item->kind == MODEL_ITEM_SPAN)
            require(item->u.span.end_ns >= item->u.span.start_ns);
        if (item->kind == MODEL_ITEM_LOSS)
            require(item->u.loss.to_ns >= item->u.loss.from_ns);
    }
}

struct line {
    struct model_catalog catalog;
    struct model_batch records, items;
    struct pipe *pipe;
    struct outlet outlets[OUTLETS_MAX];
    size_t outlet_count;
};

static void push(struct line *l)
{
    struct oriel_err err;
    struct pipe_counts counts;
    uint64_t fates = 0;
    model_batch_clear(&l->items);
    require(pipe_push(l->pipe, &l->records, &l->items) == 0);
    check_items(&l->items);
    pipe_counts(l->pipe, &counts);
    for (int i = 0; i < PIPE_FATES; i++)
        fates += counts.fates[i];
    require(counts.records_in == counts.held + fates);
    for (size_t i = 0; i < l->outlet_count; i++) {
        struct outlet *o = &l->outlets[i];
        bool raw = o->exporter->wants & EXPORT_RECORDS;
        require(o->exporter->write(o->state, raw ? &l->records : &l->items, &err) == 0);
    }
}

static void run(struct line *l, struct file_source *s)
{
    struct export_summary end = {0};
    uint64_t records = 0;
    int rc = SOURCE_DATA;
    while (rc == SOURCE_DATA && records < RECORDS_MAX) {
        model_batch_clear(&l->records);
        rc = source_file.poll(s, &l->records, POLL, NULL);
        records += l->records.record_count;
        l->records.last = rc != SOURCE_DATA || records >= RECORDS_MAX;
        push(l);
    }
    end.records = records;
    for (size_t i = 0; i < l->outlet_count; i++)
        outlet_close(&l->outlets[i], &end);
}

/* Nothing random gets past checksums. */
static void repair(uint8_t *p, size_t size)
{
    for (size_t at = 0; size - at >= WIRE_CAPTURE_FRAME_BYTES;) {
        size_t left = size - at - WIRE_CAPTURE_FRAME_BYTES, stored = wire_get32(p + at + 8);
        if (memcmp(p + at, WIRE_CAPTURE_MAGIC, 8) != 0 || stored > left)
            return;
        wire_put32(p + at + 56, crc32c(0, p + at + WIRE_CAPTURE_FRAME_BYTES, stored));
        wire_put32(p + at + WIRE_CAPTURE_FRAME_CRC_AT,
                   crc32c(0, p + at, WIRE_CAPTURE_FRAME_CRC_AT));
        at += WIRE_CAPTURE_FRAME_BYTES + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct file_source s;
    static struct line l;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    repair(copy, size);
    memset(&l, 0, sizeof l);
    model_catalog_init(&l.catalog);
    model_batch_init(&l.records, &l.catalog);
    model_batch_init(&l.items, &l.catalog);
    if (file_source_open_memory(&s, copy, size, &l.catalog, NULL) == 0) {
        require(pipe_new(&l.pipe, NULL, &l.catalog) == 0);
        for (size_t i = 0; export_registry[i] && i < OUTLETS_MAX; i++)
            outlet_open(&l.outlets[l.outlet_count++], export_registry[i], &l.catalog);
        run(&l, &s);
        pipe_free(l.pipe);
        source_file.close(&s);
    }
    model_batch_done(&l.items);
    model_batch_done(&l.records);
    model_catalog_done(&l.catalog);
    free(copy);
    return 0;
}
