/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Switching telemetry on and off as programs do it, with the liboriel that the
 * dynamic loader finds: CTest points it at this build's.
 */
#define ORIEL_TARGET "start.test"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include <dirent.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

static char traces[512];

static struct oriel_options wish(void)
{
    snprintf(traces, sizeof traces, "%s/traces", test_tmpdir());
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    return (struct oriel_options){.size = sizeof(struct oriel_options),
                                  .outlets = "chrome",
                                  .directory = traces,
                                  .ring_bytes = 1 << 20};
}

static int is_liboriel(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    return strstr(info->dlpi_name, "liboriel.so") != NULL;
}

/* Occurrences of a text in all files of the traces, which then are removed. */
static int take_texts(const char *text)
{
    int n = 0;
    DIR *d = opendir(traces);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024], line[8192];
        snprintf(path, sizeof path, "%s/%s", traces, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            n += strstr(line, text) != NULL;
        if (f) {
            fclose(f);
            unlink(path);
        }
    }
    if (d)
        closedir(d);
    return n;
}

static void say(int n)
{
    for (int i = 0; i < n; i++)
        ORIEL_EVENT("start.said");
}

/* 0, or there is no liboriel where the loader looks: nothing to test. */
static bool starts(const struct oriel_options *o)
{
    int rc = oriel_start(o);
    CHECK(rc == 0 || rc == ORIEL_ENOTFOUND);
    return rc == 0;
}

TEST(a_stop_of_what_was_never_started_loads_nothing)
{
    CHECK_EQ(oriel_stop(1000), 0);
    CHECK_EQ(dl_iterate_phdr(is_liboriel, NULL), 0);
    struct recording r = {0};
    recording_begin(&r, NULL);
    say(1);
    CHECK_EQ(oriel_stop(1000), 0); /* somebody else's recording goes on */
    CHECK_EQ(oriel_start(NULL), 0);
    say(1);
    CHECK(oriel_enabled());
    CHECK_EQ(dl_iterate_phdr(is_liboriel, NULL), 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2);
    recording_end(&r);
}

TEST(who_asks_for_the_resource_before_the_start_finds_none)
{
    char text[16] = "as it was";
    CHECK_EQ(oriel_resource_get("service.name", text, sizeof text), ORIEL_ENOTFOUND);
    CHECK_EQ(oriel_resource_get(NULL, text, sizeof text), ORIEL_EINVAL);
    CHECK_EQ(oriel_resource_get("service.name", NULL, 1), ORIEL_EINVAL);
    CHECK_EQ(dl_iterate_phdr(is_liboriel, NULL), 0);
}

TEST(options_of_no_size_are_refused)
{
    struct oriel_options none = {.size = 0};
    CHECK_EQ(oriel_start(&none), ORIEL_EINVAL);
    CHECK(!oriel_enabled());
}

TEST(start_and_stop_take_turns)
{
    struct oriel_options o = wish();
    for (int round = 1; round <= 3; round++) {
        if (!starts(&o))
            return;
        CHECK_EQ(oriel_start(&o), 0); /* again is fine */
        CHECK(oriel_enabled());
        say(round);
        CHECK_EQ(oriel_stop(600000), 0);
        CHECK(!oriel_enabled());
        say(100);
        CHECK_EQ(take_texts("start.said"), round);
    }
    CHECK_EQ(oriel_stop(0), 0);
}

