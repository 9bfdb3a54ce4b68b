/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The live source, one step at a time: what a writer commits comes out once,
 * complete and in order, and its room is given back.
 */
#include "source/ring/ring.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "ring_fixture.h"

TEST(a_span_comes_out_with_its_id_its_time_and_its_site)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t before = clock_unix_ns();
    uint64_t id = rw_begin(&f.t, SPAN);
    rw_end(&f.t, id);
    const struct model_record *begin = only(&f, ORIEL_REC_BEGIN), *end = begin + 1;
    CHECK_EQ(f.r.batch.record_count, 3); /* SYNC, BEGIN, END */
    CHECK_EQ(begin->raw_id, id);
    CHECK_EQ(end->type, ORIEL_REC_END);
    CHECK_EQ(end->raw_id, id);
    CHECK(begin->site && begin->site->name.n == 4 && memcmp(begin->site->name.p, "work", 4) == 0);
    CHECK(end->site == NULL && end->t_ns >= begin->t_ns);
    CHECK(begin->t_ns + 5000000 > before && begin->t_ns < before + 1000000000);
    CHECK_EQ(begin->position, f.r.batch.records[0].position + f.r.batch.records[0].words * 8);
    CHECK(begin->thread->tid == os_gettid() && begin->stream == f.t.t->serial);
    CHECK(memcmp(begin->thread->name.p, "worker", begin->thread->name.n) == 0);
    finish(&f);
}

TEST(values_come_out_as_they_went_in)
{
    struct fixture f;
    struct model_values it;
    struct model_value v;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t w[8] = {ORIEL_RECORD_HEADER(6, ORIEL_REC_EVENT, 0, TEXT), 0, 3 | UINT64_C(9) << 32};
    double d = 2.5;
    memcpy(&w[3], "abc", 3);
    w[4] = (uint64_t)-7;
    memcpy(&w[5], &d, 8);
    rw_emit(&f.t, w, 6);
    model_values_begin(&it, only(&f, ORIEL_REC_EVENT));
    REQUIRE(model_values_next(&it, &v));
    CHECK(v.v.str.n == 3 && memcmp(v.v.str.p, "abc", 3) == 0 && v.full_bytes == 9);
    REQUIRE(model_values_next(&it, &v));
    CHECK_EQ(v.v.i64, -7);
    REQUIRE(model_values_next(&it, &v));
    CHECK(v.v.f64 == 2.5);
    CHECK(!model_values_next(&it, &v));
    finish(&f);
}

TEST(every_type_of_record_is_passed_on)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t id = rw_begin(&f.t, SPAN);
    uint32_t low = (uint32_t)id;
    const uint64_t samples[][8] = {
        {ORIEL_RECORD_HEADER(4, ORIEL_REC_SET, 0, SET), 0, id, 1},
        {ORIEL_RECORD_HEADER(4, ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN, EVENT), 0, id, 5},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_OPEN, 0, SPAN), 0, id},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_ENTER, 0, low), 0, id},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_EXIT, 0, low), 0, id},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_CLOSE, 0, low), 0, id},
        {ORIEL_RECORD_HEADER(7, ORIEL_REC_LINK, 0, low), 0, id, 1, 2, 3, 0},
        {ORIEL_RECORD_HEADER(5, ORIEL_REC_STATUS, 0, low), 0, id, ORIEL_STATUS_OK, 0},
        {ORIEL_RECORD_HEADER(5, ORIEL_REC_NAME, 0, low), 0, id, 1 | UINT64_C(1) << 32, 'x'},
        {ORIEL_RECORD_HEADER(4, ORIEL_REC_SPAN, ORIEL_RECF_HAS_TIME, SPAN), 1000, 2000, 0},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_PLOT, 0, PLOT), 0, 0},
        {ORIEL_RECORD_HEADER(6, ORIEL_REC_ATTACH, 0, 0), 0, 1, 2, 3, 1},
        {ORIEL_RECORD_HEADER(2, ORIEL_REC_DETACH, 0, 0), 0},
        {ORIEL_RECORD_HEADER(3, ORIEL_REC_TRIGGER, 0, 0), 0, 0},
        {ORIEL_RECORD_HEADER(4, ORIEL_REC_FOLLOW, 0, low), 0, id, 99},
    };
    enum { N = sizeof samples / sizeof samples[0] };
    for (int i = 0; i < N; i++)
        rw_emit(&f.t, samples[i], ORIEL_RECORD_WORDS(samples[i][0]));
    const struct model_record *r = only(&f, ORIEL_REC_BEGIN) + 1;
    REQUIRE(f.r.batch.record_count == N + 2);
    for (int i = 0; i < N; i++, r++) {
        CHECK_EQ(r->type, ORIEL_RECORD_TYPE(samples[i][0]));
        CHECK_EQ(r->words, ORIEL_RECORD_WORDS(samples[i][0]));
        bool own = r->type == ORIEL_REC_OPEN || r->type == ORIEL_REC_SPAN;
        bool names_it = i < 9 || r->type == ORIEL_REC_FOLLOW;
        CHECK_EQ(r->raw_id, own        ? r->position + f.p.salt + ((uint64_t)f.t.t->serial << 40)
                            : names_it ? id
                                       : 0);
        CHECK(r->t_ns >= (r - 1)->t_ns);
    }
    finish(&f);
}

