/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the protobuf writer, read back by the reader, and of the reader. */
#include "util/pb.h"

#include "base/mem.h"
#include "random.h"
#include "test.h"

TEST(known_messages_have_the_known_bytes)
{
    struct buf b;
    buf_init(&b);
    pb_uint(&b, 1, 150); /* the example of the protobuf manual */
    pb_text(&b, 2, "testing");
    pb_sint(&b, 3, -2);
    pb_int(&b, 4, -1);
    pb_fixed32(&b, 5, 0x01020304);
    pb_fixed64(&b, 16, 0x0102030405060708u);
    pb_bool(&b, 6, true);
    CHECK_MEM(b.data, b.size,
              "\x08\x96\x01"
              "\x12\x07testing"
              "\x18\x03"
              "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "\x2d\x04\x03\x02\x01"
              "\x81\x01\x08\x07\x06\x05\x04\x03\x02\x01"
              "\x30\x01",
              42);
    buf_done(&b);
}

TEST(varints_of_every_size_read_back)
{
    for (int bit = 0; bit < 64; bit++)
        for (int off = -1; off <= 1; off++) {
            uint64_t v = ((uint64_t)1 << bit) + (uint64_t)off, back = 0;
            char text[PB_VARINT_MAX];
            char *end = pb_at_varint(text, v);
            CHECK_EQ(end - text, pb_varint_size(v));
            struct pb_reader r = pb_read(text, (size_t)(end - text));
            CHECK(pb_next_varint(&r, &back) && back == v && r.p == r.end);
            CHECK(pb_unzigzag(pb_zigzag((int64_t)v)) == (int64_t)v);
            for (unsigned width = pb_varint_size(v); width <= 10; width++) {
                char *wide = pb_at_varint_wide(text, v, width);
                r = pb_read(text, (size_t)(wide - text));
                CHECK(pb_next_varint(&r, &back) && back == v && r.p == r.end);
            }
        }
    CHECK_EQ(pb_varint_size(0), 1);
    CHECK_EQ(pb_varint_size(UINT64_MAX), 10);
}

/* A tree of random messages; what was written is told again while reading. */
static void write_tree(struct buf *b, uint64_t *seed, int depth)
{
    unsigned fields = (unsigned)(random_next(seed) % 6);
    static const char filler[300];
    pb_uint(b, 1, fields);
    for (unsigned i = 0; i < fields; i++) {
        uint64_t kind = random_next(seed) % 5, v = random_next(seed);
        if (kind == 0)
            pb_uint(b, 2, v);
        else if (kind == 1)
            pb_fixed64(b, 3, v);
        else if (kind == 2)
            pb_bytes(b, 4, filler, v % sizeof filler);
        else if (kind == 3)
            pb_double(b, 6, (double)v);
        else if (depth < 5) {
            struct pb_mark m = pb_open(b, 5, 1 + (unsigned)(v % 4));
            write_tree(b, seed, depth + 1);
            if (v & 16)
                pb_close(b, m);
            else
                pb_close_tight(b, m);
        } else {
            pb_fixed32(b, 7, (uint32_t)v);
        }
    }
}

static bool next_is(struct pb_reader *r, struct pb_field *f, uint32_t number)
{
    bool ok = pb_next(r, f) && f->number == number;
    CHECK(ok);
    return ok;
}

static void check_tree(struct pb_reader r, uint64_t *seed, int depth)
{
    struct pb_field f;
    unsigned fields = (unsigned)(random_next(seed) % 6);
    if (!next_is(&r, &f, 1) || f.value != fields) {
        test_fail(__FILE__, __LINE__, "a message is not where it should be");
        return;
    }
    for (unsigned i = 0; i < fields; i++) {
        uint64_t kind = random_next(seed) % 5, v = random_next(seed);
        if (kind == 0)
            CHECK(next_is(&r, &f, 2) && f.value == v);
        else if (kind == 1)
            CHECK(next_is(&r, &f, 3) && f.value == v);
        else if (kind == 2)
            CHECK(next_is(&r, &f, 4) && f.size == v % 300);
        else if (kind == 3)
            CHECK(next_is(&r, &f, 6) && pb_as_double(&f) == (double)v);
        else if (depth < 5) {
            if (next_is(&r, &f, 5))
                check_tree(pb_read_nested(&f), seed, depth + 1);
        } else {
            CHECK(next_is(&r, &f, 7) && f.value == (uint32_t)v);
        }
    }
    CHECK(!pb_next(&r, &f) && !r.failed);
}

TEST(nested_messages_of_any_size_read_back)
{
    struct buf b;
    buf_init(&b);
    for (uint64_t k = 1; k <= 500; k++) {
        uint64_t seed = k;
        buf_clear(&b);
        write_tree(&b, &seed, 0);
        REQUIRE(!b.failed);
        seed = k;
        check_tree(pb_read(b.data, b.size), &seed, 0);
    }
    buf_done(&b);
}

