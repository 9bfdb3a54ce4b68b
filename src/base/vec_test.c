/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the typed growing array. */
#include "base/vec.h"

#include <stdint.h>

#include "base/mem.h"
#include "test.h"

struct point {
    int x, y;
    char note[20];
};

TEST(elements_keep_their_place_and_start_as_zeros)
{
    VEC(struct point) v = {0};
    for (int i = 0; i < 1000; i++) {
        struct point *p = VEC_PUSH(&v);
        REQUIRE(p);
        CHECK(p->x == 0 && p->y == 0 && p->note[19] == 0);
        p->x = i;
        memset(p->note, 'n', sizeof p->note);
    }
    CHECK_EQ(v.count, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(v.items[i].x, i);
    v.count = 0; /* reuse: old content must not shine through */
    struct point *p = VEC_PUSH(&v);
    CHECK(p && p->x == 0 && p->note[0] == 0);
    VEC_DONE(&v);
    CHECK(v.items == NULL && v.count == 0 && v.capacity == 0);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_push_without_memory_changes_nothing)
{
    for (uint64_t n = 1; n < 10; n++) {
        VEC(uint64_t) v = {0};
        size_t pushed = 0;
        mem_fail_after(n);
        for (uint64_t i = 0; i < 3000; i++) {
            size_t before = v.count;
            uint64_t *p = VEC_PUSH(&v);
            if (!p) {
                CHECK_EQ(v.count, before);
                continue;
            }
            *p = i;
            pushed++;
        }
        mem_fail_after(0);
        CHECK_EQ(v.count, pushed);
        CHECK_EQ(pushed, 2999); /* the one that failed can be retried at once */
        VEC_DONE(&v);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST(a_capacity_that_overflows_is_refused)
{
    void *items = NULL;
    size_t capacity = SIZE_MAX / 2 + 1;
    CHECK(!vec_grow(&items, &capacity, capacity, 1));
    capacity = SIZE_MAX / 16;
    CHECK(!vec_grow(&items, &capacity, capacity, 64));
    CHECK_EQ(capacity, SIZE_MAX / 16);
    CHECK(items == NULL);
}

TEST_MAIN()
