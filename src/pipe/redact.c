/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Redaction works on finished items, before any message is formatted from
 * their values and before any text is cut. A new kind of secret is a row in
 * the table of rules.
 */
#include "pipe/redact.h"

#include <assert.h>

#include "pipe/attrs.h"
#include "secret/scrub.h"

enum { SECRETS_MAX = 32 }; /* texts looked for per item; beyond it: whole texts go */

static bool is_marked(const struct model_value *value)
{
    return value->flags & ORIEL_FIELD_SECRET;
}

/* The catalog has looked at the names, once per site. */
static bool is_keyed(const struct model_value *value)
{
    return value->flags & MODEL_FIELD_KEYED;
}

static const struct redact_rule rules[] = {
    {"marked at the call site", is_marked},
    {"named as secrets are", is_keyed},
};

static bool is_secret(const struct model_value *value)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].matches(value))
            return true;
    return false;
}

struct secrets {
    struct model_str texts[SECRETS_MAX];
    uint32_t count;
    bool too_many;
    uint64_t redacted;
};

static void remember(struct secrets *s, struct model_str text)
{
    if (text.n < REDACT_SEARCH_MIN)
        return;
    if (s->count < SECRETS_MAX)
        s->texts[s->count++] = text;
    else
        s->too_many = true;
}

static void replace(struct secrets *s, struct model_value *v)
{
    if (attrs_has_text(v))
        remember(s, v->v.str);
    v->type = ORIEL_TYPE_STR;
    v->flags |= MODEL_VALUE_REDACTED;
    v->flags &= (uint8_t) ~(MODEL_VALUE_TRUNCATED | ORIEL_FIELD_NESTED);
    v->v.str = MODEL_STR(REDACT_TEXT);
    v->full_bytes = v->v.str.n;
    s->redacted++;
}

/* The text with every occurrence of the secret replaced. */
static struct model_str without(struct model_str text, struct model_str secret, struct arena *arena)
{
    static const struct model_str mark = {REDACT_TEXT, sizeof REDACT_TEXT - 1};
    const char *from = text.p, *end = text.p + text.n, *hit;
    size_t hits = 0;
    assert(secret.n > 0);
    for (; (hit = memmem(from, (size_t)(end - from), secret.p, secret.n)); from = hit + secret.n)
        hits++;
    if (!hits)
        return text;
    size_t n = text.n - hits * secret.n + hits * mark.n;
    char *to = n <= UINT32_MAX ? arena_alloc(arena, n, 1) : NULL;
    if (!to)
        return mark;
    struct model_str out = {to, (uint32_t)n};
    for (from = text.p; (hit = memmem(from, (size_t)(end - from), secret.p, secret.n));
         from = hit + secret.n) {
        to = mempcpy(to, from, (size_t)(hit - from));
        to = mempcpy(to, mark.p, mark.n);
    }
    memcpy(to, from, (size_t)(end - from));
    return out;
}

static void scrub(const struct secrets *s, struct model_str *text, struct arena *arena)
{
    if (s->too_many && text->n)
        *text = MODEL_STR(REDACT_TEXT);
    for (uint32_t i = 0; i < s->count; i++)
        if (text->n >= s->texts[i].n)
            *text = without(*text, s->texts[i], arena);
}

/* The text without what looks like a secret. It is copied only where there is one. */
static bool guess(struct model_str *text, struct arena *arena)
{
    struct scrub_hit hit;
    if (!scrub_find(text->p, text->n, 0, SCRUB_TEXTS, &hit))
        return false;
    char *copy = arena_copy(arena, text->p, text->n);
    if (copy)
        *text = (struct model_str){copy, (uint32_t)scrub_in_place(copy, text->n, SCRUB_TEXTS)};
    else
        *text = MODEL_STR(REDACT_TEXT);
    return true;
}

static void guess_values(struct secrets *s, struct model_value *values, uint32_t n,
                         struct arena *arena)
{
    for (uint32_t i = 0; i < n; i++) {
        struct model_value *v = &values[i];
        if (!attrs_has_text(v) || (v->flags & MODEL_VALUE_REDACTED) || !guess(&v->v.str, arena))
            continue;
        v->full_bytes = v->v.str.n;
        s->redacted++;
    }
}

uint32_t redact_made(char *text, uint32_t n)
{
    return (uint32_t)scrub_in_place(text, n, SCRUB_TEXTS);
}

static void redact_values(struct secrets *s, struct model_value *values, uint32_t n,
                          struct arena *arena)
{
    uint64_t before = s->redacted;
    for (uint32_t i = 0; i < n; i++)
        if (is_secret(&values[i]))
            replace(s, &values[i]);
    guess_values(s, values, n, arena);
    if (s->redacted == before)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct model_value *v = &values[i];
        if (!attrs_has_text(v) || (v->flags & MODEL_VALUE_REDACTED))
            continue;
        uint32_t bytes = v->v.str.n;
        scrub(s, &v->v.str, arena);
        if (v->v.str.n != bytes) /* its own length would tell that of the secret */
            v->full_bytes = v->v.str.n;
    }
}

static void redact_text(struct secrets *s, struct model_str *text, struct arena *arena)
{
    scrub(s, text, arena);
    s->redacted += guess(text, arena);
}

static void redact_span(struct secrets *s, struct model_span *span, struct arena *arena)
{
    redact_values(s, (struct model_value *)span->attrs, span->attr_count, arena);
    if (span->flags & MODEL_SPAN_RENAMED)
        redact_text(s, &((struct model_value *)span->attrs)[span->attr_count].v.str, arena);
    struct model_link *links = (struct model_link *)span->links;
    for (uint32_t i = 0; i < span->link_count; i++) {
        redact_values(s, (struct model_value *)links[i].attrs, links[i].attr_count, arena);
        redact_text(s, &links[i].trace_state, arena);
    }
    redact_text(s, &span->status_message, arena);
    redact_text(s, &span->trace_state, arena);
}

uint64_t redact_item(struct model_item *item, struct arena *arena)
{
    struct secrets s; /* texts are set as far as counted: zeroing them all would cost more */
    s.count = 0;
    s.too_many = false;
    s.redacted = 0;
    /* The pipe made these arrays; they are const for those who come later. */
    switch (item->kind) {
    case MODEL_ITEM_SPAN:
        redact_span(&s, &item->u.span, arena);
        break;
    case MODEL_ITEM_EVENT:
        redact_values(&s, (struct model_value *)item->u.event.attrs, item->u.event.attr_count,
                      arena);
        break;
    case MODEL_ITEM_PLOT:
        redact_values(&s, &item->u.plot.value, 1, arena);
        break;
    case MODEL_ITEM_FRAME:
    case MODEL_ITEM_TASK:
    case MODEL_ITEM_LOSS:
    case MODEL_ITEM_SAMPLE:
        break;
    }
    return s.redacted;
}
