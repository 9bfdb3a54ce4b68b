/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * This very process sends to a receiver: real runtime, real drain thread, real
 * sockets. What a flush and a stop promise, whatever the receiver does.
 */
#include <fcntl.h>
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "receiver.h"
#include "session/inprocess.h"
#include "session/session.h"
#include "test.h"
#include "util/pb.h"

enum { LONG_MS = 600000 };

struct counted {
    atomic_int spans, status, authorized; /* authorized: requests with the vault's header */
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
    const char *key = r->header(r, "x-key");
    c->authorized += key && strcmp(key, "v4ult-c4n4ry") == 0;
    a->silent = c->silent;
    if (c->status)
        a->status = c->status;
    else if (!c->silent && strstr(r->path, "/v1/traces"))
        c->spans += spans_in(r);
}

static struct receiver *receiver;

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
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
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

/* ---- headers of a vault ---- */

#ifndef __SANITIZE_THREAD__ /* which takes who watches over a helper, in our memory, for a fork */

/* A helper that answers with what is written into a pipe of a name. */
static const char *helper(void)
{
    static char argv[500];
    char path[300];
    snprintf(path, sizeof path, "%s/answer", test_tmpdir());
    REQUIRE(mkfifo(path, 0600) == 0);
    snprintf(argv, sizeof argv, "vault.command_argv=cat,%s", path);
    return argv;
}

static int open_helper(int flags)
{
    char path[300];
    snprintf(path, sizeof path, "%s/answer", test_tmpdir());
    return open(path, O_WRONLY | O_CLOEXEC | flags);
}

static int usual_errors;

/* What is said on standard error from now on goes into a file. */
static void listen_to_errors(void)
{
    char path[300];
    usual_errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
    snprintf(path, sizeof path, "%s/errors", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && dup2(fd, 2) == 2);
    close(fd);
}

/* All of it, and the end of that; how many lines. */
static int errors(char *out, size_t n)
{
    int lines = 0;
    ssize_t size = pread(2, out, n - 1, 0);
    REQUIRE(dup2(usual_errors, 2) == 2 && size >= 0);
    close(usual_errors);
    out[size] = 0;
    for (const char *p = out; *p; p++)
        lines += *p == '\n';
    return lines;
}

TEST(a_start_waits_for_no_vault_and_what_is_said_meanwhile_goes_out_with_its_headers)
{
    static const char answer[] = "x-key=v4ult-c4n4ry\n";
    struct counted c = {0};
    start_with(&c, "vault.provider=command", helper());
    emit(5);
    CHECK_EQ(receiver_requests(receiver), 0);
    int fd = open_helper(0); /* waits for the helper, which waits for us: the start did not */
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
    const char *argv = helper();
    const char *const more[] = {argv, also, NULL};
    start_with_all(&c, "vault.provider=command", more);
    emit(5);
    int fd = open_helper(0);
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
    start_with(&c, "vault.provider=command", helper());
    listen_to_errors();
    emit(3);
    int fd = open_helper(0); /* it runs, and hears nothing */
    REQUIRE(fd >= 0);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    close(fd);
    CHECK_EQ(receiver_requests(receiver), 0);
    CHECK_EQ(errors(said, sizeof said), 1);
    CHECK_STR(said, "oriel: otlp: nothing is sent: vault (command): cat: did not answer in time\n");
    CHECK_EQ(open_helper(O_NONBLOCK), -1); /* nobody reads: it has ended with us */
    receiver_stop(receiver);
}

