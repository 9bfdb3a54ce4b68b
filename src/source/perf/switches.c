/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program of ours at every switch of the machine that adds up, for each
 * thread that is known, how long it waited and how long it was ready while others
 * ran. It replaces two records of the kernel's for each switch. What it tells:
 *
 *   shown   a thread leaves its CPU, with where: seldom, or one in so many
 *   back    it is on a CPU again, if that wait was shown, lasted, or sums were
 *           not told for a while
 *
 * Both are the thread's struct perf_known as it is. Sums begin with the thread
 * and only grow: one that found no room in the ring is made up for by the next.
 * A thread is on one CPU, so nobody else writes while one of them runs; who
 * wakes it comes between the two.
 *
 * A kernel may not show every switch or wake-up: it runs no program while another one
 * of a tracepoint runs on that CPU, and we have met one that showed none of those of
 * some threads and of an idle CPU. Who leaves a CPU, or ends, was on it: its wait was over at
 * the latest when a timer met it there. That, a thread that comes back and had not left, and
 * a wait that nobody ended are counted.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#include "source/perf/watch.h"

enum {
    SELDOM_NS = 4000000, /* after which it is shown whatever was before */
    RARE_NS = 2000000,   /* half as many are left out ... */
    OFTEN_NS = 500000,   /* ... or twice as many: about 1,000 a second are shown */
    PERIOD_MAX = 256,
    LONG_NS = 1000000,    /* told by itself */
    WHILE_NS = 100000000, /* sums are told at least so often */
    STATE_WAITS = 0xff,   /* what a thread may wait in; 0, or above: it is ready */
    STATE_DISK = 2,
    NOW = -16 /* on the program's stack */
};

/* A jump if r`a` `condition` r`b`. */
static int jump_if(struct kernel_program *p, uint8_t condition, uint8_t a, uint8_t b)
{
    op(p, (uint8_t)(BPF_JMP | condition | BPF_X), a, b, 0, 0);
    return p->n - 1;
}

/* r7.member += r`by` */
static void add_to(struct kernel_program *p, int member, uint8_t by)
{
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, member);
    op_with(p, BPF_ADD, BPF_REG_1, by);
    op_store(p, BPF_DW, BPF_REG_7, member, BPF_REG_1);
}

static void one_more(struct kernel_program *p, int member)
{
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, member);
    op_by(p, BPF_ADD, BPF_REG_1, 1);
    op_store(p, BPF_DW, BPF_REG_7, member, BPF_REG_1);
}

/* r9 = why r7 leaves, and which CPU. */
static void why(struct kernel_program *p, const struct perf_watch *w)
{
    op_call(p, BPF_FUNC_get_smp_processor_id);
    op_copy(p, BPF_REG_9, BPF_REG_0);
    op_by(p, BPF_LSH, BPF_REG_9, 16);
    op_load(p, BPF_DW, BPF_REG_2, BPF_REG_6, w->state.offset);
    op_by(p, BPF_AND, BPF_REG_2, STATE_WAITS);
    int waits = op_jump(p, BPF_JNE, BPF_REG_2, 0);
    op_by(p, BPF_OR, BPF_REG_9, PERF_KNOWN_PREEMPTED);
    op_land(p, waits);
    op_by(p, BPF_AND, BPF_REG_2, STATE_DISK);
    int other = op_jump(p, BPF_JEQ, BPF_REG_2, 0);
    op_by(p, BPF_OR, BPF_REG_9, PERF_KNOWN_DISK);
    op_land(p, other);
}

/* Its number and that of its process, once. */
static void introduce(struct kernel_program *p)
{
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(pid));
    int known = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_call(p, BPF_FUNC_get_current_pid_tgid);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(tid), BPF_REG_0);
    op_by(p, BPF_RSH, BPF_REG_0, 32);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(pid), BPF_REG_0);
    op_land(p, known);
}

/* How many are left out from now on: r4 is the time since the last that was shown. By number and
 * by chance: by time alone, waits after much work would be shown more often than others. */
static void pace(struct kernel_program *p)
{
    op_load(p, BPF_W, BPF_REG_3, BPF_REG_7, KNOWN(period));
    int not_often = op_jump(p, BPF_JGT, BPF_REG_4, OFTEN_NS);
    int at_most = op_jump(p, BPF_JGE, BPF_REG_3, PERIOD_MAX);
    op_by(p, BPF_LSH, BPF_REG_3, 1);
    op_land(p, at_most);
    op_land(p, not_often);
    int not_rare = op_jump(p, BPF_JLE, BPF_REG_4, RARE_NS);
    op_by(p, BPF_RSH, BPF_REG_3, 1);
    op_land(p, not_rare);
    int not_seldom = op_jump(p, BPF_JLE, BPF_REG_4, SELDOM_NS);
    op_set(p, BPF_REG_3, 1);
    op_land(p, not_seldom);
    int some = op_jump(p, BPF_JNE, BPF_REG_3, 0);
    op_set(p, BPF_REG_3, 1);
    op_land(p, some);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(period), BPF_REG_3);
    op_store_number(p, BPF_W, BPF_REG_7, KNOWN(left_out), 0);
    int all = op_jump(p, BPF_JEQ, BPF_REG_3, 1);
    op_call(p, BPF_FUNC_get_prandom_u32);
    op_load(p, BPF_W, BPF_REG_3, BPF_REG_7, KNOWN(period));
    op_by(p, BPF_LSH, BPF_REG_3, 1);
    op_by(p, BPF_SUB, BPF_REG_3, 1); /* a power of two, less one */
    op_with(p, BPF_AND, BPF_REG_0, BPF_REG_3);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(left_out), BPF_REG_0);
    op_land(p, all);
}

