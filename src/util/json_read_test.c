/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the strict JSON reader. */
#include "test.h"
#include "util/json.h"

static struct arena arena;
static struct oriel_err err;

static const struct json_value *read_text(const char *text)
{
    struct json_value *v = NULL;
    err.text[0] = 0;
    return json_read(&arena, text, strlen(text), NULL, &v, &err) == 0 ? v : NULL;
}

TEST(a_document_is_read_with_all_its_types)
{
    const struct json_value *v = read_text(
        " {\"s\" : \"a\\u00e9\\n\\ud83d\\ude00\", \"n\":[0,-1,1.5,1e2,18446744073709551615,"
        "-9223372036854775808,18446744073709551616], "
        "\"t\":true,\"f\":false,\"z\":null,\"o\":{}}\r\n");
    REQUIRE(v);
    CHECK_EQ(v->type, JSON_OBJECT);
    CHECK_EQ(v->count, 6);
    CHECK_STR(json_get_string(v, "s", NULL), "a\xc3\xa9\n\xf0\x9f\x98\x80");
    const struct json_value *n = json_get(v, "n");
    CHECK_EQ(n->count, 7);
    CHECK(json_at(n, 0)->is_integer && json_at(n, 0)->integer == 0);
    CHECK(json_at(n, 1)->is_negative && (int64_t)json_at(n, 1)->integer == -1);
    CHECK(!json_at(n, 2)->is_integer && json_at(n, 2)->number == 1.5);
    CHECK(json_at(n, 3)->number == 100);
    CHECK(json_at(n, 4)->is_integer && json_at(n, 4)->integer == UINT64_MAX);
    CHECK(json_at(n, 5)->is_integer && (int64_t)json_at(n, 5)->integer == INT64_MIN);
    CHECK(!json_at(n, 6)->is_integer && json_at(n, 6)->number == 18446744073709551616.0);
    CHECK_STR(json_at(n, 6)->text, "18446744073709551616");
    CHECK(json_get_bool(v, "t", false) && !json_get_bool(v, "f", true));
    CHECK_EQ(json_get(v, "z")->type, JSON_NULL);
    CHECK_EQ(json_get(v, "o")->count, 0);
    CHECK(json_at(n, 7) == NULL);
}

TEST(missing_members_and_wrong_types_give_the_fallback)
{
    const struct json_value *v =
        read_text("{\"i\":7,\"d\":1.5,\"s\":\"x\",\"big\":9223372036854775808}");
    REQUIRE(v);
    CHECK_EQ(json_get_i64(v, "i", -1), 7);
    CHECK_EQ(json_get_i64(v, "d", -1), -1);
    CHECK_EQ(json_get_i64(v, "big", -1), -1);
    CHECK_EQ(json_get_i64(v, "none", -1), -1);
    CHECK(json_get_double(v, "i", 0) == 7 && json_get_double(v, "s", 2) == 2);
    CHECK_STR(json_get_string(v, "i", "no"), "no");
    CHECK(json_get_bool(v, "i", true));
    CHECK(json_get(NULL, "i") == NULL && json_at(NULL, 0) == NULL);
    CHECK(json_get(json_get(v, "i"), "x") == NULL);
}

