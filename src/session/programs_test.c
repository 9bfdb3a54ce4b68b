/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exporters of the program: real runtime, real drain thread, functions of this test.
 */
#include "session/programs.h"

#include <oriel/oriel.h>
#include <oriel/propagation.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "rec/rec.h"
#include "session/inprocess.h"
#include "test.h"

enum { LONG_MS = 600000 };

static char ring[512]; /* of the latest start */

static int attach(const char *path)
{
    snprintf(ring, sizeof ring, "%s", path);
    return oriel_attach(path);
}

/* Nothing but exporters of the program; further settings behind. */
static int start_with(const char *setting)
{
    const char *const settings[] = {"backend=program",
                                    "system_metrics_interval_secs=0",
                                    "batch.spans_size=4",
                                    "batch.spans_delay_ms=3600000",
                                    "batch.logs_delay_ms=3600000",
                                    setting,
                                    NULL};
    const struct oriel_options o = {
        .size = sizeof o, .service_name = "tested", .ring_bytes = 1 << 20, .settings = settings};
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    return oriel_inprocess_start(&o, attach);
}

static int start(void)
{
    return start_with(NULL);
}

static void stop(void)
{
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
}

/* ---- what is kept in memory ---- */

static struct oriel_memory *remembered(size_t most)
{
    struct oriel_memory *m = oriel_inprocess_memory_new(most);
    REQUIRE(m && oriel_inprocess_memory_add(m) == 0);
    return m;
}

static const struct oriel_view_span *span_at(struct oriel_memory *m, size_t i)
{
    const struct oriel_view_span *spans[64];
    size_t n = oriel_inprocess_memory_spans(m, spans, 64);
    REQUIRE(i < n && n <= 64);
    return spans[i];
}

static const struct oriel_view_log *log_at(struct oriel_memory *m, size_t i)
{
    const struct oriel_view_log *logs[64];
    size_t n = oriel_inprocess_memory_logs(m, logs, 64);
    REQUIRE(i < n && n <= 64);
    return logs[i];
}

static const struct oriel_view_attribute *of_span(const struct oriel_view_span *s, const char *key)
{
    const struct oriel_view_attribute *a = oriel_view_find(s->attributes, s->attribute_count, key);
    REQUIRE(a != NULL);
    return a;
}

static void say_everything(void)
{
    const uint8_t trace[16] = {1, 2, 3}, other[8] = {4, 5, 6};
    struct oriel_span s =
        ORIEL_OPEN("outer", ORIEL_ROOT, "text", "value", "small", -7, "big", 7u, "real", 0.5, "yes",
                   (bool)true, "token", "Bearer abcdefghijklmnopqrstuvwxyz012345");
    oriel_span_link(&s, trace, other);
    struct oriel_guard g = oriel_span_enter(&s);
    ORIEL_EVENT("happened", "count", 3);
    ORIEL_WARN("be careful", "why", "so");
    {
        ORIEL_SPAN("inner");
    }
    oriel_span_exit(&g);
    oriel_span_status(&s, ORIEL_STATUS_ERROR, "it broke");
    oriel_span_close(&s);
}

