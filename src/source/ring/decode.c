/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From words to records: the hot loop of every recording. The words are a
 * private copy in the batch's arena. A begin without fields and an end, which most
 * records are, are known by one word. A record of a known site with one-word values
 * only passes on a table look-up and three comparisons; everything else takes the
 * careful way.
 */
#include "source/ring/ring.h"

#include <assert.h>

#include "wire/capture.h"
#include "wire/record.h"

enum { OWNER_NAME_MAX = 31, OWNER_WORDS_MAX = 4 + 4 };

/* Where a record tells the raw id of the span it concerns. */
enum id_rule { ID_NONE, ID_OWN, ID_WORD, ID_EVENT, ID_END };
static const uint8_t id_rules[ORIEL_REC_MAX + 1] = {
    [ORIEL_REC_BEGIN] = ID_OWN,   [ORIEL_REC_OPEN] = ID_OWN,    [ORIEL_REC_SPAN] = ID_OWN,
    [ORIEL_REC_END] = ID_END,     [ORIEL_REC_SET] = ID_WORD,    [ORIEL_REC_CLOSE] = ID_WORD,
    [ORIEL_REC_ENTER] = ID_WORD,  [ORIEL_REC_EXIT] = ID_WORD,   [ORIEL_REC_LINK] = ID_WORD,
    [ORIEL_REC_STATUS] = ID_WORD, [ORIEL_REC_FOLLOW] = ID_WORD, [ORIEL_REC_EVENT] = ID_EVENT,
    [ORIEL_REC_STATE] = ID_WORD,  [ORIEL_REC_NAME] = ID_WORD,   [ORIEL_REC_TOLD] = ID_WORD,
};

/* The latest id with this low half that is not after this record. */
static inline uint64_t ended_id(uint64_t h, uint64_t own)
{
    const uint64_t id = (own & ~UINT64_C(0xffffffff)) | ORIEL_RECORD_LOW(h);
    return id > own ? id - (UINT64_C(1) << 32) : id;
}

static inline uint64_t raw_id_of(uint64_t h, const uint64_t *w, uint64_t own)
{
    switch ((enum id_rule)id_rules[ORIEL_RECORD_TYPE(h)]) {
    case ID_OWN:
        return own;
    case ID_END:
        return ended_id(h, own);
    case ID_WORD:
        return w[2];
    case ID_EVENT:
        return ORIEL_RECORD_FLAGS(h) & ORIEL_RECF_HAS_SPAN ? w[2] : 0;
    case ID_NONE:
        return 0;
    }
    return 0;
}

/* The site of a record, looked for again in the meta log if it is new. */
static const struct ring_site *site_of(struct ring *r, struct ring_process *p, uint32_t id)
{
    if (id < p->site_room && p->sites[id].site)
        return &p->sites[id];
    const struct ring_site *s = ring_meta_site(r, p, id);
    if (!s && ring_meta_poll(r) == 0)
        s = ring_meta_site(r, p, id);
    return s;
}

/* The careful way. Size in words, 0 if damaged; *out_site stays NULL when the
 * record is whole but nobody ever described its site. */
static uint32_t check(struct ring *r, struct ring_process *p, const uint64_t *w, uint32_t left,
                      const struct model_site **out_site)
{
    *out_site = NULL;
    uint32_t size = wire_record_check(w, left, NULL, 0);
    if (size == 0 || !wire_record_has_site(ORIEL_RECORD_TYPE(w[0])))
        return size;
    const struct ring_site *s = site_of(r, p, ORIEL_RECORD_LOW(w[0]));
    if (!s)
        return size;
    *out_site = s->site;
    return wire_record_check(w, left, s->site->types, s->site->field_count);
}

/* SPAN: both times in unix ns, as the flag then says. */
static void give_times(uint64_t *w, const struct clock_map *map)
{
    if (ORIEL_RECORD_FLAGS(w[0]) & ORIEL_RECF_HAS_TIME)
        return;
    w[0] |= (uint64_t)ORIEL_RECF_HAS_TIME << 24;
    w[1] = clock_map_ns(map, w[1]);
    w[2] = clock_map_ns(map, w[2]);
}

/* What few types need beyond being passed on. */
static void see_special(struct ring *r, struct ring_stream *s, uint64_t *w,
                        const struct clock_map *map)
{
    uint32_t type = ORIEL_RECORD_TYPE(w[0]);
    if (type == ORIEL_REC_SPAN)
        give_times(w, map);
    else if (type == ORIEL_REC_THREAD)
        ring_who_rename(r, s, (const char *)(w + 3), (uint32_t)w[2]);
}

