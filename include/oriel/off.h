/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The words of span.h and event.h when ORIEL_OFF is defined: arguments stay
 * type-checked and are never evaluated; object code is what it would be
 * without them. Included by those headers only.
 */
#ifndef ORIEL_OFF_H
#define ORIEL_OFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* By value: a reference, though never evaluated, would change what an
 * unoptimised build does with the variable. */
template <class... A> int oriel_ignore(A...);
#else
int oriel_ignore(int, ...);
#endif
#define ORIEL_IGNORE(...) ((void)sizeof(oriel_ignore(0, __VA_ARGS__)))

struct oriel_scope {
    int unused;
};
struct oriel_span {
    int unused;
};
struct oriel_guard {
    int unused;
};
struct oriel_text_view {
    const char *p;
    size_t n;
};
struct oriel_blob_view {
    const void *p;
    size_t n;
};
#define oriel_text(p, n) ((struct oriel_text_view){p, n})
#define oriel_blob(p, n) ((struct oriel_blob_view){p, n})

#define ORIEL_SECRET(name, value) name, value
#define ORIEL_ARG(name, value) name, value
#define ORIEL_CURRENT 0
#define ORIEL_ROOT 0

#define ORIEL_SPAN(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_SPAN_AT(level, ...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_FN() ((void)0)
#define ORIEL_BEGIN(...) (ORIEL_IGNORE(__VA_ARGS__), (struct oriel_scope){0})
#define ORIEL_END(scope) ((void)(scope))
#define ORIEL_SPAN_SET(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_SPAN_SET_ON(span, ...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_OPEN(name, ...) (ORIEL_IGNORE(name, __VA_ARGS__), (struct oriel_span){0})
#define ORIEL_EXTERNAL(name, start_ns, end_ns, ...)                                                \
    ORIEL_IGNORE(name, start_ns, end_ns, __VA_ARGS__)
#define oriel_span_enter(span) ((void)(span), (struct oriel_guard){0})
#define oriel_span_exit(guard) ((void)(guard))
#define oriel_span_close(span) ((void)(span))
#define oriel_span_current() ((struct oriel_span){0})
#define oriel_span_status(span, code, message) ORIEL_IGNORE(code, message)
#define oriel_span_name(span, name) ORIEL_IGNORE(span, name)
#define oriel_span_link(span, trace_id, span_id) ORIEL_IGNORE(trace_id, span_id)
#define oriel_span_follows(span, earlier) ((void)(span), (void)(earlier))
#define oriel_span_recording(span) ((void)(span), false)
#define oriel_span_ids(span, trace_id, span_id) (false)
#define oriel_context_attach(trace_id, span_id, flags) ((struct oriel_guard){0})
#define oriel_context_detach(guard) ((void)(guard))

#define ORIEL_LOG(level, ...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_TRACE(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_DEBUG(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_INFO(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_WARN(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_ERROR(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_FATAL(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_EVENT_ON(span, ...) ORIEL_IGNORE(span, __VA_ARGS__)
#define ORIEL_EXCEPTION(type, ...) ORIEL_IGNORE(type, __VA_ARGS__)
#define ORIEL_EXCEPTION_ON(span, type, ...) ORIEL_IGNORE(span, type, __VA_ARGS__)
#define ORIEL_ENABLED(level, target) (false)
#define ORIEL_LOGF(level, ...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_EVENT(...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_EVENT_AT(level, ...) ORIEL_IGNORE(__VA_ARGS__)
#define ORIEL_PLOT(name, value) ORIEL_IGNORE(name, value)
#define ORIEL_FRAME(name) ((void)0)
#define ORIEL_TASK(op, name, task, other) ORIEL_IGNORE(name, task, other)
#define ORIEL_INSTRUMENTATION(target, version, ...) (ORIEL_IGNORE(target, version, __VA_ARGS__), 0)
#define oriel_thread_name(name) ORIEL_IGNORE(name)

enum oriel_level {
    ORIEL_LEVEL_TRACE = 1,
    ORIEL_LEVEL_DEBUG = 2,
    ORIEL_LEVEL_INFO = 3,
    ORIEL_LEVEL_WARN = 4,
    ORIEL_LEVEL_ERROR = 5,
    ORIEL_LEVEL_FATAL = 6
};
enum oriel_status { ORIEL_STATUS_UNSET = 0, ORIEL_STATUS_OK = 1, ORIEL_STATUS_ERROR = 2 };

#endif
