/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of numbers for people. */
#include <math.h>

#include "test.h"
#include "util/num.h"

static char out[NUM_TEXT_MAX];

TEST(durations_have_three_digits_and_the_unit_that_fits)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {
        {0, "0 ns"},
        {1, "1 ns"},
        {999, "999 ns"},
        {1000, "1 us"},
        {640000, "640 us"},
        {999499, "999 us"},
        {999500, "1 ms"}, /* rounding carries into the next unit */
        {4100000, "4.1 ms"},
        {4123456, "4.12 ms"},
        {9996000, "10 ms"},
        {12345678, "12.3 ms"},
        {999499999, "999 ms"},
        {999500000, "1.00 s"},
        {1200000000, "1.20 s"},
        {5020000000, "5.02 s"},
        {99960000000, "100 s"},
        {119400000000, "119 s"},
        {119500000000, "2 min 00 s"},
        {200000000000, "3 min 20 s"},
        {3599499999999, "59 min 59 s"},
        {3599500000000, "1 h 00 min"},
        {7500000000000, "2 h 05 min"},
        {UINT64_MAX, "5124095 h 35 min"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(num_duration(out, rows[i].ns), rows[i].text);
}

TEST(bytes_are_counted_in_powers_of_a_thousand)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1 kB"},
        {61234567, "61.2 MB"},
        {96000000, "96 MB"},
        {1900000000, "1.9 GB"},
        {999499, "999 kB"},
        {999500, "1 MB"},
        {UINT64_MAX, "18.4 EB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(num_bytes(out, rows[i].bytes), rows[i].text);
}

TEST(counts_have_commas_between_thousands)
{
    CHECK_STR(num_count(out, 0), "0");
    CHECK_STR(num_count(out, 999), "999");
    CHECK_STR(num_count(out, 1000), "1,000");
    CHECK_STR(num_count(out, 92311), "92,311");
    CHECK_STR(num_count(out, 123456789), "123,456,789");
    CHECK_STR(num_count(out, UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(short_numbers_take_any_double)
{
    CHECK_STR(num_short(out, 0), "0");
    CHECK_STR(num_short(out, 92311), "92.3 k");
    CHECK_STR(num_short(out, -1234567), "-1.23 M");
    CHECK_STR(num_short(out, 0.5), "0.5");
    CHECK_STR(num_short(out, 1e300), "1e+285 P");
    CHECK_STR(num_short(out, INFINITY), "inf");
    CHECK_STR(num_short(out, -INFINITY), "-inf");
    CHECK_STR(num_short(out, NAN), "nan");
}

TEST(percentages_are_rounded_and_never_divide_by_zero)
{
    CHECK_STR(num_percent(out, 71, 100), "71 %");
    CHECK_STR(num_percent(out, 43, 10000), "0.43 %");
    CHECK_STR(num_percent(out, 1, 100), "1.0 %");
    CHECK_STR(num_percent(out, 996, 10000), "10 %");
    CHECK_STR(num_percent(out, 1, 1e9), "<0.01 %");
    CHECK_STR(num_percent(out, 0, 10), "0 %");
    CHECK_STR(num_percent(out, 5, 0), "0 %");
    CHECK_STR(num_percent(out, -5, 10), "0 %");
    CHECK_STR(num_percent(out, NAN, 10), "0 %");
}

TEST_MAIN()
