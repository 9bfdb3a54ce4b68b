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

static bool own; /* the file is a library of ours */

static const char *told(const char *const *lines, uint8_t module_kind)
{
    struct profile_maker m;
    struct report *r;
    maker_begin(&m);
    m.catalog.stacks.modules[m.libz]->kind = module_kind;
    if (own)
        m.catalog.stacks.modules[m.libz]->path = MODEL_STR("/usr/lib/liboriel-alloc.so.0");
    REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
    for (; *lines; lines++)
        maker_add(&m, *lines, 0, NULL);
    model_profile_done(&r->profile);
    r->profile = m.profile;
    model_profile_init(&m.profile, false);
    buf_done(&b);
    buf_init(&b);
    report_text_unnamed(r, &b);
    report_text_own(r, &b);
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

TEST(functions_of_which_only_the_start_is_known_have_no_names_either)
{
    const struct model_module app = {.kind = MODEL_MODULE_FILE, .path = MODEL_STR("/bin/app")};
    static const struct {
        const char *name, *file;
        bool start;
    } names[] = {{"app+0x1a2b0", "", true},  {"app+0x", "", false},       {"app+0x1g", "", false},
                 {"+0x1a", "", false},       {"app", "", false},          {"ap+0x12", "", false},
                 {"app+0x12", "a.c", false}, {"app+0x12(int)", "", false}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct model_line line = {
            .function = {names[i].name, (uint32_t)strlen(names[i].name)},
            .file = {names[i].file, (uint32_t)strlen(names[i].file)}};
        CHECK_EQ(frames_is_start(&app, &line), names[i].start);
    }
    CHECK(!frames_is_start(NULL, &(struct model_line){.function = MODEL_STR("+0x1")}));
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

TEST(what_our_hooks_took_is_told_and_what_they_called_is_the_programs)
{
    static const char *const lines[] = {"main;!1000 5000000", "!2000;parse 95000000", NULL};
    own = true;
    CHECK_STR(told(lines, MODEL_MODULE_FILE),
              "5.0 % of the CPU time was Oriel's own hooks in the program (liboriel-*), not the "
              "program's\n");
    static const char *const few[] = {"main;!1000 1", "main;parse 1000", NULL};
    CHECK_STR(told(few, MODEL_MODULE_FILE), "");
    own = false;
}

TEST_MAIN()
