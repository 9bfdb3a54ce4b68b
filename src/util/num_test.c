/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of number conversion, against printf and strtod as judges. */
#include "util/num.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "random.h"
#include "test.h"

static void check_u64(uint64_t v)
{
    char ours[32], theirs[32];
    *num_put_u64(ours, v) = 0;
    snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)v);
    CHECK_STR(ours, theirs);
    *num_put_i64(ours, (int64_t)v) = 0;
    snprintf(theirs, sizeof theirs, "%lld", (long long)v);
    CHECK_STR(ours, theirs);
    uint64_t u = ~v;
    int64_t i = 0;
    CHECK_EQ(num_parse_i64(theirs, strlen(theirs), &i), 0);
    CHECK_EQ(i, (int64_t)v);
    *num_put_u64(ours, v) = 0;
    CHECK_EQ(num_parse_u64(ours, strlen(ours), &u), 0);
    CHECK(u == v);
}

TEST(integers_of_every_length_and_sign_come_out_exactly)
{
    uint64_t seed = 1;
    for (uint64_t p = 1, digits = 0; digits < 20; digits++, p *= 10) {
        check_u64(p - 1);
        check_u64(p);
        check_u64(p + 1);
        check_u64(0 - p);
    }
    for (int shift = 0; shift < 64; shift++)
        for (int i = 0; i < 200; i++)
            check_u64(random_next(&seed) >> shift);
    check_u64(0);
    check_u64(UINT64_MAX);
    check_u64((uint64_t)INT64_MIN);
}

TEST(padded_digits_and_hex_fill_their_place)
{
    char out[16];
    *num_put_padded(out, 42, 6) = 0;
    CHECK_STR(out, "000042");
    *num_put_padded(out, 7, 1) = 0;
    CHECK_STR(out, "7");
    *num_put_hex(out, "\x00\xff\x1a", 3) = 0;
    CHECK_STR(out, "00ff1a");
}

static void check_text(double v, const char *text)
{
    char out[NUM_DOUBLE_MAX + 1];
    *num_put_double(out, v) = 0;
    CHECK_STR(out, text);
}

TEST(doubles_are_written_as_short_as_they_can_be)
{
    check_text(0, "0");
    check_text(-0.0, "-0");
    check_text(1, "1");
    check_text(0.1, "0.1");
    check_text(-0.25, "-0.25");
    check_text(1.5e-5, "0.000015");
    check_text(3.14159265358979, "3.14159265358979");
    check_text(0.1 + 0.2, "0.30000000000000004");
    check_text(1e15, "1000000000000000");
    check_text(1e300, "1e+300");
    check_text(5e-324, "5e-324");
    check_text(99.99, "99.99");
    check_text(9007199254740991.0, "9007199254740991");
    check_text(NAN, "NaN");
    check_text(INFINITY, "Infinity");
    check_text(-INFINITY, "-Infinity");
}

static void check_round_trip(double v)
{
    char out[NUM_DOUBLE_MAX + 1];
    char *end = num_put_double(out, v);
    double back;
    CHECK(end - out <= NUM_DOUBLE_MAX);
    *end = 0;
    back = strtod(out, NULL);
    CHECK(memcmp(&back, &v, sizeof v) == 0);
    CHECK_EQ(num_parse_double(out, (size_t)(end - out), &back), 0);
    if (memcmp(&back, &v, sizeof v) != 0)
        test_fail(__FILE__, __LINE__, "%s reads back as %.17g", out, back);
}

TEST(every_double_reads_back_as_itself)
{
    uint64_t seed = 7;
    for (int i = 0; i < (int)test_times(100000); i++) {
        uint64_t bits = random_next(&seed);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v))
            check_round_trip(v);
        check_round_trip((double)(int64_t)bits / 1e6);
        check_round_trip((double)(bits >> 40) / 1000);
    }
    check_round_trip(DBL_MAX);
    check_round_trip(DBL_MIN);
    check_round_trip(nextafter(1, 2));
    check_round_trip(nextafter(9007199254740992.0, 0));
}

