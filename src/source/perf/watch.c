/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Wake-ups picked out in the kernel: three small programs on tracepoints of the
 * scheduler know the threads of the observed program and its children, and hand
 * over the wake-ups of those alone, with the stack of who made them, through
 * perf's own rings. A thread that is woken more often than every 200 us is
 * handed over one time in 64. Nobody else's tracing is touched: the programs
 * always say that all others shall see the event too.
 *
 *   sched_process_fork    the parent is known: so is the child
 *   sched_process_exit    forget it
 *   sched_waking          it is known: {0, tid, how many this one stands for}
 */
#include <assert.h>
#include <dirent.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/kernel_program.h"
#include "source/perf/perf.h"

enum {
    TIDS_MAX = 16384,
    OFTEN_NS = 200000,
    ONE_IN = 64,
    /* On the program's stack. */
    KEY = -4,
    VALUE = -16,
    MESSAGE = -40,
    MESSAGE_TID = 8,
    MESSAGE_COUNT = 12,
    MESSAGE_BYTES = 20 /* with its size it fills words */
};

/* ---- the programs ---- */

/* r0 = what the map holds of the number at `field` of the tracepoint, or NULL. The
 * tracepoint is r6 from here on. */
static void find_tid(struct kernel_program *p, int map, struct kernel_field field)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_6, field.offset);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    op_map(p, BPF_REG_1, map);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

static void on_wake(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w->tids, w->woken);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, 0); /* when it was woken last */
    op_store(p, BPF_DW, BPF_REG_7, 0, BPF_REG_0);
    op_with(p, BPF_SUB, BPF_REG_0, BPF_REG_1);
    op_set(p, BPF_REG_9, 1);
    int seldom = op_jump(p, BPF_JGT, BPF_REG_0, OFTEN_NS);
    op_call(p, BPF_FUNC_get_prandom_u32);
    op_by(p, BPF_AND, BPF_REG_0, ONE_IN - 1);
    op_set(p, BPF_REG_9, ONE_IN);
    int another = op_jump(p, BPF_JNE, BPF_REG_0, 0);
    op_land(p, seldom);
    for (int at = MESSAGE; at < MESSAGE + 24; at += 8)
        op_store_number(p, BPF_DW, BPF_REG_10, at, 0);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_10, KEY);
    op_store(p, BPF_W, BPF_REG_10, MESSAGE + MESSAGE_TID, BPF_REG_1);
    op_store(p, BPF_W, BPF_REG_10, MESSAGE + MESSAGE_COUNT, BPF_REG_9);
    op_copy(p, BPF_REG_1, BPF_REG_6);
    op_map(p, BPF_REG_2, w->events);
    op(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -1); /* BPF_F_CURRENT_CPU */
    op_place(p, BPF_REG_4, MESSAGE);
    op_set(p, BPF_REG_5, MESSAGE_BYTES);
    op_call(p, BPF_FUNC_perf_event_output);
    op_land(p, unknown);
    op_land(p, another);
    op_end(p);
}

static void on_child(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w->tids, w->parent);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_6, w->child.offset);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    op_store_number(p, BPF_DW, BPF_REG_10, VALUE, 0);
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY);
    op_place(p, BPF_REG_3, VALUE);
    op_set(p, BPF_REG_4, BPF_ANY);
    op_call(p, BPF_FUNC_map_update_elem);
    op_land(p, unknown);
    op_end(p);
}

static void on_end(struct kernel_program *p, const struct perf_watch *w)
{
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_1, w->ended.offset);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_delete_elem);
    op_end(p);
}

/* ---- into the kernel ---- */

/* The file descriptor, kept for the end; negative: refused. */
static int keep(struct perf_watch *w, int fd)
{
    assert(w->fd_count < PERF_WATCH_FDS);
    if (fd >= 0)
        w->fds[w->fd_count++] = fd;
    return fd;
}

