/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks over this process's own stacks, beside libgcc's unwinder: both have to
 * name the same return addresses, at any depth and through anything a C program
 * does to its stack.
 */
#include "unwind/current.h"

#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/err.h"
#include "test.h"
#include "unwind/modules.h"

enum { DEPTH_MAX = 256 };

static struct unwind_self self;
static struct unwind_stack stack;
static int compared, interrupted;
static __thread volatile int sink;

#if defined(__SANITIZE_THREAD__)
enum { OWN_DELIVERY = 1 }; /* the sanitizer calls handlers itself, from frames of its own */
#else
enum { OWN_DELIVERY = 0 };
#endif

struct trace {
    void **pcs;
    int count, max;
};
static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *arg)
{
    struct trace *t = arg;
    if (_Unwind_GetIP(context) == 0) /* what libgcc tells of a stack's end */
        return _URC_END_OF_STACK;
    if (t->count < t->max)
        t->pcs[t->count++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* Not glibc's backtrace(): a sanitizer puts its own in that place. */
static __attribute__((noinline)) int libgcc_trace(void **out, int max)
{
    struct trace t = {out, 0, max};
    _Unwind_Backtrace(add_frame, &t);
    if (t.count > 0) { /* this function */
        t.count--;
        memmove(out, out + 1, (size_t)t.count * sizeof *out);
    }
    return t.count;
}

static void prepare(void)
{
    void *first[4];
    libgcc_trace(first, 4); /* loads what it needs, before the modules are looked at */
    REQUIRE(unwind_self_open(&self, true) == ORIEL_OK);
    REQUIRE(unwind_stack_here(&stack));
}

static void check_same(const uint64_t *pcs, uint32_t count, void **expected, int expected_count)
{
    CHECK_EQ(count, expected_count);
    for (uint32_t i = 0; i < count && i < (uint32_t)expected_count; i++)
        if (pcs[i] != (uintptr_t)expected[i]) {
            test_fail(__FILE__, __LINE__, "frame %u is %#llx, libgcc says %p", i,
                      (unsigned long long)pcs[i], expected[i]);
            break;
        }
    compared++;
}

/* Both from here; the first frame differs by the place of the call. */
static __attribute__((noinline)) void compare_here(void)
{
    uint64_t pcs[DEPTH_MAX];
    void *expected[DEPTH_MAX];
    int n = libgcc_trace(expected, DEPTH_MAX);
    struct unwind_result r = unwind_here(&self, &stack, pcs, DEPTH_MAX);
    check_same(pcs + 1, r.count - 1, expected + 1, n - 1);
    CHECK_STR(unwind_end_text(r.end), unwind_end_text(UNWIND_END_COMPLETE));
    CHECK_EQ(r.fp_frames, 0);
#if defined(__x86_64__)
    const uint64_t *frame = __builtin_frame_address(0);
    const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
    r = unwind_above(&self, &stack, &caller, pcs, DEPTH_MAX);
    check_same(pcs, r.count, expected + 1, n - 1);
    compared--; /* once for each comparison from here */
    CHECK_STR(unwind_end_text(r.end), unwind_end_text(UNWIND_END_COMPLETE));
#endif
    sink++;
}

static __attribute__((noinline)) void recurse(int depth)
{
    if (depth > 0)
        recurse(depth - 1);
    else
        compare_here();
    sink++;
}

TEST(a_walk_names_what_libgcc_names_at_every_depth)
{
    prepare();
    for (int depth = 0; depth < 100; depth++)
        recurse(depth);
    CHECK_EQ(compared, 100);
}

static __attribute__((noinline)) void with_alloca(int n)
{
    char *p = alloca((size_t)n);
    memset(p, n, (size_t)n);
    compare_here();
    sink += p[n / 2];
}

static __attribute__((noinline)) void with_array(int n)
{
    char array[n];
    memset(array, n, sizeof array);
    with_alloca(n * 3);
    sink += array[n / 2];
}

/* More alignment than the stack has: the CFA lies behind a pointer then. */
static __attribute__((noinline)) void with_alignment(int n)
{
    char wide[128] __attribute__((aligned(128)));
    memset(wide, n, sizeof wide);
    with_array(n);
    sink += wide[n % 64];
}

static __attribute__((noinline)) void with_alignment_and_array(int n)
{
    char array[n];
    char wide[128] __attribute__((aligned(64)));
    memset(wide, n, sizeof wide);
    memset(array, n, sizeof array);
    with_alignment(n);
    sink += wide[n % 64] + array[n / 2];
}

static __attribute__((noinline)) void large_frame(int n)
{
    volatile char big[3 << 20];
    big[n] = 1;
    with_alignment_and_array(n);
    sink += big[n];
}

TEST(frames_of_any_size_and_alignment_are_left)
{
    prepare();
    for (int n = 1; n < 400; n += 7)
        with_alignment_and_array(n);
    large_frame(40);
    CHECK_EQ(compared, 58);
}

static int compare_ints(const void *a, const void *b)
{
    if (compared < 3)
        compare_here();
    return *(const int *)a - *(const int *)b;
}

TEST(callbacks_of_libc_are_left_through_libc)
{
    int numbers[] = {3, 1, 2, 9, 5, 4};
    prepare();
    qsort(numbers, 6, sizeof numbers[0], compare_ints);
    CHECK(bsearch(numbers, numbers, 6, sizeof numbers[0], compare_ints) != NULL);
    CHECK_EQ(compared, 3);
}

static __attribute__((noinline)) void tail(int n)
{
    sink += n;
    recurse(n);
}
static __attribute__((noinline)) void calls_tail(int n)
{
    sink -= n;
    tail(n + 1);
}
static __attribute__((noinline, noreturn)) void never_returns(int n)
{
    recurse(n);
    CHECK_EQ(compared, 2);
    test_stop_if_failed();
    pthread_exit(NULL); /* the call is the function's last instruction */
}
static void *ends_in_noreturn(void *arg)
{
    REQUIRE(unwind_stack_here(&stack));
    calls_tail(3);
    never_returns(*(int *)arg);
}

TEST(tail_calls_and_calls_that_never_return_are_left)
{
    pthread_t thread;
    int depth = 2;
    prepare();
    REQUIRE(pthread_create(&thread, NULL, ends_in_noreturn, &depth) == 0);
    pthread_join(thread, NULL);
    CHECK_EQ(compared, 2);
}

/* ---- through signals ---- */

static const struct unwind_stack *handler_stack = &stack;

static void compare_in_handler(int sig, siginfo_t *info, void *context)
{
    uint64_t pcs[DEPTH_MAX];
    void *expected[DEPTH_MAX];
    int n = libgcc_trace(expected, DEPTH_MAX);
    struct unwind_result r = unwind_current(&self, &stack, context, pcs, DEPTH_MAX);
    REQUIRE(n > 2);
    check_same(pcs, r.count, expected + 2, n - 2); /* less the handler and its trampoline */
    CHECK_EQ(r.end, UNWIND_END_COMPLETE);
    /* And from within the handler, through the signal frame. */
    r = unwind_here(&self, handler_stack, pcs, DEPTH_MAX);
    check_same(pcs + 1, r.count - 1, expected + 1, n - 1);
    CHECK_EQ(r.interrupted, 3); /* counted before the walker's own frame goes */
    interrupted++;
    sink += sig + info->si_signo;
}

static void need_plain_signals(void)
{
    if (OWN_DELIVERY)
        test_skip("the thread sanitizer calls handlers later, from frames of its own");
}

/* An emulated process (qemu-user) has no process_vm_readv. */
static void need_careful_reads(void)
{
    struct unwind_peek peek = {.pid = getpid()};
    uint64_t word;
    if (!unwind_peek_read(&peek, (uintptr_t)&word, &word, sizeof word))
        test_skip("process_vm_readv is refused here");
}

static void handle(int sig, int flags, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    REQUIRE(sigaction(sig, &action, NULL) == 0);
}

static __attribute__((noinline)) void raise_deep(int depth)
{
    if (depth > 0)
        raise_deep(depth - 1);
    else
        raise(SIGUSR1);
    sink++;
}

TEST(signal_frames_are_left_to_what_they_interrupted)
{
    need_plain_signals();
    prepare();
    handle(SIGUSR1, 0, compare_in_handler);
    raise_deep(0);
    raise_deep(20);
    CHECK_EQ(interrupted, 2);
}

TEST(a_handler_on_its_own_stack_walks_the_thread_s_stack)
{
    static char other[256 << 10];
    stack_t alternate = {.ss_sp = other, .ss_size = sizeof other};
    need_plain_signals();
    need_careful_reads();
    handler_stack = NULL;
    prepare();
    REQUIRE(sigaltstack(&alternate, NULL) == 0);
    handle(SIGUSR1, SA_ONSTACK, compare_in_handler);
    raise_deep(3);
    CHECK_EQ(interrupted, 1);
}

static void check_wild_call(int sig, siginfo_t *info, void *context)
{
    uint64_t pcs[DEPTH_MAX];
    ucontext_t *u = context;
    struct unwind_result r = unwind_current(&self, &stack, context, pcs, DEPTH_MAX);
    CHECK_EQ(pcs[0], (uintptr_t)info->si_addr);
    CHECK_EQ(r.end, UNWIND_END_COMPLETE);
    CHECK(r.count > 4);
    CHECK_EQ(r.fp_frames, 1);
    interrupted += sig == SIGSEGV;
#if defined(__x86_64__)
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)pcs[1]; /* as if it had returned */
    u->uc_mcontext.gregs[REG_RSP] += 8;
#else
    u->uc_mcontext.pc = pcs[1];
#endif
}

TEST(a_call_of_nothing_is_left_to_its_caller)
{
    void (*volatile wild)(void) = (void (*)(void))(uintptr_t)0x1000;
    prepare();
    handle(SIGSEGV, 0, check_wild_call);
    wild();
    CHECK_EQ(interrupted, 1);
}

/* ---- sampled ---- */

static struct {
    unsigned long samples, complete, in_vdso, frames;
    unsigned long ends[UNWIND_END_COUNT];
    uint64_t incomplete[8][3];
    unsigned long kept;
} tally;
static uint64_t vdso_start, vdso_end;
static __thread struct unwind_stack own_stack;

static void sample(int sig, siginfo_t *info, void *context)
{
    uint64_t pcs[DEPTH_MAX];
    struct unwind_result r = unwind_current(&self, &own_stack, context, pcs, DEPTH_MAX);
    __atomic_fetch_add(&tally.samples, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&tally.frames, r.count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&tally.ends[r.end], 1, __ATOMIC_RELAXED);
    if (unwind_end_is_complete(r.end))
        __atomic_fetch_add(&tally.complete, 1, __ATOMIC_RELAXED);
    else if (r.count >= 3) {
        unsigned long i = __atomic_fetch_add(&tally.kept, 1, __ATOMIC_RELAXED);
        if (i < 8)
            memcpy(tally.incomplete[i], pcs, sizeof tally.incomplete[i]);
    }
    if (pcs[0] >= vdso_start && pcs[0] < vdso_end)
        __atomic_fetch_add(&tally.in_vdso, 1, __ATOMIC_RELAXED);
    sink += sig + info->si_signo;
}

static void start_timer(long interval_us)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    struct itimerspec when = {{0, interval_us * 1000}, {0, interval_us * 1000}};
    timer_t timer;
    event._sigev_un._tid = (int)syscall(SYS_gettid);
    REQUIRE(unwind_stack_here(&own_stack));
    REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    REQUIRE(timer_settime(timer, 0, &when, NULL) == 0);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A machine that does other things, too, gives few samples in a time. */
static bool goes_on(double until, unsigned long least)
{
    return seconds() < until || __atomic_load_n(&tally.samples, __ATOMIC_RELAXED) < least;
}

static void check_tally(unsigned long least)
{
    printf("%lu samples, %lu complete, %lu in the vDSO, %.1f frames\n", tally.samples,
           tally.complete, tally.in_vdso, (double)tally.frames / (double)(tally.samples + 1));
    for (int i = 0; i < UNWIND_END_COUNT; i++)
        if (tally.ends[i])
            printf("  %lu: %s\n", tally.ends[i], unwind_end_text((enum unwind_end)i));
    CHECK(tally.samples >= least);
    /* A handler called later is given registers of a stack that is gone. */
    CHECK(OWN_DELIVERY || (double)tally.complete >= 0.995 * (double)tally.samples);
    for (unsigned long i = 0; i < 8 && i < tally.kept; i++) {
        Dl_info info = {0};
        dladdr((void *)tally.incomplete[i][0], &info);
        printf("  incomplete: %#lx %#lx, in %s %s\n", (unsigned long)tally.incomplete[i][0],
               (unsigned long)tally.incomplete[i][1], info.dli_fname, info.dli_sname);
    }
}

static void find_vdso(void)
{
    const struct unwind_space *space = &self.snapshots[self.current - 1].space;
    Dl_info info;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (uint32_t i = 0; i < space->count; i++) {
        if (dladdr((void *)(space->modules[i].start), &info) && info.dli_fname &&
            strstr(info.dli_fname, "vdso")) {
            vdso_start = space->modules[i].start;
            vdso_end = space->modules[i].end;
        }
    }
}

static __attribute__((noinline)) void read_clocks(int depth, double until, unsigned long least)
{
    if (depth > 0) {
        read_clocks(depth - 1, until, least);
    } else {
        while (goes_on(until, least))
            sink++;
    }
    sink++;
}

TEST(the_vdso_interrupted_anywhere_is_left)
{
    prepare();
    find_vdso();
    handle(SIGPROF, SA_RESTART, sample);
    start_timer(1000);
    read_clocks(10, seconds() + 3, 200);
    check_tally(200);
    if (vdso_start)
        CHECK(tally.in_vdso > 0);
}

static int by_value(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Short functions, allocation, formatting, sorting: many prologues, epilogues,
 * stubs of lazily bound functions, and libc's hand-written code. */
static void *mixed_work(void *arg)
{
    double until = *(double *)arg;
    uint64_t random = 88172645463325252u;
    start_timer(997);
    while (goes_on(until, 300)) {
        int numbers[200];
        for (int i = 0; i < 200; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            numbers[i] = (int)random;
        }
        qsort(numbers, 200, sizeof numbers[0], by_value);
        char *text = malloc(64 + random % 512);
        snprintf(text, 64, "%d %s %.3f", numbers[0], "text", (double)numbers[1]);
        sink += (int)strlen(text) + (int)(strtol(text, NULL, 10) & 15) +
                (memchr(text, 'x', 10) != NULL);
        free(text);
        sink += getppid() != 0;
    }
    return NULL;
}

TEST(threads_interrupted_anywhere_reach_their_start)
{
    pthread_t threads[3];
    double until = seconds() + 3;
    prepare();
    handle(SIGPROF, SA_RESTART, sample);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, mixed_work, &until) == 0);
    mixed_work(&until);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    check_tally(300);
}

