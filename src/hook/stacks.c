/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks and their records. Runs inside malloc and inside signal handlers of
 * the observed program: static memory, no lock of ours, no libc beyond mem*.
 * Only hook_stacks_refresh asks the loader.
 */
#include "hook/stacks.h"

#include <assert.h>
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "hook/modules.h"
#include "rec/rec.h"
#include "unwind/current.h"

/* What a walk needs of the stack that it runs on, at most, and what comes after it. */
enum { ROOM_BYTES = 6 << 10, POOL = 32 };

static struct unwind_self self;
static struct {
    uint32_t taken; /* atomic */
    struct hook_stack stack;
} pool[POOL];
static uint32_t busy; /* one refresh at a time */
static bool opened, child;

static __thread struct {
    struct unwind_stack bounds;
    bool asked, known;
} here __attribute__((tls_model("initial-exec")));

/* ---- functions that only pass an allocation on ---- */

enum { PASSING_MAX = 8 };
static struct {
    uint64_t start, end;
} passing[PASSING_MAX];
static uint32_t passing_count;
static uint64_t passing_start = UINT64_MAX, passing_end; /* around all of them */

/* Where operator new lies, in a library that is there at the start. */
static void find_passing(void)
{
    static const char *const names[PASSING_MAX] = {"_Znwm",
                                                   "_Znam",
                                                   "_ZnwmRKSt9nothrow_t",
                                                   "_ZnamRKSt9nothrow_t",
                                                   "_ZnwmSt11align_val_t",
                                                   "_ZnamSt11align_val_t",
                                                   "_ZnwmSt11align_val_tRKSt9nothrow_t",
                                                   "_ZnamSt11align_val_tRKSt9nothrow_t"};
    for (size_t i = 0; i < PASSING_MAX; i++) {
        Dl_info info;
        const ElfW(Sym) *symbol = NULL;
        void *at = dlsym(RTLD_DEFAULT, names[i]);
        if (!at) {
            (void)dlerror();
            continue;
        }
        if (dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && symbol->st_size) {
            passing[passing_count].start = (uintptr_t)at;
            passing[passing_count++].end = (uintptr_t)at + symbol->st_size;
            if (passing_start > (uintptr_t)at)
                passing_start = (uintptr_t)at;
            if (passing_end < (uintptr_t)at + symbol->st_size)
                passing_end = (uintptr_t)at + symbol->st_size;
        }
    }
}

static bool only_passes(uint64_t return_address)
{
    if (__builtin_expect(return_address <= passing_start || return_address > passing_end, 1))
        return false;
    for (uint32_t i = 0; i < passing_count; i++)
        if (return_address > passing[i].start && return_address <= passing[i].end)
            return true;
    return false;
}

/* ---- modules ---- */

int hook_stacks_open(bool at_start)
{
    if (opened)
        return 0;
    int rc = unwind_self_open(&self, at_start);
    opened = rc == 0;
    find_passing();
    return rc;
}

void hook_stacks_tell(void)
{
    hook_modules_tell();
}

