/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The intents of composable samplers. Only ComposableParentThreshold looks at the
 * parent's flag, and no threshold depends on the randomness it is compared with: the
 * one decision is made by whoever asks.
 */
#include "pipe/compose.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/ratio.h"

/* ---- conditions ---- */

/* '?' is one character (byte), '*' any number. Goes back to the last star only. */
static bool fits(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool any_fits(const char *const *patterns, const char *text)
{
    for (; *patterns; patterns++)
        if (fits(*patterns, text))
            return true;
    return false;
}

static void write_text(const struct model_value *v, char *out, size_t n)
{
    if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES)
        snprintf(out, n, "%.*s", (int)v->v.str.n, v->v.str.p);
    else if (v->type == ORIEL_TYPE_BOOL)
        snprintf(out, n, "%s", v->v.b ? "true" : "false");
    else if (v->type == ORIEL_TYPE_I64)
        snprintf(out, n, "%lld", (long long)v->v.i64);
    else if (v->type == ORIEL_TYPE_F64)
        snprintf(out, n, "%.15g", v->v.f64);
    else
        snprintf(out, n, "%llu", (unsigned long long)v->v.u64);
}

static bool is_key(const struct model_value *v, const char *key, size_t n)
{
    return v->key.n == n && memcmp(v->key.p, key, n) == 0;
}

/* Attributes that are no texts have their usual form; false: it has none of this key. What is
 * longer than `n` is cut, and so fits what is as long only. */
static bool text_of(const struct compose_span *s, const char *key, char *out, size_t n)
{
    struct model_values it;
    struct model_value v;
    const size_t key_n = strlen(key);
    for (size_t i = 0; i < s->value_count; i++)
        if (is_key(&s->values[i], key, key_n)) {
            write_text(&s->values[i], out, n);
            return true;
        }
    if (!s->begin || !s->begin->raw)
        return false;
    model_values_begin(&it, s->begin);
    while (model_values_next(&it, &v))
        if (is_key(&v, key, key_n)) {
            write_text(&v, out, n);
            return true;
        }
    return false;
}

/* SpanKind has no word in a call site: the attribute that bridges use for it. */
static unsigned kind_bit(const struct compose_span *s)
{
    static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
    char text[16];
    if (text_of(s, "otel.kind", text, sizeof text))
        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (strcmp(kinds[k], text) == 0)
                return 2u << k;
    return 2u;
}

static bool has_value(const struct compose_rule *r, const struct compose_span *s)
{
    char text[1024];
    if (!r->key)
        return true;
    if (!text_of(s, r->key, text, sizeof text))
        return false;
    for (const char *const *v = r->values; v && *v; v++)
        if (strcmp(*v, text) == 0)
            return true;
    return false;
}

static bool has_pattern(const struct compose_rule *r, const struct compose_span *s)
{
    char text[1024];
    if (!r->pattern_key)
        return true;
    return text_of(s, r->pattern_key, text, sizeof text) &&
           (!r->included || any_fits(r->included, text)) &&
           !(r->excluded && any_fits(r->excluded, text));
}

static bool rule_fits(const struct compose_rule *r, const struct compose_span *s)
{
    const unsigned parent = s->root     ? COMPOSE_NO_PARENT
                            : s->remote ? COMPOSE_REMOTE
                                        : COMPOSE_LOCAL;
    return (!r->parents || r->parents & parent) && (!r->kinds || r->kinds & kind_bit(s)) &&
           has_value(r, s) && has_pattern(r, s);
}

/* ---- intents ---- */

/* A parent without a threshold was taken in a way that nobody can count with. */
static void go_by_parent(const struct compose_span *s, struct compose_intent *out)
{
    out->reliable = s->parent_threshold < RATIO_NONE;
    out->threshold = out->reliable ? s->parent_threshold : s->parent_sampled ? 0 : RATIO_NONE;
}

static const struct compose *first_rule(const struct compose *c, const struct compose_span *s)
{
    for (size_t i = 0; i < c->rule_count; i++)
        if (rule_fits(&c->rules[i], s))
            return c->rules[i].sampler;
    return NULL;
}

