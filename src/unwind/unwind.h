/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The room's words: registers, rows, modules and the walk over one stack. The
 * same code runs in a signal handler of the observed program and in the
 * recorder over copied registers and stack bytes. Nothing declared here
 * allocates, locks, calls libc beyond memcpy, or runs longer than its bounds
 * say. Registers are numbered as DWARF does for their machine.
 */
#ifndef ORIEL_UNWIND_UNWIND_H
#define ORIEL_UNWIND_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unwind_arch { UNWIND_X86_64 = 1, UNWIND_AARCH64 = 2 };

#if defined(__aarch64__)
#define UNWIND_ARCH_HERE UNWIND_AARCH64
#else
#define UNWIND_ARCH_HERE UNWIND_X86_64
#endif

enum {
    UNWIND_X86_FP = 6,
    UNWIND_X86_SP = 7,
    UNWIND_X86_PC = 16,
    UNWIND_ARM_FP = 29,
    UNWIND_ARM_LR = 30,
    UNWIND_ARM_SP = 31,
    UNWIND_ARM_PC = 32,
    UNWIND_REGS = 33
};

struct unwind_regs {
    uint32_t arch;
    uint64_t known; /* bit n: r[n] holds a value */
    uint64_t r[UNWIND_REGS];
};

static inline unsigned unwind_pc_reg(uint32_t arch)
{
    return arch == UNWIND_AARCH64 ? UNWIND_ARM_PC : UNWIND_X86_PC;
}
static inline unsigned unwind_sp_reg(uint32_t arch)
{
    return arch == UNWIND_AARCH64 ? UNWIND_ARM_SP : UNWIND_X86_SP;
}
static inline unsigned unwind_fp_reg(uint32_t arch)
{
    return arch == UNWIND_AARCH64 ? UNWIND_ARM_FP : UNWIND_X86_FP;
}
static inline uint64_t unwind_pc(const struct unwind_regs *r)
{
    return r->r[unwind_pc_reg(r->arch)];
}
static inline uint64_t unwind_sp(const struct unwind_regs *r)
{
    return r->r[unwind_sp_reg(r->arch)];
}

/* From the values of PERF_SAMPLE_REGS_USER: one per bit of `mask`, lowest bit
 * first. False when pc or sp is not among them. */
bool unwind_regs_from_perf(struct unwind_regs *out, uint32_t arch, uint64_t mask,
                           const uint64_t *values, size_t count);
/* From the third argument of a signal handler of this machine. */
void unwind_regs_from_context(struct unwind_regs *out, const void *ucontext);

/*
 * How to leave one function at one address, in 64 bits, so that it is read and
 * written as one:
 *
 *   63        48 47        32 31                 8 7   4 3   0
 *   |  fp slot  |   ra slot  |        cfa         |flags| kind|
 *
 * Slots are counted in words from the CFA (fp slot 0: unchanged).
 */
typedef uint64_t unwind_row;

enum unwind_kind {
    UNWIND_NONE,     /* no row: nothing is known of this address */
    UNWIND_ROOT,     /* the return address is undefined: outermost function */
    UNWIND_FROM_SP,  /* CFA = sp + cfa */
    UNWIND_FROM_FP,  /* CFA = fp + cfa */
    UNWIND_AT_SP,    /* CFA = *(sp + cfa) + 8 * ra slot, return address below it */
    UNWIND_AT_FP,    /* CFA = *(fp + cfa) + 8 * ra slot, return address below it */
    UNWIND_PLT,      /* CFA = sp + 8 + 8 * ((pc & 15) >= cfa) */
    UNWIND_BY_RULES, /* too unusual for a row: run the rules themselves */
    UNWIND_KINDS
};
enum unwind_flag {
    UNWIND_SIGNAL = 1,     /* a signal frame: what it interrupted is exact */
    UNWIND_FP_FROM_FP = 2, /* fp slot counts bytes from the frame pointer */
    UNWIND_RA_IN_LR = 4    /* the return address is still in the link register */
};

static inline unsigned unwind_row_kind(unwind_row row)
{
    return row & 15;
}
static inline unsigned unwind_row_flags(unwind_row row)
{
    return row >> 4 & 15;
}
static inline int32_t unwind_row_cfa(unwind_row row)
{
    return (int32_t)((uint32_t)row & 0xffffff00u) >> 8;
}
static inline int32_t unwind_row_ra(unwind_row row)
{
    return (int16_t)(row >> 32);
}
static inline int32_t unwind_row_fp(unwind_row row)
{
    return (int16_t)(row >> 48);
}
static inline unwind_row unwind_row_make(unsigned kind, unsigned flags, int32_t cfa, int32_t ra,
                                         int32_t fp)
{
    return (uint64_t)(uint16_t)fp << 48 | (uint64_t)(uint16_t)ra << 32 |
           (uint64_t)((uint32_t)cfa << 8) | flags << 4 | kind;
}

