/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A model of the chunk protocol, run through every interleaving: two writers,
 * one reader, up to four chunks, one shared access per step, and a kill of
 * either writer before any step. Sequentially consistent: what weaker memory
 * needs is said at the atomics of the real code.
 *
 * Checked in every state: a record is delivered once, whole and in order; no
 * chunk is freed that is not the reader's to free; nobody writes to a chunk it
 * does not own. Checked at every end: all that was committed was delivered (or
 * counted as overwritten), and no chunk is missing.
 *
 * Each mistake that the protocol's rules are there for is then made on purpose
 * and must be noticed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = 4, CAP_MAX = 2, WRITERS = 2, NONE = 0xff };

enum mistake {
    SOUND,
    COMMIT_BEFORE_PAYLOAD,
    OPEN_WITHOUT_LIMIT,
    FULL_BEFORE_LENGTH,
    FREE_WHILE_WRITTEN,
    TAKE_BACK_FROM_THE_LIVING,
    HEAD_BEFORE_DEATH,
    COPY_WITHOUT_SECOND_LOOK,
    LIMIT_BEFORE_COPY,
    MISTAKES
};
static const char *const mistake_names[MISTAKES] = {
    "as it is",
    "commit before the payload is written",
    "chunks opened whatever their seq",
    "chunk handed over before its length is written",
    "chunk freed while its owner writes",
    "claim taken back from a living writer",
    "last head read before the death is known",
    "copy kept without a second look at the chunk",
    "seq compared before the descriptor is copied",
};

struct config {
    uint8_t chunks, cap, records;
    bool overwrite, kills;
    bool seq_first; /* the reader copies the seq before the owner */
    bool fine; /* plain accesses are steps of their own, not one with the next atomic */
    enum mistake mistake;
};
static struct config cfg;

/* ---- the state: bytes only, compared and hashed as such ---- */

enum chunk_state { FREE, ACTIVE, FULL, CLAIMED };
struct chunk {
    uint8_t state, claimer; /* the claimer is part of the same word */
    uint8_t owner, seq, bytes;
    uint8_t half[CAP_MAX][2]; /* a record is written in two stores */
};
struct writer {
    uint8_t pc, dead, exited;
    uint8_t chunk, next_chunk, at; /* at: scan position, or the new seq */
    uint8_t head_chunk, head;      /* one word: where the head points */
    uint8_t number;                /* of the record being written */
    uint8_t committed;             /* records so far */
};
struct view { /* what the reader knows of a chunk */
    uint8_t open, owner, seq, read, final, length;
};
struct state {
    struct chunk chunks[CHUNKS_MAX];
    struct writer writers[WRITERS];
    struct view views[CHUNKS_MAX];
    uint8_t free_chunks, chunk_seq;
    uint8_t pc, i, limit, got[CAP_MAX][2], copied, length, head_chunk, head;
    uint8_t over[WRITERS];         /* 0; 1 seen; 2 a scan began since */
    uint8_t delivered[WRITERS];    /* last number delivered */
    uint8_t count[WRITERS];        /* how many were */
    uint8_t overwritten[WRITERS];  /* bit by number: stolen before it was read */
    uint8_t seen[WRITERS];         /* bit by number */
    uint8_t done;
};

static const char *problem;
static void require(bool ok, const char *what)
{
    if (!ok && !problem)
        problem = what;
}

/* ---- a writer ---- */

