/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files that others made (perf.data, pprof, perf script, folded stacks), as a
 * source. A confined child looks at the file, reads it, and writes what it read
 * as a capture; that one is what this process reads. One thread.
 *
 *   child:  source of that format -> outlet "capture" -> socket
 *   here:   socket -> memory -> source "file"
 */
#ifndef ORIEL_SESSION_FOREIGN_H
#define ORIEL_SESSION_FOREIGN_H

#include "source/source.h"

/* The source for a file whose path is given to `open`: that of captures if it begins
 * as one or is no file that can be read, which then says why; else the foreign one. */
const struct source *foreign_source(const char *path);

/* What a child may use. By default, for a file of so many bytes: */
struct foreign_limits {
    uint32_t cpu_ms;       /* 20 s, and 1 s for each MiB */
    uint32_t timeout_ms;   /* six times that, for a machine that is busy */
    uint64_t memory_bytes; /* 1 GiB, and eight times the file */
    uint64_t told_bytes;   /* of capture: 64 MiB, and sixteen times the file, up to 4 GiB */
};
void foreign_limits_for(uint64_t file_bytes, struct foreign_limits *out);

/* Read the file in a child by `reader`, or by the source that knows it if NULL, into
 * memory. 0 with a capture in *out_fd, which the caller closes, and *damage as the
 * reader tells it; ORIEL_ENOTFOUND: no source knows it; else a code with a line. */
int foreign_read(int fd, const char *path, const struct source *reader,
                 const struct foreign_limits *limits, int *out_fd, struct source_damage *damage,
                 struct oriel_err *err);

#endif
