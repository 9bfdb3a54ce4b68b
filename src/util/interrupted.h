/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether code runs that interrupted other code, and so may take no lock. */
#ifndef ORIEL_UTIL_INTERRUPTED_H
#define ORIEL_UTIL_INTERRUPTED_H

#include <stdbool.h>
#include <stdint.h>

/* May this be a signal handler? True as well wherever that cannot be told: on a stack that is not
 * the thread's own, say. Async-signal-safe; keeps errno; some seventy system calls. */
bool interrupted_may_be(void);
/* May this be called, over however many others, from the code in [from, to)? Likewise. */
bool interrupted_is_in(uintptr_t from, uintptr_t to);

#endif
