/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What this build leaves out (cmake -DORIEL_WITHOUT=..): whoever asks for it is
 * told that, and not that no such thing exists. Constant.
 */
#ifndef ORIEL_UTIL_LEFT_OUT_H
#define ORIEL_UTIL_LEFT_OUT_H

#include <stddef.h>

struct left_out {
    const char *list, *name; /* as in the list that has no such row: "COMMAND", "collect" */
    const char *component;   /* "otlp" */
};
extern const struct left_out left_out_rows[]; /* the last: all NULL */

#define LEFT_OUT_ADVICE "; use one that has it, or leave this out"
enum { LEFT_OUT_WHY_BYTES = 128 };
/* The component that has gone with a row, or NULL; of the `n` bytes of a name. `why` (NULL, or
 * LEFT_OUT_WHY_BYTES) gets "this build was made without otlp" and the advice. */
const char *left_out_find(const char *list, const char *name, size_t n, char *why);
/* The component of the first row that a list lacks; NULL: it is whole. */
const char *left_out_first(const char *list);
/* The components, each once; NULL behind the last. */
const char *left_out_component(size_t i);

#endif
