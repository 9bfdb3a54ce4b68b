/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * composite/development of OpenTelemetry's declarative configuration: samplers made of
 * samplers, as a tree in the arena of the config. `annotating` is ours: the schema
 * has no word for ComposableAnnotating. One thread.
 */
#include <string.h>

#include "base/compose.h"
#include "config/state.h"
#include "util/num.h"

struct reading {
    struct config *c;
    const char *file;
};

static void *room(struct reading *r, size_t n)
{
    void *p = arena_alloc(&r->c->arena, n ? n : 1, _Alignof(max_align_t));
    r->c->no_memory = r->c->no_memory || !p;
    return p ? memset(p, 0, n) : NULL;
}

static const void *wrong(struct reading *r, const struct yaml_value *v, const char *what)
{
    config_say(r->c, CONFIG_ERROR, "%s:%u: tracer_provider.sampler.composite/development: %s",
               r->file, v->line, what);
    return NULL;
}

/* ---- conditions ---- */

/* NULL also where it was not said. */
static const char *const *texts_of(struct reading *r, const struct yaml_value *v)
{
    if (!v || v->type == YAML_NULL)
        return NULL;
    if (v->type != YAML_SEQUENCE)
        return wrong(r, v, "wants a list of texts");
    const char **list = room(r, (v->count + 1) * sizeof *list);
    size_t n = 0;
    for (const struct yaml_value *m = v->first; list && m; m = m->next) {
        if (!config_model_scalar(m) || m->type == YAML_NULL)
            return wrong(r, m, "wants a list of texts");
        list[n++] = m->text;
    }
    return list;
}

static const char *key_of(struct reading *r, const struct yaml_value *v)
{
    const struct yaml_value *key = yaml_get(v, "key");
    if (!key || !config_model_scalar(key) || key->type == YAML_NULL)
        return wrong(r, v, "wants the key of an attribute");
    return key->text;
}

/* Bits of the words of a list, by their place in `words`. */
static unsigned bits_of(struct reading *r, const struct yaml_value *v, const char *const *words)
{
    unsigned bits = 0;
    for (const char *const *text = texts_of(r, v); text && *text; text++) {
        unsigned i = 0;
        while (words[i] && strcmp(words[i], *text) != 0)
            i++;
        if (!words[i])
            wrong(r, v, "has a word that is none");
        bits |= 1u << i;
    }
    return bits;
}

static const struct compose *sampler_of(struct reading *r, const struct yaml_value *v,
                                        unsigned depth);

static void rule_of(struct reading *r, const struct yaml_value *v, unsigned depth,
                    struct compose_rule *out)
{
    static const char *const kinds[] = {"internal", "server",   "client",
                                        "producer", "consumer", NULL};
    static const char *const parents[] = {"none", "remote", "local", NULL};
    const struct yaml_value *values = yaml_get(v, "attribute_values");
    const struct yaml_value *patterns = yaml_get(v, "attribute_patterns");
    const struct yaml_value *sampler = yaml_get(v, "sampler");
    if (values) {
        out->key = key_of(r, values);
        out->values = texts_of(r, yaml_get(values, "values"));
    }
    if (patterns) {
        out->pattern_key = key_of(r, patterns);
        out->included = texts_of(r, yaml_get(patterns, "included"));
        out->excluded = texts_of(r, yaml_get(patterns, "excluded"));
    }
    out->kinds = bits_of(r, yaml_get(v, "span_kinds"), kinds) << 1;
    out->parents = bits_of(r, yaml_get(v, "parent"), parents);
    if (sampler)
        out->sampler = sampler_of(r, sampler, depth + 1);
    else
        wrong(r, v, "a rule wants its sampler");
}

/* ---- samplers ---- */

static void rules_of(struct reading *r, const struct yaml_value *v, unsigned depth,
                     struct compose *out)
{
    const struct yaml_value *list = yaml_get(v, "rules");
    if (!list || list->type == YAML_NULL)
        return; /* nothing fits */
    struct compose_rule *rules = room(r, list->count * sizeof *rules);
    if (list->type != YAML_SEQUENCE)
        wrong(r, list, "rules want a list");
    for (const struct yaml_value *m = list->first; rules && m; m = m->next)
        rule_of(r, m, depth, &rules[out->rule_count++]);
    out->rules = rules;
}

