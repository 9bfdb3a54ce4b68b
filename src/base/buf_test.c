/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the growing buffer. */
#include "base/buf.h"

#include "base/mem.h"
#include "test.h"

TEST(bytes_come_out_as_they_went_in)
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 10000; i++) {
        buf_putc(&b, (char)i);
        buf_put(&b, "xyz", 3);
    }
    REQUIRE(!b.failed);
    CHECK_EQ(b.size, 40000);
    for (int i = 0; i < 10000; i++)
        CHECK(b.data[4 * i] == (char)i && memcmp(b.data + 4 * i + 1, "xyz", 3) == 0);
    buf_done(&b);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(printf_grows_the_buffer_for_any_length)
{
    struct buf b;
    buf_init(&b);
    for (int n = 0; n < 600; n++) {
        buf_clear(&b);
        buf_printf(&b, "<%*d>", n, 7);
        CHECK_EQ(b.size, (n < 1 ? 1 : n) + 2);
        CHECK_EQ(b.data[b.size - 1], '>');
    }
    buf_clear(&b);
    buf_puts(&b, "a");
    buf_printf(&b, "%s%d", "b", 3);
    CHECK_STR(buf_cstr(&b), "ab3");
    CHECK_EQ(b.size, 3);
    buf_done(&b);
}

TEST(nothing_put_into_nothing_is_an_empty_string)
{
    struct buf b;
    buf_init(&b);
    buf_put(&b, NULL, 0);
    CHECK_EQ(b.size, 0);
    CHECK_STR(buf_cstr(&b), "");
    buf_done(&b);
}

TEST(a_failure_sticks_until_the_buffer_is_cleared)
{
    struct buf b;
    buf_init(&b);
    buf_puts(&b, "kept");
    mem_fail_after(1);
    buf_printf(&b, "%5000d", 1);
    CHECK(b.failed);
    buf_puts(&b, "ignored");
    buf_putc(&b, 'x');
    buf_printf(&b, "%d", 1);
    CHECK_EQ(b.size, 4);
    CHECK_STR(buf_cstr(&b), "");
    CHECK(buf_reserve(&b, 1) == NULL);
    buf_clear(&b);
    buf_puts(&b, "again");
    CHECK_STR(buf_cstr(&b), "again");
    buf_done(&b);
}

TEST(a_reservation_beyond_the_address_space_fails)
{
    struct buf b;
    buf_init(&b);
    buf_putc(&b, 'x');
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(b.failed);
    buf_clear(&b);
    CHECK(buf_reserve(&b, SIZE_MAX / 2) == NULL);
    buf_done(&b);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        struct buf b;
        mem_fail_after(n);
        buf_init(&b);
        for (int i = 0; i < 100; i++)
            buf_printf(&b, "%0*d", i * 20, i);
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
