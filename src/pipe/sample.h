/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which traces are wanted: decided when a span begins a trace here, or comes
 * into one from elsewhere; what is below goes by it. Inside the pipe only.
 * Deterministic: time comes with the records, chance with the trace ids.
 */
#ifndef ORIEL_PIPE_SAMPLE_H
#define ORIEL_PIPE_SAMPLE_H

#include "pipe/compose.h"
#include "pipe/pipe.h"

/* Attributes that it gives to spans are theirs until they end, also after a change. */
struct sampler_composed {
    struct arena arena;
    const struct compose *root;
    struct sampler_composed *before;
};
struct sampler {
    struct pipe_sampling how;
    bool active;        /* else everything is wanted, and nobody asks */
    bool inherits;      /* what has a parent here goes as that went: nobody asks either */
    bool by_share;      /* what begins a trace goes by its id and `threshold` alone */
    struct arena arena; /* of the rates */
    struct sampler_composed *composed; /* NULL: none */
    struct sampler_composed *retired;  /* those of before */
    uint64_t threshold;                /* of `share`; see base/ratio.h */
    uint64_t *sites; /* threshold + 1 of targets by index of the site; 0: not known yet */
    size_t site_capacity;
    uint64_t full_ns;   /* time at which the bucket of traces_per_s is full again */
    uint64_t newest_ns; /* of what was decided */
};

/* NULL: everything. 0; ORIEL_EINVAL: an option is out of range; ORIEL_ENOMEM. */
int sampler_init(struct sampler *s, const struct pipe_sampling *how);
void sampler_done(struct sampler *s);
/* `next` takes the place of `s`, which is done, but for what open spans may still refer to. */
void sampler_replace(struct sampler *s, const struct sampler *next);
/* Both tell by which threshold they decided; one of these for something else: */
#define SAMPLER_AS_PARENT UINT64_MAX    /* nothing was decided here */
#define SAMPLER_UNTOLD (UINT64_MAX - 1) /* in a way that has no threshold */
/* A trace that begins here with this span. */
bool sampler_root(struct sampler *s, const struct model_site *site, uint64_t randomness,
                  uint64_t t_ns, uint64_t *out_threshold);
/* A span with a parent, of this process or not. */
bool sampler_child(struct sampler *s, bool remote, bool parent_sampled,
                   const struct model_site *site, uint64_t randomness, uint64_t *out_threshold);
/* The threshold for what begins a trace at a site of that target. */
uint64_t sampler_threshold(const struct sampler *s, struct model_str target);
/* What a parent means. */
enum pipe_delegate sampler_delegate(const struct pipe_sampling *how, bool remote, bool sampled);
/* Any span, where there is a composite; `out` says what to tell, and to note. */
bool sampler_compose(struct sampler *s, const struct compose_span *span, uint64_t randomness,
                     uint64_t t_ns, struct compose_intent *out);
/* Of a span that is not known any more, what its id says. */
bool sampler_guess(const struct sampler *s, const uint64_t trace[2]);

#endif
