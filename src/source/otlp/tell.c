/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is told, as records: a process for each resource, a site for each name with
 * each set of keys, records of the told kinds. Names are the other side's to choose:
 * what they may take is bounded, and what is beyond goes into a site for all, with
 * its name as a value. One thread.
 */
#include "source/otlp/otlp.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "util/utf8.h"

enum {
    WHO_MAX = 4096,      /* resources of one recording */
    SITES_MAX = 16384,   /* of one process, before the site for all */
    GENERIC_MAX = 60000, /* and with those */
    FIELDS_MAX = 128,    /* of one record */
    HEAD_SOME = 512,     /* bytes of a text in its record, where there are many; the least lets */
    HEAD_LEAST = 32,     /* FIELDS_MAX of them in */
    RECORD_WORDS = ORIEL_RECORD_MAX_BYTES / 8,
    CODE_BYTES_MAX = 1024, /* of a file or function */
    SITE_COST = 256,       /* memory, without its texts */
    FIELD_COST = 40
};
#define NAME_BYTES_MAX (UINT64_C(24) << 20)

int otlp_tell_init(struct otlp_tell *t, struct model_catalog *catalog)
{
    memset(t, 0, sizeof *t);
    t->catalog = catalog;
    t->text_max = OTLP_TEXT_MAX;
    buf_init(&t->key);
    if (getrandom(t->seed, sizeof t->seed, GRND_NONBLOCK) != (ssize_t)sizeof t->seed)
        t->seed[0] = clock_mono_ns();
    return 0;
}

void otlp_tell_done(struct otlp_tell *t)
{
    map_done(&t->stream_by_key);
    map_done(&t->site_by_key);
    map_done(&t->lane_by_key);
    VEC_DONE(&t->streams);
    VEC_DONE(&t->sites);
    buf_done(&t->key);
}

/* ---- who speaks ---- */

static struct model_str text_of(const struct otlp_values *v, const char *key)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->items[i].type == ORIEL_TYPE_STR &&
            model_str_equal(v->items[i].key, (struct model_str){key, (uint32_t)strlen(key)}))
            return v->items[i].v.str;
    return MODEL_STR("");
}

static int32_t pid_of(const struct otlp_values *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->items[i].type == ORIEL_TYPE_I64 && v->items[i].v.i64 > 0 &&
            v->items[i].v.i64 < INT32_MAX &&
            model_str_equal(v->items[i].key, MODEL_STR("process.pid")))
            return (int32_t)v->items[i].v.i64;
    return 0;
}

/* Attributes of a resource or scope; its texts are cut to what a record would hold. */
static struct model_told told_of(struct otlp_values *v, const struct pb_field *message,
                                 uint32_t attributes, uint32_t dropped, struct model_str schema_url)
{
    struct pb_reader r = message ? pb_read_nested(message) : pb_read(NULL, 0);
    struct pb_field f;
    uint64_t lost = 0;
    while (pb_next(&r, &f)) {
        if (f.number == attributes)
            otlp_values_add(v, &f);
        else if (f.number == dropped)
            lost = f.value;
    }
    for (uint32_t i = 0; i < v->count; i++) {
        struct model_value *value = &v->items[i];
        bool text = value->type == ORIEL_TYPE_STR || value->type == ORIEL_TYPE_BYTES;
        if (text)
            value->full_bytes = value->v.str.n;
        if (text && value->v.str.n > ORIEL_STRING_MAX_BYTES) {
            value->v.str.n =
                (uint32_t)utf8_cut_bytes(value->v.str.p, value->v.str.n, ORIEL_STRING_MAX_BYTES);
            value->flags |= MODEL_VALUE_TRUNCATED;
        }
    }
    model_told_redact(v->items, v->count, v->arena);
    lost += v->dropped;
    return (struct model_told){.schema_url = schema_url,
                               .attrs = v->items,
                               .attr_count = v->count,
                               .dropped_attrs = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX};
}