TEST(times_given_from_outside_do_not_move_the_thread)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const uint64_t future[3] = {ORIEL_RECORD_HEADER(3, ORIEL_REC_EVENT, ORIEL_RECF_HAS_TIME, EVENT),
                                UINT64_MAX / 2, 1};
    rw_event(&f.t, EVENT, 0);
    rw_emit(&f.t, future, 3);
    rw_event(&f.t, EVENT, 2);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(r[1].t_ns, r[0].t_ns);
    CHECK_EQ(r[1].raw[1], UINT64_MAX / 2);
    CHECK(r[2].t_ns < clock_unix_ns() + 1000000000);
    finish(&f);
}

TEST(a_span_measured_in_ticks_is_told_in_unix_time)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t now = clock_ticks((enum oriel_clock)f.p.h.clock);
    const uint64_t w[4] = {ORIEL_RECORD_HEADER(4, ORIEL_REC_SPAN, 0, SPAN), now, now + 1000, 0};
    rw_emit(&f.t, w, 4);
    const struct model_record *r = only(&f, ORIEL_REC_SPAN);
    uint64_t unix_now = clock_unix_ns();
    CHECK(r->flags & ORIEL_RECF_HAS_TIME);
    CHECK(ORIEL_RECORD_FLAGS(r->raw[0]) & ORIEL_RECF_HAS_TIME);
    CHECK(r->raw[1] + 1000000000 > unix_now && r->raw[1] <= unix_now + 5000000);
    /* 1000 ticks: ns of the monotonic clock or of a TSC of at least 1 GHz; the
     * counter of an aarch64 machine may have as little as 1 MHz. */
    const uint64_t most = f.p.h.clock == ORIEL_CLOCK_CNTVCT ? 1000000 : 1000;
    CHECK(r->raw[2] > r->raw[1] && r->raw[2] - r->raw[1] <= most);
    finish(&f);
}

TEST(a_garbled_time_stays_between_its_neighbours)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const uint64_t bad[2][3] = {{ORIEL_RECORD_HEADER(3, ORIEL_REC_EVENT, 0, EVENT), 1, 1},
                                {ORIEL_RECORD_HEADER(3, ORIEL_REC_EVENT, 0, EVENT), INT64_MAX, 1}};
    rw_event(&f.t, EVENT, 0);
    rw_emit(&f.t, bad[0], 3);
    rw_emit(&f.t, bad[1], 3);
    rw_event(&f.t, EVENT, 0);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(r[1].t_ns, r[0].t_ns);
    CHECK(r[2].t_ns <= clock_unix_ns() + 10000000);
    CHECK(r[3].t_ns >= r[2].t_ns);
    finish(&f);
}

