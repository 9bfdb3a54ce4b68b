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
    R_TAKE_OVER,
    R_STATE,
    R_HEAD,
    R_STATE_AGAIN,
    R_BYTES,
    R_STOLEN,
    R_COPY,
    R_TAKE,
    R_SAFE,
    R_LET_GO,
    R_KEEP,
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
    if (c->state == WANTED && over)
        s->pc = R_TAKE_BACK;
    else if (!v->open && (c->state == WANTED || c->state == ACTIVE || c->state == FULL))
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
    struct view *v = &s->views[s->i];
    s->pc = R_SCAN;
    if (!below && cfg.mistake != OPEN_WITHOUT_LIMIT) {
        *v = (struct view){0};
        s->i++;
        return;
    }
    v->open = 1;
    if (cfg.overwrite)
        s->pc = R_TAKE_OVER;
    else
        s->i++;
}

static bool same_taken(const struct taken *a, const struct taken *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* What a dead reader had taken and not saved is to be had again. */
static void take_over(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i++];
    if (!v->taken.open && v->taken.held && v->taken.seq == v->seq) {
        v->kept = v->final = 1; /* that reader was about to free it */
        v->length = v->read;
    } else if (v->taken.open && v->taken.seq == v->seq && same_taken(&c->taken, &v->taken))
        c->taken = (struct taken){.open = 1, .seq = v->seq, .bytes = v->read};
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
    if (is_owner) {
        v->owner = c->owner;
        v->taken = c->taken;
    } else {
        v->seq = c->seq;
        v->read = c->safe;
    }
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
    s->pc = next == NONE           ? R_END
            : s->views[next].kept  ? R_FREE
            : s->views[next].final ? R_COPY
                                   : R_STATE;
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
        s->pc = c->state == ACTIVE ? R_HEAD : R_BYTES;
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
        require(!((s->seen[owner] | v->unsafe) & 1u << number), "a record was delivered twice");
        require(!s->count[owner] || number > s->delivered[owner], "records out of order");
        v->unsafe |= (uint8_t)(1u << number);
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
        s->pc = R_TAKE;
        return;
    }
    int half = s->got[s->copied][0] != 0;
    s->got[s->copied][half] = s->chunks[s->i].half[at][half];
    if (half || s->got[s->copied][half] == 0)
        s->copied++;
}

static void forget(struct state *s)
{
    uint8_t from = (uint8_t)(s->views[s->i].seq + 1);
    s->views[s->i] = (struct view){0};
    go_on(s, from);
}

/* After the copy: what was copied is delivered, if it is still to be had. */
static void take(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i];
    struct taken now = {.open = 1, .seq = v->seq, .bytes = v->read};
    if (cfg.overwrite && s->copied && cfg.mistake != COPY_WITHOUT_SECOND_LOOK) {
        if (!same_taken(&c->taken, &now)) {
            forget(s);
            return;
        }
        now.bytes = (uint8_t)(now.bytes + s->copied);
        now.held = 1;
        c->taken = now;
    }
    deliver(s);
    s->pc = s->copied ? R_SAFE : R_KEEP;
}

/* In the outlets, and told to whoever comes after us. */
static void safe(struct state *s)
{
    struct view *v = &s->views[s->i];
    s->seen[v->owner] |= v->unsafe;
    v->unsafe = 0;
    if (s->chunks[s->i].seq == v->seq)
        s->chunks[s->i].safe = v->read;
    s->pc = cfg.overwrite ? R_LET_GO : R_KEEP;
}

static void let_go(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i];
    const struct taken held = {.open = 1, .held = 1, .seq = v->seq, .bytes = v->read};
    if (same_taken(&c->taken, &held))
        c->taken.held = 0;
    s->pc = R_KEEP;
}

/* Is it done with; then nobody may steal it any more. */
static void keep(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i];
    const struct taken all = {.open = 1, .seq = v->seq, .bytes = v->length};
    bool finished = v->final && v->read == v->length;
    if (cfg.mistake == FREE_WHILE_WRITTEN && v->read == cfg.cap)
        finished = true;
    if (!finished) {
        go_on(s, v->seq + 1);
    } else if (!cfg.overwrite || cfg.mistake == FREE_WITHOUT_TAKING) {
        s->pc = R_FREE;
    } else if (same_taken(&c->taken, &all)) {
        c->taken = (struct taken){.held = 1, .seq = v->seq};
        v->kept = 1;
        s->pc = R_FREE;
    } else {
        forget(s); /* stolen with nothing left in it */
    }
}