#ifndef __SANITIZE_THREAD__ /* which has no threads after a fork */
TEST(a_fork_child_that_starts_has_files_of_its_own)
{
    struct oriel_options o = wish();
    if (!starts(&o))
        return;
    say(2);
    pid_t pid = fork();
    if (pid == 0) {
        say(3); /* the parent's */
        snprintf(traces, sizeof traces, "%s/child", test_tmpdir());
        bool good = oriel_start(&o) == 0;
        say(4);
        good = good && oriel_stop(600000) == 0;
        test_leave(good && take_texts("start.said") == 4 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(oriel_stop(600000), 0);
    CHECK_EQ(take_texts("start.said"), 5);
}
#endif

TEST(a_call_that_is_still_at_work_puts_the_end_off)
{
    struct recording r = {0}, second = {0};
    recording_begin(&r, NULL);
    say(1);
    REQUIRE(rec_enter());
    CHECK(!rec_region_leave(1));
    CHECK(!oriel_enabled());
    say(1); /* refused: off */
    CHECK(!rec_enter());
    CHECK_EQ(oriel_attach(r.path), ORIEL_ESTATE);
    rec_leave();
    CHECK(rec_region_leave(1));
    rec_region_drop();
    rec_region_drop(); /* nothing left to drop */
    CHECK(rec_region_leave(0));
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 1);
    recording_begin(&second, NULL);
    say(2);
    recording_read(&second, true);
    CHECK_EQ(second.by_type[ORIEL_REC_EVENT], 2);
    CHECK_EQ(second.damaged, 0);
    recording_end(&second);
    recording_end(&r);
}

static void *leave_late(void *ready)
{
    say(1);
    pthread_barrier_wait(ready);
    pthread_barrier_wait(ready); /* the region goes in between */
    return NULL;
}

TEST(a_thread_that_ends_after_its_recording_did_leaves_the_next_alone)
{
    struct recording r = {0}, second = {0};
    pthread_barrier_t ready;
    pthread_t t;
    pthread_barrier_init(&ready, NULL, 2);
    recording_begin(&r, NULL);
    pthread_create(&t, NULL, leave_late, &ready);
    pthread_barrier_wait(&ready);
    REQUIRE(rec_region_leave(600000));
    rec_region_drop();
    recording_begin(&second, NULL);
    say(5);
    pthread_barrier_wait(&ready);
    pthread_join(t, NULL);
    CHECK_EQ(rec_runtime.own->vacant, 0);
    recording_read(&second, true);
    CHECK_EQ(second.by_type[ORIEL_REC_EVENT], 5);
    CHECK_EQ(second.catalog.thread_count, 1);
    recording_end(&second);
    recording_end(&r);
}

TEST(a_child_that_was_forked_in_the_middle_of_a_call_can_leave)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    REQUIRE(rec_enter());
    pid_t pid = fork();
    if (pid == 0) {
        rec_leave(); /* what it came from is no longer counted */
        test_leave(rec_runtime.own->inside == 0 && rec_region_leave(0) ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    rec_leave();
    recording_end(&r);
}

/* ---- what the record path takes from the configuration ---- */

TEST(propagators_and_the_share_of_traces_are_those_of_the_configuration)
{
    static const char *const settings[] = {"propagators=b3", "sampler=parentbased_always_off",
                                           NULL};
    static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct oriel_options o = wish();
    struct oriel_context c, from;
    const char *fields[ORIEL_FIELDS_MAX];
    o.settings = settings;
    if (!starts(&o))
        test_skip("liboriel is not where the loader looks");
    REQUIRE(oriel_propagators_fields(NULL, fields) == 1);
    CHECK_STR(fields[0], "b3");
    {
        ORIEL_SPAN("root");
        REQUIRE(oriel_context_current(&c));
        CHECK_EQ(c.flags, ORIEL_TRACE_RANDOM); /* others are told that it is not sampled */
    }
    REQUIRE(oriel_traceparent_parse(parent, sizeof parent - 1, &from) == 0);
    {
        ORIEL_CONTEXT(&from);
        ORIEL_SPAN("child");
        REQUIRE(oriel_context_current(&c));
        CHECK_EQ(c.flags, ORIEL_TRACE_SAMPLED); /* as its parent */
    }
    struct oriel_propagators own;
    oriel_propagators_parse("jaeger", &own);
    oriel_propagators_set(own); /* the program before the configuration */
    CHECK_EQ(oriel_propagators_fields(NULL, fields), 1);
    CHECK_STR(fields[0], "uber-trace-id");
    CHECK_EQ(oriel_stop(60000), 0);
}

TEST_MAIN()
