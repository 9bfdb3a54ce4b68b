/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The exporters that the program has registered (oriel/exporter.h), and how they
 * become outlets of a session. Any thread; registering takes a lock.
 */
#ifndef ORIEL_SESSION_PROGRAMS_H
#define ORIEL_SESSION_PROGRAMS_H

#include <oriel/exporter.h>

#include "config/config.h"
#include "session/session.h"

struct programs_wish {
    struct session *session;
    const struct config *config;
    const uint64_t *deadline_ns; /* see struct program_options */
    void (*say)(void *user, const char *line);
    void *user;
};
bool programs_any(const struct config *c);
/* Whether there is a component of this name for log records, or for spans. */
bool programs_known(const char *name, bool logs);
/* All of them are at work from here on, until each was shut down; a failure leaves those that
 * have joined to the session. */
int programs_add(const struct programs_wish *w, struct oriel_err *err);
/* In a fork child: the parent's are not ours. Plain stores only. */
void programs_forked(void);

#endif
