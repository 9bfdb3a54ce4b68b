/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rules as a row of 64 bits, and one step up the stack by the rules themselves
 * where a row cannot hold them: signal frames, hand-written code. Runs
 * anywhere, signal handlers included.
 */
#include <assert.h>

#include "unwind/bytes.h"
#include "unwind/eh_frame.h"

enum {
    OP_DEREF = 0x06,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_LIT0 = 0x30,
    OP_BREG0 = 0x70,
    CFA_BITS = 24,
    ARM_SIGCONTEXT = 128 + 176 + 8 /* siginfo, ucontext up to its registers, fault address */
};

static bool fits_cfa(int64_t v)
{
    return v >= -(1 << (CFA_BITS - 1)) && v < 1 << (CFA_BITS - 1);
}

static bool fits_slot(int32_t v)
{
    return v % 8 == 0 && v / 8 == (int16_t)(v / 8);
}

static struct bytes expr_bytes(const struct eh_frame *eh, struct eh_rule rule)
{
    const uint8_t *begin = eh->frame + rule.value;
    return (struct bytes){begin, begin + rule.size, false};
}

/* breg7 8; breg16 0; lit15; and; litN; ge; lit3; shl; plus: the stub of a lazily
 * bound function has pushed one word from its N-th byte on. */
static bool match_plt(const struct eh_frame *eh, struct eh_rule rule, unwind_row *out)
{
    static const uint8_t plt[] = {0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
    enum { LIT_AT = 6 };
    const uint8_t *e = eh->frame + rule.value;
    if (eh->arch != UNWIND_X86_64 || rule.size != sizeof plt || memcmp(e, plt, LIT_AT) != 0 ||
        memcmp(e + LIT_AT + 1, plt + LIT_AT + 1, sizeof plt - LIT_AT - 1) != 0 ||
        e[LIT_AT] < OP_LIT0 || e[LIT_AT] > OP_LIT0 + 15)
        return false;
    *out = unwind_row_make(UNWIND_PLT, 0, e[LIT_AT] - OP_LIT0, 0, 0);
    return true;
}

/* bregN offset; deref; perhaps + constant: the stack pointer was saved in a
 * frame that was aligned (compilers), or by hand (OpenSSL). */
static bool match_deref(const struct eh_frame *eh, struct eh_rule rule, unwind_row *out)
{
    struct bytes b = expr_bytes(eh, rule);
    uint64_t plus = 0;
    unsigned reg = bytes_u8(&b) - (unsigned)OP_BREG0;
    int64_t offset = bytes_sleb(&b);
    if (eh->arch != UNWIND_X86_64 || (reg != UNWIND_X86_SP && reg != UNWIND_X86_FP) ||
        bytes_u8(&b) != OP_DEREF)
        return false;
    if (!b.bad && b.at < b.end) {
        uint8_t op = bytes_u8(&b);
        if (op == OP_PLUS_UCONST)
            plus = bytes_uleb(&b);
        else if (op >= OP_LIT0 && op < OP_LIT0 + 32 && bytes_u8(&b) == OP_PLUS)
            plus = op - (unsigned)OP_LIT0;
        else
            return false;
    }
    if (b.bad || b.at != b.end || !fits_cfa(offset) || plus > 1 << 15 || !fits_slot((int32_t)plus))
        return false;
    *out = unwind_row_make(reg == UNWIND_X86_SP ? UNWIND_AT_SP : UNWIND_AT_FP, 0, (int32_t)offset,
                           (int32_t)plus / 8, 0);
    return true;
}

static bool row_cfa(const struct eh_frame *eh, struct eh_rule cfa, unwind_row *out)
{
    if (cfa.kind == EH_EXPR)
        return match_plt(eh, cfa, out) || match_deref(eh, cfa, out);
    if (cfa.kind != EH_OFFSET || !fits_cfa(cfa.value))
        return false;
    if (cfa.reg == unwind_sp_reg(eh->arch))
        *out = unwind_row_make(UNWIND_FROM_SP, 0, cfa.value, 0, 0);
    else if (cfa.reg == unwind_fp_reg(eh->arch))
        *out = unwind_row_make(UNWIND_FROM_FP, 0, cfa.value, 0, 0);
    else
        return false;
    return true;
}

static bool add_fp(const struct eh_frame *eh, struct eh_rule fp, unwind_row *row)
{
    int32_t slot = 0;
    unsigned flags = 0;
    if (fp.kind == EH_OFFSET && fits_slot(fp.value) && fp.value != 0) {
        slot = fp.value / 8;
    } else if (fp.kind == EH_EXPR) { /* in an aligned frame it lies where it points */
        struct bytes b = expr_bytes(eh, fp);
        unsigned reg = bytes_u8(&b) - (unsigned)OP_BREG0;
        int64_t offset = bytes_sleb(&b);
        if (b.bad || b.at != b.end || reg != unwind_fp_reg(eh->arch) || offset != (int16_t)offset)
            return false;
        slot = (int32_t)offset;
        flags = UNWIND_FP_FROM_FP;
    } else if (fp.kind != EH_SAME) {
        return false;
    }
    *row |= unwind_row_make(0, flags, 0, 0, slot);
    return true;
}

static bool add_ra(const struct eh_frame *eh, struct eh_rule ra, unwind_row *row)
{
    unsigned kind = unwind_row_kind(*row);
    if (kind != UNWIND_FROM_SP && kind != UNWIND_FROM_FP) /* these have it below the CFA */
        return ra.kind == EH_OFFSET && ra.value == -8;
    if (ra.kind == EH_OFFSET && fits_slot(ra.value))
        *row |= unwind_row_make(0, 0, 0, ra.value / 8, 0);
    else if (ra.kind == EH_SAME && eh->arch == UNWIND_AARCH64)
        *row |= unwind_row_make(0, UNWIND_RA_IN_LR, 0, 0, 0);
    else
        return false;
    return true;
}

unwind_row eh_row(const struct eh_frame *eh, const struct eh_fde *fde, const struct eh_rules *rules)
{
    const struct eh_rule ra = rules->regs[fde->ra_reg];
    unwind_row row;
    if (fde->signal)
        return unwind_row_make(UNWIND_BY_RULES, UNWIND_SIGNAL, 0, 0, 0);
    if (ra.kind == EH_UNDEFINED)
        return unwind_row_make(UNWIND_ROOT, 0, 0, 0, 0);
    if (ra.kind == EH_SAME && eh->arch == UNWIND_X86_64)
        return unwind_row_make(UNWIND_NONE, 0, 0, 0, 0);
    if (rules->regs[unwind_sp_reg(eh->arch)].kind == EH_SAME && row_cfa(eh, rules->cfa, &row) &&
        add_fp(eh, rules->regs[unwind_fp_reg(eh->arch)], &row) && add_ra(eh, ra, &row))
        return row;
    return unwind_row_make(UNWIND_BY_RULES, 0, 0, 0, 0);
}

unwind_row eh_frame_row(const struct eh_frame *eh, uint64_t va)
{
    struct eh_fde fde;
    struct eh_machine m;
    if (!eh_frame_find(eh, va, &fde) || !eh_machine_start(&m, eh, &fde) || !eh_machine_seek(&m, va))
        return unwind_row_make(UNWIND_NONE, 0, 0, 0, 0);
    return eh_row(eh, &fde, &m.rules);
}

__attribute__((no_sanitize("address"))) static void copy_word(uint64_t *out, const uint8_t *from,
                                                              size_t n)
{
    const volatile uint8_t *at = from; /* no memcpy, which a sanitizer watches */
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)at[i] << 8 * i;
    *out = value;
}

