/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A copied span says the same after everything it was made of has been
 * overwritten.
 */
#include "model/batch.h"

#include <stdlib.h>

#include "test.h"

enum { TEXT = 64 };

/* Memory of the span that is spoiled once it was copied. */
static char texts[8][TEXT];
static struct model_value values[2], link_values[1];
static struct model_link links[1];
static struct model_busy busy[1];

static struct model_str text(unsigned i, const char *s)
{
    snprintf(texts[i], TEXT, "%s", s);
    return (struct model_str){texts[i], (uint32_t)strlen(s)};
}

static struct model_span make(void)
{
    values[0] = (struct model_value){.key = text(0, "path"), .type = ORIEL_TYPE_STR};
    values[0].v.str = text(1, "/a/b");
    values[1] = (struct model_value){.key = text(2, "n"), .type = ORIEL_TYPE_I64};
    values[1].v.i64 = 7;
    link_values[0] = (struct model_value){.key = text(3, "why"), .type = ORIEL_TYPE_BYTES};
    link_values[0].v.str = text(4, "because");
    links[0] = (struct model_link){
        .span_id = 9, .attrs = link_values, .attr_count = 1, .trace_state = text(5, "v=1")};
    busy[0] = (struct model_busy){.start_ns = 1, .end_ns = 2};
    return (struct model_span){.span_id = 5,
                               .status_message = text(6, "no"),
                               .trace_state = text(7, "ot=th:8"),
                               .attrs = values,
                               .attr_count = 2,
                               .links = links,
                               .link_count = 1,
                               .busy = busy,
                               .busy_count = 1};
}

static void spoil(void)
{
    memset(texts, 'x', sizeof texts);
    memset(values, 0xff, sizeof values);
    memset(link_values, 0xff, sizeof link_values);
    memset(links, 0xff, sizeof links);
    memset(busy, 0xff, sizeof busy);
}

static void check_text(struct model_str s, const char *expected)
{
    CHECK_MEM(s.p, s.n, expected, strlen(expected));
}

TEST(a_copy_needs_nothing_of_what_it_was_made_of)
{
    struct arena arena;
    struct model_span copy, from = make();
    size_t bytes;
    arena_init(&arena);
    REQUIRE(model_span_copy(&copy, &from, &arena, &bytes));
    CHECK(bytes > sizeof values + sizeof link_values + sizeof links + sizeof busy);
    spoil();
    CHECK_EQ(copy.span_id, 5);
    check_text(copy.status_message, "no");
    check_text(copy.trace_state, "ot=th:8");
    check_text(copy.attrs[0].key, "path");
    check_text(copy.attrs[0].v.str, "/a/b");
    CHECK_EQ(copy.attrs[1].v.i64, 7);
    CHECK_EQ(copy.links[0].span_id, 9);
    check_text(copy.links[0].trace_state, "v=1");
    check_text(copy.links[0].attrs[0].key, "why");
    check_text(copy.links[0].attrs[0].v.str, "because");
    CHECK_EQ(copy.busy[0].end_ns, 2);
    arena_done(&arena);
}

TEST(a_copy_has_the_name_that_stands_behind_the_attributes)
{
    struct arena arena;
    struct model_span copy, from = make();
    size_t bytes;
    arena_init(&arena);
    from.attr_count = 0; /* the path is the name now */
    from.flags |= MODEL_SPAN_RENAMED;
    REQUIRE(model_span_copy(&copy, &from, &arena, &bytes));
    spoil();
    check_text(model_span_name(&copy), "/a/b");
    CHECK_EQ(copy.attr_count, 0);
    arena_done(&arena);
}

TEST(a_copy_without_memory_is_none)
{
    for (unsigned n = 1;; n++) {
        struct arena arena;
        struct model_span copy, from = make();
        size_t bytes;
        arena_init(&arena);
        mem_fail_after(n);
        bool ok = model_span_copy(&copy, &from, &arena, &bytes);
        mem_fail_after(0);
        arena_done(&arena);
        if (ok)
            break;
        REQUIRE(n < 100);
    }
}

TEST_MAIN()
