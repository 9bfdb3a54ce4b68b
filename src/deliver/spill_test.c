/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Outages with a disk to wait on: nothing lost, order kept, the next run sends what is left. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "deliver/deliver.h"
#include "deliver/spool.h"
#include "deliver/test_destination.h"
#include "receiver.h"
#include "test.h"

enum { NUMBERS = 4000 };

struct order {
    pthread_mutex_t lock;
    unsigned count, disorders, wrong;
    unsigned times[NUMBERS];
    int last;
};

static void follow(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct order *o = arg;
    int number = r->body_n ? (int)destination_number(r->body, r->body_n) : -1;
    pthread_mutex_lock(&o->lock);
    o->count++;
    o->wrong += !destination_is_message(r->body, r->body_n);
    if (number >= 0 && number < NUMBERS) {
        o->times[number]++;
        o->disorders += number + SPOOL_AHEAD <= o->last;
        o->last = number > o->last ? number : o->last;
    }
    pthread_mutex_unlock(&o->lock);
}

struct place {
    char dir[200], socket[200], url[220];
    struct order order;
    struct receiver_options ro;
    struct watch watch;
    struct deliver_options o;
};

/* A receiver that is not there yet, and a folder for what waits. */
static struct place *place_new(bool grpc)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "%s/spool", test_tmpdir());
    snprintf(p->socket, sizeof p->socket, "%s/s", test_tmpdir());
    snprintf(p->url, sizeof p->url, "unix:%s", p->socket);
    pthread_mutex_init(&p->order.lock, NULL);
    p->ro = (struct receiver_options){
        .grpc = grpc, .unix_path = p->socket, .script = follow, .arg = &p->order};
    p->o = destination_options(p->url, grpc);
    p->o.first_ns = 1000000;
    p->o.most_ns = 5000000;
    watch_use(&p->watch, &p->o, false);
    return p;
}

static struct deliver *open_spooled(struct place *p, uint64_t max_bytes)
{
    const struct spool_options so = {.size = sizeof so,
                                     .directory = p->dir,
                                     .destination = p->url,
                                     .max_bytes = max_bytes,
                                     .file_bytes = max_bytes ? max_bytes / 8 : 0};
    struct oriel_err err = {0};
    if (spool_open(&p->o.spool, &so, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return destination_open(&p->o);
}

TEST(an_outage_loses_nothing_and_keeps_the_order)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct place *p = place_new(grpc);
        struct deliver *d = open_spooled(p, 0);
        struct deliver_counts c;
        char lines[4096];
        for (unsigned i = 0; i < 500; i++)
            CHECK_EQ(destination_put(d, i % 2 ? OUT_LOGS : OUT_TRACES, i, 3), 0);
        DESTINATION_UNTIL(d, &c, c.spooled >= 1400 && c.open);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0); /* on disk is safe */
        struct out_fate f;
        out_fate(deliver_out(d), &f);
        CHECK_EQ(f.lost, 0);
        CHECK_EQ(f.held, 1500);
        struct receiver *r = receiver_start(&p->ro);
        for (unsigned i = 500; i < 600; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 3), 0);
        DESTINATION_UNTIL(d, &c, c.delivered == 1800);
        CHECK_EQ(c.spooled, 0);
        CHECK_EQ(c.recovered, 0);
        out_close(deliver_out(d));
        receiver_stop(r);
        CHECK_EQ(p->order.count, 600);
        CHECK_EQ(p->order.wrong, 0);
        for (unsigned i = 0; i < 600; i++)
            CHECK_EQ(p->order.times[i], 1);
        CHECK_EQ(watch_lines(&p->watch, lines, sizeof lines), 2);
        CHECK(strstr(lines, "disk") && strstr(lines, "is back"));
        free(p);
    }
}

TEST(what_came_from_disk_is_older_than_all_that_is_sent_later)
{
    struct place *p = place_new(false);
    struct deliver *d = open_spooled(p, 0);
    struct deliver_counts c;
    for (unsigned i = 0; i < 300; i++)
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
    DESTINATION_UNTIL(d, &c, c.spooled == 300);
    struct receiver *r = receiver_start(&p->ro);
    DESTINATION_UNTIL(d, &c, c.delivered == 300);
    CHECK_EQ(p->order.disorders, 0);
    out_close(deliver_out(d));
    receiver_stop(r);
    free(p);
}

static void say_nothing(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    a->silent = r->which > 0;
}

