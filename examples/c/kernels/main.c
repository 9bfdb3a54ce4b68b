/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * kernels ID...
 *
 * Runs these kernels on a thousand numbers and prints their sum.
 *
 *   oriel record -o run.oriel -- kernels scale smooth square && oriel report -t run.oriel
 */
#include <stdio.h>

#include "kernels.h"

enum { NUMBERS = 1000 };

int main(int argc, char **argv)
{
    static double numbers[NUMBERS];
    double sum = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: kernels ID...   (scale, smooth, square)\n");
        return 2;
    }
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = i;
    if (kernels_run(NULL, (const char *const *)argv + 1, numbers, NUMBERS) < 0) {
        fprintf(stderr, "kernels: no such kernel; there are scale, smooth, square\n");
        return 1;
    }
    for (int i = 0; i < NUMBERS; i++)
        sum += numbers[i];
    printf("%.0f\n", sum);
    return 0;
}