/* The unwinding bytes of one module. Addresses are those of the file
 * ("va"); the module's bias turns them into addresses of the process. */
struct eh_frame {
    const uint8_t *frame; /* .eh_frame, or from its start to the segment's end */
    size_t frame_size;
    uint64_t frame_va;
    const uint8_t *table; /* of .eh_frame_hdr: sorted pairs of int32; may be NULL */
    size_t table_count;
    uint64_t hdr_va;
    size_t scan_max; /* without a table: bytes looked through, 0 = all */
    uint32_t arch;
};

struct unwind_table;

/* What is mapped at [start, end) of a process. */
struct unwind_module {
    uint64_t start, end;
    uint64_t bias;                    /* address = va + bias */
    uint64_t entry;                   /* address of the program's entry point, 0 = none */
    uint32_t id;                      /* the owner's */
    struct eh_frame eh;               /* frame NULL: no rows, frame pointers only */
    const struct unwind_table *table; /* rows made before, or NULL */
};

/* Rows by address, shared by all threads and signal handlers without a lock:
 * see cache.h. Zeroed memory of this size and alignment is an empty cache. */
enum { UNWIND_CACHE_BITS = 12, UNWIND_CACHE_SLOTS = 1 << UNWIND_CACHE_BITS };
struct unwind_cache {
    struct {
        uint64_t row, check;
    } slots[UNWIND_CACHE_SLOTS];
};

/* The modules of one process, sorted by start, never overlapping. */
struct unwind_space {
    const struct unwind_module *modules;
    uint32_t count;
    uint32_t arch;
    uint64_t generation;        /* changes with every change of the modules */
    uint64_t code_mask;         /* bits of a code address, 0 = the machine's usual ones */
    struct unwind_cache *cache; /* of any space of this process, or NULL */
};

const struct unwind_module *unwind_space_find(const struct unwind_space *space, uint64_t address);

/* Copies exactly n bytes of the process at `address`; false if it cannot. */
typedef bool unwind_read_fn(void *context, uint64_t address, void *out, size_t n);

/* Where a walk may read. Stack bytes in [stack_start, stack_start+stack_size)
 * are taken from `stack`; everything else is asked of `read` (NULL: refused). */
struct unwind_memory {
    const uint8_t *stack;
    uint64_t stack_start;
    size_t stack_size;
    unwind_read_fn *read;
    void *context;
};

/* Why a walk ended. */
#define UNWIND_ENDS(X)                                                                             \
    X(COMPLETE, "reached the thread's start", true)                                                \
    X(FP_ZERO, "reached a frame pointer of zero", true)                                            \
    X(FULL, "more frames than asked for", false)                                                   \
    X(TRUNCATED, "the stack bytes ended", false)                                                   \
    X(NO_ROW, "no unwinding information", false)                                                   \
    X(BAD_ROW, "damaged unwinding information", false)                                             \
    X(REGISTER, "needs a register that is not known", false)                                       \
    X(STUCK, "the stack pointer did not move up", false)                                           \
    X(IMPLAUSIBLE, "an address that cannot be one", false)
enum unwind_end {
#define UNWIND_END_ENUM(name, text, complete) UNWIND_END_##name,
    UNWIND_ENDS(UNWIND_END_ENUM)
#undef UNWIND_END_ENUM
        UNWIND_END_COUNT
};
const char *unwind_end_text(enum unwind_end end);
bool unwind_end_is_complete(enum unwind_end end);

struct unwind_result {
    uint32_t count;       /* addresses written */
    uint32_t fp_frames;   /* of these, found by frame pointer only */
    uint32_t interrupted; /* index of the frame a signal interrupted (exact), 0 = none */
    uint64_t sp;          /* of the last frame: how far up the stack reaches */
    enum unwind_end end;
};

/*
 * The addresses of the stack that begins at `regs`, innermost first: pcs[0] is
 * the pc itself, the others are return addresses (look up address - 1), except
 * the one a signal interrupted. Bounded by `max` frames. Async-signal-safe if
 * memory->read is.
 */
struct unwind_result unwind_walk(const struct unwind_space *space,
                                 const struct unwind_memory *memory, const struct unwind_regs *regs,
                                 uint64_t *pcs, uint32_t max);

#endif
