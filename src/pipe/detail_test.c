/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is added to a span later: fields, status, links.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *span, *set, *other;
static struct records_stream a, b;

static void open_pipe(const struct pipe_options *options)
{
    piped_init(&c, options);
    span = records_site(&c.w, ORIEL_SITE_SPAN, "span", "path:s,n:i");
    set = records_site(&c.w, ORIEL_SITE_SET, "", "n:i,status:i");
    other = records_site(&c.w, ORIEL_SITE_SPAN, "other", "");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

static const char *attr(const struct model_span *s, const char *key)
{
    return piped_attr(s->attrs, s->attr_count, key);
}

TEST(fields_added_later_join_those_of_the_begin)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, span, "/etc", (int64_t)1);
    rec_set(&c.in, &a, 20, id, set, (int64_t)2, (int64_t)404);
    CHECK_EQ(piped_push(&c, 20), 0);
    rec_set(&c.in, &a, 25, id, set, (int64_t)3, (int64_t)200);
    rec_end(&c.in, &a, 30, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "span");
    CHECK_EQ(s->attr_count, 3);
    CHECK_STR(attr(s, "path"), "/etc");
    CHECK_STR(attr(s, "n"), "3");
    CHECK_STR(attr(s, "status"), "200");
    CHECK_EQ(piped_counts(&c).fates[PIPE_INTO_SPAN], 2);
    piped_done(&c);
}

TEST(fields_of_a_plain_span_and_of_the_current_one)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, other);
    rec_set(&c.in, &a, 20, 0, set, (int64_t)1, (int64_t)2); /* no id: what is current */
    rec_set(&c.in, &b, 25, id, set, (int64_t)7, (int64_t)8);
    rec_end(&c.in, &a, 30, id);
    rec_set(&c.in, &a, 40, id, set, (int64_t)0, (int64_t)0); /* after its end: ignored */
    rec_set(&c.in, &a, 50, 0, set, (int64_t)0, (int64_t)0);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_STR(attr(piped_span(&c, "other"), "n"), "7");
    CHECK_STR(attr(piped_span(&c, "other"), "status"), "8");
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 2);
    piped_done(&c);
}

static void check_name(const struct model_span *s, const char *name, const char *site)
{
    struct model_str is = model_span_name(s);
    CHECK_MEM(is.p, (size_t)is.n, name, strlen(name));
    CHECK_MEM(s->site->name.p, (size_t)s->site->name.n, site, strlen(site));
}

TEST(a_span_is_called_what_was_said_last_whatever_kind_it_is)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, span, "/etc", (int64_t)1);
    uint64_t plain = rec_begin(&c.in, &a, 11, other);
    uint64_t opened = rec_open(&c.in, &a, 12, other, 0);
    rec_name(&c.in, &a, 13, id, "first");
    CHECK_EQ(piped_push(&c, 13), 0);
    rec_name(&c.in, &b, 14, opened, "of another thread");
    rec_name(&c.in, &a, 15, id, "GET /users/{id}");
    rec_name(&c.in, &a, 16, id, ""); /* says nothing */
    rec_end(&c.in, &a, 17, plain);
    rec_end(&c.in, &a, 18, id);
    rec_close(&c.in, &b, 19, opened);
    rec_name(&c.in, &a, 20, id, "after its end");
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "span");
    check_name(s, "GET /users/{id}", "span");
    CHECK_EQ(s->attr_count, 2); /* a name is no attribute */
    CHECK_STR(attr(s, "path"), "/etc");
    unsigned renamed = 0;
    for (size_t i = 0; i < c.out.item_count; i++) {
        if (c.out.items[i].kind != MODEL_ITEM_SPAN || c.out.items[i].u.span.site != other)
            continue;
        bool async = c.out.items[i].u.span.flags & MODEL_SPAN_ASYNC;
        check_name(&c.out.items[i].u.span, async ? "of another thread" : "other", "other");
        renamed += (c.out.items[i].u.span.flags & MODEL_SPAN_RENAMED) != 0;
    }
    CHECK_EQ(renamed, 1);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 1);
    piped_done(&c);
}

TEST(a_name_whose_length_lies_ends_with_its_record)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, other);
    rec_name(&c.in, &a, 11, id, "eight by");
    uint64_t *words = (uint64_t *)(uintptr_t)c.in.records[c.in.record_count - 1].raw;
    words[3] = UINT32_MAX;
    rec_end(&c.in, &a, 12, id);
    CHECK_EQ(piped_last(&c), 0);
    check_name(piped_span(&c, "other"), "eight by", "other");
    piped_done(&c);
}

TEST(new_keys_beyond_the_limit_are_dropped_and_counted)
{
    struct pipe_options options = {.size = sizeof options, .attribute_count_limit = 2};
    open_pipe(&options);
    uint64_t id = rec_begin(&c.in, &a, 10, span, "p", (int64_t)1);
    rec_set(&c.in, &a, 20, id, set, (int64_t)2, (int64_t)404);
    rec_end(&c.in, &a, 30, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "span");
    CHECK_EQ(s->attr_count, 2);
    CHECK_STR(attr(s, "n"), "2"); /* a known key still takes its new value */
    CHECK_EQ(s->dropped_attrs, 1);
    CHECK_EQ(piped_counts(&c).dropped_attrs, 1);
    piped_done(&c);
}

