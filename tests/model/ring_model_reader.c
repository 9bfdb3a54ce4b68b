/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of the model: rounds of asking who is alive, scanning, reading and
 * giving back, one shared access per step. Follows src/source/ring.
 */
#include "ring_model.h"

#include <string.h>

enum reader_pc {
    R_ALIVE,
    R_LIMIT,
    R_SCAN,
    R_TAKE_BACK,
    R_SEQ,
    R_COPY_OWNER,
    R_COPY_SEQ,
    R_STATE,
    R_HEAD,
    R_STATE_AGAIN,
    R_BYTES,
    R_COPY,
    R_CHECK,
    R_FREE,
    R_COUNT,
    R_END
};

static bool gone(const struct state *s, int w)
{
    return s->writers[w].dead || s->writers[w].exited;
}

/* The open chunk with the lowest seq that is at or after `from`, or NONE. */
static uint8_t next_open(const struct state *s, int from)
{
    uint8_t best = NONE;
    for (uint8_t i = 0; i < cfg.chunks; i++)
        if (s->views[i].open && s->views[i].seq >= from &&
            (best == NONE || s->views[i].seq < s->views[best].seq))
            best = i;
    return best;
}

static void scan_one(struct state *s)
{
    struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    if (v->open && cfg.overwrite && c->seq != v->seq)
        *v = (struct view){0}; /* stolen; seen as a new one below */
    bool over = s->over[c->claimer] == 2 || cfg.mistake == TAKE_BACK_FROM_THE_LIVING;
    if (!v->open && (c->state == ACTIVE || c->state == FULL))
        s->pc = cfg.mistake == LIMIT_BEFORE_COPY ? R_SEQ
                : cfg.seq_first                  ? R_COPY_SEQ
                                                 : R_COPY_OWNER;
    else if (c->state == CLAIMED && over)
        s->pc = R_TAKE_BACK;
    else
        s->i++;
}

static void open_or_not(struct state *s, bool below)
{
    struct view *v = &s->views[s->i++];
    if (below || cfg.mistake == OPEN_WITHOUT_LIMIT)
        v->open = 1;
    else
        *v = (struct view){0};
    s->pc = R_SCAN;
}

/* The descriptor is copied word by word, in an order that nobody knows. */
static void copy_desc(struct state *s)
{
    struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    bool is_owner = s->pc == R_COPY_OWNER;
    if (s->pc == R_SEQ) {
        s->pc = R_COPY_OWNER;
        if (c->seq >= s->limit)
            open_or_not(s, false);
        return;
    }
    if (is_owner)
        v->owner = c->owner;
    else
        v->seq = c->seq;
    if (is_owner == cfg.seq_first)
        open_or_not(s, v->seq < s->limit || cfg.mistake == LIMIT_BEFORE_COPY);
    else
        s->pc = is_owner ? R_COPY_SEQ : R_COPY_OWNER;
}

/* Look on at the chunk after the one we are at, or begin a new round. */
static void go_on(struct state *s, int from)
{
    uint8_t next = next_open(s, from);
    s->copied = 0;
    memset(s->got, 0, sizeof s->got);
    s->length = s->head = s->head_chunk = 0;
    s->i = next == NONE ? 0 : next;
    s->pc = next == NONE ? R_END : s->views[next].final ? R_COPY : R_STATE;
    if (next != NONE && s->views[next].final)
        s->length = s->views[next].length;
}

static void close_view(struct state *s, uint8_t length)
{
    struct view *v = &s->views[s->i];
    v->final = 1;
    v->length = s->length = length;
    s->pc = R_COPY;
}

static void look_at_state(struct state *s)
{
    struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    if (c->seq != v->seq || c->state == FREE || c->state == CLAIMED) {
        uint8_t from = (uint8_t)(v->seq + 1);
        require(cfg.overwrite, "a chunk vanished under its reader");
        *v = (struct view){0};
        go_on(s, from);
    } else {
        s->pc = c->state == FULL ? R_BYTES : R_HEAD;
    }
}

/* HEAD_BEFORE_DEATH: the head is kept from here, who is over is asked later. */
static void look_at_head(struct state *s)
{
    const struct view *v = &s->views[s->i];
    const struct writer *w = &s->writers[v->owner];
    bool inside = w->head_chunk == s->i && w->head >= v->read;
    bool last = cfg.mistake == HEAD_BEFORE_DEATH ? false : s->over[v->owner] != 0;
    s->head = w->head;
    if (!inside) {
        s->pc = R_STATE_AGAIN;
        return;
    }
    if (cfg.mistake == HEAD_BEFORE_DEATH) {
        s->length = w->head;
        s->pc = R_STATE_AGAIN;
    } else if (last) {
        close_view(s, w->head);
    } else {
        s->length = w->head;
        s->pc = R_COPY;
    }
}

static void look_again(struct state *s)
{
    const struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    if (cfg.mistake == HEAD_BEFORE_DEATH && s->length) {
        if (gone(s, v->owner)) {
            s->over[v->owner] = 1;
            close_view(s, s->length);
        }
        s->pc = R_COPY;
    } else if (c->state == FULL && c->seq == v->seq) {
        s->pc = R_BYTES;
    } else {
        s->length = v->read;
        s->pc = R_COPY;
    }
}

static void deliver(struct state *s)
{
    struct view *v = &s->views[s->i];
    uint8_t owner = v->owner;
    for (uint8_t k = 0; k < s->copied; k++) {
        uint8_t id = s->got[k][0], number = (uint8_t)((id - 1) % 100);
        require(s->got[k][0] == s->got[k][1] && id, "a torn record was delivered");
        require(id && (id - 1) / 100 == owner, "a record was delivered for another thread");
        require(!(s->seen[owner] & 1u << number), "a record was delivered twice");
        require(!s->count[owner] || number > s->delivered[owner], "records out of order");
        s->seen[owner] |= (uint8_t)(1u << number);
        s->delivered[owner] = number;
        s->count[owner]++;
    }
    v->read = (uint8_t)(v->read + s->copied);
}

