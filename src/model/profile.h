/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples added up: one row for all that agree in kind, stack, thread and span
 * name (or, where an outlet needs it, in the span itself). What reports and the
 * profile outlets start from. Memory grows with what is different, not with how
 * many samples there are. One thread.
 */
#ifndef ORIEL_MODEL_PROFILE_H
#define ORIEL_MODEL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "model/batch.h"

struct model_profile_row {
    uint64_t weight, count; /* sums */
    double square;          /* of each sample's weight, summed: what the sum may be off by */
    uint64_t span_id;       /* W3C; only when rows are kept by span */
    uint8_t trace_id[16];
    const struct model_site *site; /* of the innermost span; NULL none */
    uint32_t stack;                /* node; 0 unknown */
    uint32_t thread;               /* index in the catalog */
    uint8_t kind;                  /* enum oriel_sample_kind */
};

struct model_profile {
    struct map by_hash;
    struct model_profile_row *rows;
    uint32_t row_count, row_capacity;
    bool by_span;
    uint64_t samples[ORIEL_SAMPLE_KINDS]; /* taken in, by kind */
    uint64_t between;                     /* of those of the CPU: times that none was taken in */
    uint64_t weight[ORIEL_SAMPLE_KINDS];
    uint64_t first_ns, last_ns; /* UINT64_MAX, 0: none */
};

void model_profile_init(struct model_profile *p, bool by_span);
void model_profile_done(struct model_profile *p);
/* 0 or ORIEL_ENOMEM: the sample is missing from the rows and from the sums. */
int model_profile_add(struct model_profile *p, const struct model_sample *s);
/* How many were taken, of all kinds. */
uint64_t model_profile_samples(const struct model_profile *p);

/* "cpu", "off_cpu", "alloc", ...; and "nanoseconds", "bytes", "count". */
const char *model_sample_kind_text(uint8_t kind);
const char *model_sample_unit(uint8_t kind);

#endif
