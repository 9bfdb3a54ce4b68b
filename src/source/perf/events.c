/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Opens the kernel's events, from the best there is down to what this user may
 * have on this machine, and says what is missing. All threads and children of
 * the program are included by inheritance; one ring per CPU takes everything.
 */
#include "source/perf/perf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/vec.h"
#include "source/kernel_aside.h"

enum { CPUS_MAX = 4096, LOW_RATE = 200 };

static int event_open(const struct perf_event_attr *a, int32_t pid, int cpu)
{
    struct perf_event_attr copy = *a;
    long fd = syscall(SYS_perf_event_open, &copy, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static void describe(struct perf_event_attr *a, const struct perf_options *o)
{
    *a = (struct perf_event_attr){.size = sizeof *a,
                                  .type = PERF_TYPE_SOFTWARE,
                                  .config = PERF_COUNT_SW_CPU_CLOCK,
                                  .sample_period = 1000000000u / (o->rate ? o->rate : 1),
                                  .sample_type = perf_sample_type,
                                  .sample_regs_user = perf_register_mask,
                                  .sample_stack_user = o->stack_bytes,
                                  .disabled = !o->running,
                                  .inherit = 1,
                                  .enable_on_exec = !o->running,
                                  .exclude_kernel = 1,
                                  .exclude_hv = 1,
                                  .exclude_callchain_user = 1,
                                  .use_clockid = 1,
                                  .clockid = CLOCK_MONOTONIC,
                                  .sample_id_all = 1,
                                  .mmap = 1,
                                  .mmap2 = 1,
                                  .build_id = 1,
                                  .comm = 1,
                                  .comm_exec = 1,
                                  .task = 1,
                                  .context_switch = o->off_cpu};
}

/* The first attributes with which the kernel lets us watch `pid`. */
static int choose(struct perf_event_attr *a, const struct perf_options *o, struct perf_ability *can)
{
    int rc = -EPERM;
    for (int kernel = o->kernel; kernel >= 0; kernel--) {
        for (int hardware = o->clock == PERF_CLOCK_AUTO; hardware >= 0; hardware--) {
            for (int build_id = 1; build_id >= 0; build_id--) {
                describe(a, o);
                a->exclude_kernel = !kernel;
                a->build_id = build_id;
                if (hardware) {
                    a->type = PERF_TYPE_HARDWARE;
                    a->config = PERF_COUNT_HW_CPU_CYCLES;
                    a->freq = 1;
                    a->sample_freq = o->rate;
                }
                rc = event_open(a, o->pid, -1);
                if (rc >= 0) {
                    close(rc);
                    can->cpu = true;
                    can->hardware = hardware;
                    can->kernel = kernel;
                    return 0;
                }
                if (rc == -ESRCH || rc == -EMFILE)
                    return rc;
            }
        }
    }
    return rc;
}

/* ---- rings ---- */

static bool remember(struct perf_events *e, int fd, enum perf_event_kind kind)
{
    uint64_t id = 0;
    if (e->fd_count == e->fd_capacity) {
        size_t n = e->fd_capacity ? e->fd_capacity * 2 : 16;
        int *fds = mem_realloc(e->fds, n * sizeof *fds);
        e->fds = fds ? fds : e->fds;
        uint64_t *ids = mem_realloc(e->ids, n * sizeof *ids);
        e->ids = ids ? ids : e->ids;
        uint8_t *kinds = mem_realloc(e->kinds, n);
        e->kinds = kinds ? kinds : e->kinds;
        if (!fds || !ids || !kinds)
            return false;
        e->fd_capacity = n;
    }
    if (ioctl(fd, PERF_EVENT_IOC_ID, &id) != 0)
        return false;
    e->fds[e->fd_count] = fd;
    e->ids[e->fd_count] = id;
    e->kinds[e->fd_count++] = (uint8_t)kind;
    return true;
}

/* Making a page and giving it back costs 1 us. At low rates half of what there may be lasts
 * as long: 140 ms of samples with the largest stacks, and of all switches that are shown. */
static size_t ring_pages(const struct perf_events *e)
{
    return e->ability.rate <= LOW_RATE ? KERNEL_RING_PAGES / 2 : KERNEL_RING_PAGES;
}

/* One event of one thread on one CPU, into that CPU's ring. */
static int add_event(struct perf_events *e, const struct perf_event_attr *a, int32_t tid,
                     unsigned cpu, enum perf_event_kind kind)
{
    struct kernel_ring *r = &e->rings[cpu];
    int fd = event_open(a, tid, (int)cpu), rc = 0;
    if (fd == -ENODEV || fd == -EINVAL)
        return 0; /* a CPU that is off */
    if (fd < 0)
        return fd;
    if (!remember(e, fd, kind)) {
        close(fd);
        return -ENOMEM;
    }
    if (!r->base)
        rc = kernel_ring_map(r, fd, ring_pages(e));
    else if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, r->fd) != 0)
        rc = -errno;
    return rc;
}

