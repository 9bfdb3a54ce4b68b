/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Destinations before receivers that answer, refuse, are away or say nothing. */
#include "deliver/deliver.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deliver/test_destination.h"
#include "peer.h"
#include "receiver.h"
#include "test.h"
#include "util/gzip.h"
#include "util/zip.h"

/* ---- what arrives ---- */

struct heard {
    pthread_mutex_t lock;
    unsigned times[1000]; /* of the message of that number */
    unsigned traces, logs, wrong;
    const char *encoding, *agent, *authorization, *path;
    char texts[4][200];
};

static void keep(struct receiver_request *r, const char *name, const char **to, char *text)
{
    const char *value = r->header(r, name);
    if (value) {
        snprintf(text, 200, "%s", value);
        *to = text;
    }
}

static void note(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct heard *h = arg;
    struct buf plain;
    struct zip *zip = NULL;
    const char *body = r->body;
    size_t n = r->body_n;
    buf_init(&plain);
    pthread_mutex_lock(&h->lock);
    keep(r, "user-agent", &h->agent, h->texts[0]);
    keep(r, "authorization", &h->authorization, h->texts[1]);
    if (r->compressed) {
        keep(r, r->header(r, "grpc-encoding") ? "grpc-encoding" : "content-encoding", &h->encoding,
             h->texts[2]);
        if (strcmp(h->encoding, "gzip") == 0)
            CHECK_EQ(gzip_decompress(body, n, 1 << 20, &plain), 0);
        else if (zip_new(&zip, 1) == 0)
            CHECK_EQ(zip_decompress(zip, body, n, 1 << 20, &plain), 0);
        body = plain.data;
        n = plain.size;
    }
    snprintf(h->texts[3], 200, "%s", r->path);
    h->path = h->texts[3];
    h->traces += strstr(r->path, "traces") != NULL;
    h->logs += strstr(r->path, "logs") != NULL;
    unsigned number = n >= 4 ? destination_number(body, n) : 0;
    if (number < 1000)
        h->times[number]++;
    h->wrong += !destination_is_message(body, n);
    pthread_mutex_unlock(&h->lock);
    zip_free(zip);
    buf_done(&plain);
}

