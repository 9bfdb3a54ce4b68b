/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of destinations: a dialect that is simple, messages whose bytes can be
 * checked, and figures that must add up whenever they are looked at.
 */
#ifndef ORIEL_DELIVER_TEST_DESTINATION_H
#define ORIEL_DELIVER_TEST_DESTINATION_H

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "deliver/deliver.h"
#include "test.h"
#include "util/grpc.h"

static const char *const destination_paths[OUT_SIGNALS] = {"v1/traces", "v1/logs", "v1/metrics"};
static const char *const destination_methods[OUT_SIGNALS] = {"/t.Service/traces", "/t.Service/logs",
                                                             "/t.Service/metrics"};

/* 200 and OK take; "-N text" rejects N. 429, 503 and UNAVAILABLE ask again. */
static void destination_judge(enum out_signal signal, const struct deliver_reply *r,
                              struct deliver_verdict *out)
{
    memset(out, 0, sizeof *out);
    if (r->grpc ? r->status == GRPC_OK : r->status == 200) {
        out->fate = DELIVER_TAKEN;
        if (r->body_n > 1 && ((const char *)r->body)[0] == '-') {
            char *end;
            out->rejected = strtoul((const char *)r->body + 1, &end, 10);
            snprintf(out->text, sizeof out->text, "%.100s", end + (*end == ' '));
        }
        return;
    }
    bool again = r->grpc ? r->status == GRPC_UNAVAILABLE : r->status == 429 || r->status == 503;
    out->fate = again                          ? DELIVER_AGAIN
                : !r->grpc && r->status == 413 ? DELIVER_TOO_LARGE
                                               : DELIVER_REFUSED;
    snprintf(out->text, sizeof out->text, "%.*s", r->body_n < 100 ? (int)r->body_n : 100,
             r->body_n ? (const char *)r->body : "");
}

static const struct deliver_dialect destination_dialect = {.name = "test",
                                                           .content_type = "text/plain",
                                                           .paths = destination_paths,
                                                           .methods = destination_methods,
                                                           .judge = destination_judge};

static inline struct deliver_options destination_options(const char *url, bool grpc)
{
    return (struct deliver_options){.size = sizeof(struct deliver_options),
                                    .name = "dest",
                                    .dialect = &destination_dialect,
                                    .grpc = grpc,
                                    .endpoint = url,
                                    .timeout_ns = UINT64_C(60000000000)};
}

/* ---- what is said, and a time that only tests move ---- */

struct watch {
    pthread_mutex_t lock;
    unsigned lines;
    char text[4096]; /* all lines */
    _Atomic uint64_t now_ns;
};

static inline void watch_say(void *user, const char *line)
{
    struct watch *w = user;
    pthread_mutex_lock(&w->lock);
    size_t n = strlen(w->text);
    snprintf(w->text + n, sizeof w->text - n, "%s\n", line);
    w->lines++;
    pthread_mutex_unlock(&w->lock);
}

static inline uint64_t watch_now(void *user)
{
    return ((struct watch *)user)->now_ns;
}

/* Lines come; time stands still unless it is moved. */
static inline void watch_use(struct watch *w, struct deliver_options *o, bool time_too)
{
    *w = (struct watch){.now_ns = UINT64_C(1000000000000)};
    pthread_mutex_init(&w->lock, NULL);
    o->say = watch_say;
    o->user = w;
    o->now = time_too ? watch_now : NULL;
}

static inline unsigned watch_lines(struct watch *w, char *out, size_t n)
{
    pthread_mutex_lock(&w->lock);
    snprintf(out, n, "%s", w->text);
    unsigned lines = w->lines;
    pthread_mutex_unlock(&w->lock);
    return lines;
}

static inline struct deliver *destination_open(const struct deliver_options *o)
{
    struct deliver *d = NULL;
    struct oriel_err err = {0};
    if (deliver_open(&d, o, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return d;
}

static inline uint64_t destination_in_s(unsigned seconds)
{
    return clock_mono_ns() + seconds * UINT64_C(1000000000);
}

/* "17 aaaa...": size and content follow from the number. */
static inline size_t destination_message(unsigned number, char *out, size_t max)
{
    size_t n = 200 + number % 7 * 300;
    int head = snprintf(out, max, "%u ", number);
    if (n > max)
        n = max;
    memset(out + head, 'a' + (int)(number % 26), n - (size_t)head);
    return n;
}

/* The number that a body of n bytes, which end with nothing, begins with. */
static inline unsigned destination_number(const char *p, size_t n)
{
    unsigned v = 0;
    for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '9'; i++)
        v = v * 10 + (unsigned)(p[i] - '0');
    return v;
}

static inline bool destination_is_message(const char *p, size_t n)
{
    char expected[4096];
    size_t size = n ? destination_message(destination_number(p, n), expected, sizeof expected) : 0;
    return n && n == size && memcmp(p, expected, n) == 0;
}

static inline int destination_put(struct deliver *d, enum out_signal signal, unsigned number,
                                  uint64_t items)
{
    char bytes[4096];
    struct out_message m = {.signal = signal, .items = items, .seen = items / 2, .bytes = bytes};
    m.n = destination_message(number, bytes, sizeof bytes);
    return out_message(deliver_out(d), &m);
}

static inline void destination_check(const struct deliver_counts *c)
{
    CHECK_EQ(c->given, c->delivered + c->rejected + c->refused + c->full + c->expired +
                           c->spool_lost + c->queued + c->spooled);
    CHECK(c->in_flight <= c->queued);
}

/* Of all signals; each must add up, and so must the outlet's own view. */
static inline void destination_total(struct deliver *d, struct deliver_counts *out)
{
    struct deliver_counts one;
    for (unsigned s = 0; s < OUT_SIGNALS; s++) {
        deliver_counts(d, (enum out_signal)s, &one);
        destination_check(&one);
    }
    deliver_total(d, out);
    destination_check(out);
}

/* Waits for a state, for as long as it takes; the test's own deadline ends what never comes. */
#define DESTINATION_UNTIL(d, counts, condition)                                                    \
    do {                                                                                           \
        destination_total(d, counts);                                                              \
        if (condition)                                                                             \
            break;                                                                                 \
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);                                    \
    } while (1)

static inline unsigned destination_threads(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

#endif
