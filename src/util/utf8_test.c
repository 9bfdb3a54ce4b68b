/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of UTF-8: exhaustive over code points and two-byte sequences. */
#include "util/utf8.h"

#include "base/mem.h"
#include "test.h"

/* A plain encoder as the judge. */
static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

TEST(every_character_is_recognised_and_every_surrogate_refused)
{
    for (uint32_t c = 0; c <= 0x110fff; c++) {
        char text[8];
        uint32_t back = 0;
        size_t n = encode(c, text);
        unsigned got = utf8_next(text, n, &back);
        bool good = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        char put[4];
        if (good)
            CHECK_MEM(put, (size_t)(utf8_put(put, c) - put), text, n);
        if (good ? got != n || back != c : got != 0)
            test_fail(__FILE__, __LINE__, "U+%X: length %u, read as U+%X", c, got, back);
        if (good && n > 1 && utf8_next(text, n - 1, &back) != 0)
            test_fail(__FILE__, __LINE__, "U+%X is accepted though cut", c);
    }
}

TEST(overlong_forms_and_stray_bytes_are_refused)
{
    static const char *const bad[] = {"\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\x80",
                                      "\xbf",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "\xf4\x90\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xc3(",
                                      "\xe2\x82(",
                                      "\xe2(\xa1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!utf8_valid(bad[i], strlen(bad[i])));
    }
    CHECK(!utf8_valid("abcdefgh\xc3\xa9", 9)); /* cut behind a fast run */
    CHECK(utf8_valid("", 0));
    CHECK(utf8_valid(NULL, 0)); /* an empty buffer */
    static const char plain[] = "plain ascii, longer than a word";
    static const char mixed[] = "h\xc3\xa9llo w\xc3\xb6rld \xe2\x82\xac \xf0\x9f\x98\x80";
    CHECK(utf8_valid(plain, sizeof plain - 1));
    CHECK(utf8_valid(mixed, sizeof mixed - 1));
}

static void check_repair(const char *in, size_t n, const char *expected)
{
    struct buf b;
    buf_init(&b);
    utf8_repair(&b, NULL, 0);
    utf8_repair(&b, in, n);
    CHECK(utf8_valid(b.data, b.size));
    CHECK_STR(buf_cstr(&b), expected);
    buf_done(&b);
}

#define R "\xef\xbf\xbd"

TEST(each_error_becomes_one_replacement_character)
{
    check_repair("ok", 2, "ok");
    check_repair("a\xff"
                 "b",
                 3, "a" R "b");
    check_repair("\x80\x80", 2, R R);
    check_repair("\xe2\x82", 2, R); /* a cut character is one error */
    check_repair("\xe2\x82"
                 "A",
                 3, R "A");
    check_repair("\xf0\x9f\x98", 3, R);
    check_repair("\xed\xa0\x80", 3, R R R); /* no start of anything */
    check_repair("\xf0\x80\x80\x80", 4, R R R R);
    check_repair("\xc3\xa9\xc3", 3, "\xc3\xa9" R);
}

TEST(any_two_or_three_bytes_are_repaired_to_valid_text)
{
    struct buf b;
    buf_init(&b);
    for (uint32_t v = 0; v < 1 << 24; v += v < 1 << 16 ? 1 : 251) {
        char in[3] = {(char)v, (char)(v >> 8), (char)(v >> 16)};
        buf_clear(&b);
        utf8_repair(&b, in, 3);
        if (!utf8_valid(b.data, b.size) || b.size < 3)
            test_fail(__FILE__, __LINE__, "%06x is repaired wrongly", v);
        if (utf8_valid(in, 3) && (b.size != 3 || memcmp(b.data, in, 3) != 0))
            test_fail(__FILE__, __LINE__, "%06x was valid and got changed", v);
    }
    buf_done(&b);
}

TEST(nothing_that_moves_a_terminal_stays_printable)
{
    struct buf b;
    static const char evil[] = "a\x1b[31m\r\n\t\x7f\xc2\x9b"
                               "b\xe2\x80\xae"
                               "c\xff";
    buf_init(&b);
    utf8_printable(&b, evil, sizeof evil - 1);
    CHECK_STR(buf_cstr(&b), "a" R "[31m" R R R R R "b" R "c" R);
    buf_clear(&b);
    utf8_printable(&b, "caf\xc3\xa9 \xe6\x97\xa5", 9);
    CHECK_STR(buf_cstr(&b), "caf\xc3\xa9 \xe6\x97\xa5");
    buf_done(&b);
}

TEST(cutting_never_splits_a_character)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 2 3 4 1 bytes */
    static const size_t starts[] = {0, 1, 3, 6, 10, 11};
    size_t n = sizeof text - 1;
    CHECK_EQ(utf8_count(text, n), 5);
    for (size_t chars = 0; chars <= 7; chars++)
        CHECK_EQ(utf8_cut_chars(text, n, chars), starts[chars < 5 ? chars : 5]);
    for (size_t bytes = 0; bytes <= n + 2; bytes++) {
        size_t cut = utf8_cut_bytes(text, n, bytes), expected = 0;
        for (int i = 0; i < 6; i++)
            if (starts[i] <= bytes)
                expected = starts[i];
        CHECK_EQ(cut, expected);
    }
    CHECK_EQ(utf8_cut_bytes("\x80\x80\x80\x80\x80\x80", 6, 5), 5); /* nothing to split */
    CHECK_EQ(utf8_cut_chars("\xff\xff\xff", 3, 2), 2);
    CHECK_EQ(utf8_cut_chars("", 0, 2), 0);
}

TEST(width_counts_wide_and_combining_characters)
{
    CHECK_EQ(utf8_width("abc", 3), 3);
    CHECK_EQ(utf8_width("\xc3\xa9", 2), 1);
    CHECK_EQ(utf8_width("e\xcc\x81", 3), 1);                /* e and a combining accent */
    CHECK_EQ(utf8_width("\xe6\x97\xa5\xe6\x9c\xac", 6), 4); /* two ideographs */
    CHECK_EQ(utf8_width("\xf0\x9f\x98\x80", 4), 2);
    CHECK_EQ(utf8_width("\xe2\x80\x8b", 3), 0);
    CHECK_EQ(utf8_width("\xff\xff", 2), 2);
    CHECK_EQ(utf8_cut_width("\xe6\x97\xa5\xe6\x9c\xac", 6, 3), 3);
    CHECK_EQ(utf8_cut_width("e\xcc\x81x", 4, 1), 3); /* the accent stays with its letter */
    CHECK_EQ(utf8_cut_width("abc", 3, 0), 0);
}

TEST_MAIN()