static struct heard *heard_new(void)
{
    struct heard *h = calloc(1, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void all_arrive(bool grpc, enum deliver_compression compression, unsigned count)
{
    struct heard *h = heard_new();
    struct receiver_options ro = {.grpc = grpc, .script = note, .arg = h};
    struct receiver *r = receiver_start(&ro);
    struct deliver_options o = destination_options(receiver_url(r), grpc);
    o.compression = compression;
    struct deliver *d = destination_open(&o);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(destination_put(d, i % 3 ? OUT_TRACES : OUT_LOGS, i, 10), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    struct deliver_counts c;
    destination_total(d, &c);
    CHECK_EQ(c.delivered, count * 10);
    CHECK_EQ(c.given, count * 10);
    CHECK_EQ(c.messages, count);
    CHECK_EQ(c.queued, 0);
    CHECK_EQ(c.in_flight, 0);
    CHECK(!c.open);
    out_close(deliver_out(d));
    receiver_stop(r);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(h->times[i], 1);
    CHECK_EQ(h->wrong, 0);
    CHECK_EQ(h->traces + h->logs, count);
    CHECK_STR(h->agent, "oriel/" ORIEL_VERSION_TEXT);
    if (compression)
        CHECK_STR(h->encoding, compression == DELIVER_ZSTD ? "zstd" : "gzip");
    else
        CHECK(h->encoding == NULL);
    free(h);
}

TEST(every_message_arrives_once_over_http)
{
    all_arrive(false, DELIVER_PLAIN, 200);
}

TEST(every_message_arrives_once_over_grpc)
{
    all_arrive(true, DELIVER_PLAIN, 200);
}

TEST(compressed_bodies_are_what_was_given)
{
    all_arrive(false, DELIVER_GZIP, 20);
    all_arrive(false, DELIVER_ZSTD, 20);
    all_arrive(true, DELIVER_GZIP, 20);
    all_arrive(true, DELIVER_ZSTD, 20);
}

TEST(nothing_runs_before_the_first_message)
{
    struct deliver_options o = destination_options("http://127.0.0.1:1", false);
    unsigned before = destination_threads(); /* a sanitizer has one of its own */
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_threads(), before);
    CHECK_EQ(deliver_flush(d, 0), 0);
    CHECK_EQ(out_finish(deliver_out(d), 0, true), 0);
    out_close(deliver_out(d));
    CHECK_EQ(mem_live_blocks(), 0);
}

/* ---- receivers that ask for time ---- */

struct moody {
    int statuses[8]; /* of the first requests; then 200 or OK */
    const char *retry_after, *details, *body;
    _Atomic unsigned seen;
    struct watch *watch;
    uint64_t at_ns[64]; /* when they came, by the test's time */
};

static void answer_moody(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct moody *m = arg;
    if (r->which < 64 && m->watch)
        m->at_ns[r->which] = m->watch->now_ns;
    if (r->which < 8 && m->statuses[r->which]) {
        a->status = m->statuses[r->which];
        a->retry_after = m->retry_after;
        a->details = m->details;
        a->body = m->body;
        a->body_n = m->body ? strlen(m->body) : 0;
    }
    m->seen = r->which + 1;
}

static struct receiver *moody_start(struct moody *m, bool grpc)
{
    struct receiver_options ro = {.grpc = grpc, .script = answer_moody, .arg = m};
    return receiver_start(&ro);
}

TEST(what_is_asked_for_again_is_sent_again)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        int again = grpc ? GRPC_UNAVAILABLE : 503;
        struct moody m = {.statuses = {again, again}};
        struct receiver *r = moody_start(&m, grpc);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        o.first_ns = 1000000;
        struct deliver *d = destination_open(&o);
        CHECK_EQ(destination_put(d, OUT_TRACES, 1, 5), 0);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        struct deliver_counts c;
        destination_total(d, &c);
        CHECK_EQ(c.delivered, 5);
        CHECK_EQ(c.tries, 3);
        CHECK_EQ(c.connections, 1);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

/* RetryInfo{retry_delay{seconds: 30}} in a Status */
static const char retry_30s[] =
    "GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCB4=";

TEST(nobody_comes_before_the_time_a_receiver_asks_for)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct watch w;
        struct moody m = {.statuses = {grpc ? GRPC_UNAVAILABLE : 503},
                          .retry_after = "30",
                          .details = retry_30s,
                          .watch = &w};
        struct receiver *r = moody_start(&m, grpc);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        watch_use(&w, &o, true);
        o.timeout_ns = UINT64_C(1) << 50; /* time runs here */
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        uint64_t began = w.now_ns;
        CHECK_EQ(destination_put(d, OUT_TRACES, 1, 5), 0);
        DESTINATION_UNTIL(d, &c, c.tries == 1 && c.in_flight == 0);
        CHECK_EQ(destination_put(d, OUT_LOGS, 2, 5), 0); /* to the same host: it waits too */
        while (m.seen < 3) {
            w.now_ns += UINT64_C(100000000);
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
        for (unsigned i = 1; i < 3; i++)
            CHECK(m.at_ns[i] >= began + UINT64_C(30000000000));
        DESTINATION_UNTIL(d, &c, c.delivered == 10);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

TEST(what_is_refused_is_counted_and_said_once)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        int never = grpc ? GRPC_INVALID_ARGUMENT : 400;
        struct moody m = {.statuses = {never, never, never}, .body = "bad"};
        struct receiver *r = moody_start(&m, grpc);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct watch w;
        char lines[4096];
        watch_use(&w, &o, false);
        struct deliver *d = destination_open(&o);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 5), 0);
            CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        }
        struct deliver_counts c;
        destination_total(d, &c);
        CHECK_EQ(c.refused, 15);
        CHECK_EQ(c.delivered, 5);
        CHECK_EQ(c.tries, 4);
        CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
        CHECK(strstr(lines, "refused 5 spans") != NULL);
        CHECK(strstr(lines, grpc ? "INVALID_ARGUMENT" : "HTTP 400: bad") != NULL);
        struct out_fate f;
        out_fate(deliver_out(d), &f);
        CHECK_EQ(f.lost, 15);
        CHECK_EQ(f.lost_seen, 6);
        CHECK_EQ(f.held, 0);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

TEST(a_message_that_is_too_large_names_the_remedy)
{
    struct moody m = {.statuses = {413}};
    struct receiver *r = moody_start(&m, false);
    struct deliver_options o = destination_options(receiver_url(r), false);
    struct watch w;
    char lines[4096];
    watch_use(&w, &o, false);
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_LOGS, 1, 5), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
    CHECK(strstr(lines, "max_bytes") != NULL);
    out_close(deliver_out(d));
    receiver_stop(r);
}

static void take_part(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    a->body = "-3 three are old";
    a->body_n = strlen(a->body);
}

