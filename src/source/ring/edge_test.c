/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What happens seldom: threads that vanish, programs replaced by exec, clocks
 * of another kind, log entries that come late or never, and tables that say
 * things which cannot be.
 */
#include "source/ring/ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "ring_fixture.h"
#include "wire/meta.h"

/* Polls as if `ns` had passed since everybody was asked last. */
static void poll_later(struct fixture *f, uint64_t ns)
{
    struct ring *r = inside(f);
    r->next_tick_ns = 0;
    for (size_t i = 0; i < r->streams.count; i++)
        r->streams.items[i]->checked_ns -= ns;
    reader_poll(&f->r, 1000);
    reader_commit(&f->r);
}

static uint64_t count_events(struct fixture *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < f->r.batch.record_count; i++)
        n += f->r.batch.records[i].type == ORIEL_REC_EVENT;
    return n;
}

/* ---- who is alive ---- */

static void *vanish(void *arg)
{
    struct rw_thread *t = arg;
    bool ok = rw_event(t, EVENT, 7) != 0;
    t->t->tid = os_gettid();
    return ok ? arg : NULL;
}

TEST(a_thread_that_vanished_without_a_word_gives_its_slot_back)
{
    test_skip_emulated("a thread's end is told before it is gone");
    struct fixture f;
    struct rw_thread gone;
    pthread_t thread;
    void *ok;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_thread_start(&gone, &f.p, 0));
    REQUIRE(pthread_create(&thread, NULL, vanish, &gone) == 0);
    REQUIRE(pthread_join(thread, &ok) == 0 && ok);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 7);
    reader_commit(&f.r);
    for (int i = 0; i < 6; i++)
        poll_later(&f, 10 * RING_TICK_NS);
    CHECK_EQ(gone.t->state, ORIEL_THREAD_FREE);
    CHECK_EQ(f.t.t->state, ORIEL_THREAD_LIVE); /* we are still here */
    CHECK_EQ(f.p.shared->free_chunks, f.p.h.chunk_count);
    finish(&f);
}

static struct fixture shared_fixture;
static int go[2];

static void *outlive_main(void *arg)
{
    struct rw_process *p = arg;
    struct rw_thread t;
    char c;
    if (!rw_thread_start(&t, p, 0) || !rw_event(&t, EVENT, 1))
        _exit(1);
    /* One byte per event: our main thread is gone, we are not. */
    while (read(go[0], &c, 1) == 1)
        rw_event(&t, EVENT, 2);
    _exit(0);
}

TEST(a_process_lives_on_without_its_main_thread)
{
    test_skip_emulated("/proc/self/stat is made up, so the living look dead");
    struct fixture *f = &shared_fixture;
    start(f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct rw_process p;
        pthread_t thread;
        close(go[1]);
        if (!rw_attach_child(&p, &f->p) || pthread_create(&thread, NULL, outlive_main, &p) != 0)
            _exit(1);
        pthread_exit(NULL);
    }
    close(go[0]);
    CHECK_EQ(only(f, ORIEL_REC_EVENT)->raw[2], 1);
    char state = 0;
    for (int i = 0; i < 5000 && state != 'Z'; i++) { /* until the leader is a zombie */
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        long n = os_read_file(path, text, sizeof text);
        state = n > 0 && strrchr(text, ')') ? strrchr(text, ')')[2] : 0;
        sched_yield();
    }
    for (int i = 0; i < 3; i++)
        poll_later(f, 10 * RING_TICK_NS);
    REQUIRE(write(go[1], "x", 1) == 1);
    CHECK_EQ(only(f, ORIEL_REC_EVENT)->raw[2], 2);
    close(go[1]);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    for (int i = 0; i < 3; i++)
        poll_later(f, 10 * RING_TICK_NS);
    CHECK_EQ(inside(f)->streams.count, 1);
    finish(f);
}

