/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The figures out of the books of a session and of its receivers. The processor
 * is the queue in front of a receiver, the exporter what sends from it; metrics
 * are not collected, and their figures are true zeros. Files have a row of ours. Any thread that
 * owns the session.
 */
#include "session/figures.h"

#include <assert.h>
#include <stdio.h>

#include "deliver/deliver.h"
#include "session/artifact.h"

_Static_assert((int)FIGURES <= (int)WIRE_FIGURES, "the figures fit their place in the ring");

#define ROW(name_, unit_, value_)                                                                  \
    {                                                                                              \
        "otel.sdk." name_, unit_, value_, FIGURES, false                                           \
    }
#define SPLIT(name_, unit_, value_, failed_)                                                       \
    {                                                                                              \
        "otel.sdk." name_, unit_, value_, failed_, false                                           \
    }
#define TIMES(name_, count_, ns_)                                                                  \
    {                                                                                              \
        "otel.sdk." name_, "s", count_, ns_, true                                                  \
    }
const struct figure_row figure_rows[FIGURE_ROWS] = {
    ROW("span.live", "{span}", FIGURE_SPAN_LIVE),
    ROW("span.started", "{span}", FIGURE_SPAN_STARTED),
    ROW("processor.span.queue.size", "{span}", FIGURE_SPAN_QUEUE),
    ROW("processor.span.queue.capacity", "{span}", FIGURE_SPAN_QUEUE_CAPACITY),
    SPLIT("processor.span.processed", "{span}", FIGURE_SPAN_PROCESSED,
          FIGURE_SPAN_PROCESSED_FAILED),
    ROW("exporter.span.inflight", "{span}", FIGURE_SPAN_INFLIGHT),
    SPLIT("exporter.span.exported", "{span}", FIGURE_SPAN_EXPORTED, FIGURE_SPAN_EXPORTED_FAILED),
    ROW("log.created", "{log_record}", FIGURE_LOG_CREATED),
    ROW("processor.log.queue.size", "{log_record}", FIGURE_LOG_QUEUE),
    ROW("processor.log.queue.capacity", "{log_record}", FIGURE_LOG_QUEUE_CAPACITY),
    SPLIT("processor.log.processed", "{log_record}", FIGURE_LOG_PROCESSED,
          FIGURE_LOG_PROCESSED_FAILED),
    ROW("exporter.log.inflight", "{log_record}", FIGURE_LOG_INFLIGHT),
    SPLIT("exporter.log.exported", "{log_record}", FIGURE_LOG_EXPORTED, FIGURE_LOG_EXPORTED_FAILED),
    ROW("exporter.metric_data_point.inflight", "{data_point}", FIGURE_POINT_INFLIGHT),
    SPLIT("exporter.metric_data_point.exported", "{data_point}", FIGURE_POINT_EXPORTED,
          FIGURE_POINT_EXPORTED_FAILED),
    TIMES("metric_reader.collection.duration", FIGURE_COLLECTIONS, FIGURE_COLLECTION_NS),
    TIMES("exporter.operation.duration", FIGURE_OPERATIONS, FIGURE_OPERATION_NS),
    {"oriel.file.items", "{item}", FIGURE_FILE_ITEMS, FIGURE_FILE_UNWRITTEN, false},
};

static void add_program(const struct session_counts *c, uint64_t out[FIGURES])
{
    const uint64_t *n = c->by_type;
    uint64_t ended = n[ORIEL_REC_END] + n[ORIEL_REC_CLOSE] + n[ORIEL_REC_SPAN];
    uint64_t started =
        n[ORIEL_REC_BEGIN] + n[ORIEL_REC_OPEN] + n[ORIEL_REC_SPAN] + n[ORIEL_REC_TOLD];
    bool piped = c->pipe.records_in > 0; /* it knows which ends belong to which begins */
    out[FIGURE_SPAN_STARTED] = started;
    out[FIGURE_SPAN_LIVE] = piped ? c->pipe.open : started > ended ? started - ended : 0;
    out[FIGURE_LOG_CREATED] = n[ORIEL_REC_EVENT] - c->seen_events;
}

_Static_assert(FIGURE_SPAN_EXPORTED_FAILED - FIGURE_SPAN_QUEUE ==
                   FIGURE_LOG_EXPORTED_FAILED - FIGURE_LOG_QUEUE,
               "the figures of both signals stand in one order");

