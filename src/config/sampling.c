/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * [telemetry.sampling]: shares of single targets, a limit, what is kept of traces
 * that were not sampled. The list of shares is read in place. Pure.
 */
#include "config/config.h"

#include <string.h>

#include "util/num.h"

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
    OPTION_END,
};

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
