/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The builder behind records.h. Test code: it aborts where a product would
 * return an error.
 */
#include "records.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 128, WORDS_MAX = ORIEL_RECORD_MAX_BYTES / 8 };

static uint8_t next_flags;

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "records: out of memory\n");
        abort();
    }
    return p;
}

void records_init(struct records *w)
{
    memset(w, 0, sizeof *w);
    model_catalog_init(&w->catalog);
    w->process = need(model_catalog_add_process(&w->catalog, 4242, MODEL_STR("/usr/bin/fake"),
                                                MODEL_STR("fake\0--fast")));
    w->process->trace_hi = RECORDS_TRACE_HI;
    w->process->trace_salt = RECORDS_TRACE_SALT;
    w->process->start_ns = 1;
}

void records_done(struct records *w)
{
    model_catalog_done(&w->catalog);
}

static uint8_t type_of(char c)
{
    static const char letters[] = "biufsyp";
    const char *at = c ? strchr(letters, c) : NULL;
    return (uint8_t)(at ? at - letters + 1 : (abort(), 0));
}

/* "a:i,!b:s" into definitions; the names stay where they are. */
static uint16_t parse_fields(const char *text, struct model_field_def *out)
{
    uint16_t n = 0;
    while (*text) {
        const char *colon = need(strchr(text, ':'));
        uint8_t secret = *text == '!' ? ORIEL_FIELD_SECRET : 0;
        text += secret != 0;
        if (n == FIELDS_MAX)
            abort();
        out[n++] =
            (struct model_field_def){{text, (uint32_t)(colon - text)}, type_of(colon[1]), secret};
        text = colon + 2 + (colon[2] == ',');
    }
    return n;
}

static struct model_str str(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static const struct model_site *add_site(struct records *w, uint8_t kind, const char *name,
                                         const char *format, const char *fields)
{
    struct model_field_def defs[FIELDS_MAX];
    struct model_site site = {.id = ++w->last_site + 1,
                              .line = w->last_site,
                              .kind = kind,
                              .level = ORIEL_LEVEL_INFO,
                              .field_count = parse_fields(fields, defs),
                              .name = str(name),
                              .target = MODEL_STR("fake"),
                              .file = MODEL_STR("fake.c"),
                              .function = MODEL_STR("run"),
                              .format = str(format),
                              .fields = defs};
    return need(model_catalog_add_site(&w->catalog, &site));
}

const struct model_site *records_site(struct records *w, uint8_t kind, const char *name,
                                      const char *fields)
{
    return add_site(w, kind, name, "", fields);
}

const struct model_site *records_format(struct records *w, const char *format, const char *fields)
{
    return add_site(w, ORIEL_SITE_EVENT, format, format, fields);
}

static struct records_stream new_stream(struct records *w, const struct model_thread *thread)
{
    struct records_stream s = {.thread = thread, .serial = ++w->last_serial, .position = 64};
    s.seed = (uint64_t)s.serial * UINT64_C(0x9e3779b97f4a7c15) & ~UINT64_C(7);
    return s;
}

struct records_stream records_thread(struct records *w, int32_t tid)
{
    struct model_thread *t =
        need(model_catalog_add_thread(&w->catalog, w->process->index, tid, w->last_serial + 1));
    return new_stream(w, t);
}

struct records_stream records_second(struct records *w, const struct records_stream *first)
{
    struct records_stream s = new_stream(w, first->thread);
    if (model_catalog_alias_thread(&w->catalog, s.serial, first->thread->index) < 0)
        abort();
    return s;
}

/* ---- one record ---- */

struct draft {
    uint32_t count;
    uint64_t words[WORDS_MAX]; /* only `count` of them are set */
};

static void put(struct draft *d, uint64_t word)
{
    if (d->count == WORDS_MAX)
        abort();
    d->words[d->count++] = word;
}

static void put_text(struct draft *d, const char *text)
{
    uint64_t full = strlen(text), n = full;
    if (n > ORIEL_STRING_MAX_BYTES)
        n = ORIEL_STRING_MAX_BYTES;
    put(d, n | full << 32);
    for (uint64_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, text + i, n - i < 8 ? n - i : 8);
        put(d, word);
    }
}

static void put_values(struct draft *d, const struct model_site *site, va_list values)
{
    for (uint32_t i = 0; i < site->field_count; i++) {
        uint64_t word;
        double f;
        switch (site->fields[i].type) {
        case ORIEL_TYPE_BOOL:
            put(d, va_arg(values, int) != 0);
            break;
        case ORIEL_TYPE_F64:
            f = va_arg(values, double);
            memcpy(&word, &f, 8);
            put(d, word);
            break;
        case ORIEL_TYPE_STR:
        case ORIEL_TYPE_BYTES:
            put_text(d, va_arg(values, const char *));
            break;
        case ORIEL_TYPE_PTR:
            put(d, (uint64_t)(uintptr_t)va_arg(values, void *));
            break;
        default:
            put(d, va_arg(values, uint64_t));
            break;
        }
    }
}

