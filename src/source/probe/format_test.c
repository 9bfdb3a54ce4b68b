/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "source/probe/format.h"

#include <oriel/abi/site.h>

#include "test.h"

static const char text[] = "name: e0\nID: 2329\nformat:\n"
                           "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                           "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
                           "\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;\n"
                           "\tfield:s32 f0;\toffset:16;\tsize:4;\tsigned:1;\n"
                           "\tfield:__data_loc char[] f1;\toffset:20;\tsize:4;\tsigned:1;\n"
                           "\tfield:char comm[16];\toffset:24;\tsize:16;\tsigned:0;\n"
                           "\tfield:const char * name;\toffset:40;\tsize:8;\tsigned:0;\n"
                           "\tfield:bool on;\toffset:48;\tsize:1;\tsigned:0;\n"
                           "\tfield:unsigned char mac[6];\toffset:49;\tsize:6;\tsigned:0;\n"
                           "\nprint fmt: \"field:int no; offset:1; size:1; signed:0;\"\n";

TEST(fields_have_the_types_of_their_declarations)
{
    struct format f;
    REQUIRE(format_parse(text, sizeof text - 1, &f));
    CHECK_EQ(f.id, 2329);
    CHECK_EQ(f.field_count, 7); /* those that all events have are left out */
    CHECK_EQ(format_type(format_find(&f, "f0")), ORIEL_TYPE_I64);
    CHECK_EQ(format_type(format_find(&f, "f1")), ORIEL_TYPE_STR);
    CHECK_EQ(format_type(format_find(&f, "comm")), ORIEL_TYPE_STR);
    CHECK_EQ(format_type(format_find(&f, "name")), ORIEL_TYPE_PTR);
    CHECK_EQ(format_type(format_find(&f, "on")), ORIEL_TYPE_BOOL);
    CHECK_EQ(format_type(format_find(&f, "mac")), ORIEL_TYPE_BYTES);
    CHECK(!format_find(&f, "common_pid") && !format_find(&f, "no"));
}

TEST(values_are_read_within_the_bytes_and_never_beyond)
{
    struct format f;
    uint8_t raw[64] = {0};
    uint32_t where = 56 | 6u << 16;
    int32_t number = -7;
    REQUIRE(format_parse(text, sizeof text - 1, &f));
    memcpy(raw + 16, &number, 4);
    memcpy(raw + 20, &where, 4);
    memcpy(raw + 24, "worker", 6);
    memcpy(raw + 56, "hello", 6);
    CHECK_EQ((int64_t)format_number(format_find(&f, "f0"), raw, sizeof raw), -7);
    struct model_str s = format_text(format_find(&f, "f1"), raw, sizeof raw);
    CHECK(s.n == 5 && memcmp(s.p, "hello", 5) == 0);
    s = format_text(format_find(&f, "comm"), raw, sizeof raw);
    CHECK(s.n == 6 && memcmp(s.p, "worker", 6) == 0);
    s = format_text(format_find(&f, "f1"), raw, 60); /* the text is cut off */
    CHECK_EQ(s.n, 0);
    CHECK_EQ(format_number(format_find(&f, "f0"), raw, 18), 0);
}

TEST(texts_that_make_no_sense_are_refused)
{
    struct format f;
    CHECK(!format_parse("", 0, &f));
    CHECK(!format_parse("field:int;;;", 12, &f));
    CHECK(!format_parse("ID: \n", 5, &f));
    CHECK(format_parse("ID: 7\nfield:x", 13, &f));
    CHECK_EQ(f.field_count, 0);
}

TEST_MAIN()
