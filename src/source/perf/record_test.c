/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records of the kernel, written by hand and cut at every byte; and rings of
 * them, merged by time.
 */
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "source/perf/perf.h"
#include "test.h"

struct bytes {
    uint8_t at[4096];
    size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
    memcpy(b->at + b->n, p, n);
    b->n += n;
}
static void put64(struct bytes *b, uint64_t v)
{
    put(b, &v, sizeof v);
}
static void put32(struct bytes *b, uint32_t v)
{
    put(b, &v, sizeof v);
}

static void begin(struct bytes *b, uint32_t type, uint16_t misc)
{
    struct perf_event_header h = {.type = type, .misc = misc};
    b->n = 0;
    put(b, &h, sizeof h);
}
static void finish(struct bytes *b)
{
    uint16_t n = (uint16_t)b->n;
    memcpy(b->at + offsetof(struct perf_event_header, size), &n, sizeof n);
}
static void trailer(struct bytes *b, uint64_t time)
{
    put32(b, 70);
    put32(b, 71);
    put64(b, time);
    put32(b, 3);
    put32(b, 0);
    put64(b, 99);
    finish(b);
}

/* Of a tracepoint: 20 bytes, so that with their size they fill words. */
static const uint8_t raw_bytes[20] = {0, 0, 0x18, 0, 0xff, 0xff, 0xff, 0xff,
                                      8, 7, 6,    5, 4,    3,    2,    1};

static void make_sample(struct bytes *b, uint64_t time, uint64_t chain, uint64_t stack)
{
    begin(b, PERF_RECORD_SAMPLE, 0);
    put64(b, 99);
    put64(b, 0x401000);
    put32(b, 70);
    put32(b, 71);
    put64(b, time);
    put32(b, 1);
    put32(b, 0);
    put64(b, 1000000);
    put64(b, chain);
    for (uint64_t i = 0; i < chain; i++)
        put64(b, 0xffffffff81000000u + i);
    put32(b, sizeof raw_bytes);
    put(b, raw_bytes, sizeof raw_bytes);
    put64(b, PERF_SAMPLE_REGS_ABI_64);
    for (uint64_t i = 0; i < (uint64_t)__builtin_popcountll(perf_register_mask); i++)
        put64(b, 0x7000 + i);
    put64(b, stack);
    for (uint64_t i = 0; i < stack; i++)
        put(b, "s", 1);
    if (stack)
        put64(b, stack / 2);
    finish(b);
}

TEST(a_sample_gives_its_registers_chain_and_the_stack_that_was_copied)
{
    struct bytes b;
    struct perf_record r;
    uint64_t time;
    make_sample(&b, 5000, 2, 64);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK(perf_record_time(b.at, b.n, &time) && time == 5000);
    CHECK_EQ(r.type, PERF_RECORD_SAMPLE);
    CHECK_EQ(r.pid, 70);
    CHECK_EQ(r.tid, 71);
    CHECK_EQ(r.id, 99);
    CHECK_EQ(r.time_ns, 5000);
    CHECK_EQ(r.u.sample.period, 1000000);
    CHECK_EQ(r.u.sample.chain_count, 2);
    CHECK(r.u.sample.user.has_regs);
#ifdef __x86_64__
    CHECK_EQ(r.u.sample.user.fp, 0x7000);
    CHECK_EQ(r.u.sample.user.sp, 0x7001);
    CHECK_EQ(r.u.sample.user.ip, 0x7002);
#endif
    CHECK_EQ(r.u.sample.user.stack_bytes, 32);
    CHECK_EQ(r.u.sample.user.stack[31], 's');
}

TEST(numbers_of_a_tracepoint_are_read_where_its_format_says)
{
    struct bytes b;
    struct perf_record r;
    int64_t n = 0;
    make_sample(&b, 5000, 2, 64);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK_EQ(r.u.sample.raw_bytes, 20);
    CHECK(perf_record_field(&r, (struct kernel_field){4, 4}, &n) && n == -1);
    CHECK(perf_record_field(&r, (struct kernel_field){8, 8}, &n) && n == 0x0102030405060708);
    CHECK(perf_record_field(&r, (struct kernel_field){16, 4}, &n) && n == 0);
    CHECK(!perf_record_field(&r, (struct kernel_field){17, 4}, &n)); /* beyond its end */
    CHECK(!perf_record_field(&r, (struct kernel_field){0, 0}, &n));  /* there is none */
    CHECK(!perf_record_field(&r, (struct kernel_field){0, 2}, &n));
}

TEST(a_sample_without_a_stack_is_one)
{
    struct bytes b;
    struct perf_record r;
    make_sample(&b, 5000, 0, 0);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK_EQ(r.u.sample.user.stack_bytes, 0);
    CHECK_EQ(r.u.sample.chain_count, 0);
}

