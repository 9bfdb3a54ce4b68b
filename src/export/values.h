/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What outlets have in common about attributes: which names are ours, and how
 * a double is spelled in JSON. Pure; any thread.
 */
#ifndef ORIEL_EXPORT_VALUES_H
#define ORIEL_EXPORT_VALUES_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/catalog.h"

/* Trace viewers put attributes beside members of ours into one object. An
 * attribute that has a name of ours gets this in front of it. */
#define EXPORT_KEY_PREFIX "attr."
bool export_key_is_taken(struct model_str key);

/* What is said of the target of a site besides its name, for outlets that have a place for it;
 * NULL: nothing is. As attributes the version is EXPORT_SCOPE_VERSION, and those of the target
 * stand behind EXPORT_SCOPE_PREFIX. */
#define EXPORT_SCOPE_VERSION "otel.scope.version"
#define EXPORT_SCOPE_PREFIX "otel.scope."
const struct model_scope *export_scope(const struct model_catalog *c, const struct model_site *s);

/* With a point or an exponent, so that readers keep it a float: many take a
 * long row of digits for an integer that does not fit, and -0 for 0. NaN and
 * infinities become text. */
void export_put_double(struct buf *b, double v);

#endif