enum writer_pc {
    W_RECORD,
    W_HALF_A,
    W_HALF_B,
    W_COMMIT,
    W_COUNT,
    W_FIND,
    W_CLAIM,
    W_STEAL,
    W_TAKE,
    W_LENGTH,
    W_FULL,
    W_FILL,
    W_SEQ,
    W_SEQ_STORE,
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

static void steal(struct state *s, int me)
{
    struct chunk *c = &s->chunks[s->writers[me].next_chunk];
    struct writer *w = &s->writers[me];
    if (c->state != FULL) {
        drop(w);
        return;
    }
    for (uint8_t i = 0; i < c->bytes; i++)
        s->overwritten[c->owner] |= (uint8_t)(1u << ((c->half[i][0] - 1) % 100));
    c->state = CLAIMED;
    c->claimer = (uint8_t)me;
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
        if (s->chunks[i].state == FULL &&
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

static void one_writer_step(struct state *s, int me)
{
    struct writer *w = &s->writers[me];
    struct chunk *next = w->next_chunk == NONE ? NULL : &s->chunks[w->next_chunk];
    switch ((enum writer_pc)w->pc) {
    case W_RECORD:
        begin_record(w);
        break;
    case W_HALF_A:
        put_half(s, me, 0);
        w->pc = W_HALF_B;
        break;
    case W_HALF_B:
        put_half(s, me, 1);
        w->pc = W_COMMIT;
        if (cfg.mistake == COMMIT_BEFORE_PAYLOAD) {
            w->number++;
            w->pc = W_RECORD;
        }
        break;
    case W_COMMIT:
        commit(s, me);
        w->pc = W_HALF_A;
        if (cfg.mistake != COMMIT_BEFORE_PAYLOAD) {
            w->number++;
            w->pc = W_RECORD;
        }
        break;
    case W_COUNT:
        w->at = s->free_chunks && s->free_chunks < 0x80 ? 0 : cfg.chunks;
        w->pc = W_FIND;
        break;
    case W_FIND:
        find(s, me);
        break;
    case W_CLAIM:
        w->at++;
        w->pc = W_FIND;
        if (next->state == FREE) {
            next->state = CLAIMED;
            next->claimer = (uint8_t)me;
            w->pc = W_TAKE;
        }
        break;
    case W_STEAL:
        steal(s, me);
        break;
    case W_TAKE:
        s->free_chunks--;
        w->pc = w->chunk == NONE ? W_FILL : W_LENGTH;
        break;
    case W_LENGTH:
    case W_FULL:
        hand_over(s, me);
        break;
    case W_FILL:
        require(next->state == CLAIMED && next->claimer == me, "a claim was taken away");
        next->owner = (uint8_t)me;
        next->bytes = 0;
        w->pc = W_SEQ;
        break;
    case W_SEQ:
        w->at = s->chunk_seq++;
        w->pc = W_SEQ_STORE;
        break;
    case W_SEQ_STORE:
        next->seq = w->at;
        w->at = 0;
        w->pc = W_HEAD;
        break;
    case W_HEAD:
        w->head_chunk = w->next_chunk;
        w->head = 0;
        w->pc = W_ACTIVE;
        break;
    case W_ACTIVE:
        require(next->state == CLAIMED && next->claimer == me, "a claim was taken away");
        next->state = ACTIVE;
        next->claimer = 0;
        w->chunk = w->next_chunk;
        w->next_chunk = NONE;
        w->pc = cfg.mistake == COMMIT_BEFORE_PAYLOAD ? W_COMMIT : W_HALF_A;
        break;
    case W_EXIT:
        w->exited = 1;
        w->pc = W_END;
        break;
    case W_END:
        break;
    }
}

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
    case W_HALF_A:
    case W_HALF_B: /* somebody may be copying what was there before */
        return !cfg.overwrite && cfg.mistake != COMMIT_BEFORE_PAYLOAD;
    case W_LENGTH:
        return length_first;
    default:
        return false;
    }
}

static void writer_step(struct state *s, int me)
{
    bool plain;
    do {
        plain = is_plain(s, me);
        one_writer_step(s, me);
    } while (plain && !cfg.fine && s->writers[me].pc != W_END);
}

static bool writer_runs(const struct state *s, int me)
{
    return !s->writers[me].dead && s->writers[me].pc != W_END;
}

/* ---- the reader ---- */

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
    if (!same && cfg.overwrite) {
        uint8_t from = (uint8_t)(v->seq + 1);
        *v = (struct view){0};
        go_on(s, from);
        return;
    }
    bool finished = v->final && v->read == v->length;
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

static void one_reader_step(struct state *s)
{
    switch ((enum reader_pc)s->pc) {
    case R_ALIVE: /* one question per writer */
        if (!s->over[s->i] && gone(s, s->i))
            s->over[s->i] = 1;
        if (++s->i == WRITERS)
            s->pc = R_LIMIT;
        break;
    case R_LIMIT:
        for (int w = 0; w < WRITERS; w++)
            s->over[w] = s->over[w] ? 2 : 0;
        s->limit = s->chunk_seq;
        s->i = 0;
        s->pc = R_SCAN;
        break;
    case R_SCAN:
        if (s->i == cfg.chunks)
            go_on(s, 0);
        else
            scan_one(s);
        break;
    case R_TAKE_BACK: {
        struct chunk *c = &s->chunks[s->i];
        bool same = c->state == CLAIMED;
        if (same)
            c->state = FREE, c->claimer = c->owner = c->seq = c->bytes = 0;
        s->pc = same ? R_COUNT : R_SCAN;
        s->copied = same ? NONE : 0; /* go on scanning after the count */
        break;
    }
    case R_SEQ:
    case R_COPY_OWNER:
    case R_COPY_SEQ:
        copy_desc(s);
        break;
    case R_STATE:
        look_at_state(s);
        break;
    case R_HEAD:
        look_at_head(s);
        break;
    case R_STATE_AGAIN:
        look_again(s);
        break;
    case R_BYTES:
        close_view(s, s->chunks[s->i].bytes);
        break;
    case R_COPY:
        copy_half(s);
        break;
    case R_CHECK:
        check_copy(s);
        break;
    case R_FREE:
        free_one(s);
        break;
    case R_COUNT:
        s->free_chunks++;
        if (s->copied == NONE) {
            s->copied = 0;
            s->i++;
            s->pc = R_SCAN;
        } else {
            uint8_t from = (uint8_t)(s->views[s->i].seq + 1);
            s->views[s->i].seq = 0;
            go_on(s, from);
        }
        break;
    case R_END:
        end_round(s);
        break;
    }
}

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

static void reader_step(struct state *s)
{
    bool plain;
    do {
        plain = reader_is_plain(s);
        one_reader_step(s);
    } while (plain && !cfg.fine && !s->done);
}

/* ---- what must hold at the end ---- */

static void check_end(const struct state *s)
{
    int kills = s->writers[0].dead + s->writers[1].dead;
    for (int w = 0; w < WRITERS; w++) {
        uint8_t told = s->seen[w] | (cfg.overwrite ? s->overwritten[w] : 0);
        require((s->writers[w].committed & ~told) == 0, "a committed record was lost");
        require((s->seen[w] & ~s->writers[w].committed) == 0, "a record was delivered that was "
                                                              "never committed");
    }
    if (cfg.overwrite)
        return;
    for (uint8_t i = 0; i < cfg.chunks; i++)
        require(s->chunks[i].state == FREE, "a chunk was never given back");
    /* A kill between taking and counting leaves one too many in the count. */
    require(s->free_chunks >= cfg.chunks && s->free_chunks <= cfg.chunks + kills,
            "the count of free chunks is wrong");
}

/* ---- exploring ---- */

enum { ACTIONS = 2 * WRITERS + 1 };
struct frame {
    struct state s;
    uint8_t next; /* action to try next */
};

static struct {
    uint64_t *keys;
    size_t mask, count;
} visited;
static struct frame *stack;
static size_t depth, depth_room;

static uint64_t hash_state(const struct state *s)
{
    uint64_t words[(sizeof *s + 7) / 8] = {0}, a = 0x9e3779b97f4a7c15u;
    memcpy(words, s, sizeof *s);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        a = (a ^ words[i]) * 0xff51afd7ed558ccdu;
        a ^= a >> 32;
    }
    a *= 0xc4ceb9fe1a85ec53u;
    a ^= a >> 29;
    return a ? a : 1;
}

