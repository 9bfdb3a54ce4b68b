/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Unwinding: ns per frame of a warm walk, beside glibc's backtrace() and, where
 * it is installed, libunwind's fast path, over the same stack in the same run;
 * and what one row costs to find or to make in the largest library there is.
 * One JSON object per line, medians of rounds that take turns.
 *
 *   usage: unwind_bench [LIBRARY]
 */
#include "bench.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>
#include <ucontext.h>

#include "base/err.h"
#include "unwind/current.h"
#include "unwind/eh_frame.h"
#include "unwind/modules.h"
#include "unwind/table.h"
#include "unwind/trail.h"

enum { DEPTH = 36, FRAMES = 128, PROBES = 1 << 16, PROBES_WARM = 1 << 12 };

static struct unwind_self self;
static struct unwind_stack stack;
static struct unwind_trails trails;
static ucontext_t context;
static uint64_t pcs[FRAMES];
static void *pointers[FRAMES];
static uint64_t vas[PROBES];
static volatile uint64_t sink;
static int (*libunwind)(void **, int);
static const struct eh_frame *eh;
static const struct unwind_table *table;

static double cpu_ns(void)
{
    return bench_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* What one call yields, and how many units (frames, rows) it was about. */
struct row {
    const char *name;
    uint32_t (*run)(uint32_t n);
    uint32_t n;
    double rounds[BENCH_ROUNDS];
};

static uint32_t walk_here(uint32_t n)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < n; i++)
        frames += unwind_here(&self, &stack, pcs, FRAMES).count;
    return frames;
}
/* As malloc's hook does. */
static uint32_t walk_along(uint32_t n)
{
#if defined(__x86_64__)
    const uint64_t *frame = __builtin_frame_address(0);
    const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
    uint32_t frames = 0;
    (void)unwind_above(&self, &stack, &caller, pcs, FRAMES);
    for (uint32_t i = 0; i < n; i++) {
        const struct unwind_trail *t = unwind_trails_walk(&trails, &self, &stack, &caller);
        frames += t ? UNWIND_TRAIL_MAX - t->first : 0;
    }
    return frames;
#else
    return walk_here(n); /* there are no trails */
#endif
}
static uint32_t walk_context(uint32_t n)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < n; i++)
        frames += unwind_current(&self, &stack, &context, pcs, FRAMES).count;
    return frames;
}
static uint32_t walk_with_care(uint32_t n)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < n; i++)
        frames += unwind_current(&self, NULL, &context, pcs, FRAMES).count;
    return frames;
}
static uint32_t walk_backtrace(uint32_t n)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < n; i++)
        frames += (uint32_t)backtrace(pointers, FRAMES);
    return frames;
}
static uint32_t walk_libunwind(uint32_t n)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < n; i++)
        frames += (uint32_t)libunwind(pointers, FRAMES);
    return frames;
}
static uint32_t find_in_table(uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += unwind_table_find(table, vas[i % PROBES]);
    sink += sum;
    return n;
}
static uint32_t find_in_warm_table(uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += unwind_table_find(table, vas[i % PROBES_WARM]);
    sink += sum;
    return n;
}
static uint32_t make_rows(uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += eh_frame_row(eh, vas[i % PROBES]);
    sink += sum;
    return n;
}
static uint32_t build_table(uint32_t n)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct unwind_table *t;
        if (unwind_table_build(eh, &t) == ORIEL_OK) {
            rows += (uint32_t)unwind_table_rows(t);
            unwind_table_free(t);
        }
    }
    return rows;
}

/* All of them in turn, so that a busy moment meets all. */
static void measure(struct row *rows, size_t count)
{
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            rows[i].run(rows[i].n / 20 + 1);
            double begin = cpu_ns();
            uint32_t units = rows[i].run(rows[i].n);
            rows[i].rounds[round] = (cpu_ns() - begin) / (units ? units : 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        qsort(rows[i].rounds, BENCH_ROUNDS, sizeof(double), bench_compare);
        printf("{\"name\":\"%s\",\"ns\":%.2f}\n", rows[i].name, rows[i].rounds[BENCH_ROUNDS / 2]);
    }
}

static __attribute__((noinline)) void measure_walks(int depth)
{
    if (depth > 0) {
        measure_walks(depth - 1);
        __asm__ volatile("" ::: "memory"); /* no tail call */
        return;
    }
    struct row rows[] = {{"unwind_frame", walk_context, 20000, {0}},
                         {"unwind_here_frame", walk_here, 20000, {0}},
                         {"unwind_along_frame", walk_along, 20000, {0}},
                         {"unwind_careful_frame", walk_with_care, 2000, {0}},
                         {"backtrace_frame", walk_backtrace, 1000, {0}},
                         {"libunwind_frame", walk_libunwind, 20000, {0}}};
    getcontext(&context);
    printf("{\"frames\":%u}\n", walk_context(1));
    measure(rows, libunwind ? 6 : 5);
}

/* Addresses anywhere in the text, in no order. */
static void measure_rows(const char *path)
{
    struct unwind_file *f;
    struct eh_fde fde;
    uint64_t random = 88172645463325252u;
    if (unwind_file_open(path, &f) != ORIEL_OK || unwind_file_compile(f) != ORIEL_OK)
        return;
    eh = unwind_file_eh(f);
    table = unwind_file_table(f);
    for (int i = 0; i < PROBES; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (eh_frame_at(eh, (size_t)(random % eh->table_count), &fde))
            vas[i] = fde.begin + (random >> 32) % (fde.end - fde.begin + 1);
    }
    printf("{\"table_rows\":%zu,\"table_bytes\":%zu}\n", unwind_table_rows(table),
           unwind_table_bytes(table));
    struct row rows[] = {{"unwind_table_find", find_in_warm_table, PROBES, {0}},
                         {"unwind_table_find_anywhere", find_in_table, PROBES, {0}},
                         {"unwind_row_make", make_rows, PROBES / 8, {0}},
                         {"unwind_table_build_row", build_table, 1, {0}}};
    measure(rows, 4);
    unwind_file_unref(f);
}

int main(int argc, char **argv)
{
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (library)
        *(void **)&libunwind = dlsym(library, "unw_backtrace");
    backtrace(pointers, 4);
    if (unwind_self_open(&self, true) != ORIEL_OK || !unwind_stack_here(&stack))
        return 2;
    measure_walks(DEPTH);
    measure_rows(argc > 1 ? argv[1] : "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1");
    return 0;
}
