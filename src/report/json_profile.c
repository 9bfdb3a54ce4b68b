/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON report: what was sampled, for each kind by function, by innermost
 * span and by thread. Nothing is cut.
 */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/functions.h"
#include "report/json.h"

static void put_functions(struct json *j, const struct frames *f, const struct function_sums *sums)
{
    json_key(j, "functions");
    json_array(j);
    for (size_t i = 0; i < sums->items.count; i++) {
        const struct function_sum *s = &sums->items.items[i];
        const struct frame *frame = &f->items.items[s->frame];
        json_object(j);
        report_json_str(j, "name", frame->name);
        report_json_str(j, "module", frame->module ? frame->module->path : MODEL_STR(""));
        report_json_str(j, "file", frame->file);
        report_json_u64(j, "line", frame->line);
        report_json_u64(j, "self", s->self);
        report_json_u64(j, "total", s->total);
        report_json_u64(j, "self_samples", s->self_count);
        report_json_u64(j, "total_samples", s->total_count);
        json_object_end(j);
    }
    json_array_end(j);
}

struct weighed {
    uint64_t weight;
    uint32_t index; /* of the thread, or of the site + 1; 0: outside any span */
};

static int heaviest_first(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Sums by thread or by site, the largest first; *out_count: those above zero. */
static struct weighed *weigh(const struct report *r, uint8_t kind, bool by_thread,
                             size_t *out_count)
{
    size_t n = by_thread ? r->catalog->thread_count : (size_t)r->catalog->site_count + 1, used = 0;
    struct weighed *all = mem_calloc(n + 1, sizeof *all);
    for (uint32_t i = 0; all && i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        size_t at = by_thread ? row->thread : row->site ? (size_t)row->site->index + 1 : 0;
        if (row->kind == kind && at < n)
            all[at].weight += row->weight;
    }
    for (size_t i = 0; all && i < n; i++)
        if (all[i].weight)
            all[used++] = (struct weighed){all[i].weight, (uint32_t)i};
    if (all && used > 1)
        qsort(all, used, sizeof *all, heaviest_first);
    *out_count = used;
    return all;
}

static int put_spans(struct json *j, const struct report *r, uint8_t kind)
{
    size_t n;
    struct weighed *all = weigh(r, kind, false, &n);
    if (!all)
        return ORIEL_ENOMEM;
    json_key(j, "spans");
    json_array(j);
    for (size_t i = 0; i < n; i++) {
        const struct model_site *site = all[i].index ? r->catalog->sites[all[i].index - 1] : NULL;
        json_object(j);
        if (site) {
            report_json_str(j, "name", site->name);
            report_json_str(j, "file", site->file);
            report_json_u64(j, "line", site->line);
        } else {
            json_key(j, "name");
            json_null(j);
        }
        report_json_u64(j, "weight", all[i].weight);
        json_object_end(j);
    }
    json_array_end(j);
    mem_free(all);
    return 0;
}

static int put_threads(struct json *j, const struct report *r, uint8_t kind)
{
    size_t n;
    struct weighed *all = weigh(r, kind, true, &n);
    if (!all)
        return ORIEL_ENOMEM;
    json_key(j, "threads");
    json_array(j);
    for (size_t i = 0; i < n; i++) {
        const struct model_thread *t = r->catalog->threads[all[i].index];
        json_object(j);
        json_key(j, "pid");
        json_i64(j, r->catalog->processes[t->process]->pid);
        json_key(j, "tid");
        json_i64(j, t->tid);
        report_json_str(j, "name", t->name);
        report_json_u64(j, "weight", all[i].weight);
        json_object_end(j);
    }
    json_array_end(j);
    mem_free(all);
    return 0;
}

static int put_kind(struct json *j, const struct report *r, struct frames *f, uint8_t kind)
{
    /* As in the text: whoever waits, waits where the program asked for it. */
    const struct profile_filter all = {
        .kind = kind, .thread = -1, .process = -1, .user_self = kind != ORIEL_SAMPLE_CPU};
    struct function_sums sums;
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    json_object(j);
    json_key(j, "kind");
    json_string(j, model_sample_kind_text(kind));
    json_key(j, "unit");
    json_string(j, model_sample_unit(kind));
    report_json_u64(j, "samples", sums.count);
    report_json_u64(j, "weight", sums.weight);
    if (rc == 0) {
        put_functions(j, f, &sums);
        rc = put_spans(j, r, kind);
    }
    if (rc == 0)
        rc = put_threads(j, r, kind);
    json_object_end(j);
    function_sums_done(&sums);
    return rc;
}

int report_json_profile(struct json *j, const struct report *r)
{
    struct frames f;
    int rc = frames_init(&f, &r->catalog->stacks);
    json_key(j, "profile");
    json_array(j);
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++)
        if (r->profile.samples[kind])
            rc = put_kind(j, r, &f, kind);
    json_array_end(j);
    frames_done(&f);
    return rc;
}
