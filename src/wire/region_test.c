/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The layout of a region, and that a header which disagrees with it in any
 * field is refused.
 */
#include "wire/region.h"

#include <stdint.h>

#include "base/err.h"
#include "test.h"

static struct wire_region good(uint64_t *out_size)
{
    struct wire_region h;
    *out_size = wire_region_layout(&h, 64, 16, 4, 1 << 16);
    REQUIRE(*out_size > 0);
    return h;
}

TEST(parts_follow_each_other_without_overlap)
{
    uint64_t size;
    struct wire_region h = good(&size);
    CHECK_EQ(h.size, size);
    CHECK(h.process_off >= sizeof h);
    CHECK(h.thread_off >= h.process_off + 4 * sizeof(struct wire_process));
    CHECK(h.desc_off >= h.thread_off + 16 * sizeof(struct oriel_thread));
    CHECK(h.meta_off >= h.desc_off + 64 * sizeof(struct wire_chunk));
    CHECK(h.chunk_off >= h.meta_off + h.meta_bytes);
    CHECK_EQ(h.chunk_off + 64u * WIRE_CHUNK_BYTES, size);
    CHECK_EQ(h.free_chunks, 64);
    CHECK_EQ(h.thread_off % 64 + h.desc_off % 64 + h.chunk_off % 4096, 0);
}

TEST(accessors_stay_inside)
{
    uint64_t size;
    struct wire_region h = good(&size);
    char *base = (char *)(uintptr_t)0x10000000;
    CHECK((char *)(wire_region_process(&h, base, 3) + 1) <= base + h.thread_off);
    CHECK((char *)(wire_region_thread(&h, base, 15) + 1) <= base + h.desc_off);
    CHECK((char *)(wire_region_desc(&h, base, 63) + 1) <= base + h.meta_off);
    CHECK(wire_region_chunk(&h, base, 63) + WIRE_CHUNK_BYTES == base + size);
}

TEST(counts_out_of_range_have_no_layout)
{
    struct wire_region h;
    CHECK_EQ(wire_region_layout(&h, WIRE_CHUNKS_MIN - 1, 16, 4, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, WIRE_CHUNKS_MAX + 1, 16, 4, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, 64, 0, 4, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, 64, WIRE_THREADS_MAX + 1, 4, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, 64, 16, 0, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, 64, 16, WIRE_PROCESSES_MAX + 1, 1 << 16), 0);
    CHECK_EQ(wire_region_layout(&h, 64, 16, 4, 4095), 0);
    CHECK_EQ(wire_region_layout(&h, 64, 16, 4, UINT64_MAX), 0);
    CHECK(wire_region_layout(&h, WIRE_CHUNKS_MAX, WIRE_THREADS_MAX, WIRE_PROCESSES_MAX, 256 << 20) >
          UINT64_C(4) << 30);
}

TEST(a_header_of_ours_passes)
{
    uint64_t size;
    struct wire_region h = good(&size);
    CHECK_EQ(wire_region_check(&h, size), 0);
    CHECK_EQ(wire_region_check(&h, size + 1), 0);
    h.policy = WIRE_POLICY_OVERWRITE_OLDEST;
    h.clock = ORIEL_CLOCK_MONOTONIC;
    CHECK_EQ(wire_region_check(&h, size), 0);
}

TEST(a_mapping_that_is_too_short_is_refused)
{
    uint64_t size;
    struct wire_region h = good(&size);
    CHECK_EQ(wire_region_check(&h, size - 1), ORIEL_EFORMAT);
    CHECK_EQ(wire_region_check(&h, 0), ORIEL_EFORMAT);
}

TEST(another_version_is_told_apart_from_garbage)
{
    uint64_t size;
    struct wire_region h = good(&size);
    h.version++;
    CHECK_EQ(wire_region_check(&h, size), ORIEL_EVERSION);
    h = good(&size);
    h.abi_version++;
    CHECK_EQ(wire_region_check(&h, size), ORIEL_EVERSION);
    h = good(&size);
    h.endian = __builtin_bswap32(h.endian);
    CHECK_EQ(wire_region_check(&h, size), ORIEL_EVERSION);
    h = good(&size);
    h.magic[7] ^= 1;
    CHECK_EQ(wire_region_check(&h, size), ORIEL_EFORMAT);
}

/* Bytes of the header that the layout does not determine. */
static bool is_free(size_t at)
{
    return (at >= offsetof(struct wire_region, flags) && at < offsetof(struct wire_region, size)) ||
           at >= offsetof(struct wire_region, session_id);
}

static bool parts_fit(const struct wire_region *h)
{
    return h->process_off + h->process_count * sizeof(struct wire_process) <= h->thread_off &&
           h->thread_off + h->thread_count * sizeof(struct oriel_thread) <= h->desc_off &&
           h->desc_off + h->chunk_count * sizeof(struct wire_chunk) <= h->meta_off &&
           h->meta_off + h->meta_bytes <= h->chunk_off &&
           h->chunk_off + (uint64_t)h->chunk_count * h->chunk_bytes <= h->size;
}

TEST(every_flipped_bit_is_noticed_or_harmless)
{
    uint64_t size;
    unsigned refused = 0;
    struct wire_region h = good(&size);
    for (size_t bit = 0; bit < sizeof h * 8; bit++) {
        struct wire_region bad = h;
        ((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int rc = wire_region_check(&bad, size);
        if (is_free(bit / 8))
            CHECK_EQ(rc, 0);
        else if (rc == 0) /* a count within the same pages, another policy or clock */
            CHECK(parts_fit(&bad) && bad.policy <= 1 && bad.clock <= 2);
        else
            refused++;
    }
    CHECK(refused > 8 * (offsetof(struct wire_region, session_id) - 8 - 16) - 16);
}

TEST(a_claim_remembers_who_made_it)
{
    uint32_t word = wire_claim(WIRE_CHUNK_CLAIMED, 4096);
    CHECK_EQ(wire_state(word), WIRE_CHUNK_CLAIMED);
    CHECK_EQ(wire_claimer(word), 4096);
    CHECK_EQ(wire_claimer(wire_claim(1, 4194304)), 4194304); /* the largest pid there is */
    CHECK_EQ(wire_claimer(ORIEL_THREAD_CLAIMED), 0);
}

TEST_MAIN()
