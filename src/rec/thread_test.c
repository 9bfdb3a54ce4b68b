/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Blocks that pass from thread to thread: streams go on, and every record is
 * told of the thread that said it.
 */
#define ORIEL_TARGET "thread.test"
#include <oriel/oriel.h>

#include <pthread.h>
#include <unistd.h>

#include "rec/rec.h"
#include "recording.h"
#include "test.h"

static void *emit_ten(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        ORIEL_EVENT("tick", "i", i);
    return NULL;
}

static uint32_t blocks_in_use(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rec_runtime.header.thread_count; i++)
        n += wire_region_thread(&rec_runtime.header, rec_runtime.base, i)->state !=
             ORIEL_THREAD_FREE;
    return n;
}

static void *emit_named(void *name)
{
    pthread_setname_np(pthread_self(), name);
    ORIEL_EVENT("who", "name", (const char *)name, "tid", (int)gettid());
    return NULL;
}

static void run_named(const char *name)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, emit_named, (void *)(uintptr_t)name) == 0);
    pthread_join(t, NULL);
}

/* The event tells whose it is; the model must say the same. */
static void check_owner(void *user, const struct model_record *m)
{
    struct model_values it;
    struct model_value name, tid;
    if (m->type != ORIEL_REC_EVENT)
        return;
    model_values_begin(&it, m);
    REQUIRE(model_values_next(&it, &name) && model_values_next(&it, &tid));
    CHECK_MEM(m->thread->name.p, m->thread->name.n, name.v.str.p, name.v.str.n);
    CHECK_EQ(m->thread->tid, tid.v.i64);
    ++*(int *)user;
}

static const char *const names[] = {"ada", "bo", "cy", "dee", "eve"};
enum { NAMES = sizeof names / sizeof names[0] };

TEST(threads_one_after_the_other_share_a_block_and_keep_their_names)
{
    int seen = 0;
    struct recording r = {.on_record = check_owner, .user = &seen};
    recording_begin(&r, NULL);
    for (int i = 0; i < NAMES; i++)
        run_named(names[i]);
    CHECK_EQ(blocks_in_use(), 1);
    CHECK_EQ(rec_runtime.shared->chunk_seq, 1);
    recording_read(&r, true);
    CHECK_EQ(seen, NAMES);
    CHECK_EQ(r.catalog.thread_count, NAMES);
    recording_end(&r);
}

TEST(a_reader_that_goes_on_for_a_dead_one_knows_whose_records_these_are)
{
    int seen = 0;
    struct recording r = {.on_record = check_owner, .user = &seen}, second = r;
    pthread_setname_np(pthread_self(), "main");
    recording_begin(&r, NULL);
    run_named("ada");
    run_named("bo");
    recording_read(&r, false);
    CHECK_EQ(seen, 2);
    second.region = r.region;
    memcpy(second.path, r.path, sizeof r.path);
    struct oriel_gate *gate = oriel_tls.gate; /* this thread takes the chunk over */
    ORIEL_EVENT("who", "name", "main", "tid", (int)gettid());
    CHECK(gate != oriel_tls.gate && oriel_tls.thread->chunk == 1);
    recording_read(&r, false);
    for (int i = 0; i < 3; i++)
        ORIEL_EVENT("who", "name", "main", "tid", (int)gettid());
    r.region = NULL;
    recording_close(&r);
    recording_read(&second, true);
    CHECK_EQ(seen, 6);
    CHECK_EQ(second.by_type[ORIEL_REC_EVENT], 3);
    recording_end(&second);
}

static pthread_barrier_t all_there;

static void *emit_at_once(void *arg)
{
    emit_ten(arg);
    pthread_barrier_wait(&all_there);
    return NULL;
}

static void burst(int n)
{
    pthread_t t[64];
    pthread_barrier_init(&all_there, NULL, (unsigned)n);
    for (int i = 0; i < n; i++)
        REQUIRE(pthread_create(&t[i], NULL, emit_at_once, NULL) == 0);
    for (int i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&all_there);
}

TEST(blocks_that_nobody_takes_over_go_back_to_the_reader)
{
    struct region_options o = {.threads = 32, .ring_bytes = 64 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    recording_begin(&r, &o);
    burst(20);
    CHECK_EQ(blocks_in_use(), 20);
    for (int i = 0; i < 50 && blocks_in_use() > 16; i++)
        recording_read(&r, false);
    CHECK(blocks_in_use() <= 16); /* half of them may wait for a thread */
    burst(32);                    /* past blocks that were taken back, too */
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 520);
    CHECK_EQ(recording_lost_total(&r), 0);
    CHECK_EQ(r.catalog.thread_count, 52);
    recording_end(&r);
}

TEST(bursts_leave_most_chunks_to_the_reader)
{
    struct region_options o = {.threads = 64, .ring_bytes = 64 * WIRE_CHUNK_BYTES};
    struct recording r = {0};
    recording_begin(&r, &o);
    burst(40);
    uint32_t active = 0;
    for (uint32_t i = 0; i < rec_runtime.header.chunk_count; i++)
        active +=
            wire_region_desc(&rec_runtime.header, rec_runtime.base, i)->state == WIRE_CHUNK_ACTIVE;
    CHECK_EQ(active, 64 / 8);
    CHECK_EQ(rec_runtime.own->kept, 64 / 8);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 400);
    recording_end(&r);
}

TEST_T(a_flight_recorder_never_runs_out_of_blocks, 120)
{
    struct region_options o = {
        .threads = 8, .ring_bytes = 16 * WIRE_CHUNK_BYTES, .policy = WIRE_POLICY_OVERWRITE_OLDEST};
    struct recording r = {0};
    enum { AT_ONCE = 6 };
    unsigned long rounds = test_times(1000);
    rounds = rounds < 8 ? 8 : rounds; /* more threads than there are blocks */
    recording_begin(&r, &o);
    for (unsigned long i = 0; i < rounds; i++) /* and nobody reads */
        burst(AT_ONCE);
    recording_read(&r, true);
    CHECK_EQ(r.lost[ORIEL_LOST_NO_THREAD], 0);
    CHECK(r.by_type[ORIEL_REC_EVENT] > 100);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT] + r.lost[ORIEL_LOST_OVERWRITTEN], rounds * AT_ONCE * 10);
    recording_end(&r);
}

/* ---- threads of Oriel's own ---- */

static void *say_as(void *name)
{
    pthread_setname_np(pthread_self(), name);
    {
        ORIEL_SPAN("export");
        struct oriel_span other = ORIEL_OPEN("request", ORIEL_CURRENT);
        CHECK_EQ(other.id, 0);
        ORIEL_EVENT("sent", "bytes", 12);
    }
    CHECK_EQ(oriel_span_current().id, 0);
    CHECK(!rec_has_room(64));
    return NULL;
}

TEST(what_oriel_s_own_threads_say_is_neither_there_nor_lost)
{
    const char *const ours[] = {"oriel-drain", "oriel-send", "oriel-vault"};
    struct recording r = {0};
    recording_begin(&r, NULL);
    for (unsigned i = 0; i < 3; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, say_as, (void *)(uintptr_t)ours[i]) == 0);
        pthread_join(t, NULL);
    }
    CHECK_EQ(blocks_in_use(), 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 0);
    CHECK_EQ(r.by_type[ORIEL_REC_OPEN], 0);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 0);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

TEST(a_program_that_is_called_like_one_of_them_says_all)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    pthread_setname_np(pthread_self(), "oriel-send");
    ORIEL_EVENT("tick", "i", 1);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 1);
    recording_end(&r);
}

TEST_MAIN()
