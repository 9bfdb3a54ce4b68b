/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Letting go of tracepoints without waiting for the kernel. Runs in the recorder.
 */
#ifndef ORIEL_SOURCE_KERNEL_ASIDE_H
#define ORIEL_SOURCE_KERNEL_ASIDE_H

#include <stddef.h>

/* Close these (sorted meanwhile) without waiting for the kernel, which lets go of tracepoints
 * slowly: a process with nothing but them does. */
void kernel_close_aside(int *fds, size_t n);

#endif
