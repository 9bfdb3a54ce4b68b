/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Baggage: a container of bounded size, and the W3C header it travels in. Pure
 * functions, any thread, signal-safe.
 *
 * In `room` the members stand one behind the other: the lengths of name, value
 * and properties, two bytes each, then these texts, decoded.
 */
#include "rec/propagate.h"

#include <assert.h>

#include "base/err.h"

enum { LENGTHS = 6 };
static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- the container ---- */

/* The member at *at, which then is where the next one begins; false: none is there,
 * or its lengths go beyond what there is. */
static bool next_member(const struct oriel_baggage *b, size_t *at, struct oriel_baggage_member *out)
{
    uint16_t n[3];
    size_t bytes = b->bytes <= sizeof b->room ? b->bytes : 0;
    if (*at + LENGTHS > bytes)
        return false;
    memcpy(n, b->room + *at, sizeof n);
    const char *text = (const char *)b->room + *at + LENGTHS;
    size_t end = *at + LENGTHS + n[0] + n[1] + n[2];
    if (end > bytes)
        return false;
    *out = (struct oriel_baggage_member){text, text + n[0], text + n[0] + n[1], n[0], n[1], n[2]};
    *at = end;
    return true;
}

static bool is_named(const struct oriel_baggage_member *m, struct slice name)
{
    return m->name_bytes == name.n && memcmp(m->name, name.p, name.n) == 0;
}

/* Where the member of that name begins; false: there is none. */
static bool find_member(const struct oriel_baggage *b, struct slice name, size_t *out_at,
                        struct oriel_baggage_member *out)
{
    size_t at = 0;
    do
        *out_at = at;
    while (next_member(b, &at, out) && !is_named(out, name));
    return at > *out_at;
}

static void cut_member(struct oriel_baggage *b, size_t at, const struct oriel_baggage_member *m)
{
    size_t n = LENGTHS + m->name_bytes + m->value_bytes + m->properties_bytes;
    assert(at + n <= b->bytes && b->count > 0);
    memmove(b->room + at, b->room + at + n, b->bytes - at - n);
    b->bytes -= (uint32_t)n;
    b->count--;
}

int baggage_put(struct oriel_baggage *b, struct slice name, struct slice value,
                struct slice properties)
{
    struct oriel_baggage_member old;
    size_t at, wanted = LENGTHS + name.n + value.n + properties.n, freed = 0;
    bool there = find_member(b, name, &at, &old);
    if (there)
        freed = LENGTHS + old.name_bytes + old.value_bytes + old.properties_bytes;
    if (wanted > sizeof b->room || b->bytes - freed + wanted > sizeof b->room ||
        (!there && b->count >= ORIEL_BAGGAGE_MEMBERS))
        return ORIEL_ELIMIT;
    if (there)
        cut_member(b, at, &old);
    uint16_t n[3] = {(uint16_t)name.n, (uint16_t)value.n, (uint16_t)properties.n};
    char *to = (char *)b->room + b->bytes;
    memcpy(to, n, sizeof n);
    memcpy(to + LENGTHS, name.p, name.n);
    memcpy(to + LENGTHS + name.n, value.p, value.n);
    if (properties.n)
        memcpy(to + LENGTHS + name.n + value.n, properties.p, properties.n);
    b->bytes += (uint32_t)wanted;
    b->count++;
    return 0;
}

size_t utf8_length(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!n)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf8 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    bool right = c >= least[length] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    return right ? length : 0;
}

