/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walking the own stack, mostly from a signal handler. The thread's registered
 * bounds say what may be read directly; a stack that is not registered (a
 * coroutine, an alternate signal stack) is read through the kernel.
 */
#include "unwind/current.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "unwind/modules.h"

enum { RED_ZONE = 128, TRIES = 4 };

/* The published snapshot, held until leave(); NULL: none. */
static struct unwind_snapshot *enter(struct unwind_self *self)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t current = __atomic_load_n(&self->current, __ATOMIC_SEQ_CST);
        if (current == 0)
            return NULL;
        struct unwind_snapshot *s = &self->snapshots[current - 1];
        /* Pairs with the check of readers in replace(). */
        __atomic_fetch_add(&s->readers, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&self->current, __ATOMIC_SEQ_CST) == current)
            return s;
        __atomic_fetch_sub(&s->readers, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void leave(struct unwind_snapshot *s)
{
    uint32_t before = __atomic_fetch_sub(&s->readers, 1, __ATOMIC_SEQ_CST);
    assert(before > 0);
    (void)before;
}

static struct unwind_memory direct(const struct unwind_stack *stack, uint64_t sp)
{
    uint64_t low = sp - RED_ZONE;
    if (!stack || sp < stack->low || sp >= stack->high)
        return (struct unwind_memory){0};
    if (low < stack->low)
        low = stack->low;
    return (struct unwind_memory){.stack = (const uint8_t *)(uintptr_t)low,
                                  .stack_start = low,
                                  .stack_size = stack->high - low};
}

/* Apart, so that the usual case does not carry the block on a small stack. */
__attribute__((noinline)) static struct unwind_result
walk_carefully(const struct unwind_space *space, struct unwind_memory *memory,
               const struct unwind_regs *regs, uint64_t *pcs, uint32_t max)
{
    struct unwind_peek peek;
    peek.pid = os_getpid();
    peek.size = 0;
    memory->read = unwind_peek_read;
    memory->context = &peek;
    return unwind_walk(space, memory, regs, pcs, max);
}

static struct unwind_result walk(struct unwind_self *self, const struct unwind_stack *stack,
                                 const struct unwind_regs *regs, uint64_t *pcs, uint32_t max)
{
    struct unwind_result result = {.end = UNWIND_END_NO_ROW};
    struct unwind_snapshot *s = enter(self);
    if (!s)
        return result;
    struct unwind_memory memory = direct(stack, unwind_sp(regs));
    if (memory.stack_size)
        result = unwind_walk(&s->space, &memory, regs, pcs, max);
    if (!memory.stack_size || result.end == UNWIND_END_TRUNCATED)
        result = walk_carefully(&s->space, &memory, regs, pcs, max);
    leave(s);
    return result;
}

struct unwind_result unwind_current(struct unwind_self *self, const struct unwind_stack *stack,
                                    const void *ucontext, uint64_t *pcs, uint32_t max)
{
    struct unwind_regs regs;
    unwind_regs_from_context(&regs, ucontext);
    return walk(self, stack, &regs, pcs, max);
}

struct unwind_result unwind_above(struct unwind_self *self, const struct unwind_stack *stack,
                                  const struct unwind_caller *caller, uint64_t *pcs, uint32_t max)
{
    struct unwind_regs regs = {.arch = UNWIND_ARCH_HERE};
    const unsigned pc = unwind_pc_reg(regs.arch), sp = unwind_sp_reg(regs.arch),
                   fp = unwind_fp_reg(regs.arch);
    regs.known = UINT64_C(1) << pc | UINT64_C(1) << sp | UINT64_C(1) << fp;
    regs.r[pc] = caller->pc - 1; /* within the call */
    regs.r[sp] = caller->sp;
    regs.r[fp] = caller->fp;
    struct unwind_result result = walk(self, stack, &regs, pcs, max);
    if (result.count > 0)
        pcs[0] = caller->pc;
    return result;
}

__attribute__((noinline)) struct unwind_result
unwind_here(struct unwind_self *self, const struct unwind_stack *stack, uint64_t *pcs, uint32_t max)
{
    struct unwind_regs regs;
    regs.arch = UNWIND_ARCH_HERE;
#if defined(__x86_64__)
    enum { RBX = 3, RBP = 6, RSP = 7, R12 = 12, R13 = 13, R14 = 14, R15 = 15, RIP = 16 };
    __asm__ volatile("leaq 0f(%%rip), %%rax\n0:\n\t"
                     "movq %%rax, %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2\n\tmovq %%rbx, %3\n\t"
                     "movq %%r12, %4\n\tmovq %%r13, %5\n\tmovq %%r14, %6\n\tmovq %%r15, %7"
                     : "=m"(regs.r[RIP]), "=m"(regs.r[RSP]), "=m"(regs.r[RBP]), "=m"(regs.r[RBX]),
                       "=m"(regs.r[R12]), "=m"(regs.r[R13]), "=m"(regs.r[R14]), "=m"(regs.r[R15])
                     :
                     : "rax");
    regs.known = 1u << RBX | 1u << RBP | 1u << RSP | 1u << R12 | 1u << R13 | 1u << R14 | 1u << R15 |
                 1u << RIP;
#elif defined(__aarch64__)
    __asm__ volatile("stp x19, x20, [%0, #152]\n\tstp x21, x22, [%0, #168]\n\t"
                     "stp x23, x24, [%0, #184]\n\tstp x25, x26, [%0, #200]\n\t"
                     "stp x27, x28, [%0, #216]\n\tstp x29, x30, [%0, #232]\n\t"
                     "mov x9, sp\n\tadr x10, 0f\n0:\n\tstp x9, x10, [%0, #248]"
                     :
                     : "r"(regs.r)
                     : "x9", "x10", "memory");
    regs.known = UINT64_C(0x1fff80000);
#endif
    struct unwind_result result = walk(self, stack, &regs, pcs, max);
    if (result.count > 0) { /* the first is this function itself */
        result.count--;
        memmove(pcs, pcs + 1, result.count * sizeof *pcs);
    }
    return result;
}
