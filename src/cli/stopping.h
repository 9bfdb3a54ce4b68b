/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ctrl-C and its like, for commands that have something to finish: a flag instead of
 * the end. The main thread sets it up and asks; whoever started us with a signal ignored
 * keeps it so.
 */
#ifndef ORIEL_CLI_STOPPING_H
#define ORIEL_CLI_STOPPING_H

#include <signal.h>
#include <stdbool.h>

enum stopping {
    STOPPING_IN_PPOLL = 1, /* they arrive inside ppoll with the mask *out_open only */
    STOPPING_KEPT = 2      /* a second one is taken as well; else it ends us at once */
};
/* SIGINT, SIGTERM and SIGHUP. */
void stopping_catch(unsigned how, sigset_t *out_open);
bool stopping_asked(void);
/* As it was: they end us again. */
void stopping_release(const sigset_t *open);

#endif
