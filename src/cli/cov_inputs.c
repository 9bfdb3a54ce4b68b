/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tells inputs apart by their names, walks directories, and pairs data files
 * with the notes of the compiler.
 */
#include "cli/cov_inputs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cov_confined.h"
#include "cli/cov_helper.h"
#include "cli/runs.h"

enum { DEPTH_MAX = 64, FILES_MAX = 1000000 };

void cov_inputs_init(struct cov_inputs *in, struct coverage *c, const char *gcov)
{
    *in = (struct cov_inputs){.c = c, .gcov = gcov};
    arena_init(&in->arena);
}

void cov_inputs_done(struct cov_inputs *in)
{
    VEC_DONE(&in->objects);
    VEC_DONE(&in->notes);
    VEC_DONE(&in->profiles);
    arena_done(&in->arena);
}

void cov_inputs_method(struct cov_inputs *in, const char *name)
{
    size_t n = strlen(in->method);
    if (!strstr(in->method, name))
        (void)snprintf(in->method + n, sizeof in->method - n, "%s%s", n ? ", " : "", name);
}

static int keep(struct cov_inputs *in, struct cov_paths *list, const char *path)
{
    char *copy = arena_copy(&in->arena, path, strlen(path));
    return copy ? cov_paths_add(list, copy) : ORIEL_ENOMEM;
}

int cov_inputs_object(struct cov_inputs *in, const char *path)
{
    return keep(in, &in->objects, path);
}

static bool ends_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

/* ---- tracefiles ---- */

static int add_tracefile(struct cov_inputs *in, const char *path, struct oriel_err *err)
{
    const struct cov_confined how = {.read = coverage_read_lcov};
    struct oriel_err why = {0};
    struct buf text;
    buf_init(&text);
    int rc = cov_helper_read(path, &text, err);
    if (rc == 0) {
        rc = cov_confined_read(in->c, &how, text.data ? text.data : "", text.size, &why);
        if (rc < 0)
            err_set(err, rc, "%s: %s", path, why.text);
        cov_inputs_method(in, "lcov");
    }
    buf_done(&text);
    return rc;
}

/* ---- directories ---- */

typedef int (*visit_fn)(struct cov_inputs *in, const char *path, size_t root,
                        struct oriel_err *err);

