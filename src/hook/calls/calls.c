/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The functions in a table by address, and the calls open on a thread. What was
 * left by longjmp has no end of its own: it is found out by the stack pointer
 * at the next call or return, as with probes from outside.
 */
#include "hook/calls/calls.h"

#include <assert.h>
#include <string.h>

#include <oriel/emit.h>
#include <oriel/runtime.h>

#include "base/err.h"
#include "base/os.h"

/* Further apart than this, two places lie on two stacks (signal stacks, coroutines). */
#define REACH (UINT64_C(8) << 20)

/* Address and function beside each other: one line of the cache for each call. */
struct slot {
    uint64_t address;
    uint32_t function; /* + 1; 0 free */
};
static struct {
    const void *image;
    oriel_word *words;   /* by function */
    struct slot *slots;  /* by a hash of the address */
    uint64_t mask, bias; /* slots - 1 */
    uint32_t depth;
    bool sums;
    uint32_t ready; /* atomic: 1 once the rest may be read */
} all;

static uint64_t slot_of(uint64_t address)
{
    return (address * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

static void add_slot(uint64_t address, uint32_t function)
{
    uint64_t at = slot_of(address) & all.mask;
    while (all.slots[at].function)
        at = (at + 1) & all.mask;
    all.slots[at] = (struct slot){address, function + 1};
}

static int add_site(const struct calls_entry *e, uint32_t function)
{
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_SPAN,
                                    .level = ORIEL_LEVEL_DEBUG,
                                    .line = e->line,
                                    .flags = ORIEL_SITE_NAMED,
                                    .name = calls_text(all.image, e->name),
                                    .target = "calls",
                                    .file = calls_text(all.image, e->file),
                                    .function = calls_text(all.image, e->name),
                                    .word = &all.words[function]};
    return oriel_site_new(&site);
}

int calls_open(const void *image, size_t n, uint64_t bias, oriel_word *room_of_words)
{
    void *words = room_of_words, *slots;
    uint64_t room = 64;
    if (all.image || !calls_check(image, n))
        return ORIEL_EINVAL;
    const struct calls_head *h = image;
    while (room < (uint64_t)h->count * 2)
        room *= 2;
    if ((!words && os_map_private(h->count * sizeof *all.words + 1, &words) != 0) ||
        os_map_private(room * sizeof *all.slots, &slots) != 0)
        return ORIEL_ENOMEM;
    all.image = image;
    all.words = words;
    all.slots = slots;
    all.mask = room - 1;
    all.bias = bias;
    all.depth = h->depth;
    all.sums = h->sums != 0;
    int rc = 0;
    for (uint32_t i = 0; i < h->count && rc == 0; i++) {
        const struct calls_entry *e = &calls_entries(image)[i];
        rc = add_site(e, i);
        if (rc == 0)
            add_slot(e->address, i);
    }
    /* Pairs with the acquire in calls_find: another thread may run already. */
    __atomic_store_n(&all.ready, 1, __ATOMIC_RELEASE);
    return rc;
}

bool calls_are_summed(void)
{
    return all.sums;
}

/* What happens at every call is all in one function, the two ends of a span included: a few
 * registers are saved once, not by each of six. The rest stays out of its way. */
#define EVERY_CALL static inline __attribute__((always_inline))
#define SELDOM __attribute__((noinline, cold))

EVERY_CALL uint32_t find(const void *function)
{
    if (__atomic_load_n(&all.ready, __ATOMIC_ACQUIRE) == 0)
        return UINT32_MAX;
    uint64_t address = (uint64_t)(uintptr_t)function - all.bias, at = slot_of(address) & all.mask;
    for (; all.slots[at].function; at = (at + 1) & all.mask)
        if (all.slots[at].address == address)
            return all.slots[at].function - 1;
    return UINT32_MAX;
}

uint32_t calls_bytes(uint32_t function)
{
    return calls_entries(all.image)[function].bytes;
}

uint32_t calls_find(const void *function)
{
    return find(function);
}

static const void *address_of(uint32_t function)
{
    return (const void *)(uintptr_t)(calls_entries(all.image)[function].address + all.bias);
}

/* ---- sums ---- */

/* Readers of these are other threads, once the process ends. */
EVERY_CALL void put(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Some 0.2 s on processors of today, on others up to 0.5: told_ticks is in ticks of the clock,
 * and what it takes to know their length exactly is not worth it here. */
#define TELL_TICKS (UINT64_C(1) << 29)

/* Reading the clock twice costs as much as all else here. Of calls that are shorter than this,
 * one in sixteen is timed, at random, once the first few were; the others count as long
 * as the mean of the last ones. */
enum { SHORT_TICKS = 512, TIMED_FIRST = 64, SKIP_MASK = 31, MEAN_SHIFT = 6 };

EVERY_CALL uint32_t guess(const struct calls_sums *s, const void *function)
{
    return s->nodes[s->current].callees[(uintptr_t)function >> 4 & 3];
}

/* `c` is the top; the room in `n` is found. */
EVERY_CALL void begin_count(struct calls_thread *t, struct call *c, uint32_t at)
{
    struct calls_sums *s = t->sums;
    struct calls_node *n = &s->nodes[at];
    c->node = (uint16_t)at;
    c->before = s->current;
    c->inside = 0;
    s->current = n->depth < s->cap ? (uint16_t)at : s->current;
    put(&n->calls, n->calls + 1);
    put(&s->counted, s->counted + 1);
    t->recorded++;
    if (n->skip) {
        n->skip--;
        c->began = 0;
    } else {
        c->began = oriel_ticks(oriel_tls.thread);
    }
}

SELDOM static void count(struct calls_thread *t, struct call *c)
{
    struct calls_sums *s = t->sums;
    uint32_t at = guess(s, c->address);
    if (s->nodes[at].address != c->address || s->nodes[at].parent != s->current)
        at = calls_sums_node(s, s->current, c->function, c->address, calls_bytes(c->function));
    if (at)
        begin_count(t, c, at);
    else
        put(&s->no_room, s->no_room + 1);
}

EVERY_CALL void note(uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Means reach what they are of after a few calls; one that took very long counts as less. */
EVERY_CALL void learn(struct calls_sums *s, struct calls_node *n, uint64_t took, uint64_t self)
{
    const uint32_t most = 1u << 24;
    if (n->timed == 0) {
        n->took_mean = (uint32_t)(took < most ? took : most) << MEAN_SHIFT;
        n->self_mean = (uint32_t)(self < most ? self : most) << MEAN_SHIFT;
    }
    n->took_mean += (uint32_t)(took < most ? took : most) - (n->took_mean >> MEAN_SHIFT);
    n->self_mean += (uint32_t)(self < most ? self : most) - (n->self_mean >> MEAN_SHIFT);
    if (n->timed < TIMED_FIRST) {
        n->timed++;
    } else if (n->took_mean >> MEAN_SHIFT < SHORT_TICKS) {
        s->random = s->random * 1664525u + 1013904223u;
        n->skip = s->random >> 20 & SKIP_MASK;
    }
}

/* Not timed: as its mean, and at least as long as what in it was timed. */
EVERY_CALL uint64_t end_untimed(struct calls_node *n, const struct call *c)
{
    const uint64_t self = n->self_mean >> MEAN_SHIFT, took = n->took_mean >> MEAN_SHIFT;
    put(&n->self, n->self + self);
    return took > self + c->inside ? took : self + c->inside;
}

EVERY_CALL void end_count(struct calls_thread *t, struct call *c)
{
    uint64_t nobody = 0, *below = t->depth ? &(c - 1)->inside : &nobody;
    if (c->node == 0) {
        *below += c->inside; /* what it called itself */
        return;
    }
    struct calls_sums *s = t->sums;
    struct calls_node *n = &s->nodes[c->node];
    t->recorded--;
    s->current = c->before;
    if (c->began == 0) {
        *below += end_untimed(n, c);
        return;
    }
    const uint64_t now = oriel_ticks(oriel_tls.thread), took = now - c->began;
    const uint32_t time = calls_time(took);
    uint64_t self = took - c->inside;
    self = (int64_t)self > 0 ? self : 0; /* means are not exact, nor clocks of two processors */
    *below += took;
    put(&n->self, n->self + self);
    if (time < n->least)
        note(&n->least, time);
    if (time > n->most)
        note(&n->most, time);
    learn(s, n, took, self);
    if (__builtin_expect(now - s->told_ticks > TELL_TICKS, 0))
        s->due = 1;
}

EVERY_CALL void end_top(struct calls_thread *t)
{
    struct call *c = &t->open[--t->depth];
    if (t->sums) {
        end_count(t, c);
        return;
    }
    if (c->scope.id == 0)
        return;
    t->recorded--;
    oriel_end(&c->scope);
}

/* Calls that lie below the stack pointer were jumped out of. */
static bool is_stale(const struct call *c, uintptr_t sp)
{
    return c->sp < sp && sp - c->sp < REACH;
}

EVERY_CALL bool top_is_stale(const struct calls_thread *t, uintptr_t sp)
{
    return t->depth && is_stale(&t->open[t->depth - 1], sp);
}

SELDOM static void end_all_stale(struct calls_thread *t, uintptr_t sp)
{
    while (top_is_stale(t, sp)) {
        end_top(t);
        t->beyond = 0;
    }
}

EVERY_CALL void end_stale(struct calls_thread *t, uintptr_t sp)
{
    if (__builtin_expect(top_is_stale(t, sp), 0))
        end_all_stale(t, sp);
}

EVERY_CALL bool is_inside(uint32_t function, uintptr_t address)
{
    const struct calls_entry *e = &calls_entries(all.image)[function];
    return (uint64_t)address - all.bias - e->address < e->bytes;
}

/* One physical frame: inlined into each other. */
static bool same_frame(const struct call *a, const struct call *b)
{
    return a->sp == b->sp && a->caller == b->caller;
}

/* What is open above the function that makes this call was jumped out of, wherever its
 * stack pointer was, unless it is inlined there. A caller that is not on the list says
 * nothing. */
SELDOM static void end_jumped_over(struct calls_thread *t, uintptr_t caller)
{
    enum { LOOK = 64 };
    uint32_t stop = t->depth > LOOK ? t->depth - LOOK : 0, at = t->depth;
    while (at > stop && !is_inside(t->open[at - 1].function, caller))
        at--;
    if (at == stop)
        return;
    while (t->depth > at && !same_frame(&t->open[t->depth - 1], &t->open[at - 1]))
        end_top(t);
}

/* Switched off, none of these writes a record that would come by new directives: so here. */
EVERY_CALL oriel_word word_of(uint32_t function)
{
    oriel_word word = __atomic_load_n(&all.words[function], __ATOMIC_RELAXED);
    if (ORIEL_RECORDED(word) || oriel_tls.thread->clock != ORIEL_CLOCK_MARK)
        return word;
    (void)oriel_abi_ticks_slow();
    return __atomic_load_n(&all.words[function], __ATOMIC_RELAXED);
}

EVERY_CALL void begin(struct calls_thread *t, struct call *c, oriel_word word)
{
    c->node = 0;
    c->scope.id = 0;
    c->inside = 0;
    if (ORIEL_RECORDED(word) == 0 || t->recorded >= all.depth)
        return;
    if (t->sums) {
        count(t, c);
        return;
    }
    struct oriel_emit e = oriel_begin_start(word, 0);
    if (!e.words)
        return; /* counted as lost */
    c->scope = oriel_begin_commit(e, word, e.words + 2);
    t->recorded++;
}

EVERY_CALL void enter(struct calls_thread *t, uint32_t function, const void *address,
                      uintptr_t caller, uintptr_t sp)
{
    end_stale(t, sp);
    const struct call *top = t->depth ? &t->open[t->depth - 1] : NULL;
    bool inlined = top && top->sp == sp && top->caller == caller && top->function != function;
    if (top && !inlined && !is_inside(top->function, caller))
        end_jumped_over(t, caller);
    if (t->depth == CALLS_DEPTH_MAX) {
        t->beyond++;
        if (t->sums)
            put(&t->sums->too_deep, t->sums->too_deep + 1);
        return;
    }
    struct call *c = &t->open[t->depth++];
    c->sp = sp;
    c->caller = caller;
    c->address = address;
    c->function = function;
    c->home = inlined ? top->home : address;
    c->home_bytes = inlined ? top->home_bytes : calls_bytes(function);
    begin(t, c, word_of(function));
}

void calls_enter(struct calls_thread *t, uint32_t function, uintptr_t caller, uintptr_t sp)
{
    enter(t, function, address_of(function), caller, sp);
}

/* Most returns are from the call on top. That it returns to the same place says so, not the
 * stack pointer: a compiler may leave the frame before it tells. False, and nothing has
 * changed, where that is not certain. */
EVERY_CALL bool leave_top(struct calls_thread *t, const void *address, uintptr_t caller)
{
    const struct call *top = t->depth ? &t->open[t->depth - 1] : NULL;
    if (!top || t->beyond || top->address != address || top->caller != caller)
        return false;
    end_top(t);
    return true;
}

void calls_leave(struct calls_thread *t, uint32_t function, uintptr_t sp)
{
    end_stale(t, sp);
    if (t->beyond) {
        t->beyond--;
        return;
    }
    uint32_t at = t->depth;
    while (at > 0 && t->open[at - 1].function != function)
        at--;
    assert(t->depth <= CALLS_DEPTH_MAX);
    if (at == 0)
        return; /* entered before this was here */
    while (t->depth >= at)
        end_top(t);
}

SELDOM static struct calls_thread *first_call(const void *function)
{
    return find(function) == UINT32_MAX ? NULL : calls_thread_new();
}

/* A signal may come in between: what its handler calls then is not seen, and both of
 * its hooks pass by. */
EVERY_CALL void set_inside(struct calls_here *here, uint32_t inside)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&here->inside, inside, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

SELDOM static void enter_slowly(struct calls_thread *t, const void *function, uintptr_t caller,
                                uintptr_t sp)
{
    if (!t && !(t = first_call(function)))
        return;
    if (t->sums && t->sums->due)
        calls_tell(t, false);
    const uint32_t found = find(function);
    if (found != UINT32_MAX)
        enter(t, found, function, caller, sp);
}

void calls_enter_here(const void *function, uintptr_t caller, uintptr_t sp)
{
    struct calls_here *here = &calls_here;
    struct calls_thread *t = here->calls;
    if (here->inside)
        return;
    set_inside(here, 1);
    const uint32_t found = t && !t->sums ? find(function) : UINT32_MAX;
    if (found != UINT32_MAX)
        enter(t, found, function, caller, sp);
    else if (!t || t->sums)
        enter_slowly(t, function, caller, sp);
    set_inside(here, 0);
}

SELDOM static void leave_another(struct calls_thread *t, const void *function, uintptr_t sp)
{
    const uint32_t found = find(function);
    if (found != UINT32_MAX)
        calls_leave(t, found, sp);
}

void calls_leave_here(const void *function, uintptr_t caller, uintptr_t sp)
{
    struct calls_here *here = &calls_here;
    struct calls_thread *t = here->calls;
    if (here->inside || !t)
        return;
    set_inside(here, 1);
    if (!leave_top(t, function, caller))
        leave_another(t, function, sp);
    set_inside(here, 0);
}

/* Where the path goes on to a function; one that is known, or 0. */
EVERY_CALL uint32_t known_node(struct calls_sums *s, const void *function)
{
    const uint16_t parent = s->current;
    uint32_t at = guess(s, function);
    if (s->nodes[at].address == function && s->nodes[at].parent == parent)
        return at;
    at = s->index[calls_sums_hash(parent, function)];
    if (s->nodes[at].address != function || s->nodes[at].parent != parent)
        return 0;
    s->nodes[parent].callees[(uintptr_t)function >> 4 & 3] = (uint16_t)at;
    return at;
}

/* What nearly every call is: of a function that was called from here before, by the one on top
 * or inlined into it. False: not certain, nothing has changed. */
EVERY_CALL bool count_quickly(struct calls_thread *t, const void *function, uintptr_t caller,
                              uintptr_t sp)
{
    struct calls_sums *s = t->sums;
    if (s->due || t->depth - 1 >= CALLS_DEPTH_MAX - 1 || t->recorded >= all.depth)
        return false;
    const uint32_t at = known_node(s, function);
    const struct calls_node *n = &s->nodes[at];
    struct call *c = &t->open[t->depth], *top = c - 1;
    if (at == 0 || ORIEL_RECORDED(__atomic_load_n(&all.words[n->function], __ATOMIC_RELAXED)) == 0)
        return false;
    if (sp < top->sp && caller - (uintptr_t)top->home < top->home_bytes) {
        c->home = function;
        c->home_bytes = n->bytes;
    } else if (sp == top->sp && caller == top->caller && function != top->address) {
        c->home = top->home; /* inlined */
        c->home_bytes = top->home_bytes;
    } else {
        return false;
    }
    c->sp = sp;
    c->caller = caller;
    c->address = function;
    c->function = n->function;
    t->depth++;
    begin_count(t, c, at);
    return true;
}

void calls_count_here(const void *function, uintptr_t caller, uintptr_t sp)
{
    struct calls_here *here = &calls_here;
    if (here->inside)
        return;
    set_inside(here, 1);
    if (!count_quickly(here->calls, function, caller, sp))
        enter_slowly(here->calls, function, caller, sp);
    set_inside(here, 0);
}

/* As leave_top, once more: its way with spans is not wanted here. */
void calls_uncount_here(const void *function, uintptr_t caller, uintptr_t sp)
{
    struct calls_here *here = &calls_here;
    struct calls_thread *t = here->calls;
    if (here->inside)
        return;
    set_inside(here, 1);
    struct call *top = t->depth ? &t->open[t->depth - 1] : NULL;
    if (top && !t->beyond && top->address == function && top->caller == caller) {
        t->depth--;
        end_count(t, top);
    } else {
        leave_another(t, function, sp);
    }
    set_inside(here, 0);
}

/* ---- functions whose ways out are certain ---- */

bool calls_wanted(const struct calls_thread *t, uint32_t function)
{
    return t->depth < CALLS_DEPTH_MAX && t->recorded < all.depth &&
           ORIEL_RECORDED(__atomic_load_n(&all.words[function], __ATOMIC_RELAXED)) != 0;
}

/* What lies below this place is gone, and what lies in it too: a return address has just been
 * pushed there, or a function went on in the place of another. */
static void end_until(struct calls_thread *t, uintptr_t slot)
{
    end_stale(t, slot);
    while (t->depth && t->open[t->depth - 1].sp == slot)
        end_top(t);
}

void calls_enter_at(struct calls_thread *t, uint32_t function, uintptr_t slot)
{
    end_until(t, slot);
    assert(t->depth <= CALLS_DEPTH_MAX);
    if (t->depth == CALLS_DEPTH_MAX)
        return;
    struct call *c = &t->open[t->depth++];
    c->sp = slot;
    c->caller = 0;
    c->function = function;
    c->address = t->sums ? address_of(function) : NULL;
    begin(t, c, word_of(function));
}

/* A stack that another thread goes on with finds nothing of it here. */
void calls_leave_at(struct calls_thread *t, uintptr_t slot)
{
    end_until(t, slot);
}

bool calls_are_quick(const struct calls_thread *t, uintptr_t slot, bool leaving)
{
    enum { ROOM = 64 };
    const struct oriel_gate *g = oriel_tls.gate;
    const struct oriel_thread *block = oriel_tls.thread;
    const struct call *top = t->depth ? &t->open[t->depth - 1] : NULL;
    const struct call *below = t->depth > 1 ? top - 1 : NULL;
    if (t->sums) {
        if (block->clock != ORIEL_CLOCK_INLINE || t->sums->due)
            return false;
    } else if (g->ready != ORIEL_GATE_INLINE || block->clock != ORIEL_CLOCK_INLINE ||
               block->head + ROOM > ORIEL_GATE_LIMIT(g))
        return false;
    if (!leaving) /* nothing to end first */
        return !top || top->sp > slot || slot - top->sp >= REACH;
    return !top || (top->sp == slot && (!below || below->sp > slot));
}

void calls_forget(struct calls_thread *t)
{
    t->depth = t->recorded = t->beyond = 0;
}
