/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Output files: opened so that nothing planted at the path is followed or
 * overwritten, and rotated. Directories on the way are made for the owner
 * only. One thread per out.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "util/out_fd.h"

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* What stands at the path already must be a plain file of ours, or a device. */
static int check_existing(int fd, const char *path, struct oriel_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, errno, "%s", path);
    if (S_ISCHR(st.st_mode))
        return 0;
    if (!S_ISREG(st.st_mode))
        return err_set(err, ORIEL_EPERM, "%s: not a plain file; choose another path", path);
    if (st.st_uid != geteuid())
        return err_set(err, ORIEL_EPERM, "%s: belongs to another user; remove it first", path);
    if (st.st_nlink > 1)
        return err_set(err, ORIEL_EPERM, "%s: has other names (hard links); remove it first", path);
    return 0;
}

enum how { EMPTY = 0, KEEP = 1, LOG = 2 };

/* Descriptor of a file that did not exist, or exists and may be used; a code.
 * A log is shared with whoever else appends to it; other files are read back
 * and corrected by the formats in them. */
static int open_target(const char *path, enum how how, struct oriel_err *err)
{
    int flags = O_NONBLOCK | (how == LOG ? O_WRONLY | O_APPEND : O_RDWR);
    for (int tries = 0; tries < 3; tries++) {
        int fd = open_retry(path, flags | O_CREAT | O_EXCL, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return err_set_errno(err, errno, "%s", path);
        fd = open_retry(path, flags, 0);
        if (fd < 0 && errno == ENOENT)
            continue; /* gone since; or a dangling link: then ELOOP */
        if (fd < 0 && errno == ELOOP)
            return err_set(err, ORIEL_EPERM, "%s: is a symbolic link; remove it first", path);
        if (fd < 0 && errno == ENXIO)
            return err_set(err, ORIEL_EPERM, "%s: is a FIFO or socket; choose another path", path);
        if (fd < 0)
            return err_set_errno(err, errno, "%s", path);
        int rc = check_existing(fd, path, err);
        if (rc == 0 && how == EMPTY && ftruncate(fd, 0) != 0 && errno != EINVAL)
            rc = err_set_errno(err, errno, "%s", path); /* EINVAL: a device */
        if (rc == 0)
            return fd;
        close(fd);
        return rc;
    }
    return err_set(err, ORIEL_EBUSY, "%s: appears and disappears", path);
}

static int make_parents(const char *path, struct oriel_err *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    return out_make_dir(dir, false, err);
}

static int check_path(const char *path, struct oriel_err *err)
{
    if (!path[0])
        return err_set(err, ORIEL_EINVAL, "no output path given");
    if (strlen(path) >= sizeof((struct out *)0)->path - 12) /* room for ".4294967295" */
        return err_set(err, ORIEL_EINVAL, "%.60s...: path too long", path);
    return 0;
}

/* The checks and the directories, then the file; a descriptor or a code. */
static int open_path(const char *path, enum how how, struct oriel_err *err)
{
    int rc = check_path(path, err);
    if (rc == 0)
        rc = make_parents(path, err);
    return rc == 0 ? open_target(path, how, err) : rc;
}

int out_file_open(struct out **out, const char *path, bool append, struct oriel_err *err)
{
    int rc, kept = errno;
    if (strcmp(path, "-") == 0) {
        rc = out_fd_open(out, STDOUT_FILENO, "-");
    } else {
        rc = open_path(path, append ? KEEP : EMPTY, err);
        if (rc < 0)
            goto out;
        /* Says that somebody writes here, to whoever wants to remove it; refused, it is
         * nobody's concern. */
        (void)flock(rc, LOCK_SH | LOCK_NB);
        rc = out_fd_make_file(out, rc, path);
    }
    if (rc != 0)
        err_set(err, rc, "%s: %s", path, err_text(rc));
out:
    errno = kept;
    return rc;
}

/* ---- directories ---- */

/* 1 made, 0 was there, or a code. */
static int make_one(const char *path, struct oriel_err *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return 1;
    int e = errno;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return err_set(err, ORIEL_EPERM, "%s: is not a directory", path);
    }
    return err_set_errno(err, e, "%s: cannot make this directory", path);
}

static int write_ignore_file(const char *dir, struct oriel_err *err)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/.gitignore", dir);
    int fd = open_retry(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : err_set_errno(err, errno, "%s", path);
    ssize_t n = write(fd, "*\n", 2);
    int e = n < 0 ? errno : ENOSPC;
    close(fd);
    return n == 2 ? 0 : err_set_errno(err, e, "%s", path);
}

int out_make_dir(const char *path, bool ignore, struct oriel_err *err)
{
    char dir[PATH_MAX];
    size_t n = strlen(path);
    int kept = errno, rc = 0;
    if (n == 0 || n >= sizeof dir)
        return err_set(err, ORIEL_EINVAL, "%.60s: not a usable path", path);
    memcpy(dir, path, n + 1);
    while (n > 1 && dir[n - 1] == '/')
        dir[--n] = 0;
    for (size_t i = 1; i <= n && rc >= 0; i++) {
        if (i < n && dir[i] != '/')
            continue;
        char c = dir[i];
        dir[i] = 0;
        if (dir[i - 1] != '/')
            rc = make_one(dir, err);
        dir[i] = c;
    }
    if (rc == 1 && ignore)
        rc = write_ignore_file(dir, err);
    errno = kept;
    return rc < 0 ? rc : 0;
}

