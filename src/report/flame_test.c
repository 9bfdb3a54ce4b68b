/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The page of a flame graph: its data is JSON that says what the profile says.
 * How it looks and behaves is tested in a browser: tests/browser.
 */
#include "report/flame.h"

#include "base/err.h"
#include "report/test_profile.h"
#include "util/json.h"

struct page {
    struct buf html;
    struct arena arena;
    struct json_value *data;
};

static void page_make(struct page *p, struct profile_maker *m, const struct flame_options *o)
{
    static const char open[] = "<script type=\"application/json\" id=\"data\">";
    buf_init(&p->html);
    arena_init(&p->arena);
    REQUIRE(flame_html(&m->frames, &m->profile, &m->catalog, o, &p->html) == 0);
    const char *text = buf_cstr(&p->html), *from = strstr(text, open);
    REQUIRE(from);
    from += sizeof open - 1;
    const char *to = strstr(from, "</script>");
    REQUIRE(to);
    struct json_read_options how = {.size = sizeof how};
    REQUIRE(json_read(&p->arena, from, (size_t)(to - from), &how, &p->data, NULL) == 0);
}

static void page_done(struct page *p)
{
    arena_done(&p->arena);
    buf_done(&p->html);
}

TEST(the_data_is_the_tree_depth_first)
{
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    maker_add(&m, "main;b 1", 0, NULL);
    maker_add(&m, "main;a;x 4", 0, NULL);
    page_make(&p, &m, &(struct flame_options){.title = "t"});
    const struct json_value *trees = json_get(p.data, "trees");
    REQUIRE(trees && trees->count == 2); /* plain and by thread: there are no spans */
    const struct json_value *nodes = json_get(json_at(trees, 0), "nodes");
    REQUIRE(nodes && nodes->count == 25);
    static const uint64_t depth[] = {0, 1, 2, 3, 2}, total[] = {5, 5, 4, 4, 1},
                          self[] = {0, 0, 0, 4, 1};
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(json_at(nodes, i * 5 + 1)->integer, depth[i]);
        CHECK_EQ(json_at(nodes, i * 5 + 2)->integer, total[i]);
        CHECK_EQ(json_at(nodes, i * 5 + 3)->integer, self[i]);
    }
    CHECK_STR(json_get_string(json_at(trees, 0), "unit", ""), "nanoseconds");
    CHECK_STR(json_at(json_get(json_at(trees, 0), "labels"), 0)->text, "all");
    const struct json_value *frames = json_get(p.data, "frames");
    uint64_t x = json_at(nodes, 15)->integer;
    CHECK_STR(json_get_string(json_at(frames, x), "name", ""), "x");
    CHECK_STR(json_get_string(json_at(frames, x), "module", ""), "/bin/app");
    page_done(&p);
    maker_end(&m);
}

TEST(a_name_cannot_end_the_script)
{
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    maker_add(&m, "main;</script><b>&\" 1", 0, NULL);
    page_make(&p, &m, &(struct flame_options){.title = "</script>"});
    CHECK_STR(json_get_string(p.data, "title", ""), "</script>");
    const struct json_value *f = json_get(p.data, "frames");
    bool found = false;
    for (uint32_t i = 0; i < f->count; i++)
        found |= strcmp(json_get_string(json_at(f, i), "name", ""), "</script><b>&\"") == 0;
    CHECK(found);
    page_done(&p);
    maker_end(&m);
}

TEST(spans_give_a_view_of_their_own)
{
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    maker_add(&m, "main 1", 0, m.sites[0]);
    page_make(&p, &m, &(struct flame_options){0});
    const struct json_value *trees = json_get(p.data, "trees");
    CHECK_EQ(trees->count, 3);
    CHECK_STR(json_at(json_get(json_at(trees, 2), "labels"), 1)->text, "query");
    page_done(&p);
    maker_end(&m);
}

TEST(exact_sums_of_memory_have_no_view_by_thread_or_span)
{
    static const uint8_t kinds[] = {ORIEL_SAMPLE_ALLOC, ORIEL_SAMPLE_PEAK};
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    maker_add(&m, "main 1", 0, m.sites[0]);
    for (size_t i = 0; i < 2; i++) {
        char path[] = "main;load";
        const struct model_sample s = {.kind = kinds[i],
                                       .thread = m.threads[1],
                                       .weight = 4096,
                                       .count = 1,
                                       .stack = maker_stack(&m, path)};
        REQUIRE(model_profile_add(&m.profile, &s) == 0);
    }
    page_make(&p, &m, &(struct flame_options){0});
    CHECK_EQ(json_get(p.data, "trees")->count, 5); /* CPU time three ways, each of these one */
    page_done(&p);
    maker_end(&m);
}

TEST(without_a_title_the_page_is_named_after_the_program)
{
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    REQUIRE(model_catalog_set_resource(&m.catalog, MODEL_STR("service.name"),
                                       MODEL_STR("indexer")) == 0);
    maker_add(&m, "main 1", 0, NULL);
    page_make(&p, &m, &(struct flame_options){0});
    CHECK_STR(json_get_string(p.data, "title", ""), "indexer");
    page_done(&p);
    maker_end(&m);
}

TEST(a_profile_of_nothing_is_a_page_all_the_same)
{
    struct profile_maker m;
    struct page p;
    maker_begin(&m);
    page_make(&p, &m, &(struct flame_options){0});
    CHECK_EQ(json_get(p.data, "trees")->count, 0);
    page_done(&p);
    maker_end(&m);
}

TEST(no_memory_is_said)
{
    struct profile_maker m;
    bool whole = false;
    maker_begin(&m);
    maker_add(&m, "main;a 1", 0, NULL);
    for (uint64_t n = 1; n < 60 && !whole; n++) {
        struct buf out;
        buf_init(&out);
        mem_fail_after(n);
        int rc = flame_html(&m.frames, &m.profile, &m.catalog, &(struct flame_options){0}, &out);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        whole = rc == 0;
        buf_done(&out);
    }
    CHECK(whole);
    maker_end(&m);
}

TEST_MAIN()
