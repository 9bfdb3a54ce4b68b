/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the tests of the spool have in common: messages that tell their number
 * and are made from it, spools with a time of the test's own.
 */
#ifndef ORIEL_DELIVER_TEST_SPOOL_H
#define ORIEL_DELIVER_TEST_SPOOL_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "deliver/spool.h"
#include "random.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)
static uint64_t test_now __attribute__((unused)) = 1700000000 * SECOND;

static inline uint64_t clock_of_test(void *user)
{
    return test_now;
}

static inline struct spool_options options_of(const char *dir)
{
    return (struct spool_options){.size = sizeof(struct spool_options),
                                  .directory = dir,
                                  .destination = "otlp grpc http://127.0.0.1:4317",
                                  .unix_now = clock_of_test};
}

static inline struct spool *open_spool(const char *dir, uint64_t max_bytes, uint64_t file_bytes)
{
    struct spool_options o = options_of(dir);
    struct spool *s = NULL;
    struct oriel_err err = {0};
    o.max_bytes = max_bytes;
    o.file_bytes = file_bytes;
    int rc = spool_open(&s, &o, &err);
    if (rc != 0)
        test_fail(__FILE__, __LINE__, "spool_open: %d %s", rc, err.text);
    test_stop_if_failed();
    return s;
}

/* A message that tells its number, and whose bytes are made from it. */
static char scratch[1 << 20] __attribute__((unused));

static inline uint64_t items_of(uint64_t id)
{
    return 1 + id % 7;
}

static inline struct out_message message_of(uint64_t id, size_t n)
{
    uint64_t seed = id;
    for (size_t i = 0; i < n; i++) /* nothing that could be compressed */
        scratch[i] = (char)random_next(&seed);
    memcpy(scratch, &id, sizeof id);
    return (struct out_message){.signal = (enum out_signal)(id % OUT_SIGNALS),
                                .items = items_of(id),
                                .seen = id % 2,
                                .bytes = scratch,
                                .n = n};
}

static inline int put(struct spool *s, uint64_t id, size_t n)
{
    struct out_message m = message_of(id, n);
    return spool_put(s, &m, test_now, NULL);
}

static inline uint64_t id_of(const struct out_message *m)
{
    uint64_t id = UINT64_MAX;
    if (m->n < sizeof id)
        return id;
    memcpy(&id, m->bytes, sizeof id);
    struct out_message expected = message_of(id, m->n);
    if (memcmp(m->bytes, scratch, m->n) != 0 || m->items != expected.items ||
        m->seen != expected.seen || m->signal != expected.signal)
        test_fail(__FILE__, __LINE__, "message %llu is not what was put", (unsigned long long)id);
    return id;
}

/* Number of the next message; -1 none. */
static inline long long next(struct spool *s, bool *out_own)
{
    struct buf b;
    struct out_message m;
    bool own = false;
    buf_init(&b);
    int rc = spool_next(s, &m, &b, &own, NULL);
    long long id = rc == 0 ? (long long)id_of(&m) : -1;
    if (rc != 0)
        CHECK_EQ(rc, ORIEL_ENOTFOUND);
    if (out_own)
        *out_own = own;
    buf_done(&b);
    return id;
}

struct sums { /* over all signals */
    uint64_t put, done, held, dropped, dropped_seen;
    uint64_t adopted, adopted_done, adopted_dropped, messages, bytes, damaged;
};

static inline struct sums counts_of(struct spool *s)
{
    struct spool_counts c;
    spool_counts(s, &c);
    struct sums sums = {.adopted = c.adopted,
                        .adopted_done = c.adopted_done,
                        .adopted_dropped = c.adopted_dropped,
                        .messages = c.messages,
                        .bytes = c.bytes,
                        .damaged = c.damaged};
    for (int i = 0; i < OUT_SIGNALS; i++) {
        const struct spool_part *p = &c.own[i];
        CHECK_EQ(p->put, p->done + p->held + p->dropped);
        CHECK(p->dropped_seen <= p->dropped);
        sums.put += p->put;
        sums.done += p->done;
        sums.held += p->held;
        sums.dropped += p->dropped;
        sums.dropped_seen += p->dropped_seen;
    }
    return sums;
}

/* The destination's directory, and a file in it whose name ends like this; false: none. */
static inline bool find_file(const char *dir, const char *ending, char *out, size_t n)
{
    char below[512] = "";
    bool found = false;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strlen(e->d_name) == 32)
            snprintf(below, sizeof below, "%s/%s", dir, e->d_name);
    if (d)
        closedir(d);
    d = below[0] ? opendir(below) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), tail = strlen(ending);
        if (len >= tail && strcmp(e->d_name + len - tail, ending) == 0 && e->d_name[0] != '.') {
            if (!found || strcmp(e->d_name, strrchr(out, '/') + 1) < 0)
                snprintf(out, n, "%s/%s", below, e->d_name);
            found = true;
        }
    }
    if (d)
        closedir(d);
    return found;
}

#endif
