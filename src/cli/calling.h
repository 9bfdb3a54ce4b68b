/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * record --calls: which functions of a program compiled with
 * -finstrument-functions or -fpatchable-function-entry say when they are entered and left.
 */
#ifndef ORIEL_CLI_CALLING_H
#define ORIEL_CLI_CALLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct calling {
    char path[64]; /* of the list; "" none */
    bool named;    /* it is a file, and is removed */
    int fd;
    char program[4096]; /* whose it is */
    uint32_t functions;
};

struct calling_wish {
    const char *pattern; /* NULL or "": nothing */
    uint32_t depth;      /* levels of recorded calls inside each other */
    bool sums;           /* counted, not recorded each */
};

/* Write the list of functions of `program` that match a pattern (* and ?) into memory that
 * only this user may read. 0, ORIEL_ENOTFOUND (nothing matches),
 * ORIEL_EUNSUPPORTED (not compiled for it), or what points_find answers. */
int calling_make(struct calling *c, const struct calling_wish *wish, const char *program,
                 struct oriel_err *err);
void calling_done(struct calling *c);

#endif
