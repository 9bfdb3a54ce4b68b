/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events for one program, its threads and its children, by inheritance; one
 * ring per CPU takes them all, together with who starts, ends and execs.
 */
#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/probe/probe.h"

enum {
    CPUS_MAX = 4096,
    SAMPLE_TYPE = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW
};
/* What a sample begins with, and what the end of any other record holds. */
struct sample_head {
    uint64_t id;
    int32_t pid, tid;
    uint64_t time;
};
struct trailer {
    int32_t pid, tid;
    uint64_t time, id;
};

/* ---- opening ---- */

static void describe(struct perf_event_attr *a, const struct hooks *h,
                     const struct probe_options *o)
{
    *a = (struct perf_event_attr){.size = sizeof *a,
                                  .type = PERF_TYPE_TRACEPOINT,
                                  .sample_period = 1,
                                  .sample_type = SAMPLE_TYPE,
                                  .read_format = h->tells,
                                  .disabled = !o->running,
                                  .inherit = 1,
                                  .enable_on_exec = !o->running,
                                  .use_clockid = 1,
                                  .clockid = CLOCK_MONOTONIC,
                                  .sample_id_all = 1};
}

/* Two threads that inherited the same events exchange them where the CPU goes from one
 * to the other, as that is quicker than to put each aside. The filter of a uprobe asks the
 * thread for which an event was made whose memory it is in, and when that thread has
 * ended, the one that goes on with its events is hit and nothing is told. What is to be
 * read for each thread is never exchanged (6.13 on). It need not be read: one event
 * that asks for it holds all others of the thread. */
static bool can_keep(const struct perf_event_attr *like)
{
    struct perf_event_attr a = *like;
    a.sample_type |= PERF_SAMPLE_READ;
    long fd = syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 && close((int)fd) == 0;
}

static bool can_tell(const struct perf_event_attr *like)
{
    struct perf_event_attr a = *like;
    a.read_format = PERF_FORMAT_LOST;
    long fd = syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 && close((int)fd) == 0;
}

static void describe_life(struct perf_event_attr *a, const struct hooks *h,
                          const struct probe_options *o)
{
    describe(a, h, o);
    a->type = PERF_TYPE_SOFTWARE;
    a->config = PERF_COUNT_SW_DUMMY;
    a->comm = a->comm_exec = a->task = 1;
    a->sample_type |= h->keeps;
}

static void find_abilities(struct hooks *h, const struct probe_options *o)
{
    struct perf_event_attr a;
    describe_life(&a, h, o);
    h->keeps = can_keep(&a) ? PERF_SAMPLE_READ : 0;
    h->tells = can_tell(&a) ? PERF_FORMAT_LOST : 0;
}

/* Whole pages, a power of two of them; 0: as many as is usual. */
static size_t ring_pages(const struct probe_options *o)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    size_t pages = 8; /* fewer are none: see kernel_ring.c */
    while (pages * page < o->ring_bytes)
        pages *= 2;
    return o->ring_bytes ? pages : 0;
}

static int add(struct hooks *h, const struct perf_event_attr *attr, int32_t tid, unsigned cpu,
               uint32_t event)
{
    struct perf_event_attr a = *attr;
    struct kernel_ring *r = &h->rings[cpu];
    uint64_t id = 0;
    long fd = syscall(SYS_perf_event_open, &a, tid, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return errno == ENODEV ? 0 : -errno; /* a CPU that is off */
    struct hook_fd *slot = VEC_PUSH(&h->fds);
    if (!slot) {
        close((int)fd);
        return -ENOMEM;
    }
    *slot = (struct hook_fd){(int)fd, event};
    if (ioctl((int)fd, PERF_EVENT_IOC_ID, &id) != 0)
        return -errno;
    if (event != UINT32_MAX && !map_put(&h->by_id, id, event))
        return -ENOMEM;
    if (!r->base)
        return kernel_ring_map(r, (int)fd, h->ring_pages);
    return ioctl((int)fd, PERF_EVENT_IOC_SET_OUTPUT, r->fd) == 0 ? 0 : -errno;
}

int hooks_add_life(struct hooks *h, const struct probe_options *o, int32_t tid)
{
    struct perf_event_attr life;
    describe_life(&life, h, o);
    int rc = 0;
    for (unsigned cpu = 0; cpu < h->ring_count && rc == 0; cpu++)
        rc = add(h, &life, tid, cpu, UINT32_MAX);
    return rc;
}

int hooks_add_event(struct hooks *h, const struct probe_options *o, uint32_t id, uint32_t event,
                    int32_t tid)
{
    struct perf_event_attr a;
    describe(&a, h, o);
    a.config = id;
    int rc = 0;
    for (unsigned cpu = 0; cpu < h->ring_count && rc == 0; cpu++)
        if (h->rings[cpu].base)
            rc = add(h, &a, tid, cpu, event);
    return rc;
}

static int add_thread(struct hooks *h, const struct probe_options *o,
                      const struct hook_events *events, int32_t tid)
{
    int rc = hooks_add_life(h, o, tid);
    for (uint32_t i = 0; i < events->count && rc == 0; i++)
        rc = hooks_add_event(h, o, events->ids[i], i, tid);
    return rc;
}

static int explain(int rc, const struct probe_options *o, struct oriel_err *err)
{
    switch (rc) {
    case -ESRCH:
        return err_set(err, ORIEL_ENOTFOUND, "process %d is gone", o->pid);
    case -EMFILE:
    case -ENFILE:
        return err_set(err, ORIEL_ELIMIT,
                       "probes: %u places need more file descriptors than ulimit -n allows: a "
                       "narrower pattern has fewer",
                       o->place_count);
    case -ENOMEM:
        return err_set(err, ORIEL_ENOMEM, "probes: out of memory");
    case -EPERM:
    case -EACCES:
        return err_set(err, ORIEL_EPERM,
                       "probes need root or CAP_PERFMON; without them the "
                       "program's own spans and --rate work");
    default:
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "the kernel refuses a probe (error %d): is the instruction there one that "
                       "it cannot step over?",
                       -rc);
    }
}

