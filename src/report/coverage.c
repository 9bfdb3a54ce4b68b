/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Holds what was covered: filled in any order, then sorted and united once.
 */
#include "report/coverage.h"

#include <assert.h>
#include <stdlib.h>

#define FILES_MAX 1000000u
#define PATH_BYTES_MAX 4096u

int coverage_init(struct coverage *c)
{
    *c = (struct coverage){.items = 0};
    return intern_init(&c->strings);
}

static void file_done(struct coverage_file *f)
{
    VEC_DONE(&f->lines);
    VEC_DONE(&f->branches);
    VEC_DONE(&f->functions);
}

void coverage_done(struct coverage *c)
{
    for (size_t i = 0; i < c->files.count; i++)
        file_done(&c->files.items[i]);
    VEC_DONE(&c->files);
    map_done(&c->by_name);
    map_done(&c->readable);
    intern_done(&c->strings);
}

/* ---- filling ---- */

/* "/a/b/../c/./d" is "/a/c/d": one file has one name, whoever compiled it from where. As
 * text: who has links in his way has two. Returns the length. */
static size_t make_plain(const char *path, size_t n, char *out)
{
    size_t size = 0;
    for (size_t at = 0; at < n;) {
        size_t end = at;
        while (end < n && path[end] != '/')
            end++;
        bool up = end - at == 2 && path[at] == '.' && path[at + 1] == '.';
        bool stay = end == at || (end - at == 1 && path[at] == '.');
        if (up && size > 0)
            while (size > 0 && out[--size] != '/')
                ;
        else if (!stay && !up) {
            out[size++] = '/';
            memcpy(out + size, path + at, end - at);
            size += end - at;
        }
        at = end + 1;
    }
    return size;
}

int coverage_add_file(struct coverage *c, const char *path, size_t n, uint32_t *out)
{
    char plain[PATH_BYTES_MAX + 1];
    assert(!c->finished);
    if (n > 0 && n < PATH_BYTES_MAX && path[0] == '/') {
        n = make_plain(path, n, plain);
        path = plain;
    }
    uint32_t name = intern_add(&c->strings, path, n);
    if (name == UINT32_MAX)
        return ORIEL_ENOMEM;
    uint64_t *known = map_get(&c->by_name, name);
    if (known) {
        *out = (uint32_t)*known;
        return 0;
    }
    if (c->files.count >= FILES_MAX)
        return ORIEL_ELIMIT;
    struct coverage_file *f = VEC_PUSH(&c->files);
    if (!f)
        return ORIEL_ENOMEM;
    f->name = name;
    if (!map_put(&c->by_name, name, c->files.count - 1)) {
        c->files.count--;
        return ORIEL_ENOMEM;
    }
    *out = (uint32_t)(c->files.count - 1);
    return 0;
}

static int may_add(struct coverage *c, uint32_t file, uint64_t line)
{
    assert(!c->finished && file < c->files.count);
    (void)file;
    if (line > COVERAGE_LINE_MAX)
        return ORIEL_EFORMAT;
    return ++c->items > COVERAGE_ITEMS_MAX ? ORIEL_ELIMIT : 0;
}

int coverage_add_line(struct coverage *c, uint32_t file, uint64_t line, uint64_t count,
                      uint64_t text)
{
    int rc = may_add(c, file, line);
    if (rc < 0 || line == 0) /* line 0 is nobody's: code that compilers made up */
        return rc;
    struct coverage_line *slot = VEC_PUSH(&c->files.items[file].lines);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = (struct coverage_line){(uint32_t)line, count, text};
    return 0;
}

int coverage_add_branch(struct coverage *c, uint32_t file, const struct coverage_branch *b)
{
    int rc = may_add(c, file, b->line);
    if (rc < 0 || b->line == 0)
        return rc;
    struct coverage_branch *slot = VEC_PUSH(&c->files.items[file].branches);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = *b;
    return 0;
}

