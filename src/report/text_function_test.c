/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One function and one file, from profiles written as folded stacks.
 */
#include "base/err.h"
#include "report/report.h"
#include "report/state.h"
#include "report/test_profile.h"

struct told {
    struct profile_maker m;
    struct report *r;
    struct buf b;
};

static void begin(struct told *t, const char *const *lines)
{
    maker_begin(&t->m);
    REQUIRE(report_new(&t->r, NULL, &t->m.catalog) == 0);
    for (; *lines; lines++)
        maker_add(&t->m, *lines, 0, NULL);
    model_profile_done(&t->r->profile);
    t->r->profile = t->m.profile;
    model_profile_init(&t->m.profile, false);
    buf_init(&t->b);
}

static void end(struct told *t)
{
    buf_done(&t->b);
    report_free(t->r);
    maker_end(&t->m);
}

static bool made_up_line(void *user, struct model_str file, uint32_t line, struct model_str *out)
{
    static char text[32];
    (void)user;
    if (!model_str_equal(file, MODEL_STR("/src/app.c")) || line > 40)
        return false;
    out->p = text;
    out->n = (uint32_t)snprintf(text, sizeof text, "\tline_%u();", line);
    return true;
}
static const struct report_sources made_up = {made_up_line, NULL};

static const char *const stacks[] = {"main;load;parse 30000000", "main;save;parse 10000000",
                                     "main;load;parse;copy 20000000", "main;ns::run(int) 40000000",
                                     NULL};

TEST(callers_callees_and_lines_of_a_function_are_told)
{
    struct told t;
    begin(&t, stacks);
    REQUIRE(report_function(t.r, "parse", &made_up, &t.b) == 0);
    const char *text = buf_cstr(&t.b);
    CHECK(strstr(text, "CPU time: self 40 ms (40 %), total 60 ms (60 % of all), 3 samples"));
    CHECK(strstr(text, "  load        83 %  50 ms\n"));
    CHECK(strstr(text, "  save        17 %  10 ms\n"));
    CHECK(strstr(text, "  copy    33 %  20 ms\n"));
    /* "parse" has five letters: the maker puts it into line 15. */
    CHECK(strstr(text, "  15  67 %  100 %          line_15();\n"));
    CHECK(strstr(text, "  13                       line_13();\n"));
    CHECK(strstr(text, "  17                       line_17();\n"));
    CHECK(!strstr(text, "line_18"));
    end(&t);
}

TEST(a_name_is_enough_without_scope_and_parameters)
{
    static const char *const names[] = {"ns::run(int)", "ns::run", "run", "s::ru"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct told t;
        begin(&t, stacks);
        CHECK_EQ(report_function(t.r, names[i], NULL, &t.b), 0);
        CHECK(strncmp(buf_cstr(&t.b), "ns::run(int)\n", 13) == 0);
        buf_clear(&t.b);
        CHECK_EQ(report_function(t.r, "nothing", NULL, &t.b), ORIEL_ENOTFOUND);
        end(&t);
    }
}

TEST(lines_of_a_file_have_their_share_of_all)
{
    struct told t;
    begin(&t, stacks);
    REQUIRE(report_source(t.r, "app.c", &made_up, &t.b) == 0);
    CHECK(strstr(buf_cstr(&t.b), "  15  40 %   60 %          line_15();\n"));
    /* Names of four letters share a line; it cannot have more than all. */
    CHECK(strstr(buf_cstr(&t.b), "  14  20 %  100 %          line_14();\n"));
    CHECK(strstr(buf_cstr(&t.b), "  22  40 %   40 %          line_22();\n")); /* ns::run(int) */
    buf_clear(&t.b);
    CHECK_EQ(report_source(t.r, "other.c", &made_up, &t.b), ORIEL_ENOTFOUND);
    REQUIRE(report_source(t.r, "/src/app.c", NULL, &t.b) == 0);
    end(&t);
}

TEST_MAIN()
