/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The composition root: one source, the pipe, any number of outlets. The only
 * room that names a concrete source or exporter. Used by the command (with a
 * region it holds, or a file) and by liboriel (with a drain thread).
 *
 *   poll -> outlets of records -> pipe -> items callback, outlets of items
 *        -> commit
 *
 * Memory is bounded: one batch of records, one of items, what the pipe holds.
 * One thread at a time; nothing here is safe in a signal handler.
 */
#ifndef ORIEL_SESSION_SESSION_H
#define ORIEL_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "export/exporter.h"
#include "pipe/pipe.h"
#include "source/source.h"

#define SESSION_OUTLETS_MAX 8u
#define SESSION_PAST_MAX 16u /* receivers that were replaced and are still sent to */
/* Commit a live source after so many bytes or nanoseconds, unless told else. */
#define SESSION_COMMIT_BYTES (64u << 10)
#define SESSION_COMMIT_NS UINT64_C(50000000)

struct session;

/* Of several outlets: delivered + refused == given. */
struct session_books {
    uint64_t given, delivered, refused, failed;
};
/* Exact at all times, for each outlet i:
 *   delivered[i] + refused[i] == given[i]
 *   given[i] == records        (outlets of records), from the time it was added
 *   given[i] == pipe.items_out (outlets of items), likewise */
struct session_counts {
    uint64_t records;                        /* read from the source and valid */
    uint64_t bytes;                          /* of these records on the wire */
    uint64_t by_type[ORIEL_REC_MAX + 1];     /* of these, by enum oriel_record_type */
    uint64_t presences;                      /* of the samples: a thread was there, and no more */
    uint64_t between;                        /* of the samples: times in which none was taken */
    uint64_t seen_events;                    /* of these, events that are not the program's */
    uint64_t system_records;                 /* of these, what the system said */
    uint64_t delivered[SESSION_OUTLETS_MAX]; /* records or items taken by outlet i */
    uint64_t refused[SESSION_OUTLETS_MAX];   /* records or items it did not take */
    uint64_t refused_seen[SESSION_OUTLETS_MAX];  /* of these MODEL_SEEN, where that is known */
    uint64_t outlet_failed[SESSION_OUTLETS_MAX]; /* calls of outlet i that failed */
    uint64_t given[SESSION_OUTLETS_MAX];         /* records or items it was given */
    struct session_books replaced;               /* of all outlets that others took the place of */
    uint64_t internal_failed; /* rounds in which the pipe or the callback failed */
    uint64_t lost[ORIEL_LOST_CAUSES];
    uint64_t covered; /* values of records that were secrets, where records are written */
    uint64_t samples_overwritten; /* by later ones, in a flight recorder */
    uint64_t processes, threads;
    uint64_t speakers; /* processes with Oriel in them, though they may have said nothing */
    struct pipe_counts pipe;
    struct source_damage damage;
    uint64_t start_ns, end_ns; /* unix; of the recording, of the latest record */
};
/* Samples that say where. */
static inline uint64_t session_samples(const struct session_counts *c)
{
    return c->by_type[ORIEL_REC_SAMPLE] - c->presences - c->between;
}

/* Open a source. `path` is a region file or a capture. 0, ORIEL_ENOTFOUND (no
 * such source), ORIEL_ENOMEM, or what the source answers. */
int session_new(struct session **out, const char *source, const char *path,
                const struct pipe_options *pipe, struct oriel_err *err);
/* The same with the source's table at hand. */
int session_new_source(struct session **out, const struct source *source, const char *path,
                       const struct pipe_options *pipe, struct oriel_err *err);
/* The same for a live source that is opened with options of its own header; `what` is it
 * in lines about failures. */
int session_new_with(struct session **out, const struct source *source, const void *options,
                     const char *what, const struct pipe_options *pipe, struct oriel_err *err);
/* Add a source beside the first one, before the first step: what both say of a
 * thread is one thread's. Its options are a struct of its own header. 0,
 * ORIEL_ELIMIT, ORIEL_ENOMEM, or what the source answers. */
int session_add_source(struct session *s, const struct source *table, const void *options,
                       struct oriel_err *err);
/* Add an outlet before the first step; it is opened at once, so set resource
 * attributes first. `options` is a struct of the exporter's table (NULL:
 * defaults), copied; `out` is taken in every case, closed with the session.
 * 0, ORIEL_ELIMIT, ORIEL_ENOMEM, or what the exporter answers. */
int session_add_outlet(struct session *s, const struct exporter *exporter, const void *options,
                       struct out *out, struct oriel_err *err);
/* The same for a receiver; `out` is deliver_out(d), or leads there and closes it. Its outlet gets
 * time by each step of a live source, and goes on until session_finish ends. */
int session_add_destination(struct session *s, const struct exporter *exporter, const void *options,
                            struct deliver *d, struct out *out, struct oriel_err *err);
/* The headers of a destination that was added come from a vault; `fetch` (fetch_add was called for
 * it) is left before the destination is freed. Whether one is still asked; when that is over at the
 * latest (session_finish ends it). */
struct fetch;
void session_hold(struct session *s, const struct deliver *d, struct fetch *fetch);
bool session_awaits_vault(const struct session *s);
void session_hurry_vault(struct session *s, uint64_t until_ns);
/* Between two steps: outlets of these kinds are replaced by what is added from here on, when
 * that is taken, or stay when it is dropped (files that were made for the new ones are gone
 * then). The old ones are closed as at the end: files are whole; receivers have half a minute
 * to take what they were given, which nobody waits for. ORIEL_EBUSY: too many of these are
 * still at it. Items are made on where they were made before. */
