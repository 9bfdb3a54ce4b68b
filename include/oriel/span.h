/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans: scoped, explicit, and free of threads.
 *
 *   ORIEL_SPAN("http.request", "http.route", route, "bytes", n);   ends with the scope
 *   ORIEL_FN();                                                    a span named as the function
 *   ORIEL_SPAN_SET("status", rc);                                  more fields, later
 *   oriel_span_name(ORIEL_CURRENT, route);                         another name, later
 *   struct oriel_scope s = ORIEL_BEGIN("step"); ... ORIEL_END(&s);
 *   struct oriel_span t = ORIEL_OPEN("job", ORIEL_CURRENT, "id", 7);
 *   struct oriel_guard g = oriel_span_enter(&t); ... oriel_span_exit(&g);
 *   oriel_span_close(&t);
 *
 * Names and field names are string literals. Up to 16 fields; a value's type
 * is its C type; strings are copied (truncated at 4 KiB, marked as such).
 * Fields are evaluated only while the site is recorded. With ORIEL_OFF defined
 * nothing of it is compiled. Legal everywhere, signal handlers included.
 */
#ifndef ORIEL_SPAN_H
#define ORIEL_SPAN_H

#ifndef ORIEL_OFF

#include "handle.h"
#include "site.h"

#define ORIEL_CURRENT ((const struct oriel_span *)0)

