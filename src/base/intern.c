/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The string table: bytes live in an arena, ids are positions in an array, and
 * an open-addressing table of ids finds them by content. One thread at a time.
 */
#include "base/intern.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"

enum { SLOTS_MIN = 64 };
#define NO_ID UINT32_MAX

/* Slots hold id + 1; zero is free. */
static uint32_t find(const struct intern *t, const uint32_t *slots, uint32_t slot_count,
                     const char *p, size_t n)
{
    uint32_t mask = slot_count - 1, i = (uint32_t)map_hash_bytes(p, n, 0) & mask;
    for (; slots[i]; i = (i + 1) & mask) {
        struct intern_str s = t->strings[slots[i] - 1];
        if (s.n == n && memcmp(s.p, p, n) == 0)
            return i;
    }
    return i;
}

static int grow_slots(struct intern *t)
{
    uint32_t slot_count = t->slot_count ? t->slot_count * 2 : SLOTS_MIN;
    if (slot_count < t->slot_count)
        return -1;
    uint32_t *slots = mem_calloc(slot_count, sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t id = 0; id < t->count; id++)
        slots[find(t, slots, slot_count, t->strings[id].p, t->strings[id].n)] = id + 1;
    mem_free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    return 0;
}

static int grow_strings(struct intern *t)
{
    uint32_t capacity = t->capacity ? t->capacity * 2 : SLOTS_MIN / 2;
    if (capacity < t->capacity)
        return -1;
    struct intern_str *strings = mem_realloc(t->strings, (size_t)capacity * sizeof *strings);
    if (!strings)
        return -1;
    t->strings = strings;
    t->capacity = capacity;
    return 0;
}

int intern_init(struct intern *t)
{
    memset(t, 0, sizeof *t);
    arena_init(&t->arena);
    if (intern_add(t, "", 0) == 0)
        return 0;
    intern_done(t);
    return ORIEL_ENOMEM;
}

void intern_done(struct intern *t)
{
    arena_done(&t->arena);
    mem_free(t->strings);
    mem_free(t->slots);
    memset(t, 0, sizeof *t);
}

uint32_t intern_add(struct intern *t, const char *p, size_t n)
{
    if (n >= UINT32_MAX)
        return NO_ID;
    if (n == 0)
        p = ""; /* (NULL, 0) is the empty string too */
    /* Half full at most, so every probe run ends. */
    if (t->count >= t->slot_count / 2 && grow_slots(t) != 0)
        return NO_ID;
    uint32_t at = find(t, t->slots, t->slot_count, p, n);
    if (t->slots[at])
        return t->slots[at] - 1;
    if (t->count == t->capacity && grow_strings(t) != 0)
        return NO_ID;
    char *copy = arena_copy(&t->arena, p, n);
    if (!copy)
        return NO_ID;
    assert(t->count < t->capacity);
    t->strings[t->count] = (struct intern_str){copy, (uint32_t)n};
    t->slots[at] = t->count + 1;
    return t->count++;
}

struct intern_str intern_get(const struct intern *t, uint32_t id)
{
    return id < t->count ? t->strings[id] : (struct intern_str){"", 0};
}
