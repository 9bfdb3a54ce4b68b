/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks along what the walks before left, beside walks over the tables: both must name the
 * same addresses, whatever a program does to its stack between two of them.
 */
#include "unwind/trail.h"

#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/err.h"
#include "test.h"

static struct unwind_self self;
static __thread struct unwind_stack stack;
static __thread struct unwind_trails trails;
static __thread unsigned long compared, along, joined;
static __thread uint32_t seed;
static __thread volatile unsigned sink;

/* Elsewhere a hook does not know its caller's registers at no cost: nothing walks along. */
static void need_trails(void)
{
    if (UNWIND_ARCH_HERE != UNWIND_X86_64)
        test_skip("trails are made on x86-64 only");
}

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void prepare(void)
{
    need_trails();
    REQUIRE(unwind_self_open(&self, true) == ORIEL_OK);
    REQUIRE(unwind_stack_here(&stack));
}

static void check_sums(const struct unwind_trail *t)
{
    uint64_t sum = 0;
    for (uint32_t i = UNWIND_TRAIL_MAX; i-- > t->first;) {
        sum = unwind_trail_sum(sum, t->frames[i].pc);
        REQUIRE(sum == t->frames[i].sum);
    }
}

static void check_same(const struct unwind_trail *t, const struct unwind_result *r,
                       const uint64_t *pcs)
{
    const uint32_t count = UNWIND_TRAIL_MAX - t->first;
    CHECK_EQ(count, r->count);
    CHECK_EQ(t->cut ? UNWIND_END_FULL : UNWIND_END_COMPLETE, r->end);
    for (uint32_t i = 0; i < count && i < r->count; i++)
        if (t->frames[t->first + i].pc != pcs[i]) {
            test_fail(__FILE__, __LINE__, "frame %u is %#llx, by the tables %#llx", i,
                      (unsigned long long)t->frames[t->first + i].pc, (unsigned long long)pcs[i]);
            break;
        }
    check_sums(t);
    test_stop_if_failed();
}

/* From whoever calls this. */
static __attribute__((noinline)) void compare_here(void)
{
    uint64_t pcs[UNWIND_TRAIL_MAX];
    const uint64_t *frame = __builtin_frame_address(0);
    const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
    struct unwind_result r = unwind_above(&self, &stack, &caller, pcs, UNWIND_TRAIL_MAX);
    const struct unwind_trail *t = unwind_trails_walk(&trails, &self, &stack, &caller);
    compared++;
    if (t) {
        along++;
        check_same(t, &r, pcs);
    } else {
        trails.wait = 0; /* at the next one again */
    }
    sink++;
}

/* ---- a program that comes by at random ---- */

static void wander(int depth);

static __attribute__((noinline)) void plainly(int depth)
{
    wander(depth);
    sink++;
}
/* As large as the one before: what it calls finds the same stack pointer and place. */
static __attribute__((noinline)) void likewise(int depth)
{
    wander(depth);
    sink--;
}
static __attribute__((noinline)) void with_alloca(int depth)
{
    size_t n = 16 * (1 + next(6));
    char *p = alloca(n);
    memset(p, depth, n);
    wander(depth);
    sink += (unsigned char)p[n / 2];
}
static __attribute__((noinline)) void with_alignment(int depth)
{
    char wide[128] __attribute__((aligned(128)));
    memset(wide, depth, sizeof wide);
    wander(depth);
    sink += (unsigned)(wide[depth & 63]);
}
static __attribute__((noinline)) void with_both(int depth)
{
    char array[16 * (1 + next(6))];
    char wide[64] __attribute__((aligned(64)));
    memset(array, depth, sizeof array);
    memset(wide, depth, sizeof wide);
    wander(depth);
    sink += (unsigned)(array[3] + wide[depth & 63]);
}
static __attribute__((noinline)) void large(int depth)
{
    volatile char big[3000];
    big[depth] = 1;
    wander(depth);
    sink += (unsigned)(big[depth]);
}
/* Much that outlives the call: registers that are saved on the stack, rbp among them. */
static __attribute__((noinline)) unsigned keeps_registers(int depth, unsigned a, unsigned b,
                                                          unsigned c)
{
    unsigned sum = a;
    for (unsigned i = 0; i < 2; i++) {
        wander(depth);
        sum += a * i + b - c + sink;
    }
    return sum + b * c;
}

