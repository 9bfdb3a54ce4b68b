/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rings as the kernel would have written them, of records that hold a time.
 */
#include "source/kernel_ring.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { RING_BYTES = 4096, RINGS = 3 };

struct record {
    struct perf_event_header h;
    uint64_t time;
};

static void ring_make(struct kernel_ring *r)
{
    uint8_t *base = calloc(1, 4096 + RING_BYTES);
    struct perf_event_mmap_page *page = (struct perf_event_mmap_page *)base;
    REQUIRE(base);
    page->data_offset = 4096;
    page->data_size = RING_BYTES;
    *r = (struct kernel_ring){.base = base, .data_bytes = RING_BYTES, .joined = malloc(65536)};
}

static void ring_free(struct kernel_ring *r)
{
    free(r->base);
    free(r->joined);
}

/* Of a size that does not divide the ring's: some records wrap. False: it is full. */
static bool ring_put(struct kernel_ring *r, uint64_t time)
{
    struct perf_event_mmap_page *page = (struct perf_event_mmap_page *)r->base;
    uint8_t bytes[sizeof(struct record) + 24] = {0};
    const struct record record = {{.type = PERF_RECORD_SWITCH, .size = sizeof bytes}, time};
    memcpy(bytes, &record, sizeof record);
    if (page->data_head + sizeof bytes - page->data_tail > RING_BYTES)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        r->base[4096 + (page->data_head + i) % RING_BYTES] = bytes[i];
    page->data_head += sizeof bytes;
    return true;
}

static bool time_of(const uint8_t *at, size_t bytes, uint64_t *out_ns)
{
    memcpy(out_ns, at + offsetof(struct record, time), sizeof *out_ns);
    return bytes >= sizeof(struct record);
}

static uint64_t next(struct kernel_ring *rings, unsigned count, uint64_t horizon)
{
    size_t n;
    uint64_t time = 0;
    const uint8_t *at = kernel_rings_next(rings, count, horizon, time_of, &n);
    if (at)
        CHECK(time_of(at, n, &time));
    return time;
}

TEST(records_of_all_rings_come_in_the_order_of_their_time)
{
    struct kernel_ring rings[RINGS];
    uint64_t put_in = 0, got = 0, last = 0, clock = 1;
    for (int i = 0; i < RINGS; i++)
        ring_make(&rings[i]);
    srand(3);
    for (int round = 0; round < 400; round++) {
        for (int i = rand() % 60; i > 0; i--)
            put_in += ring_put(&rings[rand() % RINGS], clock++);
        uint64_t horizon = round == 399 ? UINT64_MAX : clock - 5;
        kernel_rings_begin(rings, RINGS);
        for (uint64_t time; (time = next(rings, RINGS, horizon)) != 0; got++) {
            REQUIRE(time > last && time < horizon);
            last = time;
        }
        kernel_rings_end(rings, RINGS);
    }
    CHECK(put_in > 5000);
    CHECK_EQ(got, put_in);
    for (int i = 0; i < RINGS; i++)
        ring_free(&rings[i]);
}

TEST(what_was_looked_at_only_comes_again)
{
    struct kernel_ring rings[RINGS] = {{0}}; /* the last one is of a CPU that is off */
    ring_make(&rings[0]);
    ring_make(&rings[1]);
    for (uint64_t time = 1; time <= 6; time++)
        REQUIRE(ring_put(&rings[time % 2], time));
    kernel_rings_begin(rings, RINGS);
    CHECK_EQ(next(rings, RINGS, UINT64_MAX), 1);
    kernel_rings_end(rings, RINGS); /* the first one is read, the rest is not */
    kernel_rings_begin(rings, RINGS);
    for (uint64_t time = 2; time <= 5; time++)
        CHECK_EQ(next(rings, RINGS, UINT64_MAX), time);
    kernel_rings_back(rings, RINGS);
    kernel_rings_begin(rings, RINGS);
    for (uint64_t time = 2; time <= 6; time++)
        CHECK_EQ(next(rings, RINGS, UINT64_MAX), time);
    CHECK_EQ(next(rings, RINGS, UINT64_MAX), 0);
    ring_free(&rings[0]);
    ring_free(&rings[1]);
}

TEST(a_ring_that_makes_no_sense_is_passed_over)
{
    struct kernel_ring ring;
    ring_make(&ring);
    ring_put(&ring, 1);
    memset(ring.base + 4096, 0xff, 8);
    kernel_rings_begin(&ring, 1);
    CHECK_EQ(next(&ring, 1, UINT64_MAX), 0);
    kernel_rings_end(&ring, 1);
    REQUIRE(ring_put(&ring, 2));
    kernel_rings_begin(&ring, 1);
    CHECK_EQ(next(&ring, 1, UINT64_MAX), 2);
    ring_free(&ring);
}

TEST_MAIN()
