/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The stages in a straight line, and the books: after every push each record
 * that came in is held, or has exactly one fate. One thread at a time.
 */
#include "pipe/pipe.h"

#include <assert.h>
#include <stdbool.h>

#include "base/buf.h"
#include "pipe/assemble.h"
#include "pipe/format.h"
#include "pipe/limit.h"
#include "pipe/order.h"
#include "pipe/redact.h"
#include "pipe/tail.h"

enum {
    COUNT_LIMIT_DEFAULT = 128,
    OPEN_LIMIT_DEFAULT = 1000000,
    COUNT_LIMIT_MAX = 1 << 20,
    OPEN_LIMIT_MAX = 1 << 26
};

struct pipe {
    struct pipe_options options;
    struct pipe_counts counts;
    struct order order;
    struct assemble assemble;
    struct limit limit;
    struct tail tail;
    struct buf message;
    void (*on_items)(void *user, const struct model_batch *items);
    void *user;
    size_t first;   /* item of the batch that was not refined yet */
    bool unrefined; /* out of memory in the push that runs */
};

/* Defaults for what is zero; false: an option is out of range. */
static bool read_options(const struct pipe_options *from, struct pipe_options *to)
{
    *to = (struct pipe_options){.size = sizeof *to};
    if (from) {
        if (from->size < sizeof from->size)
            return false;
        size_t known = from->size < sizeof *to ? from->size : sizeof *to;
        for (size_t i = sizeof *to; i < from->size; i++)
            if (((const char *)from)[i] != 0)
                return false; /* an option of a later version, and it is set */
        memcpy(to, from, known);
    }
    uint32_t *counts[] = {&to->attribute_count_limit, &to->event_count_limit,
                          &to->link_count_limit};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (*counts[i] == 0)
            *counts[i] = COUNT_LIMIT_DEFAULT;
        if (*counts[i] > COUNT_LIMIT_MAX)
            return false;
    }
    if (to->open_span_limit == 0)
        to->open_span_limit = OPEN_LIMIT_DEFAULT;
    return to->open_span_limit <= OPEN_LIMIT_MAX;
}

static void set_tail(struct pipe *p, bool tail)
{
    p->assemble.tail = tail;
    p->assemble.leaves_out = !tail && !p->options.long_way;
}

int pipe_new(struct pipe **out, const struct pipe_options *options,
             const struct model_catalog *catalog)
{
    struct pipe_options checked;
    if (!out || !catalog || !read_options(options, &checked))
        return ORIEL_EINVAL;
    struct pipe *p = mem_calloc(1, sizeof *p);
    if (!p)
        return ORIEL_ENOMEM;
    p->options = checked;
    order_init(&p->order);
    assemble_init(&p->assemble, catalog, &p->options, &p->counts);
    int rc = sampler_init(&p->assemble.sampler, checked.sampling);
    if (rc < 0) {
        mem_free(p);
        return rc;
    }
    p->options.sampling = NULL; /* copied */
    set_tail(p, p->assemble.sampler.active && tail_wanted(&p->assemble.sampler.how));
    tail_init(&p->tail, &p->assemble.sampler.how, &p->counts);
    limit_init(&p->limit, &p->options);
    buf_init(&p->message);
    *out = p;
    return 0;
}

int pipe_set_sampling(struct pipe *p, const struct pipe_sampling *how)
{
    const struct pipe_sampling *was = &p->assemble.sampler.how;
    const bool held = p->assemble.tail;
    struct sampler next;
    if (!how ||
        (held && (how->keep_errors != was->keep_errors || how->keep_slow_ns != was->keep_slow_ns)))
        return ORIEL_EINVAL;
    int rc = sampler_init(&next, how);
    if (rc < 0)
        return rc;
    sampler_replace(&p->assemble.sampler, &next);
    p->assemble.sampler.active = true; /* open spans may be unwanted, whatever holds now */
    set_tail(p, held || tail_wanted(how));
    return 0;
}

void pipe_free(struct pipe *p)
{
    if (!p)
        return;
    order_done(&p->order);
    assemble_done(&p->assemble);
    limit_done(&p->limit);
    tail_done(&p->tail);
    buf_done(&p->message);
    mem_free(p);
}

/* The text of a formatted log record, from values already redacted. */
static bool describe(struct pipe *p, struct model_event *e, struct arena *arena)
{
    if (!e->site->format.n)
        return true;
    buf_clear(&p->message);
    format_message(&p->message, e->site->format, e->attrs, e->attr_count);
    char *text = p->message.failed ? NULL : arena_copy(arena, p->message.data, p->message.size);
    if (!text) {
        e->message = e->site->format;
        return false;
    }
    e->message = (struct model_str){text, redact_made(text, (uint32_t)p->message.size)};
    return true;
}