static __thread jmp_buf away;
static __thread int landing;
static __attribute__((noinline)) void lands(int depth)
{
    jmp_buf before;
    memcpy(&before, &away, sizeof before);
    landing++;
    if (setjmp(away) == 0)
        wander(depth);
    landing--;
    memcpy(&away, &before, sizeof before);
    compare_here();
    sink++;
}

static __thread int left;
static int compare_ints(const void *a, const void *b)
{
    if (left-- > 0)
        compare_here();
    return *(const int *)a - *(const int *)b;
}
static __attribute__((noinline)) void through_libc(int depth)
{
    int numbers[] = {3, 1, 2, depth, 5, 4};
    left = 3;
    qsort(numbers, 6, sizeof numbers[0], compare_ints);
    sink += (unsigned)(numbers[2]);
}

static void wander(int depth)
{
    if (next(3) == 0)
        compare_here();
    if (depth <= 0) {
        compare_here();
        if (landing && next(4) == 0)
            longjmp(away, 1);
        return;
    }
    switch (next(10)) {
    case 0:
        plainly(depth - 1);
        break;
    case 1:
        likewise(depth - 1);
        break;
    case 2:
        with_alloca(depth - 1);
        break;
    case 3:
        with_alignment(depth - 1);
        break;
    case 4:
        with_both(depth - 1);
        break;
    case 5:
        large(depth - 1);
        break;
    case 6:
        sink += keeps_registers(depth - 1, next(9), next(9), next(9));
        break;
    case 7:
        lands(depth - 1);
        break;
    case 8:
        through_libc(depth - 1);
        break;
    default: /* the same place, another time */
        wander(depth - 1);
        compare_here();
    }
    sink++;
}

static __attribute__((noinline)) void wander_about(uint32_t from)
{
    for (uint32_t i = 0, n = (uint32_t)test_times(600); i < n; i++) {
        seed = from + i;
        wander((int)(1 + i % 9));
    }
    CHECK(compared > 600);
    CHECK(along > compared - compared / 4);
}

TEST_T(a_walk_along_a_trail_names_what_one_over_the_tables_names, 300)
{
    prepare();
    wander_about(1);
}

static void *wanders(void *from)
{
    REQUIRE(unwind_stack_here(&stack));
    wander_about((uint32_t)(uintptr_t)from);
    return NULL;
}

