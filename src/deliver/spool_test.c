/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "deliver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "random.h"
#include "deliver/test_spool.h"

TEST(messages_come_back_as_they_were_oldest_first)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    bool own;
    for (uint64_t id = 0; id < 20; id++)
        CHECK_EQ(put(s, id, 8 + id * 100), 0);
    for (long long id = 0; id < 20; id++) {
        CHECK_EQ(next(s, &own), id);
        CHECK(own);
        CHECK_EQ(next(s, NULL), id); /* the same until it is done with */
        spool_done(s);
    }
    CHECK_EQ(next(s, NULL), -1);
    struct sums c = counts_of(s);
    CHECK_EQ(c.held, 0);
    CHECK_EQ(c.done, c.put);
    CHECK_EQ(c.messages, 0);
    CHECK_EQ(c.bytes, 0);
    CHECK_EQ(c.damaged, 0);
    spool_close(s);
}

TEST(each_signal_has_its_own_balance)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    struct spool_counts c;
    for (uint64_t id = 0; id < 8; id++) /* 0 and 4 are traces, 1 and 5 logs, ... */
        CHECK_EQ(put(s, id, 100), 0);
    for (long long id = 0; id < 5; id++) {
        CHECK_EQ(next(s, NULL), id);
        spool_done(s);
    }
    spool_counts(s, &c);
    CHECK_EQ(c.own[OUT_TRACES].put, items_of(0) + items_of(4));
    CHECK_EQ(c.own[OUT_TRACES].done, c.own[OUT_TRACES].put);
    CHECK_EQ(c.own[OUT_LOGS].done, items_of(1));
    CHECK_EQ(c.own[OUT_LOGS].held, items_of(5));
    CHECK_EQ(c.own[OUT_PROFILES].put, items_of(3) + items_of(7));
    spool_close(s);
}

TEST(what_repeats_takes_little_room)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    struct out_message m = {.signal = OUT_LOGS, .items = 1, .n = 100000}, got;
    struct buf b;
    bool own;
    buf_init(&b);
    for (size_t i = 0; i < m.n; i++)
        scratch[i] = (char)('a' + i % 13);
    m.bytes = scratch;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(spool_put(s, &m, test_now, NULL), 0);
    CHECK(counts_of(s).bytes < 10000);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(spool_next(s, &got, &b, &own, NULL), 0);
        CHECK_MEM(got.bytes, got.n, m.bytes, m.n);
        spool_done(s);
    }
    buf_done(&b);
    spool_close(s);
}

TEST(an_empty_spool_leaves_nothing_behind)
{
    const char *dir = test_tmpdir();
    char path[512];
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(put(s, 1, 100), 0);
    CHECK_EQ(next(s, NULL), 1);
    spool_done(s);
    CHECK(!find_file(dir, ".spool", path, sizeof path));
    spool_close(s);
    CHECK_EQ(rmdir(dir), 0);
    CHECK_EQ(mkdir(dir, 0700), 0);
}

TEST(what_is_left_is_the_next_ones)
{
    const char *dir = test_tmpdir();
    bool own = true;
    struct spool *s = open_spool(dir, 0, 0);
    for (uint64_t id = 0; id < 5; id++)
        CHECK_EQ(put(s, id, 64), 0);
    CHECK_EQ(next(s, NULL), 0);
    spool_done(s);
    CHECK_EQ(next(s, NULL), 1);
    spool_close(s); /* 1 has no fate yet */
    s = open_spool(dir, 0, 0);
    CHECK(counts_of(s).messages > 0); /* there is something to ask for */
    CHECK_EQ(put(s, 5, 64), 0);
    for (long long id = 1; id <= 5; id++) {
        CHECK_EQ(next(s, &own), id);
        CHECK_EQ(own, id == 5);
        spool_done(s);
    }
    struct sums c = counts_of(s);
    CHECK_EQ(c.adopted, items_of(1) + items_of(2) + items_of(3) + items_of(4));
    CHECK_EQ(c.adopted_done, c.adopted);
    CHECK_EQ(c.done, items_of(5));
    spool_close(s);
}

TEST(another_destination_sees_none_of_it)
{
    const char *dir = test_tmpdir();
    struct spool *s = open_spool(dir, 0, 0), *other;
    struct spool_options o = options_of(dir);
    CHECK_EQ(put(s, 1, 64), 0);
    spool_close(s);
    o.destination = "otlp http http://127.0.0.1:4318";
    REQUIRE(spool_open(&other, &o, NULL) == 0);
    CHECK_EQ(next(other, NULL), -1);
    spool_close(other);
}

