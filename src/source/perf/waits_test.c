/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waits made of records written by hand: what is told one by one, what is
 * counted together, and that nothing is lost or invented on the way.
 */
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/perf/source.h"
#include "test.h"

enum { THREADS = 3, PID_AT = 8, STATE_AT = 16, SLEEP_NS = 1100000 };

struct box {
    struct perf_source source;
    struct model_catalog catalog;
    struct model_batch batch;
    struct perf_thread *threads[THREADS]; /* tid 71, 72, 73 of process 70 */
    uint8_t raw[24];
    uint64_t chain[2], now;
};

static void box_begin(struct box *b)
{
    memset(b, 0, sizeof *b);
    model_catalog_init(&b->catalog);
    model_batch_init(&b->batch, &b->catalog);
    b->source.catalog = &b->catalog;
    b->source.events.ability.off_cpu = b->source.events.ability.off_cpu_stack = true;
    b->source.events.fields =
        (struct perf_fields){.switch_state = {STATE_AT, 8}, .wake_pid = {PID_AT, 4}};
    spaces_init(&b->source.spaces, &b->catalog);
    REQUIRE(model_catalog_add_process(&b->catalog, 70, MODEL_STR("/bin/app"), MODEL_STR("app")));
    for (int i = 0; i < THREADS; i++) {
        struct perf_thread *t = b->threads[i] = mem_calloc(1, sizeof *t);
        REQUIRE(t);
        t->pid = 70;
        t->tid = 71 + i;
        t->serial = (uint32_t)i + 1;
        t->thread = model_catalog_add_thread(&b->catalog, 0, t->tid, t->serial);
        REQUIRE(map_put(&b->source.threads, (uint32_t)t->tid, (uintptr_t)t));
    }
    b->now = 1000;
}

static void box_end(struct box *b)
{
    for (int i = 0; i < THREADS; i++) {
        mem_free(b->threads[i]->window);
        mem_free(b->threads[i]);
    }
    map_done(&b->source.threads);
    map_done(&b->source.strangers);
    spaces_done(&b->source.spaces);
    model_batch_done(&b->batch);
    model_catalog_done(&b->catalog);
}

/* A record of thread `t` at `place` (an address in the kernel), now. */
static struct perf_record record(struct box *b, int t, uint64_t place, uint64_t period)
{
    b->chain[0] = (uint64_t)PERF_CONTEXT_KERNEL;
    b->chain[1] = 0xffffffff81000000u + place;
    return (struct perf_record){.type = PERF_RECORD_SAMPLE,
                                .pid = 70,
                                .tid = 71 + t,
                                .time_ns = b->now,
                                .cpu = 3,
                                .u.sample = {.period = period,
                                             .chain = b->chain,
                                             .chain_count = 2,
                                             .raw = b->raw,
                                             .raw_bytes = sizeof b->raw}};
}

static void shown(struct box *b, int t, uint64_t place, uint64_t period)
{
    struct perf_record r = record(b, t, place, period);
    waits_shown(&b->source, b->threads[t], &r);
}

static void out(struct box *b, int t, bool preempted)
{
    struct perf_record r = {.type = PERF_RECORD_SWITCH, .time_ns = b->now, .cpu = 1};
    r.u.sw.out = true;
    r.u.sw.preempted = preempted;
    waits_out(b->threads[t], &r);
}

static void in(struct box *b, int t)
{
    struct perf_record r = {.type = PERF_RECORD_SWITCH, .time_ns = b->now, .cpu = 2};
    waits_in(&b->source, &b->batch, b->threads[t], &r);
}

static void wake(struct box *b, int by, int t, uint64_t place)
{
    int32_t tid = 71 + t;
    memcpy(b->raw + PID_AT, &tid, sizeof tid);
    struct perf_record r = record(b, by, place, 1);
    waits_woken(&b->source, &b->batch, &r);
}