TEST(finished_spans_and_log_records_are_kept_in_memory_with_all_they_have)
{
    struct oriel_memory *m = remembered(100);
    REQUIRE(start() == 0);
    say_everything();
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(oriel_inprocess_memory_spans(m, NULL, 0), 2);
    CHECK_EQ(oriel_inprocess_memory_logs(m, NULL, 0), 2);
    const struct oriel_view_span *inner = span_at(m, 0), *outer = span_at(m, 1);
    CHECK_STR(inner->name, "inner");
    CHECK_STR(outer->name, "outer");
    CHECK(memcmp(inner->parent_id, outer->span_id, 8) == 0);
    CHECK(memcmp(inner->trace_id, outer->trace_id, 16) == 0);
    CHECK(outer->start_ns <= inner->start_ns && inner->end_ns <= outer->end_ns);
    CHECK_EQ(outer->status, ORIEL_STATUS_ERROR);
    CHECK_STR(outer->status_message, "it broke");
    CHECK_STR(of_span(outer, "text")->v.text, "value");
    CHECK_EQ(of_span(outer, "small")->v.i64, -7);
    CHECK_EQ(of_span(outer, "big")->type, ORIEL_TYPE_U64);
    CHECK(of_span(outer, "real")->v.f64 == 0.5);
    CHECK(of_span(outer, "yes")->type == ORIEL_TYPE_BOOL && of_span(outer, "yes")->v.b);
    CHECK(!strstr(of_span(outer, "token")->v.text, "abcdef"));
    CHECK(of_span(outer, "token")->flags & ORIEL_VIEW_REDACTED);
    REQUIRE(outer->link_count == 1 && outer->event_count == 2);
    CHECK_EQ(outer->links[0]->trace_id[2], 3);
    CHECK_EQ(outer->links[0]->span_id[0], 4);
    CHECK_STR(outer->events[0]->name, "happened");
    CHECK_EQ(outer->events[0]->attributes[0].v.i64, 3);
    CHECK_STR(outer->events[1]->name, "be careful");
    CHECK_STR(outer->scope->name, inner->scope->name);
    CHECK(outer->resource == inner->resource);
    const struct oriel_view_attribute *service = oriel_view_find(
        outer->resource->attributes, outer->resource->attribute_count, "service.name");
    CHECK(service && strcmp(service->v.text, "tested") == 0);
    CHECK(strstr(outer->file, "programs_test.c") && outer->line > 0);
    const struct oriel_view_log *event = log_at(m, 0), *warning = log_at(m, 1);
    CHECK_STR(event->event_name, "happened");
    CHECK_STR(warning->event_name, "");
    CHECK_STR(warning->body, "be careful");
    CHECK_EQ(warning->severity, 13);
    CHECK(memcmp(warning->span_id, outer->span_id, 8) == 0);
    CHECK_STR(warning->resource->schema_url, outer->resource->schema_url);
    stop();
    CHECK_STR(span_at(m, 1)->name, "outer"); /* they outlive the export */
    CHECK_EQ(oriel_inprocess_memory_free(m), 0);
}

TEST(memory_takes_as_much_as_was_said_and_forgets_when_told)
{
    struct oriel_memory *m = remembered(3);
    REQUIRE(start() == 0);
    for (int i = 0; i < 5; i++) {
        ORIEL_SPAN("counted", "i", i);
    }
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(oriel_inprocess_memory_spans(m, NULL, 0), 3);
    CHECK_EQ(of_span(span_at(m, 2), "i")->v.i64, 2);
    CHECK_EQ(oriel_inprocess_memory_dropped(m), 2);
    CHECK_EQ(oriel_inprocess_memory_free(m), ORIEL_EBUSY);
    oriel_inprocess_memory_reset(m);
    CHECK_EQ(oriel_inprocess_memory_dropped(m), 0);
    {
        ORIEL_SPAN("later");
    }
    stop();
    CHECK_EQ(oriel_inprocess_memory_spans(m, NULL, 0), 1);
    CHECK_STR(span_at(m, 0)->name, "later");
    CHECK_EQ(oriel_inprocess_memory_add(m), 0); /* for another start */
    REQUIRE(rec_region_leave(60000));
    rec_region_drop();
    REQUIRE(start() == 0);
    {
        ORIEL_SPAN("again");
    }
    stop();
    CHECK_STR(span_at(m, 1)->name, "again");
    CHECK_EQ(oriel_inprocess_memory_free(m), 0);
}

