/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The call tree: paths and self times from spans that come child first, and
 * what happens at each of its bounds.
 */
#include "report/calltree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"

/* Names are numbers here; ids are chosen by the test. */
static struct model_thread thread_a = {.index = 0}, thread_b = {.index = 1};

static uint64_t add(struct calltree *t, uint32_t name, uint64_t id, uint64_t parent, uint64_t start,
                    uint64_t end, uint32_t flags)
{
    struct model_span s = {.span_id = id,
                           .parent_id = parent,
                           .start_ns = start,
                           .end_ns = end,
                           .busy_ns = end - start,
                           .thread = &thread_a,
                           .flags = flags};
    uint64_t self = UINT64_MAX;
    CHECK_EQ(calltree_add(t, &s, name, &self), 0);
    return self;
}

static const struct calltree_node *path(const struct calltree *t, const uint32_t *names, size_t n)
{
    uint32_t node = CALLTREE_ROOT;
    for (size_t i = 0; i < n && node; i++) {
        uint32_t c = calltree_node(t, node)->child;
        while (c && calltree_node(t, c)->name != names[i])
            c = calltree_node(t, c)->sibling;
        node = c;
    }
    return node ? calltree_node(t, node) : NULL;
}
#define PATH(t, ...)                                                                               \
    path(t, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

TEST(children_that_end_first_find_the_path_of_their_parents)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    CHECK_EQ(add(&t, 3, 13, 12, 20, 30, 0), 10);
    CHECK_EQ(add(&t, 3, 14, 12, 30, 45, 0), 15);
    CHECK_EQ(add(&t, 2, 12, 11, 10, 50, 0), 40 - 25);
    CHECK_EQ(add(&t, 3, 15, 11, 60, 61, 0), 1);
    CHECK_EQ(add(&t, 1, 11, 0, 0, 100, 0), 100 - 40 - 1);
    REQUIRE(PATH(&t, 1, 2, 3));
    CHECK_EQ(PATH(&t, 1)->total, 100);
    CHECK_EQ(PATH(&t, 1, 2)->self, 15);
    CHECK_EQ(PATH(&t, 1, 2, 3)->count, 2);
    CHECK_EQ(PATH(&t, 1, 2, 3)->total, 25);
    CHECK_EQ(PATH(&t, 1, 2, 3)->max, 15);
    CHECK_EQ(PATH(&t, 1, 3)->count, 1);
    CHECK_EQ(t.live_entries, 0);
    calltree_done(&t);
}

TEST(what_waits_for_its_parent_shows_at_the_top_when_told_early)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 3, 13, 12, 20, 30, 0);
    CHECK(!PATH(&t, 3));
    CHECK_EQ(calltree_settle(&t), 0);
    REQUIRE(PATH(&t, 3));
    CHECK_EQ(PATH(&t, 3)->total, 10);
    CHECK_EQ(t.detached, 1);
    calltree_done(&t);
}

TEST(parents_in_a_circle_are_shown_once_and_counted)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 1, 11, 12, 0, 10, 0);
    add(&t, 2, 12, 11, 0, 20, 0);
    add(&t, 3, 13, 12, 0, 5, 0);
    CHECK_EQ(calltree_settle(&t), 0);
    CHECK_EQ(t.circles, 1);
    REQUIRE(PATH(&t, 2, 1));
    CHECK_EQ(PATH(&t, 2)->count, 1);
    CHECK_EQ(PATH(&t, 2, 1)->count, 1);
    CHECK(!PATH(&t, 2, 1)->child);
    REQUIRE(PATH(&t, 2, 3)); /* late, below the one that closed the circle */
    calltree_done(&t);
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 1, 11, 11, 0, 10, 0); /* its own parent */
    add(&t, 1, 21, 22, 0, 10, 0);
    add(&t, 2, 22, 23, 0, 20, 0);
    add(&t, 3, 23, 21, 0, 30, 0);
    CHECK_EQ(calltree_settle(&t), 0);
    CHECK_EQ(t.circles, 2);
    REQUIRE(PATH(&t, 3, 2, 1));
    CHECK(PATH(&t, 1) && !PATH(&t, 1)->child);
    calltree_done(&t);
}

