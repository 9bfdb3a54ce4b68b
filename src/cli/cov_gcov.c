/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What compilers note (.gcno) and count (.gcda) in the formats of gcov, read by
 * gcov where gcc wrote it, by llvm-cov where clang did. What they say is read in
 * a confined child; a file that one of both cannot read costs itself only.
 */
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cov_confined.h"
#include "cli/cov_helper.h"
#include "cli/cov_store.h"
#include "cli/cov_tools.h"

enum { GCOV_FILES = 32 };

struct reading {
    struct coverage *c;
    const char *gcov;
    struct cov_trouble *trouble;
};

void cov_lose(struct cov_trouble *t, const char *file, const char *why)
{
    bool named = strstr(why, file) != NULL;
    if (t->lost++ == 0)
        (void)snprintf(t->why, sizeof t->why, "%.200s%s%.500s", named ? "" : file,
                       named ? "" : ": ", why);
}

/* ---- of gcc ---- */

/* One document to a line, one for each file. */
static int read_documents(struct coverage *c, const char *p, size_t size, struct oriel_err *err)
{
    int rc = 0;
    for (size_t at = 0; at < size && rc == 0;) {
        const char *end = memchr(p + at, '\n', size - at);
        size_t n = end ? (size_t)(end - p) - at : size - at;
        if (n)
            rc = coverage_read_gcov(c, p + at, n, err);
        at += n + 1;
    }
    return rc;
}

/* A notes file without data is code that never ran: gcov says so each time. */
static bool is_usual(const char *line, size_t n)
{
    static const char usual[] = "cannot open data file, assuming not executed";
    return n >= sizeof usual - 1 &&
           memcmp(line + n - (sizeof usual - 1), usual, sizeof usual - 1) == 0;
}

/* The first line that says more than that, if `out` is empty yet. */
static void note_complaint(const struct buf *complaints, char *out, size_t size)
{
    for (size_t at = 0; at < complaints->size && !out[0];) {
        const char *line = complaints->data + at;
        const char *end = memchr(line, '\n', complaints->size - at);
        size_t n = end ? (size_t)(end - line) : complaints->size - at;
        if (n && !is_usual(line, n))
            (void)snprintf(out, size, "%.*s", (int)(n > 300 ? 300 : n), line);
        at += n + 1;
    }
}

static int run_gcov(const struct reading *r, char *const files[], size_t count,
                    struct oriel_err *err)
{
    static const char *const words[] = {"-b", "--json-format", "--stdout", "--"};
    const struct cov_confined how = {.read = read_documents};
    struct cov_helper h;
    char why[400] = "";
    cov_helper_init(&h, r->gcov);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cov_helper_word(&h, words[i]);
    for (size_t i = 0; i < count; i++)
        cov_helper_word(&h, files[i]);
    int rc = cov_helper_run(&h, err);
    if (rc == ORIEL_EFORMAT) {
        note_complaint(&h.complaints, why, sizeof why);
        if (why[0])
            err_set(err, rc, "%s", why);
    }
    if (rc == 0)
        rc = cov_confined_read(r->c, &how, h.out.data ? h.out.data : "", h.out.size, err);
    if (rc == 0)
        note_complaint(&h.complaints, r->trouble->note, sizeof r->trouble->note);
    cov_helper_done(&h);
    return rc;
}

/* ---- of clang ---- */

/* Notes say their version behind "gcno", least byte first where the machine does so: clang's is
 * that of gcc 4, "408*", which no gcov of today reads. */
static bool is_of_clang(const char *notes)
{
    char head[8];
    int fd = open(notes, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        close(fd);
    if (n != sizeof head)
        return false;
    char first = memcmp(head, "oncg", 4) == 0   ? head[7]
                 : memcmp(head, "gcno", 4) == 0 ? head[4]
                                                : 0;
    return first >= '0' && first <= '9';
}

/* "d/a.gcda" or "d/a.gcno": d/a.gcno, with its full path when asked for. */
static bool notes_of(const char *file, bool full, char *out, size_t size)
{
    char cwd[PATH_MAX] = "";
    size_t n = strlen(file) - strlen(".gcda");
    assert(strlen(file) > strlen(".gcda"));
    if (full && file[0] != '/' && !getcwd(cwd, sizeof cwd))
        return false;
    int all = snprintf(out, size, "%s%s%.*s.gcno", cwd, cwd[0] ? "/" : "", (int)n, file);
    return all > 0 && (size_t)all < size;
}

/* What llvm-cov wrote of a notes file, into the directory it ran in. */
static int read_written(const struct reading *r, const char *notes, const char *where,
                        struct oriel_err *err)
{
    char path[PATH_MAX + NAME_MAX], real[PATH_MAX];
    struct cov_confined how = {.read = coverage_read_gcov_text};
    struct buf text;
    const char *name = strrchr(notes, '/');
    int n = snprintf(path, sizeof path, "%s/%s.gcov", where, name ? name + 1 : notes);
    if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK) != 0)
        return err_set(err, ORIEL_EFORMAT, "llvm-cov cannot read it");
    if (realpath(notes, real)) { /* beside the data of a run there is a link only */
        *strrchr(real, '/') = 0;
        how.dir = real;
    }
    buf_init(&text);
    int rc = cov_helper_read(path, &text, err);
    if (rc == 0)
        rc = cov_confined_read(r->c, &how, text.data ? text.data : "", text.size, err);
    buf_done(&text);
    return rc;
}

