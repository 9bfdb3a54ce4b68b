/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bounds what ended exports leave. That a ring is nobody's is not concluded from pids alone, which
 * other namespaces have others of, and which a fork child that merely maps it never told: the
 * kernel gives the lease for writing only to who has a file alone, open and mapped as they may be.
 * Whoever comes while it is held is told to come again, so that nothing is taken from under a
 * reader. The lease is held for microseconds, by one process at a time.
 */
#include "source/region_left.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "source/region_io.h"
#include "source/ring/ring.h"

#define REMOVED "removed" /* beside the rings: what is told of those that are gone */
enum { PATH_ROOM = 512, NAME_ROOM = 80, LINE_ROOM = 160, FS_SHARE = 4 };

/* So much is there only where programs end before their threads had time for it. */
#define LATE_RINGS (REGION_LIMIT_RINGS * 3 / 2)
#define LATE_BYTES (REGION_LIMIT_BYTES * 4)

struct left {
    const struct region_info *info;
    uint64_t bytes; /* of memory */
    bool gone;
};

struct lefts {
    struct left *items;
    size_t count, there; /* in all; not gone */
    uint64_t bytes;      /* of those */
};

/* ---- alone with a file ---- */

struct lease {
    int fd;
    uint64_t signals;
};

/* Who opens it meanwhile makes the kernel send a signal: to this thread only, which takes none, and
 * one that nobody dies of. */
static bool lease_take(struct lease *l, const char *path)
{
    const struct f_owner_ex me = {.type = F_OWNER_TID, .pid = os_gettid()};
    l->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (l->fd < 0)
        return false;
    os_signals_block(&l->signals);
    if (fcntl(l->fd, F_SETOWN_EX, &me) == 0 && fcntl(l->fd, F_SETSIG, SIGURG) == 0 &&
        fcntl(l->fd, F_SETLEASE, F_WRLCK) == 0)
        return true;
    os_signals_restore(l->signals);
    close(l->fd);
    return false;
}

static void lease_drop(struct lease *l)
{
    const struct timespec now = {0, 0};
    sigset_t urgent;
    const bool broken = fcntl(l->fd, F_GETLEASE) != F_WRLCK;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    (void)fcntl(l->fd, F_SETLEASE, F_UNLCK); /* a child that was just forked has the descriptor */
    close(l->fd);
    if (broken)
        (void)sigtimedwait(&urgent, NULL, &now);
    os_signals_restore(l->signals);
}

/* ---- giving memory back ---- */

static void punch(int fd, uint64_t from, uint64_t to)
{
    from = (from + WIRE_PAGE - 1) / WIRE_PAGE * WIRE_PAGE;
    to -= to % WIRE_PAGE;
    if (from < to)
        (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                        (off_t)(to - from));
}

/* Nobody reads what no description of a call site was put into, and chunks that are free. */
static void shrink_mapped(const struct wire_region *h, void *base, int fd)
{
    const uint64_t log = h->meta_head < h->meta_bytes ? h->meta_head : h->meta_bytes;
    punch(fd, h->meta_off + log, h->meta_off + h->meta_bytes);
    for (uint32_t i = 0, free = 0; i <= h->chunk_count; i++) {
        if (i < h->chunk_count &&
            wire_state(RING_LOAD(&wire_region_desc(h, base, i)->state)) == WIRE_CHUNK_FREE) {
            free++;
            continue;
        }
        if (free)
            punch(fd, h->chunk_off + (uint64_t)(i - free) * h->chunk_bytes,
                  h->chunk_off + (uint64_t)i * h->chunk_bytes);
        free = 0;
    }
}

/* By the descriptor of the lease: to open it anew would break that. */
static void shrink(int fd)
{
    struct wire_region h;
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof h)
        return;
    void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return;
    memcpy(&h, base, sizeof h);
    if (wire_region_check(&h, (uint64_t)st.st_size) == 0)
        shrink_mapped(&h, base, fd);
    os_unmap(base, (size_t)st.st_size);
}

static uint64_t memory_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* ---- what is there ---- */

/* As far as pids tell. */
static int collect(struct lefts *all, const struct region_info *info, size_t n)
{
    *all = (struct lefts){.items = mem_calloc(n ? n : 1, sizeof *all->items)};
    if (!all->items)
        return ORIEL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (info[i].exported && region_is_orphan(&info[i])) {
            all->items[all->count++] =
                (struct left){.info = &info[i], .bytes = info[i].memory_bytes};
            all->bytes += info[i].memory_bytes;
        }
    all->there = all->count;
    return 0;
}

