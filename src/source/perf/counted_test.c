/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waits made of what the kernel's program tells, written by hand: what is told
 * one by one, what is counted together, and that nothing is lost even where
 * records are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/perf/source.h"
#include "test.h"

enum { PID = 70, TID = 71, LATER = 40 /* between the clock and the record */ };

struct box {
    struct perf_source source;
    struct model_catalog catalog;
    struct model_batch batch;
    struct perf_thread *t;
    struct perf_known known; /* as the kernel's program would have it */
    uint64_t chain[2], now;
};

static void box_begin(struct box *b)
{
    memset(b, 0, sizeof *b);
    model_catalog_init(&b->catalog);
    model_batch_init(&b->batch, &b->catalog);
    b->source.catalog = &b->catalog;
    b->source.events.ability.off_cpu = b->source.events.ability.off_cpu_stack = true;
    spaces_init(&b->source.spaces, &b->catalog);
    REQUIRE(model_catalog_add_process(&b->catalog, PID, MODEL_STR("/bin/app"), MODEL_STR("app")));
    b->t = mem_calloc(1, sizeof *b->t);
    REQUIRE(b->t);
    b->t->pid = PID;
    b->t->tid = TID;
    b->t->serial = 1;
    b->t->thread = model_catalog_add_thread(&b->catalog, 0, TID, 1);
    REQUIRE(map_put(&b->source.threads, TID, (uintptr_t)b->t));
    b->known = (struct perf_known){.born_ns = 5, .tid = TID, .pid = PID};
    b->now = 1000;
}

static void box_end(struct box *b)
{
    mem_free(b->t->window);
    mem_free(b->t);
    map_done(&b->source.threads);
    spaces_done(&b->source.spaces);
    model_batch_done(&b->batch);
    model_catalog_done(&b->catalog);
}

static struct perf_record record(struct box *b, uint64_t place)
{
    b->chain[0] = (uint64_t)PERF_CONTEXT_KERNEL;
    b->chain[1] = 0xffffffff81000000u + place;
    b->known.now_ns = b->now;
    return (struct perf_record){.type = PERF_RECORD_SAMPLE,
                                .pid = PID,
                                .tid = TID,
                                .time_ns = b->now + LATER,
                                .cpu = 2,
                                .u.sample = {.period = 1,
                                             .chain = b->chain,
                                             .chain_count = place ? 2 : 0,
                                             .raw = (const uint8_t *)&b->known,
                                             .raw_bytes = PERF_KNOWN_TOLD}};
}

static void leave(struct box *b, uint32_t flags)
{
    b->known.left_ns = b->now;
    b->known.woke_ns = 0;
    b->known.flags = flags | 1u << 16;
    if (flags & PERF_KNOWN_SHOWN) {
        struct perf_record r = record(b, 0x10);
        counted_shown(&b->source, b->t, &r);
    }
}

/* `lost`: the record found no room. */
static void back(struct box *b, bool tell, bool lost)
{
    struct perf_known *k = &b->known;
    const uint64_t total = b->now - k->left_ns, ready = k->woke_ns ? b->now - k->woke_ns : 0;
    if (k->flags & PERF_KNOWN_PREEMPTED) {
        k->taken_ns += total;
        k->taken++;
    } else {
        k->ready_ns += ready;
        k->wait_ns += total - ready;
        k->waits++;
    }
    if (k->begin_ns == 0)
        k->begin_ns = k->left_ns;
    if (tell) {
        struct perf_record r = record(b, 0);
        if (!lost)
            counted_back(&b->source, &b->batch, &r);
        k->begin_ns = 0;
    }
    k->left_ns = 0;
}

/* What is left, as at the end of the thread. */
static void rest(struct box *b)
{
    struct perf_record r = record(b, 0);
    counted_back(&b->source, &b->batch, &r);
    waits_end(&b->source, &b->batch, b->t, b->now);
}

static uint64_t sum(const struct box *b, uint8_t kind, uint64_t *out_count)
{
    uint64_t weight = 0;
    *out_count = 0;
    for (size_t i = 0; i < b->batch.record_count; i++) {
        const struct model_record *r = &b->batch.records[i];
        weight += r->flags == kind ? r->raw[3] : 0;
        *out_count += r->flags == kind ? r->raw[4] : 0;
    }
    return weight;
}

TEST(a_wait_that_was_shown_is_a_sample_with_its_place_its_cpus_and_its_parts)
{
    struct box b;
    box_begin(&b);
    leave(&b, PERF_KNOWN_SHOWN | PERF_KNOWN_DISK);
    b.known.woke_ns = b.now + 5000;
    b.now += 5700;
    back(&b, true, false);
    REQUIRE(b.batch.record_count == 2);
    const uint64_t *wait = b.batch.records[0].raw, *ready = b.batch.records[1].raw;
    CHECK_EQ(b.batch.records[0].flags, ORIEL_SAMPLE_OFF_CPU);
    CHECK(wait[2] != 0);
    CHECK_EQ(wait[3], 5000);
    CHECK_EQ(wait[4], 1);
    CHECK_EQ(ORIEL_WAIT_CPU_OFF(wait[5]), 2); /* number + 1 */
    CHECK_EQ(ORIEL_WAIT_CPU_ON(wait[5]), 3);
    CHECK((wait[5] & ORIEL_WAIT_DISK) && (wait[5] & ORIEL_WAIT_WOKEN));
    CHECK_EQ(b.batch.records[1].flags, ORIEL_SAMPLE_PREEMPTED);
    CHECK_EQ(ready[3], 700);
    rest(&b);
    CHECK_EQ(b.batch.record_count, 2);
    box_end(&b);
}