static bool is_utf8(struct slice s)
{
    while (s.n) {
        size_t n = utf8_length((const unsigned char *)s.p, s.n);
        if (!n)
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

static bool is_properties(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ',' || s.p[i] > 0x7e || (s.p[i] < 0x20 && s.p[i] != '\t'))
            return false;
    return true;
}

/* What is in use of it; NULL is empty. */
static void copy_baggage(struct oriel_baggage *to, const struct oriel_baggage *from)
{
    bool usable = from && from->bytes <= sizeof from->room;
    to->count = usable ? from->count : 0;
    to->bytes = usable ? from->bytes : 0;
    if (to->bytes)
        memcpy(to->room, from->room, to->bytes);
}

int oriel_baggage_set(const struct oriel_baggage *from, const char *name, const char *value,
                      const char *properties, struct oriel_baggage *out)
{
    struct slice key = {name, name ? strlen(name) : 0}, text = {value, value ? strlen(value) : 0};
    struct slice more = {properties, properties ? strlen(properties) : 0};
    if (!key.n || !value || !is_utf8(key) || !is_utf8(text) || !is_properties(more))
        return ORIEL_EINVAL;
    if (out == from)
        return baggage_put(out, key, text, slice_trim(more));
    struct oriel_baggage made;
    copy_baggage(&made, from);
    int rc = baggage_put(&made, key, text, slice_trim(more));
    if (rc == 0)
        copy_baggage(out, &made);
    return rc;
}

void oriel_baggage_remove(const struct oriel_baggage *from, const char *name,
                          struct oriel_baggage *out)
{
    struct oriel_baggage_member m;
    size_t at;
    if (from != out)
        copy_baggage(out, from);
    if (name && find_member(out, (struct slice){name, strlen(name)}, &at, &m))
        cut_member(out, at, &m);
}

void oriel_baggage_clear(struct oriel_baggage *b)
{
    b->count = b->bytes = 0;
}

bool oriel_baggage_get(const struct oriel_baggage *b, const char *name,
                       struct oriel_baggage_member *out)
{
    struct oriel_baggage_member m;
    size_t at;
    if (!b || !name || !find_member(b, (struct slice){name, strlen(name)}, &at, &m))
        return false;
    *out = m;
    return true;
}

bool oriel_baggage_at(const struct oriel_baggage *b, size_t index, struct oriel_baggage_member *out)
{
    struct oriel_baggage_member m;
    size_t at = 0;
    if (!b)
        return false;
    for (size_t i = 0; next_member(b, &at, &m); i++)
        if (i == index) {
            *out = m;
            return true;
        }
    return false;
}

/* ---- percent-encoding ---- */

/* What needs no encoding anywhere: readers differ in what they decode and split at. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("-_.!~*'()", c));
}

static bool is_escape(struct slice s, size_t i)
{
    return s.p[i] == '%' && i + 2 < s.n && hex_any(s.p[i + 1]) < 16 && hex_any(s.p[i + 2]) < 16;
}

static char *put_escape(char *at, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    *at++ = '%';
    *at++ = digits[(unsigned char)c >> 4];
    *at++ = digits[c & 15];
    return at;
}

size_t percent_encode(struct slice s, char *out)
{
    char *at = out;
    for (size_t i = 0; i < s.n; i++) {
        if (is_plain(s.p[i]))
            *at++ = s.p[i];
        else
            at = put_escape(at, s.p[i]);
    }
    return (size_t)(at - out);
}

/* The byte that a character or an escape stands for. */
static char decode_one(struct slice s, size_t *i)
{
    if (!is_escape(s, *i))
        return s.p[(*i)++];
    *i += 3;
    return (char)(hex_any(s.p[*i - 2]) << 4 | hex_any(s.p[*i - 1]));
}

size_t percent_decode(struct slice s, char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        char c[4];
        size_t at = i, have = 0, after[4];
        for (; have < sizeof c && at < s.n; have++) { /* the longest sequence there could be */
            c[have] = decode_one(s, &at);
            after[have] = at;
        }
        size_t length = utf8_length((const unsigned char *)c, have);
        const char *from = length ? c : REPLACEMENT;
        size_t bytes = length ? length : sizeof REPLACEMENT - 1;
        if (n + bytes > room)
            return SIZE_MAX;
        memcpy(out + n, from, bytes);
        n += bytes;
        i = after[length ? length - 1 : 0];
    }
    return n;
}

/* ---- the header ---- */

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* W3C Baggage, baggage-octet. */
static bool is_octets(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e || strchr("\",;\\", s.p[i]))
            return false;
    return true;
}

