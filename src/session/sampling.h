/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the configuration says of sampling, as options of the pipe. Pure.
 */
#ifndef ORIEL_SESSION_SAMPLING_H
#define ORIEL_SESSION_SAMPLING_H

#include "config/config.h"
#include "pipe/pipe.h"

struct sampling {
    struct pipe_sampling how; /* points into this struct */
    struct config_rate names[CONFIG_RATES_MAX];
    struct pipe_rate rates[CONFIG_RATES_MAX];
};
/* `out` stays in its place until the pipe is made. The configuration can start. */
void sampling_of(const struct config *c, struct sampling *out);
/* Which traces that begin here are sampled (base/ratio.h), for those who tell others of them. */
uint64_t sampling_threshold(const struct config *c);
/* Whether both say the same of it. */
bool sampling_same(const struct config *a, const struct config *b);

#endif
