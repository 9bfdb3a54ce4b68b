/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Plots and frames: sums, the curve over time, and the slowest frames.
 */
#include "report/series.h"

#include "base/mem.h"
#include "test.h"

static void plot(struct series *s, uint32_t name, uint64_t t_ns, double value)
{
    const struct model_plot p = {.t_ns = t_ns, .value = {.type = ORIEL_TYPE_F64, .v.f64 = value}};
    CHECK_EQ(series_plot(s, &p, name), 0);
}

static void frame(struct series *s, uint32_t name, uint64_t t_ns)
{
    const struct model_frame f = {.t_ns = t_ns};
    CHECK_EQ(series_frame(s, &f, name), 0);
}

TEST(a_plot_knows_its_range_mean_and_last_value)
{
    struct series s = {0};
    plot(&s, 3, 10, -1.5);
    plot(&s, 3, 20, 4.5);
    plot(&s, 3, 30, 3);
    const struct plot_stats *p = &s.plots.items[0];
    CHECK(p->min == -1.5 && p->max == 4.5 && p->last == 3 && p->sum == 6);
    CHECK_EQ(p->count, 3);
    CHECK(!p->integer);
    series_done(&s);
}

TEST(the_curve_of_any_length_keeps_every_value)
{
    for (uint64_t step = 1; step < UINT64_C(1) << 50; step *= 1000) {
        struct series s = {0};
        double sum = 0;
        uint64_t count = 0;
        for (uint64_t i = 0; i < 1000; i++)
            plot(&s, 1, UINT64_C(1) << 60 | i * step, (double)i);
        const struct curve *c = &s.plots.items[0].curve;
        for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
            sum += c->sums[i];
            count += c->counts[i];
        }
        CHECK(sum == 499500);
        CHECK_EQ(count, 1000);
        /* As soon as there is time for it, at least half of the slots are in use. */
        CHECK(step < 1000000 || c->counts[SERIES_SLOTS / 2 - 1]);
        series_done(&s);
    }
}

TEST(values_that_are_no_numbers_are_left_out)
{
    struct series s = {0};
    plot(&s, 1, 10, __builtin_nan(""));
    plot(&s, 1, 10, __builtin_inf());
    const struct model_plot text = {.value = {.type = ORIEL_TYPE_STR}};
    CHECK_EQ(series_plot(&s, &text, 1), 0);
    CHECK_EQ(s.plots.count, 0);
    const struct model_plot whole = {.value = {.type = ORIEL_TYPE_I64, .v.i64 = -7}};
    CHECK_EQ(series_plot(&s, &whole, 1), 0);
    CHECK(s.plots.items[0].integer && s.plots.items[0].last == -7);
    series_done(&s);
}

TEST(frames_are_the_time_between_marks)
{
    struct series s = {0};
    uint64_t now = 1000;
    for (uint64_t i = 0; i < 100; i++) {
        frame(&s, 1, now);
        now += i == 40 ? 500 : i == 70 ? 300 : 16;
    }
    const struct frame_stats *f = &s.frames.items[0];
    CHECK_EQ(f->count, 100);
    CHECK_EQ(f->hist.count, 99);
    CHECK_EQ(f->max, 500);
    CHECK_EQ(f->slow[0].ns, 500);
    CHECK_EQ(f->slow[0].t_ns, 1000 + 40 * 16);
    CHECK_EQ(f->slow[1].ns, 300);
    CHECK_EQ(f->slow_count, FRAMES_SLOW);
    CHECK_EQ(hist_quantile(&f->hist, 500, f->max), 16);
    series_done(&s);
}

TEST(names_without_end_stay_within_bounds)
{
    struct series s = {0};
    for (uint32_t i = 0; i < 10 * SERIES_MAX; i++) {
        plot(&s, i, i, 1);
        frame(&s, i, i);
    }
    CHECK_EQ(s.plots.count, SERIES_MAX);
    CHECK_EQ(s.plots_dropped, 9 * SERIES_MAX);
    CHECK_EQ(s.frames.count, SERIES_MAX);
    CHECK_EQ(s.frames_dropped, 9 * SERIES_MAX);
    series_done(&s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
