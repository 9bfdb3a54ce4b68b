/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The open calls of threads. They are a mapping of each thread's own: what is
 * thread-local lies on the thread's stack, which may be small, and then too small
 * for the thread to start. Made at its first call, by the slow way.
 */
#include <errno.h>
#include <pthread.h>

#include "base/os.h"
#include "hook/calls/calls.h"

/* Rounds of a thread's destructors that we are asked in; there is one more. */
enum { KEYS_WITHOUT_MALLOC = 32, ROUNDS = 3 };

__thread struct calls_here calls_here __attribute__((tls_model("initial-exec")));
static pthread_key_t key;
static bool key_usable; /* setting it allocates nothing */

/* Destructors of others may call functions still: until the last round. */
static void thread_end(void *calls)
{
    calls_here.inside++;
    if (++calls_here.ends < ROUNDS) {
        pthread_setspecific(key, calls);
    } else {
        calls_here.calls = NULL;
        os_unmap(calls, sizeof(struct calls_thread));
    }
    calls_here.inside--;
}

struct calls_thread *calls_thread_new(void)
{
    int kept = errno;
    void *p;
    if (!calls_here.calls && calls_here.ends < ROUNDS && key_usable &&
        os_map_private(sizeof(struct calls_thread), &p) == 0) {
        calls_here.calls = p;
        pthread_setspecific(key, p);
    }
    errno = kept;
    return calls_here.calls;
}

void calls_threads_open(void)
{
    key_usable = pthread_key_create(&key, thread_end) == 0 && key < KEYS_WITHOUT_MALLOC;
}
