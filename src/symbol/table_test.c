/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/table.h"

#include "base/err.h"
#include "base/mem.h"
#include "test.h"
#include "util/crc32c.h"

static uint32_t add_node(struct table_maker *m, uint32_t parent, const char *name)
{
    struct table_node *node = VEC_PUSH(&m->nodes);
    REQUIRE(node);
    node->parent = parent;
    node->name = intern_add(&m->strings, name, strlen(name));
    return (uint32_t)m->nodes.count - 1;
}

/* outer [100, 200) with an inlined call in [120, 140), outer2 [300, 310). */
static void make(struct buf *out)
{
    static const uint8_t id[] = {1, 2, 3, 4};
    struct table_maker m;
    CHECK_EQ(table_maker_init(&m), 0);
    uint32_t outer = add_node(&m, TABLE_NONE, "outer");
    uint32_t inner = add_node(&m, outer, "inner");
    uint32_t other = add_node(&m, TABLE_NONE, "outer2");
    uint32_t file = intern_add(&m.strings, "/a.c", 4);
    struct table_segment s = {.node = outer, .file = file, .line = 5};
    CHECK_EQ(table_maker_add(&m, 300, 310, &(struct table_segment){.node = other}), 0);
    CHECK_EQ(table_maker_add(&m, 100, 120, &s), 0);
    CHECK_EQ(table_maker_add(&m, 120, 140, &(struct table_segment){.node = inner, .line = 9}), 0);
    CHECK_EQ(table_maker_add(&m, 140, 160, &s), 0);
    CHECK_EQ(table_maker_add(&m, 160, 200, &s), 0); /* says the same: one segment */
    buf_init(out);
    CHECK_EQ(table_maker_finish(&m, TABLE_HAS_DWARF, (struct bytes){id, 4}, out), 0);
    table_maker_done(&m);
}

static const char *name_at(const struct table *t, uint64_t addr)
{
    size_t at = table_find(t, addr, 0);
    if (at == SIZE_MAX || t->node[at] == TABLE_NONE)
        return "";
    return t->strings + t->nodes[t->node[at]].name;
}

TEST(what_was_added_is_found_and_nothing_else)
{
    struct buf image;
    struct table t;
    make(&image);
    CHECK_EQ(table_open(&t, image.data, image.size), 0);
    CHECK_EQ(t.segments, 4);
    CHECK_STR(name_at(&t, 99), "");
    CHECK_STR(name_at(&t, 100), "outer");
    CHECK_STR(name_at(&t, 119), "outer");
    CHECK_STR(name_at(&t, 120), "inner");
    CHECK_STR(name_at(&t, 199), "outer");
    CHECK_STR(name_at(&t, 200), "");
    CHECK_STR(name_at(&t, 305), "outer2");
    CHECK_STR(name_at(&t, UINT64_MAX), "");
    CHECK_STR(t.strings + t.file[table_find(&t, 100, 0)], "/a.c");
    CHECK_EQ(t.header->build_id_bytes, 4);
    buf_done(&image);
}

TEST(a_hint_changes_the_speed_not_the_answer)
{
    struct buf image;
    struct table t;
    make(&image);
    REQUIRE(table_open(&t, image.data, image.size) == 0);
    for (uint64_t addr = 90; addr < 320; addr++)
        for (size_t hint = 0; hint < 6; hint++)
            CHECK_EQ(table_find(&t, addr, hint), table_find(&t, addr, SIZE_MAX));
    buf_done(&image);
}

TEST(any_flipped_byte_is_noticed)
{
    struct buf image;
    struct table t;
    make(&image);
    for (size_t i = 0; i < image.size; i++) {
        image.data[i] ^= 0x41;
        CHECK(table_open(&t, image.data, image.size) != 0);
        image.data[i] ^= 0x41;
    }
    for (size_t n = 0; n < image.size; n++)
        CHECK(table_open(&t, image.data, n) != 0);
    CHECK_EQ(table_open(&t, image.data, image.size), 0);
    buf_done(&image);
}

/* With a checksum that is right again, as a hostile writer would have it. */
static int open_forged(struct buf *image, size_t at, uint32_t value)
{
    struct table t;
    struct table_header h;
    memcpy(image->data + at, &value, sizeof value);
    memcpy(&h, image->data, sizeof h);
    h.crc = crc32c(0, image->data + 16, image->size - 16);
    memcpy(image->data, &h, sizeof h);
    return table_open(&t, image->data, image->size);
}

TEST(forged_numbers_with_a_good_checksum_are_refused)
{
    static const uint32_t values[] = {0x7fffffff, 0xfffffffe, 4000, 1 << 20};
    struct buf image;
    struct table t;
    make(&image);
    REQUIRE(table_open(&t, image.data, image.size) == 0);
    size_t nodes = (size_t)((const char *)t.nodes - image.data);
    size_t node = (size_t)((const char *)t.node - image.data);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(open_forged(&image, nodes, values[i]), ORIEL_EDAMAGED);
        buf_done(&image);
        make(&image);
        CHECK_EQ(open_forged(&image, node, values[i]), ORIEL_EDAMAGED);
        buf_done(&image);
        make(&image);
        CHECK_EQ(open_forged(&image, 24, values[i]), ORIEL_EDAMAGED); /* segments */
        buf_done(&image);
        make(&image);
    }
    /* A node that is its own parent would be a loop. */
    CHECK_EQ(open_forged(&image, nodes, 0), ORIEL_EDAMAGED);
    buf_done(&image);
}

TEST(another_version_is_told_apart_from_damage)
{
    struct buf image;
    make(&image);
    CHECK_EQ(open_forged(&image, 8, TABLE_VERSION + 1), ORIEL_EVERSION);
    buf_done(&image);
}

TEST_MAIN()
