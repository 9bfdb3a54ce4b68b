/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * .eh_frame and .eh_frame_hdr: from an address to the rules for leaving its
 * function. Every byte is untrusted: nothing outside the given bytes is read,
 * every loop ends with its input. No memory of its own, signal safe.
 */
#ifndef ORIEL_UNWIND_EH_FRAME_H
#define ORIEL_UNWIND_EH_FRAME_H

#include "unwind/unwind.h"

/* One function's description. Pointers lie within eh->frame. */
struct eh_fde {
    uint64_t begin, end; /* va */
    const uint8_t *initial, *initial_end;
    const uint8_t *program, *program_end;
    uint64_t code_align;
    int64_t data_align;
    size_t offset; /* of this FDE in frame */
    uint8_t ra_reg;
    bool signal;
};

enum eh_rule_kind {
    EH_SAME,
    EH_UNDEFINED,
    EH_OFFSET,     /* saved at CFA + value; for the CFA: reg + value */
    EH_VAL_OFFSET, /* is CFA + value */
    EH_REGISTER,   /* is in reg */
    EH_EXPR,       /* saved where the expression says; for the CFA: is what it says */
    EH_VAL_EXPR    /* is what the expression says */
};
struct eh_rule {
    uint8_t kind, reg;
    uint16_t size; /* of the expression at frame + value */
    int32_t value;
};
struct eh_rules {
    struct eh_rule cfa, regs[UNWIND_REGS];
    uint64_t from, to; /* va: the addresses these rules hold for */
};

enum { EH_REMEMBER_MAX = 4 };

/* Runs one FDE; about 2 KiB, on the caller's stack. */
struct eh_machine {
    const struct eh_frame *eh;
    const struct eh_fde *fde;
    const uint8_t *at, *end;
    struct eh_rules rules, initial, remembered[EH_REMEMBER_MAX];
    uint32_t depth, ops;
    bool failed, in_initial;
};

/* `hdr` may be NULL: then FDEs are looked for one after the other. False when
 * there is no usable .eh_frame. */
bool eh_frame_init(struct eh_frame *out, uint32_t arch, const uint8_t *frame, size_t frame_size,
                   uint64_t frame_va);
/* Adds .eh_frame_hdr; without a table that can be searched nothing changes. */
void eh_frame_add_hdr(struct eh_frame *eh, const uint8_t *hdr, size_t hdr_size, uint64_t hdr_va);
/* Where .eh_frame begins, as .eh_frame_hdr says. */
bool eh_frame_hdr_target(const uint8_t *hdr, size_t hdr_size, uint64_t hdr_va, uint64_t *out_va);

/* The function that holds `va`. */
bool eh_frame_find(const struct eh_frame *eh, uint64_t va, struct eh_fde *out);
/* One after the other, from *offset = 0; false at the end or at damage. */
bool eh_frame_next(const struct eh_frame *eh, size_t *offset, struct eh_fde *out);
/* The FDE of row i of the table; false when that row is damaged. */
bool eh_frame_at(const struct eh_frame *eh, size_t i, struct eh_fde *out);

/* Rules in order of address: after eh_machine_start, each eh_machine_next
 * fills machine->rules; false at the end of the function or at damage. */
bool eh_machine_start(struct eh_machine *m, const struct eh_frame *eh, const struct eh_fde *fde);
bool eh_machine_next(struct eh_machine *m);
/* The rules that hold at `va`. */
bool eh_machine_seek(struct eh_machine *m, uint64_t va);

/* The rules as a row; UNWIND_BY_RULES where they do not fit. */
unwind_row eh_row(const struct eh_frame *eh, const struct eh_fde *fde,
                  const struct eh_rules *rules);
/* All of the above for one address; UNWIND_NONE when nothing is known. */
unwind_row eh_frame_row(const struct eh_frame *eh, uint64_t va);

/* One step by the rules themselves, all registers. `regs` is the frame whose
 * lookup address is `va`, and its caller afterwards; unchanged on failure. */
enum eh_step { EH_STEP_OK, EH_STEP_ROOT, EH_STEP_NONE, EH_STEP_BAD, EH_STEP_MEMORY, EH_STEP_REG };
enum eh_step eh_frame_step(const struct eh_frame *eh, uint64_t va,
                           const struct unwind_memory *memory, struct unwind_regs *regs,
                           bool *out_signal);

/* The same out of aarch64's signal trampoline, by what the kernel laid there. */
enum eh_step eh_step_arm_signal(const struct unwind_memory *memory, struct unwind_regs *regs);

/* Read one word or fewer bytes of the process, zero-extended. */
bool unwind_memory_read(const struct unwind_memory *memory, uint64_t address, uint64_t *out,
                        size_t n);

/* A bounded DWARF expression over regs; `initial` is pushed first if given. */
enum eh_step eh_expr(const struct eh_frame *eh, struct eh_rule expr,
                     const struct unwind_memory *memory, const struct unwind_regs *regs,
                     const uint64_t *initial, uint64_t *out);

#endif
