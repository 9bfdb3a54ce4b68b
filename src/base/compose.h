/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samplers made of samplers: OpenTelemetry's CompositeSampler and the composable ones
 * it is built of (trace/sdk, Composable samplers). What a configuration says and the
 * pipe goes by; data only.
 */
#ifndef ORIEL_BASE_COMPOSE_H
#define ORIEL_BASE_COMPOSE_H

#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/site.h>

enum compose_kind {
    COMPOSE_ON,     /* ComposableAlwaysOn */
    COMPOSE_OFF,    /* ComposableAlwaysOff */
    COMPOSE_RATIO,  /* ComposableProbability, once TraceIDRatioBased: `ratio` */
    COMPOSE_PARENT, /* ComposableParentThreshold: `of` where there is no parent */
    COMPOSE_RULES,  /* ComposableRuleBased: the first rule that fits; else none */
    COMPOSE_NOTES   /* ComposableAnnotating: as `of`, with attributes */
};
enum compose_parent { COMPOSE_NO_PARENT = 1, COMPOSE_REMOTE = 2, COMPOSE_LOCAL = 4 };
enum { COMPOSE_DEPTH_MAX = 10 };

struct compose;
/* All that is said has to fit. Lists end with NULL; NULL: nothing is said. */
struct compose_rule {
    const char *key; /* of an attribute that has one of `values` */
    const char *const *values;
    const char *pattern_key; /* of one that fits one of `included`, and none of `excluded` */
    const char *const *included, *const *excluded; /* with '?' and '*' */
    unsigned kinds;                                /* 1 << SpanKind of OTLP; 0: any */
    unsigned parents;                              /* enum compose_parent; 0: any */
    const struct compose *sampler;
};
struct compose_note {
    const char *key, *text;
    uint32_t type; /* bool, i64, f64, str of enum oriel_type */
    int64_t i64;   /* bool, too */
    double f64;
};
struct compose {
    enum compose_kind kind;
    double ratio;
    const struct compose *of;
    const struct compose_rule *rules;
    size_t rule_count;
    const struct compose_note *notes;
    size_t note_count;
};

#endif
