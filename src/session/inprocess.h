/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In-process export: what liboriel-core finds by name after it loaded
 * liboriel. One drain thread, which takes no signals, reads the region that
 * the program writes and feeds the outlets. A fork child has no such thread:
 * the parent reads its records until the child starts an export of its own.
 * When the parent is gone, one of its children goes on where it ended.
 */
#ifndef ORIEL_SESSION_INPROCESS_H
#define ORIEL_SESSION_INPROCESS_H

#include <oriel/runtime.h>
#include <stdbool.h>

#include "base/instance.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make a region, attach the caller's runtime to it through `attach`, start the
 * drain thread. What `options` leaves open comes from the environment, then
 * from oriel.toml, then from the defaults (docs/CONFIGURATION.md):
 *   backend       ORIEL_BACKEND       local: files; otlp: a receiver
 *   outlets       ORIEL_TO            chrome
 *   directory     ORIEL_TRACE_DIR     .local/traces (gets a .gitignore)
 *   filter        ORIEL_FILTER        everything
 *   service_name  OTEL_SERVICE_NAME   name of the program
 *   exit_ms       ORIEL_EXIT_MS       1000
 *   system_metrics_interval_secs  ORIEL_SYSTEM_METRICS_INTERVAL_SECS  5
 * A configuration that cannot take effect is ORIEL_EINVAL, or what reading the
 * file answered, with one line on standard error. Where every way out
 * is switched off, nothing runs, and the answer is 0. Each outlet of the local tier writes
 * DIRECTORY/{session id}_{timestamp}.SUFFIX. When it runs already, `attach` is called for the
 * region there is: 0, also when it answers ORIEL_ESTATE. ORIEL_EBUSY: the one before has not ended
 * yet. ORIEL_EINVAL, ORIEL_ENOMEM, ORIEL_ENOSPC, ORIEL_EIO, ORIEL_ESTATE (a child that was forked
 * behind libc's back), or what `attach` answered. Not from signal handlers.
 */
ORIEL_EXPORT int oriel_inprocess_start(const struct oriel_options *options,
                                       int (*attach)(const char *ring_path));
/* In a fork child, from within the first record of a thread: is this process to go on with the
 * export once the one that exports is gone? Then a thread of ours is made that waits for that, and
 * has all else as it was there. It is to where it is in another session, as whoever went into the
 * background, or where that process is gone already. 0: the thread is there. ORIEL_EBUSY: not now.
 * ORIEL_ESTATE: never. Allocates what a thread needs, unless this may be the program's allocator,
 * and waits for nothing. makes false: only asks, and 0 says that the export runs here. */
ORIEL_EXPORT int oriel_inprocess_inherit(bool makes);
/* What the runtime has to know of the configuration that started this: the list of
 * propagators (lives until the next start), and which traces that begin here are sampled
 * (base/ratio.h, perhaps with RATIO_UNTOLD). After oriel_inprocess_start answered 0, before it is
 * stopped. */
ORIEL_EXPORT void oriel_inprocess_context(const char **out_propagators, uint64_t *out_threshold);
/* A copy of the record path that has started or joined: `told` is called now, and from the thread
 * that drains after a change, with the sampler to ask before spans, NULL for none; entries: only
 * before those without a parent in this process. It answers 0, or ORIEL_EBUSY. */
struct oriel_sampler;
ORIEL_EXPORT void oriel_inprocess_sampler(int (*told)(const struct oriel_sampler *sampler,
                                                      bool entries));
/* The same for what is told of its resource (base/instance.h): now, if there is something, and with
 * each export that starts, from any thread. */
ORIEL_EXPORT void oriel_inprocess_published(instance_told_fn *told);
/* Write what there is and end, within timeout_ms of now whatever the outlets
 * do. 0, or ORIEL_EBUSY: time was up, the rest stays in the ring for `oriel
 * recover`. At exit, with exit_ms, a spool gets what is left: that takes 1 s, at most, where
 * there is less time, and waits for no receiver. */
ORIEL_EXPORT int oriel_inprocess_stop(unsigned timeout_ms);
/* Everything that was said before goes out: into the files, and to receivers until they have
 * answered. 0, also where nothing runs; ORIEL_ETIMEOUT; ORIEL_EIO: some of what was under way was
 * not taken. Any thread, also several. */
ORIEL_EXPORT int oriel_inprocess_flush(unsigned timeout_ms);
/* Reads the configuration file again, changed or not (a changed one is seen within a second or so
 * anyway), and takes levels, rates and outlets out of it, whole or not at all. 0, also where
 * nothing is different. ORIEL_ENOTFOUND: nothing runs, or there was no file at the start;
 * ORIEL_EUNSUPPORTED: another key was changed, or no outlet would be left; ORIEL_EINVAL and what
 * reading or opening answers; ORIEL_EBUSY: too many receivers that were replaced are still sent to;
 * ORIEL_ETIMEOUT. Then everything stays as it was, with one line on standard error. Any thread. */
ORIEL_EXPORT int oriel_inprocess_reload(void);
/* As oriel_resource_get. */
ORIEL_EXPORT int oriel_inprocess_resource(const char *key, char *out, size_t size);
/* As those of oriel/exporter.h without "inprocess"; programs.c, memory.c. */
struct oriel_exporter;
struct oriel_memory;
struct oriel_view_span;
struct oriel_view_log;
ORIEL_EXPORT int oriel_inprocess_exporter_add(const struct oriel_exporter *e);
ORIEL_EXPORT int oriel_inprocess_exporter_remove(const char *name);
ORIEL_EXPORT struct oriel_memory *oriel_inprocess_memory_new(size_t most);
ORIEL_EXPORT int oriel_inprocess_memory_add(struct oriel_memory *m);
ORIEL_EXPORT size_t oriel_inprocess_memory_spans(struct oriel_memory *m,
                                                 const struct oriel_view_span **out, size_t room);
ORIEL_EXPORT size_t oriel_inprocess_memory_logs(struct oriel_memory *m,
                                                const struct oriel_view_log **out, size_t room);
ORIEL_EXPORT uint64_t oriel_inprocess_memory_dropped(struct oriel_memory *m);
ORIEL_EXPORT void oriel_inprocess_memory_reset(struct oriel_memory *m);
ORIEL_EXPORT int oriel_inprocess_memory_free(struct oriel_memory *m);
/* The same of oriel/config.h; program_config.c, programs.c. */
struct oriel_config;
struct oriel_component;
ORIEL_EXPORT int oriel_inprocess_config_parse(struct oriel_config **out, const char *path,
                                              char *why, size_t size);
ORIEL_EXPORT int oriel_inprocess_config_parse_text(struct oriel_config **out, const char *name,
                                                   const char *text, size_t n, char *why,
                                                   size_t size);
ORIEL_EXPORT void oriel_inprocess_config_free(struct oriel_config *c);
ORIEL_EXPORT const char *oriel_inprocess_config_get(const struct oriel_config *c, const char *path);
ORIEL_EXPORT const char *oriel_inprocess_config_name(const struct oriel_config *c, const char *path,
                                                     size_t i);
ORIEL_EXPORT int oriel_inprocess_config_set(struct oriel_config *c, const char *path,
                                            const char *yaml);
ORIEL_EXPORT int oriel_inprocess_component_register(const struct oriel_component *component);

#ifdef __cplusplus
}
#endif
#endif
