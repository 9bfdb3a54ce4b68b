/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items to events. A plain scoped span is copied together from prefixes into
 * memory reserved once; the rest goes through buf.
 *
 *   scoped span    X             async span   b, e, and X per busy stretch
 *   event          i             plot         C
 *   frame          i (process)   task         i, and s/t/f for its arrows
 *   link           s, f          loss         i
 *
 * Runs on one thread.
 */
#include <assert.h>

#include "export/chrome/chrome.h"
#include "util/json.h"

/* ---- numbers ---- */

/* The digits of v < 10^8 in memory order, one per byte, not yet as text. */
static inline uint64_t eight_digits(uint32_t v)
{
    uint64_t x = v / 10000u | (uint64_t)(v % 10000u) << 32;
    uint64_t hundreds = (x * 10486u >> 20) & 0x0000007f0000007fu;
    x = hundreds | (x - hundreds * 100) << 16;
    uint64_t tens = (x * 103 >> 10) & 0x000f000f000f000fu;
    return tens | (x - tens * 10) << 8;
}

static inline char *put_number(char *o, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return num_put_u64(o, v);
#else
    if (__builtin_expect(v >= 100000000u, 0)) {
        if (v >= 10000000000000000u)
            return num_put_u64(o, v);
        o = put_number(o, v / 100000000u);
        uint64_t low = eight_digits((uint32_t)(v % 100000000u)) + 0x3030303030303030u;
        memcpy(o, &low, 8);
        return o + 8;
    }
    uint64_t digits = eight_digits((uint32_t)v);
    unsigned skip = (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) / 8;
    digits = (digits + 0x3030303030303030u) >> 8 * skip;
    memcpy(o, &digits, 8);
    return o + 8 - skip;
#endif
}

/* Nanoseconds as microseconds with three digits behind the point. */
static inline char *put_us(const struct chrome *c, char *o, uint64_t ns)
{
    uint64_t us = ns / 1000;
    o = put_number(o, us);
    memcpy(o, c->fractions[ns - us * 1000], 4);
    return o + 4;
}

static inline uint64_t since_base(const struct chrome *c, uint64_t ns)
{
    return ns > c->base_ns ? ns - c->base_ns : 0;
}

/* ---- lines ---- */

/* Bytes of a line apart from prefixes: numbers, ids, punctuation. */
enum { LINE_ROOM = CHROME_IDS_ROOM + 192 + 3 * CHROME_STEP };

/* What every line of a site on a thread begins with. */
struct line {
    const struct chrome_site *site;
    struct chrome_thread *thread;
    char *o; /* NULL: out of memory */
};

/* Reserves a line and writes it up to the time, which is the caller's. */
static inline struct line line_open_as(struct chrome *c, const struct chrome_site *site,
                                       const struct model_thread *t, char phase)
{
    struct line l = {site, NULL, NULL};
    l.thread = chrome_thread(c, t);
    if (__builtin_expect(!l.site || !l.thread, 0))
        return l;
    char *o = buf_reserve(&c->buf, l.site->head.n + l.thread->head.n + l.site->args.n + LINE_ROOM);
    if (__builtin_expect(!o, 0))
        return l;
    l.o = chrome_copy(o, l.site->head);
    o[CHROME_PHASE_AT] = phase;
    l.o = chrome_copy(l.o, l.thread->head);
    return l;
}

static inline struct line line_open(struct chrome *c, const struct model_site *s,
                                    const struct model_thread *t, char phase)
{
    return line_open_as(c, chrome_site(c, s), t, phase);
}

/* The same of a span, which may have a name of its own. */
static inline struct line line_open_span(struct chrome *c, const struct model_span *s,
                                         const struct model_thread *t, char phase)
{
    bool renamed = __builtin_expect(s->flags & MODEL_SPAN_RENAMED, 0);
    return line_open_as(c, renamed ? chrome_site_renamed(c, s) : chrome_site(c, s->site), t, phase);
}

#define PUT(o, literal) (memcpy((o), "" literal "", sizeof(literal) - 1), (o) + sizeof(literal) - 1)

