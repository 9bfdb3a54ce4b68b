/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Small programs in the kernel, written instruction by instruction: no compiler
 * and no library is needed where they run. op_...() append one instruction (or
 * what stands for one); what makes a map or loads a program needs CAP_BPF and
 * CAP_PERFMON, or root. Runs in the recorder.
 */
#ifndef ORIEL_SOURCE_KERNEL_PROGRAM_H
#define ORIEL_SOURCE_KERNEL_PROGRAM_H

#include <assert.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

enum { KERNEL_PROGRAM_MAX = 512 };

struct kernel_program {
    struct bpf_insn code[KERNEL_PROGRAM_MAX];
    int n;
};

static inline void op(struct kernel_program *p, uint8_t code, uint8_t dst, uint8_t src,
                      int16_t offset, int32_t value)
{
    if (p->n < KERNEL_PROGRAM_MAX) /* what is longer is counted, and refused when it is loaded */
        p->code[p->n] = (struct bpf_insn){
            .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = offset, .imm = value};
    p->n++;
}
static inline void op_set(struct kernel_program *p, uint8_t dst, int32_t value)
{
    op(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}
static inline void op_copy(struct kernel_program *p, uint8_t dst, uint8_t src)
{
    op(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}
/* dst = dst `how` value, and the same with another register. */
static inline void op_by(struct kernel_program *p, uint8_t how, uint8_t dst, int32_t value)
{
    op(p, (uint8_t)(BPF_ALU64 | how | BPF_K), dst, 0, 0, value);
}
static inline void op_with(struct kernel_program *p, uint8_t how, uint8_t dst, uint8_t src)
{
    op(p, (uint8_t)(BPF_ALU64 | how | BPF_X), dst, src, 0, 0);
}
static inline void op_load(struct kernel_program *p, uint8_t size, uint8_t dst, uint8_t from,
                           int offset)
{
    op(p, (uint8_t)(BPF_LDX | BPF_MEM | size), dst, from, (int16_t)offset, 0);
}
static inline void op_store(struct kernel_program *p, uint8_t size, uint8_t to, int offset,
                            uint8_t src)
{
    op(p, (uint8_t)(BPF_STX | BPF_MEM | size), to, src, (int16_t)offset, 0);
}
static inline void op_store_number(struct kernel_program *p, uint8_t size, uint8_t to, int offset,
                                   int32_t value)
{
    op(p, (uint8_t)(BPF_ST | BPF_MEM | size), to, 0, (int16_t)offset, value);
}
static inline void op_call(struct kernel_program *p, int32_t function)
{
    op(p, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}
static inline void op_map(struct kernel_program *p, uint8_t dst, int fd)
{
    op(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, fd);
    op(p, 0, 0, 0, 0, 0);
}
/* The address of a place on the program's stack. */
static inline void op_place(struct kernel_program *p, uint8_t dst, int offset)
{
    op_copy(p, dst, BPF_REG_10);
    op_by(p, BPF_ADD, dst, offset);
}
/* A jump whose end is set by op_land(). */
static inline int op_jump(struct kernel_program *p, uint8_t condition, uint8_t reg, int32_t value)
{
    op(p, (uint8_t)(BPF_JMP | condition | BPF_K), reg, 0, 0, value);
    return p->n - 1;
}
static inline void op_land(struct kernel_program *p, int from)
{
    if (from < KERNEL_PROGRAM_MAX)
        p->code[from].off = (int16_t)(p->n - from - 1);
}
/* 1: all others shall see the event, too. */
static inline void op_end(struct kernel_program *p)
{
    op_set(p, BPF_REG_0, 1);
    op(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A file descriptor, or a negative number of the kernel. */
int kernel_map_make(uint32_t type, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries);
/* A hash whose entries are made as they come: there at once, however many may come. Linux 6.1 and
 * later let programs of all types have it. */
int kernel_map_make_growing(uint32_t key_bytes, uint32_t value_bytes, uint32_t entries);
/* 0 or a negative number of the kernel. */
int kernel_map_put(int map, const void *key, const void *value);
int kernel_map_get(int map, const void *key, void *out);
int kernel_map_remove(int map, const void *key);
/* The key after `key` (one that is not there: the first); -ENOENT: it was the last. */
int kernel_map_next(int map, const void *key, void *out);
/* A file descriptor, or a negative number; -E2BIG: longer than KERNEL_PROGRAM_MAX. `type`: enum
 * bpf_prog_type. `name`: what lists of the kernel's programs show after "oriel_", at most nine
 * letters. */
int kernel_program_load(const struct kernel_program *p, uint32_t type, const char *name);
/* Let it run at every event of a tracepoint (by its number), on all CPUs, as long as the file
 * descriptor is open that this returns; negative: refused. */
int kernel_program_at_point(int program, uint64_t point);
/* The same for a tracepoint by its name, of which it gets the bare arguments. */
int kernel_program_at_raw_point(int program, const char *point);

#endif
