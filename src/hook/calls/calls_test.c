/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list and the stack of open calls; what is recorded is read by
 * scenario.calls.
 */
#include "hook/calls/calls.h"

#include <stdlib.h>

#include "test.h"

static struct {
    struct calls_head head;
    struct calls_entry entries[3];
    char text[16];
} image = {{CALLS_MAGIC, 3, 16, 4, 0, 0, 0},
           {{0x1000, 1, 0, 7, 16}, {0x1010, 3, 0, 8, 16}, {0x2000, 5, 0, 9, 16}},
           "\0a\0b\0c"};

static struct calls_thread t;

static void open_list(void)
{
    REQUIRE(calls_open(&image, sizeof image, 0x100000, NULL) == 0);
}

TEST(functions_are_found_by_their_address_in_memory)
{
    CHECK_EQ(calls_find((void *)0x101000), UINT32_MAX); /* nothing is open yet */
    open_list();
    CHECK_EQ(calls_find((void *)0x101000), 0);
    CHECK_EQ(calls_find((void *)0x101010), 1);
    CHECK_EQ(calls_find((void *)0x102000), 2);
    CHECK_EQ(calls_find((void *)0x101008), UINT32_MAX);
    CHECK_EQ(calls_find((void *)0x1000), UINT32_MAX);
    CHECK(calls_open(&image, sizeof image, 0, NULL) < 0); /* once */
}

TEST(lists_that_are_not_whole_are_refused)
{
    CHECK(calls_check(&image, sizeof image));
    CHECK(!calls_check(&image, sizeof image - 1));
    CHECK(!calls_check(&image, 8));
    image.entries[1].name = 16;
    CHECK(!calls_check(&image, sizeof image));
    image.entries[1].name = 3;
    image.entries[1].address = 0x1000; /* not in order */
    CHECK(!calls_check(&image, sizeof image));
    image.head.depth = 0;
    CHECK(!calls_check(&image, sizeof image));
}

TEST(calls_nest_and_each_return_takes_its_own_off)
{
    open_list();
    calls_enter(&t, 0, 0, 1000);
    calls_enter(&t, 1, 0, 900);
    calls_enter(&t, 1, 0, 800); /* recursion */
    CHECK_EQ(t.depth, 3);
    calls_leave(&t, 1, 800);
    calls_leave(&t, 1, 900);
    CHECK_EQ(t.depth, 1);
    calls_leave(&t, 0, 1000);
    CHECK_EQ(t.depth, 0);
    calls_leave(&t, 0, 1000); /* entered before it was watched */
    CHECK_EQ(t.depth, 0);
}

TEST(what_was_jumped_over_is_gone_at_the_next_call_or_return)
{
    open_list();
    calls_enter(&t, 0, 0, 1000);
    calls_enter(&t, 1, 0, 900);
    calls_enter(&t, 1, 0, 800);
    calls_enter(&t, 2, 0, 950);
    CHECK_EQ(t.depth, 2);
    calls_enter(&t, 1, 0, 900);
    calls_leave(&t, 0, 1000);
    CHECK_EQ(t.depth, 0);
}

TEST(what_was_jumped_over_is_gone_when_the_function_below_it_calls_again)
{
    open_list();
    calls_enter(&t, 0, 0x900000, 1000);
    calls_enter(&t, 1, 0x101004, 900); /* from function 0 */
    calls_enter(&t, 1, 0x101014, 800); /* from itself */
    calls_enter(&t, 2, 0x101008, 700); /* from function 0 again */
    CHECK_EQ(t.depth, 2);
    calls_leave(&t, 2, 700);
    calls_enter(&t, 1, 0x500000, 600); /* called back by somebody unknown */
    CHECK_EQ(t.depth, 2);
}

TEST(a_function_inlined_into_another_shares_its_place)
{
    open_list();
    calls_enter(&t, 0, 0, 1000);
    calls_enter(&t, 1, 0, 1000);
    CHECK_EQ(t.depth, 2);
    calls_leave(&t, 1, 1000);
    CHECK_EQ(t.depth, 1);
}

TEST(calls_deeper_than_there_is_room_are_counted_out_again)
{
    open_list();
    uintptr_t sp = UINT64_C(1) << 30;
    for (int i = 0; i < CALLS_DEPTH_MAX + 100; i++)
        calls_enter(&t, 0, 0, sp - (uintptr_t)i * 16);
    CHECK_EQ(t.depth, CALLS_DEPTH_MAX);
    CHECK_EQ(t.beyond, 100);
    for (int i = CALLS_DEPTH_MAX + 100; i-- > 0;)
        calls_leave(&t, 0, sp - (uintptr_t)i * 16);
    CHECK_EQ(t.depth, 0);
    CHECK_EQ(t.beyond, 0);
}

TEST(what_lies_at_or_below_a_place_that_is_entered_or_left_is_gone)
{
    open_list();
    calls_enter_at(&t, 0, 1000);
    calls_enter_at(&t, 1, 900);
    calls_enter_at(&t, 2, 900); /* in place of a return */
    CHECK_EQ(t.depth, 2);
    CHECK_EQ(t.open[1].function, 2);
    calls_leave_at(&t, 950); /* of a call that was not recorded: 900 was jumped over */
    CHECK_EQ(t.depth, 1);
    calls_leave_at(&t, UINT64_C(1) << 40); /* another stack */
    CHECK_EQ(t.depth, 1);
    calls_leave_at(&t, 1000);
    CHECK_EQ(t.depth, 0);
}

TEST(nothing_is_quick_before_the_thread_records)
{
    open_list();
    CHECK(!calls_are_quick(&t, 1000, false));
    CHECK(!calls_wanted(&t, 0)); /* no recording gives it an id */
}

TEST(a_child_begins_with_nothing_open)
{
    open_list();
    calls_enter(&t, 0, 0, 1000);
    calls_forget(&t);
    CHECK_EQ(t.depth, 0);
}

TEST_MAIN()
