/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From records to items: order, assemble, limit, redact. Pure: no I/O, no
 * clock; time comes in the batch. One thread at a time.
 *
 *   records -> order (merge streams by time, hold back to the watermark)
 *           -> assemble (spans, context of events, losses)
 *           -> limit (OpenTelemetry attribute limits)
 *           -> redact (marked secrets, in every string place)
 *           -> items
 */
#ifndef ORIEL_PIPE_PIPE_H
#define ORIEL_PIPE_PIPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/batch.h"

/* Zero means the default given here. */
struct pipe_options {
    uint32_t size; /* sizeof(struct pipe_options) */
    uint32_t attribute_count_limit;   /* 128 */
    uint32_t attribute_length_limit;  /* characters; 0 = none */
    uint32_t event_count_limit;       /* 128 per span */
    uint32_t link_count_limit;        /* 128 per span */
    uint32_t open_span_limit;         /* 1,000,000; beyond it the oldest is closed as unfinished */
};

struct pipe_counts {
    uint64_t records_in, items_out, spans, events;
    uint64_t unfinished, clamped, orphan_ends, dropped_attrs, dropped_links, dropped_events;
    uint64_t secrets; /* values redacted */
    uint64_t lost[ORIEL_LOST_CAUSES];
};

struct pipe;
/* 0, ORIEL_EINVAL (an option out of range) or ORIEL_ENOMEM. */
int pipe_new(struct pipe **out, const struct pipe_options *options,
             const struct model_catalog *catalog);
/* Take the records of `in` and append what is complete to `out` (cleared by
 * the caller, same catalog). With in->last everything held back comes out and
 * open spans become unfinished ones. ORIEL_ENOMEM loses nothing that was not
 * counted. */
int pipe_push(struct pipe *p, const struct model_batch *in, struct model_batch *out);
void pipe_counts(const struct pipe *p, struct pipe_counts *out);
void pipe_free(struct pipe *p);

#endif