TEST(a_length_estimate_that_is_off_is_corrected)
{
    static char body[70000];
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 70000};
    struct buf b;
    memset(body, 'b', sizeof body);
    buf_init(&b);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned width = 1; width <= 5; width++)
            for (int tight = 0; tight < 2; tight++) {
                struct pb_field f, after;
                buf_clear(&b);
                struct pb_mark m = pb_open(&b, 9, width);
                buf_put(&b, body, sizes[i]);
                (tight ? pb_close_tight : pb_close)(&b, m);
                pb_uint(&b, 1, 77);
                struct pb_reader r = pb_read(b.data, b.size);
                REQUIRE(pb_next(&r, &f) && pb_next(&r, &after));
                CHECK(f.number == 9 && f.size == sizes[i] && memcmp(f.bytes, body, f.size) == 0);
                CHECK(after.number == 1 && after.value == 77);
                if (tight)
                    CHECK_EQ(b.size, 1 + pb_varint_size(sizes[i]) + sizes[i] + 2);
            }
    buf_done(&b);
}

static int count_fields(const void *bytes, size_t n)
{
    struct pb_reader r = pb_read(bytes, n);
    struct pb_field f;
    int count = 0;
    while (pb_next(&r, &f))
        count++;
    return r.failed ? -1 : count;
}

TEST(malformed_messages_are_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\x08", 1},         /* a tag and nothing */
        {"\x08\x80", 2},     /* a varint cut */
        {"\x80", 1},         /* a tag cut */
        {"\x09\x01\x02", 3}, /* fixed64 cut */
        {"\x0d\x01", 2},     /* fixed32 cut */
        {"\x12", 1},         /* bytes without a length */
        {"\x12\x05"
         "abc",
         5},                                                      /* bytes cut */
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* a length of 2^64 - 1 */
        {"\x00\x01", 2},                                          /* field zero */
        {"\x0b", 1},                                              /* a group */
        {"\x0e\x01", 2},                                          /* wire type 6 */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},     /* 65 bits */
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, /* 11 bytes */
        {"\xf8\xff\xff\xff\xff\x01\x00", 7},                      /* a field number beyond 2^29 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (count_fields(bad[i].bytes, bad[i].n) != -1)
            test_fail(__FILE__, __LINE__, "message %zu is accepted", i);
    CHECK_EQ(count_fields(NULL, 0), 0);
    CHECK_EQ(count_fields("\x08\x01\x08\x02", 4), 2);
}

TEST(random_bytes_never_lead_outside_the_input)
{
    uint64_t seed = 11;
    for (int i = 0; i < 200000; i++) {
        size_t n = random_next(&seed) % 24;
        uint8_t *bytes = mem_alloc(n); /* its own block: an overrun is seen by ASan */
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)random_next(&seed);
        struct pb_reader r = pb_read(bytes, n);
        struct pb_field f;
        while (pb_next(&r, &f))
            if (f.wire == PB_BYTES && (f.bytes < bytes || f.bytes + f.size > bytes + n))
                test_fail(__FILE__, __LINE__, "a field reaches beyond the input");
        mem_free(bytes);
    }
}

TEST(packed_fields_and_lookups)
{
    struct buf b;
    struct pb_field f;
    uint64_t v;
    buf_init(&b);
    pb_uint(&b, 1, 5);
    struct pb_mark m = pb_open(&b, 2, 1);
    for (uint64_t i = 0; i < 20; i++)
        pb_varint(&b, i * i);
    pb_close(&b, m);
    m = pb_open(&b, 3, 1);
    char *p = buf_reserve(&b, 16);
    b.size += (size_t)(pb_at_raw64(pb_at_raw64(p, 1), UINT64_MAX) - p);
    pb_close(&b, m);
    REQUIRE(pb_find(pb_read(b.data, b.size), 2, &f));
    struct pb_reader r = pb_read_nested(&f);
    for (uint64_t i = 0; i < 20; i++)
        CHECK(pb_next_varint(&r, &v) && v == i * i);
    CHECK(!pb_next_varint(&r, &v) && !r.failed);
    REQUIRE(pb_find(pb_read(b.data, b.size), 3, &f));
    r = pb_read_nested(&f);
    CHECK(pb_next_fixed64(&r, &v) && v == 1);
    CHECK(pb_next_fixed64(&r, &v) && v == UINT64_MAX);
    CHECK(!pb_next_fixed64(&r, &v) && !r.failed);
    CHECK(!pb_find(pb_read(b.data, b.size), 4, &f));
    buf_done(&b);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        struct buf b;
        uint64_t seed = 4;
        mem_fail_after(n);
        buf_init(&b);
        for (int i = 0; i < 30; i++)
            write_tree(&b, &seed, 0);
        struct pb_mark m = pb_open(&b, 1, 4);
        pb_bytes(&b, 1, &seed, sizeof seed);
        pb_close_tight(&b, m);
        mem_fail_after(0);
        bool failed = b.failed;
        buf_done(&b);
        CHECK_EQ(mem_live_blocks(), 0);
        if (!failed) {
            CHECK(n > 3);
            break;
        }
    }
}

TEST_MAIN()
