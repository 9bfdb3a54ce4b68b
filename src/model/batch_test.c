/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Batches grow, are cleared without giving memory back, and fail cleanly.
 */
#include "model/batch.h"

#include "test.h"

TEST(records_and_items_are_zeroed_and_kept_in_order)
{
    struct model_catalog c;
    struct model_batch b;
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    for (uint32_t i = 0; i < 1000; i++) {
        struct model_record *r = model_batch_add_record(&b);
        struct model_item *it = model_batch_add_item(&b);
        REQUIRE(r && it);
        CHECK(r->t_ns == 0 && it->t_ns == 0);
        r->t_ns = it->t_ns = i;
    }
    CHECK_EQ(b.record_count, 1000);
    CHECK_EQ(b.records[999].t_ns, 999);
    CHECK_EQ(b.items[500].t_ns, 500);
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST(a_cleared_batch_reuses_its_memory)
{
    struct model_catalog c;
    struct model_batch b;
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++)
            REQUIRE(model_batch_add_record(&b) && arena_alloc(&b.arena, 64, 8));
        size_t blocks = mem_live_blocks();
        b.last = true;
        b.watermark_ns = 5;
        model_batch_clear(&b);
        CHECK_EQ(mem_live_blocks(), blocks);
        CHECK(b.record_count == 0 && !b.last && b.watermark_ns == 0);
        CHECK(b.record_capacity >= 300);
    }
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST(reserving_more_than_memory_holds_is_refused)
{
    struct model_catalog c;
    struct model_batch b;
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    CHECK(!model_batch_reserve_records(&b, SIZE_MAX));
    CHECK(!model_batch_reserve_items(&b, SIZE_MAX / sizeof(struct model_item)));
    mem_fail_after(1);
    CHECK(!model_batch_add_item(&b));
    CHECK_EQ(b.item_count, 0);
    CHECK(model_batch_reserve_records(&b, 10));
    CHECK(b.record_capacity >= 10);
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST(whose_word_a_record_is_stands_in_its_type_its_stream_and_its_site)
{
    const struct model_site said = {.flags = ORIEL_SITE_NAMED},
                            system = {.flags = ORIEL_SITE_SYSTEM},
                            hook = {.flags = ORIEL_SITE_NAMED | ORIEL_SITE_SEEN};
    struct model_record r = {.type = ORIEL_REC_EVENT, .site = &said};
    CHECK_EQ(model_record_origin(&r), MODEL_SAID);
    r.site = &system;
    CHECK_EQ(model_record_origin(&r), MODEL_SEEN);
    r.site = &hook;
    CHECK_EQ(model_record_origin(&r), MODEL_SEEN);
    r = (struct model_record){.type = ORIEL_REC_EVENT, .site = &said, .stream = MODEL_SERIAL_SEEN};
    CHECK_EQ(model_record_origin(&r), MODEL_SEEN);
    r = (struct model_record){.type = ORIEL_REC_HEAP};
    CHECK_EQ(model_record_origin(&r), MODEL_SEEN);
    r.type = ORIEL_REC_SYNC;
    CHECK_EQ(model_record_origin(&r), MODEL_NOTE);
    r.type = ORIEL_REC_END;
    CHECK_EQ(model_record_origin(&r), MODEL_SAID);
}

TEST_MAIN()
