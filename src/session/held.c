/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A queue of blocks, each a sequence of records with their words. A new block is
 * made until there are as many as may be; then the oldest one is the new one.
 * Sites, threads and stacks belong to the catalog, which outlives them.
 */
#include "session/held.h"

#include <assert.h>

#include "base/mem.h"

struct held_block {
    struct held_block *next;
    size_t used, given; /* bytes */
    uint64_t bytes[HELD_BLOCK_BYTES / sizeof(uint64_t)];
};
_Static_assert(sizeof(struct model_record) % sizeof(uint64_t) == 0, "entries stay aligned");
_Static_assert(sizeof(struct model_record) + ORIEL_RECORD_MAX_BYTES <= HELD_BLOCK_BYTES,
               "a block takes any record");

void held_init(struct held *h, uint64_t bytes, void (*give_up)(void *, const struct model_record *),
               void *user)
{
    *h = (struct held){.give_up = give_up, .user = user};
    h->blocks_max = (size_t)(bytes / HELD_BLOCK_BYTES);
    if (bytes && h->blocks_max < 2)
        h->blocks_max = 2; /* one gives way while the other is filled */
}

void held_done(struct held *h)
{
    for (struct held_block *b = h->first, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    map_done(&h->open);
    VEC_DONE(&h->ends);
    memset(h, 0, sizeof *h);
}

/* ---- spans that were told to begin ---- */

static bool is_told(const struct held *h, const struct model_record *r)
{
    return r->type == ORIEL_REC_CLOSE && h->open.count && map_get(&h->open, r->raw_id);
}

/* Without memory a span may stay open, which the report tells as unfinished. */
static void passed(struct held *h, const struct model_record *r)
{
    if (r->type == ORIEL_REC_BEGIN)
        (void)map_put(&h->open, r->raw_id, 0);
    else if (r->type == ORIEL_REC_CLOSE)
        (void)map_remove(&h->open, r->raw_id);
}

void held_passed(struct held *h, const struct model_batch *b)
{
    for (size_t i = 0; h->blocks_max && i < b->record_count; i++)
        passed(h, &b->records[i]);
}

static void give_up(struct held *h, const struct model_record *r)
{
    struct held_end *end = NULL;
    if (is_told(h, r) && r->words <= HELD_END_WORDS && h->ends.count < HELD_ENDS_MAX)
        end = VEC_PUSH(&h->ends);
    if (!end) {
        h->give_up(h->user, r);
        return;
    }
    end->record = *r;
    memcpy(end->words, r->raw, r->words * sizeof *r->raw);
}

/* ---- blocks ---- */

/* The entry at `given`; its words lie behind it. */
static struct model_record *entry_at(struct held_block *b)
{
    assert(b->given + sizeof(struct model_record) <= b->used);
    return (struct model_record *)(void *)((uint8_t *)b->bytes + b->given);
}

static size_t entry_bytes(const struct model_record *r)
{
    return sizeof *r + r->words * sizeof *r->raw;
}

static struct held_block *take_first(struct held *h)
{
    struct held_block *b = h->first;
    h->first = b->next;
    if (!h->first)
        h->last = NULL;
    h->blocks--;
    return b;
}

/* A block behind the last: a new one, or the oldest. NULL: no memory for a single one. */
static struct held_block *add_block(struct held *h)
{
    struct held_block *b = h->blocks < h->blocks_max ? mem_alloc(sizeof *b) : NULL;
    if (!b && h->first) {
        b = take_first(h);
        for (; b->given < b->used; b->given += entry_bytes(entry_at(b)))
            give_up(h, entry_at(b));
    }
    if (!b)
        return NULL;
    b->next = NULL;
    b->used = b->given = 0;
    *(h->last ? &h->last->next : &h->first) = b;
    h->last = b;
    h->blocks++;
    return b;
}

static void hold(struct held *h, const struct model_record *r)
{
    const size_t bytes = entry_bytes(r);
    struct held_block *b = h->last;
    assert(bytes <= sizeof b->bytes);
    if (!b || b->used + bytes > sizeof b->bytes)
        b = add_block(h);
    if (!b) {
        give_up(h, r);
        return;
    }
    struct model_record *copy = (struct model_record *)(void *)((uint8_t *)b->bytes + b->used);
    *copy = *r;
    copy->raw = (const uint64_t *)(copy + 1);
    memcpy(copy + 1, r->raw, r->words * sizeof *r->raw);
    b->used += bytes;
}

void held_take(struct held *h, const struct model_batch *from)
{
    assert(h->blocks_max > 0 && h->give_up);
    for (size_t i = 0; i < from->record_count; i++)
        hold(h, &from->records[i]);
}

/* ---- asked for ---- */

/* False: no memory, it stays. */
static bool give(struct held *h, struct model_batch *out, const struct model_record *r,
                 const uint64_t *words)
{
    uint64_t *raw = arena_alloc(&out->arena, r->words * sizeof *raw, sizeof *raw);
    struct model_record *copy = raw ? model_batch_add_record(out) : NULL;
    if (!copy)
        return false;
    memcpy(raw, words, r->words * sizeof *raw);
    *copy = *r;
    copy->raw = raw;
    passed(h, r);
    return true;
}

bool held_give(struct held *h, struct model_batch *out, size_t max)
{
    for (; h->ends_given < h->ends.count; h->ends_given++) { /* older than all others */
        const struct held_end *e = &h->ends.items[h->ends_given];
        if (out->record_count >= max || !give(h, out, &e->record, e->words))
            return true;
    }
    h->ends.count = h->ends_given = 0;
    for (; h->first; mem_free(take_first(h))) {
        for (struct held_block *b = h->first; b->given < b->used;) {
            const struct model_record *r = entry_at(b);
            if (out->record_count >= max || !give(h, out, r, r->raw))
                return true;
            b->given += entry_bytes(r);
        }
    }
    return false;
}
