/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the hash map, against a plain array as the model. */
#include "base/map.h"

#include "base/mem.h"
#include "random.h"
#include "test.h"

TEST(any_key_is_a_key_zero_and_all_ones_too)
{
    struct map m = {0};
    static const uint64_t keys[] = {0, UINT64_MAX, 1, (uint64_t)1 << 63};
    CHECK(map_get(&m, 0) == NULL);
    CHECK(!map_remove(&m, 0));
    for (int i = 0; i < 4; i++) {
        uint64_t *v = map_put(&m, keys[i], 10u + (unsigned)i);
        REQUIRE(v);
        CHECK_EQ(*v, 10 + i);
    }
    for (int i = 0; i < 4; i++) {
        uint64_t *v = map_get(&m, keys[i]);
        REQUIRE(v);
        CHECK_EQ(*v, 10 + i);
    }
    CHECK(map_get(&m, 2) == NULL);
    CHECK_EQ(*map_put(&m, 0, 99), 10); /* there already: initial is not taken */
    CHECK_EQ(m.count, 4);
    map_done(&m);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(random_puts_and_removes_agree_with_a_model)
{
    enum { KEYS = 700, ROUNDS = 200000 };
    static uint64_t model[KEYS]; /* 0: absent */
    struct map m = {0};
    uint64_t seed = 42;
    size_t count = 0;
    for (int i = 1; i <= ROUNDS; i++) {
        uint64_t k = random_next(&seed) % KEYS, key = k * 0x100000001u;
        if (random_next(&seed) % 3) {
            uint64_t *v = map_put(&m, key, (uint64_t)i);
            REQUIRE(v);
            CHECK_EQ(*v, model[k] ? model[k] : (uint64_t)i);
            count += model[k] == 0;
            model[k] = *v;
        } else {
            CHECK_EQ(map_remove(&m, key), model[k] != 0);
            count -= model[k] != 0;
            model[k] = 0;
        }
        if (i % 1000)
            continue;
        CHECK_EQ(m.count, count);
        for (uint64_t j = 0; j < KEYS; j++) {
            uint64_t *v = map_get(&m, j * 0x100000001u);
            CHECK_EQ(v ? *v : 0, model[j]);
        }
    }
    map_done(&m);
}

TEST(iteration_visits_every_entry_once)
{
    enum { COUNT = 1000 };
    static int seen[COUNT];
    struct map m = {0};
    size_t at = 0, visited = 0;
    uint64_t key, value;
    CHECK(!map_next(&m, &at, &key, &value));
    for (uint64_t i = 0; i < COUNT; i++)
        REQUIRE(map_put(&m, i << 40, i));
    for (at = 0; map_next(&m, &at, &key, &value); visited++) {
        CHECK_EQ(key, value << 40);
        seen[value]++;
    }
    CHECK_EQ(visited, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(seen[i], 1);
    CHECK(!map_next(&m, &at, &key, &value));
    map_clear(&m);
    at = 0;
    CHECK(!map_next(&m, &at, &key, &value));
    CHECK_EQ(m.count, 0);
    CHECK(map_get(&m, 0) == NULL);
    map_done(&m);
}

TEST(a_put_without_memory_leaves_the_map_as_it_was)
{
    for (uint64_t n = 1;; n++) {
        struct map m = {0};
        uint64_t i = 0;
        mem_fail_after(n);
        while (i < 500 && map_put(&m, i, i))
            i++;
        mem_fail_after(0);
        CHECK_EQ(m.count, i);
        for (uint64_t k = 0; k < 500; k++)
            CHECK_EQ(map_get(&m, k) != NULL, k < i);
        map_done(&m);
        CHECK_EQ(mem_live_blocks(), 0);
        if (i == 500) {
            CHECK(n > 4);
            break;
        }
    }
}

TEST(the_hash_tells_lengths_seeds_and_single_bits_apart)
{
    unsigned char bytes[100] = {0};
    struct map seen = {0};
    for (size_t n = 0; n <= sizeof bytes; n++) {
        *map_put(&seen, map_hash_bytes(bytes, n, 0), 0) += 1;
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            *map_put(&seen, map_hash_bytes(bytes, n, 0), 0) += 1;
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
    CHECK_EQ(seen.count, 101 + 8 * 5050); /* all different */
    CHECK(map_hash_bytes("a", 1, 1) != map_hash_bytes("a", 1, 2));
    CHECK(map_hash_bytes(NULL, 0, 1) == map_hash_bytes("", 0, 1));
    map_done(&seen);
}

TEST(low_bits_of_the_hash_are_spread_evenly)
{
    unsigned counts[256] = {0};
    for (int i = 0; i < 65536; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "span.%d", i);
        counts[map_hash_bytes(text, (size_t)n, 0) & 255]++;
    }
    for (int i = 0; i < 256; i++) /* 256 +- 16 expected; 6 sigma allowed */
        CHECK(counts[i] > 156 && counts[i] < 356);
}

TEST_MAIN()
