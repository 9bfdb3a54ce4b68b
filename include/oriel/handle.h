/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans as handles, contexts, links and status: the functions behind span.h.
 * Any thread; signal-safe; silent no-ops while nothing is recorded.
 */
#ifndef ORIEL_HANDLE_H
#define ORIEL_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make an opened span current on this thread until oriel_span_exit: time
 * between the two is the span's busy time. The guard must be given back on the
 * same thread, innermost first. Safe on a span that was not recorded. */
ORIEL_EXPORT struct oriel_guard oriel_span_enter(const struct oriel_span *span);
ORIEL_EXPORT void oriel_span_exit(struct oriel_guard *guard);
/* End an opened span, on any thread, once; later calls do nothing. */
ORIEL_EXPORT void oriel_span_close(struct oriel_span *span);

/* The current span of this thread as a handle; id 0 when there is none. */
ORIEL_EXPORT struct oriel_span oriel_span_current(void);
/* Whether what is said of this handle (NULL: the current span) is recorded now. False for a
 * span of a site that is off, after oriel_span_close, and when the recording is over. A copy of
 * a handle does not know that another one was closed. */
ORIEL_EXPORT bool oriel_span_recording(const struct oriel_span *span);
/* Status of a span (NULL: the current one). message may be NULL. */
ORIEL_EXPORT void oriel_span_status(const struct oriel_span *span, enum oriel_status code,
                                    const char *message);
/* Another name for a span (NULL: the current one), where it is known only later; the last one
 * counts, for the span as a whole. Filters, samplers and profiles go by its call site as before.
 * Up to 4 KiB; copied. NULL or "" changes nothing. */
ORIEL_EXPORT void oriel_span_name(const struct oriel_span *span, const char *name);
/* Link to a span of any process by its W3C ids (16 and 8 bytes). */
ORIEL_EXPORT void oriel_span_link(const struct oriel_span *span, const uint8_t trace_id[16],
                                  const uint8_t span_id[8]);
/* `span` follows from `earlier`, a span of this recording. */
ORIEL_EXPORT void oriel_span_follows(const struct oriel_span *span,
                                     const struct oriel_span *earlier);
/* W3C ids of a span: 16 and 8 bytes. False when it was not recorded. */
ORIEL_EXPORT bool oriel_span_ids(const struct oriel_span *span, uint8_t trace_id[16],
                                 uint8_t span_id[8]);
/* Make a context that came from outside current on this thread. */
ORIEL_EXPORT struct oriel_guard oriel_context_attach(const uint8_t trace_id[16],
                                                     const uint8_t span_id[8], uint8_t flags);
ORIEL_EXPORT void oriel_context_detach(struct oriel_guard *guard);

/* Name this thread in every report (at most 31 bytes are kept). The kernel's
 * name for it is the default. */
ORIEL_EXPORT void oriel_thread_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif
