/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Compiled with room for calls at the beginning of its functions, and hard on
 * whoever exchanges return addresses: values in every kind of register, calls in
 * place of returns, stacks that are left, copied, and gone on with by another thread,
 * signals at any time, threads that are cancelled. Exit 0 when all came out right.
 *
 *   all      each of these
 *   deep N   N calls inside each other, again and again; for samples
 *   turns    100 calls of target() for each line of stdin, answered by "step"
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __clang__
#define APART __attribute__((noinline))
#define JUMPS
#else
#define APART __attribute__((noinline, noclone))
#define JUMPS __attribute__((optimize("optimize-sibling-calls")))
#endif
#define BARRIER() __asm__ volatile("" ::: "memory")

static int wrong;

static void check(int right, const char *what)
{
    if (right)
        return;
    wrong = 1;
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
}

/* ---- registers ---- */

struct pair {
    double a;
    long b;
};
APART static double doubles(double a, float b, double c, double d, double e, double f, double g,
                            double h)
{
    BARRIER();
    return a + (double)b + c + d + e + f + g + h;
}
APART static long double longer(long double x)
{
    BARRIER();
    return x * 2;
}
APART static struct pair both(double a, long b)
{
    BARRIER();
    return (struct pair){a, b};
}
APART static long six(long a, long b, long c, long d, long e, long f, long g, long h)
{
    BARRIER();
    return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f + 1000000 * g + 10000000 * h;
}
APART static double varied(int n, ...)
{
    double sum = 0;
    va_list list;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        sum += va_arg(list, double);
    va_end(list);
    return sum;
}
/* The compiler sees which registers it leaves alone. */
APART static int leaf(int x)
{
    BARRIER();
    return x + 1;
}
APART static long kept(long a, long b, long c)
{
    long p = a * 3, q = b * 5, r = c * 7;
    double f = (double)a * 0.5;
    int x = leaf((int)a);
    return p + q + r + (long)(f * 2) + x;
}

#if defined(__x86_64__)
typedef double wide __attribute__((vector_size(32)));
__attribute__((target("avx"))) APART static wide vectors(wide a, wide b)
{
    BARRIER();
    return a + b;
}
__attribute__((target("avx"))) static void wide_values(void)
{
    wide a = {1, 2, 3, 4}, b = {10, 20, 30, 40};
    for (int i = 0; i < 20000; i++) { /* some of them at the end of a chunk */
        wide c = vectors(a, b);
        check(c[0] == 11 && c[1] == 22 && c[2] == 33 && c[3] == 44, "wide values");
    }
}
#endif

static void values(void)
{
    check(doubles(1, 2, 3, 4, 5, 6, 7, 8) == 36, "doubles");
    check(longer(1.5L) == 3.0L, "long double");
    struct pair p = both(2.5, 7);
    check(p.a == 2.5 && p.b == 7, "pair");
    check(six(1, 2, 3, 4, 5, 6, 7, 8) == 87654321, "eight arguments");
    check(varied(3, 1.0, 2.0, 3.0) == 6, "variable arguments");
    for (long i = 0; i < 1000; i++)
        check(kept(i, 2, 3) == i * 3 + 10 + 21 + i + i + 1, "kept registers");
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx"))
        wide_values();
#endif
}

/* ---- ways out ---- */

static jmp_buf back;

APART static long target(long n)
{
    BARRIER();
    return n + 1;
}
JUMPS APART static long caller(long n)
{
    BARRIER();
    return target(n * 2);
}
APART static int thrown(int depth)
{
    BARRIER();
    if (depth == 0)
        longjmp(back, 1);
    return depth < 100 ? thrown(depth - 1) + 1 : 0;
}
APART static int recursion(int depth)
{
    BARRIER();
    int rest = depth ? recursion(depth - 1) : 0;
    BARRIER();
    return rest + 1;
}

static void ways_out(void)
{
    for (volatile int i = 0; i < 2000; i++) {
        check(caller(20) == 41, "a call in place of a return");
        if (!setjmp(back))
            (void)thrown(i % 7);
    }
    check(recursion(3000) == 3001, "recursion");
}

/* ---- stacks ---- */

static ucontext_t outside, inside;
static char stack[65536];
static volatile int stage;

