/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which places of unmodified binaries a program reaches: a breakpoint at each,
 * taken away when it is reached first, so that it costs nothing afterwards. The
 * program runs as a traced child; its children, threads and what it executes
 * are followed. Uses signal handlers, so one at a time.
 */
#ifndef ORIEL_CLI_COV_TRACE_H
#define ORIEL_CLI_COV_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct trace_spot {
    uint64_t offset;   /* in the file; an instruction begins there */
    uint32_t original; /* what stands there; known once it was patched */
    bool known, unusable, hit;
};
/* An executable or a library. Spots by offset, each once. */
struct trace_object {
    dev_t dev;
    ino_t ino;
    struct trace_spot *spots;
    size_t count;
    uint64_t placed; /* in how many processes they were set */
};

struct trace {
    struct trace_object *objects;
    size_t count;
    bool libraries; /* some may be libraries: look again when the loader is done */
    uint64_t hits;
    uint64_t left;   /* processes that go on without us */
    bool incomplete; /* there was no memory to look at all */
};

/* Run the program (`path`, argv) until it is over. 0 with its wait status; ORIEL_EPERM (may
 * not be traced), ORIEL_ENOTFOUND, ORIEL_EUNSUPPORTED (another architecture), ORIEL_EIO or
 * ORIEL_ENOMEM with a line, and then nothing ran. Processes it leaves behind are let go,
 * unharmed. */
int trace_run(struct trace *t, const char *path, char *const argv[], int *out_status,
              struct oriel_err *err);

#endif