static bool take_member(struct oriel_baggage *b, struct slice member)
{
    char decoded[ORIEL_BAGGAGE_BYTES];
    struct slice rest = member, pair;
    if (!slice_next(&rest, ';', &pair))
        return false;
    struct slice properties = rest.p ? slice_trim(rest) : (struct slice){"", 0};
    const char *equals = memchr(pair.p, '=', pair.n);
    if (!equals)
        return false;
    struct slice key = slice_trim((struct slice){pair.p, (size_t)(equals - pair.p)});
    struct slice text =
        slice_trim((struct slice){equals + 1, pair.n - (size_t)(equals + 1 - pair.p)});
    if (!is_name(key) || !is_octets(text) || !is_properties(properties))
        return false;
    size_t name = percent_decode(key, decoded, sizeof decoded);
    size_t value =
        name == SIZE_MAX ? SIZE_MAX : percent_decode(text, decoded + name, sizeof decoded - name);
    return value != SIZE_MAX && baggage_put(b, (struct slice){decoded, name},
                                            (struct slice){decoded + name, value}, properties) == 0;
}

size_t oriel_baggage_parse(struct oriel_baggage *b, const char *text, size_t bytes)
{
    struct slice rest = {text, text ? bytes : 0}, member;
    size_t refused = 0;
    while (slice_next(&rest, ',', &member)) {
        member = slice_trim(member);
        if (member.n && !take_member(b, member))
            refused++;
    }
    return refused;
}

/* A text in pieces, as long as it is below the limit. */
struct piece_writer {
    char *out;
    size_t n, limit;
    bool full;
};

static void put_piece(struct piece_writer *w, const char *p, size_t n)
{
    w->full |= n > w->limit - w->n;
    if (w->full)
        return;
    if (n)
        memcpy(w->out + w->n, p, n);
    w->n += n;
}

/* A name is a token of the header and stays as it came, but for what is none, and for the
 * one that would be decoded: some readers give the whole header up for a wrong escape. */
static void put_encoded(struct piece_writer *w, struct slice s, bool name)
{
    char escape[3];
    for (size_t i = 0; i < s.n && !w->full; i++) {
        bool kept = name ? is_token_char(s.p[i]) && s.p[i] != '%' : is_plain(s.p[i]);
        if (!kept)
            put_escape(escape, s.p[i]);
        put_piece(w, kept ? &s.p[i] : escape, kept ? 1 : sizeof escape);
    }
}

size_t oriel_baggage_format(const struct oriel_baggage *b, char *out, size_t room)
{
    struct oriel_baggage_member m;
    size_t at = 0;
    if (!room)
        return 0;
    struct piece_writer w = {
        out, 0, room - 1 < ORIEL_BAGGAGE_BYTES ? room - 1 : ORIEL_BAGGAGE_BYTES, false};
    while (b && next_member(b, &at, &m)) {
        size_t before = w.n;
        put_piece(&w, ",", w.n > 0);
        put_encoded(&w, (struct slice){m.name, m.name_bytes}, true);
        put_piece(&w, "=", 1);
        put_encoded(&w, (struct slice){m.value, m.value_bytes}, false);
        put_piece(&w, ";", m.properties_bytes > 0);
        put_piece(&w, m.properties, m.properties_bytes);
        if (w.full)
            w.n = before;
        w.full = false;
    }
    out[w.n] = 0;
    return w.n;
}

__attribute__((noinline)) void baggage_inject(const struct oriel_baggage *b, struct writer *w)
{
    char text[ORIEL_BAGGAGE_BYTES + 1];
    size_t n = oriel_baggage_format(b, text, sizeof text);
    if (n)
        write_header(w, "baggage", text, n);
}

void baggage_extract(const struct reader *r, struct oriel_baggage *b)
{
    struct slice header;
    for (size_t i = 0; (header = read_header(r, "baggage", i)).p; i++)
        oriel_baggage_parse(b, header.p, header.n);
}
