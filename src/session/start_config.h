/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The configuration of a start inside a program, and the lines that a program may
 * see of us. Any thread.
 */
#ifndef ORIEL_SESSION_START_CONFIG_H
#define ORIEL_SESSION_START_CONFIG_H

#include <oriel/runtime.h>

#include "config/config.h"

/* "oriel: WHAT TEXT" as one line on standard error, without secrets. */
void start_say(const char *what, const char *text);
/* 0: *out can start; its secrets are known from here on. ORIEL_EINVAL, or as settings_load:
 * why has been said, as far as log_level lets it. */
int start_config_load(const struct oriel_options *o, struct config **out);

#endif