TEST(the_status_follows_the_rules_of_opentelemetry)
{
    static const struct {
        uint8_t codes[3];
        const char *texts[3];
        uint8_t code;
        const char *text;
    } rows[] = {
        {{0, 0, 0}, {"", "", ""}, ORIEL_STATUS_UNSET, ""},
        {{2, 0, 0}, {"broken", "x", ""}, ORIEL_STATUS_ERROR, "broken"},
        {{2, 2, 0}, {"first", "second", ""}, ORIEL_STATUS_ERROR, "second"},
        {{1, 2, 0}, {"", "too late", ""}, ORIEL_STATUS_OK, ""},
        {{2, 1, 2}, {"broken", "mended", "again"}, ORIEL_STATUS_OK, ""},
        {{1, 0, 0}, {"a description of ok", "", ""}, ORIEL_STATUS_OK, ""},
    };
    open_pipe(NULL);
    uint64_t t = 10;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t id = rec_begin(&c.in, &a, t++, other);
        for (int k = 0; k < 3; k++)
            rec_status(&c.in, &a, t++, id, rows[i].codes[k], rows[i].texts[k]);
        rec_end(&c.in, &a, t++, id);
    }
    CHECK_EQ(piped_last(&c), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct model_span *s = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        CHECK_EQ(s->status, rows[i].code);
        CHECK_STR(piped_text(s->status_message), rows[i].text);
    }
    piped_done(&c);
}

TEST(a_status_of_nobody_or_of_no_meaning_is_counted)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, other);
    rec_status(&c.in, &a, 11, id, 9, "");
    rec_status(&c.in, &a, 12, id + 8, ORIEL_STATUS_OK, "");
    rec_status(&c.in, &a, 13, id, ORIEL_STATUS_ERROR, "cut short");
    c.in.records[3].words = 5; /* the text lies outside the record now */
    rec_end(&c.in, &a, 20, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_FOREIGN], 1);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 1);
    CHECK_EQ(piped_span(&c, "other")->status, ORIEL_STATUS_ERROR);
    CHECK_EQ(piped_span(&c, "other")->status_message.n, 0);
    piped_done(&c);
}

TEST(links_and_follows_from)
{
    open_pipe(NULL);
    uint64_t first = rec_begin(&c.in, &b, 5, span, "", (int64_t)0);
    uint64_t id = rec_begin(&c.in, &a, 10, other);
    rec_link(&c.in, &a, 11, id, 0xaa, 0xbb, 0xcc);
    rec_follow(&c.in, &a, 12, id, first);
    rec_end(&c.in, &b, 13, first);
    rec_follow(&c.in, &a, 14, id, first); /* over, but named before */
    rec_follow(&c.in, &a, 15, id, 0);
    rec_link(&c.in, &a, 16, 999, 1, 2, 3);
    rec_end(&c.in, &a, 20, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "other");
    uint64_t foreign[2] = {0xaa, 0xbb};
    REQUIRE(s->link_count == 3);
    CHECK_MEM(s->links[0].trace_id, 16, foreign, 16);
    CHECK(s->links[0].span_id == 0xcc && !s->links[0].follows_from);
    for (int i = 1; i < 3; i++) {
        CHECK(s->links[i].follows_from);
        CHECK_EQ(s->links[i].span_id, oriel_id_mix(first));
        CHECK_MEM(s->links[i].trace_id, 16, piped_span(&c, "span")->trace_id, 16);
    }
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 2);
    piped_done(&c);
}

TEST(links_beyond_the_limit_are_dropped_and_counted)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, other);
    for (uint64_t i = 0; i < 200; i++)
        rec_link(&c.in, &a, 11 + i, id, 1, 2, i + 1);
    rec_end(&c.in, &a, 500, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "other");
    CHECK_EQ(s->link_count, 128);
    CHECK_EQ(s->links[127].span_id, 128); /* the first ones stay, in order */
    CHECK_EQ(s->dropped_links, 72);
    CHECK_EQ(piped_counts(&c).dropped_links, 72);
    piped_done(&c);
}

TEST(a_long_lived_span_with_endless_updates_stays_small)
{
    open_pipe(NULL);
    const struct model_site *text = records_site(&c.w, ORIEL_SITE_SET, "", "where:s");
    uint64_t id = rec_begin(&c.in, &a, 10, span, "p", (int64_t)0), t = 11;
    size_t bytes = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 100; i++)
            rec_set(&c.in, &a, t++, id, text, "somewhere in the middle of a long file");
        CHECK_EQ(piped_push(&c, t), 0);
        if (round == 20)
            bytes = mem_live_bytes();
    }
    CHECK(mem_live_bytes() <= bytes + 16384);
    rec_end(&c.in, &a, t, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "span")->attr_count, 3);
    piped_done(&c);
}

TEST_MAIN()
