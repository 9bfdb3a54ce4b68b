/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/sort.h"

#include "base/mem.h"
#include "random.h"
#include "test.h"

static void check_sorted(size_t n, uint64_t mask)
{
    struct sort_key *keys = mem_calloc(n, sizeof *keys);
    uint64_t seed = 1;
    REQUIRE(keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct sort_key){random_next(&seed) & mask, (uint32_t)i};
    CHECK_EQ(sort_keys(keys, n), 0);
    for (size_t i = 1; i < n; i++) {
        CHECK(keys[i - 1].key <= keys[i].key);
        if (keys[i - 1].key == keys[i].key)
            CHECK(keys[i - 1].index < keys[i].index);
    }
    mem_free(keys);
}

TEST(many_keys_are_sorted_and_equal_ones_keep_their_order)
{
    check_sorted(5000, UINT64_MAX);
    check_sorted(5000, 0xff00);
}

TEST(few_keys_are_sorted_and_equal_ones_keep_their_order)
{
    for (size_t n = 1; n < 60; n++)
        check_sorted(n, 7);
}

TEST(nothing_is_sorted_without_memory_and_nothing_is_lost)
{
    struct sort_key keys[100];
    for (uint32_t i = 0; i < 100; i++)
        keys[i] = (struct sort_key){100 - i, i};
    mem_fail_after(1);
    CHECK(sort_keys(keys, 100) != 0);
    mem_fail_after(0);
    CHECK_EQ(keys[0].key, 100);
    CHECK_EQ(sort_keys(keys, 100), 0);
    CHECK_EQ(keys[0].key, 1);
}

TEST_MAIN()
