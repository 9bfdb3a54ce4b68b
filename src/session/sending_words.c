/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What became of everything that was to be sent, as one line for a person. Pure.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "deliver/deliver.h"
#include "session/sending.h"
#include "util/num.h"

struct words {
    char *out;
    size_t n, at;
};

__attribute__((format(printf, 2, 3))) static void put(struct words *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = w->at < w->n ? vsnprintf(w->out + w->at, w->n - w->at, format, args) : 0;
    va_end(args);
    w->at += n > 0 ? (size_t)n : 0;
}

/* Nothing is said of what is none; `why` "": nobody knows. */
static void put_why(struct words *w, uint64_t n, const char *what, const char *why)
{
    char text[NUM_TEXT_MAX];
    if (n && why[0])
        put(w, ", %s %s (%s)", num_count(text, n), what, why);
    else if (n)
        put(w, ", %s %s", num_count(text, n), what);
}

static void put_count(struct words *w, uint64_t n, const char *what)
{
    put_why(w, n, what, "");
}

uint64_t sending_lost(const struct session *s, unsigned i)
{
    struct deliver *d = session_destination(s, i);
    struct deliver_counts all;
    if (!d)
        return 0;
    deliver_total(d, &all);
    return all.given - all.delivered - all.spooled;
}

bool sending_words(const struct session *s, unsigned i, char *out, size_t n)
{
    struct deliver *d = session_destination(s, i);
    struct deliver_counts traces, logs, all;
    char spans[NUM_TEXT_MAX], records[NUM_TEXT_MAX], why[DELIVER_WHY_BYTES];
    struct words w = {out, n, 0};
    out[0] = 0;
    if (!d)
        return true;
    deliver_counts(d, OUT_TRACES, &traces);
    deliver_counts(d, OUT_LOGS, &logs);
    deliver_total(d, &all);
    deliver_left(d, why);
    put(&w, "%s %s and %s %s delivered", num_count(spans, traces.delivered),
        num_noun(traces.delivered, "span", "spans"), num_count(records, logs.delivered),
        num_noun(logs.delivered, "log record", "log records"));
    put_count(&w, all.recovered, "of earlier runs");
    put_count(&w, all.rejected + all.refused, "refused by the receiver");
    put_count(&w, all.full, "lost to a full queue");
    put_why(&w, all.expired, "given up: not taken in time", why);
    put_count(&w, all.spool_lost, "lost to a full spool");
    put_count(&w, all.queued, "not sent");
    put_why(&w, all.spooled, "kept in the spool for later", why);
    return all.delivered == all.given;
}
