/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which system calls a program makes, counted in the kernel. For source/syscall,
 * by whoever starts or attaches to a program.
 */
#ifndef ORIEL_SOURCE_SYSCALL_OPTIONS_H
#define ORIEL_SOURCE_SYSCALL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "source/source.h"

/* What became of it. */
struct syscall_ability {
    bool works;
    uint64_t told;        /* calls that were handed out so far */
    uint64_t lost;        /* calls that were seen and found no room */
    uint64_t overwritten; /* of a flight recorder: calls that were held, and are given up */
    uint64_t unwatched;   /* threads that found no room */
    char missing[224];    /* one line: why nothing is seen and what gives it; "" all is */
};

struct syscall_options {
    int32_t pid;  /* running: the process; else whose next children are it, from their exec on */
    bool running; /* it runs already (attach) */
    struct syscall_ability *ability; /* filled in; lives as long as the source */
};

/* Beside the first source of a session; its options are a struct syscall_options. */
extern const struct source source_syscall;

/* Try it, without keeping anything. */
void syscall_try(struct syscall_ability *out);

#endif