/* Opens args with what all events of the site have; ends without a comma. */
static inline char *put_args(const struct chrome *c, struct line *l, char *o,
                             const struct chrome_ids *ids)
{
    o = PUT(o, ",\"args\":{");
    char *start = o;
    if (c->options.ids)
        o = chrome_put_ids(o, ids);
    o = chrome_copy(o, l->site->args);
    return o > start ? o - 1 : o;
}

/* What comes behind begins with a comma: drop it when it is the first member. */
static void close_args(struct buf *b, size_t first)
{
    if (!b->failed && b->size > first && b->data[first - 1] == '{') {
        assert(b->data[first] == ',');
        memmove(b->data + first, b->data + first + 1, b->size - first - 1);
        b->size--;
    }
    JSON_PUT(b, "}}");
}

static inline void commit(struct chrome *c, const char *o)
{
    assert(o >= c->buf.data && o <= c->buf.data + c->buf.capacity);
    c->buf.size = (size_t)(o - c->buf.data);
}

/* ---- flows ---- */

static void put_flow_event(struct chrome *c, char phase, uint64_t id, const char *name,
                           const struct model_thread *t, uint64_t ns)
{
    struct chrome_thread *k = chrome_thread(c, t);
    char *o = k ? buf_reserve(&c->buf, LINE_ROOM + k->head.n) : NULL;
    if (!o)
        return;
    o = PUT(o, ",\n{\"ph\":\"");
    *o++ = phase;
    o = PUT(o, "\",\"bp\":\"e\",\"id\":");
    o = num_put_u64(o, id);
    o = PUT(o, ",\"name\":\"");
    size_t n = strlen(name);
    memcpy(o, name, n);
    o = PUT(o + n, "\",\"cat\":\"flow\"");
    o = chrome_copy(o, k->head);
    o = put_us(c, o, since_base(c, ns));
    commit(c, PUT(o, "}"));
}

static void put_link(void *user, uint64_t id, const struct export_point *from,
                     const struct export_point *to)
{
    if (!from->thread || !to->thread)
        return; /* an async span that never ran: nothing on a thread to point to */
    put_flow_event(user, 's', id, "link", from->thread, from->slice_ns);
    put_flow_event(user, 'f', id, "link", to->thread, to->slice_ns);
}

/* ---- spans ---- */

static inline bool is_plain(const struct model_span *s)
{
    return !(s->attr_count | s->link_count | s->status | s->dropped_attrs | s->dropped_links |
             s->dropped_events | (s->flags & ~(uint32_t)(MODEL_SPAN_ROOT | MODEL_SPAN_TIED)));
}

/* Spans whose interval need not nest in what their thread did meanwhile. */
static inline bool is_async(const struct model_span *s)
{
    return (s->flags & (MODEL_SPAN_ASYNC | MODEL_SPAN_EXTERNAL)) || s->end_thread != s->thread;
}

static void put_span_rest(struct chrome *c, const struct model_span *s, size_t first)
{
    chrome_put_attrs(&c->buf, s->attrs, s->attr_count);
    chrome_put_span_marks(c, s);
    close_args(&c->buf, first);
}

static inline void put_scoped(struct chrome *c, const struct model_span *s)
{
    struct line l = line_open_span(c, s, s->thread, 'X');
    bool early = s->start_ns < c->base_ns;
    if (__builtin_expect(!l.o, 0))
        return;
    uint64_t start = since_base(c, s->start_ns), end = since_base(c, s->end_ns);
    if (__builtin_expect(s->flags & MODEL_SPAN_ORPHAN_END, 0))
        start = end;
    char *o = put_us(c, l.o, start);
    o = PUT(o, ",\"dur\":");
    o = put_us(c, o, end - start);
    struct chrome_ids ids = {s->trace_id, s->span_id, s->parent_id};
    o = put_args(c, &l, o, &ids);
    if (__builtin_expect(is_plain(s) && !early, 1)) {
        commit(c, PUT(o, "}}"));
        return;
    }
    c->early += early;
    commit(c, o);
    put_span_rest(c, s, c->buf.size);
}