#define ORIEL_SPAN(...)                                                                            \
    ORIEL_SCOPED_(__COUNTER__, ORIEL_LEVEL_INFO, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_SPAN_AT(level, ...)                                                                  \
    ORIEL_SCOPED_(__COUNTER__, level, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_SCOPED_(id, level, n, ...) ORIEL_SCOPED__(id, level, n, __VA_ARGS__)
#define ORIEL_SCOPED__(id, level, n, ...)                                                          \
    ORIEL_SITE(id, ORIEL_SITE_SPAN, level, 0, ORIEL_FIRST(__VA_ARGS__), 0, n, __VA_ARGS__);        \
    struct oriel_scope ORIEL_NAME(oriel_scope_, id)                                                \
        __attribute__((cleanup(oriel_scope_end), unused)) = {0, 0, 0};                             \
    ORIEL_BEGIN_INTO_(id, ORIEL_NAME(oriel_scope_, id), n, __VA_ARGS__)

/* Record the begin of site `id` into `scope` if the site is on. */
#define ORIEL_BEGIN_INTO_(id, scope, n, ...)                                                       \
    do {                                                                                           \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            ORIEL_SITE_PROBE(id, ORIEL_FIRST(__VA_ARGS__), oriel_w,                                \
                             (scope) = oriel_abi_begin_hooked(ORIEL_SITE_AT(id), n,                \
                                                              ORIEL_VALUES(n, __VA_ARGS__) 0));    \
            if (ORIEL_LIKELY(ORIEL_RECORDED(oriel_w))) {                                           \
                ORIEL_TEMPS(n, __VA_ARGS__)                                                        \
                struct oriel_emit oriel_e =                                                        \
                    oriel_begin_start(oriel_w, (0 ORIEL_SIZES(n, __VA_ARGS__)));                   \
                if (ORIEL_LIKELY(oriel_e.words)) {                                                 \
                    uint64_t *oriel_at = oriel_e.words + 2;                                        \
                    ORIEL_PUTS(n, __VA_ARGS__)                                                     \
                    (scope) = oriel_begin_commit(oriel_e, oriel_w, oriel_at);                      \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* A span named as the enclosing function. */
#define ORIEL_FN() ORIEL_FN_(__COUNTER__)
#define ORIEL_FN_(id) ORIEL_FN__(id)
#define ORIEL_FN__(id)                                                                             \
    ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, __func__, 0, 0, "");                      \
    struct oriel_scope ORIEL_NAME(oriel_scope_, id)                                                \
        __attribute__((cleanup(oriel_scope_end), unused)) = {0, 0, 0};                             \
    ORIEL_BEGIN_INTO_(id, ORIEL_NAME(oriel_scope_, id), 0, "function")

/* Explicit begin, an expression of type struct oriel_scope. End it on the same
 * thread, innermost first. */
#define ORIEL_BEGIN(...) ORIEL_BEGIN_(__COUNTER__, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_BEGIN_(id, n, ...) ORIEL_BEGIN__(id, n, __VA_ARGS__)
#define ORIEL_BEGIN__(id, n, ...)                                                                  \
    __extension__({                                                                                \
        ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, ORIEL_FIRST(__VA_ARGS__), 0, n,       \
                   __VA_ARGS__);                                                                   \
        struct oriel_scope oriel_begun = {0, 0, 0};                                                \
        ORIEL_BEGIN_INTO_(id, oriel_begun, n, __VA_ARGS__);                                        \
        oriel_begun;                                                                               \
    })
#define ORIEL_END(scope) oriel_end(scope)

/* Fields added to the current span, or to a given one; the last value of a
 * name counts. */
#define ORIEL_SPAN_SET(...) ORIEL_SET_TO(0, __VA_ARGS__)
#define ORIEL_SPAN_SET_ON(span, ...) ORIEL_SET_TO((span)->id, __VA_ARGS__)
#define ORIEL_SET_TO(raw, ...)                                                                     \
    ORIEL_ARRAY_(__COUNTER__, ORIEL_SITE_SET, oriel_abi_set, raw, ORIEL_PAIRS(0, __VA_ARGS__), "", \
                 __VA_ARGS__)
#define ORIEL_ARRAY_(id, kind, call, raw, n, ...) ORIEL_ARRAY__(id, kind, call, raw, n, __VA_ARGS__)
#define ORIEL_ARRAY__(id, kind, call, raw, n, ...)                                                 \
    do {                                                                                           \
        ORIEL_SITE(id, kind, ORIEL_LEVEL_INFO, 0, "", 0, n, __VA_ARGS__);                          \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_RECORDED(oriel_w)) {                                                         \
                const struct oriel_value oriel_a[] = {ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};    \
                call(oriel_w, raw, oriel_a, n);                                                    \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* (name, parent, fields...): open a span that no scope holds. parent: ORIEL_CURRENT,
 * ORIEL_ROOT or a span. */
#define ORIEL_OPEN(name, ...) ORIEL_OPEN_(__COUNTER__, name, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_OPEN_(id, name, n, ...) ORIEL_OPEN__(id, name, n, __VA_ARGS__)
#define ORIEL_OPEN__(id, name, n, ...)                                                             \
    __extension__({                                                                                \
        ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, name, 0, n, __VA_ARGS__);             \
        struct oriel_span oriel_opened = {0, 0, 0, 0, 0};                                          \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        do {                                                                                       \
            if (ORIEL_UNLIKELY(oriel_w)) {                                                         \
                oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                           \
                ORIEL_SITE_PROBE(id, name, oriel_w,                                                \
                                 oriel_opened = oriel_abi_open_hooked(                             \
                                     ORIEL_SITE_AT(id), ORIEL_FIRST(__VA_ARGS__), n,               \
                                     ORIEL_VALUES(n, __VA_ARGS__) 0));                             \
                if (ORIEL_RECORDED(oriel_w)) {                                                     \
                    const struct oriel_value oriel_a[] = {                                         \
                        ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};                                  \
                    oriel_opened = oriel_abi_open(oriel_w, ORIEL_FIRST(__VA_ARGS__), oriel_a, n);  \
                }                                                                                  \
            }                                                                                      \
        } while (0);                                                                               \
        oriel_opened;                                                                              \
    })

/* (name, start, end, parent, fields...): a span whose times come from outside (GPU,
 * replay), unix nanoseconds. */
#define ORIEL_EXTERNAL(name, start_ns, end_ns, ...)                                                \
    ORIEL_EXTERNAL_(__COUNTER__, name, start_ns, end_ns, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_EXTERNAL_(id, name, t0, t1, n, ...) ORIEL_EXTERNAL__(id, name, t0, t1, n, __VA_ARGS__)
#define ORIEL_EXTERNAL__(id, name, t0, t1, n, ...)                                                 \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, name, 0, n, __VA_ARGS__);             \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_RECORDED(oriel_w)) {                                                         \
                const struct oriel_value oriel_a[] = {ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};    \
                oriel_abi_external(oriel_w, t0, t1, ORIEL_FIRST(__VA_ARGS__), oriel_a, n);         \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#else /* ORIEL_OFF */

#include "off.h"

#endif
#endif
