/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The memory hook in many threads at once, also under the sanitizers: a preloaded
 * malloc and theirs collide, so what a program calls bears other names here, and
 * theirs is the allocator behind it. What real programs see: heap.programs.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define malloc hooked_malloc
#define free hooked_free
#define calloc hooked_calloc
#define realloc hooked_realloc
#define reallocarray hooked_reallocarray
#define memalign hooked_memalign
#define aligned_alloc hooked_aligned_alloc
#define posix_memalign hooked_posix_memalign
#define valloc hooked_valloc
#define pvalloc hooked_pvalloc
#define malloc_usable_size hooked_usable_size
#define pthread_getattr_np hooked_getattr_np
void *malloc(size_t size);
void free(void *p);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *reallocarray(void *p, size_t n, size_t size);
void *memalign(size_t align, size_t size);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **out, size_t align, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *p);
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr);

#include "hook/alloc/interpose.c"
/* For what `oriel record --heap` says to a program before it begins. */
#include "hook/alloc/start.c"

#include "ring_reader.h"
#include "test.h"

enum { THREADS = 4, SLOTS = 64, ROUNDS = 30000, MANY = 2048 };

static void *slots[SLOTS];         /* atomic: blocks that any thread may free */
static struct oriel_heap truth;    /* atomic */
static struct oriel_heap at_start; /* what was counted before */
static struct region *region;

static void start(const char *mode, const char *interval)
{
    free(malloc(1)); /* the loader has done so before any thread begins */
    region = reader_region(0, 256, WIRE_POLICY_OVERWRITE_OLDEST);
    REQUIRE(oriel_attach(region_path(region)) == 0);
    setenv("ORIEL_HEAP_INTERVAL", interval, 1);
    look_from_now(mode);
    alloc_thread_restart(alloc_thread_here());
    alloc_threads_sum(&at_start);
}

static void *came_out(void *p)
{
    REQUIRE(p != NULL);
    __atomic_fetch_add(&truth.allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
    return p;
}

static void *goes_in(void *p)
{
    if (p) {
        __atomic_fetch_add(&truth.frees, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&truth.freed_bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
    }
    return p;
}

static void *work(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (unsigned long i = 0, n = test_times(ROUNDS); i < n; i++) {
        size_t size = 1 + (seed * 131 + i * 17) % 700;
        void *p = came_out(i % 7 ? malloc(size) : calloc(size, 2));
        if (i % 3 == 0)
            p = came_out(realloc(goes_in(p), size * 3));
        free(goes_in(__atomic_exchange_n(&slots[(seed + i) % SLOTS], p, __ATOMIC_ACQ_REL)));
    }
    return NULL;
}

static void in_threads(void)
{
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(t[i], NULL) == 0);
}

static void check_sums(void)
{
    struct oriel_heap now;
    alloc_threads_sum(&now);
    CHECK_EQ(now.allocations - at_start.allocations, truth.allocations);
    CHECK_EQ(now.bytes - at_start.bytes, truth.bytes);
    CHECK_EQ(now.frees - at_start.frees, truth.frees);
    CHECK_EQ(now.freed_bytes - at_start.freed_bytes, truth.freed_bytes);
}

static void finish_up(void)
{
    for (int i = 0; i < SLOTS; i++)
        free(goes_in(__atomic_exchange_n(&slots[i], NULL, __ATOMIC_ACQ_REL)));
    check_sums();
    region_free(region);
}

TEST(counts_are_right_while_threads_free_each_other_s_blocks)
{
    start("none", "1");
    in_threads();
    check_sums();
    finish_up();
}

TEST(every_block_is_sampled_by_threads_at_once)
{
    start("sampled", "1");
    in_threads();
    check_sums();
    finish_up();
    for (size_t i = 0; i < sizeof alloc_filter; i++)
        REQUIRE(alloc_filter[i] == 0); /* all that were remembered are gone */
}

TEST(every_block_has_a_stack_in_threads_at_once)
{
    start("exact", "1");
    in_threads();
    check_sums();
    CHECK(alloc_exact_peak() > 0);
    alloc_exact_tell(true);
    finish_up();
}

/* As if so many threads were there. */
static void take_all_slots(void)
{
    struct alloc_thread *mine = alloc_thread_here();
    for (int i = 0; i < MANY; i++)
        (void)alloc_thread_new();
    alloc_thread = mine;
}

TEST(threads_that_find_no_counters_of_their_own_are_counted_exactly_too)
{
    take_all_slots();
    start("exact", "1");
    in_threads();
    check_sums();
    finish_up();
}

TEST(threads_that_find_no_counters_of_their_own_take_no_samples_but_end_those_of_others)
{
    take_all_slots();
    start("sampled", "1");
    for (int i = 0; i < SLOTS; i++)
        slots[i] = came_out(malloc(100));
    in_threads();
    check_sums();
    finish_up();
    for (size_t i = 0; i < sizeof alloc_filter; i++)
        REQUIRE(alloc_filter[i] == 0);
}

static pthread_key_t late;

/* In every round of destructors that there is. */
static void allocate_to_the_end(void *p)
{
    free(goes_in(came_out(malloc(33))));
    pthread_setspecific(late, p);
}

static void *die_slowly(void *unused)
{
    (void)unused;
    pthread_setspecific(late, &late);
    return NULL;
}

TEST(what_a_thread_frees_after_its_last_destructor_keeps_no_slot)
{
#ifdef __SANITIZE_THREAD__
    test_skip("the sanitizer itself ends in the round of destructors before the last");
#endif
    start("sampled", "1");
    REQUIRE(pthread_key_create(&late, allocate_to_the_end) == 0);
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, die_slowly, NULL) == 0);
        REQUIRE(pthread_join(t, NULL) == 0);
    }
    CHECK(alloc_threads_slots() < 10);
    finish_up();
}

TEST_MAIN()