TEST(a_program_replaced_by_exec_is_over_though_its_pid_lives)
{
    struct fixture f;
    struct rw_process next;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    reader_commit(&f.r);
    wire_region_process(&f.p.h, f.p.base, f.p.slot)->state = 3; /* as the next program does */
    REQUIRE(rw_attach_child(&next, &f.p));
    for (int i = 0; i < 3; i++)
        poll_later(&f, 0);
    CHECK_EQ(f.t.t->state, ORIEL_THREAD_FREE);
    CHECK_EQ(f.p.shared->free_chunks, f.p.h.chunk_count);
    finish(&f);
}

TEST(the_dead_of_a_flight_recorder_leave_chunks_that_can_be_used_again)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    pid_t pid = fork();
    if (pid == 0) {
        struct rw_process p;
        struct rw_thread t[4];
        rw_attach_child(&p, &f.p);
        for (int i = 0; i < 4; i++)
            if (!rw_thread_start(&t[i], &p, 0) || !rw_event(&t[i], EVENT, 1))
                _exit(1);
        kill(getpid(), SIGKILL);
    }
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    uint64_t seen = 0;
    for (int i = 0; i < 4; i++) {
        inside(&f)->next_tick_ns = 0;
        if (reader_wait(&f.r, 1000) == SOURCE_DATA)
            seen += count_events(&f);
        reader_commit(&f.r);
        if (seen == 4)
            break;
    }
    CHECK_EQ(seen, 4);
    for (int i = 0; i < 3; i++)
        poll_later(&f, 0);
    for (uint32_t i = 0; i < f.p.h.chunk_count; i++)
        CHECK(wire_region_desc(&f.p.h, f.p.base, i)->state != WIRE_CHUNK_ACTIVE);
    /* All 16 chunks are ours to use, so the dead's are gone and so are they. */
    for (uint64_t i = 0; i < 20000; i++)
        REQUIRE(rw_event(&f.t, EVENT, i));
    for (int i = 0; i < 4; i++)
        poll_later(&f, 0);
    CHECK_EQ(inside(&f)->streams.count, 1);
    finish(&f);
}

TEST(a_chunk_that_was_overwritten_is_not_closed_for_its_dead_first_owner)
{
    struct fixture f;
    struct rw_thread next;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    for (uint64_t i = 0; i < 20000; i++)
        REQUIRE(rw_event(&f.t, EVENT, i));
    REQUIRE(rw_thread_start(&next, &f.p, 0));
    rw_thread_exit(&f.t);
    REQUIRE(reader_wait(&f.r, 100000) == SOURCE_DATA);
    reader_commit(&f.r);
    reader_poll(&f.r, 100000);          /* all is read, its writer is known to be gone */
    REQUIRE(rw_event(&next, EVENT, 1)); /* takes the oldest chunk */
    reader_commit(&f.r);
    CHECK_EQ(wire_region_desc(&f.p.h, f.p.base, next.t->chunk - 1)->state, WIRE_CHUNK_ACTIVE);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->stream, next.t->serial);
    finish(&f);
}

TEST(a_lock_that_only_a_child_of_a_dead_reader_holds_is_no_reader)
{
    static struct region *volatile region; /* which the children leave to the kernel */
    struct reader r;
    int hold[2], ready[2];
    region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
    char c;
    REQUIRE(pipe(hold) == 0 && pipe(ready) == 0);
    pid_t reader_pid = fork();
    if (reader_pid == 0) {
        reader_open(&r, region_path(region));
        if (fork() == 0) { /* keeps the descriptor, and with it the lock */
            close(hold[1]);
            if (write(ready[1], "x", 1) == 1 && read(hold[0], &c, 1) >= 0)
                _exit(0);
            _exit(1);
        }
        _exit(read(hold[0], &c, 0) != 0);
    }
    REQUIRE(waitpid(reader_pid, NULL, 0) == reader_pid && read(ready[0], &c, 1) == 1);
    int fd = open(region_path(region), O_RDWR | O_CLOEXEC);
    CHECK(flock(fd, LOCK_EX | LOCK_NB) != 0);
    close(fd);
    CHECK_EQ(reader_open(&r, region_path(region)), 0);
    reader_close(&r);
    close(hold[1]);
    region_free(region);
}

