/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Outs over memory and over descriptors. A write to a pipe nobody reads, or
 * beyond the file size limit, would raise a signal that ends the program; both
 * signals are held back around every write. A reader that sleeps is waited for
 * as long as patience_ms says. One thread per out.
 */
#include "util/out.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "util/out_fd.h"
#include "util/tty.h"

enum { PATIENCE_MS = 10000, SMALL_PIECE = 512 };

int out_write(struct out *o, const void *bytes, size_t n)
{
    size_t written = 0;
    if (o->failed || n == 0)
        return o->failed;
    o->failed = o->ops->write(o, bytes, n, &written);
    assert(written <= n && (written == n || o->failed));
    o->bytes += written;
    return o->failed;
}

int out_write_buf(struct out *o, struct buf *b)
{
    if (b->failed && !o->failed)
        o->failed = ORIEL_ENOMEM;
    int rc = out_write(o, b->data, b->size);
    buf_clear(b);
    return rc;
}

int out_sync(struct out *o)
{
    if (!o->failed)
        o->failed = o->ops->sync(o);
    return o->failed;
}

bool out_takes_messages(const struct out *o)
{
    return o->ops->message != NULL;
}

int out_message(struct out *o, const struct out_message *m)
{
    assert(m->signal < OUT_SIGNALS);
    if (!out_takes_messages(o))
        return out_write(o, m->bytes, m->n);
    int rc = o->ops->message(o, m);
    o->bytes += rc == 0 ? m->n : 0;
    return rc;
}

int out_finish(struct out *o, uint64_t deadline_ns, bool wait)
{
    if (out_takes_messages(o))
        return o->ops->finish(o, deadline_ns, wait);
    return wait ? out_sync(o) : 0;
}

void out_fate(struct out *o, struct out_fate *out)
{
    *out = (struct out_fate){0};
    if (out_takes_messages(o))
        o->ops->fate(o, out);
}

bool out_can_seek(const struct out *o)
{
    return o->ops->write_at != NULL;
}

int out_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    if (!out_can_seek(o))
        return ORIEL_EUNSUPPORTED;
    if (offset > o->bytes || n > o->bytes - offset)
        return ORIEL_EINVAL;
    return n ? o->ops->write_at(o, offset, bytes, n) : 0;
}

int out_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read)
{
    if (!out_can_seek(o))
        return ORIEL_EUNSUPPORTED;
    return o->ops->read_at(o, offset, bytes, n, out_read);
}

int out_truncate(struct out *o, uint64_t size)
{
    if (!out_can_seek(o))
        return ORIEL_EUNSUPPORTED;
    if (size > o->bytes)
        return ORIEL_EINVAL;
    int rc = o->ops->truncate(o, size);
    if (rc == 0) {
        o->bytes = size;
        o->failed = 0;
    }
    return rc;
}

void out_close(struct out *o)
{
    if (!o)
        return;
    o->ops->close(o);
    mem_free(o);
}

/* ---- memory ---- */

struct out_memory {
    struct out base;
    struct buf *target;
};

static int memory_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct buf *b = ((struct out_memory *)o)->target;
    buf_put(b, bytes, n);
    if (b->failed)
        return ORIEL_ENOMEM;
    *out_written = n;
    return 0;
}

static int memory_sync(struct out *o)
{
    (void)o;
    return 0;
}

static void memory_close(struct out *o)
{
    (void)o;
}

static int memory_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    struct buf *b = ((struct out_memory *)o)->target;
    if (offset > b->size || n > b->size - offset)
        return ORIEL_EINVAL;
    memcpy(b->data + offset, bytes, n);
    return 0;
}

static int memory_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read)
{
    const struct buf *b = ((struct out_memory *)o)->target;
    size_t left = offset < b->size ? b->size - (size_t)offset : 0;
    *out_read = n < left ? n : left;
    if (*out_read)
        memcpy(bytes, b->data + offset, *out_read);
    return 0;
}

static int memory_truncate(struct out *o, uint64_t size)
{
    struct buf *b = ((struct out_memory *)o)->target;
    if (size > b->size)
        return ORIEL_EINVAL;
    b->size = (size_t)size;
    b->failed = false;
    return 0;
}

