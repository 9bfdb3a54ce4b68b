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
#include "util/num.h"

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
};

#define SAMPLER_ARG "OTEL_TRACES_SAMPLER_ARG" /* read apart: it has rules of its own */

const char *config_other_variable(size_t i, const char **out_key)
{
    const size_t count = sizeof others / sizeof *others;
    *out_key = i < count ? others[i].key : "sample_rate";
    return i < count ? others[i].variable : i == count ? SAMPLER_ARG : NULL;
}

struct folded {
    char text[128];
};
/* Names of choices are the same in any case; what is longer than all of them stays. */
static const char *fold(const char *text, struct folded *out)
{
    size_t n = strlen(text);
    if (n >= sizeof out->text)
        return text;
    for (size_t i = 0; i <= n; i++)
        out->text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    return out->text;
}

static void put_other(struct config *c, const char *text, size_t row)
{
    struct folded lower;
    if (others[row].boolean)
        text = parse_bool(c, others[row].variable, text) ? "true" : "false";
    if (others[row].folded)
        text = fold(text, &lower);
    put(c, others[row].key, text, others[row].variable);
}

/* Of a sampler by ratio only, and a number that is out of range is none: unlike
 * the key sample_rate, whose nearest value is taken. */
static void put_sampler_arg(struct config *c, const char *const *environment)
{
    static const char name[] = SAMPLER_ARG;
    const char *text = config_variable(environment, name);
    struct config_origin origin;
    int sampler = config_telemetry(c)->sampler;
    double v;
    if (!text)
        return;
    if (!config_origin(c, "sampler", &origin) || origin.layer == CONFIG_DEFAULT ||
        (sampler != CONFIG_SAMPLER_RATIO && sampler != CONFIG_SAMPLER_PARENT_RATIO))
        config_say(c, CONFIG_REMARK, "$%s: has no effect without a sampler by ratio", name);
    else if (num_parse_double(text, strlen(text), &v) != 0 || !(v >= 0 && v <= 1))
        config_say(c, CONFIG_WARNING, "$%s: \"%.40s\" is no number from 0 to 1", name, text);
    else
        put(c, "sample_rate", text, name);
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
                    const char *variable, const char *text)
{
    struct folded lower;
    if (d->type == OPTION_BOOL)
        text = parse_bool(c, variable, text) ? "true" : "false";
    if (d->choices)
        text = fold(text, &lower);
    config_put(c, p, d, text, (struct config_origin){CONFIG_VARIABLE, variable, 0});
}

/* ---- names by rule: ORIEL_<SECTION>_<KEY> ---- */

#define RULE "ORIEL_"

/* Who knows the headers is asked of names that stand in its table, and of no other: one of them
 * is a command that is run. */
static bool has_rule(const char *section)
{
    return section[0] && strcmp(section, "vault") != 0 && !strchr(section, '.');
}

/* Sections of which a name that nobody has is said: there is no other who would read it. */
static bool is_ours_alone(const char *section)
{
    return strcmp(section, "otlp") == 0 || strcmp(section, "sampling") == 0;
}

void config_rule_variable(const char *section, const struct option_def *d, char *out, size_t n)
{
    *out = 0;
    if (has_rule(section))
        snprintf(out, n, RULE "%s_%s", section, d->name);
    for (; *out; out++)
        *out = (char)(*out >= 'a' && *out <= 'z' ? *out - 32 : *out);
}

/* "otlp_traces" of OTLP_TRACES_HEADERS, and not "otlp": the longest. */
static struct config_part *section_of(const struct config *c, const char *name)
{
    struct config_part *best = NULL;
    size_t most = 0;
    for (size_t i = 1; i < c->part_count; i++) {
        const char *section = c->parts[i].name;
        const size_t n = strlen(section);
        if (n > most && has_rule(section) && strncasecmp(name, section, n) == 0 && name[n] == '_') {
            best = &c->parts[i];
            most = n;
        }
    }
    return best;
}

/* Whether one of the tables has it as the variable of a key. */
static bool is_in_a_table(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->part_count; i++)
        for (const struct option_def *d = c->parts[i].defs; d->name; d++)
            if (d->variable && strcmp(d->variable, name) == 0)
                return true;
    return false;
}

static void say_unknown(struct config *c, const struct config_part *p, const char *key,
                        const char *variable)
{
    const struct option_def *near = option_nearest(p->defs, key);
    char name[CONFIG_RULE_BYTES] = "";
    if (near)
        config_rule_variable(p->name, near, name, sizeof name);
    config_say(c, CONFIG_WARNING, "$%s: there is no key telemetry.%s.%.60s%s%s%s", variable,
               p->name, key, near ? "; did you mean $" : "", name, near ? "?" : "");
}

/* ORIEL_OTLP_SPOOL_DIR=sp */
static void put_by_rule(struct config *c, const char *entry)
{
    struct folded key;
    const size_t n = strcspn(entry, "=");
    struct config_part *p = entry[n] && entry[n + 1] ? section_of(c, entry + strlen(RULE)) : NULL;
    char *name = p && n < CONFIG_RULE_BYTES ? arena_copy(&c->arena, entry, n) : NULL;
    if (!name || is_in_a_table(c, name)) {
        c->no_memory = c->no_memory || (p && n < CONFIG_RULE_BYTES && !name);
        return;
    }
    const char *below = fold(name + strlen(RULE) + strlen(p->name) + 1, &key);
    const char *other = config_first_name(p->name, below);
    struct config_part *at = other ? &c->parts[0] : p;
    const char *wanted = other ? other : below;
    const struct option_def *d = option_find(at->defs, wanted, strlen(wanted));
    if (d)
        put_own(c, at, d, name, entry + n + 1);
    else if (is_ours_alone(p->name))
        say_unknown(c, p, below, name);
}

static void put_sdk(struct config *c, const char *const *environment)
{
    const char *enabled = config_variable(environment, "OTEL_SDK_ENABLED");
    const char *disabled = config_variable(environment, "OTEL_SDK_DISABLED");
    c->sdk_enabled_set = enabled != NULL;
    c->sdk_enabled = enabled && parse_bool(c, "OTEL_SDK_ENABLED", enabled);
    c->sdk_disabled = disabled && parse_bool(c, "OTEL_SDK_DISABLED", disabled);
    c->enabled_by = (struct config_origin){CONFIG_VARIABLE, "OTEL_SDK_ENABLED", 0};
    c->disabled_by = (struct config_origin){CONFIG_VARIABLE, "OTEL_SDK_DISABLED", 0};
}

void config_apply_switches(struct config *c, const char *const *environment)
{
    put_enabled(c, environment);
}

void config_apply_environment(struct config *c, const char *const *environment)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *text = config_variable(environment, others[i].variable);
        if (text)
            put_other(c, text, i);
    }
    put_sampler_arg(c, environment);
    put_enabled(c, environment);
    put_interval(c, environment);
    for (size_t i = 0; i < c->part_count; i++) {
        struct config_part *p = &c->parts[i];
        for (const struct option_def *d = p->defs; d->name; d++) {
            const char *text = d->variable && strcmp(d->variable, "ORIEL_ENABLED") != 0
                                   ? config_variable(environment, d->variable)
                                   : NULL;
            if (text)
                put_own(c, p, d, d->variable, text);
        }
    }
    put_sdk(c, environment);
    /* Behind the standard's, so that what is said in Oriel's own wins. */
    for (; *environment; environment++)
        if (strncmp(*environment, RULE, strlen(RULE)) == 0)
            put_by_rule(c, *environment);
}
