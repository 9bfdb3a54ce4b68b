/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * This very process sends to a receiver: real runtime, real drain thread, real
 * sockets. What a flush and a stop promise, whatever the receiver does.
 */
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "receiver.h"
#include "session/inprocess.h"
#include "test.h"
#include "util/pb.h"

enum { LONG_MS = 600000 };

struct counted {
    atomic_int spans, status;
    atomic_bool silent;
};

static int spans_in(const struct receiver_request *r)
{
    int n = 0;
    struct pb_reader request = pb_read(r->body, r->body_n);
    for (struct pb_field resource; pb_next(&request, &resource);) {
        struct pb_reader of_resource = pb_read_nested(&resource);
        for (struct pb_field scope; pb_next(&of_resource, &scope);) {
            struct pb_reader of_scope = pb_read_nested(&scope);
            for (struct pb_field span; scope.number == 2 && pb_next(&of_scope, &span);)
                n += span.number == 2;
        }
    }
    return n;
}

static void count_spans(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct counted *c = arg;
    a->silent = c->silent;
    if (c->status)
        a->status = c->status;
    else if (!c->silent && strcmp(r->path, "/v1/traces") == 0)
        c->spans += spans_in(r);
}

static struct receiver *receiver;

/* Sends to a receiver, and would wait an hour by itself. */
static void start(struct counted *c)
{
    static char endpoint[200];
    static const char *const settings[] = {"backend=otlp",
                                           "otlp_protocol=http/protobuf",
                                           "logs_exporter=none",
                                           "batch.spans_delay_ms=3600000",
                                           "system_metrics_interval_secs=0",
                                           endpoint,
                                           NULL};
    const struct receiver_options how = {.script = count_spans, .arg = c};
    receiver = receiver_start(&how);
    REQUIRE(receiver != NULL);
    snprintf(endpoint, sizeof endpoint, "otlp_endpoint=%s", receiver_url(receiver));
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    REQUIRE(chdir(test_tmpdir()) == 0);
    const struct oriel_options o = {.size = sizeof o, .ring_bytes = 1 << 20, .settings = settings};
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
}

static void emit(int n)
{
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("send.work", "i", i);
    }
}

TEST(what_was_said_before_a_flush_is_at_the_receiver_after_it)
{
    struct counted c = {0};
    start(&c);
    for (int round = 1; round <= 5; round++) {
        emit(10);
        CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
        CHECK_EQ(c.spans, 10 * round);
    }
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0); /* of nothing new */
    emit(7);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(c.spans, 57);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0); /* of nothing that runs */
    receiver_stop(receiver);
}

TEST(a_flush_ends_at_its_timeout_and_so_does_a_stop)
{
    struct counted c = {.silent = true};
    start(&c);
    emit(3);
    CHECK_EQ(oriel_inprocess_flush(100), ORIEL_ETIMEOUT);
    CHECK_EQ(oriel_inprocess_flush(0), ORIEL_ETIMEOUT);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY); /* the drain thread had its turn or not */
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(c.spans, 0);
    receiver_stop(receiver);
}

TEST(a_flush_tells_that_something_was_refused)
{
    struct counted c = {.status = 400};
    start(&c);
    emit(3);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), ORIEL_EIO);
    c.status = 0;
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0); /* what is past is past */
    CHECK_EQ(c.spans, 4);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(receiver);
}

static void *emit_and_flush(void *unused)
{
    for (int i = 0; i < 10; i++) {
        emit(10);
        CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    }
    return unused;
}

TEST(threads_may_flush_side_by_side)
{
    enum { THREADS = 4 };
    struct counted c = {0};
    pthread_t t[THREADS];
    start(&c);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, emit_and_flush, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(c.spans, THREADS * 100);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(receiver);
}

static void *flush_for_long(void *rc)
{
    *(int *)rc = oriel_inprocess_flush(LONG_MS);
    return NULL;
}

TEST(a_stop_ends_the_flush_that_still_waits)
{
    struct counted c = {.silent = true};
    pthread_t t;
    int flushed = 1;
    start(&c);
    emit(3);
    REQUIRE(pthread_create(&t, NULL, flush_for_long, &flushed) == 0);
    while (receiver_requests(receiver) == 0) /* it waits for the answer now */
        sched_yield();
    (void)oriel_inprocess_stop(100);
    pthread_join(t, NULL);
    CHECK(flushed == ORIEL_EIO || flushed == 0 || flushed == ORIEL_ETIMEOUT);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(receiver);
}

#ifndef __SANITIZE_THREAD__ /* which has no threads after a fork */
TEST(a_fork_child_flushes_nothing_of_its_parent)
{
    struct counted c = {0};
    start(&c);
    emit(2);
    pid_t pid = fork();
    if (pid == 0)
        test_leave(oriel_inprocess_flush(LONG_MS) == 0 && oriel_inprocess_stop(LONG_MS) == 0 ? 0
                                                                                             : 1);
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(c.spans, 2);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(receiver);
}
#endif

TEST_MAIN()
