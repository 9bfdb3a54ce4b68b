/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A diff as JSON (docs/DIFF.md), and as the page of the differential flame
 * graph: assets/flame.html with both sides in every node.
 */
#include "report/diff_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "report/flame.h"
#include "report/json.h"

/* What is told to more digits than there are does not help anybody. */
static void put_number(struct json *j, const char *key, double v)
{
    json_pair_double(j, key, fabs(v) > 100 ? round(v) : v);
}

static void put_side(struct json *j, const char *key, const struct diff *d, enum diff_side side)
{
    const struct diff_header *h = &d->headers[side];
    json_key(j, key);
    json_object(j);
    report_json_str(j, "first", h->first_name);
    json_pair_u64(j, "runs", h->runs);
    json_pair_u64(j, "samples", d->samples[side]);
    report_json_str(j, "program", h->program);
    report_json_str(j, "commit", h->commit);
    json_key(j, "changed_files");
    json_bool(j, h->dirty);
    json_key(j, "several_commits");
    json_bool(j, h->mixed_commits);
    report_json_str(j, "host", h->host);
    report_json_str(j, "processor", h->cpu);
    report_json_str(j, "kernel", h->kernel);
    report_json_str(j, "compiler", h->compiler);
    report_json_str(j, "sample_rate", h->rate);
    json_object_end(j);
}

static void put_result(struct json *j, const char *key, const struct compare_row *c)
{
    json_key(j, key);
    json_object(j);
    put_number(j, "before", c->a);
    put_number(j, "after", c->b);
    put_number(j, "error", c->error);
    put_number(j, "confidence", c->confidence);
    json_key(j, "sure");
    json_bool(j, c->sure);
    json_object_end(j);
}

static void put_item(struct json *j, const struct diff_item *item)
{
    report_json_str(j, "name", item->name);
    report_json_str(j, "module", item->module);
    report_json_str(j, "file", item->file);
    json_pair_u64(j, "line", item->line);
}

