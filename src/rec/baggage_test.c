/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Baggage: a container that is not changed in place, its limits, and the W3C
 * header with its percent-encoding.
 */
#include "rec/propagate.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"

static struct oriel_baggage read_header_text(const char *text, size_t refused)
{
    struct oriel_baggage b = {0};
    CHECK_EQ(oriel_baggage_parse(&b, text, strlen(text)), refused);
    return b;
}

static const char *header(const struct oriel_baggage *b)
{
    static char text[ORIEL_BAGGAGE_BYTES + 1];
    CHECK_EQ(oriel_baggage_format(b, text, sizeof text), strlen(text));
    return text;
}

static void check_member(const struct oriel_baggage *b, const char *name, const char *value,
                         const char *properties)
{
    struct oriel_baggage_member m;
    if (!oriel_baggage_get(b, name, &m)) {
        test_fail(__FILE__, __LINE__, "no member %s", name);
        return;
    }
    CHECK_MEM(m.value, m.value_bytes, value, strlen(value));
    CHECK_MEM(m.properties, m.properties_bytes, properties, strlen(properties));
}

TEST(setting_and_removing_leave_the_former_as_it_was)
{
    struct oriel_baggage empty = {0}, one, two, three;
    struct oriel_baggage_member m;
    REQUIRE(oriel_baggage_set(NULL, "user", "ada", NULL, &one) == 0);
    REQUIRE(oriel_baggage_set(&one, "User", "Eve", "p=1", &two) == 0);
    CHECK_EQ(one.count, 1);
    CHECK_EQ(two.count, 2);
    check_member(&two, "user", "ada", "");
    check_member(&two, "User", "Eve", "p=1"); /* case counts */
    oriel_baggage_remove(&two, "user", &three);
    check_member(&two, "user", "ada", "");
    CHECK(!oriel_baggage_get(&three, "user", &m));
    check_member(&three, "User", "Eve", "p=1");
    oriel_baggage_remove(&three, "not there", &three);
    CHECK_EQ(three.count, 1);
    oriel_baggage_remove(NULL, "x", &three);
    CHECK_EQ(three.count, 0);
    oriel_baggage_clear(&two);
    CHECK_STR(header(&two), "");
    CHECK(!oriel_baggage_at(&two, 0, &m) && !oriel_baggage_at(NULL, 0, &m));
    CHECK(!oriel_baggage_get(&empty, "x", &m) && !oriel_baggage_get(NULL, "x", &m));
}

TEST(a_name_that_is_set_again_has_the_new_value)
{
    struct oriel_baggage b = {0};
    CHECK_EQ(oriel_baggage_set(&b, "a", "1", "p", &b), 0);
    CHECK_EQ(oriel_baggage_set(&b, "b", "2", NULL, &b), 0);
    CHECK_EQ(oriel_baggage_set(&b, "a", "3", NULL, &b), 0);
    CHECK_EQ(b.count, 2);
    CHECK_STR(header(&b), "b=2,a=3");
    CHECK_EQ(oriel_baggage_set(&b, "a", "", NULL, &b), 0); /* an empty value is one */
    CHECK_STR(header(&b), "b=2,a=");
}

TEST(what_cannot_be_baggage_is_refused)
{
    struct oriel_baggage b = {0}, before = b;
    CHECK_EQ(oriel_baggage_set(&b, "", "1", NULL, &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, NULL, "1", NULL, &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, "a", NULL, NULL, &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, "a\xff", "1", NULL, &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, "a", "\xc3", NULL, &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, "a", "\xed\xa0\x80", NULL, &b), ORIEL_EINVAL); /* surrogate */
    CHECK_EQ(oriel_baggage_set(&b, "a", "1", "p,q", &b), ORIEL_EINVAL);
    CHECK_EQ(oriel_baggage_set(&b, "a", "1", "p\n", &b), ORIEL_EINVAL);
    CHECK(memcmp(&b, &before, sizeof b) == 0);
}

TEST(headers_are_read_as_the_standard_says)
{
    struct oriel_baggage b =
        read_header_text("key1=value1,  key2 = value2;property1;property2 , key3=value3; k = v", 0);
    check_member(&b, "key1", "value1", "");
    check_member(&b, "key2", "value2", "property1;property2");
    check_member(&b, "key3", "value3", "k = v");
    CHECK_STR(header(&b), "key1=value1,key2=value2;property1;property2,key3=value3;k = v");
    b = read_header_text("SomeKey=am%C3%A9lie%20%2C%22%3B%5C%25,empty=,eq=a=b", 0);
    check_member(&b, "SomeKey", "am\xc3\xa9lie ,\";\\%", "");
    check_member(&b, "empty", "", "");
    check_member(&b, "eq", "a=b", "");
    CHECK_STR(header(&b), "SomeKey=am%C3%A9lie%20%2C%22%3B%5C%25,empty=,eq=a%3Db");
    b = read_header_text("a=1,,a=2,", 0);
    CHECK_STR(header(&b), "a=2");
    b = read_header_text("", 0);
    CHECK_EQ(b.count, 0);
}

