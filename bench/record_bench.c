/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The record path: its floor on this machine, every operation switched on
 * (--record: into a region whose chunks a thread gives back unread) or off, and
 * what a thread's first record costs.
 */
#define ORIEL_TARGET "bench"
#include "bench.h"

#include <string.h>
#include <sys/prctl.h>

#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include "base/os.h"
#include "source/region_io.h"
#include "wire/region.h"

/* A reader that keeps up: gives every full chunk back. */
static void *give_back(void *arg)
{
    struct wire_region *h = arg;
    const struct timespec pause = {0, 20000};
    prctl(PR_SET_TIMERSLACK, 1UL); /* else it sleeps four times as long */
    for (;;) {
        bool any = false;
        for (uint32_t i = 0; i < h->chunk_count; i++) {
            struct wire_chunk *d = wire_region_desc(h, h, i);
            if (__atomic_load_n(&d->state, __ATOMIC_ACQUIRE) != WIRE_CHUNK_FULL)
                continue;
            __atomic_store_n(&d->state, WIRE_CHUNK_FREE, __ATOMIC_RELEASE);
            __atomic_fetch_add(&h->free_chunks, 1, __ATOMIC_RELEASE);
            any = true;
        }
        if (!any)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

static bool start_recording(void)
{
    struct region_options o = {.size = sizeof o, .memfd = true, .ring_bytes = 64 << 20};
    struct region *region;
    struct oriel_err err;
    pthread_t t;
    void *base = NULL;
    size_t size = 0;
    if (region_create(&region, &o, &err) != 0 ||
        os_map_file(region_path(region), &size, &base) != 0)
        return false;
    return pthread_create(&t, NULL, give_back, base) == 0 && oriel_attach(region_path(region)) == 0;
}

static void report_losses(void)
{
    uint64_t lost[8];
    oriel_lost(lost);
    if (lost[ORIEL_LOST_RING_FULL])
        printf("{\"lost\":%llu}\n", (unsigned long long)lost[ORIEL_LOST_RING_FULL]);
}

static void empty_loop(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        BENCH_BARRIER();
}
static volatile uint64_t sink;
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
#else
    uint64_t v;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#endif
}
static void two_clock_reads(uint64_t n)
{
    uint64_t x = 0;
    for (uint64_t i = 0; i < n; i++) {
        x += ticks();
        BENCH_BARRIER();
        x += ticks();
        BENCH_BARRIER();
    }
    sink = x;
}
static __thread uint64_t ring[4096];
static void ring_store(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t *at = &ring[(i * 4) & 4095];
        at[0] = i, at[1] = i, at[2] = i, at[3] = i;
        BENCH_BARRIER();
    }
}

static void span(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_SPAN("bench.span");
        BENCH_BARRIER();
    }
}
static void span_two_fields(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_SPAN("bench.span2", "i", i, "f", 2.5);
        BENCH_BARRIER();
    }
}
static void span_text_field(uint64_t n)
{
    static const char *text = "/api/v1/items";
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_SPAN("bench.span_text", "route", text);
        BENCH_BARRIER();
    }
}
static void event(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_EVENT("bench.event", "i", i);
        BENCH_BARRIER();
    }
}
static void log_three(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_LOGF(ORIEL_LEVEL_INFO, "%d items in %d batches, %.2f s", (int)i, 7, 0.25);
        BENCH_BARRIER();
    }
}
static void plot(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        ORIEL_PLOT("bench.plot", i);
        BENCH_BARRIER();
    }
}
static void open_close(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct oriel_span s = ORIEL_OPEN("bench.async", ORIEL_ROOT);
        oriel_span_close(&s);
    }
}

/* A request from its headers to those of the next: extract, enter, a span, inject, exit. */
static void propagate(uint64_t n)
{
    struct oriel_header in[] = {
        {"host", "a"},
        {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        {"tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}};
    for (uint64_t i = 0; i < n; i++) {
        struct oriel_header out[4];
        char text[256];
        struct oriel_headers request = {.headers = in, .count = 3};
        struct oriel_headers next = {out, 0, 4, text, 0, sizeof text};
        struct oriel_context c;
        oriel_extract(NULL, &oriel_header_getter, &request, &c, NULL);
        ORIEL_CONTEXT(&c);
        ORIEL_SPAN("bench.request");
        oriel_inject(NULL, NULL, &oriel_header_setter, &next);
        BENCH_BARRIER();
    }
}

static void *first_record(void *out)
{
    double begin = bench_now();
    ORIEL_EVENT("bench.first");
    *(double *)out = bench_now() - begin;
    return NULL;
}

static void report_first_record(void)
{
    enum { THREADS = 201 };
    double ns[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_t t;
        pthread_create(&t, NULL, first_record, &ns[i]);
        pthread_join(t, NULL);
    }
    qsort(ns, THREADS, sizeof ns[0], bench_compare);
    printf("{\"name\":\"first_record\",\"ns\":%.0f,\"ns_two_threads\":0}\n", ns[THREADS / 2]);
}

/* Bursts of 20 with a pause, as a service logs: p50 and p99 of one call. */
static void report_burst(void)
{
    enum { BURSTS = 20000, CALLS = 20 };
    static double ns[BURSTS];
    for (int b = 0; b < BURSTS; b++) {
        double begin = bench_now();
        log_three(CALLS);
        ns[b] = (bench_now() - begin - 22) / CALLS;
        for (volatile int spin = 0; spin < 200; spin++)
            ;
    }
    qsort(ns, BURSTS, sizeof ns[0], bench_compare);
    printf("{\"name\":\"log_burst_p50\",\"ns\":%.2f,\"ns_two_threads\":0}\n", ns[BURSTS / 2]);
    printf("{\"name\":\"log_burst_p99\",\"ns\":%.2f,\"ns_two_threads\":0}\n",
           ns[BURSTS * 99 / 100]);
}

int main(int argc, char **argv)
{
    uint64_t n = 400000;
    if (argc > 1 && strcmp(argv[1], "--record") == 0 && !start_recording())
        return 1;
    enum { FLOORS = 2 };
    static struct bench_op empty = {.name = "empty_loop", .fn = empty_loop};
    static struct bench_op ops[] = {{.name = "two_clock_reads", .fn = two_clock_reads},
                                    {.name = "ring_store_32", .fn = ring_store},
                                    {.name = "span", .fn = span},
                                    {.name = "span_two_fields", .fn = span_two_fields},
                                    {.name = "span_text", .fn = span_text_field},
                                    {.name = "event", .fn = event},
                                    {.name = "log", .fn = log_three},
                                    {.name = "plot", .fn = plot},
                                    {.name = "async_span", .fn = open_close},
                                    {.name = "propagate", .fn = propagate}};
    bool on = oriel_enabled();
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        ops[i].n = on ? n : n * 20;
    if (!on)
        ops[sizeof ops / sizeof ops[0] - 1].n = n; /* no site alone: it works all the same */
    empty.n = n * 20;
    if (on) {
        ops[1].n = n * 10;
        ops[sizeof ops / sizeof ops[0] - 1].n = n / 4;
        for (size_t i = 1; i < sizeof ops / sizeof ops[0]; i++)
            ops[i].floor = two_clock_reads;
        bench_all(ops, sizeof ops / sizeof ops[0], "");
        report_first_record();
        report_burst();
        report_losses();
    } else {
        bench_all(&empty, 1, ""); /* the loop that an off site stands in */
        bench_all(ops + FLOORS, sizeof ops / sizeof ops[0] - FLOORS, "_off");
    }
    return 0;
}