static uint64_t told_bytes(const struct model_told *told)
{
    uint64_t n = SITE_COST + told->schema_url.n;
    for (uint32_t i = 0; i < told->attr_count; i++) {
        const struct model_value *v = &told->attrs[i];
        n += FIELD_COST + v->key.n;
        n += v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES ? v->v.str.n : 0;
    }
    return n;
}

static bool make_process(struct otlp_tell *t, struct otlp_stream *s, const struct otlp_values *v,
                         const struct model_told *told, uint64_t key)
{
    struct model_catalog *c = t->catalog;
    struct model_str name = text_of(v, "service.name"), exe = text_of(v, "process.executable.path");
    int32_t pid = pid_of(v);
    struct model_process *p =
        model_catalog_add_process(c, pid, name.n ? name : exe, text_of(v, "service.instance.id"));
    if (!p || model_process_set_told(c, p, told) < 0)
        return false;
    p->trace_hi = key; /* what tells it from others, in a capture */
    p->trace_salt = 1;
    p->clock.now = (struct clock_piece){0, 0, UINT64_C(1) << 32};
    p->clock.before = p->clock.now;
    p->start_ns = t->now_ns;
    s->thread = model_catalog_add_thread(c, p->index, pid, (uint32_t)t->streams.count);
    s->next_site = ORIEL_SITE_ID_FIRST;
    s->of = (uint32_t)t->streams.count - 1;
    return s->thread != NULL;
}

uint32_t otlp_tell_who(struct otlp_tell *t, const struct pb_field *resource,
                       struct model_str schema_url, enum otlp_cause *out_cause)
{
    static const char nobody[1];
    const void *bytes = resource && resource->size ? (const void *)resource->bytes : nobody;
    size_t n = resource ? resource->size : 0;
    /* The same bytes are the same program: it says them again with each request. */
    uint64_t key = map_hash_bytes(bytes, n, 0x6f746c70);
    key = map_hash_bytes(schema_url.p, schema_url.n, key);
    const uint64_t *known = map_get(&t->stream_by_key, key);
    if (known)
        return (uint32_t)*known;
    *out_cause = OTLP_MANY_WHO;
    if (t->programs == WHO_MAX || t->name_bytes > NAME_BYTES_MAX)
        return UINT32_MAX;
    struct arena arena;
    arena_init(&arena);
    struct otlp_values *v = mem_alloc(sizeof *v);
    uint64_t *at = v ? map_put(&t->stream_by_key, key, t->streams.count) : NULL;
    struct otlp_stream *s = at ? VEC_PUSH(&t->streams) : NULL;
    bool made = false;
    if (s) {
        otlp_values_begin(v, &arena, ORIEL_STRING_MAX_BYTES);
        struct model_told told = told_of(v, resource, 1, 2, schema_url);
        t->name_bytes += told_bytes(&told);
        made = make_process(t, s, v, &told, key);
    }
    if (!made) {
        *out_cause = OTLP_NO_MEMORY;
        t->streams.count -= s != NULL;
        (void)map_remove(&t->stream_by_key, key);
    }
    t->programs += made;
    mem_free(v);
    arena_done(&arena);
    return made ? (uint32_t)(t->streams.count - 1) : UINT32_MAX;
}

