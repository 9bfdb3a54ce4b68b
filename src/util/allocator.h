/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether code runs that is called from inside the program's allocator, and so may not allocate. */
#ifndef ORIEL_UTIL_ALLOCATOR_H
#define ORIEL_UTIL_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

/* Where the code is that malloc and its like stand for here. */
struct allocator {
    uintptr_t from, to; /* 0: it is the C library's, which calls nobody */
    bool anywhere;      /* it is the program's own, or there are several */
};

/* Asks the loader, so not from signal handlers. */
void allocator_find(struct allocator *out);
/* May this thread be inside of it? True as well wherever that cannot be told. Async-signal-safe;
 * keeps errno; some system calls, unless it is the C library's. */
bool allocator_may_run(const struct allocator *a);

#endif
