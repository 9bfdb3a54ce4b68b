/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of arenas. */
#include "base/mem.h"

#include "test.h"

TEST(pieces_are_aligned_apart_and_keep_their_content)
{
    enum { COUNT = 2000 };
    static unsigned char *pieces[COUNT];
    struct arena a;
    arena_init(&a);
    for (int i = 0; i < COUNT; i++) {
        size_t align = (size_t)1 << i % 7, size = (size_t)(i * 7) % 300;
        pieces[i] = arena_alloc(&a, size, align);
        REQUIRE(pieces[i]);
        CHECK_EQ((uintptr_t)pieces[i] % align, 0);
        memset(pieces[i], i & 255, size);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < (size_t)(i * 7) % 300; k++)
            if (pieces[i][k] != (i & 255))
                test_fail(__FILE__, __LINE__, "piece %d was overwritten", i);
    arena_done(&a);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_piece_larger_than_any_block_works)
{
    struct arena a;
    arena_init(&a);
    char *small = arena_alloc(&a, 10, 1), *large = arena_alloc(&a, 5u << 20, 64);
    REQUIRE(small && large);
    CHECK_EQ((uintptr_t)large % 64, 0);
    memset(large, 1, 5u << 20);
    memset(small, 2, 10);
    CHECK_EQ(large[0], 1);
    arena_done(&a);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(a_reset_keeps_the_blocks_whatever_the_order_of_sizes)
{
    struct arena a;
    arena_init(&a);
    static const size_t sizes[2][4] = {{3000, 200000, 3000, 50000}, {50000, 3000, 200000, 3000}};
    for (int round = 0; round < 2; round++) /* first of each order may allocate */
        for (int i = 0; i < 4; i++)
            REQUIRE(arena_alloc(&a, sizes[round][i], 8));
    size_t blocks = mem_live_blocks();
    for (int round = 0; round < 100; round++) {
        arena_reset(&a);
        for (int i = 0; i < 4; i++)
            CHECK(arena_alloc(&a, sizes[round % 2][i], 8));
    }
    CHECK_EQ(mem_live_blocks(), blocks);
    arena_done(&a);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(copies_get_a_nul_and_may_be_empty)
{
    struct arena a;
    arena_init(&a);
    CHECK_STR(arena_copy(&a, "abc", 2), "ab");
    CHECK_STR(arena_copy(&a, NULL, 0), "");
    CHECK(arena_copy(&a, "", SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX - 4, 16) == NULL);
    CHECK(arena_alloc(&a, 0, 1) != NULL);
    arena_done(&a);
    arena_done(&a); /* done twice, or never used, is fine */
}

TEST(out_of_memory_leaves_the_arena_usable)
{
    struct arena a;
    arena_init(&a);
    mem_fail_after(1);
    CHECK(arena_alloc(&a, 8, 8) == NULL);
    char *p = arena_alloc(&a, 8, 8);
    REQUIRE(p);
    memset(p, 7, 8);
    mem_fail_after(1);
    CHECK(arena_alloc(&a, 100000, 8) == NULL);
    CHECK(arena_alloc(&a, 8, 8) != NULL);
    CHECK_EQ(p[7], 7);
    arena_done(&a);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
