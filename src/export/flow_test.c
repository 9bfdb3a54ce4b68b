/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arrows between slices: both ends meet whichever comes first, memory is bounded. */
#include "export/flow.h"

#include "base/mem.h"
#include "test.h"

struct arrows {
    int count;
    uint64_t id, from, to;
};

static void collect(void *user, uint64_t id, const struct export_point *from,
                    const struct export_point *to)
{
    struct arrows *a = user;
    a->count++;
    a->id = id;
    a->from = from->span_id;
    a->to = to->span_id;
}

/* A span that links to `target` (0: none) passes. */
static void pass(struct export_flows *f, struct arrows *a, uint64_t id, uint64_t start,
                 uint64_t target)
{
    static struct model_thread thread;
    const struct model_link link = {.span_id = target};
    const struct model_span s = {.span_id = id,
                                 .start_ns = start,
                                 .end_ns = start + 1,
                                 .thread = &thread,
                                 .end_thread = &thread,
                                 .links = &link,
                                 .link_count = target != 0};
    export_flows_span(f, &s, collect, a);
}

TEST(a_link_to_a_span_that_is_over_draws_an_arrow)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    pass(&f, &a, 1, 10, 0);
    pass(&f, &a, 2, 20, 1);
    CHECK_EQ(a.count, 1);
    CHECK_EQ(a.from, 1);
    CHECK_EQ(a.to, 2);
    export_flows_done(&f);
}

TEST(a_link_to_a_span_that_ends_later_waits_for_it)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    pass(&f, &a, 2, 20, 1);
    pass(&f, &a, 3, 30, 1);
    CHECK_EQ(a.count, 0);
    pass(&f, &a, 1, 10, 0);
    CHECK_EQ(a.count, 2);
    CHECK_EQ(a.from, 1);
    CHECK_EQ(f.wanted.count, 0);
    CHECK_EQ(f.pending.count, 0);
    export_flows_done(&f);
}

TEST(an_arrow_points_forward_in_time_and_each_has_its_own_id)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    pass(&f, &a, 1, 50, 0);
    pass(&f, &a, 2, 20, 1);
    CHECK_EQ(a.from, 2);
    CHECK_EQ(a.to, 1);
    uint64_t first = a.id;
    pass(&f, &a, 3, 60, 1);
    CHECK(a.id != first);
    export_flows_done(&f);
}

TEST(a_span_linked_to_itself_draws_nothing)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    pass(&f, &a, 1, 10, 1);
    pass(&f, &a, 1, 10, 0);
    CHECK_EQ(a.count, 0);
    export_flows_done(&f);
}

TEST(spans_of_long_ago_are_forgotten_and_recent_ones_found)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    for (uint64_t i = 1; i <= 4 * (uint64_t)EXPORT_FLOW_SEEN; i++) {
        pass(&f, &a, i, i, i % 1000 == 0 ? i - 5 : 0);
        if (i % 1000 == 0)
            CHECK_EQ(a.to, i);
    }
    int before = a.count;
    pass(&f, &a, 1u << 30, 1, 3 * (uint64_t)EXPORT_FLOW_SEEN + 10);
    CHECK_EQ(a.count, before + 1);
    pass(&f, &a, 1u << 31, 1, 10);
    CHECK_EQ(a.count, before + 1);
    CHECK(f.by_span.count <= 3 * (size_t)EXPORT_FLOW_SEEN);
    export_flows_done(&f);
}

TEST(links_to_spans_that_never_come_take_bounded_memory)
{
    struct export_flows f;
    struct arrows a = {0};
    export_flows_init(&f);
    for (uint64_t i = 1; i <= 3 * (uint64_t)EXPORT_FLOW_PENDING; i++)
        pass(&f, &a, i, i, i + 1000000000u);
    CHECK_EQ(a.count, 0);
    CHECK(f.pending.count <= EXPORT_FLOW_PENDING);
    export_flows_done(&f);
}

TEST(a_stretch_on_a_thread_stands_for_an_async_span)
{
    struct model_thread t1 = {.index = 1}, t2 = {.index = 2};
    struct export_point p;
    const struct model_busy busy = {&t2, 70, 80};
    struct model_span s = {
        .span_id = 1, .start_ns = 50, .thread = &t1, .end_thread = &t1, .flags = MODEL_SPAN_ASYNC};
    export_flows_point(&s, &p);
    CHECK(p.async && p.thread == NULL);
    s.busy = &busy;
    s.busy_count = 1;
    export_flows_point(&s, &p);
    CHECK(p.thread == &t2 && p.slice_ns == 70 && p.start_ns == 50);
}

static char step(struct export_flows *f, uint64_t task, uint8_t op, uint64_t *id)
{
    const struct model_task t = {.task = task, .op = op};
    *id = 0;
    return export_flows_task(f, &t, id);
}

TEST(spawn_wakes_and_resume_are_one_arrow)
{
    struct export_flows f;
    uint64_t a, b, c, d;
    export_flows_init(&f);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_SPAWN, &a), 's');
    CHECK_EQ(step(&f, 8, ORIEL_TASK_SPAWN, &d), 's');
    CHECK_EQ(step(&f, 7, ORIEL_TASK_WAKE, &b), 't');
    CHECK_EQ(step(&f, 7, ORIEL_TASK_RESUME, &c), 'f');
    CHECK(a == b && b == c && a != d);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_RESUME, &b), 0);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_YIELD, &b), 0);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_WAKE, &b), 's');
    CHECK(b != a);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_COMPLETE, &b), 0);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_RESUME, &b), 0);
    export_flows_done(&f);
}

TEST(without_memory_arrows_are_missing_and_nothing_else)
{
    struct export_flows f;
    struct arrows a = {0};
    uint64_t id;
    mem_fail_after(1);
    export_flows_init(&f);
    mem_fail_after(0);
    pass(&f, &a, 1, 10, 0);
    pass(&f, &a, 2, 20, 1);
    CHECK_EQ(a.count, 0);
    mem_fail_after(1);
    CHECK_EQ(step(&f, 7, ORIEL_TASK_SPAWN, &id), 0);
    mem_fail_after(0);
    export_flows_done(&f);
}

TEST_MAIN()
