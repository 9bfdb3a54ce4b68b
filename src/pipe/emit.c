/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items out of finished spans and of records that are items already. A plain
 * span is copied field by field; all that needs memory of the batch's arena
 * (fields, links, texts) is done apart. What finds no memory is left out and
 * counted, the item itself is given out if it can be.
 */
#include "pipe/assemble.h"

#include <assert.h>

#include "pipe/finish.h"
#include "pipe/past.h"

static struct model_item *new_item(struct assemble *a, enum model_item_kind kind)
{
    struct model_item *it = model_batch_add_item(a->out);
    if (!it) {
        a->no_memory = true;
        return NULL;
    }
    it->kind = kind;
    it->t_ns = a->now;
    return it;
}

/* ---- fields ---- */

/* The values of a record with their texts, in the arena of the batch. */
static struct model_value *decode(struct assemble *a, const struct model_record *r, uint32_t *count,
                                  uint32_t *dropped)
{
    uint32_t n = r->site->field_count;
    size_t raw_bytes = (size_t)r->words * sizeof *r->raw;
    struct model_value *values =
        n ? arena_alloc(&a->out->arena, n * sizeof *values + raw_bytes, _Alignof(max_align_t))
          : NULL;
    struct model_record copy = *r;
    struct model_values it;
    if (!values) {
        *dropped += n;
        a->no_memory |= n > 0;
        return NULL;
    }
    /* One copy of the whole record; texts are then used where they lie. */
    copy.raw = memcpy(values + n, r->raw, raw_bytes);
    model_values_begin(&it, &copy);
    while (*count < n && model_values_next(&it, &values[*count]))
        ++*count;
    a->rich |= *count > 0;
    return values;
}

/* The values of a record that becomes an item at once, whole. */
static const struct model_value *decode_whole(struct assemble *a, const struct stream_state *s,
                                              const struct model_record *r, struct model_event *out)
{
    struct model_value *values = decode(a, r, &out->attr_count, &out->dropped_attrs);
    for (uint32_t i = 0; s->more && i < out->attr_count; i++)
        more_join(a, s, i, &values[i]);
    return values;
}

static void emit_fields(struct assemble *a, const struct open_span *span, struct model_span *out)
{
    const struct span_extra *e = span->extra;
    if (e && e->merged) {
        out->dropped_attrs = e->dropped_attrs;
        out->attrs = e->attrs.count ? attrs_copy(&e->attrs, &a->out->arena) : NULL;
        if (out->attrs) {
            out->attr_count = (uint32_t)e->attrs.count;
        } else if (e->attrs.count) {
            out->dropped_attrs += (uint32_t)e->attrs.count;
            a->no_memory = true;
        }
    } else if (span->raw) {
        struct model_record begin = {.raw = span->raw,
                                     .words = span->words,
                                     .type = span->type,
                                     .flags = span->record_flags,
                                     .site = span->site};
        out->attrs = decode(a, &begin, &out->attr_count, &out->dropped_attrs);
    }
    a->rich |= out->attr_count || out->dropped_attrs;
}

void emit_begun(struct assemble *a, const struct model_record *begin, struct model_span *out)
{
    out->attrs = decode(a, begin, &out->attr_count, &out->dropped_attrs);
    a->rich |= out->attr_count || out->dropped_attrs;
}

/* Copy an array into the batch; on failure the count becomes 0. */
static const void *copy_list(struct assemble *a, const void *list, size_t count, size_t size,
                             uint32_t *out_count)
{
    void *copy = count ? arena_alloc(&a->out->arena, count * size, _Alignof(max_align_t)) : NULL;
    *out_count = copy ? (uint32_t)count : 0;
    a->no_memory |= count && !copy;
    return copy ? memcpy(copy, list, count * size) : NULL;
}

