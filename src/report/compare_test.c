/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The statistics against published values and against made-up runs whose truth
 * is known. All random numbers come from fixed seeds.
 */
#include "report/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "random.h"
#include "test.h"

enum { ROWS = 30, FAMILIES = 400 };

static uint64_t seed;

static double uniform(void)
{
    return ((double)(random_next(&seed) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static double poisson(double mean)
{
    if (mean > 50) {
        double x = floor(mean + sqrt(mean) * normal() + 0.5);
        return x > 0 ? x : 0;
    }
    double limit = exp(-mean), p = 1;
    int n = -1;
    do
        p *= uniform(), n++;
    while (p > limit);
    return n;
}

static bool near(double a, double b, double by)
{
    return fabs(a - b) <= by;
}

TEST(probabilities_are_those_of_the_books)
{
    CHECK(near(compare_p(12.706, 1), 0.05, 1e-4));
    CHECK(near(compare_p(2.776, 4), 0.05, 1e-4));
    CHECK(near(compare_p(4.604, 4), 0.01, 1e-4));
    CHECK(near(compare_p(2.228, 10), 0.05, 1e-4));
    CHECK(near(compare_p(1.980, 120), 0.05, 1e-4));
    CHECK(near(compare_p(1.959964, 1e9), 0.05, 1e-6));
    CHECK(near(compare_p(0, 7), 1, 1e-12));
    CHECK(compare_p(-2, 5) == compare_p(2, 5));
    for (double p = 0.5; p > 1e-9; p /= 7)
        for (double df = 1; df < 1e7; df *= 9)
            CHECK(near(compare_p(compare_t(p, df), df), p, p * 1e-6));
}

/* Functions from 3 to 3,000 samples, runs that differ by `noise`. */
struct made {
    size_t runs_a, runs_b;
    double noise, slower; /* the last row, in B */
};

static void make(const struct made *m, struct compare_cell *cells)
{
    size_t all = m->runs_a + m->runs_b;
    for (size_t run = 0; run < all; run++) {
        for (size_t i = 0; i < ROWS; i++) {
            double mean = 3 * pow(1000, (double)i / (ROWS - 1));
            mean *= 1 + m->noise * normal();
            if (i + 1 == ROWS && run >= m->runs_a)
                mean *= m->slower;
            double n = poisson(mean > 0 ? mean : 0);
            cells[i * all + run] = (struct compare_cell){n, n + 1};
        }
    }
}

/* In how many of the families a change is claimed: of any row but the last, of the last. */
static void claims(const struct made *m, double noise, int *out_wrong, int *out_found)
{
    size_t all = m->runs_a + m->runs_b;
    struct compare_cell *cells = malloc(ROWS * all * sizeof *cells);
    struct compare_row rows[ROWS];
    struct compare_options o = {.runs_a = m->runs_a,
                                .runs_b = m->runs_b,
                                .confidence = 0.95,
                                .noise = noise,
                                .noise_least = 0.01};
    *out_wrong = *out_found = 0;
    seed = 42;
    for (int k = 0; k < FAMILIES; k++) {
        double used;
        bool wrong = false;
        make(m, cells);
        REQUIRE(compare_rows(&o, cells, ROWS, rows, &used) == 0);
        for (size_t i = 0; i + 1 < ROWS; i++)
            wrong |= rows[i].sure;
        *out_wrong += wrong;
        *out_found += rows[ROWS - 1].sure;
    }
    free(cells);
}

TEST(runs_of_the_same_build_are_hardly_ever_told_apart)
{
    static const struct made all[] = {{1, 1, 0, 1},    {1, 1, 0.05, 1}, {3, 3, 0, 1},
                                      {3, 3, 0.05, 1}, {5, 5, 0.2, 1},  {2, 10, 0.1, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int wrong, last;
        claims(&all[i], 0.05, &wrong, &last);
        /* 5 % are promised at most: 20 of 400, and 4.4 is one deviation. */
        CHECK(wrong + last <= 28);
    }
}

TEST(a_slower_function_is_found_and_no_other)
{
    static const struct made all[] = {
        {1, 1, 0, 1.4}, {3, 3, 0.01, 1.15}, {5, 5, 0.03, 1.25}, {10, 10, 0.03, 1.1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int wrong, found;
        claims(&all[i], 0.05, &wrong, &found);
        CHECK(found >= FAMILIES * 9 / 10);
        CHECK(wrong <= 28);
    }
}

TEST(the_interval_holds_the_truth_as_often_as_it_says)
{
    struct compare_cell cells[ROWS * 6];
    struct compare_row rows[ROWS];
    const struct made m = {3, 3, 0.03, 1};
    struct compare_options o = {
        .runs_a = 3, .runs_b = 3, .confidence = 0.9, .noise = 0.05, .noise_least = 0.001};
    int inside = 0, all = 0;
    seed = 7;
    for (int k = 0; k < FAMILIES; k++) {
        double used;
        make(&m, cells);
        REQUIRE(compare_rows(&o, cells, ROWS, rows, &used) == 0);
        for (int i = 0; i < ROWS; i++, all++)
            inside += fabs(rows[i].b - rows[i].a) <= rows[i].error;
    }
    CHECK(inside > all * 0.88 && inside < all * 0.97);
}

TEST(the_noise_between_runs_is_measured_where_there_are_several)
{
    struct compare_cell cells[ROWS * 20];
    struct compare_row rows[ROWS];
    const struct made m = {10, 10, 0.1, 1};
    struct compare_options o = {
        .runs_a = 10, .runs_b = 10, .confidence = 0.95, .noise = 0.5, .noise_least = 0.01};
    double used;
    seed = 3;
    make(&m, cells);
    REQUIRE(compare_rows(&o, cells, ROWS, rows, &used) == 0);
    CHECK(used > 0.07 && used < 0.13);
    o.runs_a = o.runs_b = 1;
    REQUIRE(compare_rows(&o, cells, ROWS, rows, &used) == 0);
    CHECK(used == 0.5);
}

TEST(equal_runs_and_empty_families_are_no_change)
{
    struct compare_cell cells[4] = {{10, 0}, {10, 0}, {0, 0}, {0, 0}};
    struct compare_row rows[2];
    struct compare_options o = {.runs_a = 1, .runs_b = 1, .confidence = 0.95, .noise = 0};
    double used;
    REQUIRE(compare_rows(&o, cells, 2, rows, &used) == 0);
    CHECK(!rows[0].sure && !rows[1].sure && rows[0].confidence == 0);
    REQUIRE(compare_rows(&o, cells, 0, rows, &used) == 0);
}

TEST(rows_too_small_to_matter_are_not_tested_and_do_not_blur_the_others)
{
    struct compare_cell cells[4] = {{1000, 1001}, {1200, 1201}, {1, 1}, {100, 1}};
    struct compare_row rows[2];
    struct compare_options o = {
        .runs_a = 1, .runs_b = 1, .confidence = 0.95, .share_least = 0.1, .whole = 2301};
    double used;
    REQUIRE(compare_rows(&o, cells, 2, rows, &used) == 0);
    CHECK(rows[0].sure && !rows[1].sure && rows[1].confidence == 0);
}

TEST(no_memory_is_said)
{
    struct compare_cell cells[2] = {{1, 1}, {2, 1}};
    struct compare_row rows[1];
    struct compare_options o = {.runs_a = 1, .runs_b = 1, .confidence = 0.95};
    double used;
    mem_fail_after(1);
    int rc = compare_rows(&o, cells, 1, rows, &used);
    mem_fail_after(0);
    CHECK_EQ(rc, ORIEL_ENOMEM);
}

TEST_MAIN()
