/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What `oriel record` says, once, when the program is over: one screen.
 */
#ifndef ORIEL_CLI_ENDING_H
#define ORIEL_CLI_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/outputs.h"
#include "session/session.h"
#include "source/syscall_options.h"

struct ending {
    const struct outputs *outputs;
    struct session_counts counts;
    const char *program;                 /* as it was named */
    uint64_t duration_ns;                /* of the program */
    uint32_t still_running;              /* attached processes that were not waited for */
    unsigned dumps;                      /* of the flight recorder, before the end */
    char dump[160];                      /* why the last of them was */
    bool sampled;                        /* samples were asked for and permitted */
    char unseen[400];                    /* what sampling could not see and why, "" nothing */
    const struct syscall_ability *calls; /* NULL: nobody asked */
    const char *hidden;                  /* why the program lets nobody look, NULL or "": it does */
    bool report;                         /* show the top of the report */
    char crash[256];                     /* what ended the program, "" nothing did */
    char trouble[512];                   /* first failure of an outlet, "" none */
};

void ending_say(const struct ending *e);

#endif