/* ---- functions of the program ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t spans, logs, largest;
    unsigned calls, flushes, shutdowns, after, most_ms;
    int answer;        /* of export_spans, */
    unsigned pause_us; /* after a while */
    bool says, held;   /* emits itself; does not return */
    bool entered;
    int waited[2];
} mine = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int take_spans(void *user, const struct oriel_view_span *const *spans, size_t n,
                      unsigned timeout_ms)
{
    CHECK(user == &mine && spans[0]->name[0] && spans[n - 1]->resource);
    pthread_mutex_lock(&mine.lock);
    mine.after += mine.shutdowns > 0;
    mine.calls++;
    mine.spans += n;
    mine.largest = n > mine.largest ? n : mine.largest;
    mine.most_ms = timeout_ms > mine.most_ms ? timeout_ms : mine.most_ms;
    mine.entered = true;
    pthread_cond_broadcast(&mine.changed);
    while (mine.held)
        pthread_cond_wait(&mine.changed, &mine.lock);
    pthread_mutex_unlock(&mine.lock);
    if (mine.pause_us)
        usleep(mine.pause_us);
    if (mine.says) {
        ORIEL_SPAN("said by the exporter");
        ORIEL_INFO("said by the exporter");
        mine.waited[0] = oriel_flush(LONG_MS);
        mine.waited[1] = oriel_stop(LONG_MS);
    }
    return mine.answer;
}

static int take_logs(void *user, const struct oriel_view_log *const *logs, size_t n,
                     unsigned timeout_ms)
{
    CHECK(user == &mine && logs[0]->severity > 0 && timeout_ms > 0);
    mine.after += mine.shutdowns > 0;
    mine.logs += n;
    return 0;
}

static int flush_mine(void *user, unsigned timeout_ms)
{
    CHECK(user == &mine && timeout_ms > 0);
    mine.after += mine.shutdowns > 0;
    mine.flushes++;
    return 0;
}

static int shutdown_mine(void *user, unsigned timeout_ms)
{
    CHECK(user == &mine);
    (void)timeout_ms;
    mine.shutdowns++;
    return 0;
}

static struct oriel_exporter exporter(void)
{
    return (struct oriel_exporter){.size = sizeof(struct oriel_exporter),
                                   .name = "mine",
                                   .user = &mine,
                                   .export_spans = take_spans,
                                   .export_logs = take_logs,
                                   .force_flush = flush_mine,
                                   .shutdown = shutdown_mine};
}

static void emit(int n)
{
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("work", "i", i);
    }
}

TEST(spans_and_log_records_come_to_functions_of_the_program_until_their_shutdown)
{
    const struct oriel_exporter e = exporter();
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    CHECK_EQ(oriel_inprocess_exporter_add(&e), ORIEL_ESTATE);
    REQUIRE(start() == 0);
    CHECK_EQ(oriel_inprocess_exporter_remove("mine"), ORIEL_EBUSY);
    emit(10);
    ORIEL_INFO("one");
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(mine.spans, 10);
    CHECK_EQ(mine.logs, 1);
    CHECK_EQ(mine.flushes, 1);
    CHECK_EQ(mine.largest, 4); /* batches as configured */
    CHECK_EQ(mine.most_ms, 30000);
    emit(1);
    stop();
    CHECK_EQ(mine.spans, 11);
    CHECK_EQ(mine.shutdowns, 1);
    CHECK_EQ(oriel_inprocess_exporter_remove("mine"), ORIEL_ENOTFOUND);
    CHECK_EQ(start(), 0); /* there is nothing any more that anybody wants */
    emit(1);
    stop();
    CHECK_EQ(mine.after, 0);
    CHECK_EQ(mine.spans, 11);
    CHECK_EQ(mine.shutdowns, 1);
}

TEST(what_an_exporter_of_the_program_refuses_is_counted_and_not_given_again)
{
    const struct oriel_exporter e = exporter();
    struct oriel_memory *m = remembered(100);
    mine.answer = -5;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    REQUIRE(start_with("log_level=none") == 0);
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), ORIEL_EIO);
    CHECK_EQ(mine.calls, 1);
    mine.answer = 0;
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(mine.calls, 2);
    CHECK_EQ(mine.spans, 8);
    CHECK_EQ(oriel_inprocess_memory_spans(m, NULL, 0), 8); /* its failure is nobody else's */
    stop();
    CHECK_EQ(oriel_inprocess_memory_free(m), 0);
}