TEST(members_that_are_none_are_left_out_and_the_others_stay)
{
    struct oriel_baggage b =
        read_header_text("novalue,=1,a b=1,k=\"q\",k=a b,k=\\,u=\xc3\xa4,ok=1", 7);
    CHECK_STR(header(&b), "ok=1");
}

TEST(bytes_that_are_no_text_become_replacement_characters)
{
    struct oriel_baggage b =
        read_header_text("a=%FFx,b=%C3,c=%E2%82,d=%ED%A0%80,e=%zz%4,f=%F0%9F%98%80", 0);
    check_member(&b, "a", "\xef\xbf\xbdx", "");
    check_member(&b, "b", "\xef\xbf\xbd", "");
    check_member(&b, "c", "\xef\xbf\xbd\xef\xbf\xbd", "");
    check_member(&b, "d", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "");
    check_member(&b, "e", "%zz%4", "");
    check_member(&b, "f", "\xf0\x9f\x98\x80", "");
}

TEST(names_of_any_characters_survive_the_header)
{
    static const char *const names[] = {"k\xc3\xa4se", "a b",  "a=b,c;d", "100%",
                                        "%41",         "%%41", "a+b|c",   "%4"};
    struct oriel_baggage b = {0}, again = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        REQUIRE(oriel_baggage_set(&b, names[i], "v", NULL, &b) == 0);
    const char *text = header(&b);
    CHECK_STR(text,
              "k%C3%A4se=v,a%20b=v,a%3Db%2Cc%3Bd=v,100%25=v,%2541=v,%25%2541=v,a+b|c=v,%254=v");
    CHECK_EQ(oriel_baggage_parse(&again, text, strlen(text)), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_member(&again, names[i], "v", "");
}

TEST(a_hundred_and_eighty_members_are_taken)
{
    struct oriel_baggage b = {0};
    char text[4096], *at = text;
    for (int i = 0; i < 200; i++)
        at += snprintf(at, 16, "%sk%03d=%d", i ? "," : "", i, i);
    CHECK_EQ(oriel_baggage_parse(&b, text, strlen(text)), 20);
    CHECK_EQ(b.count, ORIEL_BAGGAGE_MEMBERS);
    check_member(&b, "k179", "179", "");
    CHECK_EQ(oriel_baggage_set(&b, "new", "1", NULL, &b), ORIEL_ELIMIT);
    CHECK_EQ(oriel_baggage_set(&b, "k000", "1", NULL, &b), 0);
    CHECK(strlen(header(&b)) < 2000);
}

TEST(as_many_bytes_as_the_standard_asks_for_are_carried)
{
    struct oriel_baggage b = {0};
    char *text = malloc(16384), *at = text;
    for (int i = 0; i < 64; i++) { /* 64 members of 127 bytes and 63 commas: 8,191 */
        at += snprintf(at, 16, "%sk%02d=", i ? "," : "", i);
        memset(at, 'v', 123);
        at += 123;
    }
    *at = 0;
    CHECK_EQ(strlen(text), 8191);
    CHECK_EQ(oriel_baggage_parse(&b, text, strlen(text)), 0);
    CHECK_STR(header(&b), text);
    free(text);
}

TEST(what_does_not_fit_the_header_is_left_out)
{
    struct oriel_baggage b = {0};
    char *value = malloc(9000), text[64];
    memset(value, '\x01', 2800); /* thrice as long in the header */
    value[2800] = 0;
    CHECK_EQ(oriel_baggage_set(&b, "large", value, NULL, &b), 0);
    CHECK_EQ(oriel_baggage_set(&b, "small", "1", NULL, &b), 0);
    CHECK_STR(header(&b), "small=1");
    memset(value, 'x', 8999);
    value[8999] = 0;
    CHECK_EQ(oriel_baggage_set(&b, "huge", value, NULL, &b), ORIEL_ELIMIT);
    CHECK_EQ(oriel_baggage_format(&b, text, 8), 7);
    CHECK_STR(text, "small=1");
    CHECK_EQ(oriel_baggage_format(&b, text, 7), 0);
    CHECK_STR(text, "");
    CHECK_EQ(oriel_baggage_format(&b, text, 0), 0);
    free(value);
}

TEST(a_container_that_was_overwritten_is_read_within_its_bounds)
{
    struct oriel_baggage b;
    struct oriel_baggage_member m;
    memset(&b, 0xff, sizeof b);
    CHECK(!oriel_baggage_at(&b, 0, &m));
    b.bytes = 100;
    CHECK(!oriel_baggage_get(&b, "x", &m));
    CHECK_STR(header(&b), "");
}

TEST_MAIN()
