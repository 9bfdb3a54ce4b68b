/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crashes with the marker and without it: how the process ends, what its own
 * handlers see and where they run must be the same; the note and the event
 * must tell what happened. Every crash happens in a child of the test.
 */
#define ORIEL_TARGET "crash.test"
#include <oriel/oriel.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"
#include "wire/crash.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 }; /* the runtime has handlers and signal stacks of its own */
#else
enum { SANITIZED = 0 };
#endif

/* What a child tells its parent, shared memory. */
struct told {
    siginfo_t info;
    int calls, on_alternate, mask_segv, mask_usr1, arguments_ok;
};
static struct told *told;

static void share(void)
{
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(told != MAP_FAILED);
}

static void record_one(void)
{
    ORIEL_EVENT("alive");
}

static volatile int zero;

/* The crash is meant; the sanitizer shall not come before it. */
__attribute__((no_sanitize("undefined"))) static void touch_null(void)
{
    *(volatile int *)(uintptr_t)zero = 1;
}

/* How `fn` ends a child that records, with or without the marker. */
static int ends_in(struct recording *r, const struct region_options *o, void (*fn)(void))
{
    const struct rlimit no_core = {0, 0};
    memset(told, 0, sizeof *told);
    recording_make(r, o);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        prctl(PR_SET_DUMPABLE, 0); /* nobody waits for a core collector */
        if (oriel_attach(r->path) != 0)
            _exit(99);
        fn();
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}
static int ends(struct recording *r, void (*fn)(void), bool marked)
{
    return ends_in(r, &(struct region_options){.flags = marked ? WIRE_REGION_CRASH : 0}, fn);
}

static bool note_of(const struct recording *r, int i, struct wire_crash *out)
{
    size_t size;
    void *base;
    REQUIRE(os_map_file(r->path, &size, &base) == 0);
    bool there = wire_crash_read(&((struct wire_region *)base)->crashes[i], out);
    os_unmap(base, size);
    return there;
}

/* The whole note of a crash that ended a process; no thread knows which of the
 * notes it gets, and one that claimed its own may not live to write it. */
static bool fatal_note(const struct recording *r, struct wire_crash *out)
{
    for (int i = 0; i < WIRE_CRASHES; i++)
        if (note_of(r, i, out) && (out->flags & WIRE_CRASH_FATAL))
            return true;
    return false;
}

/* Both ways end alike; the note of the marked one, if there is to be one. */
static void same_end(void (*fn)(void), struct wire_crash *out)
{
    struct recording plain = {0}, marked = {0};
    int a = ends(&plain, fn, false);
    struct told without = *told;
    int b = ends(&marked, fn, true);
    CHECK_EQ(a, b);
    CHECK_EQ(without.calls, told->calls);
    CHECK_EQ(without.info.si_signo, told->info.si_signo);
    CHECK_EQ(without.info.si_code, told->info.si_code);
    CHECK_EQ(without.on_alternate, told->on_alternate);
    CHECK_EQ(without.mask_segv, told->mask_segv);
    CHECK_EQ(without.mask_usr1, told->mask_usr1);
    CHECK_EQ(without.arguments_ok, told->arguments_ok);
    CHECK(!note_of(&plain, 0, out));
    memset(out, 0, sizeof *out);
    if (!fatal_note(&marked, out))
        note_of(&marked, 0, out);
    recording_read(&marked, true);
    CHECK_EQ(marked.damaged, 0);
    if (out->flags & WIRE_CRASH_TOLD)
        CHECK(marked.by_type[ORIEL_REC_EVENT] >= 2);
    recording_end(&plain);
    recording_end(&marked);
}

/* ---- no handler ---- */