TEST(nothing_comes_twice_and_nothing_before_it_is_there)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (uint64_t i = 0; i < 100; i++) {
        rw_event(&f.t, EVENT, i);
        const struct model_record *r = only(&f, ORIEL_REC_EVENT);
        CHECK_EQ(r->raw[2], i);
        CHECK_EQ(f.r.batch.record_count, i == 0 ? 2 : 1);
        CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    }
    finish(&f);
}

TEST(chunks_are_used_again_for_ever)
{
    struct fixture f;
    uint64_t next = 0;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_DROP_NEWEST);
    /* 40 times round the ring, five chunks at a time. */
    for (int round = 0; round < 128; round++) {
        for (int i = 0; i < 5 * 682; i++)
            REQUIRE(rw_event(&f.t, EVENT, f.t.emitted));
        while (next < f.t.emitted) {
            REQUIRE(reader_wait(&f.r, 500) == SOURCE_DATA);
            for (size_t i = 0; i < f.r.batch.record_count; i++)
                if (f.r.batch.records[i].type == ORIEL_REC_EVENT)
                    REQUIRE(f.r.batch.records[i].raw[2] == next++);
            reader_commit(&f.r);
        }
    }
    CHECK_EQ(f.t.lost, 0);
    CHECK(f.p.shared->free_chunks >= WIRE_CHUNKS_MIN - 1);
    finish(&f);
}

TEST(a_batch_keeps_about_to_its_limit)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 10000; i++)
        REQUIRE(rw_event(&f.t, EVENT, 0));
    size_t total = 0;
    while (total < 10000) {
        REQUIRE(reader_wait(&f.r, 100) == SOURCE_DATA);
        CHECK(f.r.batch.record_count < 100 + WIRE_CHUNK_BYTES / 16);
        for (size_t i = 0; i < f.r.batch.record_count; i++)
            total += f.r.batch.records[i].type == ORIEL_REC_EVENT;
    }
    finish(&f);
}

TEST(a_full_ring_refuses_and_the_loss_is_told)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t seen = 0;
    for (int i = 0; i < 20000; i++)
        rw_event(&f.t, EVENT, 0);
    CHECK(f.t.lost > 0);
    region_end(f.region);
    while (reader_wait(&f.r, 1000) == SOURCE_DATA) {
        for (size_t i = 0; i < f.r.batch.record_count; i++)
            seen += f.r.batch.records[i].type == ORIEL_REC_EVENT;
        reader_commit(&f.r);
    }
    CHECK(f.r.batch.last);
    CHECK_EQ(seen, f.t.emitted);
    CHECK_EQ(seen + f.r.catalog.threads[0]->lost[ORIEL_LOST_RING_FULL], 20000);
    finish(&f);
}

TEST(what_was_not_committed_keeps_its_room)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 682 * 3; i++)
        rw_event(&f.t, EVENT, 0);
    uint32_t before = f.p.shared->free_chunks;
    while (reader_wait(&f.r, 100000) != SOURCE_DATA)
        ;
    for (int i = 0; i < 10; i++)
        reader_poll(&f.r, 1000);
    CHECK_EQ(f.p.shared->free_chunks, before);
    reader_commit(&f.r);
    CHECK(f.p.shared->free_chunks > before);
    finish(&f);
}

TEST(a_second_reader_goes_on_where_the_first_had_saved)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    reader_commit(&f.r);
    rw_event(&f.t, EVENT, 2);
    only(&f, ORIEL_REC_EVENT); /* read, but never safe */
    rw_event(&f.t, EVENT, 3);
    reader_close(&f.r);
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(f.r.batch.record_count, 2);
    CHECK_EQ(r[0].raw[2], 2);
    CHECK_EQ(r[1].raw[2], 3);
    finish(&f);
}

TEST(a_ring_has_one_reader)
{
    struct fixture f;
    struct reader second;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    CHECK_EQ(reader_open(&second, region_path(f.region)), ORIEL_EBUSY);
    CHECK(strstr(second.err.text, "reading this ring already"));
    reader_close(&second);
    finish(&f);
}

