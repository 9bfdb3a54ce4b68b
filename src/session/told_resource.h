/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The resource of an export that runs in this process, kept for the program to ask for
 * (oriel_inprocess_resource): a copy, since the catalog is the drain thread's. Any thread.
 */
#ifndef ORIEL_SESSION_TOLD_RESOURCE_H
#define ORIEL_SESSION_TOLD_RESOURCE_H

#include "session/resource.h"

/* All that the catalog says now; before the drain thread has it. */
void told_resource_keep(const struct model_catalog *c);
/* What was found later, by the drain thread: into its catalog, too; it wins. As resource_apply. */
int told_resource_apply(const struct resource *found, struct model_catalog *c);
/* The export is over: nothing is known. */
void told_resource_clear(void);
/* In a fork child: plain stores only, the parent's memory is left alone. */
void told_resource_forked(void);

#endif