static void note_of(struct reading *r, const struct yaml_value *v, struct compose_note *out)
{
    const struct yaml_value *name = yaml_get(v, "name"), *value = yaml_get(v, "value");
    if (!name || !value || !config_model_scalar(name) || !config_model_scalar(value)) {
        wrong(r, v, "attributes want names and values");
        return;
    }
    out->key = name->text;
    out->text = value->text;
    out->type = ORIEL_TYPE_STR;
    out->i64 = value->truth;
    if (value->type == YAML_BOOL)
        out->type = ORIEL_TYPE_BOOL;
    else if (value->type == YAML_INTEGER &&
             num_parse_i64(value->text, strlen(value->text), &out->i64) == 0)
        out->type = ORIEL_TYPE_I64;
    else if (value->type == YAML_FLOAT &&
             num_parse_double(value->text, strlen(value->text), &out->f64) == 0)
        out->type = ORIEL_TYPE_F64;
}

static void notes_of(struct reading *r, const struct yaml_value *v, struct compose *out)
{
    const struct yaml_value *list = yaml_get(v, "attributes");
    struct compose_note *notes = list ? room(r, list->count * sizeof *notes) : NULL;
    if (!list || list->type != YAML_SEQUENCE) {
        wrong(r, v, "annotating wants attributes");
        return;
    }
    for (const struct yaml_value *m = list->first; notes && m; m = m->next)
        note_of(r, m, &notes[out->note_count++]);
    out->notes = notes;
}

static void below(struct reading *r, const struct yaml_value *v, const char *name, unsigned depth,
                  struct compose *out)
{
    const struct yaml_value *of = yaml_get(v, name);
    out->of = of ? sampler_of(r, of, depth + 1) : wrong(r, v, "wants the sampler that it is of");
}

static void ratio_of(struct reading *r, const struct yaml_value *v, struct compose *out)
{
    const struct yaml_value *ratio = yaml_get(v, "ratio");
    out->ratio = 1;
    if (!ratio || ratio->type == YAML_NULL)
        return;
    if ((ratio->type != YAML_INTEGER && ratio->type != YAML_FLOAT) ||
        num_parse_double(ratio->text, strlen(ratio->text), &out->ratio) != 0 ||
        !(out->ratio >= 0 && out->ratio <= 1))
        wrong(r, ratio, "ratio wants a number from 0 to 1");
}

static const struct compose *sampler_of(struct reading *r, const struct yaml_value *v,
                                        unsigned depth)
{
    static const char *const names[] = {
        [COMPOSE_ON] = "always_on",      [COMPOSE_OFF] = "always_off",
        [COMPOSE_RATIO] = "probability", [COMPOSE_PARENT] = "parent_threshold",
        [COMPOSE_RULES] = "rule_based",  [COMPOSE_NOTES] = "annotating",
    };
    if (depth >= COMPOSE_DEPTH_MAX)
        return wrong(r, v, "is deeper than 10 samplers");
    if (v->type != YAML_MAPPING || v->count != 1)
        return wrong(r, v, "wants one sampler");
    const struct yaml_value *own = v->first;
    struct compose *out = room(r, sizeof *out);
    unsigned kind = 0;
    while (kind <= COMPOSE_NOTES && strcmp(names[kind], own->key) != 0)
        kind++;
    if (kind > COMPOSE_NOTES)
        return wrong(r, own,
                     "wants always_on, always_off, probability, parent_threshold, "
                     "rule_based or annotating");
    if (!out)
        return NULL;
    out->kind = (enum compose_kind)kind;
    if (kind == COMPOSE_RATIO)
        ratio_of(r, own, out);
    else if (kind == COMPOSE_PARENT)
        below(r, own, "root", depth, out);
    else if (kind == COMPOSE_RULES)
        rules_of(r, own, depth, out);
    else if (kind == COMPOSE_NOTES) {
        notes_of(r, own, out);
        below(r, own, "sampler", depth, out);
    }
    return out;
}

void config_read_composite(struct config *c, const char *file, const struct yaml_value *v)
{
    struct reading r = {c, file};
    c->composite = sampler_of(&r, v, 0);
    c->composite_tree = v;
}

const struct compose *config_composite(const struct config *c)
{
    return c->composite;
}
