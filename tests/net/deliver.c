/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A destination before a gRPC server that is not ours (tests/net/peer.mjs): what it
 * takes arrives once, what it refuses is not repeated, what it wants later comes later.
 *
 *   deliver URL          prints what became of the items
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "deliver/deliver.h"
#include "util/grpc.h"

enum { MESSAGES = 200 };
#define SECOND UINT64_C(1000000000)

static const char *const paths[OUT_SIGNALS] = {"a", "b", "c"};
static const char *const methods[OUT_SIGNALS] = {"/t.T/Echo", "/t.T/Say", "/t.T/Later"};
static unsigned wrong;

/* Echo must give back what it was given; Say and Later fail. */
static void judge(enum out_signal signal, const struct deliver_reply *r,
                  struct deliver_verdict *out)
{
    *out = (struct deliver_verdict){.fate = DELIVER_TAKEN};
    snprintf(out->text, sizeof out->text, "%.100s", r->text);
    if (r->status == GRPC_OK)
        for (size_t i = 0; i < r->body_n; i++)
            wrong += ((const char *)r->body)[i] != (char)(r->body_n % 64);
    else
        out->fate = r->has_delay ? DELIVER_AGAIN : DELIVER_REFUSED;
}

static void say(void *user, const char *line)
{
    fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
    static const struct deliver_dialect dialect = {"net", "text/plain", paths, methods, judge};
    static char bytes[MESSAGES * 20];
    struct deliver_options o = {.size = sizeof o,
                                .dialect = &dialect,
                                .grpc = true,
                                .compression = argc > 2 ? DELIVER_GZIP : DELIVER_PLAIN,
                                .endpoint = argv[argc > 1],
                                .say = say};
    struct deliver *d;
    struct deliver_counts c;
    struct oriel_err err = {0};
    if (argc < 2 || deliver_open(&d, &o, &err) != 0) {
        fprintf(stderr, "usage: deliver URL [gzip]  %s\n", err.text);
        return 2;
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct out_message m = {.signal = OUT_TRACES, .items = 2, .bytes = bytes, .n = i * 20};
        memset(bytes, (int)(m.n % 64), m.n);
        out_message(deliver_out(d), &m);
    }
    struct out_message refused = {.signal = OUT_LOGS, .items = 5, .bytes = bytes, .n = 3};
    out_message(deliver_out(d), &refused);
    int rc = deliver_flush(d, clock_mono_ns() + 60 * SECOND);
    deliver_total(d, &c);
    printf("%s delivered %llu refused %llu tries %llu connections %llu wrong %u\n",
           rc == 0 ? "done" : "late", (unsigned long long)c.delivered,
           (unsigned long long)c.refused, (unsigned long long)c.tries,
           (unsigned long long)c.connections, wrong);
    struct out_message later = {.signal = OUT_METRICS, .items = 7, .bytes = bytes, .n = 3};
    uint64_t begin = clock_mono_ns();
    out_message(deliver_out(d), &later);
    do
        deliver_counts(d, OUT_METRICS, &c);
    while (c.tries < 2 && clock_mono_ns() < begin + 60 * SECOND);
    printf("again %s\n", clock_mono_ns() - begin >= SECOND * 3 / 2 ? "in time" : "too early");
    out_close(deliver_out(d));
    return 0;
}
