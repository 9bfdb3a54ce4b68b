/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside the record path: what its files share. Lives in the observed program;
 * nothing here blocks, prints or allocates after a thread's first record.
 */
#ifndef ORIEL_REC_REC_H
#define ORIEL_REC_REC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/emit.h>
#include <oriel/runtime.h>

#include "wire/region.h"

/* Bytes at the end of a chunk that only the ends of spans may use, so that a
 * full ring loses begins before it loses ends. */
#define REC_END_RESERVE 512u

/* The one recording of this process. Written while attaching and in a fork
 * child, both before any record; read everywhere. */
struct rec_runtime {
    uint32_t state;            /* atomic: enum rec_state */
    uint32_t clock;            /* enum oriel_clock */
    void *base;                /* of the region's mapping */
    struct wire_region header; /* private copy, checked */
    struct wire_region *shared;
    struct oriel_gate *gates; /* wiped by fork; one per thread slot */
    size_t gates_bytes;
    uint32_t process; /* slot + 1; 0: claim one first (fork child) */
    uint32_t process_serial;
    int32_t pid;
    uint64_t trace_hi, trace_salt;
    pthread_key_t key;
    bool key_usable; /* setting it never allocates */
    uint32_t hint;   /* where to look for a free chunk; racy on purpose */
    uint32_t thread_hint;
    uint64_t lost_early; /* atomic; nothing to count on yet */
};
enum rec_state { REC_OFF = 0, REC_ATTACHING = 1, REC_ON = 2 };
extern struct rec_runtime rec_runtime;

/* Times the exit hook may arm itself again for destructors that record. */
enum { REC_EXIT_HOOK_ROUNDS = 3 };
/* What a thread has besides oriel_tls. Plain data, no destructor. */
struct rec_thread_local {
    uint8_t setting_up; /* an emit from a signal handler now is refused */
    uint8_t exits;      /* times the exit hook ran */
    uint8_t crashing;   /* its crash note is being written */
    void *alternate;    /* signal stack it was given, NULL: it has its own or none */
};
extern __thread struct rec_thread_local rec_thread_local __attribute__((tls_model("initial-exec")));

extern struct oriel_thread rec_null_thread;
extern struct oriel_gate rec_null_gate;

static inline bool rec_is_on(void)
{
    return __atomic_load_n(&rec_runtime.state, __ATOMIC_ACQUIRE) == REC_ON;
}
static inline void rec_count_lost(struct oriel_thread *t, enum oriel_lost_cause cause)
{
    __atomic_fetch_add(&t->lost[cause], 1, __ATOMIC_RELAXED);
}

/* thread.c: give this thread a block; false when there is none. */
bool rec_thread_setup(void);
/* A second block for emits that interrupt an emit of `first`. */
struct oriel_gate *rec_thread_second(struct oriel_gate *first);
void rec_thread_exit(void *unused);
void rec_thread_forked(void);

/* chunk.c: a chunk with room for `bytes` and its SYNC record behind the
 * thread's head. False: counted as lost, the old chunk stays. */
bool rec_chunk_next(struct oriel_thread *t, struct oriel_gate *g, size_t bytes);
/* Hand the current chunk to the reader. */
void rec_chunk_close(struct oriel_thread *t, struct oriel_gate *g);

/* process.c */
bool rec_process_claim(void);

/* crash.c: the handlers of this process, once, and a signal stack for this
 * thread where it has none; the stack goes when the thread does. */
void rec_crash_thread(void);
/* What $ORIEL_CRASH says, before any record; NULL or "": what the region says. */
void rec_crash_ask(const char *asked);
void rec_crash_thread_exit(void);

/* context.c: what profilers outside may know of this process (OTEP 4719). */
void rec_context_publish(void);

/* sites.c: all modules seen so far, now that recording is on (or off). */
void rec_sites_enable(void);
void rec_sites_forked(void);
/* sitecopy.c: a deep copy that is never freed; NULL: out of memory. */
struct oriel_site_node *rec_site_copy(const struct oriel_site *site);

/* filter.c: level from which a site of this target and name records. */
int rec_filter_set(const char *directives); /* 0 or ORIEL_EINVAL */
bool rec_filter_allows(const char *target, const char *name, uint8_t level);

#endif
