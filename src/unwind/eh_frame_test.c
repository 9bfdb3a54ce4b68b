/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finding functions and running their rules, over sections made by hand. */
#include "unwind/eh_frame.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"
#include "unwind/testing.h"
#include "unwind/table.h"

static struct maker m;

static void check_row(const struct eh_frame *eh, uint64_t va, unwind_row expected)
{
    unwind_row row = eh_frame_row(eh, va);
    if (row != expected)
        test_fail(__FILE__, __LINE__,
                  "%#llx: kind %u flags %u cfa %d ra %d fp %d, expected %u %u "
                  "%d %d %d",
                  (unsigned long long)va, unwind_row_kind(row), unwind_row_flags(row),
                  unwind_row_cfa(row), unwind_row_ra(row), unwind_row_fp(row),
                  unwind_row_kind(expected), unwind_row_flags(expected), unwind_row_cfa(expected),
                  unwind_row_ra(expected), unwind_row_fp(expected));
}

TEST(a_row_keeps_what_is_put_into_it)
{
    static const int32_t cfas[] = {0, 8, -8, 8388607, -8388608},
                         slots[] = {0, -1, 1, 32767, -32768};
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) {
            unwind_row row = unwind_row_make(UNWIND_AT_FP, 7, cfas[i], slots[k], slots[4 - k]);
            CHECK_EQ(unwind_row_kind(row), UNWIND_AT_FP);
            CHECK_EQ(unwind_row_flags(row), 7);
            CHECK_EQ(unwind_row_cfa(row), cfas[i]);
            CHECK_EQ(unwind_row_ra(row), slots[k]);
            CHECK_EQ(unwind_row_fp(row), slots[4 - k]);
        }
    }
}

/* push rbp; mov rsp,rbp; ...; leave; ret */
#define FRAMED                                                                                     \
    OPS(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x20, 0x0a, 0xc6, 0x0c, 7, 8, 0x41, 0x0b)

TEST(rows_follow_a_function_s_prologue_and_epilogue)
{
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, FRAMED);
    maker_fde(&m, 0x30040, 0x10, OPS(0));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    check_row(&eh, 0x2ffff, UNWIND_NONE);
    check_row(&eh, 0x30000, unwind_row_make(UNWIND_FROM_SP, 0, 8, -1, 0));
    check_row(&eh, 0x30001, unwind_row_make(UNWIND_FROM_SP, 0, 16, -1, -2));
    check_row(&eh, 0x30003, unwind_row_make(UNWIND_FROM_SP, 0, 16, -1, -2));
    check_row(&eh, 0x30004, unwind_row_make(UNWIND_FROM_FP, 0, 16, -1, -2));
    check_row(&eh, 0x30023, unwind_row_make(UNWIND_FROM_FP, 0, 16, -1, -2));
    check_row(&eh, 0x30024, unwind_row_make(UNWIND_FROM_SP, 0, 8, -1, 0));
    check_row(&eh, 0x30025, unwind_row_make(UNWIND_FROM_FP, 0, 16, -1, -2));
    check_row(&eh, 0x3003f, unwind_row_make(UNWIND_FROM_FP, 0, 16, -1, -2));
    check_row(&eh, 0x30040, unwind_row_make(UNWIND_FROM_SP, 0, 8, -1, 0));
    check_row(&eh, 0x30050, UNWIND_NONE);
}

TEST(functions_are_found_without_a_table_too)
{
    struct eh_fde fde;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x50000, 0x40, OPS(0));
    maker_fde(&m, 0x30000, 0x40, FRAMED);
    maker_u32(&m, 0);
    struct eh_frame eh;
    REQUIRE(eh_frame_init(&eh, UNWIND_X86_64, m.frame, m.size, MAKER_FRAME_VA));
    REQUIRE(eh_frame_find(&eh, 0x30004, &fde));
    CHECK_EQ(fde.begin, 0x30000);
    CHECK_EQ(fde.end, 0x30040);
    CHECK(eh_frame_find(&eh, 0x5003f, &fde));
    CHECK(!eh_frame_find(&eh, 0x50040, &fde));
    eh.scan_max = 8; /* a handler's patience */
    CHECK(!eh_frame_find(&eh, 0x30004, &fde));
}

