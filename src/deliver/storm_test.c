/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Many clients of one receiver that comes and goes, in simulated time: no thread, no
 * socket, no clock. What the receiver hears must not come in storms.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "deliver/inside.h"
#include "deliver/test_destination.h"
#include "test.h"

enum { CLIENTS = 200, SECONDS = 1200 };
#define SECOND UINT64_C(1000000000)
#define STEP (SECOND / 20)

static struct sim {
    uint64_t now_ns, given;
    unsigned requests[SECONDS];
    unsigned period_s; /* up for so long, then away for so long */
    unsigned early;    /* before the time that was asked for */
    unsigned retry_after_s;
} sim;

static bool is_up(uint64_t now_ns)
{
    return sim.period_s && now_ns / (sim.period_s * SECOND) % 2 == 0;
}

/* A transport whose receiver is the simulation. */
struct fake {
    struct transport base;
    struct transport_job *job;
    uint64_t asked_ns; /* this client may not come before */
};

static int fake_start(struct transport *t, struct transport_job *j, uint64_t now_ns)
{
    struct fake *f = (struct fake *)t;
    if (f->job)
        return ORIEL_EBUSY;
    f->job = j;
    sim.requests[now_ns / SECOND]++;
    sim.early += now_ns < f->asked_ns;
    return 0;
}

static struct transport_job *fake_step(struct transport *t, uint64_t now_ns,
                                       struct deliver_reply *reply)
{
    struct fake *f = (struct fake *)t;
    struct transport_job *j = f->job;
    if (!j)
        return NULL;
    bool up = is_up(now_ns);
    f->job = NULL;
    j->rc = 0;
    *reply = (struct deliver_reply){.status = up ? 200 : 503, .text = ""};
    if (!up && sim.retry_after_s) {
        reply->has_delay = true;
        reply->delay_ns = sim.retry_after_s * SECOND;
        f->asked_ns = now_ns + reply->delay_ns;
    }
    return j;
}

static void fake_cancel(struct transport *t, struct transport_job *j)
{
    ((struct fake *)t)->job = NULL;
}

static void fake_wait(struct transport *t, struct transport_wait *w)
{
}

static uint64_t fake_connections(const struct transport *t)
{
    return 1;
}

static void fake_free(struct transport *t)
{
    mem_free(t);
}

static int fake_new(struct transport **out, const struct transport_options *o)
{
    static const struct transport_ops ops = {1,         fake_start,       fake_step, fake_cancel,
                                             fake_wait, fake_connections, fake_free};
    struct fake *f = mem_calloc(1, sizeof *f);
    f->base.ops = &ops;
    *out = &f->base;
    return 0;
}

static uint64_t sim_now(void *user)
{
    return sim.now_ns;
}

static struct deliver *clients[CLIENTS];

/* Each has a message every ten seconds, at a moment of its own. */
static void run(unsigned period_s, unsigned retry_after_s)
{
    struct deliver_options o = destination_options("http://127.0.0.1:1", false);
    o.now = sim_now;
    o.patience_ns = UINT64_MAX;
    sim = (struct sim){.period_s = period_s, .retry_after_s = retry_after_s};
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = destination_open(&o);
        clients[i]->make_transport = fake_new;
        for (unsigned k = 0; k < clients[i]->lane_count; k++) /* the same in every run */
            clients[i]->lanes[k].retry.random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    }
    for (; sim.now_ns < SECONDS * SECOND; sim.now_ns += STEP)
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct out_message m = {.signal = OUT_TRACES, .items = 1, .bytes = "x", .n = 1};
            struct transport_wait w = {.wake_ns = UINT64_MAX};
            if ((sim.now_ns + i * STEP) % (10 * SECOND) == 0) {
                CHECK_EQ(queue_put(clients[i], &m), 0);
                sim.given++;
            }
            sender_step(clients[i], sim.now_ns, &w);
        }
}

static uint64_t end_all(void)
{
    struct deliver_counts c;
    uint64_t delivered = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        destination_total(clients[i], &c);
        delivered += c.delivered;
        CHECK_EQ(c.given, c.delivered + c.queued);
        out_close(deliver_out(clients[i]));
    }
    return delivered;
}

/* Requests a second from `from` on: at a mean, and in the worst five seconds. With `up_only` the
 * mean is of the time when somebody is there. */
static void rates(unsigned from, bool up_only, double *out_mean, double *out_peak)
{
    enum { BIN = 5 };
    double sum = 0;
    unsigned counted = 0;
    *out_peak = 0;
    for (unsigned s = from; s + BIN <= SECONDS; s += BIN) {
        double here = 0;
        for (unsigned k = s; k < s + BIN; k++)
            here += sim.requests[k];
        *out_peak = fmax(*out_peak, here / BIN);
        if (up_only && !is_up(s * SECOND))
            continue;
        sum += here;
        counted += BIN;
    }
    *out_mean = sum / counted;
}

static double requests_for_each_message(void)
{
    double all = 0;
    for (unsigned s = 0; s < SECONDS; s++)
        all += sim.requests[s];
    return all / (double)sim.given;
}

static void show(const char *what, double mean, double peak)
{
    printf("%s: mean %.1f/s peak %.1f/s (%.2fx), %.2f requests a message\n", what, mean, peak,
           peak / mean, requests_for_each_message());
}

TEST(an_outage_is_no_storm)
{
    double mean, peak;
    run(0, 0);
    rates(60, false, &mean, &peak);
    show("outage", mean, peak);
    CHECK(peak <= 2 * mean);
    CHECK(mean < CLIENTS / 8.0); /* of some 15 s each */
    CHECK_EQ(end_all(), 0);
}

/* From the second time on: that it will come and go nobody knows at the first. */
TEST(a_receiver_that_comes_and_goes_is_not_run_over)
{
    static const unsigned periods_s[] = {10, 20, 30, 60, 120, 180};
    for (unsigned i = 0; i < sizeof periods_s / sizeof *periods_s; i++) {
        double mean, peak;
        char what[40];
        snprintf(what, sizeof what, "away every other %u s", periods_s[i]);
        run(periods_s[i], 0);
        rates(3 * periods_s[i], false, &mean, &peak);
        show(what, mean, peak);
        CHECK(peak <= 2 * mean);
        CHECK(requests_for_each_message() <= 2);
        /* What it takes is what was given, but for that of the end. */
        CHECK(end_all() * 8 >= sim.given * 7);
    }
}

TEST(the_first_outage_is_none_either)
{
    double mean, peak;
    run(60, 0);
    rates(60, false, &mean, &peak);
    show("with the first outage", mean, peak);
    CHECK(peak <= 2.5 * mean);
    CHECK(end_all() > 0);
}

TEST(nobody_comes_before_the_time_asked_for_and_not_all_just_after_it)
{
    double mean, peak;
    run(60, 20);
    rates(60, true, &mean, &peak); /* with what could not come in the other minutes */
    show("asked for 20 s", mean, peak);
    CHECK(peak <= 2 * mean);
    CHECK(requests_for_each_message() <= 2);
    CHECK_EQ(sim.early, 0);
    CHECK(end_all() > 0);
}

TEST_MAIN()
