/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program with a logger of its own that knows nothing of Oriel but one callback.
 */
#include "bridge.h"

#include <string.h>

/* ---- the logger, in the shape of log.c ---- */

enum { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };

struct log_event {
    va_list args;
    const char *format, *file;
    int line, level;
};

static void (*on_log)(struct log_event *event);

__attribute__((format(printf, 4, 5))) static void log_log(int level, const char *file, int line,
                                                          const char *format, ...)
{
    struct log_event event = {.format = format, .file = file, .line = line, .level = level};
    if (!on_log)
        return;
    va_start(event.args, format);
    on_log(&event);
    va_end(event.args);
}
#define log_debug(...) log_log(LOG_DEBUG, "logbridge.c", __LINE__, __VA_ARGS__)
#define log_warn(...) log_log(LOG_WARN, "logbridge.c", __LINE__, __VA_ARGS__)

/* ---- the bridge ---- */

static void to_oriel(struct log_event *event)
{
    static const int levels[] = {ORIEL_LEVEL_TRACE, ORIEL_LEVEL_DEBUG, ORIEL_LEVEL_INFO,
                                 ORIEL_LEVEL_WARN,  ORIEL_LEVEL_ERROR, ORIEL_LEVEL_FATAL};
    bridge_format(levels[event->level], event->file, event->line, event->format, event->args);
}

int main(void)
{
    static const char line[] = "a line with its end\n";
    on_log = to_oriel;
    {
        ORIEL_SPAN("request");
        log_warn("slow: %d ms for %s", 42, "db");
        log_debug("details: %s", "many");
    }
    bridge_text(bridge_syslog_level(3), "syslog", 0, line, strlen(line));
    return 0;
}
