/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same for records, which outlets of records write as they came: sizes and
 * positions of records are told by what stands around them, so a secret is
 * covered in place and nothing moves. Inside the pipe's thread.
 */
#include <assert.h>

#include "base/buf.h"
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
    case ORIEL_REC_MORE:
    case ORIEL_REC_NAME:
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

/* ---- texts that are longer than a record ---- */

/* The text of a MORE that stands as it should. */
static struct model_str more_text(const struct model_record *r)
{
    uint32_t n = r->words > 4 ? (uint32_t)r->raw[3] : 0;
    return (struct model_str){(const char *)(r->raw + 4), n <= (r->words - 4u) * 8u ? n : 0};
}

static bool is_more_of(const struct model_record *r, uint32_t value)
{
    return r->words > 4 && ORIEL_MORE_VALUE(r->raw[2]) == value;
}

/* What goes on with a value, covered: blanks, which JSON does not mind. */
static void cover_more(const struct model_record *more, size_t n, uint32_t value, char with)
{
    for (size_t i = 0; i < n; i++)
        if (is_more_of(&more[i], value))
            memset(writable(more_text(&more[i])), with, more_text(&more[i]).n);
}

/* A text looked at as a whole: its head, and what goes on with it. */
static bool mask_whole(struct model_str head, const struct model_record *more, size_t n,
                       uint32_t value)
{
    struct buf text;
    buf_init(&text);
    buf_put(&text, head.p, head.n);
    for (size_t i = 0; i < n; i++)
        if (is_more_of(&more[i], value))
            buf_put(&text, more_text(&more[i]).p, more_text(&more[i]).n);
    bool found = text.failed || scrub_mask(text.data, text.size, SCRUB_TEXTS);
    size_t at = head.n;
    if (text.failed)
        cover_more(more, n, value, '*'); /* no memory to look: nothing of it leaves */
    else if (found && head.n)
        memcpy(writable(head), text.data, head.n);
    for (size_t i = 0; i < n && found && !text.failed; i++) {
        struct model_str part = is_more_of(&more[i], value) ? more_text(&more[i]) : MODEL_STR("");
        if (part.n)
            memcpy(writable(part), text.data + at, part.n);
        at += part.n;
    }
    buf_done(&text);
    return found;
}

/* Values of the record of which n records before it say more. */
static uint64_t redact_long(const struct model_record *r, const struct model_record *more, size_t n)
{
    struct model_values it;
    struct model_value v;
    uint64_t redacted = 0;
    if (r->type == ORIEL_REC_STATUS && r->words > 4) {
        uint32_t stored = (uint32_t)r->raw[4];
        stored = stored <= (r->words - 5u) * 8u ? stored : 0;
        return mask_whole((struct model_str){(const char *)(r->raw + 5), stored}, more, n, 0);
    }
    model_values_begin(&it, r);
    for (uint32_t i = 0; model_values_next(&it, &v); i++) {
        if (v.type != ORIEL_TYPE_STR && v.type != ORIEL_TYPE_BYTES)
            continue;
        if (v.flags & (MODEL_FIELD_KEYED | ORIEL_FIELD_SECRET)) /* counted with its head */
            cover_more(more, n, i, v.flags & ORIEL_FIELD_NESTED ? ' ' : '*');
        else
            redacted += mask_whole(v.v.str, more, n, i);
    }
    return redacted;
}

/* Records from `at` on that say more of one that comes; all that belongs together is
 * in one batch, as a rule. Where it is not, each is looked at alone. */
static uint64_t redact_more(const struct model_batch *b, size_t at, size_t *out_count)
{
    const struct model_record *more = &b->records[at];
    uint64_t redacted = 0;
    size_t n = 0, left = b->record_count - at;
    while (n < left && more[n].type == ORIEL_REC_MORE && more[n].stream == more->stream)
        n++;
    *out_count = n;
    if (n < left && more[n].stream == more->stream)
        return redact_long(&more[n], more, n);
    for (size_t i = 0; i < n; i++)
        redacted += redact_tail(&more[i], 3);
    return redacted;
}

uint64_t redact_records(const struct model_batch *b)
{
    uint64_t redacted = 0;
    assert(b);
    for (size_t i = 0; i < b->record_count; i++) {
        size_t skip = 0;
        if (b->records[i].type == ORIEL_REC_MORE)
            redacted += redact_more(b, i, &skip);
        i += skip;
        if (i == b->record_count)
            break;
        const struct model_record *r = &b->records[i];
        unsigned tail = tail_words(r);
        if (tail)
            redacted += redact_tail(r, tail);
        else if (r->site && r->site->has_texts)
            redacted += redact_fields(r);
    }
    return redacted;
}
