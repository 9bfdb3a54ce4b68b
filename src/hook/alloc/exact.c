/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every allocation, added up by stack: a table of stacks that only grows, filled
 * with compare-and-swap, its sums atomic. What changed is told about once a
 * second and at the end, as samples that stand for many. Where memory is at its
 * most, what every stack holds is noted, whenever the most has grown by 1 %.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/os.h"
#include "hook/alloc/alloc.h"

enum {
    STACKS = 1 << ALLOC_STACK_BITS,
    PROBES = 64,
    LOOK_EVERY = 1 << 14, /* slow calls of a thread between looks at the clock */
    PEAK_SHARE = 100,
    PEAK_LEAST = 64 << 10
};
#define TELL_NS UINT64_C(1000000000)
#define LAST_NS UINT64_C(300000000) /* longest wait for the recorder, at the end */
#define PCS_BYTES ((size_t)STACKS * 64 * 8)

struct sum {
    uint64_t count, bytes; /* atomic */
};
/* What an allocation writes to lies in one line of the cache. */
struct stack {
    _Alignas(64) uint64_t hash;       /* atomic; 0 free */
    uint64_t *pcs;                    /* atomic; NULL: being written */
    struct sum came, went, temporary; /* so far */
    struct sum told_came, told_went, told_temporary;
    struct sum peak;
    uint32_t depth, end;
};
_Static_assert(offsetof(struct stack, told_came) == 64, "what is told later begins a line");
static struct stack *stacks; /* STACKS of them, and ... */
static uint64_t *pcs;        /* ... their addresses, one behind the other */
static uint64_t pcs_used;    /* atomic; words */
static uint32_t *order;      /* atomic; slots in use + 1, in the order they came */
static uint32_t order_count; /* atomic */
static uint64_t live, peak, noted_peak, next_tell_ns; /* atomic */
static uint32_t telling, noting;                      /* atomic */

bool alloc_exact_open(void)
{
    void *table, *words, *list;
    if (os_map_private(STACKS * sizeof *stacks, &table) != 0)
        return false;
    if (os_map_private(PCS_BYTES, &words) != 0 ||
        os_map_private((STACKS + 1) * sizeof *order, &list) != 0)
        return false;
    stacks = table;
    pcs = words;
    order = list;
    stacks[STACKS - 1].pcs = pcs; /* of those that find no place: not known */
    stacks[STACKS - 1].hash = 1;  /* nobody's: taken */
    order[order_count++] = STACKS;
    next_tell_ns = clock_mono_ns() + TELL_NS;
    return true;
}

static inline void add(struct sum *s, uint64_t bytes, bool alone)
{
    alloc_add(&s->count, 1, alone);
    alloc_add(&s->bytes, bytes, alone);
}

/* ---- stacks ---- */

/* As a trail has it (unwind/trail.h): outermost frame first. */
static uint64_t sum_of(const struct hook_stack *s)
{
    uint64_t sum = 0;
    for (uint32_t i = s->result.count; i-- > 0;)
        sum = unwind_trail_sum(sum, s->pcs[i]);
    return sum;
}

/* The addresses, then the word that says they are whole. Without room for them
 * the stack counts as one that is not known. */
static void fill(struct stack *at, const struct hook_stack *s)
{
    uint32_t n = s->result.count;
    uint64_t where = __atomic_fetch_add(&pcs_used, n, __ATOMIC_RELAXED);
    if ((where + n) * sizeof *pcs > PCS_BYTES)
        n = 0, where = 0;
    memcpy(pcs + where, s->pcs, n * sizeof *pcs);
    at->depth = n;
    at->end = s->result.end;
    __atomic_store_n(&at->pcs, pcs + where, __ATOMIC_RELEASE);
    uint32_t place = __atomic_fetch_add(&order_count, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&order[place], (uint32_t)(at - stacks) + 1, __ATOMIC_RELEASE);
}

/* The addresses of a trail, for a stack that is seen for the first time. */
static const struct hook_stack *copy(struct hook_stack *out, const struct unwind_trail *trail,
                                     uint32_t first)
{
    out->caller = true;
    out->result = (struct unwind_result){.count = UNWIND_TRAIL_MAX - first,
                                         .end = trail->cut ? UNWIND_END_FULL : UNWIND_END_COMPLETE};
    for (uint32_t i = first; i < UNWIND_TRAIL_MAX; i++)
        out->pcs[i - first] = trail->frames[i].pc;
    return out;
}

/* The slot of a stack by its sum; the last one stands for all that find none. Where it is new,
 * it is that in `s`, or from `first` on in `trail`, which `s` has room for. */
