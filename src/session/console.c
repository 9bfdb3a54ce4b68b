/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An out over descriptor 1 that looks before each write whether that is still the
 * same file: descriptor 1 is the program's, to be closed and used for something
 * else at any time. The drain thread only.
 */
#include "session/console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct console {
    struct out base;
    struct out *inner;
    dev_t device;
    ino_t file;
};

static bool is_same(const struct console *c)
{
    struct stat st;
    return fstat(STDOUT_FILENO, &st) == 0 && st.st_dev == c->device && st.st_ino == c->file;
}

static int write_there(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct console *c = (struct console *)o;
    if (!is_same(c))
        return ORIEL_ECLOSED;
    const uint64_t before = c->inner->bytes;
    int rc = out_write(c->inner, bytes, n);
    *out_written = (size_t)(c->inner->bytes - before);
    return rc;
}

/* A terminal and a pipe have nothing to be made sure of, and a file is the program's. */
static int sync_nothing(struct out *o)
{
    return o->failed;
}

static void close_it(struct out *o)
{
    out_close(((struct console *)o)->inner);
}

int console_open(struct out **out, struct oriel_err *err)
{
    static const struct out_ops ops = {
        .write = write_there, .sync = sync_nothing, .close = close_it};
    struct stat st;
    /* Where there was none at the start, a file of ours may have got the number: ours all end with
     * exec, which standard output never does. */
    const int flags = fcntl(STDOUT_FILENO, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) || fstat(STDOUT_FILENO, &st) < 0)
        return err_set(err, ORIEL_ECLOSED, "there is no standard output to write telemetry to");
    struct console *c = mem_calloc(1, sizeof *c);
    int rc = c ? out_fd_open(&c->inner, STDOUT_FILENO, "-") : ORIEL_ENOMEM;
    if (rc < 0) {
        mem_free(c);
        return err_set(err, rc, "standard output: %s", err_text(rc));
    }
    c->base.ops = &ops;
    c->base.colour = c->inner->colour;
    memcpy(c->base.path, "-", 2);
    c->device = st.st_dev;
    c->file = st.st_ino;
    *out = &c->base;
    return 0;
}
