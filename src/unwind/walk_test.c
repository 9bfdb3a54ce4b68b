/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks over stacks made by hand, of both machines on any host: every way to
 * leave a frame, and every reason to end.
 */
#include "unwind/unwind.h"

#include <string.h>

#include "test.h"
#include "unwind/cache.h"
#include "unwind/testing.h"

enum { SP = 0x7000, WORDS = 96, CODE = 0x30000, BIAS = 0x500000, MAX = 32 };

static struct maker m;
static struct unwind_module modules[2];
static struct unwind_space space;
static struct unwind_cache cache;
static uint64_t stack[WORDS];
static struct unwind_memory memory = {(const uint8_t *)stack, SP, sizeof stack, NULL, NULL};
static struct unwind_regs regs;
static uint64_t pcs[MAX];

static void begin(uint32_t arch)
{
    regs = (struct unwind_regs){.arch = arch, .known = (UINT64_C(1) << UNWIND_REGS) - 1};
    regs.r[unwind_sp_reg(arch)] = SP;
    if (arch == UNWIND_X86_64)
        maker_cie(&m, arch, "", MAKER_X86_START);
    else
        maker_cie(&m, arch, "", MAKER_ARM_START);
}

/* One module at BIAS whose functions are those made so far. */
static void module_done(void)
{
    modules[0] = (struct unwind_module){.start = BIAS, .end = BIAS + 0x100000, .bias = BIAS};
    modules[0].eh = maker_done(&m, regs.arch);
    space =
        (struct unwind_space){.modules = modules, .count = 1, .arch = regs.arch, .generation = 1};
}

static struct unwind_result walk_from(uint64_t pc)
{
    regs.r[unwind_pc_reg(regs.arch)] = pc;
    return unwind_walk(&space, &memory, &regs, pcs, MAX);
}

static void check_end(struct unwind_result r, enum unwind_end end, uint32_t count)
{
    CHECK_STR(unwind_end_text(r.end), unwind_end_text(end));
    CHECK_EQ(r.count, count);
}

/* Three functions: plain, framed, and the outermost. */
static void make_x86(void)
{
    begin(UNWIND_X86_64);
    maker_fde(&m, CODE, 0x40, OPS(0x41, 0x0e, 32));
    maker_fde(&m, CODE + 0x40, 0x40, OPS(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6));
    maker_fde(&m, CODE + 0x80, 0x40, OPS(0x07, 16));
    module_done();
    stack[3] = BIAS + CODE + 0x60; /* plain: CFA is 32 above */
    regs.r[UNWIND_X86_FP] = SP + 8 * 10;
    stack[10] = SP + 8 * 20; /* framed: where fp points */
    stack[11] = BIAS + CODE + 0xa0;
}

TEST(plain_and_framed_functions_are_left_up_to_the_root)
{
    for (int with_cache = 0; with_cache < 3; with_cache++) {
        m = (struct maker){.size = 0};
        make_x86();
        space.cache = with_cache ? &cache : NULL; /* cold, then warm */
        check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
        CHECK_EQ(pcs[0], BIAS + CODE + 8);
        CHECK_EQ(pcs[1], BIAS + CODE + 0x60);
        CHECK_EQ(pcs[2], BIAS + CODE + 0xa0);
    }
}

/* At a return the slot of the frame pointer lies below the stack, and the
 * register is the caller's again: no copy of a stack holds the slot. */
TEST(a_function_is_left_in_its_epilogue)
{
    make_x86();
    m = (struct maker){.size = 0};
    begin(UNWIND_X86_64);
    maker_fde(&m, CODE, 0x40, OPS(0x41, 0x0e, 16, 0x86, 2, 0x48, 0x0e, 8));
    maker_fde(&m, CODE + 0x40, 0x40, OPS(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6));
    maker_fde(&m, CODE + 0x80, 0x40, OPS(0x07, 16));
    module_done();
    stack[0] = BIAS + CODE + 0x60;
    regs.r[UNWIND_X86_FP] = SP + 8 * 10;
    stack[10] = SP + 8 * 20;
    stack[11] = BIAS + CODE + 0xa0;
    check_end(walk_from(BIAS + CODE + 9), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x60);
    CHECK_EQ(pcs[2], BIAS + CODE + 0xa0);
}

/* A call at a function's end returns to the first byte of the next one. */
TEST(return_addresses_belong_to_the_call_before_them)
{
    make_x86();
    stack[3] = BIAS + CODE + 0x80;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(pcs[2], BIAS + CODE + 0xa0);
}

