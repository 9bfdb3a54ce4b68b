/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The live source against real concurrency: threads that never stop, writers
 * killed anywhere, and a neighbour that scribbles over the ring. What counts is
 * arithmetic: every committed record is delivered once, and losses are told.
 */
#include "source/ring/ring.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "ring_reader.h"
#include "random.h"
#include "ring_writer.h"

enum { SPAN = 2, EVENT = 3, TEXT = 4, THREADS = 4 };

static void describe(struct rw_process *p)
{
    REQUIRE(rw_site(p, SPAN, ORIEL_SITE_SPAN, "work", ""));
    REQUIRE(rw_site(p, EVENT, ORIEL_SITE_EVENT, "tick", "u"));
    REQUIRE(rw_site(p, TEXT, ORIEL_SITE_EVENT, "said", "su"));
}

/* Events are numbered per stream; the numbers that arrive must follow. */
struct ledger {
    uint64_t next[1 << 14]; /* by serial: number expected next */
    uint64_t events, all, gaps, backwards, misplaced;
    uint64_t last_ns[1 << 14], last_position[1 << 14];
};

static void enter(struct ledger *l, const struct model_batch *b)
{
    for (size_t i = 0; i < b->record_count; i++) {
        const struct model_record *r = &b->records[i];
        uint32_t s = r->stream & ((1 << 14) - 1);
        l->backwards += r->t_ns < l->last_ns[s];
        l->misplaced += r->position <= l->last_position[s] && l->last_position[s];
        l->last_ns[s] = r->t_ns;
        l->last_position[s] = r->position;
        l->all += r->type != ORIEL_REC_SYNC;
        if (r->type != ORIEL_REC_EVENT)
            continue;
        uint64_t number = r->raw[r->words - 1];
        l->events++;
        l->gaps += number != l->next[s];
        l->next[s] = number + 1;
    }
}

/* Polls and commits until nothing comes any more; SOURCE_END or SOURCE_IDLE. */
static int drain(struct reader *r, struct ledger *l)
{
    int result;
    while ((result = reader_poll(r, 4096)) == SOURCE_DATA) {
        enter(l, &r->batch);
        reader_commit(r);
    }
    if (result < 0)
        test_fail(__FILE__, __LINE__, "%s", r->err.text);
    reader_commit(r);
    return result;
}

/* ---- threads against the reader ---- */

struct worker {
    struct rw_process *p;
    struct rw_thread t;
    uint64_t count; /* events to write */
    bool lossless;  /* try again instead of losing one */
    uint32_t *done;
    pthread_t thread;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    REQUIRE(rw_thread_start(&w->t, w->p, 0));
    uint64_t number = 0, span = 0;
    while (number < w->count) {
        if (number % 7 == 0)
            span = rw_begin(&w->t, SPAN);
        uint64_t said[6] = {ORIEL_RECORD_HEADER(5, ORIEL_REC_EVENT, 0, TEXT), 0,
                            8 | UINT64_C(8) << 32, number * 0x0101010101010101u, number};
        if (number % 3 == 0 ? rw_emit(&w->t, said, 5) : rw_event(&w->t, EVENT, number))
            number++;
        else if (!w->lossless)
            w->count--;
        if (number % 7 == 6 && span)
            span = rw_end(&w->t, span) * 0;
    }
    rw_thread_exit(&w->t);
    __atomic_fetch_add(w->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void race(uint32_t policy, bool lossless, uint64_t each, uint64_t ring_bytes)
{
    struct region *region = reader_region(ring_bytes, 16, policy);
    struct rw_process p;
    struct reader r;
    struct worker workers[THREADS];
    struct ledger *l = calloc(1, sizeof *l);
    uint64_t emitted = 0, lost = 0, told = 0, overwritten = 0, records = 0;
    uint32_t done = 0;
    REQUIRE(rw_attach_path(&p, region_path(region)));
    describe(&p);
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.p = &p, .count = each, .lossless = lossless, .done = &done};
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < THREADS)
        drain(&r, l);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        emitted += workers[i].t.emitted;
        lost += workers[i].t.lost;
        records += workers[i].count;
    }
    region_end(region);
    CHECK_EQ(drain(&r, l), SOURCE_END);
    for (uint32_t i = 0; i < r.catalog.thread_count; i++) {
        told += r.catalog.threads[i]->lost[ORIEL_LOST_RING_FULL];
        overwritten += r.catalog.threads[i]->lost[ORIEL_LOST_OVERWRITTEN];
    }
    CHECK_EQ(l->all + overwritten, emitted);
    CHECK_EQ(l->backwards, 0);
    CHECK_EQ(l->misplaced, 0);
    CHECK_EQ(told, lost);
    CHECK_EQ(reader_damage(&r).records, 0);
    if (policy == WIRE_POLICY_DROP_NEWEST) {
        CHECK_EQ(l->gaps, 0);
        CHECK_EQ(l->events, records);
    } else {
        CHECK(overwritten > 0);
    }
    CHECK_EQ(p.shared->free_chunks, p.h.chunk_count);
    reader_close(&r);
    rw_detach(&p);
    region_free(region);
    free(l);
}

