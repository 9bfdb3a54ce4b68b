/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lines for people. Nothing that was logged can end a line or command a
 * terminal: control characters, invalid UTF-8 and direction marks are escaped,
 * and so is the backslash, so that the text can be read back.
 *
 *   text     2026-11-20T10:15:30.123456789Z INFO  target: message key=value trace_id=...
 *   compact  10:15:30.123456 INFO  target: message key=value
 *   pretty   the same, with fields, ids and the place below the first line
 *
 * Runs on one thread.
 */
#include <assert.h>
#include <stdio.h>

#include "export/log/log.h"
#include "export/values.h"
#include "util/num.h"
#include "util/utf8.h"

#define DIM "\x1b[2m"
#define RESET "\x1b[0m"

/* ---- escaping ---- */

/* What may hide or reorder text on a terminal. */
static bool is_deceptive(uint32_t c)
{
    return (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void put_escape(struct buf *b, uint32_t c)
{
    static const char letters[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '\\' || c == '"')
        buf_printf(b, "\\%c", (char)c);
    else if (c < sizeof letters && letters[c])
        buf_printf(b, "\\%c", letters[c]);
    else if (c < 0x100)
        buf_printf(b, "\\x%02x", c);
    else
        buf_printf(b, "\\u{%x}", c);
}

static void put_safe(struct buf *b, struct model_str s, bool quoted)
{
    for (uint32_t i = 0; i < s.n;) {
        uint32_t c = (uint8_t)s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\' && (c != '"' || !quoted)) {
            buf_putc(b, s.p[i++]);
            continue;
        }
        unsigned n = utf8_next(s.p + i, s.n - i, &c);
        if (n == 0) { /* not UTF-8: each byte as it is */
            put_escape(b, (uint8_t)s.p[i++]);
            continue;
        }
        if (c < 0x80 || is_deceptive(c)) {
            /* U+0080..U+009F as \u{..}: \x stands for bytes that are no text */
            if (c >= 0x80 && c < 0x100)
                buf_printf(b, "\\u{%x}", c);
            else
                put_escape(b, c);
        } else {
            buf_put(b, s.p + i, n);
        }
        i += n;
    }
}

/* As it is when it is one word, else in quotes. */
static void put_word(struct buf *b, struct model_str s)
{
    bool quote = s.n == 0;
    for (uint32_t i = 0; i < s.n && !quote; i++)
        quote = s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '=';
    if (quote)
        buf_putc(b, '"');
    put_safe(b, s, quote);
    if (quote)
        buf_putc(b, '"');
}

/* ---- parts ---- */

static void put_value(struct buf *b, const struct model_value *v)
{
    char *o;
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        buf_puts(b, v->v.b ? "true" : "false");
        break;
    case ORIEL_TYPE_I64:
        buf_printf(b, "%lld", (long long)v->v.i64);
        break;
    case ORIEL_TYPE_U64:
        buf_printf(b, "%llu", (unsigned long long)v->v.u64);
        break;
    case ORIEL_TYPE_F64:
        o = buf_reserve(b, NUM_DOUBLE_MAX);
        if (o)
            b->size += (size_t)(num_put_double(o, v->v.f64) - o);
        break;
    case ORIEL_TYPE_BYTES:
        if (!(v->flags & MODEL_VALUE_REDACTED)) {
            o = buf_reserve(b, 2 * (size_t)v->v.str.n + 1);
            if (o)
                b->size += (size_t)(num_put_hex(o, v->v.str.p, v->v.str.n) - o);
            break;
        }
        __attribute__((fallthrough));
    case ORIEL_TYPE_STR:
        put_word(b, v->v.str);
        break;
    case ORIEL_TYPE_PTR:
        buf_printf(b, "0x%llx", (unsigned long long)v->v.u64);
        break;
    default: /* a type of a newer writer */
        buf_putc(b, '?');
    }
}

static void paint(const struct log_state *l, struct buf *b, const char *sequence)
{
    if (l->colour)
        buf_puts(b, sequence);
}

