/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program of somebody else: knows Oriel only as it was installed. Says a few
 * things with nobody listening and must not notice.
 */
#define ORIEL_TARGET "consumer"
#include <oriel/oriel.h>
#include <stdio.h>

static int work(int n)
{
    ORIEL_SPAN("work", "n", n);
    int sum = 0;
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("step", "i", i);
        sum += i;
    }
    ORIEL_INFO("worked", "sum", sum);
    ORIEL_SPAN_SET("sum", sum);
    return sum;
}

int main(void)
{
    if (work(10) != 45)
        return 1;
    printf("oriel %s, %s\n", oriel_version(), oriel_enabled() ? "on" : "off");
    return oriel_enabled() ? 2 : 0;
}