TEST(time_on_another_thread_is_not_taken_from_the_parent)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    struct model_busy busy[2] = {{&thread_a, 10, 20}, {&thread_b, 30, 70}};
    struct model_span s = {.span_id = 13,
                           .parent_id = 12,
                           .start_ns = 10,
                           .end_ns = 80,
                           .busy_ns = 50,
                           .thread = &thread_a,
                           .flags = MODEL_SPAN_ASYNC,
                           .busy = busy,
                           .busy_count = 2};
    uint64_t self;
    CHECK_EQ(calltree_add(&t, &s, 3, &self), 0);
    CHECK_EQ(self, 50);
    CHECK_EQ(add(&t, 2, 12, 0, 0, 100, 0), 90); /* 10 ran inside it */
    CHECK_EQ(PATH(&t, 2, 3)->busy, 50);
    CHECK_EQ(PATH(&t, 2, 3)->total, 70);
    calltree_done(&t);
}

TEST(an_async_parent_gives_all_busy_time_to_its_children)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    struct model_span s = {.span_id = 12,
                           .start_ns = 0,
                           .end_ns = 1000,
                           .busy_ns = 60,
                           .thread = &thread_b,
                           .flags = MODEL_SPAN_ASYNC};
    uint64_t self;
    add(&t, 3, 13, 12, 100, 140, 0);
    CHECK_EQ(calltree_add(&t, &s, 2, &self), 0);
    CHECK_EQ(self, 20);
    calltree_done(&t);
}

TEST(spans_with_given_times_run_beside_their_parent)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 3, 13, 12, 100, 400, MODEL_SPAN_EXTERNAL);
    CHECK_EQ(add(&t, 2, 12, 0, 0, 500, 0), 500);
    CHECK_EQ(PATH(&t, 2, 3)->total, 300);
    calltree_done(&t);
}

TEST(self_time_is_never_negative)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 3, 13, 12, 0, 90, 0);
    add(&t, 3, 14, 12, 0, 90, 0);
    CHECK_EQ(add(&t, 2, 12, 0, 0, 100, 0), 0);
    calltree_done(&t);
}

TEST(a_child_that_outlives_its_parents_still_finds_its_path)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 2, 12, 11, 0, 10, 0); /* parent ends, grandparent open */
    add(&t, 3, 13, 12, 5, 20, MODEL_SPAN_ASYNC);
    CHECK_EQ(add(&t, 1, 11, 0, 0, 30, 0), 20);
    add(&t, 4, 14, 13, 6, 40, MODEL_SPAN_ASYNC); /* all of them have ended */
    REQUIRE(PATH(&t, 1, 2, 3, 4));
    CHECK_EQ(PATH(&t, 1, 2, 3, 4)->count, 1);
    CHECK_EQ(PATH(&t, 1, 2, 3)->count, 1);
    CHECK_EQ(PATH(&t, 1, 2)->count, 1);
    CHECK_EQ(PATH(&t, 1)->count, 1);
    CHECK_EQ(t.detached, 0);
    calltree_done(&t);
}

TEST(a_long_parent_is_folded_and_loses_nothing)
{
    struct calltree t;
    struct calltree_limits limits = {.fold_entries = 64};
    REQUIRE(calltree_init(&t, &limits) == 0);
    uint64_t id = 100, now = 0, total = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t item = id++;
        add(&t, 3, id++, item, now, now + 3, 0);
        add(&t, 4, id++, item, now + 3, now + 4, 0);
        add(&t, 2, item, 1, now, now + 10, 0);
        now += 10;
        total += 10;
        CHECK(t.live_entries <= 64);
    }
    CHECK_EQ(add(&t, 1, 1, 0, 0, now + 7, 0), 7);
    REQUIRE(PATH(&t, 1, 2, 3));
    CHECK_EQ(PATH(&t, 1)->count, 1);
    CHECK_EQ(PATH(&t, 1, 2)->count, 10000);
    CHECK_EQ(PATH(&t, 1, 2)->total, total);
    CHECK_EQ(PATH(&t, 1, 2, 3)->total, 30000);
    CHECK_EQ(PATH(&t, 1, 2, 3)->hist.count, 10000);
    CHECK_EQ(PATH(&t, 1, 2, 4)->total, 10000);
    CHECK_EQ(t.live_nodes, 2 + 4); /* no folded tree is left over */
    calltree_done(&t);
}