TEST(a_generation_of_modules_does_not_see_another_s_rows)
{
    make_x86();
    space.cache = &cache;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    space.modules = NULL; /* what is cached needs no modules */
    space.count = 0;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    space.generation++;
    regs.r[UNWIND_X86_FP] = 1;
    CHECK(!unwind_end_is_complete(walk_from(BIAS + CODE + 8).end));
}

TEST(a_torn_slot_of_the_cache_is_a_miss)
{
    unwind_row row;
    for (uint64_t a = 1; a < 2000; a++) {
        uint64_t key = unwind_cache_key(0x400000 + a, 7), other = unwind_cache_key(a * 4096, 7);
        size_t slot = key >> (64 - UNWIND_CACHE_BITS);
        unwind_cache_put(&cache, key, a);
        REQUIRE(unwind_cache_get(&cache, key, &row) && row == a);
        cache.slots[slot].row = a + 1; /* another writer was here, half */
        CHECK(!unwind_cache_get(&cache, key, &row));
        cache.slots[slot].row = a;
        cache.slots[slot].check = other ^ (a + 1);
        CHECK(!unwind_cache_get(&cache, key, &row));
    }
}

TEST(a_walk_ends_where_the_stack_bytes_end)
{
    make_x86();
    memory.stack_size = 8 * 11 + 7;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_TRUNCATED, 2);
    memory.stack_size = 8 * 3;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_TRUNCATED, 1);
    memory.stack_size = 0;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_TRUNCATED, 1);
}

static bool read_more(void *context, uint64_t address, void *out, size_t n)
{
    ++*(int *)context;
    memcpy(out, (const uint8_t *)stack + (address - SP), n);
    return true;
}

TEST(what_is_outside_the_window_is_asked_for)
{
    int asked = 0;
    make_x86();
    memory.stack_size = 8 * 8;
    memory.read = read_more;
    memory.context = &asked;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(asked, 2);
}

TEST(no_more_frames_are_written_than_asked_for)
{
    make_x86();
    regs.r[UNWIND_X86_PC] = BIAS + CODE + 8;
    for (uint32_t max = 0; max < 3; max++) {
        uint64_t few[4] = {1, 1, 1, 1};
        struct unwind_result r = unwind_walk(&space, &memory, &regs, few, max);
        check_end(r, UNWIND_END_FULL, max);
        CHECK_EQ(few[max], 1);
    }
    check_end(unwind_walk(&space, &memory, &regs, pcs, 3), UNWIND_END_COMPLETE, 3);
}

TEST(a_stack_that_does_not_rise_ends_a_walk)
{
    make_x86();
    regs.r[UNWIND_X86_FP] = SP - 64; /* below the frame that has it */
    memory.read = NULL;
    memory.stack_start = SP - 128;
    check_end(walk_from(BIAS + CODE + 0x60), UNWIND_END_STUCK, 1);
    CHECK(!unwind_end_is_complete(UNWIND_END_STUCK));
}

TEST(an_address_that_cannot_be_one_ends_a_walk)
{
    make_x86();
    stack[3] = 5;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_IMPLAUSIBLE, 1);
    stack[3] = 0; /* what thread starts push */
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 1);
}

TEST(made_code_is_left_by_frame_pointer)
{
    make_x86();
    const uint64_t made = 0x900000;
    regs.r[UNWIND_X86_FP] = SP + 8 * 4;
    stack[4] = SP + 8 * 6; /* made code calls made code, and is called by a module */
    stack[5] = made + 0x100;
    stack[6] = SP + 8 * 10;
    stack[7] = BIAS + CODE + 0x60;
    struct unwind_result r = walk_from(made);
    check_end(r, UNWIND_END_COMPLETE, 4);
    CHECK_EQ(r.fp_frames, 2);
    CHECK_EQ(pcs[2], BIAS + CODE + 0x60);
    stack[6] = 0;
    stack[7] = 0;
    check_end(walk_from(made), UNWIND_END_FP_ZERO, 2);
    CHECK(unwind_end_is_complete(UNWIND_END_FP_ZERO));
    stack[4] = SP + 3; /* no frame pointer after all */
    check_end(walk_from(made), UNWIND_END_NO_ROW, 2);
}

