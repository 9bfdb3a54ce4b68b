/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Destinations whose headers come later, or never. */
#include <stdatomic.h>

#include "base/mem.h"
#include "deliver/deliver.h"
#include "deliver/test_destination.h"
#include "receiver.h"
#include "test.h"

static void note(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    atomic_uint *authorized = arg;
    const char *value = r->header(r, "authorization");
    *authorized += value && strcmp(value, "Bearer late") == 0;
}

TEST(what_is_held_goes_out_with_the_headers_that_come_later)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        atomic_uint authorized = 0;
        struct receiver_options ro = {.grpc = grpc, .script = note, .arg = &authorized};
        struct receiver *r = receiver_start(&ro);
        const struct http_header late = {"Authorization", "Bearer late", 13, 11};
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        o.held = true;
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        struct oriel_err err;
        for (unsigned i = 0; i < 5; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 2), 0);
        CHECK_EQ(deliver_flush(d, clock_mono_ns()), ORIEL_ETIMEOUT);
        destination_total(d, &c);
        CHECK_EQ(c.queued, 10);
        CHECK_EQ(c.tries, 0);
        CHECK_EQ(deliver_admit(d, &late, 1, &err), 0);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        destination_total(d, &c);
        CHECK_EQ(c.delivered, 10);
        out_close(deliver_out(d));
        receiver_stop(r);
        CHECK_EQ(authorized, 5);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST(what_is_barred_is_refused_without_a_word)
{
    struct receiver_options ro = {0};
    struct receiver *r = receiver_start(&ro);
    struct watch w;
    char lines[4096];
    struct deliver_options o = destination_options(receiver_url(r), false);
    o.held = true;
    watch_use(&w, &o, false);
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 3), 0);
    deliver_bar(d);
    CHECK_EQ(destination_put(d, OUT_LOGS, 2, 4), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    destination_total(d, &c);
    CHECK_EQ(c.refused, 7);
    CHECK_EQ(c.given, 7);
    out_close(deliver_out(d));
    CHECK_EQ(receiver_accepted(r), 0);
    receiver_stop(r);
    CHECK_EQ(watch_lines(&w, lines, sizeof lines), 0);
}

TEST(what_is_held_until_the_end_is_lost_and_said_so)
{
    char lines[4096];
    struct watch w;
    struct deliver_options o = destination_options("http://localhost:9", false);
    o.held = true;
    watch_use(&w, &o, false);
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(out_finish(deliver_out(d), clock_mono_ns(), false), 0);
    DESTINATION_UNTIL(d, &c, c.expired == 3);
    out_close(deliver_out(d));
    CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
    CHECK(strstr(lines, "3 items before the end, they are lost (the headers to send have not") !=
          NULL);
}

TEST(headers_that_come_later_are_looked_at_as_others_are)
{
    const struct http_header secret = {"x-api-key", "canary", 9, 6}, bad = {"a b", "c", 3, 1};
    struct deliver_options o = destination_options("http://collector.example:4318", false);
    struct oriel_err err = {0};
    o.held = true;
    for (int i = 0; i < 2; i++) {
        struct deliver *d = destination_open(&o);
        CHECK_EQ(deliver_admit(d, i ? &bad : &secret, 1, &err), ORIEL_EINVAL);
        CHECK(strstr(err.text, i ? "cannot be sent" : "https") && !strstr(err.text, "canary"));
        deliver_bar(d);
        out_close(deliver_out(d));
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST_MAIN()
