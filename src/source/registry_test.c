/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which source reads what, by content alone.
 */
#include <stdio.h>

#include "source/source.h"
#include "test.h"

static const char *reader(const char *head, size_t n)
{
    return source_detect(head, n)->name;
}

TEST(files_are_told_by_their_content)
{
    static const char folded[] = "main;work 12\nmain 3\n",
                      script[] = "a 1/2 [000] 1.5: 7 cycles:\n", gzip[] = "\x1f\x8b\x08",
                      other[] = "hello world\n", binary[] = "\0\1\2\3";
    CHECK_STR(reader("ORIELCP\1", 8), "file");
    CHECK_STR(reader("PERFILE2\x68", 9), "perfdata");
    CHECK_STR(reader(folded, sizeof folded - 1), "folded");
    CHECK_STR(reader(script, sizeof script - 1), "script");
    CHECK_STR(reader(gzip, sizeof gzip - 1), "pprof");
    /* Of nobody: the source of captures says why not. */
    CHECK_STR(reader(other, sizeof other - 1), "file");
    CHECK_STR(reader(binary, sizeof binary - 1), "file");
    CHECK_STR(reader("", 0), "file");
}

TEST(every_source_is_found_by_its_name)
{
    for (size_t i = 0; source_registry[i]; i++)
        CHECK(source_find(source_registry[i]->name) == source_registry[i]);
    CHECK(source_find("nothing") == NULL);
}

TEST_MAIN()
