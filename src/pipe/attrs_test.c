/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fields of open spans: one value per key, bounded memory, all copied.
 */
#include "pipe/attrs.h"

#include "test.h"

static struct model_value text(const char *key, const char *s)
{
    return (struct model_value){.key = {key, (uint32_t)strlen(key)},
                                .type = ORIEL_TYPE_STR,
                                .v.str = {s, (uint32_t)strlen(s)}};
}
static struct model_value number(const char *key, int64_t n)
{
    return (struct model_value){
        .key = {key, (uint32_t)strlen(key)}, .type = ORIEL_TYPE_I64, .v.i64 = n};
}

static enum attrs_result put(struct attrs *a, struct model_value v)
{
    return attrs_put(a, &v, 128);
}

TEST(a_later_value_takes_the_place_of_an_earlier_one)
{
    struct attrs a = {0};
    struct arena arena;
    arena_init(&arena);
    CHECK_EQ(put(&a, number("n", 1)), ATTRS_OK);
    CHECK_EQ(put(&a, text("s", "first")), ATTRS_OK);
    CHECK_EQ(put(&a, text("n", "now a text")), ATTRS_OK);
    CHECK_EQ(put(&a, number("s", 2)), ATTRS_OK);
    struct model_value *v = attrs_copy(&a, &arena);
    REQUIRE(v && a.count == 2);
    CHECK_MEM(v[0].key.p, v[0].key.n, "n", 1);
    CHECK_MEM(v[0].v.str.p, v[0].v.str.n, "now a text", 10);
    CHECK_EQ(v[1].v.i64, 2);
    attrs_done(&a);
    arena_done(&arena);
}

TEST(texts_are_copies)
{
    struct attrs a = {0};
    struct arena arena;
    char s[] = "mine";
    arena_init(&arena);
    CHECK_EQ(put(&a, text("k", s)), ATTRS_OK);
    CHECK_EQ(put(&a, text("empty", "")), ATTRS_OK);
    memset(s, 'x', 4);
    struct model_value *v = attrs_copy(&a, &arena);
    attrs_done(&a);
    CHECK_MEM(v[0].v.str.p, v[0].v.str.n, "mine", 4);
    CHECK_EQ(v[1].v.str.n, 0);
    arena_done(&arena);
}

TEST(a_new_key_beyond_the_limit_is_refused_and_a_known_one_is_not)
{
    struct attrs a = {0};
    struct model_value one = number("a", 1), two = number("b", 2), again = number("a", 3);
    CHECK_EQ(attrs_put(&a, &one, 1), ATTRS_OK);
    CHECK_EQ(attrs_put(&a, &two, 1), ATTRS_FULL);
    CHECK_EQ(attrs_put(&a, &again, 1), ATTRS_OK);
    CHECK_EQ(a.count, 1);
    CHECK_EQ(a.items[0].value.v.i64, 3);
    attrs_done(&a);
}

TEST(memory_follows_what_is_live_not_how_often_it_was_set)
{
    struct attrs a = {0};
    struct arena arena;
    char s[100];
    memset(s, 'y', sizeof s);
    arena_init(&arena);
    for (int i = 0; i < 100000; i++) {
        s[0] = (char)('a' + i % 26);
        struct model_value v = {.key = MODEL_STR("k"), .type = ORIEL_TYPE_STR, .v.str = {s, 99}};
        v.key.p = i % 2 ? "k" : "l";
        CHECK_EQ(attrs_put(&a, &v, 128), ATTRS_OK);
    }
    CHECK_EQ(a.count, 2);
    CHECK_EQ(a.live, 198);
    CHECK(a.size < 16384);
    struct model_value *v = attrs_copy(&a, &arena);
    CHECK_EQ(v[1].v.str.p[0], 'a' + 99999 % 26);
    CHECK_EQ(v[0].v.str.p[0], 'a' + 99998 % 26);
    attrs_done(&a);
    arena_done(&arena);
}

TEST(clearing_gives_large_memory_back_and_keeps_small)
{
    struct attrs a = {0};
    static char big[100000];
    memset(big, 'z', sizeof big - 1);
    CHECK_EQ(put(&a, text("small", "s")), ATTRS_OK);
    attrs_clear(&a);
    CHECK(a.count == 0 && a.bytes && a.items);
    CHECK_EQ(put(&a, text("big", big)), ATTRS_OK);
    attrs_clear(&a);
    CHECK(!a.bytes && a.size == 0 && a.used == 0);
    attrs_done(&a);
}

TEST(without_memory_the_value_is_refused_and_the_old_one_stays)
{
    struct attrs a = {0};
    struct arena arena;
    arena_init(&arena);
    CHECK_EQ(put(&a, text("k", "old")), ATTRS_OK);
    static char big[5000];
    memset(big, 'b', sizeof big - 1);
    mem_fail_after(1);
    CHECK_EQ(put(&a, text("k", big)), ATTRS_NO_MEMORY);
    mem_fail_after(0);
    struct model_value *v = attrs_copy(&a, &arena);
    CHECK_MEM(v[0].v.str.p, v[0].v.str.n, "old", 3);
    mem_fail_after(1);
    struct attrs none = {0};
    CHECK_EQ(put(&none, number("n", 1)), ATTRS_NO_MEMORY);
    CHECK_EQ(none.count, 0);
    attrs_done(&none);
    attrs_done(&a);
    arena_done(&arena);
}

TEST_MAIN()