#if defined(__x86_64__) /* stepping is a flag there */
/* Every instruction of a stretch of code, one after the other. */
static unsigned long steps;
static void single_step(int sig, siginfo_t *info, void *context)
{
    steps++;
    sample(sig, info, context);
}

static __attribute__((noinline)) int stepped(int depth)
{
    char text[64];
    if (depth > 0)
        return stepped(depth - 1) + 1;
    snprintf(text, sizeof text, "%d", (int)sink);
    free(malloc(100));
    return (int)labs(strtol(text, NULL, 10)) + strcmp(text, "x") + (int)getpagesize();
}

TEST(every_single_instruction_is_left)
{
    prepare();
    REQUIRE(unwind_stack_here(&own_stack));
    handle(SIGTRAP, 0, single_step);
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    sink += stepped(4);
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    CHECK(steps > 300);
    check_tally(300);
}
#endif

/* ---- what is loaded and unloaded ---- */

static const char *const library = "libsqlite3.so.0";

TEST(a_library_opened_later_is_known_after_refresh)
{
    prepare();
    void *handle_of = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle_of)
        test_skip("%s is not installed", library);
    void *inside = dlsym(handle_of, "sqlite3_open");
    const struct unwind_space *space = &self.snapshots[self.current - 1].space;
    CHECK(!unwind_space_find(space, (uintptr_t)inside));
    REQUIRE(unwind_self_refresh(&self) == ORIEL_OK);
    space = &self.snapshots[self.current - 1].space;
    const struct unwind_module *m = unwind_space_find(space, (uintptr_t)inside);
    REQUIRE(m != NULL);
    /* A copy of ours: it outlives the library. */
    CHECK((uintptr_t)m->eh.frame < m->start || (uintptr_t)m->eh.frame >= m->end);
    uint64_t generation = space->generation;
    const uint8_t *copied = m->eh.frame;
    CHECK_EQ(unwind_self_refresh(&self), ORIEL_OK);
    CHECK_EQ(self.snapshots[self.current - 1].space.generation, generation);
    for (int round = 0; round < 4; round++) { /* copied once, found again */
        self.adds++;
        self.subs += round >= 2;
        CHECK_EQ(unwind_self_refresh(&self), ORIEL_OK);
        space = &self.snapshots[self.current - 1].space;
        m = unwind_space_find(space, (uintptr_t)inside);
        CHECK(m && m->eh.frame == copied && m->eh.table != NULL);
    }
    dlclose(handle_of);
    CHECK_EQ(unwind_self_refresh(&self), ORIEL_OK);
    CHECK(!unwind_space_find(&self.snapshots[self.current - 1].space, (uintptr_t)inside));
    CHECK(self.snapshots[self.current - 1].space.generation > generation);
    unwind_self_close(&self);
    uint64_t pcs[4];
    CHECK_EQ(unwind_here(&self, &stack, pcs, 4).count, 0);
}