/* ---- clocks ---- */

TEST(a_thread_with_a_clock_of_its_own_is_told_in_the_same_time)
{
    struct fixture f;
    struct rw_thread other;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_thread_start(&other, &f.p, 0));
    other.t->clock = ORIEL_CLOCK_MONOTONIC;
    rw_event(&f.t, EVENT, 1);
    rw_event(&other, EVENT, 2);
    rw_event(&f.t, EVENT, 3);
    uint64_t t[4] = {0};
    for (int got = 0; got < 3;) {
        REQUIRE(reader_wait(&f.r, 100) == SOURCE_DATA);
        for (size_t i = 0; i < f.r.batch.record_count; i++)
            if (f.r.batch.records[i].type == ORIEL_REC_EVENT) {
                t[f.r.batch.records[i].raw[2]] = f.r.batch.records[i].t_ns;
                got++;
            }
    }
    CHECK(t[1] < t[2] + 100000 && t[2] < t[3] + 100000 && t[3] - t[1] < 100000000);
    finish(&f);
}

TEST(a_process_whose_clock_the_region_does_not_know_brings_its_own_anchor)
{
    struct region *region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
    struct rw_process p;
    struct rw_thread t;
    struct fixture f = {.region = region};
    REQUIRE(rw_attach_path(&p, region_path(region)));
    if (p.h.clock == ORIEL_CLOCK_MONOTONIC)
        test_skip("no counter here");
    /* The region was made with the plain clock; its process has the counter. */
    struct wire_region *h = p.shared;
    h->clock = ORIEL_CLOCK_MONOTONIC;
    h->created.ticks = h->created.mono_ns;
    describe(&p);
    REQUIRE(rw_thread_start(&t, &p, 0));
    uint64_t before = clock_unix_ns();
    rw_event(&t, EVENT, 1);
    REQUIRE(reader_open(&f.r, region_path(region)) == 0);
    uint64_t at = only(&f, ORIEL_REC_EVENT)->t_ns;
    CHECK(at + 3000000 > before && at < clock_unix_ns() + 3000000);
    reader_close(&f.r);
    rw_detach(&p);
    region_free(region);
}

TEST(a_ring_of_another_boot_has_the_times_its_reader_would_have_told)
{
    struct fixture f;
    uint64_t told[3] = {0}, until = clock_mono_ns() + 300000000000; /* ends what hangs */
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 0);
    only(&f, ORIEL_REC_EVENT); /* not committed: a recovery reads it again */
    told[0] = f.r.batch.records[1].t_ns;
    while (RING_LOAD(&f.p.shared->latest.ticks) == 0 && clock_mono_ns() < until)
        reader_poll(&f.r, 100);
    rw_event(&f.t, EVENT, 1);
    told[1] = only(&f, ORIEL_REC_EVENT)->t_ns;
    reader_close(&f.r);
    f.p.shared->boot_tag ^= 1;
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    for (int i = 0; i < 2; i++) {
        int64_t off = (int64_t)(r[i].t_ns - told[i]);
        if (off < -1000000 || off > 1000000)
            test_fail(__FILE__, __LINE__, "event %d is off by %lld ns", i, (long long)off);
    }
    finish(&f);
}

/* ---- the log ---- */

static void *log_at(struct fixture *f, uint64_t at)
{
    return f->p.base + f->p.h.meta_off + at;
}

