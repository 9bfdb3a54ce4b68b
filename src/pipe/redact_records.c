/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same for records, which outlets of records write as they came: sizes and
 * positions of records are told by what stands around them, so a secret is
 * covered in place and nothing moves. Inside the pipe's thread.
 */
#include <assert.h>

#include "pipe/redact.h"
#include "secret/scrub.h"

/* The record is the batch's, which its source made writable memory. */
static char *writable(struct model_str s)
{
    return (char *)(uintptr_t)s.p;
}

/* Texts that follow a fixed number of words: status, names, reasons of triggers. */
static unsigned tail_words(const struct model_record *r)
{
    switch (r->type) {
    case ORIEL_REC_STATUS:
        return 4;
    case ORIEL_REC_OWNER:
    case ORIEL_REC_STATE:
        return 3;
    case ORIEL_REC_THREAD:
    case ORIEL_REC_TRIGGER:
        return 2;
    default:
        return 0;
    }
}

static uint64_t redact_tail(const struct model_record *r, unsigned words)
{
    if (words >= r->words)
        return 0;
    uint32_t stored = (uint32_t)r->raw[words];
    if (stored > (r->words - words - 1u) * 8u)
        return 0;
    struct model_str text = {(const char *)(r->raw + words + 1), stored};
    return scrub_mask(writable(text), text.n, SCRUB_TEXTS);
}

/* All of a value. What is JSON stays JSON: a text of stars, or a number. */
static void cover(const struct model_value *v)
{
    char *p = writable(v->v.str);
    uint32_t n = v->v.str.n;
    scrub_mask_whole(p, n);
    if (!(v->flags & ORIEL_FIELD_NESTED))
        return;
    memset(p, n > 1 ? '*' : '0', n);
    if (n > 1)
        p[0] = p[n - 1] = '"';
}

static uint64_t redact_fields(const struct model_record *r)
{
    struct model_values it;
    struct model_value v;
    uint64_t redacted = 0;
    for (model_values_begin(&it, r); model_values_next(&it, &v);) {
        if ((v.type != ORIEL_TYPE_STR && v.type != ORIEL_TYPE_BYTES) || v.v.str.n == 0)
            continue;
        bool whole = v.flags & (MODEL_FIELD_KEYED | ORIEL_FIELD_SECRET);
        if (whole)
            cover(&v);
        redacted += whole || scrub_mask(writable(v.v.str), v.v.str.n, SCRUB_TEXTS);
    }
    return redacted;
}

uint64_t redact_records(const struct model_batch *b)
{
    uint64_t redacted = 0;
    assert(b);
    for (size_t i = 0; i < b->record_count; i++) {
        const struct model_record *r = &b->records[i];
        unsigned tail = tail_words(r);
        if (tail)
            redacted += redact_tail(r, tail);
        else if (r->site && r->site->has_texts)
            redacted += redact_fields(r);
    }
    return redacted;
}
