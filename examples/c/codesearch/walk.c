/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding the files: a walk over the tree that hands every regular file of a
 * sensible size to the workers.
 */
#define ORIEL_TARGET "codesearch.walk"
#include "codesearch.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <oriel/oriel.h>

enum { FILE_BYTES_MAX = 4 << 20 };

int walk(const char *directory, struct queue *paths)
{
    ORIEL_SPAN("walk", "directory", directory);
    char *roots[] = {(char *)directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    uint64_t task = 0;
    if (!tree) {
        fprintf(stderr, "codesearch: %s: %s\n", directory, strerror(errno));
        return -1;
    }
    for (FTSENT *e; (e = fts_read(tree));) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
            ORIEL_WARN("cannot read", "path", e->fts_path, "errno", e->fts_errno);
            if (e->fts_level == 0) {
                fprintf(stderr, "codesearch: %s: %s\n", directory, strerror(e->fts_errno));
                fts_close(tree);
                return -1;
            }
            continue;
        }
        if (e->fts_info != FTS_F || e->fts_statp->st_size > FILE_BYTES_MAX)
            continue;
        struct document *doc = calloc(1, sizeof *doc);
        if (!doc || !(doc->path = strdup(e->fts_path))) {
            free(doc);
            break;
        }
        doc->task = ++task;
        doc->file_bytes = (size_t)e->fts_statp->st_size;
        ORIEL_TASK(ORIEL_TASK_SPAWN, "index.file", doc->task, 0);
        queue_push(paths, doc);
    }
    fts_close(tree);
    ORIEL_INFO("walk finished", "files", task);
    return 0;
}
