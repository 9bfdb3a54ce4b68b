/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Up the stack, frame by frame: a row from the cache, else from the module's
 * table, else made from .eh_frame; where there is none, the frame pointer. Only
 * pc, sp and fp are followed; code that is left by another register (the
 * binder of lazily bound functions uses rbx) makes the walk start over by the
 * rules themselves, with every register. Runs anywhere, signal handlers too.
 */
#include <assert.h>

#include "unwind/bytes.h"
#include "unwind/cache.h"
#include "unwind/eh_frame.h"
#include "unwind/table.h"

enum {
    SIGNALS_MAX = 16,   /* signal frames in one walk */
    ENTRY_BYTES = 64,   /* of an entry point that describes itself nowhere */
    LOWEST_CODE = 4096, /* below this lies nothing */
    FRAME_MAX = 1 << 20 /* a frame pointer further away is none */
};

struct walk {
    const struct unwind_space *space;
    const struct unwind_memory *memory;
    struct unwind_regs regs;
    uint64_t code_mask, *pcs;
    uint32_t max, signals;
    bool exact;    /* pc is where execution goes on, not behind a call */
    bool by_rules; /* every frame by its rules */
    bool bodiless; /* the frame before this one took nothing of the stack */
    struct unwind_result result;
};

/* How a step went. */
enum step { GO_ON, ENDED, START_OVER };

const char *unwind_end_text(enum unwind_end end)
{
    static const char *const texts[] = {
#define UNWIND_END_TEXT(name, text, complete) text,
        UNWIND_ENDS(UNWIND_END_TEXT)
#undef UNWIND_END_TEXT
    };
    return (unsigned)end < UNWIND_END_COUNT ? texts[end] : "unknown";
}

bool unwind_end_is_complete(enum unwind_end end)
{
    static const bool complete[] = {
#define UNWIND_END_COMPLETE_BIT(name, text, yes) yes,
        UNWIND_ENDS(UNWIND_END_COMPLETE_BIT)
#undef UNWIND_END_COMPLETE_BIT
    };
    return (unsigned)end < UNWIND_END_COUNT && complete[end];
}

const struct unwind_module *unwind_space_find(const struct unwind_space *space, uint64_t address)
{
    const struct unwind_module *low = space->modules;
    if (space->count == 0)
        return NULL;
    for (size_t n = space->count; n > 1;) {
        size_t half = n / 2;
        low += low[half].start <= address ? half : 0;
        n -= half;
    }
    return address >= low->start && address < low->end ? low : NULL;
}

/* Out of line: a miss is rare and its stack frame large. */
__attribute__((noinline)) static unwind_row make_row(const struct unwind_space *space,
                                                     uint64_t address)
{
    const struct unwind_module *m = unwind_space_find(space, address);
    if (!m)
        return unwind_row_make(UNWIND_NONE, 0, 0, 0, 0);
    if (m->table)
        return unwind_table_find(m->table, address - m->bias);
    return eh_frame_row(&m->eh, address - m->bias);
}

static inline unwind_row find_row(const struct unwind_space *space, uint64_t address)
{
    unwind_row row;
    uint64_t key;
    if (!space->cache)
        return make_row(space, address);
    key = unwind_cache_key(address, space->generation);
    if (!unwind_cache_get(space->cache, key, &row)) {
        row = make_row(space, address);
        unwind_cache_put(space->cache, key, row);
    }
    return row;
}

/* Saved registers of a foreign frame, which a sanitizer takes for nobody's. */
__attribute__((no_sanitize("address"))) static inline bool
read_word(const struct walk *w, uint64_t address, uint64_t *out)
{
    uint64_t offset = address - w->memory->stack_start;
    if (__builtin_expect(offset < w->memory->stack_size && w->memory->stack_size - offset >= 8,
                         1)) {
        __builtin_memcpy(out, w->memory->stack + offset, 8);
        return true;
    }
    return unwind_memory_read(w->memory, address, out, 8);
}