bool unwind_memory_read(const struct unwind_memory *memory, uint64_t address, uint64_t *out,
                        size_t n)
{
    uint64_t offset = address - memory->stack_start;
    assert(n <= sizeof *out);
    *out = 0;
    if (memory->stack_size >= n && offset <= memory->stack_size - n) {
        copy_word(out, memory->stack + offset, n);
        return true;
    }
    return memory->read && memory->read(memory->context, address, out, n);
}

/* Registers a function gives back as it found them. */
static uint64_t preserved(uint32_t arch)
{
    enum { X86 = 1 << 3 | 1 << 6 | 0xf << 12 };                 /* rbx, rbp, r12 to r15 */
    return arch == UNWIND_AARCH64 ? UINT64_C(0x3ff80000) : X86; /* x19 to x29 */
}

/* The value a register had in the caller. */
static enum eh_step apply(const struct eh_frame *eh, struct eh_rule rule,
                          const struct unwind_memory *memory, const struct unwind_regs *old,
                          uint64_t cfa, uint64_t *out)
{
    uint64_t at = cfa + (uint64_t)(int64_t)rule.value;
    enum eh_step step;
    switch ((enum eh_rule_kind)rule.kind) {
    case EH_VAL_OFFSET:
        *out = at;
        return EH_STEP_OK;
    case EH_REGISTER:
        *out = old->r[rule.reg];
        return old->known >> rule.reg & 1 ? EH_STEP_OK : EH_STEP_REG;
    case EH_VAL_EXPR:
        return eh_expr(eh, rule, memory, old, &cfa, out);
    case EH_EXPR:
        step = eh_expr(eh, rule, memory, old, &cfa, &at);
        if (step != EH_STEP_OK)
            return step;
        break;
    case EH_OFFSET:
    case EH_SAME:
    case EH_UNDEFINED:
        break;
    }
    return unwind_memory_read(memory, at, out, 8) ? EH_STEP_OK : EH_STEP_MEMORY;
}

