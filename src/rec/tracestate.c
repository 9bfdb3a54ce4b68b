/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * W3C tracestate: a list of up to 32 members "key=value", newest first. Read
 * as slices of the headers, checked as a whole, then copied. Pure functions,
 * any thread, signal-safe.
 *
 * Keys as level 1 has them ("vendor", "tenant@vendor"), and those of level 2
 * that begin with a digit. A value is 1 to 256 printable characters, neither
 * "," nor "=", and no blank at its end.
 */
#include "rec/propagate.h"

#include <assert.h>

#include "base/err.h"

enum {
    KEY_MAX = 256,
    TENANT_MAX = 241,
    SYSTEM_MAX = 14,
    STATE_VALUE_MAX = 256,
    LARGE_MEMBER = 128
};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_lower_or_digit(char c)
{
    return is_lower(c) || (c >= '0' && c <= '9');
}

static bool has_key_chars(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_lower_or_digit(p[i]) && p[i] != '_' && p[i] != '-' && p[i] != '*' && p[i] != '/')
            return false;
    return true;
}

static bool is_key(struct slice key)
{
    const char *at = key.n ? memchr(key.p, '@', key.n) : NULL;
    if (!key.n || !is_lower_or_digit(key.p[0]))
        return false;
    if (!at)
        return key.n <= KEY_MAX && has_key_chars(key.p, key.n);
    size_t tenant = (size_t)(at - key.p), system = key.n - tenant - 1;
    return tenant <= TENANT_MAX && system >= 1 && system <= SYSTEM_MAX && is_lower(at[1]) &&
           has_key_chars(key.p, tenant) && has_key_chars(at + 1, system);
}

static bool is_state_value(struct slice value)
{
    if (!value.n || value.n > STATE_VALUE_MAX || value.p[value.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < 0x20 || value.p[i] > 0x7e || value.p[i] == ',' || value.p[i] == '=')
            return false;
    return true;
}

static bool same_text(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static size_t find_key(const struct state_members *m, struct slice key)
{
    size_t i = 0;
    while (i < m->count && !same_text(m->at[i].key, key))
        i++;
    return i;
}

bool state_add(struct state_members *m, struct slice header)
{
    struct slice member;
    while (slice_next(&header, ',', &member)) {
        member = slice_trim(member);
        if (!member.n)
            continue; /* empty ones are allowed, and mean nothing */
        const char *equals = memchr(member.p, '=', member.n);
        size_t n = equals ? (size_t)(equals - member.p) : member.n;
        struct slice key = {member.p, n}, value = {member.p + n + 1, member.n - n - 1};
        if (!equals || !is_key(key) || !is_state_value(value) ||
            m->total == ORIEL_TRACESTATE_MEMBERS)
            return false;
        m->total++;
        if (find_key(m, key) < m->count)
            continue; /* the one before it is newer */
        m->at[m->count].key = key;
        m->at[m->count++].value = value;
    }
    return true;
}

static size_t member_bytes(const struct state_members *m, size_t i)
{
    return m->at[i].key.n + 1 + m->at[i].value.n;
}

static size_t list_bytes(const struct state_members *m)
{
    size_t bytes = m->count ? m->count - 1 : 0;
    for (size_t i = 0; i < m->count; i++)
        bytes += member_bytes(m, i);
    return bytes;
}

static void drop_member(struct state_members *m, size_t i)
{
    assert(i < m->count);
    m->count--;
    memmove(&m->at[i], &m->at[i + 1], (m->count - i) * sizeof m->at[0]);
}

/* Level 1, 3.3.1.5: large members are the first to go, then the oldest. */
static void limit_bytes(struct state_members *m)
{
    for (size_t i = m->count; i > 0 && list_bytes(m) > ORIEL_TRACESTATE_BYTES; i--)
        if (member_bytes(m, i - 1) > LARGE_MEMBER)
            drop_member(m, i - 1);
    while (list_bytes(m) > ORIEL_TRACESTATE_BYTES)
        m->count--;
}

void state_write(struct state_members *m, struct oriel_context *c)
{
    char text[ORIEL_TRACESTATE_BYTES], *at = text; /* slices may lie in c */
    limit_bytes(m);
    for (size_t i = 0; i < m->count; i++) {
        if (i)
            *at++ = ',';
        at = (char *)memcpy(at, m->at[i].key.p, m->at[i].key.n) + m->at[i].key.n;
        *at++ = '=';
        at = (char *)memcpy(at, m->at[i].value.p, m->at[i].value.n) + m->at[i].value.n;
    }
    c->state_bytes = (uint16_t)(at - text);
    memcpy(c->state, text, c->state_bytes);
    c->state[c->state_bytes] = 0;
}

int oriel_tracestate_parse(struct oriel_context *c, const char *text, size_t bytes)
{
    struct state_members m;
    state_begin(&m);
    bool good = !text || state_add(&m, (struct slice){text, bytes});
    if (!good)
        m.count = 0;
    state_write(&m, c);
    return good ? 0 : ORIEL_EFORMAT;
}

/* Of a context, which anybody may have filled. */
static void members_of(const struct oriel_context *c, struct state_members *m)
{
    state_begin(m);
    if (c->state_bytes > ORIEL_TRACESTATE_BYTES ||
        !state_add(m, (struct slice){c->state, c->state_bytes}))
        m->count = 0;
}

const char *oriel_tracestate_get(const struct oriel_context *c, const char *name, size_t *out_bytes)
{
    struct state_members m;
    members_of(c, &m);
    size_t i = find_key(&m, (struct slice){name, strlen(name)});
    if (i == m.count)
        return NULL;
    *out_bytes = m.at[i].value.n;
    return m.at[i].value.p;
}

static bool is_reserved(struct slice key)
{
    return slice_equal(key, "ot");
}

__attribute__((cold)) int oriel_tracestate_set(struct oriel_context *c, const char *name,
                                               const char *value)
{
    struct slice key = {name, strlen(name)}, text = {value, strlen(value)};
    struct state_members m;
    members_of(c, &m);
    if (is_reserved(key) || !is_key(key) || !is_state_value(text))
        return ORIEL_EINVAL;
    size_t i = find_key(&m, key);
    if (i < m.count)
        drop_member(&m, i);
    if (m.count == ORIEL_TRACESTATE_MEMBERS)
        return ORIEL_ELIMIT;
    memmove(&m.at[1], &m.at[0], m.count * sizeof m.at[0]);
    m.at[0].key = key;
    m.at[0].value = text;
    m.count++;
    if (list_bytes(&m) > ORIEL_TRACESTATE_BYTES)
        return ORIEL_ELIMIT;
    state_write(&m, c);
    return 0;
}

__attribute__((cold)) int oriel_tracestate_remove(struct oriel_context *c, const char *name)
{
    struct slice key = {name, strlen(name)};
    struct state_members m;
    members_of(c, &m);
    size_t i = find_key(&m, key);
    if (is_reserved(key))
        return ORIEL_EINVAL;
    if (i < m.count)
        drop_member(&m, i);
    state_write(&m, c);
    return 0;
}
