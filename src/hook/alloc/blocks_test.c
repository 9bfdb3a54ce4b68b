/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Blocks and the stacks they came from: addresses are made up, nothing is read
 * there.
 */
#include "hook/alloc/alloc.h"
#include "test.h"

enum { MANY = 200000 };

static const void *block(uint64_t i)
{
    return (const void *)(uintptr_t)(0x7f0000001000 + i * 48);
}

static uint32_t stack_of_block(uint64_t i)
{
    return (uint32_t)(i * 7919) & ((1u << ALLOC_STACK_BITS) - 1);
}

TEST(a_block_is_taken_once_with_the_stack_it_was_put_with)
{
    uint32_t stack = 0;
    CHECK(!alloc_blocks_take(block(1), &stack, false));
    alloc_blocks_soon(block(1)); /* before there is a table too */
    CHECK(alloc_blocks_put(block(1), (1u << ALLOC_STACK_BITS) - 1, false));
    CHECK(alloc_blocks_take(block(1), &stack, false));
    CHECK_EQ(stack, (1u << ALLOC_STACK_BITS) - 1);
    CHECK(!alloc_blocks_take(block(1), &stack, false));
}

TEST(a_block_of_stack_0_is_known_as_well)
{
    uint32_t stack = 1;
    CHECK(alloc_blocks_put(block(1), 0, false));
    CHECK(alloc_blocks_take(block(1), &stack, false));
    CHECK_EQ(stack, 0);
}

TEST(a_table_that_grows_and_shrinks_keeps_every_block)
{
    uint32_t stack;
    for (uint64_t i = 0; i < MANY; i++)
        REQUIRE(alloc_blocks_put(block(i), stack_of_block(i), false));
    for (uint64_t i = 0; i < MANY; i += 3) {
        REQUIRE(alloc_blocks_take(block(i), &stack, false));
        CHECK_EQ(stack, stack_of_block(i));
    }
    for (uint64_t i = 0; i < MANY; i++) {
        alloc_blocks_soon(block(i));
        REQUIRE(alloc_blocks_take(block(i), &stack, false) == (i % 3 != 0));
        if (i % 3)
            CHECK_EQ(stack, stack_of_block(i));
    }
}

TEST(a_block_that_came_again_has_its_new_stack)
{
    uint32_t stack = 0;
    CHECK(alloc_blocks_put(block(5), 5, false));
    CHECK(alloc_blocks_put(block(5), 6, false)); /* its end was not seen */
    CHECK(alloc_blocks_take(block(5), &stack, false));
    CHECK_EQ(stack, 6);
    CHECK(!alloc_blocks_take(block(5), &stack, false));
}

TEST(an_address_that_does_not_fit_is_refused)
{
    CHECK(!alloc_blocks_put((const void *)(uintptr_t)0x7f0000001004, 1, false));
    CHECK(!alloc_blocks_put((const void *)(uintptr_t)0xffff7f0000001000, 1, false));
}

TEST(a_child_begins_without_blocks)
{
    uint32_t stack;
    CHECK(alloc_blocks_put(block(9), 1, false));
    alloc_blocks_forked();
    CHECK(!alloc_blocks_take(block(9), &stack, false));
}

TEST_MAIN()
