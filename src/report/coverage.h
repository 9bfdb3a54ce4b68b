/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which lines, branches and functions of a program were executed: what was read
 * from compilers' counts, from lcov files or found by breakpoints, in one form.
 * Reading several inputs into one coverage adds them up. Pure; one thread.
 *
 * Everything read is foreign: line numbers, names and sizes are bounded, and
 * counts stop at the largest number.
 */
#ifndef ORIEL_REPORT_COVERAGE_H
#define ORIEL_REPORT_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/intern.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/str.h"

#define COVERAGE_LINE_MAX 10000000u /* a larger line number is damage */
#define COVERAGE_ITEMS_MAX 50000000u

struct coverage_line {
    uint32_t line;
    uint64_t count;
    uint64_t text; /* what stood there: coverage_text_hash, 0 not known */
};
struct coverage_branch {
    uint32_t line, block, branch;
    uint64_t taken;
    bool reached; /* its line was: else `taken` says nothing */
};
struct coverage_function {
    uint32_t name, line; /* as the linker knows it; line 0: not known */
    uint64_t count;
};
struct coverage_file {
    uint32_t name; /* full path */
    VEC(struct coverage_line) lines;
    VEC(struct coverage_branch) branches;
    VEC(struct coverage_function) functions;
};
struct coverage_sum {
    uint64_t lines, lines_hit, branches, branches_hit, functions, functions_hit;
};

struct coverage {
    struct intern strings;
    VEC(struct coverage_file) files;
    struct map by_name;
    struct map readable; /* of the names of functions, where that is another text */
    uint64_t items;
    bool reached_only; /* counts are 1 and 0: nobody counted */
    bool finished;
};

/* 0 or ORIEL_ENOMEM; coverage_done may be called either way. */
int coverage_init(struct coverage *c);
void coverage_done(struct coverage *c);
static inline struct model_str coverage_string(const struct coverage *c, uint32_t id)
{
    struct intern_str s = intern_get(&c->strings, id);
    return (struct model_str){s.p, s.n};
}

/* ---- filling ---- */

/* Index of a file, added if new. 0, ORIEL_ELIMIT or ORIEL_ENOMEM. */
int coverage_add_file(struct coverage *c, const char *path, size_t n, uint32_t *out);
/* The same thing said twice adds up. 0, ORIEL_EFORMAT (a line beyond COVERAGE_LINE_MAX),
 * ORIEL_ELIMIT (more than COVERAGE_ITEMS_MAX) or ORIEL_ENOMEM. */
int coverage_add_line(struct coverage *c, uint32_t file, uint64_t line, uint64_t count,
                      uint64_t text);
int coverage_add_branch(struct coverage *c, uint32_t file, const struct coverage_branch *b);
int coverage_add_function(struct coverage *c, uint32_t file, const char *name, size_t n,
                          uint64_t line, uint64_t count);
/* What a person calls a function. Never asked of a demangler here: names are hostile. 0 or
 * ORIEL_ENOMEM. */
int coverage_add_readable(struct coverage *c, const char *name, size_t n, const char *readable,
                          size_t readable_n);
struct model_str coverage_readable(const struct coverage *c, const struct coverage_function *f);
/* Order everything and unite what is the same. Files without lines go, and those that
 * `keep` (may be NULL) says no to. To be called before anything is told. */
void coverage_finish(struct coverage *c, bool (*keep)(void *user, struct model_str path),
                     void *user);
/* Give lines their text's hash; `line` gives the text of a line, false: none. */
void coverage_hash_texts(struct coverage *c,
                         bool (*line)(void *user, struct model_str file, uint32_t line,
                                      struct model_str *out),
                         void *user);
/* Of a line without its indentation; never 0. */
uint64_t coverage_text_hash(const char *p, size_t n);

/* coverage_lcov.c: a tracefile of lcov, versions 1 and 2. 0, ORIEL_EFORMAT with the line at
 * which it is none, ORIEL_ELIMIT, ORIEL_ENOMEM. */
int coverage_read_lcov(struct coverage *c, const char *p, size_t n, struct oriel_err *err);
void coverage_put_lcov(const struct coverage *c, struct buf *out);
/* coverage_gcov.c: what `gcov -b --json-format --stdout` prints of one data file. Codes as
 * above. */
int coverage_read_gcov(struct coverage *c, const char *p, size_t n, struct oriel_err *err);
/* coverage_gcov_text.c: what `llvm-cov gcov -i -b` writes of one notes file; branches that were
 * taken count 1. Codes as above. */
int coverage_read_gcov_text(struct coverage *c, const char *p, size_t n, struct oriel_err *err);

/* ---- asking ---- */

struct coverage_sum coverage_sum_file(const struct coverage_file *f);
struct coverage_sum coverage_sum_all(const struct coverage *c);
/* NULL if there is none. */
const struct coverage_file *coverage_find_file(const struct coverage *c, struct model_str path);
const struct coverage_line *coverage_find_line(const struct coverage_file *f, uint32_t line);
/* Taken at least once, and all, of a line; false: it has no branches. */
bool coverage_line_branches(const struct coverage_file *f, uint32_t line, uint32_t *out_taken,
                            uint32_t *out_all);

/* ---- telling ---- */

struct coverage_view {
    uint32_t width, top; /* width 0: as wide as it takes */
    bool colour;
    const char *base;   /* paths below this directory are told without it; NULL: in full */
    const char *method; /* "gcov", "llvm", "lcov", "breakpoints" or several, in JSON; NULL: "" */
    bool functions;     /* each function, in place of each file */
    /* The text of a line. NULL: nobody knows. */
    bool (*line)(void *user, struct model_str file, uint32_t line, struct model_str *out);
    void *user;
};
/* A path as the view tells it. */
struct model_str coverage_path(const struct coverage_view *v, struct model_str path);
/* "12-15, 40" of the lines without a hit, at most so many bytes. */
void coverage_put_ranges(const struct coverage_file *f, size_t max_bytes, struct buf *out);
/* All: out->failed when there was no memory. */
void coverage_text(const struct coverage *c, const struct coverage_view *v, struct buf *out);
void coverage_source(const struct coverage *c, const struct coverage_file *f,
                     const struct coverage_view *v, struct buf *out);
void coverage_json(const struct coverage *c, const struct coverage_view *v, struct buf *out);
void coverage_html(const struct coverage *c, const struct coverage_view *v, struct buf *out);

/* ---- comparing ---- */

enum coverage_change { COVERAGE_LOST = 1, COVERAGE_GAINED = 2, COVERAGE_NEW_UNCOVERED = 3 };
struct coverage_changed {
    uint32_t file; /* of `after` */
    uint32_t line; /* there */
    uint32_t old_line;
    enum coverage_change change;
};
struct coverage_diff {
    const struct coverage *before, *after;
    VEC(struct coverage_changed) changes; /* by file and line */
    uint64_t lost, gained, new_uncovered;
    uint64_t by_number; /* files whose lines could be told by their number only */
};
/* Lines are the same when their texts and their order are, where both sides know them; else
 * when their numbers are. 0 or ORIEL_ENOMEM. Both must be finished and stay. */
int coverage_diff(const struct coverage *before, const struct coverage *after,
                  struct coverage_diff *out);
void coverage_diff_done(struct coverage_diff *d);
void coverage_diff_text(const struct coverage_diff *d, const struct coverage_view *v,
                        struct buf *out);
void coverage_diff_json(const struct coverage_diff *d, const struct coverage_view *v,
                        struct buf *out);

#endif
