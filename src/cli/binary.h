/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which file a person means by "libc.so.6", "python3" or a path, and the
 * points for probes in it.
 */
#ifndef ORIEL_CLI_BINARY_H
#define ORIEL_CLI_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "symbol/points.h"

enum { BINARY_PATH_BYTES = 4096 };

/* A path as it is; else the program itself when its last component is meant, a library of
 * the usual folders, a command of the PATH. `program` may be NULL. 0, ORIEL_ENOTFOUND. */
int binary_find(const char *name, const char *program, char out[BINARY_PATH_BYTES],
                struct oriel_err *err);
/* The same for a program that runs: a file that it has mapped goes before all others, under a
 * name by which it can be opened from here (other file systems, removed files). NULL or the name
 * of the program: its own file. */
int binary_find_running(int32_t pid, const char *name, char out[BINARY_PATH_BYTES],
                        struct oriel_err *err);
/* The executable files that a program has mapped, one after the other; *at begins at 0. False:
 * no more. */
bool binary_next_mapped(int32_t pid, uint64_t *at, char out[BINARY_PATH_BYTES]);
/* Whether a library is mapped that lets exceptions pass. */
bool binary_throws(int32_t pid);
/* The reader of symbols with the usual cache. 0 or ORIEL_ENOMEM. */
int binary_symbols(struct symbols **out);

#endif
