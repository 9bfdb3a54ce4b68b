/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the TOML reader: values, tables, places, refusals, limits. */
#include "util/toml.h"

#include <math.h>

#include "test.h"

static struct arena arena;
static struct oriel_err err;

static struct toml_doc *read_n(const char *text, size_t n)
{
    struct toml_doc *doc = NULL;
    err.text[0] = 0;
    return toml_read(&arena, text, n, NULL, &doc, &err) == 0 ? doc : NULL;
}

static const struct toml_value *read_root(const char *text)
{
    struct toml_doc *doc = read_n(text, strlen(text));
    if (!doc)
        test_fail(__FILE__, __LINE__, "refused: %s", err.text);
    test_stop_if_failed();
    return doc->root;
}

TEST(plain_values_of_all_types_are_read)
{
    const struct toml_value *root = read_root(
        "i = 1_000\nh = 0xdead_BEEF\no = 0o755\nb = 0b1101\nn = -17\nbig = 9223372036854775807\n"
        "f = 3.25\ne = -1e+3\ns = 'lit\\eral'\nt = true\nq = \"a\\tb\\u00e9\\U0001F600\"\n");
    CHECK_EQ(root->count, 11);
    CHECK_EQ(toml_get(root, "i")->integer, 1000);
    CHECK_EQ(toml_get(root, "h")->integer, 0xdeadbeef);
    CHECK_EQ(toml_get(root, "o")->integer, 0755);
    CHECK_EQ(toml_get(root, "b")->integer, 13);
    CHECK_EQ(toml_get(root, "n")->integer, -17);
    CHECK_EQ(toml_get(root, "big")->integer, INT64_MAX);
    CHECK(toml_get(root, "f")->number == 3.25 && toml_get(root, "f")->type == TOML_FLOAT);
    CHECK(toml_get(root, "e")->number == -1000);
    CHECK_STR(toml_get(root, "s")->text, "lit\\eral");
    CHECK(toml_get(root, "t")->type == TOML_BOOL && toml_get(root, "t")->boolean);
    CHECK_STR(toml_get(root, "q")->text, "a\tb\xc3\xa9\xf0\x9f\x98\x80");
    CHECK(toml_get(root, "none") == NULL && toml_get(toml_get(root, "i"), "x") == NULL);
}

TEST(infinity_and_nan_keep_their_sign)
{
    const struct toml_value *root = read_root("a = inf\nb = -inf\nc = +nan\nd = -nan\ne = -0.0\n");
    CHECK(isinf(toml_get(root, "a")->number) && toml_get(root, "a")->number > 0);
    CHECK(isinf(toml_get(root, "b")->number) && toml_get(root, "b")->number < 0);
    CHECK(isnan(toml_get(root, "c")->number) && !signbit(toml_get(root, "c")->number));
    CHECK(isnan(toml_get(root, "d")->number) && signbit(toml_get(root, "d")->number));
    CHECK(toml_get(root, "e")->number == 0 && signbit(toml_get(root, "e")->number));
}

TEST(the_four_kinds_of_time_are_told_apart)
{
    const struct toml_value *root = read_root("a = 1979-05-27T07:32:00.999999-07:30\n"
                                              "b = 1979-05-27 07:32:00\n"
                                              "c = 2024-02-29 # leap\nd = 23:59:60.1234567899\n"
                                              "e = 1979-05-27 00:32:00.5z\n");
    const struct toml_value *a = toml_get(root, "a");
    CHECK_EQ(a->type, TOML_DATETIME);
    CHECK(a->time.year == 1979 && a->time.month == 5 && a->time.day == 27);
    CHECK(a->time.hour == 7 && a->time.minute == 32 && a->time.second == 0);
    CHECK_EQ(a->time.ns, 999999000);
    CHECK_EQ(a->time.offset_min, -450);
    CHECK_EQ(toml_get(root, "b")->type, TOML_DATETIME_LOCAL);
    CHECK_EQ(toml_get(root, "c")->type, TOML_DATE);
    CHECK_EQ(toml_get(root, "d")->type, TOML_TIME);
    CHECK_EQ(toml_get(root, "d")->time.second, 60);
    CHECK_EQ(toml_get(root, "d")->time.ns, 123456789);
    CHECK_EQ(toml_get(root, "e")->type, TOML_DATETIME);
    CHECK_EQ(toml_get(root, "e")->time.ns, 500000000);
}

