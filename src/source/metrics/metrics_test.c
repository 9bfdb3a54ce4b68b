/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readings of a made-up /proc, and of this very process through the source.
 */
#include "source/metrics/metrics.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/source.h"
#include "test.h"

/* ---- a made-up /proc ---- */

static void put_file(const char *dir, int pid, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%d", dir, pid);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%d/%s", dir, pid, name);
    FILE *f = fopen(path, "w");
    REQUIRE(f && fputs(text, f) >= 0);
    fclose(f);
}

static void put_stat(const char *dir, int pid, const char *name, char state, int parent)
{
    char text[512];
    snprintf(text, sizeof text,
             "%d (%s) %c %d 0 0 0 0 0 100 20 3 4 50 25 5 10 0 0 6 0 99 1000000 250 0\n", pid, name,
             state, parent);
    put_file(dir, pid, "stat", text);
}

static void put_children(const char *dir, int pid, const char *text)
{
    char name[64], path[512];
    snprintf(path, sizeof path, "%s/%d/task", dir, pid);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%d/task/%d", dir, pid, pid);
    (void)mkdir(path, 0700);
    snprintf(name, sizeof name, "task/%d/children", pid);
    put_file(dir, pid, name, text);
}

static void put_exe(const char *dir, int pid, const char *target)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%d/exe", dir, pid);
    REQUIRE(symlink(target, path) == 0);
}

TEST(a_program_is_its_descendants_and_the_orphans_of_its_recorder)
{
    struct metrics_pids pids = {0};
    const char *dir = test_tmpdir();
    put_stat(dir, 50, "oriel", 'S', 10);
    put_stat(dir, 60, "prog", 'S', 50);
    put_stat(dir, 61, "child", 'S', 60);
    put_stat(dir, 62, "a) R 1 (b", 'S', 61); /* a name that lies */
    put_stat(dir, 70, "orphan", 'S', 50);
    put_stat(dir, 75, "helper", 'S', 50);
    put_stat(dir, 80, "stranger", 'S', 10);
    put_exe(dir, 50, "/bin/oriel");
    put_exe(dir, 60, "/bin/prog");
    put_exe(dir, 70, "/bin/prog");
    put_exe(dir, 75, "/bin/oriel");
    REQUIRE(metrics_find(dir, 60, 50, &pids) == 0);
    CHECK_EQ(pids.items.count, 4);
    for (size_t i = 0; i < pids.items.count; i++)
        CHECK(pids.items.items[i] >= 60 && pids.items.items[i] <= 70);
    REQUIRE(metrics_find(dir, 60, 0, &pids) == 0);
    CHECK_EQ(pids.items.count, 3);
    /* Where the kernel tells children, nobody else is looked at. */
    put_children(dir, 50, "60 75 70 ");
    put_children(dir, 60, "61 ");
    put_children(dir, 61, "62 61 ");
    REQUIRE(metrics_find(dir, 60, 50, &pids) == 0);
    CHECK_EQ(pids.items.count, 4);
    REQUIRE(metrics_find(dir, 60, 0, &pids) == 0);
    CHECK_EQ(pids.items.count, 3);
    VEC_DONE(&pids.items);
}

TEST(what_a_process_uses_is_added_up_and_a_dead_one_has_no_memory)
{
    struct metrics_reading sum = {0};
    const char *dir = test_tmpdir();
    const uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    put_stat(dir, 60, "prog", 'S', 50);
    put_file(dir, 60, "status",
             "Name:\tprog\nVmRSS:\t  9 kB\nRssAnon:\t     400 kB\nVmHWM:\t  3000 kB\n");
    put_file(dir, 60, "io", "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n");
    put_file(dir, 60, "smaps_rollup", "0-1 ---p\nRss: 9 kB\nPss:    70 kB\nPss_Dirty: 1 kB\n");
    put_stat(dir, 61, "zombie", 'Z', 60);
    REQUIRE(metrics_read(dir, 60, true, &sum));
    CHECK_EQ(sum.rss_bytes, 250 * (uint64_t)sysconf(_SC_PAGESIZE));
    CHECK_EQ(sum.pss_bytes, 70 * 1024);
    CHECK_EQ(sum.anonymous_bytes, 400 * 1024);
    CHECK_EQ(sum.peak_rss_bytes, 3000 * 1024);
    CHECK_EQ(sum.virtual_bytes, 1000000);
    CHECK_EQ(sum.threads, 6);
    CHECK_EQ(sum.minor_faults, 120);
    CHECK_EQ(sum.major_faults, 7);
    CHECK_EQ(sum.cpu_ns, 90 * tick);
    CHECK_EQ(sum.read_bytes, 4096);
    CHECK_EQ(sum.written_bytes, 8192);
    REQUIRE(metrics_read(dir, 61, true, &sum));
    CHECK_EQ(sum.processes, 2);
    CHECK_EQ(sum.cpu_ns, 180 * tick);
    CHECK_EQ(sum.threads, 6);
    CHECK(!metrics_read(dir, 62, true, &sum));
}

