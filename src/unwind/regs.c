/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Registers in DWARF's numbers, from what the kernel hands out: perf samples
 * of either machine, and the context of a signal on this one. Runs anywhere.
 */
#include <string.h>
#include <ucontext.h>

#include "unwind/unwind.h"

enum { NOT_OURS = UNWIND_REGS };

/* perf: ax bx cx dx si di bp sp ip flags cs ss ds es fs gs r8 to r15 */
static const uint8_t perf_x86[] = {
    0,        3,        2,        1,        4, 5, 6,  7,  16, NOT_OURS, NOT_OURS, NOT_OURS,
    NOT_OURS, NOT_OURS, NOT_OURS, NOT_OURS, 8, 9, 10, 11, 12, 13,       14,       15};

static unsigned from_perf(uint32_t arch, unsigned bit)
{
    if (arch == UNWIND_X86_64)
        return bit < sizeof perf_x86 ? perf_x86[bit] : (unsigned)NOT_OURS;
    return bit < UNWIND_REGS ? bit : (unsigned)NOT_OURS; /* x0 to x30, sp, pc: as in DWARF */
}

bool unwind_regs_from_perf(struct unwind_regs *out, uint32_t arch, uint64_t mask,
                           const uint64_t *values, size_t count)
{
    struct unwind_regs r = {.arch = arch};
    size_t n = 0;
    if (arch != UNWIND_X86_64 && arch != UNWIND_AARCH64)
        return false;
    for (unsigned bit = 0; bit < 64 && n < count; bit++) {
        if (!(mask >> bit & 1))
            continue;
        unsigned reg = from_perf(arch, bit);
        if (reg != NOT_OURS) {
            r.r[reg] = values[n];
            r.known |= UINT64_C(1) << reg;
        }
        n++;
    }
    *out = r;
    return r.known >> unwind_pc_reg(arch) & r.known >> unwind_sp_reg(arch) & 1;
}

void unwind_regs_from_context(struct unwind_regs *out, const void *ucontext)
{
    const ucontext_t *u = ucontext;
#if defined(__x86_64__)
    static const uint8_t order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    out->arch = UNWIND_X86_64;
    for (unsigned i = 0; i < sizeof order; i++)
        out->r[i] = (uint64_t)u->uc_mcontext.gregs[order[i]];
    out->known = (UINT64_C(1) << sizeof order) - 1;
#elif defined(__aarch64__)
    out->arch = UNWIND_AARCH64;
    memcpy(out->r, u->uc_mcontext.regs, sizeof u->uc_mcontext.regs);
    out->r[UNWIND_ARM_SP] = u->uc_mcontext.sp;
    out->r[UNWIND_ARM_PC] = u->uc_mcontext.pc;
    out->known = (UINT64_C(1) << UNWIND_REGS) - 1;
#else
#error "no such machine yet"
#endif
}
