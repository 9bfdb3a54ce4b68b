/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same loops through LTTng-UST; tools/bench runs it inside a session with
 * flight-recorder buffers, its fastest mode.
 */
#define TRACEPOINT_CREATE_PROBES
#define TRACEPOINT_DEFINE
#include "peer_lttng_tp.h"

#include "bench.h"

static void span(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        tracepoint(oriel_bench, begin, (int)i);
        BENCH_BARRIER();
        tracepoint(oriel_bench, end, (int)i);
        BENCH_BARRIER();
    }
}
static void event(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        tracepoint(oriel_bench, begin, (int)i);
        BENCH_BARRIER();
    }
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    static struct bench_op ops[] = {{.name = "lttng_span", .fn = span},
                                    {.name = "lttng_event", .fn = event}};
    ops[0].n = ops[1].n = n;
    bench_all(ops, 2, "");
    return 0;
}
