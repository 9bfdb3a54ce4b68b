/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The places where debug information may lie, in the order debuggers look.
 * Opens files for reading only; runs in the parent.
 */
#include "symbol/find.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbol/cache.h"
#include "symbol/table.h"

enum { PATH_BYTES = 4096 };

static int add_path(struct finder *f, const char *path)
{
    char *copy = mem_strdup(path);
    char **item = copy ? VEC_PUSH(&f->paths) : NULL;
    if (!item) {
        mem_free(copy);
        return ORIEL_ENOMEM;
    }
    *item = copy;
    return 0;
}

static void clear_paths(struct finder *f)
{
    for (size_t i = 0; i < f->paths.count; i++)
        mem_free(f->paths.items[i]);
    f->paths.count = 0;
}

int finder_start(struct finder *f, const char *module_path)
{
    clear_paths(f);
    return add_path(f, module_path);
}

void finder_done(struct finder *f)
{
    clear_paths(f);
    VEC_DONE(&f->paths);
    for (size_t i = 0; i < f->asked.count; i++)
        mem_free(f->asked.items[i]);
    VEC_DONE(&f->asked);
}

int finder_open_file(const char *path)
{
    struct stat st;
    /* Not blocking: the name may be that of a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool fits(int n, size_t room)
{
    return n > 0 && (size_t)n < room;
}

static bool by_build_id(const char *dir, struct bytes id, char *out)
{
    char hex[TABLE_ID_MAX * 2 + 1];
    if (!cache_name(id, hex, sizeof hex))
        return false;
    return fits(snprintf(out, PATH_BYTES, "%s/.build-id/%.2s/%s.debug", dir, hex, hex + 2),
                PATH_BYTES);
}

bool finder_has_debug(const struct symbols_options *options, struct bytes build_id)
{
    char path[PATH_BYTES];
    for (const char *const *dir = options->debug_dirs; *dir; dir++)
        if (by_build_id(*dir, build_id, path) && access(path, R_OK) == 0)
            return true;
    return false;
}

/* Folder of a path, as long as it is: "" for one without a slash. */
static int folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) : 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static size_t dir_count(const struct finder *f)
{
    size_t n = 0;
    while (f->options->debug_dirs[n])
        n++;
    return n;
}

static bool link_candidate(const struct finder *f, const char *base, const char *name, size_t k,
                           char *out)
{
    int n = folder_bytes(base);
    if (strchr(name, '/')) /* a plain name by its definition */
        return false;
    if (k == 0)
        return fits(snprintf(out, PATH_BYTES, "%.*s/%s", n, base, name), PATH_BYTES);
    if (k == 1)
        return fits(snprintf(out, PATH_BYTES, "%.*s/.debug/%s", n, base, name), PATH_BYTES);
    return fits(
        snprintf(out, PATH_BYTES, "%s%.*s/%s", f->options->debug_dirs[k - 2], n, base, name),
        PATH_BYTES);
}

/* The file at `name` seen from folder `dir`. */
static bool beside(const char *dir, int dir_bytes, const char *name, char *out)
{
    if (name[0] == '/' || dir_bytes == 0)
        return fits(snprintf(out, PATH_BYTES, "%s", name), PATH_BYTES);
    return fits(snprintf(out, PATH_BYTES, "%.*s/%s", dir_bytes, dir, name), PATH_BYTES);
}

static bool package_candidate(const char *base, size_t k, char *out)
{
    size_t n = strlen(base);
    if (k == 1) {
        if (n < 7 || strcmp(base + n - 6, ".debug") != 0)
            return false;
        n -= 6;
    }
    return fits(snprintf(out, PATH_BYTES, "%.*s.dwp", (int)n, base), PATH_BYTES);
}

/* The k-th place for the answer. False: this one cannot be; *end: no more of them. */
static bool candidate(struct finder *f, const struct job_question *q, size_t k, char *out,
                      bool *end)
{
    size_t dirs = dir_count(f);
    const char *base = q->base < f->paths.count ? f->paths.items[q->base] : "";
    switch (q->kind) {
    case JOB_FILE_BUILD_ID:
        *end = k > dirs;
        if (k < dirs)
            return by_build_id(f->options->debug_dirs[k], q->build_id, out);
        return k == dirs && finder_fetch(f, q->build_id, out, PATH_BYTES);
    case JOB_FILE_LINK:
        *end = k >= dirs + 2;
        return !*end && link_candidate(f, base, q->name, k, out);
    case JOB_FILE_ALT:
        *end = k > dirs;
        if (k == 0)
            return beside(base, folder_bytes(base), q->name, out);
        return !*end && by_build_id(f->options->debug_dirs[k - 1], q->build_id, out);
    case JOB_FILE_DWO:
        *end = k > 1;
        if (k == 0)
            return beside(q->dir, (int)strlen(q->dir), q->name, out);
        return k == 1 && beside(base, folder_bytes(base), last_part(q->name), out);
    case JOB_FILE_DWP:
        *end = k > 1;
        return k < 2 && package_candidate(base, k, out);
    }
    *end = true;
    return false;
}

int finder_open(void *ctx, const struct job_question *q, uint32_t *out_file)
{
    struct finder *f = ctx;
    char path[PATH_BYTES];
    uint32_t found = 0;
    bool end = false;
    for (size_t k = 0; !end; k++) {
        int fd = candidate(f, q, k, path, &end) ? finder_open_file(path) : -1;
        if (fd < 0)
            continue;
        if (found++ == q->nth && add_path(f, path) == 0) {
            *out_file = (uint32_t)f->paths.count - 1;
            return fd;
        }
        close(fd);
    }
    return -1;
}
