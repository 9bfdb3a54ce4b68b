/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over the kernel's list, which has some 200,000 lines: each is kept at
 * most once, for the first address at or above it, and what the lower addresses
 * found is handed up at the end.
 */
#include "cli/kernel_symbols.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_BYTES = 512,
    LINES_AT_ONCE = 2048 /* a millisecond or two */
};

/* The first that is not below it. */
static size_t first_from(const uint64_t *addresses, size_t n, uint64_t address)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (addresses[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of those at the same address the first one has it. */
static void offer(struct kernel_symbol *best, uint64_t address, const char *name, size_t n)
{
    if (best->address >= address)
        return;
    best->address = address;
    if (n >= sizeof best->name)
        n = sizeof best->name - 1;
    memcpy(best->name, name, n);
    best->name[n] = 0;
}

static void read_line(const char *line, const uint64_t *addresses, size_t n,
                      struct kernel_symbol *out)
{
    char *at;
    uint64_t address = strtoull(line, &at, 16);
    if (address == 0 || address > addresses[n - 1])
        return; /* zero: hidden from this user */
    if (at[0] != ' ' || !at[1] || !strchr("tTwW", at[1]) || at[2] != ' ')
        return; /* no code */
    const char *name = at + 3;
    offer(&out[first_from(addresses, n, address)], address, name, strcspn(name, "\t\n "));
}

void kernel_symbols_read(const char *path, const uint64_t *addresses, size_t n,
                         struct kernel_symbol *out, const struct kernel_symbols_while *meanwhile)
{
    char line[LINE_BYTES];
    uint64_t lines = 0;
    memset(out, 0, n * sizeof *out);
    FILE *list = n ? fopen(path, "re") : NULL;
    if (!list)
        return;
    while (fgets(line, sizeof line, list)) {
        read_line(line, addresses, n, out);
        if (meanwhile && ++lines % LINES_AT_ONCE == 0)
            meanwhile->run(meanwhile->user);
    }
    fclose(list);
    for (size_t i = 1; i < n; i++) {
        assert(addresses[i - 1] <= addresses[i]);
        if (out[i].address < out[i - 1].address)
            out[i] = out[i - 1];
    }
}

uint64_t kernel_symbols_address(const char *path, const char *name)
{
    char line[LINE_BYTES];
    uint64_t found = 0;
    const size_t n = strlen(name);
    FILE *list = fopen(path, "re");
    assert(n > 0);
    while (list && found == 0 && fgets(line, sizeof line, list)) {
        char *at;
        uint64_t address = strtoull(line, &at, 16);
        if (at[0] == ' ' && at[1] && strchr("tT", at[1]) && at[2] == ' ' &&
            strcspn(at + 3, "\t\n ") == n && memcmp(at + 3, name, n) == 0)
            found = address;
    }
    if (list)
        fclose(list);
    return found;
}
