/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is told of a process with everything it says: its resource, attribute by
 * attribute, for all outlets that have such a thing. Pure; one thread.
 */
#ifndef ORIEL_EXPORT_RESOURCE_H
#define ORIEL_EXPORT_RESOURCE_H

#include "export/exporter.h"

/* The semantic conventions that our own names are from. */
#define EXPORT_SCHEMA_URL "https://opentelemetry.io/schemas/1.34.0"

/* Of one that said its resource itself (told) exactly that. A value is a text or an i64; key and
 * value last as long as the call. */
typedef void export_resource_fn(void *user, const struct model_value *v);
void export_resource_each(const struct export_env *env, uint32_t process, export_resource_fn *each,
                          void *user);

/* Of that what all processes of this program are told: neither numbers nor the id of an instance.
 */
void export_resource_shared(const struct export_env *env, const struct model_process *program,
                            export_resource_fn *each, void *user);
/* The id of an instance that a person said, of the process that was started so; "" none. */
struct model_str export_resource_id(const struct model_catalog *c);

/* In the catalog where the resource began empty: the keys that were said, each with a line feed
 * before and behind it. */
#define EXPORT_RESOURCE_SAID "oriel.resource.said"
bool export_resource_is_empty(const struct model_catalog *c);
/* Whether that attribute of the catalog is told of a process; all are where it did not begin so. */
bool export_resource_tells(const struct model_catalog *c, struct model_str key);

#endif