APART static int on_another_stack(int n)
{
    BARRIER();
    stage = n;
    swapcontext(&inside, &outside);
    BARRIER();
    return n + 1;
}
static void body(void)
{
    int sum = on_another_stack(1);
    sum += on_another_stack(2);
    stage = sum;
}
APART static void go_on(void)
{
    BARRIER();
    swapcontext(&outside, &inside);
    BARRIER();
}
static void *elsewhere(void *unused)
{
    go_on();
    return unused;
}
static void stacks(void)
{
    pthread_t t;
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, body, 0);
    go_on();
    check(stage == 1, "first stage");
    check(pthread_create(&t, NULL, elsewhere, NULL) == 0, "thread");
    pthread_join(t, NULL);
    check(stage == 2, "second stage, in a thread");
    go_on();
    check(stage == 5, "the end, in the first one again");
}

/* A stack's content saved and put back, as coroutines do that share one. */
static char copy[4096];
static jmp_buf deep_mark, high_mark;
static char *top, *bottom;
static volatile int turns;

APART static int below(int n)
{
    char mark;
    __asm__("" : "=r"(bottom) : "0"(&mark)); /* the compiler is to know nothing of it */
    bottom -= 256;
    check(top - bottom <= (long)sizeof copy, "room for the copy");
    BARRIER();
    if (!setjmp(deep_mark)) {
        memcpy(copy, bottom, (size_t)(top - bottom));
        longjmp(high_mark, 1);
    }
    BARRIER();
    return n + 1;
}
APART static int other_calls(int n)
{
    BARRIER();
    return n ? other_calls(n - 1) + 1 : 0;
}
APART static void put_back(void)
{
    char room[8192]; /* this function and memcpy run below what is put back */
    __asm__ volatile("" : : "r"(room) : "memory");
    memcpy(bottom, copy, (size_t)(top - bottom));
    __asm__ volatile("" : : "r"(room) : "memory");
    longjmp(deep_mark, 1);
}
APART static int copied(void)
{
    char mark[16];
    volatile int result;
    top = mark;
    if (setjmp(high_mark)) {
        check(other_calls(5) == 5, "calls on the same stack");
        if (turns++ < 1)
            put_back();
        return 7;
    }
    result = below(6);
    return result;
}

/* ---- signals and threads ---- */

static volatile long ticks;

APART static void handler(int number)
{
    ticks += leaf(number) != number + 1;
    ticks++;
}
static void *busy(void *unused)
{
    long sum = 0;
    for (int i = 0; i < 30000; i++)
        sum += kept(i, i, i) - six(i, 1, 1, 1, 1, 1, 1, 1) + (long)doubles(i, 1, 1, 1, 1, 1, 1, 1);
    check(sum != 0, "sum");
    return unused;
}
static void cleaned(void *count)
{
    ++*(int *)count;
}
APART static void wait_long(int n)
{
    BARRIER();
    for (;;)
        sleep((unsigned)n);
}
static int cleanups;
static void *cancelled(void *unused)
{
    pthread_cleanup_push(cleaned, &cleanups);
    wait_long(1000);
    pthread_cleanup_pop(0);
    return unused;
}
static void threads(void)
{
    pthread_t all[4], gone;
    struct itimerval every = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 4; i++)
        check(pthread_create(&all[i], NULL, busy, NULL) == 0, "thread");
    check(pthread_create(&gone, NULL, cancelled, NULL) == 0, "thread");
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    pthread_cancel(gone);
    pthread_join(gone, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    check(cleanups == 1, "cleaned up");
}

APART static int spin(int depth, int n)
{
    BARRIER();
    int rest = depth > 0 ? spin(depth - 1, n) : 0;
    for (volatile int i = 0; depth == 0 && i < n; i++)
        ;
    BARRIER();
    return rest + 1;
}

static void turns_on_demand(void)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        for (int i = 0; i < 100; i++)
            (void)target(i);
        printf("step\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "deep") == 0)
        for (int i = 0; i < 3000; i++)
            (void)spin(atoi(argv[2]), 100000);
    else if (argc > 1 && strcmp(argv[1], "turns") == 0)
        turns_on_demand();
    else {
        values();
        ways_out();
        stacks();
        check(copied() == 7, "a stack that was copied");
        threads();
    }
    printf("%s\n", wrong ? "wrong" : "right");
    return wrong;
}
