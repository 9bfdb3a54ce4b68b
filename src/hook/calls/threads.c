/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The open calls of threads. They are a mapping of each thread's own: what is
 * thread-local lies on the thread's stack, which may be small, and then too small
 * for the thread to start. Made at its first call, by the slow way.
 */
#include <errno.h>
#include <pthread.h>

#include "base/os.h"
#include "base/own.h"
#include "hook/calls/calls.h"

/* Rounds of a thread's destructors that we are asked in; there is one more. */
enum { KEYS_WITHOUT_MALLOC = 32, ROUNDS = 3 };

__thread struct calls_here calls_here __attribute__((tls_model("initial-exec")));
static pthread_key_t key;
static bool key_usable; /* setting it allocates nothing */

static void free_thread(struct calls_thread *t)
{
    if (t->sums) {
        calls_tell_done(t);
        os_unmap(t->sums, sizeof *t->sums);
    }
    os_unmap(t, sizeof *t);
}

/* NULL: there is no memory for it. */
static struct calls_thread *make_thread(void)
{
    void *p, *sums;
    if (os_map_private(sizeof(struct calls_thread), &p) != 0)
        return NULL;
    struct calls_thread *t = p;
    if (!calls_are_summed())
        return t;
    if (os_map_private(sizeof(struct calls_sums), &sums) != 0) {
        os_unmap(t, sizeof *t);
        return NULL;
    }
    t->sums = sums;
    calls_sums_init(t->sums);
    calls_tell_thread(t->sums);
    return t;
}

/* Destructors of others may call functions still: until the last round. */
static void thread_end(void *calls)
{
    calls_here.inside++;
    if (++calls_here.ends < ROUNDS) {
        pthread_setspecific(key, calls);
    } else {
        calls_here.calls = NULL;
        free_thread(calls);
    }
    calls_here.inside--;
}

struct calls_thread *calls_thread_new(void)
{
    int kept = errno;
    if (!calls_here.calls && calls_here.ends < ROUNDS && key_usable) {
        if (own_thread_here())
            calls_here.ends = ROUNDS; /* Oriel's: nothing of it is seen, nor asked for again */
        else
            calls_here.calls = make_thread();
        if (calls_here.calls)
            pthread_setspecific(key, calls_here.calls);
    }
    errno = kept;
    return calls_here.calls;
}

void calls_threads_open(void)
{
    key_usable = pthread_key_create(&key, thread_end) == 0 && key < KEYS_WITHOUT_MALLOC;
}
