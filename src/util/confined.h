/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A confined child to read a foreign file in: a fork that keeps a socket and
 * the mapped file and loses all rights it does not need (confine.h). What both
 * say to each other is the caller's; here is how it travels, how long it may
 * take, and how the child ended. The parent believes nothing it hears.
 */
#ifndef ORIEL_UTIL_CONFINED_H
#define ORIEL_UTIL_CONFINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct confined_file {
    const void *bytes; /* read-only; NULL: there is none, or it cannot be mapped */
    size_t size;
    bool unconfined; /* no system call filter on this kernel */
};
struct confined_options {
    int file;              /* to map; -1: none */
    uint32_t cpu_ms;       /* processor time, in whole seconds and two more */
    uint32_t timeout_ms;   /* from start to confined_end */
    uint64_t memory_bytes; /* beyond what is in use now and the file */
    /* In the child, which ends when it returns. */
    void (*work)(const void *how, const struct confined_file *file);
    const void *how;
};
struct confined {
    int sock;
    pid_t pid;
    uint64_t deadline_ns;
    uint32_t timeout_ms;
};

/* 0, or a code with a line that a path goes in front of. */
int confined_start(struct confined *c, const struct confined_options *o, struct oriel_err *err);
/* Exactly n bytes of the child's. 0, -ETIMEDOUT, or -EPIPE when it is gone. */
int confined_receive(struct confined *c, void *bytes, size_t n);
/* n bytes in one piece, with a descriptor (-1: none). False: it does not listen. */
bool confined_reply(struct confined *c, const void *bytes, size_t n, int fd);
/* End the child, whatever it does. `rc` is what the conversation came to: 0, or
 * -ETIMEDOUT, -EPIPE, -EPROTO (it said what cannot be), -ENOMEM. 0, or a code
 * with a line that a path goes in front of: "crashed its reader ...". */
int confined_end(struct confined *c, int rc, struct oriel_err *err);

/* In the child. */
bool confined_say(const void *bytes, size_t n);
/* n bytes in one piece, and the descriptor that came with them, else -1. */
bool confined_hear(void *bytes, size_t n, int *out_fd);

#endif