static enum step end(struct walk *w, enum unwind_end why)
{
    w->result.end = why;
    return ENDED;
}

static inline uint64_t basic_regs(uint32_t arch)
{
    return UINT64_C(1) << unwind_pc_reg(arch) | UINT64_C(1) << unwind_sp_reg(arch) |
           UINT64_C(1) << unwind_fp_reg(arch);
}

/* The caller's frame, checked: the stack grows down, so callers lie above. */
static inline enum step move_to(struct walk *w, uint64_t pc, uint64_t sp, uint64_t fp)
{
    const uint32_t arch = w->regs.arch;
    pc &= w->code_mask;
    uint64_t old_sp = unwind_sp(&w->regs);
    bool leaf = sp == old_sp && arch == UNWIND_AARCH64 && w->exact;
    if (sp <= old_sp && !leaf)
        return end(w, UNWIND_END_STUCK);
    if (pc == 0)
        return end(w, UNWIND_END_COMPLETE);
    if (pc < LOWEST_CODE || sp % 8 != 0)
        return end(w, UNWIND_END_IMPLAUSIBLE);
    w->regs.r[unwind_pc_reg(arch)] = pc;
    w->regs.r[unwind_sp_reg(arch)] = sp;
    w->regs.r[unwind_fp_reg(arch)] = fp;
    w->regs.known = basic_regs(arch);
    w->exact = w->bodiless = false;
    return GO_ON;
}

/* A frame that only stands in for a return address (src/hook/calls/thunk.c): nothing of the
 * program, so its place is given to the next one. Two of them in a row are none. */
static enum step pass(struct walk *w, const struct unwind_regs *next)
{
    uint64_t pc = unwind_pc(next) & w->code_mask;
    if (pc < LOWEST_CODE)
        return end(w, UNWIND_END_IMPLAUSIBLE);
    w->regs = *next;
    w->regs.r[unwind_pc_reg(next->arch)] = pc;
    w->exact = false;
    w->bodiless = true;
    if (w->result.count > 1)
        w->result.count--;
    return GO_ON;
}

/* The CFA a row says; false when a word of the stack is missing. */
static inline bool row_cfa(const struct walk *w, unwind_row row, uint64_t *out)
{
    const struct unwind_regs *r = &w->regs;
    uint64_t base, offset = (uint64_t)(int64_t)unwind_row_cfa(row);
    switch (unwind_row_kind(row)) {
    case UNWIND_FROM_SP:
        *out = unwind_sp(r) + offset;
        return true;
    case UNWIND_FROM_FP:
        *out = r->r[unwind_fp_reg(r->arch)] + offset;
        return true;
    case UNWIND_PLT:
        *out = unwind_sp(r) + 8 + ((unwind_pc(r) & 15) >= offset ? 8 : 0);
        return true;
    default: /* UNWIND_AT_SP, UNWIND_AT_FP */
        base = unwind_row_kind(row) == UNWIND_AT_SP ? unwind_sp(r) : r->r[unwind_fp_reg(r->arch)];
        if (!read_word(w, base + offset, out))
            return false;
        *out += 8 * (uint64_t)(int64_t)unwind_row_ra(row);
        return true;
    }
}

