/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * DWARF expressions as call frame programs use them: a small stack machine
 * with a bound on depth and steps. It reads registers, and memory through the
 * caller's window only. Runs anywhere, signal handlers included.
 */
#include <assert.h>

#include "unwind/bytes.h"
#include "unwind/eh_frame.h"

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08, /* to OP_CONST8S: unsigned and signed of 1, 2, 4, 8 bytes */
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96,
    STACK_MAX = 32,
    STEPS_MAX = 512
};

struct vm {
    struct bytes b;
    const uint8_t *begin;
    const struct unwind_memory *memory;
    const struct unwind_regs *regs;
    enum eh_step error;
    uint32_t depth;
    uint64_t stack[STACK_MAX];
};

static void stop(struct vm *v, enum eh_step error)
{
    if (v->error == EH_STEP_OK)
        v->error = error;
}

static void push(struct vm *v, uint64_t value)
{
    if (v->depth >= STACK_MAX)
        stop(v, EH_STEP_BAD);
    else
        v->stack[v->depth++] = value;
}

static uint64_t pop(struct vm *v)
{
    if (v->depth == 0) {
        stop(v, EH_STEP_BAD);
        return 0;
    }
    return v->stack[--v->depth];
}

static void push_nth(struct vm *v, uint32_t n)
{
    if (n >= v->depth)
        stop(v, EH_STEP_BAD);
    else
        push(v, v->stack[v->depth - 1 - n]);
}

static void push_reg(struct vm *v, uint64_t reg, int64_t offset)
{
    if (reg >= UNWIND_REGS || !(v->regs->known >> reg & 1))
        stop(v, EH_STEP_REG);
    else
        push(v, v->regs->r[reg] + (uint64_t)offset);
}

static void deref(struct vm *v, uint8_t size)
{
    uint64_t value = 0, address = pop(v);
    if (v->error != EH_STEP_OK)
        return;
    if (size == 0 || size > 8)
        stop(v, EH_STEP_BAD);
    else if (!unwind_memory_read(v->memory, address, &value, size))
        stop(v, EH_STEP_MEMORY);
    push(v, value);
}

static void jump(struct vm *v, bool taken)
{
    int16_t distance = (int16_t)bytes_u16(&v->b);
    if (!taken || v->b.bad)
        return;
    if (distance > v->b.end - v->b.at || -distance > v->b.at - v->begin)
        stop(v, EH_STEP_BAD);
    else
        v->b.at += distance;
}

static uint64_t read_const(struct vm *v, uint8_t op)
{
    unsigned size = 1u << ((op - OP_CONST1U) / 2);
    uint64_t value = bytes_uint(&v->b, size);
    if ((op - OP_CONST1U) % 2 && size < 8) { /* signed */
        unsigned shift = 64 - 8 * size;
        value = (uint64_t)((int64_t)(value << shift) >> shift);
    }
    return value;
}

