/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The line about the system, from plots as the recorder makes them.
 */
#include "report/system.h"

#include "test.h"

static void plot(struct system_use *s, const char *name, double value)
{
    const struct model_site site = {.name = {name, (uint32_t)strlen(name)},
                                    .flags = ORIEL_SITE_SYSTEM};
    const struct model_plot p = {.site = &site,
                                 .value = {.type = ORIEL_TYPE_F64, .v = {.f64 = value}}};
    CHECK(system_is(&site));
    system_plot(s, &p);
}

TEST(the_largest_of_what_comes_and_goes_and_the_last_of_what_adds_up)
{
    struct system_use s = {0};
    struct buf out;
    buf_init(&out);
    system_text(&s, 1000, 100, &out);
    CHECK_EQ(out.size, 0);
    plot(&s, "process.memory.usage", 3000000);
    plot(&s, "process.memory.usage", 2000000);
    plot(&s, "process.cpu.time", 0.25);
    plot(&s, "process.cpu.time", 0.5);
    plot(&s, "process.thread.count", 7);
    plot(&s, "process.thread.count", 1);
    plot(&s, "process.disk.io.read", 4096);
    plot(&s, "something.else", 1e300);
    system_text(&s, 1000000000, 200, &out);
    CHECK_STR(buf_cstr(&out), "system: 3 MB of memory at least \u00b7 CPU 500 ms, 50 % on average "
                              "\u00b7 7 threads \u00b7 disk 4.1 kB read, 0 B written");
    /* What one process had at its peak, between two readings. */
    plot(&s, "process.memory.peak", 4000000);
    plot(&s, "process.cpu.time", 0.5);
    buf_clear(&out);
    system_text(&s, 1000000000, 200, &out);
    CHECK(strstr(buf_cstr(&out), "system: 4 MB of memory at most ") == buf_cstr(&out));
    /* Whether more was used after the last look is not known: the end has no peak. */
    plot(&s, "process.cpu.time", 0.6);
    buf_clear(&out);
    system_text(&s, 1000000000, 200, &out);
    CHECK(strstr(buf_cstr(&out), "system: 4 MB of memory at least ") == buf_cstr(&out));
    buf_done(&out);
}

TEST(what_a_program_used_before_anybody_looked_is_not_told)
{
    struct system_use s = {.midway = true};
    struct buf out;
    buf_init(&out);
    plot(&s, "process.context_switches.voluntary", 5);
    plot(&s, "process.context_switches.involuntary", 5);
    plot(&s, "process.cpu.time", 100.25);
    plot(&s, "process.context_switches.voluntary", 12);
    plot(&s, "process.context_switches.involuntary", 8);
    plot(&s, "process.cpu.time", 100.5);
    system_text(&s, 1000000000, 200, &out);
    CHECK_STR(buf_cstr(&out), "system: CPU 250 ms, 25 % on average \u00b7 10 switches, 3 forced");
    buf_done(&out);
}

TEST(one_of_a_kind_is_told_as_one)
{
    struct system_use s = {0};
    struct buf out;
    buf_init(&out);
    plot(&s, "process.cpu.time", 0.5);
    plot(&s, "process.thread.count", 1);
    plot(&s, "process.paging.faults.major", 1);
    plot(&s, "process.context_switches.involuntary", 1);
    system_text(&s, 1000000000, 200, &out);
    CHECK_STR(buf_cstr(&out), "system: CPU 500 ms, 50 % on average \u00b7 1 thread \u00b7 1 fault "
                              "from disk \u00b7 1 switch, 1 forced");
    buf_done(&out);
}

TEST(what_matters_least_makes_way)
{
    struct system_use s = {0};
    struct buf out;
    buf_init(&out);
    plot(&s, "process.cpu.time", 0.5);
    plot(&s, "process.thread.count", 7);
    plot(&s, "process.unix.file_descriptor.count", 1);
    plot(&s, "process.context_switches.involuntary", 12);
    plot(&s, "process.disk.io.write", 1);
    system_text(&s, 1000000000, 68, &out); /* one column too few for the disk */
    CHECK_STR(buf_cstr(&out), "system: CPU 500 ms, 50 % on average \u00b7 7 threads \u00b7 "
                              "1 file open");
    buf_clear(&out);
    system_text(&s, 0, 10, &out);
    CHECK_EQ(out.size, 0);
    buf_done(&out);
}

TEST(the_json_has_a_member_for_each_number_or_none_at_all)
{
    struct system_use s = {0};
    struct buf out;
    struct json j;
    buf_init(&out);
    json_init(&j, &out);
    json_object(&j);
    system_json(&s, &j);
    json_object_end(&j);
    CHECK_STR(buf_cstr(&out), "{}");
    buf_clear(&out);
    plot(&s, "process.memory.usage", 4096);
    plot(&s, "process.cpu.time", 1);
    plot(&s, "process.cpu.utilization", 1.5);
    json_init(&j, &out);
    json_object(&j);
    system_json(&s, &j);
    json_object_end(&j);
    CHECK(strstr(buf_cstr(&out), "\"peak_rss_bytes\":4096") != NULL);
    CHECK(strstr(buf_cstr(&out), "\"peak_cpu_utilization\":1.5") != NULL);
    buf_done(&out);
}

TEST_MAIN()