static inline enum step step_by_row(struct walk *w, unwind_row row)
{
    const unsigned kind = unwind_row_kind(row), flags = unwind_row_flags(row);
    uint64_t cfa, pc, fp = w->regs.r[unwind_fp_reg(w->regs.arch)];
    if (!row_cfa(w, row, &cfa))
        return end(w, UNWIND_END_TRUNCATED);
    if (flags & UNWIND_RA_IN_LR) {
        if (!(w->regs.known >> UNWIND_ARM_LR & 1))
            return end(w, UNWIND_END_REGISTER);
        pc = w->regs.r[UNWIND_ARM_LR];
    } else {
        int64_t slot = kind == UNWIND_FROM_SP || kind == UNWIND_FROM_FP ? unwind_row_ra(row) : -1;
        if (!read_word(w, cfa + 8 * (uint64_t)slot, &pc))
            return end(w, UNWIND_END_TRUNCATED);
    }
    int64_t slot = unwind_row_fp(row);
    /* In an epilogue the slot lies below the stack pointer already: what was in it
     * is in the register again, and no copy of a stack holds it. */
    if (w->exact && !(flags & UNWIND_FP_FROM_FP) && cfa + 8 * (uint64_t)slot < unwind_sp(&w->regs))
        slot = 0;
    if (flags & UNWIND_FP_FROM_FP) {
        if (!read_word(w, fp + (uint64_t)slot, &fp))
            return end(w, UNWIND_END_TRUNCATED);
    } else if (slot && !read_word(w, cfa + 8 * (uint64_t)slot, &fp)) {
        return end(w, UNWIND_END_TRUNCATED);
    }
    return move_to(w, pc, cfa, fp);
}

/* To what a signal interrupted, perhaps on another stack: any sp will do, but
 * not for ever. */
static enum step leave_signal(struct walk *w, const struct unwind_regs *next)
{
    if (++w->signals > SIGNALS_MAX)
        return end(w, UNWIND_END_STUCK);
    w->regs = *next;
    w->regs.r[unwind_pc_reg(next->arch)] &= w->code_mask;
    w->exact = true;
    w->result.interrupted = w->result.count;
    return GO_ON;
}

/* A step with all registers, for frames no row can hold. */
__attribute__((noinline)) static enum step
step_by_rules(struct walk *w, const struct unwind_module *m, uint64_t address)
{
    struct unwind_regs next = w->regs;
    bool signal;
    switch (eh_frame_step(&m->eh, address - m->bias, w->memory, &next, &signal)) {
    case EH_STEP_ROOT:
        return end(w, UNWIND_END_COMPLETE);
    case EH_STEP_NONE:
    case EH_STEP_BAD:
        return end(w, UNWIND_END_BAD_ROW);
    case EH_STEP_MEMORY:
        return end(w, UNWIND_END_TRUNCATED);
    case EH_STEP_REG:
        return w->by_rules ? end(w, UNWIND_END_REGISTER) : START_OVER;
    case EH_STEP_OK:
        break;
    }
    if (signal)
        return leave_signal(w, &next);
    if (unwind_sp(&next) == unwind_sp(&w->regs) && next.arch == UNWIND_X86_64 && !w->bodiless)
        return pass(w, &next);
    enum step step =
        move_to(w, unwind_pc(&next), unwind_sp(&next), next.r[unwind_fp_reg(next.arch)]);
    if (step == GO_ON) {
        next.r[unwind_pc_reg(next.arch)] &= w->code_mask;
        w->regs = next;
    }
    return step;
}

/* Code that nothing describes and that has not moved the stack yet: a call
 * through a wild pointer, a stub of aarch64. The caller is in the link register,
 * or in the word on top, if that is a place with a row. */
static bool step_undescribed(struct walk *w, const struct unwind_module *m)
{
    struct unwind_regs *r = &w->regs;
    const bool x86 = r->arch == UNWIND_X86_64;
    uint64_t sp = unwind_sp(r), pc = r->r[UNWIND_ARM_LR];
    if (!w->exact || (x86 && (m || !read_word(w, sp, &pc))) ||
        (!x86 && !(r->known >> UNWIND_ARM_LR & 1)))
        return false;
    pc &= w->code_mask;
    if (unwind_row_kind(find_row(w->space, pc - 1)) == UNWIND_NONE)
        return false;
    return move_to(w, pc, x86 ? sp + 8 : sp, r->r[unwind_fp_reg(r->arch)]) == GO_ON;
}

/* A signal trampoline of aarch64 that is described nowhere (musl, emulators):
 * the kernel's frame record repeats two registers of the context below it. */