TEST(strings_of_several_lines_lose_their_first_newline_and_join_at_a_backslash)
{
    const struct toml_value *root =
        read_root("a = \"\"\"\r\none\r\ntwo \\\n   \n\t three\"\"\"\n"
                  "b = '''\nraw \\ ''quoted'' '''\nc = \"\"\"\"\"two\"\"\"\"\"\nd = ''''''\n");
    CHECK_STR(toml_get(root, "a")->text, "one\r\ntwo three");
    CHECK_STR(toml_get(root, "b")->text, "raw \\ ''quoted'' ");
    CHECK_STR(toml_get(root, "c")->text, "\"\"two\"\"");
    CHECK_EQ(toml_get(root, "d")->text_n, 0);
}

TEST(keys_may_be_bare_quoted_dotted_and_empty)
{
    const struct toml_value *root =
        read_root("1234 = 1\n\"a b\" = 2\n'' = 3\nx . \"y.z\".w = 4\nx.v = 5\n3.14 = 6\n");
    CHECK_EQ(toml_get(root, "1234")->integer, 1);
    CHECK_EQ(toml_get(root, "a b")->integer, 2);
    CHECK_EQ(toml_get(root, "")->integer, 3);
    CHECK_EQ(toml_get(toml_get(toml_get(root, "x"), "y.z"), "w")->integer, 4);
    CHECK_EQ(toml_get(toml_get(root, "x"), "v")->integer, 5);
    CHECK_EQ(toml_get(root, "x")->form, TOML_DOTTED);
    CHECK_EQ(toml_get(toml_get(root, "3"), "14")->integer, 6);
}

TEST(arrays_of_tables_take_what_follows_into_their_last_item)
{
    const struct toml_value *root =
        read_root("[a.b]\nx = 1\n[a]\ny = [1, [2, 3,], # c\n 'z'\n]\n[[p]]\nn = 1\n[p.q]\nm = 2\n"
                  "[[p]]\n[[p.r]]\n[t]\ni = { a.b = 1, a.c = [{}] }\n");
    const struct toml_value *a = toml_get(root, "a"), *p = toml_get(root, "p");
    CHECK_EQ(a->form, TOML_HEADER);
    CHECK_EQ(toml_get(toml_get(a, "b"), "x")->integer, 1);
    CHECK_EQ(toml_at(toml_at(toml_get(a, "y"), 1), 1)->integer, 3);
    CHECK_STR(toml_at(toml_get(a, "y"), 2)->text, "z");
    CHECK(toml_at(toml_get(a, "y"), 3) == NULL);
    CHECK_EQ(p->type, TOML_ARRAY);
    CHECK_EQ(p->count, 2);
    CHECK_EQ(toml_get(toml_get(toml_at(p, 0), "q"), "m")->integer, 2);
    CHECK_EQ(toml_get(toml_at(p, 1), "r")->count, 1);
    CHECK(toml_get(toml_at(p, 1), "q") == NULL);
    const struct toml_value *inner = toml_get(toml_get(toml_get(root, "t"), "i"), "a");
    CHECK_EQ(inner->count, 2);
    CHECK_EQ(toml_at(toml_get(inner, "c"), 0)->type, TOML_TABLE);
}

TEST(every_value_knows_its_place)
{
    struct toml_doc *doc = read_n("# one\n\n[a]\n  k\xc3\xa9y = 1\n", 22);
    CHECK(doc == NULL); /* bare keys are ASCII */
    CHECK_STR(err.text, "TOML:4:4: = belongs behind the key, not \xc3\xa9");
    static const char text[] = "# one\n\n[a] # two\n  'k\xc3\xa9y' = [ 1,\n\t\"x\" ]\n[[b.c]]";
    doc = read_n(text, sizeof text - 1);
    REQUIRE(doc);
    const struct toml_value *a = toml_get(doc->root, "a"), *key = toml_at(a, 0);
    CHECK(a->at.line == 3 && a->at.column == 1 && a->at.size == 3);
    CHECK(key->key_at.line == 4 && key->key_at.column == 3 && key->key_at.size == 6);
    CHECK(key->at.line == 4 && key->at.column == 11);
    CHECK(memcmp(text + key->at.offset, "[ 1,\n\t\"x\" ]", key->at.size) == 0);
    CHECK(toml_at(key, 1)->at.line == 5 && toml_at(key, 1)->at.column == 2);
    const struct toml_value *c = toml_get(toml_get(doc->root, "b"), "c");
    CHECK(c->key_at.column == 5 && toml_at(c, 0)->at.size == 7);
}