TEST_T(each_thread_has_trails_of_its_own, 300)
{
    pthread_t threads[3];
    prepare();
    for (uintptr_t i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, wanders, (void *)(i * 100000)) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

TEST(a_thread_that_takes_over_another_s_trails_does_not_follow_them)
{
    prepare();
    compare_here();
    compare_here();
    const uint64_t *frame = __builtin_frame_address(0);
    const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
    struct unwind_stack other = {stack.low, caller.sp + 64};
    REQUIRE(unwind_trails_walk(&trails, &self, &stack, &caller));
    /* Its frames end before those of the trail do. */
    CHECK(!unwind_trails_walk(&trails, &self, &other, &caller));
    CHECK(!unwind_trails_walk(&trails, &self, NULL, &caller));
}

/* ---- what was changed is seen ---- */

static __attribute__((noinline)) void two_ways_up(int which)
{
    if (which)
        plainly(0);
    else
        likewise(0);
    sink++;
}

TEST(the_same_place_and_stack_pointer_below_other_callers_is_another_stack)
{
    prepare();
    for (int i = 0; i < 64; i++) {
        seed = 7;
        two_ways_up(i % 2);
        two_ways_up(i / 2 % 2);
    }
    CHECK(along > 100);
}

/* The CFA comes from a frame pointer that differs while place and stack pointer do not; where the
 * return address lay the time before, it still lies, and it was another one. */
static __attribute__((noinline)) unsigned between(unsigned a, unsigned b, unsigned c)
{
    unsigned sum = a * b; /* and more than there are registers that calls leave alone but rbp */
    for (unsigned i = 0; i < 2; i++) {
        compare_here();
        sum += (a ^ i) * b - c + sink;
        a += c * i;
    }
    return sum + a * b * c;
}
static __attribute__((noinline)) void shifted(size_t below)
{
    volatile char *p = alloca(below);
    p[0] = 1;
    sink += between((unsigned)below, sink, 3);
    sink += (unsigned)(p[0]);
}
static __attribute__((noinline)) void shifts(size_t below, bool second)
{
    volatile char *p = alloca(1024 - below);
    p[0] = 1;
    if (second) {
        shifted(below);
        sink++;
    } else {
        shifted(below);
        sink--;
    }
    sink += (unsigned)(p[0]);
}

TEST(another_frame_pointer_below_the_same_stack_pointer_is_seen)
{
    prepare();
    for (size_t i = 0; i < 200; i++)
        shifts(64 + 64 * (i * 7 % 5), i % 3 == 0);
    CHECK(along > 390);
}

/* ---- deep stacks ---- */

static __attribute__((noinline)) void deep(int depth)
{
    if (depth > 0)
        deep(depth - 1);
    compare_here();
    sink++;
}

TEST(a_stack_of_any_depth_is_cut_where_a_walk_over_the_tables_cuts_it)
{
    prepare();
    for (int depth = 90; depth < 150; depth++)
        deep(depth);
    deep(1000);
    deep(3);
    CHECK(along > compared - 200);
}

/* ---- through signals and on other stacks ---- */

static void on_signal(int sig)
{
    sink += (unsigned)sig;
    wander(2);
    compare_here();
}

static __attribute__((noinline)) void raise_deep(int depth)
{
    if (depth > 0)
        raise_deep(depth - 1);
    else
        raise(SIGUSR1);
    compare_here();
}

TEST(a_handler_s_walk_is_the_one_over_the_tables)
{
    static char other[256 << 10];
    stack_t alternate = {.ss_sp = other, .ss_size = sizeof other};
    prepare();
    for (int i = 0; i < 40; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = i > 20 ? SA_ONSTACK : 0};
        REQUIRE(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
        raise_deep(i % 7);
    }
    CHECK(along > 40);
}

static ucontext_t back, there;
static int fibers;
static void on_fiber(void)
{
    for (;;) {
        const uint64_t *frame = __builtin_frame_address(0);
        const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
        CHECK(!unwind_trails_walk(&trails, &self, &stack, &caller));
        trails.wait = 0;
        fibers++;
        swapcontext(&there, &back);
    }
}

TEST(a_coroutine_between_two_walks_disturbs_neither)
{
    static char fiber[64 << 10];
    prepare();
    REQUIRE(getcontext(&there) == 0);
    there.uc_stack.ss_sp = fiber;
    there.uc_stack.ss_size = sizeof fiber;
    makecontext(&there, on_fiber, 0);
    for (int i = 0; i < 20; i++) {
        two_ways_up(i % 2);
        REQUIRE(swapcontext(&back, &there) == 0);
        two_ways_up(i % 3 == 0);
    }
    CHECK_EQ(fibers, 20);
    CHECK(along > 30);
}

/* ---- when not to ---- */

TEST(what_cannot_be_walked_so_is_tried_more_and_more_seldom)
{
    /* A sanitizer's locals lie elsewhere. */
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const struct unwind_caller wild = {0x1000, here, here};
    uint32_t tried = 0;
    prepare();
    for (int i = 0; i < 1000; i++) {
        tried += trails.wait == 0;
        CHECK(!unwind_trails_walk(&trails, &self, &stack, &wild));
    }
    CHECK(tried > 10 && tried < 40);
    trails.wait = 0;
    compare_here(); /* rows of these frames, if there were none */
    compare_here();
    CHECK_EQ(trails.failed, 0);
}

TEST(after_a_refresh_nothing_of_before_is_followed)
{
    prepare();
    compare_here();
    compare_here();
    CHECK_EQ(trails.failed, 0);
    self.adds++; /* as if a library had come */
    REQUIRE(unwind_self_refresh(&self) == ORIEL_OK);
    joined = along;
    compare_here(); /* the walk over the tables knew the rows again, just before */
    CHECK_EQ(along, joined + 1);
    unwind_self_close(&self);
    const uint64_t *frame = __builtin_frame_address(0);
    const struct unwind_caller caller = {frame[1], (uintptr_t)frame + 16, frame[0]};
    CHECK(!unwind_trails_walk(&trails, &self, &stack, &caller));
}

TEST_MAIN()
