/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers for people: three digits, a unit, thousands apart. Rounding can carry
 * into the next unit (999.6 us is 1 ms), so the unit is chosen after it.
 */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "util/num.h"

/* v in [0, 1000) to three digits; `trim` drops zeros behind the point. */
static int put_three(char *out, size_t n, double v, bool trim)
{
    int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
    char text[32];
    snprintf(text, sizeof text, "%.*f", decimals, v);
    for (char *p = text; *p; p++)
        if (*p == ',')
            *p = '.'; /* whatever the locale thinks */
    size_t len = strlen(text);
    if (trim && decimals) {
        while (text[len - 1] == '0')
            len--;
        if (text[len - 1] == '.')
            len--;
        text[len] = 0;
    }
    return snprintf(out, n, "%s", text);
}

/* v in the first unit in which it rounds to less than 1000. */
static char *put_scaled(char out[NUM_TEXT_MAX], double v, const char *const *units)
{
    assert(v >= 0);
    while (v >= 999.5 && units[1]) {
        v /= 1000;
        units++;
    }
    if (v >= 999.5) {
        snprintf(out, NUM_TEXT_MAX, "%.3g%s", v, *units);
        return out;
    }
    int n = put_three(out, NUM_TEXT_MAX, v, true);
    snprintf(out + n, NUM_TEXT_MAX - (size_t)n, "%s", *units);
    return out;
}

char *num_duration(char out[NUM_TEXT_MAX], uint64_t ns)
{
    static const char *const small[] = {" ns", " us", " ms", NULL};
    double s = (double)ns / 1e9;
    uint64_t whole = ns / 1000000000u + (ns % 1000000000u >= 500000000u);
    if (ns < 999500000u)
        return put_scaled(out, (double)ns, small);
    if (whole < 120) {
        int n = put_three(out, NUM_TEXT_MAX, s, false);
        snprintf(out + n, NUM_TEXT_MAX - (size_t)n, " s");
    } else if (whole < 3600) {
        snprintf(out, NUM_TEXT_MAX, "%u min %02u s", (unsigned)(whole / 60),
                 (unsigned)(whole % 60));
    } else {
        uint64_t minutes = (whole + 30) / 60;
        snprintf(out, NUM_TEXT_MAX, "%llu h %02u min", (unsigned long long)(minutes / 60),
                 (unsigned)(minutes % 60));
    }
    return out;
}

char *num_bytes(char out[NUM_TEXT_MAX], uint64_t bytes)
{
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB", " PB", " EB", NULL};
    return put_scaled(out, (double)bytes, units);
}

char *num_count(char out[NUM_TEXT_MAX], uint64_t v)
{
    char digits[NUM_U64_MAX];
    size_t n = (size_t)(num_put_u64(digits, v) - digits), at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

char *num_short(char out[NUM_TEXT_MAX], double v)
{
    static const char *const units[] = {"", " k", " M", " G", " T", " P", NULL};
    if (!isfinite(v)) {
        snprintf(out, NUM_TEXT_MAX, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return out;
    }
    if (v < 0) {
        char positive[NUM_TEXT_MAX];
        snprintf(out, NUM_TEXT_MAX, "-%.30s", put_scaled(positive, -v, units));
        return out;
    }
    return put_scaled(out, v, units);
}

char *num_percent(char out[NUM_TEXT_MAX], double part, double whole)
{
    double v = whole > 0 ? 100 * part / whole : 0;
    if (!(v >= 0) || v > 1e9)
        v = 0;
    if (v >= 9.95 || v == 0)
        snprintf(out, NUM_TEXT_MAX, "%.0f %%", v);
    else if (v < 0.005)
        snprintf(out, NUM_TEXT_MAX, "<0.01 %%");
    else
        snprintf(out, NUM_TEXT_MAX, "%.*f %%", v >= 0.995 ? 1 : 2, v);
    for (char *p = out; *p; p++)
        if (*p == ',')
            *p = '.';
    return out;
}
