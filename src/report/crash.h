/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crashes: which thread was ended by what, the spans it was in and the last
 * things it did. Those are kept for CRASH_THREADS threads at a time, so memory
 * has a bound; where more are busy, some crashes are told without them. Pure;
 * one thread.
 */
#ifndef ORIEL_REPORT_CRASH_H
#define ORIEL_REPORT_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/batch.h"

enum {
    CRASH_LAST = 64,
    CRASH_THREADS = 1024,
    CRASH_OPEN_MAX = 4096,
    CRASHES_MAX = 16,
    CRASH_TEXT = 64
};

/* An event, or a span that ended. */
struct crash_act {
    uint64_t t_ns, duration_ns;
    const struct model_site *site; /* NULL: unknown */
    bool is_span;
    uint8_t text_n; /* of a formatted message, cut; 0: the site's name says it */
    char text[CRASH_TEXT];
};

struct crash {
    uint64_t t_ns;                     /* 0: not known */
    const struct model_thread *thread; /* NULL: not known */
    int64_t number, code, pid, tid;    /* 0: not known */
    uint64_t address, ip;
    bool handled;     /* the program had a handler of its own */
    bool has_address; /* `address` is one */
    char signal[16], reason[CRASH_TEXT];
    struct crash_act last[CRASH_LAST]; /* the latest is at the end */
    uint32_t last_count, later;        /* later: what the thread did after it */
};

/* A span that had no end. */
struct crash_open {
    const struct model_site *site;
    const struct model_thread *thread;
    uint64_t start_ns;
    uint32_t depth;
};

struct crash_history;
struct crashes {
    struct crash_history *histories[CRASH_THREADS]; /* by thread index, which may clash */
    VEC(struct crash_open) open;
    VEC(struct crash *) items;
    uint64_t survived; /* signals after which the thread went on */
};

/* All: 0 or ORIEL_ENOMEM. */
int crashes_span(struct crashes *c, const struct model_span *span);
int crashes_event(struct crashes *c, const struct model_event *event);
/* What the recorder saw where no event tells it; call before telling. */
int crashes_settle(struct crashes *c, const struct model_catalog *catalog);
/* Handled signals count only where the process died of them, or nobody saw. */
bool crash_ended_something(const struct crash *c, const struct model_catalog *catalog);
/* The spans the thread was in, outermost first; how many of at most `max`. */
uint32_t crash_stack(const struct crashes *c, const struct crash *crash,
                     const struct crash_open **out, uint32_t max);
void crashes_done(struct crashes *c);

#endif
