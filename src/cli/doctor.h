/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The probe table of `oriel doctor`: what this machine and this process
 * permit. Each probe asks one question and touches nothing.
 */
#ifndef ORIEL_CLI_DOCTOR_H
#define ORIEL_CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

enum doctor_state {
    DOCTOR_OK,      /* works in full */
    DOCTOR_LIMITED, /* works in part, or costs more */
    DOCTOR_MISSING  /* what it gives is not to be had */
};

struct doctor_finding {
    enum doctor_state state;
    char text[256];   /* what was found */
    char remedy[256]; /* what to do about it; "" when nothing */
};

struct doctor_probe {
    const char *name;
    const char *gives; /* what it is good for */
    void (*ask)(struct doctor_finding *out);
};

extern const struct doctor_probe doctor_probes[]; /* ends with a NULL name */
const char *doctor_state_text(enum doctor_state state);

/* The figures of a running process; an exit status. */
int doctor_live(int32_t pid, bool as_json);

#endif
