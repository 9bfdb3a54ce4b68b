/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Field values of a record: every type, truncation, and records that end
 * earlier than their site says.
 */
#include "model/batch.h"

#include "records.h"
#include "test.h"

struct world {
    struct records w;
    struct model_batch b;
    struct records_stream s;
};

static void open_world(struct world *x)
{
    records_init(&x->w);
    model_batch_init(&x->b, &x->w.catalog);
    x->s = records_thread(&x->w, 1);
}

static void close_world(struct world *x)
{
    model_batch_done(&x->b);
    records_done(&x->w);
}

TEST(every_type_is_read_back)
{
    struct world x;
    struct model_values it;
    struct model_value v;
    open_world(&x);
    const struct model_site *site =
        records_site(&x.w, ORIEL_SITE_SPAN, "all", "b:b,i:i,u:u,f:f,!s:s,y:y,p:p");
    rec_begin(&x.b, &x.s, 1, site, 1, (int64_t)-5, UINT64_MAX, 2.5, "hello", "raw", &x);
    model_values_begin(&it, &x.b.records[0]);
    CHECK(model_values_next(&it, &v) && v.type == ORIEL_TYPE_BOOL && v.v.b);
    CHECK(model_values_next(&it, &v) && v.v.i64 == -5);
    CHECK(model_values_next(&it, &v) && v.v.u64 == UINT64_MAX);
    CHECK(model_values_next(&it, &v) && v.v.f64 == 2.5);
    CHECK(model_values_next(&it, &v) && v.v.str.n == 5 && v.flags == ORIEL_FIELD_SECRET);
    CHECK_MEM(v.v.str.p, v.v.str.n, "hello", 5);
    CHECK_MEM(v.key.p, v.key.n, "s", 1);
    CHECK(model_values_next(&it, &v) && v.type == ORIEL_TYPE_BYTES && v.full_bytes == 3);
    CHECK(model_values_next(&it, &v) && v.type == ORIEL_TYPE_PTR);
    CHECK_EQ(v.v.u64, (uintptr_t)&x);
    CHECK(!model_values_next(&it, &v));
    CHECK(!model_values_next(&it, &v));
    close_world(&x);
}

TEST(a_truncated_text_says_how_long_it_was)
{
    static char text[6000];
    struct world x;
    struct model_values it;
    struct model_value v;
    open_world(&x);
    memset(text, 'x', sizeof text - 1);
    rec_event(&x.b, &x.s, 1, records_site(&x.w, ORIEL_SITE_EVENT, "e", "s:s"), text);
    model_values_begin(&it, &x.b.records[0]);
    REQUIRE(model_values_next(&it, &v));
    CHECK_EQ(v.v.str.n, ORIEL_STRING_MAX_BYTES);
    CHECK_EQ(v.full_bytes, sizeof text - 1);
    CHECK(v.flags & MODEL_VALUE_TRUNCATED);
    close_world(&x);
}

TEST(fields_start_behind_what_each_type_carries)
{
    struct world x;
    open_world(&x);
    const struct model_site *n = records_site(&x.w, ORIEL_SITE_SPAN, "n", "n:i");
    rec_begin(&x.b, &x.s, 1, n, (int64_t)1);
    rec_open(&x.b, &x.s, 1, n, 99, (int64_t)2);
    rec_set(&x.b, &x.s, 1, 98, n, (int64_t)3);
    rec_event_on(&x.b, &x.s, 1, 97, n, (int64_t)4);
    rec_span(&x.b, &x.s, 1, n, 5, 6, 96, (int64_t)5);
    rec_plot(&x.b, &x.s, 1, n, (int64_t)6);
    rec_event(&x.b, &x.s, 1, n, (int64_t)7);
    for (size_t i = 0; i < x.b.record_count; i++) {
        struct model_values it;
        struct model_value v;
        model_values_begin(&it, &x.b.records[i]);
        REQUIRE(model_values_next(&it, &v));
        CHECK_EQ(v.v.i64, i + 1);
    }
    close_world(&x);
}

TEST(types_without_fields_have_none)
{
    struct world x;
    struct model_values it;
    struct model_value v;
    open_world(&x);
    rec_end(&x.b, &x.s, 1, 8);
    rec_status(&x.b, &x.s, 1, 8, ORIEL_STATUS_ERROR, "text");
    x.b.records[1].site = records_site(&x.w, ORIEL_SITE_SPAN, "n", "n:i"); /* not its business */
    for (size_t i = 0; i < 2; i++) {
        model_values_begin(&it, &x.b.records[i]);
        CHECK(!model_values_next(&it, &v));
    }
    close_world(&x);
}

TEST(a_record_that_ends_early_gives_what_it_has_and_no_more)
{
    struct world x;
    open_world(&x);
    const struct model_site *site = records_site(&x.w, ORIEL_SITE_SPAN, "n", "a:i,s:s,b:i");
    rec_begin(&x.b, &x.s, 1, site, (int64_t)1, "twelve bytes", (int64_t)2);
    uint16_t whole = x.b.records[0].words;
    static const unsigned expected[] = {0, 0, 0, 1, 1, 1, 2, 3};
    for (uint16_t words = 0; words <= whole; words++) {
        struct model_values it;
        struct model_value v;
        unsigned n = 0;
        x.b.records[0].words = words;
        model_values_begin(&it, &x.b.records[0]);
        while (model_values_next(&it, &v))
            n++;
        CHECK_EQ(n, expected[words]);
    }
    CHECK_EQ(whole, 7);
    close_world(&x);
}

TEST_MAIN()
