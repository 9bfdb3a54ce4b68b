/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The intermediate text of gcov, as `llvm-cov gcov -i` writes it: one fact to a
 * line, those of a source file behind its name. Of branches it says whether they
 * were taken, not how often.
 */
#include "report/coverage.h"
#include "util/num.h"

#define FACT_BYTES_MAX (1u << 20)

struct facts {
    struct coverage *c;
    bool in_file;
    uint32_t file;
    uint64_t branch_line; /* the last branch's ... */
    uint32_t branch;      /* ... and how many that line had */
};

/* A number and the comma behind it, if there is one. */
static bool take_number(struct model_str *rest, uint64_t *out)
{
    const char *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
    uint32_t n = comma ? (uint32_t)(comma - rest->p) : rest->n;
    bool good = num_parse_u64(rest->p, n, out) == 0;
    uint32_t used = comma ? n + 1 : n;
    rest->p += used;
    rest->n -= used;
    return good;
}

/* file:path */
static int read_file(struct facts *f, struct model_str rest)
{
    if (rest.n == 0 || rest.n > 4096)
        return ORIEL_EFORMAT;
    f->in_file = true;
    f->branch_line = 0;
    return coverage_add_file(f->c, rest.p, rest.n, &f->file);
}

/* function:line,count,name */
static int read_function(struct facts *f, struct model_str rest)
{
    uint64_t line, count;
    if (!take_number(&rest, &line) || !take_number(&rest, &count) || rest.n == 0)
        return ORIEL_EFORMAT;
    return coverage_add_function(f->c, f->file, rest.p, rest.n, line, count);
}

/* lcount:line,count */
static int read_count(struct facts *f, struct model_str rest)
{
    uint64_t line, count;
    if (!take_number(&rest, &line) || !take_number(&rest, &count))
        return ORIEL_EFORMAT;
    return coverage_add_line(f->c, f->file, line, count, 0);
}

/* branch:line,taken|nottaken|notexec */
static int read_branch(struct facts *f, struct model_str rest)
{
    uint64_t line;
    if (!take_number(&rest, &line))
        return ORIEL_EFORMAT;
    f->branch = line == f->branch_line ? f->branch + 1 : 0;
    f->branch_line = line;
    const struct coverage_branch b = {.line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line,
                                      .branch = f->branch,
                                      .taken = model_str_equal(rest, MODEL_STR("taken")),
                                      .reached = !model_str_equal(rest, MODEL_STR("notexec"))};
    return coverage_add_branch(f->c, f->file, &b);
}

static const struct fact {
    struct model_str name;
    int (*read)(struct facts *f, struct model_str rest);
} kinds[] = {{{"file:", 5}, read_file},
             {{"function:", 9}, read_function},
             {{"lcount:", 7}, read_count},
             {{"branch:", 7}, read_branch}};

static int read_fact(struct facts *f, const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct model_str name = kinds[i].name;
        if (n < name.n || memcmp(p, name.p, name.n) != 0)
            continue;
        if (n > FACT_BYTES_MAX || (!f->in_file && kinds[i].read != read_file))
            return ORIEL_EFORMAT;
        return kinds[i].read(f, (struct model_str){p + name.n, (uint32_t)(n - name.n)});
    }
    return 0;
}

int coverage_read_gcov_text(struct coverage *c, const char *p, size_t n, struct oriel_err *err)
{
    struct facts f = {.c = c};
    uint64_t number = 0;
    int rc = 0;
    for (size_t at = 0; at < n && rc == 0; number++) {
        const char *end = memchr(p + at, '\n', n - at);
        size_t bytes = end ? (size_t)(end - p) - at : n - at;
        rc = read_fact(&f, p + at, bytes);
        at += bytes + 1;
    }
    if (rc < 0)
        return err_set(err, rc, "line %llu of gcov's text: %s", (unsigned long long)number,
                       err_text(rc));
    return f.in_file || n == 0 ? 0 : err_set(err, ORIEL_EFORMAT, "no text of gcov: no file in it");
}
