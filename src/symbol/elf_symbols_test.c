/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/vec.h"
#include "symbol/elf_file.h"
#include "random.h"
#include "test.h"

static struct elf_symbols table;
static void add(uint64_t addr, uint64_t size, const char *name)
{
    struct elf_symbol *s = VEC_PUSH(&table);
    REQUIRE(s);
    *s = (struct elf_symbol){.addr = addr, .size = size, .name = name};
}
static const char *at(uint64_t addr)
{
    uint64_t lo, hi;
    size_t i = elf_symbols_find(&table, addr, &lo, &hi);
    CHECK(lo <= addr && addr < hi);
    return i == SIZE_MAX ? "" : table.items[i].name;
}

TEST(an_address_belongs_to_the_symbol_that_covers_it)
{
    add(300, 10, "c");
    add(100, 50, "a");
    add(200, 0, "b"); /* no size: up to the next one */
    CHECK_EQ(elf_symbols_sort(&table), 0);
    CHECK_STR(at(99), "");
    CHECK_STR(at(100), "a");
    CHECK_STR(at(149), "a");
    CHECK_STR(at(150), "");
    CHECK_STR(at(200), "b");
    CHECK_STR(at(299), "b");
    CHECK_STR(at(309), "c");
    CHECK_STR(at(310), "");
    elf_symbols_done(&table);
}

TEST(of_several_at_one_address_the_largest_stays_and_of_equals_the_last)
{
    add(100, 0, "label");
    add(100, 20, "first");
    add(100, 20, "second");
    add(100, 5, "small");
    CHECK_EQ(elf_symbols_sort(&table), 0);
    CHECK_EQ(table.count, 1);
    CHECK_STR(at(105), "second");
    elf_symbols_done(&table);
}

TEST(the_range_of_an_answer_holds_that_answer_everywhere)
{
    uint64_t lo, hi, seed = 7;
    for (int i = 0; i < 60; i++) {
        const uint64_t x = random_next(&seed);
        add(x >> 54, x >> 40 & 15, i & 1 ? "odd" : "even");
    }
    CHECK_EQ(elf_symbols_sort(&table), 0);
    for (uint64_t addr = 0; addr < 1100; addr++) {
        size_t found = elf_symbols_find(&table, addr, &lo, &hi);
        for (uint64_t other = lo; other < hi && other < 1100; other++) {
            uint64_t l, h;
            CHECK_EQ(elf_symbols_find(&table, other, &l, &h), found);
        }
    }
    elf_symbols_done(&table);
}

TEST(sizes_that_wrap_around_do_no_harm)
{
    add(UINT64_MAX - 5, UINT64_MAX, "end");
    add(10, UINT64_MAX, "all");
    CHECK_EQ(elf_symbols_sort(&table), 0);
    CHECK_STR(at(50), "all");
    CHECK_STR(at(UINT64_MAX - 3), "end");
    elf_symbols_done(&table);
}

TEST(an_empty_table_knows_nothing)
{
    CHECK_EQ(elf_symbols_sort(&table), 0);
    CHECK_STR(at(5), "");
    elf_symbols_done(&table);
}

TEST_MAIN()
