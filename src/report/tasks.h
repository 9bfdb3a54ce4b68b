/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Task life, added up by task name: how many were spawned and woken, how often
 * and how long they ran (resume to yield), how long a woken task waited to
 * run, and how long they were there. At most TASKS_MAX are followed at a time;
 * more are counted. Pure; one thread.
 */
#ifndef ORIEL_REPORT_TASKS_H
#define ORIEL_REPORT_TASKS_H

#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "report/hist.h"

#define TASKS_MAX 65536u

struct task_sums {
    uint64_t spawned, completed, wakes, polls, blocks;
    uint64_t busy_ns, wall_ns, alive;
};
struct task_group { /* by name */
    bool used;
    struct task_sums sums;
    struct hist polls, delays; /* resume to yield; wake to resume */
    uint64_t poll_max, delay_max;
};
struct task_live {
    uint64_t key; /* 0: a free place */
    uint32_t name, next_free;
    bool named, running, waked;
    uint64_t first_ns, resumed_ns, waked_ns;
    struct task_sums sums;
};
struct tasks {
    VEC(struct task_group) groups; /* by name id */
    VEC(struct task_live) live;    /* [0] unused */
    struct map by_key;
    uint32_t free_place;
    uint64_t not_followed; /* operations of tasks beyond TASKS_MAX */
};

/* `name` is that of the operation's site. 0 or ORIEL_ENOMEM. */
int tasks_add(struct tasks *t, const struct model_task *op, uint32_t name);
/* Count tasks that are still there into their groups, as of `end_ns`, and
 * forget them. 0 or ORIEL_ENOMEM. */
int tasks_settle(struct tasks *t, uint64_t end_ns);
void tasks_done(struct tasks *t);

#endif
