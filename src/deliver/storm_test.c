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
    uint64_t now_ns;
    unsigned requests[SECONDS];
    unsigned early; /* before the time that was asked for */
    unsigned retry_after_s;
    bool (*is_up)(uint64_t now_ns);
} sim;

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
    bool up = sim.is_up(now_ns);
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
static void run(bool (*is_up)(uint64_t), unsigned retry_after_s)
{
    struct deliver_options o = destination_options("http://127.0.0.1:1", false);
    o.now = sim_now;
    o.patience_ns = UINT64_MAX;
    sim = (struct sim){.is_up = is_up, .retry_after_s = retry_after_s};
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
            if ((sim.now_ns + i * STEP) % (10 * SECOND) == 0)
                CHECK_EQ(queue_put(clients[i], &m), 0);
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

static void rates(unsigned from, unsigned to, unsigned bin, double *out_mean, double *out_peak)
{
    double sum = 0;
    *out_peak = 0;
    for (unsigned s = from; s < to; s += bin) {
        double here = 0;
        for (unsigned k = s; k < s + bin && k < to; k++)
            here += sim.requests[k];
        sum += here;
        *out_peak = fmax(*out_peak, here / bin);
    }
    *out_mean = sum / (to - from);
}

static bool never(uint64_t now_ns)
{
    return false;
}

TEST(an_outage_is_no_storm)
{
    double mean, peak;
    run(never, 0);
    rates(60, SECONDS, 5, &mean, &peak);
    printf("outage: mean %.1f/s peak %.1f/s\n", mean, peak);
    CHECK(peak <= 2 * mean);
    CHECK(mean < CLIENTS / 8.0); /* of some 15 s each */
    CHECK_EQ(end_all(), 0);
}

static bool every_other_minute(uint64_t now_ns)
{
    return now_ns / (60 * SECOND) % 2 == 0;
}

TEST(a_receiver_that_comes_and_goes_is_not_run_over)
{
    double mean, peak;
    run(every_other_minute, 0);
    rates(60, SECONDS, 5, &mean, &peak);
    printf("flapping: mean %.1f/s peak %.1f/s\n", mean, peak);
    CHECK(peak <= 3 * mean); /* with what piled up, and first tries of all in one minute */
    CHECK(end_all() > 0);
}

TEST(nobody_comes_before_the_time_asked_for_and_not_all_just_after_it)
{
    double mean, peak;
    run(every_other_minute, 20);
    rates(60, SECONDS, 5, &mean, &peak);
    printf("asked: mean %.1f/s peak %.1f/s\n", mean, peak);
    CHECK(peak <= 5 * mean);
    CHECK_EQ(sim.early, 0);
    CHECK(end_all() > 0);
}

TEST_MAIN()
