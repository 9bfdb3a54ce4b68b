/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of addresses in the kernel, from its own list.
 */
#ifndef ORIEL_CLI_KERNEL_SYMBOLS_H
#define ORIEL_CLI_KERNEL_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

enum { KERNEL_SYMBOL_BYTES = 64 };

struct kernel_symbol {
    uint64_t address;               /* where it begins */
    char name[KERNEL_SYMBOL_BYTES]; /* "": none is known */
};

/* What is run again and again by one who cannot wait until it is over: the list is long. */
struct kernel_symbols_while {
    void (*run)(void *user);
    void *user;
};

/* For each of `n` addresses in ascending order the nearest function that begins at or
 * below it, out of the list at `path`: lines "ffffffff81000000 T name  [module]" in any
 * order. A list that cannot be read, or hides its addresses, names none. `meanwhile` may be
 * NULL. */
void kernel_symbols_read(const char *path, const uint64_t *addresses, size_t n,
                         struct kernel_symbol *out, const struct kernel_symbols_while *meanwhile);
/* Where the function of exactly this name begins; 0: not told. */
uint64_t kernel_symbols_address(const char *path, const char *name);

#endif
