/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Log outlet, inside.
 *
 *   log.c     table, filter, one line per item
 *   filter.c  target=level directives
 *   text.c    text, compact and pretty lines, for people
 *   line.c    JSON lines, for machines; time stamps
 *
 * Runs on one thread.
 */
#ifndef ORIEL_EXPORT_LOG_LOG_H
#define ORIEL_EXPORT_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/waiting.h"

enum log_format { LOG_TEXT = 0, LOG_JSON = 1, LOG_COMPACT = 2, LOG_PRETTY = 3 };
enum log_colour { LOG_COLOUR_AUTO = 0, LOG_COLOUR_ALWAYS = 1, LOG_COLOUR_NEVER = 2 };

struct log_options {
    int format;          /* enum log_format */
    int level;           /* 0 trace .. 5 fatal, 6 off */
    int color;           /* enum log_colour */
    bool spans, events;  /* a line when a span ends, for each event */
    const char *levels;  /* target=level,... */
    const char *context; /* keys that stand on top in JSON lines */
};

/* What a line says, whatever it comes from. */
struct log_line {
    uint64_t t_ns;
    const struct model_site *site; /* NULL: Oriel itself */
    const struct model_thread *thread;
    struct model_str target, message;
    bool named; /* the message is the name of an event */
    uint8_t level;
    const uint8_t *trace_id; /* NULL or zero: none */
    uint64_t span_id, parent_id;
    const struct model_value *attrs;
    uint32_t attr_count, dropped_attrs;
    const struct model_span *span; /* for the end of a span */
};

struct log_directive {
    struct model_str target;
    uint8_t level; /* the least that is shown; above FATAL: off */
};

struct log_state {
    struct export_env env;
    int format;
    bool spans, events, colour;
    uint8_t level;
    VEC(struct log_directive) directives;
    VEC(struct model_str) context;
    VEC(uint8_t) by_site; /* least level shown, by site; 0: not looked up yet */
    char *texts;          /* what directives and context point into */
    struct buf buf;
    struct export_waiting waiting; /* the items whose lines are in it */
    uint64_t second;               /* the one that `stamp` is for */
    char stamp[24];                /* 2026-11-20T10:15:30 */
    bool stamped;
};

/* ---- filter.c ---- */

/* 0, ORIEL_EINVAL with the directive that is wrong, or ORIEL_ENOMEM. */
int log_filter_init(struct log_state *l, const struct log_options *o, struct oriel_err *err);
void log_filter_done(struct log_state *l);
bool log_filter_shows(struct log_state *l, const struct model_site *s);

/* ---- text.c, line.c ---- */

void log_put_text(struct log_state *l, const struct log_line *line);
void log_put_json(struct log_state *l, const struct log_line *line);
/* RFC 3339 in UTC with nanoseconds: 2026-11-20T10:15:30.123456789Z, no NUL. */
enum { LOG_STAMP_BYTES = 30 };
void log_put_stamp(struct log_state *l, char out[LOG_STAMP_BYTES], uint64_t t_ns);
bool log_has_trace(const struct log_line *line);

#endif