TEST(a_second_block_counts_as_the_same_thread)
{
    struct fixture f;
    struct rw_thread second;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_thread_start(&second, &f.p, f.t.t->serial));
    rw_event(&second, EVENT, 1);
    const struct model_record *a = only(&f, ORIEL_REC_EVENT);
    const struct model_thread *thread = a->thread;
    uint32_t stream = a->stream;
    rw_event(&f.t, EVENT, 2);
    const struct model_record *b = only(&f, ORIEL_REC_EVENT);
    CHECK(b->thread == thread && b->stream != stream);
    CHECK_EQ(f.r.catalog.thread_count, 1);
    finish(&f);
}

TEST(a_name_is_followed)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t w[4] = {ORIEL_RECORD_HEADER(4, ORIEL_REC_THREAD, 0, 0), 0, 6 | UINT64_C(6) << 32};
    memcpy(&w[3], "parser", 6);
    rw_emit(&f.t, w, 4);
    const struct model_record *r = only(&f, ORIEL_REC_THREAD);
    CHECK(r->thread->name.n == 6 && memcmp(r->thread->name.p, "parser", 6) == 0);
    finish(&f);
}

TEST(a_site_described_after_the_poll_began_is_found)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    for (uint32_t id = 100; id < 200; id++) {
        REQUIRE(rw_site(&f.p, id, ORIEL_SITE_EVENT, "late", "u"));
        rw_event(&f.t, id, 1);
        CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, id);
    }
    finish(&f);
}

TEST(a_fork_child_speaks_with_its_parents_sites)
{
    struct fixture f;
    struct rw_process child, grandchild;
    struct rw_thread t;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_attach_child(&child, &f.p));
    REQUIRE(rw_attach_child(&grandchild, &child));
    /* After the fork the same number means different things in both. */
    REQUIRE(rw_site(&f.p, 50, ORIEL_SITE_EVENT, "parent's", "u"));
    REQUIRE(rw_site(&grandchild, 50, ORIEL_SITE_EVENT, "child's", "u"));
    REQUIRE(rw_thread_start(&t, &grandchild, 0));
    rw_event(&t, EVENT, 1);
    rw_event(&t, 50, 1);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK(memcmp(r[0].site->name.p, "tick", 4) == 0);
    CHECK_EQ(r[0].site->process, r[0].thread->process);
    CHECK(memcmp(r[1].site->name.p, "child's", 7) == 0);
    finish(&f);
}

static const struct model_scope *scope_of(const struct fixture *f, const struct model_record *r)
{
    return r->site->scope ? f->r.catalog.scopes[r->site->scope - 1] : NULL;
}

TEST(a_scope_is_of_all_sites_of_its_target_whichever_came_first)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    CHECK(scope_of(&f, only(&f, ORIEL_REC_EVENT)) == NULL);
    REQUIRE(rw_scope(&f.p, "elsewhere", "9"));
    REQUIRE(rw_scope(&f.p, "test", "1.4"));
    REQUIRE(rw_scope(&f.p, "test", "2")); /* the first word stands */
    REQUIRE(rw_site(&f.p, 50, ORIEL_SITE_EVENT, "later", "u"));
    rw_event(&f.t, EVENT, 1);
    rw_event(&f.t, 50, 1);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    const struct model_scope *s = scope_of(&f, &r[0]);
    REQUIRE(s != NULL);
    CHECK(s == scope_of(&f, &r[1]));
    CHECK(model_str_equal(s->name, MODEL_STR("test")));
    CHECK(model_str_equal(s->version, MODEL_STR("1.4")));
    CHECK(model_str_equal(s->told.schema_url, MODEL_STR("https://s/1")));
    REQUIRE(s->told.attr_count == 1);
    CHECK(model_str_equal(s->told.attrs[0].key, MODEL_STR("n")));
    CHECK(s->told.attrs[0].type == ORIEL_TYPE_I64 && s->told.attrs[0].v.i64 == 7);
    finish(&f);
}

