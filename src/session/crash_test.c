/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which note of a ring tells why a program ended, and the line about it.
 */
#include "session/crash.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "source/region_io.h"
#include "test.h"

struct ring {
    struct region *region;
    struct wire_region *shared;
    size_t bytes;
    struct model_catalog catalog;
};

static void ring_begin(struct ring *r)
{
    struct oriel_err err = {0, ""};
    void *base = NULL;
    const struct region_options how = {.size = sizeof how, .directory = test_tmpdir()};
    REQUIRE(region_create(&r->region, &how, &err) == 0);
    REQUIRE(os_map_file(region_path(r->region), &r->bytes, &base) == 0);
    r->shared = base;
    model_catalog_init(&r->catalog);
}

static void ring_end(struct ring *r)
{
    model_catalog_done(&r->catalog);
    os_unmap(r->shared, r->bytes);
    region_unlink(region_path(r->region), NULL);
    region_free(r->region);
}

static struct wire_crash *note(struct ring *r, int i, int pid, int number, uint32_t flags)
{
    struct wire_crash *c = &r->shared->crashes[i];
    *c = (struct wire_crash){.state = WIRE_CRASH_WHOLE,
                             .flags = flags,
                             .signal = number,
                             .code = SEGV_MAPERR,
                             .pid = pid,
                             .tid = pid + 1,
                             .ticks = 100 - (uint64_t)i,
                             .address = 0xabc};
    return c;
}

static const char *line_of(struct ring *r, int pid, int number)
{
    static char line[256];
    CHECK_EQ(crash_describe(&r->catalog, region_path(r->region), pid, number), 0);
    crash_line(&r->catalog, line, sizeof line);
    return line;
}

TEST(the_note_of_who_was_seen_to_die_is_told)
{
    struct ring r;
    ring_begin(&r);
    note(&r, 0, 10, SIGABRT, WIRE_CRASH_FATAL);
    note(&r, 1, 20, SIGSEGV, WIRE_CRASH_ADDRESS);
    REQUIRE(model_catalog_add_process(&r.catalog, 20, MODEL_STR("/bin/x"), MODEL_STR("x")));
    struct model_thread *t = model_catalog_add_thread(&r.catalog, 0, 21, 1);
    REQUIRE(t);
    model_thread_set_name(&r.catalog, t, MODEL_STR("worker"));
    CHECK_STR(line_of(&r, 20, SIGSEGV),
              "SIGSEGV (address not mapped) at address 0xabc in thread worker");
    ring_end(&r);
}

TEST(where_nobody_looked_the_earliest_fatal_note_counts)
{
    struct ring r;
    ring_begin(&r);
    CHECK_STR(line_of(&r, 0, 0), "");
    note(&r, 0, 10, SIGSEGV, 0); /* survived */
    note(&r, 1, 20, SIGSEGV, WIRE_CRASH_FATAL);
    note(&r, 2, 30, SIGBUS, WIRE_CRASH_FATAL);
    note(&r, 3, 40, SIGBUS, WIRE_CRASH_FATAL)->state = WIRE_CRASH_CLAIMED; /* half made */
    CHECK_STR(line_of(&r, 0, 0), "SIGBUS (address not aligned) in thread 31");
    ring_end(&r);
}

TEST(a_death_without_a_note_is_not_told_from_another)
{
    struct ring r;
    ring_begin(&r);
    note(&r, 0, 10, SIGABRT, WIRE_CRASH_FATAL);
    CHECK_STR(line_of(&r, 20, SIGKILL), "");
    ring_end(&r);
}

TEST(attributes_of_any_length_are_cut)
{
    struct ring r;
    char endless[600], line[64];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    ring_begin(&r);
    CHECK_EQ(model_catalog_set_resource(&r.catalog, MODEL_STR("oriel.crash.signal"),
                                        (struct model_str){endless, sizeof endless - 1}),
             0);
    crash_line(&r.catalog, line, sizeof line);
    CHECK_EQ(strlen(line), sizeof line - 1);
    ring_end(&r);
}

TEST(what_is_no_ring_has_no_notes)
{
    struct wire_crash out[2];
    char path[600];
    snprintf(path, sizeof path, "%s/none", test_tmpdir());
    CHECK_EQ(region_crashes(path, out, 2), 0);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("no ring at all", f);
    fclose(f);
    CHECK_EQ(region_crashes(path, out, 2), 0);
}

TEST_MAIN()