TEST(a_function_without_a_row_is_left_only_to_what_is_known)
{
    make_x86();
    regs.r[UNWIND_X86_FP] = SP + 8 * 4;
    stack[4] = SP + 8 * 10;
    stack[5] = BIAS + CODE + 0x60;
    check_end(walk_from(BIAS + 0x1000), UNWIND_END_COMPLETE, 3);
    stack[5] = 0xdead0000;
    check_end(walk_from(BIAS + 0x1000), UNWIND_END_NO_ROW, 1);
    modules[0].entry = BIAS + 0x1000 - 32;
    check_end(walk_from(BIAS + 0x1000), UNWIND_END_COMPLETE, 1);
}

TEST(a_call_of_nothing_is_left_to_its_caller)
{
    make_x86();
    stack[0] = BIAS + CODE + 0x20;
    stack[4] = BIAS + CODE + 0xa0;
    stack[3] = 0;
    check_end(walk_from(0x10), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x20);
    begin(UNWIND_AARCH64);
    maker_fde(&m, CODE + 0x100, 0x40, OPS(0x07, 30));
    module_done();
    regs.r[UNWIND_ARM_LR] = BIAS + CODE + 0x120;
    check_end(walk_from(0x10), UNWIND_END_COMPLETE, 2);
}

/* aarch64's stubs of lazily bound functions are described nowhere. */
TEST(aarch64_leaves_what_has_no_row_by_its_link_register_if_that_has_one)
{
    begin(UNWIND_AARCH64);
    maker_fde(&m, CODE, 0x40, OPS(0x07, 30));
    module_done();
    regs.r[UNWIND_ARM_LR] = BIAS + CODE + 0x20;
    regs.r[UNWIND_ARM_FP] = SP + 16;
    stack[3] = BIAS + CODE + 0x30;
    check_end(walk_from(BIAS + 0x1000), UNWIND_END_COMPLETE, 2);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x20);
    regs.r[UNWIND_ARM_LR] = BIAS + 0x1010; /* of a call it made itself */
    check_end(walk_from(BIAS + 0x1000), UNWIND_END_COMPLETE, 2);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x30);
}

/* ---- the rarer rows of x86-64 ---- */

TEST(stubs_of_lazily_bound_functions_are_left)
{
    begin(UNWIND_X86_64);
    maker_fde(&m, CODE, 0x40,
              OPS(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22));
    maker_fde(&m, CODE + 0x40, 0x40, OPS(0x07, 16));
    module_done();
    stack[0] = BIAS + CODE + 0x48;
    stack[1] = BIAS + CODE + 0x58;
    check_end(walk_from(BIAS + CODE + 0x16), UNWIND_END_COMPLETE, 2);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x48);
    check_end(walk_from(BIAS + CODE + 0x1b), UNWIND_END_COMPLETE, 2);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x58); /* the stub pushed a word */
}

TEST(frames_whose_size_lies_in_memory_are_left)
{
    begin(UNWIND_X86_64);
    maker_fde(&m, CODE, 0x10, OPS(0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0));   /* at fp */
    maker_fde(&m, CODE + 0x10, 0x10, OPS(0x0f, 5, 0x77, 40, 0x06, 0x23, 8, 0x86, 2)); /* at sp */
    maker_fde(&m, CODE + 0x20, 0x10, OPS(0x07, 16));
    module_done();
    regs.r[UNWIND_X86_FP] = SP + 8 * 5;
    stack[4] = SP + 8 * 12; /* the CFA */
    stack[5] = 0x1234;      /* the caller's fp */
    stack[11] = BIAS + CODE + 0x18;
    stack[12 + 5] = SP + 8 * 20; /* + 8 is the CFA */
    stack[20] = BIAS + CODE + 0x28;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    memory.stack_size = 8 * 17;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_TRUNCATED, 2);
}

/* The dynamic loader's binder keeps its frame in rbx: known in its caller only
 * if every frame below is left by the rules. */
TEST(a_register_that_was_not_followed_makes_the_walk_start_over)
{
    begin(UNWIND_X86_64);
    maker_fde(&m, CODE, 0x10, OPS(0x0e, 32, 0x83, 2));  /* saves rbx at CFA - 16 */
    maker_fde(&m, CODE + 0x10, 0x10, OPS(0x0c, 3, 24)); /* CFA = rbx + 24 */
    maker_fde(&m, CODE + 0x20, 0x10, OPS(0x07, 16));
    module_done();
    stack[3] = BIAS + CODE + 0x18;
    stack[2] = SP + 8 * 30;
    stack[32] = BIAS + CODE + 0x28;
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(pcs[2], BIAS + CODE + 0x28);
    regs.known &= ~(UINT64_C(1) << 3);
    check_end(walk_from(BIAS + CODE + 0x18), UNWIND_END_REGISTER, 1);
}

