/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Threads with the smallest stacks there are, most of it used up, that allocate,
 * want one lock and use the CPU: what is preloaded has to do with what is left.
 *
 *   small STACK_BYTES USED_BYTES
 */
#include <alloca.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 3000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned sum;
static size_t used;

__attribute__((noinline)) static void leaf(unsigned n)
{
    sum += n;
    for (volatile unsigned i = 0; i < 300; i++)
        ;
}

static void *work(void *unused)
{
    char *below = alloca(used);
    memset(below, 1, used);
    __asm__ volatile("" : : "r"(below) : "memory");
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *p = malloc(100 + i);
        pthread_mutex_lock(&lock);
        leaf(i);
        pthread_mutex_unlock(&lock);
        free(p);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t t[THREADS];
    pthread_attr_t attr;
    size_t stack = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    used = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    pthread_attr_init(&attr);
    if (pthread_attr_setstacksize(&attr, stack) != 0)
        return 2;
    for (int i = 0; i < THREADS; i++) {
        int rc = pthread_create(&t[i], &attr, work, NULL);
        if (rc != 0) {
            printf("thread %d: error %d\n", i, rc);
            return 1;
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("sum %u\n", sum);
    return 7;
}
