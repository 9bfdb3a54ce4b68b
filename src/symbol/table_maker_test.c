/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/mem.h"
#include "symbol/table.h"
#include "random.h"
#include "test.h"

static const struct bytes no_id = {NULL, 0};

static void finish(struct table_maker *m, struct buf *image, struct table *t)
{
    buf_init(image);
    REQUIRE(table_maker_finish(m, 0, no_id, image) == 0);
    REQUIRE(table_open(t, image->data, image->size) == 0);
    table_maker_done(m);
}

TEST(overlapping_segments_come_out_disjoint)
{
    struct table_maker m;
    struct table t;
    struct buf image;
    REQUIRE(table_maker_init(&m) == 0);
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 500; i++) {
        const uint64_t x = random_next(&seed);
        uint64_t lo = x >> 52;
        struct table_segment s = {.node = TABLE_NONE, .line = i};
        CHECK_EQ(table_maker_add(&m, lo, lo + 1 + (x >> 40) % 100, &s), 0);
    }
    finish(&m, &image, &t); /* table_open would refuse an overlap */
    CHECK(t.segments > 10);
    buf_done(&image);
}

TEST(an_empty_table_is_a_table)
{
    struct table_maker m;
    struct table t;
    struct buf image;
    REQUIRE(table_maker_init(&m) == 0);
    finish(&m, &image, &t);
    CHECK_EQ(t.segments, 0);
    CHECK(table_find(&t, 5, 0) == SIZE_MAX);
    buf_done(&image);
}

TEST(segments_longer_than_a_number_are_cut_not_lost)
{
    struct table_maker m;
    struct table t;
    struct buf image;
    struct table_segment s = {.node = TABLE_NONE, .line = 3};
    REQUIRE(table_maker_init(&m) == 0);
    CHECK_EQ(table_maker_add(&m, 16, UINT64_C(5) << 31, &s), 0);
    finish(&m, &image, &t);
    CHECK(table_find(&t, 16, 0) != SIZE_MAX);
    CHECK(table_find(&t, (UINT64_C(5) << 31) - 1, 0) != SIZE_MAX);
    CHECK(table_find(&t, UINT64_C(5) << 31, 0) == SIZE_MAX);
    buf_done(&image);
}

TEST(two_tables_become_one_that_knows_both)
{
    struct table_maker a, b;
    struct table ta, tb;
    struct buf ia, ib;
    REQUIRE(table_maker_init(&a) == 0 && table_maker_init(&b) == 0);
    struct table_node *node = VEC_PUSH(&a.nodes);
    REQUIRE(node);
    *node = (struct table_node){.parent = TABLE_NONE, .name = intern_add(&a.strings, "first", 5)};
    struct table_segment s = {.node = 0, .file = intern_add(&a.strings, "/x", 2), .line = 1};
    CHECK_EQ(table_maker_add(&a, 10, 20, &s), 0);
    finish(&a, &ia, &ta);
    node = VEC_PUSH(&b.nodes);
    REQUIRE(node);
    *node = (struct table_node){.parent = TABLE_NONE, .name = intern_add(&b.strings, "second", 6)};
    CHECK_EQ(table_maker_add(&b, 20, 30, &(struct table_segment){.node = 0, .line = 2}), 0);
    CHECK_EQ(table_maker_add_table(&b, &ta), 0);
    finish(&b, &ib, &tb);
    size_t first = table_find(&tb, 15, 0), second = table_find(&tb, 25, 0);
    REQUIRE(first != SIZE_MAX && second != SIZE_MAX);
    CHECK_STR(tb.strings + tb.nodes[tb.node[first]].name, "first");
    CHECK_STR(tb.strings + tb.file[first], "/x");
    CHECK_STR(tb.strings + tb.nodes[tb.node[second]].name, "second");
    buf_done(&ia);
    buf_done(&ib);
}

TEST(making_a_table_survives_any_failed_allocation)
{
    int rc = -1;
    for (uint64_t n = 1; rc != 0 && n < 200; n++) {
        struct table_maker m;
        struct buf image;
        mem_fail_after(n);
        buf_init(&image);
        rc = table_maker_init(&m);
        if (rc == 0)
            rc = table_maker_add(&m, 1, 2, &(struct table_segment){.node = TABLE_NONE});
        if (rc == 0)
            rc = table_maker_finish(&m, 0, no_id, &image);
        mem_fail_after(0);
        table_maker_done(&m);
        buf_done(&image);
    }
    CHECK_EQ(rc, 0);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