TEST(a_table_of_another_format_is_passed_over)
{
    struct eh_fde fde;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, OPS(0));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    for (int broken = 0; broken < 4; broken++) {
        struct maker copy = m;
        if (broken == 0)
            copy.hdr[0] = 2; /* version */
        else if (broken == 1)
            copy.hdr[3] = 0x1b; /* encoding */
        else if (broken == 2)
            copy.hdr[8] = 200; /* more rows than bytes */
        else
            copy.hdr[4]++; /* somebody else's .eh_frame */
        eh_frame_init(&eh, UNWIND_X86_64, copy.frame, copy.size, MAKER_FRAME_VA);
        eh_frame_add_hdr(&eh, copy.hdr, copy.hdr_size, MAKER_HDR_VA);
        CHECK(eh.table == NULL);
        CHECK(eh_frame_find(&eh, 0x30008, &fde));
    }
}

/* A table that lies leads nowhere, and not to the wrong function. */
TEST(a_table_that_lies_finds_nothing)
{
    struct eh_fde fde;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, OPS(0));
    maker_fde(&m, 0x30040, 0x40, OPS(0));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    m.fdes[0].offset = m.fdes[1].offset;
    m.fdes[1].offset = 0x7fffffff;
    maker_hdr(&m);
    CHECK(!eh_frame_find(&eh, 0x30000, &fde));
    CHECK(!eh_frame_find(&eh, 0x30040, &fde));
    CHECK(!eh_frame_at(&eh, 1, &fde));
}

TEST(gnu_args_size_and_unknown_registers_change_nothing)
{
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40,
              OPS(0x2e, 32, 0x05, 60, 3, 0x07, 70, 0x08, 90, 0x09, 33, 70, 0x41, 0x0e, 16));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    check_row(&eh, 0x30000, unwind_row_make(UNWIND_FROM_SP, 0, 8, -1, 0));
    check_row(&eh, 0x30001, unwind_row_make(UNWIND_FROM_SP, 0, 16, -1, 0));
}

TEST(the_return_address_can_be_undefined)
{
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, OPS(0x07, 16));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    check_row(&eh, 0x30020, UNWIND_ROOT);
}