bool hook_stacks_refresh(void)
{
    uint32_t no = 0;
    /* The loader's lock may be held for ever by a thread the child does not have. */
    if (!opened || child ||
        !__atomic_compare_exchange_n(&busy, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    uint64_t before = self.generation;
    bool changed = unwind_self_refresh(&self) == 0 && self.generation != before;
    if (changed)
        hook_modules_tell();
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
    return changed;
}

void hook_stacks_forked(bool alone)
{
    child |= !alone;
    busy = 0;
    hook_modules_forked();
    unwind_self_after_fork(&self);
    for (int i = 0; i < POOL; i++)
        pool[i].taken = 0;
}

void hook_stacks_thread(void)
{
    if (here.asked)
        return;
    here.asked = true;
    here.known = unwind_stack_here(&here.bounds);
}

static const struct unwind_stack *bounds(void)
{
    return here.known ? &here.bounds : NULL;
}

/* On signal stacks and those of coroutines nobody knows; they are taken to be large
 * enough. */
static inline bool is_near_end(uintptr_t at)
{
    return here.known && at >= here.bounds.low && at < here.bounds.high &&
           at - here.bounds.low < ROOM_BYTES;
}

static bool has_room(struct hook_stack *out)
{
    out->result = (struct unwind_result){.end = UNWIND_END_TRUNCATED};
    return !is_near_end((uintptr_t)__builtin_frame_address(0));
}

/* Threads begin to look where others do not. */
struct hook_stack *hook_stacks_borrow(void)
{
    uint32_t first = (uint32_t)((uintptr_t)&here >> 12);
    for (uint32_t i = 0; i < POOL; i++) {
        uint32_t at = (first + i) % POOL, no = 0;
        if (__atomic_compare_exchange_n(&pool[at].taken, &no, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return &pool[at].stack;
    }
    return NULL;
}

void hook_stacks_return(struct hook_stack *stack)
{
    uintptr_t at = ((uintptr_t)stack - (uintptr_t)&pool[0].stack) / sizeof pool[0];
    if (!stack)
        return;
    assert(at < POOL && pool[at].taken);
    __atomic_store_n(&pool[at].taken, 0, __ATOMIC_RELEASE);
}

static void leave_out(struct hook_stack *out, uint32_t skip)
{
    if (skip == 0)
        return;
    out->result.count -= skip;
    out->result.interrupted -= out->result.interrupted > skip ? skip : out->result.interrupted;
    memmove(out->pcs, out->pcs + skip, out->result.count * sizeof *out->pcs);
}

__attribute__((noinline)) void hook_stacks_here(struct hook_stack *out, uint32_t skip)
{
    out->caller = true;
    if (!has_room(out))
        return;
    out->result = unwind_here(&self, bounds(), out->pcs, HOOK_STACK_DEPTH);
    skip++; /* this function */
    leave_out(out, skip < out->result.count ? skip : out->result.count);
}

/* Where the caller's registers say it all, walking begins there: the hook's own frames
 * would be half of a small program's. */
static bool walk_above(struct hook_stack *out, const struct unwind_caller *caller)
{
    if (!caller->sp || !has_room(out))
        return false;
    out->caller = true;
    out->result = unwind_above(&self, bounds(), caller, out->pcs, HOOK_STACK_DEPTH);
    return unwind_end_is_complete(out->result.end) && out->result.fp_frames == 0;
}

__attribute__((noinline)) void hook_stacks_below(struct hook_stack *out,
                                                 const struct unwind_caller *caller)
{
    uint32_t skip = 0;
    if (!walk_above(out, caller)) {
        hook_stacks_here(out, 1);
        while (skip < out->result.count && out->pcs[skip] != caller->pc)
            skip++;
        if (skip == out->result.count)
            return; /* rather too much of it than nothing */
    }
    while (skip + 1 < out->result.count && only_passes(out->pcs[skip]))
        skip++;
    leave_out(out, skip);
}

const struct unwind_trail *hook_stacks_along(struct unwind_trails *trails,
                                             const struct unwind_caller *caller,
                                             uint32_t *out_first)
{
    if (!caller->sp || is_near_end(caller->sp))
        return NULL;
    const struct unwind_trail *t = unwind_trails_walk(trails, &self, bounds(), caller);
    if (!t)
        return NULL;
    uint32_t at = t->first;
    while (at + 1 < UNWIND_TRAIL_MAX && only_passes(t->frames[at].pc))
        at++;
    *out_first = at;
    return t;
}

void hook_stacks_context(struct hook_stack *out, const void *ucontext)
{
    out->caller = false;
    if (!has_room(out))
        return;
    out->result = unwind_current(&self, bounds(), ucontext, out->pcs, HOOK_STACK_DEPTH);
}

bool hook_stacks_unknown(const struct hook_stack *stack)
{
    if (stack->result.count == 0)
        return stack->result.end != UNWIND_END_TRUNCATED;
    return stack->result.end == UNWIND_END_NO_ROW || stack->result.fp_frames != 0;
}

bool hook_stacks_sample(const struct hook_sample *sample, const struct hook_stack *stack)
{
    uint32_t n = stack ? stack->result.count : 0;
    uint32_t words = 6 + n;
    assert(n <= HOOK_STACK_DEPTH && sample->kind < ORIEL_SAMPLE_KINDS);
    struct oriel_emit e = oriel_emit_start(words * 8u);
    if (!e.words)
        return false;
    e.words[0] = ORIEL_RECORD_HEADER(words, ORIEL_REC_STACK, sample->kind, 0);
    e.words[1] = oriel_ticks(e.thread);
    e.words[2] =
        stack ? ORIEL_STACK_WALK(n, stack->result.interrupted, stack->caller, stack->result.end)
              : 0;
    e.words[3] = sample->weight;
    e.words[4] = sample->count;
    e.words[5] = sample->extra;
    if (n)
        memcpy(e.words + 6, stack->pcs, n * sizeof *stack->pcs);
    oriel_emit_commit(e, e.words + words);
    return true;
}
