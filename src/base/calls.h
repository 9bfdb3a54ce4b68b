/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of functions whose calls a program records: made by the recorder,
 * read by liboriel-calls in the program. A head, the functions by address, their
 * texts. Pure; any thread.
 */
#ifndef ORIEL_BASE_CALLS_H
#define ORIEL_BASE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLS_MAGIC UINT64_C(0x33736c6c61636f)
enum { CALLS_MAX = 60000, CALLS_DEPTH_MAX = 1024, CALLS_ENTRIES_MAX = 1 << 20 };

struct calls_head {
    uint64_t magic;
    uint32_t count, string_bytes;
    uint16_t depth;       /* levels of recorded calls inside each other; 1..CALLS_DEPTH_MAX */
    uint16_t sums;        /* 1: counted, not recorded each */
    uint32_t entry_count; /* of __patchable_function_entries: places with room for a call */
    uint64_t entries;     /* its address as in the ELF file */
};
struct calls_entry {
    uint64_t address;     /* as in the ELF file */
    uint32_t name, file;  /* offsets of texts; 0 = "" */
    uint32_t line, bytes; /* bytes: of its code */
};
_Static_assert(sizeof(struct calls_head) == 32 && sizeof(struct calls_entry) == 24, "no gaps");

static inline const struct calls_entry *calls_entries(const void *image)
{
    return (const struct calls_entry *)((const struct calls_head *)image + 1);
}
static inline const char *calls_text(const void *image, uint32_t id)
{
    const struct calls_head *h = (const struct calls_head *)image;
    return (const char *)(calls_entries(image) + h->count) + id;
}

/* Whether all of it lies inside, in order. */
static inline bool calls_check(const void *image, size_t n)
{
    const struct calls_head *h = (const struct calls_head *)image;
    if (n < sizeof *h || h->magic != CALLS_MAGIC || h->count > CALLS_MAX || h->string_bytes == 0 ||
        h->depth == 0 || h->depth > CALLS_DEPTH_MAX || h->sums > 1 ||
        h->entry_count > CALLS_ENTRIES_MAX ||
        n != sizeof *h + (uint64_t)h->count * sizeof(struct calls_entry) + h->string_bytes ||
        ((const char *)image)[n - 1] != 0)
        return false;
    const struct calls_entry *e = calls_entries(image);
    for (uint32_t i = 0; i < h->count; i++)
        if (e[i].name >= h->string_bytes || e[i].file >= h->string_bytes ||
            (i && e[i].address <= e[i - 1].address))
            return false;
    return true;
}

#endif
