/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a thread is, as text: for the field "exception.stacktrace" of an event, when somebody
 * wants it. Costs what backtrace of the C library does, an allocation included: as the value of
 * a field it is paid only while the event is recorded. Not from signal handlers.
 *
 *   char room[2048];
 *   ORIEL_EXCEPTION("timeout", text, "exception.stacktrace", oriel_backtrace(room, sizeof room));
 */
#ifndef ORIEL_BACKTRACE_H
#define ORIEL_BACKTRACE_H

#include <stddef.h>

#ifndef ORIEL_OFF

#include <stdlib.h>
#include <string.h>

#include "values.h"

#ifdef __has_include
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define ORIEL_HAS_BACKTRACE 1
#endif
#endif

enum { ORIEL_BACKTRACE_FRAMES = 64 };

/* The callers of this call, innermost first, a line for each, whole lines only; cut where `out`
 * is full. Empty where the C library has no backtrace. */
static __attribute__((noinline, unused)) struct oriel_text_view oriel_backtrace(char *out,
                                                                                size_t size)
{
    size_t used = 0;
#ifdef ORIEL_HAS_BACKTRACE
    void *frames[ORIEL_BACKTRACE_FRAMES];
    int count = backtrace(frames, ORIEL_BACKTRACE_FRAMES);
    char **lines = backtrace_symbols(frames, count);
    for (int i = 1; lines && i < count; i++) { /* the first is this one */
        size_t n = strlen(lines[i]);
        if (n + 1 > size - used)
            break;
        memcpy(out + used, lines[i], n);
        out[used + n] = '\n';
        used += n + 1;
    }
    free(lines);
#else
    (void)size;
#endif
    return oriel_text(out, used);
}

#else
#include "off.h"
#define oriel_backtrace(out, size) ((void)(out), (void)(size), oriel_text("", 0))
#endif
#endif