TEST(the_oldest_go_when_it_is_full)
{
    struct spool *s = open_spool(test_tmpdir(), 256 << 10, 0);
    struct sums c;
    uint64_t last = 0;
    for (uint64_t id = 0; id < 500; id++) {
        CHECK_EQ(put(s, id, 2000), 0);
        c = counts_of(s);
        CHECK(c.bytes <= 256 << 10);
    }
    CHECK(c.dropped > 0);
    CHECK(c.dropped_seen > 0 && c.dropped_seen < c.dropped);
    CHECK(c.bytes > (256 << 10) * 3 / 4); /* not more than it must */
    long long first = next(s, NULL);
    CHECK(first > 0);
    uint64_t lost = 0;
    for (long long id = 0; id < first; id++)
        lost += items_of((uint64_t)id);
    CHECK_EQ(c.dropped, lost);
    for (long long id = first; id < 500; id++) {
        CHECK_EQ(next(s, NULL), id);
        spool_done(s);
        last = (uint64_t)id;
    }
    CHECK_EQ(last, 499);
    spool_close(s);
}

TEST(a_message_under_way_counts_once_when_its_file_is_dropped)
{
    struct spool *s = open_spool(test_tmpdir(), 64 << 10, 0);
    for (uint64_t id = 0; id < 3; id++)
        CHECK_EQ(put(s, id, 1000), 0);
    CHECK_EQ(next(s, NULL), 0);
    for (uint64_t id = 3; id < 200; id++)
        CHECK_EQ(put(s, id, 1000), 0);
    struct sums c = counts_of(s);
    spool_done(s);
    struct sums after = counts_of(s);
    CHECK_EQ(after.done, items_of(0));
    CHECK_EQ(after.dropped, c.dropped);
    CHECK(next(s, NULL) > 3);
    for (uint64_t id = 200; id < 400; id++)
        CHECK_EQ(put(s, id, 1000), 0);
    CHECK(next(s, NULL) > 200); /* the one before was dropped, not done */
    counts_of(s);
    while (next(s, NULL) >= 0)
        spool_done(s);
    CHECK_EQ(counts_of(s).held, 0);
    spool_close(s);
}

TEST(old_messages_are_given_up)
{
    const char *dir = test_tmpdir();
    struct spool_options o = options_of(dir);
    struct spool *s;
    o.keep_ns = 60 * SECOND;
    REQUIRE(spool_open(&s, &o, NULL) == 0);
    CHECK_EQ(put(s, 1, 64), 0);
    test_now += 50 * SECOND;
    CHECK_EQ(put(s, 2, 64), 0);
    test_now += 20 * SECOND;
    CHECK_EQ(next(s, NULL), 2);
    CHECK_EQ(counts_of(s).dropped, items_of(1));
    test_now -= 3600 * SECOND; /* a clock that was set back: nothing is old */
    CHECK_EQ(next(s, NULL), 2);
    spool_close(s);
}

TEST(too_large_a_message_is_refused_and_drops_nothing)
{
    struct spool *s = open_spool(test_tmpdir(), 128 << 10, 0);
    CHECK_EQ(put(s, 1, 1000), 0);
    CHECK_EQ(put(s, 2, 128 << 10), ORIEL_ELIMIT);
    CHECK_EQ(put(s, 3, 120 << 10), 0); /* larger than a file should be, and alone in one */
    CHECK_EQ(counts_of(s).dropped, items_of(1));
    CHECK_EQ(next(s, NULL), 3);
    spool_close(s);
}

TEST(an_empty_message_and_a_foreign_signal)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    struct out_message m = {.signal = OUT_LOGS, .items = 0, .bytes = NULL, .n = 0}, got;
    struct buf b;
    bool own;
    buf_init(&b);
    CHECK_EQ(spool_put(s, &m, test_now, NULL), 0);
    CHECK_EQ(spool_next(s, &got, &b, &own, NULL), 0);
    CHECK_EQ(got.n, 0);
    CHECK_EQ(got.signal, OUT_LOGS);
    spool_done(s);
    m.signal = OUT_SIGNALS;
    CHECK_EQ(spool_put(s, &m, test_now, NULL), ORIEL_EINVAL);
    m = (struct out_message){.signal = OUT_LOGS, .items = 1, .seen = 2};
    CHECK_EQ(spool_put(s, &m, test_now, NULL), ORIEL_EINVAL);
    buf_done(&b);
    spool_close(s);
}

