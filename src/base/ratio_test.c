/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Thresholds against the examples of the specification, and that ids as the
 * record path makes them are spread evenly enough for them.
 */
#include "base/ratio.h"

#include <oriel/abi/record.h>

#include <math.h>
#include <string.h>

#include "random.h"
#include "test.h"

TEST(shares_have_the_thresholds_of_the_specification)
{
    static const struct {
        double share;
        uint64_t threshold;
        const char *text;
    } cases[] = {
        {1, 0, "0"},
        {0.5, UINT64_C(0x80000000000000), "8"},
        {0.25, UINT64_C(0xc0000000000000), "c"},
        {0.125, UINT64_C(0xe0000000000000), "e"},
        {0.0625, UINT64_C(0xf0000000000000), "f"},
        {0.75, UINT64_C(0x40000000000000), "4"},
        {1 / 256.0, UINT64_C(0xff000000000000), "ff"},
        {0x1p-56, UINT64_C(0xffffffffffffff), "ffffffffffffff"},
        {0, RATIO_NONE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[15];
        CHECK_EQ(ratio_threshold(cases[i].share), cases[i].threshold);
        ratio_text(cases[i].threshold, text);
        CHECK_STR(text, cases[i].text);
    }
    CHECK_EQ(ratio_threshold(-1), RATIO_NONE);
    CHECK_EQ(ratio_threshold(7), 0);
    CHECK_EQ(ratio_threshold(NAN), 0);
    CHECK_EQ(ratio_threshold(0x1p-60), RATIO_NONE);
}

static uint64_t lower_half(const char *hex16)
{
    uint8_t b[8];
    uint64_t v;
    for (unsigned i = 0; i < 8; i++) {
        unsigned byte = 0;
        for (unsigned k = 0; k < 2; k++) {
            char c = hex16[2 * i + k];
            byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        b[i] = (uint8_t)byte;
    }
    memcpy(&v, b, 8);
    return v;
}

TEST(the_rightmost_seven_bytes_decide)
{
    CHECK_EQ(ratio_randomness(lower_half("ab29d6a7215ced0b")), UINT64_C(0x29d6a7215ced0b));
    CHECK(!ratio_keeps(lower_half("ff7fffffffffffff"), ratio_threshold(0.5)));
    CHECK(ratio_keeps(lower_half("0080000000000000"), ratio_threshold(0.5)));
    CHECK(ratio_keeps(0, 0));
    CHECK(!ratio_keeps(UINT64_MAX, RATIO_NONE));
}

TEST(a_larger_share_keeps_what_a_smaller_one_keeps)
{
    uint64_t seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t x = random_next(&seed);
        if (ratio_keeps(x, ratio_threshold(0.1)))
            CHECK(ratio_keeps(x, ratio_threshold(0.11)) && ratio_keeps(x, ratio_threshold(0.9)));
    }
}

/* As a thread makes them: spans of one size, one behind the other. */
TEST(ids_of_one_thread_are_kept_in_their_share)
{
    static const double shares[] = {0.5, 0.1, 0.01};
    static const unsigned steps[] = {32, 48, 104};
    enum { COUNT = 100000 };
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            uint64_t raw = UINT64_C(0x0003000000000000), salt = UINT64_C(0x9e3779b97f4a7c15);
            unsigned kept = 0;
            for (unsigned i = 0; i < COUNT; i++, raw += steps[k])
                kept += ratio_keeps(oriel_id_mix(raw) ^ salt, ratio_threshold(shares[s]));
            double expected = shares[s] * COUNT;
            CHECK(fabs(kept - expected) < 6 * sqrt(expected));
        }
}

TEST_MAIN()