const struct model_scope *otlp_tell_scope(struct otlp_tell *t, const struct pb_field *scope,
                                          struct model_str schema_url)
{
    struct arena arena;
    struct model_scope like = {0};
    struct pb_field f;
    struct otlp_values *v = mem_alloc(sizeof *v);
    if (!v)
        return NULL;
    arena_init(&arena);
    otlp_values_begin(v, &arena, ORIEL_STRING_MAX_BYTES);
    if (scope && pb_find(pb_read_nested(scope), 1, &f))
        like.name = (struct model_str){(const char *)f.bytes, (uint32_t)f.size};
    if (scope && pb_find(pb_read_nested(scope), 2, &f))
        like.version = (struct model_str){(const char *)f.bytes, (uint32_t)f.size};
    like.told = told_of(v, scope, 3, 4, schema_url);
    uint32_t before = t->catalog->scope_count;
    if (t->name_bytes > NAME_BYTES_MAX || before == WHO_MAX)
        like = (struct model_scope){.name = MODEL_STR("(others)")};
    const struct model_scope *out = model_catalog_add_scope(t->catalog, &like);
    if (t->catalog->scope_count > before)
        t->name_bytes += told_bytes(&like.told) + like.name.n + like.version.n;
    mem_free(v);
    arena_done(&arena);
    return out;
}

/* ---- where in the code, by the names of today and those of before ---- */

struct code {
    struct model_str file, function;
    uint32_t line;
    bool said;
};

static bool is_key(struct model_str key, const char *now, const char *before)
{
    return model_str_equal(key, (struct model_str){now, (uint32_t)strlen(now)}) ||
           model_str_equal(key, (struct model_str){before, (uint32_t)strlen(before)});
}

/* The values stay what they are: OTLP gives them back as they came. */
static struct code code_of(const struct otlp_record *r, const struct model_value *values,
                           uint32_t n)
{
    struct code code = {.file = MODEL_STR(""), .function = MODEL_STR("")};
    if (r->site_kind != ORIEL_SITE_SPAN && r->site_kind != ORIEL_SITE_EVENT)
        return code;
    for (uint32_t i = 0; i < n; i++) {
        const struct model_value *v = &values[i];
        if (v->key.n < 8 || memcmp(v->key.p, "code.", 5) != 0)
            continue;
        bool text = v->type == ORIEL_TYPE_STR && v->v.str.n <= CODE_BYTES_MAX;
        if (text && is_key(v->key, "code.file.path", "code.filepath"))
            code.file = v->v.str;
        else if (text && is_key(v->key, "code.function.name", "code.function"))
            code.function = v->v.str;
        else if (v->type == ORIEL_TYPE_I64 && v->v.i64 > 0 && v->v.i64 <= INT32_MAX &&
                 is_key(v->key, "code.line.number", "code.lineno"))
            code.line = (uint32_t)v->v.i64;
    }
    code.said = code.file.n || code.function.n;
    return code;
}

/* ---- sites ---- */

static void put_key(struct buf *b, struct model_str s)
{
    buf_put(b, &s.n, sizeof s.n);
    buf_put(b, s.p, s.n);
}

static void site_key(struct otlp_tell *t, const struct otlp_record *r, const struct code *code,
                     const struct model_value *values, uint32_t n)
{
    const uint32_t what[] = {t->streams.items[r->stream].of, r->scope->index,
                             (uint32_t)r->site_kind << 16 | (uint32_t)r->level << 8 | r->site_flags,
                             n, code->line};
    buf_clear(&t->key);
    buf_put(&t->key, what, sizeof what);
    put_key(&t->key, r->name);
    put_key(&t->key, r->format);
    put_key(&t->key, code->file);
    put_key(&t->key, code->function);
    for (uint32_t i = 0; i < n; i++) {
        buf_putc(&t->key, (char)values[i].type);
        buf_putc(&t->key, (char)(values[i].flags & ~MODEL_VALUE_TRUNCATED));
        put_key(&t->key, values[i].key);
    }
}

