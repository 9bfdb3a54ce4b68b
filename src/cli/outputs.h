/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a recording goes: one file per outlet, in a new run or where -o says, and
 * receivers.
 */
#ifndef ORIEL_CLI_OUTPUTS_H
#define ORIEL_CLI_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "session/sending.h"

struct output {
    const struct exporter *exporter;
    char path[512];                  /* of the file; where it is sent to */
    int index;                       /* of the outlet in the session; -1: could not be opened */
    unsigned outlets;                /* so many of the session, from index on */
    bool sends;                      /* to a receiver */
    bool all;                        /* of what it was given was delivered */
    uint64_t lost;                   /* of that, nobody will ever have */
    char words[SENDING_WORDS_BYTES]; /* what became of it; "" a file */
    struct config *config;           /* of a receiver, until it is opened */
};

struct outputs {
    struct output items[SESSION_OUTLETS_MAX];
    unsigned count;
    int capture;   /* index of the capture in items, -1 none */
    char dir[512]; /* of a new run; "" when -o was given */
};

struct outputs_wish {
    const char *to;                /* comma list of outlets ("capture" when empty) */
    const char *file;              /* -o or "" */
    const char *program;           /* for the name of a run */
    const struct exporter *outlet; /* the one that options belong to, NULL none */
    const void *options;
};
/* Makes the directory of a new run, unless everything is sent. An outlet is sent to a receiver
 * where its options name one, and without -o also where the environment does. ORIEL_EINVAL:
 * the command line is wrong. Then comes outputs_open or outputs_discard. */
int outputs_choose(struct outputs *o, const struct outputs_wish *w, struct oriel_err *err);
/* Longest wait for a receiver when all is over, of commands that have a program behind them. */
#define OUTPUTS_DELIVERY_NS UINT64_C(10000000000)
/* Open and add them; `options` belong to the one outlet named by --to. A full
 * disk is no failure: the program runs all the same, *err says what is missing
 * and the output has index -1. */
int outputs_open(struct outputs *o, struct session *s, const struct exporter *outlet,
                 const void *options, uint64_t max_bytes, struct oriel_err *err);
/* After session_finish: what receivers took. */
void outputs_tell(struct outputs *o, const struct session *s);
/* Items of an output that its outlets did not take, and of these the ones that were seen. */
uint64_t outputs_refused(const struct output *o, const struct session_counts *c,
                         uint64_t *out_seen);
/* Remove files and directory of a run in which nothing was recorded. */
void outputs_discard(struct outputs *o);

#endif
