/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as JSON: memory. What processes said at their end, and by function
 * and by span what was allocated and what became of it.
 */
#include "base/err.h"
#include "base/map.h"
#include "report/functions.h"
#include "report/json.h"

/* Of the kinds that tell of memory, the first is the one that every block counts in. */
static const struct {
    uint8_t kind;
    const char *bytes, *blocks;
} kinds[] = {
    {ORIEL_SAMPLE_ALLOC, "allocated_bytes", "allocations"},
    {ORIEL_SAMPLE_LIVE, "live_bytes", "live_blocks"},
    {ORIEL_SAMPLE_PEAK, "peak_bytes", "peak_blocks"},
    {ORIEL_SAMPLE_TEMPORARY, "temporary_bytes", "temporary_blocks"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct memory_row {
    uint32_t frame;
    uint64_t bytes[KINDS], blocks[KINDS];
};
struct memory_rows {
    VEC(struct memory_row) items;
    struct map by_frame;
};

static int sum_kind(const struct report *r, struct frames *f, size_t k, struct memory_rows *rows)
{
    const struct profile_filter all = {
        .kind = kinds[k].kind, .thread = -1, .process = -1, .user_self = true};
    struct function_sums sums;
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    for (size_t i = 0; rc == 0 && i < sums.items.count; i++) {
        const struct function_sum *s = &sums.items.items[i];
        if (s->self == 0)
            continue;
        uint64_t *at = map_put(&rows->by_frame, s->frame, rows->items.count);
        struct memory_row *row = NULL;
        if (at && *at < rows->items.count)
            row = &rows->items.items[*at];
        else if (at && (row = VEC_PUSH(&rows->items)) != NULL)
            row->frame = s->frame;
        if (!row) {
            rc = ORIEL_ENOMEM;
            break;
        }
        row->bytes[k] = s->self;
        row->blocks[k] = s->self_count;
    }
    function_sums_done(&sums);
    return rc;
}

/* Functions that allocated, by bytes: the order of the first kind. */
static int put_functions(struct json *j, const struct report *r, struct frames *f)
{
    struct memory_rows rows = {0};
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < KINDS; k++)
        rc = sum_kind(r, f, k, &rows);
    json_key(j, "functions");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < rows.items.count; i++) {
        const struct memory_row *row = &rows.items.items[i];
        json_object(j);
        report_json_frame(j, &f->items.items[row->frame]);
        for (size_t k = 0; k < KINDS; k++) {
            json_pair_u64(j, kinds[k].bytes, row->bytes[k]);
            json_pair_u64(j, kinds[k].blocks, row->blocks[k]);
        }
        json_object_end(j);
    }
    json_array_end(j);
    map_done(&rows.by_frame);
    VEC_DONE(&rows.items);
    return rc;
}

static void put_counts(struct json *j, const char *key, const struct heap_counts *c)
{
    json_key(j, key);
    json_object(j);
    json_pair_u64(j, "allocations", c->allocations);
    json_pair_u64(j, "allocated_bytes", c->bytes);
    json_pair_u64(j, "frees", c->frees);
    json_pair_u64(j, "freed_bytes", c->freed);
    json_key(j, "net_bytes");
    json_i64(j, (int64_t)(c->bytes - c->freed));
    json_object_end(j);
}

static void put_spans(struct json *j, const struct report *r)
{
    json_key(j, "spans");
    json_array(j);
    for (uint32_t i = 0; i < r->heap.spans.count; i++) {
        const struct heap_span *s = &r->heap.spans.items[i];
        if (s->spans == 0)
            continue;
        json_object(j);
        report_json_str(j, "name", r->names.items.items[i].text);
        json_pair_u64(j, "count", s->spans);
        put_counts(j, "self", &s->own);
        put_counts(j, "total", &s->all);
        json_object_end(j);
    }
    json_array_end(j);
}

/* What the processes that ended knew exactly; null where none said so. */
static void put_totals(struct json *j, const struct heap *h)
{
    json_key(j, "totals");
    if (h->processes == 0) {
        json_null(j);
        return;
    }
    json_object(j);
    json_pair_u64(j, "processes", h->processes);
    json_pair_u64(j, "allocations", h->allocations);
    json_pair_u64(j, "allocated_bytes", h->bytes);
    json_pair_u64(j, "frees", h->frees);
    json_pair_u64(j, "freed_bytes", h->freed);
    json_pair_u64(j, "live_bytes", h->live);
    json_pair_u64(j, "peak_bytes", h->peak);
    json_object_end(j);
}

int report_json_memory(struct json *j, const struct report *r)
{
    struct frames f;
    int rc = frames_init(&f, &r->catalog->stacks);
    json_key(j, "memory");
    json_object(j);
    report_json_maybe(j, "mode", model_catalog_resource(r->catalog, "oriel.heap"));
    put_totals(j, &r->heap);
    rc = rc < 0 ? rc : put_functions(j, r, &f);
    put_spans(j, r);
    json_object_end(j);
    frames_done(&f);
    return rc;
}