/* ---- whose directory ---- */

TEST(directories_and_files_are_for_the_owner_alone)
{
    char dir[300], path[512];
    struct stat st;
    umask(0);
    snprintf(dir, sizeof dir, "%s/new/spool", test_tmpdir());
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(put(s, 1, 64), 0);
    CHECK(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    REQUIRE(find_file(dir, ".lock", path, sizeof path));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    *strrchr(path, '/') = 0;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
    spool_close(s);
}

static int open_refused(const char *dir)
{
    struct spool_options o = options_of(dir);
    struct spool *s = NULL;
    struct oriel_err err = {0};
    int rc = spool_open(&s, &o, &err);
    CHECK(rc == 0 || err.text[0]);
    spool_close(s);
    return rc;
}

TEST(directories_of_others_and_links_are_refused)
{
    char path[400], target[400];
    snprintf(path, sizeof path, "%s/open", test_tmpdir());
    REQUIRE(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
    CHECK_EQ(open_refused(path), ORIEL_EPERM);
    REQUIRE(chmod(path, 0700) == 0);
    CHECK_EQ(open_refused(path), 0);
    snprintf(target, sizeof target, "%s/link", test_tmpdir());
    REQUIRE(symlink(path, target) == 0);
    CHECK_EQ(open_refused(target), ORIEL_EPERM);
    CHECK_EQ(open_refused("/dev/null"), ORIEL_EPERM);
    CHECK_EQ(open_refused(""), ORIEL_EINVAL);
    if (geteuid() == 0) {
        REQUIRE(chown(path, 65534, 65534) == 0);
        CHECK_EQ(open_refused(path), ORIEL_EPERM);
    }
}

/* Something else under the name of a file that nobody owns. */
static void plant(const char *dir, int kind)
{
    char path[512], target[512], as[600];
    struct spool *s = open_spool(dir, 0, 0);
    REQUIRE(put(s, 1, 64) == 0);
    spool_close(s);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    snprintf(target, sizeof target, "%s/elsewhere", dir);
    REQUIRE(rename(path, target) == 0);
    snprintf(as, sizeof as, "%s", path);
    switch (kind) {
    case 0:
        REQUIRE(symlink(target, as) == 0);
        break;
    case 1:
        REQUIRE(link(target, as) == 0);
        break;
    case 2:
        REQUIRE(mkfifo(as, 0600) == 0);
        break;
    case 3:
        REQUIRE(rename(target, as) == 0 && chmod(as, 0644) == 0);
        break;
    default:
        REQUIRE(rename(target, as) == 0 && chown(as, 65534, 65534) == 0);
    }
}

TEST(files_that_are_no_plain_files_of_ours_are_left_alone)
{
    for (int kind = 0; kind < (geteuid() == 0 ? 5 : 4); kind++) {
        char dir[300], path[512];
        struct stat st;
        snprintf(dir, sizeof dir, "%s/%d", test_tmpdir(), kind);
        plant(dir, kind);
        struct spool *s = open_spool(dir, 0, 0);
        CHECK_EQ(next(s, NULL), -1);
        CHECK_EQ(put(s, 2, 64), 0);
        CHECK_EQ(next(s, NULL), 2);
        spool_done(s);
        spool_close(s);
        CHECK(find_file(dir, ".spool", path, sizeof path) && lstat(path, &st) == 0);
    }
}

TEST(nothing_of_the_destination_is_in_a_name)
{
    const char *dir = test_tmpdir();
    struct spool_options o = options_of(dir);
    struct spool *s;
    char path[512];
    o.destination = "../../../etc/%s/\n/x";
    REQUIRE(spool_open(&s, &o, NULL) == 0);
    CHECK_EQ(put(s, 1, 64), 0);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    CHECK(strncmp(path, dir, strlen(dir)) == 0);
    CHECK_EQ(strspn(path + strlen(dir), "/0123456789abcdef-.spol"), strlen(path + strlen(dir)));
    spool_close(s);
}

/* ---- disks ---- */

TEST(a_full_disk_keeps_what_it_has_and_nothing_half_written)
{
    char dir[300], path[512];
    struct stat st;
    snprintf(dir, sizeof dir, "%s/small", test_tmpdir());
    REQUIRE(mkdir(dir, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("spool", dir, "tmpfs", 0, "size=128k,mode=0700") != 0)
        test_skip("cannot mount a file system here");
    struct spool *s = open_spool(dir, 0, 0);
    uint64_t taken = 0, refused = 0;
    for (uint64_t id = 0; id < 60; id++) {
        int rc = put(s, id, 5000);
        CHECK(rc == 0 || rc == ORIEL_ENOSPC);
        CHECK(rc == 0 || taken == id - refused);
        taken += rc == 0;
        refused += rc != 0;
        REQUIRE(find_file(dir, ".spool", path, sizeof path) && stat(path, &st) == 0);
        CHECK_EQ(st.st_size, counts_of(s).bytes);
    }
    CHECK(taken > 15 && refused > 10);
    CHECK_EQ(counts_of(s).dropped, 0);
    for (uint64_t id = 0; id < taken; id++) {
        CHECK_EQ(next(s, NULL), (long long)id);
        spool_done(s); /* acknowledging needs no room */
    }
    CHECK_EQ(next(s, NULL), -1);
    CHECK_EQ(put(s, 99, 5000), 0); /* and now there is room again */
    CHECK_EQ(next(s, NULL), 99);
    spool_close(s);
    umount2(dir, MNT_DETACH);
}

TEST(a_limit_of_file_sizes_is_a_full_disk_and_no_signal)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    struct rlimit limit = {20000, 20000};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_EQ(put(s, 0, 10000), 0);
    CHECK_EQ(put(s, 1, 10000), ORIEL_ENOSPC);
    CHECK_EQ(put(s, 2, 1000), 0);
    CHECK_EQ(next(s, NULL), 0);
    spool_done(s);
    CHECK_EQ(next(s, NULL), 2);
    spool_close(s);
    limit.rlim_cur = 1000;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    s = open_spool(test_tmpdir(), 0, 0);
    CHECK_EQ(put(s, 3, 100), ORIEL_ENOSPC);
    CHECK_EQ(counts_of(s).put, 0);
    spool_close(s);
}

TEST(a_host_that_closes_all_descriptors_loses_nothing_and_is_not_written_to)
{
    const char *dir = test_tmpdir();
    char path[512];
    struct stat st;
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(put(s, 0, 100), 0);
    CHECK_EQ(put(s, 1, 100), 0);
    CHECK_EQ(next(s, NULL), 0);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    snprintf(path, sizeof path, "%s/hosts", test_tmpdir());
    for (int i = 0; i < 16; i++)
        REQUIRE(open(path, O_RDWR | O_CREAT, 0600) >= 0); /* in their places */
    spool_done(s);
    CHECK_EQ(put(s, 2, 100), 0);
    long long first = next(s, NULL);
    CHECK(first == 0 || first == 1); /* the mark of 0 had nowhere to go: at most it again */
    while (next(s, NULL) >= 0)
        spool_done(s);
    CHECK_EQ(counts_of(s).held, 0);
    CHECK_EQ(counts_of(s).dropped, 0);
    spool_close(s);
    CHECK(stat(path, &st) == 0 && st.st_size == 0);
    for (int fd = 3; fd < 19; fd++)
        CHECK(fcntl(fd, F_GETFD) >= 0);
}

TEST(errno_of_the_caller_is_kept)
{
    errno = 4711;
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    CHECK_EQ(put(s, 0, 100), 0);
    CHECK_EQ(next(s, NULL), 0);
    spool_done(s);
    CHECK_EQ(next(s, NULL), -1);
    spool_close(s);
    CHECK_EQ(errno, 4711);
}

/* ---- against a model ---- */

struct model {
    uint64_t ids[4096];
    unsigned first, count;
    uint64_t lost; /* items that were skipped */
};

static void model_pop_until(struct model *m, uint64_t id)
{
    while (m->first < m->count && m->ids[m->first] != id)
        m->lost += items_of(m->ids[m->first++]);
    if (m->first == m->count)
        test_fail(__FILE__, __LINE__, "message %llu came out of order or twice",
                  (unsigned long long)id);
}

static uint64_t dropped_of(struct spool *s)
{
    struct sums c = counts_of(s);
    return c.dropped + c.adopted_dropped;
}

static void run_model(unsigned seed)
{
    char dir[300];
    struct model m = {.first = 0};
    uint64_t dropped = 0, id = 0;
    uint64_t random = seed;
    snprintf(dir, sizeof dir, "%s/%u", test_tmpdir(), seed);
    struct spool *s = open_spool(dir, 100 << 10, seed % 2 ? 0 : 16 << 10);
    for (int step = 0; step < 1000; step++) {
        const unsigned op = random_below(&random, 16);
        if (op < 8) {
            CHECK_EQ(put(s, id, 8 + random_below(&random, 3000)), 0);
            m.ids[m.count++] = id++;
        } else if (op < 15) {
            long long got = next(s, NULL);
            if (got >= 0) {
                model_pop_until(&m, (uint64_t)got);
                if (op < 14) {
                    spool_done(s);
                    m.first++;
                }
            }
        } else {
            next(s, NULL); /* settles one that was dropped under way */
            dropped += dropped_of(s);
            spool_close(s);
            s = open_spool(dir, 100 << 10, seed % 2 ? 0 : 16 << 10);
        }
        CHECK(counts_of(s).bytes <= 100 << 10);
        test_stop_if_failed();
    }
    for (long long got; (got = next(s, NULL)) >= 0; m.first++) {
        model_pop_until(&m, (uint64_t)got);
        spool_done(s);
    }
    for (; m.first < m.count; m.first++)
        m.lost += items_of(m.ids[m.first]);
    dropped += dropped_of(s);
    CHECK_EQ(m.lost, dropped);
    CHECK_EQ(counts_of(s).messages, 0);
    CHECK_EQ(counts_of(s).damaged, 0);
    spool_close(s);
}

TEST(random_steps_agree_with_a_queue)
{
    for (unsigned seed = 0; seed < test_times(40); seed++)
        run_model(seed);
}

/* ---- listing ---- */

static void add_listed(void *user, const struct spool_listed *l)
{
    struct spool_listed *out = user;
    unsigned before = out->files;
    *out = *l;
    out->files += before;
}

TEST(a_listing_tells_what_lies_there)
{
    const char *dir = test_tmpdir();
    struct spool_listed l = {.files = 0};
    struct oriel_err err;
    CHECK_EQ(spool_list(dir, add_listed, &l, &err), 0);
    CHECK_EQ(l.files, 0);
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(put(s, 3, 100), 0);
    test_now += 5 * SECOND;
    CHECK_EQ(put(s, 4, 100), 0);
    CHECK_EQ(put(s, 5, 100), 0);
    CHECK_EQ(next(s, NULL), 3);
    spool_done(s);
    CHECK_EQ(spool_list(dir, add_listed, &l, &err), 0);
    CHECK_EQ(l.files, 1);
    CHECK_EQ(l.files_in_use, 1);
    CHECK_STR(l.destination, "otlp grpc http://127.0.0.1:4317");
    CHECK_EQ(l.messages, 2);
    CHECK_EQ(l.items, items_of(4) + items_of(5));
    CHECK_EQ(l.oldest_ns, test_now);
    CHECK_EQ(l.damaged, 0);
    spool_close(s);
    struct spool_options o = options_of(dir);
    o.label = "told";
    REQUIRE(spool_open(&s, &o, NULL) == 0);
    CHECK_EQ(put(s, 6, 100), 0);
    spool_close(s);
    o.destination = NULL;
    o.key = l.key;
    REQUIRE(spool_open(&s, &o, NULL) == 0);
    CHECK_EQ(next(s, NULL), 4);
    spool_close(s);
    l.files = 0;
    CHECK_EQ(spool_list(dir, add_listed, &l, &err), 0);
    CHECK_EQ(l.files_in_use, 0);
    CHECK_EQ(spool_list("/nowhere/at/all", add_listed, &l, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(spool_list("/dev/null", add_listed, &l, &err), ORIEL_EPERM);
    o.key = "../../etc";
    CHECK_EQ(spool_open(&s, &o, &err), ORIEL_EINVAL);
}

TEST(memory_that_runs_out_loses_nothing_that_was_put)
{
    const char *dir = test_tmpdir();
    for (uint64_t n = 1; n < 40; n++) {
        struct spool_options o = options_of(dir);
        struct spool *s = NULL;
        size_t before = mem_live_blocks();
        mem_fail_after(n);
        int rc = spool_open(&s, &o, NULL);
        uint64_t taken = 0;
        for (uint64_t id = 0; rc == 0 && id < 3; id++)
            taken += put(s, id, 100) == 0;
        mem_fail_after(0);
        if (rc == 0) {
            for (; taken > 0; taken--) {
                CHECK(next(s, NULL) >= 0);
                spool_done(s);
            }
            CHECK_EQ(next(s, NULL), -1);
        } else {
            CHECK_EQ(rc, ORIEL_ENOMEM);
        }
        spool_close(s);
        CHECK_EQ(mem_live_blocks(), before);
    }
}

TEST_MAIN()
