/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sites for tools outside: a span with a plain name (perf wants C identifiers),
 * one with dots and one with everything an assembler could stumble over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <oriel/oriel.h>

__attribute__((noinline)) static int step(int x)
{
    ORIEL_SPAN("handle_request", "n", x);
    ORIEL_SPAN("http.request");
    ORIEL_SPAN("GET /users/{id|name} 100%");
    return x + 1;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3, x = 0;
    struct timespec pause = {0, 5000000};
    for (int i = 0; i < rounds; i++) {
        x = step(x);
        nanosleep(&pause, NULL);
    }
    return x == rounds ? 0 : 1;
}
