/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a whole ELF file with its DWARF, symbols, packed sections and
 * names, asked for addresses all over its code. What comes out must be a table
 * that its own reader takes. The file answers its own questions for others, so
 * that shared and split files are read too.
 */
#include <stdlib.h>

#include "symbol/elf_file.h"
#include "symbol/job.h"
#include "symbol/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED = 256 };

static bool answer(void *ctx, const struct job_question *q, struct job_answer *out)
{
    if (q->nth > 0)
        return false;
    *out = (struct job_answer){*(struct bytes *)ctx, 1};
    return true;
}

/* Addresses spread over the executable sections. */
static size_t choose(const struct elf_file *f, uint64_t *addrs)
{
    size_t n = 0;
    for (uint32_t i = 0; i < f->section_count && n < ASKED - 34; i++) {
        const struct elf_section *s = &f->sections[i];
        if (!(s->flags & 4) || s->size == 0)
            continue;
        for (uint64_t k = 0; k < 32; k++)
            addrs[n++] = s->addr + s->size / 32 * k;
        addrs[n++] = s->addr + s->size - 1;
    }
    addrs[n++] = 0;
    /* Few: sort by insertion. */
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && addrs[k - 1] > addrs[k]; k--) {
            uint64_t swap = addrs[k];
            addrs[k] = addrs[k - 1];
            addrs[k - 1] = swap;
        }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes file = {data, size};
    uint64_t addrs[ASKED];
    struct elf_file f;
    struct buf image;
    struct job_result result;
    struct table t;
    size_t n = elf_file_open(&f, file, NULL) == 0 ? choose(&f, addrs) : 0;
    elf_file_close(&f);
    buf_init(&image);
    struct job job = {.file = file, .asked = {addrs, n}, .ask = answer, .ctx = &file};
    int rc = job_run(&job, &image, &result);
    if (rc == 0 && table_open(&t, image.data, image.size) != 0)
        abort();
    for (size_t i = 0; i < n && rc == 0; i++)
        if (addrs[i] != UINT64_MAX && table_find(&t, addrs[i], 0) == SIZE_MAX)
            abort(); /* every question is answered, if only by "unknown" */
    buf_done(&image);
    return 0;
}
