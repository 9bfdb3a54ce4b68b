/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The options of oriel_start as keys of the configuration. Pure; any thread.
 */
#ifndef ORIEL_SESSION_START_CODE_H
#define ORIEL_SESSION_START_CODE_H

#include <oriel/runtime.h>

#include "config/config.h"

enum { START_CODE_MAX = 64, START_NUMBER_BYTES = 24, START_KEY_BYTES = 80 };
/* Stays in its place while the keys are used; the texts are those of the options. */
struct start_code {
    struct config_set sets[START_CODE_MAX];
    size_t count;
    char numbers[2][START_NUMBER_BYTES], keys[START_CODE_MAX][START_KEY_BYTES];
};
/* False: a setting is no "key=value", or there are too many. */
bool start_code_of(const struct oriel_options *o, struct start_code *out);

#endif
