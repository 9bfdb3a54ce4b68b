/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys that are known, said, and without effect beside what else is said: OTLP that nothing
 * sends, the form of a file that nobody writes, tables of outlets that nobody chose, a share
 * that no sampler asks for. One thread.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "config/state.h"

/* What decides that a key has no effect, and what would give it one. */
struct decision {
    struct config_origin by;
    const char *why, *instead;
};

static bool said(const struct config *c, const char *key, struct config_origin *out)
{
    return config_origin(c, key, out) && out->layer != CONFIG_DEFAULT;
}

/* Variables that no other program reads. */
static bool is_own(const struct config_origin *o)
{
    return o->layer != CONFIG_VARIABLE || strncmp(o->name, "ORIEL_", 6) == 0 ||
           strncmp(o->name, "RUSTKERNEL_", 11) == 0;
}

/* Whoever decides in a higher place meant to switch off what stands below; two files are two
 * places. A program's own words cannot know what the file or the environment say. */
static bool is_overridden(const struct config_origin *key, const struct config_origin *by)
{
    if (by->layer > key->layer || by->layer == CONFIG_PRESET)
        return true;
    if (key->layer == CONFIG_FILE && by->layer == CONFIG_FILE)
        return strcmp(key->name, by->name) != 0;
    return key->layer == CONFIG_CODE && by->layer != CONFIG_CODE && by->layer != CONFIG_DEFAULT;
}

static void say_idle(struct config *c, const char *key, const struct config_origin *o,
                     const struct decision *d)
{
    const char *where = config_where(c, o);
    if (!is_own(o))
        config_say(c, CONFIG_REMARK, "%s has no effect: %s; %s", where, d->why, d->instead);
    else if (is_overridden(o, &d->by))
        config_say(c, CONFIG_ADVICE, "%s: %s has no effect: %s, by %s", where, key, d->why,
                   config_where(c, &d->by));
    else
        config_say(c, CONFIG_ERROR, "%s: %s cannot take effect: %s; %s", where, key, d->why,
                   d->instead);
}

/* ---- keys of a table ---- */