int out_check_dir(const char *path, struct oriel_err *err)
{
    char at[PATH_MAX];
    struct stat st;
    size_t n = strlen(path);
    int kept = errno, rc = 0;
    if (n == 0 || n >= sizeof at)
        return err_set(err, ORIEL_EINVAL, "%.60s: not a usable path", path);
    memcpy(at, path, n + 1);
    /* The nearest one that is there has to let the others be made. */
    while (stat(at, &st) != 0 && errno == ENOENT && strcmp(at, ".") != 0) {
        char *slash = strrchr(at, '/');
        if (!slash)
            memcpy(at, ".", 2);
        else
            slash[slash == at] = 0;
    }
    if (stat(at, &st) != 0)
        rc = err_set_errno(err, errno, "%s: cannot make this directory", path);
    else if (!S_ISDIR(st.st_mode))
        rc = err_set(err, ORIEL_EPERM, "%s: is not a directory", at);
    else if (faccessat(AT_FDCWD, at, W_OK | X_OK, AT_EACCESS) != 0)
        rc = err_set_errno(err, errno, "%s: cannot be written to", at);
    errno = kept;
    return rc;
}

/* ---- rotation ---- */

struct out_rotating {
    struct out_fd fd;
    uint64_t max_bytes;
    unsigned keep;
};

static void numbered(char *out, size_t n, const char *path, unsigned i)
{
    if (i == 0)
        snprintf(out, n, "%s", path);
    else
        snprintf(out, n, "%s.%u", path, i);
}

/* path.(keep-1) -> path.keep, ..., path -> path.1; a link planted there is
 * replaced, not followed. */
static int shift_files(const char *path, unsigned keep)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (keep == 0)
        return unlink(path) == 0 || errno == ENOENT ? 0 : ORIEL_EIO;
    for (unsigned i = keep; i-- > 0;) {
        numbered(from, sizeof from, path, i);
        numbered(to, sizeof to, path, i + 1);
        if (rename(from, to) != 0 && errno != ENOENT)
            return ORIEL_EIO;
    }
    return 0;
}

static int rotate(struct out_rotating *r)
{
    int rc = shift_files(r->fd.base.path, r->keep);
    if (rc != 0)
        return rc;
    int fd = open_target(r->fd.base.path, LOG, NULL);
    if (fd < 0)
        return fd;
    if (out_fd_is_ours(&r->fd))
        close(r->fd.fd);
    r->fd.fd = fd;
    out_fd_know(&r->fd);
    r->fd.base.bytes = 0;
    return 0;
}

static int rotating_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct out_rotating *r = (struct out_rotating *)o;
    if (o->bytes > 0 && n > r->max_bytes - (o->bytes < r->max_bytes ? o->bytes : r->max_bytes)) {
        int kept = errno, rc = rotate(r);
        errno = kept;
        if (rc != 0)
            return rc;
    }
    return out_fd_write(o, bytes, n, out_written);
}

static void rotating_close(struct out *o)
{
    struct out_rotating *r = (struct out_rotating *)o;
    if (out_fd_is_ours(&r->fd))
        close(r->fd.fd);
}

static int make_rotating(struct out **out, int fd, const struct out_rotating *init,
                         const char *path)
{
    static const struct out_ops ops = {
        .write = rotating_write, .sync = out_fd_sync, .close = rotating_close};
    struct out *plain;
    struct stat st;
    struct out_rotating *r = mem_alloc(sizeof *r);
    if (!r)
        close(fd);
    if (!r || out_fd_make(&plain, fd, true, path) != 0) {
        mem_free(r);
        return ORIEL_ENOMEM;
    }
    *r = *init;
    r->fd = *(struct out_fd *)plain; /* takes its descriptor over */
    mem_free(plain);
    r->fd.base.ops = &ops;
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        r->fd.base.bytes = (uint64_t)st.st_size;
    *out = &r->fd.base;
    return 0;
}

int out_rotating_open(struct out **out, const char *path, uint64_t max_bytes, unsigned keep,
                      struct oriel_err *err)
{
    const struct out_rotating init = {.max_bytes = max_bytes, .keep = keep};
    int kept = errno;
    if (max_bytes == 0 || strcmp(path, "-") == 0)
        return err_set(err, ORIEL_EINVAL, "%s: a rotated file needs a path and a size limit", path);
    int rc = open_path(path, LOG, err);
    if (rc >= 0) {
        rc = make_rotating(out, rc, &init, path);
        if (rc != 0)
            err_set(err, rc, "%s: %s", path, err_text(rc));
    }
    errno = kept;
    return rc;
}
