/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The call frame program of one function: its instructions run up to an
 * address, and the rules that hold there put into one row. Registers beyond
 * those of struct unwind_regs (vectors) are followed by nobody and left out.
 * Runs anywhere, signal handlers included; about 2 KiB of the caller's stack.
 */
#include <assert.h>

#include "unwind/bytes.h"
#include "unwind/eh_frame.h"

enum {
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_NEGATE_RA_STATE = 0x2d, /* aarch64; on SPARC the same number is another */
    CFA_ARGS_SIZE = 0x2e,
    CFA_OFFSET_NEGATIVE = 0x2f,
    CFA_ADVANCE_LOC = 1, /* the two highest bits */
    CFA_OFFSET = 2,
    CFA_RESTORE = 3,
    OPS_MAX = 1 << 16 /* the longest of libLLVM has some thousands */
};

static void fail(struct eh_machine *m)
{
    m->failed = true;
}

static int32_t fit(struct eh_machine *m, int64_t v)
{
    if (v != (int32_t)v)
        fail(m);
    return (int32_t)v;
}

/* Offsets come in units that anybody may have written: multiply unsigned. */
static int32_t scaled(struct eh_machine *m, uint64_t v)
{
    return fit(m, (int64_t)(v * (uint64_t)m->fde->data_align));
}

static void set_rule(struct eh_machine *m, uint64_t reg, struct eh_rule rule)
{
    if (reg < UNWIND_REGS)
        m->rules.regs[reg] = rule;
}

static void set_offset(struct eh_machine *m, uint64_t reg, uint64_t factored, unsigned kind)
{
    if (reg < UNWIND_REGS) /* a vector's place may be anything */
        set_rule(m, reg, (struct eh_rule){.kind = (uint8_t)kind, .value = scaled(m, factored)});
}

static void restore(struct eh_machine *m, uint64_t reg)
{
    if (m->in_initial)
        fail(m);
    else if (reg < UNWIND_REGS)
        m->rules.regs[reg] = m->initial.regs[reg];
}

static struct eh_rule read_expr(struct eh_machine *m, struct bytes *b, unsigned kind)
{
    uint64_t size = bytes_uleb(b);
    uint64_t offset = (uint64_t)(b->at - m->eh->frame);
    bytes_skip(b, size);
    if (b->bad || size > UINT16_MAX || offset > INT32_MAX)
        fail(m);
    return (struct eh_rule){
        .kind = (uint8_t)kind, .size = (uint16_t)size, .value = (int32_t)offset};
}

static void define_cfa(struct eh_machine *m, uint64_t reg, int32_t offset)
{
    if (reg >= UNWIND_REGS)
        fail(m);
    else
        m->rules.cfa = (struct eh_rule){.kind = EH_OFFSET, .reg = (uint8_t)reg, .value = offset};
}

/* Instructions about the CFA; false if `op` is none of them. */
static bool run_cfa_op(struct eh_machine *m, uint8_t op, struct bytes *b)
{
    struct eh_rule *cfa = &m->rules.cfa;
    uint64_t reg;
    switch (op) {
    case CFA_DEF_CFA:
        reg = bytes_uleb(b);
        define_cfa(m, reg, fit(m, (int64_t)bytes_uleb(b)));
        return true;
    case CFA_DEF_CFA_SF:
        reg = bytes_uleb(b);
        define_cfa(m, reg, scaled(m, (uint64_t)bytes_sleb(b)));
        return true;
    case CFA_DEF_CFA_REGISTER:
        if (cfa->kind != EH_OFFSET)
            fail(m);
        define_cfa(m, bytes_uleb(b), cfa->value);
        return true;
    case CFA_DEF_CFA_OFFSET:
    case CFA_DEF_CFA_OFFSET_SF:
        if (cfa->kind != EH_OFFSET)
            fail(m);
        cfa->value = op == CFA_DEF_CFA_OFFSET ? fit(m, (int64_t)bytes_uleb(b))
                                              : scaled(m, (uint64_t)bytes_sleb(b));
        return true;
    case CFA_DEF_CFA_EXPRESSION:
        *cfa = read_expr(m, b, EH_EXPR);
        return true;
    default:
        return false;
    }
}