int coverage_add_function(struct coverage *c, uint32_t file, const char *name, size_t n,
                          uint64_t line, uint64_t count)
{
    int rc = may_add(c, file, line);
    if (rc < 0)
        return rc;
    uint32_t id = intern_add(&c->strings, name, n);
    struct coverage_function *slot =
        id == UINT32_MAX ? NULL : VEC_PUSH(&c->files.items[file].functions);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = (struct coverage_function){id, (uint32_t)line, count};
    return 0;
}

int coverage_add_readable(struct coverage *c, const char *name, size_t n, const char *readable,
                          size_t readable_n)
{
    if (n == readable_n && memcmp(name, readable, n) == 0)
        return 0;
    uint32_t id = intern_add(&c->strings, name, n);
    uint32_t text = intern_add(&c->strings, readable, readable_n);
    return id == UINT32_MAX || text == UINT32_MAX || !map_put(&c->readable, id, text) ? ORIEL_ENOMEM
                                                                                      : 0;
}

struct model_str coverage_readable(const struct coverage *c, const struct coverage_function *f)
{
    const uint64_t *text = map_get(&c->readable, f->name);
    return coverage_string(c, text ? (uint32_t)*text : f->name);
}

/* ---- uniting ---- */

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_line(const void *a, const void *b)
{
    const struct coverage_line *x = a, *y = b;
    return compare_u64(x->line, y->line);
}

static int by_branch(const void *a, const void *b)
{
    const struct coverage_branch *x = a, *y = b;
    int line = compare_u64(x->line, y->line), block = compare_u64(x->block, y->block);
    return line ? line : block ? block : compare_u64(x->branch, y->branch);
}

static int by_name(const void *a, const void *b)
{
    const struct coverage_function *x = a, *y = b;
    return compare_u64(x->name, y->name);
}

static int by_place(const void *a, const void *b)
{
    const struct coverage_function *x = a, *y = b;
    int line = compare_u64(x->line, y->line);
    return line ? line : by_name(a, b);
}

#define SORT(v, order)                                                                             \
    do {                                                                                           \
        if ((v)->count > 1)                                                                        \
            qsort((v)->items, (v)->count, sizeof *(v)->items, order);                              \
    } while (0)

/* Of what was only reached, several runs do not make a count. */
static void forget_counts(struct coverage_file *f)
{
    for (size_t i = 0; i < f->lines.count; i++)
        f->lines.items[i].count = f->lines.items[i].count > 0;
    for (size_t i = 0; i < f->functions.count; i++)
        f->functions.items[i].count = f->functions.items[i].count > 0;
}

static void unite_lines(struct coverage_file *f)
{
    size_t kept = 0;
    SORT(&f->lines, by_line);
    for (size_t i = 0; i < f->lines.count; i++) {
        struct coverage_line *now = &f->lines.items[i];
        struct coverage_line *last = kept ? &f->lines.items[kept - 1] : NULL;
        if (last && last->line == now->line) {
            last->count = plus(last->count, now->count);
            last->text = last->text ? last->text : now->text;
        } else {
            f->lines.items[kept++] = *now;
        }
    }
    f->lines.count = kept;
}

static void unite_branches(struct coverage_file *f)
{
    size_t kept = 0;
    SORT(&f->branches, by_branch);
    for (size_t i = 0; i < f->branches.count; i++) {
        struct coverage_branch *now = &f->branches.items[i];
        struct coverage_branch *last = kept ? &f->branches.items[kept - 1] : NULL;
        if (last && by_branch(last, now) == 0) {
            last->taken = plus(last->taken, now->taken);
            last->reached |= now->reached;
        } else {
            f->branches.items[kept++] = *now;
        }
    }
    f->branches.count = kept;
}

static void unite_functions(struct coverage_file *f)
{
    size_t kept = 0;
    SORT(&f->functions, by_name);
    for (size_t i = 0; i < f->functions.count; i++) {
        struct coverage_function *now = &f->functions.items[i];
        struct coverage_function *last = kept ? &f->functions.items[kept - 1] : NULL;
        if (last && last->name == now->name) {
            last->count = plus(last->count, now->count);
            last->line = last->line ? last->line : now->line;
        } else {
            f->functions.items[kept++] = *now;
        }
    }
    f->functions.count = kept;
    SORT(&f->functions, by_place);
}