TEST(a_refresh_waits_for_nobody)
{
    prepare();
    self.snapshots[1].readers = 1; /* a walk that never ends */
    self.adds++;
    CHECK_EQ(unwind_self_refresh(&self), ORIEL_EBUSY);
    recurse(3);
    unwind_self_after_fork(&self);
    CHECK_EQ(unwind_self_refresh(&self), ORIEL_OK);
    recurse(3);
    CHECK_EQ(compared, 2);
}

static int stop;
static void *open_and_close(void *arg)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *h = dlopen(library, RTLD_NOW);
        if (h)
            dlclose(h);
        if (unwind_self_refresh(&self) == ORIEL_OK)
            __atomic_fetch_add((unsigned long *)arg, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

TEST(walks_go_on_while_libraries_come_and_go)
{
    pthread_t thread;
    unsigned long refreshed = 0;
    prepare();
    handle(SIGPROF, SA_RESTART, sample);
    REQUIRE(pthread_create(&thread, NULL, open_and_close, &refreshed) == 0);
    start_timer(200);
    read_clocks(5, seconds() + 1, 50);
    while (!__atomic_load_n(&refreshed, __ATOMIC_RELAXED))
        sched_yield();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    check_tally(50);
}

/* ---- other stacks ---- */

static ucontext_t back, there;
static void on_fiber(void)
{
    uint64_t pcs[DEPTH_MAX];
    /* The thread's bounds say nothing of this stack: it is read with care. */
    struct unwind_result r = unwind_here(&self, &stack, pcs, DEPTH_MAX);
    CHECK_EQ(r.end, UNWIND_END_COMPLETE);
    CHECK(r.count >= 2);
    interrupted++;
    swapcontext(&there, &back);
}

TEST(a_coroutine_s_stack_is_read_with_care)
{
    static char fiber[64 << 10];
    need_careful_reads();
    prepare();
    REQUIRE(getcontext(&there) == 0);
    there.uc_stack.ss_sp = fiber;
    there.uc_stack.ss_size = sizeof fiber;
    makecontext(&there, on_fiber, 0);
    REQUIRE(swapcontext(&back, &there) == 0);
    CHECK_EQ(interrupted, 1);
}

TEST(a_stack_pointer_into_nothing_ends_a_walk)
{
    ucontext_t context;
    uint64_t pcs[8];
    prepare();
    REQUIRE(getcontext(&context) == 0);
#if defined(__x86_64__)
    context.uc_mcontext.gregs[REG_RSP] = 0x1000;
    context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)&recurse;
#else
    context.uc_mcontext.sp = 0x1000;
    context.uc_mcontext.pc = (uintptr_t)&recurse + 4;
#endif
    struct unwind_result r = unwind_current(&self, &stack, &context, pcs, 8);
    CHECK_EQ(r.end, UNWIND_END_TRUNCATED);
    CHECK_EQ(r.count, 1);
}

TEST_MAIN()