TEST(an_entry_that_comes_late_is_read_when_it_comes)
{
    struct fixture f;
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_FRAME,
                                    .level = ORIEL_LEVEL_INFO,
                                    .name = "late"};
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    size_t n = wire_meta_site_bytes(&site);
    uint64_t at = __atomic_fetch_add(&f.p.shared->meta_head, n, __ATOMIC_ACQ_REL);
    wire_meta_begin(log_at(&f, at), n);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT); /* the hole is seen and passed */
    wire_meta_site_write(log_at(&f, at), n, &site, 70, f.p.serial);
    wire_meta_commit(log_at(&f, at));
    const uint64_t w[2] = {ORIEL_RECORD_HEADER(2, ORIEL_REC_FRAME, 0, 70), 0};
    rw_emit(&f.t, w, 2);
    CHECK(memcmp(only(&f, ORIEL_REC_FRAME)->site->name.p, "late", 4) == 0);
    finish(&f);
}

TEST(a_log_full_of_holes_is_read_past_them)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (int i = 0; i < 200; i++) {
        uint64_t at = __atomic_fetch_add(&f.p.shared->meta_head, 16, __ATOMIC_ACQ_REL);
        wire_meta_begin(log_at(&f, at), 16);
    }
    REQUIRE(rw_site(&f.p, 80, ORIEL_SITE_EVENT, "behind", "u"));
    rw_event(&f.t, 80, 1);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, 80);
    CHECK_EQ(reader_damage(&f.r).records, 200 - RING_HOLES_MAX);
    stop(&f);
}

TEST(entries_that_cannot_be_are_counted_and_passed)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    /* A site of an impossible kind; one longer than any entry; one of a type
     * to come; one of a process that is not there. */
    uint64_t at = __atomic_fetch_add(&f.p.shared->meta_head, 40, __ATOMIC_ACQ_REL);
    *(struct wire_meta_site *)log_at(&f, at) =
        (struct wire_meta_site){.head = {5, WIRE_META_SITE, 1}, .id = 90, .kind = 99, .level = 1};
    at = __atomic_fetch_add(&f.p.shared->meta_head, 24, __ATOMIC_ACQ_REL);
    *(struct wire_meta *)log_at(&f, at) = (struct wire_meta){3, 77, 1};
    at = __atomic_fetch_add(&f.p.shared->meta_head, 40, __ATOMIC_ACQ_REL);
    *(struct wire_meta_site *)log_at(&f, at) = (struct wire_meta_site){
        .head = {5, WIRE_META_SITE, 999}, .id = 91, .kind = ORIEL_SITE_FRAME, .level = 1};
    REQUIRE(rw_site(&f.p, 92, ORIEL_SITE_EVENT, "behind", "u"));
    rw_event(&f.t, 92, 1);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, 92);
    CHECK_EQ(reader_damage(&f.r).records, 1);
    CHECK(model_catalog_site(&f.r.catalog, 0, 91) == NULL);
    /* Longer than what is reserved: what follows cannot be found. */
    at = __atomic_fetch_add(&f.p.shared->meta_head, 16, __ATOMIC_ACQ_REL);
    *(struct wire_meta *)log_at(&f, at) = (struct wire_meta){3000, WIRE_META_SITE, 1};
    rw_event(&f.t, EVENT, 2);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 2);
    CHECK_EQ(reader_damage(&f.r).records, 2);
    stop(&f);
}

TEST(a_log_that_ran_over_is_read_to_its_end)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    uint32_t id = 100;
    while (rw_site(&f.p, id, ORIEL_SITE_EVENT, "one of many", "u"))
        id++;
    CHECK(f.p.shared->meta_head > f.p.h.meta_bytes);
    rw_event(&f.t, id - 1, 1);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->site->line, id - 1);
    finish(&f);
}

/* ---- order and time ---- */

TEST(chunks_above_the_counter_wait_for_the_next_scan)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    struct wire_chunk *first = wire_region_desc(&f.p.h, f.p.base, f.t.t->chunk - 1);
    REQUIRE(rw_next_chunk(&f.t));
    rw_event(&f.t, EVENT, 2);
    /* As a scan sees it that passed the first chunk too early for its owner
     * and comes to the second after it was taken: the counter says so. */
    uint64_t seq = f.p.shared->chunk_seq;
    first->state = wire_claim(WIRE_CHUNK_CLAIMED, f.t.slot + 1);
    f.p.shared->chunk_seq = 0;
    uint64_t until = clock_mono_ns() + 10000000;
    while (clock_mono_ns() < until)
        CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    first->state = WIRE_CHUNK_FULL;
    f.p.shared->chunk_seq = seq;
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(r[0].raw[2], 1);
    CHECK_EQ(r[2].raw[2], 2);
    finish(&f);
}

