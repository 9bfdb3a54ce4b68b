/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel version: what this command is and what it can read and write.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "source/source.h"
#include "util/json.h"
#include "util/left_out.h"
#include "wire/region.h"

struct version_options {
    bool json;
};

static const struct option_def options[] = {
    {.name = "json",
     .type = OPTION_BOOL,
     .offset = offsetof(struct version_options, json),
     .help = "as JSON",
     .letter = 'j'},
    OPTION_END,
};

static void as_json(struct buf *b)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "version");
    json_string(&j, ORIEL_VERSION_TEXT);
    json_key(&j, "abi");
    json_u64(&j, ORIEL_ABI_VERSION);
    json_key(&j, "ring_format");
    json_u64(&j, WIRE_REGION_VERSION);
    json_key(&j, "compiler");
    json_string(&j, __VERSION__);
    json_key(&j, "sources");
    json_array(&j);
    for (size_t i = 0; source_registry[i]; i++)
        json_string(&j, source_registry[i]->name);
    json_array_end(&j);
    json_key(&j, "outlets");
    json_array(&j);
    for (size_t i = 0; export_registry[i]; i++)
        json_string(&j, export_registry[i]->name);
    json_array_end(&j);
    json_key(&j, "without");
    json_array(&j);
    for (size_t i = 0; left_out_component(i); i++)
        json_string(&j, left_out_component(i));
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static void as_text(struct buf *b)
{
    buf_puts(b, "oriel " ORIEL_VERSION_TEXT "\n");
    for (size_t i = 0; left_out_component(i); i++)
        buf_printf(b, "%s%s", i ? ", " : "made without ", left_out_component(i));
    if (left_out_component(0))
        buf_putc(b, '\n');
}

static int run(const struct cli_call *call)
{
    const struct version_options *o = call->options;
    struct buf b;
    buf_init(&b);
    if (o->json)
        as_json(&b);
    else
        as_text(&b);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

const struct cli_command cli_command_version = {
    .name = "version",
    .summary = "tell the version and the formats this command knows",
    .args = "",
    .options = options,
    .options_size = sizeof(struct version_options),
    .run = run,
};