TEST(partial_success_counts_what_was_rejected_and_is_never_sent_again)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct receiver_options ro = {.grpc = grpc, .script = take_part};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct watch w;
        char lines[4096];
        watch_use(&w, &o, false);
        struct deliver *d = destination_open(&o);
        CHECK_EQ(destination_put(d, OUT_TRACES, 1, 10), 0);
        CHECK_EQ(destination_put(d, OUT_TRACES, 2, 2), 0); /* more than there are */
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        struct deliver_counts c;
        destination_total(d, &c);
        CHECK_EQ(c.rejected, 5);
        CHECK_EQ(c.delivered, 7);
        CHECK_EQ(c.tries, 2);
        CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
        CHECK(strstr(lines, "rejected") && strstr(lines, "three are old"));
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

/* ---- receivers that are not there ---- */

static struct deliver_options nobody(bool grpc, char *url, size_t n)
{
    snprintf(url, n, "http://127.0.0.1:%u", peer_unused_port());
    struct deliver_options o = destination_options(url, grpc);
    o.first_ns = 1000000;
    o.most_ns = 5000000;
    return o;
}

TEST(an_outage_is_said_once_and_so_is_its_end)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        char path[200], url[220], lines[4096];
        snprintf(path, sizeof path, "%s/s", test_tmpdir());
        snprintf(url, sizeof url, "unix:%s", path);
        struct receiver_options ro = {.grpc = grpc, .unix_path = path};
        receiver_stop(receiver_start(&ro)); /* was there once */
        struct deliver_options o = destination_options(url, grpc);
        o.first_ns = 1000000;
        o.most_ns = 5000000;
        struct watch w;
        watch_use(&w, &o, false);
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        for (unsigned i = 0; i < 20; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        DESTINATION_UNTIL(d, &c, c.tries > 20);
        CHECK(c.open);
        CHECK_EQ(c.queued, 20);
        CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
        CHECK(strstr(lines, url) && strstr(lines, "wait"));
        struct receiver *r = receiver_start(&ro);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        destination_total(d, &c);
        CHECK_EQ(c.delivered, 20);
        CHECK(!c.open);
        CHECK_EQ(watch_lines(&w, lines, sizeof lines), 2);
        CHECK(strstr(lines, "is back") != NULL);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

TEST(the_end_comes_when_it_must_and_says_what_is_lost)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        char url[64], lines[4096];
        struct deliver_options o = nobody(grpc, url, sizeof url);
        struct watch w;
        watch_use(&w, &o, false);
        struct deliver *d = destination_open(&o);
        for (unsigned i = 0; i < 3; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 2), 0);
        CHECK_EQ(deliver_flush(d, clock_mono_ns() + 1000000), ORIEL_ETIMEOUT);
        CHECK_EQ(out_finish(deliver_out(d), 0, false), 0);
        CHECK_EQ(out_finish(deliver_out(d), 0, true), ORIEL_ETIMEOUT);
        struct deliver_counts c;
        deliver_total(d, &c); /* not a moment later */
        CHECK_EQ(c.queued, 0);
        CHECK_EQ(c.expired, 6);
        out_close(deliver_out(d));
        watch_lines(&w, lines, sizeof lines);
        CHECK(strstr(lines, "6 items") && strstr(lines, "lost"));
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

static void say_nothing(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    a->silent = true;
}

TEST(a_receiver_that_never_answers_holds_up_neither_who_sends_nor_the_end)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct receiver_options ro = {.grpc = grpc, .script = say_nothing};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        for (unsigned i = 0; i < 3; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        DESTINATION_UNTIL(d, &c, c.in_flight == 3);
        while (receiver_requests(r) < 3)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        CHECK_EQ(out_finish(deliver_out(d), clock_mono_ns() + 3000000, true), ORIEL_ETIMEOUT);
        deliver_total(d, &c);
        CHECK_EQ(c.queued + c.in_flight, 0);
        CHECK_EQ(c.expired, 3);
        out_close(deliver_out(d)); /* a try may take 60 s: this must not */
        receiver_stop(r);
    }
}

