/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables that make way: which columns go, in which order, and the small texts.
 */
#include "report/sheet.h"

#include "base/mem.h"
#include "test.h"
#include "util/utf8.h"

static const struct sheet_column columns[] = {
    {"name", TABLE_TEXT, 0, 12}, {"count", TABLE_NUMBER, 0, 0}, {"p95", TABLE_NUMBER, 1, 0},
    {"max", TABLE_NUMBER, 3, 0}, {"source", TABLE_TEXT, 2, 10}, {"never", TABLE_NUMBER, 0, 0},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const char *table_at(uint32_t width, struct buf *out)
{
    static struct report r;
    static const struct model_site site = {.file = {"/usr/src/some/where/module.c", 28},
                                           .line = 88};
    struct sheet s;
    r.options.width = width;
    buf_init(out);
    sheet_init(&s, columns, COLUMNS);
    sheet_text(&s, "a.name.of.a.span");
    sheet_count(&s, 11204);
    sheet_ns(&s, 5020000);
    sheet_ns(&s, 8910000000);
    sheet_source(&s, &site);
    sheet_count_if(&s, 0, TABLE_RED);
    sheet_text(&s, "b");
    sheet_count(&s, 1);
    table_end_row(&s.table);
    sheet_put(&s, &r, out);
    return buf_cstr(out);
}

TEST(wide_enough_shows_every_column_that_has_a_cell)
{
    struct buf b;
    CHECK_STR(table_at(80, &b), "  name               count      p95     max  source\n"
                                "  a.name.of.a.span  11,204  5.02 ms  8.91 s  module.c:88\n"
                                "  b                      1\n");
    buf_done(&b);
}

TEST(text_columns_yield_before_a_column_goes)
{
    struct buf b;
    CHECK_STR(table_at(51, &b), "  name          count      p95     max  source\n"
                                "  a.name.of..  11,204  5.02 ms  8.91 s  module.c:88\n"
                                "  b                 1\n");
    buf_done(&b);
}

TEST(columns_go_in_their_order)
{
    struct buf b;
    table_at(44, &b);
    CHECK(!strstr(buf_cstr(&b), "p95"));
    CHECK(strstr(buf_cstr(&b), "source"));
    buf_done(&b);
    CHECK(!strstr(table_at(34, &b), "source"));
    CHECK(strstr(buf_cstr(&b), "max"));
    buf_done(&b);
    CHECK(!strstr(table_at(22, &b), "max"));
    CHECK(strstr(buf_cstr(&b), "count"));
    buf_done(&b);
}

TEST(a_table_without_rows_is_nothing)
{
    struct sheet s;
    struct report r = {.options.width = 80};
    struct buf b;
    buf_init(&b);
    sheet_init(&s, columns, COLUMNS);
    sheet_put(&s, &r, &b);
    CHECK_EQ(b.size, 0);
    buf_done(&b);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(cells_with_wide_characters_keep_the_columns_aligned)
{
    static const char *const names[] = {"plain", "\u65e5\u672c\u8a9e", "e\u0301", "\U0001f389"};
    struct sheet s;
    struct report r = {.options.width = 80};
    struct buf b;
    buf_init(&b);
    sheet_init(&s, columns, 2);
    for (size_t i = 0; i < 4; i++) {
        sheet_text(&s, names[i]);
        sheet_count(&s, 7);
    }
    sheet_put(&s, &r, &b);
    const char *line = buf_cstr(&b);
    for (int i = 0; i < 5; i++) {
        const char *end = strchr(line, '\n');
        REQUIRE(end);
        CHECK_EQ(utf8_width(line, (size_t)(end - line)), 2 + 6 + 2 + 5);
        line = end + 1;
    }
    buf_done(&b);
}

TEST(a_source_is_the_file_without_its_folders)
{
    static const struct model_site none = {.line = 3}, plain = {.file = {"a.c", 3}, .line = 3},
                                   folder = {.file = {"x/", 2}, .line = 4};
    struct sheet s;
    sheet_init(&s, columns, COLUMNS);
    sheet_source(&s, NULL);
    sheet_source(&s, &none);
    sheet_source(&s, &plain);
    sheet_source(&s, &folder);
    CHECK_EQ(s.table.cells.items[0].n, 0);
    CHECK_EQ(s.table.cells.items[1].n, 0);
    CHECK_MEM(s.table.text.data, s.table.text.size, "a.c:3:4", 7);
    table_done(&s.table);
}

TEST(attributes_are_short_and_say_what_they_leave_out)
{
    static char longer[1000];
    struct model_value v[30];
    struct buf b;
    memset(longer, 'x', sizeof longer);
    v[0] = (struct model_value){.key = MODEL_STR("text"), .type = ORIEL_TYPE_STR};
    v[0].v.str = (struct model_str){longer, sizeof longer};
    v[1] = (struct model_value){.key = MODEL_STR("b"), .type = ORIEL_TYPE_BOOL, .v.b = true};
    v[2] = (struct model_value){.key = MODEL_STR("i"), .type = ORIEL_TYPE_I64, .v.i64 = -5};
    v[3] = (struct model_value){.key = MODEL_STR("u"), .type = ORIEL_TYPE_U64, .v.u64 = UINT64_MAX};
    v[4] = (struct model_value){.key = MODEL_STR("f"), .type = ORIEL_TYPE_F64, .v.f64 = 0.1};
    v[5] = (struct model_value){.key = MODEL_STR("p"), .type = ORIEL_TYPE_PTR, .v.u64 = 0xff};
    v[6] = (struct model_value){
        .key = MODEL_STR("raw"), .type = ORIEL_TYPE_BYTES, .full_bytes = 99, .v.str = {longer, 9}};
    for (int i = 7; i < 30; i++)
        v[i] = (struct model_value){.key = MODEL_STR("another"), .type = ORIEL_TYPE_I64};
    buf_init(&b);
    sheet_attrs(&b, v, 30, 2);
    const char *text = buf_cstr(&b);
    CHECK_EQ(strncmp(text, "text=xxxx", 9), 0);
    CHECK(strstr(text, "x.. b=true i=-5 u=18446744073709551615 f=0.1 p=0xff raw=(99 bytes) "));
    CHECK(strstr(text, " more)"));
    CHECK(b.size < 260);
    buf_clear(&b);
    sheet_attrs(&b, v, 0, 3);
    CHECK_STR(buf_cstr(&b), "(3 more)");
    buf_done(&b);
}

TEST(what_the_pipe_says_of_memory_is_one_attribute)
{
    static const char *const keys[] = {"path", "alloc.count", "alloc.bytes", "dealloc.bytes",
                                       "alloc.self.net_bytes"};
    struct model_value v[5];
    struct buf b;
    for (int i = 0; i < 5; i++)
        v[i] = (struct model_value){
            .key = {keys[i], (uint32_t)strlen(keys[i])}, .type = ORIEL_TYPE_I64, .v.i64 = 4096};
    buf_init(&b);
    sheet_attrs(&b, v, 5, 0);
    CHECK_STR(buf_cstr(&b), "path=4096 alloc 4.1 kB");
    v[2].v.i64 = 0; /* nothing was allocated: nothing is said */
    buf_clear(&b);
    sheet_attrs(&b, v, 5, 0);
    CHECK_STR(buf_cstr(&b), "path=4096");
    v[4].key = MODEL_STR("alloc.size"); /* the program's own: kept, with all before it */
    buf_clear(&b);
    sheet_attrs(&b, v, 5, 0);
    CHECK(strstr(buf_cstr(&b), "alloc.bytes=0 dealloc.bytes=4096 alloc.size=4096"));
    buf_done(&b);
}

TEST(what_the_program_says_stands_before_what_others_say_of_it)
{
    static const char *const keys[] = {"otel.trace_state", "code.function.name", "http.route",
                                       "otel", "codec.name"};
    struct model_value v[5];
    struct buf b;
    for (int i = 0; i < 5; i++)
        v[i] = (struct model_value){
            .key = {keys[i], (uint32_t)strlen(keys[i])}, .type = ORIEL_TYPE_I64, .v.i64 = i};
    buf_init(&b);
    sheet_attrs(&b, v, 5, 0);
    CHECK_STR(buf_cstr(&b),
              "http.route=2 otel=3 codec.name=4 otel.trace_state=0 code.function.name=1");
    buf_done(&b);
}

TEST(a_graph_shows_something_wherever_there_is_something)
{
    static const double values[] = {0, 0.001, 500, 1000};
    struct buf b;
    buf_init(&b);
    sheet_spark(&b, values, 4);
    CHECK_STR(buf_cstr(&b), " \u2581\u2584\u2588");
    buf_clear(&b);
    sheet_spark(&b, values, 1);
    CHECK_STR(buf_cstr(&b), " ");
    buf_done(&b);
}

TEST_MAIN()
