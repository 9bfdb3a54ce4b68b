/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arenas: bump allocation in blocks that double up to a bound; everything dies
 * together. A reset keeps the blocks, so a steady load stops allocating. One
 * thread at a time.
 *
 *   first -> [used up] -> [current: used | free] -> [spare] -> [spare]
 */
#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK_MIN = 4096 - 64, BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    _Alignas(16) char data[];
};

void arena_init(struct arena *a)
{
    memset(a, 0, sizeof *a);
}

/* Where an allocation would start in a block filled up to `used`; false when
 * it does not fit. */
static bool fits(const struct arena_block *b, size_t used, size_t size, size_t align, size_t *at)
{
    size_t pad = (size_t) - ((uintptr_t)b->data + used) & (align - 1);
    if (used > b->size || pad > b->size - used || size > b->size - used - pad)
        return false;
    *at = used + pad;
    return true;
}

/* Take a spare block that is large enough and put it right behind current. */
static struct arena_block *take_spare(struct arena *a, size_t size, size_t align)
{
    struct arena_block **link = &a->current->next;
    for (struct arena_block *b; (b = *link); link = &b->next) {
        size_t at;
        if (!fits(b, 0, size, align, &at))
            continue;
        *link = b->next;
        b->next = a->current->next;
        a->current->next = b;
        return b;
    }
    return NULL;
}

static struct arena_block *add_block(struct arena *a, size_t size, size_t align)
{
    size_t want = a->current ? a->current->size * 2 : BLOCK_MIN;
    size_t need;
    if (__builtin_add_overflow(size, align, &need) ||
        need > PTRDIFF_MAX - sizeof(struct arena_block))
        return NULL;
    if (want > BLOCK_MAX)
        want = BLOCK_MAX;
    if (want < need)
        want = need;
    struct arena_block *b = mem_alloc(sizeof *b + want);
    if (!b)
        return NULL;
    b->size = want;
    b->next = a->current ? a->current->next : NULL;
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size, size_t align)
{
    size_t at = 0;
    assert(align && (align & (align - 1)) == 0);
    if (!a->current || !fits(a->current, a->used, size, align, &at)) {
        struct arena_block *b = a->current ? take_spare(a, size, align) : NULL;
        if (!b)
            b = add_block(a, size, align);
        if (!b)
            return NULL;
        a->current = b;
        bool ok = fits(b, 0, size, align, &at);
        assert(ok);
        (void)ok;
    }
    a->used = at + size;
    return a->current->data + at;
}

char *arena_copy(struct arena *a, const void *bytes, size_t n)
{
    char *p = n < PTRDIFF_MAX ? arena_alloc(a, n + 1, 1) : NULL;
    if (!p)
        return NULL;
    if (n)
        memcpy(p, bytes, n);
    p[n] = 0;
    return p;
}

void arena_reset(struct arena *a)
{
    a->current = a->first;
    a->used = 0;
}

void arena_done(struct arena *a)
{
    for (struct arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    memset(a, 0, sizeof *a);
}
