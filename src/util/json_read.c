/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The strict JSON reader (RFC 8259): no comments, no trailing commas, no bare
 * words, valid UTF-8 only, lone surrogates refused. Input may be hostile: size,
 * depth and number of values are bounded. One thread per arena.
 */
#include <assert.h>
#include <stdio.h>

#include "base/map.h"
#include "util/json.h"
#include "util/utf8.h"

#define MAX_BYTES ((size_t)64 << 20)
#define MAX_VALUES ((size_t)4000000)

struct reader {
    struct arena *arena;
    const char *start, *p, *end;
    size_t values_left;
    unsigned depth_left;
    bool unique_keys;
    struct oriel_err *err;
};

static int refuse(const struct reader *r, const char *what)
{
    return err_set(r->err, ORIEL_EFORMAT, "not JSON at byte %zu: %s", (size_t)(r->p - r->start),
                   what);
}

static int over_limit(const struct reader *r, const char *what)
{
    return err_set(r->err, ORIEL_ELIMIT, "JSON with %s at byte %zu", what,
                   (size_t)(r->p - r->start));
}

static int no_memory(const struct reader *r)
{
    return err_set(r->err, ORIEL_ENOMEM, "out of memory reading JSON");
}

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits at p; -1 if they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* \uXXXX, and the second half of a pair; p stands behind the 'u'. */
static int read_unicode(struct reader *r, char **out)
{
    int32_t c = hex4(r->p, r->end);
    if (c < 0)
        return refuse(r, "\\u wants four hex digits");
    if (c >= 0xdc00 && c <= 0xdfff)
        return refuse(r, "second half of a surrogate pair alone");
    r->p += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        int32_t low =
            r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' ? hex4(r->p + 2, r->end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(r, "first half of a surrogate pair alone");
        r->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = utf8_put(*out, (uint32_t)c);
    return 0;
}

