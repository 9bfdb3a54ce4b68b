/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads the field values of a record in place. Records were validated by the
 * source; the bounds are checked again all the same, because a value that
 * points past its record would be somebody else's memory. Any thread.
 */
#include <assert.h>
#include <string.h>

#include "model/batch.h"

/* Words before the first field value; 0 for types that carry none. */
static uint32_t prefix_words(const struct model_record *r)
{
    static const uint8_t words[ORIEL_REC_MAX + 1] = {
        [ORIEL_REC_BEGIN] = 2, [ORIEL_REC_SET] = 3,      [ORIEL_REC_EVENT] = 2,
        [ORIEL_REC_OPEN] = 3,  [ORIEL_REC_SPAN] = 4,     [ORIEL_REC_PLOT] = 2,
        [ORIEL_REC_TOLD] = 7,  [ORIEL_REC_TOLD_LOG] = 6, [ORIEL_REC_TOLD_LINK] = 7,
    };
    uint32_t n = r->type <= ORIEL_REC_MAX ? words[r->type] : 0;
    if (r->type == ORIEL_REC_EVENT && (r->flags & ORIEL_RECF_HAS_SPAN))
        n++;
    return n;
}

void model_values_begin(struct model_values *it, const struct model_record *r)
{
    uint32_t prefix = prefix_words(r);
    assert(r->raw);
    memset(it, 0, sizeof *it);
    it->site = r->site;
    it->end = r->raw + r->words;
    it->at = prefix && prefix <= r->words ? r->raw + prefix : it->end;
}

/* str and bytes: stored and original length in one word, then the bytes. */
static bool read_text(struct model_values *it, struct model_value *out)
{
    uint64_t lengths = *it->at++;
    uint32_t stored = (uint32_t)lengths, full = (uint32_t)(lengths >> 32);
    size_t words = ((size_t)stored + 7) / 8;
    if (words > (size_t)(it->end - it->at))
        return false;
    out->v.str = (struct model_str){(const char *)it->at, stored};
    out->full_bytes = full > stored ? full : stored;
    if (full > stored)
        out->flags |= MODEL_VALUE_TRUNCATED;
    it->at += words;
    return true;
}

bool model_values_next(struct model_values *it, struct model_value *out)
{
    if (!it->site || it->next >= it->site->field_count || it->at >= it->end)
        return false;
    const struct model_field_def *f = &it->site->fields[it->next++];
    memset(out, 0, sizeof *out);
    out->key = f->name;
    out->type = f->type;
    out->flags = f->flags;
    switch (f->type) {
    case ORIEL_TYPE_STR:
    case ORIEL_TYPE_BYTES:
        if (read_text(it, out))
            return true;
        it->at = it->end; /* what follows cannot be told apart any more */
        return false;
    case ORIEL_TYPE_BOOL:
        out->v.b = *it->at++ != 0;
        return true;
    case ORIEL_TYPE_F64:
        memcpy(&out->v.f64, it->at++, sizeof out->v.f64);
        return true;
    default: /* i64, u64, ptr: one word, whatever it means */
        out->v.u64 = *it->at++;
        return true;
    }
}
