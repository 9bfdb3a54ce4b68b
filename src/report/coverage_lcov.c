/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tracefiles of lcov (geninfo(1)): one record to a line, those of a source file
 * between SF and end_of_record. What is not known is passed over, as lcov does;
 * sums (LF, LH, ...) are not believed but made anew.
 */
#include <assert.h>

#include "report/coverage.h"
#include "util/json.h"
#include "util/num.h"

#define REACHED "oriel_reached" /* the name of a test whose counts are 0 and 1 */
#define NAMES_MAX 1000000u
#define RECORD_BYTES_MAX (1u << 20)

struct lcov {
    struct coverage *c;
    struct oriel_err *err;
    uint64_t line_number;
    bool in_file, any;
    uint32_t file;
    VEC(uint64_t) name_lines; /* lcov 2: of the FNL with this index */
};

/* The text up to a comma, which is passed; the rest if there is none. */
static struct model_str take(struct model_str *rest)
{
    const char *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
    struct model_str part = {rest->p, comma ? (uint32_t)(comma - rest->p) : rest->n};
    uint32_t used = comma ? part.n + 1 : part.n;
    rest->p += used;
    rest->n -= used;
    return part;
}

static bool is_number(struct model_str s, uint64_t *out)
{
    return num_parse_u64(s.p, s.n, out) == 0;
}

/* Counts below zero are an old fault of compilers: never executed. Some tools write them
 * with a fraction. */
static bool is_count(struct model_str s, uint64_t *out)
{
    double d;
    *out = 0;
    if (is_number(s, out))
        return true;
    if (num_parse_double(s.p, s.n, &d) < 0)
        return false;
    *out = d <= 0 ? 0 : d >= 1.8e19 ? UINT64_MAX : (uint64_t)d;
    return true;
}

static int wrong(const struct lcov *l, const char *what)
{
    return err_set(l->err, ORIEL_EFORMAT, "line %llu: %s", (unsigned long long)l->line_number,
                   what);
}

/* Ours, a comment to others, who have a checksum of another kind in DA: #DA:line,16 hex digits */
static int read_text(struct lcov *l, struct model_str rest)
{
    uint64_t line, text = 0;
    bool good = is_number(take(&rest), &line) && rest.n == 16;
    for (uint32_t i = 0; good && i < rest.n; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = rest.p[i] ? strchr(digits, rest.p[i]) : NULL;
        good = digit != NULL;
        text = text << 4 | (uint64_t)(digit ? digit - digits : 0);
    }
    return good ? coverage_add_line(l->c, l->file, line, 0, text) : 0;
}

/* DA:line,count[,checksum] */
static int read_line(struct lcov *l, struct model_str rest)
{
    uint64_t line, count, text = 0;
    if (!is_number(take(&rest), &line) || !is_count(take(&rest), &count))
        return wrong(l, "DA wants a line and a count");
    if (rest.n)
        text = coverage_text_hash(rest.p, rest.n);
    return coverage_add_line(l->c, l->file, line, count, text);
}

/* BRDA:line,[e]block,branch,taken; taken is "-" where the line was not reached. The branch may
 * be any text. */
static int read_branch(struct lcov *l, struct model_str rest)
{
    uint64_t line, block, branch;
    if (!is_number(take(&rest), &line))
        return wrong(l, "BRDA wants a line");
    struct model_str text = take(&rest);
    if (text.n && text.p[0] == 'e')
        text = (struct model_str){text.p + 1, text.n - 1};
    struct model_str name = take(&rest);
    struct coverage_branch b = {.line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line};
    b.reached = !(rest.n == 1 && rest.p[0] == '-');
    if (!is_number(text, &block) || (b.reached && !is_count(rest, &b.taken)))
        return wrong(l, "BRDA wants a line, a block, a branch and how often it was taken");
    if (!is_number(name, &branch))
        branch = map_hash_bytes(name.p, name.n, 0);
    b.block = (uint32_t)block;
    b.branch = (uint32_t)branch;
    return coverage_add_branch(l->c, l->file, &b);
}

/* LLVM says "file.c:name" of what is static in file.c. */
static struct model_str own_name(const struct lcov *l, struct model_str name)
{
    struct model_str path = coverage_string(l->c, l->c->files.items[l->file].name);
    const char *colon = memchr(name.p, ':', name.n);
    size_t n = colon ? (size_t)(colon - name.p) : 0;
    if (n == 0 || n + 1 >= name.n || colon[1] == ':' || path.n <= n ||
        memcmp(path.p + path.n - n, name.p, n) != 0 || path.p[path.n - n - 1] != '/')
        return name;
    return (struct model_str){colon + 1, (uint32_t)(name.n - n - 1)};
}