TEST(four_threads_lose_nothing_when_they_wait_for_room)
{
    race(WIRE_POLICY_DROP_NEWEST, true, 200000, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES);
}

TEST(four_threads_in_a_small_ring_lose_what_they_count)
{
    race(WIRE_POLICY_DROP_NEWEST, false, 300000, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES);
}

TEST(four_threads_that_overwrite_lose_exactly_what_they_count)
{
    race(WIRE_POLICY_OVERWRITE_OLDEST, false, 300000, WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES);
}

/* ---- many short threads ---- */

struct churn {
    struct rw_process *p;
    uint64_t started, emitted;
    uint64_t *done;
};

static void *churn(void *arg)
{
    struct churn *c = arg;
    while (c->started < 2500) {
        struct rw_thread t;
        if (!rw_thread_start(&t, c->p, 0))
            continue;
        c->started++;
        for (uint64_t n = 0; n < 4;)
            n += rw_event(&t, EVENT, n) != 0;
        c->emitted += 4;
        rw_thread_exit(&t);
    }
    __atomic_fetch_add(c->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

TEST(ten_thousand_short_threads_all_arrive)
{
    struct region *region = reader_region(0, 8, WIRE_POLICY_DROP_NEWEST);
    struct rw_process p;
    struct reader r;
    struct ledger *l = calloc(1, sizeof *l);
    uint64_t done = 0;
    pthread_t threads[THREADS];
    struct churn jobs[THREADS];
    REQUIRE(rw_attach_path(&p, region_path(region)));
    describe(&p);
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct churn){.p = &p, .done = &done};
        REQUIRE(pthread_create(&threads[i], NULL, churn, &jobs[i]) == 0);
    }
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < THREADS)
        drain(&r, l);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    region_end(region);
    CHECK_EQ(drain(&r, l), SOURCE_END);
    CHECK_EQ(l->events, 4 * 10000);
    CHECK_EQ(l->gaps, 0);
    CHECK_EQ(r.catalog.thread_count, 10000);
    reader_close(&r);
    rw_detach(&p);
    region_free(region);
    free(l);
}

/* ---- killed writers ---- */

/* Shared with the child: what it had certainly committed. */
struct tally {
    uint64_t committed[THREADS];
    uint32_t serial[THREADS];
    uint32_t ready;
};

struct victim {
    struct rw_process *p;
    struct tally *tally;
    int index;
};

static void *write_for_ever(void *arg)
{
    struct victim *v = arg;
    struct rw_thread t;
    while (!rw_thread_start(&t, v->p, 0))
        ;
    v->tally->serial[v->index] = t.t->serial;
    __atomic_fetch_add(&v->tally->ready, 1, __ATOMIC_RELEASE);
    for (uint64_t n = 0;;)
        if (rw_event(&t, EVENT, n))
            __atomic_store_n(&v->tally->committed[v->index], ++n, __ATOMIC_RELEASE);
    return NULL;
}

static void victim(const char *path, struct tally *tally)
{
    static struct rw_process p;
    static struct victim victims[THREADS];
    pthread_t thread;
    if (!rw_attach_path(&p, path))
        _exit(1);
    describe(&p);
    for (int i = 0; i < THREADS; i++) {
        victims[i] = (struct victim){&p, tally, i};
        if (pthread_create(&thread, NULL, write_for_ever, &victims[i]) != 0)
            _exit(1);
    }
    for (;;)
        pause();
}

/* One life: start, let it write while we read, kill, see what is left. */
static void kill_one(struct region *region, struct reader *r, struct ledger *l, struct tally *tally,
                     uint64_t wait_ns)
{
    memset(tally, 0, sizeof *tally);
    pid_t pid = fork();
    if (pid == 0)
        victim(region_path(region), tally);
    while (__atomic_load_n(&tally->ready, __ATOMIC_ACQUIRE) < 1)
        drain(r, l);
    for (uint64_t until = clock_mono_ns() + wait_ns; clock_mono_ns() < until;)
        drain(r, l);
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    ((struct ring *)r->state)->next_tick_ns = 0; /* ask now who lives */
    for (int i = 0; i < 4; i++)
        drain(r, l);
    for (int i = 0; i < THREADS; i++) {
        uint64_t got = l->next[tally->serial[i] & ((1 << 14) - 1)];
        /* The record committed last may not be in the tally yet. */
        if (tally->serial[i] && (got < tally->committed[i] || got > tally->committed[i] + 1))
            test_fail(__FILE__, __LINE__, "stream %u: %llu committed, %llu read", tally->serial[i],
                      (unsigned long long)tally->committed[i], (unsigned long long)got);
    }
}