/* Header and time stand in words 0 and 1 once this returns. */
static uint64_t append(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t type,
                       const struct model_site *site, uint64_t id, struct draft *d)
{
    struct model_record *r = need(model_batch_add_record(b));
    uint64_t own = s->seed + s->position;
    bool begins = type == ORIEL_REC_BEGIN || type == ORIEL_REC_OPEN || type == ORIEL_REC_SPAN;
    uint32_t low = site ? site->id : (uint32_t)id;
    d->words[0] = ORIEL_RECORD_HEADER(d->count, type, next_flags, low);
    if (type != ORIEL_REC_SPAN)
        d->words[1] = t_ns;
    r->t_ns = t_ns;
    r->raw_id = begins ? own : id;
    r->position = s->position;
    r->words = (uint16_t)d->count;
    r->type = type;
    r->flags = next_flags;
    r->site = site;
    r->thread = s->thread;
    r->stream = s->serial;
    r->raw = memcpy(need(arena_alloc(&b->arena, d->count * 8, 8)), d->words, d->count * 8);
    s->position += d->count * 8;
    next_flags = 0;
    return own;
}

void records_flags(uint8_t flags)
{
    next_flags = flags;
}

/* A record of `prefix` words after header and time, then the site's values. */
#define APPEND_VALUES(type, id, last, ...)                                                         \
    struct draft d;                                                                                \
    const uint64_t prefix[] = {0, __VA_ARGS__};                                                    \
    va_list values;                                                                                \
    d.count = 2;                                                                                   \
    for (size_t i = 1; i < sizeof prefix / sizeof prefix[0]; i++)                                  \
        put(&d, prefix[i]);                                                                        \
    va_start(values, last);                                                                        \
    put_values(&d, site, values);                                                                  \
    va_end(values);                                                                                \
    uint64_t own = append(b, s, t_ns, type, site, id, &d)

uint64_t rec_begin(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                   const struct model_site *site, ...)
{
    APPEND_VALUES(ORIEL_REC_BEGIN, 0, site);
    return own;
}

uint64_t rec_open(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                  const struct model_site *site, uint64_t parent, ...)
{
    APPEND_VALUES(ORIEL_REC_OPEN, 0, parent, parent);
    return own;
}

void rec_set(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
             const struct model_site *site, ...)
{
    APPEND_VALUES(ORIEL_REC_SET, id, site, id);
    (void)own;
}

void rec_event(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site, ...)
{
    APPEND_VALUES(ORIEL_REC_EVENT, 0, site);
    (void)own;
}

void rec_event_on(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                  const struct model_site *site, ...)
{
    next_flags |= ORIEL_RECF_HAS_SPAN;
    APPEND_VALUES(ORIEL_REC_EVENT, id, site, id);
    (void)own;
}

uint64_t rec_span(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                  const struct model_site *site, uint64_t start_ns, uint64_t end_ns,
                  uint64_t parent, ...)
{
    next_flags |= ORIEL_RECF_HAS_TIME;
    struct draft d;
    va_list values;
    d.count = 1;
    put(&d, start_ns);
    put(&d, end_ns);
    put(&d, parent);
    va_start(values, parent);
    put_values(&d, site, values);
    va_end(values);
    return append(b, s, t_ns, ORIEL_REC_SPAN, site, 0, &d);
}

void rec_plot(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const struct model_site *site, ...)
{
    APPEND_VALUES(ORIEL_REC_PLOT, 0, site);
    (void)own;
}

static void plain(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t type,
                  const struct model_site *site, uint64_t id, uint32_t n, const uint64_t *words)
{
    struct draft d;
    d.count = 2;
    for (uint32_t i = 0; i < n; i++)
        put(&d, words[i]);
    append(b, s, t_ns, type, site, id, &d);
}

void rec_end(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id)
{
    plain(b, s, t_ns, ORIEL_REC_END, NULL, (uint32_t)id, 0, NULL);
    b->records[b->record_count - 1].raw_id = 0; /* a reader sees the low half only */
}

void rec_close(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id)
{
    plain(b, s, t_ns, ORIEL_REC_CLOSE, NULL, id, 1, &id);
}

void rec_enter(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id)
{
    plain(b, s, t_ns, ORIEL_REC_ENTER, NULL, id, 1, &id);
}

void rec_given(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site, uint8_t flags, const uint64_t words[5])
{
    records_flags(flags);
    plain(b, s, t_ns, ORIEL_REC_TOLD, site, words[0], 5, words);
}

void rec_exit(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id)
{
    plain(b, s, t_ns, ORIEL_REC_EXIT, NULL, id, 1, &id);
}

void rec_link(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
              uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id)
{
    rec_link_flags(b, s, t_ns, id, trace_hi, trace_lo, span_id, 0);
}

void rec_link_flags(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                    uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id, uint64_t flags)
{
    uint64_t words[] = {id, trace_hi, trace_lo, span_id, flags};
    plain(b, s, t_ns, ORIEL_REC_LINK, NULL, id, 5, words);
}

