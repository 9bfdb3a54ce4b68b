/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts of the model: bytes with a length, owned by somebody else.
 */
#ifndef ORIEL_MODEL_STR_H
#define ORIEL_MODEL_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns: arena of a batch, or the catalog. Any bytes
 * are possible; escaping and UTF-8 repair belong to the outlet. */
struct model_str {
    const char *p;
    uint32_t n;
};
#define MODEL_STR(literal) ((struct model_str){(literal), sizeof(literal) - 1})

static inline bool model_str_equal(struct model_str a, struct model_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
