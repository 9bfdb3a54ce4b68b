/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/dw.h"
#include "test.h"

static struct dw dwarf;
static struct dw_unit unit;
static struct dw_ranges out;

static void start(unsigned version)
{
    dwarf = (struct dw){0};
    unit = (struct dw_unit){
        .dw = &dwarf, .version = version, .addr_size = 8, .offset_size = 4, .low_pc = 0x1000};
    out.count = 0;
}
static void read_ranges(uint32_t form, uint64_t raw)
{
    struct dw_value none = {0}, ranges = {.form = form, .raw = raw};
    CHECK_EQ(dw_ranges_read(&unit, &none, &none, &ranges, &out), 0);
}
static void check(size_t i, uint64_t lo, uint64_t hi)
{
    REQUIRE(i < out.count);
    CHECK_EQ(out.items[i].lo, lo);
    CHECK_EQ(out.items[i].hi, hi);
}

TEST(low_and_high_make_one_range_absolute_or_not)
{
    struct dw_value low = {.form = DW_FORM_addr, .raw = 0x2000}, none = {0};
    struct dw_value size = {.form = DW_FORM_data4, .raw = 0x10};
    struct dw_value end = {.form = DW_FORM_addr, .raw = 0x2020};
    start(4);
    CHECK_EQ(dw_ranges_read(&unit, &low, &size, &none, &out), 0);
    CHECK_EQ(dw_ranges_read(&unit, &low, &end, &none, &out), 0);
    CHECK_EQ(dw_ranges_read(&unit, &low, &none, &none, &out), 0);
    CHECK_EQ(out.count, 2);
    check(0, 0x2000, 0x2010);
    check(1, 0x2000, 0x2020);
}

TEST(pairs_count_from_a_base_that_may_change)
{
    const uint64_t pairs[] = {0x10, 0x20, UINT64_MAX, 0x8000, 1, 2, 5, 5, 0, 0, 7, 8};
    start(4);
    unit.ranges = (struct bytes){(const uint8_t *)pairs, sizeof pairs};
    read_ranges(DW_FORM_sec_offset, 0);
    CHECK_EQ(out.count, 2);
    check(0, 0x1010, 0x1020);
    check(1, 0x8001, 0x8002);
}

TEST(coded_lists_are_read_in_all_their_forms)
{
    static const uint8_t list[] = {4, 0x10, 0x20,                               /* offset pair */
                                   5, 0,    0x80, 0, 0, 0, 0, 0, 0, 4, 1,    2, /* base address */
                                   7, 0,    0x90, 0, 0, 0, 0, 0, 0, 3,          /* start, length */
                                   6, 0,    0xa0, 0, 0, 0, 0, 0, 0, 1, 0xa0, 0,
                                   0, 0,    0,    0, 0,                          /* start, end */
                                   1, 1,    4,    1, 2, 3, 0, 5, 2, 0, 1,    0}; /* by index */
    static const uint64_t addrs[] = {0xb000, 0xc000};
    start(5);
    dwarf.rnglists = (struct bytes){list, sizeof list};
    unit.addr = (struct bytes){(const uint8_t *)addrs, sizeof addrs};
    read_ranges(DW_FORM_sec_offset, 0);
    CHECK_EQ(out.count, 7);
    check(0, 0x1010, 0x1020);
    check(1, 0x8001, 0x8002);
    check(2, 0x9000, 0x9003);
    check(3, 0xa000, 0xa001);
    check(4, 0xc001, 0xc002);
    check(5, 0xb000, 0xb005);
    check(6, 0xb000, 0xc000);
}

TEST(lists_that_lie_outside_or_are_cut_give_what_there_is)
{
    static const uint8_t list[] = {4, 0x10, 0x20, 4, 0x30};
    start(5);
    dwarf.rnglists = (struct bytes){list, sizeof list};
    read_ranges(DW_FORM_sec_offset, 0);
    CHECK_EQ(out.count, 1);
    read_ranges(DW_FORM_sec_offset, 1000);
    read_ranges(DW_FORM_rnglistx, UINT64_MAX);
    read_ranges(DW_FORM_rnglistx, 3);
    CHECK_EQ(out.count, 1);
}

TEST_MAIN()
