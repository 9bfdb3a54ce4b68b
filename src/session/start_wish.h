/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a start inside a program asks for. Any thread. */
#ifndef ORIEL_SESSION_START_WISH_H
#define ORIEL_SESSION_START_WISH_H

#include <oriel/runtime.h>
#include <pthread.h>

#include "config/config.h"
#include "session/reload.h"
#include "session/session.h"

/* What is asked for: the program before the environment, the file and the defaults. */
struct wish {
    struct config *config; /* owned; the strings are its */
    struct reload reload;  /* of files as they were before they were read: no change is missed */
    const char *filter;
    uint64_t ring_bytes, metrics_ns; /* metrics_ns 0: never */
    unsigned flags, exit_ms;
};
/* 0, or why not, which has been said. */
int start_wish(const struct oriel_options *given, struct wish *out);

/* As it was at the start: where an export was inherited, the program's own is not ours to read. */
const char *const *start_environment(const struct reload *r, bool inherited);

/* What the system says of this process, all of whose life counts. Nothing of it is worth failing
 * for. interval_ns 0: nothing. */
void start_watching(struct session *s, uint64_t interval_ns);
/* A thread that no signal reaches. */
int start_thread(pthread_t *out, void *(*run)(void *), void *arg, struct oriel_err *err);

#endif