static void put_head(struct log_state *l, const struct log_line *line)
{
    static const char *const colours[] = {
        [ORIEL_LEVEL_TRACE] = "\x1b[35m", [ORIEL_LEVEL_DEBUG] = "\x1b[34m",
        [ORIEL_LEVEL_INFO] = "\x1b[32m",  [ORIEL_LEVEL_WARN] = "\x1b[33m",
        [ORIEL_LEVEL_ERROR] = "\x1b[31m", [ORIEL_LEVEL_FATAL] = "\x1b[1;31m",
    };
    struct buf *b = &l->buf;
    char stamp[LOG_STAMP_BYTES];
    bool known = line->level >= ORIEL_LEVEL_TRACE && line->level <= ORIEL_LEVEL_FATAL;
    log_put_stamp(l, stamp, line->t_ns);
    paint(l, b, DIM);
    if (l->format == LOG_COMPACT)
        buf_put(b, stamp + 11, 15); /* the time of day with microseconds */
    else
        buf_put(b, stamp, sizeof stamp);
    paint(l, b, RESET);
    buf_putc(b, ' ');
    paint(l, b, colours[known ? line->level : ORIEL_LEVEL_INFO]);
    buf_printf(b, "%-5s", model_level_text(line->level));
    paint(l, b, RESET);
    buf_putc(b, ' ');
    paint(l, b, DIM);
    put_safe(b, line->target, false);
    const struct model_scope *scope = export_scope(l->env.catalog, line->site);
    if (scope && scope->version.n) {
        buf_putc(b, '@');
        put_safe(b, scope->version, false);
    }
    buf_putc(b, ':');
    paint(l, b, RESET);
    buf_putc(b, ' ');
    put_safe(b, line->message, false);
}

static void put_key(struct log_state *l, const char *before, struct model_str key)
{
    buf_puts(&l->buf, before);
    paint(l, &l->buf, DIM);
    put_word(&l->buf, key);
    buf_putc(&l->buf, '=');
    paint(l, &l->buf, RESET);
}

static void put_own(struct log_state *l, const char *before, const char *key, const char *value)
{
    put_key(l, before, (struct model_str){key, (uint32_t)strlen(key)});
    buf_puts(&l->buf, value);
}

static void put_span_end(struct log_state *l, const char *before, const struct model_span *s)
{
    char text[NUM_TEXT_MAX];
    snprintf(text, sizeof text, "%llu.%06u",
             (unsigned long long)((s->end_ns - s->start_ns) / 1000000),
             (unsigned)((s->end_ns - s->start_ns) % 1000000));
    put_own(l, before, "duration_ms", text);
    if (s->flags & MODEL_SPAN_UNFINISHED)
        put_own(l, before, "unfinished", "true");
    if (s->flags & MODEL_SPAN_CLAMPED)
        put_own(l, before, "clamped", "true");
    if (s->flags & MODEL_SPAN_ORPHAN_END)
        put_own(l, before, "begin_lost", "true");
    if (s->status != ORIEL_STATUS_UNSET)
        put_own(l, before, "status", s->status == ORIEL_STATUS_ERROR ? "ERROR" : "OK");
    if (s->status_message.n) {
        put_key(l, before, MODEL_STR("status_message"));
        put_word(&l->buf, s->status_message);
    }
}

static void put_fields(struct log_state *l, const char *before, const struct log_line *line)
{
    char count[NUM_TEXT_MAX];
    if (line->span)
        put_span_end(l, before, line->span);
    for (uint32_t i = 0; i < line->attr_count; i++) {
        put_key(l, before, line->attrs[i].key);
        put_value(&l->buf, &line->attrs[i]);
    }
    if (line->dropped_attrs) {
        snprintf(count, sizeof count, "%u", line->dropped_attrs);
        put_own(l, before, "dropped_fields", count);
    }
}

static void put_ids(struct log_state *l, const char *before, const struct log_line *line)
{
    char hex[33];
    if (log_has_trace(line)) {
        model_trace_hex(line->trace_id, hex);
        put_own(l, before, "trace_id", hex);
    }
    if (line->span_id) {
        model_span_hex(line->span_id, hex);
        put_own(l, before, "span_id", hex);
    }
    if (line->parent_id) {
        model_span_hex(line->parent_id, hex);
        put_own(l, before, "parent_span_id", hex);
    }
}

static void put_place(struct log_state *l, const struct log_line *line)
{
    struct buf *b = &l->buf;
    if (line->thread) {
        buf_printf(b, "\n    in thread %d", line->thread->tid);
        if (line->thread->name.n) {
            buf_putc(b, ' ');
            put_word(b, line->thread->name);
        }
    }
    if (line->site && line->site->file.n) {
        buf_puts(b, "\n    at ");
        put_safe(b, line->site->file, false);
        buf_printf(b, ":%u", line->site->line);
    }
}

void log_put_text(struct log_state *l, const struct log_line *line)
{
    const char *before = l->format == LOG_PRETTY ? "\n    " : " ";
    assert(l->format != LOG_JSON);
    put_head(l, line);
    put_fields(l, before, line);
    if (l->format != LOG_COMPACT)
        put_ids(l, before, line);
    if (l->format == LOG_PRETTY)
        put_place(l, line);
    buf_putc(&l->buf, '\n');
}
