/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside source/perf: the kernel's sampling events of one program and all its
 * threads and children.
 *
 *   events.c  opens them, by a ladder from the best to what is permitted
 *   attach.c  the threads of a program that runs already
 *   points.c  the scheduler's tracepoints among them
 *   watch.c   whose samples and wake-ups they are, known by programs in the kernel
 *   switches.c  another one of these, which adds up how long threads wait
 *   counted.c   what it told becomes waits
 *   record.c  bytes of the kernel -> struct perf_record
 *   space.c   who has what mapped where: addresses become places
 *   source.c  records -> samples in a batch
 *   waits.c   times a thread was off its CPU, and who ended them
 *   look.c    where a thread waits, seen from outside
 *   data*.c   the same from a perf.data file: see data.h
 *
 * Runs in the recorder only. The kernel is trusted to write its rings, the
 * program is not: it chooses names, stacks and registers. A file is not
 * trusted at all.
 */
#ifndef ORIEL_SOURCE_PERF_PERF_H
#define ORIEL_SOURCE_PERF_PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "source/kernel_point.h"
#include "source/kernel_ring.h"
#include "source/perf_options.h"

/* ---- events.c ---- */

enum perf_event_kind {
    PERF_EVENT_CPU = 0,
    PERF_EVENT_SWITCH = 1, /* where a thread leaves its CPU */
    PERF_EVENT_WAKE = 2,   /* who wakes whom, on the whole machine */
    PERF_EVENT_BACK = 3,   /* a thread is on a CPU again: struct perf_known */
    PERF_EVENT_KINDS = 4
};

struct perf_fields {
    struct kernel_field switch_state, wake_pid;
    struct kernel_field wake_count; /* how many this wake-up stands for */
    struct kernel_field wake_left;  /* when the wait began that it ends */
};

/* Programs in the kernel: see watch.c. */
enum { PERF_WATCH_FDS = 16, PERF_WATCH_THREADS = 16384 /* at one time */ };
/* What the kernel's programs know of a thread. They hand it over as it is, up to `flags`. */
struct perf_known {
    uint64_t now_ns;   /* when it was handed over */
    uint64_t left_ns;  /* off its CPU since; 0: it is on one, or nothing was seen */
    uint64_t woke_ns;  /* this wait was over then; 0: nobody saw it */
    uint64_t begin_ns; /* of the first wait that is not told yet; 0: all are */
    uint64_t born_ns;  /* with the sums at 0 */
    /* All its waits, and all times it was ready and others ran. */
    uint64_t wait_ns, ready_ns, taken_ns, waits, taken;
    int32_t tid, pid;
    uint32_t flags;              /* PERF_KNOWN_...; the CPU it left in the upper half */
    uint32_t before;             /* what is to run has not begun: nothing counts */
    uint64_t woken_ns, shown_ns; /* the last that were told */
    uint32_t period, left_out;   /* one in so many is shown; so many more are not */
    uint64_t seen_ns;            /* by the timer of a CPU, for the first time after it left */
};
enum {
    PERF_KNOWN_TOLD = 92,
    PERF_KNOWN_SHOWN = 1,     /* where it waits was told */
    PERF_KNOWN_PREEMPTED = 2, /* it does not wait, others run */
    PERF_KNOWN_DISK = 4,
    PERF_KNOWN_MANY = 8,    /* others before were not shown */
    PERF_KNOWN_UNSEEN = 16, /* nobody saw it come back */
    /* What the entry of nobody counts, in place of times. */
    PERF_NOBODY_NO_ROOM = offsetof(struct perf_known, now_ns),
    PERF_NOBODY_UNSEEN = offsetof(struct perf_known, left_ns),
    PERF_NOBODY_UNWOKEN = offsetof(struct perf_known, woke_ns),
    PERF_NOBODY_UNLEFT = offsetof(struct perf_known, begin_ns)
};
_Static_assert(offsetof(struct perf_known, before) == PERF_KNOWN_TOLD, "with its size: words");
struct perf_watch {
    bool open;
    int fds[PERF_WATCH_FDS], fd_count; /* all of them */
    int tids, events, shown, back;     /* maps */
    int timer;                         /* the program that asks whose sample it is */
    bool counts;                       /* waits are added up there: switches.c */
    unsigned looked_new;               /* threads that the latest look found */
    uint64_t unwatched_wakes;          /* before wake-ups were watched */
    int32_t starter;                   /* whose child the program will be; 0: it runs already */
    struct kernel_field woken, parent, child, ended, before, leaves, comes, state;
};

/* How many of the wake-ups are shown. */
struct perf_pace {
    uint64_t since_ns, seen;  /* how many there were since then */
    uint64_t rate, free_rate; /* shown per second and CPU; and when we can take them all */
};

struct perf_events {
    struct kernel_ring *rings; /* one per CPU */
    unsigned ring_count;
    int *fds; /* all events, rings' included */
    uint64_t *ids;
    uint8_t *kinds; /* enum perf_event_kind, by the index of fds */
    size_t fd_count, fd_capacity;
    uint32_t stack_bytes;
    struct perf_fields fields;
    struct perf_pace pace;
    struct perf_watch watch;
    struct map attached; /* thread -> its process: what ran when we attached */
    struct perf_ability ability;
    int wake; /* epoll of the rings; -1 none */
};

/* Open everything for the program. 0, or ORIEL_EPERM, ORIEL_ENOTFOUND (it is
 * gone), ORIEL_ENOMEM, ORIEL_ELIMIT (file descriptors). */
int perf_events_open(struct perf_events *e, const struct perf_options *o, struct oriel_err *err);
/* points.c: add the scheduler's tracepoints, as far as they are permitted. `cpu` is
 * how the CPU is sampled. */
