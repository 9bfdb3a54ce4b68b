/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Values of the program's own in contexts: a list from the last one set to the
 * first, in places of the caller's, that contexts share and nobody changes.
 * Any thread, signal-safe; nothing here allocates or goes on without end.
 */
#include "rec/propagate.h"

#include <assert.h>

#include "base/err.h"

struct oriel_context_key oriel_context_key_new(const char *name)
{
    static uint64_t last;
    /* Relaxed: only that each is another number matters. */
    uint64_t id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    return (struct oriel_context_key){id, name};
}

/* The value of a key; *out_count is how many were looked at. A list is never longer than it may
 * be, unless a place was used again: then it may be a ring, too. */
static const struct oriel_context_value *find_value(const struct oriel_context_value *list,
                                                    uint64_t id, uint32_t *out_count)
{
    uint32_t n = 0;
    while (list && list->key.id != id && n < ORIEL_CONTEXT_VALUES_MAX) {
        list = list->next;
        n++;
    }
    *out_count = n;
    return list && list->key.id == id ? list : NULL;
}

static bool uses(const struct oriel_context_value *list, const struct oriel_context_value *room)
{
    for (uint32_t n = 0; list && n < ORIEL_CONTEXT_VALUES_MAX; n++, list = list->next)
        if (list == room)
            return true;
    return false;
}

void *oriel_context_get(const struct oriel_context *c, struct oriel_context_key key)
{
    uint32_t count;
    const struct oriel_context_value *found =
        key.id ? find_value(c ? c->values : rec_current_values(), key.id, &count) : NULL;
    assert(!found || found->key.id == key.id);
    return found ? found->value : NULL;
}

int oriel_context_set(const struct oriel_context *from, struct oriel_context_key key, void *value,
                      struct oriel_context_value *room, struct oriel_context *out)
{
    const struct oriel_context_value *list = from ? from->values : rec_current_values();
    uint32_t count;
    if (!key.id || !room || !out || uses(list, room))
        return ORIEL_EINVAL;
    (void)find_value(list, 0, &count);
    if (count >= ORIEL_CONTEXT_VALUES_MAX)
        return ORIEL_ELIMIT;
    if (!from)
        (void)oriel_context_current(out);
    else if (from != out)
        *out = *from;
    *room = (struct oriel_context_value){key, value, list};
    out->values = room;
    assert(oriel_context_get(out, key) == value);
    return 0;
}
