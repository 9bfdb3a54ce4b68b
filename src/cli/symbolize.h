/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Places of a recording get their functions and lines: from the object files
 * they lie in, if these are still the ones that ran, and from the kernel's own
 * list of symbols. Modules get their segments in the same way.
 */
#ifndef ORIEL_CLI_SYMBOLIZE_H
#define ORIEL_CLI_SYMBOLIZE_H

#include <stdbool.h>

#include "cli/kernel_symbols.h"
#include "model/catalog.h"

/* Resolve every place that nobody resolved yet. What could not be read is no
 * error; `say`: a line for each kind of trouble tells of it on stderr. 0 or ORIEL_ENOMEM. */
int symbolize(struct model_catalog *c, bool say);
/* The same for one who goes on recording: `meanwhile` may add to the catalog. Says nothing. */
int symbolize_while(struct model_catalog *c, const struct kernel_symbols_while *meanwhile);
/* Tell every module of a file where its instructions lie in it, for outlets of EXPORT_SEGMENTS.
 * What could not be read is no error. 0 or ORIEL_ENOMEM. */
int symbolize_segments(struct model_catalog *c);

#endif