TEST(a_copy_counts_only_if_no_writer_stole_the_chunk_first)
{
    struct fixture f;
    uint32_t from = 99;
    start(&f, 0, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    struct ring_chunk *c = &inside(&f)->chunks[f.t.t->chunk - 1];
    struct wire_chunk *d = wire_region_desc(&f.p.h, f.p.base, f.t.t->chunk - 1);
    CHECK(!wire_steal(d, &from)); /* what the reader has is not safe yet */
    CHECK(ring_chunk_take(inside(&f), c, c->read));
    reader_commit(&f.r);
    CHECK(wire_steal(d, &from));
    CHECK_EQ(from, c->read);
    CHECK(!ring_chunk_take(inside(&f), c, c->read));
    d->taken = wire_taken(d->seq + 5, c->read, 0); /* in use again, under another seq */
    CHECK(!ring_chunk_take(inside(&f), c, c->read));
    CHECK(!wire_steal(d, &from) || from == c->read);
    stop(&f);
}

TEST(a_thief_that_dies_before_it_steals_leaves_the_chunk_to_the_reader)
{
    struct fixture f;
    struct rw_thread thief;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    REQUIRE(rw_thread_start(&thief, &f.p, 0));
    rw_event(&f.t, EVENT, 7);
    uint32_t i = f.t.t->chunk - 1;
    struct wire_chunk *d = wire_region_desc(&f.p.h, f.p.base, i);
    rw_close_chunk(&f.t);
    d->state = wire_claim(WIRE_CHUNK_WANTED, thief.slot + 1);
    rw_thread_exit(&thief);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 7);
    reader_commit(&f.r);
    for (int k = 0; k < 4; k++)
        poll_later(&f, 0);
    CHECK_EQ(d->state, WIRE_CHUNK_FREE);
    CHECK_EQ(f.p.shared->free_chunks, f.p.h.chunk_count);
    finish(&f);
}

TEST(what_a_reader_took_and_did_not_save_waits_for_the_next_reader)
{
    struct fixture f;
    uint64_t seen = 0;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    rw_event(&f.t, EVENT, 1);
    rw_event(&f.t, EVENT, 2);
    only(&f, ORIEL_REC_EVENT);
    reader_close(&f.r); /* as when it is killed: nothing was committed */
    for (uint64_t i = 3; i <= 40000; i++)
        rw_event(&f.t, EVENT, i);
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    for (int i = 0; i < 50 && seen == 0; i++) {
        CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 1);
        for (size_t k = 0; k < f.r.batch.record_count; k++)
            seen += f.r.batch.records[k].type == ORIEL_REC_EVENT;
    }
    while (reader_poll(&f.r, 100000) == SOURCE_DATA)
        seen += count_events(&f);
    CHECK_EQ(seen + f.t.t->lost[ORIEL_LOST_OVERWRITTEN], 40000);
    finish(&f);
}

TEST(a_chunk_that_a_dying_reader_was_about_to_free_is_freed_by_the_next)
{
    struct fixture f;
    start(&f, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    reader_commit(&f.r);
    struct wire_chunk *d = wire_region_desc(&f.p.h, f.p.base, f.t.t->chunk - 1);
    reader_close(&f.r);
    rw_close_chunk(&f.t);
    d->taken = wire_taken_for_good(d->seq);
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    CHECK_EQ(d->state, WIRE_CHUNK_FREE);
    CHECK_EQ(f.p.shared->free_chunks, f.p.h.chunk_count);
    finish(&f);
}

TEST(an_end_names_its_span_across_a_carry_of_the_low_half)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    f.p.salt = UINT64_C(0x77ffffffb0); /* SYNC takes 64 bytes, BEGIN 16 */
    uint64_t id = rw_begin(&f.t, SPAN);
    CHECK_EQ((uint32_t)id, 0xfffffff0u);
    rw_end(&f.t, id);
    const struct model_record *end = only(&f, ORIEL_REC_END);
    CHECK_EQ(end->raw_id, id);
    finish(&f);
}

