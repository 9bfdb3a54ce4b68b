/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Libraries of ours that go into the program: where they lie, and the
 * environment that makes the loader load them.
 */
#ifndef ORIEL_CLI_PRELOAD_H
#define ORIEL_CLI_PRELOAD_H

#include <stddef.h>

#include "base/err.h"

/* Where a library lies ("liboriel-alloc.so.0"): beside the command, as built, or
 * in the library folder beside its folder, as installed. 0 or ORIEL_ENOTFOUND
 * with a line. */
int preload_find(const char *library, char *out, size_t n, struct oriel_err *err);
/* "LD_PRELOAD=...": the library in front of what else is preloaded. 0,
 * ORIEL_ENOTFOUND, or ORIEL_EINVAL where the loader would not understand it. */
int preload_setting(const char *library, char *out, size_t n, struct oriel_err *err);

/* One more library into a setting that was made before. Codes as above. */
int preload_also(const char *library, char *setting, size_t n, struct oriel_err *err);

#endif