void rec_more(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint32_t value,
              uint32_t offset, const char *text)
{
    uint64_t words[2 + 512] = {ORIEL_MORE_WORD(value, offset)};
    size_t n = strlen(text);
    n = n < 4096 ? n : 4096;
    words[1] = n | (uint64_t)n << 32;
    memcpy(words + 2, text, n);
    plain(b, s, t_ns, ORIEL_REC_MORE, NULL, 0, 2 + (uint32_t)(n + 7) / 8, words);
}

void rec_state(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
               const char *text)
{
    uint64_t words[2 + 64] = {id};
    size_t n = strlen(text);
    n = n < 512 ? n : 512;
    words[1] = n | (uint64_t)n << 32;
    memcpy(words + 2, text, n);
    plain(b, s, t_ns, ORIEL_REC_STATE, NULL, id, 2 + (uint32_t)(n + 7) / 8, words);
}

void rec_name(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
              const char *text)
{
    uint64_t words[2 + 64] = {id};
    size_t n = strlen(text);
    n = n < 512 ? n : 512;
    words[1] = n | (uint64_t)n << 32;
    memcpy(words + 2, text, n);
    plain(b, s, t_ns, ORIEL_REC_NAME, NULL, id, 2 + (uint32_t)(n + 7) / 8, words);
}

void rec_follow(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                uint64_t earlier)
{
    uint64_t words[] = {id, earlier};
    plain(b, s, t_ns, ORIEL_REC_FOLLOW, NULL, id, 2, words);
}

void rec_attach(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t trace_hi,
                uint64_t trace_lo, uint64_t span_id)
{
    rec_attach_flags(b, s, t_ns, trace_hi, trace_lo, span_id, 1);
}

void rec_attach_flags(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                      uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id, uint64_t flags)
{
    uint64_t words[] = {trace_hi, trace_lo, span_id, flags};
    plain(b, s, t_ns, ORIEL_REC_ATTACH, NULL, 0, 4, words);
}

void rec_sample(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t kind,
                uint32_t stack, uint64_t weight)
{
    uint64_t words[] = {stack, weight, 1, 0};
    records_flags(kind);
    plain(b, s, t_ns, ORIEL_REC_SAMPLE, NULL, 0, 4, words);
}

void rec_block(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint8_t kind,
               uint32_t stack, uint64_t bytes, uint64_t address)
{
    uint64_t words[] = {stack, bytes, 1, address};
    records_flags(kind);
    plain(b, s, t_ns, ORIEL_REC_SAMPLE, NULL, 0, 4, words);
}

void rec_heap(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const uint64_t counts[4])
{
    plain(b, s, t_ns, ORIEL_REC_HEAP, NULL, 0, 4, counts);
}

void rec_detach(struct model_batch *b, struct records_stream *s, uint64_t t_ns)
{
    plain(b, s, t_ns, ORIEL_REC_DETACH, NULL, 0, 0, NULL);
}

void rec_frame(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
               const struct model_site *site)
{
    plain(b, s, t_ns, ORIEL_REC_FRAME, site, 0, 0, NULL);
}

void rec_task(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
              const struct model_site *site, uint8_t op, uint64_t task, uint64_t other)
{
    uint64_t words[] = {task, other};
    next_flags = op;
    plain(b, s, t_ns, ORIEL_REC_TASK, site, 0, 2, words);
}

void rec_status(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint64_t id,
                uint64_t code, const char *message)
{
    struct draft d;
    d.count = 2;
    put(&d, id);
    put(&d, code);
    put_text(&d, message);
    append(b, s, t_ns, ORIEL_REC_STATUS, NULL, id, &d);
}

static void text_record(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                        uint8_t type, const char *text)
{
    struct draft d;
    d.count = 2;
    put_text(&d, text);
    append(b, s, t_ns, type, NULL, 0, &d);
}

void rec_thread_name(struct model_batch *b, struct records_stream *s, uint64_t t_ns,
                     const char *name)
{
    text_record(b, s, t_ns, ORIEL_REC_THREAD, name);
}

void rec_trigger(struct model_batch *b, struct records_stream *s, uint64_t t_ns, const char *reason)
{
    text_record(b, s, t_ns, ORIEL_REC_TRIGGER, reason);
}

void rec_sync(struct model_batch *b, struct records_stream *s, uint64_t t_ns, uint32_t depth,
              const uint64_t *ids)
{
    struct draft d;
    d.count = 2;
    for (uint32_t c = 0; c < ORIEL_LOST_CAUSES; c++)
        put(&d, s->lost[c]);
    put(&d, depth);
    for (uint32_t i = 0; i < depth && i < ORIEL_STACK_DEPTH; i++)
        put(&d, ids[i]);
    append(b, s, t_ns, ORIEL_REC_SYNC, NULL, 0, &d);
}

void rec_lose(struct records_stream *s, uint32_t cause, uint64_t count)
{
    s->lost[cause] += count;
}
