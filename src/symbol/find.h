/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where separate debug information lies, and opening it for the confined child.
 * Names in questions come from foreign files: they choose among regular files
 * this user may read, and what is found is again read by the child only.
 */
#ifndef ORIEL_SYMBOL_FIND_H
#define ORIEL_SYMBOL_FIND_H

#include "base/vec.h"
#include "symbol/job.h"
#include "symbol/symbol.h"

struct finder {
    const struct symbols_options *options; /* complete */
    struct symbols_stats *stats;
    VEC(char *) paths;  /* of what was opened, by number; 0 is the module */
    VEC(char *) asked;  /* build-ids a server was asked for, as hex */
    uint64_t asking_ns; /* time spent on that, of debuginfod_ms */
};

/* Begin a module. 0 or ORIEL_ENOMEM. */
int finder_start(struct finder *f, const char *module_path);
void finder_done(struct finder *f);
/* A child_options.open; ctx is the finder. */
int finder_open(void *ctx, const struct job_question *q, uint32_t *out_file);
/* Open a regular file for reading, whatever it is; -1. */
int finder_open_file(const char *path);
/* True when a debug folder has debug information for the build-id. */
bool finder_has_debug(const struct symbols_options *options, struct bytes build_id);
/* Ask a debuginfod server through its client, once per build-id while its answer
 * is kept: path of what it fetched. False: it has nothing, or took too long. */
bool finder_fetch(struct finder *f, struct bytes build_id, char *out, size_t n);
/* True when a server would be asked now: one is configured, there is time left,
 * and nothing is kept of what it said. */
bool finder_would_fetch(const struct finder *f, struct bytes build_id);

#endif
