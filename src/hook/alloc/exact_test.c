/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who tells the sums of exact mode, and when; the sums themselves: alloc_test.
 */
#include "hook/alloc/exact.c"

#include <pthread.h>

#include "ring_reader.h"
#include "rec/rec.h"
#include "test.h"

static uint32_t called; /* atomic */

static void *end_telling(void *unused)
{
    while (!__atomic_load_n(&called, __ATOMIC_ACQUIRE))
        os_yield();
    for (int i = 0; i < 50; i++)
        os_yield();
    __atomic_store_n(&telling, 0, __ATOMIC_RELEASE);
    return unused;
}

TEST(the_last_sums_are_told_though_another_thread_is_just_telling)
{
    pthread_t t;
    struct region *region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(oriel_attach(region_path(region)) == 0);
    REQUIRE(hook_stacks_open(false) == 0 && alloc_exact_open());
    alloc_exact_unknown(&t, 100);
    telling = 1;
    REQUIRE(pthread_create(&t, NULL, end_telling, NULL) == 0);
    __atomic_store_n(&called, 1, __ATOMIC_RELEASE);
    alloc_exact_tell(true);
    REQUIRE(pthread_join(t, NULL) == 0);
    CHECK_EQ(stacks[STACKS - 1].told_came.bytes, 100);
    CHECK_EQ(stacks[STACKS - 1].told_came.count, 1);
    region_free(region);
}

TEST(blocks_without_a_stack_are_in_the_sums)
{
    struct alloc_block b;
    struct alloc_thread t = {.inside = 0};
    void *p = alloc_next.malloc(100);
    const size_t bytes = alloc_size_of(p);
    REQUIRE(alloc_exact_open());
    alloc_exact_unknown(p, bytes);
    CHECK_EQ(alloc_exact_peak(), bytes);
    REQUIRE(alloc_exact_take(p, &b));
    CHECK_EQ(b.bytes, bytes);
    alloc_exact_gone(&t, p, &b);
    CHECK_EQ(live, 0);
    CHECK(!alloc_exact_take(p, &b));
    alloc_next.free(p);
}

static __attribute__((noinline)) void allocates(struct alloc_thread *t, char *p)
{
    alloc_exact_new(t, p, 100, HOOK_CALLER);
    __asm__ volatile("");
}

/* The first one is walked over the tables, the next ones along what it left. */
TEST(a_stack_is_the_same_whichever_way_it_was_walked)
{
    static char blocks[64][16] __attribute__((aligned(16)));
    static struct alloc_thread t = {.inside = 0};
    uint32_t stack;
    REQUIRE(hook_stacks_open(false) == 0 && alloc_exact_open());
    for (int i = 0; i < 64; i++)
        allocates(&t, blocks[i]);
    CHECK_EQ(stacks_in_use(), 2); /* with the one that is not known */
    CHECK(t.trails && (UNWIND_ARCH_HERE != UNWIND_X86_64 || t.trails->failed == 0));
    const struct stack *s = stack_at(1);
    CHECK_EQ(s->came.count, 64);
    CHECK_EQ(s->came.bytes, 6400);
    CHECK(s->depth > 2 && s->end == UNWIND_END_COMPLETE);
    REQUIRE(alloc_blocks_take(blocks[5], &stack, false));
    CHECK_EQ(stack, s - stacks);
}

static uint32_t stops; /* atomic */
static void *waits(void *unused)
{
    while (!__atomic_load_n(&stops, __ATOMIC_ACQUIRE))
        os_yield();
    return unused;
}

/* What was added to without locked instructions goes on with them. */
TEST(sums_go_on_when_a_second_thread_comes)
{
    static char blocks[64][16] __attribute__((aligned(16)));
    static struct alloc_thread t = {.inside = 0};
    pthread_t other;
    REQUIRE(hook_stacks_open(false) == 0 && alloc_exact_open());
    for (int i = 0; i < 32; i++)
        allocates(&t, blocks[i]);
    REQUIRE(pthread_create(&other, NULL, waits, NULL) == 0);
    CHECK(!alloc_is_alone());
    for (int i = 32; i < 64; i++)
        allocates(&t, blocks[i]);
    CHECK_EQ(live, 6400);
    CHECK_EQ(alloc_exact_peak(), 6400);
    for (int i = 0; i < 64; i++) {
        struct alloc_block b;
        REQUIRE(alloc_blocks_take(blocks[i], &b.stack, false));
        b.bytes = 100;
        alloc_exact_gone(&t, blocks[i], &b);
    }
    CHECK_EQ(live, 0);
    __atomic_store_n(&stops, 1, __ATOMIC_RELEASE);
    REQUIRE(pthread_join(other, NULL) == 0);
}

TEST_MAIN()
