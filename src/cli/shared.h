/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What several commands have and mean the same by: options, and pages that are
 * written. `at` is .offset = offsetof(...) of the command's own struct.
 */
#ifndef ORIEL_CLI_SHARED_H
#define ORIEL_CLI_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "source/metrics_options.h"
#include "util/option.h"

/* "all", then in the order of enum oriel_sample_kind. */
extern const char *const shared_kinds[];
/* In the order of enum probing_returns. */
extern const char *const shared_returns[];

#define SHARED_OUTPUT(at, help_)                                                                   \
    {                                                                                              \
        .name = "output", .type = OPTION_STRING, at, .arg = "FILE", .filled = true, .letter = 'o', \
        .help = (help_)                                                                            \
    }
#define SHARED_FORCE(at, what)                                                                     \
    {                                                                                              \
        .name = "force", .type = OPTION_BOOL, at, .letter = 'f',                                   \
        .help = "overwrite an existing " what                                                      \
    }
#define SHARED_KIND(at, help_)                                                                     \
    {                                                                                              \
        .name = "kind", .type = OPTION_ENUM, at, .fallback = "all", .choices = shared_kinds,       \
        .arg = "KIND", .help = (help_)                                                             \
    }
#define SHARED_TOP(at)                                                                             \
    {                                                                                              \
        .name = "top", .type = OPTION_INT, at, .fallback = "20", .min = 1, .max = 100000,          \
        .help = "rows per table", .letter = 'n'                                                    \
    }
#define SHARED_WIDTH(at)                                                                           \
    {                                                                                              \
        .name = "width", .type = OPTION_INT, at, .fallback = "0", .min = 0, .max = 10000,          \
        .help = "columns; 0 = those of the terminal, else 100"                                     \
    }
#define SHARED_PID(at)                                                                             \
    {                                                                                              \
        .name = "pid", .type = OPTION_INT, at, .min = 0, .max = 4194304, .arg = "PID",             \
        .letter = 'p', .help = "the process; its threads and children are watched too"             \
    }
#define SHARED_RATE(at)                                                                            \
    {                                                                                              \
        .name = "rate", .type = OPTION_INT, at, .fallback = "99", .min = 0, .max = 10000,          \
        .arg = "HZ",                                                                               \
        .help = "look where the program is, so often per second of CPU time, and where it waits; " \
                "0 = do not"                                                                       \
    }
#define SHARED_METRICS(at)                                                                         \
    {                                                                                              \
        .name = "metrics_interval", .type = OPTION_DURATION, at, .max = 86400e9,                   \
        .fallback = METRICS_INTERVAL_DEFAULT, .variable = METRICS_INTERVAL_VARIABLE,               \
        .help = "how often to note memory, CPU time, threads, descriptors, faults and I/O of the " \
                "program; at least 1s, 0 = never"                                                  \
    }
#define SHARED_EVENT(at)                                                                           \
    {                                                                                              \
        .name = "event", .type = OPTION_STRING, at, .arg = "EVENT", .letter = 'e', .list = true,   \
        .help = "also watch usdt:PROVIDER:NAME, uprobe:BINARY:FUNCTION, line:FILE:LINE or "        \
                "tracepoint:GROUP:NAME (* and ? allowed); may be given again; needs root"          \
    }
#define SHARED_RETURNS(at)                                                                         \
    {                                                                                              \
        .name = "returns", .type = OPTION_ENUM, at, .fallback = "auto", .choices = shared_returns, \
        .arg = "HOW",                                                                              \
        .help = "how the end of a watched function is seen: fast lets no exception pass, exact "   \
                "is slow but always right; auto is fast in programs without C++ and Rust"          \
    }
#define SHARED_PROBE_RING(at)                                                                      \
    {                                                                                              \
        .name = "probe_ring", .type = OPTION_SIZE, at, .fallback = "4MiB", .min = 1 << 15,         \
        .max = 1 << 30,                                                                            \
        .help = "-e: the kernel's buffer of hits, for each CPU, from which the recorder reads "    \
                "every 4 ms; a power of two"                                                       \
    }
#define SHARED_MAX_SIZE(at)                                                                        \
    {                                                                                              \
        .name = "max_size", .type = OPTION_SIZE, at, .fallback = "0",                              \
        .help = "largest size of each file; 0 = the disk's"                                        \
    }
#define SHARED_SYSCALLS(at)                                                                        \
    {                                                                                              \
        .name = "syscalls", .type = OPTION_BOOL, at,                                               \
        .help = "also count and time the system calls of each thread, in the kernel; needs root"   \
    }
#define SHARED_NO_REPORT(at)                                                                       \
    {                                                                                              \
        .name = "no_report", .type = OPTION_BOOL, at, .help = "end with the summary line alone"    \
    }

/* Columns for standard output: as asked for, else the terminal's, else 0; and whether it takes
 * colour. */
uint32_t shared_width(int64_t asked, bool *out_colour);
/* CLI_OK: nothing is overwritten unasked; else the status, after saying so. Asked before the work
 * is done. */
int shared_may_write(const char *path, bool force);
/* The whole of a file; "-" is standard output. `what_now` is said after "written", "" nothing. */
int shared_write(const char *path, struct buf *page, const char *what_now);

#endif
