/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * [telemetry.sampling]: shares of single targets, a limit, what is kept of traces
 * that were not sampled. The list of shares is read in place. Pure.
 */
#include "config/config.h"

#include <string.h>

#include "config/state.h"

#include "util/num.h"

/* In the order of enum config_delegate. */
static const char *const delegates[] = {"always_on", "always_off", "traceidratio", NULL};
static const char *const roots[] = {"sampler", "always_on", "always_off", "traceidratio", NULL};

#define KEY(key, type_, fallback_, ...)                                                            \
    {                                                                                              \
        .name = #key, .type = type_, .offset = offsetof(struct config_sampling, key),              \
        .fallback = fallback_, __VA_ARGS__                                                         \
    }
const struct option_def config_sampling_options[] = {
    KEY(rates, OPTION_STRING, "", .arg = "TARGET=SHARE[,..]", .variable = "ORIEL_SAMPLE_RATES",
        .help = "share of the traces that begin in such a target, instead of sample_rate"),
    KEY(traces_per_s, OPTION_INT, "0", .max = 1000000000,
        .help = "traces that begin here in a second, at most; 0 = any number"),
    KEY(keep_errors, OPTION_BOOL, "false",
        .help = "traces that were not sampled come all the same when a span of them is an error"),
    KEY(keep_slow_ms, OPTION_INT, "0", .max = 86400000,
        .help = "and when they took so long here; 0 = never"),
    KEY(hold_bytes, OPTION_SIZE, "16MiB",
        .help = "memory for spans that wait for the end of such a trace"),
    KEY(hold_s, OPTION_INT, "30", .min = 1, .max = 86400,
        .help = "longest wait for the end of such a trace, in seconds"),
    KEY(trace_based_logs, OPTION_BOOL, "false",
        .help = "log records in spans that were not sampled are left out with them"),
    KEY(root, OPTION_ENUM, "sampler", .choices = roots,
        .help =
            "what a sampler by the parent asks where there is no parent; sampler: as that says"),
    KEY(remote_parent_sampled, OPTION_ENUM, "always_on", .choices = delegates,
        .help = "and below a parent of another process that was sampled"),
    KEY(remote_parent_not_sampled, OPTION_ENUM, "always_off", .choices = delegates,
        .help = "and that was not; traceidratio is the share of sample_rate for all five"),
    KEY(local_parent_sampled, OPTION_ENUM, "always_on", .choices = delegates,
        .help = "and below a parent of this process that was sampled"),
    KEY(local_parent_not_sampled, OPTION_ENUM, "always_off", .choices = delegates,
        .help = "and that was not"),
    OPTION_END,
};

/* ---- delegates ---- */

static const char *const delegate_keys[] = {
    "sampling.root", "sampling.remote_parent_sampled", "sampling.remote_parent_not_sampled",
    "sampling.local_parent_sampled", "sampling.local_parent_not_sampled"};
enum { DELEGATES = sizeof delegate_keys / sizeof *delegate_keys };

/* The same five of a struct, in that order. */
static void fields_of(struct config_sampling *s, int *out[DELEGATES])
{
    out[0] = &s->root;
    out[1] = &s->remote_parent_sampled;
    out[2] = &s->remote_parent_not_sampled;
    out[3] = &s->local_parent_sampled;
    out[4] = &s->local_parent_not_sampled;
}
static const int usual[DELEGATES] = {0, CONFIG_DELEGATE_ON, CONFIG_DELEGATE_OFF, CONFIG_DELEGATE_ON,
                                     CONFIG_DELEGATE_OFF};

static bool counts(const struct config *c, unsigned i)
{
    struct config_origin own = {.layer = CONFIG_DEFAULT}, sampler = own;
    (void)config_origin(c, delegate_keys[i], &own);
    (void)config_origin(c, "sampler", &sampler);
    return own.layer >= sampler.layer;
}

void config_delegates(const struct config *c, struct config_sampling *out)
{
    int *fields[DELEGATES];
    *out = *(const struct config_sampling *)config_section_options(c, "sampling");
    fields_of(out, fields);
    for (unsigned i = 0; i < DELEGATES; i++)
        if (!counts(c, i))
            *fields[i] = usual[i];
}

void config_check_delegates(struct config *c)
{
    struct config_sampling s;
    int *fields[DELEGATES];
    if (config_telemetry(c)->sampler <= CONFIG_SAMPLER_PARENT_RATIO)
        return;
    config_delegates(c, &s);
    fields_of(&s, fields);
    for (unsigned i = 0; i < DELEGATES; i++) {
        struct config_origin from;
        if (*fields[i] != usual[i] && config_origin(c, delegate_keys[i], &from))
            config_say(c, CONFIG_ERROR,
                       "%s: telemetry.%s cannot take effect: the sampler asks for no parent",
                       config_where(c, &from), delegate_keys[i]);
    }
}

/* ---- rates ---- */

static int one(const char *p, size_t n, struct config_rate *out, struct oriel_err *err)
{
    const char *equals = memrchr(p, '=', n);
    size_t name = equals ? (size_t)(equals - p) : n;
    if (!equals)
        return err_set(err, ORIEL_EFORMAT, "\"%.*s\" is not TARGET=SHARE", n > 60 ? 60 : (int)n, p);
    if (num_parse_double(equals + 1, n - name - 1, &out->share) != 0 || !(out->share >= 0) ||
        !(out->share <= 1))
        return err_set(err, ORIEL_EFORMAT, "\"%.*s\" has no share from 0 to 1",
                       n > 60 ? 60 : (int)n, p);
    if (name >= sizeof out->target)
        return err_set(err, ORIEL_ELIMIT, "a target of more than %u bytes",
                       (unsigned)sizeof out->target - 1);
    memcpy(out->target, p, name);
    out->target[name] = 0;
    return 0;
}

int config_rates_read(const char *text, struct config_rate out[CONFIG_RATES_MAX], size_t *out_count,
                      struct oriel_err *err)
{
    *out_count = 0;
    for (const char *p = text; *p;) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ","), word = n;
        while (word && (p[word - 1] == ' ' || p[word - 1] == '\t'))
            word--;
        if (word && *out_count == CONFIG_RATES_MAX)
            return err_set(err, ORIEL_ELIMIT, "more than %d targets", CONFIG_RATES_MAX);
        int rc = word ? one(p, word, &out[*out_count], err) : 0;
        if (rc < 0)
            return rc;
        *out_count += word > 0;
        p += n + (p[n] == ',');
    }
    return 0;
}
