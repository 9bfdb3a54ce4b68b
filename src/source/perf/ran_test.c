/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Time between samples, and which program a process is, from records written by
 * hand.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "base/mem.h"
#include "source/perf/source.h"
#include "test.h"

enum {
    MS = 1000000,
    PID = 999999999 /* above any the kernel gives: nothing is there to look up */
};

struct box {
    struct perf_source source;
    struct model_catalog catalog;
    struct model_batch batch;
    struct perf_thread thread;
};

static void box_begin(struct box *b)
{
    memset(b, 0, sizeof *b);
    model_catalog_init(&b->catalog);
    model_batch_init(&b->batch, &b->catalog);
    b->source.catalog = &b->catalog;
    spaces_init(&b->source.spaces, &b->catalog);
    struct model_process *p =
        model_catalog_add_process(&b->catalog, PID, MODEL_STR("/bin/sh"), MODEL_STR("sh"));
    REQUIRE(p);
    b->thread.pid = b->thread.tid = PID;
    b->thread.serial = 1;
    b->thread.position = 8; /* something was said of it */
    b->thread.thread = model_catalog_add_thread(&b->catalog, p->index, PID, 1);
    REQUIRE(map_put(&b->source.threads, PID, (uintptr_t)&b->thread));
}

static void box_end(struct box *b)
{
    map_done(&b->source.threads);
    spaces_done(&b->source.spaces);
    model_batch_done(&b->batch);
    model_catalog_done(&b->catalog);
}

/* On its CPU for so long, beginning with `at`. */
static void runs(struct box *b, uint64_t at, uint64_t ns)
{
    ran_in(&b->source, &b->thread, at);
    ran_out(&b->source, &b->thread, at + ns);
}

/* Nanoseconds told at its end; UINT64_MAX: no record. */
static uint64_t told(struct box *b)
{
    model_batch_clear(&b->batch);
    ran_end(&b->source, &b->batch, &b->thread, 1000 * MS);
    REQUIRE(b->batch.record_count <= 1);
    if (b->batch.record_count == 0)
        return UINT64_MAX;
    const struct model_record *r = &b->batch.records[0];
    CHECK_EQ(r->flags, ORIEL_SAMPLE_CPU);
    CHECK_EQ(r->raw[4], 0); /* it is no sample */
    return r->raw[3];
}

TEST(a_thread_that_was_never_sampled_ran_as_long_as_it_ran)
{
    struct box b;
    box_begin(&b);
    runs(&b, 10 * MS, 2 * MS);
    runs(&b, 20 * MS, 3 * MS);
    CHECK_EQ(told(&b), 5 * MS);
    CHECK_EQ(told(&b), UINT64_MAX); /* once */
    box_end(&b);
}

TEST(what_samples_stand_for_is_not_told_again)
{
    struct box b;
    box_begin(&b);
    runs(&b, 10 * MS, 14 * MS);
    ran_sampled(&b.thread, 10 * MS);
    CHECK_EQ(told(&b), 4 * MS);
    runs(&b, 100 * MS, 205 * MS);
    ran_sampled(&b.thread, 200 * MS);
    CHECK_EQ(told(&b), UINT64_MAX); /* a fortieth: the sampling's own grain */
    ran_sampled(&b.thread, 10 * MS);
    CHECK_EQ(told(&b), UINT64_MAX);
    box_end(&b);
}

TEST(the_last_stretch_counts_until_the_end)
{
    struct box b;
    box_begin(&b);
    ran_in(&b.source, &b.thread, 993 * MS);
    CHECK_EQ(told(&b), 7 * MS);
    box_end(&b);
}

TEST(where_records_are_missing_nothing_is_made_up)
{
    struct box b;
    box_begin(&b);
    ran_in(&b.source, &b.thread, 10 * MS);
    b.source.counts.lost = 1; /* perhaps that it left, and that it came back */
    ran_out(&b.source, &b.thread, 90 * MS);
    CHECK_EQ(told(&b), UINT64_MAX);
    runs(&b, 100 * MS, 1 * MS);
    CHECK_EQ(told(&b), 1 * MS);
    box_end(&b);
}

TEST(cycles_are_compared_with_time_only_where_there_are_none)
{
    struct box b;
    box_begin(&b);
    b.source.events.ability.hardware = true;
    runs(&b, 10 * MS, 30 * MS);
    ran_sampled(&b.thread, 10 * MS);
    CHECK_EQ(told(&b), UINT64_MAX);
    runs(&b, 50 * MS, 3 * MS);
    CHECK_EQ(told(&b), 3 * MS);
    box_end(&b);
}

TEST(of_a_cpu_s_timer_nothing_is_left_over)
{
    struct box b;
    box_begin(&b);
    b.source.events.ability.by_cpu = true;
    runs(&b, 10 * MS, 3 * MS);
    CHECK_EQ(told(&b), UINT64_MAX);
    box_end(&b);
}

TEST(whoever_was_there_is_told_once)
{
    struct box b;
    box_begin(&b);
    b.source.events.ability.by_cpu = true;
    b.thread.position = 0;
    CHECK_EQ(told(&b), 0);
    CHECK_EQ(told(&b), UINT64_MAX);
    box_end(&b);
}

TEST(a_child_is_the_program_of_its_parent_until_it_is_another)
{
    struct box b;
    box_begin(&b);
    program_forked(&b.source, PID + 1, PID, 500);
    struct model_process *child = model_catalog_find_process(&b.catalog, PID + 1);
    REQUIRE(child);
    CHECK(model_str_equal(child->name, MODEL_STR("sh")));
    program_forked(&b.source, PID + 1, PID, 400); /* older than what is known */
    CHECK(model_catalog_find_process(&b.catalog, PID + 1) == child);
    program_replaced(&b.source, PID + 1, 600);
    const struct model_process *next = model_catalog_find_process(&b.catalog, PID + 1);
    CHECK(next != child);
    CHECK(model_str_equal(child->name, MODEL_STR("sh")));
    CHECK(model_str_equal(next->name, MODEL_STR(""))); /* gone before anybody could look */
    box_end(&b);
}

TEST(what_is_mapped_first_is_the_program)
{
    struct box b;
    box_begin(&b);
    const struct model_process *p = b.catalog.processes[0];
    struct perf_record r = {.type = PERF_RECORD_MMAP2, .pid = PID, .u.map.path = "[vdso]"};
    b.thread.exe_due = true;
    program_mapped(&b.source, &r);
    CHECK(model_str_equal(p->name, MODEL_STR("sh")));
    r.u.map.path = "/usr/bin/true";
    program_mapped(&b.source, &r);
    CHECK(model_str_equal(p->exe, MODEL_STR("/usr/bin/true")));
    CHECK(model_str_equal(p->name, MODEL_STR("true")));
    CHECK(model_str_equal(p->cmdline, MODEL_STR(""))); /* it was the other's */
    r.u.map.path = "/lib/libc.so.6";
    program_mapped(&b.source, &r);
    CHECK(model_str_equal(p->name, MODEL_STR("true")));
    box_end(&b);
}

TEST_MAIN()