/* r7 leaves its CPU at r8, as r9 says. */
static void leave(struct kernel_program *p, const struct perf_watch *w)
{
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(now_ns), BPF_REG_8);
    op_store_number(p, BPF_DW, BPF_REG_7, KNOWN(woke_ns), 0);
    op_store_number(p, BPF_DW, BPF_REG_7, KNOWN(seen_ns), 0);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(flags), BPF_REG_9);
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(left_ns), BPF_REG_8); /* it may be woken from here on */
    op_copy(p, BPF_REG_4, BPF_REG_8);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(shown_ns));
    op_with(p, BPF_SUB, BPF_REG_4, BPF_REG_1);
    op_load(p, BPF_W, BPF_REG_2, BPF_REG_7, KNOWN(left_out));
    int due = op_jump(p, BPF_JEQ, BPF_REG_2, 0);
    int seldom = op_jump(p, BPF_JGT, BPF_REG_4, SELDOM_NS);
    op_by(p, BPF_SUB, BPF_REG_2, 1);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(left_out), BPF_REG_2);
    int left_out = op_jump(p, BPF_JA, 0, 0);
    op_land(p, due);
    op_land(p, seldom);
    op_by(p, BPF_OR, BPF_REG_9, PERF_KNOWN_SHOWN);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(period));
    int each = op_jump(p, BPF_JLE, BPF_REG_1, 1);
    op_by(p, BPF_OR, BPF_REG_9, PERF_KNOWN_MANY);
    op_land(p, each);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(flags), BPF_REG_9);
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(shown_ns), BPF_REG_8);
    pace(p);
    perf_watch_tell(p, w->shown);
    op_land(p, left_out);
}

/* r9 = how long r7 was off its CPU, until r8; it is added up. */
static void add_up(struct kernel_program *p, const struct perf_watch *w)
{
    op_load(p, BPF_DW, BPF_REG_3, BPF_REG_7, KNOWN(left_ns));
    op_set(p, BPF_REG_9, 0);
    int earlier = jump_if(p, BPF_JLE, BPF_REG_8, BPF_REG_3); /* clocks of two CPUs */
    op_copy(p, BPF_REG_9, BPF_REG_8);
    op_with(p, BPF_SUB, BPF_REG_9, BPF_REG_3);
    op_land(p, earlier);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(begin_ns));
    int begun = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(begin_ns), BPF_REG_3);
    op_land(p, begun);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(flags));
    op_by(p, BPF_AND, BPF_REG_1, PERF_KNOWN_PREEMPTED);
    int waited = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    add_to(p, KNOWN(taken_ns), BPF_REG_9);
    one_more(p, KNOWN(taken));
    int done = op_jump(p, BPF_JA, 0, 0);
    op_land(p, waited);
    op_set(p, BPF_REG_4, 0); /* ready: from being woken on */
    op_load(p, BPF_DW, BPF_REG_2, BPF_REG_7, KNOWN(woke_ns));
    int unseen = op_jump(p, BPF_JEQ, BPF_REG_2, 0);
    int later = jump_if(p, BPF_JGE, BPF_REG_2, BPF_REG_8);
    op_copy(p, BPF_REG_4, BPF_REG_8);
    op_with(p, BPF_SUB, BPF_REG_4, BPF_REG_2);
    int within = jump_if(p, BPF_JLE, BPF_REG_4, BPF_REG_9);
    op_copy(p, BPF_REG_4, BPF_REG_9);
    int split = op_jump(p, BPF_JA, 0, 0);
    op_land(p, unseen);
    perf_watch_count(p, w, PERF_NOBODY_UNWOKEN);
    op_set(p, BPF_REG_4, 0);
    op_land(p, within);
    op_land(p, later);
    op_land(p, split);
    add_to(p, KNOWN(ready_ns), BPF_REG_4);
    op_copy(p, BPF_REG_5, BPF_REG_9);
    op_with(p, BPF_SUB, BPF_REG_5, BPF_REG_4);
    add_to(p, KNOWN(wait_ns), BPF_REG_5);
    one_more(p, KNOWN(waits));
    op_land(p, done);
}

