/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An outage of ten minutes, in a time of the test's own: to disk, over a kill, and back. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deliver/spool.h"
#include "deliver/test_destination.h"
#include "receiver.h"

#define SECOND UINT64_C(1000000000)
enum { SECONDS = 600, EACH = 1, ALL = SECONDS * EACH, ITEMS = 10000 };

/* Shared with the children: the time, and who arrived how often. */
struct shared {
    _Atomic uint64_t now_ns;
    atomic_uint safe; /* messages below this number are on disk */
    unsigned char times[ALL];
    unsigned wrong;
};

static uint64_t time_of_test(void *user)
{
    return atomic_load(&((struct shared *)user)->now_ns);
}

static struct shared *shared_new(void)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(s != MAP_FAILED);
    atomic_store(&s->now_ns, 1000 * SECOND);
    return s;
}

static struct deliver *open_with_spool(struct shared *s, const char *url, const char *dir)
{
    struct spool_options so = {.size = sizeof so, .directory = dir, .destination = "test"};
    struct deliver_options o = destination_options(url, false);
    REQUIRE(spool_open(&o.spool, &so, NULL) == 0);
    o.now = time_of_test;
    o.user = s;
    o.timeout_ns = 10 * SECOND;
    return destination_open(&o);
}

/* The threads get a moment; then some time has passed. */
static void tick(struct shared *s, uint64_t ns)
{
    poll(NULL, 0, 1);
    atomic_fetch_add(&s->now_ns, ns);
}

/* Until everything given is on disk. The clock goes on: the first tries have to fail. */
static void until_on_disk(struct deliver *d, struct shared *s)
{
    struct deliver_counts c;
    for (destination_total(d, &c); c.queued; destination_total(d, &c))
        tick(s, SECOND / 100);
    CHECK_EQ(c.spooled, c.given);
}

/* The seconds [from, to) of a program whose receiver is away. */
static void run_outage(struct shared *s, const char *url, const char *dir, unsigned from,
                       unsigned to)
{
    struct deliver *d = open_with_spool(s, url, dir);
    for (unsigned i = from; i < to; i++) {
        for (unsigned k = 0; k < EACH; k++)
            CHECK_EQ(destination_put(d, OUT_TRACES, i * EACH + k, ITEMS), 0);
        atomic_fetch_add(&s->now_ns, SECOND);
        until_on_disk(d, s);
        atomic_store(&s->safe, (i + 1) * EACH);
    }
    if (to == SECONDS)
        out_close(deliver_out(d)); /* in good order */
    else
        for (;;)
            pause(); /* until it is killed */
}

static void note(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct shared *s = arg;
    unsigned number = destination_number(r->body, r->body_n);
    if (destination_is_message(r->body, r->body_n) && number < ALL)
        s->times[number]++;
    else
        s->wrong++;
}

static void drain(struct shared *s, uint16_t port, const char *dir)
{
    struct receiver_options ro = {.port = port, .script = note, .arg = s};
    struct receiver *r = receiver_start(&ro);
    struct deliver *d = open_with_spool(s, receiver_url(r), dir);
    struct deliver_counts c;
    while (deliver_drain(d, 0) != 0)
        tick(s, SECOND / 1000);
    destination_total(d, &c);
    CHECK_EQ(c.given, 0);
    CHECK_EQ(c.recovered, (uint64_t)ALL * ITEMS);
    out_close(deliver_out(d));
    receiver_stop(r);
}

TEST_T(ten_minutes_without_a_receiver_and_a_kill_lose_nothing, 300)
{
    const char *dir = test_tmpdir();
    struct shared *s = shared_new();
    struct receiver_options ro = {.script = note, .arg = s};
    struct receiver *r = receiver_start(&ro);
    uint16_t port = receiver_port(r);
    char url[64];
    unsigned missing = 0, twice = 0;
    int status = -1;
    receiver_stop(r); /* and away it is */
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    pid_t pid = fork();
    if (pid == 0) {
        run_outage(s, url, dir, 0, SECONDS / 2);
        _exit(1);
    }
    while (atomic_load(&s->safe) < SECONDS / 2 * EACH)
        REQUIRE(waitpid(pid, NULL, WNOHANG) == 0 && poll(NULL, 0, 1) == 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        run_outage(s, url, dir, SECONDS / 2, SECONDS);
        test_leave(0);
    }
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    drain(s, port, dir);
    for (unsigned i = 0; i < ALL; i++) {
        missing += s->times[i] == 0;
        twice += s->times[i] > 1;
    }
    CHECK_EQ(s->wrong, 0);
    CHECK_EQ(missing, 0);
    CHECK_EQ(twice, 0); /* nothing was under way when it was killed */
}

TEST(a_destination_with_an_empty_spool_is_drained_at_once_and_starts_nothing)
{
    struct shared *s = shared_new();
    struct deliver *d = open_with_spool(s, "http://127.0.0.1:1", test_tmpdir());
    CHECK_EQ(deliver_drain(d, 0), 0);
    CHECK_EQ(destination_threads(), 1);
    out_close(deliver_out(d));
}

TEST(draining_waits_no_longer_than_it_may)
{
    const char *dir = test_tmpdir();
    struct shared *s = shared_new();
    struct spool_options so = {.size = sizeof so, .directory = dir, .destination = "test"};
    struct out_message m = {.signal = OUT_LOGS, .items = 3, .bytes = "x", .n = 1};
    struct spool *spool;
    REQUIRE(spool_open(&spool, &so, NULL) == 0);
    CHECK_EQ(spool_put(spool, &m, clock_unix_ns(), NULL), 0);
    spool_close(spool);
    struct deliver *d = open_with_spool(s, "http://127.0.0.1:1", dir);
    CHECK_EQ(deliver_drain(d, time_of_test(s)), ORIEL_ETIMEOUT);
    out_close(deliver_out(d));
    REQUIRE(spool_open(&spool, &so, NULL) == 0); /* and it is still there */
    struct buf b;
    bool own;
    buf_init(&b);
    CHECK_EQ(spool_next(spool, &m, &b, &own, NULL), 0);
    CHECK_EQ(m.items, 3);
    buf_done(&b);
    spool_close(spool);
}

TEST_MAIN()