static bool step_undescribed_signal(struct walk *w)
{
    struct unwind_regs next = w->regs;
    uint64_t fp, lr, record = w->regs.r[UNWIND_ARM_FP];
    if (w->exact || w->regs.arch != UNWIND_AARCH64 || record < unwind_sp(&w->regs) ||
        !read_word(w, record, &fp) || !read_word(w, record + 8, &lr) ||
        eh_step_arm_signal(w->memory, &next) != EH_STEP_OK || next.r[UNWIND_ARM_FP] != fp ||
        next.r[UNWIND_ARM_LR] != lr || next.r[UNWIND_ARM_SP] % 16 != 0 ||
        !unwind_space_find(w->space, unwind_pc(&next)))
        return false;
    return leave_signal(w, &next) == GO_ON;
}

/* Where nothing describes the code. True: the walk is over, *out says how. */
static bool ends_here(const struct walk *w, const struct unwind_module *m, enum unwind_end *out)
{
    uint64_t fp = w->regs.r[unwind_fp_reg(w->regs.arch)];
    *out = UNWIND_END_NO_ROW;
    if (m && m->entry && unwind_pc(&w->regs) - m->entry < ENTRY_BYTES)
        *out = UNWIND_END_COMPLETE;
    else if (fp == 0 && (m || w->result.fp_frames > 0)) /* not just any address with fp 0 */
        *out = UNWIND_END_FP_ZERO;
    else if (fp % 8 == 0 && fp >= unwind_sp(&w->regs))
        return false;
    return true;
}

/* Both machines keep {caller's fp, return address} where fp points. */
static enum step step_by_fp(struct walk *w, const struct unwind_module *m)
{
    uint64_t fp = w->regs.r[unwind_fp_reg(w->regs.arch)], pc, next_fp;
    enum unwind_end why;
    if (step_undescribed_signal(w))
        return GO_ON;
    if (step_undescribed(w, m)) {
        w->result.fp_frames++;
        return GO_ON;
    }
    if (ends_here(w, m, &why))
        return end(w, why);
    if (!read_word(w, fp, &next_fp) || !read_word(w, fp + 8, &pc))
        return end(w,
                   fp - unwind_sp(&w->regs) < FRAME_MAX ? UNWIND_END_TRUNCATED : UNWIND_END_NO_ROW);
    pc &= w->code_mask;
    if (pc == 0)
        return end(w, UNWIND_END_FP_ZERO);
    /* Made code calls made code; anything else is called from a module. */
    bool called = !m || unwind_space_find(w->space, pc - 1);
    if (!called || (m && next_fp != 0 && next_fp <= fp))
        return end(w, UNWIND_END_NO_ROW);
    w->result.fp_frames++;
    return move_to(w, pc, fp + 16, next_fp);
}

static enum step step_rare(struct walk *w, unwind_row row, uint64_t address)
{
    if (unwind_row_kind(row) == UNWIND_NONE && !w->exact) {
        /* Nothing lies before a function that is returned to, not called
         * (makecontext): then it is the address itself. */
        row = find_row(w->space, ++address);
    }
    const struct unwind_module *m = unwind_space_find(w->space, address);
    unsigned kind = unwind_row_kind(row);
    if (kind == UNWIND_ROOT)
        return end(w, UNWIND_END_COMPLETE);
    if (kind == UNWIND_NONE || !m)
        return step_by_fp(w, m);
    if (kind != UNWIND_BY_RULES && !w->by_rules)
        return step_by_row(w, row);
    return step_by_rules(w, m, address);
}

static enum step step(struct walk *w)
{
    uint64_t address = unwind_pc(&w->regs) - !w->exact;
    unwind_row row = find_row(w->space, address);
    unsigned kind = unwind_row_kind(row);
    if (__builtin_expect(kind >= UNWIND_FROM_SP && kind < UNWIND_BY_RULES && !w->by_rules, 1))
        return step_by_row(w, row);
    return step_rare(w, row, address);
}

