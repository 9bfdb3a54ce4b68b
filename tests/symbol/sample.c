/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the oracle is asked about: inlined calls, parts, statics, macros, switches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    int key;
    char text[16];
};

static inline int twice(int x)
{
    return x * 2 + 1;
}
static inline int mix(int a, int b)
{
    int sum = 0;
    for (int i = 0; i < b; i++)
        sum += twice(a + i) ^ twice(sum);
    return sum;
}
static int compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}
__attribute__((noinline)) static int choose(int what, int x)
{
    switch (what & 7) {
    case 0:
        return mix(x, 3);
    case 1:
        return twice(x);
    case 2:
        return (int)strlen("abc") + x;
    case 3:
        return abs(x) % 17;
    case 4:
        return mix(twice(x), twice(2));
    default:
        if (x < 0)
            abort();
        return -x;
    }
}
__attribute__((noinline)) static long run(int n)
{
    struct pair *pairs = calloc((size_t)n, sizeof *pairs);
    long sum = 0;
    if (!pairs)
        return -1;
    for (int i = 0; i < n; i++) {
        pairs[i].key = choose(i, i * 7919 % 1000);
        snprintf(pairs[i].text, sizeof pairs[i].text, "k%d", pairs[i].key);
    }
    qsort(pairs, (size_t)n, sizeof *pairs, compare);
    for (int i = 0; i < n; i++)
        sum += mix(pairs[i].key, i & 3) + pairs[i].text[0];
    free(pairs);
    return sum;
}
int main(int argc, char **argv)
{
    printf("%ld\n", run(argc > 1 ? atoi(argv[1]) : 1000));
    return 0;
}
