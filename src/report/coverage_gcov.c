/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What gcov (9 and later) prints as JSON of one data file: its source files
 * with functions and lines. A line that belongs to several functions (templates,
 * inlined constructors) stands there several times.
 */
#include "base/mem.h"
#include "report/coverage.h"
#include "util/json.h"

#define DOCUMENT_BYTES_MAX (1u << 30)

struct gcov {
    struct coverage *c;
    const char *dir;   /* the compiler's; paths may be relative to it */
    struct map blocks; /* how often a line was seen in this file */
    struct buf path;
};

static uint64_t count_of(const struct json_value *v, const char *key)
{
    int64_t n = json_get_i64(v, key, 0);
    return n > 0 ? (uint64_t)n : 0;
}

static int read_branches(struct gcov *g, uint32_t file, uint64_t line,
                         const struct json_value *list, bool reached)
{
    int rc = 0;
    if (!list || list->type != JSON_ARRAY || !list->first)
        return 0;
    uint64_t *block = map_put(&g->blocks, line, 0);
    if (!block)
        return ORIEL_ENOMEM;
    struct coverage_branch b = {.line = (uint32_t)line, .block = (uint32_t)*block};
    *block += 1;
    for (const struct json_value *v = list->first; v && rc == 0; v = v->next) {
        b.taken = count_of(v, "count");
        b.reached = reached;
        rc = coverage_add_branch(g->c, file, &b);
        b.branch++;
    }
    return rc;
}

static int read_line(struct gcov *g, uint32_t file, const struct json_value *v)
{
    uint64_t line = count_of(v, "line_number"), count = count_of(v, "count");
    if (line > COVERAGE_LINE_MAX)
        return ORIEL_EFORMAT;
    int rc = coverage_add_line(g->c, file, line, count, 0);
    return rc ? rc : read_branches(g, file, line, json_get(v, "branches"), count > 0);
}

static int read_function(struct gcov *g, uint32_t file, const struct json_value *v)
{
    const char *name = json_get_string(v, "name", "");
    const char *readable = json_get_string(v, "demangled_name", name);
    size_t n = strlen(name);
    int rc = coverage_add_readable(g->c, name, n, readable, strlen(readable));
    return rc ? rc
              : coverage_add_function(g->c, file, name, n, count_of(v, "start_line"),
                                      count_of(v, "execution_count"));
}

static int each(struct gcov *g, uint32_t file, const struct json_value *list,
                int (*read)(struct gcov *g, uint32_t file, const struct json_value *v))
{
    int rc = 0;
    if (!list || list->type != JSON_ARRAY)
        return ORIEL_EFORMAT;
    for (const struct json_value *v = list->first; v && rc == 0; v = v->next)
        rc = v->type == JSON_OBJECT ? read(g, file, v) : ORIEL_EFORMAT;
    return rc;
}

static int read_file(struct gcov *g, const struct json_value *v)
{
    uint32_t file;
    const char *name = json_get_string(v, "file", "");
    if (!name[0])
        return ORIEL_EFORMAT;
    buf_clear(&g->path);
    if (name[0] != '/' && g->dir[0])
        buf_printf(&g->path, "%s/", g->dir);
    buf_puts(&g->path, name);
    if (g->path.failed)
        return ORIEL_ENOMEM;
    map_clear(&g->blocks);
    int rc = coverage_add_file(g->c, g->path.data, g->path.size, &file);
    if (rc == 0)
        rc = each(g, file, json_get(v, "functions"), read_function);
    return rc ? rc : each(g, file, json_get(v, "lines"), read_line);
}

int coverage_read_gcov(struct coverage *c, const char *p, size_t n, struct oriel_err *err)
{
    const struct json_read_options how = {
        .size = sizeof how, .max_bytes = DOCUMENT_BYTES_MAX, .max_values = 50000000};
    struct json_value *root = NULL;
    struct gcov g = {.c = c};
    struct arena arena;
    arena_init(&arena);
    buf_init(&g.path);
    int rc = json_read(&arena, p, n, &how, &root, err);
    const struct json_value *files = rc == 0 ? json_get(root, "files") : NULL;
    if (rc == 0 && (!files || files->type != JSON_ARRAY))
        rc = err_set(err, ORIEL_EFORMAT, "not what gcov prints: no list of files");
    g.dir = rc == 0 ? json_get_string(root, "current_working_directory", "") : "";
    for (const struct json_value *v = rc == 0 ? files->first : NULL; v && rc == 0; v = v->next) {
        rc = read_file(&g, v);
        if (rc < 0)
            err_set(err, rc, "what gcov prints of %.200s: %s", json_get_string(v, "file", "?"),
                    err_text(rc));
    }
    map_done(&g.blocks);
    buf_done(&g.path);
    arena_done(&arena);
    return rc;
}