/* r7 is on its CPU since r8, after r9. */
static void tell_back(struct kernel_program *p, const struct perf_watch *w)
{
    op_store(p, BPF_DW, BPF_REG_7, KNOWN(now_ns), BPF_REG_8);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(flags));
    op_by(p, BPF_AND, BPF_REG_1, PERF_KNOWN_SHOWN);
    int shown = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    int lasted = op_jump(p, BPF_JGE, BPF_REG_9, LONG_NS);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(begin_ns));
    op_copy(p, BPF_REG_2, BPF_REG_8);
    op_with(p, BPF_SUB, BPF_REG_2, BPF_REG_1);
    int soon = op_jump(p, BPF_JSLT, BPF_REG_2, WHILE_NS);
    op_land(p, shown);
    op_land(p, lasted);
    perf_watch_tell(p, w->back);
    op_store_number(p, BPF_DW, BPF_REG_7, KNOWN(begin_ns), 0);
    op_land(p, soon);
    op_store_number(p, BPF_DW, BPF_REG_7, KNOWN(left_ns), 0);
}

void perf_watch_runs(struct kernel_program *p, const struct perf_watch *w)
{
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(left_ns));
    int back = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    op_store(p, BPF_DW, BPF_REG_10, NOW, BPF_REG_8);
    perf_watch_count(p, w, PERF_NOBODY_UNSEEN);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(flags));
    op_by(p, BPF_OR, BPF_REG_1, PERF_KNOWN_UNSEEN);
    op_store(p, BPF_W, BPF_REG_7, KNOWN(flags), BPF_REG_1);
    for (int i = 0; i < 2; i++) { /* the first that is known: it may have been woken again since */
        op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, i ? KNOWN(seen_ns) : KNOWN(woke_ns));
        int unknown = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
        int later = jump_if(p, BPF_JGE, BPF_REG_1, BPF_REG_8);
        op_copy(p, BPF_REG_8, BPF_REG_1);
        op_land(p, unknown);
        op_land(p, later);
    }
    add_up(p, w);
    tell_back(p, w);
    op_load(p, BPF_DW, BPF_REG_8, BPF_REG_10, NOW);
    op_land(p, back);
}

static void on_switch(struct kernel_program *p, const struct perf_watch *w)
{
    op_copy(p, BPF_REG_6, BPF_REG_1);
    op_set(p, BPF_REG_8, 0);
    perf_watch_find(p, w, w->leaves);
    int stranger = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(before));
    int before = op_jump(p, BPF_JNE, BPF_REG_1, 0);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_copy(p, BPF_REG_8, BPF_REG_0);
    introduce(p);
    perf_watch_runs(p, w);
    why(p, w);
    leave(p, w);
    op_land(p, stranger);
    op_land(p, before);

    perf_watch_find(p, w, w->comes);
    int another = op_jump(p, BPF_JEQ, BPF_REG_0, 0);
    op_copy(p, BPF_REG_7, BPF_REG_0);
    op_load(p, BPF_DW, BPF_REG_1, BPF_REG_7, KNOWN(left_ns));
    int unseen = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    int timed = op_jump(p, BPF_JNE, BPF_REG_8, 0);
    op_call(p, BPF_FUNC_ktime_get_ns);
    op_copy(p, BPF_REG_8, BPF_REG_0);
    op_land(p, timed);
    add_up(p, w);
    tell_back(p, w);
    op_land(p, another);
    op_end(p);
    op_land(p, unseen); /* the first time, it left nowhere */
    op_load(p, BPF_W, BPF_REG_1, BPF_REG_7, KNOWN(pid));
    int first = op_jump(p, BPF_JEQ, BPF_REG_1, 0);
    perf_watch_count(p, w, PERF_NOBODY_UNLEFT);
    op_land(p, first);
    op_end(p);
}

bool perf_watch_switches(struct perf_events *e, const struct perf_event_attr *like)
{
    struct perf_watch *w = &e->watch;
    struct perf_event_attr shown = *like, back = *like;
    struct kernel_point leaving;
    const size_t before = e->fd_count;
    const int fds = w->fd_count;
    assert(w->open);
    if (w->shown < 0 || w->back < 0 || !kernel_point_read("sched/sched_switch", &leaving))
        return false;
    w->leaves = kernel_point_field(&leaving, "prev_pid");
    w->comes = kernel_point_field(&leaving, "next_pid");
    w->state = kernel_point_field(&leaving, "prev_state");
    if (w->leaves.bytes != 4 || w->comes.bytes != 4 || w->state.bytes != 8)
        return false;
    shown.inherit = shown.enable_on_exec = shown.disabled = 0;
    back.inherit = back.enable_on_exec = back.disabled = 0;
    back.sample_stack_user = 0; /* who runs is another one */
    back.exclude_callchain_kernel = 1;
    w->counts = perf_watch_events(e, &shown, PERF_EVENT_SWITCH, w->shown) &&
                perf_watch_events(e, &back, PERF_EVENT_BACK, w->back) &&
                perf_watch_load(w, on_switch, leaving.id, "switch");
    if (!w->counts)
        perf_watch_take_back(e, before, fds);
    return w->counts;
}

bool perf_watch_known(const struct perf_watch *w, int32_t tid, struct perf_known *out)
{
    return w->counts && kernel_map_get(w->tids, &tid, out) == 0;
}
