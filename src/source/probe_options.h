/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What source/probe watches: functions as spans, USDT marks, lines and kernel
 * tracepoints as events. Made by whoever knows the files (see symbol/points.h).
 */
#ifndef ORIEL_SOURCE_PROBE_OPTIONS_H
#define ORIEL_SOURCE_PROBE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "source/source.h"

enum probe_role { PROBE_EVENT = 0, PROBE_BEGIN = 1, PROBE_END = 2 };

struct probe_field {
    const char *name;
    uint8_t type; /* enum oriel_type: I64, U64, PTR, STR, BOOL */
};
/* What is said when one of its places is reached. */
struct probe_def {
    const char *name, *target, *file, *function; /* file, function: may be "" */
    uint32_t line;
    bool span;                        /* from a PROBE_BEGIN to a PROBE_END */
    const struct probe_field *fields; /* the nth is fetched as "fN" by its places */
    uint32_t field_count;
    uint8_t result;         /* enum oriel_type of the "r" that a PROBE_END fetches; 0 none */
    const char *tracepoint; /* "sched:sched_switch": its fields are the kernel's; else NULL */
};
/* Where the kernel stops the program. */
struct probe_place {
    uint32_t def;
    uint8_t role;               /* enum probe_role */
    bool returns;               /* PROBE_END by the return address, which exceptions cannot pass */
    const char *path;           /* object file; NULL for a tracepoint */
    uint64_t offset, semaphore; /* in the file; semaphore 0: none */
    const char *fetch;          /* "f0=%di:u64 f1=+0(%si):string", "" none; spans also "sp" */
};
struct probe_ability {
    bool works;
    bool lower_bound;      /* this kernel may keep hits to itself where threads end (before 6.13) */
    uint64_t lost;         /* hits that found no room in the kernel's buffer, or are missing */
    uint64_t room_bytes;   /* of that buffer, for each CPU */
    uint64_t missing_hits; /* of these: the kernel counted them, and told neither them nor a loss */
    char missing[256];     /* one line: why nothing is seen and what works instead */
};
struct probe_options {
    int32_t pid;                  /* stopped before its exec, or running */
    bool running;                 /* it runs already: each of its threads is watched */
    const struct probe_def *defs; /* these and all they point to live as long as the source */
    uint32_t def_count;
    const struct probe_place *places;
    uint32_t place_count;
    uint64_t ring_bytes; /* of the kernel's buffer for each CPU, rounded up to a power of two; 0: 4
                            MiB */
    struct probe_ability *ability; /* filled in, also on failure; may be NULL */
};
enum { PROBE_DEFS_MAX = 2000, PROBE_PLACES_MAX = 16384 };

/* Events of the kernel that recorders left which were killed: remove them. They hurt nobody,
 * as no program stops at them any more. Does nothing without the rights to tracefs. */
void probe_sweep(void);

/* Beside the first source of a session; its options are a struct probe_options. */
extern const struct source source_probe;

#endif