/* Over HTTP a connection for each, four at most; over gRPC eight calls on one. */
TEST(requests_are_under_way_side_by_side)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        const unsigned many = grpc ? 8 : 4;
        struct receiver_options ro = {.grpc = grpc, .script = say_nothing};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        for (unsigned i = 0; i < many; i++)
            CHECK_EQ(destination_put(d, i % 2 ? OUT_TRACES : OUT_LOGS, i, 1), 0);
        while (receiver_requests(r) < many) /* and none was answered */
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        DESTINATION_UNTIL(d, &c, c.in_flight == many);
        CHECK_EQ(c.delivered, 0);
        CHECK_EQ(receiver_accepted(r), grpc ? 1 : many);
        CHECK_EQ(out_finish(deliver_out(d), clock_mono_ns(), true), ORIEL_ETIMEOUT);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

TEST(a_try_that_takes_too_long_is_made_again)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct receiver_options ro = {.grpc = grpc, .script = say_nothing};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct watch w;
        char lines[4096];
        watch_use(&w, &o, true);
        o.timeout_ns = 1000000000;
        o.patience_ns = 20000000000;
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        CHECK_EQ(destination_put(d, OUT_TRACES, 1, 4), 0);
        do { /* time moves a second for each try, and a little in the pauses between */
            destination_total(d, &c);
            uint64_t tries = c.tries;
            w.now_ns += c.in_flight ? UINT64_C(1000000000) : UINT64_C(100000000);
            if (c.in_flight)
                DESTINATION_UNTIL(d, &c, c.in_flight == 0 || c.tries > tries);
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        } while (c.expired == 0);
        CHECK_EQ(c.expired, 4);
        CHECK(c.tries >= 2);
        watch_lines(&w, lines, sizeof lines);
        CHECK(strstr(lines, "no reply within 1000 ms") && strstr(lines, "too long"));
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

/* ---- bounds ---- */

TEST(a_queue_that_is_full_drops_the_newest_and_counts_it)
{
    char url[64], said[4096];
    struct watch w;
    struct deliver_options o = nobody(false, url, sizeof url);
    o.queue_items = 50;
    watch_use(&w, &o, false);
    struct deliver *d = destination_open(&o);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(destination_put(d, OUT_METRICS, i, 10), 0);
    struct deliver_counts c;
    destination_total(d, &c);
    CHECK_EQ(c.full, 30);
    CHECK_EQ(c.queued, 50);
    out_close(deliver_out(d));
    d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_LOGS, 0, 1000), 0); /* alone it may be more than that */
    CHECK_EQ(destination_put(d, OUT_LOGS, 0, 1), 0);
    destination_total(d, &c);
    CHECK_EQ(c.queued, 1000);
    CHECK_EQ(c.full, 1);
    out_close(deliver_out(d));
    watch_lines(&w, said, sizeof said); /* as many lines as the sender looked, but every one */
    unsigned long n, told[2] = {0, 0};
    for (char *at = said; (at = strstr(at, "there is: ")); told[strncmp(at, " log", 4) == 0] += n)
        n = strtoul(at + 10, &at, 10);
    CHECK(told[0] == 30 && told[1] == 1);
}

TEST(memory_stays_within_the_queue)
{
    for (int compression = DELIVER_PLAIN; compression <= DELIVER_ZSTD; compression++) {
        char url[64];
        struct deliver_options o = nobody(true, url, sizeof url);
        o.queue_bytes = 1 << 20;
        o.compression = (enum deliver_compression)compression;
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        size_t empty = mem_live_bytes(), most = 0;
        do {
            CHECK_EQ(destination_put(d, OUT_TRACES, 6, 1), 0);
            destination_total(d, &c);
            size_t live = mem_live_bytes() - empty;
            most = live > most ? live : most;
        } while (c.full < 1000 || c.tries < 20);
        CHECK(most > o.queue_bytes / 2);
        CHECK(most < o.queue_bytes + (1 << 20));
        out_close(deliver_out(d));
    }
}

TEST(who_may_wait_for_room_loses_nothing_to_a_burst)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct receiver_options ro = {.grpc = grpc};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        struct deliver_counts c;
        o.queue_bytes = 16 << 10; /* a few messages */
        o.room_wait_ns = UINT64_C(60000000000);
        struct deliver *d = destination_open(&o);
        for (unsigned i = 0; i < 300; i++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        destination_total(d, &c);
        CHECK_EQ(c.delivered, 300);
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

TEST(nobody_waits_for_room_at_a_receiver_that_fails)
{
    char url[64];
    struct deliver_options o = nobody(true, url, sizeof url);
    struct deliver_counts c;
    o.queue_bytes = 16 << 10;
    o.room_wait_ns = UINT64_C(3600000000000); /* this would end the test */
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 1), 0);
    DESTINATION_UNTIL(d, &c, c.open);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(destination_put(d, OUT_TRACES, i, 1), 0);
    destination_total(d, &c);
    CHECK(c.full > 50);
    out_close(deliver_out(d));
}

