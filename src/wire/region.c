/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where everything lies in a region: one function computes it, and checking a
 * foreign header means computing it again from the header's own counts. Pure
 * arithmetic, no state; runs in the observed program and in its reader.
 */
#include "wire/region.h"

#include <assert.h>
#include <string.h>

#include <oriel/abi/site.h>

#include "base/err.h"

#define META_BYTES_MIN UINT64_C(4096)
#define META_BYTES_MAX (UINT64_C(256) << 20)

static uint64_t page_up(uint64_t n)
{
    return (n + WIRE_PAGE - 1) & ~(uint64_t)(WIRE_PAGE - 1);
}

static int counts_in_range(uint32_t chunks, uint32_t threads, uint32_t processes,
                           uint64_t meta_bytes)
{
    return chunks >= WIRE_CHUNKS_MIN && chunks <= WIRE_CHUNKS_MAX && threads >= 1 &&
           threads <= WIRE_THREADS_MAX && processes >= 1 && processes <= WIRE_PROCESSES_MAX &&
           meta_bytes >= META_BYTES_MIN && meta_bytes <= META_BYTES_MAX;
}

uint64_t wire_region_layout(struct wire_region *out, uint32_t chunks, uint32_t threads,
                            uint32_t processes, uint64_t meta_bytes)
{
    /* With these bounds no sum below comes near 2^64. */
    if (!counts_in_range(chunks, threads, processes, meta_bytes))
        return 0;
    memset(out, 0, sizeof *out);
    memcpy(out->magic, WIRE_REGION_MAGIC, sizeof out->magic);
    out->version = WIRE_REGION_VERSION;
    out->endian = WIRE_REGION_ENDIAN;
    out->abi_version = ORIEL_ABI_VERSION;
    out->chunk_bytes = WIRE_CHUNK_BYTES;
    out->chunk_count = chunks;
    out->thread_count = threads;
    out->process_count = processes;
    out->process_off = WIRE_PAGE;
    out->thread_off = out->process_off + page_up((uint64_t)processes * sizeof(struct wire_process));
    out->desc_off = out->thread_off + page_up((uint64_t)threads * sizeof(struct oriel_thread));
    out->meta_off = out->desc_off + page_up((uint64_t)chunks * sizeof(struct wire_chunk));
    out->meta_bytes = page_up(meta_bytes);
    out->chunk_off = out->meta_off + out->meta_bytes;
    out->size = out->chunk_off + (uint64_t)chunks * WIRE_CHUNK_BYTES;
    out->free_chunks = chunks;
    assert(out->size % WIRE_PAGE == 0 && out->chunk_off % WIRE_PAGE == 0);
    return out->size;
}

static int same_layout(const struct wire_region *a, const struct wire_region *b)
{
    return a->size == b->size && a->chunk_bytes == b->chunk_bytes &&
           a->process_off == b->process_off && a->thread_off == b->thread_off &&
           a->desc_off == b->desc_off && a->meta_off == b->meta_off &&
           a->meta_bytes == b->meta_bytes && a->chunk_off == b->chunk_off;
}

int wire_region_check(const struct wire_region *header, uint64_t mapped)
{
    struct wire_region expected;
    if (mapped < WIRE_PAGE || memcmp(header->magic, WIRE_REGION_MAGIC, sizeof header->magic) != 0)
        return ORIEL_EFORMAT;
    if (header->endian != WIRE_REGION_ENDIAN || header->version != WIRE_REGION_VERSION ||
        header->abi_version != ORIEL_ABI_VERSION)
        return ORIEL_EVERSION;
    if (!wire_region_layout(&expected, header->chunk_count, header->thread_count,
                            header->process_count, header->meta_bytes))
        return ORIEL_EFORMAT;
    if (!same_layout(header, &expected) || header->size > mapped)
        return ORIEL_EFORMAT;
    if (header->policy > WIRE_POLICY_OVERWRITE_OLDEST || header->clock > ORIEL_CLOCK_CNTVCT)
        return ORIEL_EFORMAT;
    return 0;
}
