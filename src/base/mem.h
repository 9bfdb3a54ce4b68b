/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All heap memory goes through here: counted, and told to fail by tests.
 * Thread safe. Never called on the record path.
 */
#ifndef ORIEL_BASE_MEM_H
#define ORIEL_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* NULL when out of memory. mem_calloc checks for overflow of n * size. */
void *mem_alloc(size_t size);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *p, size_t size); /* p stays valid on failure */
void mem_free(void *p);                  /* takes NULL */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Bytes asked for and not yet freed, and number of such blocks. */
size_t mem_live_bytes(void);
size_t mem_live_blocks(void);

/* Tests: fail the n-th allocation from now (1 = the next), 0 = never.
 * Also set at start from ORIEL_TEST_MEM_FAIL in debug builds. */
void mem_fail_after(uint64_t n);

/* An arena: bump allocation in blocks, everything freed at once. Not thread
 * safe. Reset keeps the blocks for reuse. */
struct arena {
    struct arena_block *first, *current;
    size_t used; /* in current */
};
void arena_init(struct arena *a);
void *arena_alloc(struct arena *a, size_t size, size_t align);  /* NULL: no memory */
char *arena_copy(struct arena *a, const void *bytes, size_t n); /* adds a NUL */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);

#endif
