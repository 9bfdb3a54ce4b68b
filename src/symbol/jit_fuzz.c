/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a file in which a compiler tells what it made at run time. What
 * comes out must be a table that its own reader takes, of asked addresses only.
 */
#include <stdlib.h>

#include "symbol/jit.h"
#include "symbol/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED = 512 };

static int order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t addrs[ASKED];
    struct job_result result;
    struct table t;
    struct buf image;
    size_t n = 0;
    /* What may be an address in there, as text and as a word. */
    for (size_t i = 0; i + 8 < size && n < ASKED - 2; i++) {
        char text[17] = {0};
        if (i > 0 && data[i - 1] != '\n' && i % 8 != 0)
            continue;
        memcpy(text, data + i, size - i < 16 ? size - i : 16);
        addrs[n++] = strtoull(text, NULL, 16);
        memcpy(&addrs[n++], data + i, sizeof *addrs);
    }
    qsort(addrs, n, sizeof *addrs, order);
    struct job job = {.file = {data, size}, .asked = {addrs, n}};
    buf_init(&image);
    int rc = jit_run(NULL, &job, &image, &result);
    if (rc == 0 && table_open(&t, image.data, image.size) != 0)
        abort();
    for (size_t i = 0; rc == 0 && i < t.segments; i++)
        if (t.length[i] > ASKED || !bsearch(&t.start[i], addrs, n, sizeof *addrs, order))
            abort();
    buf_done(&image);
    return 0;
}