static int add_everywhere(struct perf_events *e, const struct perf_event_attr *a, int32_t tid,
                          enum perf_event_kind kind)
{
    int rc = 0;
    for (unsigned cpu = 0; cpu < e->ring_count && rc == 0; cpu++)
        rc = add_event(e, a, tid, cpu, kind);
    return rc;
}

int perf_events_add_thread(struct perf_events *e, const struct perf_event_attr *a, int32_t tid,
                           enum perf_event_kind kind)
{
    return add_everywhere(e, a, tid, kind);
}

static int add_threads(struct perf_events *e, const struct perf_event_attr *a,
                       const struct perf_options *o, enum perf_event_kind kind)
{
    return o->running ? perf_attach_threads(e, a, o->pid, kind)
                      : add_everywhere(e, a, o->pid, kind);
}

/* Those that were opened last. Always false. */
static bool take_back(struct perf_events *e, size_t count)
{
    while (e->fd_count > count)
        close(e->fds[--e->fd_count]);
    return false;
}

bool perf_events_add(struct perf_events *e, const struct perf_event_attr *a,
                     const struct perf_options *o, enum perf_event_kind kind)
{
    size_t before = e->fd_count;
    return add_threads(e, a, o, kind) == 0 || take_back(e, before);
}

bool perf_events_add_cpus(struct perf_events *e, const struct perf_event_attr *a,
                          enum perf_event_kind kind)
{
    size_t before = e->fd_count;
    return add_everywhere(e, a, -1, kind) == 0 || take_back(e, before);
}

int perf_events_add_cpu(struct perf_events *e, const struct perf_event_attr *a, unsigned cpu,
                        enum perf_event_kind kind)
{
    size_t before = e->fd_count;
    int rc = add_event(e, a, -1, cpu, kind);
    if (rc == 0)
        return e->fd_count > before ? e->fds[before] : -ENODEV;
    (void)take_back(e, before);
    return rc;
}

/* A ring that is half full wakes who waits (what the kernel does where nothing else
 * was asked for). By edges: the event of a thread that ended says "hang up" for ever. */
static void watch_rings(struct perf_events *e)
{
    e->wake = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; e->wake >= 0 && i < e->ring_count; i++) {
        struct epoll_event ready = {.events = EPOLLIN | EPOLLET};
        (void)epoll_ctl(e->wake, EPOLL_CTL_ADD, e->rings[i].fd, &ready);
    }
    e->ability.wake_fd = e->wake;
}

void perf_events_woken(struct perf_events *e)
{
    struct epoll_event ready[16];
    if (e->wake >= 0)
        (void)epoll_wait(e->wake, ready, 16, 0);
}

/* ---- all of it ---- */

static int paranoid(void)
{
    char text[32];
    return os_read_file("/proc/sys/kernel/perf_event_paranoid", text, sizeof text) > 0
               ? (int)strtol(text, NULL, 10)
               : -1;
}

static void say_missing(struct perf_ability *can, const struct perf_options *o, int rc)
{
    if (!can->cpu)
        snprintf(can->missing, sizeof can->missing,
                 "the kernel refuses perf events (error %d; perf_event_paranoid is %d)", -rc,
                 paranoid());
    else if (o->kernel && !can->kernel)
        snprintf(can->missing, sizeof can->missing,
                 "no kernel frames%s: perf_event_paranoid is %d; root or CAP_PERFMON sees them",
                 o->off_cpu ? ", no wake-ups, no stacks of waits below 4 ms" : "", paranoid());
    else if (o->off_cpu && !can->off_cpu_stack)
        snprintf(can->missing, sizeof can->missing,
                 "no wake-ups, no stacks of waits below 4 ms: the tracepoint sched_switch cannot "
                 "be read");
    else if (o->off_cpu && !can->wakes)
        snprintf(can->missing, sizeof can->missing,
                 "no wake-ups: the tracepoint sched_waking cannot be read, or we are in a PID "
                 "namespace of our own");
}

static int fail(struct perf_events *e, int rc, const struct perf_options *o, struct oriel_err *err)
{
    say_missing(&e->ability, o, rc);
    struct perf_ability can = e->ability;
    perf_events_close(e);
    can.wake_fd = -1;
    e->ability = can;
    switch (rc) {
    case -ESRCH:
        return err_set(err, ORIEL_ENOTFOUND, "process %d is gone", o->pid);
    case -ENOMEM:
        return err_set(err, ORIEL_ENOMEM, "sampling: out of memory");
    case -EMFILE:
    case -ENFILE:
        return err_set(err, ORIEL_ELIMIT,
                       "sampling: too few file descriptors (ulimit -n) for %u CPUs", e->ring_count);
    default:
        e->ability.cpu = false;
        if (!e->ability.missing[0])
            say_missing(&e->ability, o, rc);
        return err_set(err, ORIEL_EPERM, "%s", e->ability.missing);
    }
}