TEST(what_is_not_json_is_refused_with_the_place)
{
    static const struct {
        const char *text;
        int at; /* byte named in the error */
    } rows[] = {
        {"", 0},
        {"  ", 2},
        {"{", 1},
        {"[1,]", 3},
        {"[1 2]", 3},
        {"{\"a\"}", 4},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"'a'", 0},
        {"01", 1},
        {"-", 1},
        {"+1", 0},
        {"1.", 2},
        {".5", 0},
        {"1e", 2},
        {"1e+", 3},
        {"NaN", 0},
        {"Infinity", 0},
        {"tru", 0},
        {"nullx", 4},
        {"\"a", 1},
        {"\"\\", 1},
        {"\"\\x\"", 2},
        {"\"\\u12g4\"", 3},
        {"\"\\ud800\"", 7},
        {"\"\\ud800\\u0041\"", 7},
        {"\"\\udc00\"", 3},
        {"\"a\nb\"", 2},
        {"\"\x01\"", 1},
        {"\"\xff\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"1 1", 2},
        {"[1]]", 3},
        {"{}{}", 2},
        {"/*c*/1", 0},
        {"[1,2", 4},
        {"\xef\xbb\xbf{}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char place[32];
        snprintf(place, sizeof place, "at byte %d:", rows[i].at);
        if (read_text(rows[i].text))
            test_fail(__FILE__, __LINE__, "accepted: %s", rows[i].text);
        else if (!strstr(err.text, place))
            test_fail(__FILE__, __LINE__, "%s: %s, expected %s", rows[i].text, err.text, place);
        CHECK_EQ(err.code, ORIEL_EFORMAT);
        arena_reset(&arena);
    }
}

TEST(a_nul_is_neither_space_nor_end)
{
    struct json_value *v = NULL;
    CHECK(json_read(&arena, "1\0", 2, NULL, &v, NULL) == ORIEL_EFORMAT);
    CHECK(json_read(&arena, "\"a\0b\"", 5, NULL, &v, NULL) == ORIEL_EFORMAT);
    CHECK(json_read(&arena, "\"\\\0\"", 4, NULL, &v, NULL) == ORIEL_EFORMAT);
    CHECK(v == NULL);
    REQUIRE(json_read(&arena, "\"a\\u0000b\"", 10, NULL, &v, NULL) == 0);
    CHECK_MEM(v->text, v->text_n, "a\0b", 3);
}

static int read_nested(unsigned depth, unsigned max_depth)
{
    char text[400];
    struct json_value *v;
    const struct json_read_options o = {.size = sizeof o, .max_depth = max_depth};
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return json_read(&arena, text, 2 * depth, &o, &v, &err);
}

TEST(depth_size_and_number_of_values_are_bounded)
{
    CHECK_EQ(read_nested(64, 0), 0);
    CHECK_EQ(read_nested(65, 0), ORIEL_ELIMIT);
    CHECK_EQ(read_nested(150, 1000), ORIEL_ELIMIT);
    CHECK_EQ(read_nested(3, 3), 0);
    CHECK_EQ(read_nested(4, 3), ORIEL_ELIMIT);
    CHECK(strstr(err.text, "nesting at byte") != NULL);
    struct json_value *v;
    struct json_read_options o = {.size = sizeof o, .max_values = 3};
    CHECK_EQ(json_read(&arena, "[1,2,3]", 7, &o, &v, NULL), 0);
    CHECK_EQ(json_read(&arena, "[1,2,3,4]", 9, &o, &v, NULL), ORIEL_ELIMIT);
    o = (struct json_read_options){.size = sizeof o, .max_bytes = 4};
    CHECK_EQ(json_read(&arena, "1234", 4, &o, &v, NULL), 0);
    CHECK_EQ(json_read(&arena, "12345", 5, &o, &v, NULL), ORIEL_ELIMIT);
    o = (struct json_read_options){.size = 3};
    CHECK_EQ(json_read(&arena, "1", 1, &o, &v, NULL), ORIEL_EINVAL);
}

TEST(a_repeated_key_is_refused_if_asked_for)
{
    const struct json_read_options o = {.size = sizeof o, .unique_keys = true};
    static const char twice[] = "{\"a\":1,\"b\":{\"a\":1},\"a\":2}",
                      once[] = "{\"a\":1,\"b\":{\"a\":1}}";
    struct json_value *v;
    CHECK_EQ(json_read(&arena, twice, strlen(twice), &o, &v, &err), ORIEL_EFORMAT);
    CHECK_EQ(json_read(&arena, once, strlen(once), &o, &v, NULL), 0);
    CHECK_EQ(json_read(&arena, twice, strlen(twice), NULL, &v, NULL), 0);
    CHECK_EQ(json_get_i64(v, "a", 0), 2);
}

/* Every prefix, and every single byte changed: no crash, and a clear answer. */
TEST(damaged_documents_are_read_or_refused_but_never_harm)
{
    static const char doc[] =
        "{\"k\\u00e9\":[1,-2.5e3,\"x\\ud83d\\ude00\",{\"t\":true}],\"n\":null}";
    char text[sizeof doc];
    const struct json_read_options o = {.size = sizeof o, .unique_keys = true};
    size_t n = sizeof doc - 1;
    for (size_t i = 0; i < n; i++) {
        struct json_value *v = NULL;
        char *exact = mem_strndup(doc, i); /* its own block: an overrun is seen by ASan */
        CHECK(json_read(&arena, exact, i, &o, &v, NULL) != 0);
        mem_free(exact);
        for (int c = 0; c < 256; c++) {
            memcpy(text, doc, n);
            text[i] = (char)c;
            int rc = json_read(&arena, text, n, &o, &v, &err);
            CHECK(rc == 0 || rc == ORIEL_EFORMAT);
        }
        arena_reset(&arena);
    }
    arena_done(&arena);
}

TEST(every_allocation_may_fail)
{
    static const char doc[] = "{\"a\":[1,2,{\"b\":\"text\",\"c\":[]}],\"d\":1.5}";
    const struct json_read_options o = {.size = sizeof o, .unique_keys = true};
    for (uint64_t n = 1;; n++) {
        struct arena a;
        struct json_value *v = NULL;
        arena_init(&a);
        mem_fail_after(n);
        int rc = json_read(&a, doc, sizeof doc - 1, &o, &v, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || (rc == ORIEL_ENOMEM && v == NULL));
        arena_done(&a);
        CHECK_EQ(mem_live_blocks(), 0);
        if (rc == 0) {
            CHECK(n > 2);
            break;
        }
    }
}

TEST_MAIN()