TEST(the_stub_of_a_lazily_bound_function_has_a_row_of_its_own)
{
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(
        &m, 0x30000, 0x40,
        OPS(0x0e, 16, 0x46, 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    check_row(&eh, 0x30000, unwind_row_make(UNWIND_FROM_SP, 0, 16, -1, 0));
    check_row(&eh, 0x30010, unwind_row_make(UNWIND_PLT, 0, 11, 0, 0));
}

TEST(aligned_and_handwritten_frames_have_rows)
{
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    /* gcc's alignment: r10 first, then *(rbp - 8), rbp at itself */
    maker_fde(&m, 0x30000, 0x10,
              OPS(0x0c, 10, 0, 0x44, 0x10, 6, 2, 0x76, 0, 0x44, 0x0f, 3, 0x76, 0x78, 0x06));
    /* OpenSSL's: *(rsp + 40) + 8 */
    maker_fde(&m, 0x30010, 0x10, OPS(0x0f, 5, 0x77, 40, 0x06, 0x23, 8, 0x86, 2));
    /* the same with another constant, in the other notation */
    maker_fde(&m, 0x30020, 0x10, OPS(0x0f, 5, 0x77, 40, 0x06, 0x40, 0x22));
    maker_fde(&m, 0x30030, 0x10, OPS(0x0f, 5, 0x77, 40, 0x06, 0x40, 0x1c));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    check_row(&eh, 0x30000, UNWIND_BY_RULES);
    check_row(&eh, 0x30004, UNWIND_BY_RULES);
    check_row(&eh, 0x30008, unwind_row_make(UNWIND_AT_FP, UNWIND_FP_FROM_FP, -8, 0, 0));
    check_row(&eh, 0x30010, unwind_row_make(UNWIND_AT_SP, 0, 40, 1, -2));
    check_row(&eh, 0x30020, unwind_row_make(UNWIND_AT_SP, 0, 40, 2, 0));
    check_row(&eh, 0x30030, UNWIND_BY_RULES);
}

TEST(aarch64_keeps_the_return_address_in_its_register_at_first)
{
    maker_cie(&m, UNWIND_AARCH64, "", MAKER_ARM_START);
    /* paciasp; stp x29, x30, [sp, -32]!; mov x29, sp; ...; ldp; autiasp */
    maker_fde(&m, 0x30000, 0x40,
              OPS(0x41, 0x2d, 0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x41, 0x0d, 29, 0x42, 0xdd, 0xde,
                  0x0c, 31, 0, 0x41, 0x2d));
    struct eh_frame eh = maker_done(&m, UNWIND_AARCH64);
    unwind_row leaf = unwind_row_make(UNWIND_FROM_SP, UNWIND_RA_IN_LR, 0, 0, 0);
    check_row(&eh, 0x30000, leaf);
    check_row(&eh, 0x30004, leaf);
    check_row(&eh, 0x30008, unwind_row_make(UNWIND_FROM_SP, 0, 32, -3, -4));
    check_row(&eh, 0x3000c, unwind_row_make(UNWIND_FROM_FP, 0, 32, -3, -4));
    check_row(&eh, 0x30014, leaf);
    check_row(&eh, 0x3003f, leaf);
}

TEST(an_augmentation_nobody_knows_costs_its_functions_only)
{
    struct eh_fde fde;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    m.frame[m.cie + 9] = 'y'; /* no z: its data cannot be skipped */
    maker_fde(&m, 0x30000, 0x10, OPS(0));
    maker_cie(&m, UNWIND_X86_64, "SBGQ", MAKER_X86_START);
    maker_fde(&m, 0x30010, 0x10, OPS(0));
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    m.frame[m.cie + 8] = 2; /* version */
    maker_fde(&m, 0x30020, 0x10, OPS(0));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    size_t offset = 0;
    REQUIRE(eh_frame_next(&eh, &offset, &fde));
    CHECK_EQ(fde.begin, 0x30010);
    CHECK(fde.signal);
    CHECK(!eh_frame_next(&eh, &offset, &fde));
    check_row(&eh, 0x30018, unwind_row_make(UNWIND_BY_RULES, UNWIND_SIGNAL, 0, 0, 0));
}

/* ---- damage ---- */

static void expect_no_row(const uint8_t *ops, size_t n)
{
    struct maker broken = {.size = 0};
    maker_cie(&broken, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&broken, 0x30000, 0x40, ops, n);
    struct eh_frame eh = maker_done(&broken, UNWIND_X86_64);
    check_row(&eh, 0x30010, UNWIND_NONE);
}

TEST(damaged_programs_have_no_row)
{
    expect_no_row(OPS(0x0b));                               /* restore, nothing remembered */
    expect_no_row(OPS(0x0a, 0x0a, 0x0a, 0x0a, 0x0a));       /* remembered too deep */
    expect_no_row(OPS(0x3c));                               /* no instruction */
    expect_no_row(OPS(0x0c, 200, 1, 8));                    /* a register there is not */
    expect_no_row(OPS(0x0f, 3, 0x77, 8, 0x06, 0x0e, 8));    /* an offset of an expression */
    expect_no_row(OPS(0x0f, 0xff, 0x7f, 0x77));             /* longer than its entry */
    expect_no_row(OPS(0x0e, 0xff, 0xff, 0xff, 0xff, 0x7f)); /* a frame of 32 GiB */
    expect_no_row(OPS(0x86, 0xff, 0xff, 0xff, 0xff, 0x7f));
    expect_no_row(OPS(0x0c, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)); /* no end */
}

TEST(no_prefix_of_a_section_is_read_beyond_its_end)
{
    struct eh_fde fde;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, FRAMED);
    maker_fde(&m, 0x30040, 0x40, FRAMED);
    maker_done(&m, UNWIND_X86_64);
    for (size_t n = 4; n < m.size; n++) {
        uint8_t *exact = malloc(n); /* a sanitizer sees one byte too many */
        struct eh_frame eh;
        memcpy(exact, m.frame, n);
        REQUIRE(eh_frame_init(&eh, UNWIND_X86_64, exact, n, MAKER_FRAME_VA));
        bool found = eh_frame_find(&eh, 0x30050, &fde);
        CHECK_EQ(found, n >= m.size - 4);
        eh_frame_row(&eh, 0x30010);
        free(exact);
    }
    for (size_t n = 0; n <= m.hdr_size; n++) {
        uint8_t *exact = malloc(n + !n);
        struct eh_frame eh;
        memcpy(exact, m.hdr, n);
        REQUIRE(eh_frame_init(&eh, UNWIND_X86_64, m.frame, m.size, MAKER_FRAME_VA));
        eh_frame_add_hdr(&eh, exact, n, MAKER_HDR_VA);
        CHECK_EQ(eh.table != NULL, n == m.hdr_size);
        CHECK(eh_frame_find(&eh, 0x30050, &fde));
        free(exact);
    }
}

TEST(what_is_no_machine_of_ours_is_refused)
{
    struct eh_frame eh;
    CHECK(!eh_frame_init(&eh, 3, m.frame, 100, 0));
    CHECK(!eh_frame_init(&eh, UNWIND_X86_64, NULL, 100, 0));
    CHECK(!eh_frame_init(&eh, UNWIND_X86_64, m.frame, 3, 0));
}

/* ---- the compiled table ---- */

TEST(a_compiled_table_says_what_single_rows_say)
{
    struct unwind_table *t;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30000, 0x40, FRAMED);
    maker_fde(&m, 0x30040, 0x40, FRAMED);
    maker_fde(&m, 0x31000, 0x20, OPS(0x07, 16));
    maker_fde(&m, 0x90000, 0x20, OPS(0x41, 0x0c, 10, 0));
    struct eh_frame eh = maker_done(&m, UNWIND_X86_64);
    REQUIRE(unwind_table_build(&eh, &t) == ORIEL_OK);
    for (uint64_t va = 0x2fff0; va < 0x31100; va++)
        CHECK_EQ(unwind_table_find(t, va), eh_frame_row(&eh, va));
    for (uint64_t va = 0x8fff0; va < 0x90100; va++)
        CHECK_EQ(unwind_table_find(t, va), eh_frame_row(&eh, va));
    CHECK_EQ(unwind_table_find(t, UINT64_MAX), UNWIND_NONE);
    CHECK(unwind_table_rows(t) < 20);
    unwind_table_free(t);
    unwind_table_free(NULL);
}

