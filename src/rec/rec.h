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

#include "wire/meta.h"

/* Bytes at the end of a chunk that only the ends of spans may use, so that a
 * full ring loses begins before it loses ends. */
#define REC_END_RESERVE 512u

/*
 * What a fork child must not believe to be true of itself: it lies in pages of
 * its own that a fork wipes. Everything is atomic.
 */
struct rec_own {
    uint32_t process; /* slot + 1 in the region's process table; 0: none yet */
    int32_t pid;
    uint64_t ids;           /* serial | sites_of << 32; 0: none yet */
    uint64_t vacant;        /* blocks left by threads: times changed << 32 | slot + 1 */
    uint32_t inside;        /* calls that are at work on the region, beyond the inline path */
    uint32_t kept;          /* vacant blocks with a chunk */
    uint32_t context_turns; /* atomic; asked for since somebody began to write it: context.c */
    struct context_page *context;           /* atomic; NULL: not published */
    uint32_t next_vacant[WIRE_THREADS_MAX]; /* slot + 1, and REC_VACANT_KEEPS */
};
#define REC_VACANT_KEEPS 0x80000000u

/* The one recording of this process. Written while attaching, before any
 * record; read everywhere between rec_enter and rec_leave. */
struct rec_runtime {
    uint32_t state;            /* atomic: enum rec_state */
    uint32_t clock;            /* enum oriel_clock */
    void *base;                /* of the region's mapping */
    struct wire_region header; /* private copy, checked */
    struct wire_region *shared;
    struct oriel_gate *gates; /* wiped by fork; one per thread slot */
    size_t gates_bytes;
    struct rec_own *own;
    uint32_t process;        /* slot + 1 of this process, or of the one it was forked from */
    uint32_t process_serial; /* likewise */
    pthread_key_t key;
    bool key_usable;                  /* setting it never allocates */
    struct oriel_heap *(*heap)(void); /* of liboriel-alloc; NULL: it is not here */
    uint32_t hint;                    /* where to look for a free chunk; racy on purpose */
    uint32_t thread_hint;
    uint64_t lost_early; /* atomic; nothing to count on yet */
    uint32_t served;     /* atomic; heir.c: another process exports what we say, and no thread of
                          * ours waits for its end */
};
enum rec_state {
    REC_OFF = 0,
    REC_ATTACHING = 1,
    REC_ON = 2,
    REC_LEAVING = 3 /* refuses everything; calls may still be inside */
};
extern struct rec_runtime rec_runtime;

/* Times the exit hook may arm itself again for destructors that record. */
enum { REC_EXIT_HOOK_ROUNDS = 3 };
/* Threads of Oriel's own say nothing here: else what they do would be there to be sent by
 * them. Nothing of it counts as lost, for it was not the program that said it. */
enum rec_own_thread { REC_OWN_UNKNOWN = 0, REC_OWN_NO = 1, REC_OWN_YES = 2 };
/* What a thread has besides oriel_tls. Plain data, no destructor. */
struct rec_thread_local {
    uint8_t setting_up; /* an emit from a signal handler now is refused */
    uint8_t exits;      /* times the exit hook ran */
    uint8_t crashing;   /* its crash note is being written */
    uint8_t own;        /* enum rec_own_thread */
    uint8_t in_hook;    /* what is said now is said by a hook of the program */
    uint8_t inheriting; /* a thread of ours is being made, if it is time for that */
    uint32_t hooked;    /* open scopes whose ends ask hooks: its gate is not for inline code */
    void *alternate;    /* signal stack it was given, NULL: it has its own or none */
};
extern __thread struct rec_thread_local rec_thread_local __attribute__((tls_model("initial-exec")));

extern struct oriel_thread rec_null_thread;
extern struct oriel_gate rec_null_gate;