static const struct model_site *make_site(struct otlp_tell *t, const struct otlp_record *r,
                                          const struct code *code, const struct model_value *values,
                                          uint32_t n)
{
    struct otlp_stream *s = &t->streams.items[t->streams.items[r->stream].of];
    struct model_field_def fields[FIELDS_MAX];
    uint64_t cost = SITE_COST + r->name.n + code->file.n + code->function.n;
    for (uint32_t i = 0; i < n; i++) {
        fields[i] = (struct model_field_def){values[i].key, values[i].type,
                                             values[i].flags & (uint8_t)~MODEL_VALUE_TRUNCATED};
        cost += FIELD_COST + values[i].key.n;
    }
    struct model_site site = {.id = s->next_site,
                              .process = s->thread->process,
                              .kind = r->site_kind,
                              .level = r->level,
                              .flags = r->site_flags,
                              .scope = r->scope->index + 1,
                              .name = r->name,
                              .target = r->scope->name,
                              .format = r->format,
                              .file = code->file,
                              .function = code->function,
                              .line = code->line,
                              .field_count = (uint16_t)n,
                              .fields = fields};
    const struct model_site *made = model_catalog_add_site(t->catalog, &site);
    if (made) {
        s->next_site++;
        t->name_bytes += cost;
    }
    return made;
}

static const struct model_site *site_at(struct otlp_tell *t, const struct otlp_record *r,
                                        const struct code *code, const struct model_value *values,
                                        uint32_t n, uint32_t most)
{
    assert(r->scope && n <= FIELDS_MAX);
    site_key(t, r, code, values, n);
    if (t->key.failed)
        return NULL;
    uint64_t key = map_hash_bytes(t->key.data, t->key.size, t->seed[0]);
    uint64_t check = map_hash_bytes(t->key.data, t->key.size, t->seed[1]);
    const uint64_t *known = map_get(&t->site_by_key, key);
    if (known) /* the same by 128 bits that nobody can aim at */
        return t->sites.items[*known].check == check ? t->sites.items[*known].site : NULL;
    if (t->streams.items[t->streams.items[r->stream].of].next_site >= most ||
        (t->name_bytes > NAME_BYTES_MAX && most < GENERIC_MAX))
        return NULL;
    const struct model_site *site = make_site(t, r, code, values, n);
    struct otlp_site *slot = site ? VEC_PUSH(&t->sites) : NULL;
    if (!slot || !map_put(&t->site_by_key, key, t->sites.count - 1)) {
        t->sites.count -= slot != NULL;
        return NULL;
    }
    *slot = (struct otlp_site){check, site};
    return site;
}

/* NULL: no memory, or it is one too many. Places in the code take half of the room at
 * most: what is made up for lines must not cost others their names. */
static const struct model_site *site_of(struct otlp_tell *t, const struct otlp_record *r,
                                        const struct model_value *values, uint32_t n, uint32_t most)
{
    struct code code = most < GENERIC_MAX ? code_of(r, values, n) : (struct code){.said = false};
    const struct model_site *site =
        code.said ? site_at(t, r, &code, values, n, ORIEL_SITE_ID_FIRST + SITES_MAX / 2) : NULL;
    const struct code nowhere = {.file = MODEL_STR(""), .function = MODEL_STR("")};
    return site ? site : site_at(t, r, &nowhere, values, n, most);
}

/* ---- records ---- */

static bool is_text(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
}

/* What of a text is kept when that many bytes may be. */
static uint32_t kept_bytes(const struct model_value *v, uint32_t max)
{
    if (v->v.str.n <= max)
        return v->v.str.n;
    if (v->type == ORIEL_TYPE_BYTES)
        return max;
    return (uint32_t)utf8_cut_bytes(v->v.str.p, v->v.str.n, max);
}

static uint32_t words_of(const struct model_value *v, uint32_t head)
{
    return is_text(v) ? 1 + (kept_bytes(v, head) + 7) / 8 : 1;
}

static uint64_t *put_values(uint64_t *w, const struct model_value *v, uint32_t n, uint32_t head)
{
    for (uint32_t i = 0; i < n; i++, v++) {
        if (!is_text(v)) {
            *w++ = v->v.u64;
            continue;
        }
        uint32_t stored = kept_bytes(v, head), words = (stored + 7) / 8;
        *w++ = (uint64_t)v->v.str.n << 32 | stored;
        if (words)
            w[words - 1] = 0;
        if (stored)
            memcpy(w, v->v.str.p, stored);
        w += words;
    }
    return w;
}

