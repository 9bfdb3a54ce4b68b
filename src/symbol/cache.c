/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The disk cache. Nothing here looks into a table: what was loaded is checked
 * by table_open like anything foreign. Any number of processes may use the
 * folder at once. Reads and writes files below its folder only.
 */
#include "symbol/cache.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/vec.h"
#include "symbol/sort.h"
#include "symbol/table.h"

enum { FILE_MAX = 1 << 30, STALE_S = 3600 };
#define TEMPORARY ".new-"

bool cache_name(struct bytes id, char *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    if (id.n < 2 || id.n > TABLE_ID_MAX || n < id.n * 2 + 1)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        out[i * 2] = digits[id.p[i] >> 4];
        out[i * 2 + 1] = digits[id.p[i] & 15];
    }
    out[id.n * 2] = 0;
    return true;
}

static bool file_path(const char *dir, struct bytes id, const char *suffix, char *out, size_t n)
{
    char hex[TABLE_ID_MAX * 2 + 1];
    if (!dir || !cache_name(id, hex, sizeof hex))
        return false;
    return (size_t)snprintf(out, n, "%s/%s%s", dir, hex, suffix) < n;
}

static bool read_all(int fd, size_t size, struct buf *out)
{
    char *p = buf_reserve(out, size ? size : 1);
    size_t done = 0;
    while (p && done < size) {
        ssize_t n = read(fd, p + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    if (p)
        out->size += size;
    return p != NULL;
}

bool cache_load(const char *dir, struct bytes build_id, const char *suffix, struct buf *out)
{
    char path[4096];
    struct stat st;
    if (!file_path(dir, build_id, suffix, path, sizeof path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                st.st_size <= FILE_MAX && read_all(fd, (size_t)st.st_size, out);
    if (good)
        futimens(fd, NULL); /* used now: pruned last */
    close(fd);
    return good;
}

/* Every folder of the path, ours 0700; true when the last one is ours. */
static bool make_folder(const char *dir)
{
    char path[4096];
    struct stat st;
    size_t n = strlen(dir);
    if (n == 0 || n >= sizeof path)
        return false;
    memcpy(path, dir, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        char kept = path[i];
        path[i] = 0;
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return false;
        path[i] = kept;
    }
    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static bool write_all(int fd, struct bytes content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        content.p += n;
        content.n -= (size_t)n;
    }
    return true;
}

/* ---- pruning ---- */

struct entry {
    char *name;
    uint64_t bytes;
    int64_t used_s;
};
struct entries {
    struct entry *items;
    size_t count, capacity;
    uint64_t bytes;
};

static void list_files(int fd, DIR *d, struct entries *all)
{
    struct dirent *e;
    struct stat st;
    time_t now = time(NULL);
    while ((e = readdir(d))) {
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) == 0) {
            if (st.st_mtime + STALE_S < now)
                unlinkat(fd, e->d_name, 0); /* its writer died */
            continue;
        }
        struct entry *item = VEC_PUSH(all);
        if (!item)
            return;
        *item = (struct entry){mem_strdup(e->d_name), (uint64_t)st.st_size, st.st_mtime};
        all->bytes += item->bytes;
    }
}

/* Drop the longest unused until three quarters of the bound are left. */
static void drop_oldest(int fd, const struct entries *all, uint64_t max_bytes)
{
    struct sort_key *keys = mem_calloc(all->count + 1, sizeof *keys);
    uint64_t bytes = all->bytes;
    if (!keys)
        return;
    for (size_t i = 0; i < all->count; i++)
        keys[i] = (struct sort_key){(uint64_t)all->items[i].used_s, (uint32_t)i};
    if (sort_keys(keys, all->count) == 0)
        for (size_t i = 0; i < all->count && bytes > max_bytes / 4 * 3; i++) {
            const struct entry *e = &all->items[keys[i].index];
            if (e->name && unlinkat(fd, e->name, 0) == 0)
                bytes -= e->bytes;
        }
    mem_free(keys);
}

static void prune(const char *dir, uint64_t max_bytes)
{
    struct entries all = {0};
    DIR *d = opendir(dir);
    if (!d)
        return;
    list_files(dirfd(d), d, &all);
    if (all.bytes > max_bytes)
        drop_oldest(dirfd(d), &all, max_bytes);
    for (size_t i = 0; i < all.count; i++)
        mem_free(all.items[i].name);
    VEC_DONE(&all);
    closedir(d);
}

void cache_store(const char *dir, struct bytes build_id, const char *suffix, struct bytes content,
                 uint64_t max_bytes)
{
    char path[4096], aside[4096];
    uint64_t unique;
    assert(max_bytes > 0);
    if (!file_path(dir, build_id, suffix, path, sizeof path) || content.n > max_bytes / 2 ||
        !make_folder(dir) || os_random(&unique, sizeof unique) != 0)
        return;
    int n =
        snprintf(aside, sizeof aside, "%s/" TEMPORARY "%016llx", dir, (unsigned long long)unique);
    if (n < 0 || (size_t)n >= sizeof aside)
        return;
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    bool good = write_all(fd, content);
    good = close(fd) == 0 && good;
    if (!good || rename(aside, path) != 0)
        unlink(aside);
    prune(dir, max_bytes);
}
