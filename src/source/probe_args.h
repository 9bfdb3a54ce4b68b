/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The arguments of a USDT note ("8@%rdi -4@$5 8@-80(%rbx)") as the kernel can
 * fetch them. Reads foreign text; pure.
 */
#ifndef ORIEL_SOURCE_PROBE_ARGS_H
#define ORIEL_SOURCE_PROBE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_ARGS_MAX = 16, PROBE_FETCH_BYTES = 80 };

struct probe_arg {
    uint8_t bytes; /* 1, 2, 4, 8 */
    bool is_signed, is_float;
    char where[48];                /* as the note says; cut when longer */
    char fetch[PROBE_FETCH_BYTES]; /* for the kernel, without a type; "" it cannot */
};

/* How many arguments the text tells; what is not understood counts with fetch "". */
unsigned probe_args_parse(const char *spec, struct probe_arg out[PROBE_ARGS_MAX]);
/* The kernel's names of registers: the nth that integer arguments are passed in (NULL: none),
 * the stack pointer, and that of results. */
const char *probe_arg_register(unsigned nth);
extern const char *const probe_stack_register, *const probe_result_register;

#endif