static void null_deref(void)
{
    record_one();
    touch_null();
}
TEST(a_fault_ends_the_process_as_it_came_and_leaves_a_note)
{
    struct wire_crash c;
    share();
    same_end(null_deref, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    if (SANITIZED)
        return;
    CHECK_EQ(c.code, SEGV_MAPERR);
    CHECK_EQ(c.flags, WIRE_CRASH_FATAL | WIRE_CRASH_ADDRESS | WIRE_CRASH_TOLD);
    CHECK_EQ(c.address, 0);
    CHECK(c.ip != 0);
    CHECK_EQ(c.pid, c.tid);
    CHECK_EQ(c.thread_serial, 1);
    CHECK_EQ(c.process_serial, 1);
    CHECK_EQ(c.thread, 1);
}

static void aborts(void)
{
    record_one();
    abort();
}
TEST(an_abort_is_an_abort)
{
    struct wire_crash c;
    share();
    same_end(aborts, &c);
    CHECK_EQ(c.signal, SIGABRT);
    CHECK_EQ(c.code, SI_TKILL);
    CHECK_EQ(c.flags, WIRE_CRASH_FATAL | WIRE_CRASH_TOLD);
}

/* ---- where there is no room to tell it ---- */

enum { MORE_THAN_FITS = 200000 };
static void aborts_with_a_full_ring(void)
{
    for (int i = 0; i < MORE_THAN_FITS; i++)
        ORIEL_EVENT("tick", "i", i);
    abort();
}
TEST(a_crash_that_finds_the_ring_full_is_no_loss_of_the_program)
{
    const struct region_options o = {.flags = WIRE_REGION_CRASH,
                                     .ring_bytes = 16 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    struct wire_crash c = {0};
    share();
    CHECK_EQ(WTERMSIG(ends_in(&r, &o, aborts_with_a_full_ring)), SIGABRT);
    CHECK(fatal_note(&r, &c));
    CHECK_EQ(c.flags, WIRE_CRASH_FATAL); /* the note says it, the stream had no room */
    recording_read(&r, true);
    CHECK(r.lost[ORIEL_LOST_RING_FULL] > 0);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT] + r.lost[ORIEL_LOST_RING_FULL], MORE_THAN_FITS);
    recording_end(&r);
}

