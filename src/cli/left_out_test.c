/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of what a build leaves out, whatever that is: it is in no list. */
#include "util/left_out.h"

#include <string.h>

#include "cli/cli.h"
#include "export/exporter.h"
#include "source/source.h"
#include "test.h"

TEST(what_is_left_out_is_in_no_list)
{
    for (const struct left_out *r = left_out_rows; r->list; r++) {
        if (strcmp(r->list, "EXPORTER") == 0)
            CHECK(export_find(r->name) == NULL);
        else if (strcmp(r->list, "SOURCE") == 0)
            CHECK(source_find(r->name) == NULL);
        else if (strcmp(r->list, "COMMAND") == 0)
            CHECK(cli_command_find(r->name) == NULL);
        else
            test_fail(__FILE__, __LINE__, "a list of %s", r->list);
    }
}

TEST(what_is_left_out_is_found_with_its_component_and_what_is_there_is_not)
{
    char why[LEFT_OUT_WHY_BYTES];
    for (const struct left_out *r = left_out_rows; r->list; r++) {
        CHECK_STR(left_out_find(r->list, r->name, strlen(r->name), why), r->component);
        CHECK(strstr(why, r->component) && strstr(why, LEFT_OUT_ADVICE));
        CHECK(left_out_find(r->list, r->name, strlen(r->name) - 1, NULL) == NULL);
    }
    for (size_t i = 0; export_registry[i]; i++)
        CHECK(!left_out_find("EXPORTER", export_registry[i]->name, strlen(export_registry[i]->name),
                             why));
}

TEST(each_component_is_told_once)
{
    for (size_t i = 0; left_out_component(i); i++)
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(left_out_component(i), left_out_component(k)) != 0);
}

TEST_MAIN()
