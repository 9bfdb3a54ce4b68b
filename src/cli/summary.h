/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What became of a recording, for machines: `oriel record --summary FILE`.
 * The shape is docs/record.schema.json.
 */
#ifndef ORIEL_CLI_SUMMARY_H
#define ORIEL_CLI_SUMMARY_H

#include "cli/child.h"
#include "cli/ending.h"

struct summary {
    const struct ending *ending;
    const struct child *child; /* over */
    char *const *args;         /* the program as it was called */
    uint64_t start_unix_ns;
};

/* Replaces `path`. 0, or ORIEL_EPERM, ORIEL_ENOSPC, ORIEL_EIO, ORIEL_ENOMEM
 * with a line that names it. */
int summary_write(const struct summary *s, const char *path, struct oriel_err *err);

#endif