TEST(a_fork_child_has_its_parents_scopes_and_another_process_has_not)
{
    struct fixture f;
    struct rw_process child, other;
    struct rw_thread t, u;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_attach_child(&child, &f.p));
    REQUIRE(rw_attach_path(&other, region_path(f.region)));
    REQUIRE(rw_scope(&f.p, "test", "1.4"));
    REQUIRE(rw_site(&child, 50, ORIEL_SITE_EVENT, "child's", "u"));
    REQUIRE(rw_site(&other, 51, ORIEL_SITE_EVENT, "other's", "u"));
    REQUIRE(rw_thread_start(&t, &child, 0));
    REQUIRE(rw_thread_start(&u, &other, 0));
    rw_event(&t, EVENT, 1);
    rw_event(&t, 50, 1);
    rw_event(&u, 51, 1);
    unsigned with = 0, without = 0;
    while (with + without < 3) {
        REQUIRE(reader_wait(&f.r, 1000) == SOURCE_DATA);
        for (size_t i = 0; i < f.r.batch.record_count; i++) {
            const struct model_record *r = &f.r.batch.records[i];
            if (r->type != ORIEL_REC_EVENT)
                continue;
            CHECK_EQ(r->site->id == 51, scope_of(&f, r) == NULL);
            with += scope_of(&f, r) != NULL;
            without += scope_of(&f, r) == NULL;
        }
    }
    CHECK_EQ(with, 2);
    CHECK_EQ(without, 1);
    finish(&f);
}

TEST(a_resource_of_the_first_process_stands)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_resource(&f.p, "service.name", "one"));
    REQUIRE(rw_resource(&f.p, "service.name", "two"));
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    CHECK(memcmp(model_catalog_resource(&f.r.catalog, "service.name").p, "one", 3) == 0);
    finish(&f);
}

TEST(an_entry_that_was_never_finished_blocks_nobody)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    /* One died with the length written, one before even that. */
    uint64_t at = __atomic_fetch_add(&f.p.shared->meta_head, 64, __ATOMIC_ACQ_REL);
    *(uint32_t *)(f.p.base + f.p.h.meta_off + at) = 8 | WIRE_META_PENDING;
    __atomic_fetch_add(&f.p.shared->meta_head, 128, __ATOMIC_ACQ_REL);
    REQUIRE(rw_site(&f.p, 60, ORIEL_SITE_EVENT, "behind", "u"));
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    region_end(f.region); /* nothing more can come: no need to wait */
    rw_event(&f.t, 60, 2);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, 60);
    finish(&f);
}

TEST(a_log_entry_of_no_length_at_all_is_passed_though_it_is_marked)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint64_t at = __atomic_fetch_add(&f.p.shared->meta_head, 64, __ATOMIC_ACQ_REL);
    *(uint32_t *)(f.p.base + f.p.h.meta_off + at) = WIRE_META_PENDING;
    REQUIRE(rw_site(&f.p, 60, ORIEL_SITE_EVENT, "behind", "u"));
    region_end(f.region); /* nothing more can come: no need to wait */
    rw_event(&f.t, 60, 1);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, 60);
    finish(&f);
}

TEST(a_damaged_record_costs_the_rest_of_its_chunk_only)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const uint64_t bad[2] = {ORIEL_RECORD_HEADER(2, 99, 0, 0), 0};
    rw_event(&f.t, EVENT, 1);
    rw_emit(&f.t, bad, 2);
    rw_event(&f.t, EVENT, 2);
    REQUIRE(rw_next_chunk(&f.t));
    rw_event(&f.t, EVENT, 3);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(f.r.batch.record_count, 4); /* SYNC 1 SYNC 3 */
    CHECK_EQ(r[0].raw[2], 1);
    CHECK_EQ(r[2].raw[2], 3);
    struct source_damage d = reader_damage(&f.r);
    CHECK_EQ(d.records, 1);
    CHECK_EQ(d.bytes_skipped, 40);
    CHECK(d.first_offset >= f.p.h.chunk_off && d.first_offset < f.p.h.size);
    /* What comes behind the damage later is no better. */
    rw_emit(&f.t, bad, 2);
    CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    rw_event(&f.t, EVENT, 4);
    CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    CHECK_EQ(reader_damage(&f.r).bytes_skipped, 40 + 16 + 24);
    REQUIRE(rw_next_chunk(&f.t));
    rw_event(&f.t, EVENT, 5);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 5);
    stop(&f);
}

