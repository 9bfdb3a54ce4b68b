/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both sides of reading coverage in a confined child. What it found travels as
 * numbers and texts without any meaning of their own, in the order in which the
 * other side asks for them:
 *
 *   head: code, line of an error, size of the rest
 *   reached only, files; of each file: path, lines, branches, functions
 *
 * The parent adds nothing before the child is gone and all of it is there.
 */
#include "cli/cov_confined.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "util/confined.h"

struct head {
    int32_t code;
    uint32_t unused;
    uint64_t bytes;
    char text[sizeof((struct oriel_err *)0)->text];
};

/* ---- in the child ---- */

static void put(struct buf *out, uint64_t n)
{
    buf_put(out, &n, sizeof n);
}

static void put_text(struct buf *out, struct model_str s)
{
    put(out, s.n);
    buf_put(out, s.p, s.n);
}

static void put_file(const struct coverage *c, const struct coverage_file *f, struct buf *out)
{
    put_text(out, coverage_string(c, f->name));
    put(out, f->lines.count);
    for (size_t i = 0; i < f->lines.count; i++) {
        put(out, f->lines.items[i].line);
        put(out, f->lines.items[i].count);
        put(out, f->lines.items[i].text);
    }
    put(out, f->branches.count);
    for (size_t i = 0; i < f->branches.count; i++) {
        const struct coverage_branch *b = &f->branches.items[i];
        put(out, b->line);
        put(out, (uint64_t)b->block << 32 | b->branch);
        put(out, b->taken);
        put(out, b->reached);
    }
    put(out, f->functions.count);
    for (size_t i = 0; i < f->functions.count; i++) {
        put(out, f->functions.items[i].line);
        put(out, f->functions.items[i].count);
        put_text(out, coverage_string(c, f->functions.items[i].name));
        put_text(out, coverage_readable(c, &f->functions.items[i]));
    }
}

struct order {
    cov_reader read;
    const char *p;
    size_t n;
};

/* The text lies in this process's memory: it is a fork of the one that has it. */
static void work(const void *how, const struct confined_file *file)
{
    const struct order *order = how;
    struct head head = {0};
    struct oriel_err err = {0};
    struct coverage c;
    struct buf body;
    (void)file;
    buf_init(&body);
    head.code = coverage_init(&c);
    if (head.code == 0)
        head.code = order->read(&c, order->p, order->n, &err);
    if (head.code == 0) {
        put(&body, c.reached_only);
        put(&body, c.files.count);
        for (size_t i = 0; i < c.files.count; i++)
            put_file(&c, &c.files.items[i], &body);
        head.code = body.failed ? ORIEL_ENOMEM : 0;
    }
    head.bytes = head.code == 0 ? body.size : 0;
    memcpy(head.text, err.text, sizeof head.text);
    if (confined_say(&head, sizeof head))
        (void)confined_say(body.data, head.bytes); /* the process ends: nothing is freed */
}

/* ---- in the parent ---- */

struct hearing {
    struct coverage *c;
    const char *dir, *p;
    size_t left;
    bool broken; /* it said less than it announced, or what cannot be */
};

static uint64_t take(struct hearing *h)
{
    uint64_t n = 0;
    h->broken |= h->left < sizeof n;
    if (h->broken)
        return 0;
    memcpy(&n, h->p, sizeof n);
    h->p += sizeof n;
    h->left -= sizeof n;
    return n;
}

static struct model_str take_text(struct hearing *h)
{
    uint64_t n = take(h);
    struct model_str s = {h->p, (uint32_t)n};
    h->broken |= n > h->left || n > UINT32_MAX;
    if (h->broken)
        return (struct model_str){"", 0};
    h->p += n;
    h->left -= n;
    return s;
}

static int take_lines(struct hearing *h, uint32_t file)
{
    int rc = 0;
    for (uint64_t i = take(h); i > 0 && rc == 0 && !h->broken; i--) {
        uint64_t line = take(h), count = take(h), text = take(h);
        rc = coverage_add_line(h->c, file, line, count, text);
    }
    return rc;
}

static int take_branches(struct hearing *h, uint32_t file)
{
    int rc = 0;
    for (uint64_t i = take(h); i > 0 && rc == 0 && !h->broken; i--) {
        uint64_t line = take(h), which = take(h);
        struct coverage_branch b = {.line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line,
                                    .block = (uint32_t)(which >> 32),
                                    .branch = (uint32_t)which};
        b.taken = take(h);
        b.reached = take(h) != 0;
        rc = coverage_add_branch(h->c, file, &b);
    }
    return rc;
}