/* A whole OWNER record: the reader's affair, and passed on to nobody. */
static void see_owner(struct ring *r, struct ring_stream *s, const uint64_t *w)
{
    uint32_t n = (uint32_t)w[3];
    ring_who_owner(r, s, (uint32_t)w[2], (int32_t)ORIEL_RECORD_LOW(w[0]), (const char *)(w + 4),
                   n < OWNER_NAME_MAX ? n : OWNER_NAME_MAX);
}

void ring_decode_owner(struct ring *r, struct ring_chunk *c)
{
    const uint64_t *words =
        (const uint64_t *)wire_region_chunk(&r->h, r->base, (uint32_t)(c - r->chunks));
    uint64_t own[OWNER_WORDS_MAX];
    uint32_t end = c->read / 8, size;
    for (uint32_t at = 0; c->stream && at < end; at += size) {
        uint64_t h = RING_LOAD(&words[at]);
        size = ORIEL_RECORD_WORDS(h);
        if (size == 0 || size > end - at)
            return;
        if (ORIEL_RECORD_TYPE(h) != ORIEL_REC_OWNER || size > OWNER_WORDS_MAX)
            continue;
        ring_copy(own, words + at, size * 8);
        if (wire_record_check(own, size, NULL, 0) == size)
            see_owner(r, c->stream, own);
    }
}

/* ---- the loop ---- */

/* What stays the same over a run. */
struct run {
    struct ring *r;
    struct ring_chunk *c;
    const struct clock_map *map;
    struct wire_clock_line line; /* of the clock, that most of them lie on */
    const uint64_t *words, *end;
    uint64_t limit; /* latest time a record can bear */
};

#define KIND(type, words) ((uint32_t)((uint32_t)(type) << 16 | (words)))

/* Size of a record of a known site with one-word values, and the site; 0: it
 * takes the careful way. */
static inline uint32_t fast_size(const struct ring_process *p, uint64_t h, uint64_t left,
                                 const struct model_site **out_site)
{
    uint32_t type = ORIEL_RECORD_TYPE(h), size = ORIEL_RECORD_WORDS(h);
    uint32_t flags = ORIEL_RECORD_FLAGS(h), id = ORIEL_RECORD_LOW(h);
    const struct wire_shape *shape = &wire_shapes[type];
    if (shape->tail != WIRE_TAIL_FIELDS || type == ORIEL_REC_SPAN || id >= p->site_room)
        return 0;
    const struct ring_site *s = &p->sites[id];
    uint32_t prefix = shape->prefix;
    if (type == ORIEL_REC_EVENT)
        prefix += flags & ORIEL_RECF_HAS_SPAN;
    if (s->words != size - prefix || !s->site || size > left || flags > shape->flag_max)
        return 0;
    *out_site = s->site;
    return size;
}
_Static_assert(ORIEL_RECF_HAS_SPAN == 1, "fast_size adds the flag as a number of words");

/* The site of a begin without fields; NULL: it is none, or not known yet. */
static inline const struct model_site *plain_site(const struct ring_process *p, uint64_t h)
{
    const uint32_t id = ORIEL_RECORD_LOW(h);
    return id < p->site_room && p->sites[id].words == 0 ? p->sites[id].site : NULL;
}

/* The careful way, with what is to be done about damage. Size in words; *out is
 * false for a record that is passed over; 0: nothing more can be read here. */
static __attribute__((noinline)) uint32_t slow_size(const struct run *run, uint64_t *w,
                                                    const struct model_site **out_site, bool *out)
{
    struct ring *r = run->r;
    struct ring_chunk *c = run->c;
    uint32_t left = (uint32_t)(run->end - w);
    const char *where = wire_region_chunk(&r->h, r->base, (uint32_t)(c - r->chunks)) + c->read +
                        (size_t)(w - run->words) * 8;
    uint32_t size = check(r, c->stream->process, w, left, out_site);
    *out = size != 0;
    if (size == 0) {
        ring_damaged(r, where, 1, (uint64_t)left * 8);
        c->bad = true; /* where the next record starts is unknown */
    } else if (!*out_site && wire_record_has_site(ORIEL_RECORD_TYPE(w[0]))) {
        ring_damaged(r, where, 1, (uint64_t)size * 8);
        *out = false;
    } else if (ORIEL_RECORD_TYPE(w[0]) == ORIEL_REC_OWNER) {
        see_owner(r, c->stream, w);
        *out = false;
    } else if (ORIEL_RECORD_TYPE(w[0]) == ORIEL_REC_STACK) {
        ring_stacks_sample(r, c->stream->process, w);
    } else {
        see_special(r, c->stream, w, run->map);
    }
    return size;
}

