/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Makes the list that liboriel-calls reads in the program: names and lines are
 * looked up here, so that the program reads no debug information.
 */
#include "cli/calling.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/calls.h"
#include "base/mem.h"
#include "base/os.h"
#include "cli/binary.h"

/* The list while it is made. */
struct list {
    struct calls_head head;
    struct buf entries, text;
    const struct points *points;
    const struct symbols_result *lines;
};

static uint32_t add_text(struct list *l, const char *p, size_t n)
{
    uint32_t at = (uint32_t)l->text.size;
    if (n == 0)
        return 0;
    buf_put(&l->text, p, n);
    buf_put(&l->text, "", 1);
    return at;
}

/* Functions of Oriel's own headers are compiled into the program too. */
static bool is_ours(const char *name)
{
    return strncmp(name, "oriel_", 6) == 0;
}

static void add_function(struct list *l, uint32_t index)
{
    const struct point *point = &l->points->items[index];
    const char *name = points_text(l->points, point->name);
    bool again = index && point[-1].addr == point->addr;
    if (again || is_ours(name) || l->head.count == CALLS_MAX)
        return;
    struct calls_entry e = {.address = point->addr};
    e.bytes = point->size < UINT32_MAX ? (uint32_t)point->size : 0;
    e.name = add_text(l, name, points_plain_bytes(name, strlen(name)));
    const struct symbols_answer *a = l->lines ? &l->lines->modules[0].items[index] : NULL;
    if (a && a->count) {
        const struct symbols_line *line = &l->lines->lines.items[a->first + a->count - 1];
        struct intern_str file = intern_get(&l->lines->strings, line->file);
        e.file = add_text(l, file.p, file.n);
        e.line = line->start_line ? line->start_line : line->line;
    }
    buf_put(&l->entries, &e, sizeof e);
    l->head.count++;
}

/* Memory without a name, so that nothing is left of it when we are killed; the program
 * opens it through us. Where the kernel keeps others out of what we have open (a command
 * with capabilities of its own), a file. */
static int make_file(struct calling *c, size_t bytes, void **out)
{
    int rc, fd = -1;
    if (prctl(PR_GET_DUMPABLE) == 1) {
        rc = os_create_memfd("oriel-calls", bytes, bytes, &fd, out);
        snprintf(c->path, sizeof c->path, "/proc/%d/fd/%d", getpid(), fd);
    } else {
        snprintf(c->path, sizeof c->path, "/dev/shm/oriel-calls-%d", getpid());
        rc = os_create_file(c->path, bytes, bytes, &fd, out);
    }
    c->named = rc == 0 && c->path[1] == 'd';
    c->fd = rc == 0 ? fd : -1;
    if (rc != 0)
        c->path[0] = 0;
    return rc;
}

static int write_list(struct calling *c, struct list *l, struct oriel_err *err)
{
    if (l->entries.failed || l->text.failed)
        return err_set(err, ORIEL_ENOMEM, "calls: out of memory");
    const size_t bytes = sizeof l->head + l->entries.size + l->text.size;
    void *p;
    l->head.string_bytes = (uint32_t)l->text.size;
    if (make_file(c, bytes, &p) != 0)
        return err_set(err, ORIEL_EIO, "calls: no memory for a list of %zu bytes", bytes);
    char *at = p;
    memcpy(at, &l->head, sizeof l->head);
    memcpy(at + sizeof l->head, l->entries.data, l->entries.size);
    memcpy(at + sizeof l->head + l->entries.size, l->text.data, l->text.size);
    os_unmap(p, bytes);
    c->functions = l->head.count;
    return 0;
}

static int fill(struct calling *c, struct symbols *s, const struct calling_wish *wish,
                const struct points *points, struct oriel_err *err)
{
    struct symbols_result lines;
    struct list l = {
        .head = {.magic = CALLS_MAGIC, .depth = (uint16_t)wish->depth, .sums = wish->sums},
        .points = points};
    uint64_t entries = points->patchable_bytes / sizeof(uint64_t);
    if (!points->instrumented && entries <= CALLS_ENTRIES_MAX) {
        l.head.entries = points->patchable;
        l.head.entry_count = (uint32_t)entries;
    }
    uint64_t *addresses = mem_calloc(points->count + 1, sizeof *addresses);
    buf_init(&l.entries);
    buf_init(&l.text);
    buf_put(&l.text, "", 1);
    for (uint32_t i = 0; addresses && i < points->count; i++)
        addresses[i] = points->items[i].addr;
    const struct symbols_module m = {
        .path = c->program, .addresses = addresses, .count = points->count};
    if (addresses && symbols_resolve(s, &m, 1, &lines) == 0)
        l.lines = &lines;
    for (uint32_t i = 0; i < points->count; i++)
        add_function(&l, i);
    int rc = write_list(c, &l, err);
    if (l.lines)
        symbols_result_done(&lines);
    mem_free(addresses);
    buf_done(&l.entries);
    buf_done(&l.text);
    return rc;
}

#if defined(__x86_64__)
#define COMPILED_WITH "-finstrument-functions or -fpatchable-function-entry=8"
#else
#define COMPILED_WITH "-finstrument-functions"
#endif

/* Room for a call in front of functions: used on one kind of machine. */
static bool is_patchable(const struct points *p)
{
#if defined(__x86_64__)
    return p->patchable_bytes >= sizeof(uint64_t);
#else
    (void)p;
    return false;
#endif
}

int calling_make(struct calling *c, const struct calling_wish *wish, const char *program,
                 struct oriel_err *err)
{
    struct symbols *s = NULL;
    struct points points;
    memset(c, 0, sizeof *c);
    assert(wish->depth > 0 && wish->depth <= CALLS_DEPTH_MAX);
    if (!wish->pattern || !*wish->pattern)
        return 0;
    int rc = binary_find(program, NULL, c->program, err);
    if (rc == 0 && binary_symbols(&s) < 0)
        rc = err_set(err, ORIEL_ENOMEM, "calls: out of memory");
    const struct points_query q = {.kinds = 1u << POINT_FUNCTION, .pattern = wish->pattern};
    if (rc == 0)
        rc = points_find(s, c->program, &q, &points, err);
    if (rc == 0) {
        if (!points.instrumented && !is_patchable(&points))
            rc = err_set(err, ORIEL_EUNSUPPORTED,
                         "%.300s: not compiled with " COMPILED_WITH ", so its calls are not "
                         "told; record -e uprobe:FUNCTION watches any program (as root)",
                         c->program);
        else if (points.count == 0)
            rc = err_set(err, ORIEL_ENOTFOUND, "%.300s: no function matches \"%.100s\"", c->program,
                         wish->pattern);
        else
            rc = fill(c, s, wish, &points, err);
        points_done(&points);
    }
    symbols_close(s);
    return rc;
}

void calling_done(struct calling *c)
{
    if (c->named)
        (void)unlink(c->path);
    if (c->path[0])
        close(c->fd);
    memset(c, 0, sizeof *c);
}
