/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What else is known of a target (ORIEL_TARGET): version, schema URL and attributes of
 * the component, which OpenTelemetry calls an instrumentation scope. Said once, by the
 * component, before it records; every span and event of the target has it then.
 *
 *   ORIEL_INSTRUMENTATION("shop.db", "1.4.2", "https://opentelemetry.io/schemas/1.37.0",
 *                         "db.shard", 7, "team", "storage");
 */
#ifndef ORIEL_INSTRUMENTATION_H
#define ORIEL_INSTRUMENTATION_H

#ifndef ORIEL_OFF

#include "abi/runtime.h"
#include "args.h"
#include "emit.h"
#include "values.h"

/* (target, version, schema URL, key, value, ...): up to 16 attributes, as fields of a span.
 * What oriel_instrumentation_tell returns. NULL: not said. */
#define ORIEL_INSTRUMENTATION(target, version, ...)                                                \
    ORIEL_INSTRUMENTATION_(target, version, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_INSTRUMENTATION_(target, version, n, ...)                                            \
    ORIEL_INSTRUMENTATION__(target, version, n, __VA_ARGS__)
#define ORIEL_INSTRUMENTATION__(target, version, n, ...)                                           \
    __extension__({                                                                                \
        const struct oriel_field oriel_f[] = {ORIEL_FIELDS(n, __VA_ARGS__){0, 0, 0}};              \
        const struct oriel_value oriel_a[] = {ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};            \
        const struct oriel_instrumentation oriel_i = {                                             \
            sizeof oriel_i, target, version, ORIEL_FIRST(__VA_ARGS__), oriel_f, oriel_a, n, 0};    \
        oriel_instrumentation_tell(&oriel_i);                                                      \
    })

#else /* ORIEL_OFF */

#include "off.h"

#endif
#endif