/* Else what stands beside it would have to wait for the first record. */
TEST(a_ring_that_nobody_has_written_to_makes_its_promises)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const uint64_t before = clock_unix_ns();
    usleep(5000); /* longer than a record may take to be seen */
    CHECK_EQ(reader_poll(&f.r, 100), SOURCE_IDLE);
    CHECK(f.r.batch.watermark_ns >= before && f.r.batch.watermark_ns <= clock_unix_ns());
    rw_event(&f.t, EVENT, 1);
    const uint64_t promised = f.r.batch.watermark_ns;
    CHECK(only(&f, ORIEL_REC_EVENT)->t_ns >= promised);
    finish(&f);
}

/* A record whose time was read before the poll may be committed after it. */
TEST(the_watermark_waits_for_a_thread_that_was_just_busy)
{
    struct fixture f;
    bool tried = false;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 0);
    only(&f, ORIEL_REC_EVENT);
    for (int i = 0; i < 200 && !tried; i++) {
        uint64_t before = clock_mono_ns();
        rw_event(&f.t, EVENT, 1);
        while (clock_mono_ns() - before < 2 * RING_SLACK_NS)
            ;
        uint64_t t = only(&f, ORIEL_REC_EVENT)->t_ns;
        tried = clock_mono_ns() - before < RING_HOLD_NS - RING_SLACK_NS;
        if (tried)
            CHECK(f.r.batch.watermark_ns <= t);
    }
    if (!tried)
        test_skip("the machine is too busy to tell");
    finish(&f);
}

/* Readings of the clocks that come in between tell all times a little earlier. */
static void read_one_chunk_at_a_time(bool refined)
{
    struct fixture f;
    struct rw_thread other;
    uint64_t promised = 0, late = 0, records = 0;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_thread_start(&other, &f.p, 0));
    for (int i = 0; i < 3000; i++)
        REQUIRE(rw_event(&f.t, EVENT, 0));
    rw_event(&other, EVENT, 0);
    /* Long ago: neither thread counts as busy any more. */
    uint64_t began = clock_mono_ns();
    while (clock_mono_ns() - began < RING_HOLD_NS + 2 * RING_SLACK_NS)
        ;
    while (records < 3000) {
        REQUIRE(reader_wait(&f.r, 1) == SOURCE_DATA);
        for (size_t i = 0; i < f.r.batch.record_count; i++)
            late += f.r.batch.records[i].t_ns < promised;
        records += f.r.batch.record_count;
        promised = f.r.batch.watermark_ns;
        struct clock_map *map = &inside(&f)->clocks[f.p.h.clock].map;
        map->now.base_ns -= refined ? 50 : 0;
        map->before.base_ns -= refined ? 50 : 0;
    }
    CHECK_EQ(late, 0);
    finish(&f);
}

TEST(the_watermark_stays_behind_what_did_not_fit_the_batch)
{
    read_one_chunk_at_a_time(false);
}

TEST(a_watermark_holds_though_the_clocks_were_read_again)
{
    read_one_chunk_at_a_time(true);
}

/* ---- tables that lie ---- */

TEST(a_chunk_of_nobody_is_skipped_and_given_back)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    struct wire_chunk *d = wire_region_desc(&f.p.h, f.p.base, 9);
    *d = (struct wire_chunk){.state = WIRE_CHUNK_FULL,
                             .thread = 9999,
                             .serial = 77,
                             .process = 60,
                             .bytes = 640,
                             .seq = f.p.shared->chunk_seq++};
    f.p.shared->free_chunks--;
    only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(reader_damage(&f.r).bytes_skipped, 640);
    reader_commit(&f.r);
    CHECK_EQ(d->state, WIRE_CHUNK_FREE);
    stop(&f);
}