static int read_escape(struct reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = r->p < r->end ? *r->p : 0;
    if (c == 'u') {
        r->p++;
        return read_unicode(r, out);
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return refuse(r, "unknown escape");
    r->p++;
    *(*out)++ = to[at - from];
    return 0;
}

/* Position of the quote that ends the string at p; NULL if there is none. */
static const char *string_end(const char *p, const char *end)
{
    for (; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p : NULL;
}

/* p stands behind the opening quote. */
static int read_string(struct reader *r, const char **out, size_t *out_n)
{
    const char *stop = string_end(r->p, r->end);
    if (!stop)
        return refuse(r, "string without an end");
    /* An escape is never shorter than what it stands for. */
    char *text = arena_alloc(r->arena, (size_t)(stop - r->p) + 1, 1), *o = text;
    if (!text)
        return no_memory(r);
    while (r->p < stop) {
        uint32_t c;
        unsigned length;
        int rc;
        if (*r->p == '\\') {
            r->p++;
            if ((rc = read_escape(r, &o)) != 0)
                return rc;
        } else if ((uint8_t)*r->p < 0x20) {
            return refuse(r, "control character in a string");
        } else if ((uint8_t)*r->p < 0x80) {
            *o++ = *r->p++;
        } else if ((length = utf8_next(r->p, (size_t)(stop - r->p), &c)) != 0) {
            memcpy(o, r->p, length);
            o += length;
            r->p += length;
        } else {
            return refuse(r, "not UTF-8");
        }
    }
    assert(r->p == stop);
    r->p++;
    *o = 0;
    *out = text;
    *out_n = (size_t)(o - text);
    return 0;
}

/* ---- numbers and words ---- */

static size_t digits(struct reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return (size_t)(r->p - start);
}

static int read_number(struct reader *r, struct json_value *v)
{
    const char *start = r->p;
    bool integer = true;
    v->is_negative = take(r, '-');
    if (!take(r, '0') && digits(r) == 0)
        return refuse(r, "not a value");
    if (take(r, '.')) {
        integer = false;
        if (digits(r) == 0)
            return refuse(r, "a digit belongs behind the point");
    }
    if (take(r, 'e') || take(r, 'E')) {
        integer = false;
        if (!take(r, '-'))
            take(r, '+');
        if (digits(r) == 0)
            return refuse(r, "an exponent wants digits");
    }
    size_t n = (size_t)(r->p - start);
    int64_t negative;
    v->type = JSON_NUMBER;
    v->text_n = n;
    v->text = arena_copy(r->arena, start, n);
    if (!v->text)
        return no_memory(r);
    if (integer && v->is_negative)
        v->is_integer =
            num_parse_i64(start, n, &negative) == 0 && (v->integer = (uint64_t)negative, true);
    else if (integer)
        v->is_integer = num_parse_u64(start, n, &v->integer) == 0;
    int rc = num_parse_double(start, n, &v->number);
    assert(rc == 0); /* JSON's numbers are a subset */
    return rc;
}

static int read_word(struct reader *r, struct json_value *v)
{
    static const struct {
        const char *word;
        enum json_type type;
        bool boolean;
    } words[] = {
        {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}, {"null", JSON_NULL, false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(r->end - r->p) < n || memcmp(r->p, words[i].word, n) != 0)
            continue;
        r->p += n;
        v->type = words[i].type;
        v->boolean = words[i].boolean;
        return 0;
    }
    return read_number(r, v);
}

/* ---- containers ---- */

static int read_value(struct reader *r, struct json_value *v);

/* The keys of an object by hash; when one is there already, only a walk over
 * the object tells a repeated key from two keys of one hash. */
static int check_unique(struct reader *r, struct map *seen, const struct json_value *object,
                        const struct json_value *item)
{
    uint64_t hash = map_hash_bytes(item->key, item->key_n, 0);
    if (map_get(seen, hash)) {
        for (const struct json_value *v = object->first; v && v != item; v = v->next)
            if (v->key_n == item->key_n && memcmp(v->key, item->key, v->key_n) == 0)
                return refuse(r, "the object has this key already");
        return 0;
    }
    return map_put(seen, hash, 0) ? 0 : no_memory(r);
}

static int read_key(struct reader *r, struct json_value *item)
{
    skip_space(r);
    if (!take(r, '"'))
        return refuse(r, "a key in quotes belongs here");
    int rc = read_string(r, &item->key, &item->key_n);
    if (rc != 0)
        return rc;
    skip_space(r);
    return take(r, ':') ? 0 : refuse(r, "a colon belongs behind a key");
}

static int read_items(struct reader *r, struct json_value *v, struct map *seen, char end)
{
    struct json_value **link = &v->first;
    skip_space(r);
    if (take(r, end))
        return 0;
    for (;;) {
        int rc = 0;
        if (r->values_left-- == 0)
            return over_limit(r, "too many values");
        struct json_value *item = arena_alloc(r->arena, sizeof *item, _Alignof(struct json_value));
        if (!item)
            return no_memory(r);
        memset(item, 0, sizeof *item);
        if (v->type == JSON_OBJECT)
            rc = read_key(r, item);
        if (rc == 0 && seen)
            rc = check_unique(r, seen, v, item);
        if (rc == 0)
            rc = read_value(r, item);
        if (rc != 0)
            return rc;
        *link = item;
        link = &item->next;
        v->count++;
        skip_space(r);
        if (take(r, end))
            return 0;
        if (!take(r, ','))
            return refuse(r,
                          end == '}' ? "a comma or } belongs here" : "a comma or ] belongs here");
    }
}

static int read_container(struct reader *r, struct json_value *v, enum json_type type)
{
    struct map seen = {0};
    if (r->depth_left == 0)
        return over_limit(r, "too much nesting");
    r->depth_left--;
    v->type = type;
    bool check = type == JSON_OBJECT && r->unique_keys;
    int rc = read_items(r, v, check ? &seen : NULL, type == JSON_OBJECT ? '}' : ']');
    map_done(&seen);
    r->depth_left++;
    return rc;
}

static int read_value(struct reader *r, struct json_value *v)
{
    skip_space(r);
    if (take(r, '{'))
        return read_container(r, v, JSON_OBJECT);
    if (take(r, '['))
        return read_container(r, v, JSON_ARRAY);
    if (take(r, '"')) {
        v->type = JSON_STRING;
        return read_string(r, &v->text, &v->text_n);
    }
    return read_word(r, v);
}

int json_read(struct arena *arena, const char *p, size_t n, const struct json_read_options *options,
              struct json_value **out, struct oriel_err *err)
{
    static const struct json_read_options defaults = {.size = sizeof defaults};
    const struct json_read_options *o = options ? options : &defaults;
    struct reader r = {arena,
                       p,
                       p,
                       p + n,
                       o->max_values ? o->max_values : MAX_VALUES,
                       o->max_depth && o->max_depth < JSON_DEPTH_MAX ? o->max_depth
                                                                     : JSON_DEPTH_MAX,
                       o->unique_keys,
                       err};
    if (o->size != sizeof *o)
        return err_set(err, ORIEL_EINVAL, "options of another size");
    if (n > (o->max_bytes ? o->max_bytes : MAX_BYTES))
        return over_limit(&r, "too many bytes");
    struct json_value *v = arena_alloc(arena, sizeof *v, _Alignof(struct json_value));
    if (!v)
        return no_memory(&r);
    memset(v, 0, sizeof *v);
    int rc = read_value(&r, v);
    if (rc != 0)
        return rc;
    skip_space(&r);
    if (r.p != r.end)
        return refuse(&r, "something behind the value");
    *out = v;
    return 0;
}

/* ---- access ---- */

const struct json_value *json_get(const struct json_value *v, const char *key)
{
    const struct json_value *found = NULL;
    size_t n = strlen(key);
    if (!v || v->type != JSON_OBJECT)
        return NULL;
    for (const struct json_value *item = v->first; item; item = item->next)
        if (item->key_n == n && memcmp(item->key, key, n) == 0)
            found = item;
    return found;
}

const struct json_value *json_at(const struct json_value *v, size_t index)
{
    if (!v || (v->type != JSON_ARRAY && v->type != JSON_OBJECT))
        return NULL;
    const struct json_value *item = v->first;
    while (item && index--)
        item = item->next;
    return item;
}

int64_t json_get_i64(const struct json_value *v, const char *key, int64_t fallback)
{
    const struct json_value *item = json_get(v, key);
    bool fits = item && item->type == JSON_NUMBER && item->is_integer &&
                (item->is_negative || item->integer <= INT64_MAX);
    return fits ? (int64_t)item->integer : fallback;
}

double json_get_double(const struct json_value *v, const char *key, double fallback)
{
    const struct json_value *item = json_get(v, key);
    return item && item->type == JSON_NUMBER ? item->number : fallback;
}

const char *json_get_string(const struct json_value *v, const char *key, const char *fallback)
{
    const struct json_value *item = json_get(v, key);
    return item && item->type == JSON_STRING ? item->text : fallback;
}

bool json_get_bool(const struct json_value *v, const char *key, bool fallback)
{
    const struct json_value *item = json_get(v, key);
    return item && item->type == JSON_BOOL ? item->boolean : fallback;
}
