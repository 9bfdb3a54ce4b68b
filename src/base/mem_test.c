/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the counted heap. */
#include "base/mem.h"

#include <pthread.h>

#include "test.h"

TEST(what_is_live_is_counted)
{
    char *a = mem_alloc(100), *b = mem_calloc(3, 7);
    REQUIRE(a && b);
    CHECK_EQ(mem_live_bytes(), 121);
    CHECK_EQ(mem_live_blocks(), 2);
    a = mem_realloc(a, 10);
    CHECK_EQ(mem_live_bytes(), 31);
    CHECK_EQ(mem_live_blocks(), 2);
    a = mem_realloc(a, 1000);
    CHECK_EQ(mem_live_bytes(), 1021);
    mem_free(a);
    mem_free(b);
    mem_free(NULL);
    CHECK_EQ(mem_live_bytes(), 0);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(calloc_gives_zeros_and_realloc_keeps_content)
{
    unsigned char *p = mem_calloc(64, 4);
    REQUIRE(p);
    for (int i = 0; i < 256; i++)
        CHECK_EQ(p[i], 0);
    for (int i = 0; i < 256; i++)
        p[i] = (unsigned char)i;
    p = mem_realloc(p, 100000);
    REQUIRE(p);
    for (int i = 0; i < 256; i++)
        CHECK_EQ(p[i], i);
    mem_free(p);
}

TEST(blocks_are_aligned_for_any_type)
{
    for (size_t n = 0; n < 200; n++) {
        void *p = mem_alloc(n);
        CHECK_EQ((uintptr_t)p % 16, 0);
        mem_free(p);
    }
}

TEST(sizes_that_overflow_are_refused)
{
    CHECK(mem_calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(mem_calloc(SIZE_MAX, 1) == NULL);
    CHECK(mem_alloc(SIZE_MAX) == NULL);
    CHECK(mem_alloc(SIZE_MAX - 15) == NULL);
    char *p = mem_alloc(4);
    REQUIRE(p);
    p[0] = 'k';
    CHECK(mem_realloc(p, SIZE_MAX - 8) == NULL);
    CHECK_EQ(p[0], 'k');
    CHECK_EQ(mem_live_bytes(), 4);
    mem_free(p);
}

TEST(the_nth_allocation_fails_and_only_that_one)
{
    void *p[5];
    mem_fail_after(3);
    for (int i = 0; i < 5; i++)
        p[i] = i % 2 ? mem_calloc(1, 8) : mem_alloc(8);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(p[i] == NULL, i == 2);
        mem_free(p[i]);
    }
    void *q = mem_alloc(8);
    mem_fail_after(1);
    CHECK(mem_realloc(q, 16) == NULL);
    mem_fail_after(0);
    CHECK_EQ(mem_live_blocks(), 1);
    mem_free(q);
}

TEST(strings_are_copied_up_to_a_nul_or_the_count)
{
    char *a = mem_strdup("hello"), *b = mem_strndup("hello", 3), *c = mem_strndup("hi", 10),
         *d = mem_strndup(NULL, 0);
    CHECK_STR(a, "hello");
    CHECK_STR(b, "hel");
    CHECK_STR(c, "hi");
    CHECK_STR(d, "");
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(d);
    CHECK_EQ(mem_live_blocks(), 0);
}

static void *churn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        void *p = mem_alloc((size_t)i % 77), *q = mem_calloc(2, 9);
        p = mem_realloc(p, 33);
        mem_free(q);
        mem_free(p);
    }
    return NULL;
}

TEST(counts_are_exact_with_four_threads)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(mem_live_bytes(), 0);
    CHECK_EQ(mem_live_blocks(), 0);
}

static void *try_one(void *arg)
{
    void *p = mem_alloc(1);
    *(int *)arg = p == NULL;
    mem_free(p);
    return NULL;
}

TEST(a_failure_hits_exactly_one_of_many_threads)
{
    pthread_t threads[8];
    int failed[8], sum = 0;
    mem_fail_after(4);
    for (int i = 0; i < 8; i++)
        REQUIRE(pthread_create(&threads[i], NULL, try_one, &failed[i]) == 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        sum += failed[i];
    }
    CHECK_EQ(sum, 1);
}

TEST_MAIN()
