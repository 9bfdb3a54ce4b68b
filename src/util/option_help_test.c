/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the help text, compared as a person would read it. */
#include "util/option_help.h"

#include "base/mem.h"
#include "test.h"

static const char *const policies[] = {"drop", "overwrite", NULL};
static const struct option_def defs[] = {
    {.name = "out", .letter = 'o', .type = OPTION_STRING, .help = "where to write", .arg = "FILE"},
    {.name = "live", .type = OPTION_BOOL, .help = "show it while it runs", .fallback = "false"},
    {.name = "ring_kib",
     .type = OPTION_INT,
     .help = "memory for records that nobody has read yet, in KiB",
     .fallback = "16384"},
    {.name = "policy",
     .type = OPTION_ENUM,
     .choices = policies,
     .help = "what a full ring does",
     .fallback = "drop"},
    {.name = "a_name_that_is_longer_than_its_column",
     .type = OPTION_DURATION,
     .help = "is said alone"},
    {.name = "token",
     .type = OPTION_STRING,
     .help = "kept to itself",
     .fallback = "hunter2",
     .secret = true},
    OPTION_END,
};

static const char *help(unsigned width)
{
    static struct buf b;
    buf_clear(&b);
    option_help(defs, width, &b);
    return buf_cstr(&b);
}

TEST(rows_are_aligned_and_say_the_default)
{
    CHECK_STR(help(0), "  -o, --out FILE    where to write\n"
                       "      --live        show it while it runs\n"
                       "      --ring-kib N  memory for records that nobody has read yet, in KiB\n"
                       "                    (default: 16384)\n"
                       "      --policy drop|overwrite\n"
                       "                    what a full ring does (default: drop)\n"
                       "      --a-name-that-is-longer-than-its-column TIME\n"
                       "                    is said alone\n"
                       "      --token TEXT  kept to itself\n");
}

TEST(no_line_is_wider_than_the_terminal_where_words_allow)
{
    for (unsigned width = 40; width <= 120; width++)
        for (const char *line = help(width); *line; line += strcspn(line, "\n") + 1) {
            size_t n = strcspn(line, "\n");
            if (n > width && line[6] != '-')
                test_fail(__FILE__, __LINE__, "%u: %.*s", width, (int)n, line);
            CHECK(n == 0 || line[n - 1] != ' ');
        }
    CHECK(strstr(help(10), "in KiB") != NULL); /* taken as 40 */
}

TEST(wrapping_keeps_long_words_whole_and_counts_characters)
{
    struct buf b;
    buf_init(&b);
    option_help_wrap(&b, "one two averyveryverylongword four", 4, 2, 12);
    CHECK_STR(buf_cstr(&b), "one two\n  averyveryverylongword\n  four");
    buf_clear(&b);
    option_help_wrap(&b, "\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\xc3\xa9", 0, 0, 7);
    CHECK_STR(buf_cstr(&b), "\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\xc3\xa9");
    buf_clear(&b);
    option_help_wrap(&b, "", 0, 0, 7);
    CHECK_STR(buf_cstr(&b), "");
    buf_done(&b);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        struct buf b;
        buf_init(&b);
        mem_fail_after(n);
        option_help(defs, 80, &b);
        mem_fail_after(0);
        bool failed = b.failed;
        buf_done(&b);
        CHECK_EQ(mem_live_blocks(), 0);
        if (!failed) {
            CHECK(n > 1);
            break;
        }
    }
}

TEST_MAIN()
