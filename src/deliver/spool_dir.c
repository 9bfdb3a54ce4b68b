/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names, locks and adoption. Every step is a single system call that one of
 * several processes wins: rename decides who adopts a file, the lock who lives.
 * Everything is opened below a descriptor of a directory that was checked.
 */
#include "deliver/spool_dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "util/kept.h"
#include "util/out.h"

enum { OWNERS_MAX = 64 };

/* ---- names ---- */

void spool_name_text(const struct spool_name *name, char out[SPOOL_NAME_MAX])
{
    snprintf(out, SPOOL_NAME_MAX, "%016" PRIx64 "-%" PRId32 "-%" PRIx64 "-%08" PRIx32 ".spool",
             name->created_ns, name->owner.pid, name->owner.start, name->owner.tag);
}

static void lock_name(const struct spool_owner *owner, char out[SPOOL_NAME_MAX])
{
    snprintf(out, SPOOL_NAME_MAX, "%" PRId32 "-%" PRIx64 "-%08" PRIx32 ".lock", owner->pid,
             owner->start, owner->tag);
}

/* A number and the character after it; *p moves behind both. */
static bool take_number(const char **p, int base, uint64_t most, char after, uint64_t *out)
{
    char *end;
    unsigned char c = (unsigned char)**p;
    if (!(c >= '0' && c <= '9') && !(base == 16 && c >= 'a' && c <= 'f'))
        return false; /* no sign, no blank */
    errno = 0;
    uint64_t v = strtoull(*p, &end, base);
    if (errno != 0 || v > most || *end != after)
        return false;
    *p = end + 1;
    *out = v;
    return true;
}

static bool take_owner(const char **p, struct spool_owner *out)
{
    uint64_t pid, start, tag;
    if (!take_number(p, 10, INT32_MAX, '-', &pid) || !take_number(p, 16, UINT64_MAX, '-', &start) ||
        !take_number(p, 16, UINT32_MAX, '.', &tag))
        return false;
    *out = (struct spool_owner){(int32_t)pid, start, (uint32_t)tag};
    return true;
}

bool spool_name_parse(const char *text, struct spool_name *out)
{
    struct spool_name name;
    char again[SPOOL_NAME_MAX];
    const char *p = text;
    if (!take_number(&p, 16, INT64_MAX, '-', &name.created_ns) || !take_owner(&p, &name.owner))
        return false;
    spool_name_text(&name, again);
    if (strcmp(again, text) != 0)
        return false; /* what we would not have written is not ours */
    *out = name;
    return true;
}

static bool parse_lock(const char *text, struct spool_owner *out)
{
    char again[SPOOL_NAME_MAX];
    const char *p = text;
    if (!take_owner(&p, out))
        return false;
    lock_name(out, again);
    return strcmp(again, text) == 0;
}

/* ---- the directory ---- */

static int check_dir(int fd, mode_t forbidden, const char *path, struct stat *out_st,
                     struct oriel_err *err)
{
    if (fstat(fd, out_st) != 0)
        return err_set_errno(err, errno, "%s", path);
    if (out_st->st_uid != geteuid())
        return err_set(err, ORIEL_EPERM,
                       "%s: belongs to another user; a spool needs a directory of its user alone",
                       path);
    if ((out_st->st_mode & forbidden) != 0)
        return err_set(err, ORIEL_EPERM,
                       "%s: others may write there; a spool needs a directory of its user alone",
                       path);
    return 0;
}