static uint64_t divide(struct vm *v, uint64_t a, uint64_t b)
{
    if (b == 0) {
        stop(v, EH_STEP_BAD);
        return 0;
    }
    return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t compare(uint8_t op, int64_t a, int64_t b)
{
    switch (op) {
    case OP_EQ:
        return a == b;
    case OP_GE:
        return a >= b;
    case OP_GT:
        return a > b;
    case OP_LE:
        return a <= b;
    case OP_LT:
        return a < b;
    default:
        return a != b;
    }
}

/* Operations on the two topmost values. */
static void run_binary(struct vm *v, uint8_t op)
{
    uint64_t b = pop(v), a = pop(v);
    if (op >= OP_EQ && op <= OP_NE)
        return push(v, compare(op, (int64_t)a, (int64_t)b));
    switch (op) {
    case OP_AND:
        return push(v, a & b);
    case OP_OR:
        return push(v, a | b);
    case OP_XOR:
        return push(v, a ^ b);
    case OP_PLUS:
        return push(v, a + b);
    case OP_MINUS:
        return push(v, a - b);
    case OP_MUL:
        return push(v, a * b);
    case OP_DIV:
        return push(v, divide(v, a, b));
    case OP_MOD:
        if (b == 0)
            return stop(v, EH_STEP_BAD);
        return push(v, a % b);
    case OP_SHL:
        return push(v, b < 64 ? a << b : 0);
    case OP_SHR:
        return push(v, b < 64 ? a >> b : 0);
    case OP_SHRA:
        return push(v, (uint64_t)((int64_t)a >> (b < 64 ? b : 63)));
    default:
        stop(v, EH_STEP_BAD);
    }
}

static void rotate(struct vm *v)
{
    uint64_t a = pop(v), b = pop(v), c = pop(v);
    push(v, a);
    push(v, c);
    push(v, b);
}

static void swap(struct vm *v)
{
    uint64_t a = pop(v), b = pop(v);
    push(v, a);
    push(v, b);
}

/* Operations on the stack itself and on its top; false if `op` is none. */
static bool run_stack_op(struct vm *v, uint8_t op)
{
    switch (op) {
    case OP_DUP:
        push_nth(v, 0);
        return true;
    case OP_DROP:
        pop(v);
        return true;
    case OP_OVER:
        push_nth(v, 1);
        return true;
    case OP_PICK:
        push_nth(v, bytes_u8(&v->b));
        return true;
    case OP_SWAP:
        swap(v);
        return true;
    case OP_ROT:
        rotate(v);
        return true;
    case OP_ABS: {
        uint64_t a = pop(v);
        push(v, (int64_t)a < 0 ? 0 - a : a);
        return true;
    }
    case OP_NEG:
        push(v, 0 - pop(v));
        return true;
    case OP_NOT:
        push(v, ~pop(v));
        return true;
    case OP_PLUS_UCONST:
        push(v, pop(v) + bytes_uleb(&v->b));
        return true;
    default:
        return false;
    }
}

/* Operations that bring a value from somewhere; false if `op` is none. */
static bool run_load_op(struct vm *v, uint8_t op)
{
    if (op >= OP_LIT0 && op < OP_LIT0 + 32) {
        push(v, op - (unsigned)OP_LIT0);
    } else if (op >= OP_BREG0 && op <= OP_BREG31) {
        push_reg(v, op - (unsigned)OP_BREG0, bytes_sleb(&v->b));
    } else if (op == OP_BREGX) {
        uint64_t reg = bytes_uleb(&v->b);
        push_reg(v, reg, bytes_sleb(&v->b));
    } else if (op >= OP_CONST1U && op <= OP_CONST8S) {
        push(v, read_const(v, op));
    } else if (op == OP_CONSTU) {
        push(v, bytes_uleb(&v->b));
    } else if (op == OP_CONSTS) {
        push(v, (uint64_t)bytes_sleb(&v->b));
    } else if (op == OP_DEREF) {
        deref(v, 8);
    } else if (op == OP_DEREF_SIZE) {
        deref(v, bytes_u8(&v->b));
    } else {
        return false;
    }
    return true;
}

static void run_op(struct vm *v, uint8_t op)
{
    if (op == OP_SKIP)
        jump(v, true);
    else if (op == OP_BRA)
        jump(v, pop(v) != 0);
    else if (op != OP_NOP && !run_load_op(v, op) && !run_stack_op(v, op))
        run_binary(v, op);
    if (v->b.bad)
        stop(v, EH_STEP_BAD);
}

enum eh_step eh_expr(const struct eh_frame *eh, struct eh_rule expr,
                     const struct unwind_memory *memory, const struct unwind_regs *regs,
                     const uint64_t *initial, uint64_t *out)
{
    assert(expr.value >= 0 && (size_t)expr.value + expr.size <= eh->frame_size);
    const uint8_t *begin = eh->frame + expr.value;
    struct vm v = {.b = {begin, begin + expr.size, false}, .memory = memory, .regs = regs};
    v.begin = begin;
    if (initial)
        push(&v, *initial);
    for (int steps = 0; v.error == EH_STEP_OK && v.b.at < v.b.end; steps++) {
        if (steps >= STEPS_MAX)
            return EH_STEP_BAD;
        run_op(&v, bytes_u8(&v.b));
    }
    uint64_t value = pop(&v);
    if (v.error == EH_STEP_OK)
        *out = value;
    return v.error;
}
