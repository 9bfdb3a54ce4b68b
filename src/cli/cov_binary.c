/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From points of object files to breakpoints, and from breakpoints hit to lines
 * and functions.
 */
#include "cli/cov_binary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/binary.h"
#include "cli/cov_trace.h"

struct binary {
    const char *path;
    struct points points;
    bool has_points;
};

static int by_offset(const void *a, const void *b)
{
    const struct trace_spot *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_line(const struct point *p)
{
    return p->line > 0 && (p->kind == POINT_LINE || p->kind == POINT_FUNCTION);
}

/* A spot for each place at which something begins. */
static int make_spots(const struct points *p, struct trace_object *o)
{
    size_t n = 0;
    o->spots = mem_calloc((size_t)p->count + 1, sizeof *o->spots);
    if (!o->spots)
        return ORIEL_ENOMEM;
    for (uint32_t i = 0; i < p->count; i++)
        if (is_line(&p->items[i]))
            o->spots[n++].offset = p->items[i].offset;
    if (n > 1)
        qsort(o->spots, n, sizeof *o->spots, by_offset);
    for (size_t i = 0; i < n; i++)
        if (o->count == 0 || o->spots[o->count - 1].offset != o->spots[i].offset)
            o->spots[o->count++] = o->spots[i];
    return 0;
}

static int open_object(struct symbols *s, const char *path, struct binary *b,
                       struct trace_object *o, struct oriel_err *err)
{
    const struct points_query q = {.kinds = 1u << POINT_LINE | 1u << POINT_FUNCTION,
                                   .all_lines = true};
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, ORIEL_ENOTFOUND, "%s: cannot be read", path);
    b->path = path;
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    int rc = points_find(s, path, &q, &b->points, err);
    if (rc < 0)
        return rc;
    b->has_points = true;
    rc = make_spots(&b->points, o);
    if (rc == 0 && o->count == 0)
        return err_set(err, ORIEL_ENOTFOUND,
                       "%s: no line of it is known: build it with -g, or install its debug "
                       "information%s%.200s",
                       path, b->points.note[0] ? ": " : "", b->points.note);
    return rc < 0 ? err_set(err, rc, "%s: %s", path, err_text(rc)) : 0;
}

/* Whether the program reached a place. Where no breakpoint could be, nobody knows: the place
 * is left out. */
static const struct trace_spot *spot_of(const struct trace_object *o, const struct point *p)
{
    const struct trace_spot key = {.offset = p->offset};
    const struct trace_spot *s = bsearch(&key, o->spots, o->count, sizeof key, by_offset);
    assert(s);
    return s->unusable ? NULL : s;
}

static int add_point(struct coverage *c, const struct points *points, const struct point *p,
                     bool hit)
{
    uint32_t file;
    const char *path = points_text(points, p->file);
    int rc = coverage_add_file(c, path, strlen(path), &file);
    if (rc == 0 && p->kind == POINT_LINE)
        return coverage_add_line(c, file, p->line, hit, 0);
    if (rc < 0)
        return rc;
    const char *name = points_text(points, p->linkage), *readable = points_text(points, p->name);
    rc = coverage_add_function(c, file, name, strlen(name), p->line, hit);
    return rc ? rc : coverage_add_readable(c, name, strlen(name), readable, strlen(readable));
}

static int add_points(struct coverage *c, const struct binary *b, const struct trace_object *o)
{
    int rc = 0;
    for (uint32_t i = 0; i < b->points.count && rc == 0; i++) {
        const struct point *p = &b->points.items[i];
        const struct trace_spot *s = is_line(p) ? spot_of(o, p) : NULL;
        if (s)
            rc = add_point(c, &b->points, p, s->hit);
    }
    return rc;
}

static bool is_file(const struct trace_object *o, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == o->dev && st.st_ino == o->ino;
}

static void note_what_was_not_seen(const struct trace *t, const struct binary *b, char *out_note,
                                   size_t note_bytes)
{
    for (size_t i = 0; i < t->count && !out_note[0]; i++)
        if (!t->objects[i].placed)
            (void)snprintf(out_note, note_bytes,
                           "%s: was not part of the program when it began: nothing of it was "
                           "seen",
                           b[i].path);
    if (t->incomplete)
        (void)snprintf(out_note, note_bytes, "out of memory: not all that was reached was seen");
    if (!out_note[0] && t->left)
        (void)snprintf(out_note, note_bytes,
                       "%llu process%s it left behind: what is reached there from now on is not "
                       "seen",
                       (unsigned long long)t->left, t->left == 1 ? "" : "es");
}

int cov_binary_run(struct coverage *c, const char *path, char *const argv[],
                   const struct cov_paths *objects, int *out_status, char *out_note,
                   size_t note_bytes, struct oriel_err *err)
{
    struct symbols *symbols = NULL;
    struct binary *b = mem_calloc(objects->count + 1, sizeof *b);
    struct trace t = {.objects = mem_calloc(objects->count + 1, sizeof *t.objects),
                      .count = objects->count};
    int rc = b && t.objects ? binary_symbols(&symbols) : ORIEL_ENOMEM;
    if (rc < 0)
        err_set(err, rc, "%s", err_text(rc));
    for (size_t i = 0; i < objects->count && rc == 0; i++)
        rc = open_object(symbols, objects->items[i], &b[i], &t.objects[i], err);
    t.libraries = t.count > 1 || (rc == 0 && !is_file(&t.objects[0], path));
    if (rc == 0)
        rc = trace_run(&t, path, argv, out_status, err);
    c->reached_only = true;
    for (size_t i = 0; i < objects->count && rc == 0; i++) {
        rc = add_points(c, &b[i], &t.objects[i]);
        if (rc < 0)
            err_set(err, rc, "%s: %s", b[i].path, err_text(rc));
    }
    if (rc == 0)
        note_what_was_not_seen(&t, b, out_note, note_bytes);
    for (size_t i = 0; b && t.objects && i < objects->count; i++) {
        if (b[i].has_points)
            points_done(&b[i].points);
        mem_free(t.objects[i].spots);
    }
    symbols_close(symbols);
    mem_free(t.objects);
    mem_free(b);
    return rc;
}
