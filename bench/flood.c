/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans as fast as a thread can: half of them nested, each with no fields. The
 * workload of the data rows.
 */
#include <stdlib.h>

#include <oriel/oriel.h>

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1000000;
    for (long i = 0; i < n; i += 2) {
        ORIEL_SPAN("flood.outer");
        {
            ORIEL_SPAN("flood.inner");
            __asm__ volatile("" ::: "memory");
        }
    }
    return 0;
}
