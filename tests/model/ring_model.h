/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The model of the chunk protocol that ring_explorer runs: its state, as bytes
 * that can be compared and hashed, and one step of a writer or of the reader.
 * Every rule of the protocol can be broken on purpose (enum mistake).
 */
#ifndef ORIEL_TEST_RING_MODEL_H
#define ORIEL_TEST_RING_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    FREE_WITHOUT_TAKING,
    STEAL_WHAT_IS_HELD,
    COUNT_WHAT_WAS_TAKEN,
    MISTAKES
};
struct config {
    uint8_t chunks, cap, records;
    bool overwrite, kills;
    bool reader_kill; /* once, before any step; another one takes over */
    bool seq_first;   /* the reader copies the seq before the owner */
    bool fine;        /* plain accesses are steps of their own, not one with the next atomic */
    enum mistake mistake;
};
extern struct config cfg;

/* ---- the state: bytes only, compared and hashed as such ---- */

enum chunk_state { FREE, ACTIVE, FULL, CLAIMED, WANTED };
struct taken { /* one word */
    uint8_t open, held, seq, bytes;
};
struct chunk {
    uint8_t state, claimer; /* the claimer is part of the same word */
    uint8_t owner, seq, bytes, safe;
    struct taken taken;
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
    uint8_t kept, unsafe; /* bit by number: taken, not safe yet */
    struct taken taken;   /* as copied with the rest of the descriptor */
};
struct state {
    struct chunk chunks[CHUNKS_MAX];
    struct writer writers[WRITERS];
    struct view views[CHUNKS_MAX];
    uint8_t free_chunks, chunk_seq;
    uint8_t pc, i, limit, got[CAP_MAX][2], copied, length, head_chunk, head;
    uint8_t over[WRITERS];        /* 0; 1 seen; 2 a scan began since */
    uint8_t delivered[WRITERS];   /* last number delivered */
    uint8_t count[WRITERS];       /* how many were */
    uint8_t overwritten[WRITERS]; /* bit by number: stolen before it was read */
    uint8_t seen[WRITERS];        /* bit by number: safe */
    uint8_t done, reader_died;
};

/* What went wrong first, NULL nothing. */
extern const char *problem;
static inline void require(bool ok, const char *what)
{
    if (!ok && !problem)
        problem = what;
}

void writer_step(struct state *s, int me);
bool writer_runs(const struct state *s, int me);
void reader_step(struct state *s);
/* It dies, and another begins from what it finds. */
void reader_die(struct state *s);

#endif
