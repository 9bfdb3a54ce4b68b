/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The state of source/perf: see perf.h for its parts.
 */
#ifndef ORIEL_SOURCE_PERF_SOURCE_H
#define ORIEL_SOURCE_PERF_SOURCE_H

#include "model/batch.h"
#include "source/perf/perf.h"
#include "source/perf/space.h"

enum { PERF_ENDED_KEPT = 64 };

struct perf_window;

/* A time off the CPU that is not over yet. */
struct perf_wait {
    uint64_t left_ns; /* since; 0: it is on its CPU, or nothing is known */
    uint64_t woke_ns; /* it may run again since; 0: it waits still, or nobody saw it */
    uint64_t look_ns; /* when we looked from outside where it waits; 0: not */
    uint64_t flags;   /* ORIEL_WAIT_DISK, enum oriel_wait_for */
    uint32_t stack;   /* where; 0 unknown */
    uint16_t cpu;     /* that it left, + 1 */
    bool preempted;   /* it did not wait, others ran */
    bool sampled;     /* the kernel showed where */
    bool one_of_many; /* the kernel shows only some */
    bool divided;     /* without `woke_ns` all of it was waiting */
};

/* Where the kernel last showed a thread leave its CPU. */
struct perf_place {
    uint64_t flags, seen_ns;
    uint32_t stack; /* 0: nowhere yet */
};

/* Its time on the CPU, as far as the kernel tells of every switch. */
struct perf_ran {
    uint64_t since_ns; /* it is on its CPU; 0: it is not, or nothing is known */
    uint64_t lost;     /* records there were then */
    uint64_t sum_ns;   /* of times that are over */
    uint64_t seen_ns;  /* what its samples stand for */
    uint64_t samples;
};

/* Times off the CPU that the kernel's program has added up; what of them was told. */
struct perf_counted {
    uint64_t born_ns;  /* which sums they are: those of a number that is used again are others */
    uint64_t begin_ns; /* of the first */
    uint64_t wait_ns, ready_ns, taken_ns, waits, taken;
};

struct perf_thread {
    struct model_thread *thread;
    uint64_t position; /* in its stream of samples */
    uint64_t deepest;  /* bytes of its stack, as far as was seen */
    uint64_t limit;    /* how many there may be; 0 unknown */
    int32_t pid, tid;
    uint32_t serial; /* of that stream */
    struct perf_wait wait;
    struct perf_window *window;  /* waits that are counted together; NULL none */
    struct perf_place places[2]; /* where it waited, and where it was pushed off */
    struct perf_ran ran;
    struct perf_counted counted;
    char comm[24]; /* the name we gave it; a name it gives itself in words of ours stays */
    bool exe_due;  /* what it maps next is the program it has become */
    bool own;      /* of Oriel inside of the program: it is left out */
    bool ended;    /* kept for a while: the last thing it does is to wake others */
};

struct perf_counts {
    uint64_t samples;   /* handed out */
    uint64_t lost;      /* the kernel had no room: counted by the kernel */
    uint64_t damaged;   /* records that made no sense */
    uint64_t throttled; /* times the kernel made sampling pause */
    uint64_t no_memory;
    uint64_t own_ns;                     /* on the CPU, of threads of Oriel's own */
    uint64_t looks;                      /* at waiting threads, from outside */
    uint64_t cpu_ends[UNWIND_END_COUNT]; /* how far up stacks on the CPU were walked */
};

struct perf_sample {
    uint64_t time_ns, weight, count, extra;
    uint32_t stack;
    uint8_t kind; /* enum oriel_sample_kind */
};
struct perf_source {
    struct perf_events events;
    struct spaces spaces;
    struct model_catalog *catalog;
    struct map threads;   /* tid -> struct perf_thread * */
    struct map strangers; /* pid of a process that is not watched -> stack that names it */
    uint64_t unix_offset, watermark_ns;
    uint64_t last_ns; /* of the records so far */
    uint32_t next_serial;
    int32_t ended_tids[PERF_ENDED_KEPT]; /* the latest; 0 none */
    unsigned next_ended;
    struct perf_counts counts;
    struct perf_ability *ability; /* the caller's; may be NULL */
    uint64_t met, hurry_until_ns; /* see in_a_hurry() */
    uint32_t between;             /* the stack that says so: see ran.c; 0 none yet */
    bool begun;                   /* what runs is the program, no more who starts it */
    bool over, ended;
};

/* ---- source.c ---- */

/* A record of `t` into the batch. */
void perf_source_add(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                     const struct perf_sample *s);
/* NULL: not one of those that are watched. */
struct perf_thread *perf_source_thread(const struct perf_source *p, int32_t tid);

/* ---- waits.c: in the order of the records ---- */

/* The kernel shows where `t` is about to leave its CPU. */
void waits_shown(struct perf_source *p, struct perf_thread *t, const struct perf_record *r);
/* It left. */
void waits_out(struct perf_thread *t, const struct perf_record *r);
/* It is back. */
void waits_in(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
              const struct perf_record *r);
/* Somebody woke somebody. */
void waits_woken(struct perf_source *p, struct model_batch *batch, const struct perf_record *r);
/* Many that the kernel has added up. False: no memory. */
bool waits_counted(struct perf_thread *t, const struct perf_counted *many);
/* The last of `t`: what was counted together is told. */
void waits_end(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
               uint64_t now_ns);

/* ---- counted.c: the same where a program in the kernel adds them up ---- */

void counted_shown(struct perf_source *p, struct perf_thread *t, const struct perf_record *r);
void counted_back(struct perf_source *p, struct model_batch *batch, const struct perf_record *r);
/* Is it waiting, though nobody was told? Then it is known since when. */
bool counted_waits(struct perf_source *p, struct perf_thread *t);
/* Before the last of `t`: what was not told yet. */
void counted_end(struct perf_source *p, struct perf_thread *t);

/* ---- program.c ---- */

/* The process of this number, made if nobody has met it; NULL: no memory. */
struct model_process *program_of(struct perf_source *p, int32_t pid, uint64_t unix_ns);
/* A process begins as a copy of another. */
void program_forked(struct perf_source *p, int32_t pid, int32_t parent, uint64_t unix_ns);
/* Another program in the same process, unless it has introduced itself already. */
void program_replaced(struct perf_source *p, int32_t pid, uint64_t unix_ns);
/* Which one it is, the kernel says when it maps it, as its first. */
void program_mapped(struct perf_source *p, const struct perf_record *r);

/* ---- ran.c ---- */

void ran_in(const struct perf_source *p, struct perf_thread *t, uint64_t now_ns);
void ran_out(const struct perf_source *p, struct perf_thread *t, uint64_t now_ns);
/* A sample stands for `ns` of it. */
void ran_sampled(struct perf_thread *t, uint64_t ns);
/* Before the thread is forgotten, or becomes another program: what it ran that
 * no sample stands for is told, if that is much of it. */
void ran_end(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
             uint64_t now_ns);

/* ---- look.c ---- */

/* Look at threads that wait for long already and of whom the kernel showed
 * nothing. */
void look_at_waiting(struct perf_source *p, uint64_t now_ns);
/* How large the thread's stack may become; 0: unknown. */
uint64_t look_at_stack_limit(int32_t pid, uint64_t sp);

#endif
