/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The front of the search for probe points: opens the file, has the confined
 * child read it, checks the answer. One thread per struct symbols.
 */
#include "symbol/points.h"

#include <assert.h>
#include <unistd.h>

#include "symbol/child.h"
#include "symbol/inside.h"
#include "symbol/points_job.h"

int points_find(struct symbols *s, const char *path, const struct points_query *query,
                struct points *out, struct oriel_err *err)
{
    struct child_outcome outcome = {0};
    struct oriel_err why = {0};
    struct points p = {0};
    assert(s && path && query && out);
    struct finder *finder = symbols_finder(s);
    const struct child_options options = {.timeout_ms = finder->options->timeout_ms,
                                          .memory_bytes = finder->options->memory_bytes,
                                          .open = finder_open,
                                          .ctx = finder,
                                          .run = points_job,
                                          .how = query};
    int fd = finder_open_file(path);
    if (fd < 0)
        return err_set(err, ORIEL_ENOTFOUND, "%s: cannot be read", path);
    buf_init(&p.image);
    int rc = finder_start(finder, path);
    if (rc == 0)
        rc = child_run(fd, (struct bytes){NULL, 0}, (struct asked){NULL, 0}, &options, &p.image,
                       &outcome, &why);
    close(fd);
    if (rc == 0)
        rc = outcome.code;
    if (rc == 0 && points_open(&p) < 0)
        rc = err_set(&why, ORIEL_EDAMAGED, "made its reader talk nonsense: not used");
    if (rc < 0) {
        buf_done(&p.image);
        return err_set(err, rc, "%.300s: %.180s", path,
                       why.text[0]              ? why.text
                       : outcome.result.note[0] ? outcome.result.note
                                                : err_text(rc));
    }
    memcpy(p.note, outcome.result.note, sizeof p.note);
    *out = p;
    return 0;
}

void points_done(struct points *p)
{
    buf_done(&p->image);
    memset(p, 0, sizeof *p);
}