/* Instructions that say where a register is; false if `op` is none of them. */
static bool run_register_op(struct eh_machine *m, uint8_t op, struct bytes *b)
{
    if (op < CFA_OFFSET_EXTENDED || op == CFA_REMEMBER_STATE || op == CFA_RESTORE_STATE ||
        op == CFA_NEGATE_RA_STATE || op == CFA_ARGS_SIZE)
        return false; /* no register in these */
    uint64_t reg = bytes_uleb(b);
    switch (op) {
    case CFA_OFFSET_EXTENDED:
        set_offset(m, reg, bytes_uleb(b), EH_OFFSET);
        return true;
    case CFA_OFFSET_EXTENDED_SF:
        set_offset(m, reg, (uint64_t)bytes_sleb(b), EH_OFFSET);
        return true;
    case CFA_OFFSET_NEGATIVE:
        set_offset(m, reg, 0 - bytes_uleb(b), EH_OFFSET);
        return true;
    case CFA_VAL_OFFSET:
        set_offset(m, reg, bytes_uleb(b), EH_VAL_OFFSET);
        return true;
    case CFA_VAL_OFFSET_SF:
        set_offset(m, reg, (uint64_t)bytes_sleb(b), EH_VAL_OFFSET);
        return true;
    case CFA_RESTORE_EXTENDED:
        restore(m, reg);
        return true;
    case CFA_UNDEFINED:
        set_rule(m, reg, (struct eh_rule){.kind = EH_UNDEFINED});
        return true;
    case CFA_SAME_VALUE:
        set_rule(m, reg, (struct eh_rule){.kind = EH_SAME});
        return true;
    case CFA_REGISTER: {
        uint64_t source = bytes_uleb(b);
        if (source >= UNWIND_REGS)
            set_rule(m, reg, (struct eh_rule){.kind = EH_UNDEFINED});
        else
            set_rule(m, reg, (struct eh_rule){.kind = EH_REGISTER, .reg = (uint8_t)source});
        return true;
    }
    case CFA_EXPRESSION:
    case CFA_VAL_EXPRESSION:
        set_rule(m, reg, read_expr(m, b, op == CFA_EXPRESSION ? EH_EXPR : EH_VAL_EXPR));
        return true;
    default:
        return false;
    }
}

static void run_state_op(struct eh_machine *m, uint8_t op, struct bytes *b)
{
    switch (op) {
    case CFA_REMEMBER_STATE:
        if (m->depth >= EH_REMEMBER_MAX)
            fail(m);
        else
            m->remembered[m->depth++] = m->rules;
        return;
    case CFA_RESTORE_STATE:
        if (m->depth == 0) {
            fail(m);
        } else {
            struct eh_rules *from = &m->remembered[--m->depth];
            m->rules.cfa = from->cfa;
            memcpy(m->rules.regs, from->regs, sizeof from->regs);
        }
        return;
    case CFA_ARGS_SIZE:
        bytes_uleb(b);
        return;
    case CFA_NEGATE_RA_STATE: /* signed addresses are stripped wherever they come from */
    case CFA_NOP:
        return;
    default:
        fail(m);
    }
}

/* How far an instruction moves on; false if it does not. */
static bool advance(struct eh_machine *m, uint8_t op, struct bytes *b, uint64_t *out)
{
    uint64_t factor = m->fde->code_align;
    if (op >> 6 == CFA_ADVANCE_LOC)
        *out = (op & 0x3f) * factor;
    else if (op == CFA_ADVANCE_LOC1)
        *out = bytes_u8(b) * factor;
    else if (op == CFA_ADVANCE_LOC2)
        *out = bytes_u16(b) * factor;
    else if (op == CFA_ADVANCE_LOC4)
        *out = bytes_u32(b) * factor;
    else
        return false;
    return true;
}

static void run_op(struct eh_machine *m, uint8_t op, struct bytes *b)
{
    if (op >> 6 == CFA_OFFSET)
        set_offset(m, op & 0x3f, bytes_uleb(b), EH_OFFSET);
    else if (op >> 6 == CFA_RESTORE)
        restore(m, op & 0x3f);
    else if (!run_cfa_op(m, op, b) && !run_register_op(m, op, b))
        run_state_op(m, op, b);
}

/* Runs up to the next address, or the end: *out_moved is 0 then. */
static bool run(struct eh_machine *m, uint64_t *out_moved)
{
    struct bytes b = {m->at, m->end, false};
    *out_moved = 0;
    while (b.at < b.end && *out_moved == 0 && !m->failed) {
        uint8_t op = bytes_u8(&b);
        if (!advance(m, op, &b, out_moved))
            run_op(m, op, &b);
        if (b.bad || ++m->ops > OPS_MAX)
            fail(m);
    }
    m->at = b.at;
    return !m->failed;
}

bool eh_machine_start(struct eh_machine *m, const struct eh_frame *eh, const struct eh_fde *fde)
{
    uint64_t moved;
    m->eh = eh;
    m->fde = fde;
    m->depth = m->ops = 0;
    m->failed = false;
    memset(&m->rules, 0, sizeof m->rules);
    m->at = fde->initial;
    m->end = fde->initial_end;
    m->in_initial = true;
    if (!run(m, &moved) || moved)
        return false;
    m->in_initial = false;
    m->initial = m->rules;
    m->at = fde->program;
    m->end = fde->program_end;
    m->rules.from = m->rules.to = fde->begin;
    return true;
}

bool eh_machine_next(struct eh_machine *m)
{
    uint64_t moved;
    uint64_t left = m->fde->end - m->rules.to;
    if (left == 0 || !run(m, &moved))
        return false;
    m->rules.from = m->rules.to;
    m->rules.to += moved && moved < left ? moved : left;
    assert(m->rules.to > m->rules.from && m->rules.to <= m->fde->end);
    return true;
}

bool eh_machine_seek(struct eh_machine *m, uint64_t va)
{
    while (eh_machine_next(m))
        if (va < m->rules.to)
            return true;
    return false;
}
