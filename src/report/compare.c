/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Student's t by the incomplete beta function (a continued fraction, modified
 * Lentz), the noise of the family by the method of moments.
 */
#include "report/compare.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define MANY_DF 1e6 /* a normal distribution */

/* ---- Student's t ---- */

/* The continued fraction of the incomplete beta function; converges fast for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double sum = d;
    for (int m = 1; m < 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double terms[2] = {even, odd};
        double change = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            c = 1 + terms[i] / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            sum *= change;
        }
        if (fabs(change - 1) < 1e-15)
            break;
    }
    return sum;
}

static double beta_part(double a, double b, double x)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double compare_p(double t, double df)
{
    assert(df > 0);
    if (df >= MANY_DF)
        return erfc(fabs(t) / sqrt(2));
    return beta_part(df / 2, 0.5, df / (df + t * t));
}

double compare_t(double p, double df)
{
    assert(p > 0 && p < 1);
    double low = 0, high = 1;
    while (compare_p(high, df) > p && high < 1e12)
        high *= 2;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (compare_p(middle, df) > p)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* ---- one row ---- */

struct side {
    double mean, variance; /* of sampling, mean of the runs */
    double spread;         /* sum of squares around the mean */
    size_t runs;
};

static struct side look_at(const struct compare_cell *cells, size_t runs)
{
    struct side s = {.runs = runs};
    assert(runs > 0);
    for (size_t i = 0; i < runs; i++) {
        s.mean += cells[i].value / (double)runs;
        s.variance += cells[i].variance / (double)runs;
    }
    for (size_t i = 0; i < runs; i++)
        s.spread += (cells[i].value - s.mean) * (cells[i].value - s.mean);
    return s;
}

/* What the runs of a side differ by beyond the error of sampling, as part of
 * the value; all rows together, so that the large ones decide. */
static double measure_noise(const struct compare_options *o, const struct compare_cell *cells,
                            size_t rows)
{
    size_t all = o->runs_a + o->runs_b;
    double beyond = 0, squares = 0;
    for (size_t i = 0; i < rows; i++) {
        const struct side sides[2] = {look_at(cells + i * all, o->runs_a),
                                      look_at(cells + i * all + o->runs_a, o->runs_b)};
        for (int k = 0; k < 2; k++) {
            double df = (double)sides[k].runs - 1;
            beyond += sides[k].spread - df * sides[k].variance;
            squares += df * sides[k].mean * sides[k].mean;
        }
    }
    double noise = beyond > 0 && squares > 0 ? sqrt(beyond / squares) : 0;
    return noise > o->noise_least ? noise : o->noise_least;
}

/* Degrees of freedom: of the row's own spread, and as many of the family's. */
static double df_of(const struct compare_options *o)
{
    double own = (double)(o->runs_a + o->runs_b) - 2;
    return own > 0 ? 2 * own : MANY_DF;
}

/* Standard error of the difference, if there is none. */
static double error_of(const struct compare_options *o, const struct side *a, const struct side *b,
                       double noise)
{
    double na = (double)a->runs, nb = (double)b->runs, own = na + nb - 2;
    assert(a->runs == o->runs_a && b->runs == o->runs_b);
    double level = (a->mean * na + b->mean * nb) / (na + nb); /* of both, if nothing changed */
    double family = (a->variance * na + b->variance * nb) / (na + nb);
    family += noise * noise * level * level;
    double variance = own > 0 ? (family + (a->spread + b->spread) / own) / 2 : family;
    return sqrt(variance * (1 / na + 1 / nb));
}

/* Probability of a difference at least this large if there is none. `wide`: the
 * wanted interval in standard errors. */
static double test(const struct compare_options *o, const struct compare_cell *cells, double noise,
                   double wide, struct compare_row *out)
{
    struct side a = look_at(cells, o->runs_a), b = look_at(cells + o->runs_a, o->runs_b);
    double se = error_of(o, &a, &b, noise), change = b.mean - a.mean;
    *out = (struct compare_row){.a = a.mean, .b = b.mean, .error = se * wide};
    if (change == 0)
        return 1;
    return se > 0 ? compare_p(change / se, df_of(o)) : 0;
}

/* ---- the family ---- */

struct tested {
    double p;
    size_t row;
};

static int by_p(const void *a, const void *b)
{
    const struct tested *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Holm: the smallest p is as good as one of n, the next as one of n - 1, ... */
static void correct(const struct compare_options *o, struct tested *t, size_t n,
                    struct compare_row *out)
{
    double worst = 0;
    if (n > 1)
        qsort(t, n, sizeof *t, by_p);
    for (size_t i = 0; i < n; i++) {
        double p = t[i].p * (double)(n - i);
        worst = p > worst ? p : worst;
        struct compare_row *row = &out[t[i].row];
        row->confidence = worst < 1 ? 1 - worst : 0;
        row->sure = worst < 1 - o->confidence;
    }
}

int compare_rows(const struct compare_options *o, const struct compare_cell *cells, size_t rows,
                 struct compare_row *out, double *out_noise)
{
    size_t all = o->runs_a + o->runs_b, n = 0;
    assert(o->runs_a > 0 && o->runs_b > 0 && o->confidence > 0 && o->confidence < 1);
    struct tested *t = mem_calloc(rows + 1, sizeof *t);
    if (!t)
        return ORIEL_ENOMEM;
    double noise = all > 2 ? measure_noise(o, cells, rows) : o->noise;
    double wide = compare_t(1 - o->confidence, df_of(o));
    for (size_t i = 0; i < rows; i++) {
        double p = test(o, cells + i * all, noise, wide, &out[i]);
        /* Which rows are tested depends on their size alone, not on the change. */
        if (out[i].a + out[i].b >= o->share_least * o->whole)
            t[n++] = (struct tested){p, i};
    }
    correct(o, t, n, out);
    *out_noise = noise;
    mem_free(t);
    return 0;
}
