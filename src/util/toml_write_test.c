/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the TOML writer and of edits: what is written reads back the same. */
#include <math.h>

#include "test.h"
#include "util/toml.h"

static struct arena arena;
static struct oriel_err err;
static struct buf out;

static struct toml_doc *read_text(const char *text)
{
    struct toml_doc *doc = NULL;
    if (toml_read(&arena, text, strlen(text), NULL, &doc, &err) != 0)
        test_fail(__FILE__, __LINE__, "refused: %s", err.text);
    test_stop_if_failed();
    return doc;
}

static const char *rewritten(const char *text)
{
    buf_clear(&out);
    toml_write(&out, read_text(text)->root);
    return buf_cstr(&out);
}

TEST(plain_values_are_written_so_that_they_read_back)
{
    CHECK_STR(rewritten("a=+1\nb=1.0\nc=1e300\nd=-0.0\ne=[ ]\nf={x=[1,'a'],y={}}\ng=inf\nh=-inf\n"
                        "i=nan\nj=true\nk=0x10\n"),
              "a = 1\nb = 1.0\nc = 1e+300\nd = -0.0\ne = []\ng = inf\nh = -inf\ni = nan\nj = true\n"
              "k = 16\n\n[f]\nx = [1, \"a\"]\n\n[f.y]\n");
}

TEST(times_are_written_with_the_digits_they_had)
{
    static const char text[] = "a = 1979-05-27T07:32:00.500-07:30\nb = 1979-05-27T07:32:00Z\n"
                               "c = 0001-01-01\nd = 00:00:00.000000001\n"
                               "e = 1979-05-27T07:32:00\nf = 1979-05-27T07:32:00+14:00\n";
    CHECK_STR(rewritten(text), text);
}

TEST(keys_and_strings_are_quoted_where_they_must_be)
{
    CHECK_STR(rewritten("'a b' = 'x\"y\\z'\n'' = \"\\u0000\\u001f\\t\\u007f\\n\"\n"
                        "\"\xc3\xa9\" = '\xe2\x82\xac'\na-b_9 = ''\n"),
              "\"a b\" = \"x\\\"y\\\\z\"\n\"\" = \"\\u0000\\u001F\\t\\u007F\\n\"\n"
              "\"\xc3\xa9\" = \"\xe2\x82\xac\"\na-b_9 = \"\"\n");
    buf_clear(&out);
    toml_put_string(&out, "a\xff\"", 3);
    CHECK_STR(buf_cstr(&out), "\"a\xef\xbf\xbd\\\"\"");
}

TEST(tables_come_behind_pairs_and_get_headers_only_where_needed)
{
    CHECK_STR(
        rewritten("[a.b.c]\nx = 1\n[a.e]\n[[p]]\n[[p]]\nq = 1\n[[p.r]]\n[p.\"s t\"]\nu = 1\n"),
        "[a.b.c]\nx = 1\n\n[a.e]\n\n[[p]]\n\n[[p]]\nq = 1\n\n[[p.r]]\n\n[p.\"s t\"]\nu = 1\n");
    CHECK_STR(rewritten("a = [{b = 1}, {c = {d = 2}}]\ne = [{}, 1]\n"),
              "e = [{}, 1]\n\n[[a]]\nb = 1\n\n[[a]]\n\n[a.c]\nd = 2\n");
}

TEST(a_tree_made_by_hand_is_bounded_in_depth)
{
    struct toml_value *v = toml_new(&arena, TOML_TABLE), *item;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i <= TOML_DEPTH_MAX; i++, v = item) {
        item = toml_new(&arena, TOML_TABLE);
        rc = toml_add(&arena, v, "k", 1, item);
        CHECK_EQ(rc, i < TOML_DEPTH_MAX ? 0 : ORIEL_ELIMIT);
    }
}

static const char file[] = "# head\n[old] # why\nx = 1 # one\n\n\ty = [ # many\n  2 ]\n";

TEST(edits_leave_everything_else_as_it_was)
{
    struct toml_doc *doc = read_text(file);
    const struct toml_value *old = toml_get(doc->root, "old");
    struct toml_edits e;
    toml_edits_init(&e, &arena);
    const struct toml_place *y = &toml_at(old, 1)->at, *name = &old->key_at;
    CHECK_EQ(toml_edits_replace(&e, y->offset, y->size, "[]", 2), 0);
    CHECK_EQ(toml_edits_replace(&e, name->offset, name->size, "telemetry", 9), 0);
    CHECK_EQ(toml_edits_replace(&e, 0, 0, "# first\n", 8), 0);
    CHECK_EQ(toml_edits_replace(&e, 0, 0, "# second\n", 9), 0);
    buf_clear(&out);
    toml_edits_apply(&e, doc, &out);
    CHECK_STR(buf_cstr(&out), "# first\n# second\n# head\n[telemetry] # why\nx = 1 # one\n\n"
                              "\ty = []\n");
    toml_edits_done(&e);
}

TEST(what_is_inserted_stands_before_what_is_replaced_there)
{
    struct toml_doc *doc = read_text("a = 1\n");
    struct toml_edits e;
    toml_edits_init(&e, &arena);
    CHECK_EQ(toml_edits_replace(&e, 0, 1, "b", 1), 0);
    CHECK_EQ(toml_edits_replace(&e, 0, 0, "x = 2\n", 6), 0);
    CHECK_EQ(toml_edits_replace(&e, 0, 0, "y = 3\n", 6), 0);
    CHECK_EQ(toml_edits_replace(&e, 0, 1, "c", 1), ORIEL_EINVAL);
    buf_clear(&out);
    toml_edits_apply(&e, doc, &out);
    CHECK_STR(buf_cstr(&out), "x = 2\ny = 3\nb = 1\n");
    toml_edits_done(&e);
}

TEST(edits_that_overlap_are_refused)
{
    struct toml_doc *doc = read_text(file);
    struct toml_edits e;
    toml_edits_init(&e, &arena);
    CHECK_EQ(toml_edits_replace(&e, 5, 10, "", 0), 0);
    CHECK_EQ(toml_edits_replace(&e, 14, 2, "", 0), ORIEL_EINVAL);
    CHECK_EQ(toml_edits_replace(&e, 4, 2, "", 0), ORIEL_EINVAL);
    CHECK_EQ(toml_edits_replace(&e, 6, 0, "", 0), ORIEL_EINVAL);
    CHECK_EQ(toml_edits_replace(&e, 15, 1, "!", 1), 0);
    CHECK_EQ(toml_edits_replace(&e, 3, 2, "?", 1), 0);
    buf_clear(&out);
    toml_edits_apply(&e, doc, &out);
    CHECK_EQ(out.size, sizeof file - 1 - 13 + 2);
    toml_edits_done(&e);
}

TEST(edits_that_cannot_be_kept_change_nothing)
{
    struct toml_edits e;
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc != 0; n++) {
        struct arena own;
        arena_init(&own);
        toml_edits_init(&e, &own);
        mem_fail_after(n);
        rc = toml_edits_replace(&e, 0, 1, "x", 1);
        mem_fail_after(0);
        CHECK_EQ(e.count, rc == 0 ? 1 : 0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        toml_edits_done(&e);
        arena_done(&own);
        REQUIRE(n < 10);
    }
}

TEST_MAIN()