/* What links of told spans have besides goes into the batch, too. */
static void copy_link_values(struct assemble *a, struct model_span *out)
{
    struct model_link *links = (struct model_link *)out->links; /* our copy */
    for (uint32_t i = 0; i < out->link_count; i++) {
        const struct model_value *from = links[i].attrs;
        if (!from)
            continue;
        const struct link_block *block =
            (const void *)((const char *)from - offsetof(struct link_block, values));
        struct link_block *copy = arena_alloc(&a->out->arena, block->bytes, _Alignof(max_align_t));
        if (copy)
            memcpy(copy, block, block->bytes);
        links[i].attrs = copy ? copy->values : NULL;
        links[i].attr_count = copy ? links[i].attr_count : 0;
        a->no_memory |= !copy;
        for (uint32_t k = 0; k < links[i].attr_count; k++)
            if (attrs_has_text(&copy->values[k]))
                copy->values[k].v.str.p =
                    (const char *)copy + (from[k].v.str.p - (const char *)block);
        a->rich = true;
    }
}

static struct model_str copy_text(struct assemble *a, struct model_str text)
{
    struct model_str copy = {NULL, 0};
    if (text.n)
        copy.p = copy_list(a, text.p, text.n, 1, &copy.n);
    return copy;
}

struct model_str emit_state(struct assemble *a, uint32_t state)
{
    if (!state)
        return (struct model_str){NULL, 0};
    if (state != a->said) {
        emit_cleared(a);
        a->said_text = copy_text(a, spans_state(&a->spans, state));
        a->said = a->said_text.n ? spans_state_ref(&a->spans, state) : 0;
        a->rich |= state != a->th_state; /* who knows what stands in it */
    }
    return a->said_text;
}

void emit_cleared(struct assemble *a)
{
    spans_state_unref(&a->spans, a->said);
    a->said = 0;
    a->said_text = (struct model_str){NULL, 0};
}

static const struct model_link *copy_links(struct assemble *a, const struct span_extra *e,
                                           uint32_t *out_count)
{
    struct model_link *links =
        (struct model_link *)copy_list(a, e->links, e->link_count, sizeof *links, out_count);
    for (uint32_t i = 0; i < *out_count; i++)
        links[i].trace_state = copy_text(a, links[i].trace_state);
    return links;
}

/* The name stands behind the attributes: an item has no room for what nearly none has. */
static void emit_name(struct assemble *a, const struct span_extra *e, struct model_span *out)
{
    struct model_str name = copy_text(a, (struct model_str){e->name, e->name_bytes});
    struct model_value *v = name.n ? arena_alloc(&a->out->arena, (out->attr_count + 1) * sizeof *v,
                                                 _Alignof(struct model_value))
                                   : NULL;
    if (!v) {
        a->no_memory = true;
        return;
    }
    if (out->attr_count)
        memcpy(v, out->attrs, out->attr_count * sizeof *v);
    v[out->attr_count] = (struct model_value){
        .key = MODEL_STR("name"), .type = ORIEL_TYPE_STR, .full_bytes = name.n, .v.str = name};
    out->attrs = v;
    out->flags |= MODEL_SPAN_RENAMED;
    a->rich = true;
}

static void emit_extra(struct assemble *a, struct open_span *span, struct model_span *out);

static __attribute__((noinline)) void emit_rich(struct assemble *a, struct open_span *span,
                                                struct model_span *out)
{
    const struct span_extra *e = span->extra;
    if (e && e->attrs.count && !e->merged)
        take_notes(a, span);
    emit_fields(a, span, out);
    out->trace_state = emit_state(a, span->state);
    if (span->extra)
        emit_extra(a, span, out);
    if (span->extra && span->extra->name) /* last: nothing is put behind the attributes then */
        emit_name(a, span->extra, out);
}

