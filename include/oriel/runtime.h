/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Switching telemetry on and off. A library never calls any of this; a program
 * may, or leaves it to the environment (ORIEL_RING is set by `oriel record`,
 * ORIEL_ENABLED=1 starts in-process export). Until then nothing runs, nothing
 * is read but the environment block, and nothing is written.
 */
#ifndef ORIEL_RUNTIME_H
#define ORIEL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ORIEL_EXPORT
#define ORIEL_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct oriel_config;
/* In-process export. Zero members mean the default. */
struct oriel_options {
    size_t size;         /* sizeof(struct oriel_options) */
    const char *outlets; /* "chrome", "capture", "log", "perfetto", a comma list; default chrome */
    const char *directory;    /* where files go; default .local/traces */
    const char *filter;       /* "info,db=debug,net=off"; default: everything */
    const char *service_name; /* default: unknown_service:EXECUTABLE */
    size_t ring_bytes;        /* default 16 MiB */
    unsigned flags;           /* ORIEL_START_* */
    unsigned exit_ms;         /* longest time at exit; default 1000 */
    /* How often memory, CPU time, threads, ... are noted; default 5; ORIEL_METRICS_NEVER. */
    unsigned system_metrics_interval_secs;
    /* "key=value" of everything else docs/CONFIG.md lists below [telemetry], above file and
     * environment: "sample_rate=0.1", "otlp_traces.endpoint=http://..."; ends with NULL. */
    const char *const *settings;
    /* A model of OpenTelemetry's declarative configuration (config.h), which stands in place of
     * OTEL_CONFIG_FILE and of the environment; only read while oriel_start runs. */
    const struct oriel_config *config;
};
#define ORIEL_METRICS_NEVER (~0u)
enum oriel_start_flag {
    ORIEL_START_INCLUDE_ARGS = 1,
    ORIEL_START_FLIGHT_RECORDER = 2, /* keep the last ring_bytes, write on a trigger */
    ORIEL_START_CRASH = 4            /* note the signals that end programs (docs/CRASH.md) */
};

/*
 * Load liboriel and start exporting. options may be NULL. 0 when on already.
 * ORIEL_ENOTFOUND (liboriel is not installed), ORIEL_EINVAL (options),
 * ORIEL_ENOMEM, ORIEL_EIO, ORIEL_EBUSY (the export before has not ended yet).
 * Not from signal handlers. Starts one thread.
 *
 * After a fork the child's records go to its parent, while that lives and has not
 * stopped. A child that outlives it, as after daemon(), takes the export over by itself
 * (docs/CONFIGURATION.md); a child that calls oriel_start exports on its own at once, to
 * files of its own.
 */
ORIEL_EXPORT int oriel_start(const struct oriel_options *options);
/* Write what there is and end the export within timeout_ms. Recording calls stay
 * legal afterwards and do nothing, at the cost of a site that is off: what is
 * said until the next oriel_start is not counted anywhere. 0 or ORIEL_EBUSY (time
 * was up). Does nothing when oriel_start did not start it (`oriel record`), and
 * in a fork child ends the child's recording only. Each further start costs some
 * address space, and a page for every thread that recorded before. */
ORIEL_EXPORT int oriel_stop(unsigned timeout_ms);

/* What was said before this call goes out now: into the files, and to receivers, whose
 * answers are waited for, timeout_ms at most. 0; ORIEL_ETIMEOUT; ORIEL_EIO (some of what
 * was under way was refused or lost); ORIEL_EBUSY (called by an exporter of the program). Does
 * nothing when oriel_start did not start the export, and in fork children whose parent exports.
 * Any thread; not from signal handlers. */
ORIEL_EXPORT int oriel_flush(unsigned timeout_ms);

/* Read the configuration file again (docs/CONFIGURATION.md): levels, rates and outlets change in
 * place, all that was changed or nothing. A changed file is seen within a second or so without this
 * call, which waits until it is done. 0; ORIEL_ENOTFOUND (no file, or not started by oriel_start);
 * ORIEL_EUNSUPPORTED (a key that waits for the next start); ORIEL_EINVAL (a wrong file);
 * ORIEL_EBUSY (receivers of earlier changes are still being sent to); what opening an outlet
 * answers; ORIEL_ETIMEOUT. Any thread; not from signal handlers: on SIGHUP let a thread call it. */
ORIEL_EXPORT int oriel_reload(void);

/* What is told of this process with everything it says: the attribute `key` of its resource, as
 * "service.name" or "host.name", as text into `out` (cut to `size`, then with its NUL). Its length,
 * which is `size` or more where it was cut; ORIEL_ENOTFOUND (no such attribute, or oriel_start did
 * not start the export: under `oriel record` the recorder knows); ORIEL_EINVAL. Attributes of a
 * cloud come a little later than the others. Any thread; not from signal handlers. */
ORIEL_EXPORT int oriel_resource_get(const char *key, char *out, size_t size);

/* Attach to a region that somebody else made and reads. 0, ORIEL_ENOTFOUND,
 * ORIEL_EFORMAT, ORIEL_EVERSION, ORIEL_ESTATE (attached). */
ORIEL_EXPORT int oriel_attach(const char *ring_path);
/* True while records are kept. */
ORIEL_EXPORT bool oriel_enabled(void);

/* Which sites record: "LEVEL", "target=LEVEL", comma separated; the longest
 * matching target wins; levels trace debug info warn error fatal off. NULL
 * records everything. 0 or ORIEL_EINVAL (nothing changed). */
ORIEL_EXPORT int oriel_filter(const char *directives);

/* Ask the flight recorder to write what it holds. `reason` ends up in it. */
ORIEL_EXPORT void oriel_trigger(const char *reason);

/* Records lost in this process so far, by enum oriel_lost_cause. */
ORIEL_EXPORT void oriel_lost(uint64_t out[8]);
ORIEL_EXPORT const char *oriel_version(void);

#ifdef __cplusplus
}
#endif
#endif
