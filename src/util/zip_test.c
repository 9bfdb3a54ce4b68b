/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of compression: round trips, caps, damage. */
#include "util/zip.h"

#include <zstd.h>

#include "base/mem.h"
#include "random.h"
#include "test.h"

static struct zip *z;

static void fill(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)("the quick brown fox "[i % 20] + (i % 97 == 0));
}

TEST(what_goes_in_comes_out_with_one_context_for_all)
{
    static char text[1 << 20];
    static const size_t sizes[] = {0, 1, 100, 65536, 1 << 20, 3};
    struct buf packed, plain;
    fill(text, sizeof text);
    REQUIRE(zip_new(&z, 1) == 0);
    buf_init(&packed);
    buf_init(&plain);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buf_clear(&packed);
        buf_clear(&plain);
        buf_puts(&packed, "head");
        buf_puts(&plain, "kept");
        CHECK_EQ(zip_compress(z, text, sizes[i], &packed), 0);
        CHECK(memcmp(packed.data, "head", 4) == 0);
        CHECK_EQ(zip_decompress(z, packed.data + 4, packed.size - 4, sizes[i], &plain), 0);
        CHECK(memcmp(plain.data, "kept", 4) == 0);
        CHECK_MEM(plain.data + 4, plain.size - 4, text, sizes[i]);
    }
    buf_done(&packed);
    buf_done(&plain);
    zip_free(z);
    zip_free(NULL);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(numbers_are_packed_by_their_distribution)
{
    static uint8_t numbers[65536];
    struct buf packed, plain;
    uint64_t seed = 1;
    REQUIRE(zip_new(&z, 1) == 0);
    buf_init(&packed);
    buf_init(&plain);
    for (size_t i = 0; i < sizeof numbers; i++) {
        const uint64_t random = random_next(&seed);
        numbers[i] = (uint8_t)(random % 4 + random / 4 % 4); /* 2.7 bits each */
    }
    CHECK_EQ(zip_compress_numbers(z, numbers, sizeof numbers, &packed), 0);
    CHECK(packed.size < sizeof numbers * 3 / 8);
    CHECK_EQ(zip_decompress(z, packed.data, packed.size, sizeof numbers, &plain), 0);
    CHECK_MEM(plain.data, plain.size, numbers, sizeof numbers);
    buf_done(&packed);
    buf_done(&plain);
    zip_free(z);
}

TEST(the_cap_holds_whether_the_frame_tells_its_size_or_not)
{
    static char zeros[16 << 20], packed_stream[1 << 16];
    struct buf packed, plain;
    REQUIRE(zip_new(&z, 3) == 0);
    buf_init(&packed);
    buf_init(&plain);
    CHECK_EQ(zip_compress(z, zeros, sizeof zeros, &packed), 0);
    CHECK(packed.size < 4096);
    CHECK_EQ(zip_decompress(z, packed.data, packed.size, sizeof zeros - 1, &plain), ORIEL_ELIMIT);
    CHECK_EQ(plain.size, 0);
    CHECK_EQ(zip_decompress(z, packed.data, packed.size, sizeof zeros, &plain), 0);
    CHECK_EQ(plain.size, sizeof zeros);
    /* streamed, without a size in its header */
    ZSTD_CStream *s = ZSTD_createCStream();
    ZSTD_inBuffer in = {zeros, 5000000, 0};
    ZSTD_outBuffer out = {packed_stream, sizeof packed_stream, 0};
    REQUIRE(!ZSTD_isError(ZSTD_compressStream2(s, &out, &in, ZSTD_e_flush)));
    REQUIRE(ZSTD_compressStream2(s, &out, &in, ZSTD_e_end) == 0);
    ZSTD_freeCStream(s);
    REQUIRE(ZSTD_getFrameContentSize(packed_stream, out.pos) == ZSTD_CONTENTSIZE_UNKNOWN);
    buf_clear(&plain);
    CHECK_EQ(zip_decompress(z, packed_stream, out.pos, 4999999, &plain), ORIEL_ELIMIT);
    CHECK_EQ(plain.size, 0);
    CHECK_EQ(zip_decompress(z, packed_stream, out.pos, 5000000, &plain), 0);
    CHECK_EQ(plain.size, 5000000);
    buf_clear(&plain);
    CHECK_EQ(zip_decompress(z, packed_stream, out.pos - 1, 5000000, &plain), ORIEL_EDAMAGED);
    CHECK_EQ(plain.size, 0);
    buf_done(&packed);
    buf_done(&plain);
    zip_free(z);
}

TEST(a_small_frame_that_claims_to_be_huge_costs_nothing)
{
    /* magic, single segment with an 8-byte size of 1 GiB, one empty last block */
    static const char lie[] = "\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x40\x00\x00\x00\x00\x01\x00\x00";
    struct buf plain;
    REQUIRE(zip_new(&z, 1) == 0);
    buf_init(&plain);
    CHECK(zip_decompress(z, lie, 16, (size_t)1 << 31, &plain) != 0);
    CHECK(plain.capacity < (size_t)1 << 20);
    buf_done(&plain);
    zip_free(z);
}

TEST(cut_foreign_or_padded_input_is_damage)
{
    char text[1000];
    struct buf packed, plain;
    fill(text, sizeof text);
    REQUIRE(zip_new(&z, 1) == 0);
    buf_init(&packed);
    buf_init(&plain);
    CHECK_EQ(zip_compress(z, text, sizeof text, &packed), 0);
    for (size_t n = 0; n < packed.size; n++)
        CHECK_EQ(zip_decompress(z, packed.data, n, sizeof text, &plain), ORIEL_EDAMAGED);
    buf_puts(&packed, "more");
    CHECK_EQ(zip_decompress(z, packed.data, packed.size, sizeof text, &plain), ORIEL_EDAMAGED);
    CHECK_EQ(zip_decompress(z, "not zstd at all", 15, sizeof text, &plain), ORIEL_EDAMAGED);
    CHECK_EQ(plain.size, 0);
    /* flipped bits: an answer, whatever it is, and the next call works */
    packed.size -= 4;
    for (size_t bit = 0; bit < 8 * packed.size; bit++) {
        packed.data[bit / 8] ^= (char)(1 << bit % 8);
        buf_clear(&plain);
        zip_decompress(z, packed.data, packed.size, sizeof text, &plain);
        CHECK(plain.size <= sizeof text);
        packed.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_clear(&plain);
    CHECK_EQ(zip_decompress(z, packed.data, packed.size, sizeof text, &plain), 0);
    CHECK_MEM(plain.data, plain.size, text, sizeof text);
    buf_done(&packed);
    buf_done(&plain);
    zip_free(z);
}

TEST(every_allocation_may_fail)
{
    static char text[300000];
    fill(text, sizeof text);
    for (uint64_t n = 1;; n++) {
        struct buf packed, plain;
        buf_init(&packed);
        buf_init(&plain);
        z = NULL;
        mem_fail_after(n);
        int rc = zip_new(&z, 1);
        if (rc == 0)
            rc = zip_compress(z, text, sizeof text, &packed);
        if (rc == 0)
            rc = zip_decompress(z, packed.data, packed.size, sizeof text, &plain);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        zip_free(z);
        buf_done(&packed);
        buf_done(&plain);
        CHECK_EQ(mem_live_blocks(), 0);
        if (rc == 0) {
            CHECK_EQ(n, 4);
            break;
        }
    }
}

TEST_MAIN()
