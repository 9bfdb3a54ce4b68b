/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs left in a directory of spools: told (oriel doctor), and sent
 * (oriel export). One thread.
 */
#ifndef ORIEL_CLI_SPOOLED_H
#define ORIEL_CLI_SPOOLED_H

#include "session/sending.h"

/* All that nobody uses, of every destination in it, to the receiver of `how`. An exit status;
 * every reason is a line. */
int spooled_send(const struct sending *how, const char *directory);
/* A table on standard output, or JSON. */
int spooled_show(const char *directory, bool json);

#endif
