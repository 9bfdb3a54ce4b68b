/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files that only we can read, read into memory of secrets. What is checked is
 * the open file, so that nobody can exchange it in between.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/provider.h"

static int judge(const struct stat *st, const char *path, bool lent, struct oriel_err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ORIEL_EPERM, "%s: not a regular file", path);
    if (st->st_uid != geteuid() && !(lent && st->st_uid == 0))
        return err_set(err, ORIEL_EPERM, "%s: belongs to somebody else", path);
    if (st->st_mode & (lent ? 027 : 077))
        return err_set(err, ORIEL_EPERM,
                       "%s: others may read or change it (mode %03o); give it to its owner alone: "
                       "chmod 600",
                       path, (unsigned)st->st_mode & 0777);
    if (st->st_size > (off_t)SECRET_MAX)
        return err_set(err, ORIEL_ELIMIT, "%s: larger than %zu bytes", path, SECRET_MAX);
    return 0;
}

int vault_open_private(const char *path, bool lent, int *out_fd, struct oriel_err *err)
{
    struct stat st;
    assert(path && out_fd);
    /* A pipe in its place must not make anybody wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return err_set(err, ORIEL_EPERM, "%s: is a link; name the file itself", path);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    int rc =
        fstat(fd, &st) == 0 ? judge(&st, path, lent, err) : err_set_errno(err, errno, "%s", path);
    if (rc != 0)
        close(fd);
    else
        *out_fd = fd;
    return rc;
}

static int read_fd(int fd, const char *path, bool trim, struct secret *out, struct oriel_err *err)
{
    struct secret s;
    int rc = secret_open(&s, SECRET_MAX);
    if (rc != 0)
        return err_set(err, rc, "%s: %s", path, err_text(rc));
    for (;;) {
        ssize_t n = read(fd, s.p + s.n, s.capacity - s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set_errno(err, errno, "%s", path);
        if (n <= 0)
            break;
        s.n += (size_t)n;
    }
    while (trim && s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    s.p[s.n] = 0;
    if (rc != 0)
        secret_close(&s);
    else
        *out = s;
    return rc;
}

int vault_read_private(const char *path, bool lent, bool trim, struct secret *out,
                       struct oriel_err *err)
{
    int fd, rc = vault_open_private(path, lent, &fd, err);
    if (rc != 0)
        return rc;
    rc = read_fd(fd, path, trim, out, err);
    close(fd);
    return rc;
}
