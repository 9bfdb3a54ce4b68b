/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events, structured logs, plots, frames, tasks and thread names.
 *
 *   ORIEL_INFO("cache miss", "tenant", t);            a log record with fields
 *   ORIEL_LOGF(ORIEL_LEVEL_WARN, "%d of %s", n, s);   formatted later, by the reader
 *   ORIEL_EVENT("cache.evicted", "bytes", n);         an event: its name is the event name
 *   if (ORIEL_ENABLED(ORIEL_LEVEL_DEBUG, "db")) ...   what else would be said of that, is it heard
 *   ORIEL_PLOT("queue.depth", n);                     a named number over time
 *   ORIEL_FRAME("main");                              a frame mark
 *   ORIEL_TASK(ORIEL_TASK_SPAWN, "fetch", id, parent_id);
 *
 * Everything said in span.h on names, fields, cost and legality holds here.
 */
#ifndef ORIEL_EVENT_H
#define ORIEL_EVENT_H

#ifndef ORIEL_OFF

#include "handle.h"
#include "site.h"

#define ORIEL_TRACE(...) ORIEL_LOG(ORIEL_LEVEL_TRACE, __VA_ARGS__)
#define ORIEL_DEBUG(...) ORIEL_LOG(ORIEL_LEVEL_DEBUG, __VA_ARGS__)
#define ORIEL_INFO(...) ORIEL_LOG(ORIEL_LEVEL_INFO, __VA_ARGS__)
#define ORIEL_WARN(...) ORIEL_LOG(ORIEL_LEVEL_WARN, __VA_ARGS__)
#define ORIEL_ERROR(...) ORIEL_LOG(ORIEL_LEVEL_ERROR, __VA_ARGS__)
#define ORIEL_FATAL(...) ORIEL_LOG(ORIEL_LEVEL_FATAL, __VA_ARGS__)

#define ORIEL_LOG(level, ...)                                                                      \
    ORIEL_EVENT_(__COUNTER__, level, 0, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_EVENT(...)                                                                           \
    ORIEL_EVENT_(__COUNTER__, ORIEL_LEVEL_INFO, ORIEL_SITE_NAMED, ORIEL_PAIRS(__VA_ARGS__),        \
                 __VA_ARGS__)
#define ORIEL_EVENT_AT(level, ...)                                                                 \
    ORIEL_EVENT_(__COUNTER__, level, ORIEL_SITE_NAMED, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_EVENT_(id, level, flags, n, ...) ORIEL_EVENT__(id, level, flags, n, __VA_ARGS__)
#define ORIEL_EVENT__(id, level, flags, n, ...)                                                    \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_EVENT, level, flags, ORIEL_FIRST(__VA_ARGS__), 0, n,             \
                   __VA_ARGS__);                                                                   \
        ORIEL_EVENT_RECORD(id, n, __VA_ARGS__)                                                     \
    } while (0)

/* (span, name, fields...): an event of a span that need not be current here; ORIEL_CURRENT: of the
 * one that is. A span that is not recorded has no events. */
