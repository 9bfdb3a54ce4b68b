/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A model of the chunk protocol, run through every interleaving: two writers,
 * one reader, up to four chunks, one shared access per step, and a kill of
 * either writer or of the reader before any step. Sequentially consistent: what weaker memory
 * needs is said at the atomics of the real code.
 *
 * Checked in every state: a record is delivered once, whole and in order; no
 * chunk is freed that is not the reader's to free; nobody writes to a chunk it
 * does not own. Checked at every end: all that was committed was delivered or
 * counted as overwritten, nothing both, and no chunk is missing.
 *
 * Each mistake that the protocol's rules are there for is then made on purpose
 * and must be noticed.
 */
#include "ring_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config cfg;
const char *problem;

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
    "chunk freed without taking it first",
    "what a reader took and did not save is stolen",
    "what the reader had is counted as overwritten",
};

/* ---- what must hold at the end ---- */

static void check_end(const struct state *s)
{
    int kills = s->writers[0].dead + s->writers[1].dead;
    for (int w = 0; w < WRITERS; w++) {
        uint8_t told = s->seen[w] | (cfg.overwrite ? s->overwritten[w] : 0);
        require((s->writers[w].committed & ~told) == 0, "a committed record was lost");
        require((s->seen[w] & ~s->writers[w].committed) == 0, "a record was delivered that was "
                                                              "never committed");
        require((s->seen[w] & s->overwritten[w]) == 0, "a record was delivered and counted as "
                                                       "overwritten");
    }
    for (uint8_t i = 0; i < cfg.chunks; i++)
        require(s->chunks[i].state == FREE, "a chunk was never given back");
    /* A kill between taking and counting leaves one too many in the count; of the
     * reader, between freeing and counting, one too few (ring_chunk_repair). */
    require(s->free_chunks + s->reader_died >= cfg.chunks && s->free_chunks <= cfg.chunks + kills,
            "the count of free chunks is wrong");
}

/* ---- exploring ---- */

enum { KILL_READER = 2 * WRITERS + 1, ACTIONS };
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
    if (action == KILL_READER) {
        reader_die(to);
        return cfg.reader_kill && !from->reader_died;
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
    static const char *const names[] = {"reader", "writer 0", "writer 1",
                                        "kill 0", "kill 1",   "kill reader"};
    for (size_t i = 0; i < depth; i++) {
        const struct frame *f = &stack[i];
        int action = f->next - 1;
        int pc = action == 0 || action == KILL_READER ? f->s.pc
                                                      : f->s.writers[(action - 1) % WRITERS].pc;
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

#define C(chunks, cap, records, ...)                                                               \
    {                                                                                              \
        chunks, cap, records, __VA_ARGS__                                                          \
    }
static const struct config sound[] = {
    C(2, 1, 2, .kills = true, .fine = true),
    C(2, 1, 3, .kills = true),
    C(4, 1, 2, .kills = true),
    C(2, 1, 2, .overwrite = true, .kills = true),
    C(2, 1, 2, .overwrite = true, .kills = true, .seq_first = true),
    C(2, 1, 3, .overwrite = true),
    C(2, 1, 2, .reader_kill = true),
    C(2, 1, 2, .overwrite = true, .reader_kill = true),
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
    C(2, 1, 2, .mistake = FREE_WITHOUT_TAKING, .overwrite = true),
    C(2, 1, 2, .mistake = STEAL_WHAT_IS_HELD, .overwrite = true, .reader_kill = true),
    C(2, 2, 3, .mistake = COUNT_WHAT_WAS_TAKEN, .overwrite = true),
};

static bool run(const struct config *c)
{
    size_t states;
    cfg = *c;
    const char *what = explore(&states);
    printf("%d chunks of %d, %d records each%s%s%s%s%s, %s: %zu states: %s\n", c->chunks, c->cap,
           c->records, c->overwrite ? ", overwriting" : "", c->kills ? ", kills" : "",
           c->reader_kill ? ", reader killed" : "", c->seq_first ? ", seq first" : "",
           c->fine ? ", plain steps apart" : "", mistake_names[c->mistake], states,
           what ? what : "sound");
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
