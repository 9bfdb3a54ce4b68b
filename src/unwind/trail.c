/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks that stop reading tables where they meet one before. Two of three steps of an
 * ordinary walk wait for memory: for the row, which depends on the pc, and for the
 * next pc, which depends on the row. Along a trail both are known, and the words of the
 * stack are only compared. Runs inside malloc of the observed program, on its thread.
 */
#include "unwind/trail.h"

#include <assert.h>
#include <string.h>

#include "unwind/cache.h"

/* Failing walks are not tried again for a while: their stacks have frames of another kind. */
enum { LOWEST_CODE = 4096, WAIT_MAX = 64, FORM = 0xff, FP_FROM_FP = UNWIND_FP_FROM_FP << 4 };
enum { END = UNWIND_TRAIL_MAX };

/* A step looks at the frame pointer: those kinds are odd. */
enum { NEEDS_FP = 1 | FP_FROM_FP };
_Static_assert((UNWIND_FROM_FP & 1) && (UNWIND_AT_FP & 1) && !(UNWIND_FROM_SP & 1) &&
                   !(UNWIND_AT_SP & 1),
               "as NEEDS_FP has it");

struct walk {
    struct unwind_trail *trail;
    struct unwind_trail_frame *fresh;
    uint64_t high; /* of the stack; its words are read from the walk's own frame up */
    uint64_t pc, sp, fp;
    uint32_t count; /* of fresh */
};

/* Words of other functions' frames, which a sanitizer takes for nobody's. */
__attribute__((no_sanitize("address"))) static inline uint64_t load(uint64_t at)
{
    uint64_t word;
    __builtin_memcpy(&word, (const void *)(uintptr_t)at, sizeof word);
    return word;
}

/* Every word lies in the frame that is left, or above: what a later walk compares is its. */
static inline bool take(const struct walk *w, uint64_t at, uint64_t *out)
{
    if (at < w->sp || at > w->high - 8 || at % 8)
        return false;
    *out = load(at);
    return true;
}

static inline bool find_cfa(const struct walk *w, unwind_row row, uint64_t *out)
{
    const uint64_t offset = (uint64_t)(int64_t)unwind_row_cfa(row);
    const unsigned kind = unwind_row_kind(row);
    if (kind == UNWIND_FROM_SP || kind == UNWIND_FROM_FP) {
        *out = (kind == UNWIND_FROM_SP ? w->sp : w->fp) + offset;
        return true;
    }
    if (!take(w, (kind == UNWIND_AT_SP ? w->sp : w->fp) + offset, out))
        return false;
    *out += 8 * (uint64_t)(int64_t)unwind_row_ra(row);
    return true;
}

static inline bool is_plain(unwind_row row)
{
    const unsigned kind = unwind_row_kind(row);
    return kind >= UNWIND_FROM_SP && kind <= UNWIND_AT_FP &&
           (unwind_row_flags(row) & ~(unsigned)UNWIND_FP_FROM_FP) == 0;
}

/* To the caller, as step_by_row of walk.c does. False: nothing has changed. */
static inline bool leave(struct walk *w, unwind_row row)
{
    uint64_t cfa, pc, fp = w->fp;
    if (!is_plain(row) || !find_cfa(w, row, &cfa) || cfa <= w->sp || cfa > w->high || cfa % 8)
        return false;
    const bool at = unwind_row_kind(row) >= UNWIND_AT_SP;
    const int64_t slot = at ? -1 : unwind_row_ra(row), fp_slot = unwind_row_fp(row);
    if (!take(w, cfa + 8 * (uint64_t)slot, &pc) || (pc != 0 && pc < LOWEST_CODE))
        return false;
    if (row & FP_FROM_FP) {
        if (!take(w, w->fp + (uint64_t)fp_slot, &fp))
            return false;
    } else if (fp_slot && !take(w, cfa + 8 * (uint64_t)fp_slot, &fp)) {
        return false;
    }
    w->pc = pc;
    w->sp = cfa;
    w->fp = fp;
    return true;
}

/* Is the walk where it was at this frame? */
static inline bool meets(const struct walk *w, const struct unwind_trail_frame *f)
{
    return f->sp == w->sp && f->pc == w->pc && (f->fp == w->fp || !(f->row & NEEDS_FP));
}

/* Along the trail from frame `at`, where the walk is: the last one that is as it was. */
static uint32_t follow(struct walk *w, uint32_t at)
{
    const struct unwind_trail_frame *f = &w->trail->frames[at], *next = f + 1;
    const struct unwind_trail_frame *last = &w->trail->frames[END - 1];
    for (; f < last; f = next++) {
        const unsigned form = f->row & FORM;
        if (__builtin_expect(form != UNWIND_FROM_SP && form != UNWIND_FROM_FP, 0)) {
            struct walk ahead = *w;
            ahead.pc = f->pc;
            ahead.sp = f->sp;
            if (!leave(&ahead, f->row) || !meets(&ahead, next))
                break;
            *w = ahead;
            continue;
        }
        /* The CFA is the next frame's stack pointer: it follows from what was compared. */
        const int64_t slot = unwind_row_fp(f->row);
        uint64_t fp = slot ? load(next->sp + 8 * (uint64_t)slot) : w->fp;
        if (load(next->sp + 8 * (uint64_t)(int64_t)unwind_row_ra(f->row)) != next->pc ||
            (fp != next->fp && (next->row & NEEDS_FP)))
            break;
        w->fp = fp;
    }
    w->pc = f->pc;
    w->sp = f->sp;
    return (uint32_t)(f - w->trail->frames);
}

