/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What oriel_start is given, as keys of the configuration, which then stand above
 * file and environment. Pure.
 */
#include "session/start_code.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "key=value" each; false: one is not such a text, or there are too many. */
static bool add_settings(struct start_code *code, const char *const *settings)
{
    for (size_t i = 0; settings && settings[i]; i++) {
        size_t n = strcspn(settings[i], "=");
        if (code->count == START_CODE_MAX || n == 0 || n >= START_KEY_BYTES || !settings[i][n])
            return false;
        memcpy(code->keys[code->count], settings[i], n);
        code->keys[code->count][n] = 0;
        code->sets[code->count] = (struct config_set){code->keys[code->count], settings[i] + n + 1};
        code->count++;
    }
    return true;
}

bool start_code_of(const struct oriel_options *o, struct start_code *out)
{
    struct config_set *code = out->sets;
    char(*numbers)[START_NUMBER_BYTES] = out->numbers;
    size_t n = 0;
    const struct config_set texts[] = {{"outlets", o->outlets},
                                       {"trace_dir", o->directory},
                                       {"filter", o->filter},
                                       {"service_name", o->service_name}};
    code[n++] = (struct config_set){"enabled", "true"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value && texts[i].value[0])
            code[n++] = texts[i];
    if (o->flags & ORIEL_START_INCLUDE_ARGS)
        code[n++] = (struct config_set){"include_args", "true"};
    unsigned secs = o->system_metrics_interval_secs;
    snprintf(numbers[0], START_NUMBER_BYTES, "%u", o->exit_ms);
    snprintf(numbers[1], START_NUMBER_BYTES, "%u", secs == ORIEL_METRICS_NEVER ? 0 : secs);
    if (o->exit_ms)
        code[n++] = (struct config_set){"exit_ms", numbers[0]};
    if (secs)
        code[n++] = (struct config_set){"system_metrics_interval_secs", numbers[1]};
    assert(n <= START_CODE_MAX);
    out->count = n;
    return add_settings(out, o->settings);
}