#define ORIEL_EVENT_ON(span, ...)                                                                  \
    ORIEL_EVENT_ON_(__COUNTER__, span, ORIEL_LEVEL_INFO, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_EVENT_ON_(nr, span, level, n, ...) ORIEL_EVENT_ON__(nr, span, level, n, __VA_ARGS__)
#define ORIEL_EVENT_ON__(nr, span, level, n, ...)                                                  \
    do {                                                                                           \
        ORIEL_SITE(nr, ORIEL_SITE_EVENT, level, ORIEL_SITE_NAMED, ORIEL_FIRST(__VA_ARGS__), 0, n,  \
                   __VA_ARGS__);                                                                   \
        oriel_word oriel_w = ORIEL_WORD(nr);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(nr, oriel_w);                                               \
            const struct oriel_span *oriel_on = (span);                                            \
            if (ORIEL_UNLIKELY((oriel_w & ORIEL_WORD_HOOKED) != 0) &&                              \
                (!oriel_on || oriel_on->id)) {                                                     \
                ORIEL_EVENT_HOOKED(nr, oriel_on, n, __VA_ARGS__);                                  \
            } else if (ORIEL_RECORDED(oriel_w) && (!oriel_on || oriel_on->id)) {                   \
                const struct oriel_value oriel_a[] = {ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};    \
                oriel_abi_event(oriel_w, oriel_on ? oriel_on->id : 0, oriel_a, n);                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* (type, message, fields...): the event "exception", as OpenTelemetry names it and its fields
 * "exception.type" and "exception.message"; up to 14 more, of which "exception.stacktrace" is
 * known to receivers (<oriel/backtrace.h> has the text). A log record, too, of level error. C++:
 * <oriel/exception.hpp> says it of a std::exception. */
#define ORIEL_EXCEPTION(type, ...)                                                                 \
    ORIEL_EVENT_AT(ORIEL_LEVEL_ERROR, "exception", "exception.type", type, "exception.message",    \
                   __VA_ARGS__)
#define ORIEL_EXCEPTION_ON(span, type, ...)                                                        \
    ORIEL_EXCEPTION_ON_(span, "exception", "exception.type", type, "exception.message", __VA_ARGS__)
#define ORIEL_EXCEPTION_ON_(span, ...)                                                             \
    ORIEL_EVENT_ON_(__COUNTER__, span, ORIEL_LEVEL_ERROR, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)

/* Whether a call site of this level and target (a string literal, as ORIEL_TARGET) would record
 * now: for what is dear to find out and not a field of one call. It is a site itself, so it costs
 * one load while it is off, and switches with the filters as the others do. */
#define ORIEL_ENABLED(level, target) ORIEL_ENABLED_(__COUNTER__, level, target)
#define ORIEL_ENABLED_(id, level, target) ORIEL_ENABLED__(id, level, target)
#define ORIEL_ENABLED__(id, level, target)                                                         \
    __extension__({                                                                                \
        ORIEL_SITE_OF(id, ORIEL_SITE_SET, level, 0, "", target, 0, 0, "");                         \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_UNLIKELY((oriel_w & ORIEL_WORD_HOOKED) != 0) &&                              \
                !oriel_abi_enabled_hooked(ORIEL_SITE_AT(id)))                                      \
                oriel_w = 0;                                                                       \
        }                                                                                          \
        ORIEL_RECORDED(oriel_w) != 0;                                                              \
    })

/* printf style, up to 16 arguments, type-checked by the compiler and stored as
 * typed values; the reader formats. */
#define ORIEL_LOGF(level, ...)                                                                     \
    ORIEL_LOGF_(__COUNTER__, level, ORIEL_COUNT(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_LOGF_(id, level, n, ...) ORIEL_LOGF__(id, level, n, __VA_ARGS__)
#define ORIEL_LOGF__(id, level, n, ...)                                                            \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_EVENT, level, 0, ORIEL_FIRST(__VA_ARGS__),                       \
                   ORIEL_FIRST(__VA_ARGS__), n, ORIEL_UNNAMED(n, __VA_ARGS__));                    \
        if (0)                                                                                     \
            oriel_check_format(__VA_ARGS__);                                                       \
        ORIEL_EVENT_RECORD(id, n, ORIEL_UNNAMED(n, __VA_ARGS__))                                   \
    } while (0)

/* Arguments are evaluated when the hooks want to hear of it. */
#define ORIEL_EVENT_HOOKED(id, span, n, ...)                                                       \
    if (oriel_abi_enabled_hooked(ORIEL_SITE_AT(id)))                                               \
    oriel_abi_event_hooked(ORIEL_SITE_AT(id), span, n, ORIEL_VALUES(n, __VA_ARGS__) 0)

#define ORIEL_EVENT_RECORD(id, n, ...)                                                             \
    oriel_word oriel_w = ORIEL_WORD(id);                                                           \
    if (ORIEL_UNLIKELY(oriel_w)) {                                                                 \
        oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                                   \
        ORIEL_SITE_PROBE(id, ORIEL_FIRST(__VA_ARGS__), oriel_w,                                    \
                         ORIEL_EVENT_HOOKED(id, (const struct oriel_span *)0, n, __VA_ARGS__));    \
        if (ORIEL_LIKELY(ORIEL_RECORDED(oriel_w))) {                                               \
            ORIEL_TEMPS(n, __VA_ARGS__)                                                            \
            struct oriel_emit oriel_e =                                                            \
                oriel_event_start(oriel_w, ORIEL_REC_EVENT, (0 ORIEL_SIZES(n, __VA_ARGS__)));      \
            if (ORIEL_LIKELY(oriel_e.words)) {                                                     \
                uint64_t *oriel_at = oriel_e.words + 2;                                            \
                ORIEL_PUTS(n, __VA_ARGS__)                                                         \
                oriel_emit_commit(oriel_e, oriel_at);                                              \
            }                                                                                      \
        }                                                                                          \
    }

/* The value's type is that of its expression: integer, floating or bool. */
#define ORIEL_PLOT(name, value) ORIEL_PLOT_(__COUNTER__, 0, name, value)
#define ORIEL_PLOT_(id, flags, name, value) ORIEL_PLOT__(id, flags, name, value)
#define ORIEL_PLOT__(id, flags, name, value)                                                       \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_PLOT, ORIEL_LEVEL_INFO, flags, name, 0, 1, name, "", value);     \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            struct oriel_val_word oriel_v = ORIEL_VAL(value);                                      \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_RECORDED(oriel_w))                                                           \
                oriel_plot(oriel_w, oriel_v);                                                      \
        }                                                                                          \
    } while (0)

