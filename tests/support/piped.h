/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A pipe with a fake program in front of it and its items behind it, for
 * tests: append records to `in` (records.h), push, look at what came out.
 */
#ifndef ORIEL_TEST_PIPED_H
#define ORIEL_TEST_PIPED_H

#include <stdbool.h>
#include <stdint.h>

#include "pipe/pipe.h"
#include "records.h"

struct piped {
    struct records w;
    struct model_batch in, out; /* out keeps the items of all pushes */
    struct pipe *pipe;
};

void piped_init(struct piped *c, const struct pipe_options *options);
void piped_done(struct piped *c);

/* Push `in` with this watermark and empty it. Checks the books. */
int piped_push(struct piped *c, uint64_t watermark_ns);
/* The same, as the last batch. */
int piped_last(struct piped *c);
/* Every record has one fate, every span begun is out, open or counted. */
void piped_check_books(const struct piped *c);
struct pipe_counts piped_counts(const struct piped *c);

/* The n-th item (from 0) of a kind; ends the test when there is none. */
const struct model_item *piped_item(const struct piped *c, enum model_item_kind kind, size_t n);
size_t piped_items(const struct piped *c, enum model_item_kind kind);
/* The first span whose site has this name; NULL: none. */
const struct model_span *piped_find(const struct piped *c, const char *name);
/* The same; ends the test when there is none. */
const struct model_span *piped_span(const struct piped *c, const char *name);
/* An attribute as text ("7", "true", "2.5", "text"), "" when absent. Good until
 * the next call. */
const char *piped_attr(const struct model_value *attrs, uint32_t n, const char *key);
/* A text of the model as a C string. Good until the next call. */
const char *piped_text(struct model_str s);

#endif
