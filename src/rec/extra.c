/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sites with fields that a hook added: what a site says stands in the meta log, so
 * a record with more needs a site of its own. Made when the first such record is
 * written, on its thread, in a signal handler too: out of a block of memory that was
 * taken when the first hook came, found by what they say, never given back.
 */
#include "rec/hooks.h"

#include <assert.h>

#include "base/err.h"
#include "base/map.h"
#include "base/os.h"

enum { ROOM_BYTES = 1 << 20, SLOTS = 1 << 11, FIELDS_MAX = 16 + ORIEL_LOG_ATTRIBUTES_MAX };

struct extra {
    struct oriel_site_node node;
    oriel_word word;
    uint64_t hash;
    struct oriel_field fields[FIELDS_MAX];
    char texts[]; /* the library that the first such site lay in may be unloaded */
};
struct room {
    uint64_t used; /* atomic; of bytes */
    struct extra *found[SLOTS];
    char bytes[ROOM_BYTES] __attribute__((aligned(16)));
};
static struct room *room; /* atomic */

int rec_extra_prepare(void)
{
    void *p = NULL;
    if (room)
        return 0;
    if (os_map_private(sizeof *room, &p) != 0)
        return ORIEL_ENOMEM;
    __atomic_store_n(&room, (struct room *)p, __ATOMIC_RELEASE);
    return 0;
}

static uint64_t hash_text(const char *s, uint64_t seed)
{
    return map_hash_bytes(s ? s : "", s ? strlen(s) : 0, seed);
}

static uint64_t hash_of(const struct oriel_site *s, uint8_t kind,
                        const struct oriel_attribute *attributes, uint32_t count)
{
    uint64_t h = (uint64_t)s->line << 32 | (uint64_t)kind << 8 | s->level;
    h = hash_text(s->name, h);
    h = hash_text(s->target, h + 1);
    h = hash_text(s->file, h + 2);
    for (uint32_t i = 0; i < s->field_count; i++)
        h = hash_text(s->fields[i].name, h + s->fields[i].type);
    for (uint32_t i = 0; i < count; i++)
        h = hash_text(attributes[i].name, h + 16 + attributes[i].value.type);
    return h ? h : 1;
}

static const char *copy(char **at, const char *text)
{
    if (!text)
        return NULL;
    const size_t n = strlen(text) + 1;
    char *to = memcpy(*at, text, n);
    *at += n;
    return to;
}

static size_t text_room(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Marks of names count where a value is said; these were said. */
static void fill(struct extra *e, const struct oriel_site *s, uint8_t kind,
                 const struct oriel_attribute *attributes, uint32_t count)
{
    char *at = e->texts;
    struct oriel_site *site = &e->node.site;
    uint32_t n = 0;
    *site = *s;
    site->kind = kind;
    site->name = kind == ORIEL_SITE_SET ? "" : copy(&at, s->name);
    site->format = kind == ORIEL_SITE_SET ? NULL : copy(&at, s->format);
    site->target = copy(&at, s->target);
    site->file = copy(&at, s->file);
    site->function = copy(&at, s->function);
    for (uint32_t i = 0; kind != ORIEL_SITE_SET && i < s->field_count; i++) {
        e->fields[n] = s->fields[i];
        e->fields[n++].name = copy(&at, s->fields[i].name);
    }
    for (uint32_t i = 0; i < count; i++)
        e->fields[n++] =
            (struct oriel_field){copy(&at, attributes[i].name), attributes[i].value.type, 0};
    assert(n <= FIELDS_MAX);
    site->fields = e->fields;
    site->field_count = n;
    site->word = &e->word;
    e->word = (oriel_word)ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT;
}

static struct extra *make(struct room *r, uint64_t hash, const struct oriel_site *s, uint8_t kind,
                          const struct oriel_attribute *attributes, uint32_t count)
{
    size_t bytes = sizeof(struct extra) + text_room(s->name) + text_room(s->format) +
                   text_room(s->target) + text_room(s->file) + text_room(s->function);
    for (uint32_t i = 0; i < s->field_count; i++)
        bytes += text_room(s->fields[i].name);
    for (uint32_t i = 0; i < count; i++)
        bytes += text_room(attributes[i].name);
    bytes = (bytes + 15) & ~(size_t)15;
    if (__atomic_load_n(&r->used, __ATOMIC_RELAXED) + bytes > ROOM_BYTES)
        return NULL;
    const uint64_t at = __atomic_fetch_add(&r->used, bytes, __ATOMIC_RELAXED);
    if (at + bytes > ROOM_BYTES)
        return NULL;
    struct extra *e = (struct extra *)(void *)(r->bytes + at);
    e->hash = hash;
    fill(e, s, kind, attributes, count);
    return e;
}

oriel_word rec_extra_word(const struct oriel_site *site, uint8_t kind,
                          const struct oriel_attribute *attributes, uint32_t count)
{
    struct room *r = __atomic_load_n(&room, __ATOMIC_ACQUIRE);
    struct extra *mine = NULL;
    if (!r || site->field_count + count > FIELDS_MAX)
        return 0;
    const uint64_t hash = hash_of(site, kind, attributes, count);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct extra **slot = &r->found[(hash + i) % SLOTS];
        struct extra *e = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        if (!e && (mine || (mine = make(r, hash, site, kind, attributes, count)) != NULL) &&
            __atomic_compare_exchange_n(slot, &e, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return rec_sites_add(&mine->node);
        if (!e)
            return 0; /* no room for one more */
        if (e->hash == hash) {
            const oriel_word word = __atomic_load_n(&e->word, __ATOMIC_RELAXED);
            return ORIEL_RECORDED(word) == ORIEL_SITE_UNSEEN ? rec_sites_add(&e->node) : word;
        }
    }
    return 0;
}