TEST(files_that_make_no_sense_are_none)
{
    struct metrics_reading sum = {0};
    const char *dir = test_tmpdir();
    static const char *const broken[] = {"", "60", "60 (prog", "60 (prog) S",
                                         "60 (prog)S 50 1 2\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        put_file(dir, 60, "stat", broken[i]);
        CHECK(!metrics_read(dir, 60, true, &sum));
    }
    CHECK_EQ(sum.processes, 0);
}

/* ---- the source ---- */

struct seen {
    unsigned plots, events;
    uint64_t rss, threads, descriptors;
};

static struct seen look(const struct model_batch *b)
{
    struct seen seen = {0};
    for (size_t i = 0; i < b->record_count; i++) {
        struct model_values it;
        struct model_value v;
        const struct model_record *r = &b->records[i];
        CHECK(r->site->flags & ORIEL_SITE_SYSTEM);
        CHECK_EQ(model_record_origin(r), MODEL_SEEN);
        seen.plots += r->type == ORIEL_REC_PLOT;
        seen.events += r->type == ORIEL_REC_EVENT;
        model_values_begin(&it, r);
        while (r->type == ORIEL_REC_EVENT && model_values_next(&it, &v)) {
            if (model_str_equal(v.key, MODEL_STR("rss_bytes")))
                seen.rss = v.v.u64;
            else if (model_str_equal(v.key, MODEL_STR("thread_count")))
                seen.threads = v.v.u64;
            else if (model_str_equal(v.key, MODEL_STR("fd_count")))
                seen.descriptors = v.v.u64;
        }
    }
    return seen;
}