TEST(a_record_of_an_undescribed_site_costs_itself_only)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, 999, 1);
    rw_event(&f.t, EVENT, 2);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 2);
    CHECK_EQ(reader_damage(&f.r).records, 1);
    CHECK_EQ(reader_damage(&f.r).bytes_skipped, 24);
    stop(&f);
}

TEST(the_watermark_never_passes_what_is_still_to_come)
{
    struct fixture f;
    struct rw_thread others[3];
    uint64_t promised = MODEL_NO_PROMISE_YET,
             late = 0; /* from the first look on, at no clock yet */
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 3; i++)
        REQUIRE(rw_thread_start(&others[i], &f.p, 0));
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i <= round % 4; i++)
            rw_event(i == 3 ? &f.t : &others[i], EVENT, 0);
        if (reader_poll(&f.r, round % 2 ? 1 : 64) == SOURCE_DATA)
            for (size_t i = 0; i < f.r.batch.record_count; i++)
                late += f.r.batch.records[i].t_ns < promised;
        CHECK(f.r.batch.watermark_ns >= promised);
        promised = f.r.batch.watermark_ns;
        reader_commit(&f.r);
    }
    CHECK_EQ(late, 0);
    CHECK(promised > MODEL_NO_PROMISE_YET);
    finish(&f);
}

TEST(a_watermark_follows_when_nothing_happens)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    uint64_t t = only(&f, ORIEL_REC_EVENT)->t_ns;
    uint64_t until = clock_mono_ns() + 300000000000; /* ends what hangs */
    do
        reader_poll(&f.r, 100);
    while (f.r.batch.watermark_ns <= t && clock_mono_ns() < until);
    CHECK(f.r.batch.watermark_ns > t);
    finish(&f);
}

TEST(while_its_creator_lives_a_ring_without_processes_is_idle)
{
    struct region *region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
    struct reader r;
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(reader_poll(&r, 100), SOURCE_IDLE);
    region_end(region);
    CHECK_EQ(reader_poll(&r, 100), SOURCE_END);
    CHECK(r.batch.last);
    CHECK_EQ(reader_poll(&r, 100), SOURCE_END);
    reader_close(&r);
    region_free(region);
}

/* How many pages of the table of threads the reader has before it. */
static unsigned pages_seen(const struct ring *r)
{
    unsigned seen = 0;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), present = UINT64_C(1) << 63;
    const uint64_t from = ((uintptr_t)r->base + r->h.thread_off) / page;
    const uint64_t n = r->h.thread_count * sizeof(struct oriel_thread) / page;
    const int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    REQUIRE(map >= 0 && n > 16);
    for (uint64_t i = 1; i < n; i++) {
        uint64_t entry = 0;
        REQUIRE(pread(map, &entry, sizeof entry, (off_t)((from + i) * sizeof entry)) ==
                sizeof entry);
        seen += (entry & present) != 0;
    }
    close(map);
    return seen;
}

