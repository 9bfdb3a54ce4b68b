/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON report: what was sampled, for each kind by function, by innermost
 * span, by program and by thread. Nothing is cut.
 */
#include "base/err.h"
#include "report/functions.h"
#include "report/json.h"
#include "report/programs.h"
#include "report/weights.h"

void report_json_frame(struct json *j, const struct frame *f)
{
    report_json_str(j, "name", f->name);
    report_json_str(j, "module", f->module ? f->module->path : MODEL_STR(""));
    report_json_str(j, "file", f->file);
    json_pair_u64(j, "line", f->line);
}

static void put_functions(struct json *j, const struct frames *f, const struct function_sums *sums)
{
    json_key(j, "functions");
    json_array(j);
    for (size_t i = 0; i < sums->items.count; i++) {
        const struct function_sum *s = &sums->items.items[i];
        json_object(j);
        report_json_frame(j, &f->items.items[s->frame]);
        json_pair_u64(j, "self", s->self);
        json_pair_u64(j, "total", s->total);
        json_pair_u64(j, "self_samples", s->self_count);
        json_pair_u64(j, "total_samples", s->total_count);
        json_object_end(j);
    }
    json_array_end(j);
}

static int put_spans(struct json *j, const struct report *r, uint8_t kind)
{
    struct weights all;
    int rc = weights_sum(r, kind, WEIGHTS_BY_SPAN, &all);
    json_key(j, "spans");
    json_array(j);
    for (size_t i = 0; i < all.count; i++) {
        const struct model_site *site =
            all.items[i].index ? r->catalog->sites[all.items[i].index - 1] : NULL;
        json_object(j);
        if (site) {
            report_json_str(j, "name", site->name);
            report_json_str(j, "file", site->file);
            json_pair_u64(j, "line", site->line);
        } else {
            report_json_maybe(j, "name", MODEL_STR(""));
        }
        json_pair_u64(j, "weight", all.items[i].weight);
        json_object_end(j);
    }
    json_array_end(j);
    weights_done(&all);
    return rc;
}

static int put_threads(struct json *j, const struct report *r, uint8_t kind)
{
    struct weights all;
    int rc = weights_sum(r, kind, WEIGHTS_BY_THREAD, &all);
    json_key(j, "threads");
    json_array(j);
    for (size_t i = 0; i < all.count; i++) {
        const struct model_thread *t = r->catalog->threads[all.items[i].index];
        json_object(j);
        json_key(j, "pid");
        json_i64(j, r->catalog->processes[t->process]->pid);
        json_key(j, "tid");
        json_i64(j, t->tid);
        report_json_str(j, "name", t->name);
        json_pair_u64(j, "weight", all.items[i].weight);
        json_object_end(j);
    }
    json_array_end(j);
    weights_done(&all);
    return rc;
}

static void put_programs(struct json *j, const struct programs *all, uint8_t kind)
{
    json_key(j, "programs");
    json_array(j);
    for (size_t i = 0; i < all->items.count; i++) {
        const struct program *p = &all->items.items[i];
        json_object(j);
        report_json_str(j, "name", p->name);
        json_pair_u64(j, "processes", p->processes);
        json_pair_u64(j, "weight", p->weight[kind]);
        json_object_end(j);
    }
    json_array_end(j);
}

static int put_kind(struct json *j, const struct report *r, struct frames *f,
                    const struct programs *programs, uint8_t kind)
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
    json_pair_u64(j, "samples", sums.count);
    json_pair_u64(j, "weight", sums.weight);
    if (rc == 0) {
        put_functions(j, f, &sums);
        rc = put_spans(j, r, kind);
        put_programs(j, programs, kind);
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
    struct programs programs;
    int rc = programs_sum(r, &programs);
    if (frames_init(&f, &r->catalog->stacks) != 0)
        rc = ORIEL_ENOMEM;
    json_key(j, "profile");
    json_array(j);
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++)
        if (r->profile.samples[kind])
            rc = put_kind(j, r, &f, &programs, kind);
    json_array_end(j);
    frames_done(&f);
    programs_done(&programs);
    return rc;
}
