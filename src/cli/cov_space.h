/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An address space of a traced program, and the breakpoints in it. A breakpoint
 * is one byte in front of a stopped or just executed program (x86-64; one word
 * on aarch64): taking it away is one store of that byte, so other threads see
 * the breakpoint or the instruction, never a mixture, and need not be stopped.
 * Seen by the tracer only.
 */
#ifndef ORIEL_CLI_COV_SPACE_H
#define ORIEL_CLI_COV_SPACE_H

#include "base/vec.h"
#include "cli/cov_trace.h"

#if defined(__x86_64__)
enum { TRAP_BYTES = 1, TRAP_PASSED = 1 };
#define TRAP_INSN 0xccu
#elif defined(__aarch64__)
enum { TRAP_BYTES = 4, TRAP_PASSED = 0 };
#define TRAP_INSN 0xd4200000u /* brk #0 */
#endif

/* Where an object lies in an address space. */
struct range {
    uint64_t start, end, offset;
    uint32_t object;
};
/* One since its last exec; forks share it, since they lie at the same addresses. */
struct space {
    VEC(struct range) ranges;
    uint64_t entry; /* a breakpoint is there, until the loader is done; 0: none */
    uint32_t entry_word;
};

/* What begins at an address; the thread is stopped. */
bool space_put_word(pid_t tid, uint64_t addr, uint32_t word);
bool space_get_word(pid_t tid, uint64_t addr, uint32_t *out);
/* Set breakpoints in what is mapped of our objects and was not yet seen. False: no memory to
 * look at all of it. */
bool space_place(struct space *s, struct trace *t, pid_t tid);
/* Take all away that is there. */
void space_clear(struct space *s, struct trace *t, pid_t tid);
/* The spot at this address that has, or had, a breakpoint of ours; NULL none. */
struct trace_spot *space_spot(const struct space *s, struct trace *t, uint64_t pc);
void space_done(struct space *s);

#endif