TEST(who_has_nothing_to_say_hears_nothing_of_a_silent_vault)
{
    char said[2000];
    struct counted c = {0};
    start_with(&c, "vault.provider=command", helper());
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

/* ---- another receiver while the program runs ---- */

static void write_config(const char *url, const char *more)
{
    FILE *f = fopen("own.toml", "w");
    REQUIRE(f);
    fprintf(f,
            "[telemetry]\nbackend = 'otlp'\notlp_protocol = 'http/protobuf'\n"
            "logs_exporter = 'none'\notlp_endpoint = '%s'\n%s"
            "[telemetry.batch]\nspans_delay_ms = 3600000\n",
            url, more);
    fclose(f);
    CHECK_EQ(chmod("own.toml", 0600), 0);
}

static struct receiver *new_receiver(struct counted *c)
{
    const struct receiver_options how = {.script = count_spans, .arg = c};
    struct receiver *r = receiver_start(&how);
    REQUIRE(r != NULL);
    return r;
}

/* With the receiver of a file, which the tests then change. */
static void start_from_file(const char *url)
{
    static const char *const settings[] = {"system_metrics_interval_secs=0", NULL};
    const struct oriel_options o = {.size = sizeof o, .ring_bytes = 1 << 20, .settings = settings};
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    setenv("ORIEL_CONFIG", "own.toml", 1);
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_config(url, "");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
}

TEST(a_changed_endpoint_gets_what_is_said_from_then_on_and_nothing_is_lost_or_sent_twice)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a));
    emit(11);
    write_config(receiver_url(b), "");
    CHECK_EQ(oriel_inprocess_reload(), 0);
    emit(13);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0); /* of both */
    CHECK_EQ(one.spans, 11);
    CHECK_EQ(other.spans, 13);
    write_config(receiver_url(b), "otlp_compression = 'gzip'\n");
    CHECK_EQ(oriel_inprocess_reload(), 0);
    write_config(receiver_url(a), "");
    CHECK_EQ(oriel_inprocess_reload(), 0);
    emit(17);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(one.spans, 28);
    CHECK_EQ(other.spans, 13);
    receiver_stop(a);
    receiver_stop(b);
}

/* The old one never answers: the new one is not kept waiting, and neither is the stop. */
TEST(a_receiver_that_was_replaced_and_is_silent_keeps_nobody_waiting)
{
    struct counted silent = {.silent = true}, good = {0};
    struct receiver *a = new_receiver(&silent), *b = new_receiver(&good);
    start_from_file(receiver_url(a));
    emit(3);
    write_config(receiver_url(b), "");
    CHECK_EQ(oriel_inprocess_reload(), 0);
    while (receiver_requests(a) == 0) /* what was said to it is on its way */
        sched_yield();
    emit(5);
    CHECK_EQ(oriel_inprocess_flush(0), ORIEL_ETIMEOUT); /* it is waited for by who wants that */
    while (good.spans < 5)
        (void)oriel_inprocess_flush(1);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
    receiver_stop(b);
}

TEST(a_receiver_that_cannot_be_leaves_the_old_one_in_its_place)
{
    struct counted c = {0};
    struct receiver *a = new_receiver(&c);
    start_from_file(receiver_url(a));
    emit(3);
    write_config("https://localhost:1", "otlp_certificate = '/nonexistent/ca.pem'\n");
    CHECK(oriel_inprocess_reload() < 0);
    write_config(receiver_url(a), "traces_exporter = 'none'\n");
    CHECK_EQ(oriel_inprocess_reload(), ORIEL_EUNSUPPORTED); /* nothing would be left */
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(c.spans, 7);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
}

/* More than are remembered at a time: each silent one takes a place until its time is up. */
TEST(too_many_changes_while_receivers_are_silent_are_refused)
{
    struct counted c = {.silent = true};
    struct receiver *a = new_receiver(&c);
    char more[60];
    int rc = 0;
    unsigned changes = 0;
    start_from_file(receiver_url(a));
    while (rc == 0) {
        emit(1);
        snprintf(more, sizeof more, "otlp_timeout_ms = %u\n", 10001 + changes);
        write_config(receiver_url(a), more);
        rc = oriel_inprocess_reload();
        changes += rc == 0;
    }
    CHECK(changes >= SESSION_PAST_MAX);
    CHECK_EQ(rc, ORIEL_EBUSY);
    rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
}

TEST_MAIN()
