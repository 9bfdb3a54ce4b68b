/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fake program for tests: a catalog with one process, streams of made-up
 * threads, and one function per record type that appends a valid record to a
 * batch. Ids and positions come out as the real writer makes them.
 *
 *   struct records w;
 *   records_init(&w);
 *   const struct model_site *site = records_site(&w, ORIEL_SITE_SPAN, "work", "n:i,!token:s");
 *   struct records_stream s = records_thread(&w, 100);
 *   uint64_t id = rec_begin(&batch, &s, t_ns, site, (int64_t)7, "hunter2");
 *   rec_end(&batch, &s, t_ns + 10, id);
 *
 * Field values follow as the types say: bool b, int64_t i, uint64_t u, double
 * f, const char * s (str), const char * y (bytes, of a C string), void * p.
 * Out of memory ends the test program.
 */
#ifndef ORIEL_TEST_RECORDS_H
#define ORIEL_TEST_RECORDS_H

#include <stdint.h>

#include "model/batch.h"

#define RECORDS_TRACE_HI UINT64_C(0x1122334455667788)
#define RECORDS_TRACE_SALT UINT64_C(0x0f1e2d3c4b5a6978)

struct records {
    struct model_catalog catalog;
    struct model_process *process;
    uint32_t last_site, last_serial;
};

struct records_stream {
    const struct model_thread *thread;
    uint32_t serial;
    uint64_t seed, position; /* raw id = seed + position */
    uint64_t lost[ORIEL_LOST_CAUSES];
};

void records_init(struct records *w);
void records_done(struct records *w);

/* fields: "name:type,name:type" or ""; '!' before a name marks a secret. */
const struct model_site *records_site(struct records *w, uint8_t kind, const char *name,
                                      const char *fields);
const struct model_site *records_format(struct records *w, const char *format, const char *fields);
/* A new thread with its first stream, and a further stream of the same thread. */
struct records_stream records_thread(struct records *w, int32_t tid);
struct records_stream records_second(struct records *w, const struct records_stream *first);

/* BEGIN and the like return the raw id. Flags of the next record can be set
 * with records_flags (enum oriel_record_flag); they apply once. */
void records_flags(uint8_t flags);
uint64_t rec_begin(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                   const struct model_site *site, ...);
void rec_end(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id);
uint64_t rec_open(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                  const struct model_site *site, uint64_t parent, ...);
void rec_close(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id);
void rec_enter(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id);
/* A span with ids of its own: raw id, parent (W3C), trace, flags of W3C; flags: of the record. */
void rec_given(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site, uint8_t flags, const uint64_t words[5]);
void rec_exit(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id);
void rec_set(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
             const struct model_site *site, ...);
void rec_event(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site, ...);
/* An event that names its span (0: none). */
void rec_event_on(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                  const struct model_site *site, ...);
/* A span with times from outside; said at t_ns. */
uint64_t rec_span(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                  const struct model_site *site, uint64_t start_ns, uint64_t end_ns,
                  uint64_t parent, ...);
void rec_status(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                uint64_t code, const char *message);
void rec_link(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
              uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id);
/* The same with flags as rec_attach_flags has them. */
void rec_link_flags(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                    uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id, uint64_t flags);
/* The tracestate of the last link of a span, or (id 0) of the context attached last. */
/* How value `value` of the record that comes next goes on, from `offset` of it on. */
void rec_more(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint32_t value,
              uint32_t offset, const char *text);
void rec_state(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
               const char *text);
void rec_name(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
              const char *text);
void rec_follow(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                uint64_t earlier);
void rec_attach(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t trace_hi,
                uint64_t trace_lo, uint64_t span_id);
/* The same with the trace flags of W3C, which are else those of a sampled trace, and
 * ORIEL_CONTEXT_* where it came from. */
void rec_attach_flags(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                      uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id, uint64_t flags);
void rec_detach(struct model_batch *b, struct records_stream *s, uint64_t t_ns);
void rec_plot(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const struct model_site *site, ...);
void rec_frame(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site);
void rec_task(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const struct model_site *site, uint8_t op, uint64_t task, uint64_t other);
void rec_thread_name(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                     const char *name);
/* A sample as a source beside the ring makes it. */
void rec_sample(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t kind,
                uint32_t stack, uint64_t weight);
/* A sample of memory: ALLOC, FREE, ... of a block at this address. */
void rec_block(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t kind,
               uint32_t stack, uint64_t bytes, uint64_t address);
/* Allocations, bytes, frees, bytes freed: of the thread so far. */
void rec_heap(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const uint64_t counts[4]);
void rec_trigger(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                 const char *reason);
/* A SYNC with the stream's lost counters and a stack of `depth`, of which the
 * first min(depth, ORIEL_STACK_DEPTH) ids are told. */
void rec_sync(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint32_t depth,
              const uint64_t *ids);
/* Lose `count` records: the next SYNC says so. */
void rec_lose(struct records_stream *s, uint32_t cause, uint64_t count);

#endif
