/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * tracestate: the grammar of both levels at its limits, what is carried on,
 * and what may be written.
 */
#include "rec/propagate.h"

#include "base/err.h"
#include "test.h"

/* What becomes of one header; "!" for refused. */
static const char *parsed(struct oriel_context *c, const char *text)
{
    return oriel_tracestate_parse(c, text, strlen(text)) ? "!" : c->state;
}

static char *repeat(char *at, char c, size_t n)
{
    memset(at, c, n);
    at[n] = 0;
    return at + n;
}

TEST(lists_are_read_and_kept_in_order)
{
    static const char *const cases[][2] = {
        {"foo=1", "foo=1"},
        {"foo=1,bar=2", "foo=1,bar=2"},
        {"bar=2,foo=1", "bar=2,foo=1"},
        {"foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"},
        {"foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3"},
        {" foo=1", "foo=1"},
        {"\tfoo=1 ", "foo=1"},
        {"foo=1,", "foo=1"},
        {",,foo=1,,", "foo=1"},
        {"", ""},
        {" ", ""},
        {"foo= 1", "foo= 1"}, /* a blank in a value, but not at its end */
        {"foo=1 2", "foo=1 2"},
        {"foo=1,foo=1", "foo=1"},
        {"foo=1,bar=2,foo=3", "foo=1,bar=2"},
        {"foo@vendor=1", "foo@vendor=1"},
        {"0@v=1,1tenant@v=2", "0@v=1,1tenant@v=2"},
        {"9key=1", "9key=1"}, /* level 2 */
        {"a*-_/z=1", "a*-_/z=1"},
        {"foo=!\"#$%&'()*+-./0123456789:;<>?@AZ[\\]^_`az{|}~",
         "foo=!\"#$%&'()*+-./0123456789:;<>?@AZ[\\]^_`az{|}~"},
        {"foo =1", "!"},
        {"FOO=1", "!"},
        {"foo.bar=1", "!"},
        {"foo@=1,bar=2", "!"},
        {"@foo=1,bar=2", "!"},
        {"foo@@bar=1,bar=2", "!"},
        {"foo@bar@baz=1,bar=2", "!"},
        {"foo@1bar=1", "!"},
        {"_foo=1", "!"},
        {"foo=bar=baz", "!"},
        {"foo=,bar=3", "!"},
        {"foo", "!"},
        {"foo,bar=1", "!"},
        {"=1", "!"},
        {"foo=\x7f", "!"},
        {"foo=\xc3\xa4", "!"},
        {"foo=1\n", "!"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct oriel_context c = {0};
        CHECK_STR(parsed(&c, cases[i][0]), cases[i][1]);
        CHECK_EQ(c.state_bytes, strlen(c.state));
    }
    struct oriel_context c = {.state_bytes = 1, .state = "x"};
    CHECK_EQ(oriel_tracestate_parse(&c, NULL, 0), 0);
    CHECK_EQ(c.state_bytes, 0);
}

TEST(keys_and_values_are_as_long_as_allowed_and_no_longer)
{
    char text[1024];
    struct oriel_context c;
    const struct {
        size_t tenant, system, value;
        bool good;
    } cases[] = {{241, 14, 1, true},  {242, 14, 1, false}, {241, 15, 1, false}, {256, 0, 1, true},
                 {257, 0, 1, false},  {1, 0, 256, true},   {1, 0, 257, false},  {0, 1, 1, false},
                 {255, 0, 256, true}, {256, 0, 256, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *at = repeat(text, 't', cases[i].tenant);
        if (cases[i].system || !cases[i].tenant) {
            *at++ = '@';
            at = repeat(at, 'v', cases[i].system);
        }
        *at++ = '=';
        repeat(at, '1', cases[i].value);
        CHECK_EQ(oriel_tracestate_parse(&c, text, strlen(text)) == 0, cases[i].good);
    }
    CHECK_EQ(c.state_bytes, 0); /* valid, but over 512 bytes: it is not carried on */
}

static size_t list_of(char *text, unsigned from, unsigned to)
{
    char *at = text;
    for (unsigned i = from; i < to; i++)
        at += snprintf(at, 16, "%sbar%02u=%02u", i > from ? "," : "", i, i);
    return (size_t)(at - text);
}

TEST(thirty_two_members_are_a_list_and_thirty_three_are_none)
{
    char text[1024];
    struct oriel_context c;
    CHECK_EQ(oriel_tracestate_parse(&c, text, list_of(text, 0, 32)), 0);
    CHECK_STR(c.state, text);
    CHECK_EQ(oriel_tracestate_parse(&c, text, list_of(text, 0, 33)), ORIEL_EFORMAT);
    CHECK_STR(c.state, "");
    /* Over several headers. */
    struct state_members m = {.count = 0};
    CHECK(state_add(&m, (struct slice){text, list_of(text, 0, 20)}));
    char more[1024];
    CHECK(state_add(&m, (struct slice){more, list_of(more, 20, 32)}));
    CHECK(!state_add(&m, (struct slice){"x=1", 3}));
    /* Those that come again count. */
    m = (struct state_members){.count = 0};
    CHECK(state_add(&m, (struct slice){text, list_of(text, 0, 32)}));
    CHECK(!state_add(&m, (struct slice){"bar00=1", 7}));
}

TEST(beyond_512_bytes_large_members_go_first_then_the_last)
{
    char text[2048], *at = text;
    struct oriel_context c;
    at += snprintf(at, 8, "a=");
    at = repeat(at, '1', 200); /* 202 bytes */
    at += snprintf(at, 8, ",b=");
    at = repeat(at, '2', 126); /* 128 bytes: not large */
    at += snprintf(at, 8, ",c=");
    at = repeat(at, '3', 126);
    at += snprintf(at, 8, ",d=");
    repeat(at, '4', 126);
    REQUIRE(oriel_tracestate_parse(&c, text, strlen(text)) == 0);
    CHECK_EQ(c.state_bytes, 3 * 128 + 2);
    CHECK(strncmp(c.state, "b=2", 3) == 0);
    /* Of two large ones the later, if that is enough. */
    at = text + snprintf(text, 8, "a=");
    at = repeat(at, '1', 200);
    at += snprintf(at, 8, ",b=");
    at = repeat(at, '2', 200);
    at += snprintf(at, 8, ",c=");
    repeat(at, '3', 120);
    REQUIRE(oriel_tracestate_parse(&c, text, strlen(text)) == 0);
    CHECK_EQ(c.state_bytes, 202 + 1 + 122);
    /* Only small ones. */
    at = text;
    for (int i = 0; i < 6; i++) {
        at += snprintf(at, 8, "%sk%d=", i ? "," : "", i);
        at = repeat(at, '0', 100);
    }
    REQUIRE(oriel_tracestate_parse(&c, text, strlen(text)) == 0);
    CHECK_EQ(c.state_bytes, 4 * 103 + 3);
    CHECK(strstr(c.state, "k3=") && !strstr(c.state, "k4="));
    /* Exactly as much as fits. */
    at = text + snprintf(text, 8, "a=");
    at = repeat(at, '1', 254);
    at += snprintf(at, 8, ",b=");
    repeat(at, '2', 253);
    REQUIRE(oriel_tracestate_parse(&c, text, 512) == 0);
    CHECK_EQ(c.state_bytes, 512);
    CHECK_EQ(c.state[512], 0);
}

TEST(members_are_set_in_front_and_removed)
{
    struct oriel_context c = {0};
    size_t n = 0;
    CHECK_STR(parsed(&c, "a=1,b=2,c=3"), "a=1,b=2,c=3");
    CHECK_EQ(oriel_tracestate_set(&c, "b", "new"), 0);
    CHECK_STR(c.state, "b=new,a=1,c=3");
    CHECK_EQ(oriel_tracestate_set(&c, "d", "4"), 0);
    CHECK_STR(c.state, "d=4,b=new,a=1,c=3");
    const char *value = oriel_tracestate_get(&c, "b", &n);
    CHECK(value && n == 3 && memcmp(value, "new", 3) == 0);
    CHECK(oriel_tracestate_get(&c, "B", &n) == NULL);
    CHECK_EQ(oriel_tracestate_remove(&c, "a"), 0);
    CHECK_EQ(oriel_tracestate_remove(&c, "a"), 0);
    CHECK_STR(c.state, "d=4,b=new,c=3");
}

TEST(what_is_no_member_is_not_set)
{
    struct oriel_context c = {0};
    char text[1024];
    parsed(&c, "a=1");
    CHECK_EQ(oriel_tracestate_set(&c, "A", "1"), ORIEL_EINVAL);
    CHECK_EQ(oriel_tracestate_set(&c, "", "1"), ORIEL_EINVAL);
    CHECK_EQ(oriel_tracestate_set(&c, "b", ""), ORIEL_EINVAL);
    CHECK_EQ(oriel_tracestate_set(&c, "b", "1,c=2"), ORIEL_EINVAL);
    CHECK_EQ(oriel_tracestate_set(&c, "b", "1 "), ORIEL_EINVAL);
    repeat(text, 'x', 256);
    CHECK_EQ(oriel_tracestate_set(&c, "b", text), 0);
    CHECK_EQ(oriel_tracestate_set(&c, "c", text), ORIEL_ELIMIT); /* 512 bytes */
    CHECK(strncmp(c.state, "b=x", 3) == 0);
    REQUIRE(oriel_tracestate_parse(&c, text, list_of(text, 0, 32)) == 0);
    CHECK_EQ(oriel_tracestate_set(&c, "new", "1"), ORIEL_ELIMIT);
    CHECK_EQ(oriel_tracestate_set(&c, "bar31", "1"), 0);
    CHECK(strncmp(c.state, "bar31=1,bar00=00", 16) == 0);
}

TEST(the_entry_of_opentelemetry_is_carried_and_not_written)
{
    struct oriel_context c = {0};
    size_t n;
    CHECK_STR(parsed(&c, "ot=th:8,a=1"), "ot=th:8,a=1");
    CHECK_EQ(oriel_tracestate_set(&c, "ot", "th:0"), ORIEL_EINVAL);
    CHECK_EQ(oriel_tracestate_remove(&c, "ot"), ORIEL_EINVAL);
    CHECK(oriel_tracestate_get(&c, "ot", &n) && n == 4);
    CHECK_EQ(oriel_tracestate_set(&c, "a", "2"), 0);
    CHECK_STR(c.state, "a=2,ot=th:8");
    char text[300] = "ot=";
    repeat(text + 3, 'x', 257);
    CHECK_STR(parsed(&c, text), "!");
}

TEST(a_context_that_was_filled_with_nonsense_has_no_members)
{
    struct oriel_context c = {.state_bytes = 60000};
    size_t n;
    CHECK(oriel_tracestate_get(&c, "a", &n) == NULL);
    CHECK_EQ(oriel_tracestate_set(&c, "a", "1"), 0);
    CHECK_STR(c.state, "a=1");
}

TEST_MAIN()