static void emit_extra(struct assemble *a, struct open_span *span, struct model_span *out)
{
    struct span_extra *e = span->extra;
    out->status = e->status;
    if (e->message_bytes) {
        uint32_t n;
        out->status_message.p = copy_list(a, e->message, e->message_bytes, 1, &n);
        out->status_message.n = n;
        a->rich = true;
    }
    out->links = copy_links(a, e, &out->link_count);
    out->dropped_links = e->dropped_links + (uint32_t)e->link_count - out->link_count;
    a->counts->dropped_links += out->dropped_links;
    out->told_flags = e->told_flags;
    if (out->flags & MODEL_SPAN_TOLD) {
        copy_link_values(a, out);
        out->busy_ns = out->end_ns - out->start_ns;
        return;
    }
    if (span->kind != SPAN_ASYNC) {
        if (e->heap.known)
            heap_attributes(a, span, out);
        return;
    }
    busy_stop_all(a, span, out->end_ns);
    out->busy_ns = e->busy_ns;
    out->busy = copy_list(a, e->busy, e->busy_count, sizeof *e->busy, &out->busy_count);
    if (e->heap.known)
        heap_attributes(a, span, out);
}

/* ---- spans ---- */

static void remember_ended(struct assemble *a, const struct open_span *span)
{
    struct ended_span *e = &a->ended[span->span_id % ENDED_SPANS];
    spans_state_unref(&a->spans, e->state);
    e->state = spans_state_ref(&a->spans, span->state);
    e->raw_id = span->raw_id;
    e->trace_flags = span->trace_flags;
    memcpy(e->trace, span->trace, sizeof e->trace);
}

/* Remember an ended span that may still be named. */
static __attribute__((noinline)) void leave_trace(struct assemble *a, const struct open_span *span)
{
    remember_ended(a, span);
    if (span->kind == SPAN_ASYNC)
        map_remove(&a->async, span->raw_id);
}

void finish_span(struct assemble *a, struct open_span *span, uint64_t end_ns,
                 const struct model_thread *end_thread, uint32_t flags)
{
    assert(span->kind <= SPAN_ASYNC && !span->closed);
    struct model_span *out = NULL;
    flags |= span->flags;
    if (is_left_out(a, flags))
        leave_out(a, span, end_ns, flags);
    else
        out = finish_plain(a, span, end_ns, end_thread, flags);
    if (out && __builtin_expect(span->raw || span->extra || span->state, 0))
        emit_rich(a, span, out);
    if (__builtin_expect(span->kind == SPAN_ASYNC || span->referenced, 0))
        leave_trace(a, span);
    spans_close(&a->spans, span);
}

/* The second time of a SPAN record; sources give unix ns, but ticks of the
 * process's clock are understood as well. */
static uint64_t external_ns(const struct assemble *a, const struct model_record *r, uint64_t time)
{
    if (r->flags & ORIEL_RECF_HAS_TIME || r->thread->process >= a->catalog->process_count)
        return time;
    const struct model_clock *c = &a->catalog->processes[r->thread->process]->clock;
    struct clock_map map = {.now = c->now, .before = c->before};
    return c->now.mult ? clock_map_ns(&map, time) : time;
}

/* What an external span belongs to. No id and no ROOT flag: the writer could
 * not name the current span, because it is a context from outside or deeper
 * than the part of the stack it keeps. */
static void external_parent(struct assemble *a, struct stream_state *s,
                            const struct model_record *r, struct span_ref *out)
{
    const struct thread_state *t = s->thread;
    const struct stack_entry *top = stack_top(t);
    *out = (struct span_ref){.span = NULL};
    if (r->raw[3])
        resolve_span(a, s, r->raw[3], out);
    else if (top && !(r->flags & ORIEL_RECF_ROOT) &&
             (top->span->kind == SPAN_CONTEXT || t->top - t->base > ORIEL_STACK_DEPTH))
        resolve_top(t, out);
}

