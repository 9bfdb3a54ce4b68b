/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Batches: two growing tables and the arena their contents live in. Clearing
 * keeps the memory, so a steady load stops allocating. One thread at a time.
 */
#include "model/batch.h"

#include <assert.h>

enum { RECORDS_MIN = 64, ITEMS_MIN = 64 };

void model_batch_init(struct model_batch *b, const struct model_catalog *catalog)
{
    memset(b, 0, sizeof *b);
    b->catalog = catalog;
    arena_init(&b->arena);
}

void model_batch_clear(struct model_batch *b)
{
    b->record_count = b->item_count = 0;
    b->watermark_ns = 0;
    b->last = false;
    arena_reset(&b->arena);
}

void model_batch_done(struct model_batch *b)
{
    mem_free(b->records);
    mem_free(b->items);
    arena_done(&b->arena);
    memset(b, 0, sizeof *b);
}

/* Grow a table to hold count + n; at least doubles, so that adding one by one
 * costs a constant. */
static bool reserve(void **table, size_t *capacity, size_t count, size_t n, size_t item_size,
                    size_t minimum)
{
    size_t need, bytes, next = *capacity * 2 > minimum ? *capacity * 2 : minimum;
    assert(count <= *capacity);
    if (*capacity - count >= n)
        return true;
    if (__builtin_add_overflow(count, n, &need))
        return false;
    if (next < need)
        next = need;
    if (__builtin_mul_overflow(next, item_size, &bytes))
        return false;
    void *p = mem_realloc(*table, bytes);
    if (!p)
        return false;
    *table = p;
    *capacity = next;
    return true;
}

bool model_batch_reserve_records(struct model_batch *b, size_t n)
{
    return reserve((void **)&b->records, &b->record_capacity, b->record_count, n,
                   sizeof *b->records, RECORDS_MIN);
}

bool model_batch_reserve_items(struct model_batch *b, size_t n)
{
    return reserve((void **)&b->items, &b->item_capacity, b->item_count, n, sizeof *b->items,
                   ITEMS_MIN);
}