/* glibc's __restore_rt: every register where the kernel put it. */
TEST(a_signal_frame_gives_back_every_register)
{
    begin(UNWIND_X86_64);
    m = (struct maker){.size = 0};
    maker_cie(&m, UNWIND_X86_64, "S", MAKER_X86_START);
    maker_fde(&m, CODE, 0x10,
              OPS(0x0f, 3, 0x77, 16, 0x06, /* CFA = *(sp + 16) */
                  0x10, 3, 2, 0x77, 32, 0x10, 6, 2, 0x77, 24, 0x10, 16, 2, 0x77, 40));
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, CODE + 0x10, 0x10, OPS(0x0c, 3, 8)); /* CFA = rbx + 8 */
    maker_fde(&m, CODE + 0x20, 0x10, OPS(0x07, 16));
    module_done();
    stack[2] = SP + 8 * 40;
    stack[3] = 77;
    stack[4] = SP + 8 * 50;
    stack[5] = BIAS + CODE + 0x10; /* exact: the function's first byte */
    stack[50] = BIAS + CODE + 0x28;
    struct unwind_result r = walk_from(BIAS + CODE);
    check_end(r, UNWIND_END_COMPLETE, 3);
    CHECK_EQ(r.interrupted, 1);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x10);
    stack[2] = SP; /* handler interrupts handler interrupts handler, for ever */
    stack[5] = BIAS + CODE;
    check_end(walk_from(BIAS + CODE), UNWIND_END_STUCK, 17);
}

/* ---- aarch64 ---- */

TEST(aarch64_leaves_a_leaf_by_its_link_register)
{
    begin(UNWIND_AARCH64);
    maker_fde(&m, CODE, 0x40, OPS(0));
    maker_fde(&m, CODE + 0x40, 0x40, OPS(0x42, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x41, 0x0d, 29));
    maker_fde(&m, CODE + 0x80, 0x40, OPS(0x07, 30));
    module_done();
    regs.r[UNWIND_ARM_LR] = BIAS + CODE + 0x60;
    regs.r[UNWIND_ARM_FP] = SP + 16;
    stack[2] = SP + 8 * 20;
    stack[3] = BIAS + CODE + 0xa0;
    check_end(walk_from(BIAS + CODE + 4), UNWIND_END_COMPLETE, 3);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x60);
    /* Only the innermost can be one. */
    stack[3] = BIAS + CODE + 0x10;
    check_end(walk_from(BIAS + CODE + 4), UNWIND_END_REGISTER, 3);
}

TEST(aarch64_signatures_are_taken_off_return_addresses)
{
    begin(UNWIND_AARCH64);
    maker_fde(&m, CODE, 0x40, OPS(0x41, 0x2d, 0x0e, 16, 0x9d, 2, 0x9e, 1));
    maker_fde(&m, CODE + 0x40, 0x40, OPS(0x07, 30));
    module_done();
    stack[1] = UINT64_C(0x0035000000000000) | (BIAS + CODE + 0x50);
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_COMPLETE, 2);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x50);
    space.code_mask = (UINT64_C(1) << 52) - 1; /* larger addresses, as the caller knows */
    stack[1] = UINT64_C(0x0035000000000000) | (BIAS + CODE + 0x50);
    check_end(walk_from(BIAS + CODE + 8), UNWIND_END_NO_ROW, 2);
}