TEST(statements_put_together_are_the_file)
{
    static const char text[] = "\n# top\r\nx = '''\n\n''' # behind\n  \t\n[t]#\ny.z = 1";
    static const enum toml_statement_kind kinds[] = {TOML_BLANK, TOML_COMMENT,      TOML_PAIR,
                                                     TOML_BLANK, TOML_TABLE_HEADER, TOML_PAIR};
    struct toml_doc *doc = read_n(text, sizeof text - 1);
    REQUIRE(doc);
    size_t n = 0, at = 0;
    for (const struct toml_statement *s = doc->statements; s; s = s->next, n++) {
        REQUIRE(n < 6);
        CHECK_EQ(s->kind, kinds[n]);
        CHECK_EQ(s->at.offset, at);
        CHECK(s->table == (n < 4 ? doc->root : toml_get(doc->root, "t")));
        at += s->at.size;
    }
    CHECK_EQ(n, 6);
    CHECK_EQ(at, sizeof text - 1);
}

TEST(what_is_wrong_is_said_with_line_and_column)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"a = yes\n", "1:5: \"yes\" is no value; text stands in quotes"},
        {"\na = \n", "2:5: a value belongs here, not the end of the line"},
        {"a =", "1:4: a value belongs here, not the end of the file"},
        {"a 1", "1:3: = belongs behind the key, not 1"},
        {"= 1", "1:1: a key belongs here, not =; keys with other characters than letters, digits, "
                "_ and - stand in quotes"},
        {"a = 01", "1:5: \"01\" is no number, date or time"},
        {"a = 1__0", "1:5: \"1__0\" is no number, date or time"},
        {"a = 1.e3", "1:5: \"1.e3\" is no number, date or time"},
        {"a = 2023-02-29", "1:5: \"2023-02-29\" is no number, date or time"},
        {"a = 9223372036854775808", "1:5: \"9223372036854775808\" does not fit into 64 bits"},
        {"a = -1e309", "1:5: \"-1e309\" does not fit into 64 bits"},
        {"a = 0xffffffffffffffff", "1:5: \"0xffffffffffffffff\" does not fit into 64 bits"},
        {"a = \"x\n\"", "1:5: the string that begins here has no \" at its end on the same line"},
        {"a = '''x\n''", "1:5: the string that begins here has no ''' at its end"},
        {"a = \"\\x\"", "1:7: \\ cannot stand before x; a backslash itself is \\\\"},
        {"a = \"\\u12\"", "1:10: \\u wants 4 hex digits"},
        {"a = \"\\ud800\"", "1:8: U+D800 is no character"},
        {"a = \"\x01\"", "1:6: a string cannot have the control character U+0001 in it; write it "
                         "as \\uXXXX"},
        {"# \x07", "1:3: a comment cannot have the control character U+0007 in it"},
        {"a = 1 b = 2", "1:7: the line should end here, not go on with b"},
        {"a = 1\rb = 2", "1:6: a carriage return without a line feed"},
        {"a = [1 2]", "1:8: a comma or ] belongs here, not 2"},
        {"a = {b = 1,}", "1:12: a key belongs here, not }; keys with other characters than "
                         "letters, digits, _ and - stand in quotes"},
        {"a = {b = 1\n}", "1:11: a comma or } belongs here on the same line, not the end of the "
                          "line"},
        {"[a", "1:3: a header ends with ], not with the end of the file"},
        {"[[a]\n", "1:5: a header ends with ]], not with the end of the line"},
        {"a = 1\n\na = 2", "3:1: \"a\" is a value already, since line 1"},
        {"[a]\n[a]", "2:2: \"a\" is a table already, since line 1"},
        {"a.b = 1\n[a]", "2:2: \"a\" is a table made by dotted keys already, since line 1"},
        {"[a.b.c]\n[a]\nb.d = 1\n[a.b]", "4:4: \"b\" is a table made by dotted keys already, "
                                         "since line 1"},
        {"a = {}\n[a.b]", "2:2: \"a\" is an inline table already, since line 1"},
        {"a = []\n[[a]]", "2:3: \"a\" is an array already, since line 1"},
        {"[[a]]\n[a]", "2:2: \"a\" is an array of tables already, since line 1"},
        {"[a.b]\n[a]\nb.c = 1", "3:1: \"b\" is a table already, since line 1"},
        {"x = 1\ny\xff = 2", "2:2: not UTF-8: the byte 0xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(read_n(rows[i].text, strlen(rows[i].text)) == NULL);
        CHECK_EQ(strncmp(err.text, "TOML:", 5), 0);
        CHECK_STR(err.text + 5, rows[i].error);
    }
}