static inline void add(struct walk *w, unwind_row row)
{
    assert(w->count < UNWIND_TRAIL_MAX);
    w->fresh[w->count++] =
        (struct unwind_trail_frame){.pc = w->pc, .sp = w->sp, .fp = w->fp, .row = row};
}

/* Frames of the trail that are passed once more but are not its outer end. */
static void add_again(struct walk *w, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to && w->count < UNWIND_TRAIL_MAX; i++)
        w->fresh[w->count++] = w->trail->frames[i];
}

/* The new frames, and behind them the trail from `joined` on. */
static inline void keep(struct walk *w, uint32_t joined, bool cut)
{
    struct unwind_trail *t = w->trail;
    t->first = joined - w->count;
    t->cut = cut;
    memcpy(&t->frames[t->first], w->fresh, w->count * sizeof *t->frames);
    uint64_t sum = joined < END ? t->frames[joined].sum : 0;
    for (uint32_t i = joined; i-- > t->first;)
        t->frames[i].sum = sum = unwind_trail_sum(sum, t->frames[i].pc);
}

static inline bool find_row(const struct walk *w, const struct unwind_self *self, unwind_row *out)
{
    /* Behind a call, so one less; the same for the first frame. */
    uint64_t key = unwind_cache_key(w->pc - 1, w->trail->generation);
    return unwind_cache_get(&self->cache, key, out);
}

/* All of it; false: not by these means. */
static bool run(struct walk *w, const struct unwind_self *self)
{
    struct unwind_trail *t = w->trail;
    uint32_t at = t->first;
    for (;;) {
        unwind_row row;
        while (at < END && t->frames[at].sp < w->sp)
            at++;
        if (at < END && meets(w, &t->frames[at])) {
            const uint32_t from = at;
            at = follow(w, at);
            row = t->frames[at].row;
            bool ends = at == END - 1 && unwind_row_kind(row) == UNWIND_ROOT;
            if (ends && w->count <= from) {
                keep(w, from, false);
                return true;
            }
            add_again(w, from, at);
            at++;
        } else if (!find_row(w, self, &row)) {
            return false;
        }
        bool full = w->count == UNWIND_TRAIL_MAX;
        if (!full)
            add(w, row);
        bool root = unwind_row_kind(row) == UNWIND_ROOT;
        if (!full && !root && !leave(w, row))
            return false;
        bool whole = !full && (root || w->pc == 0);
        if (whole || w->count == UNWIND_TRAIL_MAX) {
            keep(w, END, !whole);
            return true;
        }
    }
}

/* Longer and longer, as long as nothing else comes of it. */
static void wait_longer(struct unwind_trails *t)
{
    t->failed = t->failed ? (t->failed < WAIT_MAX ? 2 * t->failed : WAIT_MAX) : 1;
    t->wait = t->failed;
}

/* Which of them began at the same place, if any did. */
static inline struct unwind_trail *way_of(struct unwind_trails *t, const struct unwind_caller *c)
{
    const uint64_t key = (c->pc ^ c->sp << 20) * UINT64_C(0xff51afd7ed558ccd);
    return &t->ways[key >> 32 & (UNWIND_TRAIL_WAYS - 1)];
}

const struct unwind_trail *unwind_trails_walk(struct unwind_trails *trails,
                                              const struct unwind_self *self,
                                              const struct unwind_stack *stack,
                                              const struct unwind_caller *caller)
{
    const uint64_t generation = __atomic_load_n(&self->published, __ATOMIC_ACQUIRE);
    /* Addresses are compared as they lie in memory: aarch64 may sign them. */
    if (UNWIND_ARCH_HERE != UNWIND_X86_64 || !stack || generation == 0 || caller->sp < stack->low ||
        caller->sp >= stack->high)
        return NULL;
    if (trails->wait > 0) {
        trails->wait--;
        return NULL;
    }
    struct unwind_trail *t = way_of(trails, caller);
    struct walk w = {.trail = t,
                     .fresh = trails->fresh,
                     .high = stack->high,
                     .pc = caller->pc,
                     .sp = caller->sp,
                     .fp = caller->fp};
    if (t->generation != generation || t->high != stack->high)
        t->first = END;
    t->generation = generation;
    t->high = stack->high;
    if (!run(&w, self)) {
        wait_longer(trails);
        return NULL;
    }
    trails->failed = 0;
    assert(t->first < END);
    return t;
}
