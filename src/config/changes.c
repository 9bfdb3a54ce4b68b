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
}