/* The i-th sample that was made. */
static struct perf_sample sample(const struct box *b, size_t i, const struct model_thread **thread)
{
    REQUIRE(i < b->batch.record_count);
    const struct model_record *r = &b->batch.records[i];
    if (thread)
        *thread = r->thread;
    return (struct perf_sample){.time_ns = r->t_ns,
                                .weight = r->raw[3],
                                .count = r->raw[4],
                                .extra = r->raw[5],
                                .stack = (uint32_t)r->raw[2],
                                .kind = r->flags};
}

static uint64_t sum(const struct box *b, uint8_t kind, uint64_t *out_count)
{
    uint64_t weight = 0, count = 0;
    for (size_t i = 0; i < b->batch.record_count; i++) {
        struct perf_sample s = sample(b, i, NULL);
        weight += s.kind == kind ? s.weight : 0;
        count += s.kind == kind ? s.count : 0;
    }
    if (out_count)
        *out_count = count;
    return weight;
}

TEST(a_wait_that_was_seen_is_a_sample_with_its_place_and_its_cpus)
{
    struct box b;
    const struct model_thread *t;
    box_begin(&b);
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 5000;
    in(&b, 0);
    CHECK_EQ(b.batch.record_count, 1);
    struct perf_sample s = sample(&b, 0, &t);
    CHECK_EQ(s.kind, ORIEL_SAMPLE_OFF_CPU);
    CHECK_EQ(s.weight, 5000);
    CHECK_EQ(s.count, 1);
    CHECK(s.stack != 0);
    CHECK_EQ(t->tid, 71);
    CHECK_EQ(ORIEL_WAIT_CPU_OFF(s.extra), 2); /* number + 1 */
    CHECK_EQ(ORIEL_WAIT_CPU_ON(s.extra), 3);
    CHECK(!(s.extra & (ORIEL_WAIT_WOKEN | ORIEL_WAIT_SHARED | ORIEL_WAIT_DISK)));
    box_end(&b);
}

TEST(a_wait_for_a_disk_says_so)
{
    struct box b;
    box_begin(&b);
    b.raw[STATE_AT] = 2;
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 5000;
    in(&b, 0);
    CHECK(sample(&b, 0, NULL).extra & ORIEL_WAIT_DISK);
    box_end(&b);
}

TEST(time_until_woken_is_waiting_and_from_then_on_readiness)
{
    struct box b;
    const struct model_thread *t;
    box_begin(&b);
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 5000;
    wake(&b, 1, 0, 0x20);
    b.now += 700;
    in(&b, 0);
    CHECK_EQ(b.batch.record_count, 3);
    struct perf_sample woke = sample(&b, 0, &t);
    CHECK_EQ(woke.kind, ORIEL_SAMPLE_WAKE);
    CHECK_EQ(woke.weight, 5000);
    CHECK_EQ(ORIEL_WAKE_TID(woke.extra), 71);
    CHECK_EQ(t->tid, 72); /* who did it */
    CHECK(woke.stack != 0);
    CHECK_EQ(sample(&b, 1, &t).kind, ORIEL_SAMPLE_OFF_CPU);
    CHECK_EQ(sample(&b, 1, &t).weight, 5000);
    CHECK(sample(&b, 1, &t).extra & ORIEL_WAIT_WOKEN);
    CHECK_EQ(t->tid, 71);
    CHECK_EQ(sample(&b, 2, NULL).kind, ORIEL_SAMPLE_PREEMPTED);
    CHECK_EQ(sample(&b, 2, NULL).weight, 700);
    CHECK(woke.stack != sample(&b, 1, NULL).stack);
    box_end(&b);
}

TEST(a_second_wake_up_of_the_same_wait_changes_nothing)
{
    struct box b;
    box_begin(&b);
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 5000;
    wake(&b, 1, 0, 0x20);
    b.now += 5;
    wake(&b, 2, 0, 0x30);
    in(&b, 0);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_WAKE, NULL), 5000);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, NULL), 5000);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_PREEMPTED, NULL), 5);
    box_end(&b);
}

