/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/dw.h"
#include "symbol/dw_forms.h"
#include "test.h"

static struct dw dwarf;
static struct dw_unit unit;

static const struct dw_abbrevs *parse(const uint8_t *bytes, size_t n)
{
    dwarf = (struct dw){.abbrev = {bytes, n}};
    unit = (struct dw_unit){.dw = &dwarf, .version = 5, .addr_size = 8, .offset_size = 4};
    unit.abbrevs = dw_abbrevs_get(&unit);
    return unit.abbrevs;
}

/* Every form that has a size of its own, some that have not, and a sibling. */
static const uint8_t table[] = {1,    0x34, 0, /* a variable */
                                0x03, 0x08,    /* string */
                                0x3a, 0x0b,    /* data1 */
                                0x01, 0x13,    /* sibling, ref4 */
                                0x3b, 0x05,    /* data2 */
                                0x02, 0x18,    /* exprloc */
                                0x49, 0x0f,    /* udata */
                                0x1c, 0x0a,    /* block1 */
                                0x58, 0x21, 5, /* implicit_const */
                                0x3c, 0x19,    /* flag_present */
                                0x10, 0x1e,    /* data16 */
                                0x11, 0x16,    /* indirect */
                                0,    0,    0};
static const uint8_t entry[] = {'x', 0, 1, 9, 0, 0, 0, 2, 2, 3, 7, 7, 7, 0x81, 0x01, 1,    8, 0,
                                0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0x0b, 42};

TEST(passing_over_an_entry_ends_where_reading_it_does)
{
    const struct dw_abbrevs *t = parse(table, sizeof table);
    REQUIRE(t && t->list.count == 1);
    dwarf.info = (struct bytes){entry, sizeof entry};
    unit.end = sizeof entry;
    const struct dw_abbrev *a = dw_abbrev_find(t, 1);
    REQUIRE(a);
    struct reader skip = rd_at(dwarf.info, 0), sibling = skip, read = skip;
    dw_skip(&unit, a, &skip);
    CHECK_EQ(dw_skip_sibling(&unit, a, &sibling), 0); /* 9: not ahead */
    struct dw_value value = {0};
    for (uint32_t i = 0; i < a->attr_count; i++)
        dw_value_read(&unit, &read, &t->attrs.items[a->attr + i], &value);
    CHECK(!skip.bad && !read.bad && !sibling.bad);
    CHECK(skip.p == read.p && sibling.p == read.p);
    CHECK_EQ(value.raw, 42);
    CHECK_EQ(value.form, DW_FORM_data1);
    dw_done(&dwarf);
}

TEST(an_entry_cut_anywhere_is_bad_either_way)
{
    const struct dw_abbrevs *t = parse(table, sizeof table);
    REQUIRE(t);
    const struct dw_abbrev *a = dw_abbrev_find(t, 1);
    for (size_t n = 0; n + 1 < sizeof entry; n++) {
        struct reader r = rd_at((struct bytes){entry, n}, 0);
        dw_skip(&unit, a, &r);
        CHECK(r.bad);
    }
    dw_done(&dwarf);
}

TEST(codes_in_any_order_are_found)
{
    static const uint8_t sparse[] = {7, 0x34, 0,    0,    0, 3, 0x2e, 1, 0,
                                     0, 0x80, 0x10, 0x11, 1, 0, 0,    0};
    const struct dw_abbrevs *t = parse(sparse, sizeof sparse);
    REQUIRE(t && t->list.count == 3);
    CHECK(!t->dense);
    REQUIRE(dw_abbrev_find(t, 3) && dw_abbrev_find(t, 7) && dw_abbrev_find(t, 0x800));
    CHECK_EQ(dw_abbrev_find(t, 3)->tag, DW_TAG_subprogram);
    CHECK_EQ(dw_abbrev_find(t, 0x800)->tag, DW_TAG_compile_unit);
    CHECK(dw_abbrev_find(t, 1) == NULL);
    CHECK(dw_abbrev_find(t, 0) == NULL);
    dw_done(&dwarf);
}

TEST(an_unknown_form_ends_the_table_there)
{
    static const uint8_t strange[] = {1, 0x34, 0, 3, 8, 0, 0, 2, 0x34, 0, 3, 0x7e, 0, 0, 0};
    const struct dw_abbrevs *t = parse(strange, sizeof strange);
    REQUIRE(t);
    CHECK_EQ(t->list.count, 1);
    CHECK(dw_abbrev_find(t, 1) != NULL);
    CHECK(dw_abbrev_find(t, 2) == NULL);
    dw_done(&dwarf);
}

TEST(one_table_is_read_once_for_all_units)
{
    const struct dw_abbrevs *t = parse(table, sizeof table);
    struct dw_unit other = unit;
    CHECK(dw_abbrevs_get(&other) == t);
    other.offset_size = 8; /* forms have other sizes */
    CHECK(dw_abbrevs_get(&other) != t);
    dw_done(&dwarf);
}

TEST_MAIN()