static void grow_visited(void)
{
    uint64_t *old = visited.keys;
    size_t room = old ? visited.mask + 1 : 0, want = room ? room * 2 : 1 << 16;
    visited.keys = calloc(want, sizeof *visited.keys);
    if (!visited.keys)
        exit(3);
    visited.mask = want - 1;
    for (size_t i = 0; i < room; i++) {
        size_t at = old[i] & visited.mask;
        if (!old[i])
            continue;
        while (visited.keys[at])
            at = (at + 1) & visited.mask;
        visited.keys[at] = old[i];
    }
    free(old);
}

/* True the first time. Two states of one 64-bit hash would hide one of them:
 * below one in a million for the millions of states there are. */
static bool visit(const struct state *s)
{
    uint64_t key = hash_state(s);
    if (visited.count * 2 >= visited.mask)
        grow_visited();
    size_t at = key & visited.mask;
    while (visited.keys[at] && visited.keys[at] != key)
        at = (at + 1) & visited.mask;
    if (visited.keys[at])
        return false;
    visited.keys[at] = key;
    visited.count++;
    return true;
}

static void push(const struct state *s)
{
    if (depth == depth_room) {
        depth_room = depth_room ? depth_room * 2 : 1024;
        stack = realloc(stack, depth_room * sizeof *stack);
        if (!stack)
            exit(3);
    }
    stack[depth++] = (struct frame){*s, 0};
}