enum pipe_fate emit_external(struct assemble *a, struct stream_state *s,
                             const struct model_record *r)
{
    struct span_ref parent;
    uint32_t flags = MODEL_SPAN_EXTERNAL;
    struct model_item *it = new_item(a, MODEL_ITEM_SPAN);
    if (!it)
        return PIPE_NO_MEMORY;
    struct model_span *out = &it->u.span;
    external_parent(a, s, r, &parent);
    if (!parent.span_id) {
        root_trace(a, r->thread, r->raw_id, parent.trace);
        flags |= MODEL_SPAN_ROOT;
        parent.trace_flags = MODEL_TRACE_SAMPLED | MODEL_TRACE_RANDOM;
    } else if (parent.span && parent.span->kind == SPAN_CONTEXT) {
        flags |= parent.span->flags & MODEL_SPAN_REMOTE_PARENT;
    }
    memcpy(out->trace_id, parent.trace, sizeof out->trace_id);
    out->parent_id = parent.span_id;
    out->span_id = oriel_id_mix(r->raw_id);
    out->start_ns = external_ns(a, r, r->raw[1]);
    out->end_ns = clamp_end(a, out->start_ns, external_ns(a, r, r->raw[2]), &flags);
    out->busy_ns = out->end_ns - out->start_ns;
    out->site = r->site;
    out->thread = out->end_thread = r->thread;
    struct open_span over = {.raw_id = r->raw_id,
                             .span_id = out->span_id,
                             .site = r->site,
                             .start_ns = out->start_ns,
                             .raw = r->raw,
                             .words = r->words,
                             .type = r->type,
                             .record_flags = r->flags,
                             .state = spans_state_ref(&a->spans, parent.state),
                             .trace_flags = parent.trace_flags,
                             .flags = flags};
    memcpy(over.trace, parent.trace, sizeof over.trace);
    if (a->sampler.active)
        sample_span(a, &over, flags & MODEL_SPAN_REMOTE_PARENT);
    out->flags = over.flags;
    out->trace_flags = over.trace_flags;
    track_id(&a->track, s, r->raw_id, r->position);
    if (over.extra)
        take_notes(a, &over);
    if (is_left_out(a, over.flags)) {
        a->out->item_count--;
        a->counts->sampled_out++;
    } else {
        out->trace_state = emit_state(a, over.state);
        emit_fields(a, &over, out);
    }
    remember_ended(a, &over);
    over.closed = true;
    spans_free_parts(&a->spans, &over);
    a->counts->spans++;
    return PIPE_EXTERNAL;
}

/* ---- the rest ---- */

/* The span an event happens in: the one it names, else the thread's. */
static void event_span(struct assemble *a, struct stream_state *s, const struct model_record *r,
                       struct span_ref *out)
{
    *out = (struct span_ref){.span = NULL};
    if (!(r->flags & ORIEL_RECF_HAS_SPAN))
        resolve_top(s->thread, out);
    else if (r->words > 2 && r->raw[2])
        resolve_span(a, s, r->raw[2], out);
    if (out->span)
        out->span->event_count++;
}

/* Told for good: of a trace that is held its end says. */
static bool is_unsampled(const struct assemble *a, const struct span_ref *ref)
{
    return ref->span_id && !(ref->trace_flags & MODEL_TRACE_SAMPLED) && !a->tail;
}

enum pipe_fate emit_event(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct model_item *it = new_item(a, MODEL_ITEM_EVENT);
    struct span_ref ref;
    if (!it)
        return PIPE_NO_MEMORY;
    struct model_event *out = &it->u.event;
    event_span(a, s, r, &ref);
    memcpy(out->trace_id, ref.trace, sizeof out->trace_id);
    out->span_id = ref.span_id;
    out->trace_flags = ref.trace_flags;
    out->span_unwanted = is_unsampled(a, &ref) && a->sampler.active;
    out->t_ns = record_time(r);
    out->site = r->site;
    out->thread = r->thread;
    out->message = r->site->name;
    out->attrs = decode_whole(a, s, r, out);
    a->counts->events++;
    if (a->sampler.how.logs_by_trace && is_unsampled(a, &ref)) {
        a->out->item_count--;
        a->counts->logs_sampled_out++;
        return PIPE_ITEM;
    }
    a->rich |= r->site->format.n || out->dropped_attrs;
    return PIPE_ITEM;
}

