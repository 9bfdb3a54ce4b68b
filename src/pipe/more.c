/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts that are longer than a record: their parts come before the record whose values
 * they are of, and are joined when it comes. A part that does not go on where the one
 * before it ended is of a recording that lost some: it and what follows are left out, so
 * that a text is never one with a hole. Inside the pipe only.
 */
#include "pipe/more.h"

#include <assert.h>

#include "base/buf.h"
#include "pipe/assemble.h"

enum { PARTS_MAX = 128 }; /* values of one record */

/* What was said of one value: bytes of the text, from that place of the value on. */
struct more_part {
    uint32_t value, offset;
    size_t at, n;
};

struct more {
    struct more_part parts[PARTS_MAX];
    uint32_t count;
    bool broken;
    struct buf text;
};

void more_drop(struct track *k, struct stream_state *s)
{
    if (!s->more)
        return;
    assert(k->more_bytes >= s->more->text.size);
    k->more_bytes -= s->more->text.size;
    buf_done(&s->more->text);
    mem_free(s->more);
    s->more = NULL;
}

/* The part that the words go on, or a new one; NULL: they do not fit what was said. */
static struct more_part *part_for(struct more *m, uint32_t value, uint32_t offset)
{
    struct more_part *last = m->count ? &m->parts[m->count - 1] : NULL;
    if (last && last->value == value)
        return offset == last->offset + last->n ? last : NULL;
    if (m->count == PARTS_MAX || (last && value < last->value))
        return NULL;
    last = &m->parts[m->count++];
    *last = (struct more_part){value, offset, m->text.size, 0};
    return last;
}

enum pipe_fate take_more(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    const uint32_t n = (uint32_t)r->raw[3];
    struct more *m = s->more;
    if (n > (r->words - 4u) * 8)
        return PIPE_FOREIGN;
    if (!m) {
        m = s->more = mem_calloc(1, sizeof *m);
        if (!m)
            return PIPE_NO_MEMORY;
        buf_init(&m->text);
    }
    struct more_part *part =
        m->broken || a->track.more_bytes + n > MORE_BYTES_MAX
            ? NULL
            : part_for(m, ORIEL_MORE_VALUE(r->raw[2]), ORIEL_MORE_OFFSET(r->raw[2]));
    m->broken = !part;
    if (!part)
        return PIPE_ORPHAN;
    if (n && !buf_reserve(&m->text, n)) {
        m->text.failed = false; /* what it has is still good */
        m->broken = true;
        return PIPE_NO_MEMORY;
    }
    buf_put(&m->text, r->raw + 4, n);
    part->n += n;
    a->track.more_bytes += n;
    return PIPE_CONTROL;
}

void more_join(struct assemble *a, const struct stream_state *s, uint32_t index,
               struct model_value *v)
{
    const struct more *m = s->more;
    assert(a->out);
    for (uint32_t i = 0; m && attrs_has_text(v) && i < m->count; i++) {
        const struct more_part *part = &m->parts[i];
        if (part->value != index || part->offset != v->v.str.n || !part->n)
            continue;
        uint64_t whole = (uint64_t)v->v.str.n + part->n;
        char *text = whole <= v->full_bytes ? arena_alloc(&a->out->arena, whole, 1) : NULL;
        a->no_memory |= !text && whole <= v->full_bytes;
        if (!text)
            return;
        memcpy(text, v->v.str.p, v->v.str.n);
        memcpy(text + v->v.str.n, m->text.data + part->at, part->n);
        v->v.str = (struct model_str){text, (uint32_t)whole};
        if (whole == v->full_bytes)
            v->flags &= (uint8_t)~MODEL_VALUE_TRUNCATED;
        return;
    }
}