static int add_function(struct lcov *l, struct model_str name, uint64_t line, uint64_t count)
{
    name = own_name(l, name);
    return coverage_add_function(l->c, l->file, name.p, name.n, line, count);
}

/* FN:line,[end,]name */
static int read_function(struct lcov *l, struct model_str rest)
{
    uint64_t line, end;
    if (!is_number(take(&rest), &line) || rest.n == 0)
        return wrong(l, "FN wants a line and a name");
    struct model_str behind = rest;
    if (memchr(rest.p, ',', rest.n) && is_number(take(&behind), &end) && behind.n)
        rest = behind;
    return add_function(l, rest, line, 0);
}

/* FNDA:count,name */
static int read_calls(struct lcov *l, struct model_str rest)
{
    uint64_t count;
    if (!is_count(take(&rest), &count) || rest.n == 0)
        return wrong(l, "FNDA wants a count and a name");
    return add_function(l, rest, 0, count);
}

/* FNL:index,line[,end], then FNA:index,count,name for each name of it. */
static int read_function_line(struct lcov *l, struct model_str rest)
{
    uint64_t index, line;
    if (!is_number(take(&rest), &index) || !is_number(take(&rest), &line) || index > NAMES_MAX)
        return wrong(l, "FNL wants an index and a line");
    while (l->name_lines.count <= index)
        if (!VEC_PUSH(&l->name_lines))
            return ORIEL_ENOMEM;
    l->name_lines.items[index] = line;
    return 0;
}

static int read_function_alias(struct lcov *l, struct model_str rest)
{
    uint64_t index, count;
    if (!is_number(take(&rest), &index) || !is_count(take(&rest), &count) || rest.n == 0)
        return wrong(l, "FNA wants an index, a count and a name");
    uint64_t line = index < l->name_lines.count ? l->name_lines.items[index] : 0;
    return add_function(l, rest, line, count);
}

/* Ours, a comment to others: #FN:name,what a person calls it */
static int read_readable(struct lcov *l, struct model_str rest)
{
    struct model_str name = take(&rest);
    if (name.n == 0 || rest.n == 0)
        return 0;
    return coverage_add_readable(l->c, name.p, name.n, rest.p, rest.n);
}

static int begin_file(struct lcov *l, struct model_str path)
{
    if (path.n == 0 || path.n > 4096)
        return wrong(l, "SF wants the path of a file");
    l->in_file = l->any = true;
    l->name_lines.count = 0;
    return coverage_add_file(l->c, path.p, path.n, &l->file);
}

static int read_test_name(struct lcov *l, struct model_str rest)
{
    l->any = true;
    if (rest.n == sizeof REACHED - 1 && memcmp(rest.p, REACHED, rest.n) == 0)
        l->c->reached_only = true;
    return 0;
}

static const struct lcov_record {
    const char *name;
    bool inside; /* between SF and end_of_record only */
    int (*read)(struct lcov *l, struct model_str rest);
} records[] = {
    {"TN:", false, read_test_name},     {"SF:", false, begin_file},
    {"DA:", true, read_line},           {"BRDA:", true, read_branch},
    {"FN:", true, read_function},       {"FNDA:", true, read_calls},
    {"#FN:", true, read_readable},      {"#DA:", true, read_text},
    {"FNL:", true, read_function_line}, {"FNA:", true, read_function_alias},
};

static int read_record(struct lcov *l, const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        const struct lcov_record *r = &records[i];
        size_t name = strlen(r->name);
        if (n < name || memcmp(p, r->name, name) != 0)
            continue;
        if (r->inside && !l->in_file)
            return wrong(l, "outside of SF and end_of_record");
        return r->read(l, (struct model_str){p + name, (uint32_t)(n - name)});
    }
    if (n == 13 && memcmp(p, "end_of_record", 13) == 0)
        l->in_file = false;
    return 0;
}