TEST(a_chunk_whose_thread_slot_has_moved_on_is_read_under_its_own_serial)
{
    struct fixture f;
    struct rw_thread t;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(rw_thread_start(&t, &f.p, 0));
    rw_event(&t, EVENT, 5);
    uint32_t serial = t.t->serial;
    rw_thread_exit(&t);
    /* As if an earlier reader had freed the slot and it was taken again. */
    t.t->serial = __atomic_add_fetch(&f.p.shared->thread_serial, 1, __ATOMIC_ACQ_REL);
    t.t->state = ORIEL_THREAD_LIVE;
    const struct model_record *r = only(&f, ORIEL_REC_EVENT);
    CHECK_EQ(r->stream, serial);
    CHECK_EQ(r->thread->serial, serial);
    for (int i = 0; i < 3; i++) { /* safe, then told, then gone */
        reader_commit(&f.r);
        reader_poll(&f.r, 10);
    }
    CHECK_EQ(inside(&f)->orphans, 0);
    finish(&f);
}

TEST(one_serial_in_two_slots_is_one_thread)
{
    struct fixture f;
    struct rw_thread t;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    only(&f, ORIEL_REC_EVENT);
    REQUIRE(rw_thread_start(&t, &f.p, 0));
    t.t->serial = t.t->primary = f.t.t->serial;
    f.p.shared->thread_serial++;
    rw_event(&f.t, EVENT, 2);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 2);
    CHECK_EQ(inside(&f)->streams.count, 1);
    finish(&f);
}

TEST(an_impossible_length_costs_the_chunk)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    struct wire_chunk *d = wire_region_desc(&f.p.h, f.p.base, f.t.t->chunk - 1);
    rw_close_chunk(&f.t);
    d->bytes = WIRE_CHUNK_BYTES + 8;
    rw_event(&f.t, EVENT, 2);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 2);
    CHECK_EQ(reader_damage(&f.r).bytes_skipped, WIRE_CHUNK_BYTES);
    reader_commit(&f.r);
    reader_poll(&f.r, 10);
    CHECK_EQ(d->state, WIRE_CHUNK_FREE);
    stop(&f);
}

TEST(beyond_the_limit_threads_share_an_entry_and_processes_are_not_read)
{
    struct fixture f;
    struct rw_process p;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    inside(&f)->threads_known_max = 2;
    inside(&f)->processes_known_max = 1;
    uint64_t seen = 0;
    for (uint64_t i = 0; i < 6; i++) {
        struct rw_thread t;
        REQUIRE(rw_thread_start(&t, &f.p, 0));
        rw_event(&t, EVENT, i);
        seen += only(&f, ORIEL_REC_EVENT)->raw[2] == i;
        reader_commit(&f.r);
    }
    CHECK_EQ(seen, 6);
    CHECK_EQ(f.r.catalog.thread_count, 3);
    REQUIRE(rw_attach_child(&p, &f.p));
    reader_poll(&f.r, 10);
    CHECK_EQ(f.r.catalog.process_count, 1);
    finish(&f);
}

TEST(a_thread_that_renames_itself_for_ever_keeps_an_early_name)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t w[4] = {ORIEL_RECORD_HEADER(4, ORIEL_REC_THREAD, 0, 0), 0, 8 | UINT64_C(8) << 32};
        w[3] = 0x4141414141414141u + (i << 32);
        rw_emit(&f.t, w, 4);
    }
    size_t before = mem_live_bytes();
    only(&f, ORIEL_REC_THREAD);
    CHECK(mem_live_bytes() < before + 300000);
    CHECK(f.r.catalog.threads[0]->name.n == 8);
    finish(&f);
}

TEST_MAIN()
