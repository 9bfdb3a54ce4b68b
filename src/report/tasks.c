/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Follows each task from its first operation to its completion. A task goes by
 * the name of its SPAWN or NAME operation; the name of the first operation
 * seen stands in where both are missing.
 */
#include "report/tasks.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

static struct task_group *group(struct tasks *t, uint32_t name)
{
    while (t->groups.count <= name)
        if (!VEC_PUSH(&t->groups))
            return NULL;
    t->groups.items[name].used = true;
    return &t->groups.items[name];
}

static struct task_live *place(struct tasks *t)
{
    uint32_t index = t->free_place;
    if (index) {
        t->free_place = t->live.items[index].next_free;
        return &t->live.items[index];
    }
    if (t->live.count == 0 && !VEC_PUSH(&t->live))
        return NULL;
    return VEC_PUSH(&t->live);
}

/* The task of an operation, NULL: no memory or not followed. */
static struct task_live *live_of(struct tasks *t, const struct model_task *op, uint32_t name,
                                 bool *failed)
{
    uint64_t process = op->thread ? op->thread->process : 0;
    uint64_t key = (op->task + (process << 48)) * 0x9e3779b97f4a7c15u;
    key = key ? key : 1;
    const uint64_t *found = map_get(&t->by_key, key);
    if (found)
        return &t->live.items[*found];
    if (t->by_key.count >= TASKS_MAX) {
        t->not_followed++;
        return NULL;
    }
    uint64_t *slot = map_put(&t->by_key, key, 0);
    struct task_live *l = slot ? place(t) : NULL;
    if (!l) {
        if (slot)
            map_remove(&t->by_key, key);
        *failed = true;
        return NULL;
    }
    *slot = (uint64_t)(l - t->live.items);
    *l = (struct task_live){.key = key, .name = name, .first_ns = op->t_ns};
    return l;
}

static uint64_t since(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

static bool resume(struct tasks *t, struct task_live *l, uint64_t t_ns)
{
    bool ok = true;
    if (l->waked) {
        struct task_group *g = group(t, l->name);
        uint64_t delay = since(l->waked_ns, t_ns);
        ok = g && hist_add(&g->delays, delay);
        if (g && delay > g->delay_max)
            g->delay_max = delay;
    }
    l->waked = false;
    l->running = true;
    l->resumed_ns = t_ns;
    return ok;
}

static bool stop(struct tasks *t, struct task_live *l, uint64_t t_ns)
{
    if (!l->running)
        return true;
    struct task_group *g = group(t, l->name);
    uint64_t poll = since(l->resumed_ns, t_ns);
    l->running = false;
    l->sums.polls++;
    l->sums.busy_ns += poll;
    if (g && poll > g->poll_max)
        g->poll_max = poll;
    return g && hist_add(&g->polls, poll);
}

static bool finish(struct tasks *t, struct task_live *l, uint64_t t_ns, bool completed)
{
    bool ok = stop(t, l, t_ns);
    struct task_group *g = group(t, l->name);
    assert(l->key && l > t->live.items);
    if (g) {
        g->sums.spawned += l->sums.spawned;
        g->sums.wakes += l->sums.wakes;
        g->sums.polls += l->sums.polls;
        g->sums.blocks += l->sums.blocks;
        g->sums.busy_ns += l->sums.busy_ns;
        g->sums.wall_ns += since(l->first_ns, t_ns);
        g->sums.completed += completed;
        g->sums.alive += !completed;
    }
    map_remove(&t->by_key, l->key);
    l->key = 0;
    l->next_free = t->free_place;
    t->free_place = (uint32_t)(l - t->live.items);
    return ok && g;
}

int tasks_add(struct tasks *t, const struct model_task *op, uint32_t name)
{
    bool failed = false, ok = true;
    struct task_live *l = live_of(t, op, name, &failed);
    if (!l)
        return failed ? ORIEL_ENOMEM : 0;
    switch ((enum oriel_task_op)op->op) {
    case ORIEL_TASK_SPAWN:
        l->sums.spawned++;
        if (!l->named)
            l->name = name;
        break;
    case ORIEL_TASK_NAME:
        l->name = name;
        l->named = true;
        break;
    case ORIEL_TASK_WAKE:
        l->sums.wakes++;
        if (!l->waked && !l->running)
            l->waked_ns = op->t_ns;
        l->waked |= !l->running;
        break;
    case ORIEL_TASK_RESUME:
        ok = stop(t, l, op->t_ns) && resume(t, l, op->t_ns);
        break;
    case ORIEL_TASK_BLOCK:
        l->sums.blocks++;
        ok = stop(t, l, op->t_ns);
        break;
    case ORIEL_TASK_YIELD:
        ok = stop(t, l, op->t_ns);
        break;
    case ORIEL_TASK_COMPLETE:
        ok = finish(t, l, op->t_ns, true);
        break;
    }
    return ok ? 0 : ORIEL_ENOMEM;
}

int tasks_settle(struct tasks *t, uint64_t end_ns)
{
    bool ok = true;
    for (size_t i = 1; i < t->live.count; i++)
        if (t->live.items[i].key && !finish(t, &t->live.items[i], end_ns, false))
            ok = false;
    assert(t->by_key.count == 0);
    return ok ? 0 : ORIEL_ENOMEM;
}

void tasks_done(struct tasks *t)
{
    for (size_t i = 0; i < t->groups.count; i++) {
        hist_done(&t->groups.items[i].polls);
        hist_done(&t->groups.items[i].delays);
    }
    VEC_DONE(&t->groups);
    VEC_DONE(&t->live);
    map_done(&t->by_key);
}