TEST(what_an_exporter_of_the_program_says_is_not_recorded_and_it_cannot_wait_for_itself)
{
    const struct oriel_exporter e = exporter();
    mine.says = true;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    REQUIRE(start() == 0);
    emit(8);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    emit(8);
    stop();
    CHECK_EQ(mine.spans, 16);
    CHECK_EQ(mine.logs, 0);
    CHECK_EQ(mine.waited[0], ORIEL_EBUSY);
    CHECK_EQ(mine.waited[1], ORIEL_EBUSY);
}

/* The callback does not return while the program says more than its ring holds. */
TEST(a_slow_exporter_never_holds_the_program_up_and_what_is_lost_for_it_is_counted)
{
    const struct oriel_exporter e = exporter();
    enum { MANY = 60000 };
    uint64_t lost[8], before;
    mine.held = true;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    REQUIRE(start() == 0);
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(1), ORIEL_ETIMEOUT);
    pthread_mutex_lock(&mine.lock);
    while (!mine.entered)
        pthread_cond_wait(&mine.changed, &mine.lock);
    pthread_mutex_unlock(&mine.lock);
    emit(MANY); /* returns: that is the test */
    oriel_lost(lost);
    before = lost[ORIEL_LOST_RING_FULL];
    CHECK(before > 0);
    CHECK_EQ(oriel_inprocess_stop(1), ORIEL_EBUSY);
    CHECK_EQ(mine.shutdowns, 0);
    pthread_mutex_lock(&mine.lock);
    mine.held = false;
    pthread_cond_broadcast(&mine.changed);
    pthread_mutex_unlock(&mine.lock);
    stop();
    CHECK_EQ(mine.shutdowns, 1);
    CHECK_EQ(mine.after, 0);
    CHECK(mine.spans >= 4 && mine.spans < MANY);
    (void)unlink(ring); /* it keeps what there was no time for, for oriel recover */
}

/* It takes three times as long as a flush waits for what does not come. */
TEST(a_flush_waits_for_all_that_was_said_however_long_it_takes_to_give_it_on)
{
    const struct oriel_exporter e = exporter();
    mine.pause_us = 3000;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    REQUIRE(start() == 0);
    for (int i = 0; i < 10; i++) { /* the last of it is too young for the first round */
        emit(40);
        usleep(1000);
    }
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(mine.spans, 400);
    stop();
}

TEST(exporters_that_are_none_are_refused)
{
    struct oriel_exporter e = exporter();
    CHECK_EQ(oriel_inprocess_exporter_add(NULL), ORIEL_EINVAL);
    e.size = 8;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), ORIEL_EINVAL);
    e = exporter();
    e.name = "";
    CHECK_EQ(oriel_inprocess_exporter_add(&e), ORIEL_EINVAL);
    e = exporter();
    e.export_spans = NULL;
    e.export_logs = NULL;
    CHECK_EQ(oriel_inprocess_exporter_add(&e), ORIEL_EINVAL);
    e = exporter();
    const char *const names[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) {
        e.name = names[i];
        CHECK_EQ(oriel_inprocess_exporter_add(&e), i < ORIEL_EXPORTERS_MAX ? 0 : ORIEL_ELIMIT);
    }
    CHECK_EQ(oriel_inprocess_exporter_remove("a"), 0);
    CHECK_EQ(oriel_inprocess_exporter_remove("a"), ORIEL_ENOTFOUND);
    CHECK_EQ(mine.shutdowns, 0);
}

TEST(an_sdk_that_is_switched_off_calls_no_exporter_of_the_program)
{
    const struct oriel_exporter e = exporter();
    setenv("OTEL_SDK_DISABLED", "true", 1);
    CHECK_EQ(oriel_inprocess_exporter_add(&e), 0);
    CHECK_EQ(start(), 0);
    emit(4);
    stop();
    CHECK_EQ(mine.calls + mine.shutdowns, 0);
    CHECK_EQ(oriel_inprocess_exporter_remove("mine"), 0);
}

TEST_MAIN()