TEST(functions_out_of_order_or_one_over_the_other_compile)
{
    struct unwind_table *t;
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    maker_fde(&m, 0x30040, 0x40, OPS(0x07, 16));
    maker_fde(&m, 0x30000, 0x60, FRAMED);
    maker_fde(&m, 0x30010, 0x10, OPS(0x07, 16));
    maker_u32(&m, 0);
    struct eh_frame eh;
    REQUIRE(eh_frame_init(&eh, UNWIND_X86_64, m.frame, m.size, MAKER_FRAME_VA));
    REQUIRE(unwind_table_build(&eh, &t) == ORIEL_OK);
    CHECK_EQ(unwind_row_kind(unwind_table_find(t, 0x30018)), UNWIND_FROM_FP);
    CHECK_EQ(unwind_row_kind(unwind_table_find(t, 0x3005f)), UNWIND_FROM_FP);
    CHECK_EQ(unwind_row_kind(unwind_table_find(t, 0x30060)), UNWIND_ROOT);
    CHECK_EQ(unwind_row_kind(unwind_table_find(t, 0x3007f)), UNWIND_ROOT);
    CHECK_EQ(unwind_row_kind(unwind_table_find(t, 0x30080)), UNWIND_NONE);
    unwind_table_free(t);
}

TEST(what_cannot_be_compiled_is_refused)
{
    struct unwind_table *t;
    struct eh_frame none = {.arch = UNWIND_X86_64};
    CHECK_EQ(unwind_table_build(&none, &t), ORIEL_EFORMAT);
    maker_cie(&m, UNWIND_X86_64, "", MAKER_X86_START);
    struct maker empty = m;
    struct eh_frame eh;
    REQUIRE(eh_frame_init(&eh, UNWIND_X86_64, empty.frame, empty.size, MAKER_FRAME_VA));
    CHECK_EQ(unwind_table_build(&eh, &t), ORIEL_EFORMAT);
}

TEST_MAIN()
