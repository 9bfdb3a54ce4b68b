/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counts its own calls, in memory that its children share, and prints at the end how often
 * each function was called: what a recorder that counts must say too.
 *
 *   all           recursion, longjmp, signals, threads, children that leave by _exit and by exec
 *   loop FILE     calls without end; writes its count to FILE each 10 ms of its own clock
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LEAF, MIDDLE, RECURSE, TO, FRO, JUMPED, LANDS, HANDLER, LATE, FUNCTIONS };
static const char *const names[FUNCTIONS] = {"leaf",   "middle", "recurse", "to",  "fro",
                                             "jumped", "lands",  "handler", "late"};
static uint64_t *truth;
static volatile int sink;

#define UNSEEN __attribute__((no_instrument_function, patchable_function_entry(0)))
#define HERE(which) __atomic_fetch_add(&truth[which], 1, __ATOMIC_RELAXED)

void leaf(int n);
void middle(int n);
void recurse(int n);
void to(int n);
void fro(int n);
void jumped(int n, jmp_buf *back);
void lands(void);
void handler(int number);
void late(void);

void leaf(int n)
{
    HERE(LEAF);
    sink += n;
}

void middle(int n)
{
    HERE(MIDDLE);
    for (int i = 0; i < 3; i++)
        leaf(n);
    sink++;
}

void recurse(int n)
{
    HERE(RECURSE);
    if (n > 0)
        recurse(n - 1);
    sink++;
}

/* Each ends with a call, which a compiler makes a jump: all others do something behind it. */
void to(int n)
{
    HERE(TO);
    if (n > 0)
        fro(n - 1);
}

void fro(int n)
{
    HERE(FRO);
    if (n > 0)
        to(n - 1);
}

void jumped(int n, jmp_buf *back)
{
    HERE(JUMPED);
    if (n == 0)
        longjmp(*back, 1);
    if (n < 100)
        jumped(n - 1, back);
    sink++;
}

void lands(void)
{
    jmp_buf back;
    HERE(LANDS);
    if (setjmp(back) == 0)
        jumped(4, &back);
    leaf(1);
    sink++;
}

void handler(int number)
{
    HERE(HANDLER);
    leaf(number);
    sink++;
}

void late(void)
{
    HERE(LATE);
    leaf(2);
    sink++;
}

UNSEEN static void *work(void *unused)
{
    for (int i = 0; i < 20000; i++)
        middle(i);
    recurse(50);
    to(9);
    return unused;
}

UNSEEN static int child(int by_exec)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        middle(1);
        late();
        if (by_exec)
            execl("/bin/true", "true", (char *)NULL);
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

UNSEEN static int all(void)
{
    pthread_t threads[3];
    int right = 1;
    for (int i = 0; i < 3; i++)
        right &= pthread_create(&threads[i], NULL, work, NULL) == 0;
    for (int i = 0; i < 50; i++) {
        lands();
        recurse(i);
        to(i);
        raise(SIGUSR1);
    }
    for (int i = 0; i < 3; i++)
        right &= pthread_join(threads[i], NULL) == 0;
    right &= child(0) && child(1);
    for (int i = 0; i < FUNCTIONS; i++)
        printf("%s %llu\n", names[i], (unsigned long long)truth[i]);
    fflush(stdout);
    return right;
}

UNSEEN static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

UNSEEN static int loop(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return 1;
    for (uint64_t next = now_ms();;) {
        middle(1);
        if (now_ms() < next)
            continue;
        fprintf(f, "%llu %llu\n", (unsigned long long)next, (unsigned long long)truth[MIDDLE]);
        fflush(f);
        next = now_ms() + 10;
    }
}

UNSEEN int main(int argc, char **argv)
{
    truth = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (truth == MAP_FAILED)
        return 2;
    signal(SIGUSR1, handler);
    if (argc > 2 && strcmp(argv[1], "loop") == 0)
        return loop(argv[2]);
    return all() ? 0 : 1;
}
