/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel runs: what was recorded in this directory.
 */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/runs.h"
#include "util/json.h"
#include "util/num.h"
#include "util/table.h"

struct runs_options {
    bool json;
};

static const struct option_def options[] = {
    {.name = "json",
     .type = OPTION_BOOL,
     .offset = offsetof(struct runs_options, json),
     .help = "as JSON",
     .letter = 'j'},
    OPTION_END,
};

static void as_json(struct buf *b, const struct runs *runs)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "runs");
    json_array(&j);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = &runs->items[i];
        json_object(&j);
        json_key(&j, "directory");
        json_string(&j, r->dir);
        json_key(&j, "capture");
        json_string(&j, r->path);
        json_key(&j, "bytes");
        json_u64(&j, r->bytes);
        json_key(&j, "changed_unix_ns");
        json_i64(&j, r->changed_ns);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static void as_text(struct buf *b, const struct runs *runs)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_TEXT}, {NULL, TABLE_TEXT}, {NULL, TABLE_NUMBER}};
    struct table t;
    table_init(&t, columns, 3);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = &runs->items[i];
        char size[NUM_TEXT_MAX], when[CLI_TIME_BYTES];
        table_cell(&t, r->dir);
        table_cell(&t, cli_time(when, r->changed_ns));
        table_cell(&t, num_bytes(size, r->bytes));
    }
    table_put(&t, 0, 0, false, b);
    table_done(&t);
}

static int run(const struct cli_call *call)
{
    const struct runs_options *o = call->options;
    struct runs runs;
    int rc = runs_list(&runs);
    if (rc < 0)
        return cli_fail("%s: %s", RUNS_DIR, err_text(rc));
    struct buf b;
    buf_init(&b);
    if (o->json)
        as_json(&b, &runs);
    else
        as_text(&b, &runs);
    if (!o->json && runs.count == 0)
        cli_note("no run in %s yet; record one with: oriel record -- PROGRAM", RUNS_DIR);
    int status = cli_print(&b);
    buf_done(&b);
    runs_done(&runs);
    return status;
}

const struct cli_command cli_command_runs = {
    .name = "runs",
    .summary = "list the recordings of this directory, newest first",
    .args = "",
    .options = options,
    .options_size = sizeof(struct runs_options),
    .run = run,
};
