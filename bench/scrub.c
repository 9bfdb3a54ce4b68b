/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What redaction costs a text in which there is nothing to be redacted, beside
 * copying it: nanoseconds per text, best of several rounds.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "secret/scrub.h"
#include "secret/secret.h"

static const char *const texts[] = {
    "GET /api/v1/users/42/orders",
    "com.example.service.OrderController.list",
    "tenant-7",
    "select id, name, price from products where id = 17 and active",
    "connection from 10.0.0.17:52344 accepted by worker 3 after 12 ms in the queue, 4 waiting",
};
enum { TEXTS = sizeof texts / sizeof *texts, TIMES = 200000, ROUNDS = 7 };

static char sink[256];

static void copy(const char *p, size_t n)
{
    memcpy(sink, p, n);
    __asm__ volatile("" : : "r"(sink) : "memory");
}

static void look(const char *p, size_t n)
{
    struct scrub_hit hit;
    if (scrub_find(p, n, 0, SCRUB_TEXTS, &hit))
        fprintf(stderr, "scrub: \"%s\" is clean\n", p);
}

static double measure(void (*fn)(const char *p, size_t n), const char *text)
{
    size_t n = strlen(text);
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_mono_ns();
        for (int i = 0; i < TIMES; i++)
            fn(text, n);
        uint64_t took = clock_mono_ns() - begin;
        best = took < best ? took : best;
    }
    return (double)best / TIMES;
}

int main(int argc, char **argv)
{
    if (argc > 1 && secret_known_add(argv[1], strlen(argv[1])) != 0)
        return 1;
    printf("bytes  memcpy ns  scrub ns\n");
    for (size_t i = 0; i < TEXTS; i++)
        printf("%5zu  %9.1f  %8.1f\n", strlen(texts[i]), measure(copy, texts[i]),
               measure(look, texts[i]));
    return 0;
}
