/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where one machine instruction ends and whether it leaves the function: as
 * much of a decoder as setting probes needs. Reads foreign bytes, only within
 * their bounds. Pure; any thread.
 */
#ifndef ORIEL_SYMBOL_INSN_H
#define ORIEL_SYMBOL_INSN_H

#include "symbol/read.h"

enum insn_kind {
    INSN_OTHER = 0,
    INSN_NOP = 1,
    INSN_NOP5 = 2,     /* 0f 1f 44 00 00: a call can be patched in */
    INSN_PUSH = 3,     /* of a register */
    INSN_CALL = 4,     /* direct */
    INSN_JUMP = 5,     /* direct, unconditional */
    INSN_BRANCH = 6,   /* direct, conditional */
    INSN_JUMP_FAR = 7, /* through a register or memory */
    INSN_RETURN = 8
};
struct insn {
    uint8_t bytes;
    enum insn_kind kind;
    uint64_t target; /* of direct jumps and calls */
};

/* Decode the first instruction of `code`, which lies at `address`. `machine`
 * is EM_X86_64 or EM_AARCH64. False: none that is known, or it is cut. */
bool insn_decode(uint16_t machine, struct bytes code, uint64_t address, struct insn *out);
/* True when a kernel emulates it under a probe; else it is single-stepped, which costs
 * some 20 times as much (70 times in a virtual machine). */
bool insn_is_cheap(enum insn_kind kind);

#endif
