/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs of ours in the kernel that know the threads of the observed program
 * and its children, from the moment they begin. With them whole CPUs can be
 * looked at and nobody else is: what another program does is left out before
 * anything of it is copied. Nobody else's tracing is touched: the programs at
 * tracepoints always say that all others shall see the event too.
 *
 *   sched_process_fork    the parent is known: so is the child
 *   sched_process_exit    forget it; what was not told of its waits is told before
 *   sched_process_exec    a thread that replaces the program gets the number of the first
 *   sched_waking          it is known: {0, tid, how many this one stands for}
 *   a CPU's own timer     who runs is known: a sample
 *   sched_switch          see switches.c
 *
 * Wake-ups are handed over with the stack of who made them, through perf's own
 * rings; of a thread that is woken more often than every 200 us one in 64. The timer of
 * a CPU goes on whoever runs, so that threads are sampled that live shorter than
 * its period; one for each thread would begin anew with it.
 */
#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/perf/watch.h"
#include "source/tasks.h"

enum {
    TIDS_MAX = PERF_WATCH_THREADS + 1,
    NOBODY = -1, /* what found no room is counted under it */
    LOOKS_MAX = 16,
    OFTEN_NS = 200000,
    ONE_IN = 64,
    LEAVING_NS =
        50000, /* a timer that nothing holds off may meet it between its leaving and the switch */
    /* On the program's stack. */
    KEY = PERF_WATCH_KEY,
    KEY_OF_NOBODY = PERF_WATCH_NOBODY,
    VALUE = -136,
    MESSAGE = -40,
    MESSAGE_LEFT = 0, /* the wait that it ends began then; 0: nobody counts */
    MESSAGE_TID = 8,
    MESSAGE_COUNT = 12,
    MESSAGE_BYTES = 20 /* with its size it fills words */
};
_Static_assert(sizeof(struct perf_known) + 8 <= -VALUE, "fits its place");

#define VALUE_OF(member) (VALUE + KNOWN(member))

/* ---- the programs ---- */

void perf_watch_find(struct kernel_program *p, const struct perf_watch *w,
                     struct kernel_field field)
{
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_6, field.offset);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

/* At the beginning of a program: the tracepoint is r6 from here on. */
static void find_tid(struct kernel_program *p, const struct perf_watch *w,
                     struct kernel_field field)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    perf_watch_find(p, w, field);
}

void perf_watch_tell(struct kernel_program *p, int events)
{
    op_copy(p, BPF_REG_1, BPF_REG_6);
    op_map(p, BPF_REG_2, events);
    op(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -1); /* BPF_F_CURRENT_CPU */
    op_copy(p, BPF_REG_4, BPF_REG_7);
    op_set(p, BPF_REG_5, PERF_KNOWN_TOLD);
    op_call(p, BPF_FUNC_perf_event_output);
}

void perf_watch_count(struct kernel_program *p, const struct perf_watch *w, int what)
{
    op_store_number(p, BPF_W, BPF_REG_10, KEY_OF_NOBODY, NOBODY);
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY_OF_NOBODY);
    op_call(p, BPF_FUNC_map_lookup_elem);
    int nothing = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_set(p, BPF_REG_1, 1);
    op(p, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, (int16_t)what, BPF_ADD);
    op_land(p, nothing);
}

/* The wait of r7 is over by now, unless it has been before. The jump to the end if it does not
 * wait: nobody need be told. */
static int end_wait(struct kernel_program *p)
{
    op_load(p, BPF_DW, BPF_REG_8, BPF_REG_7, KNOWN(left_ns));
    int runs = op_jump(p, BPF_JEQ, BPF_REG_8, 0);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(flags));
    op_by(p, BPF_AND, BPF_REG_1, PERF_KNOWN_PREEMPTED);
    int pushed = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(woke_ns));
    int again = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(woke_ns), BPF_REG_0);
    op_land(p, pushed);
    op_land(p, again);
    return runs;
}

