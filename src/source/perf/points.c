/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The scheduler's tracepoints, which need privileges: where a thread leaves its
 * CPU, and who wakes whom. Neither costs more than so many samples a second: of
 * each thread the kernel itself lets through that many of its switches. Wake-ups
 * may be made by a timer, a device or another program and are seen on whole CPUs:
 * best by programs in the kernel that pick out ours (watch.c), else we tell it
 * how many we can take.
 */
#include <assert.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/os.h"
#include "source/perf/perf.h"

enum {
    SWITCH_RATE = 1000, /* of each thread on each CPU */
    WAKE_RATE = 5000,   /* of all CPUs together */
    PACE_NS = 5000000,
    SWITCH_STACK = 16384, /* the rest is read from the waiting thread */
    WAKE_STACK = 2048     /* the same; or of strangers, and never looked at */
};

static struct perf_event_attr describe(const struct perf_event_attr *cpu, uint32_t stack_bytes)
{
    struct perf_event_attr a = *cpu;
    a.type = PERF_TYPE_TRACEPOINT;
    a.freq = 1;
    a.sample_freq = SWITCH_RATE;
    a.mmap = a.mmap2 = a.comm = a.comm_exec = a.task = a.context_switch = a.build_id = 0;
    if (a.sample_stack_user > stack_bytes)
        a.sample_stack_user = stack_bytes;
    return a;
}

static uint64_t highest_rate(void)
{
    char text[32];
    long n = os_read_file("/proc/sys/kernel/perf_event_max_sample_rate", text, sizeof text);
    uint64_t rate = n > 0 ? strtoull(text, NULL, 10) : 0;
    return rate > WAKE_RATE ? rate : WAKE_RATE;
}

/* Picked out in the kernel; else all there are, from which we pick. */
static void add_wakes(struct perf_events *e, const struct perf_event_attr *cpu,
                      const struct perf_options *o)
{
    struct kernel_point waking;
    struct perf_event_attr a = describe(cpu, WAKE_STACK);
    if (!kernel_point_numbers_are_ours() || !kernel_point_read("sched/sched_waking", &waking))
        return;
    a.inherit = a.enable_on_exec = a.disabled = 0;
    e->ability.wakes = e->ability.wakes_picked = perf_watch_wakes(e, &a, &waking);
    e->pace.rate = e->pace.free_rate = 0;
    if (e->ability.wakes)
        return;
    e->fields.wake_pid = kernel_point_field(&waking, "pid");
    a.config = waking.id;
    a.sample_freq = e->pace.rate = e->pace.free_rate = highest_rate();
    e->ability.wakes = e->fields.wake_pid.bytes && perf_events_add_cpus(e, &a, PERF_EVENT_WAKE);
}

struct perf_event_attr perf_points_leaving(const struct perf_event_attr *cpu)
{
    return describe(cpu, SWITCH_STACK);
}

void perf_points_add(struct perf_events *e, const struct perf_event_attr *cpu,
                     const struct perf_options *o)
{
    struct kernel_point leaving;
    struct perf_event_attr a = perf_points_leaving(cpu);
    assert(o->off_cpu);
    if (e->watch.counts) { /* a program of ours tells them */
        e->ability.off_cpu_stack = true;
        add_wakes(e, cpu, o);
        return;
    }
    if (!e->ability.kernel || !kernel_point_read("sched/sched_switch", &leaving))
        return;
    e->fields.switch_state = kernel_point_field(&leaving, "prev_state");
    a.config = leaving.id;
    e->ability.off_cpu_stack = perf_events_add(e, &a, o, PERF_EVENT_SWITCH);
    if (e->ability.off_cpu_stack)
        add_wakes(e, cpu, o);
}

/* The kernel holds a rate by leaving out more and more the closer together events
 * come, so that every burst costs what seldom happens after it. A rate that no
 * burst reaches lets it leave out nothing; the one that we can take is set only
 * while there are more on and on. */
void perf_points_pace(struct perf_events *e, uint64_t now_ns)
{
    struct perf_pace *pace = &e->pace;
    uint64_t ns = now_ns - pace->since_ns;
    if (ns < PACE_NS || pace->free_rate == 0)
        return;
    uint64_t happened = pace->seen * 1000000000u / ns;
    uint64_t rate = happened > 2 * WAKE_RATE ? WAKE_RATE : pace->free_rate;
    if (rate != pace->rate && (rate < pace->rate || happened < WAKE_RATE / 2)) {
        for (size_t i = 0; i < e->fd_count; i++)
            if (e->kinds[i] == PERF_EVENT_WAKE)
                (void)ioctl(e->fds[i], PERF_EVENT_IOC_PERIOD, &rate);
        pace->rate = rate;
    }
    pace->since_ns = now_ns;
    pace->seen = 0;
}
