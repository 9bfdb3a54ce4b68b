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
/* From here on only to who read standard error at the start: a program that goes into the
 * background may have another file there. */
void start_say_strictly(void);
/* Mistakes of a configuration that keep nothing from starting: where log_level is not said, so many
 * that somebody reads them; else as it says. */
void start_tell_warnings(const struct config *c);
/* What destinations have to say goes where the rest of this side does, for whoever asks. */
void start_say_delivery(void *unused, const char *line);
/* From the thread that asks the vault, with the configuration that it asks by. */
void start_say_headers(void *config, bool bad, const char *line);
/* 0: *out can start; its secrets are known from here on. ORIEL_EINVAL, or as settings_load:
 * why has been said, as far as log_level lets it. */
int start_config_load(const struct oriel_options *o, struct config **out);

#endif