/* A log record of another program, with its trace if it has one. */
enum pipe_fate emit_told_log(struct assemble *a, struct stream_state *s,
                             const struct model_record *r)
{
    struct model_item *it = new_item(a, MODEL_ITEM_EVENT);
    if (!it)
        return PIPE_NO_MEMORY;
    struct model_event *out = &it->u.event;
    memcpy(out->trace_id, r->raw + 2, sizeof out->trace_id);
    out->span_id = r->raw[4];
    out->told_flags = (uint32_t)r->raw[5];
    out->told_log = true;
    out->trace_flags = (uint8_t)r->raw[5];
    out->t_ns = record_time(r);
    out->site = r->site;
    out->thread = r->thread;
    out->message = r->site->name;
    out->attrs = decode_whole(a, s, r, out);
    a->rich |= r->site->format.n || out->dropped_attrs;
    a->counts->events++;
    return PIPE_ITEM;
}

enum pipe_fate emit_plot(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct model_values it;
    struct model_value value;
    model_values_begin(&it, r);
    if (!model_values_next(&it, &value) || attrs_has_text(&value))
        return PIPE_FOREIGN; /* a number over time is a number */
    struct model_item *item = new_item(a, MODEL_ITEM_PLOT);
    if (!item)
        return PIPE_NO_MEMORY;
    item->u.plot = (struct model_plot){record_time(r), r->site, r->thread, value};
    a->rich |= value.flags != 0;
    return PIPE_ITEM;
}

enum pipe_fate emit_frame(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct model_item *it = new_item(a, MODEL_ITEM_FRAME);
    if (!it)
        return PIPE_NO_MEMORY;
    it->u.frame = (struct model_frame){record_time(r), r->site, r->thread};
    return PIPE_ITEM;
}

enum pipe_fate emit_task(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct model_item *it = new_item(a, MODEL_ITEM_TASK);
    struct span_ref in;
    if (!it)
        return PIPE_NO_MEMORY;
    resolve_top(s->thread, &in);
    it->u.task = (struct model_task){.t_ns = r->t_ns, /* flags hold the operation */
                                     .task = r->raw[2],
                                     .other = r->raw[3],
                                     .span_id = in.span_id,
                                     .site = r->site,
                                     .thread = r->thread,
                                     .op = r->flags};
    return PIPE_ITEM;
}

/* Of many calls, whatever spans they were in. */
static bool is_of_no_span(const struct model_record *r)
{
    return r->flags == ORIEL_SAMPLE_CALL;
}

static bool is_heap_sum(const struct model_record *r)
{
    return r->raw[5] == ORIEL_HEAP_SUM &&
           (r->flags == ORIEL_SAMPLE_ALLOC || r->flags == ORIEL_SAMPLE_FREE ||
            r->flags == ORIEL_SAMPLE_TEMPORARY || r->flags == ORIEL_SAMPLE_PEAK);
}

static bool is_wait(const struct model_record *r)
{
    return r->flags == ORIEL_SAMPLE_OFF_CPU || r->flags == ORIEL_SAMPLE_PREEMPTED;
}

/* Waits that were counted together belong to the spans that were innermost meanwhile, by how
 * long they were: one item for each kind of them. The sums stay. */
