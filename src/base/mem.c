/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The heap behind one door: every block carries its size in front, so what is
 * live can be counted, and any allocation can be made to fail by a test. The
 * only file that calls malloc. Any thread; never on the record path.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In front of each block; as large as the strictest alignment malloc gives. */
struct head {
    _Alignas(16) size_t size;
    size_t mark;
};
#define LIVE_MARK ((size_t)0x6f7269656c6c6976u)
#define DEAD_MARK ((size_t)0x6f7269656c646561u)

_Static_assert(sizeof(struct head) == 16, "blocks stay aligned as malloc aligned them");

/* Counters only: nothing is ordered by them, so relaxed is enough. */
static size_t live_bytes, live_blocks;
static uint64_t fail_in; /* 0: never; n: the n-th allocation from now fails */

void mem_fail_after(uint64_t n)
{
    __atomic_store_n(&fail_in, n, __ATOMIC_RELAXED);
}

#if !defined(__OPTIMIZE__) || defined(ORIEL_CHECKED)
__attribute__((constructor)) static void fail_from_environment(void)
{
    const char *text = secure_getenv("ORIEL_TEST_MEM_FAIL");
    if (text)
        mem_fail_after(strtoull(text, NULL, 10));
}
#endif

/* True when a test wants this allocation to fail. */
static bool must_fail(void)
{
    uint64_t left = __atomic_load_n(&fail_in, __ATOMIC_RELAXED);
    while (left > 0)
        if (__atomic_compare_exchange_n(&fail_in, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return left == 1;
    return false;
}

static void count(size_t added, size_t removed, int blocks)
{
    __atomic_fetch_add(&live_bytes, added - removed, __ATOMIC_RELAXED);
    if (blocks)
        __atomic_fetch_add(&live_blocks, (size_t)blocks, __ATOMIC_RELAXED);
}

static void *finish(struct head *h, size_t size)
{
    if (!h)
        return NULL;
    h->size = size;
    h->mark = LIVE_MARK;
    count(size, 0, 1);
    return h + 1;
}

void *mem_alloc(size_t size)
{
    if (size > PTRDIFF_MAX - sizeof(struct head) || must_fail())
        return NULL;
    return finish(malloc(sizeof(struct head) + size), size);
}

void *mem_calloc(size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total) || total > PTRDIFF_MAX - sizeof(struct head) ||
        must_fail())
        return NULL;
    return finish(calloc(1, sizeof(struct head) + total), total);
}

void *mem_realloc(void *p, size_t size)
{
    if (!p)
        return mem_alloc(size);
    if (size > PTRDIFF_MAX - sizeof(struct head) || must_fail())
        return NULL;
    struct head *h = (struct head *)p - 1;
    assert(h->mark == LIVE_MARK);
    size_t before = h->size;
    h = realloc(h, sizeof *h + size);
    if (!h)
        return NULL;
    h->size = size;
    count(size, before, 0);
    return h + 1;
}

void mem_free(void *p)
{
    if (!p)
        return;
    struct head *h = (struct head *)p - 1;
    assert(h->mark == LIVE_MARK);             /* not ours, or freed twice */
    *(volatile size_t *)&h->mark = DEAD_MARK; /* or the store is dropped as dead */
    count(0, h->size, -1);
    free(h);
}

char *mem_strndup(const char *s, size_t n)
{
    assert(s || n == 0);
    size_t len = n ? strnlen(s, n) : 0;
    char *copy = mem_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

size_t mem_live_bytes(void)
{
    return __atomic_load_n(&live_bytes, __ATOMIC_RELAXED);
}

size_t mem_live_blocks(void)
{
    return __atomic_load_n(&live_blocks, __ATOMIC_RELAXED);
}
