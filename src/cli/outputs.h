/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a recording goes: one file per outlet, in a new run or where -o says.
 */
#ifndef ORIEL_CLI_OUTPUTS_H
#define ORIEL_CLI_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"

struct output {
    const struct exporter *exporter;
    char path[512];
    int index; /* of the outlet in the session; -1: could not be opened */
};

struct outputs {
    struct output items[SESSION_OUTLETS_MAX];
    unsigned count;
    int capture;   /* index of the capture in items, -1 none */
    char dir[512]; /* of a new run; "" when -o was given */
};

/* `to`: comma list of outlets ("capture" when empty); `file`: -o or "". Makes
 * the directory of a new run. ORIEL_EINVAL: the command line is wrong. */
int outputs_choose(struct outputs *o, const char *to, const char *file, const char *program,
                   struct oriel_err *err);
/* Open and add them; `options` belong to the one outlet named by --to. A full
 * disk is no failure: the program runs all the same, *err says what is missing
 * and the output has index -1. */
int outputs_open(struct outputs *o, struct session *s, const struct exporter *outlet,
                 const void *options, uint64_t max_bytes, struct oriel_err *err);
/* Remove files and directory of a run in which nothing was recorded. */
void outputs_discard(const struct outputs *o);

#endif