TEST(a_full_pool_keeps_every_count_and_self_time)
{
    struct calltree t;
    struct calltree_limits limits = {.entries_max = 1024};
    REQUIRE(calltree_init(&t, &limits) == 0);
    enum { PARENTS = 5000 };
    for (uint64_t p = 0; p < PARENTS; p++) { /* all parents open at once */
        add(&t, 3, 1000000 + p, 1 + p, 0, 5, 0);
        CHECK(t.live_entries <= 1024);
    }
    for (uint64_t p = 0; p < PARENTS; p++)
        CHECK_EQ(add(&t, 2, 1 + p, 0, 0, 12, 0), 7);
    CHECK(t.detached > 0);
    CHECK_EQ(PATH(&t, 2)->count, PARENTS);
    CHECK_EQ(PATH(&t, 2)->self, 7 * PARENTS);
    CHECK_EQ(PATH(&t, 3)->count + PATH(&t, 2, 3)->count, PARENTS);
    calltree_done(&t);
}

TEST(too_many_open_parents_do_not_grow_the_frames)
{
    struct calltree t;
    struct calltree_limits limits = {.frames_max = 100};
    REQUIRE(calltree_init(&t, &limits) == 0);
    for (uint64_t p = 0; p < 1000; p++)
        add(&t, 3, 1000000 + p, 1 + p, 0, 5, 0);
    CHECK_EQ(t.frame_count, 100);
    CHECK_EQ(calltree_settle(&t), 0);
    CHECK_EQ(PATH(&t, 3)->count, 1000);
    calltree_done(&t);
}

TEST(parents_in_another_process_are_awaited_within_bounds)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    for (uint64_t p = 0; p < 20000; p++)
        add(&t, 3, 1000000 + p, 1 + p, 0, 5, MODEL_SPAN_REMOTE_PARENT);
    CHECK(t.frame_count <= 4096);
    CHECK_EQ(add(&t, 2, 20000, 0, 0, 10, 0), 10); /* the last one is here after all */
    CHECK_EQ(PATH(&t, 2, 3)->count, 1);
    CHECK_EQ(calltree_settle(&t), 0);
    CHECK_EQ(PATH(&t, 3)->count, 19999);
    calltree_done(&t);
}

TEST(paths_beyond_the_bound_are_counted_by_name)
{
    struct calltree t;
    struct calltree_limits limits = {.nodes_max = 50};
    REQUIRE(calltree_init(&t, &limits) == 0);
    for (uint32_t parent = 0; parent < 40; parent++)
        for (uint32_t child = 0; child < 10; child++) {
            add(&t, 100 + child, 1 + parent * 100 + child, 1000000 + parent, 0, 5, 0);
            if (child == 9)
                add(&t, parent, 1000000 + parent, 0, 0, 100, 0);
        }
    uint64_t count = 0;
    for (uint32_t c = calltree_node(&t, CALLTREE_ELSEWHERE)->child; c;
         c = calltree_node(&t, c)->sibling) {
        CHECK(calltree_node(&t, c)->flat);
        count += calltree_node(&t, c)->count;
    }
    CHECK(count > 0);
    CHECK(t.live_nodes <= 50 + 50);
    calltree_done(&t);
}

TEST(recursion_ten_thousand_deep_is_counted_without_recursing)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    enum { DEPTH = 10000 };
    for (uint64_t i = DEPTH; i >= 1; i--)
        CHECK_EQ(add(&t, 7, i, i - 1, i, 2 * DEPTH + 10 - i, 0), i == DEPTH ? 10 : 2);
    uint64_t count = 0, node = CALLTREE_ROOT;
    while ((node = calltree_node(&t, (uint32_t)node)->child) && node != CALLTREE_ELSEWHERE)
        count += calltree_node(&t, (uint32_t)node)->count;
    CHECK_EQ(count, CALLTREE_DEPTH_MAX);
    CHECK_EQ(calltree_node(&t, calltree_node(&t, CALLTREE_ELSEWHERE)->child)->count,
             DEPTH - CALLTREE_DEPTH_MAX);
    calltree_done(&t);
}