static enum eh_step find_cfa(const struct eh_machine *m, const struct unwind_memory *memory,
                             const struct unwind_regs *regs, uint64_t *out)
{
    const struct eh_rule cfa = m->rules.cfa;
    if (cfa.kind == EH_EXPR)
        return eh_expr(m->eh, cfa, memory, regs, NULL, out);
    if (cfa.kind != EH_OFFSET)
        return EH_STEP_BAD;
    if (!(regs->known >> cfa.reg & 1))
        return EH_STEP_REG;
    *out = regs->r[cfa.reg] + (uint64_t)(int64_t)cfa.value;
    return EH_STEP_OK;
}

/* What the kernel put on the stack when it delivered a signal. The vDSO of this
 * machine describes only a frame record, which lacks the exact pc. */
enum eh_step eh_step_arm_signal(const struct unwind_memory *memory, struct unwind_regs *regs)
{
    struct unwind_regs next = {.arch = regs->arch};
    uint64_t at = regs->r[UNWIND_ARM_SP] + ARM_SIGCONTEXT;
    for (unsigned i = 0; i < UNWIND_REGS; i++, at += 8)
        if (!unwind_memory_read(memory, at, &next.r[i], 8))
            return EH_STEP_MEMORY;
    next.known = (UINT64_C(1) << UNWIND_REGS) - 1;
    *regs = next;
    return EH_STEP_OK;
}

static enum eh_step step_by_rules(const struct eh_machine *m, const struct unwind_memory *memory,
                                  struct unwind_regs *regs)
{
    struct unwind_regs next = *regs;
    uint64_t cfa;
    enum eh_step step = find_cfa(m, memory, regs, &cfa);
    if (step != EH_STEP_OK)
        return step;
    if (!m->fde->signal)
        next.known &= preserved(regs->arch);
    next.r[unwind_sp_reg(regs->arch)] = cfa;
    next.known |= UINT64_C(1) << unwind_sp_reg(regs->arch);
    for (unsigned i = 0; i < UNWIND_REGS; i++) {
        struct eh_rule rule = m->rules.regs[i];
        if (rule.kind == EH_SAME)
            continue;
        step = rule.kind == EH_UNDEFINED ? EH_STEP_REG
                                         : apply(m->eh, rule, memory, regs, cfa, &next.r[i]);
        if (step == EH_STEP_OK)
            next.known |= UINT64_C(1) << i;
        else if (i == m->fde->ra_reg || i == unwind_sp_reg(regs->arch))
            return step;
        else
            next.known &= ~(UINT64_C(1) << i);
    }
    unsigned pc = unwind_pc_reg(regs->arch), ra = m->fde->ra_reg;
    if (m->rules.regs[ra].kind == EH_SAME && !(regs->known >> ra & 1))
        return EH_STEP_REG;
    next.r[pc] = next.r[ra];
    next.known |= UINT64_C(1) << pc;
    *regs = next;
    return EH_STEP_OK;
}

enum eh_step eh_frame_step(const struct eh_frame *eh, uint64_t va,
                           const struct unwind_memory *memory, struct unwind_regs *regs,
                           bool *out_signal)
{
    struct eh_fde fde;
    struct eh_machine m;
    *out_signal = false;
    if (!eh_frame_find(eh, va, &fde))
        return EH_STEP_NONE;
    if (!eh_machine_start(&m, eh, &fde) || !eh_machine_seek(&m, va))
        return EH_STEP_BAD;
    *out_signal = fde.signal;
    if (fde.signal && eh->arch == UNWIND_AARCH64)
        return eh_step_arm_signal(memory, regs);
    if (m.rules.regs[fde.ra_reg].kind == EH_UNDEFINED)
        return EH_STEP_ROOT;
    if (m.rules.regs[fde.ra_reg].kind == EH_SAME && eh->arch == UNWIND_X86_64)
        return EH_STEP_NONE;
    return step_by_rules(&m, memory, regs);
}
