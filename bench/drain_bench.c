/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What each stage behind the ring costs: drain_bench CAPTURE reads it again and
 * again, each time with one stage more, and prints spans per second of CPU time
 * as JSON lines: of a stage by itself (the difference) and of the whole way.
 * One thread, output to nowhere; medians of rounds in turns. With the name of
 * one way behind it, that way once and nothing else: for a profiler, and for
 * counting instructions, which tell the same on a machine with other work.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "export/exporter.h"
#include "report/report.h"
#include "session/session.h"

enum { ROUNDS = 5 };

enum way { DECODE, PIPE, CAPTURE, CHROME, PERFETTO, OTLP, REPORT, WAYS };

static const struct {
    const char *whole, *stage, *outlet;
    enum way before; /* the way without this stage */
} ways[WAYS] = {
    [DECODE] = {"drain_decode", NULL, NULL, DECODE},
    [PIPE] = {"drain_items", "stage_pipe", NULL, DECODE},
    [CAPTURE] = {"drain_capture", "stage_capture", "capture", DECODE},
    [CHROME] = {"drain_chrome", "stage_chrome", "chrome", PIPE},
    [PERFETTO] = {"drain_perfetto", "stage_perfetto", "perfetto", PIPE},
    [OTLP] = {"drain_otlp", "stage_otlp", "otlp", PIPE},
    [REPORT] = {"drain_report", "stage_report", NULL, PIPE},
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Where messages go and nothing is done with them. */
static int forget_message(struct out *o, const struct out_message *m)
{
    (void)o;
    (void)m;
    return 0;
}
static int finish_nothing(struct out *o, uint64_t deadline_ns, bool wait)
{
    (void)o;
    (void)deadline_ns;
    (void)wait;
    return 0;
}
static void tell_nothing(struct out *o, struct out_fate *out)
{
    (void)o;
    (void)out;
}
static void close_nothing(struct out *o)
{
    (void)o;
}

/* A receiver of OTLP, in protobuf; anything else writes to nowhere. */
static int open_out(struct out **out, enum way way)
{
    static const struct out_ops ops = {.message = forget_message,
                                       .finish = finish_nothing,
                                       .fate = tell_nothing,
                                       .close = close_nothing};
    if (way != OTLP)
        return out_fd_open(out, open("/dev/null", O_WRONLY | O_CLOEXEC), "null");
    *out = mem_calloc(1, sizeof **out);
    if (!*out)
        return ORIEL_ENOMEM;
    (*out)->ops = &ops;
    return 0;
}

static int count_items(void *user, const struct model_batch *items)
{
    *(uint64_t *)user += items->item_count;
    return 0;
}

static int to_report(void *user, const struct model_batch *items)
{
    return report_add(user, items);
}

static void must(int rc, const struct oriel_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "drain_bench: %s\n", err->text);
    exit(1);
}

/* CPU time of reading the capture this way; *out_spans: how many it holds. */
static double drain(const char *path, enum way way, uint64_t *out_spans)
{
    struct oriel_err err = {.text = "out of memory"};
    struct session *s;
    struct report *report = NULL;
    struct session_counts counts;
    uint64_t items = 0;
    double begin = cpu_seconds();
    must(session_new(&s, "file", path, NULL, &err), &err);
    if (way == PIPE)
        session_on_items(s, count_items, &items);
    if (way == REPORT) {
        must(report_new(&report, NULL, session_catalog(s)), &err);
        session_on_items(s, to_report, report);
    }
    if (ways[way].outlet) {
        struct out *out;
        must(open_out(&out, way), &err);
        must(session_add_outlet(s, export_find(ways[way].outlet), NULL, out, &err), &err);
    }
    must(session_run(s, &err), &err);
    must(session_finish(s, &err), &err);
    double took = cpu_seconds() - begin;
    session_get_counts(s, &counts);
    *out_spans = counts.by_type[ORIEL_REC_BEGIN];
    report_free(report);
    session_free(s);
    return took;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static int drain_one(const char *path, const char *name)
{
    uint64_t spans;
    for (enum way way = 0; way < WAYS; way++)
        if (strcmp(ways[way].whole, name) == 0) {
            printf("{\"name\":\"%s\",\"seconds\":%.4f}\n", name, drain(path, way, &spans));
            return 0;
        }
    return 2;
}

int main(int argc, char **argv)
{
    double whole[WAYS][ROUNDS], stage[WAYS][ROUNDS];
    uint64_t spans = 0;
    if (argc == 3)
        return drain_one(argv[1], argv[2]);
    if (argc != 2)
        return 2;
    for (int round = 0; round < ROUNDS; round++)
        for (enum way way = 0; way < WAYS; way++) {
            whole[way][round] = drain(argv[1], way, &spans);
            stage[way][round] = whole[way][round] - whole[ways[way].before][round];
        }
    for (enum way way = 0; way < WAYS; way++) {
        printf("{\"name\":\"%s\",\"mspans\":%.3f}\n", ways[way].whole,
               (double)spans / median(whole[way]) / 1e6);
        if (ways[way].stage)
            printf("{\"name\":\"%s\",\"mspans\":%.3f}\n", ways[way].stage,
                   (double)spans / median(stage[way]) / 1e6);
    }
    return 0;
}
