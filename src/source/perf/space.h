/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who has what mapped where: one address space per process, kept up to date by
 * the kernel's records, and the object files in them, opened once each. Turns
 * a sample's registers and stack into a stack of the model.
 */
#ifndef ORIEL_SOURCE_PERF_SPACE_H
#define ORIEL_SOURCE_PERF_SPACE_H

#include "base/map.h"
#include "base/vec.h"
#include "model/catalog.h"
#include "source/perf/deeper.h"
#include "source/perf/perf.h"
#include "source/source.h"
#include "unwind/modules.h"

#define SPACE_FRAMES_MAX 512u

struct space_file {
    struct model_module *module;
    struct unwind_file *file; /* NULL: it could not be opened */
    uint32_t hits;            /* walks that met it before its rows were compiled */
};
struct space {
    int32_t pid;
    bool failed; /* something of its mappings is not known */
    struct unwind_modules modules;
};
/* A stack that was walked, innermost first: most of the next one is the same. */
struct space_stack {
    const struct space *of;
    uint32_t count, interrupted;
    uint64_t pcs[SPACE_FRAMES_MAX];
    uint32_t nodes[SPACE_FRAMES_MAX]; /* of the catalog, up to there from the start */
};
struct space_counts {
    uint64_t walks, frames;
    uint64_t ends[UNWIND_END_COUNT]; /* why walks ended */
    uint64_t deep;                   /* walks that asked for what lies below the copy */
    uint64_t read_live;              /* and found it */
    enum unwind_end last;            /* why the last one ended */
};

struct spaces {
    struct model_catalog *catalog;
    struct map by_pid;      /* -> struct space * */
    struct map file_by_key; /* module index -> index + 1 in files */
    VEC(struct space_file) files;
    struct deep_stacks deep;
    struct space *last;       /* asked for most lately */
    uint32_t kernel, unknown; /* modules; UINT32_MAX not made yet */
    /* Of this file: no process that runs now is one of these. NULL: they run. */
    const struct source_bytes *past;
    struct space_counts counts;
    uint64_t pcs[SPACE_FRAMES_MAX];
    struct space_stack before; /* the walk before this one */
};

void spaces_init(struct spaces *s, struct model_catalog *catalog);
void spaces_done(struct spaces *s);
/* The mappings that a process has now, from /proc: for programs that run. */
int spaces_read(struct spaces *s, int32_t pid);
/* What the records say. Others are passed over. */
void spaces_record(struct spaces *s, const struct perf_record *r);
/* The stack of a sample as a node of the catalog; 0: unknown. out_depth (or
 * NULL): how many bytes the thread's stack holds; 0 where the walk did not reach
 * its start. */
uint32_t spaces_stack(struct spaces *s, const struct perf_record *sample, uint64_t *out_depth);
/* The stack of a thread that does not run, read from its process: pc and sp are
 * all that is known. 0: unknown. */
uint32_t spaces_stack_still(struct spaces *s, int32_t pid, uint64_t pc, uint64_t sp);
/* A stack that is one name, for what has no place: "[program redis-cli]". */
uint32_t spaces_stack_named(struct spaces *s, const char *name);
/* What the kernel did in a sample, on top of a stack. */
uint32_t spaces_stack_on(struct spaces *s, uint32_t parent, const struct perf_record *sample);
/* Is this one of the processes whose mappings are known? */
bool spaces_knows(struct spaces *s, int32_t pid);

#endif
