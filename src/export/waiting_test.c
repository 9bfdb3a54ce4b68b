/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Items in a buffer, and an output that takes so much of it. */
#include "export/waiting.h"

#include "base/err.h"
#include "base/mem.h"
#include "test.h"

struct small {
    struct out base;
    struct buf bytes;
    size_t limit;
    int code;
};

static int small_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct small *s = (struct small *)o;
    const size_t room = s->limit - s->bytes.size;
    *out_written = n < room ? n : room;
    buf_put(&s->bytes, bytes, *out_written);
    return *out_written == n ? 0 : s->code;
}

static int small_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    memcpy(((struct small *)o)->bytes.data + offset, bytes, n);
    return 0;
}

static int small_truncate(struct out *o, uint64_t size)
{
    ((struct small *)o)->bytes.size = (size_t)size;
    return 0;
}

static const struct out_ops file = {
    .write = small_write, .write_at = small_write_at, .truncate = small_truncate};
static const struct out_ops stream = {.write = small_write};

/* Ten items of ten bytes, of which some may be there. */
static uint64_t give(struct small *s, struct export_waiting *w, size_t room, int *out_rc)
{
    struct buf b;
    const uint64_t before = w->unwritten;
    buf_init(&b);
    for (int i = 0; i < 10; i++) {
        buf_printf(&b, "item %04d\n", i);
        export_waiting_add(w, &b);
    }
    *out_rc = export_waiting_write(w, &b, &s->base, room);
    CHECK(b.size == 0 && w->edges.count == 0);
    buf_done(&b);
    return w->unwritten - before;
}

TEST(as_many_whole_items_as_fit_are_there_and_the_others_are_counted)
{
    for (size_t limit = 0; limit < 110; limit++)
        for (size_t room = 0; room < 12; room += 11) {
            struct small s = {.base.ops = &file, .limit = limit, .code = ORIEL_ENOSPC};
            struct export_waiting w = {.unwritten = 0};
            int rc;
            const uint64_t missing = give(&s, &w, room, &rc);
            CHECK_EQ(rc, limit < 100 ? ORIEL_ENOSPC : 0);
            CHECK_EQ(s.bytes.size, (10 - missing) * 10);
            CHECK_EQ(10 - missing, limit >= 100 ? 10 : limit > room ? (limit - room) / 10 : 0);
            CHECK_EQ(s.base.failed, 0);
            s.limit = 1000; /* somebody made room */
            CHECK_EQ(give(&s, &w, room, &rc), 0);
            CHECK_EQ(rc, 0);
            export_waiting_done(&w);
            buf_done(&s.bytes);
        }
}

TEST(a_disk_that_breaks_is_not_tried_again_and_a_stream_has_what_it_took)
{
    struct small broken = {.base.ops = &file, .limit = 55, .code = ORIEL_EIO};
    struct small pipe = {.base.ops = &stream, .limit = 55, .code = ORIEL_EIO};
    struct export_waiting w = {.unwritten = 0}, v = {.unwritten = 0};
    int rc;
    CHECK_EQ(give(&broken, &w, 0, &rc), 10);
    CHECK_EQ(rc, ORIEL_EIO);
    CHECK_EQ(broken.bytes.size, 0);
    CHECK_EQ(give(&pipe, &v, 0, &rc), 5);
    CHECK_EQ(pipe.bytes.size, 55);
    pipe.limit = 1000; /* in the middle of an item nothing can be added */
    CHECK_EQ(give(&pipe, &v, 0, &rc), 10);
    CHECK_EQ(rc, ORIEL_EIO);
    export_waiting_done(&w);
    export_waiting_done(&v);
    buf_done(&broken.bytes);
    buf_done(&pipe.bytes);
}

TEST(without_memory_for_the_edges_the_count_is_exact_all_the_same)
{
    for (uint64_t n = 1; n < 6; n++) {
        struct small s = {.base.ops = &file, .limit = 55, .code = ORIEL_ENOSPC};
        struct export_waiting w = {.unwritten = 0};
        int rc;
        REQUIRE(buf_reserve(&s.bytes, 200) != NULL);
        mem_fail_after(n);
        const uint64_t missing = give(&s, &w, 0, &rc);
        mem_fail_after(0);
        CHECK(rc < 0);
        CHECK_EQ(s.bytes.size, (10 - missing) * 10);
        export_waiting_done(&w);
        buf_done(&s.bytes);
    }
}

TEST_MAIN()
