/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a whole ELF file asked for all its places for probes. What comes
 * out must be an image that its own reader takes. The first byte chooses the
 * question.
 */
#include "symbol/points_job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool answer(void *ctx, const struct job_question *q, struct job_answer *out)
{
    if (q->nth > 0)
        return false;
    *out = (struct job_answer){*(struct bytes *)ctx, 1};
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes file = {data, size};
    struct job_result result;
    const struct job job = {.file = file, .ask = answer, .ctx = &file};
    static const char *const patterns[] = {NULL, "*", "*.c:*"};
    struct points_query q = {.kinds = ~0u, .details = true};
    for (size_t i = 0; i < 3; i++) {
        struct points p = {0};
        q.pattern = patterns[i];
        buf_init(&p.image);
        if (points_job(&q, &job, &p.image, &result) == 0 && points_open(&p) != 0)
            __builtin_trap();
        buf_done(&p.image);
    }
    return 0;
}