static void forget(struct lefts *all, struct left *l)
{
    l->gone = true;
    all->there--;
    all->bytes -= l->bytes;
}

/* What somebody has, is not left. */
static void shrink_all(struct lefts *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct left *l = &all->items[i];
        struct lease lease;
        if (l->gone)
            continue;
        if (!lease_take(&lease, l->info->path)) {
            forget(all, l);
            continue;
        }
        shrink(lease.fd);
        all->bytes -= l->bytes;
        l->bytes = memory_of(lease.fd);
        all->bytes += l->bytes;
        lease_drop(&lease);
    }
}

static bool is_empty(const struct left *l)
{
    return l->info->unread_bytes == 0 && l->info->crashes == 0;
}

/* What a program has of that which there is too much of: rings, or memory. */
static uint64_t share_of(const struct lefts *all, const char *exe, bool bytes)
{
    uint64_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        if (!all->items[i].gone && strcmp(all->items[i].info->exe, exe) == 0)
            n += bytes ? all->items[i].bytes : 1;
    return n;
}

/* Oldest first, so that of equals it is the oldest; the newest of all is none. */
static struct left *choose(struct lefts *all, bool bytes)
{
    struct left *best = NULL;
    uint64_t most = 0;
    size_t seen = 0;
    assert(all->there > 1);
    for (size_t i = 0; i < all->count && seen + 1 < all->there; i++) {
        struct left *l = &all->items[i];
        if (l->gone)
            continue;
        seen++;
        const uint64_t n = is_empty(l) ? UINT64_MAX : share_of(all, l->info->exe, bytes);
        if (!best || n > most) {
            most = n;
            best = l;
        }
    }
    return best;
}

/* ---- what is told of it ---- */

static int open_removed(const char *dir, int flags)
{
    char path[PATH_ROOM + sizeof "/" REMOVED];
    snprintf(path, sizeof path, "%s/" REMOVED, dir);
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

/* The last that was counted is named, so that none is counted twice or not at all, whenever whoever
 * removes it is killed. Lines of one length: one write makes the next out of the one before. */
struct removed_line {
    struct region_removed sum;
    char last[NAME_ROOM];
};

static void read_line(int fd, struct removed_line *out)
{
    char line[LINE_ROOM] = "", *at = line;
    *out = (struct removed_line){.last = ""};
    if (pread(fd, line, sizeof line - 1, 0) <= 0)
        return;
    out->sum.rings = strtoull(at, &at, 10);
    out->sum.unread_bytes = strtoull(at, &at, 10);
    out->sum.unix_s = strtoll(at, &at, 10);
    at += strspn(at, " ");
    const size_t n = strcspn(at, " \n");
    if (n == 0 || n >= sizeof out->last)
        *out = (struct removed_line){.last = ""};
    else
        memcpy(out->last, at, n); /* the rest is zero */
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* False: there is no room even for that, or a limit of file sizes, beyond which a write would end
 * the process. */
static bool note_removed(const char *dir, const struct region_info *info)
{
    struct removed_line l;
    struct rlimit size;
    char line[LINE_ROOM];
    const bool may = getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur >= sizeof line;
    int fd = may ? open_removed(dir, O_RDWR | O_CREAT) : -1;
    if (fd < 0)
        return false;
    read_line(fd, &l);
    bool noted = strcmp(l.last, name_of(info->path)) == 0;
    if (!noted) {
        int n = snprintf(line, sizeof line, "%20" PRIu64 " %20" PRIu64 " %20" PRId64 " %-79.79s\n",
                         l.sum.rings + 1, l.sum.unread_bytes + info->unread_bytes,
                         (int64_t)time(NULL), name_of(info->path));
        noted = n > 0 && pwrite(fd, line, (size_t)n, 0) == n;
    }
    close(fd);
    return noted;
}

static int place(const char *directory, char *out, size_t n)
{
    if (!directory)
        return os_runtime_dir(out, n) == 0 ? 0 : ORIEL_EIO;
    return (size_t)snprintf(out, n, "%s", directory) < n ? 0 : ORIEL_EINVAL;
}

int region_removed_read(const char *directory, struct region_removed *out)
{
    char dir[PATH_ROOM];
    struct removed_line line = {.last = ""};
    int rc = place(directory, dir, sizeof dir);
    int fd = rc == 0 ? open_removed(dir, O_RDONLY) : -1;
    if (fd >= 0) {
        read_line(fd, &line);
        close(fd);
    }
    *out = line.sum;
    return rc;
}

int region_removed_take(const char *directory, struct region_removed *out)
{
    char dir[PATH_ROOM], path[PATH_ROOM + sizeof "/" REMOVED];
    int rc = place(directory, dir, sizeof dir);
    int fd = rc == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    *out = (struct region_removed){0};
    if (fd < 0)
        return rc ? rc : ORIEL_EIO;
    if (flock(fd, LOCK_EX) == 0) {
        rc = region_removed_read(dir, out);
        snprintf(path, sizeof path, "%s/" REMOVED, dir);
        (void)unlink(path);
    }
    close(fd);
    return rc;
}

/* ---- all of it ---- */

/* By the maker's pid in its name: time-pid-random.ring. */
static bool may_be_left(const char *name)
{
    const size_t n = strlen(name);
    const char *pid = strchr(name, '-');
    if (!pid || n < sizeof ".ring" || strcmp(name + n - 5, ".ring") != 0)
        return false;
    const long maker = strtol(pid + 1, NULL, 10);
    return maker > 0 && maker <= INT32_MAX && os_task_gone((int32_t)maker, (int32_t)maker);
}

bool region_left_late(const char *directory)
{
    char dir[PATH_ROOM];
    unsigned n = 0;
    uint64_t bytes = 0;
    struct stat st;
    DIR *d = place(directory, dir, sizeof dir) == 0 ? opendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!may_be_left(e->d_name))
            continue;
        n++;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)st.st_blocks * 512;
    }
    if (d)
        closedir(d);
    return n >= LATE_RINGS || (n > 1 && bytes >= LATE_BYTES);
}