TEST(a_timer_and_another_program_are_told_from_threads_of_the_program)
{
    struct box b;
    const struct model_thread *t;
    box_begin(&b);
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 10;
    int32_t tid = 71;
    memcpy(b.raw + PID_AT, &tid, sizeof tid);
    struct perf_record r = record(&b, 0, 0x20, 1);
    r.pid = r.tid = 0; /* while nobody ran */
    waits_woken(&b.source, &b.batch, &r);
    struct perf_sample s = sample(&b, 0, &t);
    CHECK(s.extra & ORIEL_WAKE_INTERRUPT);
    CHECK_EQ(s.stack, 0);
    CHECK_EQ(t->tid, 71); /* of who waited: nobody did it */
    in(&b, 0);
    b.now += 10;
    shown(&b, 0, 0x10, 1);
    out(&b, 0, false);
    b.now += 10;
    r = record(&b, 0, 0x20, 1);
    r.pid = r.tid = 0x7ffffff0;
    waits_woken(&b.source, &b.batch, &r);
    s = sample(&b, b.batch.record_count - 1, &t);
    CHECK_EQ(s.kind, ORIEL_SAMPLE_WAKE);
    CHECK(s.extra & ORIEL_WAKE_OUTSIDE);
    CHECK(s.stack != 0);
    box_end(&b);
}

TEST(a_thread_that_was_pushed_off_did_not_wait)
{
    struct box b;
    box_begin(&b);
    shown(&b, 0, 0x10, 1);
    out(&b, 0, true);
    b.now += 300;
    in(&b, 0);
    CHECK_EQ(b.batch.record_count, 1);
    CHECK_EQ(sample(&b, 0, NULL).kind, ORIEL_SAMPLE_PREEMPTED);
    CHECK_EQ(sample(&b, 0, NULL).weight, 300);
    box_end(&b);
}

TEST(a_wake_up_of_somebody_who_runs_says_nothing)
{
    struct box b;
    box_begin(&b);
    wake(&b, 1, 0, 0x20);
    CHECK_EQ(b.batch.record_count, 0);
    box_end(&b);
}

TEST(what_was_seen_from_outside_counts_only_for_the_wait_it_was_seen_in)
{
    struct box b;
    box_begin(&b);
    for (int late = 0; late < 2; late++) {
        out(&b, 0, false);
        b.threads[0]->wait.stack = spaces_stack_named(&b.source.spaces, "[seen]");
        b.threads[0]->wait.look_ns = b.now + 5000;
        b.now += late ? 4000 : 6000; /* it went on before we looked */
        in(&b, 0);
    }
    waits_end(&b.source, &b.batch, b.threads[0], b.now);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, NULL), 10000);
    for (size_t i = 0; i < b.batch.record_count; i++) {
        struct perf_sample s = sample(&b, i, NULL);
        CHECK_EQ(s.stack != 0, s.weight == 6000);
    }
    box_end(&b);
}

/* Many waits, of which few are shown: every time is told, and no other. */
TEST(what_is_counted_together_sums_to_the_nanosecond)
{
    struct box b;
    uint64_t off = 0, waits = 0, taken = 0, pushes = 0, by_place[3] = {0}, count;
    box_begin(&b);
    srand(7);
    for (int i = 0; i < 20000; i++) {
        bool push = rand() % 4 == 0, one = rand() % 50 == 0;
        uint64_t place = (uint64_t)(rand() % 2), ns = place ? 9000 : 1000;
        if (one)
            shown(&b, 0, 0x10 * (place + 1), 50);
        out(&b, 0, push);
        b.now += ns;
        if (!push && rand() % 3 == 0)
            wake(&b, 1, 0, 0x90);
        b.now += (uint64_t)(rand() % 100);
        uint64_t left = b.threads[0]->wait.left_ns;
        in(&b, 0);
        *(push ? &taken : &off) += b.now - left;
        (*(push ? &pushes : &waits))++;
        b.now += 10;
    }
    waits_end(&b.source, &b.batch, b.threads[0], b.now);
    CHECK(b.threads[0]->window == NULL);
    uint64_t ready = 0, wait = sum(&b, ORIEL_SAMPLE_OFF_CPU, &count);
    CHECK_EQ(count, waits);
    ready = sum(&b, ORIEL_SAMPLE_PREEMPTED, &count);
    CHECK_EQ(wait + ready, off + taken);
    CHECK_EQ(count, pushes);
    CHECK(ready >= taken);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_WAKE, NULL), wait);
    CHECK(b.batch.record_count < 20000 / 5);
    /* Nine tenths of the time passed in the second place. */
    for (size_t i = 0; i < b.batch.record_count; i++) {
        struct perf_sample s = sample(&b, i, NULL);
        CHECK(s.extra & ORIEL_WAIT_SHARED);
        const struct model_stack *node = model_stack(&b.catalog.stacks, s.stack);
        uint64_t address = node ? model_stack_place(&b.catalog.stacks, node)->address : 0;
        if (s.kind == ORIEL_SAMPLE_OFF_CPU)
            by_place[(address & 0xff) / 0x10] += s.weight;
    }
    CHECK_EQ(by_place[0], 0);
    CHECK(by_place[2] * 10 > wait * 8);
    CHECK(by_place[1] * 100 > wait * 4);
    box_end(&b);
}

