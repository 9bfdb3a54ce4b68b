/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The state of source/pprof, and how its tests feed it.
 */
#ifndef ORIEL_SOURCE_PPROF_PPROF_H
#define ORIEL_SOURCE_PPROF_PPROF_H

#include "source/import.h"
#include "util/pb.h"

enum { PPROF_TYPES_MAX = 32 };

/* What a column of values becomes. */
struct pprof_column {
    uint64_t type, unit; /* numbers of texts */
    uint8_t kind;        /* 0: left out */
    bool is_count;       /* of the samples of its kind, else their weight */
    uint64_t scale;      /* into the unit of the kind */
};
struct pprof_function {
    uint32_t name, linkage, file, start_line; /* numbers of texts */
};
struct pprof_source {
    struct import import;
    VEC(struct model_str) texts;
    VEC(struct pprof_function) functions;
    VEC(uint32_t) modules, places; /* of the catalog; places + 1, 0 none */
    struct map function_by_id, module_by_id, place_by_id;
    VEC(uint64_t) ids;
    struct pprof_column columns[PPROF_TYPES_MAX];
    uint32_t column_count, unknown;
    uint64_t time_ns, period, period_type, period_unit, default_type;
    uint64_t skipped; /* values of columns that are left out */
};

extern const struct source source_pprof;

#endif
