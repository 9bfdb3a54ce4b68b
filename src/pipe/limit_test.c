/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OpenTelemetry's limits: count, length in characters, unique keys.
 */
#include "pipe/limit.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static struct records_stream a;

static void open_pipe(uint32_t count, uint32_t length)
{
    struct pipe_options options = {
        .size = sizeof options, .attribute_count_limit = count, .attribute_length_limit = length};
    piped_init(&c, &options);
    a = records_thread(&c.w, 1);
}

TEST(attributes_beyond_the_count_are_dropped_and_counted)
{
    open_pipe(2, 0);
    const struct model_site *s = records_site(&c.w, ORIEL_SITE_SPAN, "s", "a:i,b:i,c:i,d:i");
    uint64_t id = rec_begin(&c.in, &a, 1, s, INT64_C(1), INT64_C(2), INT64_C(3), INT64_C(4));
    rec_event(&c.in, &a, 2, s, INT64_C(1), INT64_C(2), INT64_C(3), INT64_C(4));
    rec_end(&c.in, &a, 3, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *out = piped_span(&c, "s");
    CHECK(out->attr_count == 2 && out->dropped_attrs == 2);
    CHECK_STR(piped_attr(out->attrs, 2, "b"), "2"); /* the first ones stay */
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK(e->attr_count == 2 && e->dropped_attrs == 2);
    CHECK_EQ(piped_counts(&c).dropped_attrs, 4);
    piped_done(&c);
}

TEST(the_message_is_made_of_all_values_whatever_the_limits)
{
    open_pipe(1, 2);
    rec_event(&c.in, &a, 1, records_format(&c.w, "%s %s", ":s,:s"), "first", "second");
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_STR(piped_text(e->message), "first second");
    CHECK_EQ(e->attr_count, 1);
    CHECK_STR(piped_attr(e->attrs, 1, "arg0"), "fi");
    piped_done(&c);
}

TEST(length_counts_characters_not_bytes)
{
    static const struct {
        const char *text, *cut;
    } rows[] = {
        {"abc", "abc"},
        {"abcd", "abc"},
        {"\u00e9\u00e9\u00e9\u00e9", "\u00e9\u00e9\u00e9"},
        {"\u20ac\u20ac\u20ac", "\u20ac\u20ac\u20ac"},
        {"a\U0001f600b\u20acd", "a\U0001f600b"},
        {"\xff\xfe\xfd\xfc", "\xff\xfe\xfd"}, /* no UTF-8: by the byte */
        {"ab\xc3", "ab\xc3"},
        {"a\xe2\x82xyz", "a\xe2\x82"},
    };
    open_pipe(0, 3);
    const struct model_site *s = records_site(&c.w, ORIEL_SITE_EVENT, "e", "t:s");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rec_event(&c.in, &a, 1 + i, s, rows[i].text);
    CHECK_EQ(piped_last(&c), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, i)->u.event;
        CHECK_STR(piped_attr(e->attrs, 1, "t"), rows[i].cut);
        CHECK_EQ((e->attrs[0].flags & MODEL_VALUE_TRUNCATED) != 0,
                 strlen(rows[i].text) != strlen(rows[i].cut));
        CHECK_EQ(e->attrs[0].full_bytes, strlen(rows[i].text));
    }
    piped_done(&c);
}

TEST(bytes_are_cut_by_the_byte_and_numbers_are_not)
{
    open_pipe(0, 3);
    const struct model_site *s = records_site(&c.w, ORIEL_SITE_EVENT, "e", "y:y,n:i");
    rec_event(&c.in, &a, 1, s, "\u00e9\u00e9\u00e9", INT64_C(1234567));
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_EQ(e->attrs[0].v.str.n, 3);
    CHECK_STR(piped_attr(e->attrs, 2, "n"), "1234567");
    piped_done(&c);
}

TEST(a_key_said_twice_holds_its_later_value)
{
    open_pipe(0, 0);
    const struct model_site *s = records_site(&c.w, ORIEL_SITE_SPAN, "s", "k:i,x:i,k:s,x:i");
    for (uint64_t t = 1; t < 7; t += 2) { /* the site is looked at once, used often */
        uint64_t id = rec_begin(&c.in, &a, t, s, INT64_C(1), INT64_C(2), "later", INT64_C(4));
        rec_end(&c.in, &a, t + 1, id);
    }
    CHECK_EQ(piped_last(&c), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct model_span *out = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        CHECK_EQ(out->attr_count, 2);
        CHECK_STR(piped_attr(out->attrs, 2, "k"), "later");
        CHECK_STR(piped_attr(out->attrs, 2, "x"), "4");
        CHECK_EQ(out->dropped_attrs, 0);
    }
    piped_done(&c);
}

TEST(without_memory_to_remember_sites_repeats_are_still_found)
{
    struct pipe_options options = {.size = sizeof options, .attribute_count_limit = 128};
    struct limit l;
    struct model_field_def fields[2] = {{MODEL_STR("k"), ORIEL_TYPE_I64, 0},
                                        {MODEL_STR("k"), ORIEL_TYPE_I64, 0}};
    struct model_site site = {.fields = fields, .field_count = 2};
    struct model_value values[2] = {{.key = MODEL_STR("k"), .type = ORIEL_TYPE_I64, .v.i64 = 1},
                                    {.key = MODEL_STR("k"), .type = ORIEL_TYPE_I64, .v.i64 = 2}};
    struct model_item item = {.kind = MODEL_ITEM_EVENT};
    item.u.event.site = &site;
    item.u.event.attrs = values;
    item.u.event.attr_count = 2;
    limit_init(&l, &options);
    mem_fail_after(1);
    CHECK_EQ(limit_item(&l, &item), 0);
    mem_fail_after(0);
    CHECK_EQ(item.u.event.attr_count, 1);
    CHECK_EQ(values[0].v.i64, 2);
    limit_done(&l);
}

TEST_MAIN()
