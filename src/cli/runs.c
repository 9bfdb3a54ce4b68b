/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Makes, finds and orders the runs of a project.
 */
#include "cli/runs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/out.h"

#define SAME_SECOND_MAX 1000
#define SAME_SECOND '~' /* in front of their number; no name has it (short_name) */

static int newest_first(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    if (x->changed_ns != y->changed_ns)
        return x->changed_ns < y->changed_ns ? 1 : -1;
    return strcmp(y->dir, x->dir);
}

static bool describe(const char *name, struct run *out)
{
    struct stat st;
    int n = snprintf(out->dir, sizeof out->dir, RUNS_DIR "/%s", name);
    if (n < 0 || (size_t)n + sizeof "/" RUNS_FILE > sizeof out->path)
        return false;
    memcpy(out->path, out->dir, (size_t)n);
    memcpy(out->path + n, "/" RUNS_FILE, sizeof "/" RUNS_FILE);
    if (stat(out->path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    char coverage[RUNS_PATH_BYTES + sizeof "/" RUNS_COVERAGE];
    (void)snprintf(coverage, sizeof coverage, "%s/" RUNS_COVERAGE, out->dir);
    struct stat beside;
    out->coverage = stat(coverage, &beside) == 0 && S_ISREG(beside.st_mode);
    out->bytes = (uint64_t)st.st_size + (out->coverage ? (uint64_t)beside.st_size : 0);
    out->changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return true;
}

int runs_list(struct runs *out)
{
    *out = (struct runs){0};
    DIR *d = opendir(RUNS_DIR);
    if (!d)
        return 0;
    int rc = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct run r;
        if (e->d_name[0] == '.' || !describe(e->d_name, &r))
            continue;
        struct run *slot = VEC_PUSH(out);
        if (!slot) {
            rc = ORIEL_ENOMEM;
            break;
        }
        *slot = r;
    }
    closedir(d);
    if (rc < 0)
        runs_done(out);
    else if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, newest_first);
    return rc;
}

void runs_done(struct runs *r)
{
    VEC_DONE(r);
}

int runs_newest(char *out, size_t n, struct oriel_err *err)
{
    struct runs r;
    int rc = runs_list(&r);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", RUNS_DIR, err_text(rc));
    size_t first = 0;
    while (first < r.count && r.items[first].coverage)
        first++;
    if (first == r.count) {
        runs_done(&r);
        return err_set(err, ORIEL_ENOTFOUND,
                       "no run in %s yet; record one with: oriel record -- PROGRAM", RUNS_DIR);
    }
    bool fits = (size_t)snprintf(out, n, "%s", r.items[first].path) < n;
    runs_done(&r);
    return fits ? 0 : err_set(err, ORIEL_ELIMIT, "%s: the path is too long", RUNS_DIR);
}

/* "1120-101530-codesearch~2" is of "codesearch"; "1120-101530-codesearch-2" is not: names of
 * programs end like that, and two versions must not become one side of a diff. */
static bool is_of(const char *name, const char *word)
{
    enum { STAMP = 12 }; /* MMDD-HHMMSS- */
    size_t n = strlen(word);
    if (strlen(name) < STAMP + n || n == 0 || strncmp(name + STAMP, word, n) != 0)
        return false;
    const char *rest = name + STAMP + n;
    return rest[0] == 0 || (rest[0] == SAME_SECOND && rest[1] &&
                            strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

static bool is_meant(const struct run *r, size_t number, const char *word, bool *out_exact)
{
    const char *name = strrchr(r->dir, '/') + 1;
    char age[24];
    snprintf(age, sizeof age, "@%zu", number);
    *out_exact = strcmp(name, word) == 0 || strcmp(age, word) == 0;
    return *out_exact || is_of(name, word);
}

int runs_match(const char *word, struct runs *out)
{
    struct runs all;
    int rc = runs_list(&all);
    *out = (struct runs){0};
    bool exact = false;
    for (size_t i = 0; rc == 0 && i < all.count && !exact; i++) {
        if (!is_meant(&all.items[i], i + 1, word, &exact))
            continue;
        if (exact)
            out->count = 0;
        struct run *slot = VEC_PUSH(out);
        if (slot)
            *slot = all.items[i];
        else
            rc = ORIEL_ENOMEM;
    }
    runs_done(&all);
    return rc;
}

bool runs_is_busy(const struct run *r)
{
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return busy;
}

/* All names in it are looked at before the first one goes. */
static int empty_directory(DIR *d, const char *path, bool remove, struct oriel_err *err)
{
    struct stat st;
    rewinddir(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!remove &&
            (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)))
            return err_set(err, ORIEL_EPERM, "%s: kept, %s in it is not a recording's", path,
                           e->d_name);
        if (remove && unlinkat(dirfd(d), e->d_name, 0) != 0)
            return err_set_errno(err, errno, "%s/%s", path, e->d_name);
    }
    return 0;
}

int runs_remove(const struct run *r, struct oriel_err *err)
{
    int fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, why, "%s", r->dir);
    }
    int rc = empty_directory(d, r->dir, false, err);
    if (rc == 0)
        rc = empty_directory(d, r->dir, true, err);
    closedir(d);
    if (rc == 0 && rmdir(r->dir) != 0)
        rc = err_set_errno(err, errno, "%s", r->dir);
    return rc;
}

/* The last component of a path, of letters that are harmless in a file name. */
static void short_name(const char *program, char out[64])
{
    const char *slash = strrchr(program, '/');
    const char *p = slash && slash[1] ? slash + 1 : program;
    size_t n = 0;
    for (; *p && n < 40; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("._+-", *p);
        out[n++] = plain ? *p : '_';
    }
    out[n] = 0;
    if (n == 0)
        memcpy(out, "program", 8);
}

int runs_make(const char *program, time_t now, char *out_dir, size_t n, struct oriel_err *err)
{
    assert(program && out_dir && n > 0);
    struct tm tm;
    char stamp[32], name[64], suffix[16] = "";
    int rc = out_make_dir(".oriel", true, err);
    if (rc == 0)
        rc = out_make_dir(RUNS_DIR, false, err);
    if (rc < 0)
        return rc;
    short_name(program, name);
    if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof stamp, "%m%d-%H%M%S", &tm))
        memcpy(stamp, "0000-000000", 12);
    for (int i = 2; i < SAME_SECOND_MAX; i++) {
        if ((size_t)snprintf(out_dir, n, RUNS_DIR "/%s-%s%s", stamp, name, suffix) >= n)
            break;
        if (mkdir(out_dir, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            return err_set_errno(err, errno, "%s", out_dir);
        snprintf(suffix, sizeof suffix, "%c%d", SAME_SECOND, i);
    }
    return err_set(err, ORIEL_ELIMIT, "%s: too many runs in one second", out_dir);
}