TEST(a_message_larger_than_the_queue_is_its_givers_to_count)
{
    char url[64], big[9000] = {0};
    struct deliver_options o = nobody(false, url, sizeof url);
    o.queue_bytes = 8192;
    struct deliver *d = destination_open(&o);
    struct out_message m = {.signal = OUT_LOGS, .items = 1, .bytes = big, .n = sizeof big};
    struct deliver_counts c;
    CHECK_EQ(out_message(deliver_out(d), &m), ORIEL_ELIMIT);
    m.signal = OUT_PROFILES;
    m.n = 10;
    CHECK_EQ(out_message(deliver_out(d), &m), ORIEL_EUNSUPPORTED);
    destination_total(d, &c);
    CHECK_EQ(c.given, 0);
    out_close(deliver_out(d));
}

TEST(without_memory_a_message_is_not_taken_and_nothing_breaks)
{
    char url[64];
    for (uint64_t n = 1; n < 60; n++) {
        struct deliver_options o = nobody(n % 2, url, sizeof url);
        struct deliver *d = NULL;
        struct oriel_err err;
        mem_fail_after(n);
        int rc = deliver_open(&d, &o, &err);
        if (rc == 0)
            rc = destination_put(d, OUT_TRACES, 1, 1);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        struct deliver_counts c;
        if (d)
            destination_total(d, &c);
        out_close(d ? deliver_out(d) : NULL);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

/* In a process of its own: it has memory whatever happens here. */
static pid_t receiver_apart(bool grpc, char *url, size_t n)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct receiver_options ro = {.grpc = grpc};
        struct receiver *r = receiver_start(&ro);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (write(fds[1], receiver_url(r), strlen(receiver_url(r)) + 1) < 0)
            _exit(1);
        close(fds[1]);
        for (;;)
            pause();
    }
    close(fds[1]);
    REQUIRE(child > 0 && read(fds[0], url, n) > 0);
    close(fds[0]);
    return child;
}

TEST(a_moment_without_memory_costs_a_try_and_no_message)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        char url[300];
        pid_t child = receiver_apart(grpc, url, sizeof url);
        for (uint64_t n = 1; n < 120; n++) {
            struct deliver_options o = destination_options(url, grpc);
            struct deliver_counts c;
            o.first_ns = o.most_ns = 1000;
            o.compression = n % 2 ? DELIVER_GZIP : DELIVER_PLAIN;
            struct deliver *d = destination_open(&o);
            mem_fail_after(n);
            int rc = destination_put(d, OUT_TRACES, 1, 1);
            CHECK(rc == 0 || rc == ORIEL_ENOMEM);
            CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
            mem_fail_after(0);
            destination_total(d, &c);
            CHECK_EQ(c.delivered, rc == 0 ? 1 : 0);
            out_close(deliver_out(d));
            CHECK_EQ(mem_live_blocks(), 0);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* ---- hosts and headers ---- */

TEST(one_host_that_is_away_holds_up_no_other)
{
    struct receiver_options ro = {0};
    struct receiver *r = receiver_start(&ro);
    char url[64], own[128];
    struct deliver_options o = nobody(false, url, sizeof url);
    snprintf(own, sizeof own, "%s/my/logs?x=1", receiver_url(r));
    o.endpoints[OUT_LOGS] = own;
    struct deliver *d = destination_open(&o);
    for (unsigned i = 0; i < 50; i++)
        CHECK_EQ(destination_put(d, i % 2 ? OUT_LOGS : OUT_TRACES, i, 1), 0);
    struct deliver_counts c;
    DESTINATION_UNTIL(d, &c, c.delivered == 25);
    CHECK_EQ(c.queued, 25);
    out_close(deliver_out(d));
    receiver_stop(r);
}

TEST(user_and_password_become_a_header_and_are_told_nowhere)
{
    struct heard *h = heard_new();
    struct receiver_options ro = {.script = note, .arg = h};
    struct receiver *r = receiver_start(&ro);
    char url[128];
    snprintf(url, sizeof url, "http://me:p%%40ss@127.0.0.1:%u/base", receiver_port(r));
    struct deliver_options o = destination_options(url, false);
    struct deliver *d = destination_open(&o);
    CHECK(strstr(deliver_out(d)->path, "me") == NULL);
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 1), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    out_close(deliver_out(d));
    receiver_stop(r);
    CHECK_STR(h->authorization, "Basic bWU6cEBzcw==");
    CHECK_STR(h->path, "/base/v1/traces");
    free(h);
}