TEST(what_is_on_disk_goes_out_as_many_at_once_as_anything_else)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct place *p = place_new(grpc);
        struct deliver *d = open_spooled(p, 0);
        struct deliver_counts c;
        const unsigned at_once = grpc ? 8 : 4;
        for (unsigned i = 0; i < 30; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        DESTINATION_UNTIL(d, &c, c.spooled == 30);
        out_close(deliver_out(d)); /* in the next run there is no pace */
        p->ro.script = say_nothing;
        struct receiver *r = receiver_start(&p->ro);
        d = open_spooled(p, 0);
        CHECK_EQ(deliver_drain(d, 0), ORIEL_ETIMEOUT);
        DESTINATION_UNTIL(d, &c, receiver_requests(r) == 1 + at_once && c.recovered == 1);
        out_close(deliver_out(d));
        receiver_stop(r);
        p->ro.script = follow; /* and those that had no answer come once more, first */
        r = receiver_start(&p->ro);
        d = open_spooled(p, 0);
        CHECK_EQ(deliver_drain(d, destination_in_s(60)), 0);
        out_close(deliver_out(d));
        receiver_stop(r);
        CHECK_EQ(p->order.count, 29);
        for (unsigned i = 1; i < 30; i++)
            CHECK_EQ(p->order.times[i], 1);
        free(p);
    }
}

TEST(the_next_run_sends_what_one_left_behind)
{
    struct place *p = place_new(true);
    struct deliver *d = open_spooled(p, 0);
    struct deliver_counts c;
    char lines[4096];
    for (unsigned i = 0; i < 50; i++)
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 2), 0);
    CHECK_EQ(out_finish(deliver_out(d), clock_mono_ns(), true), ORIEL_ETIMEOUT);
    deliver_total(d, &c);
    CHECK_EQ(c.queued, 0);
    CHECK_EQ(c.spooled, 100);
    out_close(deliver_out(d));
    watch_lines(&p->watch, lines, sizeof lines);
    CHECK(strstr(lines, "on disk") != NULL); /* at the end, or when the outage began */
    CHECK_EQ(mem_live_blocks(), 0);

    struct receiver *r = receiver_start(&p->ro);
    d = open_spooled(p, 0);
    CHECK_EQ(destination_put(d, OUT_TRACES, 50, 2), 0);
    DESTINATION_UNTIL(d, &c, c.recovered == 100 && c.delivered == 2);
    CHECK_EQ(c.given, 2);
    out_close(deliver_out(d));
    receiver_stop(r);
    for (unsigned i = 0; i < 51; i++)
        CHECK_EQ(p->order.times[i], 1);
    CHECK_EQ(p->order.last, 50); /* after all that is older */
    free(p);
}

TEST(a_spool_that_is_full_drops_the_oldest_and_counts_it)
{
    struct place *p = place_new(false);
    struct deliver *d = open_spooled(p, 64 << 10);
    struct deliver_counts c;
    for (unsigned i = 0; i < 400; i++) {
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        destination_total(d, &c);
    }
    DESTINATION_UNTIL(d, &c, c.queued == 0);
    CHECK(c.spool_lost > 0 && c.spooled > 0);
    CHECK_EQ(c.full, 0);
    struct receiver *r = receiver_start(&p->ro);
    DESTINATION_UNTIL(d, &c, c.spooled == 0);
    CHECK_EQ(c.delivered + c.spool_lost, 400);
    unsigned oldest = 0; /* the very first may have been under way */
    for (unsigned i = 0; i < 100; i++)
        oldest += p->order.times[i];
    CHECK(oldest <= 1);
    CHECK_EQ(p->order.times[399], 1); /* the newest are there */
    CHECK_EQ(p->order.count, c.delivered);
    out_close(deliver_out(d));
    receiver_stop(r);
    free(p);
}

static void refuse(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    a->status = 400;
}

TEST(what_a_receiver_refuses_leaves_the_disk_too)
{
    struct place *p = place_new(false);
    struct deliver *d = open_spooled(p, 0);
    struct deliver_counts c;
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
    DESTINATION_UNTIL(d, &c, c.spooled == 20);
    p->ro.script = refuse;
    struct receiver *r = receiver_start(&p->ro);
    DESTINATION_UNTIL(d, &c, c.refused == 20);
    CHECK_EQ(c.spooled, 0);
    out_close(deliver_out(d));
    receiver_stop(r);
    free(p);
}

/* A receiver that is too slow for what comes: the disk takes what the queue should not. */
static void answer_when_told(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct order *o = arg;
    pthread_mutex_lock(&o->lock); /* held by the test until it has filled the queue */
    pthread_mutex_unlock(&o->lock);
    follow(r, a, arg);
}

TEST(a_queue_over_half_full_goes_to_disk_before_it_is_full)
{
    struct place *p = place_new(false);
    p->ro.script = answer_when_told;
    p->o.queue_bytes = 64 << 10;
    struct receiver *r = receiver_start(&p->ro);
    struct deliver *d = open_spooled(p, 0);
    struct deliver_counts c;
    pthread_mutex_lock(&p->order.lock);
    for (unsigned i = 0; i < 200; i++) {
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        DESTINATION_UNTIL(d, &c, c.queued < 30); /* the disk keeps up */
    }
    CHECK_EQ(c.full, 0);
    CHECK(c.spooled > 100);
    CHECK(!c.open);
    pthread_mutex_unlock(&p->order.lock);
    DESTINATION_UNTIL(d, &c, c.delivered == 200);
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQ(p->order.times[i], 1);
    out_close(deliver_out(d));
    receiver_stop(r);
    free(p);
}

TEST_MAIN()
