/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that allocate and free, in every way that is easy to get wrong. The
 * program adds up what each did itself, by usable size, and prints it: one line
 * "name allocations bytes frees freed_bytes" for what a span did with what is
 * inside it, and one "name.self ...". The test compares.
 */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/oriel.h>

struct sums {
    unsigned long allocations, bytes, frees, freed;
};

static __thread struct sums here; /* of this thread so far */
enum { LINES = 64 };
static struct {
    char name[40];
    struct sums all;
} lines[LINES];
static int line_count; /* printing allocates: it is done at the end */

static void *take(size_t n)
{
    void *p = malloc(n);
    here.allocations++;
    here.bytes += malloc_usable_size(p);
    memset(p, 1, n);
    return p;
}

static void give(void *p)
{
    here.frees++;
    here.freed += malloc_usable_size(p);
    free(p);
}

static void *change(void *p, size_t n)
{
    here.frees++;
    here.freed += malloc_usable_size(p);
    p = realloc(p, n);
    here.allocations++;
    here.bytes += malloc_usable_size(p);
    return p;
}

static void note(const char *name, struct sums begin, struct sums inside)
{
    struct sums s = {here.allocations - begin.allocations - inside.allocations,
                     here.bytes - begin.bytes - inside.bytes,
                     here.frees - begin.frees - inside.frees,
                     here.freed - begin.freed - inside.freed};
    int at = __atomic_fetch_add(&line_count, 1, __ATOMIC_RELAXED);
    snprintf(lines[at].name, sizeof lines[at].name, "%s", name);
    lines[at].all = s;
}
#define NONE ((struct sums){0, 0, 0, 0})

/* Each level takes one block and gives it back at the end, but for the deepest. */
static void recurse(int depth)
{
    struct sums begin = here, inside = NONE;
    char name[40];
    ORIEL_SPAN("recursion", "depth", depth);
    void *p = take((size_t)depth * 100 + 50);
    if (depth > 1) {
        struct sums before = here;
        recurse(depth - 1);
        inside = (struct sums){here.allocations - before.allocations, here.bytes - before.bytes,
                               here.frees - before.frees, here.freed - before.freed};
        give(p);
    }
    snprintf(name, sizeof name, "recursion.%d", depth);
    note(name, begin, NONE);
    snprintf(name, sizeof name, "recursion.%d.self", depth);
    note(name, begin, inside);
}

static int early(int how)
{
    ORIEL_SPAN("early_return");
    void *p = take(1000);
    if (how) {
        give(p);
        return 1;
    }
    return 2;
}

static jmp_buf back;
static void jump(void)
{
    ORIEL_SPAN("jumped_over");
    take(3000);
    longjmp(back, 1);
}

/* A frame of its own, so that no variable of a span is in doubt after the jump. */
__attribute__((noinline)) static void over(void)
{
    if (setjmp(back) == 0)
        jump();
}

static void jumping(void)
{
    struct sums begin = here;
    ORIEL_SPAN("longjmp");
    take(500);
    over();
    take(700);
    note("longjmp", begin, NONE);
}

static void *shared;
static void *thread(void *unused)
{
    (void)unused;
    struct sums begin = here;
    ORIEL_SPAN("other_thread");
    give(shared);
    take(4321);
    note("other_thread", begin, NONE);
    return NULL;
}

/* The span is still open when its thread ends. */
static void *leaving(void *unused)
{
    (void)unused;
    struct sums begin = here;
    ORIEL_SPAN("left_open");
    take(222);
    take(333);
    note("left_open", begin, NONE);
    pthread_exit(NULL);
}

static void run(void *(*fn)(void *))
{
    pthread_t t;
    pthread_create(&t, NULL, fn, NULL);
    pthread_join(t, NULL);
}

int main(void)
{
    recurse(4);
    {
        struct sums begin = here;
        early(1);
        note("early_return", begin, NONE);
    }
    jumping();
    {
        struct sums begin = here;
        ORIEL_SPAN("realloc");
        void *p = take(10);
        for (size_t n = 20; n < 200000; n *= 3)
            p = change(p, n);
        note("realloc", begin, NONE);
    }
    {
        struct sums begin = here;
        ORIEL_SPAN("gives_away");
        shared = take(123456);
        note("gives_away", begin, NONE);
    }
    run(thread);
    run(leaving);
    {
        struct sums begin = here;
        ORIEL_SPAN("nothing");
        note("nothing", begin, NONE);
    }
    take(64); /* in no span */
    for (int i = 0; i < line_count; i++)
        printf("%s %lu %lu %lu %lu\n", lines[i].name, lines[i].all.allocations, lines[i].all.bytes,
               lines[i].all.frees, lines[i].all.freed);
    return 7;
}