TEST(a_unix_socket_is_a_receiver_as_any_other)
{
    char path[200], url[300];
    snprintf(path, sizeof path, "%s/s", test_tmpdir());
    for (int grpc = 0; grpc < 2; grpc++) {
        struct heard *h = heard_new();
        struct receiver_options ro = {.grpc = grpc, .unix_path = path, .script = note, .arg = h};
        struct receiver *r = receiver_start(&ro);
        snprintf(url, sizeof url, "unix:%s|/deep", path);
        struct deliver_options o = destination_options(url, grpc);
        struct deliver *d = destination_open(&o);
        CHECK_EQ(destination_put(d, OUT_TRACES, 1, 1), 0);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        out_close(deliver_out(d));
        receiver_stop(r);
        CHECK_STR(h->path, grpc ? "/t.Service/traces" : "/deep/v1/traces");
        free(h);
        unlink(path);
    }
}

/* ---- everything at once ---- */

/* Of every seven requests one is refused, one asks for later, one is taken in part. */
static void answer_this_and_that(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    bool grpc = arg != NULL;
    switch (r->which % 7) {
    case 1:
        a->status = grpc ? GRPC_INVALID_ARGUMENT : 400;
        break;
    case 3:
        a->status = grpc ? GRPC_UNAVAILABLE : 503;
        break;
    case 5:
        a->body = "-1 no";
        a->body_n = 5;
        break;
    default:
        break;
    }
}

static atomic_bool stop_looking;

static void *look_all_the_time(void *arg)
{
    struct deliver_counts c;
    struct out_fate f;
    while (!stop_looking) {
        destination_total(arg, &c);
        out_fate(deliver_out(arg), &f);
        (void)deliver_flush(arg, clock_mono_ns() + 100000);
    }
    return NULL;
}

TEST(figures_add_up_whenever_they_are_looked_at)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct receiver_options ro = {
            .grpc = grpc, .script = answer_this_and_that, .arg = grpc ? &ro : NULL};
        struct receiver *r = receiver_start(&ro);
        struct deliver_options o = destination_options(receiver_url(r), grpc);
        o.first_ns = o.most_ns = 1000;
        o.queue_bytes = 256 << 10;
        o.compression = DELIVER_GZIP;
        struct deliver *d = destination_open(&o);
        struct deliver_counts c;
        pthread_t looker;
        stop_looking = false;
        REQUIRE(pthread_create(&looker, NULL, look_all_the_time, d) == 0);
        for (unsigned i = 0; i < 500; i++)
            CHECK_EQ(destination_put(d, (enum out_signal)(i % 3), i, 1 + i % 5), 0);
        CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
        CHECK_EQ(out_finish(deliver_out(d), destination_in_s(60), true), 0);
        stop_looking = true;
        pthread_join(looker, NULL);
        destination_total(d, &c);
        CHECK_EQ(c.queued, 0);
        CHECK_EQ(c.given, 1500);
        CHECK(c.delivered > 0 && c.refused > 0 && c.rejected > 0);
        CHECK(c.tries > c.messages); /* which is without those that found no room */
        out_close(deliver_out(d));
        receiver_stop(r);
    }
}

/* ---- fork ---- */

TEST(a_child_of_fork_touches_nothing_of_its_parents)
{
    struct receiver_options ro = {.script = say_nothing};
    struct receiver *r = receiver_start(&ro);
    struct deliver_options o = destination_options(receiver_url(r), false);
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    int status;
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 1), 0);
    DESTINATION_UNTIL(d, &c, c.in_flight == 1);
    pid_t child = fork();
    if (child == 0) {
        struct out_fate f;
        bool good = destination_put(d, OUT_TRACES, 2, 1) == ORIEL_ESTATE;
        good = good && deliver_flush(d, UINT64_MAX) == 0;
        good = good && out_finish(deliver_out(d), UINT64_MAX, true) == 0;
        out_fate(deliver_out(d), &f);
        deliver_total(d, &c);
        good = good && f.held == 0 && c.given == 0;
        out_close(deliver_out(d));
        if (good) /* what it cannot take apart is no leak: it is a copy of its parent's */
            execl("/bin/true", "true", (char *)NULL);
        test_leave(1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    destination_total(d, &c);
    CHECK_EQ(c.in_flight, 1);
    out_close(deliver_out(d));
    receiver_stop(r);
}

TEST_MAIN()