/* As in a fresh table; secrets are shown alike, and none is a default. */
static bool is_usual(const struct option_def *d, const void *values, const void *fresh)
{
    char is[256], usual[256];
    option_text(d, values, is, sizeof is);
    option_text(d, fresh, usual, sizeof usual);
    return !d->secret && strcmp(is, usual) == 0;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The first key of the table, among those whose names begin so, that was given another value
 * than its default: one line is enough for them all. */
static void say_first(struct config *c, const struct config_part *p, const char *with,
                      const struct decision *decision)
{
    void *fresh = mem_calloc(1, p->size ? p->size : 1);
    const bool made = fresh && option_defaults(p->defs, fresh) == 0;
    c->no_memory = c->no_memory || !made;
    for (size_t i = 0; made && i < p->count; i++) {
        const struct option_def *d = &p->defs[i];
        const struct config_origin *o = &p->origins[i];
        if (o->layer <= CONFIG_PRESET || !begins(d->name, with) || is_usual(d, p->values, fresh))
            continue;
        say_idle(c, config_key_text(c, p, d), o, decision);
        break;
    }
    if (fresh)
        option_done(p->defs, fresh);
    mem_free(fresh);
}

/* ---- OTLP ---- */

static bool exporters_have(const struct config *c, const char *item)
{
    const struct config_telemetry *t = config_telemetry(c);
    return config_has_item(t->traces_exporter, item) || config_has_item(t->logs_exporter, item);
}

/* What the environment has switched off is off, whatever is said of it. */
static bool is_switched_off(const struct config *c)
{
    return c->sdk_disabled || (c->sdk_enabled_set && !c->sdk_enabled);
}

static bool sends(const struct config *c)
{
    return c->sdk_enabled_set ? c->sdk_enabled
                              : config_has_item(config_telemetry(c)->backend, "otlp");
}

static void check_exporter(struct config *c, const char *key, const char *list,
                           const struct decision *d)
{
    struct config_origin o;
    char full[40];
    snprintf(full, sizeof full, "telemetry.%s", key);
    if (config_has_item(list, "otlp") && said(c, key, &o) && o.layer != CONFIG_PRESET)
        say_idle(c, full, &o, d);
}

/* The table of otlp is that of an outlet of files, too, and of what goes to standard output. */
static bool is_for_sending(const struct config *c, const char *name)
{
    const struct config_telemetry *t = config_telemetry(c);
    if (strcmp(name, "otlp") == 0)
        return !exporters_have(c, CONFIG_OTLP_STDOUT) &&
               !(config_has_item(t->backend, "local") && config_has_item(t->outlets, "otlp"));
    return begins(name, "otlp_") || begins(name, "otlp.") || strcmp(name, "vault") == 0;
}

static void check_sending(struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    struct decision d = {.why = "backend has no otlp",
                         .instead =
                             "set backend = \"otlp\" (ORIEL_BACKEND), or OTEL_SDK_ENABLED=true"};
    if (sends(c) || is_switched_off(c) || c->cannot_send)
        return;
    (void)config_origin(c, "backend", &d.by);
    say_first(c, &c->parts[0], "otlp_", &d);
    check_exporter(c, "traces_exporter", t->traces_exporter, &d);
    check_exporter(c, "logs_exporter", t->logs_exporter, &d);
    for (size_t i = 1; i < c->part_count; i++)
        if (is_for_sending(c, c->parts[i].name))
            say_first(c, &c->parts[i], "", &d);
}

/* Only the outlet of files has a choice: a receiver is spoken to by its protocol, standard output
 * gets JSON. Where nothing of the table has an effect, that is said already. */
static void check_encoding(struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    const bool local = config_has_item(t->backend, "local");
    struct config_part *files = config_part_find(c, "otlp", 4);
    struct decision d = {.why = "no file of otlp is written",
                         .instead = "name otlp in outlets (ORIEL_TO), with local in backend; a "
                                    "receiver is told by otlp_protocol"};
    if (is_switched_off(c) || c->cannot_send)
        return;
    (void)config_origin(c, local ? "outlets" : "backend", &d.by);
    if (files && (sends(c) || exporters_have(c, CONFIG_OTLP_STDOUT)) &&
        !(local && config_has_item(t->outlets, "otlp")))
        say_first(c, files, "encoding", &d);
    const struct decision never = {.why = "it is that of a file",
                                   .instead = "a receiver is told by protocol"};
    for (size_t i = 1; sends(c) && i < c->part_count; i++)
        if (begins(c->parts[i].name, "otlp."))
            say_first(c, &c->parts[i], "encoding", &never);
}

/* ---- tables of outlets ---- */

static bool is_table_of_outlet(const char *name)
{
    static const char *const others[] = {"", "batch", "limits", "sampling", "vault", "otlp"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return !begins(name, "otlp_") && !begins(name, "otlp.");
}

static void check_tables(struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    const bool local = config_has_item(t->backend, "local");
    for (size_t i = 1; i < c->part_count; i++) {
        const struct config_part *p = &c->parts[i];
        char why[96], instead[96];
        struct decision d = {.why = why, .instead = instead};
        const bool prints = strcmp(p->name, "log") == 0 && exporters_have(c, "console");
        if (!is_table_of_outlet(p->name) || prints ||
            (local && config_has_item(t->outlets, p->name)))
            continue;
        (void)config_origin(c, local ? "outlets" : "backend", &d.by);
        snprintf(why, sizeof why, local ? "outlets has no %s" : "backend has no local files for %s",
                 p->name);
        snprintf(instead, sizeof instead,
                 local ? "name it there (ORIEL_TO), or leave the table out"
                       : "name local there (ORIEL_BACKEND), or leave the table out");
        say_first(c, p, "", &d);
    }
}

/* ---- sample_rate ---- */

/* Whether anything asks for the share; *out_by: who says so. */
static bool asks_for_share(const struct config *c, struct config_origin *out_by)
{
    const int sampler = config_telemetry(c)->sampler;
    struct config_sampling s;
    (void)config_origin(c, "sampler", out_by);
    if (sampler > CONFIG_SAMPLER_PARENT_RATIO)
        return sampler == CONFIG_SAMPLER_RATIO;
    config_delegates(c, &s);
    if (s.root > 0)
        (void)config_origin(c, "sampling.root", out_by);
    return (s.root > 0 ? s.root == CONFIG_DELEGATE_RATIO + 1
                       : sampler == CONFIG_SAMPLER_PARENT_RATIO) ||
           s.remote_parent_sampled == CONFIG_DELEGATE_RATIO ||
           s.remote_parent_not_sampled == CONFIG_DELEGATE_RATIO ||
           s.local_parent_sampled == CONFIG_DELEGATE_RATIO ||
           s.local_parent_not_sampled == CONFIG_DELEGATE_RATIO;
}

/* A composed sampler has shares of its own, and stands in a file of its own. */
static void check_share(struct config *c)
{
    struct decision d = {.why = "the sampler asks for no share",
                         .instead = "set a sampler by traceidratio, or leave the rate out"};
    if (!c->composite && !asks_for_share(c, &d.by))
        say_first(c, &c->parts[0], "sample_rate", &d);
}

int config_check_effects(struct config *c)
{
    struct config_origin o;
    assert(c->part_count > 0 && !c->parts[0].name[0]);
    if (said(c, "enabled", &o) && !config_telemetry(c)->enabled)
        return 0; /* nothing has */
    check_sending(c);
    check_encoding(c);
    check_tables(c);
    check_share(c);
    return c->no_memory ? ORIEL_ENOMEM : 0;
}
