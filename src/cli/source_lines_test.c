/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lines of files that are there, and of those that are not.
 */
#include "cli/source_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static struct model_str text(const char *p)
{
    return (struct model_str){p, (uint32_t)strlen(p)};
}

static void write_file(char path[32], const char *content)
{
    snprintf(path, 32, "/tmp/oriel-lines-XXXXXX");
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
}

TEST(lines_are_given_without_their_ends)
{
    struct source_lines s;
    struct model_str line;
    char a[32], b[32];
    write_file(a, "one\n\r\nthree\r\nlast");
    write_file(b, "");
    source_lines_init(&s, UINT64_MAX);
    static const char *const lines[] = {"one", "", "three", "last"};
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 4; i++) {
            REQUIRE(source_lines_get(&s, text(a), i + 1, &line));
            CHECK(model_str_equal(line, text(lines[i])));
        }
        CHECK(!source_lines_get(&s, text(a), 0, &line));
        CHECK(!source_lines_get(&s, text(a), 5, &line));
        CHECK(!source_lines_get(&s, text(b), 1, &line));
    }
    source_lines_done(&s);
    unlink(a);
    unlink(b);
}

TEST(what_is_no_file_has_no_lines)
{
    struct source_lines s;
    struct model_str line;
    source_lines_init(&s, 0);
    static const char *const paths[] = {"", "/nowhere/at/all.c", "/tmp", "/dev/zero"};
    for (size_t i = 0; i < 4; i++)
        CHECK(!source_lines_get(&s, text(paths[i]), 1, &line));
    CHECK(!s.newer);
    source_lines_done(&s);
}

TEST_MAIN()