void compose_ask(const struct compose *c, const struct compose_span *span,
                 struct compose_intent *out)
{
    *out = (struct compose_intent){.threshold = RATIO_NONE};
    while (c) {
        switch (c->kind) {
        case COMPOSE_RULES:
            c = first_rule(c, span);
            continue;
        case COMPOSE_NOTES:
            assert(out->note_count < COMPOSE_DEPTH_MAX);
            out->notes[out->note_count++] = c;
            c = c->of;
            continue;
        case COMPOSE_PARENT:
            if (span->root) {
                c = c->of;
                continue;
            }
            go_by_parent(span, out);
            return;
        case COMPOSE_ON:
        case COMPOSE_RATIO:
            out->threshold = c->kind == COMPOSE_ON ? 0 : ratio_threshold(c->ratio);
            out->reliable = out->threshold < RATIO_NONE;
            return;
        case COMPOSE_OFF:
            return;
        }
    }
}

uint64_t compose_usual(const struct compose *c)
{
    while (c && (c->kind == COMPOSE_PARENT || c->kind == COMPOSE_NOTES))
        c = c->of;
    if (!c || c->kind == COMPOSE_OFF)
        return RATIO_NONE;
    return c->kind == COMPOSE_RATIO ? ratio_threshold(c->ratio) : 0;
}

/* ---- copies ---- */

static const char *copy_text(struct arena *arena, const char *from, bool *failed)
{
    const char *to = from ? arena_copy(arena, from, strlen(from)) : NULL;
    *failed = *failed || (from && !to);
    return to;
}

static const char *const *copy_list(struct arena *arena, const char *const *from, bool *failed)
{
    size_t n = 0;
    while (from && from[n])
        n++;
    const char **to =
        from ? arena_alloc(arena, (n + 1) * sizeof *to, _Alignof(const char *)) : NULL;
    *failed = *failed || (from && !to);
    for (size_t i = 0; to && i < n; i++)
        to[i] = copy_text(arena, from[i], failed);
    if (to)
        to[n] = NULL;
    return to;
}

static const struct compose *copy_below(struct arena *arena, const struct compose *from,
                                        unsigned depth);

static const struct compose_rule *copy_rules(struct arena *arena, const struct compose *c,
                                             unsigned depth, bool *failed)
{
    struct compose_rule *to =
        arena_alloc(arena, (c->rule_count + 1) * sizeof *to, _Alignof(struct compose_rule));
    *failed = *failed || !to;
    for (size_t i = 0; to && i < c->rule_count; i++) {
        const struct compose_rule *r = &c->rules[i];
        to[i] = *r;
        to[i].key = copy_text(arena, r->key, failed);
        to[i].values = copy_list(arena, r->values, failed);
        to[i].pattern_key = copy_text(arena, r->pattern_key, failed);
        to[i].included = copy_list(arena, r->included, failed);
        to[i].excluded = copy_list(arena, r->excluded, failed);
        to[i].sampler = copy_below(arena, r->sampler, depth);
        *failed = *failed || !to[i].sampler;
    }
    return to;
}

static const struct compose_note *copy_notes(struct arena *arena, const struct compose *c,
                                             bool *failed)
{
    struct compose_note *to =
        arena_alloc(arena, (c->note_count + 1) * sizeof *to, _Alignof(struct compose_note));
    *failed = *failed || !to;
    for (size_t i = 0; to && i < c->note_count; i++) {
        to[i] = c->notes[i];
        to[i].key = copy_text(arena, c->notes[i].key, failed);
        to[i].text = copy_text(arena, c->notes[i].text, failed);
    }
    return to;
}

static const struct compose *copy_below(struct arena *arena, const struct compose *from,
                                        unsigned depth)
{
    struct compose *to = depth < COMPOSE_DEPTH_MAX && from
                             ? arena_alloc(arena, sizeof *to, _Alignof(struct compose))
                             : NULL;
    bool failed = !to;
    if (failed)
        return NULL;
    *to = *from;
    if (from->of) {
        to->of = copy_below(arena, from->of, depth + 1);
        failed = !to->of;
    }
    to->rules = copy_rules(arena, from, depth + 1, &failed);
    to->notes = copy_notes(arena, from, &failed);
    return failed ? NULL : to;
}

const struct compose *compose_copy(struct arena *arena, const struct compose *from)
{
    return copy_below(arena, from, 0);
}