static void on_wake(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w, w->woken);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0), runs = unknown;
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_set(p, BPF_REG_8, 0);
    if (w->counts)
        runs = end_wait(p);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(woken_ns));
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(woken_ns), BPF_REG_0);
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
    op_store(p, BPF_DW, BPF_REG_10, MESSAGE + MESSAGE_LEFT, BPF_REG_8);
    op_copy(p, BPF_REG_1, BPF_REG_6);
    op_map(p, BPF_REG_2, w->events);
    op(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -1); /* BPF_F_CURRENT_CPU */
    op_place(p, BPF_REG_4, MESSAGE);
    op_set(p, BPF_REG_5, MESSAGE_BYTES);
    op_call(p, BPF_FUNC_perf_event_output);
    op_land(p, unknown);
    op_land(p, runs);
    op_land(p, another);
    op_end(p);
}

/* The number at KEY from now on; r0 is not 0 where there was no room. `before`: a register that
 * says whether the program is still to begin; 0: it has. */
static void remember(struct kernel_program *p, const struct perf_watch *w, uint8_t before)
{
    for (int at = 0; at < (int)sizeof(struct perf_known); at += 8)
        op_store_number(p, BPF_DW, BPF_REG_10, VALUE + at, 0);
    if (before)
        op_store(p, BPF_W, BPF_REG_10, VALUE_OF(before), before);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_store(p, BPF_DW, BPF_REG_10, VALUE_OF(born_ns), BPF_REG_0);
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY);
    op_place(p, BPF_REG_3, VALUE);
    op_set(p, BPF_REG_4, BPF_ANY);
    op_call(p, BPF_FUNC_map_update_elem);
}

/* What was not told of r7, which runs, is told. The tracepoint is r6. */
static void tell_rest(struct kernel_program *p, const struct perf_watch *w)
{
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_copy(p, BPF_REG_8, BPF_REG_0);
    perf_watch_runs(p, w);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(begin_ns));
    int nothing = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    perf_watch_tell(p, w->back);
    op_land(p, nothing);
}

/* And no more. */
static void forget(struct kernel_program *p, const struct perf_watch *w)
{
    op_map(p, BPF_REG_1, w->tids);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_delete_elem);
}

static void on_child(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w, w->parent);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_load(p, BPF_W, BPF_REG_7, BPF_REG_0, KNOWN(before));
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_6, w->child.offset);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_2);
    remember(p, w, BPF_REG_7);
    int done = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    perf_watch_count(p, w, PERF_NOBODY_NO_ROOM);
    op_land(p, done);
    op_land(p, unknown);
    op_end(p);
}

/* The number of who runs, and what the map holds of it in r0. */
static void find_current(struct kernel_program *p, int map)
{
    op_call(p, BPF_FUNC_get_current_pid_tgid);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_0);
    op_map(p, BPF_REG_1, map);
    op_place(p, BPF_REG_2, KEY);
    op_call(p, BPF_FUNC_map_lookup_elem);
}

/* By now it has its new number; whoever had that is gone, or was the one. The number before is
 * nobody's any more, and will be a stranger's. And if it is the
 * program that begins, whose child it is until then is nobody to be looked at. */
static void on_exec(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w, w->before);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    if (w->back >= 0)
        tell_rest(p, w);
    forget(p, w);
    op_call(p, BPF_FUNC_get_current_pid_tgid);
    op_store(p, BPF_W, BPF_REG_10, KEY, BPF_REG_0);
    remember(p, w, 0);
    if (w->starter) {
        op_store_number(p, BPF_W, BPF_REG_10, KEY, w->starter);
        forget(p, w);
    }
    op_land(p, unknown);
    op_end(p);
}

/* 0: no sample. */
static void on_timer(struct kernel_program *p, const struct perf_watch *w)
{
    find_current(p, w->tids);
    int known = op_jump(p, BPF_JNE, BPF_REG_0, 0);
    op(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    op_land(p, known);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(left_ns));
    int back = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    op_load(p, BPF_DW, BPF_REG_2, BPF_REG_7, KNOWN(seen_ns));
    int again = op_jump(p, BPF_JNE, BPF_REG_2, 0);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_copy(p, BPF_REG_3, BPF_REG_0);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(left_ns));
    op_with(p, BPF_SUB, BPF_REG_3, BPF_REG_1);
    int leaving = op_jump(p, BPF_JSLT, BPF_REG_3, LEAVING_NS);
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(seen_ns), BPF_REG_0);
    op_land(p, back);
    op_land(p, again);
    op_land(p, leaving);
    op_end(p);
}

