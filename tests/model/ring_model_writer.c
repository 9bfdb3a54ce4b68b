/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writer of the model: a state machine with one shared access per step.
 * Follows src/rec/chunk.c and src/rec/emit.c.
 */
#include "ring_model.h"

enum writer_pc {
    W_RECORD,
    W_HALF_A,
    W_HALF_B,
    W_COMMIT,
    W_COUNT,
    W_FIND,
    W_CLAIM,
    W_STEAL,
    W_ROB,
    W_GIVE_UP,
    W_ROBBED,
    W_TAKE,
    W_LENGTH,
    W_FULL,
    W_FILL,
    W_SEQ,
    W_SEQ_STORE,
    W_OPEN,
    W_HEAD,
    W_ACTIVE,
    W_EXIT,
    W_END
};

static uint8_t record_id(int me, uint8_t number)
{
    return (uint8_t)(1 + me * 100 + number);
}

static void put_half(struct state *s, int me, int half)
{
    struct writer *w = &s->writers[me];
    struct chunk *c = &s->chunks[w->chunk];
    uint8_t at = w->head;
    if (cfg.mistake == COMMIT_BEFORE_PAYLOAD)
        at--;
    require(c->state == ACTIVE && c->owner == me, "a writer wrote to a chunk that is not its own");
    c->half[at][half] = record_id(me, w->number);
}

static void commit(struct state *s, int me)
{
    s->writers[me].head++;
    s->writers[me].committed |= (uint8_t)(1u << s->writers[me].number);
}

/* Nothing for this record: it is lost, and counted by the real writer. */
static void drop(struct writer *w)
{
    w->number++;
    w->pc = W_RECORD;
}

static bool stealable(const struct chunk *c)
{
    return c->taken.open && (!c->taken.held || cfg.mistake == STEAL_WHAT_IS_HELD);
}

static void steal(struct state *s, int me)
{
    struct chunk *c = &s->chunks[s->writers[me].next_chunk];
    struct writer *w = &s->writers[me];
    if (c->state != FULL) {
        drop(w);
        return;
    }
    c->state = WANTED;
    c->claimer = (uint8_t)me;
    w->pc = W_ROB;
}

/* Taking it from the reader; what he has not had is counted. */
static void rob(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    struct chunk *c = &s->chunks[w->next_chunk];
    require(c->state == WANTED && c->claimer == me, "a chunk was taken from its thief");
    w->pc = W_GIVE_UP;
    if (!stealable(c))
        return;
    uint8_t from = cfg.mistake == COUNT_WHAT_WAS_TAKEN ? 0 : c->taken.bytes;
    for (uint8_t i = from; i < c->bytes; i++)
        s->overwritten[c->owner] |= (uint8_t)(1u << ((c->half[i][0] - 1) % 100));
    c->taken = (struct taken){0};
    w->pc = W_ROBBED;
}

static void give_up(struct state *s, int me)
{
    struct chunk *c = &s->chunks[s->writers[me].next_chunk];
    c->state = FULL;
    c->claimer = 0;
    drop(&s->writers[me]);
}

static void robbed(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    s->chunks[w->next_chunk].state = CLAIMED;
    w->pc = w->chunk == NONE ? W_FILL : W_LENGTH;
}

static void find(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    if (w->at < cfg.chunks) {
        w->next_chunk = w->at;
        if (s->chunks[w->at].state == FREE)
            w->pc = W_CLAIM;
        else
            w->at++;
        return;
    }
    w->next_chunk = NONE;
    for (uint8_t i = 0; cfg.overwrite && i < cfg.chunks; i++)
        if (s->chunks[i].state == FULL && stealable(&s->chunks[i]) &&
            (w->next_chunk == NONE || s->chunks[i].seq < s->chunks[w->next_chunk].seq))
            w->next_chunk = i;
    if (w->next_chunk == NONE)
        drop(w);
    else
        w->pc = W_STEAL;
}

static void begin_record(struct writer *w)
{
    if (w->number >= cfg.records)
        w->pc = w->chunk == NONE ? W_EXIT : W_LENGTH;
    else if (w->chunk == NONE || w->head == cfg.cap)
        w->pc = W_COUNT;
    else
        w->pc = cfg.mistake == COMMIT_BEFORE_PAYLOAD ? W_COMMIT : W_HALF_A;
}

/* Handing the old chunk over, in two stores; then on to the new one or out. */
static void hand_over(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    bool first = w->pc == W_LENGTH;
    bool stores_length = first != (cfg.mistake == FULL_BEFORE_LENGTH);
    if (stores_length)
        s->chunks[w->chunk].bytes = w->head;
    else
        s->chunks[w->chunk].state = FULL;
    if (first) {
        w->pc = W_FULL;
        return;
    }
    w->chunk = NONE;
    w->pc = w->number >= cfg.records ? W_EXIT : W_FILL;
}