/* How many of the values fit behind the prefix, the words they take, and how much of a
 * text is said in the record itself. */
struct fitting {
    uint32_t count, words, head;
};
static struct fitting fit(const struct otlp_record *r, const struct otlp_values *values,
                          uint32_t at, uint32_t head)
{
    struct fitting f = {0, r->prefix, head};
    while (at + f.count < values->count && f.count < FIELDS_MAX) {
        uint32_t more = words_of(&values->items[at + f.count], head);
        if (f.words + more > RECORD_WORDS)
            break;
        f.words += more;
        f.count++;
    }
    return f;
}

/* Into one record: as much of each text as lets all of them in. */
static struct fitting fit_all(const struct otlp_record *r, const struct otlp_values *values)
{
    struct fitting f = fit(r, values, 0, ORIEL_STRING_MAX_BYTES);
    uint32_t most = values->count < FIELDS_MAX ? values->count : FIELDS_MAX;
    if (f.count < most)
        f = fit(r, values, 0, HEAD_SOME);
    if (f.count < most)
        f = fit(r, values, 0, HEAD_LEAST);
    assert(f.count == most);
    return f;
}

static bool add_record(struct otlp_tell *t, const struct otlp_record *r,
                       const struct model_site *site, const struct model_value *values,
                       struct fitting f)
{
    assert(t->batch && r->stream < t->streams.count);
    assert(f.words >= r->prefix && f.words <= RECORD_WORDS && r->prefix >= 2);
    struct otlp_stream *s = &t->streams.items[r->stream];
    uint64_t *raw = arena_alloc(&t->batch->arena, (size_t)f.words * 8, 8);
    struct model_record *out = raw ? model_batch_add_record(t->batch) : NULL;
    if (!out)
        return false;
    uint32_t low = site ? site->id : 0;
    bool of_span = r->type != ORIEL_REC_TOLD_LOG && r->type != ORIEL_REC_MORE && r->prefix > 2;
    if (!site && of_span) /* CLOSE, STATUS: the span they are of */
        low = (uint32_t)r->words[1];
    raw[0] = ORIEL_RECORD_HEADER(f.words, r->type, r->flags, low);
    memcpy(raw + 1, r->words, (size_t)(r->prefix - 1) * 8);
    const uint64_t *end = put_values(raw + r->prefix, values, f.count, f.head);
    assert(end == raw + f.words);
    (void)end;
    *out = (struct model_record){.t_ns = s->said_ns,
                                 .raw_id = of_span ? raw[2] : 0,
                                 .position = s->position,
                                 .raw = raw,
                                 .site = site,
                                 .thread = s->thread,
                                 .words = (uint16_t)f.words,
                                 .type = r->type,
                                 .flags = r->flags,
                                 .stream = s->thread->serial};
    s->position += (uint64_t)f.words * 8;
    return true;
}

/* The rest of a text, in records of its own. */
static bool add_more(struct otlp_tell *t, uint32_t stream, uint32_t index,
                     const struct model_value *v, uint32_t head)
{
    const uint32_t whole = kept_bytes(v, t->text_max);
    uint32_t at = kept_bytes(v, head);
    t->truncated += at < v->v.str.n && whole < v->v.str.n;
    while (at < whole) {
        const uint64_t words[] = {t->streams.items[stream].said_ns, ORIEL_MORE_WORD(index, at)};
        struct model_value part = *v;
        part.v.str = (struct model_str){v->v.str.p + at, whole - at};
        part.v.str.n = kept_bytes(&part, ORIEL_STRING_MAX_BYTES);
        const struct otlp_record more = {
            .stream = stream, .type = ORIEL_REC_MORE, .prefix = 3, .words = words};
        const struct fitting f = {1, 3 + words_of(&part, ORIEL_STRING_MAX_BYTES),
                                  ORIEL_STRING_MAX_BYTES};
        if (!add_record(t, &more, NULL, &part, f))
            return false;
        at += part.v.str.n;
    }
    return true;
}

