/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sleep of a thread that has nothing to do while the program does nothing: it ends when the
 * process has run for a while, on any of its processors, and else only when the time is up or
 * somebody calls. What a program says, it says while it runs; so nobody has to look meanwhile,
 * and no record has to wake anybody.
 */
#ifndef ORIEL_SESSION_NAP_H
#define ORIEL_SESSION_NAP_H

#include <stdbool.h>
#include <stdint.h>

struct nap {
    int timer;   /* the kernel's number */
    int32_t tid; /* whose nap it is */
    bool ready;  /* false: there is none here, the others do nothing */
};

/* By the thread that will sleep. Where the kernel has no such timer, or has no more of them, there
 * is no nap. */
void nap_begin(struct nap *n);
/* From here on it may be called, until it gets up. False: there is no nap. */
bool nap_lie_down(struct nap *n);
/* The process has run for `cpu_ns` more, or somebody called; `wall_ns` have passed; that did not
 * work, and will not later. */
enum nap_end { NAP_CALLED, NAP_OVER, NAP_FAILED };
enum nap_end nap_take(struct nap *n, uint64_t cpu_ns, uint64_t wall_ns);
/* Nobody calls any more: a lock of the caller's sees to that. `end`: what nap_take answered.
 * Between lying down and here the thread runs nothing that is not ours. */
void nap_get_up(struct nap *n, enum nap_end end);
/* Ends the nap. Any thread, while the other one lies; async-signal-safe. */
void nap_call(const struct nap *n);
void nap_over(struct nap *n);

#endif
