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
    WAKE_STACK = 2048,    /* the same; or of strangers, and never looked at */
    STATUS_BYTES = 4096
};

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

/* A file of the tracepoint; false: not readable. */
static bool read_about(const char *point, const char *what, char *out, size_t n)
{
    char path[128];
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        snprintf(path, sizeof path, "%s/events/%s/%s", roots[i], point, what);
        if (os_read_file(path, out, n) > 0)
            return true;
    }
    return false;
}

bool perf_point_read(const char *name, struct perf_point *out)
{
    char id[32];
    if (!read_about(name, "id", id, sizeof id) ||
        !read_about(name, "format", out->format, sizeof out->format))
        return false;
    out->id = strtoull(id, NULL, 10);
    return true;
}

/* "field:pid_t pid;  offset:24;  size:4;" */
struct perf_field perf_point_field(const struct perf_point *p, const char *name)
{
    char like[40];
    snprintf(like, sizeof like, " %s;", name);
    const char *at = strstr(p->format, like);
    const char *offset = at ? strstr(at, "offset:") : NULL;
    const char *size = offset ? strstr(offset, "size:") : NULL;
    if (!size)
        return (struct perf_field){0, 0};
    unsigned long from = strtoul(offset + 7, NULL, 10), bytes = strtoul(size + 5, NULL, 10);
    if (from > INT16_MAX || (bytes != 4 && bytes != 8))
        return (struct perf_field){0, 0};
    return (struct perf_field){(uint16_t)from, (uint16_t)bytes};
}

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

/* In a PID namespace of its own the tracepoint's numbers mean others than ours. */
static bool numbers_are_ours(void)
{
    char status[STATUS_BYTES];
    if (os_read_file("/proc/self/status", status, sizeof status) <= 0)
        return false;
    const char *at = strstr(status, "NSpid:");
    const char *end = at ? strchr(at, '\n') : NULL;
    const char *second = at ? strchr(at + 7, '\t') : NULL;
    return end && (!second || second > end);
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
    struct perf_point waking;
    struct perf_event_attr a = describe(cpu, WAKE_STACK);
    if (!numbers_are_ours() || !perf_point_read("sched/sched_waking", &waking))
        return;
    a.inherit = a.enable_on_exec = a.disabled = 0;
    e->ability.wakes = e->ability.wakes_picked = !o->no_programs && perf_watch_open(e, &a, o);
    e->pace.rate = e->pace.free_rate = 0;
    if (e->ability.wakes)
        return;
    e->fields.wake_pid = perf_point_field(&waking, "pid");
    a.config = waking.id;
    a.sample_freq = e->pace.rate = e->pace.free_rate = highest_rate();
    e->ability.wakes = e->fields.wake_pid.bytes && perf_events_add_cpus(e, &a, PERF_EVENT_WAKE);
}

void perf_points_add(struct perf_events *e, const struct perf_event_attr *cpu,
                     const struct perf_options *o)
{
    struct perf_point leaving;
    struct perf_event_attr a = describe(cpu, SWITCH_STACK);
    assert(o->off_cpu);
    if (!e->ability.kernel || !perf_point_read("sched/sched_switch", &leaving))
        return;
    e->fields.switch_state = perf_point_field(&leaving, "prev_state");
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
