/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Writes the files of a run of coverage.
 */
#include "cli/cov_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "export/exporter.h"
#include "model/catalog.h"
#include "session/artifact.h"
#include "util/num.h"
#include "util/out.h"

#define GIT_NS UINT64_C(2000000000)
enum { DEPTH_MAX = 128 };

static void describe(struct model_catalog *catalog, const struct coverage *c, const char *method,
                     const char *exe, char *const argv[])
{
    char cwd[VCS_PATH_BYTES], absolute[PATH_MAX], percent[NUM_TEXT_MAX], text[48];
    struct coverage_sum sum = coverage_sum_all(c);
    struct vcs v;
    struct vcs_query query = {0};
    struct timespec now;
    uint64_t deadline = clock_mono_ns() + GIT_NS;
    bool repository = getcwd(cwd, sizeof cwd) && vcs_read(cwd, &v) == 0;
    clock_gettime(CLOCK_REALTIME, &now);
    catalog->start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (repository)
        vcs_dirty_start(&query, v.root);
    (void)artifact_host(catalog);
    (void)artifact_command(catalog, realpath(exe, absolute), argv);
    (void)snprintf(text, sizeof text, "%s of lines",
                   num_percent(percent, (double)sum.lines_hit, (double)sum.lines));
    (void)artifact_set(catalog, "oriel.coverage", text);
    (void)artifact_set(catalog, "oriel.coverage.method", method);
    if (repository)
        (void)artifact_vcs(catalog, &v, vcs_dirty_wait(&query, deadline));
}

/* A capture of nothing: by its header a run is listed and compared. */
static int write_header(const struct model_catalog *catalog, struct out *out, struct oriel_err *err)
{
    const struct exporter *table = export_find("capture");
    const struct export_env env = {
        .catalog = catalog, .out = out, .service_name = "oriel", .version = ""};
    const struct export_summary end = {.start_ns = catalog->start_ns, .end_ns = catalog->start_ns};
    void *state = table ? mem_calloc(1, table->state_size) : NULL;
    void *options = table ? mem_calloc(1, table->options_size + 1) : NULL;
    int rc = state && options ? option_defaults(table->options, options) : ORIEL_ENOMEM;
    if (rc == 0) {
        rc = table->open(state, options, &env, err);
        int closed = rc == 0 ? table->close(state, &end, err) : 0;
        rc = rc ? rc : closed;
        option_done(table->options, options);
    } else {
        err_set(err, rc, "%s", err_text(rc));
    }
    mem_free(state);
    mem_free(options);
    return rc;
}

static int open_in(struct out **out, const char *dir, const char *name, struct oriel_err *err)
{
    char path[RUNS_PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return out_file_open(out, path, false, err);
}

int cov_store(const char *dir, const struct coverage *c, const char *method, const char *exe,
              char *const argv[], struct oriel_err *err)
{
    struct model_catalog catalog;
    struct out *out = NULL;
    struct buf text;
    buf_init(&text);
    model_catalog_init(&catalog);
    describe(&catalog, c, method, exe, argv);
    coverage_put_lcov(c, &text);
    int rc = open_in(&out, dir, RUNS_COVERAGE, err);
    if (rc == 0 && (rc = out_write_buf(out, &text)) < 0)
        err_set(err, rc, "%s/" RUNS_COVERAGE ": %s", dir, err_text(rc));
    out_close(out);
    out = NULL;
    if (rc == 0)
        rc = open_in(&out, dir, RUNS_FILE, err);
    if (rc == 0)
        rc = write_header(&catalog, out, err);
    out_close(out);
    model_catalog_done(&catalog);
    buf_done(&text);
    return rc;
}

static void empty(int fd, unsigned depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        bool directory = S_ISDIR(st.st_mode);
        int inside =
            directory && depth < DEPTH_MAX
                ? openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                : -1;
        if (inside >= 0)
            empty(inside, depth + 1);
        (void)unlinkat(dirfd(d), e->d_name, directory ? AT_REMOVEDIR : 0);
    }
    closedir(d);
}

void cov_store_remove(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        empty(fd, 0);
    (void)rmdir(dir);
}