TEST(where_no_process_ever_was_no_pages_are_made_for_threads)
{
    struct region *region = reader_region(0, 1024, WIRE_POLICY_DROP_NEWEST);
    struct reader r;
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    CHECK_EQ(pages_seen(r.state), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(reader_poll(&r, 100), SOURCE_IDLE);
    region_end(region);
    CHECK_EQ(reader_poll(&r, 100), SOURCE_END);
    CHECK(pages_seen(r.state) < 64); /* what the kernel maps around others */
    reader_close(&r);
    region_free(region);
}

TEST(what_a_dead_program_left_is_read_to_the_end)
{
    char path[512];
    int fds[2];
    struct reader r;
    REQUIRE(pipe(fds) == 0);
    test_tmpdir(); /* ours, not the child's */
    pid_t pid = fork();
    if (pid == 0) {
        struct region *region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
        struct rw_process p;
        struct rw_thread t;
        rw_attach_path(&p, region_path(region));
        describe(&p);
        rw_thread_start(&t, &p, 0);
        for (uint64_t i = 0; i < 5000; i++)
            rw_event(&t, EVENT, i);
        if (write(fds[1], region_path(region), strlen(region_path(region)) + 1) < 0)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    REQUIRE(read(fds[0], path, sizeof path) > 0);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    REQUIRE(reader_open(&r, path) == 0);
    uint64_t next = 0;
    int result;
    while ((result = reader_poll(&r, 1000)) == SOURCE_DATA) {
        for (size_t i = 0; i < r.batch.record_count; i++)
            if (r.batch.records[i].type == ORIEL_REC_EVENT)
                CHECK_EQ(r.batch.records[i].raw[2], next++);
        reader_commit(&r);
    }
    CHECK_EQ(result, SOURCE_END);
    CHECK_EQ(next, 5000);
    reader_close(&r);
}

TEST(a_ring_of_another_boot_is_read_with_the_clocks_it_kept)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 3000; i++)
        rw_event(&f.t, EVENT, (uint64_t)i);
    reader_close(&f.r);
    f.p.shared->boot_tag ^= 0x55;
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    uint64_t seen = 0, last = 0;
    int result;
    while ((result = reader_poll(&f.r, 1000)) == SOURCE_DATA) {
        for (size_t i = 0; i < f.r.batch.record_count; i++) {
            seen += f.r.batch.records[i].type == ORIEL_REC_EVENT;
            CHECK(f.r.batch.records[i].t_ns >= last);
            last = f.r.batch.records[i].t_ns;
        }
        reader_commit(&f.r);
    }
    CHECK_EQ(result, SOURCE_END); /* nobody of that boot lives */
    CHECK_EQ(seen, 3000);
    finish(&f);
}

TEST(threads_come_and_go_through_few_slots)
{
    struct fixture f;
    uint64_t emitted = 0, seen = 0;
    start(&f, 0, 8, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 10000; i++) {
        struct rw_thread t;
        while (!rw_thread_start(&t, &f.p, 0)) {
            reader_poll(&f.r, 100000);
            for (size_t k = 0; k < f.r.batch.record_count; k++)
                seen += f.r.batch.records[k].type == ORIEL_REC_EVENT;
            reader_commit(&f.r);
        }
        for (int k = 0; k < 3; k++)
            emitted += rw_event(&t, EVENT, 0) != 0;
        CHECK_EQ(t.lost, 0);
        rw_thread_exit(&t);
    }
    region_end(f.region);
    while (reader_wait(&f.r, 10000) == SOURCE_DATA) {
        for (size_t k = 0; k < f.r.batch.record_count; k++)
            seen += f.r.batch.records[k].type == ORIEL_REC_EVENT;
        reader_commit(&f.r);
    }
    CHECK_EQ(emitted, 30000);
    CHECK_EQ(seen, 30000);
    CHECK_EQ(f.r.catalog.thread_count, 10001);
    finish(&f);
}

TEST(half_made_slots_of_the_dead_are_taken_back)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 4, WIRE_POLICY_DROP_NEWEST);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    uint32_t *thread = &wire_region_thread(&f.p.h, f.p.base, 3)->state;
    uint32_t *process = &wire_region_process(&f.p.h, f.p.base, 5)->state;
    uint32_t *chunk = &wire_region_desc(&f.p.h, f.p.base, 7)->state;
    *thread = wire_claim(ORIEL_THREAD_CLAIMED, (uint32_t)pid);
    *process = wire_claim(1, (uint32_t)pid);
    rw_event(&f.t, EVENT, 1);
    /* The chunk's claimer exited without publishing it. */
    struct rw_thread gone;
    REQUIRE(rw_thread_start(&gone, &f.p, 0));
    *chunk = wire_claim(WIRE_CHUNK_CLAIMED, gone.slot + 1);
    __atomic_fetch_sub(&f.p.shared->free_chunks, 1, __ATOMIC_RELAXED);
    rw_thread_exit(&gone);
    uint64_t until = clock_mono_ns() + 300000000000; /* ends what hangs */
    while ((*thread || *process || *chunk || gone.t->state) && clock_mono_ns() < until) {
        reader_poll(&f.r, 100);
        reader_commit(&f.r);
    }
    CHECK_EQ(*thread, 0);
    CHECK_EQ(*process, 0);
    CHECK_EQ(*chunk, 0);
    CHECK_EQ(f.p.shared->free_chunks, WIRE_CHUNKS_MIN - 1);
    finish(&f);
}