/* The four small members of a record stand in it as in the header word. */
static inline void put_record(struct model_record *out, uint64_t h, const uint64_t *w,
                              const struct ring_stream *s, const struct model_site *site)
{
    uint64_t small = (uint32_t)h | (uint64_t)s->serial << 32;
    out->raw = w;
    out->site = site;
    out->thread = s->thread;
    memcpy(&out->words, &small, sizeof small);
}

static struct wire_clock_line line_of(const struct clock_map *map, const uint64_t *words,
                                      uint32_t count)
{
    struct wire_clock_line line;
    if (count < 2 || !wire_clock_line(map, words[1], &line))
        return (struct wire_clock_line){.limit = 0};
    return line;
}

static inline uint64_t time_on(const struct wire_clock_line *line, const struct clock_map *map,
                               uint64_t ticks)
{
    uint64_t unusual;
    const uint64_t ns = wire_clock_ns(line, ticks, &unusual);
    return __builtin_expect(!unusual, 1) ? ns : clock_map_ns(map, ticks);
}

/* Where the loop stands. */
struct place {
    uint64_t *w;
    struct model_record *out;
    uint64_t own, last; /* id of a span that begins here; time of the record before */
};

/* Begins without fields and ends, until something else comes. */
static inline __attribute__((always_inline)) struct place
take_plain(struct place at, const struct run *run, const struct ring_stream *s, uint64_t id_bias)
{
    const struct wire_clock_line line = run->line; /* nobody has its address */
    const uint64_t *const stop = run->end - 1;
    const uint64_t limit = run->limit;
    for (; at.w < stop; at.w += 2, at.own += 16, at.out++) {
        const uint64_t h = at.w[0];
        const struct model_site *site = NULL;
        uint64_t id = at.own;
        if ((uint32_t)h == KIND(ORIEL_REC_END, 2))
            id = ended_id(h, id);
        else if ((uint32_t)h != KIND(ORIEL_REC_BEGIN, 2) || !(site = plain_site(s->process, h)))
            break;
        uint64_t t = time_on(&line, run->map, at.w[1]);
        t = t > limit ? limit : t;
        at.last = t > at.last ? t : at.last;
        at.out->t_ns = at.last;
        at.out->position = at.own - id_bias;
        at.out->raw_id = id;
        put_record(at.out, h, at.w, s, site);
    }
    return at;
}

/* The record at the place. False: nothing more can be read here. */
static inline bool take_other(struct place *at, const struct run *run, const struct ring_stream *s,
                              uint64_t id_bias)
{
    const struct model_site *site = NULL;
    bool good = true;
    uint32_t size = fast_size(s->process, at->w[0], (uint64_t)(run->end - at->w), &site);
    if (__builtin_expect(size == 0, 0)) {
        size = slow_size(run, at->w, &site, &good);
        if (size == 0)
            return false;
    }
    const uint64_t h = at->w[0];
    if (__builtin_expect(!(h & (uint64_t)ORIEL_RECF_HAS_TIME << 24), 1)) {
        uint64_t t = time_on(&run->line, run->map, at->w[1]);
        t = t > run->limit ? run->limit : t;
        at->last = t > at->last ? t : at->last;
    }
    at->out->t_ns = at->last;
    at->out->position = at->own - id_bias;
    at->out->raw_id = raw_id_of(h, at->w, at->own);
    put_record(at->out, h, at->w, s, site);
    at->out += good;
    at->w += size;
    at->own += (uint64_t)size * 8;
    return true;
}

void ring_decode(struct ring *r, struct model_batch *b, struct ring_chunk *c, uint64_t *words,
                 uint32_t count, const struct clock_map *map)
{
    struct ring_stream *s = c->stream;
    const struct run run = {
        r, c, map, line_of(map, words, count), words, words + count, ring_clock_limit(r, s->clock)};
    const uint64_t id_bias = c->id_base - c->stream_base;
    /* Readings of the clocks since then may tell its time a little earlier. */
    uint64_t promised = s->next_ns < r->watermark_ns ? s->next_ns : r->watermark_ns;
    struct place at = {.w = words,
                       .out = b->records + b->record_count,
                       .own = c->stream_base + c->read + id_bias,
                       .last = promised > s->last_ns ? promised : s->last_ns};
    assert(b->record_capacity - b->record_count >= count / 2);
    do
        at = take_plain(at, &run, s, id_bias);
    while (at.w < run.end && take_other(&at, &run, s, id_bias));
    assert(at.last >= s->last_ns && at.out <= b->records + b->record_capacity);
    s->last_ns = at.last;
    s->next_ns = 0;
    b->record_count = (size_t)(at.out - b->records);
}
