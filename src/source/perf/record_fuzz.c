/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as records of the kernel's rings. What decode calls
 * good lies within the record, and address spaces take it.
 */
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "source/perf/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool within(const void *p, size_t n, const uint8_t *at, size_t bytes)
{
    const uint8_t *q = p;
    return n == 0 || (q >= at && q <= at + bytes && n <= (size_t)(at + bytes - q));
}

static void check(const struct perf_record *r, const uint8_t *at, size_t bytes)
{
    if (r->type == PERF_RECORD_SAMPLE) {
        require(within(r->u.sample.chain, r->u.sample.chain_count * 8, at, bytes));
        require(within(r->u.sample.user.stack, r->u.sample.user.stack_bytes, at, bytes));
    } else if (r->type == PERF_RECORD_MMAP2 || r->type == PERF_RECORD_MMAP) {
        require(within(r->u.map.path, strlen(r->u.map.path) + 1, at, bytes));
        require(r->u.map.build_id_bytes <= sizeof r->u.map.build_id);
    } else if (r->type == PERF_RECORD_COMM) {
        require(within(r->u.comm.name, strlen(r->u.comm.name) + 1, at, bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct source_bytes gone;
    struct model_catalog catalog;
    struct spaces spaces;
    model_catalog_init(&catalog);
    spaces_init(&spaces, &catalog);
    spaces.past = &gone; /* touches no process that runs, and no file */
    for (size_t at = 0; size - at >= sizeof(struct perf_event_header);) {
        struct perf_event_header h;
        struct perf_record r;
        uint64_t time;
        memcpy(&h, data + at, sizeof h);
        if (h.size < sizeof h || h.size > size - at)
            break;
        (void)perf_record_time(data + at, h.size, &time);
        if (perf_record_decode(data + at, h.size, &r)) {
            check(&r, data + at, h.size);
            spaces_record(&spaces, &r);
            if (r.type == PERF_RECORD_SAMPLE)
                require(spaces_stack(&spaces, &r, NULL) <= catalog.stacks.node_count);
        }
        at += h.size;
    }
    spaces_done(&spaces);
    model_catalog_done(&catalog);
    return 0;
}
