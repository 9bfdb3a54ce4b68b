/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JSON lines: one object per line, keys in a fixed order, numbers as numbers.
 * {"timestamp","level","target","message",<"event_name">,<context>,<"event":"span","duration_ms"
 * and the rest of a span>,"fields","trace_id","span_id","parent_span_id",
 * "thread_id","thread_name","src"}. Runs on one thread.
 */
#include <assert.h>
#include <stdio.h>

#include "export/log/log.h"
#include "export/values.h"
#include "util/json.h"

/* ---- time ---- */

/* Days since 1970-01-01 to a date, after the usual counting from March. */
static void civil(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t z = days + 719468;
    uint64_t era = z / 146097, of_era = z % 146097;
    uint64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    uint64_t m = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = (unsigned)(y + era * 400 + (*month <= 2));
}

static char *put_two(char *o, unsigned v, char after)
{
    o = num_put_padded(o, v, 2);
    *o++ = after;
    return o;
}

void log_put_stamp(struct log_state *l, char out[LOG_STAMP_BYTES], uint64_t t_ns)
{
    uint64_t second = t_ns / 1000000000u;
    unsigned year, month, day, of_day = (unsigned)(second % 86400);
    if (!l->stamped || second != l->second) {
        civil(second / 86400, &year, &month, &day);
        assert(year < 10000); /* 64 bits of nanoseconds end in 2554 */
        char *o = num_put_padded(l->stamp, year, 4);
        *o++ = '-';
        o = put_two(o, month, '-');
        o = put_two(o, day, 'T');
        o = put_two(o, of_day / 3600, ':');
        o = put_two(o, of_day / 60 % 60, ':');
        num_put_padded(o, of_day % 60, 2);
        l->second = second;
        l->stamped = true;
    }
    memcpy(out, l->stamp, 19);
    out[19] = '.';
    num_put_padded(out + 20, t_ns % 1000000000u, 9);
    out[29] = 'Z';
}

/* ---- values ---- */

static void put_value(struct json *j, const struct model_value *v)
{
    char text[24];
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        json_bool(j, v->v.b);
        break;
    case ORIEL_TYPE_I64:
        json_i64(j, v->v.i64);
        break;
    case ORIEL_TYPE_U64:
        json_u64(j, v->v.u64);
        break;
    case ORIEL_TYPE_F64:
        json_raw(j, "", 0); /* the comma */
        export_put_double(j->out, v->v.f64);
        break;
    case ORIEL_TYPE_BYTES:
        if (!(v->flags & MODEL_VALUE_REDACTED)) {
            json_hex(j, v->v.str.p, v->v.str.n);
            break;
        }
        __attribute__((fallthrough));
    case ORIEL_TYPE_STR:
        json_string_n(j, v->v.str.p, v->v.str.n);
        break;
    case ORIEL_TYPE_PTR:
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)v->v.u64);
        json_string(j, text);
        break;
    default: /* a type of a newer writer */
        json_null(j);
    }
}

static bool is_context(const struct log_state *l, const struct log_line *line, struct model_str key)
{
    if (line->span && key.n == 11 && memcmp(key.p, "duration_ms", 11) == 0)
        return false; /* the span has one of its own */
    for (size_t i = 0; i < l->context.count; i++)
        if (key.n == l->context.items[i].n && memcmp(key.p, l->context.items[i].p, key.n) == 0)
            return true;
    return false;
}

/* Attributes that stand beside the fields (`context`), or the others. */
static void put_attrs(const struct log_state *l, struct json *j, const struct log_line *line,
                      bool context)
{
    for (uint32_t i = 0; i < line->attr_count; i++) {
        const struct model_value *v = &line->attrs[i];
        if (is_context(l, line, v->key) != context)
            continue;
        json_key_n(j, v->key.p, v->key.n);
        put_value(j, v);
    }
}

static void put_ids(struct json *j, const struct log_line *line)
{
    if (log_has_trace(line)) {
        json_key(j, "trace_id");
        json_hex(j, line->trace_id, 16);
    }
    if (line->span_id) {
        json_key(j, "span_id");
        json_hex(j, &line->span_id, 8);
    }
    if (line->parent_id) {
        json_key(j, "parent_span_id");
        json_hex(j, &line->parent_id, 8);
    }
}

/* Milliseconds with all digits of the nanoseconds, as a JSON number. */
static void put_ms(struct json *j, const char *key, uint64_t ns)
{
    char text[NUM_U64_MAX + 8];
    char *o = num_put_u64(text, ns / 1000000);
    *o++ = '.';
    o = num_put_padded(o, ns % 1000000, 6);
    json_key(j, key);
    json_raw(j, text, (size_t)(o - text));
}