static void traps(void)
{
    record_one();
    raise(SIGTRAP);
    _exit(7);
}
static void divides(void)
{
    record_one();
    raise(SIGFPE);
    _exit(7);
}
static void sent_from_outside(void)
{
    record_one();
    kill(getpid(), SIGSEGV);
    for (;;)
        pause();
}
TEST(signals_that_were_sent_end_the_process_too)
{
    struct wire_crash c;
    share();
    same_end(traps, &c);
    CHECK_EQ(c.signal, SIGTRAP);
    same_end(divides, &c);
    CHECK_EQ(c.signal, SIGFPE);
    same_end(sent_from_outside, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK_EQ(c.flags & WIRE_CRASH_ADDRESS, 0);
    if (!SANITIZED)
        CHECK_EQ(c.code, SI_USER);
}

static int deeper(volatile char *above)
{
    volatile char room[512];
    room[0] = above[0];
    return zero ? 0 : deeper(room) + room[0];
}
static void *overflow(void *unused)
{
    volatile char start[1] = {0};
    (void)unused;
    record_one();
    deeper(start);
    return NULL;
}
static void overflow_on_small_stack(void)
{
    pthread_t t;
    pthread_attr_t attr;
    record_one();
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    if (pthread_create(&t, &attr, overflow, NULL) == 0)
        pthread_join(t, NULL);
}
static void overflow_here(void)
{
    overflow(NULL);
}
TEST(a_thread_without_stack_left_leaves_a_note)
{
    struct wire_crash c;
    if (SANITIZED)
        test_skip("the sanitizer's frames do not fit");
    share();
    same_end(overflow_on_small_stack, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK(c.tid != c.pid);
    CHECK_EQ(c.thread_serial, 2);
    CHECK(c.flags & WIRE_CRASH_TOLD);
    same_end(overflow_here, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK(c.flags & WIRE_CRASH_TOLD);
}

/* ---- handlers that were there before ---- */

static stack_t alternate;

static void see(int number, siginfo_t *info, void *context)
{
    sigset_t now;
    /* Of the frame itself: the sanitizer keeps locals elsewhere. */
    const char *here = __builtin_frame_address(0);
    sigprocmask(SIG_SETMASK, NULL, &now);
    told->calls++;
    told->info = *info;
    told->on_alternate = alternate.ss_sp && here > (char *)alternate.ss_sp &&
                         here < (char *)alternate.ss_sp + alternate.ss_size;
    told->mask_segv = sigismember(&now, SIGSEGV);
    told->mask_usr1 = sigismember(&now, SIGUSR1);
    told->arguments_ok = number == info->si_signo && context != NULL;
}
static void see_and_leave(int number, siginfo_t *info, void *context)
{
    see(number, info, context);
    _exit(40);
}
static void see_and_die(int number, siginfo_t *info, void *context)
{
    see(number, info, context);
    signal(number, SIG_DFL);
    raise(number);
}
static void plain_handler(int number)
{
    told->calls++;
    told->info.si_signo = number;
    _exit(41);
}

static void handle(void (*fn)(int, siginfo_t *, void *), int flags, bool block_usr1)
{
    struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&sa.sa_mask);
    if (block_usr1)
        sigaddset(&sa.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &sa, NULL);
}
static void own_stack(void)
{
    alternate = (stack_t){.ss_sp = malloc(64 << 10), .ss_size = 64 << 10};
    sigaltstack(&alternate, NULL);
}

static void handler_leaves(void)
{
    handle(see_and_leave, 0, true);
    null_deref();
}
static void handler_on_its_stack(void)
{
    own_stack();
    handle(see_and_leave, SA_ONSTACK | SA_NODEFER, false);
    null_deref();
}
static void handler_not_on_its_stack(void)
{
    own_stack();
    handle(see_and_die, SA_NODEFER, true);
    null_deref();
}
static void one_shot_handler(void)
{
    handle(see, (int)SA_RESETHAND, false); /* returns: the fault comes again */
    null_deref();
}
static void handler_without_info(void)
{
    signal(SIGSEGV, plain_handler);
    null_deref();
}
TEST(handlers_installed_before_are_called_as_the_kernel_would)
{
    struct wire_crash c;
    share();
    same_end(handler_leaves, &c);
    CHECK_EQ(told->calls, 1);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK_EQ(c.flags & WIRE_CRASH_FATAL, 0);
    same_end(handler_on_its_stack, &c);
    CHECK_EQ(told->on_alternate, 1);
    if (!SANITIZED) /* which block everything around a handler */
        CHECK_EQ(told->mask_segv, 0);
    same_end(handler_not_on_its_stack, &c);
    CHECK_EQ(told->on_alternate, 0);
    CHECK_EQ(told->mask_usr1, 1);
    same_end(one_shot_handler, &c);
    CHECK_EQ(told->calls, 1);
    same_end(handler_without_info, &c);
    CHECK_EQ(told->calls, 1);
    CHECK_EQ(c.signal, SIGSEGV);
}

static sigjmp_buf back;
static _Thread_local sigjmp_buf *jump_to; /* `back` if it is NULL */
static void jump(int number, siginfo_t *info, void *context)
{
    see(number, info, context);
    siglongjmp(jump_to ? *jump_to : back, 1);
}
static void recovers(void)
{
    handle(jump, 0, false);
    for (volatile int i = 0; i < 100; i++) {
        if (sigsetjmp(back, 1) == 0)
            null_deref();
        record_one();
    }
    _exit(told->calls == 100 ? 42 : 1);
}
TEST(a_program_that_lives_on_its_faults_lives_on)
{
    struct wire_crash c;
    struct recording r = {0};
    share();
    same_end(recovers, &c);
    CHECK_EQ(told->calls, 100);
    CHECK_EQ(c.flags & WIRE_CRASH_FATAL, 0);
    CHECK_EQ(ends(&r, recovers, true) >> 8, 42);
    CHECK(!note_of(&r, 1, &c)); /* one note for all hundred */
    recording_end(&r);
}

static void later_handler(void)
{
    record_one();
    handle(see_and_leave, 0, false);
    touch_null();
}
static void ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    record_one();
    raise(SIGSEGV);
    _exit(43);
}
TEST(a_handler_installed_later_has_the_signal_to_itself)
{
    struct wire_crash c;
    share();
    same_end(later_handler, &c);
    CHECK_EQ(told->calls, 1);
    CHECK_EQ(c.signal, 0);
    same_end(ignored, &c);
    CHECK_EQ(c.signal, 0);
}

/* ---- where it happens ---- */

static void inside_an_emit(void)
{
    record_one();
    __atomic_store_n(&oriel_tls.gate->ready, 0u, __ATOMIC_RELAXED);
    touch_null();
}
TEST(a_crash_inside_an_emit_is_told_in_the_second_stream)
{
    struct wire_crash c;
    share();
    same_end(inside_an_emit, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK(c.flags & WIRE_CRASH_TOLD);
    CHECK_EQ(c.thread_serial, 1);
}

static void fork_and(void (*fn)(void))
{
    int status = 0;
    record_one();
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(9);
    }
    waitpid(pid, &status, 0);
    _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 90);
}
static void recording_child(void)
{
    fork_and(null_deref);
}
static void silent_child(void)
{
    fork_and(touch_null);
}
TEST(a_fork_child_crashes_under_its_own_number)
{
    struct wire_crash c;
    if (SANITIZED)
        test_skip("the sanitizer ends its children itself");
    share();
    same_end(recording_child, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK_EQ(c.process_serial, 2);
    CHECK(c.flags & WIRE_CRASH_TOLD);
    same_end(silent_child, &c);
    CHECK_EQ(c.signal, SIGSEGV);
    CHECK_EQ(c.process_serial, 0);
    CHECK_EQ(c.flags & WIRE_CRASH_TOLD, 0);
}

static pthread_barrier_t together;
static void *crash_together(void *unused)
{
    (void)unused;
    record_one();
    pthread_barrier_wait(&together);
    raise(SIGABRT);
    return NULL;
}
static void crowd(void)
{
    pthread_t t;
    pthread_barrier_init(&together, NULL, 8);
    for (int i = 0; i < 8; i++)
        if (pthread_create(&t, NULL, crash_together, NULL) != 0)
            _exit(98);
    for (;;)
        pause();
}
TEST(threads_that_crash_together_wait_for_nobody)
{
    struct wire_crash c;
    share();
    for (int i = 0; i < 10; i++) {
        same_end(crowd, &c);
        CHECK_EQ(c.signal, SIGABRT);
        CHECK(c.flags & WIRE_CRASH_FATAL);
    }
}

static void *lives_on(void *unused)
{
    sigjmp_buf here;
    (void)unused;
    record_one();
    jump_to = &here;
    if (sigsetjmp(here, 1) == 0)
        touch_null();
    return NULL;
}
static void dies_after_many_lived_on(void)
{
    pthread_t t;
    handle(jump, 0, false);
    for (int i = 0; i < WIRE_CRASHES + 4; i++) {
        if (pthread_create(&t, NULL, lives_on, NULL) != 0)
            _exit(98);
        pthread_join(t, NULL);
    }
    aborts();
}
TEST(the_crash_that_ends_the_process_finds_a_note_though_all_are_taken)
{
    struct wire_crash c;
    share();
    same_end(dies_after_many_lived_on, &c);
    CHECK_EQ(told->calls, WIRE_CRASHES + 4);
    CHECK_EQ(c.signal, SIGABRT);
    CHECK(c.flags & WIRE_CRASH_FATAL);
    CHECK_EQ(c.pid, c.tid);
}

/* ---- signal stacks ---- */

static void *with_stack(void *own)
{
    static char mine[64 << 10];
    stack_t now, set = {.ss_sp = mine, .ss_size = sizeof mine};
    if (own)
        sigaltstack(&set, NULL);
    record_one();
    sigaltstack(NULL, &now);
    return own ? (void *)(intptr_t)(now.ss_sp == mine) : now.ss_sp;
}
static void looks_at_stacks(void)
{
    pthread_t t;
    void *got = NULL;
    unsigned char resident;
    record_one();
    pthread_create(&t, NULL, with_stack, &back);
    pthread_join(t, &got);
    if (!got)
        _exit(1); /* the thread's own was taken away */
    pthread_create(&t, NULL, with_stack, NULL);
    pthread_join(t, &got);
    if (!got)
        _exit(2); /* it was given none */
    /* ENOMEM: nothing is mapped there any more. */
    _exit(mincore(got, 4096, &resident) == -1 && errno == ENOMEM ? 0 : 3);
}
TEST(a_thread_keeps_its_signal_stack_or_is_lent_one)
{
    struct recording r = {0};
    if (SANITIZED)
        test_skip("the sanitizer lends stacks as well");
    share();
    CHECK_EQ(ends(&r, looks_at_stacks, true), 0);
    recording_end(&r);
}

TEST(a_note_is_read_whole_or_not_at_all)
{
    struct wire_crash shared = {.state = WIRE_CRASH_CLAIMED, .signal = SIGBUS}, c;
    CHECK(!wire_crash_read(&shared, &c));
    shared.state = WIRE_CRASH_WHOLE;
    REQUIRE(wire_crash_read(&shared, &c));
    CHECK_STR(wire_crash_signal(c.signal), "SIGBUS");
    CHECK_STR(wire_crash_reason(SIGSEGV, SEGV_ACCERR), "access not permitted");
    CHECK_STR(wire_crash_reason(SIGSEGV, SI_USER), "sent by a process");
    CHECK_STR(wire_crash_reason(SIGSEGV, SI_KERNEL), "general protection fault");
    CHECK_STR(wire_crash_reason(1234, 77), "fault");
    CHECK_STR(wire_crash_signal(1234), "signal");
}

TEST_MAIN()