static void copy_half(struct state *s)
{
    struct view *v = &s->views[s->i];
    uint8_t at = (uint8_t)(v->read + s->copied);
    if (at >= s->length) {
        s->pc = R_CHECK;
        return;
    }
    int half = s->got[s->copied][0] != 0;
    s->got[s->copied][half] = s->chunks[s->i].half[at][half];
    if (half || s->got[s->copied][half] == 0)
        s->copied++;
}

/* After the copy: is it what it was; then what is next for this chunk. */
static void check_copy(struct state *s)
{
    struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    bool same = (c->state == ACTIVE || c->state == FULL) && c->seq == v->seq;
    if (same || !cfg.overwrite || cfg.mistake == COPY_WITHOUT_SECOND_LOOK)
        deliver(s);
    bool finished = v->final && v->read == v->length;
    if (cfg.mistake == CLOSE_WITHOUT_SEQ && finished && c->state == ACTIVE && s->over[v->owner]) {
        s->pc = R_FREE;
        return;
    }
    if (!same && cfg.overwrite) {
        uint8_t from = (uint8_t)(v->seq + 1);
        *v = (struct view){0};
        go_on(s, from);
        return;
    }
    if (cfg.mistake == FREE_WHILE_WRITTEN && v->read == cfg.cap)
        finished = true;
    if (finished && (!cfg.overwrite || c->state == ACTIVE))
        s->pc = R_FREE;
    else
        go_on(s, v->seq + 1);
}

static void free_one(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i];
    require(c->state == FULL || (c->state == ACTIVE && s->over[v->owner]),
            "a chunk was freed that is not the reader's");
    if (cfg.overwrite) { /* closed in the name of the dead */
        c->bytes = v->length;
        c->state = FULL;
        go_on(s, v->seq + 1);
        return;
    }
    c->state = FREE;
    c->owner = c->seq = c->bytes = 0; /* nobody reads that any more */
    *v = (struct view){.seq = v->seq};
    s->pc = R_COUNT;
}

static void end_round(struct state *s)
{
    bool all = true;
    for (int w = 0; w < WRITERS; w++)
        all = all && s->over[w] == 2;
    for (uint8_t i = 0; i < cfg.chunks; i++) {
        const struct view *v = &s->views[i];
        if (v->open)
            all = all && cfg.overwrite && v->final && v->read == v->length;
    }
    s->done = all;
    s->pc = R_ALIVE;
    s->i = 0;
}

/* ---- one function per step ---- */

static void step_alive(struct state *s) /* one question per writer */
{
    if (!s->over[s->i] && gone(s, s->i))
        s->over[s->i] = 1;
    if (++s->i == WRITERS)
        s->pc = R_LIMIT;
}

static void step_limit(struct state *s)
{
    for (int w = 0; w < WRITERS; w++)
        s->over[w] = s->over[w] ? 2 : 0;
    s->limit = s->chunk_seq;
    s->i = 0;
    s->pc = R_SCAN;
}

static void step_scan(struct state *s)
{
    if (s->i == cfg.chunks)
        go_on(s, 0);
    else
        scan_one(s);
}

static void step_take_back(struct state *s)
{
    struct chunk *c = &s->chunks[s->i];
    bool same = c->state == CLAIMED;
    if (same) {
        c->state = FREE;
        c->claimer = c->owner = c->seq = c->bytes = 0;
    }
    s->pc = same ? R_COUNT : R_SCAN;
    s->copied = same ? NONE : 0; /* go on scanning after the count */
}

static void step_bytes(struct state *s)
{
    close_view(s, s->chunks[s->i].bytes);
}

static void step_count(struct state *s)
{
    uint8_t from = (uint8_t)(s->views[s->i].seq + 1);
    s->free_chunks++;
    if (s->copied == NONE) {
        s->copied = 0;
        s->i++;
        s->pc = R_SCAN;
        return;
    }
    s->views[s->i].seq = 0;
    go_on(s, from);
}

static void (*const steps[R_END + 1])(struct state *) = {
    [R_ALIVE] = step_alive,   [R_LIMIT] = step_limit,
    [R_SCAN] = step_scan,     [R_TAKE_BACK] = step_take_back,
    [R_SEQ] = copy_desc,      [R_COPY_OWNER] = copy_desc,
    [R_COPY_SEQ] = copy_desc, [R_STATE] = look_at_state,
    [R_HEAD] = look_at_head,  [R_STATE_AGAIN] = look_again,
    [R_BYTES] = step_bytes,   [R_COPY] = copy_half,
    [R_CHECK] = check_copy,   [R_FREE] = free_one,
    [R_COUNT] = step_count,   [R_END] = end_round,
};

/* Reads of what cannot change any more, and decisions. */
static bool reader_is_plain(const struct state *s)
{
    switch ((enum reader_pc)s->pc) {
    case R_END:
        return true;
    case R_SEQ:
    case R_COPY_OWNER:
    case R_COPY_SEQ: /* of a chunk that nobody can take away */
        return !cfg.overwrite;
    case R_BYTES:
        return cfg.mistake == SOUND;
    case R_COPY:
    case R_CHECK:
        return !cfg.overwrite && cfg.mistake != COMMIT_BEFORE_PAYLOAD;
    case R_SCAN:
        return s->i == cfg.chunks;
    default:
        return false;
    }
}

void reader_step(struct state *s)
{
    bool plain;
    do {
        plain = reader_is_plain(s);
        steps[s->pc](s);
    } while (plain && !cfg.fine && !s->done);
}
