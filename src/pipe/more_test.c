/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts longer than a record: joined where their record comes, never with a hole,
 * within bounds, and without the secrets that lie across their parts.
 */
#include "pipe/more.h"

#include "piped.h"
#include "pipe/redact.h"
#include "test.h"

enum { HEAD = ORIEL_STRING_MAX_BYTES, LONG = 10000 };

static struct piped c;
static struct records_stream a;
static char text[LONG + 1];

static void open_pipe(void)
{
    piped_init(&c, NULL);
    a = records_thread(&c.w, 1);
    for (int i = 0; i < LONG; i++)
        text[i] = (char)('a' + i % 23);
    text[LONG] = 0;
}

/* All that a record of the text leaves out. */
static void say_more(uint32_t value)
{
    for (uint32_t at = HEAD; at < LONG; at += HEAD)
        rec_more(&c.in, &a, 1, value, at, text + at);
}

static const struct model_value *only(const struct model_value *attrs, uint32_t n)
{
    REQUIRE(n == 1);
    return attrs;
}

static bool is_whole(const struct model_value *v)
{
    return v->v.str.n == LONG && memcmp(v->v.str.p, text, LONG) == 0 &&
           !(v->flags & MODEL_VALUE_TRUNCATED);
}

TEST(a_long_text_of_an_event_is_whole)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_EVENT, "e", "n:i,t:s");
    say_more(1);
    rec_event(&c.in, &a, 2, site, (int64_t)5, text);
    rec_event(&c.in, &a, 3, site, (int64_t)6, text); /* of this one nothing more was said */
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    REQUIRE(e->attr_count == 2);
    CHECK(is_whole(&e->attrs[1]));
    CHECK_EQ(e->attrs[0].v.i64, 5);
    e = &piped_item(&c, MODEL_ITEM_EVENT, 1)->u.event;
    CHECK_EQ(e->attrs[1].v.str.n, HEAD);
    CHECK(e->attrs[1].flags & MODEL_VALUE_TRUNCATED);
    piped_done(&c);
}

TEST(a_long_text_set_and_a_long_status_are_whole)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "");
    const struct model_site *set = records_site(&c.w, ORIEL_SITE_SET, "", "t:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site);
    say_more(0);
    rec_set(&c.in, &a, 1, id, set, text);
    rec_more(&c.in, &a, 1, 0, 5, "sixth");
    rec_status(&c.in, &a, 1, id, ORIEL_STATUS_ERROR, "first");
    uint64_t *lengths = (uint64_t *)&c.in.records[c.in.record_count - 1].raw[4];
    *lengths = 5 | UINT64_C(10) << 32;
    CHECK_EQ(piped_push(&c, 1), 0); /* and they outlive the batch they came in */
    rec_end(&c.in, &a, 4, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "s");
    CHECK(is_whole(only(s->attrs, s->attr_count)));
    CHECK_STR(piped_text(s->status_message), "firstsixth");
    piped_done(&c);
}

TEST(a_part_that_is_missing_leaves_the_text_cut_before_it)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_EVENT, "e", "t:s");
    rec_more(&c.in, &a, 1, 0, HEAD + 8, text + HEAD + 8); /* not where the record's part ends */
    rec_event(&c.in, &a, 1, site, text);
    text[HEAD + 100] = 0;
    rec_more(&c.in, &a, 1, 0, HEAD, text + HEAD);
    text[HEAD + 100] = 'x';
    rec_more(&c.in, &a, 1, 0, HEAD + 200, text + HEAD + 200); /* a hole */
    rec_more(&c.in, &a, 1, 0, HEAD + 100, text + HEAD + 100); /* too late */
    rec_event(&c.in, &a, 1, site, text);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_EQ(only(e->attrs, e->attr_count)->v.str.n, HEAD);
    e = &piped_item(&c, MODEL_ITEM_EVENT, 1)->u.event;
    CHECK_EQ(only(e->attrs, e->attr_count)->v.str.n, HEAD + 100);
    CHECK(e->attrs->flags & MODEL_VALUE_TRUNCATED);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 2);
    piped_done(&c);
}

TEST(parts_that_nobody_asks_for_are_bounded_and_forgotten)
{
    open_pipe();
    const uint64_t most = MORE_BYTES_MAX / HEAD;
    for (uint64_t i = 0; i < most + 50; i++) {
        rec_more(&c.in, &a, 1, 0, (uint32_t)(HEAD * (i + 1)), text);
        if (c.in.record_count == 512)
            CHECK_EQ(piped_push(&c, 1), 0);
    }
    rec_event(&c.in, &a, 1, records_site(&c.w, ORIEL_SITE_EVENT, "e", "n:i"), (int64_t)1);
    say_more(0);
    rec_event(&c.in, &a, 1, records_site(&c.w, ORIEL_SITE_EVENT, "f", "t:s"), text);
    say_more(0); /* to the end of the recording */
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 50);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 1)->u.event;
    CHECK(is_whole(only(e->attrs, e->attr_count)));
    piped_done(&c);
}

TEST(spans_that_never_end_hold_so_many_long_texts_and_no_more)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "");
    const struct model_site *set = records_site(&c.w, ORIEL_SITE_SET, "", "t:s");
    uint32_t n = (64u << 20) / LONG, whole = 0;
    for (uint32_t i = 0; i < n + 20; i++) {
        uint64_t id = rec_open(&c.in, &a, 1, site, 0);
        say_more(0);
        rec_set(&c.in, &a, 1, id, set, text);
        if (i % 256 == 255)
            CHECK_EQ(piped_push(&c, 1), 0);
    }
    CHECK_EQ(piped_last(&c), 0);
    for (uint32_t i = 0; i < n + 20; i++) {
        const struct model_span *s = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        const struct model_value *v = only(s->attrs, s->attr_count);
        CHECK(is_whole(v) || v->v.str.n == HEAD);
        whole += is_whole(v);
    }
    CHECK_EQ(whole, n);
    piped_done(&c);
}

TEST(a_secret_across_two_parts_is_covered_in_records)
{
    static const char secret[] = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    open_pipe();
    memset(text, ' ', LONG);
    memcpy(text + HEAD - 10, secret, sizeof secret - 1);
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_EVENT, "e", "t:s");
    say_more(0);
    rec_event(&c.in, &a, 1, site, text);
    CHECK(redact_records(&c.in) >= 1);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    const struct model_value *v = only(e->attrs, e->attr_count);
    CHECK_EQ(v->v.str.n, LONG);
    CHECK(!memmem(v->v.str.p, v->v.str.n, "ghp_", 4));
    CHECK(!memmem(v->v.str.p, v->v.str.n, "wxyz", 4));
    CHECK(memmem(v->v.str.p, v->v.str.n, "**", 2));
    piped_done(&c);
}

TEST(what_goes_on_with_a_secret_is_one_too)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_EVENT, "e", "!t:s");
    say_more(0);
    rec_event(&c.in, &a, 1, site, text);
    CHECK_EQ(redact_records(&c.in), 1);
    for (size_t i = 0; i < c.in.record_count; i++)
        CHECK(!memmem(c.in.records[i].raw, c.in.records[i].words * 8u, "bcdef", 5));
    piped_done(&c);
}

TEST_MAIN()