static inline uint32_t stack_of(uint64_t sum, struct hook_stack *s,
                                const struct unwind_trail *trail, uint32_t first)
{
    const uint64_t hash = sum > 1 ? sum : 2; /* 0 and 1 mean something else */
    const uint32_t home = (uint32_t)(hash >> (64 - ALLOC_STACK_BITS));
    for (uint32_t i = 0; i < PROBES; i++) {
        struct stack *at = &stacks[(home + i) & (STACKS - 1)];
        uint64_t seen = __atomic_load_n(&at->hash, __ATOMIC_RELAXED);
        if (seen == 0 && __atomic_compare_exchange_n(&at->hash, &seen, hash, false,
                                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            fill(at, trail ? copy(s, trail, first) : s);
            return (uint32_t)(at - stacks);
        }
        if (seen == hash)
            return (uint32_t)(at - stacks);
    }
    return STACKS - 1;
}

/* ---- the peak ---- */

static uint32_t stacks_in_use(void)
{
    uint32_t n = __atomic_load_n(&order_count, __ATOMIC_ACQUIRE);
    return n < STACKS ? n : STACKS;
}

/* The i-th of them; NULL: its number is being written. */
static struct stack *stack_at(uint32_t i)
{
    uint32_t slot = __atomic_load_n(&order[i], __ATOMIC_ACQUIRE);
    return slot ? &stacks[slot - 1] : NULL;
}

static struct sum read_sum(const struct sum *s)
{
    return (struct sum){__atomic_load_n(&s->count, __ATOMIC_RELAXED),
                        __atomic_load_n(&s->bytes, __ATOMIC_RELAXED)};
}

static void write_sum(struct sum *s, uint64_t count, uint64_t bytes)
{
    __atomic_store_n(&s->count, count, __ATOMIC_RELAXED);
    __atomic_store_n(&s->bytes, bytes, __ATOMIC_RELAXED);
}

/* Others count on meanwhile: what went may be read later than what came. */
static uint64_t left(uint64_t came, uint64_t went)
{
    return came > went ? came - went : 0;
}

static void note_peak(uint64_t now)
{
    uint32_t no = 0;
    if (!__atomic_compare_exchange_n(&noting, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    for (uint32_t i = 0, n = stacks_in_use(); i < n; i++) {
        struct stack *s = stack_at(i);
        if (!s)
            continue;
        struct sum came = read_sum(&s->came), went = read_sum(&s->went);
        write_sum(&s->peak, left(came.count, went.count), left(came.bytes, went.bytes));
    }
    __atomic_store_n(&noted_peak, now, __ATOMIC_RELAXED);
    __atomic_store_n(&noting, 0, __ATOMIC_RELEASE);
}

static inline void grew(uint64_t bytes, bool alone)
{
    uint64_t now = alone ? live += bytes : __atomic_add_fetch(&live, bytes, __ATOMIC_RELAXED);
    uint64_t most = __atomic_load_n(&peak, __ATOMIC_RELAXED);
    while (most < now && !__atomic_compare_exchange_n(&peak, &most, now, false, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED))
        ;
    uint64_t noted = __atomic_load_n(&noted_peak, __ATOMIC_RELAXED);
    if (now > noted + noted / PEAK_SHARE + PEAK_LEAST)
        note_peak(now);
}

uint64_t alloc_exact_peak(void)
{
    return __atomic_load_n(&peak, __ATOMIC_RELAXED);
}

/* ---- telling ---- */

/* What came to a sum since it was told last; false: the ring had no room. */
static bool tell_sum(const struct stack *s, uint8_t kind, const struct sum *now, struct sum *told,
                     struct hook_stack *room)
{
    const struct sum all = read_sum(now);
    const struct hook_sample sample = {kind, all.bytes - told->bytes, all.count - told->count,
                                       ORIEL_HEAP_SUM};
    if (all.count == told->count)
        return true;
    room->result = (struct unwind_result){.count = s->depth, .end = (enum unwind_end)s->end};
    room->caller = true;
    memcpy(room->pcs, s->pcs, s->depth * sizeof *pcs);
    if (!hook_stacks_sample(&sample, room))
        return false;
    *told = all;
    return true;
}

static bool tell_stack(struct stack *s, bool end, struct hook_stack *room)
{
    struct sum no_peak = {0, 0};
    if (!__atomic_load_n(&s->pcs, __ATOMIC_ACQUIRE))
        return true;
    return tell_sum(s, ORIEL_SAMPLE_ALLOC, &s->came, &s->told_came, room) &&
           tell_sum(s, ORIEL_SAMPLE_FREE, &s->went, &s->told_went, room) &&
           tell_sum(s, ORIEL_SAMPLE_TEMPORARY, &s->temporary, &s->told_temporary, room) &&
           (!end || tell_sum(s, ORIEL_SAMPLE_PEAK, &s->peak, &no_peak, room));
}

/* One teller at a time. The last one waits for another, who may have begun just now. */
static bool begin_telling(uint64_t deadline)
{
    uint32_t no = 0;
    while (
        !__atomic_compare_exchange_n(&telling, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        if (deadline == 0 || clock_mono_ns() >= deadline)
            return false;
        os_yield();
        no = 0;
    }
    return true;
}

/* At the end a full ring is waited for, for a fraction of a second in all. */
void alloc_exact_tell(bool end)
{
    static struct hook_stack room;
    uint64_t deadline = end ? clock_mono_ns() + LAST_NS : 0;
    if (!begin_telling(deadline))
        return;
    for (uint32_t i = 0, n = stacks_in_use(); i < n; i++) {
        struct stack *s = stack_at(i);
        bool told = !s || tell_stack(s, end, &room);
        while (!told && clock_mono_ns() < deadline) {
            os_yield();
            told = tell_stack(s, end, &room);
        }
        if (!told)
            break;
    }
    __atomic_store_n(&telling, 0, __ATOMIC_RELEASE);
}

__attribute__((noinline)) static void look_at_clock(void)
{
    const uint64_t now = clock_mono_ns();
    uint64_t next = __atomic_load_n(&next_tell_ns, __ATOMIC_RELAXED);
    int kept = errno;
    if (now < next || !__atomic_compare_exchange_n(&next_tell_ns, &next, now + TELL_NS, false,
                                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    alloc_exact_tell(false);
    alloc_look_at_live();
    errno = kept;
}

/* ---- the two events ---- */

/* What the trail cannot do, and its beginning. */
__attribute__((noinline)) static uint32_t walk(struct alloc_thread *t,
                                               const struct unwind_caller *caller)
{
    int kept = errno;
    void *trails;
    alloc_learn_stack(t);
    hook_stacks_below(&t->stack, caller);
    if (hook_stacks_unknown(&t->stack) && hook_stacks_refresh())
        hook_stacks_below(&t->stack, caller);
    if (!t->trails && !t->asking && os_map_private(sizeof *t->trails, &trails) == 0)
        t->trails = trails;
    errno = kept;
    return stack_of(sum_of(&t->stack), &t->stack, NULL, 0);
}

void alloc_exact_new(struct alloc_thread *t, void *p, size_t bytes,
                     const struct unwind_caller *caller)
{
    const bool alone = alloc_is_alone();
    const struct unwind_trail *trail = NULL;
    uint32_t first, stack;
    alloc_enter(t);
    t->left = 0;
    alloc_blocks_soon(p);
    if (t->trails)
        trail = hook_stacks_along(t->trails, caller, &first);
    stack = trail ? stack_of(trail->frames[first].sum, &t->stack, trail, first) : walk(t, caller);
    add(&stacks[stack].came, bytes, alone);
    (void)alloc_blocks_put(p, stack, alone);
    grew(bytes, alone);
    t->last = p;
    if (++t->random % LOOK_EVERY == 0)
        look_at_clock();
    alloc_leave(t);
}

void alloc_exact_unknown(void *p, size_t bytes)
{
    add(&stacks[STACKS - 1].came, bytes, false);
    (void)alloc_blocks_put(p, STACKS - 1, false);
    grew(bytes, false);
}

bool alloc_exact_take(void *p, struct alloc_block *out)
{
    out->bytes = alloc_size_of(p);
    return alloc_blocks_take(p, &out->stack, alloc_is_alone());
}

void alloc_exact_back(void *p, const struct alloc_block *b)
{
    (void)alloc_blocks_put(p, b->stack, alloc_is_alone());
}

void alloc_exact_gone(struct alloc_thread *t, void *p, const struct alloc_block *b)
{
    struct stack *s = &stacks[b->stack];
    const bool alone = alloc_is_alone();
    add(&s->went, b->bytes, alone);
    alloc_add(&live, 0 - b->bytes, alone);
    if (t->shared)
        return;
    if (t->last == p)
        add(&s->temporary, b->bytes, alone);
    t->last = NULL;
}

void alloc_exact_forked(void)
{
    alloc_blocks_forked();
    for (uint32_t i = 0, n = stacks_in_use(); i < n; i++) {
        struct stack *s = stack_at(i);
        if (!s)
            continue;
        s->came = s->went = s->temporary = s->peak = (struct sum){0, 0};
        s->told_came = s->told_went = s->told_temporary = (struct sum){0, 0};
    }
    live = peak = noted_peak = 0;
    telling = noting = 0;
}