static int open_dir(int at, const char *name, const char *path, struct oriel_err *err)
{
    int fd;
    do
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return err_set(err, ORIEL_EPERM, "%s: is a link or no directory", path);
    return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

/* The directory of the destination below `parent`, in `d`. */
static int open_below(struct spool_dir *d, int parent, const char *key, struct oriel_err *err)
{
    struct stat st;
    int fd = ORIEL_ENOTFOUND;
    /* Who finds it empty at its end removes it, perhaps between two steps of ours. */
    for (int tries = 0; tries < 3 && fd == ORIEL_ENOTFOUND; tries++) {
        if (mkdirat(parent, key, 0700) != 0 && errno != EEXIST)
            return err_set_errno(err, errno, "%s", d->path);
        fd = open_dir(parent, key, d->path, err);
    }
    if (fd < 0)
        return fd;
    int rc = check_dir(fd, 077, d->path, &st, err);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    d->fd = fd;
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    kept_note(d->fd, d->dev, d->ino);
    return 0;
}

int spool_dir_open(struct spool_dir *d, const char *directory, const char *key,
                   struct oriel_err *err)
{
    struct spool_dir made = {.fd = -1, .lock_fd = -1};
    struct stat st;
    int n = snprintf(made.path, sizeof made.path, "%s/%s", directory, key);
    if (!directory[0] || n < 0 || (size_t)n >= sizeof made.path - SPOOL_NAME_MAX)
        return err_set(err, ORIEL_EINVAL, "%.60s: no usable directory for a spool", directory);
    made.me.pid = os_getpid();
    made.me.start = os_start_time(made.me.pid, 0);
    if (os_random(&made.me.tag, sizeof made.me.tag) != 0)
        made.me.tag = (uint32_t)(uintptr_t)d;
    int rc = out_make_dir(directory, false, err);
    if (rc != 0)
        return rc;
    int parent = open_dir(AT_FDCWD, directory, directory, err);
    if (parent < 0)
        return parent;
    rc = check_dir(parent, 022, directory, &st, err);
    if (rc == 0)
        rc = open_below(&made, parent, key, err);
    close(parent);
    if (rc == 0)
        *d = made;
    return rc;
}

static bool dir_is_ours(const struct spool_dir *d)
{
    struct stat st;
    return d->fd >= 0 && fstat(d->fd, &st) == 0 && st.st_dev == d->dev && st.st_ino == d->ino;
}

static void forget_both(const struct spool_dir *d)
{
    kept_forget(d->fd, d->dev, d->ino);
    kept_forget(d->lock_fd, d->dev, d->lock_ino);
}

int spool_dir_fd(struct spool_dir *d, struct oriel_err *err)
{
    struct stat st;
    if (dir_is_ours(d))
        return d->fd;
    forget_both(d);
    d->fd = -1;
    d->lock_fd = -1; /* gone with it, and the lock with that */
    int fd = open_dir(AT_FDCWD, d->path, d->path, err);
    if (fd < 0)
        return fd;
    int rc = check_dir(fd, 077, d->path, &st, err);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    d->fd = fd;
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    kept_note(d->fd, d->dev, d->ino);
    return fd;
}

/* ---- who lives ---- */

static int lock_whole(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc;
    do
        rc = fcntl(fd, F_SETLK, &lock);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

static bool lock_is_ours(const struct spool_dir *d)
{
    struct stat st;
    return d->lock_fd >= 0 && fstat(d->lock_fd, &st) == 0 && st.st_dev == d->dev &&
           st.st_ino == d->lock_ino;
}

static bool same_owner(const struct spool_owner *a, const struct spool_owner *b)
{
    return a->pid == b->pid && a->start == b->start && a->tag == b->tag;
}

int spool_dir_lock(struct spool_dir *d, struct oriel_err *err)
{
    char name[SPOOL_NAME_MAX];
    struct stat st;
    int dir = spool_dir_fd(d, err);
    if (dir < 0 || lock_is_ours(d))
        return dir < 0 ? dir : 0;
    lock_name(&d->me, name);
    for (int tries = 0; tries < 8; tries++) {
        int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
        if (fd < 0)
            return err_set_errno(err, errno, "%s/%s", d->path, name);
        if (lock_whole(fd) != 0) {
            /* No locks here: that the process lives then has to do. */
            close(fd);
            unlinkat(dir, name, 0);
            return 0;
        }
        if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
            d->lock_fd = fd;
            d->lock_ino = st.st_ino;
            kept_note(fd, st.st_dev, st.st_ino);
            return 0;
        }
        close(fd); /* taken for a dead one's before it was locked */
    }
    return err_set(err, ORIEL_EBUSY, "%s/%s: appears and disappears", d->path, name);
}

/* A lock on the lock file of somebody who died: a descriptor, or -1: there is no such file; -2:
 * it has its owner. Never opens a file of this process: closing that would end its lock. */
static int lock_of_dead(const struct spool_dir *d, const struct spool_owner *owner)
{
    char name[SPOOL_NAME_MAX];
    if (owner->pid == 0)
        return -1;
    if (owner->pid == d->me.pid && owner->start == d->me.start)
        return -2;
    if (os_thread_alive(owner->pid, 0, owner->start))
        return -2;
    lock_name(owner, name);
    int fd = openat(d->fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? -1 : -2;
    if (lock_whole(fd) == 0)
        return fd;
    close(fd);
    return -2;
}

/* ---- adoption ---- */

struct scan {
    struct spool_dir *d;
    struct spool_others *others;
    struct spool_owner living[OWNERS_MAX];
    bool (*take)(void *user, const struct spool_name *name, uint64_t size);
    void *user;
    bool full;
};

static void count_living(struct scan *s, const struct spool_owner *owner, uint64_t size)
{
    unsigned i, n = s->others->owners;
    s->others->bytes += size;
    for (i = 0; i < n; i++)
        if (same_owner(owner, &s->living[i]))
            return;
    if (n < OWNERS_MAX)
        s->living[s->others->owners++] = *owner;
}

/* rename is what only one of several can do: the name is gone for the others. */
static void adopt(struct scan *s, const struct spool_name *name, uint64_t size)
{
    char from[SPOOL_NAME_MAX], to[SPOOL_NAME_MAX];
    struct spool_name mine = {name->created_ns, s->d->me};
    if (s->full)
        return;
    int lock = lock_of_dead(s->d, &name->owner);
    if (lock == -2) {
        count_living(s, &name->owner, size);
        return;
    }
    spool_name_text(name, from);
    spool_name_text(&mine, to);
    /* Ours must be seen to live before anything has our name. */
    if (spool_dir_lock(s->d, NULL) == 0 && renameat(s->d->fd, from, s->d->fd, to) == 0)
        s->full = !s->take(s->user, &mine, size);
    if (lock >= 0)
        close(lock);
}

static void visit_spool(struct scan *s, const struct spool_name *name, const struct stat *st)
{
    uint64_t size = st->st_size > 0 ? (uint64_t)st->st_size : 0;
    bool usable = S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1 &&
                  (st->st_mode & 077) == 0;
    if (usable && !same_owner(&name->owner, &s->d->me))
        adopt(s, name, size);
}

/* Of somebody who left no files. */
static void visit_lock(struct scan *s, const char *text, const struct spool_owner *owner)
{
    int lock = lock_of_dead(s->d, owner);
    if (lock >= 0) {
        unlinkat(s->d->fd, text, 0);
        close(lock);
    }
}

static void visit(struct scan *s, const char *text, bool locks)
{
    struct spool_name name;
    struct spool_owner owner;
    struct stat st;
    if (locks ? parse_lock(text, &owner) : false)
        visit_lock(s, text, &owner);
    else if (!locks && spool_name_parse(text, &name) &&
             fstatat(s->d->fd, text, &st, AT_SYMLINK_NOFOLLOW) == 0)
        visit_spool(s, &name, &st);
}

/* Locks in a second round: their files must have been adopted before. */
static int scan_round(struct scan *s, bool locks, struct oriel_err *err)
{
    int fd = openat(s->d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, e, "%s", s->d->path);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        visit(s, entry->d_name, locks);
    closedir(dir);
    return 0;
}

int spool_dir_scan(struct spool_dir *d, struct spool_others *out,
                   bool (*take)(void *user, const struct spool_name *name, uint64_t size),
                   void *user, struct oriel_err *err)
{
    struct spool_others others = {0};
    struct scan s = {.d = d, .others = &others, .take = take, .user = user};
    int rc = spool_dir_fd(d, err);
    if (rc >= 0)
        rc = scan_round(&s, false, err);
    if (rc == 0 && !s.full)
        rc = scan_round(&s, true, err);
    if (rc == 0)
        *out = others;
    return rc < 0 ? rc : 0;
}

void spool_dir_orphan(struct spool_dir *d, const struct spool_name *name)
{
    char from[SPOOL_NAME_MAX], to[SPOOL_NAME_MAX];
    struct spool_name nobody = {name->created_ns, {0, 0, name->owner.tag}};
    if (spool_dir_fd(d, NULL) < 0)
        return;
    spool_name_text(name, from);
    spool_name_text(&nobody, to);
    /* Refused, it is the next one's after the end of this process. */
    (void)renameat(d->fd, from, d->fd, to);
}

void spool_dir_close(struct spool_dir *d, bool mine)
{
    char name[SPOOL_NAME_MAX];
    forget_both(d);
    if (dir_is_ours(d)) {
        lock_name(&d->me, name);
        if (mine && d->lock_fd >= 0)
            unlinkat(d->fd, name, 0);
        if (lock_is_ours(d))
            close(d->lock_fd);
        close(d->fd);
        if (mine)
            (void)rmdir(d->path); /* unless something is left in it */
    }
    d->fd = d->lock_fd = -1;
}