TEST(deep_and_wide_recursion_needs_no_deep_stack)
{
    struct calltree t;
    struct calltree_limits limits = {.fold_entries = 1u << 30};
    REQUIRE(calltree_init(&t, &limits) == 0);
    enum { DEPTH = 2000 };
    for (uint64_t i = DEPTH; i >= 1; i--) {
        add(&t, 8, 1000000 + 2 * i, i, 0, 1, 0);
        add(&t, 9, 1000001 + 2 * i, i, 0, 1, 0);
        add(&t, 7, i, i - 1, 0, 100, 0);
        add(&t, 8, 2000000 + i, i - 1, 0, 1, 0);
    }
    CHECK_EQ(calltree_settle(&t), 0);
    uint64_t sum = 0;
    for (size_t i = 1; i < t.nodes.count; i++)
        sum += t.nodes.items[i].count;
    CHECK_EQ(sum, 4 * DEPTH);
    calltree_done(&t);
}

TEST(ids_in_a_circle_end_at_the_top)
{
    struct calltree t;
    REQUIRE(calltree_init(&t, NULL) == 0);
    add(&t, 1, 11, 12, 0, 5, 0);
    add(&t, 2, 12, 11, 0, 5, 0);
    add(&t, 3, 13, 13, 0, 5, 0);
    add(&t, 3, 13, 12, 0, 5, 0);
    CHECK_EQ(calltree_settle(&t), 0);
    uint64_t sum = 0;
    for (size_t i = 1; i < t.nodes.count; i++)
        sum += t.nodes.items[i].count;
    CHECK_EQ(sum, 4);
    calltree_done(&t);
}

/* Any tree, any bounds: what comes out is what went in. */
static void random_forest(unsigned seed, const struct calltree_limits *limits)
{
    enum { OPEN = 40 };
    struct calltree t;
    uint64_t stack[OPEN], starts[OPEN], kids[OPEN], now = 0, id = 0, count = 0, total = 0, self = 0;
    uint32_t names[OPEN], depth = 0;
    srand(seed);
    REQUIRE(calltree_init(&t, limits) == 0);
    for (int step = 0; step < 20000 || depth; step++) {
        now += (uint64_t)rand() % 100;
        if (step < 20000 && depth < OPEN && (depth == 0 || rand() % 100 < 48)) {
            names[depth] = (uint32_t)rand() % 6;
            starts[depth] = now;
            kids[depth] = 0;
            stack[depth++] = ++id;
            continue;
        }
        depth--;
        uint64_t dur = now - starts[depth], own = dur - kids[depth];
        CHECK_EQ(add(&t, names[depth], stack[depth], depth ? stack[depth - 1] : 0, starts[depth],
                     now, 0),
                 own);
        if (depth)
            kids[depth - 1] += dur;
        count++;
        total += dur;
        self += own;
    }
    CHECK_EQ(calltree_settle(&t), 0);
    for (size_t i = 1; i < t.nodes.count; i++) {
        count -= t.nodes.items[i].count;
        total -= t.nodes.items[i].total;
        self -= t.nodes.items[i].self;
        CHECK_EQ(t.nodes.items[i].hist.count, t.nodes.items[i].count);
    }
    CHECK_EQ(count, 0);
    CHECK_EQ(total, 0);
    CHECK_EQ(self, 0);
    CHECK_EQ(t.live_entries, 0);
    calltree_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(random_trees_are_conserved_within_any_bounds)
{
    for (unsigned seed = 1; seed <= 10; seed++) {
        random_forest(seed, NULL);
        random_forest(seed, &(struct calltree_limits){.fold_entries = 2});
        random_forest(seed, &(struct calltree_limits){.fold_entries = 50, .nodes_max = 20});
        random_forest(seed, &(struct calltree_limits){.entries_max = 200});
    }
}

TEST(running_out_of_memory_is_told_and_leaks_nothing)
{
    for (uint64_t n = 1; n < 200; n++) {
        struct calltree t;
        mem_fail_after(n);
        int rc = calltree_init(&t, &(struct calltree_limits){.fold_entries = 8});
        for (uint64_t i = 0; rc == 0 && i < 300; i++) {
            struct model_span s = {.span_id = 1 + i,
                                   .parent_id = i % 7 ? 1 + i + 7 - i % 7 : 0,
                                   .end_ns = 1 + i * i * i};
            uint64_t self;
            int one = calltree_add(&t, &s, (uint32_t)(i % 50), &self);
            CHECK(one == 0 || one == -2);
        }
        if (rc == 0)
            calltree_settle(&t);
        mem_fail_after(0);
        calltree_done(&t);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST_MAIN()
