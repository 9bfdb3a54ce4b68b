/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the string table. */
#include "base/intern.h"

#include "base/err.h"
#include "test.h"

TEST(the_empty_string_is_id_zero)
{
    struct intern t;
    REQUIRE(intern_init(&t) == 0);
    CHECK_EQ(intern_add(&t, "", 0), 0);
    CHECK_EQ(intern_add(&t, NULL, 0), 0);
    CHECK_STR(intern_get(&t, 0).p, "");
    CHECK_EQ(t.count, 1);
    intern_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(same_bytes_same_id_and_ids_are_dense)
{
    struct intern t;
    char text[32];
    REQUIRE(intern_init(&t) == 0);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 1; i <= 20000; i++) {
            int n = snprintf(text, sizeof text, "name-%u", i);
            CHECK_EQ(intern_add(&t, text, (size_t)n), i);
        }
    CHECK_EQ(t.count, 20001);
    for (uint32_t i = 1; i <= 20000; i++) {
        int n = snprintf(text, sizeof text, "name-%u", i);
        struct intern_str s = intern_get(&t, i);
        CHECK(s.n == (uint32_t)n && memcmp(s.p, text, s.n) == 0);
        CHECK_EQ(s.p[s.n], 0);
    }
    intern_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(bytes_decide_nul_and_length_included)
{
    struct intern t;
    REQUIRE(intern_init(&t) == 0);
    uint32_t a = intern_add(&t, "a\0b", 3), b = intern_add(&t, "a\0c", 3),
             c = intern_add(&t, "a", 1), d = intern_add(&t, "a\0", 2);
    CHECK(a != b && b != c && c != d && a != d && a != c && b != d);
    CHECK_EQ(intern_add(&t, "a\0bzzz", 3), a);
    CHECK_MEM(intern_get(&t, a).p, intern_get(&t, a).n, "a\0b", 3);
    intern_done(&t);
}

TEST(strings_stay_where_they_are_while_the_table_grows)
{
    struct intern t;
    REQUIRE(intern_init(&t) == 0);
    uint32_t id = intern_add(&t, "first", 5);
    const char *p = intern_get(&t, id).p;
    for (uint32_t i = 0; i < 5000; i++)
        CHECK(intern_add(&t, (const char *)&i, sizeof i) != UINT32_MAX);
    CHECK(intern_get(&t, id).p == p);
    CHECK_STR(p, "first");
    intern_done(&t);
}

TEST(an_unknown_id_is_the_empty_string)
{
    struct intern t;
    REQUIRE(intern_init(&t) == 0);
    CHECK_EQ(intern_get(&t, 1).n, 0);
    CHECK_STR(intern_get(&t, UINT32_MAX).p, "");
    CHECK_EQ(intern_add(&t, "x", UINT32_MAX), UINT32_MAX); /* longer than can be told */
    intern_done(&t);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        struct intern t;
        uint32_t added = 0, failed = 0;
        mem_fail_after(n);
        int rc = intern_init(&t);
        for (uint32_t i = 1; rc == 0 && i < 3000; i++) {
            uint32_t id = intern_add(&t, (const char *)&i, sizeof i);
            failed += id == UINT32_MAX;
            if (id != UINT32_MAX)
                CHECK_EQ(id, ++added);
        }
        mem_fail_after(0);
        if (rc == 0) {
            CHECK_EQ(t.count, added + 1);
            CHECK_EQ(added + failed, 2999);
            intern_done(&t);
        } else {
            CHECK_EQ(rc, ORIEL_ENOMEM);
        }
        CHECK_EQ(mem_live_blocks(), 0);
        if (rc == 0 && failed == 0) {
            CHECK(n > 8);
            break;
        }
    }
}

TEST_MAIN()
