/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Resolves addresses read from standard input (hexadecimal, one per line) and
 * prints them as llvm-symbolizer does, names as the linker knows them.
 *
 *   usage: resolve MODULE [DEBUG-FOLDER]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "symbol/symbol.h"

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void print_line(const struct symbols_result *r, const struct symbols_line *l)
{
    const char *name = intern_get(&r->strings, l->linkage).p;
    const char *file = intern_get(&r->strings, l->file).p;
    printf("%s\n%s:%u:%u\n", *name ? name : "??", *file ? file : "??", l->line, l->column);
}

static void print(const struct symbols_result *r, const uint64_t *addresses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct symbols_answer *a = &r->modules[0].items[i];
        printf("0x%" PRIx64 "\n", addresses[i]);
        const bool named = a->how != SYMBOLS_BY_START; /* which the other tool has no word for */
        for (uint32_t k = 0; named && k < a->count; k++)
            print_line(r, &r->lines.items[a->first + k]);
        if (a->count == 0 || !named)
            printf("??\n??:0:0\n");
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    enum { ASKED_MAX = 1 << 20 };
    static uint64_t addresses[ASKED_MAX];
    char line[64];
    size_t n = 0;
    struct symbols *s;
    struct symbols_result r;
    if (argc < 2)
        return 2;
    const char *const dirs[] = {argc > 2 ? argv[2] : "/usr/lib/debug", NULL};
    struct symbols_options o = {.size = sizeof o, .debug_dirs = dirs, .timeout_ms = 600000};
    while (n < ASKED_MAX && fgets(line, sizeof line, stdin))
        addresses[n++] = strtoull(line, NULL, 16);
    qsort(addresses, n, sizeof *addresses, by_value);
    struct symbols_module m = {.path = argv[1], .addresses = addresses, .count = n};
    if (symbols_open(&o, &s) != 0 || symbols_resolve(s, &m, 1, &r) != 0)
        return 1;
    print(&r, addresses, n);
    if (r.modules[0].text[0])
        fprintf(stderr, "%s\n", r.modules[0].text);
    symbols_result_done(&r);
    symbols_close(s);
    return 0;
}