int out_buf_open(struct out **out, struct buf *target)
{
    static const struct out_ops ops = {.write = memory_write,
                                       .sync = memory_sync,
                                       .close = memory_close,
                                       .write_at = memory_write_at,
                                       .read_at = memory_read_at,
                                       .truncate = memory_truncate};
    struct out_memory *m = mem_calloc(1, sizeof *m);
    if (!m)
        return ORIEL_ENOMEM;
    m->base.ops = &ops;
    m->base.bytes = target->size;
    m->target = target;
    *out = &m->base;
    return 0;
}

/* ---- descriptors ---- */

/* Holds SIGPIPE and SIGXFSZ back on this thread; true for those that were
 * pending before, which are not ours to swallow. */
struct held {
    sigset_t signals, mask_before;
    bool pipe_pending, size_pending;
};

static void hold_signals(struct held *h)
{
    sigset_t pending;
    sigemptyset(&h->signals);
    sigaddset(&h->signals, SIGPIPE);
    sigaddset(&h->signals, SIGXFSZ);
    sigemptyset(&pending);
    sigpending(&pending);
    h->pipe_pending = sigismember(&pending, SIGPIPE) == 1;
    h->size_pending = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &h->signals, &h->mask_before);
}

/* Takes back the signal that a failed write left pending, then lets go. */
static void release_signals(struct held *h, int failure)
{
    const struct timespec now = {0, 0};
    int raised = failure == EPIPE && !h->pipe_pending   ? SIGPIPE
                 : failure == EFBIG && !h->size_pending ? SIGXFSZ
                                                        : 0;
    if (raised) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, raised);
        while (sigtimedwait(&one, NULL, &now) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &h->mask_before, NULL);
}

void out_fd_know(struct out_fd *f)
{
    struct stat st = {0};
    (void)fstat(f->fd, &st);
    f->dev = st.st_dev;
    f->ino = st.st_ino;
}