/* Nearly all frames: a plain row in the cache, its words in the window, nothing
 * wrong. Everything else, the reasons to end included, is left to step(). */
__attribute__((no_sanitize("address"))) static void run_plain(struct walk *w)
{
    const struct unwind_space *space = w->space;
    const uint8_t *stack = w->memory->stack;
    const uint64_t start = w->memory->stack_start, size = w->memory->stack_size;
    const unsigned fp_reg = unwind_fp_reg(w->regs.arch);
    uint64_t pc = unwind_pc(&w->regs), sp = unwind_sp(&w->regs), fp = w->regs.r[fp_reg];
    uint32_t count = w->result.count;
    bool exact = w->exact;
    if (w->by_rules || !space->cache || size < 8)
        return;
    while (count < w->max) {
        unwind_row row;
        uint64_t key = unwind_cache_key(pc - !exact, space->generation), next;
        if (!unwind_cache_get(space->cache, key, &row))
            break;
        unsigned form = row & 0xff; /* kind and flags */
        if (form != UNWIND_FROM_SP && form != UNWIND_FROM_FP)
            break;
        uint64_t cfa = (form == UNWIND_FROM_SP ? sp : fp) + (uint64_t)(int64_t)unwind_row_cfa(row);
        uint64_t ra_at = cfa - start + 8 * (uint64_t)(int64_t)unwind_row_ra(row);
        uint64_t fp_at = cfa - start + 8 * (uint64_t)(int64_t)unwind_row_fp(row);
        if (ra_at > size - 8 || cfa <= sp || cfa % 8 != 0)
            break;
        __builtin_memcpy(&next, stack + ra_at, 8);
        next &= w->code_mask;
        if (next < LOWEST_CODE)
            break;
        if (unwind_row_fp(row)) {
            if (fp_at > size - 8)
                break;
            __builtin_memcpy(&fp, stack + fp_at, 8);
        }
        sp = cfa;
        w->pcs[count++] = pc = next;
        exact = false;
    }
    if (count == w->result.count)
        return;
    w->regs.r[unwind_pc_reg(w->regs.arch)] = pc;
    w->regs.r[unwind_sp_reg(w->regs.arch)] = sp;
    w->regs.r[fp_reg] = fp;
    w->regs.known = basic_regs(w->regs.arch);
    w->result.count = count;
    w->exact = w->bodiless = false;
}

/* True when the walk has ended for good. */
static bool walk_once(struct walk *w)
{
    for (;;) {
        w->pcs[w->result.count++] = unwind_pc(&w->regs);
        run_plain(w);
        enum step s = step(w);
        if (s != GO_ON)
            return s == ENDED;
        if (w->result.count >= w->max) {
            w->result.end = UNWIND_END_FULL;
            return true;
        }
    }
}

struct unwind_result unwind_walk(const struct unwind_space *space,
                                 const struct unwind_memory *memory, const struct unwind_regs *regs,
                                 uint64_t *pcs, uint32_t max)
{
    struct walk w;
    w.space = space;
    w.memory = memory;
    w.pcs = pcs;
    w.max = max;
    w.code_mask = space->code_mask;
    if (w.code_mask == 0) /* aarch64 signs addresses in the bits above the 48 used */
        w.code_mask = regs->arch == UNWIND_AARCH64 ? (UINT64_C(1) << 48) - 1 : UINT64_MAX;
    w.by_rules = false;
    for (;;) {
        w.regs = *regs;
        w.regs.r[unwind_pc_reg(regs->arch)] &= w.code_mask;
        w.signals = 0;
        w.exact = true;
        w.bodiless = false;
        w.result = (struct unwind_result){.end = UNWIND_END_FULL};
        if (max == 0 || walk_once(&w)) {
            w.result.sp = unwind_sp(&w.regs);
            return w.result;
        }
        assert(!w.by_rules);
        w.by_rules = true;
    }
}
