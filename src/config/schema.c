/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON Schema (draft 2020-12) of oriel.toml, out of the option tables, for
 * editors that complete and check TOML. Pure.
 */
#include <string.h>

#include "config/otlp.h"
#include "util/json.h"

static void strings(struct json *j, const char *key, const char *const *list)
{
    json_key(j, key);
    json_array(j);
    for (; *list; list++)
        json_string(j, *list);
    json_array_end(j);
}

static void type(struct json *j, const char *name)
{
    json_key(j, "type");
    json_string(j, name);
}

/* One text, or where a comma list may stand a list of them. */
static void text_or_list(struct json *j, const struct option_def *d)
{
    if (!config_takes_list(d)) {
        type(j, "string");
        return;
    }
    json_key(j, "anyOf");
    json_array(j);
    json_object(j);
    type(j, "string");
    if (d->choices)
        strings(j, "enum", d->choices);
    json_object_end(j);
    json_object(j);
    type(j, "array");
    json_key(j, "items");
    json_object(j);
    type(j, "string");
    if (d->choices)
        strings(j, "enum", d->choices);
    json_object_end(j);
    json_object_end(j);
    json_array_end(j);
}

static void bounds(struct json *j, const struct option_def *d)
{
    if (d->min == 0 && d->max == 0)
        return;
    json_key(j, "minimum");
    json_double(j, d->min);
    json_key(j, "maximum");
    json_double(j, d->max);
}

static void put_type(struct json *j, const struct option_def *d)
{
    static const char *const either[] = {"integer", "string", NULL};
    switch (d->type) {
    case OPTION_BOOL:
        type(j, "boolean");
        break;
    case OPTION_INT:
        type(j, "integer");
        bounds(j, d);
        break;
    case OPTION_FLOAT:
        type(j, "number");
        bounds(j, d);
        break;
    case OPTION_STRING:
        text_or_list(j, d);
        break;
    case OPTION_ENUM:
        type(j, "string");
        strings(j, "enum", d->choices);
        break;
    case OPTION_SIZE:
    case OPTION_DURATION:
        strings(j, "type", either);
        break;
    }
}

static void put_default(struct json *j, const struct option_def *d)
{
    const char *text = d->fallback;
    if (!text || (d->type == OPTION_STRING && !text[0]))
        return;
    json_key(j, "default");
    if (d->type == OPTION_BOOL || d->type == OPTION_INT || d->type == OPTION_FLOAT)
        json_raw(j, text, strlen(text));
    else
        json_string(j, text);
}

static void properties(struct json *j, const struct option_def *defs)
{
    for (; defs && defs->name; defs++) {
        if (defs->secret)
            continue; /* never stands in a file */
        json_key(j, defs->name);
        json_object(j);
        json_key(j, "description");
        json_string(j, defs->help ? defs->help : "");
        put_type(j, defs);
        put_default(j, defs);
        json_object_end(j);
    }
}

static void table(struct json *j, const struct option_def *defs)
{
    json_object(j);
    type(j, "object");
    json_key(j, "additionalProperties");
    json_bool(j, false);
    json_key(j, "properties");
    json_object(j);
    properties(j, defs);
    json_object_end(j);
    json_object_end(j);
}

static void section(struct json *j, const char *name, const struct option_def *defs)
{
    json_key(j, name);
    json_object(j);
    type(j, "object");
    json_key(j, "additionalProperties");
    if (strcmp(name, "otlp") == 0) /* [telemetry.otlp.NAME] */
        table(j, defs);
    else
        json_bool(j, false);
    json_key(j, "properties");
    json_object(j);
    properties(j, defs);
    json_object_end(j);
    json_object_end(j);
}

void config_write_schema(const struct config_section *sections, size_t count, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "$schema");
    json_string(&j, "https://json-schema.org/draft/2020-12/schema");
    json_key(&j, "title");
    json_string(&j, "Configuration of Oriel (" CONFIG_FILE_NAME ")");
    type(&j, "object");
    json_key(&j, "properties");
    json_object(&j);
    json_key(&j, "telemetry");
    json_object(&j);
    type(&j, "object");
    json_key(&j, "additionalProperties");
    json_bool(&j, false);
    json_key(&j, "properties");
    json_object(&j);
    json_key(&j, "preset");
    json_object(&j);
    type(&j, "string");
    strings(&j, "enum", config_presets);
    json_object_end(&j);
    properties(&j, config_telemetry_options);
    section(&j, "batch", config_batch_options);
    section(&j, "limits", config_limit_options);
    section(&j, "sampling", config_sampling_options);
    section(&j, "otlp_traces", config_otlp_traces_options);
    section(&j, "otlp_logs", config_otlp_logs_options);
    for (size_t i = 0; i < count; i++)
        section(&j, sections[i].name, sections[i].defs);
    json_object_end(&j);
    json_object_end(&j);
    json_object_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
}
