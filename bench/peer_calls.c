/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Function entry and exit: a small function called many times, built with
 * -pg for uftrace, and plain for the base.
 */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static int step(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1000000;
    int x = 0;
    for (long i = 0; i < n; i++)
        x = step(x);
    return x == -1;
}
