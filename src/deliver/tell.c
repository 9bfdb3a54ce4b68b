/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lines for the user: one for each change, and never a secret, because hosts are
 * told without user and path, and what a receiver says has lost its control
 * characters. The sending thread only.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "deliver/inside.h"
#include "util/num.h"

#define AGAIN_NS UINT64_C(60000000000)
#define BETWEEN_NS UINT64_C(1000000000)

static void say(const struct deliver *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct deliver *d, const char *format, ...)
{
    char line[1024];
    va_list ap;
    if (!d->say)
        return;
    va_start(ap, format);
    int n = snprintf(line, sizeof line, "%s: ", d->name);
    vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    va_end(ap);
    d->say(d->user, line);
}

static const char *noun(enum out_signal signal, uint64_t n)
{
    static const char *const many[OUT_SIGNALS] = {"spans", "log records", "points", "samples"};
    static const char *const one[OUT_SIGNALS] = {"span", "log record", "point", "sample"};
    return num_noun(n, one[signal], many[signal]);
}

void tell_open(struct deliver *d, struct lane *l)
{
    uint64_t waiting = queue_waiting(d, l);
    char time[NUM_TEXT_MAX];
    memcpy(l->told, l->why, sizeof l->told);
    if (d->attended)
        say(d, "%s does not take what is sent (%s): tried for %s", l->endpoint.shown, l->why,
            num_duration(time, d->patience_ns));
    else if (d->spool)
        say(d, "%s does not take what is sent (%s): %" PRIu64 " %s, on disk if it lasts",
            l->endpoint.shown, l->why, waiting, num_noun(waiting, "item waits", "items wait"));
    else
        say(d, "%s does not take what is sent (%s): %" PRIu64 " %s in memory", l->endpoint.shown,
            l->why, waiting, num_noun(waiting, "item waits", "items wait"));
}

void tell_back(struct deliver *d, struct lane *l)
{
    say(d, "%s is back", l->endpoint.shown);
}

static const char *left_why(const struct lane *l)
{
    return l->why[0] ? l->why : "no time was left";
}

/* One that speaks no TLS may wait for the rest of what it takes for a request. */
void tell_silence(struct lane *l)
{
    if (!l->why[0] && !l->answered && l->endpoint.url.scheme == HTTP_TLS)
        snprintf(l->why, sizeof l->why,
                 "nothing was answered over TLS, which it may not speak: http://, or "
                 "OTEL_EXPORTER_OTLP_INSECURE=true where the endpoint has no scheme");
}

void tell_why(struct deliver *d, const struct lane *l)
{
    const bool said = d->attended && strcmp(l->told, l->why) == 0 && l->told[0];
    pthread_mutex_lock(&d->lock);
    snprintf(d->left, sizeof d->left, "%s", said ? "" : left_why(l));
    pthread_mutex_unlock(&d->lock);
}

void tell_left(struct deliver *d, struct lane *l, uint64_t lost, uint64_t kept)
{
    const char *why = left_why(l);
    if (d->books)
        return;
    if (lost)
        say(d, "%s did not take %" PRIu64 " %s lost (%s)", l->endpoint.shown, lost,
            num_noun(lost, "item before the end, it is", "items before the end, they are"), why);
    if (kept)
        say(d, "%s did not take %" PRIu64 " %s on disk (%s)", l->endpoint.shown, kept,
            num_noun(kept, "item before the end, it waits", "items before the end, they wait"),
            why);
}

/* Of a signal at most one line a second, and one a minute that says the same; a mere warning
 * (no items) only once. What was not said is in the next line's count. */
static bool may_tell(struct route *r, const char *what, int status, uint64_t items, uint64_t now_ns,
                     uint64_t *out_items)
{
    uint64_t hash = UINT64_C(1469598103934665603) ^ (uint64_t)(unsigned)status;
    for (const char *p = what; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    r->untold += items;
    bool same = r->told_hash == hash;
    uint64_t ago_ns = now_ns - r->told_ns;
    if (r->told_hash && (same ? ago_ns < AGAIN_NS || r->untold == 0 : ago_ns < BETWEEN_NS))
        return false;
    r->told_hash = hash;
    r->told_ns = now_ns;
    *out_items = r->untold;
    r->untold = 0;
    return true;
}

void tell_reason(const struct deliver_reply *r, const struct deliver_verdict *v, char *out,
                 size_t n)
{
    if (r->grpc)
        snprintf(out, n, "%s", v->text[0] ? v->text : grpc_status_name(r->status));
    else if (strncmp(v->text, "HTTP ", 5) == 0)
        snprintf(out, n, "%s", v->text);
    else
        snprintf(out, n, "HTTP %d%s%s", r->status, v->text[0] ? ": " : "", v->text);
}

/* Whoever waits for headers was not asked yet, and is not to blame. */
static void say_full(const struct deliver *d, const struct route *r, uint64_t n, const char *what,
                     bool in_items)
{
    const char *bound = in_items ? "queue_items" : "queue_bytes";
    if (atomic_load_explicit(&d->gate, memory_order_relaxed) == GATE_OPEN)
        say(d, "%s takes less than there is: %" PRIu64 " %s lost to a full queue (%s)",
            d->lanes[r->lane].endpoint.shown, n, what, bound);
    else
        say(d, "%" PRIu64 " %s lost to a full queue (%s) while the headers to send have not come",
            n, what, bound);
}

void tell_full(struct deliver *d, uint64_t now_ns, bool end)
{
    for (unsigned s = 0; s < OUT_SIGNALS && !d->books; s++) {
        struct route *r = &d->routes[s];
        pthread_mutex_lock(&d->lock);
        const uint64_t full = d->counts[s].full, more = full - r->full_told;
        const bool in_items = d->full_in_items, over = end || d->finishing;
        pthread_mutex_unlock(&d->lock);
        if (!more || (!over && r->full_told && now_ns - r->full_told_ns < AGAIN_NS))
            continue;
        r->full_told = full;
        r->full_told_ns = now_ns;
        say_full(d, r, more, noun((enum out_signal)s, more), in_items);
    }
}

void tell_verdict(struct deliver *d, const struct item *i, const struct deliver_reply *r,
                  const struct deliver_verdict *v, uint64_t now_ns)
{
    struct route *route = &d->routes[i->signal];
    const char *host = d->lanes[i->lane].endpoint.shown;
    char reason[300];
    uint64_t items, rejected = v->rejected < i->items ? v->rejected : i->items;
    bool taken = v->fate == DELIVER_TAKEN;
    if (taken && !rejected && !v->text[0])
        return;
    if (!may_tell(route, v->text, r->status, taken ? rejected : i->items, now_ns, &items))
        return;
    tell_reason(r, v, reason, sizeof reason);
    if (taken && items)
        say(d, "%s rejected %" PRIu64 " %s: %s", host, items, noun(i->signal, items), v->text);
    else if (taken)
        say(d, "%s warns: %s", host, v->text);
    else
        say(d, "%s refused %" PRIu64 " %s: %s%s", host, items, noun(i->signal, items), reason,
            v->fate == DELIVER_TOO_LARGE ? " (smaller requests: max_bytes)" : "");
}

void tell_refused(struct deliver *d, const struct item *i, const char *why, uint64_t now_ns)
{
    uint64_t items;
    if (may_tell(&d->routes[i->signal], why, 0, i->items, now_ns, &items))
        say(d, "%s: %" PRIu64 " %s %s lost: %s", d->lanes[i->lane].endpoint.shown, items,
            noun(i->signal, items), items == 1 ? "is" : "are", why);
}
