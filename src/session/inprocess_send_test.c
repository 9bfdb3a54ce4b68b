/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * This very process sends to a receiver: real runtime, real drain thread, real
 * sockets. What a flush and a stop promise, whatever the receiver does.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/inprocess.h"
#include "session/test_receiver.h"
#include "source/region_io.h"

static struct receiver *receiver;
static char attached_to[300];

static int attach(const char *ring)
{
    snprintf(attached_to, sizeof attached_to, "%s", ring);
    return oriel_attach(ring);
}

/* Sends to a receiver, and would wait an hour by itself. */
static void start_with_all(struct counted *c, const char *provider, const char *const *more)
{
    static char endpoint[200];
    const char *const settings[] = {"backend=otlp",
                                    "otlp_protocol=http/protobuf",
                                    "logs_exporter=none",
                                    "batch.spans_delay_ms=3600000",
                                    "system_metrics_interval_secs=0",
                                    endpoint,
                                    provider,
                                    more ? more[0] : NULL,
                                    more && more[0] ? more[1] : NULL,
                                    NULL};
    const struct receiver_options how = {.script = count_spans, .arg = c};
    receiver = receiver_start(&how);
    REQUIRE(receiver != NULL);
    snprintf(endpoint, sizeof endpoint, "otlp_endpoint=%s", receiver_url(receiver));
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    REQUIRE(chdir(test_tmpdir()) == 0);
    const struct oriel_options o = {.size = sizeof o, .ring_bytes = 1 << 20, .settings = settings};
    REQUIRE(oriel_inprocess_start(&o, attach) == 0);
}

static void start_with(struct counted *c, const char *provider, const char *one)
{
    const char *const more[] = {one, NULL};
    start_with_all(c, provider, more);
}

static void start(struct counted *c)
{
    start_with(c, NULL, NULL);
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

/* How often the ring was read so far: what its reader says of itself then goes by twos. */
static uint32_t rounds(void)
{
    struct wire_figures f;
    while (region_read_figures(attached_to, &f) != 0)
        ;
    return f.seq / 2;
}

TEST(who_says_little_is_read_five_times_a_second)
{
    struct counted c = {0};
    const struct timespec pause = {0, 10000000};
    start(&c);
    emit(1);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    uint64_t began = 0;
    uint32_t before = 0;
    for (int i = 0; i < 330; i++) {
        if (i == 230) { /* the first two seconds are read at short intervals */
            began = clock_mono_ns();
            before = rounds();
        }
        emit(1);
        nanosleep(&pause, NULL);
    }
    const uint64_t ms = (clock_mono_ns() - began) / 1000000, read = rounds() - before;
    CHECK(read <= ms / 160 + 3);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(c.spans, 331);
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

/* ---- headers of a vault ---- */

#ifndef __SANITIZE_THREAD__ /* which takes who watches over a helper, in our memory, for a fork */

TEST(a_start_waits_for_no_vault_and_what_is_said_meanwhile_goes_out_with_its_headers)
{
    static const char answer[] = "x-key=v4ult-c4n4ry\n";
    struct counted c = {0};
    start_with(&c, "vault.provider=command", helper("answer"));
    emit(5);
    CHECK_EQ(receiver_requests(receiver), 0);
    int fd =
        open_helper("answer", 0); /* waits for the helper, which waits for us: the start did not */
    REQUIRE(fd >= 0);
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(0), ORIEL_ETIMEOUT);
    CHECK_EQ(receiver_requests(receiver), 0);
    CHECK_EQ(write(fd, answer, sizeof answer - 1), sizeof answer - 1);
    close(fd);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(c.spans, 9);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK(c.authorized > 0 && c.authorized == (int)receiver_requests(receiver));
    receiver_stop(receiver);
}

TEST(a_further_receiver_gets_neither_the_headers_of_the_vault_nor_waits_for_them)
{
    static const char answer[] = "x-key=v4ult-c4n4ry\n";
    struct counted c = {0}, other = {0};
    char also[200];
    const struct receiver_options ro = {.script = count_spans, .arg = &other};
    struct receiver *further = receiver_start(&ro);
    snprintf(also, sizeof also, "otlp.also=%s/x", receiver_url(further));
    const char *argv = helper("answer");
    const char *const more[] = {argv, also, NULL};
    start_with_all(&c, "vault.provider=command", more);
    emit(5);
    int fd = open_helper("answer", 0);
    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, answer, sizeof answer - 1), sizeof answer - 1);
    close(fd);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK(c.spans == 5 && c.authorized > 0);
    CHECK(other.spans == 5 && other.authorized == 0);
    receiver_stop(further);
    receiver_stop(receiver);
}

TEST(an_end_waits_for_no_vault_that_is_silent)
{
    char said[2000];
    struct counted c = {0};
    start_with(&c, "vault.provider=command", helper("answer"));
    listen_to_errors();
    emit(3);
    int fd = open_helper("answer", 0); /* it runs, and hears nothing */
    REQUIRE(fd >= 0);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    close(fd);
    CHECK_EQ(receiver_requests(receiver), 0);
    CHECK_EQ(errors(said, sizeof said), 1);
    CHECK_STR(said, "oriel: otlp: nothing is sent: vault (command): cat: did not answer in time\n");
    CHECK_EQ(open_helper("answer", O_NONBLOCK), -1); /* nobody reads: it has ended with us */
    receiver_stop(receiver);
}

TEST(who_has_nothing_to_say_hears_nothing_of_a_silent_vault)
{
    char said[2000];
    struct counted c = {0};
    start_with(&c, "vault.provider=command", helper("answer"));
    listen_to_errors();
    (void)oriel_inprocess_stop(100);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(errors(said, sizeof said), 0);
    receiver_stop(receiver);
}

TEST(without_a_key_that_is_required_nothing_is_sent_which_is_said_once)
{
    char said[2000];
    struct counted c = {0};
    listen_to_errors();
    start_with(&c, "vault.provider=environment", "otlp_headers_vault_key=NO_SUCH_KEY");
    for (int i = 0; i < 3; i++) {
        emit(10);
        CHECK_EQ(oriel_inprocess_flush(LONG_MS), ORIEL_EIO); /* lost, and that shows */
    }
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(receiver_requests(receiver), 0);
    CHECK_EQ(errors(said, sizeof said), 1);
    CHECK_STR(said, "oriel: otlp: nothing is sent: vault (environment): $NO_SUCH_KEY is not set\n");
    receiver_stop(receiver);
}

#endif

TEST_MAIN()
