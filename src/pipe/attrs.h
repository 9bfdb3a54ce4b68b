/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The fields of a span that is still open: each key once, the latest value,
 * copied out of batches that die. Inside the pipe only. Memory follows what
 * is live, not how often a field was set.
 */
#ifndef ORIEL_PIPE_ATTRS_H
#define ORIEL_PIPE_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"

struct attrs_item {
    struct model_value value; /* the key lives in the catalog; no text pointer here */
    size_t offset;            /* of the text in bytes */
};

struct attrs {
    struct attrs_item *items;
    char *bytes;
    size_t count, capacity;
    size_t used, size; /* of bytes; used counts replaced texts too */
    size_t live;       /* bytes that an item refers to */
};

enum attrs_result { ATTRS_OK = 0, ATTRS_FULL = 1, ATTRS_NO_MEMORY = 2 };

static inline bool attrs_same_key(struct model_str a, struct model_str b)
{
    return a.n == b.n && (a.p == b.p || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool attrs_has_text(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
}

/* Add a value, or replace that of its key. FULL: a new key beyond `limit`. */
enum attrs_result attrs_put(struct attrs *a, const struct model_value *value, size_t limit);
/* Copy all with their texts into `arena`; NULL: no memory (count is not 0). */
struct model_value *attrs_copy(const struct attrs *a, struct arena *arena);
/* Forget the content; large memory is given back. */
void attrs_clear(struct attrs *a);
void attrs_done(struct attrs *a);

#endif
