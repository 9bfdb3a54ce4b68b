/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keys of the configuration to options of the pipe. Pure.
 */
#include "session/sampling.h"

#include <assert.h>
#include <string.h>

#include "base/ratio.h"
#include "pipe/compose.h"

static const struct {
    bool parent_based;
    enum pipe_sampler root;
} samplers[] = {
    [CONFIG_SAMPLER_PARENT_ON] = {true, PIPE_SAMPLE_ON},
    [CONFIG_SAMPLER_PARENT_OFF] = {true, PIPE_SAMPLE_OFF},
    [CONFIG_SAMPLER_PARENT_RATIO] = {true, PIPE_SAMPLE_RATIO},
    [CONFIG_SAMPLER_ON] = {false, PIPE_SAMPLE_ON},
    [CONFIG_SAMPLER_OFF] = {false, PIPE_SAMPLE_OFF},
    [CONFIG_SAMPLER_RATIO] = {false, PIPE_SAMPLE_RATIO},
};

/* What asks a sampler by the parent: those that do as the parent did need not be asked. */
static enum pipe_delegate delegate_of(int delegate, bool sampled)
{
    static const enum pipe_delegate delegates[] = {[CONFIG_DELEGATE_ON] = PIPE_DELEGATE_ON,
                                                   [CONFIG_DELEGATE_OFF] = PIPE_DELEGATE_OFF,
                                                   [CONFIG_DELEGATE_RATIO] = PIPE_DELEGATE_RATIO};
    assert((size_t)delegate < sizeof delegates / sizeof *delegates);
    return delegate == (sampled ? CONFIG_DELEGATE_ON : CONFIG_DELEGATE_OFF) ? PIPE_AS_PARENT
                                                                            : delegates[delegate];
}

static void put_delegates(const struct config *c, struct pipe_sampling *out)
{
    static const enum pipe_sampler roots[] = {[CONFIG_DELEGATE_ON] = PIPE_SAMPLE_ON,
                                              [CONFIG_DELEGATE_OFF] = PIPE_SAMPLE_OFF,
                                              [CONFIG_DELEGATE_RATIO] = PIPE_SAMPLE_RATIO};
    struct config_sampling s;
    if (!out->parent_based)
        return;
    config_delegates(c, &s);
    if (s.root > 0)
        out->root = roots[s.root - 1];
    out->remote_sampled = delegate_of(s.remote_parent_sampled, true);
    out->remote_not_sampled = delegate_of(s.remote_parent_not_sampled, false);
    out->local_sampled = delegate_of(s.local_parent_sampled, true);
    out->local_not_sampled = delegate_of(s.local_parent_not_sampled, false);
}

void sampling_of(const struct config *c, struct sampling *out)
{
    const struct config_telemetry *t = config_telemetry(c);
    const struct config_sampling *s = config_section_options(c, "sampling");
    size_t count = 0;
    assert(s && (size_t)t->sampler < sizeof samplers / sizeof *samplers);
    if (config_rates_read(s->rates, out->names, &count, NULL) < 0)
        count = 0; /* was said when it was read */
    for (size_t i = 0; i < count; i++)
        out->rates[i] = (struct pipe_rate){out->names[i].target, out->names[i].share};
    out->how = (struct pipe_sampling){.size = sizeof out->how,
                                      .root = samplers[t->sampler].root,
                                      .share = t->sample_rate,
                                      .parent_based = samplers[t->sampler].parent_based,
                                      .rates = out->rates,
                                      .rate_count = count,
                                      .composite = config_composite(c),
                                      .traces_per_s = (uint32_t)s->traces_per_s,
                                      .logs_by_trace = s->trace_based_logs,
                                      .keep_errors = s->keep_errors,
                                      .keep_slow_ns = (uint64_t)s->keep_slow_ms * 1000000u,
                                      .tail_bytes = s->hold_bytes,
                                      .tail_ns = (uint64_t)s->hold_s * 1000000000u};
    put_delegates(c, &out->how);
}

uint64_t sampling_threshold(const struct config *c)
{
    struct sampling s;
    sampling_of(c, &s);
    if (s.how.composite) /* rules may say otherwise of a span that they fit */
        return compose_usual(s.how.composite) | RATIO_UNTOLD;
    const uint64_t threshold = s.how.root == PIPE_SAMPLE_OFF  ? RATIO_NONE
                               : s.how.root == PIPE_SAMPLE_ON ? 0
                                                              : ratio_threshold(s.how.share);
    const bool delegated = s.how.remote_sampled || s.how.remote_not_sampled ||
                           s.how.local_sampled || s.how.local_not_sampled;
    if (s.how.traces_per_s || s.how.rate_count || delegated)
        return threshold | RATIO_UNTOLD;
    const bool of_all = !s.how.parent_based && (threshold == 0 || threshold == RATIO_NONE);
    return of_all ? threshold | RATIO_OF_ALL : threshold;
}

bool sampling_same(const struct config *a, const struct config *b)
{
    struct sampling x, y;
    sampling_of(a, &x);
    sampling_of(b, &y);
    const struct config_telemetry *t = config_telemetry(a), *u = config_telemetry(b);
    const struct config_sampling *s = config_section_options(a, "sampling");
    const struct config_sampling *r = config_section_options(b, "sampling");
    return config_composite_same(a, b) && t->sampler == u->sampler &&
           t->sample_rate == u->sample_rate && s->trace_based_logs == r->trace_based_logs &&
           s->traces_per_s == r->traces_per_s && strcmp(s->rates, r->rates) == 0 &&
           x.how.root == y.how.root && x.how.remote_sampled == y.how.remote_sampled &&
           x.how.remote_not_sampled == y.how.remote_not_sampled &&
           x.how.local_sampled == y.how.local_sampled &&
           x.how.local_not_sampled == y.how.local_not_sampled;
}