/* All of these lie in one directory, so that no two have the same name. */
static int run_llvm_in(const struct reading *r, const char *tool, const char *where,
                       char *const files[], size_t count, struct oriel_err *err)
{
    char notes[GCOV_FILES][PATH_MAX];
    struct cov_helper h;
    struct oriel_err why;
    size_t lost_before = r->trouble->lost;
    cov_helper_init(&h, tool);
    h.dir = where;
    cov_helper_word(&h, "gcov");
    cov_helper_word(&h, "-i");
    cov_helper_word(&h, "-b");
    for (size_t i = 0; i < count; i++) {
        notes[i][0] = 0; /* which is a file that there is not */
        if (notes_of(files[i], true, notes[i], sizeof notes[i]))
            cov_helper_word(&h, notes[i]);
    }
    int rc = cov_helper_run(&h, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (read_written(r, notes[i], where, &why) < 0)
            cov_lose(r->trouble, files[i], why.text);
    if (rc == 0 && r->trouble->lost == lost_before)
        note_complaint(&h.complaints, r->trouble->note, sizeof r->trouble->note);
    cov_helper_done(&h);
    return rc;
}

static int run_llvm(const struct reading *r, char *const files[], size_t count,
                    struct oriel_err *err)
{
    char tool[64], where[PATH_MAX];
    int version = COV_LLVM_FIRST;
    const char *dir = getenv("TMPDIR");
    if (!cov_llvm_tool("llvm-cov", &version, tool, sizeof tool))
        return err_set(err, ORIEL_ENOTFOUND,
                       "llvm-cov: no such program; it reads what clang --coverage counts (Debian: "
                       "llvm)");
    (void)snprintf(where, sizeof where, "%s/oriel-cov-XXXXXX", dir && *dir ? dir : "/tmp");
    if (!mkdtemp(where))
        return err_set(err, ORIEL_EIO, "%s: cannot be made", where);
    int rc = run_llvm_in(r, tool, where, files, count, err);
    cov_store_remove(where);
    return rc;
}

/* ---- both ---- */

typedef int (*run_fn)(const struct reading *r, char *const files[], size_t count,
                      struct oriel_err *err);

/* All at once; one after the other where that fails. ORIEL_ENOTFOUND: there is no such tool. */
static int read_some(const struct reading *r, run_fn run, char *const files[], size_t count,
                     struct oriel_err *err)
{
    int rc = run(r, files, count, err);
    for (size_t i = 0; i < count && rc < 0 && rc != ORIEL_ENOTFOUND; i++) {
        int alone = count > 1 ? run(r, files + i, 1, err) : rc;
        if (alone < 0)
            cov_lose(r->trouble, files[i], err->text);
    }
    return rc == ORIEL_ENOTFOUND ? rc : 0;
}

static bool is_in_same_directory(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    size_t n = end_a ? (size_t)(end_a - a) : 0, m = end_b ? (size_t)(end_b - b) : 0;
    return n == m && memcmp(a, b, n) == 0;
}

/* How many from the first on are read at once. */
static size_t count_alike(char *const files[], size_t count, bool *out_clang)
{
    char notes[PATH_MAX];
    size_t n = 1;
    *out_clang = notes_of(files[0], false, notes, sizeof notes) && is_of_clang(notes);
    for (; n < count && n < GCOV_FILES; n++) {
        bool clang = notes_of(files[n], false, notes, sizeof notes) && is_of_clang(notes);
        if (clang != *out_clang || (clang && !is_in_same_directory(files[0], files[n])))
            break;
    }
    return n;
}

int cov_gcov(struct coverage *c, const char *gcov, const struct cov_paths *files,
             struct cov_trouble *trouble, struct oriel_err *err)
{
    const struct reading r = {c, gcov, trouble};
    struct oriel_err why = {0};
    bool clang = false, any_clang = false;
    int rc = 0;
    for (size_t i = 0, n; i < files->count && rc == 0; i += n) {
        n = count_alike(files->items + i, files->count - i, &clang);
        rc = read_some(&r, clang ? run_llvm : run_gcov, files->items + i, n, &why);
        any_clang |= clang;
    }
    if (rc == 0 && any_clang)
        cov_make_readable(c);
    if (rc < 0 && clang)
        return err_set(err, rc, "%s", why.text);
    return rc < 0 ? err_set(
                        err, rc,
                        "%s: no such program; it belongs to the compiler, and --gcov names another",
                        gcov)
                  : 0;
}
