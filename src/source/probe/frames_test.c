/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries and returns by the stack pointer: addresses fall as calls go deeper.
 */
#include "source/probe/probe.h"

#include "test.h"

static void enter(struct framestack *f, uint32_t def, uint64_t sp, uint64_t id, bool returns)
{
    const struct frame frame = {.sp = sp, .raw_id = id, .def = def, .returns = returns};
    REQUIRE(framestack_enter(f, &frame));
}

/* Everything that an entry at sp shows to be gone. */
static unsigned stale(struct framestack *f, uint64_t sp, bool chained)
{
    struct frame out;
    unsigned n = 0;
    while (framestack_stale(f, sp, chained, &out))
        n++;
    return n;
}

TEST(recursion_ends_each_call_by_its_own_return)
{
    struct framestack f = {{0}};
    struct frame out;
    bool ended;
    for (uint64_t i = 0; i < 5; i++) {
        CHECK_EQ(stale(&f, 1000 - i * 16, false), 0);
        enter(&f, 1, 1000 - i * 16, i, false);
    }
    for (uint64_t i = 5; i-- > 0;) {
        REQUIRE(framestack_leave(&f, 1, 1000 - i * 16, &ended, &out));
        CHECK(ended);
        CHECK_EQ(out.raw_id, i);
    }
    CHECK(!framestack_leave(&f, 1, 1000, &ended, &out));
    framestack_done(&f);
}

TEST(frames_that_were_jumped_over_are_gone_when_something_is_entered_above_them)
{
    struct framestack f = {{0}};
    enter(&f, 1, 1000, 1, false);
    enter(&f, 2, 900, 2, false);
    enter(&f, 2, 800, 3, false);
    CHECK_EQ(stale(&f, 950, false), 2);
    CHECK_EQ(f.open.count, 1);
    framestack_done(&f);
}

TEST(frames_whose_end_was_lost_are_gone_when_the_one_around_them_returns)
{
    struct framestack f = {{0}};
    struct frame out;
    bool ended;
    enter(&f, 1, 1000, 1, false);
    enter(&f, 2, 900, 2, false);
    REQUIRE(framestack_leave(&f, 1, 1000, &ended, &out));
    CHECK(!ended && out.raw_id == 2);
    REQUIRE(framestack_leave(&f, 1, 1000, &ended, &out));
    CHECK(ended && out.raw_id == 1);
    framestack_done(&f);
}

TEST(a_return_without_its_entry_ends_nothing)
{
    struct framestack f = {{0}};
    struct frame out;
    bool ended;
    enter(&f, 1, 1000, 1, false);
    CHECK(!framestack_leave(&f, 2, 1000, &ended, &out));
    CHECK(!framestack_leave(&f, 1, 992, &ended, &out));
    CHECK_EQ(f.open.count, 1);
    framestack_done(&f);
}

TEST(a_slot_that_is_used_again_ends_its_frame_but_a_tail_call_does_not)
{
    struct framestack f = {{0}};
    enter(&f, 1, 1000, 1, true);
    CHECK_EQ(stale(&f, 1000, true), 0);
    CHECK_EQ(stale(&f, 1000, false), 1);
    enter(&f, 1, 1000, 2, false); /* its end is an instruction: it has been left */
    CHECK_EQ(stale(&f, 1000, true), 1);
    framestack_done(&f);
}

TEST(a_call_on_another_stack_leaves_those_of_the_first_alone)
{
    struct framestack f = {{0}};
    struct frame out;
    bool ended;
    const uint64_t other = 1000 + FRAMES_REACH * 100;
    enter(&f, 1, 1000, 1, false);
    CHECK_EQ(stale(&f, other, false), 0);
    enter(&f, 2, other, 2, false);
    CHECK_EQ(stale(&f, 900, false), 0);
    enter(&f, 3, 900, 3, false);
    REQUIRE(framestack_leave(&f, 2, other, &ended, &out));
    CHECK(ended);
    REQUIRE(framestack_leave(&f, 1, 1000, &ended, &out));
    CHECK(!ended && out.raw_id == 3);
    REQUIRE(framestack_leave(&f, 1, 1000, &ended, &out));
    CHECK(ended && out.raw_id == 1);
    framestack_done(&f);
}

TEST(a_thread_that_ends_gives_up_its_frames_from_the_innermost_out)
{
    struct framestack f = {{0}};
    struct frame out;
    enter(&f, 1, 1000, 1, false);
    enter(&f, 2, 900, 2, false);
    REQUIRE(framestack_abandon(&f, &out));
    CHECK_EQ(out.raw_id, 2);
    REQUIRE(framestack_abandon(&f, &out));
    CHECK_EQ(out.raw_id, 1);
    CHECK(!framestack_abandon(&f, &out));
    framestack_done(&f);
}

TEST(records_of_the_kernel_are_read_within_their_bytes)
{
    struct hook_record r;
    uint8_t bytes[64] = {0};
    /* PERF_RECORD_SAMPLE of 40 bytes: id 7, pid 3, tid 4, time 9, 4 bytes. */
    const uint32_t head[] = {9, 40u << 16}, ids[] = {3, 4}, raw[] = {4, 0x11223344};
    const uint64_t id = 7, time = 9;
    memcpy(bytes, head, 8);
    memcpy(bytes + 8, &id, 8);
    memcpy(bytes + 16, ids, 8);
    memcpy(bytes + 24, &time, 8);
    memcpy(bytes + 32, raw, 8);
    hook_decode(bytes, 40, &r);
    CHECK(r.good && r.id == 7 && r.pid == 3 && r.tid == 4 && r.time_ns == 9 && r.raw_bytes == 4);
    for (size_t n = 0; n < 40; n++) {
        hook_decode(bytes, n, &r);
        CHECK(!r.good || r.type != 9);
    }
    bytes[32] = 200; /* more than there is */
    hook_decode(bytes, 40, &r);
    CHECK(!r.good);
}

TEST_MAIN()
