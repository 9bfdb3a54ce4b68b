/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tracepoints as the kernel describes them in tracefs. Runs in the recorder;
 * needs the rights to read there.
 */
#ifndef ORIEL_SOURCE_KERNEL_POINT_H
#define ORIEL_SOURCE_KERNEL_POINT_H

#include <stdbool.h>
#include <stdint.h>

/* Where a tracepoint's own bytes hold a number; bytes 0: nowhere. */
struct kernel_field {
    uint16_t offset, bytes;
};

struct kernel_point {
    uint64_t id;
    char format[4096];
};

/* "sched/sched_switch". False: it is not there, or not for us. */
bool kernel_point_read(const char *name, struct kernel_point *out);
/* Where its records hold the number `name`; bytes 0: nowhere. */
struct kernel_field kernel_point_field(const struct kernel_point *p, const char *name);
/* In a PID namespace of its own the tracepoints' numbers mean others than ours: false. */
bool kernel_point_numbers_are_ours(void);

#endif