/* The action applied to a copy; false when it is not possible here. */
static bool act(const struct state *from, int action, struct state *to)
{
    *to = *from;
    if (from->done)
        return false;
    if (action == 0) {
        reader_step(to);
        return true;
    }
    int me = (action - 1) % WRITERS;
    if (!writer_runs(from, me))
        return false;
    if (action <= WRITERS) {
        writer_step(to, me);
        return true;
    }
    to->writers[me].dead = 1;
    return cfg.kills;
}

static void print_path(void)
{
    static const char *const names[] = {"reader", "writer 0", "writer 1", "kill 0", "kill 1"};
    for (size_t i = 0; i < depth; i++) {
        const struct frame *f = &stack[i];
        int action = f->next - 1;
        int pc = action == 0 ? f->s.pc : f->s.writers[(action - 1) % WRITERS].pc;
        printf("    %s at %d\n", names[action], pc);
    }
}

/* NULL when every interleaving is sound, else what went wrong. */
static const char *explore(size_t *out_states)
{
    struct state s;
    memset(&s, 0, sizeof s);
    s.free_chunks = cfg.chunks;
    for (int w = 0; w < WRITERS; w++)
        s.writers[w].chunk = s.writers[w].next_chunk = s.writers[w].head_chunk = NONE;
    problem = NULL;
    depth = 0;
    visit(&s);
    push(&s);
    while (depth && !problem) {
        struct frame *f = &stack[depth - 1];
        struct state next;
        if (f->next == ACTIONS) {
            depth--;
            continue;
        }
        if (!act(&f->s, f->next++, &next))
            continue;
        if (next.done)
            check_end(&next);
        if (!problem && visit(&next))
            push(&next);
    }
    *out_states = visited.count;
    free(visited.keys);
    memset(&visited, 0, sizeof visited);
    return problem;
}

#define C(chunks, cap, records, ...) {chunks, cap, records, __VA_ARGS__}
static const struct config sound[] = {
    C(2, 1, 2, .kills = true, .fine = true),
    C(2, 1, 3, .kills = true),
    C(4, 1, 2, .kills = true),
    C(2, 1, 2, .overwrite = true, .kills = true),
    C(2, 1, 2, .overwrite = true, .kills = true, .seq_first = true),
    C(2, 1, 3, .overwrite = true),
};

/* A small setting in which each mistake can show. */
static const struct config broken[] = {
    C(2, 1, 1, .mistake = COMMIT_BEFORE_PAYLOAD),
    C(3, 1, 2, .mistake = OPEN_WITHOUT_LIMIT),
    C(2, 1, 2, .mistake = FULL_BEFORE_LENGTH),
    C(2, 1, 2, .mistake = FREE_WHILE_WRITTEN),
    C(2, 1, 1, .mistake = TAKE_BACK_FROM_THE_LIVING),
    C(2, 2, 2, .mistake = HEAD_BEFORE_DEATH, .kills = true),
    C(2, 1, 3, .mistake = COPY_WITHOUT_SECOND_LOOK, .overwrite = true),
    C(2, 1, 2, .mistake = LIMIT_BEFORE_COPY, .overwrite = true),
};

static bool run(const struct config *c)
{
    size_t states;
    cfg = *c;
    const char *what = explore(&states);
    printf("%d chunks of %d, %d records each%s%s%s%s, %s: %zu states: %s\n", c->chunks, c->cap,
           c->records, c->overwrite ? ", overwriting" : "", c->kills ? ", kills" : "",
           c->seq_first ? ", seq first" : "", c->fine ? ", plain steps apart" : "", mistake_names[c->mistake], states, what ? what : "sound");
    fflush(stdout);
    if ((what != NULL) == (c->mistake != SOUND))
        return true;
    printf(what ? "  found a hole, by this path:\n" : "  the mistake was not noticed\n");
    if (what)
        print_path();
    return false;
}

int main(void)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        ok = run(&sound[i]) && ok;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        ok = run(&broken[i]) && ok;
    free(stack);
    return ok ? 0 : 1;
}