/* `out` begins with the queue of the signal. */
static void put_signal(const struct deliver_counts *n, uint64_t *out)
{
    uint64_t failed = n->rejected + n->refused + n->expired + n->spool_lost;
    out[0] = n->queued + n->spooled;
    out[FIGURE_SPAN_PROCESSED - FIGURE_SPAN_QUEUE] = n->given;
    out[FIGURE_SPAN_PROCESSED_FAILED - FIGURE_SPAN_QUEUE] = n->full;
    out[FIGURE_SPAN_INFLIGHT - FIGURE_SPAN_QUEUE] = n->in_flight;
    out[FIGURE_SPAN_EXPORTED - FIGURE_SPAN_QUEUE] = n->delivered + failed;
    out[FIGURE_SPAN_EXPORTED_FAILED - FIGURE_SPAN_QUEUE] = failed;
}

/* A queue holds both signals; each receiver has its own, and gets everything. */
static void add_bounds(const struct session *s, uint64_t out[FIGURES])
{
    struct deliver_counts c;
    bool in_items = true;
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++) {
        if (!session_destination(s, i))
            continue;
        deliver_total(session_destination(s, i), &c);
        out[FIGURE_SPAN_QUEUE_CAPACITY] += c.queue_items;
        out[FIGURE_QUEUE_BYTES] += c.queue_bytes;
        in_items = in_items && c.queue_items;
    }
    if (!in_items)
        out[FIGURE_SPAN_QUEUE_CAPACITY] = 0;
    out[FIGURE_LOG_QUEUE_CAPACITY] = out[FIGURE_SPAN_QUEUE_CAPACITY];
}

/* Each file gets everything, by itself. */
static void add_files(const struct session *s, uint64_t out[FIGURES])
{
    struct session_file f;
    for (unsigned i = 0; i <= SESSION_OUTLETS_MAX; i++) {
        if (!session_file(s, i, &f))
            continue;
        out[FIGURE_FILE_ITEMS] += f.given;
        out[FIGURE_FILE_UNWRITTEN] += f.unwritten;
        if (f.unwritten && !out[FIGURE_FILE_WHY])
            out[FIGURE_FILE_WHY] = (uint64_t)-f.why;
    }
}

uint64_t figure_value(const struct figure_row *row, const uint64_t *values, size_t count,
                      const char **out_unit)
{
    const bool bound =
        row->value == FIGURE_SPAN_QUEUE_CAPACITY || row->value == FIGURE_LOG_QUEUE_CAPACITY;
    const uint64_t value = (size_t)row->value < count ? values[row->value] : 0;
    const uint64_t bytes = FIGURE_QUEUE_BYTES < count ? values[FIGURE_QUEUE_BYTES] : 0;
    *out_unit = bound && !value && bytes ? "By" : row->unit;
    return bound && !value ? bytes : value;
}

void figures_of(const struct session *s, uint64_t out[FIGURES])
{
    struct session_counts c;
    struct deliver_counts traces, logs, all;
    session_get_counts(s, &c);
    session_sent(s, &traces, &logs, &all);
    for (int i = 0; i < FIGURES; i++)
        out[i] = 0;
    add_program(&c, out);
    put_signal(&traces, out + FIGURE_SPAN_QUEUE);
    put_signal(&logs, out + FIGURE_LOG_QUEUE);
    out[FIGURE_OPERATIONS] = all.tries;
    out[FIGURE_OPERATION_NS] = all.try_ns;
    add_bounds(s, out);
    add_files(s, out);
}

void figures_tell(const struct session *s, struct region *r, uint64_t now_ns)
{
    uint64_t values[FIGURES];
    figures_of(s, values);
    region_tell_figures(r, values, FIGURES, now_ns);
}

int figures_note(const uint64_t values[FIGURES], struct model_catalog *c)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < FIGURE_OTEL_ROWS; i++) {
        const struct figure_row *row = &figure_rows[i];
        const char *unit;
        uint64_t value = figure_value(row, values, FIGURES, &unit);
        uint64_t more = row->failed < FIGURES ? values[row->failed] : 0;
        char text[96];
        if (row->duration)
            snprintf(text, sizeof text, "%llu in %.9f s", (unsigned long long)value,
                     (double)more / 1e9);
        else if (more)
            snprintf(text, sizeof text, "%llu, %llu of them with an error",
                     (unsigned long long)value, (unsigned long long)more);
        else
            snprintf(text, sizeof text, "%llu%s", (unsigned long long)value,
                     unit == row->unit ? "" : " bytes");
        if (value)
            rc = artifact_set(c, row->name, text);
    }
    return rc;
}