static void check_parse(const char *text)
{
    double ours = -77, theirs = strtod(text, NULL);
    CHECK_EQ(num_parse_double(text, strlen(text), &ours), 0);
    if (memcmp(&ours, &theirs, sizeof ours) != 0)
        test_fail(__FILE__, __LINE__, "%s is %.17g, expected %.17g", text, ours, theirs);
}

TEST(parsing_rounds_as_strtod_does)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "0.1e1",
        "1e22",
        "1e23",
        "1e-22",
        "123456789012345678901234",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000001",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9e-324",
        "2.4e-324",
        "1e-400",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e400",
        "1e99999999999",
        "0e99999999999",
        "0.000000000000000000000000000000000000000000000000000000000000000001",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "9775872070963302864166928879109465555478519404026306574886715058206819089020007083836762"
        "738548458177115317644757302700698555713669596228429148198608349364752927190741684443655",
        "6631236871.469758276785396630275967242440",
        "1000000000000000000000000000000000000000000000000000000000000e-60",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_parse(texts[i]);
    uint64_t seed = 3;
    for (int i = 0; i < (int)test_times(50000); i++) {
        char text[64];
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)random_next(&seed),
                 (unsigned long long)random_next(&seed), (int)(random_next(&seed) % 640) - 320);
        check_parse(text);
    }
}

TEST(a_very_long_number_is_cut_where_it_no_longer_matters)
{
    static char text[5000];
    memset(text, '7', sizeof text);
    text[1] = '.';
    double v = 0;
    CHECK_EQ(num_parse_double(text, sizeof text, &v), 0);
    CHECK(v == 7.7777777777777777777777777777777);
    memset(text, '7', sizeof text);
    CHECK_EQ(num_parse_double(text, 300, &v), 0);
    CHECK(v > 7.77e299 && v < 7.78e299);
    memcpy(text + sizeof text - 6, "e-4700", 6);
    CHECK_EQ(num_parse_double(text, sizeof text, &v), 0);
    CHECK(v > 7.77e293 && v < 7.78e293);
}

TEST(what_is_not_a_number_is_refused)
{
    static const char *const texts[] = {"",     "-",     ".",   "e1",  "1e",   "1e+", "0x10",
                                        " 1",   "1 ",    "1,5", "nan", "inf",  "--1", "+-1",
                                        "1..2", "1e1.5", "1_0", "١",   "1e--1"};
    double d = 5;
    uint64_t u = 5;
    int64_t i = 5;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        size_t n = strlen(texts[k]);
        CHECK(num_parse_double(texts[k], n, &d) != 0);
        CHECK(num_parse_u64(texts[k], n, &u) != 0);
        CHECK(num_parse_i64(texts[k], n, &i) != 0);
    }
    CHECK(d == 5 && u == 5 && i == 5);
    CHECK(num_parse_u64("18446744073709551616", 20, &u) != 0);
    CHECK(num_parse_u64("-1", 2, &u) != 0);
    CHECK(num_parse_i64("9223372036854775808", 19, &i) != 0);
    CHECK(num_parse_i64("-9223372036854775809", 20, &i) != 0);
    CHECK(num_parse_i64("-9223372036854775808", 20, &i) == 0 && i == INT64_MIN);
}

TEST(the_locale_of_the_program_changes_nothing)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool found = false;
    for (int i = 0; i < 4 && !found; i++)
        found = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!found)
        test_skip("no locale with a decimal comma here");
    check_text(0.1 + 0.2, "0.30000000000000004");
    double v;
    CHECK_EQ(num_parse_double("0.30000000000000004", 19, &v), 0);
    CHECK(v == 0.1 + 0.2);
    char out[NUM_TEXT_MAX];
    CHECK_STR(num_duration(out, 1234567), "1.23 ms");
}

TEST_MAIN()
