/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a logger that a program has already to log records: three functions for the three
 * shapes that callbacks of loggers have. Each level is a call site of its own, so filters
 * switch it off for one load and one branch, before a text is made. A record stands in the
 * span that is current on the thread of the logger's caller; so the callback has to be asked
 * there, and not on a thread of the logger.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#define ORIEL_TARGET "logger"
#include <oriel/oriel.h>
#include <stdarg.h>
#include <stdio.h>

enum { BRIDGE_TEXT_BYTES = 1024 };

/* For each level: its texts are `text`, made by what stands in `make`, where it records. */
#define BRIDGE_CASE(level_, make)                                                                  \
    case level_:                                                                                   \
        if (ORIEL_ENABLED(level_, ORIEL_TARGET)) {                                                 \
            make;                                                                                  \
            ORIEL_LOGF(level_, "%s (%s:%d)", text, file, line);                                    \
        }                                                                                          \
        break;
#define BRIDGE_SWITCH(level, make)                                                                 \
    switch (level) {                                                                               \
        BRIDGE_CASE(ORIEL_LEVEL_TRACE, make)                                                       \
        BRIDGE_CASE(ORIEL_LEVEL_DEBUG, make)                                                       \
        BRIDGE_CASE(ORIEL_LEVEL_INFO, make)                                                        \
        BRIDGE_CASE(ORIEL_LEVEL_WARN, make)                                                        \
        BRIDGE_CASE(ORIEL_LEVEL_ERROR, make)                                                       \
        BRIDGE_CASE(ORIEL_LEVEL_FATAL, make)                                                       \
    default:                                                                                       \
        break;                                                                                     \
    }

/* A format with its arguments (log.c, glib, ffmpeg); `args` is as it was afterwards. */
static inline void bridge_format(int level, const char *file, int line, const char *format,
                                 va_list args)
{
    char text[BRIDGE_TEXT_BYTES];
    va_list copy;
    va_copy(copy, args);
    BRIDGE_SWITCH(level, (void)vsnprintf(text, sizeof text, format, copy))
    va_end(copy);
}

/* A text of that many bytes, without an end (zlog, spdlog's string_view). */
static inline void bridge_text(int level, const char *file, int line, const char *said, size_t n)
{
    char text[BRIDGE_TEXT_BYTES];
    while (n && (said[n - 1] == '\n' || said[n - 1] == '\r'))
        n--;
    const int kept = n < sizeof text ? (int)n : (int)sizeof text - 1;
    BRIDGE_SWITCH(level, (void)snprintf(text, sizeof text, "%.*s", kept, said))
}

/* Levels of syslog(3), 0 is the worst. */
static inline int bridge_syslog_level(int priority)
{
    static const int levels[] = {ORIEL_LEVEL_FATAL, ORIEL_LEVEL_FATAL, ORIEL_LEVEL_FATAL,
                                 ORIEL_LEVEL_ERROR, ORIEL_LEVEL_WARN,  ORIEL_LEVEL_INFO,
                                 ORIEL_LEVEL_INFO,  ORIEL_LEVEL_DEBUG};
    return levels[priority & 7];
}

#endif
