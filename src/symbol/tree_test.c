/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/tree.h"

#include "base/err.h"
#include "base/mem.h"
#include "test.h"

/* Entries written by hand, version 4, one unit:
 *   unit > outer [0x1000, 0x1100) > inlined a [0x1010, 0x1040) > inlined b [0x1020, 0x1030)
 *        > namespace > other [0x2000, 0x2010) */
static const uint8_t abbrevs[] = {
    1, 0x11, 1, 0,    0,                                              /* unit */
    2, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0x3b, 0x0b, 0, 0, /* function */
    3, 0x1d, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0x59, 0x0b, 0, 0, /* inlined */
    4, 0x2e, 0, 0x03, 0x08, 0x6e, 0x08, 0x3b, 0x0b, 0,    0,          /* abstract */
    5, 0x39, 1, 0x03, 0x08, 0,    0,                                  /* namespace */
    6, 0x24, 0, 0x03, 0x08, 0x0b, 0x0b, 0,    0,                      /* base type */
    0};

static uint8_t info[512];
static size_t size;
static struct dw dwarf;
static struct dw_unit *unit;

static void put(const void *bytes, size_t n)
{
    memcpy(info + size, bytes, n);
    size += n;
}
static void put8(uint8_t x)
{
    put(&x, 1);
}
static void put32(uint32_t x)
{
    put(&x, 4);
}
static void put_range(uint64_t lo, uint32_t n)
{
    put(&lo, 8);
    put32(n);
}
static void put_function(const char *name, uint64_t lo, uint32_t n)
{
    put8(2);
    put(name, strlen(name) + 1);
    put_range(lo, n);
    put8(7);
}
static void put_inlined(uint32_t origin, uint64_t lo, uint32_t n, uint8_t line)
{
    put8(3);
    put32(origin);
    put_range(lo, n);
    put8(line);
}

static void make(void)
{
    size = 0;
    put("\0\0\0\0\4\0\0\0\0\0\10\1", 12); /* header, and the unit's entry */
    uint32_t a = (uint32_t)size;
    put("\4a\0_Z1av\0\3", 10);
    uint32_t b = (uint32_t)size;
    put("\4b\0b\0\4", 6);
    put("\6int\0\4", 6);
    put_function("outer", 0x1000, 0x100);
    put_inlined(a, 0x1010, 0x30, 11);
    put_inlined(b, 0x1020, 0x10, 22);
    put("\0\0\0", 3); /* end of b, a, outer */
    put("\5ns\0", 4);
    put_function("other", 0x2000, 0x10);
    put("\0\0\0", 3);
    uint32_t length = (uint32_t)size - 4;
    memcpy(info, &length, 4);
    dwarf = (struct dw){.info = {info, size}, .abbrev = {abbrevs, sizeof abbrevs}};
    REQUIRE(dw_index(&dwarf) == 0 && dwarf.units.count == 1);
    unit = &dwarf.units.items[0];
}

static const char *name_of(const struct tree *t, uint32_t node)
{
    static struct tree_name name;
    tree_name(unit, t->nodes.items[node].entry, &name);
    return name.name ? name.name : "";
}

static const char *at(struct tree *t, uint64_t addr)
{
    struct tree_interval in;
    tree_find(t, addr, &in);
    CHECK(in.lo <= addr && addr < in.hi);
    if (in.function == UINT32_MAX)
        return "";
    struct tree_function *f = &t->functions.items[in.function];
    REQUIRE(tree_flatten(t, f) == 0);
    for (uint32_t i = 0; i < f->slot_count; i++) {
        const struct tree_slot *s = &t->slots.items[f->first_slot + i];
        if (s->lo <= addr && addr < s->hi)
            return name_of(t, s->node);
    }
    return "";
}

TEST(the_innermost_inlined_call_is_found)
{
    static const uint64_t asked[] = {0x1000, 0x2000};
    struct tree t;
    make();
    CHECK_EQ(tree_scan(&t, unit, (struct asked){asked, 2}, false), 0);
    CHECK(!t.damaged);
    CHECK_STR(at(&t, 0xfff), "");
    CHECK_STR(at(&t, 0x1000), "outer");
    CHECK_STR(at(&t, 0x1010), "a");
    CHECK_STR(at(&t, 0x1020), "b");
    CHECK_STR(at(&t, 0x1030), "a");
    CHECK_STR(at(&t, 0x1040), "outer");
    CHECK_STR(at(&t, 0x1100), "");
    CHECK_STR(at(&t, 0x200f), "other");
    tree_done(&t);
    dw_done(&dwarf);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(functions_nobody_asks_for_are_known_but_not_read)
{
    static const uint64_t asked[] = {0x2005};
    struct tree t;
    make();
    CHECK_EQ(tree_scan(&t, unit, (struct asked){asked, 1}, false), 0);
    CHECK_EQ(t.functions.count, 2);
    CHECK(!t.functions.items[0].asked);
    CHECK(t.functions.items[1].asked);
    CHECK_EQ(t.nodes.count, 1);
    tree_done(&t);
    dw_done(&dwarf);
}

TEST(names_are_followed_to_where_they_stand)
{
    static const uint64_t asked[] = {0x1020};
    struct tree_name name;
    struct tree t;
    make();
    REQUIRE(tree_scan(&t, unit, (struct asked){asked, 1}, false) == 0);
    REQUIRE(t.nodes.count == 3);
    tree_name(unit, t.nodes.items[1].entry, &name);
    CHECK_STR(name.name, "a");
    CHECK_STR(name.linkage, "_Z1av");
    CHECK_EQ(name.line, 3);
    CHECK_EQ(t.nodes.items[1].call_line, 11);
    CHECK_EQ(t.nodes.items[2].parent, 1);
    tree_done(&t);
    dw_done(&dwarf);
}

TEST(a_unit_cut_anywhere_is_read_as_far_as_it_goes)
{
    static const uint64_t asked[] = {0x1000, 0x1020, 0x2000};
    make();
    size_t whole = size;
    dw_done(&dwarf);
    for (size_t n = 12; n < whole; n++) {
        struct tree t;
        uint32_t length = (uint32_t)n - 4;
        make();
        dw_done(&dwarf);
        memcpy(info, &length, 4);
        dwarf = (struct dw){.info = {info, n}, .abbrev = {abbrevs, sizeof abbrevs}};
        REQUIRE(dw_index(&dwarf) == 0 && dwarf.units.count == 1);
        unit = &dwarf.units.items[0];
        CHECK_EQ(tree_scan(&t, unit, (struct asked){asked, 3}, true), 0);
        at(&t, 0x1020);
        tree_done(&t);
        dw_done(&dwarf);
    }
}

TEST(scanning_survives_any_failed_allocation)
{
    static const uint64_t asked[] = {0x1020};
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc != 0 && n < 100; n++) {
        struct tree t = {0};
        make();
        if (!dw_unit_open(unit))
            break;
        mem_fail_after(n);
        rc = tree_scan(&t, unit, (struct asked){asked, 1}, false);
        mem_fail_after(0);
        tree_done(&t);
        dw_done(&dwarf);
        CHECK_EQ(mem_live_blocks(), 0);
    }
    CHECK_EQ(rc, 0);
}

TEST_MAIN()