TEST(aarch64_signal_frames_are_read_as_the_kernel_writes_them)
{
    enum { REGS_AT = (128 + 176 + 8) / 8 };
    begin(UNWIND_AARCH64);
    m = (struct maker){.size = 0};
    maker_cie(&m, UNWIND_AARCH64, "S", MAKER_ARM_START);
    maker_fde(&m, CODE, 0x10, OPS(0x0c, 29, 0, 0x9d, 0, 0x9e, 0x7f)); /* as in the vDSO */
    maker_cie(&m, UNWIND_AARCH64, "", MAKER_ARM_START);
    maker_fde(&m, CODE + 0x10, 0x10, OPS(0)); /* interrupted: a leaf */
    maker_fde(&m, CODE + 0x20, 0x10, OPS(0x07, 30));
    module_done();
    stack[REGS_AT + 30] = BIAS + CODE + 0x28;
    stack[REGS_AT + 31] = SP + 8 * 90;
    stack[REGS_AT + 32] = BIAS + CODE + 0x10;
    struct unwind_result r = walk_from(BIAS + CODE);
    check_end(r, UNWIND_END_COMPLETE, 3);
    CHECK_EQ(r.interrupted, 1);
    CHECK_EQ(pcs[1], BIAS + CODE + 0x10);
    CHECK_EQ(pcs[2], BIAS + CODE + 0x28);
    memory.stack_size = 8 * (REGS_AT + 32);
    check_end(walk_from(BIAS + CODE), UNWIND_END_TRUNCATED, 1);
}

/* ---- expressions ---- */

static enum eh_step evaluate(const uint8_t *ops, size_t n, uint64_t *out)
{
    static const uint64_t initial = 1000;
    struct eh_frame eh = {.frame = ops, .frame_size = n, .arch = UNWIND_X86_64};
    struct eh_rule rule = {.kind = EH_EXPR, .size = (uint16_t)n};
    regs.arch = UNWIND_X86_64;
    return eh_expr(&eh, rule, &memory, &regs, &initial, out);
}
#define EXPR_IS(expected, ...)                                                                     \
    do {                                                                                           \
        uint64_t value = 0;                                                                        \
        CHECK_EQ(evaluate(OPS(__VA_ARGS__), &value), EH_STEP_OK);                                  \
        CHECK_EQ(value, expected);                                                                 \
    } while (0)
#define EXPR_FAILS(why, ...)                                                                       \
    do {                                                                                           \
        uint64_t value = 5;                                                                        \
        CHECK_EQ(evaluate(OPS(__VA_ARGS__), &value), why);                                         \
        CHECK_EQ(value, 5);                                                                        \
    } while (0)

TEST(expressions_compute)
{
    regs.known = 1u << 7 | 1u << 16;
    regs.r[7] = SP;
    regs.r[16] = 0x123b;
    stack[1] = UINT64_C(0x8877665544332211);
    EXPR_IS(1000, 0x96);
    EXPR_IS(SP + 8, 0x77, 8);
    EXPR_IS(SP - 1, 0x92, 7, 0x7f);
    EXPR_IS((int64_t)0x8877665544332211, 0x77, 8, 0x06);
    EXPR_IS(0x2211, 0x77, 8, 0x94, 2);
    EXPR_IS(SP + 16, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22); /* a stub */
    EXPR_IS(-2, 0x09, 0xfe);
    EXPR_IS(254, 0x08, 0xfe);
    EXPR_IS(-2, 0x0b, 0xfe, 0xff);
    EXPR_IS(0xfffe, 0x0a, 0xfe, 0xff);
    EXPR_IS(-2, 0x0d, 0xfe, 0xff, 0xff, 0xff);
    EXPR_IS(1, 0x0e, 1, 0, 0, 0, 0, 0, 0, 0);
    EXPR_IS(300, 0x10, 0xac, 2);
    EXPR_IS(-3, 0x11, 0x7d);
    EXPR_IS(5, 0x38, 0x33, 0x1c);        /* 8 - 3 */
    EXPR_IS(24, 0x38, 0x33, 0x1e);       /* 8 * 3 */
    EXPR_IS(-2, 0x11, 0x78, 0x33, 0x1b); /* -8 / 3 */
    EXPR_IS(2, 0x38, 0x33, 0x1d);        /* 8 % 3 */
    EXPR_IS(3, 0x11, 0x7d, 0x19);        /* abs */
    EXPR_IS(-9, 0x38, 0x20, 0x96);       /* not */
    EXPR_IS(-8, 0x38, 0x1f);             /* neg */
    EXPR_IS((8 ^ 3) | 16, 0x38, 0x33, 0x27, 0x40, 0x21);
    EXPR_IS(1, 0x38, 0x33, 0x25);        /* 8 >> 3 */
    EXPR_IS(-1, 0x11, 0x78, 0x33, 0x26); /* -8 >> 3, signed */
    EXPR_IS(0, 0x38, 0x08, 64, 0x24);    /* a shift by all bits */
    EXPR_IS(13, 0x38, 0x23, 5);
    EXPR_IS(8, 0x33, 0x38, 0x16, 0x13); /* swap, drop */
    EXPR_IS(3, 0x33, 0x38, 0x14);       /* over */
    EXPR_IS(8, 0x33, 0x38, 0x12, 0x13); /* dup, drop */
    EXPR_IS(1000, 0x33, 0x38, 0x15, 2); /* pick */
    EXPR_IS(2, 0x31, 0x32, 0x33, 0x17); /* rot: 3 1 2 */
    EXPR_IS(3, 0x31, 0x32, 0x33, 0x17, 0x13, 0x13);
    EXPR_IS(1, 0x33, 0x38, 0x2d);
    EXPR_IS(1, 0x33, 0x38, 0x2c);
    EXPR_IS(0, 0x33, 0x38, 0x2b);
    EXPR_IS(0, 0x33, 0x38, 0x29);
    EXPR_IS(1, 0x33, 0x38, 0x2e);
    EXPR_IS(7, 0x37, 0x2f, 1, 0, 0x38);       /* skip */
    EXPR_IS(7, 0x37, 0x31, 0x28, 1, 0, 0x38); /* taken */
    EXPR_IS(8, 0x37, 0x30, 0x28, 1, 0, 0x38); /* not taken */
}