static void on_end(struct kernel_program *p, const struct perf_watch *w)
{
    find_tid(p, w, w->ended);
    int unknown = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    if (w->back >= 0)
        tell_rest(p, w);
    forget(p, w);
    op_land(p, unknown);
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
static bool attach(struct perf_watch *w, const struct kernel_program *p, uint64_t point,
                   const char *name)
{
    int program = keep(w, kernel_program_load(p, BPF_PROG_TYPE_TRACEPOINT, name));
    return program >= 0 && keep(w, kernel_program_at_point(program, point)) >= 0;
}

/* Unless it is known: then it may have been woken already. */
static int know(void *user, int32_t pid, int32_t tid)
{
    struct perf_watch *w = user;
    struct perf_known known;
    (void)pid;
    if (kernel_map_get(w->tids, &tid, &known) == 0)
        return 0;
    known = (struct perf_known){.born_ns = clock_mono_ns(), .before = w->starter != 0};
    w->looked_new++;
    return kernel_map_put(w->tids, &tid, &known);
}

/* Who is known from the beginning: who starts the program, until it begins, or all
 * threads that run. Those that begin while we look are found by looking again. */
static bool know_all(struct perf_watch *w, const struct perf_options *o)
{
    const int32_t nobody = NOBODY;
    const struct perf_known none = {0};
    if (kernel_map_put(w->tids, &nobody, &none) != 0)
        return false;
    if (!o->running)
        return know(w, o->pid, o->pid) == 0;
    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        w->looked_new = 0;
        if (tasks_each(o->pid, know, w) < 0 || w->looked_new == 0)
            break;
    }
    return true;
}

bool perf_watch_load(struct perf_watch *w,
                     void (*write)(struct kernel_program *, const struct perf_watch *),
                     uint64_t point, const char *name)
{
    struct kernel_program p = {.n = 0};
    write(&p, w);
    return attach(w, &p, point, name);
}

/* The map of all threads, and the program that older kernels do not let have one that grows. */
static void make_tids(struct perf_watch *w)
{
    const int before = w->fd_count;
    for (int growing = 1; growing >= 0; growing--) {
        struct kernel_program p = {.n = 0};
        w->tids = growing ? keep(w, kernel_map_make_growing(sizeof(uint32_t),
                                                            sizeof(struct perf_known), TIDS_MAX))
                          : make_map(w, BPF_MAP_TYPE_HASH, sizeof(struct perf_known), TIDS_MAX);
        on_timer(&p, w);
        w->timer = keep(w, kernel_program_load(&p, BPF_PROG_TYPE_PERF_EVENT, "timer"));
        if (w->timer >= 0)
            return;
        while (w->fd_count > before)
            close(w->fds[--w->fd_count]);
    }
}

bool perf_watch_open(struct perf_events *e, const struct perf_options *o)
{
    struct perf_watch *w = &e->watch;
    struct kernel_point fork, exit, exec;
    if (o->no_programs || !kernel_point_numbers_are_ours() ||
        !kernel_point_read("sched/sched_process_fork", &fork) ||
        !kernel_point_read("sched/sched_process_exit", &exit) ||
        !kernel_point_read("sched/sched_process_exec", &exec))
        return false;
    w->parent = kernel_point_field(&fork, "parent_pid");
    w->child = kernel_point_field(&fork, "child_pid");
    w->ended = kernel_point_field(&exit, "pid");
    w->before = kernel_point_field(&exec, "old_pid");
    if (w->parent.bytes != 4 || w->child.bytes != 4 || w->ended.bytes != 4 || w->before.bytes != 4)
        return false;
    w->starter = o->running ? 0 : o->pid;
    make_tids(w);
    w->shown = w->back = -1;
    if (o->off_cpu) {
        w->shown = make_map(w, BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(uint32_t), e->ring_count);
        w->back = make_map(w, BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(uint32_t), e->ring_count);
    }
    w->open = w->timer >= 0 && perf_watch_load(w, on_child, fork.id, "fork") &&
              perf_watch_load(w, on_end, exit.id, "exit") &&
              perf_watch_load(w, on_exec, exec.id, "exec") && know_all(w, o);
    if (!w->open)
        perf_watch_close(w);
    return w->open;
}

