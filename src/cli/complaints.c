/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Groups lines about files by what they say. There are few kinds: each is
 * compared with each.
 */
#include "cli/complaints.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Past what stands in parentheses; a text that does not end them has none. */
static const char *skip_name(const char *at)
{
    const char *end = *at == '(' ? strchr(at, ')') : NULL;
    return end ? end + 1 : at;
}

static bool say_the_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        a = skip_name(a);
        b = skip_name(b);
        if (*a != *b || !*a)
            return *a == *b;
    }
}

bool complaints_add(struct complaints *c, const char *path, const char *text)
{
    /* A path that was cut to fit into the text is as long as it is there. */
    size_t n = 0;
    while (path[n] && path[n] == text[n])
        n++;
    assert(c->items.count <= c->items.capacity);
    for (size_t i = 0; i < c->items.count; i++) {
        struct complaint *known = &c->items.items[i];
        if (say_the_same(known->text + known->path, text + n)) {
            known->files++;
            return true;
        }
    }
    struct complaint *new = VEC_PUSH(&c->items);
    if (new)
        *new = (struct complaint){text, n, 1};
    return new != NULL;
}

void complaints_line(const struct complaint *c, char *out, size_t size)
{
    assert(c->files > 0 && size > 0);
    if (c->files == 1)
        snprintf(out, size, "%s", c->text);
    else
        snprintf(out, size, "%zu files, such as %s", c->files, c->text);
}

void complaints_done(struct complaints *c)
{
    VEC_DONE(&c->items);
}