enum session_outlets { SESSION_FILES = 1, SESSION_RECEIVERS = 2 };
int session_change_begin(struct session *s, unsigned which, struct oriel_err *err);
void session_change_take(struct session *s);
void session_change_drop(struct session *s);
/* Of all receivers, those that were replaced too; NULL: not asked for. Any thread. */
void session_sent(const struct session *s, struct deliver_counts *out_traces,
                  struct deliver_counts *out_logs, struct deliver_counts *out_total);
/* Of outlet i, until it is replaced; NULL: it writes a file. */
struct deliver *session_destination(const struct session *s, unsigned i);
/* How long session_finish waits for receivers where there is no deadline; 0 (the default): as
 * long as they have patience. */
void session_set_delivery(struct session *s, uint64_t ns);
/* After session_flush, from any thread, while the session lives: waits for what receivers were
 * given so far. 0; ORIEL_ETIMEOUT. */
int session_wait_delivered(struct session *s, uint64_t deadline_ns);
/* Items that receivers did not take, or that were lost on the way to them, so far; with those that
 * exporters of the program and files had refused when they were last flushed. */
uint64_t session_undelivered(const struct session *s);
/* As pipe_set_sampling, between two steps. */
int session_set_sampling(struct session *s, const struct pipe_sampling *how);
/* A function that sees every batch of items (reports); called before outlets. */
void session_on_items(struct session *s, int (*fn)(void *user, const struct model_batch *items),
                      void *user);
/* Called once in session_finish, when everything was read and before the outlets
 * close: time to give places their lines (EXPORT_SYMBOLS). */
void session_on_close(struct session *s, void (*fn)(void *user, struct model_catalog *c),
                      void *user);
/* How long data may stay unacknowledged in a live source, so that outlets get
 * chunks worth compressing. bytes 0: acknowledge every round. */
void session_set_commit(struct session *s, uint64_t bytes, uint64_t delay_ns);
/* Where there are receivers, nothing is acknowledged before one was given its first message, up to
 * so many bytes: a program that puts itself into the background ends its first process in that
 * time, and nobody would have sent it. */
void session_keep_unsent(struct session *s, uint64_t bytes);
/* CLOCK_MONOTONIC time at which session_finish stops draining and delivering; 0: none. */
void session_set_deadline(struct session *s, uint64_t mono_ns);
/* Where a receiver's spool keeps what is left, session_finish reads on for it until then; the
 * receivers have no more time than before. */
void session_keep_until(struct session *s, uint64_t mono_ns);
/* Whether a receiver has a spool. Any thread. */
bool session_has_spool(const struct session *s);
/* session_finish stopped at its deadline: what it did not read is in the source still. */
bool session_left_some(const struct session *s);
/* session_finish reads nothing more: what is still in the source is nobody's. */
void session_skip_rest(struct session *s);
/* One round. enum source_result or a code of the source; outlets that fail are
 * counted and do not show here. */
int session_step(struct session *s, struct oriel_err *err);
/* How much session_look may hold of each source beside the first, once these are added; 0:
 * nothing (the default), then they look at what would pass and no more. */
void session_set_held(struct session *s, uint64_t bytes);
/* Instead of a round, where the first source is to be left alone for now (flight
 * recorder): the others are read, the last of it is held, and the next round tells it. What
 * is given up for that is counted: records as ORIEL_LOST_OVERWRITTEN, samples apart. */
void session_look(struct session *s);
/* Rounds until SOURCE_END, or forever-idle for files. */
int session_run(struct session *s, struct oriel_err *err);
/* Flush every outlet and acknowledge to the source what they hold. */
void session_flush(struct session *s);
/* Drain what is left, finish the outlets, wait for receivers. Call once; then only free. 0, or the
 * code and line of the first outlet that failed since the session began. */
int session_finish(struct session *s, struct oriel_err *err);
struct model_catalog *session_catalog(struct session *s);
/* Unix ns: all that was said before has been read and has reached the outlets of items. */
uint64_t session_watermark(const struct session *s);
/* Bytes of records the last step brought from the first source (what lies beside it
 * has a pace of its own), and whether more were waiting. */
uint64_t session_step_bytes(const struct session *s, bool *out_more);
/* When a step has something to do though nothing comes; UINT64_MAX: never. *out_delay_ns: how long
 * what comes may wait to be read, as its outlets were told. */
uint64_t session_due(const struct session *s, uint64_t *out_delay_ns);
/* Whether an outlet keeps records as they come, such as a capture; others have items. */
bool session_wants_records(const struct session *s);
void session_get_counts(const struct session *s, struct session_counts *out);
/* Outlet i where it writes a file or standard output; false: it does not. SESSION_OUTLETS_MAX: all
 * files that others took the place of, together and without a path. The thread of the session. */
struct session_file {
    const char *path;
    int why;                   /* its first failure; 0: none */
    uint64_t given, unwritten; /* items that are not in it though they should be, exactly */
    bool records;              /* these are records, as they came */
    bool told;                 /* session_file_told was called */
};
bool session_file(const struct session *s, unsigned i, struct session_file *out);
void session_file_told(struct session *s, unsigned i);
/* The first failure of outlet i as one line; NULL if it never failed. */
const char *session_outlet_failure(const struct session *s, unsigned i);
/* After session_finish: what is not in the file of outlet i because its format has no place for
 * it, as one line; "" nothing. */
const char *session_outlet_note(const struct session *s, unsigned i);
void session_free(struct session *s); /* takes NULL */

#endif
