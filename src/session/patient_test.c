/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An end that waits for room: nothing is lost to a queue that is smaller than what is given. */
#include "session/patient.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "deliver/deliver.h"
#include "receiver.h"
#include "test.h"

enum { QUEUE = 65536, MESSAGE = 10000, MESSAGES = 100 };

static void judge(enum out_signal signal, const struct deliver_reply *r,
                  struct deliver_verdict *out)
{
    (void)signal;
    *out = (struct deliver_verdict){.fate = r->status == 200 ? DELIVER_TAKEN : DELIVER_REFUSED};
}

static struct deliver *destination(const char *url, size_t items)
{
    static const char *const paths[OUT_SIGNALS] = {"t", "l"};
    static const struct deliver_dialect dialect = {
        .name = "test", .content_type = "text/plain", .paths = paths, .judge = judge};
    const struct deliver_options how = {.size = sizeof how,
                                        .name = "patient",
                                        .dialect = &dialect,
                                        .endpoint = url,
                                        .queue_bytes = QUEUE,
                                        .queue_items = items};
    struct oriel_err err = {0};
    struct deliver *d = NULL;
    if (deliver_open(&d, &how, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return d;
}

static void give(struct out *out, int messages, uint64_t items)
{
    static const char bytes[MESSAGE];
    const struct out_message m = {
        .signal = OUT_LOGS, .items = items, .bytes = bytes, .n = sizeof bytes};
    for (int i = 0; i < messages; i++)
        CHECK_EQ(out_message(out, &m), 0);
}

TEST(more_than_the_queue_holds_gets_through_whole)
{
    static const struct receiver_options takes_all = {.grpc = false};
    struct receiver *r = receiver_start(&takes_all);
    struct out_fate fate;
    struct deliver_counts c;
    for (size_t items = 0; items <= 40; items += 40) {
        struct deliver *d = destination(receiver_url(r), items);
        struct out *out;
        REQUIRE(patient_open(&out, d,
                             &(struct patient_options){QUEUE / 2, items / 2, NULL, NULL}) == 0);
        CHECK(out_takes_messages(out));
        give(out, MESSAGES, 10);
        CHECK_EQ(out_finish(out, UINT64_MAX, false), 0);
        CHECK_EQ(out_finish(out, UINT64_MAX, true), 0);
        deliver_total(d, &c);
        CHECK_EQ(c.delivered, MESSAGES * 10);
        CHECK_EQ(c.full, 0);
        out_fate(out, &fate);
        CHECK_EQ(fate.lost + fate.held, 0);
        out_close(out);
    }
    receiver_stop(r);
}

static void refuse(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    (void)r;
    (void)arg;
    a->status = 400;
}

TEST(what_is_refused_is_told_by_its_fate)
{
    static const struct receiver_options refuses = {.script = refuse};
    struct receiver *r = receiver_start(&refuses);
    struct deliver *d = destination(receiver_url(r), 0);
    struct out *out;
    struct out_fate fate;
    REQUIRE(patient_open(&out, d, &(struct patient_options){QUEUE / 2, 0, NULL, NULL}) == 0);
    give(out, 20, 3);
    (void)out_finish(out, UINT64_MAX, true);
    out_fate(out, &fate);
    CHECK_EQ(fate.lost, 60);
    out_close(out);
    receiver_stop(r);
}

static bool at_once(void *user)
{
    ++*(int *)user;
    return true;
}

/* Nobody listens where it sends to, and nobody else will meanwhile. */
static struct deliver *destination_nobody_at(int *out_fd, bool attended, uint64_t patience_ns)
{
    static const char *const paths[OUT_SIGNALS] = {"t", "l"};
    static const struct deliver_dialect dialect = {
        .name = "test", .content_type = "text/plain", .paths = paths, .judge = judge};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    char url[64];
    *out_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(*out_fd, (struct sockaddr *)&at, n) == 0);
    REQUIRE(getsockname(*out_fd, (struct sockaddr *)&at, &n) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(at.sin_port));
    const struct deliver_options how = {.size = sizeof how,
                                        .name = "patient",
                                        .dialect = &dialect,
                                        .endpoint = url,
                                        .queue_bytes = QUEUE,
                                        .attended = attended,
                                        .patience_ns = patience_ns};
    struct oriel_err err = {0};
    struct deliver *d = NULL;
    REQUIRE(deliver_open(&d, &how, &err) == 0);
    return d;
}

TEST(who_is_told_to_stop_waits_for_nobody_and_its_books_are_closed)
{
    int fd, asked = 0;
    struct deliver *d = destination_nobody_at(&fd, true, UINT64_C(3600000000000));
    struct deliver_counts c;
    struct out *out;
    const struct patient_options how = {QUEUE / 2, 0, at_once, &asked};
    REQUIRE(patient_open(&out, d, &how) == 0);
    give(out, 20, 3);
    (void)out_finish(out, UINT64_MAX, false);
    (void)out_finish(out, UINT64_MAX, true);
    CHECK(asked > 0);
    deliver_total(d, &c);
    CHECK_EQ(c.given, 60);
    CHECK_EQ(c.full + c.expired, 60);
    CHECK_EQ(c.queued, 0);
    out_close(out);
    close(fd);
}

TEST(who_is_away_for_too_long_is_given_up_with_all_that_waits)
{
    int fd;
    struct deliver *d = destination_nobody_at(&fd, true, 1000000);
    struct deliver_counts c;
    struct out *out;
    const struct patient_options how = {QUEUE / 2, 0, NULL, NULL};
    REQUIRE(patient_open(&out, d, &how) == 0);
    CHECK(!patient_is_vain(d));
    give(out, MESSAGES, 1); /* the queue is not as large: it would wait */
    (void)out_finish(out, UINT64_MAX, true);
    deliver_total(d, &c);
    CHECK_EQ(c.given, MESSAGES);
    CHECK_EQ(c.full + c.expired, MESSAGES);
    CHECK(c.tries < 10); /* nobody is asked again and again for each of them */
    CHECK(patient_is_vain(d));
    out_close(out);
    close(fd);
}

TEST_MAIN()