int hooks_open(struct hooks *h, const struct probe_options *o, const struct hook_events *events,
               struct oriel_err *err)
{
    memset(h, 0, sizeof *h);
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    h->ring_count = cpus < 1 ? 1 : cpus > CPUS_MAX ? CPUS_MAX : (unsigned)cpus;
    h->ring_pages = ring_pages(o);
    find_abilities(h, o);
    h->rings = mem_calloc(h->ring_count, sizeof *h->rings);
    int rc = !h->rings    ? -ENOMEM
             : o->running ? hooks_attach(h, o, events)
                          : add_thread(h, o, events, o->pid);
    if (rc < 0) {
        hooks_close(h);
        return explain(rc, o, err);
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < h->ring_count; i++)
        if (h->rings[i].base)
            h->rings[kept++] = h->rings[i];
    h->ring_count = kept;
    return 0;
}

void hooks_close(struct hooks *h)
{
    for (unsigned i = 0; h->rings && i < h->ring_count; i++)
        kernel_ring_unmap(&h->rings[i]);
    for (size_t i = 0; i < h->fds.count; i++)
        close(h->fds.items[i].fd);
    VEC_DONE(&h->fds);
    map_done(&h->by_id);
    mem_free(h->rings);
    memset(h, 0, sizeof *h);
}

bool hooks_lost(const struct hooks *h, uint32_t event_count, uint64_t *lost)
{
    for (size_t i = 0; h->tells && i < h->fds.count; i++) {
        const struct hook_fd *f = &h->fds.items[i];
        uint64_t value[2]; /* how often, of which lost */
        if (read(f->fd, value, sizeof value) == (ssize_t)sizeof value)
            lost[f->event < event_count ? f->event : event_count] += value[1];
    }
    return h->tells != 0;
}

/* ---- reading ---- */

static void decode_sample(const uint8_t *at, size_t bytes, struct hook_record *out)
{
    struct sample_head s;
    uint32_t n;
    const size_t head = sizeof(struct perf_event_header);
    if (bytes < head + sizeof s + sizeof n)
        return;
    memcpy(&s, at + head, sizeof s);
    memcpy(&n, at + head + sizeof s, sizeof n);
    out->id = s.id;
    out->pid = s.pid;
    out->tid = s.tid;
    out->time_ns = s.time;
    out->raw = at + head + sizeof s + sizeof n;
    out->raw_bytes = n;
    out->good = n <= bytes - head - sizeof s - sizeof n;
}

static void decode_body(const uint8_t *at, size_t bytes, uint16_t misc, struct hook_record *out)
{
    int32_t ids[4];
    switch (out->type) {
    case PERF_RECORD_COMM:
        out->good = bytes >= 8 && memchr(at + 8, 0, bytes - 8);
        out->comm = out->good ? (const char *)at + 8 : "";
        out->exec = misc & PERF_RECORD_MISC_COMM_EXEC;
        break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        out->good = bytes >= sizeof ids;
        if (!out->good)
            return;
        memcpy(ids, at, sizeof ids);
        out->pid = ids[0];
        out->parent_pid = ids[1];
        out->tid = ids[2];
        out->parent_tid = ids[3];
        break;
    case PERF_RECORD_LOST:
        out->good = bytes >= 16;
        if (out->good)
            memcpy(&out->lost, at + 8, sizeof out->lost);
        break;
    default:
        out->good = true;
        break;
    }
}

void hook_decode(const uint8_t *at, size_t bytes, struct hook_record *out)
{
    struct perf_event_header h;
    struct trailer t;
    memset(out, 0, sizeof *out);
    if (bytes < sizeof h)
        return;
    memcpy(&h, at, sizeof h);
    out->type = h.type;
    if (h.type == PERF_RECORD_SAMPLE) {
        decode_sample(at, bytes, out);
        return;
    }
    if (bytes < sizeof h + sizeof t)
        return;
    memcpy(&t, at + bytes - sizeof t, sizeof t);
    out->pid = t.pid;
    out->tid = t.tid;
    out->time_ns = t.time;
    out->id = t.id;
    decode_body(at + sizeof h, bytes - sizeof h - sizeof t, h.misc, out);
}

void hooks_begin(struct hooks *h)
{
    kernel_rings_begin(h->rings, h->ring_count);
}

void hooks_end(struct hooks *h)
{
    kernel_rings_end(h->rings, h->ring_count);
}

void hooks_back(struct hooks *h)
{
    kernel_rings_back(h->rings, h->ring_count);
}

static bool time_of(const uint8_t *at, size_t bytes, uint64_t *out_ns)
{
    struct hook_record r;
    hook_decode(at, bytes, &r);
    *out_ns = r.time_ns;
    return true;
}

bool hooks_next(struct hooks *h, uint64_t horizon_ns, struct hook_record *out)
{
    size_t bytes;
    const uint8_t *at = kernel_rings_next(h->rings, h->ring_count, horizon_ns, time_of, &bytes);
    if (at)
        hook_decode(at, bytes, out);
    return at != NULL;
}