/* Ends one frame and starts the next, of the frame set `name`. */
#define ORIEL_FRAME(name) ORIEL_FRAME_(__COUNTER__, name)
#define ORIEL_FRAME_(id, name) ORIEL_FRAME__(id, name)
#define ORIEL_FRAME__(id, name)                                                                    \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_FRAME, ORIEL_LEVEL_INFO, 0, name, 0, 0, name);                   \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_RECORDED(oriel_w))                                                           \
                oriel_frame(oriel_w);                                                              \
        }                                                                                          \
    } while (0)

/* A step in the life of a task. name: of the kind of task (or the reason, for
 * yield and block). task: a number the program gives it, unique among living
 * tasks. other: the parent for spawn, who woke it for wake, else 0. */
#define ORIEL_TASK(op, name, task, other) ORIEL_TASK_(__COUNTER__, op, name, task, other)
#define ORIEL_TASK_(id, op, name, task, other) ORIEL_TASK__(id, op, name, task, other)
#define ORIEL_TASK__(id, op, name, task, other)                                                    \
    do {                                                                                           \
        ORIEL_SITE(id, ORIEL_SITE_TASK, ORIEL_LEVEL_INFO, 0, name, 0, 0, name);                    \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        if (ORIEL_UNLIKELY(oriel_w)) {                                                             \
            oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                               \
            if (ORIEL_RECORDED(oriel_w))                                                           \
                oriel_task(oriel_w, op, (uint64_t)(task), (uint64_t)(other));                      \
        }                                                                                          \
    } while (0)

ORIEL_INLINE struct oriel_emit oriel_event_start(oriel_word word, uint32_t type, size_t field_bytes)
{
    struct oriel_emit e = oriel_emit_start(16 + field_bytes);
    if (ORIEL_LIKELY(e.words)) {
        oriel_put_ticks(e.words + 1, e.thread);
        e.words[0] = ORIEL_RECORD_HEADER((16 + field_bytes) / 8, type, 0, ORIEL_RECORDED(word));
    }
    return e;
}
ORIEL_INLINE void oriel_plot(oriel_word word, struct oriel_val_word value)
{
    struct oriel_emit e = oriel_event_start(word, ORIEL_REC_PLOT, 8);
    if (ORIEL_LIKELY(e.words))
        oriel_emit_commit(e, oriel_put_word(e.words + 2, value));
}
ORIEL_INLINE void oriel_frame(oriel_word word)
{
    struct oriel_emit e = oriel_event_start(word, ORIEL_REC_FRAME, 0);
    if (ORIEL_LIKELY(e.words))
        oriel_emit_commit(e, e.words + 2);
}
ORIEL_INLINE void oriel_task(oriel_word word, enum oriel_task_op op, uint64_t task, uint64_t other)
{
    struct oriel_emit e = oriel_event_start(word, ORIEL_REC_TASK, 16);
    if (ORIEL_LIKELY(e.words)) {
        e.words[0] |= (uint64_t)op << 24;
        e.words[2] = task;
        e.words[3] = other;
        oriel_emit_commit(e, e.words + 4);
    }
}

#ifdef __cplusplus
extern "C" {
#endif
void oriel_check_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
#ifdef __cplusplus
}
#endif

#else
#include "off.h"
#endif
#endif