/* A copy without a byte behind it, so that a read beyond it is found. */
static bool decode_exactly(const struct bytes *b, size_t n)
{
    struct perf_record r;
    uint8_t *copy = malloc(n ? n : 1);
    uint16_t size = (uint16_t)n;
    memcpy(copy, b->at, n);
    if (n >= sizeof(struct perf_event_header))
        memcpy(copy + offsetof(struct perf_event_header, size), &size, sizeof size);
    bool good = perf_record_decode(copy, n, &r);
    free(copy);
    return good;
}

TEST(a_cut_sample_is_damaged_wherever_it_is_cut)
{
    struct bytes b;
    make_sample(&b, 5000, 2, 64);
    for (size_t n = 0; n < b.n; n++)
        REQUIRE(!decode_exactly(&b, n));
    CHECK(decode_exactly(&b, b.n));
}

TEST(lengths_that_lie_are_damage)
{
    struct bytes b;
    struct perf_record r;
    make_sample(&b, 5000, 2, 64);
    const size_t chain_at = sizeof(struct perf_event_header) + 48;
    for (unsigned bit = 3; bit < 64; bit++) {
        uint64_t lie = UINT64_C(1) << bit;
        memcpy(b.at + chain_at, &lie, sizeof lie);
        (void)perf_record_decode(b.at, b.n, &r); /* ASan looks on */
        CHECK(bit < 9 || !perf_record_decode(b.at, b.n, &r));
    }
}

static void make_map(struct bytes *b, uint64_t time, const char *path)
{
    uint8_t id[24] = {20, 0, 0, 0, 0xab, 0xcd};
    begin(b, PERF_RECORD_MMAP2, PERF_RECORD_MISC_MMAP_BUILD_ID);
    put32(b, 70);
    put32(b, 71);
    put64(b, 0x7f0000000000);
    put64(b, 0x1000);
    put64(b, 0x2000);
    put(b, id, sizeof id);
    put32(b, PROT_READ | PROT_EXEC);
    put32(b, 0);
    put(b, path, strlen(path) + 1);
    while (b->n % 8)
        put(b, "", 1);
    trailer(b, time);
}

TEST(a_mapping_tells_range_file_and_build_id)
{
    struct bytes b;
    struct perf_record r;
    make_map(&b, 7, "/lib/libc.so.6");
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK_EQ(r.u.map.start, 0x7f0000000000);
    CHECK_EQ(r.u.map.bytes, 0x1000);
    CHECK_EQ(r.u.map.offset, 0x2000);
    CHECK_EQ(r.u.map.prot, PROT_READ | PROT_EXEC);
    CHECK_EQ(r.u.map.build_id_bytes, 20);
    CHECK_EQ(r.u.map.build_id[1], 0xcd);
    CHECK_STR(r.u.map.path, "/lib/libc.so.6");
    CHECK_EQ(r.time_ns, 7);
    CHECK_EQ(r.cpu, 3);
}

TEST(a_path_without_an_end_is_damage)
{
    struct bytes b;
    struct perf_record r;
    make_map(&b, 7, "/lib/libc.so.6");
    uint8_t *path = (uint8_t *)memmem(b.at, b.n, "/lib", 4);
    REQUIRE(path);
    memset(path, 'x', 16);
    CHECK(!perf_record_decode(b.at, b.n, &r));
}

TEST(life_names_switches_and_losses_are_told)
{
    struct bytes b;
    struct perf_record r;
    begin(&b, PERF_RECORD_FORK, 0);
    put32(&b, 80);
    put32(&b, 70);
    put32(&b, 81);
    put32(&b, 71);
    put64(&b, 5);
    trailer(&b, 5);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK(r.pid == 80 && r.tid == 81 && r.u.life.parent_pid == 70);
    begin(&b, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
    put32(&b, 80);
    put32(&b, 81);
    put(&b, "server\0\0", 8);
    trailer(&b, 6);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK_STR(r.u.comm.name, "server");
    CHECK(r.u.comm.exec);
    begin(&b, PERF_RECORD_SWITCH, PERF_RECORD_MISC_SWITCH_OUT);
    trailer(&b, 8);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK(r.u.sw.out && !r.u.sw.preempted && r.tid == 71);
    begin(&b, PERF_RECORD_LOST, 0);
    put64(&b, 99);
    put64(&b, 1234);
    trailer(&b, 9);
    REQUIRE(perf_record_decode(b.at, b.n, &r));
    CHECK_EQ(r.u.lost, 1234);
    begin(&b, 77, 0); /* of a kernel to come */
    trailer(&b, 9);
    CHECK(perf_record_decode(b.at, b.n, &r));
}

TEST_MAIN()