/* The id that ties begin and end together; of its process, not of the world. */
static char *put_async_id(char *o, uint64_t span_id)
{
    o = PUT(o, ",\"id2\":{\"local\":\"0x");
    o = num_put_hex(o, &span_id, 8);
    return PUT(o, "\"}");
}

/* A stretch that an async span spent on a thread. */
static void put_busy(struct chrome *c, const struct model_span *s, const struct model_busy *busy)
{
    struct line l = line_open_span(c, s, busy->thread, 'X');
    if (!l.o)
        return;
    uint64_t start = since_base(c, busy->start_ns), end = since_base(c, busy->end_ns);
    char *o = put_us(c, l.o, start);
    o = PUT(o, ",\"dur\":");
    o = put_us(c, o, end > start ? end - start : 0);
    struct chrome_ids ids = {s->trace_id, s->span_id, 0};
    o = put_args(c, &l, o, &ids);
    if (o[-1] != '{')
        *o++ = ',';
    commit(c, PUT(o, "\"oriel.busy\":true}}"));
}

static void put_async(struct chrome *c, const struct model_span *s)
{
    const struct model_thread *end_thread = s->end_thread ? s->end_thread : s->thread;
    struct chrome_ids ids = {s->trace_id, s->span_id, s->parent_id};
    struct line l = line_open_span(c, s, s->thread, 'b');
    if (!l.o)
        return;
    c->early += s->start_ns < c->base_ns;
    char *o = put_us(c, l.o, since_base(c, s->start_ns));
    o = put_async_id(o, s->span_id);
    commit(c, put_args(c, &l, o, &ids));
    put_span_rest(c, s, c->buf.size);
    l = line_open_span(c, s, end_thread, 'e');
    if (!l.o)
        return;
    o = put_us(c, l.o, since_base(c, s->end_ns));
    o = put_async_id(o, s->span_id);
    commit(c, PUT(o, "}"));
    for (uint32_t i = 0; i < s->busy_count; i++)
        put_busy(c, s, &s->busy[i]);
}

static inline void put_span(struct chrome *c, const struct model_span *s)
{
    if (__builtin_expect(is_async(s), 0))
        put_async(c, s);
    else
        put_scoped(c, s);
    export_flows_span(&c->flows, s, put_link, c);
}

/* ---- the rest ---- */

/* An instant up to its args; `scope` t thread, p process, g all. Returns where
 * the args begin, 0 when out of memory. */
static size_t put_instant(struct chrome *c, const struct model_site *s,
                          const struct model_thread *t, uint64_t ns, char scope,
                          const struct chrome_ids *ids)
{
    struct line l = line_open(c, s, t, 'i');
    if (!l.o)
        return 0;
    c->early += ns < c->base_ns;
    char *o = put_us(c, l.o, since_base(c, ns));
    o = PUT(o, ",\"s\":\"");
    *o++ = scope;
    *o++ = '"';
    commit(c, put_args(c, &l, o, ids));
    return c->buf.size;
}

static void put_event(struct chrome *c, const struct model_event *e)
{
    struct buf *b = &c->buf;
    struct chrome_ids ids = {e->trace_id, e->span_id, 0};
    size_t args = put_instant(c, e->site, e->thread, e->t_ns, 't', &ids);
    if (!args)
        return;
    buf_printf(b, ",\"level\":\"%s\"", model_level_text(e->site->level));
    if (e->message.n != e->site->name.n ||
        (e->message.n && memcmp(e->message.p, e->site->name.p, e->message.n) != 0)) {
        JSON_PUT(b, ",\"message\":");
        json_put_string(b, e->message.p, e->message.n);
    }
    chrome_put_attrs(b, e->attrs, e->attr_count);
    if (e->dropped_attrs)
        buf_printf(b, ",\"otel.dropped_attributes_count\":%u", e->dropped_attrs);
    close_args(b, args);
}