/* Known only when it left again, long after. */
TEST(a_wait_whose_end_was_not_shown_ends_when_it_was_over)
{
    struct box b;
    box_begin(&b);
    leave(&b, PERF_KNOWN_SHOWN);
    b.known.woke_ns = b.now += 5000;
    b.known.flags |= PERF_KNOWN_UNSEEN;
    b.t->wait.woke_ns = b.now + 3; /* by the record that tells of the wake-up */
    back(&b, true, false);
    REQUIRE(b.batch.record_count == 1);
    CHECK_EQ(b.batch.records[0].t_ns, b.now + 3);
    CHECK_EQ(b.batch.records[0].raw[3], 5000);
    b.source.watermark_ns = b.now + 620; /* what is told now is not older */
    leave(&b, PERF_KNOWN_SHOWN);
    b.now += 600;
    b.known.flags |= PERF_KNOWN_UNSEEN;
    back(&b, true, false);
    rest(&b);
    REQUIRE(b.batch.record_count == 2);
    CHECK_EQ(b.batch.records[1].t_ns, b.now + 20);
    CHECK_EQ(b.batch.records[1].raw[3], 600);
    box_end(&b);
}

TEST(a_thread_that_was_pushed_off_did_not_wait)
{
    struct box b;
    uint64_t count;
    box_begin(&b);
    leave(&b, PERF_KNOWN_SHOWN | PERF_KNOWN_PREEMPTED);
    b.now += 300;
    back(&b, true, false);
    rest(&b);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_PREEMPTED, &count), 300);
    CHECK_EQ(count, 1);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, &count), 0);
    CHECK_EQ(count, 0);
    box_end(&b);
}

/* Few are shown, some records are lost: every time is told, and no other. */
TEST(sums_are_whole_to_the_nanosecond_whichever_records_are_lost)
{
    struct box b;
    uint64_t waited = 0, taken = 0, waits = 0, pushes = 0, count;
    box_begin(&b);
    srand(3);
    for (int i = 0; i < 20000; i++) {
        const bool push = rand() % 4 == 0, one = rand() % 50 == 0, lasts = rand() % 200 == 0;
        leave(&b,
              (push ? PERF_KNOWN_PREEMPTED : 0u) | (one ? PERF_KNOWN_SHOWN | PERF_KNOWN_MANY : 0u));
        b.now += lasts ? 1500000 : 1000;
        if (!push && rand() % 3)
            b.known.woke_ns = b.now;
        b.now += (uint64_t)(rand() % 500);
        *(push ? &taken : &waited) += b.now - b.known.left_ns;
        (*(push ? &pushes : &waits))++;
        back(&b, one || lasts, rand() % 5 == 0);
        b.now += 10;
    }
    rest(&b);
    CHECK(b.t->window == NULL);
    const uint64_t wait = sum(&b, ORIEL_SAMPLE_OFF_CPU, &count);
    CHECK_EQ(count, waits);
    CHECK_EQ(wait, b.known.wait_ns);
    const uint64_t ready = sum(&b, ORIEL_SAMPLE_PREEMPTED, &count);
    CHECK(count >= pushes); /* what follows a wait that is told by itself is one, too */
    CHECK_EQ(ready, b.known.ready_ns + b.known.taken_ns);
    CHECK_EQ(wait + ready, waited + taken);
    CHECK(b.batch.record_count < 20000 / 5);
    box_end(&b);
}

TEST(a_number_that_is_used_again_begins_with_sums_of_its_own)
{
    struct box b;
    uint64_t count;
    box_begin(&b);
    for (unsigned life = 1; life <= 2; life++) {
        b.known = (struct perf_known){.born_ns = life, .tid = TID, .pid = PID};
        for (unsigned i = 0; i < 3; i++) {
            leave(&b, PERF_KNOWN_SHOWN);
            b.now += 100;
            back(&b, true, false);
            b.now += 100;
        }
    }
    rest(&b);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, &count), 600);
    CHECK_EQ(count, 6);
    box_end(&b);
}

TEST(what_is_told_of_others_or_makes_no_sense_changes_nothing)
{
    struct box b;
    box_begin(&b);
    leave(&b, 0);
    b.now += 100;
    b.known.pid = PID + 1;
    back(&b, true, false);
    b.known.pid = PID;
    struct perf_record r = record(&b, 0);
    r.u.sample.raw_bytes = PERF_KNOWN_TOLD - 1;
    counted_back(&b.source, &b.batch, &r);
    counted_shown(&b.source, b.t, &r);
    CHECK_EQ(b.source.counts.damaged, 1);
    waits_end(&b.source, &b.batch, b.t, b.now);
    CHECK_EQ(b.batch.record_count, 0);
    box_end(&b);
}

TEST_MAIN()
