/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two configurations side by side, for a file that was changed while a program
 * runs: what differs, and what the program itself had said, to be said again.
 * One thread.
 */
#include <stdio.h>
#include <string.h>

#include "config/state.h"

enum { KEY_BYTES = 96, TEXT_BYTES = 4096 };

static void key_of(const struct config_part *p, const struct option_def *d, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "%s%s%s", p->name, p->name[0] ? "." : "", d->name);
}

/* Unmasked, unlike option_text; `room` is used where it is no text already. */
static const char *raw_text(const struct option_def *d, const void *values, char *room, size_t n)
{
    const char *text;
    if (d->type == OPTION_STRING) {
        memcpy(&text, (const char *)values + d->offset, sizeof text);
        return text ? text : "";
    }
    option_text(d, values, room, n);
    return room;
}

int config_each_code(const struct config *c, config_code_fn *each, void *user)
{
    for (size_t i = 0; i < c->part_count; i++) {
        const struct config_part *p = &c->parts[i];
        for (size_t k = 0; k < p->count; k++) {
            char key[KEY_BYTES], room[TEXT_BYTES];
            if (p->origins[k].layer != CONFIG_CODE)
                continue;
            key_of(p, &p->defs[k], key);
            int rc = each(user, key, raw_text(&p->defs[k], p->values, room, sizeof room));
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* Of a section that both have. */
static void section_changes(const struct config_part *a, const struct config_part *b,
                            config_change_fn *each, void *user)
{
    for (size_t k = 0; k < a->count; k++) {
        char key[KEY_BYTES], was[TEXT_BYTES], is[TEXT_BYTES];
        const struct option_def *d = &a->defs[k];
        if (strcmp(raw_text(d, a->values, was, sizeof was),
                   raw_text(d, b->values, is, sizeof is)) == 0)
            continue;
        key_of(a, d, key);
        option_text(d, a->values, was, sizeof was);
        option_text(d, b->values, is, sizeof is);
        each(user, key, was, is);
    }
}

/* ---- what stands in trees ---- */

enum { PLACE_BYTES = 256, PLACES_MAX = 8 /* told of one tree */ };
struct places {
    config_change_fn *each;
    void *user;
    unsigned count;
    char place[PLACE_BYTES];
};

static bool is_table(const struct yaml_value *v)
{
    return v && !config_model_scalar(v);
}

static const char *shown(const struct yaml_value *v)
{
    return !v            ? ""
           : is_table(v) ? "there"
           : v->expanded ? "***" /* out of a variable, as a secret may be */
                         : v->text;
}

static void differ(struct places *p, const struct yaml_value *a, const struct yaml_value *b)
{
    if (p->count++ < PLACES_MAX)
        p->each(p->user, p->place, shown(a), shown(b));
    else if (p->count == PLACES_MAX + 1)
        p->each(p->user, p->place, "", "and more");
}

static void compare(struct places *p, const struct yaml_value *a, const struct yaml_value *b);

static void compare_below(struct places *p, const char *name, const struct yaml_value *a,
                          const struct yaml_value *b)
{
    const size_t n = strlen(p->place);
    snprintf(p->place + n, sizeof p->place - n, ".%s", name);
    compare(p, a, b);
    p->place[n] = 0;
}

static void compare_lists(struct places *p, const struct yaml_value *a, const struct yaml_value *b)
{
    unsigned i = 0;
    for (a = a->first, b = b->first; a || b; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        compare_below(p, name, a, b);
        a = a ? a->next : NULL;
        b = b ? b->next : NULL;
    }
}

/* As deep as yaml_read lets it be. */
static void compare(struct places *p, const struct yaml_value *a, const struct yaml_value *b)
{
    if (!a && !b)
        return;
    if (!is_table(a) || !is_table(b) || a->type != b->type) {
        if (!a || !b || a->type != b->type || strcmp(a->text, b->text) != 0)
            differ(p, a, b);
        return;
    }
    if (a->type == YAML_SEQUENCE) {
        compare_lists(p, a, b);
        return;
    }
    for (const struct yaml_value *m = a->first; m; m = m->next)
        compare_below(p, m->key, m, yaml_get(b, m->key));
    for (const struct yaml_value *m = b->first; m; m = m->next)
        if (!yaml_get(a, m->key))
            compare_below(p, m->key, NULL, m);
}

static void tree_changes(const char *name, const struct yaml_value *a, const struct yaml_value *b,
                         config_change_fn *each, void *user)
{
    struct places p = {.each = each, .user = user};
    snprintf(p.place, sizeof p.place, "%s", name);
    compare(&p, a, b);
}

static void note_change(void *changed, const char *key, const char *was, const char *is)
{
    (void)key;
    (void)was;
    (void)is;
    *(bool *)changed = true;
}

bool config_composite_same(const struct config *a, const struct config *b)
{
    bool changed = false;
    tree_changes("", a->composite_tree, b->composite_tree, note_change, &changed);
    return !changed;
}

/* One after the other, as they were named. */
static void component_changes(const struct config *before, const struct config *now,
                              config_change_fn *each, void *user)
{
    const size_t n = before->components.count, m = now->components.count;
    for (size_t i = 0; i < n || i < m; i++) {
        const struct config_component *a = i < n ? &before->components.items[i] : NULL;
        const struct config_component *b = i < m ? &now->components.items[i] : NULL;
        char name[KEY_BYTES];
        snprintf(name, sizeof name, "exporter.%s", a ? a->name : b->name);
        if (a && b && (a->logs != b->logs || strcmp(a->name, b->name) != 0))
            each(user, name, a->name, b->name);
        else
            tree_changes(name, a ? a->properties : NULL, b ? b->properties : NULL, each, user);
    }
}

void config_changes(const struct config *before, const struct config *now, config_change_fn *each,
                    void *user)
{
    for (size_t i = 0; i < before->part_count; i++) {
        const struct config_part *a = &before->parts[i];
        const struct config_part *b = config_part_find(now, a->name, strlen(a->name));
        if (b)
            section_changes(a, b, each, user);
        else
            each(user, a->name, "there", "");
    }
    for (size_t i = 0; i < now->part_count; i++)
        if (!config_part_find(before, now->parts[i].name, strlen(now->parts[i].name)))
            each(user, now->parts[i].name, "", "there");
    tree_changes(CONFIG_COMPOSITE_KEY, before->composite_tree, now->composite_tree, each, user);
    component_changes(before, now, each, user);
}
