/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What outlets of samples have in common: the kinds by name, samples summed up
 * while they come, and a stack as the functions in it. One thread.
 */
#ifndef ORIEL_EXPORT_SAMPLES_H
#define ORIEL_EXPORT_SAMPLES_H

#include "base/err.h"
#include "base/intern.h"
#include "base/vec.h"
#include "model/profile.h"
#include "util/out.h"

/* For an option: "all" and the kinds in the order of enum oriel_sample_kind. */
extern const char *const export_sample_kinds[ORIEL_SAMPLE_KINDS + 1];

struct export_samples {
    const char *outlet; /* for messages */
    struct model_profile profile;
    int kind;        /* the only one wanted; 0 all */
    uint64_t missed; /* samples that could not be taken in or written */
};

/* Take in the samples of a batch. 0, or ORIEL_ENOMEM with a line. */
int export_samples_write(struct export_samples *s, const struct model_batch *batch,
                         struct oriel_err *err);
/* At close: 0 if there is something to write or something was lost; else
 * ORIEL_ENOTFOUND with a line that says how to get some. */
int export_samples_any(const struct export_samples *s, struct oriel_err *err);
/* At close: nothing of it is written, and what went out before the failure, from `keep` on, is
 * taken back. Returns rc, with a line. */
int export_samples_failed(struct export_samples *s, struct out *out, uint64_t keep, int rc,
                          struct oriel_err *err);

/* A function as it stands in a stack. */
struct export_frame {
    struct model_str name;             /* "[libz.so.1]" where nobody knows the function */
    struct model_str file;             /* "" unknown */
    const struct model_module *module; /* NULL: of the unknown stack */
    uint32_t place;                    /* UINT32_MAX: of the unknown stack */
    uint32_t line, column, start_line; /* 0 unknown */
    uint8_t depth;                     /* inlined so many times into the place's function */
    bool resolved;
};
struct export_stack {
    struct intern names; /* of modules, as they stand for their functions */
    VEC(struct export_frame) frames;
};
/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int export_stack_init(struct export_stack *s);
void export_stack_done(struct export_stack *s);
/* The functions of a stack, the outermost first; never none: an unknown stack
 * is "[unknown]". Valid until the next call. 0 or ORIEL_ENOMEM. */
int export_stack_set(struct export_stack *s, const struct model_stacks *stacks, uint32_t stack);

#endif
