/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of tables, compared as a person would read them. */
#include "util/table.h"

#include "base/mem.h"
#include "test.h"
#include "util/utf8.h"

static const struct table_column columns[] = {
    {"span", TABLE_TEXT}, {"count", TABLE_NUMBER}, {"total", TABLE_NUMBER}, {"where", TABLE_TEXT}};

static struct table t;
static struct buf b;

static void fill(void)
{
    table_init(&t, columns, 4);
    table_cell(&t, "index.file");
    table_cell(&t, "11,204");
    table_cell(&t, "8.91 s");
    table_end_row(&t);
    table_cell(&t, "  tokenize");
    table_cellf(&t, "%d", 9);
    table_cell(&t, "390 us");
    table_cell(&t, "tokenize.c:88  isident() 61 %");
}

static const char *put(unsigned indent, unsigned width, bool colour)
{
    buf_clear(&b);
    table_put(&t, indent, width, colour, &b);
    return buf_cstr(&b);
}

TEST(text_stands_left_numbers_right_and_lines_end_without_spaces)
{
    fill();
    CHECK_STR(put(2, 0, false), "  span         count   total  where\n"
                                "  index.file  11,204  8.91 s\n"
                                "    tokenize       9  390 us  tokenize.c:88  isident() 61 %\n");
    table_done(&t);
    buf_done(&b);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_widest_text_column_yields_first_and_numbers_never)
{
    fill();
    CHECK_STR(put(0, 50, false), "span         count   total  where\n"
                                 "index.file  11,204  8.91 s\n"
                                 "  tokenize       9  390 us  tokenize.c:88  iside..\n");
    CHECK_STR(put(0, 38, false), "span         count   total  where\n"
                                 "index.file  11,204  8.91 s\n"
                                 "  tokenize       9  390 us  tokenize..\n");
    CHECK_STR(put(0, 34, false), /* both text columns at their least */
              "span       count   total  where\n"
              "index...  11,204  8.91 s\n"
              "  toke..       9  390 us  tokeni..\n");
    CHECK_STR(put(0, 1, false), put(0, 34, false));
}

TEST(places_without_a_name_are_cut_where_they_are_alike)
{
    static const struct table_column one[] = {{"", TABLE_TEXT}};
    static const struct {
        const char *text, *cut; /* to 24 columns */
    } cases[] = {
        {"46 % in libsqlite3.so.0.8.6+0x12340", "46 % in libsql..+0x12340"},
        {"libsqlite3.so.0.8.6+0x1234", "libsqlite3.so.0..+0x1234"},
        {"libz.so.1.2.13+0x1f40", "libz.so.1.2.13+0x1f40"}, /* fits */
        {"a_function_of_this_name+0x", "a_function_of_this_nam.."},
        {"a_function_of_this_name 0x12", "a_function_of_this_nam.."},
        {"a_name+0xTHIS_IS_NO_OFFSET_1", "a_name+0xTHIS_IS_NO_OF.."},
        {"operator_plus_plus_face_face", "operator_plus_plus_fac.."},
        {"module+0x0123456789abcdef0123", "module+0x0123456789abc.."}, /* no room for both */
        {"\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac"
         "\xe6\x97\xa5\xe6\x9c\xac+0x12345678",
         "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5..+0x12345678"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        table_init(&t, one, 1);
        table_cell(&t, cases[i].text);
        snprintf(line, sizeof line, "\n%s\n", cases[i].cut);
        CHECK_STR(put(0, 24, false), line);
        table_done(&t);
    }
    buf_done(&b);
}

TEST(no_line_is_wider_than_asked_at_any_width_that_fits)
{
    fill();
    for (unsigned width = 36; width < 80; width++)
        for (const char *line = put(2, width, false); *line; line += strcspn(line, "\n") + 1)
            CHECK(utf8_width(line, strcspn(line, "\n")) <= width);
}

TEST(wide_characters_keep_the_columns_straight)
{
    static const struct table_column two[] = {{NULL, TABLE_TEXT}, {NULL, TABLE_NUMBER}};
    table_init(&t, two, 2);
    table_cell(&t, "\xe6\x97\xa5\xe6\x9c\xac");
    table_cell(&t, "1");
    table_cell(&t, "e\xcc\x81tude");
    table_cell(&t, "22");
    CHECK_STR(put(0, 0, false), "\xe6\x97\xa5\xe6\x9c\xac    1\n"
                                "e\xcc\x81tude  22\n");
    table_done(&t);
    table_init(&t, two, 2); /* cut between, not within, characters */
    table_cell(&t, "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac");
    table_cell(&t, "1");
    CHECK_STR(put(0, 12, false), "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5..   1\n");
    CHECK_STR(put(0, 11, false), "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5..  1\n");
}

TEST(what_a_program_wrote_cannot_command_the_terminal)
{
    static const struct table_column one[] = {{NULL, TABLE_TEXT}};
    table_init(&t, one, 1);
    table_cell(&t, "a\x1b[2Jb\nc\xff");
    CHECK_STR(put(0, 0, true), "a\xef\xbf\xbd[2Jb\xef\xbf\xbd"
                               "c\xef\xbf\xbd\n");
}

TEST(colour_changes_no_width)
{
    static const struct table_column two[] = {{"a", TABLE_TEXT}, {"b", TABLE_NUMBER}};
    table_init(&t, two, 2);
    table_cell_n(&t, "red", 3, TABLE_RED);
    table_cell(&t, "1");
    CHECK_STR(put(0, 0, true), "\x1b[1ma\x1b[0m    \x1b[1mb\x1b[0m\n\x1b[31mred\x1b[0m  1\n");
    CHECK_STR(put(0, 0, false), "a    b\nred  1\n");
}

TEST(an_empty_table_is_its_header)
{
    table_init(&t, columns, 4);
    table_end_row(&t); /* no row was begun */
    CHECK_STR(put(0, 0, false), "span  count  total  where\n");
    table_cell(&t, "half"); /* a row left unfinished still ends with a newline */
    CHECK_STR(put(0, 0, false), "span  count  total  where\nhalf\n");
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        mem_fail_after(n);
        buf_init(&b);
        fill();
        table_put(&t, 2, 0, false, &b);
        mem_fail_after(0);
        bool failed = b.failed;
        CHECK(failed == !strstr(buf_cstr(&b), "isident"));
        buf_done(&b);
        table_done(&t);
        CHECK_EQ(mem_live_blocks(), 0);
        if (!failed) {
            CHECK(n > 3);
            break;
        }
    }
}

TEST_MAIN()
