/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage and what changed of it as JSON; the shape stands in
 * docs/COVERAGE.md.
 */
#include <assert.h>

#include "report/coverage.h"
#include "util/json.h"

static void put_str(struct json *j, const char *key, struct model_str s)
{
    json_pair_text_n(j, key, s.p, s.n);
}

static void put_pair(struct json *j, const char *key, uint64_t all, uint64_t hit)
{
    json_key(j, key);
    json_object(j);
    json_pair_u64(j, "all", all);
    json_pair_u64(j, "hit", hit);
    json_key(j, "percent");
    if (all)
        json_double(j, 100.0 * (double)hit / (double)all);
    else
        json_null(j);
    json_object_end(j);
}

static void put_sum(struct json *j, const char *key, struct coverage_sum s)
{
    json_key(j, key);
    json_object(j);
    put_pair(j, "lines", s.lines, s.lines_hit);
    put_pair(j, "functions", s.functions, s.functions_hit);
    put_pair(j, "branches", s.branches, s.branches_hit);
    json_object_end(j);
}

static void put_branches(struct json *j, const struct coverage_file *f)
{
    json_key(j, "branches");
    json_array(j);
    for (size_t i = 0; i < f->branches.count; i++) {
        const struct coverage_branch *b = &f->branches.items[i];
        json_object(j);
        json_pair_u64(j, "line", b->line);
        json_pair_u64(j, "block", b->block);
        json_pair_u64(j, "branch", b->branch);
        json_key(j, "taken");
        if (b->reached)
            json_u64(j, b->taken);
        else
            json_null(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_file(struct json *j, const struct coverage *c, const struct coverage_file *f)
{
    json_object(j);
    put_str(j, "file", coverage_string(c, f->name));
    put_sum(j, "totals", coverage_sum_file(f));
    json_key(j, "lines");
    json_array(j);
    for (size_t i = 0; i < f->lines.count; i++) {
        json_object(j);
        json_pair_u64(j, "line", f->lines.items[i].line);
        json_pair_u64(j, "count", f->lines.items[i].count);
        json_object_end(j);
    }
    json_array_end(j);
    json_key(j, "functions");
    json_array(j);
    for (size_t i = 0; i < f->functions.count; i++) {
        json_object(j);
        put_str(j, "name", coverage_readable(c, &f->functions.items[i]));
        put_str(j, "linkage", coverage_string(c, f->functions.items[i].name));
        json_pair_u64(j, "line", f->functions.items[i].line);
        json_pair_u64(j, "count", f->functions.items[i].count);
        json_object_end(j);
    }
    json_array_end(j);
    put_branches(j, f);
    json_object_end(j);
}

void coverage_json(const struct coverage *c, const struct coverage_view *v, struct buf *out)
{
    struct json j;
    assert(c->finished);
    json_init(&j, out);
    json_object(&j);
    json_pair_u64(&j, "version", 1);
    json_key(&j, "method");
    json_string(&j, v->method ? v->method : "");
    json_key(&j, "counted");
    json_bool(&j, !c->reached_only);
    put_sum(&j, "totals", coverage_sum_all(c));
    json_key(&j, "files");
    json_array(&j);
    for (size_t i = 0; i < c->files.count; i++)
        put_file(&j, c, &c->files.items[i]);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
}

void coverage_diff_json(const struct coverage_diff *d, const struct coverage_view *v,
                        struct buf *out)
{
    static const char *const words[] = {
        [COVERAGE_LOST] = "lost", [COVERAGE_GAINED] = "gained", [COVERAGE_NEW_UNCOVERED] = "new"};
    struct json j;
    (void)v;
    json_init(&j, out);
    json_object(&j);
    json_pair_u64(&j, "version", 1);
    put_sum(&j, "before", coverage_sum_all(d->before));
    put_sum(&j, "after", coverage_sum_all(d->after));
    json_pair_u64(&j, "lost", d->lost);
    json_pair_u64(&j, "gained", d->gained);
    json_pair_u64(&j, "new_not_executed", d->new_uncovered);
    json_pair_u64(&j, "files_by_number", d->by_number);
    json_key(&j, "lines");
    json_array(&j);
    for (size_t i = 0; i < d->changes.count; i++) {
        const struct coverage_changed *l = &d->changes.items[i];
        json_object(&j);
        put_str(&j, "file", coverage_string(d->after, d->after->files.items[l->file].name));
        json_pair_u64(&j, "line", l->line);
        json_pair_u64(&j, "line_before", l->old_line);
        json_key(&j, "change");
        json_string(&j, words[l->change]);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
}
