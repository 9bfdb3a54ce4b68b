/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON report: where CPU time, waiting and memory went, as the first lines
 * of the text tell it.
 */
#include "base/err.h"
#include "report/json.h"
#include "report/summary.h"

/* Who has most of it, with what it is called and who that is. */
static void put_share(struct json *j, const struct summary_share *share)
{
    report_json_str(j, "name", share->name);
    json_pair_u64(j, "weight", share->part);
    json_pair_u64(j, "of", share->whole);
}

static void put_function(struct json *j, const struct summary_line *line)
{
    const struct frame *f = &line->function;
    json_key(j, "function");
    if (line->reason || !line->most.part) {
        json_null(j);
        return;
    }
    json_object(j);
    put_share(j, &line->most);
    report_json_str(j, "module", f->module ? f->module->path : MODEL_STR(""));
    report_json_str(j, "file", f->file);
    json_pair_u64(j, "line", f->line);
    json_object_end(j);
}

static void put_named(struct json *j, const char *key, const struct summary_share *share)
{
    json_key(j, key);
    if (!share->part) {
        json_null(j);
        return;
    }
    json_object(j);
    put_share(j, share);
    json_object_end(j);
}

static void put_thread(struct json *j, const struct report *r, const struct summary_line *line)
{
    json_key(j, "thread");
    if (!line->who) {
        json_null(j);
        return;
    }
    json_object(j);
    json_key(j, "pid");
    json_i64(j, r->catalog->processes[line->who->process]->pid);
    json_key(j, "tid");
    json_i64(j, line->who->tid);
    put_share(j, &line->thread);
    json_object_end(j);
}

int report_json_summary(struct json *j, const struct report *r)
{
    struct summary all;
    int rc = summary_make(r, &all);
    json_key(j, "summary");
    json_array(j);
    for (unsigned i = 0; rc == 0 && i < all.count; i++) {
        const struct summary_line *line = &all.lines[i];
        json_object(j);
        json_key(j, "kind");
        json_string(j, model_sample_kind_text(line->kind));
        json_key(j, "title");
        json_string(j, line->title);
        json_key(j, "unit");
        json_string(j, model_sample_unit(line->kind));
        json_pair_u64(j, "amount", line->amount);
        put_function(j, line);
        put_named(j, "reason", line->reason ? &line->most : &(struct summary_share){0});
        put_named(j, "span", &line->span);
        put_named(j, "program", &line->program);
        put_thread(j, r, line);
        json_object_end(j);
    }
    json_array_end(j);
    summary_done(&all);
    return rc;
}
