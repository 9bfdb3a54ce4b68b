/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "report/report.h"
#include "report/state.h"
#include "report/test_profile.h"

static struct buf b;

static void set(struct model_catalog *c, const char *key, const char *value)
{
    REQUIRE(model_catalog_set_resource(c, (struct model_str){key, (uint32_t)strlen(key)},
                                       (struct model_str){value, (uint32_t)strlen(value)}) == 0);
}

static const char *markdown(struct profile_maker *m, const char *stack)
{
    struct report *r;
    REQUIRE(report_new(&r, NULL, &m->catalog) == 0);
    maker_add(m, stack, 0, NULL);
    model_profile_done(&r->profile);
    r->profile = m->profile;
    model_profile_init(&m->profile, false);
    buf_done(&b);
    buf_init(&b);
    REQUIRE(report_markdown(r, NULL, &b) == 0);
    report_free(r);
    return buf_cstr(&b);
}

TEST(it_tells_what_was_recorded_and_holds_the_report)
{
    struct profile_maker m;
    maker_begin(&m);
    m.catalog.start_ns = UINT64_C(1767225600) * 1000000000;
    set(&m.catalog, "service.name", "app");
    set(&m.catalog, "process.command_args", "[\"app\",\"-v\"]");
    set(&m.catalog, "vcs.ref.head.revision", "0123abcd");
    set(&m.catalog, "oriel.vcs.dirty", "true");
    const char *text = markdown(&m, "main;parse 30000000");
    static const char head[] = "### Profile of `app`\n\n- recorded: 2026-01-01 00:00 UTC\n"
                               "- command: `[\"app\",\"-v\"]`\n"
                               "- commit: `0123abcd`, with changes\n\n```text\n";
    CHECK(strncmp(text, head, sizeof head - 1) == 0);
    CHECK(strstr(text, "\n  parse ") != NULL);
    CHECK_STR(text + strlen(text) - 5, "\n```\n");
    maker_end(&m);
}

TEST(nothing_in_it_is_taken_for_markup)
{
    struct profile_maker m;
    maker_begin(&m);
    set(&m.catalog, "process.command_args", "a`b\nc");
    const char *text = markdown(&m, "main;f```g 30000000");
    CHECK(strstr(text, "- command: `a'b c`\n") != NULL);
    CHECK(strstr(text, "\n````text\n") != NULL);
    CHECK_STR(text + strlen(text) - 6, "\n````\n");
    maker_end(&m);
}

TEST_MAIN()
