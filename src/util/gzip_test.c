/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gzip there and back; every cut and every changed byte is noticed.
 */
#include "util/gzip.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "random.h"
#include "test.h"

static void fill(struct buf *b, size_t n, unsigned kinds)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (char)(random_next(&seed) >> 56) % (char)kinds);
}

TEST(what_is_compressed_comes_back)
{
    static const size_t sizes[] = {0,     0,     1,     1,     100,     100,
                                   65535, 65535, 65536, 65537, 1000000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf plain, packed, back;
        buf_init(&plain), buf_init(&packed), buf_init(&back);
        fill(&plain, sizes[i], 7);
        buf_puts(&packed, "before");
        CHECK_EQ(i % 2 ? gzip_compress_fast(plain.data, plain.size, &packed)
                       : gzip_compress(plain.data, plain.size, &packed),
                 0);
        CHECK(gzip_is(packed.data + 6, packed.size - 6));
        buf_puts(&back, "kept");
        CHECK_EQ(gzip_decompress(packed.data + 6, packed.size - 6, sizes[i], &back), 0);
        CHECK_EQ(back.size, 4 + plain.size);
        CHECK(plain.size == 0 || memcmp(back.data + 4, plain.data, plain.size) == 0);
        if (sizes[i])
            CHECK_EQ(gzip_decompress(packed.data + 6, packed.size - 6, sizes[i] - 1, &back),
                     ORIEL_ELIMIT);
        CHECK_EQ(back.size, 4 + plain.size);
        buf_done(&plain), buf_done(&packed), buf_done(&back);
    }
}

TEST(a_cut_a_tail_and_a_changed_byte_are_damage)
{
    struct buf plain, packed, back;
    buf_init(&plain), buf_init(&packed), buf_init(&back);
    fill(&plain, 3000, 50);
    REQUIRE(gzip_compress(plain.data, plain.size, &packed) == 0);
    for (size_t n = 0; n < packed.size; n++)
        CHECK(gzip_decompress(packed.data, n, 1 << 20, &back) < 0);
    for (size_t at = 10; at < packed.size; at += 7) {
        packed.data[at] ^= 0x55;
        CHECK(gzip_decompress(packed.data, packed.size, 1 << 20, &back) < 0);
        packed.data[at] ^= 0x55;
    }
    buf_puts(&packed, "more");
    CHECK_EQ(gzip_decompress(packed.data, packed.size, 1 << 20, &back), ORIEL_EDAMAGED);
    CHECK_EQ(gzip_decompress("plain", 5, 1 << 20, &back), ORIEL_EDAMAGED);
    CHECK_EQ(back.size, 0);
    buf_done(&plain), buf_done(&packed), buf_done(&back);
}

TEST(without_memory_it_says_so_and_leaks_nothing)
{
    struct buf plain;
    buf_init(&plain);
    fill(&plain, 5000, 100);
    size_t blocks = mem_live_blocks();
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 100; n++) {
        struct buf packed, back;
        buf_init(&packed), buf_init(&back);
        mem_fail_after(n);
        rc = gzip_compress(plain.data, plain.size, &packed);
        if (rc == 0)
            rc = gzip_decompress(packed.data, packed.size, 1 << 20, &back);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        buf_done(&packed), buf_done(&back);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK_EQ(rc, 0);
    buf_done(&plain);
}

TEST_MAIN()