static inline bool rec_is_on(void)
{
    return __atomic_load_n(&rec_runtime.state, __ATOMIC_ACQUIRE) == REC_ON;
}
/* Between these two the region stays what it is. False: it is not there. */
static inline void rec_leave(void)
{
    uint32_t *inside = &rec_runtime.own->inside;
    if (__atomic_load_n(inside, __ATOMIC_RELAXED)) /* 0: a child that was forked in between */
        __atomic_fetch_sub(inside, 1, __ATOMIC_RELEASE);
}
static inline bool rec_enter(void)
{
    if (!rec_is_on())
        return false;
    /* Ordered before the look at the state, as rec_region_leave orders its store of
     * the state before its look at the number: one of both sees the other. */
    __atomic_fetch_add(&rec_runtime.own->inside, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&rec_runtime.state, __ATOMIC_SEQ_CST) == REC_ON)
        return true;
    rec_leave();
    return false;
}
/* Of the region we are attached to now, not of one before a detach. */
static inline bool rec_gate_is_current(const struct oriel_gate *g)
{
    const struct rec_runtime *rt = &rec_runtime;
    return (uintptr_t)g - (uintptr_t)rt->gates < rt->gates_bytes;
}
/* What a crash finds no room for stands in its note: no loss, and not a record of
 * the program's. */
static inline void rec_count_lost(struct oriel_thread *t, enum oriel_lost_cause cause)
{
    if (!rec_thread_local.crashing)
        __atomic_fetch_add(&t->lost[cause], 1, __ATOMIC_RELAXED);
}

/* What may be written of the chunk: up to here. */
static inline void rec_gate_set_limit(struct oriel_gate *g, uintptr_t limit)
{
    g->room_end = limit;
    g->limit = g->heap ? 0 : limit;
}

/* `open` of a gate of this thread. */
static inline uint32_t rec_gate_open(void)
{
    return rec_runtime.clock == ORIEL_CLOCK_INLINE && !rec_thread_local.hooked ? ORIEL_GATE_INLINE
                                                                               : ORIEL_GATE_OTHER;
}

/* emit.c: oriel_abi_event that says whether the record is there. */
bool rec_event(oriel_word word, uint64_t span, const struct oriel_value *values, uint32_t count);

/* emit.c: whether a record of so many bytes would be kept now. Nothing is counted as lost where
 * it would not: for what can wait. */
bool rec_has_room(size_t bytes);

/* thread.c: give this thread a block; false when there is none. */
bool rec_thread_setup(void);
/* A second block for emits that interrupt an emit of `first`. */
struct oriel_gate *rec_thread_second(struct oriel_gate *first);
void rec_thread_exit(void *unused);
void rec_thread_forked(void);

/* chunk.c: a fresh chunk, with its first records behind the thread's head.
 * False: there is none, the old chunk stays; nothing is counted. */
bool rec_chunk_next(struct oriel_thread *t, struct oriel_gate *g);
/* Write on in the chunk that the block has, for a new owner. */
void rec_chunk_adopt(struct oriel_thread *t, struct oriel_gate *g);
/* Hand the current chunk to the reader. */
void rec_chunk_close(struct oriel_thread *t, struct oriel_gate *g);

/* process.c: leave the region, so that another can be attached to. Calls that
 * began before end in memory that stays; false: one was still at work after
 * timeout_ms, call again. rec_region_drop gives back what nobody needs. */
bool rec_region_leave(unsigned timeout_ms);
void rec_region_drop(void);

/* claim.c: a slot for this process, once, whoever asks; false: none is free. */
bool rec_process_claim(void);
struct wire_process *rec_process_self(void);   /* NULL: it has none yet */
static inline uint32_t rec_process_index(void) /* of that slot; it has one */
{
    return __atomic_load_n(&rec_runtime.own->process, __ATOMIC_ACQUIRE) - 1;
}
uint32_t rec_process_serial(void); /* with or without a slot */
void rec_process_end_former(void);

/* start.c */
void rec_start_forked(void);
/* Have a thread that follows the process that exports, if it is time for one; true: there is no
 * need to ask again. */
bool rec_start_inherit(void);

/* heir.c: is this thread about to say its first record? Between rec_enter and rec_leave. */
bool rec_heir_is_asked(void);
/* It is: asks. Not between these. */
void rec_heir_come(void);
/* In-process export was asked for, and the loader does not find what does it. */
bool rec_has_no_library(void);
/* A function of liboriel, which is loaded for it; NULL: none. Not from signal handlers. */
void *rec_library_symbol(const char *name);