/* By each CPU's timer where we may know whose sample it is; else by one for each thread. What
 * else happens to the threads their own events tell in both cases, as `a` says then. */
static int add_samples(struct perf_events *e, struct perf_event_attr *a,
                       const struct perf_options *o)
{
    if (e->ability.kernel && perf_watch_open(e, o) && perf_watch_cpus(e, a)) {
        const struct perf_event_attr leaving = perf_points_leaving(a);
        e->ability.by_cpu = true;
        if (o->off_cpu && perf_watch_switches(e, &leaving))
            a->context_switch = 0;
        a->type = PERF_TYPE_SOFTWARE;
        a->config = PERF_COUNT_SW_DUMMY;
        a->freq = 0;
        a->sample_period = 0;
    }
    for (unsigned i = 0; i < e->ring_count && !e->ability.by_cpu; i++)
        kernel_ring_unmap(&e->rings[i]); /* of what was tried in vain */
    return add_threads(e, a, o, PERF_EVENT_CPU);
}

int perf_events_open(struct perf_events *e, const struct perf_options *o, struct oriel_err *err)
{
    assert(o->rate > 0 && o->stack_bytes % 8 == 0);
    struct perf_event_attr a;
    memset(e, 0, sizeof *e);
    e->wake = e->ability.wake_fd = -1;
    e->stack_bytes = o->stack_bytes;
    e->ability.rate = o->rate;
    int rc = choose(&a, o, &e->ability);
    if (rc < 0)
        return fail(e, rc, o, err);
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    e->ring_count = cpus < 1 ? 1 : cpus > CPUS_MAX ? CPUS_MAX : (unsigned)cpus;
    e->rings = mem_calloc(e->ring_count, sizeof *e->rings);
    rc = e->rings ? add_samples(e, &a, o) : -ENOMEM;
    if (rc < 0)
        return fail(e, rc, o, err);
    e->ability.off_cpu = o->off_cpu;
    if (o->off_cpu)
        perf_points_add(e, &a, o);
    rc = o->running ? perf_attach_rest(e, &a, o->pid) : 0;
    if (rc < 0)
        return fail(e, rc, o, err);
    /* Rings of CPUs that are off: there is nothing to read. */
    unsigned kept = 0;
    for (unsigned i = 0; i < e->ring_count; i++)
        if (e->rings[i].base)
            e->rings[kept++] = e->rings[i];
    e->ring_count = kept;
    watch_rings(e);
    say_missing(&e->ability, o, 0);
    e->watch.unwatched_wakes = perf_watch_missed(&e->watch).wakes;
    return 0;
}

/* Without memory here, and slowly. */
static void close_all(struct perf_events *e)
{
    struct perf_watch *w = &e->watch;
    size_t n = 0;
    bool slow = e->ability.off_cpu_stack || e->ability.wakes;
    int *all = slow ? mem_calloc(e->fd_count + PERF_WATCH_FDS, sizeof *all) : NULL;
    if (all) {
        for (; n < e->fd_count; n++)
            all[n] = e->fds[n];
        while (w->fd_count > 0)
            all[n++] = w->fds[--w->fd_count];
        kernel_close_aside(all, n);
        mem_free(all);
        return;
    }
    for (size_t i = 0; i < e->fd_count; i++)
        close(e->fds[i]);
    perf_watch_close(w);
}

void perf_events_close(struct perf_events *e)
{
    if (e->wake >= 0)
        close(e->wake);
    for (unsigned i = 0; e->rings && i < e->ring_count; i++)
        kernel_ring_unmap(&e->rings[i]);
    close_all(e);
    mem_free(e->rings);
    mem_free(e->fds);
    mem_free(e->ids);
    mem_free(e->kinds);
    map_done(&e->attached);
    memset(e, 0, sizeof *e);
    e->wake = -1;
}

enum perf_event_kind perf_events_kind(const struct perf_events *e, uint64_t id)
{
    /* Inherited events keep the id of the one they come from. */
    for (size_t i = 0; i < e->fd_count; i++)
        if (e->ids[i] == id)
            return (enum perf_event_kind)e->kinds[i];
    return PERF_EVENT_KINDS;
}

void perf_try(const struct perf_options *o, struct perf_ability *out)
{
    struct perf_events e;
    struct perf_options here = *o;
    here.pid = os_getpid();
    here.running = true;
    (void)perf_events_open(&e, &here, NULL);
    *out = e.ability;
    perf_events_close(&e);
}
