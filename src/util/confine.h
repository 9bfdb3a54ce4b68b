/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Give up every right that reading a mapped file does not need. */
#ifndef ORIEL_UTIL_CONFINE_H
#define ORIEL_UTIL_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* In a fresh child: end up with `sock` as descriptor 0, `file` (or none) as 1, no
 * other; default signal actions; limits on memory, time and files; no core. */
bool confine_process(int sock, int file, uint64_t memory_bytes, uint32_t timeout_ms);
/* Last: only memory, and messages over descriptor 0. False: the kernel has no
 * system call filter. */
bool confine_calls(void);
/* Address space in use now, 0 unknown: what limits must come on top of. */
uint64_t confine_memory_in_use(void);

#endif
