/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The layer of the environment, from a list that is handed over. Names of
 * others come first, so that what is said in Oriel's own wins. Empty is unset.
 * One thread.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/state.h"

const char *config_variable(const char *const *environment, const char *name)
{
    size_t n = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
            return (*environment)[n + 1] ? *environment + n + 1 : NULL;
    return NULL;
}

/* The standard's rule for OTEL_*: "true" in any case, all else is false. Oriel's
 * own take 1 and 0 besides, as they always did. */
static bool parse_bool(struct config *c, const char *name, const char *text)
{
    bool own = strncmp(name, "OTEL_", 5) != 0;
    if (strcasecmp(text, "true") == 0 || (own && strcmp(text, "1") == 0))
        return true;
    if (strcasecmp(text, "false") != 0 && !(own && strcmp(text, "0") == 0))
        config_say(c, CONFIG_WARNING, "$%s: \"%.40s\" is not true and counts as false", name, text);
    return false;
}

static void put(struct config *c, const char *key, const char *text, const char *variable)
{
    (void)config_put_key(c, key, text, (struct config_origin){CONFIG_VARIABLE, variable, 0});
}

/* Names of others for keys of [telemetry], lowest first. */
static const struct {
    const char *variable, *key;
    bool boolean, folded; /* folded: names of choices in any case */
} others[] = {
    {"RUSTKERNEL_TRACING_ENABLED", "enabled", true, false},
    {"RUSTKERNEL_OTLP_ENDPOINT", "otlp_endpoint", false, false},
    {"RUSTKERNEL_LOG_LEVEL", "filter", false, true},
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint", false, false},
    {"OTEL_SERVICE_NAME", "service_name", false, false},
    {"OTEL_TRACES_SAMPLER", "sampler", false, true},
    {"OTEL_TRACES_SAMPLER_ARG", "sample_rate", false, false},
};

static void put_other(struct config *c, const char *text, size_t row)
{
    char lower[128];
    if (others[row].boolean)
        text = parse_bool(c, others[row].variable, text) ? "true" : "false";
    if (others[row].folded) {
        size_t n = 0;
        for (; text[n] && n + 1 < sizeof lower; n++)
            lower[n] = (char)(text[n] >= 'A' && text[n] <= 'Z' ? text[n] + 32 : text[n]);
        lower[n] = 0;
        text = lower;
    }
    put(c, others[row].key, text, others[row].variable);
}

/* Either switches it on; only where neither does, one may switch it off. */
static void put_enabled(struct config *c, const char *const *environment)
{
    static const char *const names[] = {"TELEMETRY_ENABLED", "ORIEL_ENABLED"};
    const char *decided = NULL;
    bool on = false;
    for (int i = 0; i < 2; i++) {
        const char *text = config_variable(environment, names[i]);
        bool yes = text && parse_bool(c, names[i], text);
        if (text && (yes || !on)) {
            decided = names[i];
            on = yes;
        }
    }
    if (decided)
        put(c, "enabled", on ? "true" : "false", decided);
}

/* Whole seconds out of "500ms", "5s" or "5"; less than one is one, 0 is never. */
static void put_interval(struct config *c, const char *const *environment)
{
    static const char name[] = "ORIEL_SYSTEM_METRICS_INTERVAL_SECS";
    const char *text = config_variable(environment, name);
    const char *metrics = config_variable(environment, "RUSTKERNEL_METRICS_ENABLED");
    char seconds[32];
    uint64_t ns;
    if (metrics && !parse_bool(c, "RUSTKERNEL_METRICS_ENABLED", metrics))
        put(c, "system_metrics_interval_secs", "0", "RUSTKERNEL_METRICS_ENABLED");
    if (!text)
        return;
    if (option_parse_duration(text, &ns) < 0) {
        config_say(c, CONFIG_WARNING, "$%s: \"%.40s\" is not a duration like 5s or 2m", name, text);
        return;
    }
    snprintf(seconds, sizeof seconds, "%llu",
             (unsigned long long)(ns ? (ns < 1000000000u ? 1 : ns / 1000000000u) : 0));
    put(c, "system_metrics_interval_secs", seconds, name);
}

static void put_own(struct config *c, struct config_part *p, const struct option_def *d,
                    const char *text)
{
    if (d->type == OPTION_BOOL)
        text = parse_bool(c, d->variable, text) ? "true" : "false";
    config_put(c, p, d, text, (struct config_origin){CONFIG_VARIABLE, d->variable, 0});
}

static void put_sdk(struct config *c, const char *const *environment)
{
    const char *enabled = config_variable(environment, "OTEL_SDK_ENABLED");
    const char *disabled = config_variable(environment, "OTEL_SDK_DISABLED");
    c->sdk_enabled_set = enabled != NULL;
    c->sdk_enabled = enabled && parse_bool(c, "OTEL_SDK_ENABLED", enabled);
    c->sdk_disabled = disabled && parse_bool(c, "OTEL_SDK_DISABLED", disabled);
}

void config_apply_environment(struct config *c, const char *const *environment)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *text = config_variable(environment, others[i].variable);
        if (text)
            put_other(c, text, i);
    }
    put_enabled(c, environment);
    put_interval(c, environment);
    for (size_t i = 0; i < c->part_count; i++) {
        struct config_part *p = &c->parts[i];
        for (const struct option_def *d = p->defs; d->name; d++) {
            const char *text = d->variable && strcmp(d->variable, "ORIEL_ENABLED") != 0
                                   ? config_variable(environment, d->variable)
                                   : NULL;
            if (text)
                put_own(c, p, d, text);
        }
    }
    put_sdk(c, environment);
}