static uint64_t bytes_allowed(const char *dir, const struct region_limit *limit)
{
    struct statvfs fs;
    uint64_t bytes = limit->bytes;
    if (statvfs(dir, &fs) == 0 && fs.f_blocks) {
        const uint64_t share = (uint64_t)fs.f_blocks * fs.f_frsize / FS_SHARE;
        bytes = share < bytes ? share : bytes;
    }
    return bytes;
}

/* One that somebody has got since is no longer left. */
static void remove_one(const char *dir, struct lefts *all, struct left *l,
                       struct region_tidied *out)
{
    struct lease lease;
    if (lease_take(&lease, l->info->path)) {
        const bool noted = note_removed(dir, l->info);
        if (unlink(l->info->path) == 0) {
            out->removed++;
            out->unread_bytes += l->info->unread_bytes;
        }
        if (!noted)
            (void)note_removed(dir, l->info);
        lease_drop(&lease);
    }
    forget(all, l);
}

/* One that was counted by somebody who was killed then. */
static void finish_last(const char *dir, struct lefts *all, struct region_tidied *out)
{
    struct removed_line line = {.last = ""};
    int fd = open_removed(dir, O_RDONLY);
    if (fd < 0)
        return;
    read_line(fd, &line);
    close(fd);
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(name_of(all->items[i].info->path), line.last) == 0)
            remove_one(dir, all, &all->items[i], out);
}

static int tidy(const char *dir, const struct region_limit *limit, struct region_tidied *out)
{
    struct region_info *info = NULL;
    struct lefts all;
    size_t n = 0;
    int rc = region_list(dir, &info, &n, NULL);
    if (rc != 0)
        return rc;
    rc = collect(&all, info, n);
    finish_last(dir, &all, out);
    /* This first: a program that is killed over and over may have no time for more. */
    while (rc == 0 && all.there > 1 && all.there > limit->rings)
        remove_one(dir, &all, choose(&all, false), out);
    shrink_all(&all);
    const uint64_t bytes = bytes_allowed(dir, limit);
    while (rc == 0 && all.there > 1 && all.bytes > bytes)
        remove_one(dir, &all, choose(&all, true), out);
    if (rc == 0) {
        out->kept = (unsigned)all.there;
        out->kept_bytes = all.bytes;
    }
    mem_free(all.items);
    mem_free(info);
    return rc;
}

int region_tidy(const char *directory, const struct region_limit *limit, struct region_tidied *out)
{
    static const struct region_limit usual = {REGION_LIMIT_RINGS, REGION_LIMIT_BYTES};
    char dir[PATH_ROOM];
    *out = (struct region_tidied){0};
    int rc = place(directory, dir, sizeof dir);
    int fd = rc == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return rc ? rc : ORIEL_EIO;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        rc = tidy(dir, limit ? limit : &usual, out);
        (void)flock(fd, LOCK_UN); /* a child that was just forked has it, too */
    }
    close(fd);
    return rc;
}