static enum pipe_fate emit_shared(struct assemble *a, struct past *past,
                                  const struct model_record *r)
{
    const uint64_t whole = r->raw[3];
    uint64_t sum = 0, weight = 0, count = 0;
    past_divide(past, r->t_ns - ORIEL_WAIT_SHARED_US(r->raw[5]) * UINT64_C(1000), r->t_ns);
    if (past->sum_ns == 0) /* nothing is left of the while: nobody's */
        past->sum_ns = past->parts[0].ns = 1;
    const uint64_t ns = past->sum_ns;
    for (uint32_t i = 0; i < past->part_count; i++) {
        const struct past_part *part = &past->parts[i];
        sum += part->ns;
        uint64_t weight_so_far = (uint64_t)((unsigned __int128)whole * sum / ns);
        uint64_t count_so_far = (uint64_t)((unsigned __int128)r->raw[4] * sum / ns);
        if (weight_so_far == weight && count_so_far == count)
            continue;
        struct model_item *it = new_item(a, MODEL_ITEM_SAMPLE);
        if (!it)
            return PIPE_NO_MEMORY;
        it->u.sample = (struct model_sample){.t_ns = r->t_ns,
                                             .weight = weight_so_far - weight,
                                             .count = count_so_far - count,
                                             .extra = r->raw[5],
                                             .span_id = part->span_id,
                                             .site = part->site,
                                             .thread = r->thread,
                                             .stack = (uint32_t)r->raw[2],
                                             .kind = r->flags};
        memcpy(it->u.sample.trace_id, part->trace, sizeof part->trace);
        weight = weight_so_far;
        count = count_so_far;
    }
    assert(sum == ns && weight == whole);
    return PIPE_ITEM;
}

/* A wait: is it a share of many, of a while that is known? Else its time is its own. */
static bool is_of_many(struct thread_state *t, const struct model_record *r)
{
    const uint64_t ns = ORIEL_WAIT_SHARED_US(r->raw[5]) * UINT64_C(1000);
    if (!t->past)
        t->past = past_new(t);
    if (!t->past) /* no memory: as the other samples */
        return false;
    if (!(r->raw[5] & ORIEL_WAIT_SHARED) && r->raw[3])
        past_gap(t->past, t, r->t_ns, r->raw[3]);
    return ns > 0 && r->t_ns > ns && (r->raw[3] || r->raw[4]);
}

/* A sample belongs to the span that was open on its thread at that moment. */
enum pipe_fate emit_sample(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct span_ref in;
    if (r->flags == 0 || r->flags >= ORIEL_SAMPLE_KINDS)
        return PIPE_FOREIGN;
    if (is_wait(r) && is_of_many(s->thread, r))
        return emit_shared(a, s->thread->past, r);
    struct model_item *it = new_item(a, MODEL_ITEM_SAMPLE);
    if (!it)
        return PIPE_NO_MEMORY;
    const bool sum = is_heap_sum(r);
    if (sum || is_of_no_span(r))
        in = (struct span_ref){.span = NULL};
    else
        resolve_top(s->thread, &in);
    struct model_sample *out = &it->u.sample;
    *out = (struct model_sample){.t_ns = r->t_ns,
                                 .weight = r->raw[3],
                                 .count = r->raw[4],
                                 .extra = r->raw[5],
                                 .span_id = in.span_id,
                                 .site = in.span ? in.span->site : NULL,
                                 .thread = r->thread,
                                 .stack = (uint32_t)r->raw[2],
                                 .kind = r->flags};
    memcpy(out->trace_id, in.trace, sizeof out->trace_id);
    if (sum)
        heap_summed(a, out);
    else if (out->kind == ORIEL_SAMPLE_ALLOC && out->extra)
        heap_came(a, out);
    else if (out->kind == ORIEL_SAMPLE_FREE && !heap_went(a, out)) {
        a->out->item_count--; /* by a child of what its parent took, or it was lost */
        return PIPE_ORPHAN;
    }
    return PIPE_ITEM;
}

void emit_loss(struct assemble *a, const struct model_loss *loss)
{
    struct model_item *it = new_item(a, MODEL_ITEM_LOSS);
    assert(loss->cause < ORIEL_LOST_CAUSES && loss->count > 0);
    a->counts->lost[loss->cause] += loss->count;
    if (it)
        it->u.loss = *loss;
}