static void put_links(struct json *j, const struct model_span *s)
{
    json_key(j, "links");
    json_array(j);
    for (uint32_t i = 0; i < s->link_count; i++) {
        json_object(j);
        json_key(j, "trace_id");
        json_hex(j, s->links[i].trace_id, 16);
        json_key(j, "span_id");
        json_hex(j, &s->links[i].span_id, 8);
        json_key(j, "kind");
        json_string(j, s->links[i].follows_from ? "follows_from" : "link");
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_count(struct json *j, const char *key, uint64_t n)
{
    if (n)
        json_pair_u64(j, key, n);
}

static void put_span_end(struct json *j, const struct model_span *s)
{
    static const struct {
        uint32_t flag;
        const char *key;
    } marks[] = {
        {MODEL_SPAN_UNFINISHED, "unfinished"}, {MODEL_SPAN_CLAMPED, "clamped"},
        {MODEL_SPAN_ORPHAN_END, "begin_lost"}, {MODEL_SPAN_REMOTE_PARENT, "remote_parent"},
        {MODEL_SPAN_EXTERNAL, "external"},
    };
    json_key(j, "event");
    json_string(j, "span");
    put_ms(j, "duration_ms", s->end_ns - s->start_ns);
    if (s->flags & MODEL_SPAN_ASYNC)
        put_ms(j, "busy_ms", s->busy_ns);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (s->flags & marks[i].flag) {
            json_key(j, marks[i].key);
            json_bool(j, true);
        }
    if (s->status != ORIEL_STATUS_UNSET) {
        json_key(j, "status");
        json_string(j, s->status == ORIEL_STATUS_ERROR ? "ERROR" : "OK");
    }
    if (s->status_message.n) {
        json_key(j, "status_message");
        json_string_n(j, s->status_message.p, s->status_message.n);
    }
    put_count(j, "dropped_events", s->dropped_events);
    put_count(j, "dropped_links", s->dropped_links);
    if (s->link_count)
        put_links(j, s);
}

/* Lengths before truncation, by key. */
static void put_truncated(struct json *j, const struct log_line *line)
{
    bool any = false;
    for (uint32_t i = 0; i < line->attr_count; i++) {
        const struct model_value *v = &line->attrs[i];
        if (!(v->flags & MODEL_VALUE_TRUNCATED))
            continue;
        if (!any) {
            json_key(j, "truncated");
            json_object(j);
        }
        any = true;
        json_key_n(j, v->key.p, v->key.n);
        json_u64(j, v->full_bytes);
    }
    if (any)
        json_object_end(j);
}

static void put_place(struct json *j, struct buf *b, const struct log_line *line)
{
    if (line->thread) {
        json_key(j, "thread_id");
        json_i64(j, line->thread->tid);
        if (line->thread->name.n) {
            json_key(j, "thread_name");
            json_string_n(j, line->thread->name.p, line->thread->name.n);
        }
    }
    if (line->site && line->site->file.n) {
        json_key(j, "src");
        json_raw(j, "\"", 1);
        json_put_escaped(b, line->site->file.p, line->site->file.n);
        buf_printf(b, ":%u\"", line->site->line);
    }
}

/* What is said of the target besides its name. */
static void put_scope(struct log_state *l, struct json *j, const struct log_line *line)
{
    const struct model_scope *scope = export_scope(l->env.catalog, line->site);
    if (!scope)
        return;
    json_key(j, "scope");
    json_object(j);
    if (scope->version.n) {
        json_key(j, "version");
        json_string_n(j, scope->version.p, scope->version.n);
    }
    if (scope->told.attr_count) {
        json_key(j, "attributes");
        json_object(j);
        for (uint32_t i = 0; i < scope->told.attr_count; i++) {
            json_key_n(j, scope->told.attrs[i].key.p, scope->told.attrs[i].key.n);
            put_value(j, &scope->told.attrs[i]);
        }
        json_object_end(j);
    }
    json_object_end(j);
}

void log_put_json(struct log_state *l, const struct log_line *line)
{
    char stamp[LOG_STAMP_BYTES];
    struct json j;
    json_init(&j, &l->buf);
    log_put_stamp(l, stamp, line->t_ns);
    json_object(&j);
    json_key(&j, "timestamp");
    json_string_n(&j, stamp, sizeof stamp);
    json_key(&j, "level");
    json_string(&j, model_level_text(line->level));
    json_key(&j, "target");
    json_string_n(&j, line->target.p, line->target.n);
    json_key(&j, "message");
    json_string_n(&j, line->message.p, line->message.n);
    if (line->named) {
        json_key(&j, "event_name");
        json_string_n(&j, line->site->name.p, line->site->name.n);
    }
    put_attrs(l, &j, line, true);
    if (line->span)
        put_span_end(&j, line->span);
    json_key(&j, "fields");
    json_object(&j);
    put_attrs(l, &j, line, false);
    json_object_end(&j);
    put_count(&j, "dropped_fields", line->dropped_attrs);
    put_truncated(&j, line);
    put_ids(&j, line);
    put_place(&j, &l->buf, line);
    put_scope(l, &j, line);
    json_object_end(&j);
    buf_putc(&l->buf, '\n');
}
