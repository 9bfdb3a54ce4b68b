/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/dw.h"
#include "test.h"

/* The header of a version 4 table with two files, and a program behind it. */
static uint8_t section[512];
static struct dw dwarf;
static struct dw_unit unit;
static struct dw_line line;

static void make(const void *program, size_t n)
{
    static const uint8_t fixed[] = {1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
    static const char names[] = "inc\0/abs\0\0" /* folders 1 and 2 */
                                "a.c\0\0\0\0"   /* file 1 in the unit's folder */
                                "b.h\0\1\0\0"   /* file 2 in inc */
                                "c.h\0\2\0\0"   /* file 3 in /abs */
                                "/d.h\0\0\0";   /* file 4; ends with the table */
    uint32_t header = (uint32_t)(sizeof fixed + sizeof names);
    uint32_t length = (uint32_t)(2 + 4 + header + n);
    memcpy(section, &length, 4);
    memcpy(section + 4, "\4\0", 2);
    memcpy(section + 6, &header, 4);
    memcpy(section + 10, fixed, sizeof fixed);
    memcpy(section + 10 + sizeof fixed, names, sizeof names);
    memcpy(section + 10 + header, program, n);
    dwarf = (struct dw){.line = {section, 4 + length}};
    unit = (struct dw_unit){.dw = &dwarf,
                            .version = 4,
                            .addr_size = 8,
                            .offset_size = 4,
                            .has_stmt_list = true,
                            .comp_dir = "/src"};
    CHECK_EQ(dw_line_read(&line, &unit), 0);
}

/* set_address 0x1000; line 5; +2 bytes, +1 line (special); file 2; +4; end at +6 */
static const uint8_t program[] = {0,
                                  9,
                                  2,
                                  0,
                                  0x10,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0, /* address */
                                  3,
                                  4,
                                  1,                   /* line 5, copy */
                                  13 + 2 * 14 + 5 + 1, /* special */
                                  4,
                                  2,
                                  5,
                                  7,
                                  2,
                                  2,
                                  1, /* file, column */
                                  2,
                                  2,
                                  0,
                                  1,
                                  1}; /* end */

static uint32_t line_at(uint64_t addr)
{
    const struct dw_row *row = dw_line_find(&line, addr);
    return row ? row->line : 0;
}

TEST(a_program_becomes_rows_that_cover_its_addresses)
{
    make(program, sizeof program);
    CHECK_EQ(line_at(0xfff), 0);
    CHECK_EQ(line_at(0x1000), 5);
    CHECK_EQ(line_at(0x1001), 5);
    CHECK_EQ(line_at(0x1002), 6);
    CHECK_EQ(line_at(0x1004), 6);
    CHECK_EQ(line_at(0x1005), 6);
    CHECK_EQ(line_at(0x1006), 0);
    CHECK_EQ(dw_line_next(&line, 0x800), 0x1000); /* lines begin again there */
    CHECK(dw_line_next(&line, 0x1006) == UINT64_MAX);
    REQUIRE(dw_line_find(&line, 0x1004));
    CHECK_EQ(dw_line_find(&line, 0x1004)->file, 2);
    CHECK_EQ(dw_line_find(&line, 0x1004)->column, 7);
    CHECK(!line.damaged);
    dw_line_done(&line);
}

TEST(paths_are_joined_as_far_as_they_are_relative)
{
    char path[64];
    make(program, sizeof program);
    dw_line_path(&line, 1, path, sizeof path);
    CHECK_STR(path, "/src/a.c");
    dw_line_path(&line, 2, path, sizeof path);
    CHECK_STR(path, "/src/inc/b.h");
    dw_line_path(&line, 3, path, sizeof path);
    CHECK_STR(path, "/abs/c.h");
    dw_line_path(&line, 4, path, sizeof path);
    CHECK_STR(path, "/d.h");
    CHECK_EQ(dw_line_path(&line, 0, path, sizeof path), 0);
    CHECK_EQ(dw_line_path(&line, 99, path, sizeof path), 0);
    CHECK(dw_line_path(&line, 2, path, 8) < 8); /* cut, with its NUL */
    CHECK_EQ(strlen(path), 7);
    dw_line_done(&line);
}

TEST(a_program_cut_anywhere_covers_nothing_or_the_truth)
{
    for (size_t n = 0; n < sizeof program; n++) {
        make(program, n);
        uint32_t found = line_at(0x1001);
        CHECK(found == 0 || found == 5);
        dw_line_done(&line);
    }
}

TEST(a_sequence_without_an_end_covers_nothing)
{
    make(program, sizeof program - 3);
    CHECK_EQ(line_at(0x1001), 0);
    CHECK_EQ(line.rows.count, 0);
    dw_line_done(&line);
}

TEST(addresses_that_fall_inside_of_a_sequence_drop_it)
{
    static const uint8_t falling[] = {0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 1, 0, 9, 2,
                                      0, 8, 0, 0, 0,    0, 0, 0, 1, 2, 9, 0, 1, 1};
    make(falling, sizeof falling);
    CHECK_EQ(line.sequences.count, 0);
    dw_line_done(&line);
}

TEST(rows_know_whether_they_are_good_for_a_breakpoint)
{
    static const uint8_t negated[] = {0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, /* address */
                                      1, 2, 1, 6, 1,                      /* the next one is not */
                                      2, 1, 6, 1, 2,    1, 0, 1, 1};      /* and again */
    make(negated, sizeof negated);
    REQUIRE(line.rows.count == 4);
    CHECK(line.rows.items[0].stmt && !line.rows.items[1].stmt && line.rows.items[2].stmt);
    dw_line_done(&line);
}

TEST_MAIN()
