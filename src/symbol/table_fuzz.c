/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a table as the cache or a child may hand it over. The checksum is
 * made right, so that what lies behind it is reached. A table that is taken must
 * be safe to walk, and to be merged into another.
 */
#include <stdlib.h>

#include "base/err.h"
#include "symbol/table.h"
#include "util/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct table *t)
{
    size_t sum = 0;
    for (size_t i = 0; i < t->segments; i++) {
        if (table_find(t, t->start[i], i / 2) != i)
            abort();
        sum += strlen(t->strings + t->file[i]);
        for (uint32_t node = t->node[i]; node != TABLE_NONE; node = t->nodes[node].parent)
            sum += strlen(t->strings + t->nodes[node].name) +
                   strlen(t->strings + t->nodes[node].linkage) +
                   strlen(t->strings + t->nodes[node].call_file);
    }
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_maker maker;
    struct table_header h;
    struct table t, again;
    struct buf image;
    char *copy = aligned_alloc(16, (size + 31) & ~(size_t)15);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (size >= sizeof h) {
        memcpy(&h, copy, sizeof h);
        h.bytes = size;
        memcpy(copy, &h, sizeof h);
        h.crc = crc32c(0, copy + 16, size - 16);
        memcpy(copy, &h, sizeof h);
    }
    buf_init(&image);
    if (table_open(&t, copy, size) == 0 && table_maker_init(&maker) == 0) {
        walk(&t);
        if (table_maker_add_table(&maker, &t) != 0 ||
            table_maker_finish(&maker, 0, (struct bytes){NULL, 0}, &image) != 0 ||
            table_open(&again, image.data, image.size) != 0)
            abort();
        table_maker_done(&maker);
    }
    buf_done(&image);
    free(copy);
    return 0;
}
