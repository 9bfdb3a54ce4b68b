/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers by which trace viewers know processes and threads. The kernel reuses
 * pids and tids, viewers do not expect it: the first owner keeps the number,
 * later ones get one that no kernel gives out. One thread at a time.
 */
#ifndef ORIEL_EXPORT_IDENTITY_H
#define ORIEL_EXPORT_IDENTITY_H

#include <stdint.h>

#include "base/map.h"
#include "model/catalog.h"

/* Beyond the largest pid Linux hands out (2^22), and positive as int32. */
#define EXPORT_TID_FIRST 0x20000000
#define EXPORT_PID_FIRST 0x40000000

struct export_identity {
    struct map pids, tids; /* number -> index of its first owner */
};

void export_identity_done(struct export_identity *id);
/* The number to show for a process or thread; the same for the same one every
 * time. Without memory every number is taken to be used. */
int32_t export_identity_pid(struct export_identity *id, const struct model_process *p);
int32_t export_identity_tid(struct export_identity *id, const struct model_catalog *c,
                            const struct model_thread *t);

#endif