TEST_T(a_hundred_killed_writers_lose_no_committed_record, 120)
{
    test_skip_emulated("/proc/self/stat is made up, so the living look dead");
    struct region *region =
        reader_region(WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, WIRE_POLICY_DROP_NEWEST);
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct ledger *l = calloc(1, sizeof *l);
    struct reader r;
    uint64_t seed = 12345;
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    for (int i = 0; i < 100; i++) {
        kill_one(region, &r, l, tally, random_below(&seed, 2000000));
        test_stop_if_failed();
    }
    CHECK_EQ(l->gaps, 0);
    CHECK_EQ(l->backwards, 0);
    CHECK_EQ(reader_damage(&r).records, 0);
    CHECK(l->events > 10000);
    /* The dead leave no slot and no chunk behind. */
    struct ring *ring = r.state;
    for (int i = 0; i < 5; i++) {
        ring->next_tick_ns = 0;
        drain(&r, l);
    }
    CHECK_EQ(ring->streams.count, 0);
    for (uint32_t i = 0; i < ring->h.chunk_count; i++)
        CHECK_EQ(wire_region_desc(&ring->h, ring->base, i)->state, WIRE_CHUNK_FREE);
    CHECK_EQ((int32_t)ring->shared->free_chunks, ring->h.chunk_count);
    reader_close(&r);
    region_free(region);
    free(l);
}

/* ---- a hostile neighbour ---- */

/* Garbage where it hurts: tables, descriptors, log, record headers. A process
 * of its own, as a foreign writer is; about one word per microsecond, so that
 * sound and broken neighbours meet in every mixture. Until it is killed. */
static void scribble(char *base, const struct wire_region *h)
{
    for (uint64_t seed = 1;;) {
        for (volatile int i = 0; i < 400; i++)
            ;
        const uint64_t x = random_next(&seed), span = x % 8 < 6 ? h->chunk_off : h->size;
        uint64_t at = (x >> 8) % span & ~UINT64_C(7), value = x * 0x9e3779b97f4a7c15u;
        if (at < offsetof(struct wire_region, free_chunks))
            continue; /* the layout is not read again; see region_test */
        switch (x >> 60 & 3) {
        case 0:
            value &= 0xffff;
            break;
        case 1:
            value &= 3;
            break;
        case 2:
            value = *(volatile uint64_t *)(base + (value % h->size & ~UINT64_C(7)));
            break;
        default:
            break;
        }
        *(volatile uint64_t *)(base + at) = value;
    }
}

/* Reads everything a record offers, as an outlet would. */
static uint64_t touch(const struct model_batch *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->record_count; i++) {
        const struct model_record *r = &b->records[i];
        struct model_values it;
        struct model_value v;
        for (uint16_t w = 0; w < r->words; w++)
            sum += r->raw[w];
        model_values_begin(&it, r);
        while (model_values_next(&it, &v))
            if (v.type == ORIEL_TYPE_STR || v.type == ORIEL_TYPE_BYTES)
                for (uint32_t k = 0; k < v.v.str.n; k++)
                    sum += (unsigned char)v.v.str.p[k];
        if (r->site)
            sum += r->site->name.n + r->site->field_count;
        sum += r->thread->name.n + b->catalog->processes[r->thread->process]->exe.n;
    }
    return sum;
}

static void under_fire(uint32_t policy)
{
    struct region *region = reader_region(WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES, 16, policy);
    struct rw_process p;
    struct rw_thread t;
    struct reader r;
    REQUIRE(rw_attach_path(&p, region_path(region)));
    describe(&p);
    REQUIRE(rw_thread_start(&t, &p, 0));
    for (uint64_t i = 0; i < 5000; i++)
        rw_event(&t, EVENT, i);
    char *sound = malloc(p.bytes);
    memcpy(sound, p.base, p.bytes);
    pid_t pid = fork(); /* before the reader, so that it does not hold its lock */
    if (pid == 0)
        scribble(p.base, &p.h);
    memcpy(p.base, sound, sizeof p.h);
    REQUIRE(reader_open(&r, region_path(region)) == 0);
    uint64_t sum = 0, until = clock_mono_ns() + 2000000000;
    size_t live = 0;
    for (int round = 1; clock_mono_ns() < until || !sum; round++) {
        int result = reader_poll(&r, 4096);
        CHECK(result >= 0);
        sum += touch(&r.batch);
        reader_commit(&r);
        /* Something sound to read again, now and then with a fresh look. */
        if (result == SOURCE_END || round % 64 == 0)
            memcpy(p.base, sound, p.bytes);
        if (result == SOURCE_END || round % 4096 == 0) {
            reader_close(&r);
            memcpy(p.base, sound, sizeof p.h);
            REQUIRE(reader_open(&r, region_path(region)) == 0);
        }
        live = mem_live_bytes() > live ? mem_live_bytes() : live;
    }
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    CHECK(sum > 0);
    CHECK(live < 64u << 20);
    free(sound);
    reader_close(&r);
    rw_detach(&p);
    region_free(region);
}

TEST(garbage_in_the_ring_harms_nobody)
{
    under_fire(WIRE_POLICY_DROP_NEWEST);
}

TEST(garbage_in_a_flight_recorder_harms_nobody)
{
    under_fire(WIRE_POLICY_OVERWRITE_OLDEST);
}

TEST_MAIN()
