/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Task life: busy, idle and waiting time, and operations in an odd order.
 */
#include "report/tasks.h"

#include "base/mem.h"
#include "test.h"

static void op(struct tasks *t, uint64_t task, enum oriel_task_op what, uint64_t t_ns,
               uint32_t name)
{
    const struct model_task o = {.task = task, .t_ns = t_ns, .op = (uint8_t)what};
    CHECK_EQ(tasks_add(t, &o, name), 0);
}

TEST(busy_and_wall_time_of_one_task)
{
    struct tasks t = {0};
    op(&t, 1, ORIEL_TASK_SPAWN, 100, 0);
    op(&t, 1, ORIEL_TASK_WAKE, 110, 0);
    op(&t, 1, ORIEL_TASK_RESUME, 150, 0);
    op(&t, 1, ORIEL_TASK_YIELD, 170, 0);
    op(&t, 1, ORIEL_TASK_WAKE, 200, 0);
    op(&t, 1, ORIEL_TASK_RESUME, 205, 0);
    op(&t, 1, ORIEL_TASK_COMPLETE, 300, 0);
    const struct task_group *g = &t.groups.items[0];
    CHECK_EQ(g->sums.spawned, 1);
    CHECK_EQ(g->sums.completed, 1);
    CHECK_EQ(g->sums.wakes, 2);
    CHECK_EQ(g->sums.polls, 2);
    CHECK_EQ(g->sums.busy_ns, 20 + 95);
    CHECK_EQ(g->sums.wall_ns, 200);
    CHECK_EQ(g->poll_max, 95);
    CHECK_EQ(g->delays.count, 2);
    CHECK_EQ(g->delay_max, 40);
    tasks_done(&t);
}

TEST(a_task_goes_by_its_spawn_or_given_name)
{
    struct tasks t = {0};
    op(&t, 1, ORIEL_TASK_WAKE, 1, 0); /* its spawn comes from another thread, later */
    op(&t, 1, ORIEL_TASK_SPAWN, 1, 1);
    op(&t, 1, ORIEL_TASK_NAME, 2, 2);
    op(&t, 1, ORIEL_TASK_RESUME, 3, 0);
    op(&t, 1, ORIEL_TASK_COMPLETE, 9, 0);
    CHECK(!t.groups.items[0].used);
    CHECK(!t.groups.items[1].used);
    CHECK_EQ(t.groups.items[2].sums.completed, 1);
    CHECK_EQ(t.groups.items[2].sums.busy_ns, 6);
    tasks_done(&t);
}

TEST(tasks_still_there_at_the_end_count_as_alive)
{
    struct tasks t = {0};
    op(&t, 1, ORIEL_TASK_SPAWN, 10, 0);
    op(&t, 2, ORIEL_TASK_SPAWN, 20, 0);
    op(&t, 2, ORIEL_TASK_RESUME, 30, 0);
    CHECK_EQ(tasks_settle(&t, 100), 0);
    CHECK_EQ(t.groups.items[0].sums.alive, 2);
    CHECK_EQ(t.groups.items[0].sums.completed, 0);
    CHECK_EQ(t.groups.items[0].sums.busy_ns, 70);
    CHECK_EQ(t.groups.items[0].sums.wall_ns, 90 + 80);
    CHECK_EQ(tasks_settle(&t, 200), 0); /* telling it twice changes nothing */
    CHECK_EQ(t.groups.items[0].sums.alive, 2);
    tasks_done(&t);
}

TEST(operations_in_any_order_never_give_negative_times)
{
    struct tasks t = {0};
    op(&t, 1, ORIEL_TASK_COMPLETE, 5, 0);
    op(&t, 1, ORIEL_TASK_YIELD, 6, 0);
    op(&t, 1, ORIEL_TASK_RESUME, 100, 0);
    op(&t, 1, ORIEL_TASK_RESUME, 50, 0); /* before the one before it */
    op(&t, 1, ORIEL_TASK_BLOCK, 40, 0);
    op(&t, 1, 99, 40, 0);
    op(&t, 1, ORIEL_TASK_COMPLETE, 1, 0);
    CHECK_EQ(t.groups.items[0].sums.busy_ns, 0);
    CHECK_EQ(t.groups.items[0].sums.completed, 2);
    CHECK_EQ(t.groups.items[0].sums.polls, 2);
    tasks_done(&t);
}

TEST(same_task_number_in_two_processes_are_two_tasks)
{
    struct tasks t = {0};
    const struct model_thread other = {.process = 1};
    op(&t, 1, ORIEL_TASK_SPAWN, 10, 0);
    const struct model_task o = {.task = 1, .t_ns = 20, .op = ORIEL_TASK_SPAWN, .thread = &other};
    CHECK_EQ(tasks_add(&t, &o, 0), 0);
    CHECK_EQ(t.by_key.count, 2);
    tasks_done(&t);
}

TEST(more_tasks_than_can_be_followed_are_counted)
{
    struct tasks t = {0};
    for (uint64_t i = 0; i < TASKS_MAX + 100; i++)
        op(&t, 1 + i, ORIEL_TASK_SPAWN, 10, 0);
    CHECK_EQ(t.by_key.count, TASKS_MAX);
    CHECK_EQ(t.not_followed, 100);
    op(&t, 1, ORIEL_TASK_COMPLETE, 11, 0);
    op(&t, 1000000, ORIEL_TASK_SPAWN, 12, 0); /* there is room again */
    CHECK_EQ(t.not_followed, 100);
    tasks_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