static void free_one(struct state *s)
{
    struct view *v = &s->views[s->i];
    struct chunk *c = &s->chunks[s->i];
    if (cfg.overwrite && c->state == WANTED) {
        go_on(s, v->seq + 1); /* a thief is about to notice that it came too late */
        return;
    }
    if (cfg.overwrite && v->kept && c->state == FREE) {
        forget(s); /* taken back from a dead thief */
        return;
    }
    require(c->state == FULL || (c->state == ACTIVE && s->over[v->owner]),
            "a chunk was freed that is not the reader's");
    require(c->seq == v->seq, "a chunk was freed that is not the reader's");
    c->state = FREE;
    if (!cfg.overwrite)
        c->owner = c->seq = c->bytes = c->safe = 0; /* nobody reads that any more */
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
            all = false;
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
    if (c->state == WANTED && c->taken.open && c->taken.seq == c->seq) {
        c->state = FULL; /* its thief died before the theft */
        c->claimer = 0;
        s->pc = R_SCAN;
        return;
    }
    bool same = c->state == CLAIMED || c->state == WANTED;
    if (same) {
        c->state = FREE;
        c->claimer = c->owner = c->bytes = c->safe = 0;
        if (!cfg.overwrite)
            c->seq = 0;
        c->taken = (struct taken){0};
    }
    s->pc = same ? R_COUNT : R_SCAN;
    s->copied = same ? NONE : 0; /* go on scanning after the count */
}

static void step_bytes(struct state *s)
{
    s->length = s->chunks[s->i].bytes;
    if (cfg.overwrite)
        s->pc = R_STOLEN;
    else
        close_view(s, s->length);
}

/* The length counts if the chunk was still to be had after it was read. */
static void step_stolen(struct state *s)
{
    const struct view *v = &s->views[s->i];
    const struct chunk *c = &s->chunks[s->i];
    if (c->taken.open && c->taken.seq == v->seq)
        close_view(s, s->length);
    else
        forget(s);
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
    [R_ALIVE] = step_alive,
    [R_LIMIT] = step_limit,
    [R_SCAN] = step_scan,
    [R_TAKE_BACK] = step_take_back,
    [R_SEQ] = copy_desc,
    [R_COPY_OWNER] = copy_desc,
    [R_COPY_SEQ] = copy_desc,
    [R_TAKE_OVER] = take_over,
    [R_STATE] = look_at_state,
    [R_HEAD] = look_at_head,
    [R_STATE_AGAIN] = look_again,
    [R_BYTES] = step_bytes,
    [R_STOLEN] = step_stolen,
    [R_COPY] = copy_half,
    [R_TAKE] = take,
    [R_SAFE] = safe,
    [R_LET_GO] = let_go,
    [R_KEEP] = keep,
    [R_FREE] = free_one,
    [R_COUNT] = step_count,
    [R_END] = end_round,
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
    case R_KEEP: /* a decision, unless it takes the chunk */
        return !cfg.overwrite || !s->views[s->i].final;
    case R_SAFE: /* read by nobody but another reader */
        return !cfg.reader_kill;
    case R_COPY:
    case R_TAKE:
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

void reader_die(struct state *s)
{
    memset(s->views, 0, sizeof s->views);
    memset(s->over, 0, sizeof s->over);
    memset(s->got, 0, sizeof s->got);
    s->i = s->limit = s->copied = s->length = s->head_chunk = s->head = 0;
    s->pc = R_ALIVE;
    s->reader_died = 1;
    for (int w = 0; w < WRITERS; w++) { /* what counts is what was safe */
        s->count[w] = (uint8_t)__builtin_popcount(s->seen[w]);
        s->delivered[w] = s->seen[w] ? (uint8_t)(31 - __builtin_clz(s->seen[w])) : 0;
    }
}
