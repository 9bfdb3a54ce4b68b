/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crashes (A4): some ticks inside three open spans, then the given death.
 *
 *   crash PAGE_FILE segv|abrt|bus|fpe|stack|thread|fork|kill|handled|early|recovers
 */
#include "tick.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { TICKS = 1000, SMALL_STACK = 64 << 10 };

static volatile int bottom = -1; /* never reached */

static int deeper(volatile char *above, int depth)
{
    volatile char room[512];
    room[0] = above[0];
    return depth == bottom ? 0 : deeper(room, depth + 1) + room[0];
}

static void *overflow(void *unused)
{
    volatile char start[1] = {0};
    (void)unused;
    ORIEL_SPAN("thread.work");
    tick(2, 0);
    return (void *)(intptr_t)deeper(start, 0);
}

static void on_small_stack(void)
{
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SMALL_STACK);
    if (pthread_create(&t, &attr, overflow, NULL) == 0)
        pthread_join(t, NULL);
}

/* The program's own handler is called, and may record. */
static void own_handler(int number)
{
    tick(3, 0);
    signal(number, SIG_DFL);
    raise(number);
}

/* On a stack of its own: says what it got, and dies of it. */
static char own_stack[64 << 10];
static void tells(int number, siginfo_t *info, void *context)
{
    char here;
    tick(4, 0);
    printf("handler: %d %d %d %d\n", number, info->si_code, context != NULL,
           &here > own_stack && &here < own_stack + sizeof own_stack);
    fflush(stdout);
    signal(number, SIG_DFL);
    raise(number);
}

static sigjmp_buf back;
static void jumps(int number)
{
    siglongjmp(back, number);
}

/* Before anything is recorded: these the marker has to call. */
static void prepare(const char *how)
{
    const stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
    struct sigaction sa = {.sa_sigaction = tells, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (strcmp(how, "early") == 0) {
        sigaltstack(&stack, NULL);
        sigaction(SIGSEGV, &sa, NULL);
    }
    if (strcmp(how, "recovers") == 0)
        signal(SIGSEGV, jumps);
}

static void *raises(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "worker-3", 0, 0, 0);
    ORIEL_SPAN("thread.work");
    for (uint64_t i = 0; i < 200; i++)
        tick(2, i);
    raise(SIGABRT);
    return NULL;
}

static void in_a_thread(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, raises, NULL) == 0)
        pthread_join(t, NULL);
}

/* The parent tells of the child's death and goes on. */
static void in_a_child(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        tick_own_pid();
        ORIEL_SPAN("child.work");
        tick(5, 0);
        abort();
    }
    waitpid(pid, &status, 0);
    printf("child: %d\n", WTERMSIG(status));
    exit(3);
}

static void lives_on(void)
{
    for (volatile uint64_t i = 0; i < 20; i++) {
        if (sigsetjmp(back, 1) == 0)
            *(volatile int *)(uintptr_t)(i - i) = 1;
        tick(6, i);
    }
    exit(0);
}

static void die(const char *how)
{
    static volatile int zero;
    if (strcmp(how, "thread") == 0)
        in_a_thread();
    if (strcmp(how, "fork") == 0)
        in_a_child();
    if (strcmp(how, "recovers") == 0)
        lives_on();
    if (strcmp(how, "abrt") == 0)
        abort();
    if (strcmp(how, "fpe") == 0)
        zero = 1000 / zero;
    if (strcmp(how, "stack") == 0)
        on_small_stack();
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "handled") == 0)
        signal(SIGSEGV, own_handler);
    if (strcmp(how, "bus") == 0) {
        FILE *f = tmpfile();
        if (f && ftruncate(fileno(f), 4096) == 0) {
            char *p = (char *)mmap(NULL, 8192, PROT_READ, MAP_SHARED, fileno(f), 0);
            zero = p[4096];
        }
    }
    *(volatile int *)(uintptr_t)zero = 1;
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    if (argc != 3 || tick_open(argv[1]) != 0)
        return 2;
    setrlimit(RLIMIT_CORE, &none);
    prepare(argv[2]);
    ORIEL_SPAN("outer", "how", argv[2]);
    ORIEL_SPAN("middle");
    for (uint64_t i = 0; i < TICKS; i++)
        tick(1, i);
    ORIEL_SPAN("inner");
    die(argv[2]);
    return 0;
}