TEST(a_count_of_free_chunks_that_a_dead_writer_took_is_mended)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 4, WIRE_POLICY_DROP_NEWEST);
    struct ring *r = f.r.state;
    f.p.shared->free_chunks -= 3;
    for (int i = 0; i < 5; i++)
        ring_chunk_repair(r);
    CHECK_EQ(f.p.shared->free_chunks, WIRE_CHUNKS_MIN);
    f.p.shared->free_chunks += 2;
    for (int i = 0; i < 5; i++)
        ring_chunk_repair(r);
    CHECK_EQ(f.p.shared->free_chunks, WIRE_CHUNKS_MIN);
    finish(&f);
}

TEST(processes_come_and_go_through_few_slots)
{
    struct fixture f;
    int most = (int)test_times(300);
    most = most < 70 ? 70 : most; /* more than there are slots */
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < most; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct rw_process child;
            struct rw_thread t;
            bool ok = rw_attach_child(&child, &f.p) && rw_thread_start(&t, &child, 0) &&
                      rw_event(&t, EVENT, (uint64_t)i);
            _exit(ok ? 0 : 1);
        }
        int status;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        CHECK_EQ(status, 0);
        inside(&f)->next_tick_ns = 0; /* ask who lives now */
        CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], i);
        reader_commit(&f.r);
        inside(&f)->next_tick_ns = 0;
        reader_poll(&f.r, 100);
        reader_poll(&f.r, 100);
    }
    CHECK_EQ(f.r.catalog.process_count, most + 1);
    finish(&f);
}

TEST(the_flight_recorder_tells_what_is_left_of_the_past)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    for (uint64_t i = 0; i < 50000; i++)
        REQUIRE(rw_event(&f.t, EVENT, i));
    uint64_t seen = 0, last = 0;
    for (int i = 0; i < 3; i++)
        if (reader_wait(&f.r, 100000) == SOURCE_DATA) {
            for (size_t k = 0; k < f.r.batch.record_count; k++) {
                const struct model_record *r = &f.r.batch.records[k];
                if (r->type != ORIEL_REC_EVENT)
                    continue;
                CHECK(seen == 0 || r->raw[2] == last + 1);
                last = r->raw[2];
                seen++;
            }
            reader_commit(&f.r);
            break;
        }
    CHECK_EQ(last, 49999);
    CHECK_EQ(seen + f.t.t->lost[ORIEL_LOST_OVERWRITTEN], 50000);
    /* What is safe is not told again by the next reader. */
    reader_close(&f.r);
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    REQUIRE(rw_event(&f.t, EVENT, 50000));
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 50000);
    finish(&f);
}

TEST(a_flight_recorder_that_goes_on_tells_only_what_is_new)
{
    struct fixture f;
    uint64_t next = 0;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 3000; i++)
            REQUIRE(rw_event(&f.t, EVENT, f.t.emitted));
        while (next < f.t.emitted) {
            REQUIRE(reader_wait(&f.r, 100000) == SOURCE_DATA);
            for (size_t i = 0; i < f.r.batch.record_count; i++)
                if (f.r.batch.records[i].type == ORIEL_REC_EVENT)
                    REQUIRE(f.r.batch.records[i].raw[2] == next++);
            reader_commit(&f.r);
        }
    }
    finish(&f);
}

TEST_MAIN()
