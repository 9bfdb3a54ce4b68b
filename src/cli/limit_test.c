/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * --max-size as outlets see it: a disk that is full at a given byte.
 */
#include "cli/limit.h"

#include <string.h>

#include "base/mem.h"
#include "test.h"

static struct buf target;

static struct out *limited(uint64_t max)
{
    struct out *inner, *o;
    buf_init(&target);
    REQUIRE(out_buf_open(&inner, &target) == 0);
    REQUIRE(limit_open(&o, inner, max) == 0);
    return o;
}

TEST(limit_takes_exactly_so_many_bytes)
{
    struct out *o = limited(10);
    CHECK_EQ(out_write(o, "01234", 5), 0);
    CHECK_EQ(out_write(o, "56789", 5), 0);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOSPC);
    CHECK_EQ(o->bytes, 10);
    CHECK_MEM(target.data, target.size, "0123456789", 10);
    CHECK_EQ(out_write(o, "", 0), ORIEL_ENOSPC); /* the first failure is kept */
    out_close(o);
    buf_done(&target);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(limit_writes_a_piece_as_a_whole_or_not)
{
    struct out *o = limited(10);
    CHECK_EQ(out_write(o, "0123456", 7), 0);
    CHECK_EQ(out_write(o, "7890", 4), ORIEL_ENOSPC);
    CHECK_EQ(target.size, 7);
    out_close(o);
    buf_done(&target);
}

TEST(limit_gives_room_back_when_the_end_is_cut_off)
{
    struct out *o = limited(10);
    CHECK_EQ(out_can_seek(o), 1);
    CHECK_EQ(out_write(o, "0123456789", 10), 0);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOSPC);
    CHECK_EQ(out_truncate(o, 4), 0);
    CHECK_EQ(o->bytes, 4);
    CHECK_EQ(out_write(o, "abcdef", 6), 0);
    CHECK_EQ(out_write_at(o, 0, "ZZ", 2), 0);
    char back[10];
    size_t n;
    CHECK_EQ(out_read_at(o, 0, back, 10, &n), 0);
    CHECK_MEM(back, n, "ZZ23abcdef", 10);
    out_close(o);
    buf_done(&target);
}

TEST(limit_says_when_there_is_no_memory_and_closes_what_it_took)
{
    struct out *inner, *o;
    buf_init(&target);
    REQUIRE(out_buf_open(&inner, &target) == 0);
    mem_fail_after(1);
    CHECK_EQ(limit_open(&o, inner, 1), ORIEL_ENOMEM);
    mem_fail_after(0);
    buf_done(&target);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