static int make_map(struct perf_watch *w, uint32_t type, uint32_t value_bytes, uint32_t entries)
{
    return keep(w, kernel_map_make(type, sizeof(uint32_t), value_bytes, entries));
}

/* It runs until the end. */
static bool attach(struct perf_watch *w, const struct kernel_program *p, uint64_t point)
{
    int program = keep(w, kernel_program_load(p, BPF_PROG_TYPE_TRACEPOINT));
    return program >= 0 && keep(w, kernel_program_at_point(program, point)) >= 0;
}

/* Who is known from the beginning: ourselves, of whom the program will be a child,
 * or all threads that it has. */
static bool know(const struct perf_watch *w, const struct perf_options *o)
{
    const uint64_t never = 0;
    char path[40];
    bool any = kernel_map_put(w->tids, &o->pid, &never) == 0;
    snprintf(path, sizeof path, "/proc/%d/task", o->pid);
    DIR *tasks = o->running ? opendir(path) : NULL;
    for (struct dirent *t; tasks && (t = readdir(tasks)) != NULL;) {
        uint32_t tid = (uint32_t)strtoul(t->d_name, NULL, 10);
        if (tid)
            any &= kernel_map_put(w->tids, &tid, &never) == 0;
    }
    if (tasks)
        closedir(tasks);
    return any;
}

static bool load_all(struct perf_watch *w)
{
    struct kernel_point waking, fork, exit;
    struct kernel_program p = {.n = 0};
    if (!kernel_point_read("sched/sched_waking", &waking) ||
        !kernel_point_read("sched/sched_process_fork", &fork) ||
        !kernel_point_read("sched/sched_process_exit", &exit))
        return false;
    w->woken = kernel_point_field(&waking, "pid");
    w->parent = kernel_point_field(&fork, "parent_pid");
    w->child = kernel_point_field(&fork, "child_pid");
    w->ended = kernel_point_field(&exit, "pid");
    if (w->woken.bytes != 4 || w->parent.bytes != 4 || w->child.bytes != 4 || w->ended.bytes != 4)
        return false;
    on_child(&p, w);
    if (!attach(w, &p, fork.id))
        return false;
    p.n = 0;
    on_end(&p, w);
    if (!attach(w, &p, exit.id))
        return false;
    p.n = 0;
    on_wake(&p, w);
    return attach(w, &p, waking.id);
}

static bool add_events(struct perf_events *e, const struct perf_event_attr *like)
{
    struct perf_event_attr a = *like;
    bool any = false;
    a.type = PERF_TYPE_SOFTWARE;
    a.config = PERF_COUNT_SW_BPF_OUTPUT;
    a.freq = 0;
    a.sample_period = 1;
    for (unsigned cpu = 0; cpu < e->ring_count; cpu++) {
        int fd = perf_events_add_cpu(e, &a, cpu, PERF_EVENT_WAKE);
        any |= fd >= 0 && kernel_map_put(e->watch.events, &cpu, &fd) == 0;
    }
    return any;
}

bool perf_watch_open(struct perf_events *e, const struct perf_event_attr *like,
                     const struct perf_options *o)
{
    struct perf_watch *w = &e->watch;
    size_t before = e->fd_count;
    w->tids = make_map(w, BPF_MAP_TYPE_HASH, sizeof(uint64_t), TIDS_MAX);
    w->events = make_map(w, BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(uint32_t), e->ring_count);
    if (w->tids >= 0 && w->events >= 0 && know(w, o) && add_events(e, like) && load_all(w)) {
        e->fields.wake_pid = (struct kernel_field){MESSAGE_TID, 4};
        e->fields.wake_count = (struct kernel_field){MESSAGE_COUNT, 4};
        return true;
    }
    while (e->fd_count > before)
        close(e->fds[--e->fd_count]);
    perf_watch_close(w);
    return false;
}

void perf_watch_close(struct perf_watch *w)
{
    while (w->fd_count > 0)
        close(w->fds[--w->fd_count]);
}