/* A record, behind what its own texts have no room for in it. */
static bool add_long_record(struct otlp_tell *t, const struct otlp_record *r,
                            const struct model_site *site, const struct model_value *values,
                            struct fitting f)
{
    for (uint32_t i = 0; i < f.count; i++)
        if (is_text(&values[i]) && values[i].v.str.n > f.head &&
            !add_more(t, r->stream, i, &values[i], f.head))
            return false;
    return add_record(t, r, site, values, f);
}

/* The stream's time goes on: what follows was said now. */
static bool tell_time(struct otlp_tell *t, uint32_t stream)
{
    assert(stream < t->streams.count);
    struct otlp_stream *s = &t->streams.items[stream];
    if (s->said_ns >= t->now_ns && s->position)
        return true;
    const uint64_t now[] = {t->now_ns};
    const struct model_value name = {.type = ORIEL_TYPE_STR, .v.str = s->thread->name};
    const struct otlp_record r = {
        .stream = stream, .type = ORIEL_REC_THREAD, .prefix = 2, .words = now};
    s->said_ns = t->now_ns;
    const uint32_t words = 2 + words_of(&name, ORIEL_STRING_MAX_BYTES);
    return add_record(t, &r, NULL, &name, (struct fitting){1, words, ORIEL_STRING_MAX_BYTES});
}

static bool has_site(uint8_t type)
{
    return type != ORIEL_REC_CLOSE && type != ORIEL_REC_STATUS;
}

/* The site for all that have no room for one of their own; their keys stay. */
static const struct model_site *generic_site(struct otlp_tell *t, const struct otlp_record *r,
                                             const struct model_value *values, uint32_t n)
{
    struct otlp_record any = *r;
    any.name = MODEL_STR("(others)");
    t->generic++;
    return site_of(t, &any, values, n, GENERIC_MAX);
}

static bool tell_fitting(struct otlp_tell *t, const struct otlp_record *r,
                         const struct otlp_values *values, uint32_t *io_at, struct fitting f)
{
    if (!tell_time(t, r->stream))
        return false;
    const struct model_site *site = NULL;
    const struct model_value *first = values->items + *io_at;
    if (has_site(r->type)) {
        site = site_of(t, r, first, f.count, SITES_MAX);
        if (!site)
            site = generic_site(t, r, first, f.count);
        if (!site) { /* not even that: without its fields */
            f = (struct fitting){0, r->prefix, f.head};
            site = generic_site(t, r, first, 0);
        }
        if (!site)
            return false;
    }
    if (!add_long_record(t, r, site, first, f))
        return false;
    *io_at = f.count || !has_site(r->type) ? *io_at + f.count : values->count;
    return true;
}

bool otlp_tell_record(struct otlp_tell *t, const struct otlp_record *r,
                      const struct otlp_values *values, uint32_t *io_at)
{
    return tell_fitting(t, r, values, io_at, fit(r, values, *io_at, ORIEL_STRING_MAX_BYTES));
}

bool otlp_tell_single(struct otlp_tell *t, const struct otlp_record *r, struct otlp_values *values)
{
    assert(values->count <= OTLP_ATTRS_MAX);
    uint64_t dropped = values->dropped;
    uint32_t at = 0;
    if (values->count > FIELDS_MAX || (dropped && values->count == FIELDS_MAX)) {
        dropped += values->count - (FIELDS_MAX - 1); /* the last place is that of their number */
        values->count = FIELDS_MAX - 1;
    }
    if (dropped)
        otlp_values_u64(values, "otel.dropped_attributes_count", dropped);
    return tell_fitting(t, r, values, &at, fit_all(r, values));
}
