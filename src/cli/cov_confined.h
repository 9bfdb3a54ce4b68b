/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage that others wrote, read by a confined child (util/confined.h): a text
 * that its reader cannot bear costs that text and one line. One thread.
 */
#ifndef ORIEL_CLI_COV_CONFINED_H
#define ORIEL_CLI_COV_CONFINED_H

#include "report/coverage.h"
#include "session/foreign.h"

/* As coverage_read_lcov and its sisters. */
typedef int (*cov_reader)(struct coverage *c, const char *p, size_t n, struct oriel_err *err);

struct cov_confined {
    cov_reader read;
    const char *dir; /* where files without a full path are looked for, and above; NULL: nowhere */
    const struct foreign_limits *limits; /* NULL: by the size of the text */
};
/* Add what is in the text to c. 0, or a code with a line that its path goes in front of:
 * the reader's own, ORIEL_EDAMAGED (it crashed), ORIEL_EPERM (it left its bounds),
 * ORIEL_ELIMIT, ORIEL_ENOMEM. Nothing is added of what its reader did not read to its end. */
int cov_confined_read(struct coverage *c, const struct cov_confined *how, const char *p, size_t n,
                      struct oriel_err *err);

#endif
