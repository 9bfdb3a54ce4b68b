/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What compilers note (.gcno) and count (.gcda) in the formats of gcov, read by
 * the gcov that belongs to the compiler. What it prints is read in a confined
 * child; a file that one of both cannot read costs itself only.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cov_confined.h"
#include "cli/cov_helper.h"
#include "cli/cov_tools.h"

enum { GCOV_FILES = 32 };

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

static int run_gcov(struct coverage *c, const char *gcov, char *const files[], size_t count,
                    struct cov_trouble *trouble, struct oriel_err *err)
{
    static const char *const words[] = {"-b", "--json-format", "--stdout", "--"};
    const struct cov_confined how = {.read = read_documents};
    struct cov_helper h;
    char why[400] = "";
    cov_helper_init(&h, gcov);
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
        rc = cov_confined_read(c, &how, h.out.data ? h.out.data : "", h.out.size, err);
    if (rc == 0)
        note_complaint(&h.complaints, trouble->note, sizeof trouble->note);
    cov_helper_done(&h);
    return rc;
}

static void lose(struct cov_trouble *t, const char *file, const struct oriel_err *why)
{
    bool named = strncmp(why->text, file, strlen(file)) == 0;
    if (t->lost++ == 0)
        (void)snprintf(t->why, sizeof t->why, "%.200s%s%s", named ? "" : file, named ? "" : ": ",
                       why->text);
}

/* All at once; one after the other where that fails. ORIEL_ENOTFOUND: there is no gcov. */
static int read_some(struct coverage *c, const char *gcov, char *const files[], size_t count,
                     struct cov_trouble *trouble)
{
    struct oriel_err why = {0};
    int rc = run_gcov(c, gcov, files, count, trouble, &why);
    for (size_t i = 0; i < count && rc < 0 && rc != ORIEL_ENOTFOUND; i++) {
        int alone = count > 1 ? run_gcov(c, gcov, files + i, 1, trouble, &why) : rc;
        if (alone < 0)
            lose(trouble, files[i], &why);
    }
    return rc == ORIEL_ENOTFOUND ? rc : 0;
}

int cov_gcov(struct coverage *c, const char *gcov, const struct cov_paths *files,
             struct cov_trouble *trouble, struct oriel_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < files->count && rc == 0; i += GCOV_FILES) {
        size_t n = files->count - i < GCOV_FILES ? files->count - i : GCOV_FILES;
        rc = read_some(c, gcov, files->items + i, n, trouble);
    }
    if (rc == ORIEL_ENOTFOUND)
        return err_set(err, rc,
                       "%s: no such program; it belongs to the compiler, and --gcov names another",
                       gcov);
    return 0;
}
