/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Copies of spans and events, names, and the lists of the slowest.
 */
#include "report/inst.h"

#include "base/mem.h"
#include "report/names.h"
#include "test.h"

TEST(a_copy_does_not_need_its_batch)
{
    char text[] = "value", key[] = "key", message[] = "broken";
    struct model_value v = {.key = {key, 3}, .type = ORIEL_TYPE_STR, .v.str = {text, 5}};
    struct model_link link = {.span_id = 1};
    const struct model_span s = {.start_ns = 5,
                                 .end_ns = 9,
                                 .attrs = &v,
                                 .attr_count = 1,
                                 .links = &link,
                                 .link_count = 1,
                                 .status_message = {message, 6}};
    struct inst *i = inst_span(&s, 3, 2);
    REQUIRE(i);
    memset(text, 0, sizeof text);
    memset(key, 0, sizeof key);
    memset(message, 0, sizeof message);
    memset(&v, 0, sizeof v);
    CHECK_MEM(i->u.span.attrs[0].key.p, i->u.span.attrs[0].key.n, "key", 3);
    CHECK_MEM(i->u.span.attrs[0].v.str.p, i->u.span.attrs[0].v.str.n, "value", 5);
    CHECK_MEM(i->u.span.status_message.p, i->u.span.status_message.n, "broken", 6);
    CHECK_EQ(i->u.span.link_count, 0);
    CHECK_EQ(inst_duration(i), 4);
    mem_free(i);
}

TEST(copies_are_bounded_and_say_what_is_missing)
{
    static char text[100000];
    struct model_value v[100];
    for (int i = 0; i < 100; i++)
        v[i] = (struct model_value){.key = {text, sizeof text},
                                    .type = ORIEL_TYPE_BYTES,
                                    .v.str = {text, sizeof text},
                                    .full_bytes = sizeof text};
    const struct model_span s = {
        .attrs = v, .attr_count = 100, .dropped_attrs = 1, .status_message = {text, sizeof text}};
    struct inst *i = inst_span(&s, 0, 0);
    REQUIRE(i);
    CHECK_EQ(i->u.span.attr_count, INST_ATTRS_MAX);
    CHECK_EQ(i->u.span.dropped_attrs, 1 + 100 - INST_ATTRS_MAX);
    CHECK(i->u.span.attrs[0].flags & MODEL_VALUE_TRUNCATED);
    CHECK_EQ(i->u.span.attrs[0].full_bytes, sizeof text);
    CHECK(i->bytes < 16u << 10);
    CHECK_EQ(mem_live_bytes(), i->bytes);
    mem_free(i);
}

TEST(the_slowest_are_kept_in_order)
{
    struct slow s = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        const struct model_span span = {.start_ns = 10, .end_ns = 10 + i * 7919 % 1000};
        CHECK_EQ(slow_add(&s, &span, 0, 0), 0);
    }
    CHECK_EQ(s.count, SLOW_MAX);
    for (uint32_t i = 0; i < SLOW_MAX; i++)
        CHECK_EQ(inst_duration(s.items[i]), 999 - i);
    slow_done(&s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(sites_of_one_name_are_one_name)
{
    struct names n;
    const struct model_site a = {.index = 0, .name = {"x", 1}, .line = 1},
                            b = {.index = 5, .name = {"x", 1}, .line = 2},
                            c = {.index = 2, .name = {"y", 1}};
    REQUIRE(names_init(&n) == 0);
    uint32_t x = names_of(&n, &a);
    CHECK_EQ(names_of(&n, &b), x);
    CHECK(names_of(&n, &c) != x);
    CHECK_EQ(names_of(&n, &a), x);
    CHECK_EQ(n.items.items[x].sites, 2);
    CHECK_EQ(n.items.items[x].site->line, 1);
    uint32_t unknown = names_of(&n, NULL);
    CHECK_MEM(n.items.items[unknown].text.p, n.items.items[unknown].text.n, "(unknown)", 9);
    names_done(&n);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(names_without_end_share_the_last_one)
{
    struct names n;
    REQUIRE(names_init(&n) == 0);
    uint32_t last = 0;
    for (uint32_t i = 0; i < NAMES_MAX + 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "n%u", i);
        const struct model_site s = {.index = i, .name = {text, (uint32_t)strlen(text)}};
        last = names_of(&n, &s);
        CHECK(last <= NAMES_MAX);
    }
    CHECK_MEM(n.items.items[last].text.p, n.items.items[last].text.n, "(other)", 7);
    CHECK(n.items.items[last].sites >= 1000);
    names_done(&n);
}

TEST_MAIN()
