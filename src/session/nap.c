/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A timer of the process's CPU clock and a wait for its signal. The signal is the one that C
 * libraries keep for themselves and, where they use it at all, send to one thread of theirs only:
 * no program can be waiting for it, so none is taken from it. Their calls refuse it, so it is asked
 * for with the kernel's own; and they take it out of every mask that they set. So it is blocked
 * anew for each nap, and none is left pending after one: unblocked it would end the program.
 */
#include "session/nap.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

#ifndef sigev_notify_thread_id /* glibc has the field without a name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { CALL = 32 };                                 /* the kernel's first of the real-time ones */
static const uint64_t call_set = UINT64_C(1) << 31; /* of it alone, as the kernel has sets */

static struct timespec time_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

static int set_timer(const struct nap *n, uint64_t cpu_ns)
{
    const struct itimerspec how = {.it_value = time_of(cpu_ns)};
    return (int)syscall(SYS_timer_settime, n->timer, 0, &how, NULL);
}

void nap_begin(struct nap *n)
{
    struct sigevent to;
    assert(!n->ready);
    memset(&to, 0, sizeof to);
    to.sigev_notify = SIGEV_THREAD_ID;
    to.sigev_signo = CALL;
    to.sigev_notify_thread_id = n->tid = os_gettid();
    n->ready = syscall(SYS_timer_create, CLOCK_PROCESS_CPUTIME_ID, &to, &n->timer) == 0;
}

bool nap_lie_down(struct nap *n)
{
    return n->ready &&
           syscall(SYS_rt_sigprocmask, SIG_BLOCK, &call_set, NULL, sizeof call_set) == 0;
}

static long wait_for_call(uint64_t ns)
{
    const struct timespec most = time_of(ns);
    return syscall(SYS_rt_sigtimedwait, &call_set, NULL, &most, sizeof call_set);
}

enum nap_end nap_take(struct nap *n, uint64_t cpu_ns, uint64_t wall_ns)
{
    assert(n->ready && cpu_ns > 0);
    if (set_timer(n, cpu_ns) != 0)
        return NAP_FAILED;
    const bool called = wait_for_call(wall_ns) == CALL;
    const bool over = errno == EAGAIN || errno == EINTR;
    (void)set_timer(n, 0); /* the kernel looks at it with every tick of the program */
    return called ? NAP_CALLED : over ? NAP_OVER : NAP_FAILED;
}

void nap_get_up(struct nap *n, enum nap_end end)
{
    while (wait_for_call(0) == CALL)
        ;
    if (end == NAP_FAILED)
        nap_over(n);
}

void nap_call(const struct nap *n)
{
    const int kept = errno;
    (void)syscall(SYS_tgkill, os_getpid(), n->tid, CALL);
    errno = kept;
}

void nap_over(struct nap *n)
{
    if (n->ready)
        (void)syscall(SYS_timer_delete, n->timer);
    n->ready = false;
}
