/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Clients of a real receiver that comes and goes: real connections over HTTP and gRPC, one
 * thread that steps them all, and a time of the test's own. What storm_test.c finds with a
 * receiver that is none holds with one.
 */
#include <math.h>
#include <poll.h>

#include "deliver/inside.h"
#include "deliver/test_destination.h"
#include "receiver.h"
#include "test.h"

enum { CLIENTS = 60, PERIOD = 60, SECONDS = 7 * PERIOD, BIN = 5, EVERY = 10 };
#define SECOND UINT64_C(1000000000)
#define STEP (SECOND / 4)

static uint64_t now_ns;
static atomic_bool is_up;
static unsigned requests[SECONDS];
static struct deliver *clients[CLIENTS];

static uint64_t time_of_test(void *user)
{
    return now_ns;
}

static void answer(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    if (!atomic_load(&is_up))
        a->status = *(const bool *)arg ? GRPC_UNAVAILABLE : 503;
}

/* Until every request has its reply, or nobody is there. */
static void settle(struct deliver *d)
{
    for (;;) {
        struct transport_wait w = {.wake_ns = UINT64_MAX};
        unsigned under_way = 0;
        sender_step(d, now_ns, &w);
        for (unsigned k = 0; k < d->lane_count; k++)
            under_way += d->lanes[k].sending;
        if (under_way == 0 && w.wake_ns > now_ns)
            return;
        if (w.wake_ns > now_ns)
            poll(w.fds, w.count, 1000);
    }
}

static uint64_t tries(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct deliver_counts c;
        destination_total(clients[i], &c);
        n += c.tries;
    }
    return n;
}

static void open_all(const char *url, bool grpc)
{
    struct deliver_options o = destination_options(url, grpc);
    o.now = time_of_test;
    o.patience_ns = UINT64_MAX;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = destination_open(&o);
        for (unsigned k = 0; k < clients[i]->lane_count; k++) /* the same in every run */
            clients[i]->lanes[k].retry.random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    }
}

/* What is given: a message of each client every few seconds. */
static uint64_t run(struct receiver **r, struct receiver_options *ro, bool stops)
{
    uint64_t given = 0;
    for (now_ns = 1000 * SECOND; now_ns < (1000 + SECONDS) * SECOND; now_ns += STEP) {
        unsigned second = (unsigned)(now_ns / SECOND - 1000);
        bool up = second / PERIOD % 2 == 0;
        atomic_store(&is_up, up);
        if (stops && !up && *r) {
            receiver_stop(*r);
            *r = NULL;
        } else if (!*r && up) {
            *r = receiver_start(ro);
        }
        uint64_t before = tries();
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct out_message m = {.signal = OUT_TRACES, .items = 1, .bytes = "x", .n = 1};
            if ((now_ns / STEP + i * EVERY * SECOND / STEP / CLIENTS) % (EVERY * SECOND / STEP) ==
                0) {
                CHECK_EQ(queue_put(clients[i], &m), 0);
                given++;
            }
            settle(clients[i]);
        }
        requests[second] += (unsigned)(tries() - before);
    }
    return given;
}

static void comes_and_goes(bool grpc, bool stops)
{
    struct receiver_options ro = {.grpc = grpc, .script = answer, .arg = &grpc};
    struct receiver *r = receiver_start(&ro);
    double all = 0, peak = 0, counted = 0;
    memset(requests, 0, sizeof requests);
    ro.port = receiver_port(r);
    open_all(receiver_url(r), grpc);
    uint64_t given = run(&r, &ro, stops), sent = tries(), delivered = 0;
    for (unsigned s = 3 * PERIOD; s + BIN <= SECONDS; s += BIN) {
        double here = 0;
        for (unsigned k = s; k < s + BIN; k++)
            here += requests[k];
        peak = fmax(peak, here / BIN);
        all += here;
        counted += BIN;
    }
    printf("mean %.1f/s peak %.1f/s, %.2f requests a message\n", all / counted, peak,
           (double)sent / (double)given);
    CHECK(peak <= 2 * all / counted);
    CHECK(sent <= 2 * given);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct deliver_counts c;
        destination_total(clients[i], &c);
        CHECK_EQ(c.given, c.delivered + c.queued);
        delivered += c.delivered;
        out_close(deliver_out(clients[i]));
    }
    CHECK(delivered * 8 >= given * 6);
    if (r)
        receiver_stop(r);
}

TEST_T(one_that_answers_503_every_now_and_then_is_not_run_over, 300)
{
    comes_and_goes(false, false);
    comes_and_goes(true, false);
}

TEST_T(one_that_is_gone_every_now_and_then_is_not_run_over, 300)
{
    comes_and_goes(false, true);
    comes_and_goes(true, true);
}

TEST_MAIN()