TEST(expressions_that_cannot_be_computed_fail)
{
    regs.known = 1u << 7;
    regs.r[7] = SP;
    EXPR_FAILS(EH_STEP_REG, 0x73, 0);
    EXPR_FAILS(EH_STEP_REG, 0x92, 0x80, 1, 0);
    EXPR_FAILS(EH_STEP_MEMORY, 0x30, 0x06);
    EXPR_FAILS(EH_STEP_BAD, 0x77);       /* cut off */
    EXPR_FAILS(EH_STEP_BAD, 0x13, 0x13); /* more dropped than there is */
    EXPR_FAILS(EH_STEP_BAD, 0x15, 1);
    EXPR_FAILS(EH_STEP_BAD, 0x30, 0x1b); /* by zero */
    EXPR_FAILS(EH_STEP_BAD, 0x30, 0x1d);
    EXPR_FAILS(EH_STEP_BAD, 0xf0); /* no operation */
    EXPR_FAILS(EH_STEP_BAD, 0x30, 0x94, 9);
    EXPR_FAILS(EH_STEP_BAD, 0x2f, 100, 0); /* out of the expression */
    EXPR_FAILS(EH_STEP_BAD, 0x2f, 0x9c, 0xff);
    EXPR_FAILS(EH_STEP_BAD, 0x2f, 0xfd, 0xff);       /* for ever */
    EXPR_FAILS(EH_STEP_BAD, 0x31, 0x2f, 0xfc, 0xff); /* for ever, deeper and deeper */
    EXPR_FAILS(EH_STEP_BAD, 0x13);                   /* nothing left to say */
}

/* ---- registers ---- */

TEST(registers_of_a_perf_sample_are_put_in_order)
{
    uint64_t values[17];
    for (unsigned i = 0; i < 17; i++)
        values[i] = 100 + i;
    REQUIRE(unwind_regs_from_perf(&regs, UNWIND_X86_64, 0xff01ff, values, 17));
    CHECK_EQ(regs.known, 0x1ffff);
    CHECK_EQ(regs.r[3], 101); /* perf's second is rbx */
    CHECK_EQ(regs.r[UNWIND_X86_FP], 106);
    CHECK_EQ(unwind_sp(&regs), 107);
    CHECK_EQ(unwind_pc(&regs), 108);
    CHECK_EQ(regs.r[8], 109);
    CHECK_EQ(regs.r[15], 116);
    REQUIRE(unwind_regs_from_perf(&regs, UNWIND_AARCH64, UINT64_C(0x1e0000000), values, 4));
    CHECK_EQ(regs.r[UNWIND_ARM_FP], 100);
    CHECK_EQ(regs.r[UNWIND_ARM_LR], 101);
    CHECK_EQ(unwind_sp(&regs), 102);
    CHECK_EQ(unwind_pc(&regs), 103);
    CHECK(!unwind_regs_from_perf(&regs, UNWIND_X86_64, 0x80, values, 1));     /* no pc */
    CHECK(!unwind_regs_from_perf(&regs, UNWIND_X86_64, 0xff01ff, values, 5)); /* cut off */
    CHECK(!unwind_regs_from_perf(&regs, 9, 0xff01ff, values, 17));
}

TEST_MAIN()