void perf_points_add(struct perf_events *e, const struct perf_event_attr *cpu,
                     const struct perf_options *o);
/* watch.c: know the program's threads from now on. False: not for us, and nothing has
 * changed; the same of what follows, for which it must be open. */
bool perf_watch_open(struct perf_events *e, const struct perf_options *o);
/* Samples of these threads by each CPU's own timer, described by `cpu`. */
bool perf_watch_cpus(struct perf_events *e, const struct perf_event_attr *cpu);
/* Their wake-ups, with events like `like`. */
bool perf_watch_wakes(struct perf_events *e, const struct perf_event_attr *like,
                      const struct kernel_point *waking);
/* switches.c: their times off the CPU, with events like `like` where they are shown. */
bool perf_watch_switches(struct perf_events *e, const struct perf_event_attr *like);
/* What is known of a thread now. False: nothing. */
bool perf_watch_known(const struct perf_watch *w, int32_t tid, struct perf_known *out);
/* points.c: how those are described of whom `cpu` describes the samples. */
struct perf_event_attr perf_points_leaving(const struct perf_event_attr *cpu);
/* What the programs missed so far. */
struct perf_missed {
    uint64_t threads; /* found no room */
    uint64_t backs;   /* times a thread ran again and the kernel had not shown that it came back */
    uint64_t waits;   /* times a thread came back and had not been seen to leave */
    uint64_t wakes;   /* waits that were over and nobody had been seen to end them */
};
struct perf_missed perf_watch_missed(const struct perf_watch *w);
void perf_watch_close(struct perf_watch *w);
/* Now and then: keep what is shown of wake-ups within bounds. */
void perf_points_pace(struct perf_events *e, uint64_t now_ns);
/* events.c, for points.c: `a` on every thread and CPU; false: on none. */
bool perf_events_add(struct perf_events *e, const struct perf_event_attr *a,
                     const struct perf_options *o, enum perf_event_kind kind);
/* The same for whatever runs on each CPU, from now on. */
bool perf_events_add_cpus(struct perf_events *e, const struct perf_event_attr *a,
                          enum perf_event_kind kind);
/* And of one CPU: its file descriptor; negative: not for us, or the CPU is off. */
int perf_events_add_cpu(struct perf_events *e, const struct perf_event_attr *a, unsigned cpu,
                        enum perf_event_kind kind);
/* events.c, for attach.c: `a` on one thread and every CPU. 0 or -errno. */
int perf_events_add_thread(struct perf_events *e, const struct perf_event_attr *a, int32_t tid,
                           enum perf_event_kind kind);
void perf_events_close(struct perf_events *e);
/* Whoever sleeps on ability.wake_fd has been woken: may sleep again. */
void perf_events_woken(struct perf_events *e);
/* Which event wrote a record with this id; PERF_EVENT_KINDS: none of ours. */
enum perf_event_kind perf_events_kind(const struct perf_events *e, uint64_t id);

/* ---- attach.c ---- */

/* `a` on every thread that a running process and its children have now. 0 or
 * -errno; -ESRCH: it is gone. */
int perf_attach_threads(struct perf_events *e, const struct perf_event_attr *a, int32_t pid,
                        enum perf_event_kind kind);
/* After that, with events that count already: those that started meanwhile and did not
 * inherit them. */
int perf_attach_rest(struct perf_events *e, const struct perf_event_attr *a, int32_t pid);

/* ---- record.c ---- */

/* What the walker needs, by number of the architecture's perf registers. */
enum { PERF_REGISTERS = 4 };
struct perf_user {
    bool has_regs;
    uint64_t ip, sp, fp, lr; /* lr: aarch64 only */
    const uint8_t *stack;    /* a copy from sp upwards; in the ring */
    uint64_t stack_bytes;
};

struct perf_record {
    uint32_t type; /* enum perf_event_type of the kernel */
    uint16_t misc;
    int32_t pid, tid;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t id;      /* of the event */
    uint32_t cpu;
    union {
        struct {
            uint64_t ip, period;
            const uint64_t *chain; /* kernel part, markers included */
            uint64_t chain_count;
            const uint8_t *raw; /* of a tracepoint; in the ring */
            uint32_t raw_bytes;
            struct perf_user user;
        } sample;
        struct {
            uint64_t start, bytes, offset;
            uint32_t prot;
            uint8_t build_id[20], build_id_bytes;
            const char *path; /* NUL-terminated within the record */
        } map;
        struct {
            int32_t parent_pid, parent_tid;
        } life; /* FORK, EXIT */
        struct {
            const char *name;
            bool exec;
        } comm;
        uint64_t lost; /* LOST, LOST_SAMPLES */
        struct {
            bool out, preempted;
        } sw;
    } u;
};

/* Time of a record, for merging. false: it has none or is damaged. */
bool perf_record_time(const uint8_t *at, size_t bytes, uint64_t *out_ns);
/* Decode one record of `bytes` (its header's size). false: damaged; types we
 * do not know come out with nothing but their type. */
bool perf_record_decode(const uint8_t *at, size_t bytes, struct perf_record *out);

/* A number of a tracepoint. false: this record does not hold it. */
bool perf_record_field(const struct perf_record *r, struct kernel_field f, int64_t *out);

/* A record that is no sample, with `trailer` bytes at its end that are left to
 * the caller: for files, whose records were asked for by others. */
bool perf_record_decode_other(const uint8_t *at, size_t bytes, size_t trailer,
                              struct perf_record *out);

/* What events.c asks for and record.c expects. */
extern const uint64_t perf_sample_type, perf_register_mask;

#endif