static int take_functions(struct hearing *h, uint32_t file)
{
    int rc = 0;
    for (uint64_t i = take(h); i > 0 && rc == 0 && !h->broken; i--) {
        uint64_t line = take(h), count = take(h);
        struct model_str name = take_text(h), readable = take_text(h);
        rc = coverage_add_readable(h->c, name.p, name.n, readable.p, readable.n);
        if (rc == 0)
            rc = coverage_add_function(h->c, file, name.p, name.n, line, count);
    }
    return rc;
}

/* "a.c" is below the directory of its compiler, which may have been the one of the notes or
 * one above: the first that has it. */
static struct model_str find_file(const char *dir, struct model_str name, char *path, size_t size)
{
    for (size_t n = strlen(dir); dir[0] == '/' && n > 0;) {
        int all = snprintf(path, size, "%.*s/%.*s", (int)n, dir, (int)name.n, name.p);
        if (all > 0 && (size_t)all < size && access(path, F_OK) == 0)
            return (struct model_str){path, (uint32_t)all};
        while (n > 0 && dir[--n] != '/')
            ;
    }
    int all = snprintf(path, size, "%s/%.*s", dir, (int)name.n, name.p);
    return all > 0 && (size_t)all < size ? (struct model_str){path, (uint32_t)all} : name;
}

static int take_file(struct hearing *h)
{
    char path[4096];
    uint32_t file = 0;
    struct model_str name = take_text(h);
    if (h->dir && name.n && name.n < sizeof path && name.p[0] != '/' && !memchr(name.p, 0, name.n))
        name = find_file(h->dir, name, path, sizeof path);
    int rc = h->broken ? 0 : coverage_add_file(h->c, name.p, name.n, &file);
    if (rc == 0 && !h->broken)
        rc = take_lines(h, file);
    if (rc == 0 && !h->broken)
        rc = take_branches(h, file);
    return rc || h->broken ? rc : take_functions(h, file);
}

/* 0, -EPROTO when it is nonsense, or what adding it came to. */
static int take_all(struct hearing *h)
{
    int rc = 0;
    bool reached_only = take(h) != 0;
    for (uint64_t i = take(h); i > 0 && rc == 0 && !h->broken; i--)
        rc = take_file(h);
    if (rc == 0 && (h->broken || h->left))
        return -EPROTO;
    h->c->reached_only |= reached_only;
    return rc;
}

static int hear(struct confined *child, const struct foreign_limits *limits, struct head *head,
                struct buf *body)
{
    int rc = confined_receive(child, head, sizeof *head);
    if (rc != 0)
        return rc;
    head->text[sizeof head->text - 1] = 0;
    if (head->code > 0 || head->code < -64 || (head->code < 0 && head->bytes))
        return -EPROTO;
    if (head->bytes == 0)
        return 0;
    char *room = head->bytes <= limits->told_bytes ? buf_reserve(body, head->bytes) : NULL;
    if (!room)
        return -ENOMEM;
    rc = confined_receive(child, room, head->bytes);
    body->size = rc == 0 ? head->bytes : 0;
    return rc;
}

int cov_confined_read(struct coverage *c, const struct cov_confined *how, const char *p, size_t n,
                      struct oriel_err *err)
{
    struct foreign_limits by_size;
    const struct foreign_limits *limits = how->limits ? how->limits : &by_size;
    const struct order order = {how->read, p, n};
    struct confined child;
    struct head head;
    struct buf body;
    assert(how->read && (p || n == 0) && !c->finished);
    foreign_limits_for(n, &by_size);
    const struct confined_options options = {.file = -1,
                                             .cpu_ms = limits->cpu_ms,
                                             .timeout_ms = limits->timeout_ms,
                                             .memory_bytes = limits->memory_bytes,
                                             .work = work,
                                             .how = &order};
    int rc = confined_start(&child, &options, err);
    if (rc < 0)
        return rc;
    buf_init(&body);
    int heard = hear(&child, limits, &head, &body);
    struct hearing h = {.c = c, .dir = how->dir, .p = body.data, .left = body.size};
    int added = heard == 0 && head.code == 0 ? take_all(&h) : 0;
    rc = confined_end(&child, heard ? heard : added == -EPROTO ? -EPROTO : 0, err);
    if (rc == 0 && (added < 0 || head.code < 0)) {
        rc = added < 0 ? added : head.code;
        rc = err_set(err, rc, "%s", head.code < 0 && head.text[0] ? head.text : err_text(rc));
    }
    buf_done(&body);
    return rc;
}