/* Redact, describe, limit: what has fields or texts. */
static bool refine(struct pipe *p, struct model_batch *out, size_t first)
{
    bool ok = true;
    for (size_t i = first; i < out->item_count; i++) {
        struct model_item *item = &out->items[i];
        p->counts.secrets += redact_item(item, &out->arena);
        if (item->kind == MODEL_ITEM_EVENT)
            ok &= describe(p, &item->u.event, &out->arena);
        p->counts.dropped_attrs += limit_item(&p->limit, item);
    }
    return ok;
}

/* Spans that were not sampled go. Most are left out before they are made. */
static void drop_unsampled(struct pipe *p, struct model_batch *out)
{
    size_t to = p->first;
    for (size_t i = p->first; i < out->item_count; i++) {
        const struct model_item *item = &out->items[i];
        if (item->kind == MODEL_ITEM_SPAN && item->u.span.flags & MODEL_SPAN_UNSAMPLED)
            continue;
        if (to != i)
            out->items[to] = *item;
        to++;
    }
    p->counts.sampled_out += out->item_count - to;
    out->item_count = to;
}

/* The items made since the last call are done. */
static void complete(struct pipe *p, struct model_batch *out)
{
    if (p->assemble.unsampled && !p->assemble.tail && !p->assemble.leaves_out)
        drop_unsampled(p, out);
    if (p->assemble.rich && !refine(p, out, p->first))
        p->unrefined = true;
    if (p->assemble.unsampled && p->assemble.tail &&
        !tail_take(&p->tail, out, p->first, p->assemble.now))
        p->unrefined = true;
    p->counts.items_out += out->item_count - p->first;
    p->first = out->item_count;
}

/* Outlets put items of the same interval in order, as far as they see them
 * together: no cut behind a span that waits for the one around it. */
static bool may_cut(const struct model_batch *out)
{
    const struct model_item *last = &out->items[out->item_count - 1];
    return last->kind != MODEL_ITEM_SPAN || !(last->u.span.flags & MODEL_SPAN_TIED);
}

/* An order_sink: a stretch in steps that leave the items in the cache. */
static void take(void *user, const struct model_record *r, size_t n)
{
    struct pipe *p = user;
    struct model_batch *out = p->assemble.out;
    for (size_t some; n; n -= some, r += some) {
        some = n < PIPE_GIVEN ? n : PIPE_GIVEN;
        assemble_records(&p->assemble, r, some);
        if (!p->on_items || out->item_count < PIPE_GIVEN || !may_cut(out))
            continue;
        complete(p, out);
        p->on_items(p->user, out);
        model_batch_clear(out);
        emit_cleared(&p->assemble);
        p->first = 0;
        p->assemble.rich = false;
    }
}

/* Only an assertion asks. */
__attribute__((unused)) static bool balanced(const struct pipe_counts *c)
{
    uint64_t sum = c->held;
    for (int i = 0; i < PIPE_FATES; i++)
        sum += c->fates[i];
    return sum == c->records_in &&
           c->fates[PIPE_BEGAN] + c->fates[PIPE_EXTERNAL] == c->spans + c->open + c->spans_lost;
}

int pipe_push(struct pipe *p, const struct model_batch *in, struct model_batch *out)
{
    assert(in != out);
    assert(in->catalog == p->assemble.catalog && out->catalog == p->assemble.catalog);
    assemble_start(&p->assemble, out);
    p->first = out->item_count;
    p->unrefined = false;
    int rc = order_push(&p->order, in, take, p);
    if (in->last)
        assemble_finish(&p->assemble);
    assemble_end(&p->assemble);
    order_release(&p->order);
    p->counts.records_in += in->record_count;
    p->counts.held = p->order.held;
    p->counts.fates[PIPE_NO_MEMORY] += p->order.refused_now;
    complete(p, out);
    if (in->last)
        tail_finish(&p->tail);
    out->watermark_ns = p->assemble.now;
    out->last = in->last;
    assert(balanced(&p->counts));
    return rc || p->assemble.no_memory || p->unrefined ? ORIEL_ENOMEM : 0;
}

void pipe_on_items(struct pipe *p, void (*fn)(void *user, const struct model_batch *items),
                   void *user)
{
    assert(p);
    p->on_items = fn;
    p->user = user;
}

void pipe_counts(const struct pipe *p, struct pipe_counts *out)
{
    assert(p && out);
    *out = p->counts;
}