TEST(limits_on_size_depth_and_values_hold)
{
    struct toml_read_options o = {
        .size = sizeof o, .max_bytes = 100, .max_values = 5, .max_depth = 3, .name = "oriel.toml"};
    struct toml_doc *doc;
    char text[101];
    memset(text, '\n', sizeof text);
    CHECK_EQ(toml_read(&arena, text, 100, &o, &doc, &err), 0);
    CHECK_EQ(toml_read(&arena, text, 101, &o, &doc, &err), ORIEL_ELIMIT);
    CHECK_EQ(toml_read(&arena, "a.b.c = 1", 9, &o, &doc, &err), 0);
    CHECK_EQ(toml_read(&arena, "a.b.c.d = 1", 11, &o, &doc, &err), ORIEL_ELIMIT);
    CHECK_STR(err.text, "oriel.toml:1:7: too much nesting");
    CHECK_EQ(toml_read(&arena, "a = [[[1]]]", 11, &o, &doc, &err), ORIEL_ELIMIT);
    CHECK_EQ(toml_read(&arena, "a = [1,2,3,4]", 13, &o, &doc, &err), 0);
    CHECK_EQ(toml_read(&arena, "a = [1,2,3,4,5]", 15, &o, &doc, &err), ORIEL_ELIMIT);
    CHECK_STR(err.text, "oriel.toml:1:14: too many values");
    o.size--;
    CHECK_EQ(toml_read(&arena, "", 0, &o, &doc, &err), ORIEL_EINVAL);
}

TEST(nesting_beyond_the_bound_is_refused_not_followed)
{
    static char text[100000];
    memset(text, '[', sizeof text);
    memcpy(text, "a = ", 4);
    CHECK(read_n(text, sizeof text) == NULL);
    CHECK(strstr(err.text, "too much nesting") != NULL);
    for (size_t i = 1; i < sizeof text; i += 2)
        memcpy(text + i - 1, "a.", 2);
    CHECK(read_n(text, sizeof text) == NULL);
}

TEST(a_byte_order_mark_is_skipped_at_the_start_only)
{
    struct toml_doc *doc = read_n("\xef\xbb\xbf"
                                  "a = 1",
                                  8);
    REQUIRE(doc);
    CHECK_EQ(toml_get(doc->root, "a")->key_at.column, 1);
    CHECK_EQ(doc->statements->at.offset, 3);
    CHECK(read_n("a = 1\n\xef\xbb\xbf"
                 "b = 1",
                 14) == NULL);
}

TEST(nothing_is_kept_when_memory_runs_out)
{
    static const char text[] = "[a.b]\nx = ['abc', 1_0, {y = 1.5}]\n[[c]]\n'long key' = 1\n";
    struct toml_doc *doc = NULL;
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM; n++) {
        struct arena own;
        size_t blocks = mem_live_blocks();
        arena_init(&own);
        mem_fail_after(n);
        rc = toml_read(&own, text, sizeof text - 1, NULL, &doc, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        arena_done(&own);
        CHECK_EQ(mem_live_blocks(), blocks);
        REQUIRE(n < 100);
    }
    CHECK_EQ(rc, 0);
}

TEST(a_line_with_many_values_is_read_in_time_that_grows_with_it)
{
    enum { ITEMS = 500000 };
    static char text[4 + 2 * ITEMS];
    memcpy(text, "a=[", 3);
    for (size_t i = 0; i < ITEMS; i++)
        memcpy(text + 3 + 2 * i, "1,", 2);
    text[sizeof text - 1] = ']';
    struct toml_doc *doc = read_n(text, sizeof text);
    REQUIRE(doc); /* a quadratic reader would not come back before the test's deadline */
    CHECK_EQ(toml_get(doc->root, "a")->count, ITEMS);
    CHECK_EQ(toml_get(doc->root, "a")->last->at.column, 2 * ITEMS + 2);
}

TEST_MAIN()