/* ---- one function per step ---- */

static void step_record(struct state *s, int me)
{
    begin_record(&s->writers[me]);
}

static void step_half(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    put_half(s, me, w->pc == W_HALF_B);
    w->pc++;
    if (w->pc == W_COMMIT && cfg.mistake == COMMIT_BEFORE_PAYLOAD) {
        w->number++;
        w->pc = W_RECORD;
    }
}

static void step_commit(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    commit(s, me);
    w->pc = W_HALF_A;
    if (cfg.mistake != COMMIT_BEFORE_PAYLOAD) {
        w->number++;
        w->pc = W_RECORD;
    }
}

static void step_count(struct state *s, int me)
{
    s->writers[me].at = s->free_chunks && s->free_chunks < 0x80 ? 0 : cfg.chunks;
    s->writers[me].pc = W_FIND;
}

static void step_claim(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    struct chunk *next = &s->chunks[w->next_chunk];
    w->at++;
    w->pc = W_FIND;
    if (next->state == FREE) {
        next->state = CLAIMED;
        next->claimer = (uint8_t)me;
        w->pc = W_TAKE;
    }
}

static void step_take(struct state *s, int me)
{
    s->free_chunks--;
    s->writers[me].pc = s->writers[me].chunk == NONE ? W_FILL : W_LENGTH;
}

static struct chunk *claimed(struct state *s, int me)
{
    struct chunk *next = &s->chunks[s->writers[me].next_chunk];
    require(next->state == CLAIMED && next->claimer == me, "a claim was taken away");
    return next;
}

static void step_fill(struct state *s, int me)
{
    struct chunk *next = claimed(s, me);
    next->owner = (uint8_t)me;
    next->bytes = next->safe = 0;
    s->writers[me].pc = W_SEQ;
}

static void step_seq(struct state *s, int me)
{
    s->writers[me].at = s->chunk_seq++;
    s->writers[me].pc = W_SEQ_STORE;
}

static void step_seq_store(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    s->chunks[w->next_chunk].seq = w->at;
    w->at = 0;
    w->pc = W_OPEN;
}

static void step_open(struct state *s, int me)
{
    struct chunk *next = claimed(s, me);
    next->taken = (struct taken){.open = 1, .seq = next->seq};
    s->writers[me].pc = W_HEAD;
}

static void step_head(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    w->head_chunk = w->next_chunk;
    w->head = 0;
    w->pc = W_ACTIVE;
}

static void step_active(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    struct chunk *next = claimed(s, me);
    next->state = ACTIVE;
    next->claimer = 0;
    w->chunk = w->next_chunk;
    w->next_chunk = NONE;
    w->pc = cfg.mistake == COMMIT_BEFORE_PAYLOAD ? W_COMMIT : W_HALF_A;
}

static void step_exit(struct state *s, int me)
{
    s->writers[me].exited = 1;
    s->writers[me].pc = W_END;
}

static void (*const steps[W_END])(struct state *, int) = {
    [W_RECORD] = step_record, [W_HALF_A] = step_half,   [W_HALF_B] = step_half,
    [W_COMMIT] = step_commit, [W_COUNT] = step_count,   [W_FIND] = find,
    [W_CLAIM] = step_claim,   [W_STEAL] = steal,        [W_ROB] = rob,
    [W_GIVE_UP] = give_up,    [W_ROBBED] = robbed,      [W_OPEN] = step_open,
    [W_TAKE] = step_take,     [W_LENGTH] = hand_over,   [W_FULL] = hand_over,
    [W_FILL] = step_fill,     [W_SEQ] = step_seq,       [W_SEQ_STORE] = step_seq_store,
    [W_HEAD] = step_head,     [W_ACTIVE] = step_active, [W_EXIT] = step_exit,
};

/* Touches nothing that anybody else may look at: local, or plain stores that a
 * later atomic one publishes (or should). */
static bool is_plain(const struct state *s, int me)
{
    const struct writer *w = &s->writers[me];
    bool length_first = cfg.mistake != FULL_BEFORE_LENGTH;
    switch ((enum writer_pc)w->pc) {
    case W_RECORD:
    case W_FILL:
    case W_SEQ_STORE:
        return true;
    case W_OPEN:
        return !cfg.overwrite;
    case W_HALF_A:
    case W_HALF_B: /* somebody may be copying what was there before */
        return !cfg.overwrite && cfg.mistake != COMMIT_BEFORE_PAYLOAD;
    case W_LENGTH:
        return length_first;
    default:
        return false;
    }
}

void writer_step(struct state *s, int me)
{
    bool plain;
    do {
        plain = is_plain(s, me);
        steps[s->writers[me].pc](s, me);
    } while (plain && !cfg.fine && s->writers[me].pc != W_END);
}

bool writer_runs(const struct state *s, int me)
{
    return !s->writers[me].dead && s->writers[me].pc != W_END;
}
