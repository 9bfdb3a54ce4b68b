/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Annotations that give the program a handle to keep: the other half of
 * off_sample.c. Handles are variables, and without optimisation a variable has
 * its place on the stack, so this file is compared at -O2 and -Os only.
 */
#define ORIEL_TARGET "handles"
#include <oriel/oriel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
    size_t bytes;
};

int sample_work(const struct request *rq);
void sample_explicit(const struct request *rq);
void sample_async(const struct request *rq);
void sample_context(const uint8_t *trace, const uint8_t *span);

void sample_context(const uint8_t *trace, const uint8_t *span)
{
    struct oriel_guard g = oriel_context_attach(trace, span, 1);
    sample_work((const struct request *)(trace == span ? NULL : trace));
    oriel_context_detach(&g);
}

void sample_explicit(const struct request *rq)
{
    struct oriel_scope s = ORIEL_BEGIN("explicit", "bytes", rq->bytes);
    sample_work(rq);
    ORIEL_END(&s);
}

void sample_async(const struct request *rq)
{
    struct oriel_span t = ORIEL_OPEN("job", ORIEL_CURRENT, "bytes", rq->bytes);
    struct oriel_guard g = oriel_span_enter(&t);
    sample_work(rq);
    oriel_span_exit(&g);
    ORIEL_SPAN_SET_ON(&t, "late", true);
    oriel_span_status(&t, ORIEL_STATUS_OK, "done");
    oriel_span_close(&t);
    ORIEL_EXTERNAL("gpu", UINT64_C(1), UINT64_C(2), ORIEL_ROOT, "queue", 3);
}