/* crash.c: the handlers of this process, once, and a signal stack for this
 * thread where it has none; the stack goes when the thread does. */
void rec_crash_thread(void);
/* What $ORIEL_CRASH says, before any record; NULL or "": what the region says. */
void rec_crash_ask(const char *asked);
void rec_crash_thread_exit(void);

/* current.c: W3C flags of a trace that begins here. The one place that decides whether it is
 * sampled; a trace that came from outside keeps what came with it. */
uint8_t rec_root_flags(void);
/* The configuration of an export that starts: threshold of base/ratio.h, list of propagators. */
void rec_threshold_told(uint64_t threshold);
void rec_propagators_told(const char *list);
/* This copy is in a hook beside the program's own: what it says is of no trace, and a context
 * that it told would stand between the program's spans. From its constructor. */
void rec_current_looks_on(void);
/* What is current on this thread, as its first record. */
void rec_current_tell(void);
/* span.c: ATTACH, with tracestate; what oriel_context_detach takes back. */
struct oriel_context;
struct oriel_guard rec_context_attach(const struct oriel_context *context);
/* W3C flags of the trace of a span. */
uint8_t rec_span_flags(const struct oriel_span *span);
/* `flags` of struct oriel_guard: there is something to take back, and the W3C flags before.
 * Those of struct oriel_span are the same. */
#define REC_GUARD(w3c_flags) (1u | (uint32_t)(w3c_flags) << 8)
#define REC_GUARD_FLAGS(flags) ((uint8_t)((flags) >> 8))

/* context.c: what profilers outside may know of this process (OTEP 4719), and what an export in
 * this process says that it is: instance_told_fn of base/instance.h. */
void rec_context_publish(void);
void rec_context_told(const void *bytes, uint32_t common, uint32_t own, uint32_t adds);

/* sites.c: all modules seen so far, now that recording is on (or off). */
void rec_sites_enable(void);
void rec_sites_forked(void);
/* The region is gone, and with it what was said in it. */
void rec_sites_forget(void);
uint32_t rec_sites_next(void); /* id from which on this copy has used none */
/* sitecopy.c: a deep copy that is never freed; NULL: out of memory. */
struct oriel_site_node *rec_site_copy(const struct oriel_site *site);

/* sites.c: an object file of this process, for readers of its addresses. False:
 * the log is full. Between rec_enter and rec_leave. */
bool rec_module_tell(const struct wire_module *m);

/* sites.c: an entry that is made already, as this process's. False: the log is full. Between
 * rec_enter and rec_leave. */
bool rec_meta_put(const void *entry, size_t bytes);
/* scopes.c: what was said of targets, to a region that was attached to. */
void rec_scopes_tell(void);
void rec_scopes_forked(void);
/* hooks.c: what kinds of hooks the program has; atomic. */
enum { REC_HOOKS_SPANS = 1, REC_HOOKS_LOGS = 2, REC_HOOKS_DECIDE = 4 };
extern uint32_t rec_hooks_kinds;
void rec_hooks_forked(void);
void rec_hooks_flush(unsigned timeout_ms);
/* Waits for threads that are in hooks until then. */
void rec_hooks_stop(uint64_t until_ns);
/* hooks.c: an object with these sites is unloaded. */
void rec_hooks_site_gone(const struct oriel_site *site);
/* sites.c: those kinds have changed. */
void rec_sites_switch(void);

/* switch.c: directives that somebody outside has put into the region. */
void rec_switch_look(void);
/* A region was attached to; a block of it has become live. */
void rec_switch_attached(void);
void rec_switch_joined(struct oriel_thread *t);
/* sites.c: the same for all sites known so far; what cannot be understood
 * changes nothing. False: somebody else is at it, nothing was done. */
bool rec_sites_filter(const char *directives);

/* filter.c: level from which a site of this target and name records. */
int rec_filter_set(const char *directives); /* 0 or ORIEL_EINVAL; one caller at a time */
bool rec_filter_allows(const char *target, const char *name, uint8_t level);

/* emit.c: a HEAP record of this thread now, if anything changed since the last and
 * it has recorded: where a thread, or the program, ends. */
void rec_heap_tell(void);

#endif