TEST(a_running_program_is_read_at_once_and_once_more_at_its_end)
{
    struct model_catalog c;
    struct model_batch b;
    static _Alignas(64) char state[4096];
    const struct metrics_end end = {.known = true, .cpu_ns = UINT64_C(3600000000000)};
    const struct metrics_options o = {
        .pid = getpid(), .running = true, .interval_ns = 1, .end = &end};
    test_skip_emulated("/proc/self/stat is made up");
    REQUIRE(source_metrics.state_size <= sizeof state);
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    REQUIRE(source_metrics.open_with(state, &o, &c, NULL) == 0);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    struct seen first = look(&b);
    CHECK_EQ(first.events, 1);
    CHECK(first.plots >= 14 && first.rss > 0 && first.threads >= 1 && first.descriptors >= 3);
    CHECK_EQ(c.process_count, 1);
    CHECK_EQ(c.processes[0]->pid, getpid());
    model_batch_clear(&b);
    source_metrics.over(state);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    struct seen last = look(&b);
    CHECK_EQ(last.events, 1);
    CHECK(last.rss > 0);
    CHECK_EQ(b.watermark_ns, UINT64_MAX);
    model_batch_clear(&b);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_IDLE);
    source_metrics.close(state);
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST(a_program_that_goes_on_is_looked_at_once_more_when_its_recording_ends)
{
    struct model_catalog c;
    struct model_batch b;
    static _Alignas(64) char state[4096];
    const struct metrics_options o = {
        .pid = getpid(), .running = true, .interval_ns = UINT64_C(3600000000000)};
    test_skip_emulated("/proc/self/stat is made up");
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    REQUIRE(source_metrics.open_with(state, &o, &c, NULL) == 0);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    struct seen first = look(&b);
    model_batch_clear(&b);
    int fd = dup(0);
    REQUIRE(fd >= 0);
    source_metrics.over(state);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    struct seen last = look(&b);
    CHECK_EQ(last.events, 1);
    CHECK_EQ(last.descriptors, first.descriptors + 1);
    close(fd);
    source_metrics.close(state);
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST(what_is_looked_at_between_two_polls_is_told_by_the_second)
{
    struct model_catalog c;
    struct model_batch b;
    static _Alignas(64) char state[4096];
    const struct metrics_options o = {
        .pid = getpid(), .running = true, .interval_ns = UINT64_C(3600000000000)};
    test_skip_emulated("/proc/self/stat is made up");
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    REQUIRE(source_metrics.open_with(state, &o, &c, NULL) == 0);
    uint64_t began = clock_mono_ns();
    source_metrics.look(state, &b);
    uint64_t between = clock_mono_ns();
    while (clock_mono_ns() < between + 2000000) /* the second is due 1 ms after the first */
        ;
    source_metrics.look(state, &b);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    struct seen seen = look(&b);
    CHECK_EQ(seen.events, 1);    /* at the beginning; then plots */
    CHECK(seen.plots >= 2 * 12); /* only the first has a walk over memory */
    struct clock_anchor now;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    uint64_t first_ns = b.records[0].t_ns - (now.unix_ns - now.mono_ns);
    CHECK(first_ns + 1000000 >= began && first_ns <= between + 1000000); /* not of the poll */
    CHECK(b.records[b.record_count - 1].t_ns > b.records[0].t_ns);
    source_metrics.close(state);
    model_batch_done(&b);
    model_catalog_done(&c);
}

/* Somebody else's pid: a program of which nobody saw anything. */
static size_t records_of_a_gone_program(struct model_catalog *c, int32_t pid,
                                        const struct metrics_end *end, struct seen *out)
{
    struct model_batch b;
    static _Alignas(64) char state[4096];
    const struct metrics_options o = {.pid = pid, .interval_ns = 1, .end = end};
    model_batch_init(&b, c);
    REQUIRE(source_metrics.open_with(state, &o, c, NULL) == 0);
    source_metrics.over(state);
    (void)source_metrics.poll(state, &b, 100, NULL);
    *out = look(&b);
    size_t n = b.record_count;
    source_metrics.close(state);
    model_batch_done(&b);
    return n;
}

TEST(a_program_that_was_over_before_anybody_looked_has_what_the_kernel_says_at_its_end)
{
    enum { NOBODY = 0x7ffffff0 };
    struct model_catalog c;
    struct seen seen;
    const struct metrics_end known = {.known = true, .cpu_ns = 1000, .peak_rss_bytes = UINT64_MAX},
                             small = {.known = true, .cpu_ns = 1000, .peak_rss_bytes = 1},
                             unknown = {.known = false};
    model_catalog_init(&c);
    /* Nobody knows who it was. */
    CHECK_EQ(records_of_a_gone_program(&c, NOBODY, &known, &seen), 0);
    CHECK_EQ(c.process_count, 0);
    REQUIRE(model_catalog_add_process(&c, NOBODY, MODEL_STR("/bin/gone"), MODEL_STR("gone")));
    CHECK_EQ(records_of_a_gone_program(&c, NOBODY, &unknown, &seen), 0);
    /* Peak, both faults, both switches, CPU time; no event, since threads and files
     * are not known. */
    CHECK_EQ(records_of_a_gone_program(&c, NOBODY, &known, &seen), 6);
    CHECK_EQ(seen.plots, 6);
    /* The recorder itself had more before it became the program: no peak. */
    CHECK_EQ(records_of_a_gone_program(&c, NOBODY, &small, &seen), 5);
    CHECK_EQ(c.process_count, 1);
    CHECK_EQ(c.thread_count, 1);
    model_catalog_done(&c);
}

TEST(the_main_thread_is_the_one_that_the_ring_will_know_by_its_own_serial)
{
    struct model_catalog c;
    struct model_batch b;
    static _Alignas(64) char state[4096];
    const struct metrics_options o = {.pid = getpid(), .running = true, .interval_ns = 1};
    test_skip_emulated("/proc/self/stat is made up");
    model_catalog_init(&c);
    model_batch_init(&b, &c);
    REQUIRE(source_metrics.open_with(state, &o, &c, NULL) == 0);
    CHECK_EQ(source_metrics.poll(state, &b, 100, NULL), SOURCE_DATA);
    REQUIRE(c.thread_count == 1);
    CHECK(model_catalog_adopt_thread(&c, 0, getpid(), 1) == c.threads[0]);
    CHECK_EQ(c.thread_count, 1);
    source_metrics.close(state);
    model_batch_done(&b);
    model_catalog_done(&c);
}

TEST_MAIN()
