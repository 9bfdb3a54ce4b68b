/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The table of paths: what counts where, when it is full, and whose time it is. What is
 * told of it is read by scenario.sums.
 */
#include "hook/calls/calls.h"

#include "base/clock.h"
#include "test.h"

static struct {
    struct calls_head head;
    struct calls_entry entries[3];
    char text[16];
} image = {{CALLS_MAGIC, 3, 16, CALLS_DEPTH_MAX, 1, 0, 0},
           {{0x1000, 1, 0, 7, 16}, {0x1010, 3, 0, 8, 16}, {0x2000, 5, 0, 9, 16}},
           "\0a\0b\0c"};
#define BIAS 0x100000
enum { A, B, C };

static struct calls_thread t;
static struct calls_sums sums;
static oriel_word words[3];

static void open_list(void)
{
    REQUIRE(calls_open(&image, sizeof image, BIAS, words) == 0);
    for (int i = 0; i < 3; i++)
        words[i] = UINT32_MAX; /* recorded, as a filter would say */
    t.sums = &sums;
    calls_sums_init(&sums);
}

static const void *at(uint32_t function)
{
    return (const void *)(uintptr_t)(image.entries[function].address + BIAS);
}

static uintptr_t inside(uint32_t function)
{
    return (uintptr_t)at(function) + 4;
}

static void call(uint32_t function, uint32_t caller, uintptr_t sp)
{
    calls_here.calls = &t;
    calls_count_here(at(function), inside(caller), sp);
}

static void back(uint32_t function, uint32_t caller, uintptr_t sp)
{
    calls_uncount_here(at(function), inside(caller), sp);
}

/* The node of a path, 0: it is not there. */
static uint32_t path(int n, const uint32_t *functions)
{
    uint32_t node = 0;
    for (int k = 0; k < n; k++) {
        uint32_t i = 1;
        while (i < sums.count &&
               (sums.nodes[i].parent != node || sums.nodes[i].address != at(functions[k])))
            i++;
        if (i == sums.count)
            return 0;
        node = i;
    }
    return node;
}
#define PATH(...)                                                                                  \
    path(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[]){__VA_ARGS__})

TEST(each_path_has_its_own_count)
{
    open_list();
    call(A, C, 1000);
    for (int i = 0; i < 5; i++) {
        call(B, A, 900);
        call(C, B, 800);
        back(C, B, 800);
        back(B, A, 900);
    }
    call(C, A, 900);
    back(C, A, 900);
    back(A, C, 1000);
    REQUIRE(PATH(A, B, C) && PATH(A, C));
    CHECK_EQ(sums.nodes[PATH(A)].calls, 1);
    CHECK_EQ(sums.nodes[PATH(A, B)].calls, 5);
    CHECK_EQ(sums.nodes[PATH(A, B, C)].calls, 5);
    CHECK_EQ(sums.nodes[PATH(A, C)].calls, 1);
    CHECK_EQ(sums.count, 5); /* and the root */
    CHECK_EQ(sums.counted, 12);
    CHECK_EQ(sums.current, 0);
    CHECK_EQ(t.depth, 0);
    CHECK_EQ(t.recorded, 0);
}

TEST(recursion_is_a_path_that_goes_on_and_time_counts_once)
{
    open_list();
    for (int round = 0; round < 3; round++) {
        for (uintptr_t k = 0; k < 4; k++)
            call(A, k ? A : C, 1000 - 100 * k);
        for (uintptr_t k = 4; k-- > 0;)
            back(A, k ? A : C, 1000 - 100 * k);
    }
    REQUIRE(PATH(A, A, A, A));
    CHECK_EQ(sums.nodes[PATH(A, A, A, A)].calls, 3);
    CHECK_EQ(PATH(A, A, A, A, A), 0);
    uint64_t self = 0;
    for (uint32_t i = 1; i < sums.count; i++)
        self += sums.nodes[i].self;
    CHECK(self <=
          3 * (calls_ticks(sums.nodes[PATH(A)].most) + 64)); /* all of the three outermost */
}

TEST(a_function_that_leaves_its_frame_before_it_tells_ends_itself_and_not_an_outer_one)
{
    open_list();
    call(A, C, 1000);
    call(A, A, 900);
    call(A, A, 800);
    back(A, A, 900); /* by a jump to the hook: the stack is already its caller's */
    CHECK_EQ(t.depth, 2);
    back(A, A, 1000);
    CHECK_EQ(t.depth, 1);
    back(A, C, 1100);
    CHECK_EQ(t.depth, 0);
}

TEST(what_is_jumped_over_was_called_and_ends_with_the_next_call)
{
    open_list();
    call(A, C, 1000);
    call(B, A, 900);
    call(B, B, 800);
    call(C, A, 950);
    CHECK_EQ(t.depth, 2);
    REQUIRE(PATH(A, B, B) && PATH(A, C));
    CHECK_EQ(sums.nodes[PATH(A, B, B)].calls, 1);
    CHECK(sums.nodes[PATH(A, B, B)].most > 0);
    back(A, C, 1000);
    CHECK_EQ(t.depth, 0);
    CHECK_EQ(t.recorded, 0);
    CHECK_EQ(sums.counted, 4);
}

