/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compiled table. A row is a 32-bit start and a 16-bit number into the few
 * different rows a module has; pages of addresses say where to begin searching.
 * Built by one thread with heap memory, never in a signal handler.
 */
#include "unwind/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "unwind/eh_frame.h"

enum { ROWS_PER_PAGE = 4, UNIQUE_MAX = UINT16_MAX };

/* Side by side, so that a row costs one line of the processor's cache. */
struct entry {
    uint32_t start;
    uint16_t number;
} __attribute__((packed));
_Static_assert(sizeof(struct entry) == 6, "bytes of a row");

struct unwind_table {
    uint64_t base; /* va of start 0 */
    uint64_t span; /* bytes described */
    struct entry *entries;
    uint32_t *pages;
    unwind_row *rows;
    size_t count, capacity, page_count, unique, unique_capacity;
    unsigned page_shift;
    struct map known; /* only while building */
};

struct function {
    uint64_t begin, end;
    size_t offset;
};
struct functions {
    struct function *items;
    size_t count, capacity;
};

static bool grow(void **p, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t n = *capacity ? *capacity * 2 : 256;
    void *grown = mem_realloc(*p, n * size);
    if (!grown)
        return false;
    *p = grown;
    *capacity = n;
    return true;
}

static int by_begin(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Every function there is: FDEs lie in no order. */
static int collect(const struct eh_frame *eh, struct functions *out)
{
    struct eh_fde fde;
    size_t offset = 0;
    bool sorted = true;
    while (eh_frame_next(eh, &offset, &fde)) {
        if (fde.begin == fde.end || fde.begin == 0) /* 0: dropped by the linker */
            continue;
        if (!grow((void **)&out->items, &out->capacity, out->count, sizeof *out->items))
            return ORIEL_ENOMEM;
        sorted &= out->count == 0 || out->items[out->count - 1].begin < fde.begin;
        out->items[out->count++] = (struct function){fde.begin, fde.end, fde.offset};
    }
    if (out->count == 0)
        return ORIEL_EFORMAT;
    if (!sorted)
        qsort(out->items, out->count, sizeof *out->items, by_begin);
    return ORIEL_OK;
}

/* The number of a row, new or known; a module with more different ones than
 * fit has the rest run by their rules. */
static int number_of(struct unwind_table *t, unwind_row row, uint16_t *out)
{
    if (t->unique >= UNIQUE_MAX && !map_get(&t->known, row))
        row = unwind_row_make(UNWIND_BY_RULES, 0, 0, 0, 0);
    uint64_t *number = map_put(&t->known, row, t->unique);
    if (!number)
        return ORIEL_ENOMEM;
    *out = (uint16_t)*number;
    if (*number != t->unique)
        return ORIEL_OK;
    if (!grow((void **)&t->rows, &t->unique_capacity, t->unique, sizeof *t->rows))
        return ORIEL_ENOMEM;
    t->rows[t->unique++] = row;
    return ORIEL_OK;
}

static int add_row(struct unwind_table *t, uint64_t va, unwind_row row)
{
    uint64_t start = va - t->base;
    uint16_t number;
    int rc = number_of(t, row, &number);
    if (rc != ORIEL_OK)
        return rc;
    if (start > UINT32_MAX)
        return ORIEL_ELIMIT;
    if (t->count && t->entries[t->count - 1].number == number)
        return ORIEL_OK;
    if (!grow((void **)&t->entries, &t->capacity, t->count, sizeof *t->entries))
        return ORIEL_ENOMEM;
    assert(t->count == 0 || t->entries[t->count - 1].start <= start);
    t->entries[t->count++] = (struct entry){(uint32_t)start, number};
    return ORIEL_OK;
}

/* The rows of one function, from `from` on: what lies before belongs to another. */
static int add_function(struct unwind_table *t, const struct eh_frame *eh, const struct function *f,
                        uint64_t from)
{
    struct eh_fde fde;
    struct eh_machine m;
    size_t offset = f->offset;
    uint64_t reached = from;
    int rc = ORIEL_OK;
    if (!eh_frame_next(eh, &offset, &fde) || fde.offset != f->offset)
        return ORIEL_EFORMAT;
    if (eh_machine_start(&m, eh, &fde)) {
        while (rc == ORIEL_OK && eh_machine_next(&m)) {
            if (m.rules.to <= from)
                continue;
            rc = add_row(t, reached, eh_row(eh, &fde, &m.rules));
            reached = m.rules.to;
        }
    }
    if (rc == ORIEL_OK && reached < fde.end)
        rc = add_row(t, reached, unwind_row_make(UNWIND_NONE, 0, 0, 0, 0));
    return rc;
}

static int add_functions(struct unwind_table *t, const struct eh_frame *eh,
                         const struct functions *all)
{
    uint64_t reached = t->base = all->items[0].begin;
    for (size_t i = 0; i < all->count; i++) {
        const struct function *f = &all->items[i];
        int rc = ORIEL_OK;
        if (f->end <= reached) /* within another */
            continue;
        if (f->begin > reached)
            rc = add_row(t, reached, unwind_row_make(UNWIND_NONE, 0, 0, 0, 0));
        if (rc == ORIEL_OK)
            rc = add_function(t, eh, f, f->begin > reached ? f->begin : reached);
        if (rc != ORIEL_OK)
            return rc;
        reached = f->end;
    }
    t->span = reached - t->base;
    return t->span <= UINT32_MAX ? ORIEL_OK : ORIEL_ELIMIT;
}

/* pages[p] is the last row that begins at or before the page's first byte. */
static int add_pages(struct unwind_table *t)
{
    while (t->span >> t->page_shift > t->count / ROWS_PER_PAGE + 1)
        t->page_shift++;
    t->page_count = (size_t)(t->span >> t->page_shift) + 1;
    t->pages = mem_calloc(t->page_count + 1, sizeof *t->pages);
    if (!t->pages)
        return ORIEL_ENOMEM;
    size_t row = 0;
    for (size_t p = 0; p < t->page_count; p++) {
        uint64_t first = (uint64_t)p << t->page_shift;
        while (row + 1 < t->count && t->entries[row + 1].start <= first)
            row++;
        t->pages[p] = (uint32_t)row;
    }
    t->pages[t->page_count] = (uint32_t)t->count - 1;
    return ORIEL_OK;
}

int unwind_table_build(const struct eh_frame *eh, struct unwind_table **out)
{
    struct functions all = {0};
    struct unwind_table *t = mem_calloc(1, sizeof *t);
    if (!t)
        return ORIEL_ENOMEM;
    int rc = eh->frame ? collect(eh, &all) : ORIEL_EFORMAT;
    if (rc == ORIEL_OK)
        rc = add_functions(t, eh, &all);
    if (rc == ORIEL_OK)
        rc = add_pages(t);
    mem_free(all.items);
    map_done(&t->known);
    if (rc != ORIEL_OK)
        unwind_table_free(t);
    else
        *out = t;
    return rc;
}

void unwind_table_free(struct unwind_table *t)
{
    if (!t)
        return;
    mem_free(t->entries);
    mem_free(t->pages);
    mem_free(t->rows);
    map_done(&t->known);
    mem_free(t);
}

unwind_row unwind_table_find(const struct unwind_table *t, uint64_t va)
{
    uint64_t offset = va - t->base;
    if (offset >= t->span)
        return unwind_row_make(UNWIND_NONE, 0, 0, 0, 0);
    size_t page = (size_t)(offset >> t->page_shift);
    const struct entry *low = t->entries + t->pages[page];
    for (size_t n = t->pages[page + 1] - t->pages[page] + 1; n > 1;) {
        size_t half = n / 2;
        low += low[half].start <= offset ? half : 0;
        n -= half;
    }
    return t->rows[low->number];
}

size_t unwind_table_rows(const struct unwind_table *t)
{
    return t->count;
}

size_t unwind_table_bytes(const struct unwind_table *t)
{
    return t->count * sizeof *t->entries + t->page_count * sizeof *t->pages +
           t->unique * sizeof *t->rows;
}