int coverage_read_lcov(struct coverage *c, const char *p, size_t n, struct oriel_err *err)
{
    struct lcov l = {.c = c, .err = err};
    struct oriel_err why = {0};
    int rc = 0;
    l.err = &why;
    for (size_t at = 0; at < n && rc == 0;) {
        const char *end = memchr(p + at, '\n', n - at);
        size_t bytes = end ? (size_t)(end - p) - at : n - at;
        size_t shown = bytes && p[at + bytes - 1] == '\r' ? bytes - 1 : bytes;
        l.line_number++;
        rc = shown <= RECORD_BYTES_MAX ? read_record(&l, p + at, shown)
                                       : wrong(&l, "longer than any record");
        at += bytes + 1;
    }
    if (rc == 0 && !l.any)
        rc = err_set(&why, ORIEL_EFORMAT, "no tracefile of lcov: no source file in it");
    VEC_DONE(&l.name_lines);
    if (rc < 0 && !why.code)
        err_set(&why, rc, "line %llu: %s", (unsigned long long)l.line_number, err_text(rc));
    return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

/* ---- writing ---- */

static void put_number(struct buf *out, uint64_t v, char behind)
{
    json_put_u64(out, v);
    buf_putc(out, behind);
}

static void put_text(struct buf *out, struct model_str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_putc(out, s.p[i] == '\n' || s.p[i] == '\r' ? '?' : s.p[i]);
}

static void put_name(struct buf *out, struct model_str s)
{
    put_text(out, s);
    buf_putc(out, '\n');
}

static void put_readable(const struct coverage *c, const struct coverage_function *f,
                         struct buf *out)
{
    struct model_str name = coverage_string(c, f->name), readable = coverage_readable(c, f);
    if (model_str_equal(name, readable) || memchr(name.p, ',', name.n))
        return;
    buf_puts(out, "#FN:");
    put_text(out, name);
    buf_putc(out, ',');
    put_name(out, readable);
}

static void put_functions(const struct coverage *c, const struct coverage_file *f,
                          const struct coverage_sum *sum, struct buf *out)
{
    for (size_t i = 0; i < f->functions.count; i++) {
        buf_puts(out, "FN:");
        put_number(out, f->functions.items[i].line, ',');
        put_name(out, coverage_string(c, f->functions.items[i].name));
        put_readable(c, &f->functions.items[i], out);
    }
    for (size_t i = 0; i < f->functions.count; i++) {
        buf_puts(out, "FNDA:");
        put_number(out, f->functions.items[i].count, ',');
        put_name(out, coverage_string(c, f->functions.items[i].name));
    }
    buf_printf(out, "FNF:%llu\nFNH:%llu\n", (unsigned long long)sum->functions,
               (unsigned long long)sum->functions_hit);
}

static void put_branches(const struct coverage_file *f, const struct coverage_sum *sum,
                         struct buf *out)
{
    for (size_t i = 0; i < f->branches.count; i++) {
        const struct coverage_branch *b = &f->branches.items[i];
        buf_puts(out, "BRDA:");
        put_number(out, b->line, ',');
        put_number(out, b->block, ',');
        put_number(out, b->branch, ',');
        if (b->reached)
            put_number(out, b->taken, '\n');
        else
            buf_puts(out, "-\n");
    }
    if (f->branches.count)
        buf_printf(out, "BRF:%llu\nBRH:%llu\n", (unsigned long long)sum->branches,
                   (unsigned long long)sum->branches_hit);
}

static void put_lines(const struct coverage_file *f, const struct coverage_sum *sum,
                      struct buf *out)
{
    for (size_t i = 0; i < f->lines.count; i++) {
        const struct coverage_line *l = &f->lines.items[i];
        buf_puts(out, "DA:");
        put_number(out, l->line, ',');
        put_number(out, l->count, '\n');
        if (l->text)
            buf_printf(out, "#DA:%u,%016llx\n", l->line, (unsigned long long)l->text);
    }
    buf_printf(out, "LF:%llu\nLH:%llu\n", (unsigned long long)sum->lines,
               (unsigned long long)sum->lines_hit);
}

void coverage_put_lcov(const struct coverage *c, struct buf *out)
{
    assert(c->finished);
    for (size_t i = 0; i < c->files.count; i++) {
        const struct coverage_file *f = &c->files.items[i];
        struct coverage_sum sum = coverage_sum_file(f);
        buf_puts(out, c->reached_only ? "TN:" REACHED "\n" : "TN:\n");
        buf_puts(out, "SF:");
        put_name(out, coverage_string(c, f->name));
        put_functions(c, f, &sum, out);
        put_branches(f, &sum, out);
        put_lines(f, &sum, out);
        buf_puts(out, "end_of_record\n");
    }
}
