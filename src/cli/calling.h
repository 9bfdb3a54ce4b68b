/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * record --calls: which functions of a program compiled with
 * -finstrument-functions say when they are entered and left.
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

/* Write the list of functions of `program` that match a pattern (* and ?) into memory that
 * only this user may read; NULL or "": nothing. 0, ORIEL_ENOTFOUND (nothing matches),
 * ORIEL_EUNSUPPORTED (not compiled for it), or what points_find answers. */
int calling_make(struct calling *c, const char *pattern, uint32_t depth, const char *program,
                 struct oriel_err *err);
void calling_done(struct calling *c);

#endif