static void put_rows(struct json *j, const struct diff *d, uint8_t kind)
{
    static const char *const of_functions[] = {"self", "total"};
    static const char *const of_spans[] = {"self", "count", "p50", "p99"};
    static const char *const of_memory[] = {"self", "blocks"};
    const struct diff_family *f = &d->families[kind];
    json_key(j, diff_is_of_spans(kind) ? "spans" : "functions");
    json_array(j);
    for (size_t i = 0; i < f->items.count; i++) {
        uint32_t row = f->order[i];
        json_object(j);
        put_item(j, diff_row_item(d, f, row));
        for (int m = 0; m < DIFF_MEASURES; m++)
            if (f->results[m])
                put_result(j,
                           kind == DIFF_SPANS         ? of_spans[m]
                           : kind == DIFF_SPAN_MEMORY ? of_memory[m % 2]
                                                      : of_functions[m % 2],
                           &f->results[m][row]);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_family(struct json *j, const struct diff *d, uint8_t kind)
{
    const struct diff_family *f = &d->families[kind];
    json_object(j);
    json_key(j, "kind");
    json_string(j, kind == DIFF_SPANS         ? "spans"
                   : kind == DIFF_SPAN_MEMORY ? "span_memory"
                                              : model_sample_kind_text(kind));
    json_key(j, "unit");
    json_string(j, diff_unit(kind));
    put_number(j, "noise", f->noise);
    put_result(j, "whole", &d->whole[kind]);
    uint32_t worst = diff_worst(f, true);
    report_json_maybe(j, "guilty",
                      worst == UINT32_MAX ? MODEL_STR("") : diff_row_item(d, f, worst)->name);
    put_rows(j, d, kind);
    json_object_end(j);
}

int diff_json(const struct diff *d, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "version");
    json_u64(&j, 1);
    put_side(&j, "a", d, DIFF_A);
    put_side(&j, "b", d, DIFF_B);
    put_number(&j, "confidence", d->options.confidence);
    json_key(&j, "compared");
    json_array(&j);
    for (unsigned i = 0; i < DIFF_FAMILIES; i++)
        if (d->families[diff_told(i)].present)
            put_family(&j, d, diff_told(i));
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
    return out->failed ? ORIEL_ENOMEM : 0;
}

/* ---- the page ---- */

static void put_frames(struct json *j, const struct diff *d)
{
    json_key(j, "frames");
    json_array(j);
    for (size_t i = 0; i < d->items.count; i++) {
        const struct diff_item *item = &d->items.items[i];
        json_object(j);
        put_item(j, item);
        json_key(j, "resolved");
        json_bool(j, item->resolved);
        json_key(j, "kind");
        json_string(j, item->kernel ? "kernel" : "user");
        json_object_end(j);
    }
    json_array_end(j);
}

/* Rows as of a flame graph, `side` giving the widths, and the other side's sums. */
static void put_tree(struct json *j, const struct diff *d, uint8_t kind, enum diff_side side)
{
    const struct diff_tree *t = &d->trees[kind];
    enum diff_side other = side == DIFF_A ? DIFF_B : DIFF_A;
    char name[96];
    snprintf(name, sizeof name, "%s, widths as %s", diff_kind_title(kind),
             side == DIFF_B ? "after" : "before");
    json_object(j);
    json_key(j, "name");
    json_string(j, name);
    json_key(j, "unit");
    json_string(j, model_sample_unit(kind));
    json_key(j, "after");
    json_bool(j, side == DIFF_B);
    json_key(j, "nodes");
    json_array(j);
    for (uint32_t at = 0, first = 1; first || at; first = 0, at = diff_tree_next(t, at)) {
        const struct diff_node *n = &t->nodes.items[at];
        json_i64(j, n->item == UINT32_MAX ? -1 : (int64_t)n->item);
        json_u64(j, n->depth);
        json_double(j, round(n->total[side]));
        json_double(j, round(n->self[side]));
        json_u64(j, n->inlined);
    }
    json_array_end(j);
    json_key(j, "other"); /* total, self */
    json_array(j);
    for (uint32_t at = 0, first = 1; first || at; first = 0, at = diff_tree_next(t, at)) {
        json_double(j, round(t->nodes.items[at].total[other]));
        json_double(j, round(t->nodes.items[at].self[other]));
    }
    json_array_end(j);
    json_key(j, "labels");
    json_array(j);
    json_string(j, "all");
    json_array_end(j);
    json_key(j, "sure"); /* frame, error, confidence */
    json_array(j);
    const struct diff_family *f = &d->families[kind];
    for (size_t i = 0; i < f->sure; i++) {
        const struct compare_row *c = &f->results[DIFF_SELF][f->order[i]];
        json_u64(j, f->items.items[f->order[i]]);
        json_double(j, round(c->error));
        json_double(j, c->confidence);
    }
    json_array_end(j);
    json_object_end(j);
}

static void put_data(const struct diff *d, struct buf *out)
{
    struct json j;
    struct buf b;
    buf_init(&b);
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "title");
    buf_puts(&b, "What changed: ");
    diff_put_name(&b, d->headers[DIFF_B].program);
    json_string_n(&j, b.data, b.size);
    buf_clear(&b);
    buf_puts(&b, "before: ");
    diff_say_side(d, DIFF_A, &b);
    buf_puts(&b, "; after: ");
    diff_say_side(d, DIFF_B, &b);
    json_key(&j, "about");
    json_string_n(&j, b.data, b.size);
    json_key(&j, "verdicts");
    json_array(&j);
    for (uint8_t kind = 1; kind < ORIEL_SAMPLE_KINDS; kind++) {
        if (!d->families[kind].present)
            continue;
        buf_clear(&b);
        diff_say_whole(d, kind, &b);
        uint32_t worst = diff_worst(&d->families[kind], true);
        if (worst != UINT32_MAX) {
            buf_puts(&b, "; most of all ");
            diff_say_row(d, kind, worst, &b);
        }
        json_string_n(&j, b.data, b.size);
    }
    json_array_end(&j);
    json_key(&j, "trees");
    json_array(&j);
    for (uint8_t kind = 1; kind < ORIEL_SAMPLE_KINDS; kind++) {
        if (!d->families[kind].present)
            continue;
        put_tree(&j, d, kind, DIFF_B);
        put_tree(&j, d, kind, DIFF_A);
    }
    json_array_end(&j);
    put_frames(&j, d);
    json_object_end(&j);
    out->failed |= b.failed;
    buf_done(&b);
}

int diff_html(const struct diff *d, struct buf *out)
{
    struct buf data;
    buf_init(&data);
    put_data(d, &data);
    flame_page(&data, out);
    bool failed = data.failed || out->failed;
    buf_done(&data);
    return failed ? ORIEL_ENOMEM : 0;
}
