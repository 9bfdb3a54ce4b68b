/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outlets of one session, and how they are changed while it runs: new ones are
 * opened beside the old, then take their place all at once. A receiver that was
 * replaced is given nothing more and goes on sending by itself; its books are part
 * of the totals for ever. Seen by the session only.
 *
 *   begin -> add ... -> take (the old are closed) or drop (the new are undone)
 *
 * One thread; the functions on receivers may be called from others meanwhile.
 */
#ifndef ORIEL_SESSION_OUTLET_SET_H
#define ORIEL_SESSION_OUTLET_SET_H

#include <pthread.h>

#include "session/outlet.h"
#include "session/session.h"

/* So long may a receiver that was replaced still send what it was given; then what it has is
 * in the spool, or lost and counted. */
#define OUTLET_PAST_NS UINT64_C(30000000000)

struct outlet_set {
    struct outlet *live[SESSION_OUTLETS_MAX], *next[SESSION_OUTLETS_MAX], *past[SESSION_PAST_MAX];
    unsigned count, next_count, past_count;
    uint64_t past_until_ns[SESSION_PAST_MAX]; /* monotonic */
    unsigned changing;                        /* enum session_outlets that are being replaced */
    unsigned watchers;                        /* others who wait for receivers: none is freed */
    pthread_mutex_t lock;                     /* the lists, the watchers and what is gone */
    struct session_books gone;                /* of those that were closed and freed */
    struct session_books gone_files;          /* of these, files */
    struct deliver_counts gone_traces, gone_logs, gone_total;
    struct oriel_err first; /* first failure of one that is gone */
};

void outlet_set_init(struct outlet_set *set);
/* Frees all of them; `finished`: they were closed before. */
void outlet_set_done(struct outlet_set *set, bool finished);

/* As session_add_outlet and session_add_destination. */
int outlet_set_add(struct outlet_set *set, const struct exporter *exporter, const void *options,
                   struct out *out, struct deliver *d, const struct model_catalog *catalog,
                   struct oriel_err *err);
/* From here on what is added waits to be taken. ORIEL_EBUSY: too many that were replaced are
 * still sending. */
int outlet_set_begin(struct outlet_set *set, unsigned which, struct oriel_err *err);
void outlet_set_take(struct outlet_set *set, const struct export_summary *end);
/* The new ones never were; their files are gone. */
void outlet_set_drop(struct outlet_set *set);
/* Frees those that were replaced and are through with it. Now and then. */
void outlet_set_tend(struct outlet_set *set, uint64_t now_ns);
/* At the end: all of them begin to end, or are waited for. */
void outlet_set_finish(struct outlet_set *set, uint64_t deadline_ns, bool wait);

/* The headers of this receiver, which is one of them, come from there (fetch_add was called). */
void outlet_set_hold(struct outlet_set *set, const struct deliver *d, struct fetch *fetch);
/* Whether a vault is still asked; when that is over at the latest; it is over now. */
bool outlet_set_awaits_vault(const struct outlet_set *set);
void outlet_set_hurry_vault(struct outlet_set *set, uint64_t until_ns);
void outlet_set_leave_vault(struct outlet_set *set);

/* Any thread. */
bool outlet_set_keeps(const struct outlet_set *set); /* one of them has a spool */
int outlet_set_wait(struct outlet_set *set, uint64_t deadline_ns);
/* Of all receivers, those that are gone too; NULL: not asked for. */
void outlet_set_sent(const struct outlet_set *set, struct deliver_counts *out_traces,
                     struct deliver_counts *out_logs, struct deliver_counts *out_total);
/* As session_file. */
bool outlet_set_file(const struct outlet_set *set, unsigned i, struct session_file *out);
/* Of all outlets that were replaced. */
void outlet_set_replaced(const struct outlet_set *set, struct session_books *out);

#endif
