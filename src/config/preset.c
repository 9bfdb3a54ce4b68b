/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Presets: a handful of values under one name, below file and environment.
 * `private` reads neither. One thread.
 */
#include <string.h>

#include "config/state.h"

const char *const config_presets[] = {"development", "production", "high-performance",
                                      "testing",     "private",    NULL};

static const struct {
    const char *preset, *key, *value;
} rows[] = {
    {"development", "enabled", "true"},
    {"development", "include_args", "true"},
    {"production", "enabled", "true"},
    {"production", "backend", "otlp"},
    {"production", "sample_rate", "0.1"},
    {"high-performance", "enabled", "true"},
    {"high-performance", "backend", "otlp"},
    {"high-performance", "sample_rate", "0.01"},
    {"high-performance", "system_metrics_interval_secs", "60"},
    {"testing", "enabled", "true"},
    {"testing", "include_args", "true"},
    {"testing", "system_metrics_interval_secs", "0"},
    {"private", "enabled", "true"},
};

void config_apply_preset(struct config *c, const char *name, struct config_origin origin)
{
    const char *const *known = config_presets;
    while (*known && strcmp(*known, name) != 0)
        known++;
    if (!*known) {
        config_say(c, origin.layer == CONFIG_VARIABLE ? CONFIG_WARNING : CONFIG_ERROR,
                   "%s: no preset is called \"%.40s\"; there are development, production, "
                   "high-performance, testing and private",
                   config_where(c, &origin), name);
        return;
    }
    c->is_private = strcmp(*known, "private") == 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].preset, *known) == 0)
            (void)config_put_key(c, rows[i].key, rows[i].value,
                                 (struct config_origin){CONFIG_PRESET, *known, 0});
}