/* Daemons close all descriptors they find; what has the number then is theirs. */
bool out_fd_is_ours(const struct out_fd *f)
{
    struct stat st;
    return !f->owned || (fstat(f->fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino);
}

static ssize_t write_once(const struct out_fd *f, const char *p, size_t n, uint64_t offset)
{
    if (f->socket)
        return send(f->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (f->positional)
        return pwrite(f->fd, p, n, (off_t)offset);
    return write(f->fd, p, n);
}

/* Waits for room. 0; ETIMEDOUT when there is none in time. */
static int wait_for_room(int fd, int patience_ms)
{
    uint64_t start = clock_mono_ns();
    for (;;) {
        struct pollfd p = {fd, POLLOUT, 0};
        int left = patience_ms;
        if (patience_ms >= 0) {
            uint64_t waited_ms = (clock_mono_ns() - start) / 1000000u;
            left = waited_ms < (uint64_t)patience_ms ? patience_ms - (int)waited_ms : 0;
        }
        int rc = poll(&p, 1, left);
        if (rc > 0)
            return 0; /* room, or an error that the write will tell */
        if (rc == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

/* Writes all of it, where it matters at `offset`; 0 or an errno value. */
static int write_all(const struct out_fd *f, uint64_t offset, const char *p, size_t n,
                     size_t *out_written)
{
    if (!out_fd_is_ours(f)) {
        *out_written = 0;
        return EBADF;
    }
    bool nonblocking = f->regular || f->socket || (fcntl(f->fd, F_GETFL) & O_NONBLOCK);
    size_t at = 0;
    int e = 0;
    while (at < n && e == 0) {
        size_t piece = n - at;
        if (!nonblocking) {
            /* With room for one byte a pipe takes a page, a terminal some. */
            if (piece > SMALL_PIECE)
                piece = SMALL_PIECE;
            e = wait_for_room(f->fd, f->base.patience_ms);
            if (e)
                break;
        }
        ssize_t got = write_once(f, p + at, piece, offset + at);
        if (got > 0)
            at += (size_t)got;
        else if (got == 0)
            e = ENOSPC; /* a file that takes nothing and says nothing */
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            e = wait_for_room(f->fd, f->base.patience_ms);
        else if (errno != EINTR)
            e = errno;
    }
    *out_written = at;
    return e;
}

static int code_of(int e)
{
    switch (e) {
    case 0:
        return 0;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ORIEL_ENOSPC;
    case ETIMEDOUT:
        return ORIEL_EBUSY;
    default:
        return ORIEL_EIO;
    }
}

static int write_held(const struct out_fd *f, uint64_t offset, const void *bytes, size_t n,
                      size_t *out_written)
{
    struct held held;
    int kept = errno;
    hold_signals(&held);
    int e = write_all(f, offset, bytes, n, out_written);
    release_signals(&held, e);
    errno = kept;
    return code_of(e);
}

int out_fd_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    return write_held((const struct out_fd *)o, o->bytes, bytes, n, out_written);
}

static int file_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    size_t written;
    return write_held((const struct out_fd *)o, offset, bytes, n, &written);
}

static int file_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read)
{
    const struct out_fd *f = (const struct out_fd *)o;
    int kept = errno, e = 0;
    size_t at = 0;
    while (at < n && e == 0) {
        ssize_t got = pread(f->fd, (char *)bytes + at, n - at, (off_t)(offset + at));
        if (got == 0)
            break;
        if (got > 0)
            at += (size_t)got;
        else if (errno != EINTR)
            e = errno;
    }
    *out_read = at;
    errno = kept;
    return code_of(e);
}

static int file_truncate(struct out *o, uint64_t size)
{
    const struct out_fd *f = (const struct out_fd *)o;
    int rc, kept = errno;
    if (!out_fd_is_ours(f))
        return ORIEL_ECLOSED;
    do
        rc = ftruncate(f->fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    int e = rc ? errno : 0;
    errno = kept;
    return code_of(e);
}

int out_fd_sync(struct out *o)
{
    const struct out_fd *f = (const struct out_fd *)o;
    int rc, kept = errno;
    if (!f->regular || !out_fd_is_ours(f))
        return 0;
    do
        rc = fdatasync(f->fd);
    while (rc != 0 && errno == EINTR);
    int e = rc ? errno : 0;
    errno = kept;
    return code_of(e);
}

static void fd_close(struct out *o)
{
    struct out_fd *f = (struct out_fd *)o;
    if (f->owned && out_fd_is_ours(f))
        close(f->fd);
}

static bool wants_colour(int fd)
{
    struct tty tty;
    tty_look(&tty, fd, TTY_AUTO);
    return tty.terminal && tty.colour;
}

static int make(struct out **out, const struct out_ops *ops, const struct out_fd *init,
                const char *name)
{
    struct stat st;
    struct out_fd *f = mem_calloc(1, sizeof *f);
    if (!f) {
        if (init->owned)
            close(init->fd);
        return ORIEL_ENOMEM;
    }
    *f = *init;
    f->base.ops = ops;
    f->base.patience_ms = PATIENCE_MS;
    out_fd_know(f);
    if (fstat(f->fd, &st) == 0) {
        f->regular = S_ISREG(st.st_mode);
        f->socket = S_ISSOCK(st.st_mode);
        f->base.colour = S_ISCHR(st.st_mode) && wants_colour(f->fd);
        if (f->positional)
            f->base.bytes = (uint64_t)st.st_size;
    }
    snprintf(f->base.path, sizeof f->base.path, "%s", name);
    *out = &f->base;
    return 0;
}

int out_fd_make(struct out **out, int fd, bool owned, const char *name)
{
    static const struct out_ops ops = {
        .write = out_fd_write, .sync = out_fd_sync, .close = fd_close};
    return make(out, &ops, &(struct out_fd){.fd = fd, .owned = owned}, name);
}

int out_fd_make_file(struct out **out, int fd, const char *name)
{
    static const struct out_ops ops = {.write = out_fd_write,
                                       .sync = out_fd_sync,
                                       .close = fd_close,
                                       .write_at = file_write_at,
                                       .read_at = file_read_at,
                                       .truncate = file_truncate};
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return out_fd_make(out, fd, true, name);
    return make(out, &ops, &(struct out_fd){.fd = fd, .owned = true, .positional = true}, name);
}

/* A description of our own of a pipe or terminal, which may be non-blocking
 * without making everybody else's so; -1 where that cannot be had. */
static int reopen_nonblocking(int fd)
{
    char path[32];
    struct stat st;
    if (fstat(fd, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int out_fd_open(struct out **out, int fd, const char *name)
{
    int kept = errno, own = reopen_nonblocking(fd);
    int rc = out_fd_make(out, own >= 0 ? own : fd, own >= 0, name);
    errno = kept;
    return rc;
}
