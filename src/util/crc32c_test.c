/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of CRC-32C: the vectors of RFC 3720, and both ways against each other. */
#include "util/crc32c.h"

#include "test.h"

TEST(the_vectors_of_the_iscsi_specification)
{
    unsigned char b[32];
    memset(b, 0, 32);
    CHECK_EQ(crc32c(0, b, 32), 0x8a9136aau);
    memset(b, 0xff, 32);
    CHECK_EQ(crc32c(0, b, 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        b[i] = (unsigned char)i;
    CHECK_EQ(crc32c(0, b, 32), 0x46dd794eu);
    CHECK_EQ(crc32c_portable(0, b, 32), 0x46dd794eu);
    CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
    CHECK_EQ(crc32c(0, NULL, 0), 0);
}

TEST(the_instruction_and_the_table_agree_at_every_length_and_offset)
{
    unsigned char b[600];
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * 131 + i / 7);
    for (size_t at = 0; at < 9; at++)
        for (size_t n = 0; n + at <= 520; n++)
            CHECK_EQ(crc32c(0x1234u, b + at, n), crc32c_portable(0x1234u, b + at, n));
}

TEST(pieces_give_the_checksum_of_the_whole)
{
    unsigned char b[100];
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * i);
    uint32_t whole = crc32c(0, b, sizeof b);
    for (size_t cut = 0; cut <= sizeof b; cut++)
        CHECK_EQ(crc32c(crc32c(0, b, cut), b + cut, sizeof b - cut), whole);
}

TEST(every_flipped_bit_changes_it)
{
    unsigned char b[64] = {1, 2, 3};
    uint32_t whole = crc32c(0, b, sizeof b);
    for (size_t bit = 0; bit < 8 * sizeof b; bit++) {
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(crc32c(0, b, sizeof b) != whole);
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

TEST_MAIN()
