/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What every outlet is tried with: one catalog and one row of items that hold
 * every kind of item, the extremes of every type, and the texts that break
 * careless writers. An item is known by its span id, its number in the row.
 */
#ifndef ORIEL_CONFORMANCE_FIXTURES_H
#define ORIEL_CONFORMANCE_FIXTURES_H

#include "model/batch.h"
#include "util/json.h"

struct fixtures {
    struct model_catalog catalog;
    struct model_batch items;
    const struct model_thread *main, *worker, *other, *again;
    struct model_batch records; /* what of it a record can hold, for the capture */
    struct model_batch samples; /* for outlets that take them */
    struct arena arena;
    uint64_t t; /* time of the next item */
    uint64_t next_id;
};

#define FIXTURES_START UINT64_C(1700000000000000000)

/* Ends the program when out of memory: a test has nothing better to do. */
void fixtures_make(struct fixtures *f);
/* Only texts, many of them, for what escaping has to withstand (C9). */
void fixtures_make_texts(struct fixtures *f);
void fixtures_done(struct fixtures *f);
/* The truth as JSON; all texts as hex, so that no escaping stands between. */
void fixtures_describe(const struct fixtures *f, struct buf *out);
void fixtures_describe_record(struct json *j, const struct model_record *r);

/* samples.c: stacks of functions with such names, inlined calls, no symbols. */
void fixtures_make_samples(struct fixtures *f);
void fixtures_describe_samples(struct json *j, const struct fixtures *f);

/* texts.c: at least 200 of them. */
extern const struct model_str nasty_texts[];
extern const unsigned nasty_text_count;
/* The i-th text, from the table or made by rule; beyond nasty_total() come as
 * many random ones as one likes. */
struct model_str nasty_text(struct arena *a, unsigned i);
unsigned nasty_total(void);

#endif
