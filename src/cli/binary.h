/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which file a person means by "libc.so.6", "python3" or a path, and the
 * points for probes in it.
 */
#ifndef ORIEL_CLI_BINARY_H
#define ORIEL_CLI_BINARY_H

#include <stddef.h>

#include "base/err.h"
#include "symbol/points.h"

enum { BINARY_PATH_BYTES = 4096 };

/* A path as it is; else the program itself when its last component is meant, a library of
 * the usual folders, a command of the PATH. `program` may be NULL. 0, ORIEL_ENOTFOUND. */
int binary_find(const char *name, const char *program, char out[BINARY_PATH_BYTES],
                struct oriel_err *err);
/* The reader of symbols with the usual cache. 0 or ORIEL_ENOMEM. */
int binary_symbols(struct symbols **out);

#endif