void coverage_finish(struct coverage *c, bool (*keep)(void *user, struct model_str path),
                     void *user)
{
    size_t kept = 0;
    assert(!c->finished);
    map_clear(&c->by_name); /* files are about to move */
    for (size_t i = 0; i < c->files.count; i++) {
        struct coverage_file *f = &c->files.items[i];
        unite_lines(f);
        unite_branches(f);
        unite_functions(f);
        if (c->reached_only)
            forget_counts(f);
        if (f->lines.count == 0 || (keep && !keep(user, coverage_string(c, f->name))))
            file_done(f);
        else
            c->files.items[kept++] = *f;
    }
    c->files.count = kept;
    c->finished = true;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

uint64_t coverage_text_hash(const char *p, size_t n)
{
    while (n && is_space(*p))
        p++, n--;
    while (n && is_space(p[n - 1]))
        n--;
    uint64_t h = map_hash_bytes(p, n, 0);
    return h ? h : 1;
}

void coverage_hash_texts(struct coverage *c,
                         bool (*line)(void *user, struct model_str file, uint32_t line,
                                      struct model_str *out),
                         void *user)
{
    for (size_t i = 0; i < c->files.count; i++) {
        struct coverage_file *f = &c->files.items[i];
        struct model_str path = coverage_string(c, f->name), text;
        for (size_t k = 0; k < f->lines.count; k++) {
            struct coverage_line *l = &f->lines.items[k];
            if (!l->text && line(user, path, l->line, &text))
                l->text = coverage_text_hash(text.p, text.n);
        }
    }
}

/* ---- asking ---- */

struct coverage_sum coverage_sum_file(const struct coverage_file *f)
{
    struct coverage_sum s = {
        .lines = f->lines.count, .branches = f->branches.count, .functions = f->functions.count};
    for (size_t i = 0; i < f->lines.count; i++)
        s.lines_hit += f->lines.items[i].count > 0;
    for (size_t i = 0; i < f->branches.count; i++)
        s.branches_hit += f->branches.items[i].taken > 0;
    for (size_t i = 0; i < f->functions.count; i++)
        s.functions_hit += f->functions.items[i].count > 0;
    return s;
}

struct coverage_sum coverage_sum_all(const struct coverage *c)
{
    struct coverage_sum all = {0};
    for (size_t i = 0; i < c->files.count; i++) {
        struct coverage_sum s = coverage_sum_file(&c->files.items[i]);
        all.lines += s.lines;
        all.lines_hit += s.lines_hit;
        all.branches += s.branches;
        all.branches_hit += s.branches_hit;
        all.functions += s.functions;
        all.functions_hit += s.functions_hit;
    }
    return all;
}

const struct coverage_file *coverage_find_file(const struct coverage *c, struct model_str path)
{
    for (size_t i = 0; i < c->files.count; i++) {
        struct model_str name = coverage_string(c, c->files.items[i].name);
        if (name.n == path.n && memcmp(name.p, path.p, path.n) == 0)
            return &c->files.items[i];
    }
    return NULL;
}

const struct coverage_line *coverage_find_line(const struct coverage_file *f, uint32_t line)
{
    const struct coverage_line key = {.line = line};
    return f->lines.count ? bsearch(&key, f->lines.items, f->lines.count, sizeof key, by_line)
                          : NULL;
}

bool coverage_line_branches(const struct coverage_file *f, uint32_t line, uint32_t *out_taken,
                            uint32_t *out_all)
{
    size_t lo = 0, hi = f->branches.count;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (f->branches.items[middle].line < line)
            lo = middle + 1;
        else
            hi = middle;
    }
    *out_taken = *out_all = 0;
    for (; lo < f->branches.count && f->branches.items[lo].line == line; lo++) {
        *out_all += 1;
        *out_taken += f->branches.items[lo].taken > 0;
    }
    return *out_all > 0;
}
