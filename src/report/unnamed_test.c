/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is said of time that no function has, from profiles written as folded
 * stacks ('!' in front: could not be resolved).
 */
#include "report/report.h"
#include "report/state.h"
#include "report/test_profile.h"
#include "report/text.h"

static struct buf b;

static const char *told(const char *const *lines, uint8_t module_kind)
{
    struct profile_maker m;
    struct report *r;
    maker_begin(&m);
    m.catalog.stacks.modules[m.libz]->kind = module_kind;
    REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
    for (; *lines; lines++)
        maker_add(&m, *lines, 0, NULL);
    model_profile_done(&r->profile);
    r->profile = m.profile;
    model_profile_init(&m.profile, false);
    buf_done(&b);
    buf_init(&b);
    report_text_unnamed(r, &b);
    report_free(r);
    maker_end(&m);
    return buf_cstr(&b);
}

TEST(a_file_without_symbols_is_named_with_what_helps)
{
    static const char *const lines[] = {"main;!1000 30000000", "main;!2000 20000000",
                                        "main;parse 50000000", NULL};
    CHECK_STR(told(lines, MODEL_MODULE_FILE),
              "50 % of the CPU time is in functions of libz.so.1 that have no names: install its "
              "debug symbols, or set DEBUGINFOD_URLS\n");
}

TEST(so_is_code_made_at_run_time)
{
    static const char *const lines[] = {"main;!1000 90000000", "main;parse 10000000", NULL};
    const char *text = told(lines, MODEL_MODULE_JIT);
    CHECK(strstr(text, "90 % of the CPU time is in code made at run time that has no names: run "));
    CHECK(strstr(text, "DEBUGINFOD") == NULL);
}

TEST(little_is_not_worth_a_line_and_callers_do_not_count)
{
    static const char *const lines[] = {"main;!1000 5000000", "!2000;parse 95000000", NULL};
    CHECK_STR(told(lines, MODEL_MODULE_FILE), "");
    static const char *const none[] = {NULL};
    CHECK_STR(told(none, MODEL_MODULE_FILE), "");
}

TEST_MAIN()
