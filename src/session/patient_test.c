/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An end that waits for room: nothing is lost to a queue that is smaller than what is given. */
#include "session/patient.h"

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
        REQUIRE(patient_open(&out, d, QUEUE / 2, items / 2) == 0);
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
    REQUIRE(patient_open(&out, d, QUEUE / 2, 0) == 0);
    give(out, 20, 3);
    (void)out_finish(out, UINT64_MAX, true);
    out_fate(out, &fate);
    CHECK_EQ(fate.lost, 60);
    out_close(out);
    receiver_stop(r);
}

TEST_MAIN()