/* The kernel shows two waits of a thousand, none in most whiles. */
TEST(waits_of_which_none_was_shown_in_their_while_were_where_it_was_seen_last)
{
    struct box b;
    uint64_t unknown = 0, off = 0;
    box_begin(&b);
    for (int i = 0; i < 1000; i++) {
        if (i % 500 == 0)
            shown(&b, 0, 0x10, 500);
        out(&b, 0, false);
        b.now += SLEEP_NS;
        off += SLEEP_NS;
        in(&b, 0);
        b.now += 10;
    }
    for (int i = 0; i < 2000; i++) { /* what was seen that long ago says nothing */
        out(&b, 0, false);
        b.now += SLEEP_NS;
        in(&b, 0);
    }
    waits_end(&b.source, &b.batch, b.threads[0], b.now);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, NULL), off + UINT64_C(2000) * SLEEP_NS);
    for (size_t i = 0; i < b.batch.record_count; i++) {
        struct perf_sample s = sample(&b, i, NULL);
        unknown += s.stack == 0 ? s.weight : 0;
        CHECK(s.stack || s.time_ns > off);
    }
    CHECK(unknown > UINT64_C(800) * SLEEP_NS && unknown < UINT64_C(2000) * SLEEP_NS);
    box_end(&b);
}

/* Long ones among many short ones: what a while holds fits in what the long ones leave of it. */
TEST(a_while_is_long_enough_for_what_it_holds_beside_waits_that_are_told_by_themselves)
{
    struct box b;
    uint64_t off = 0, last = 0, held = 0, alone = 0, from = 0;
    unsigned whiles = 0;
    box_begin(&b);
    srand(11);
    for (int i = 0; i < 5000; i++) {
        bool one = rand() % 50 == 0;
        if (one || i == 0)
            shown(&b, 0, 0x10, 50);
        out(&b, 0, false);
        b.now += one ? 2000000 : 3000;
        off += b.now - b.threads[0]->wait.left_ns;
        in(&b, 0);
        b.now += 10;
    }
    waits_end(&b.source, &b.batch, b.threads[0], b.now);
    CHECK_EQ(sum(&b, ORIEL_SAMPLE_OFF_CPU, NULL), off);
    for (size_t i = 0; i < b.batch.record_count; i++) {
        struct perf_sample s = sample(&b, i, NULL);
        CHECK(s.time_ns >= last);
        last = s.time_ns;
        if (!(s.extra & ORIEL_WAIT_SHARED)) {
            alone += s.weight;
            continue;
        }
        uint64_t us = ORIEL_WAIT_SHARED_US(s.extra);
        CHECK(us > 0 && s.time_ns + 1000 >= us * 1000 + from);
        held = s.weight; /* one place: one share */
        CHECK(held + alone <= us * 1000 || whiles == 0);
        from = s.time_ns;
        alone = 0;
        whiles++;
    }
    CHECK(whiles > 1);
    box_end(&b);
}

TEST_MAIN()