static void put_plot(struct chrome *c, const struct model_plot *p)
{
    struct line l = line_open(c, p->site, p->thread, 'C');
    if (!l.o)
        return;
    c->early += p->t_ns < c->base_ns;
    char *o = put_us(c, l.o, since_base(c, p->t_ns));
    commit(c, PUT(o, ",\"args\":{\"value\":"));
    if (p->value.type == ORIEL_TYPE_BOOL) /* viewers want numbers */
        buf_putc(&c->buf, p->value.v.b ? '1' : '0');
    else
        chrome_put_value(&c->buf, &p->value);
    JSON_PUT(&c->buf, "}}");
}

static void put_frame(struct chrome *c, const struct model_frame *f)
{
    static const uint8_t outside[16];
    struct chrome_ids ids = {outside, 0, 0};
    size_t args = put_instant(c, f->site, f->thread, f->t_ns, 'p', &ids);
    if (!args)
        return;
    JSON_PUT(&c->buf, ",\"oriel.frame\":true");
    close_args(&c->buf, args);
}

static void put_task(struct chrome *c, const struct model_task *t)
{
    static const char *const ops[] = {"unknown", "spawn", "wake",     "resume",
                                      "yield",   "block", "complete", "name"};
    static const uint8_t outside[16];
    struct chrome_ids ids = {outside, t->span_id, 0};
    const char *op = ops[t->op < sizeof ops / sizeof *ops ? t->op : 0];
    size_t args = put_instant(c, t->site, t->thread, t->t_ns, 't', &ids);
    uint64_t id;
    if (!args)
        return;
    buf_printf(&c->buf, ",\"task.op\":\"%s\",\"task.id\":", op);
    chrome_put_u64(&c->buf, t->task);
    if (t->other) {
        buf_puts(&c->buf, t->op == ORIEL_TASK_SPAWN ? ",\"task.parent\":" : ",\"task.waker\":");
        chrome_put_u64(&c->buf, t->other);
    }
    close_args(&c->buf, args);
    /* The arrow holds on to the instant: it is the innermost slice at its time. */
    char phase = export_flows_task(&c->flows, t, &id);
    if (phase)
        put_flow_event(c, phase, id, "task", t->thread, t->t_ns);
}

static void put_loss(struct chrome *c, const struct model_loss *l)
{
    struct buf *b = &c->buf;
    struct chrome_thread *t = l->thread ? chrome_thread(c, l->thread) : NULL;
    JSON_PUT(b, ",\n{\"ph\":\"i\",\"name\":\"records lost\",\"cat\":\"oriel\"");
    char *o = buf_reserve(b, LINE_ROOM + (t ? t->head.n : 0));
    if (!o)
        return;
    o = t ? chrome_copy(o, t->head) : PUT(o, ",\"pid\":0,\"tid\":0,\"ts\":");
    o = put_us(c, o, since_base(c, l->to_ns));
    o = t ? PUT(o, ",\"s\":\"t\"") : PUT(o, ",\"s\":\"g\"");
    o = PUT(o, ",\"args\":{\"count\":");
    o = put_number(o, l->count);
    o = PUT(o, ",\"since_us\":");
    o = put_us(c, o, since_base(c, l->from_ns));
    commit(c, o);
    buf_printf(b, ",\"cause\":\"%s\",\"remedy\":\"%s\"}}", model_lost_text(l->cause),
               model_lost_remedy(l->cause));
}

void chrome_put_item(struct chrome *c, const struct model_item *item)
{
    switch (item->kind) {
    case MODEL_ITEM_SPAN:
        put_span(c, &item->u.span);
        break;
    case MODEL_ITEM_EVENT:
        if (!model_event_is_copy(&item->u.event))
            put_event(c, &item->u.event);
        break;
    case MODEL_ITEM_PLOT:
        put_plot(c, &item->u.plot);
        break;
    case MODEL_ITEM_FRAME:
        put_frame(c, &item->u.frame);
        break;
    case MODEL_ITEM_TASK:
        put_task(c, &item->u.task);
        break;
    case MODEL_ITEM_LOSS:
        put_loss(c, &item->u.loss);
        break;
    case MODEL_ITEM_SAMPLE:
        break;
    }
}
