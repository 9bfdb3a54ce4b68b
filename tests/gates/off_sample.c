/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ordinary code with every kind of annotation, for three gates: compiled with
 * ORIEL_OFF it equals itself without the annotations (off_identity.sh deletes
 * every line that names ORIEL_ or oriel_), it compiles as strict C11 without a
 * warning, and what is inlined into it calls only what it may (inline.sh).
 */
#define ORIEL_TARGET "sample"
#include <oriel/oriel.h>
#include <oriel/unit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
    const char *route, *tenant, *token;
    size_t bytes;
    double ratio;
    bool cached;
    void *owner;
};

int sample_work(const struct request *rq);
int sample_handle(const struct request *rq);
int sample_loop(const int *values, int n);
int sample_switch(int kind, unsigned depth);
int sample_paths(const struct request *rq, int n);
void sample_tasks(uint64_t id, int64_t count);
void sample_log(const struct request *rq, int n);

int sample_handle(const struct request *rq)
{
    ORIEL_SPAN("http.request", "http.route", rq->route, "bytes", rq->bytes);

    if (!rq->cached) {
        ORIEL_INFO("cache miss", "tenant", rq->tenant);
    }
    int rc = sample_work(rq);
    ORIEL_SPAN_SET("status", rc, "ratio", rq->ratio);
    return rc;
}

int sample_loop(const int *values, int n)
{
    ORIEL_FN();
    int sum = 0;
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("step", "i", i);
        if (values[i] < 0)
            break;
        if (values[i] == 0)
            continue;
        sum += values[i];
        ORIEL_PLOT("sum", sum);
    }
    ORIEL_EVENT("loop.done", "sum", sum, "odd", (sum & 1) != 0);
    return sum;
}

int sample_switch(int kind, unsigned depth)
{
    switch (kind) {
    case 1:
        ORIEL_WARN("kind one", "depth", depth);
        return 10;
    case 2: {
        ORIEL_SPAN("kind two");
        return sample_work(NULL);
    }
    default:
        ORIEL_ERROR("no such kind", "kind", kind);
        ORIEL_FATAL("giving up");
        break;
    }
    ORIEL_TRACE("left", "depth", depth);
    ORIEL_DEBUG("left", "kind", kind);
    return 0;
}

int sample_paths(const struct request *rq, int n)
{
    ORIEL_SPAN_AT(ORIEL_LEVEL_DEBUG, "paths", "n", n);
    if (n > 3)
        goto out;
    {
        ORIEL_SPAN("inner", "owner", rq->owner);
        n += sample_work(rq);
        if (n == 7)
            return 7;
    }
out:
    ORIEL_EVENT_AT(ORIEL_LEVEL_DEBUG, "paths.out");
    return n * 2;
}

void sample_tasks(uint64_t id, int64_t count)
{
    ORIEL_UNIT("sampler", "fetch", "count", count);
    ORIEL_TASK(ORIEL_TASK_SPAWN, "fetch", id, 0);
    for (int64_t i = 0; i < count; i++) {
        ORIEL_FRAME("main");
        sample_work(NULL);
    }
    ORIEL_TASK(ORIEL_TASK_COMPLETE, "fetch", id, 0);
    oriel_thread_name("sampler");
}

void sample_log(const struct request *rq, int n)
{
    ORIEL_LOGF(ORIEL_LEVEL_WARN, "%d requests of %s, %zu bytes", n, rq->tenant, rq->bytes);
    ORIEL_LOGF(ORIEL_LEVEL_INFO, "nothing to say");
    ORIEL_LOG(ORIEL_LEVEL_INFO, "login", ORIEL_SECRET("token", rq->token),
              ORIEL_ARG("route", rq->route)); /* ORIEL_ to the last line */
    sample_work(rq);
}