struct perf_missed perf_watch_missed(const struct perf_watch *w)
{
    const int32_t nobody = NOBODY;
    struct perf_known n;
    if (!w->open || kernel_map_get(w->tids, &nobody, &n) != 0)
        return (struct perf_missed){.threads = 0};
    return (struct perf_missed){.threads = n.now_ns,
                                .backs = n.left_ns,
                                .waits = n.begin_ns,
                                .wakes = n.woke_ns - w->unwatched_wakes};
}

/* ---- what is done with them ---- */

void perf_watch_take_back(struct perf_events *e, size_t events, int fds)
{
    while (e->fd_count > events)
        close(e->fds[--e->fd_count]);
    while (e->watch.fd_count > fds)
        close(e->watch.fds[--e->watch.fd_count]);
}

bool perf_watch_cpus(struct perf_events *e, const struct perf_event_attr *cpu)
{
    struct perf_watch *w = &e->watch;
    struct perf_event_attr a = *cpu;
    const size_t before = e->fd_count;
    const int fds = w->fd_count;
    a.inherit = a.enable_on_exec = 0;
    a.mmap = a.mmap2 = a.comm = a.comm_exec = a.task = a.context_switch = a.build_id = 0;
    a.disabled = 1;
    assert(w->open);
    bool all = true;
    for (unsigned cpu_index = 0; all && cpu_index < e->ring_count; cpu_index++) {
        int fd = perf_events_add_cpu(e, &a, cpu_index, PERF_EVENT_CPU);
        if (fd != -ENODEV) /* a CPU that is off */
            all = fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, w->timer) == 0 &&
                  ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0;
    }
    if (!all)
        perf_watch_take_back(e, before, fds);
    return all;
}

bool perf_watch_events(struct perf_events *e, const struct perf_event_attr *like,
                       enum perf_event_kind kind, int map)
{
    struct perf_event_attr a = *like;
    bool any = false;
    a.type = PERF_TYPE_SOFTWARE;
    a.config = PERF_COUNT_SW_BPF_OUTPUT;
    a.freq = 0;
    a.sample_period = 1;
    for (unsigned cpu = 0; cpu < e->ring_count; cpu++) {
        int fd = perf_events_add_cpu(e, &a, cpu, kind);
        any |= fd >= 0 && kernel_map_put(map, &cpu, &fd) == 0;
    }
    return any;
}

bool perf_watch_wakes(struct perf_events *e, const struct perf_event_attr *like,
                      const struct kernel_point *waking)
{
    struct perf_watch *w = &e->watch;
    const size_t before = e->fd_count;
    const int fds = w->fd_count;
    w->woken = kernel_point_field(waking, "pid");
    if (!w->open || w->woken.bytes != 4)
        return false;
    w->events = make_map(w, BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(uint32_t), e->ring_count);
    if (w->events >= 0 && perf_watch_events(e, like, PERF_EVENT_WAKE, w->events) &&
        perf_watch_load(w, on_wake, waking->id, "wake")) {
        e->fields.wake_pid = (struct kernel_field){MESSAGE_TID, 4};
        e->fields.wake_count = (struct kernel_field){MESSAGE_COUNT, 4};
        e->fields.wake_left = (struct kernel_field){MESSAGE_LEFT, w->counts ? 8 : 0};
        return true;
    }
    perf_watch_take_back(e, before, fds);
    return false;
}

void perf_watch_close(struct perf_watch *w)
{
    w->open = false;
    while (w->fd_count > 0)
        close(w->fds[--w->fd_count]);
}