TEST(a_function_that_is_switched_off_is_passed_through)
{
    open_list();
    words[B] = 0;
    call(A, C, 1000);
    call(B, A, 900);
    call(C, B, 800);
    back(C, B, 800);
    back(B, A, 900);
    back(A, C, 1000);
    CHECK_EQ(PATH(A, B), 0);
    REQUIRE(PATH(A, C));
    CHECK_EQ(sums.nodes[PATH(A, C)].calls, 1);
    /* C's time is not A's own. */
    const uint64_t all = calls_ticks(sums.nodes[PATH(A)].most);
    CHECK(sums.nodes[PATH(A)].self + sums.nodes[PATH(A, C)].self <= all + 64);
}

TEST(calls_deeper_than_there_is_room_are_counted_as_such)
{
    open_list();
    uintptr_t sp = UINT64_C(1) << 30;
    for (uintptr_t i = 0; i < CALLS_DEPTH_MAX + 10; i++)
        call(A, i ? A : C, sp - i * 16);
    CHECK_EQ(sums.counted, CALLS_DEPTH_MAX);
    CHECK_EQ(sums.too_deep, 10);
    CHECK_EQ(sums.nodes[sums.count - 1].depth, SUMS_PATH); /* paths end before */
    for (uintptr_t i = CALLS_DEPTH_MAX + 10; i-- > 0;)
        back(A, i ? A : C, sp - i * 16);
    CHECK_EQ(t.depth, 0);
    CHECK_EQ(sums.current, 0);
}

/* Paths that nobody called: below the one that is open, and below each other. */
static void fill(uint32_t open)
{
    uint16_t parent = (uint16_t)open;
    for (uintptr_t i = 0; !sums.due; i++) {
        const void *address = (const void *)(0x500000 + i * 16);
        uint16_t node = calls_sums_node(&sums, parent, 2, address, 16);
        REQUIRE(node);
        sums.nodes[node].calls = 1;
        if (i % 3 == 0 && sums.nodes[node].depth < 40)
            parent = node;
        /* The same again, whatever collided on the way. */
        CHECK_EQ(calls_sums_node(&sums, sums.nodes[node].parent, 2, address, 16), node);
    }
}

TEST(a_full_table_is_emptied_but_for_the_path_that_is_open)
{
    open_list();
    call(A, C, 1000);
    call(B, A, 900);
    fill(t.open[1].node);
    CHECK_EQ(sums.count, SUMS_NODES - 1);
    sums.counted_ever = SUMS_NODES;
    calls_sums_empty(&t);
    CHECK_EQ(sums.count, 3);
    REQUIRE(PATH(A, B));
    CHECK_EQ(t.open[1].node, PATH(A, B));
    CHECK_EQ(sums.current, PATH(A, B));
    CHECK_EQ(sums.ring_full, SUMS_NODES - 2); /* nothing of it had been told */
    CHECK_EQ(sums.cap, SUMS_PATH / 2);        /* too few calls for so many paths */
    back(B, A, 900);
    back(A, C, 1000);
    CHECK_EQ(sums.current, 0);
    CHECK(sums.nodes[PATH(A)].most > 0);
}

TEST(paths_that_may_be_no_longer_go_on_beside_their_last_function)
{
    open_list();
    sums.cap = 2;
    call(A, C, 1000);
    call(B, A, 900);
    call(C, B, 800);
    REQUIRE(PATH(A, C));
    CHECK_EQ(PATH(A, B, C), 0);
    CHECK_EQ(sums.nodes[PATH(A, C)].calls, 1);
    back(C, B, 800);
    back(B, A, 900);
    CHECK_EQ(sums.current, PATH(A));
}

TEST(time_up_to_now_of_what_is_open_is_told_once)
{
    open_list();
    call(A, C, 1000);
    call(B, A, 900);
    const uint64_t now = clock_ticks(ORIEL_CLOCK_MONOTONIC);
    (void)now;
    t.open[0].began = 100;
    t.open[1].began = 400;
    calls_sums_charge(&t, 1000);
    CHECK_EQ(sums.nodes[PATH(A)].self, 300);
    CHECK_EQ(sums.nodes[PATH(A, B)].self, 600);
    calls_sums_charge(&t, 1000);
    CHECK_EQ(sums.nodes[PATH(A)].self, 300);
    calls_sums_charge(&t, 1500);
    CHECK_EQ(sums.nodes[PATH(A)].self, 300);
    CHECK_EQ(sums.nodes[PATH(A, B)].self, 1100);
}

TEST(of_short_calls_some_are_timed_and_all_are_counted)
{
    enum { CALLS = 100000 };
    open_list();
    call(A, C, 1000);
    for (int i = 0; i < CALLS; i++) {
        call(B, A, 900);
        sums.nodes[PATH(A, B)].took_mean = 64; /* as short as can be, however slow this machine */
        back(B, A, 900);
    }
    CHECK_EQ(sums.nodes[PATH(A, B)].calls, CALLS);
    CHECK(sums.nodes[PATH(A, B)].timed >= 64);
}

TEST(times_in_half_the_room_keep_their_order)
{
    uint64_t last = 0;
    for (uint64_t n = 1; n < UINT64_C(1) << 60; n = n * 3 / 2 + 1) {
        CHECK(calls_time(n) > calls_time(last));
        CHECK(calls_ticks(calls_time(n)) <= n && calls_ticks(calls_time(n)) >= n - (n >> 25));
        const uint64_t extra = ORIEL_CALL_TIMES(n, n + n / 2);
        CHECK(ORIEL_CALL_LEAST(extra) <= n && ORIEL_CALL_LEAST(extra) >= n - (n >> 25));
        CHECK(ORIEL_CALL_MOST(extra) >= n && ORIEL_CALL_MOST(extra) <= n + n / 2);
        last = n;
    }
}

TEST_MAIN()
