/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One timer per thread on its CPU clock. Such timers expire on the scheduler's
 * tick: at most that often, but what one signal stands for is told with it, so
 * weights add up to the CPU time. The first expiry is drawn, else threads
 * shorter than the interval would never be seen.
 */
#include "hook/cpu/cpu.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/os.h"
#include "base/own.h"
#include "hook/stacks.h"
#include "rec/rec.h"

enum { TIMERS_MAX = 4096, FROM_LAST_SIGNAL = 2, ALTERNATE_BYTES = 64 << 10 };
#define SECOND_NS UINT64_C(1000000000)

static uint32_t slots[TIMERS_MAX]; /* atomic; id of the timer + 1, 0 free */
static uint32_t timers;            /* atomic; of these, used */
static uint32_t open_rate;         /* atomic; 0: no samples */
static bool open_alone = true;     /* no second thread began so far */

static __thread struct {
    uint32_t slot;       /* + 1; 0: this thread has no timer */
    bool inside, ticked; /* ticked: it is known whose this thread is */
    void *alternate;     /* a signal stack of ours; NULL: it has its own, or its thread's */
} here __attribute__((tls_model("initial-exec")));

int cpu_signal(void)
{
    return SIGRTMAX - FROM_LAST_SIGNAL;
}

static uint64_t interval_ns(void)
{
    uint32_t rate = __atomic_load_n(&open_rate, __ATOMIC_RELAXED);
    return rate ? SECOND_NS / rate : 0;
}

static void drop_slot(uint32_t slot);

/* ---- the handler ---- */

/* Oriel's own threads name themselves first of all, which is after they were given a timer: it
 * is taken back with its first signal. */
static bool is_own(void)
{
    if (here.ticked)
        return false;
    here.ticked = true;
    if (!own_thread_here())
        return false;
    const uint32_t slot = here.slot;
    here.slot = 0;
    drop_slot(slot - 1);
    return true;
}

static void on_timer(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    uint64_t interval = interval_ns();
    (void)number;
    if (info->si_code != SI_TIMER || here.inside || !interval || !here.slot || is_own())
        return;
    here.inside = true;
    struct hook_sample sample = {.kind = ORIEL_SAMPLE_CPU, .count = 1};
    sample.weight = interval * (1 + (uint64_t)(info->si_overrun > 0 ? info->si_overrun : 0));
    struct hook_stack *stack = hook_stacks_borrow();
    if (stack)
        hook_stacks_context(stack, context);
    (void)hook_stacks_sample(&sample, stack);
    hook_stacks_return(stack);
    here.inside = false;
    errno = kept;
}

/* ---- timers ---- */

static uint64_t drawn(uint64_t below)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t x = (uint64_t)t.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t)&here;
    x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return 1 + (x >> 16) % below;
}

/* The kernel's own calls: libc's may allocate. */
static bool make_timer(uint32_t *out_id)
{
    struct sigevent how = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = cpu_signal()};
    how._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    int id;
    if (syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &how, &id) != 0)
        return false;
    uint64_t every = interval_ns(), first = every ? drawn(every) : 0;
    const struct itimerspec when = {
        .it_interval = {(time_t)(every / SECOND_NS), (long)(every % SECOND_NS)},
        .it_value = {(time_t)(first / SECOND_NS), (long)(first % SECOND_NS)}};
    if (!every || syscall(SYS_timer_settime, id, 0, &when, NULL) != 0) {
        (void)syscall(SYS_timer_delete, id);
        return false;
    }
    *out_id = (uint32_t)id;
    return true;
}

/* Whoever takes the number out of the slot deletes the timer. */
static void drop_slot(uint32_t slot)
{
    uint32_t id = __atomic_exchange_n(&slots[slot], 0, __ATOMIC_ACQ_REL);
    if (!id)
        return;
    (void)syscall(SYS_timer_delete, (int)id - 1);
    __atomic_fetch_sub(&timers, 1, __ATOMIC_RELAXED);
}

static void arm(void)
{
    uint32_t id;
    if (here.slot || !interval_ns() || !make_timer(&id))
        return;
    uint32_t slot = 0;
    for (uint32_t no = 0; slot < TIMERS_MAX; slot++, no = 0)
        if (__atomic_compare_exchange_n(&slots[slot], &no, id + 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            break;
    if (slot == TIMERS_MAX) { /* more threads than that: this one goes unseen */
        (void)syscall(SYS_timer_delete, (int)id);
        return;
    }
    __atomic_fetch_add(&timers, 1, __ATOMIC_RELAXED);
    here.slot = slot + 1;
    /* Somebody gave up while we were at it. */
    if (!interval_ns())
        drop_slot(slot);
}

void cpu_thread_begin(void)
{
    int kept = errno;
    open_alone = false;
    if (interval_ns()) {
        hook_stacks_refresh(); /* outside of the handler is the moment for it */
        hook_stacks_thread();
        /* What the kernel stores for a handler may be more than a small stack has left. */
        if (!here.alternate)
            (void)os_signal_stack(ALTERNATE_BYTES, &here.alternate);
        arm();
    }
    errno = kept;
}

void cpu_thread_end(void)
{
    int kept = errno;
    uint32_t slot = here.slot;
    here.slot = 0; /* from here on the handler does nothing */
    if (slot)
        drop_slot(slot - 1);
    if (here.alternate && os_signal_stack_drop(here.alternate, ALTERNATE_BYTES) != -EPERM)
        here.alternate = NULL;
    errno = kept;
}

void cpu_yield(void)
{
    __atomic_store_n(&open_rate, 0, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < TIMERS_MAX; i++)
        drop_slot(i);
}

/* The kernel does not hand timers down; the numbers are the parent's. */
void cpu_forked(void)
{
    bool sampled = here.slot != 0;
    memset(slots, 0, sizeof slots);
    timers = 0;
    here.slot = 0;
    here.inside = false;
    hook_stacks_forked(open_alone);
    open_alone = true;
    if (sampled)
        arm();
}

uint32_t cpu_timers(void)
{
    return __atomic_load_n(&timers, __ATOMIC_RELAXED);
}

int cpu_open(uint32_t rate)
{
    struct sigaction old,
        sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    assert(rate > 0);
    /* Inherited as ignored or somebody's already: not ours. */
    if (sigaction(cpu_signal(), NULL, &old) != 0 || old.sa_handler != SIG_DFL)
        return ORIEL_EBUSY;
    int rc = hook_stacks_open(true);
    if (rc < 0)
        return rc;
    hook_stacks_tell();
    hook_stacks_thread();
    sigfillset(&sa.sa_mask);
    if (sigaction(cpu_signal(), &sa, NULL) != 0)
        return ORIEL_EPERM;
    __atomic_store_n(&open_rate, rate, __ATOMIC_RELEASE);
    arm();
    return 0;
}