static int walk(struct cov_inputs *in, const char *dir, size_t root, unsigned depth, visit_fn visit,
                struct oriel_err *err)
{
    DIR *d = opendir(dir);
    int rc = 0;
    if (!d)
        return depth ? 0 : err_set_errno(err, errno, "%s", dir);
    for (struct dirent *e = readdir(d); e && rc == 0; e = readdir(d)) {
        char path[4096];
        struct stat st;
        bool dots = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        if (dots || (size_t)snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= sizeof path ||
            lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            rc = walk(in, path, root, depth + 1, visit, err);
        else if (S_ISREG(st.st_mode) && ++in->files > FILES_MAX)
            rc = err_set(err, ORIEL_ELIMIT, "%s: more than %d files", dir, FILES_MAX);
        else if (S_ISREG(st.st_mode))
            rc = visit(in, path, root, err);
    }
    closedir(d);
    return rc;
}

/* Notes without data are code that never ran: they count. */
static int visit_built(struct cov_inputs *in, const char *path, size_t root, struct oriel_err *err)
{
    (void)root;
    (void)err;
    if (ends_with(path, ".gcno"))
        return keep(in, &in->notes, path);
    if (ends_with(path, ".profraw"))
        return keep(in, &in->profiles, path);
    return 0;
}

/* Below the root stands where the data would have been written: the notes are there. gcov wants
 * both in one place. */
static int visit_sent(struct cov_inputs *in, const char *path, size_t root, struct oriel_err *err)
{
    char notes[4096], link[4096];
    if (!ends_with(path, ".gcda"))
        return visit_built(in, path, root, err);
    size_t n = strlen(path) - strlen(".gcda");
    (void)snprintf(notes, sizeof notes, "%.*s.gcno", (int)(n - root), path + root);
    (void)snprintf(link, sizeof link, "%.*s.gcno", (int)n, path);
    if (access(notes, R_OK) != 0) {
        if (!in->trouble.note[0])
            (void)snprintf(in->trouble.note, sizeof in->trouble.note,
                           "%.300s: the compiler's notes are gone; nothing of it is told", notes);
        return 0;
    }
    if (symlink(notes, link) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "%s", link);
    return keep(in, &in->notes, path);
}

int cov_inputs_add_sent(struct cov_inputs *in, const char *dir, struct oriel_err *err)
{
    return walk(in, dir, strlen(dir), 0, visit_sent, err);
}

static int add_directory(struct cov_inputs *in, const char *dir, struct oriel_err *err)
{
    char inside[4096];
    size_t before = in->notes.count + in->profiles.count;
    if ((size_t)snprintf(inside, sizeof inside, "%s/" RUNS_COVERAGE, dir) < sizeof inside &&
        access(inside, F_OK) == 0)
        return add_tracefile(in, inside, err);
    int rc = walk(in, dir, strlen(dir), 0, visit_built, err);
    if (rc == 0 && in->notes.count + in->profiles.count == before)
        rc = err_set(err, ORIEL_ENOTFOUND,
                     "%s: holds no coverage: no " RUNS_COVERAGE ", .gcno or .profraw file below it",
                     dir);
    return rc;
}

/* ---- words ---- */

static int add_run(struct cov_inputs *in, const char *word, struct oriel_err *err)
{
    struct runs runs;
    int rc = runs_match(word, &runs);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", word, err_text(rc));
    size_t found = 0, count = runs.count;
    for (size_t i = 0; i < runs.count && rc == 0; i++)
        if (runs.items[i].coverage) {
            found++;
            rc = add_directory(in, runs.items[i].dir, err);
        }
    runs_done(&runs);
    if (rc == 0 && !found)
        rc = err_set(err, ORIEL_ENOTFOUND, "%s: %s", word,
                     count ? "a run without coverage; oriel cov makes those that have it"
                           : "no such file, and no run of that name; oriel runs lists these");
    return rc;
}

int cov_inputs_add(struct cov_inputs *in, const char *word, struct oriel_err *err)
{
    struct stat st;
    assert(in && word);
    if (stat(word, &st) != 0)
        return errno == ENOENT ? add_run(in, word, err) : err_set_errno(err, errno, "%s", word);
    int rc;
    if (S_ISDIR(st.st_mode))
        return add_directory(in, word, err);
    if (ends_with(word, ".gcda") || ends_with(word, ".gcno"))
        rc = keep(in, &in->notes, word);
    else if (ends_with(word, ".profraw") || ends_with(word, ".profdata"))
        rc = keep(in, &in->profiles, word);
    else
        return add_tracefile(in, word, err);
    return rc < 0 ? err_set(err, rc, "out of memory") : 0;
}

int cov_inputs_read(struct cov_inputs *in, struct oriel_err *err)
{
    int rc = 0;
    if (in->notes.count) {
        cov_inputs_method(in, "gcov");
        rc = cov_gcov(in->c, in->gcov, &in->notes, &in->trouble, err);
    }
    if (rc == 0 && in->profiles.count) {
        char merged[4096];
        const char *dir = getenv("TMPDIR");
        (void)snprintf(merged, sizeof merged, "%s/oriel-cov-XXXXXX", dir && *dir ? dir : "/tmp");
        int fd = mkostemp(merged, O_CLOEXEC);
        if (fd < 0)
            return err_set_errno(err, errno, "%s", merged);
        close(fd);
        cov_inputs_method(in, "llvm");
        rc = cov_llvm(in->c, &in->profiles, &in->objects, merged, &in->trouble, err);
        unlink(merged);
    }
    return rc;
}
