/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Outlets that are changed while this very process runs: files end whole, receivers get each span
 * once, whatever the old one, its vault, or the new file does.
 */
#include <dirent.h>
#include <oriel/exporter.h>
#include <oriel/propagation.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/err.h"
#include "rec/rec.h"
#include "session/inprocess.h"
#include "session/session.h"
#include "session/test_receiver.h"
#include "session/test_reload.h"

static char dir[512];

static struct oriel_options options(const char *outlets)
{
    snprintf(dir, sizeof dir, "%s/traces", test_tmpdir());
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    return (struct oriel_options){.size = sizeof(struct oriel_options),
                                  .outlets = outlets,
                                  .directory = dir,
                                  .ring_bytes = 1 << 20};
}

/* Whole at any time: the export looks at it by itself, too. */
static void write_file(const char *text)
{
    char path[600], part[600];
    snprintf(path, sizeof path, "%s/own.toml", test_tmpdir());
    snprintf(part, sizeof part, "%s/own.part", test_tmpdir());
    FILE *f = fopen(part, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
    CHECK_EQ(chmod(part, 0600), 0);
    CHECK_EQ(rename(part, path), 0);
    setenv("ORIEL_CONFIG", path, 1);
}

/* ---- files ---- */

/* How many spans are in all files of `where` with this suffix; *out_files: so many. */
static uint64_t spans_below(const char *where, int *out_files)
{
    uint64_t n = 0;
    *out_files = 0;
    DIR *d = opendir(where);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char path[1100];
        struct session *s;
        struct session_counts c;
        if (!strstr(e->d_name, ".oriel"))
            continue;
        snprintf(path, sizeof path, "%s/%s", where, e->d_name);
        REQUIRE(session_new(&s, "file", path, NULL, NULL) == 0);
        CHECK_EQ(session_run(s, NULL), SOURCE_END);
        session_get_counts(s, &c);
        CHECK_EQ(c.damage.records, 0);
        n += c.by_type[ORIEL_REC_BEGIN];
        session_free(s);
        ++*out_files;
    }
    if (d)
        closedir(d);
    return n;
}

/* Every file is whole, and each span is in one of them: the one of its time. */
TEST(a_changed_file_opens_new_outlets_and_ends_the_old_ones)
{
    struct oriel_options o = options(NULL);
    char text[1000], other[600];
    int files;
    snprintf(other, sizeof other, "%s/other", test_tmpdir());
    snprintf(text, sizeof text, "[telemetry]\noutlets = 'capture'\ntrace_dir = '%s'\n", dir);
    o.directory = NULL;
    write_file(text);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(3);
    {
        ORIEL_SPAN("inprocess.across");
        snprintf(text, sizeof text,
                 "[telemetry]\noutlets = ['capture', 'chrome']\ntrace_dir = '%s'\n", other);
        write_file(text);
        CHECK_EQ(reload(), 0);
        CHECK_EQ(spans_below(dir, &files), 4); /* whole by now */
        CHECK_EQ(files, 1);
    }
    emit(5);
    snprintf(text, sizeof text, "[telemetry]\noutlets = 'capture'\ntrace_dir = '%s'\n", other);
    write_file(text);
    CHECK_EQ(reload(), 0); /* in the same second perhaps: another name */
    emit(7);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    CHECK_EQ(spans_below(dir, &files), 4);
    CHECK_EQ(spans_below(other, &files), 12);
    CHECK_EQ(files, 2);
}

static int files_in(const char *where)
{
    int n = 0;
    DIR *d = opendir(where);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* The second of the new outlets cannot be: neither is the first, nor a file of it. */
TEST(outlets_stay_when_one_of_the_new_ones_does_not_open)
{
    struct oriel_options o = options(NULL);
    char text[1000], other[600];
    snprintf(other, sizeof other, "%s/other", test_tmpdir());
    o.directory = NULL;
    snprintf(text, sizeof text, "[telemetry]\noutlets = 'capture'\ntrace_dir = '%s'\n", dir);
    write_file(text);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(3);
    snprintf(text, sizeof text,
             "[telemetry]\noutlets = ['capture', 'telepathy']\ntrace_dir = '%s'\n", other);
    write_file(text);
    CHECK_EQ(reload(), ORIEL_EINVAL);
    CHECK_EQ(files_in(other), 0);
    write_file("[telemetry]\noutlets = 'capture'\ntrace_dir = '/proc/none'\n");
    CHECK(reload() < 0);
    emit(4);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    int files;
    CHECK_EQ(spans_below(dir, &files), 7);
    CHECK_EQ(files, 1);
}

/* The record path sees the reader's word in the ring: nobody has to call it. */
TEST(new_rates_reach_what_is_told_of_a_trace_elsewhere_by_themselves)
{
    static const struct {
        const char *sampler;
        int sampled;
    } rows[] = {{"always_off", 0}, {"always_on", 1}, {"parentbased_always_off", 0}};
    struct oriel_options o = options("capture");
    struct oriel_context now;
    char text[200];
    write_file("[telemetry]\n");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    {
        ORIEL_SPAN("first");
        CHECK(oriel_context_current(&now) && now.flags & ORIEL_TRACE_SAMPLED);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "[telemetry]\nsampler = '%s'\n", rows[i].sampler);
        write_file(text);
        CHECK_EQ(reload(), 0);
        ORIEL_SPAN("then");
        CHECK(oriel_context_current(&now));
        CHECK_EQ((now.flags & ORIEL_TRACE_SAMPLED) != 0, rows[i].sampled);
    }
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
}

/* ---- another receiver while the program runs ---- */

static void write_config(const char *url, const char *more)
{
    char text[2000];
    snprintf(text, sizeof text,
             "[telemetry]\nbackend = 'otlp'\notlp_protocol = 'http/protobuf'\n"
             "logs_exporter = 'none'\notlp_endpoint = '%s'\n%s\n"
             "[telemetry.batch]\nspans_delay_ms = 3600000\n",
             url, more);
    write_file(text);
}

static struct receiver *new_receiver(struct counted *c)
{
    const struct receiver_options how = {.script = count_spans, .arg = c};
    struct receiver *r = receiver_start(&how);
    REQUIRE(r != NULL);
    return r;
}

/* With the receiver of a file, which the tests then change. */
static void start_from_file(const char *url, const char *more)
{
    static const char *const settings[] = {"system_metrics_interval_secs=0", NULL};
    const struct oriel_options o = {.size = sizeof o, .ring_bytes = 1 << 20, .settings = settings};
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    write_config(url, more);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
}

TEST(a_changed_endpoint_gets_what_is_said_from_then_on_and_nothing_is_lost_or_sent_twice)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a), "");
    emit(11);
    write_config(receiver_url(b), "");
    CHECK_EQ(reload(), 0);
    emit(13);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0); /* of both */
    CHECK_EQ(one.spans, 11);
    CHECK_EQ(other.spans, 13);
    write_config(receiver_url(b), "otlp_compression = 'gzip'\n");
    CHECK_EQ(reload(), 0);
    write_config(receiver_url(a), "");
    CHECK_EQ(reload(), 0);
    emit(17);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(one.spans, 28);
    CHECK_EQ(other.spans, 13);
    receiver_stop(a);
    receiver_stop(b);
}

/* The old one never answers: the new one is not kept waiting, and neither is the stop. */
TEST(a_receiver_that_was_replaced_and_is_silent_keeps_nobody_waiting)
{
    struct counted silent = {.silent = true}, good = {0};
    struct receiver *a = new_receiver(&silent), *b = new_receiver(&good);
    start_from_file(receiver_url(a), "");
    emit(3);
    write_config(receiver_url(b), "");
    CHECK_EQ(reload(), 0);
    while (receiver_requests(a) == 0) /* what was said to it is on its way */
        sched_yield();
    emit(5);
    CHECK_EQ(oriel_inprocess_flush(0), ORIEL_ETIMEOUT); /* it is waited for by who wants that */
    while (good.spans < 5)
        (void)oriel_inprocess_flush(1);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
    receiver_stop(b);
}

TEST(a_receiver_that_cannot_be_leaves_the_old_one_in_its_place)
{
    struct counted c = {0};
    struct receiver *a = new_receiver(&c);
    start_from_file(receiver_url(a), "");
    emit(3);
    write_config("https://localhost:1", "otlp_certificate = '/nonexistent/ca.pem'\n");
    CHECK(reload() < 0);
    write_config(receiver_url(a), "traces_exporter = 'none'\n");
    CHECK_EQ(reload(), ORIEL_EUNSUPPORTED); /* nothing would be left */
    emit(4);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK_EQ(c.spans, 7);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
}

/* More than are remembered at a time: each silent one takes a place until its time is up. */
TEST(too_many_changes_while_receivers_are_silent_are_refused)
{
    struct counted c = {.silent = true};
    struct receiver *a = new_receiver(&c);
    char more[60];
    int rc = 0;
    unsigned changes = 0;
    start_from_file(receiver_url(a), "");
    while (rc == 0) {
        emit(1);
        snprintf(more, sizeof more, "otlp_timeout_ms = %u\n", 10001 + changes);
        write_config(receiver_url(a), more);
        rc = reload();
        changes += rc == 0;
    }
    CHECK(changes >= SESSION_PAST_MAX);
    CHECK_EQ(rc, ORIEL_EBUSY);
    rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
}

/* Whoever is replaced, they get everything and are shut down once. */
TEST(exporters_of_the_program_stay_when_files_and_receivers_are_changed)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    const struct oriel_view_span *spans[20];
    struct oriel_memory *memory = oriel_inprocess_memory_new(100);
    REQUIRE(memory && oriel_inprocess_memory_add(memory) == 0);
    start_from_file(receiver_url(a), "");
    emit(3);
    write_config(receiver_url(b), "traces_exporter = 'otlp'\n[telemetry.otlp]\nretry_for = '2s'\n");
    CHECK_EQ(reload(), 0); /* of both kinds */
    emit(4);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(oriel_inprocess_memory_spans(memory, spans, 20), 7);
    CHECK(one.spans == 3 && other.spans == 4);
    CHECK_EQ(oriel_inprocess_memory_free(memory), 0);
    receiver_stop(a);
    receiver_stop(b);
}

/* One line says what is wrong, and what is said goes where it went. */
TEST(a_wrong_file_is_told_in_one_line_and_changes_nothing)
{
    char said[2000];
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a), "");
    listen_to_errors();
    emit(3);
    write_config(receiver_url(b), "otlp_timeout_ms = 'soon'\n");
    CHECK_EQ(reload(), ORIEL_EINVAL);
    size_t lines = (size_t)errors(said, sizeof said);
    CHECK(lines == 1 ||
          lines == 2); /* it may have looked at the file by itself before it was asked */
    CHECK(strstr(said, "configuration not reloaded, the old one stays: ") != NULL);
    emit(4);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK(one.spans == 7 && other.spans == 0);
    receiver_stop(a);
    receiver_stop(b);
}

/* As oriel_stop does it: a further start is another recording. */
static void leave(void)
{
    CHECK(rec_region_leave(LONG_MS));
    rec_region_drop();
}

/* The old one hangs, and has no time left: the disk keeps what it was given for the next who
 * sends there. */
TEST(what_a_silent_receiver_was_given_before_the_change_is_in_its_spool)
{
    struct counted hangs = {.silent = true}, good = {0};
    struct receiver *a = new_receiver(&hangs), *b = new_receiver(&good);
    char spool[400];
    snprintf(spool, sizeof spool, "[telemetry.otlp]\nspool_dir = '%s/spool'\n", test_tmpdir());
    start_from_file(receiver_url(a), spool);
    emit(6);
    write_config(receiver_url(b), spool);
    CHECK_EQ(reload(), 0);
    emit(5);
    int rc = oriel_inprocess_stop(300);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    leave();
    hangs.silent = false;
    start_from_file(receiver_url(a), spool);
    emit(1);
    while (hangs.spans < 7)
        (void)oriel_inprocess_flush(1);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(hangs.spans, 7);
    CHECK(good.spans == 5 || good.spans == 0); /* it had as little time; then its spool has them */
    receiver_stop(a);
    receiver_stop(b);
}

static atomic_bool over;

/* Never more than the ring holds: what was said has been sent before more is said. */
static void *emit_until_over(void *emitted)
{
    do {
        emit(20);
        *(int *)emitted += 20;
        CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    } while (!over);
    return NULL;
}

TEST(ten_changes_in_a_row_lose_nothing_of_a_program_that_goes_on_and_send_nothing_twice)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    pthread_t t;
    int emitted = 0;
    start_from_file(receiver_url(a), "");
    REQUIRE(pthread_create(&t, NULL, emit_until_over, &emitted) == 0);
    for (int i = 0; i < 10; i++) {
        const int before = i % 2 ? one.spans : other.spans;
        write_config(receiver_url(i % 2 ? a : b), "");
        CHECK_EQ(reload(), 0);
        while ((i % 2 ? one.spans : other.spans) == before) /* it is the one that gets them now */
            sched_yield();
    }
    over = true;
    pthread_join(t, NULL);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(one.spans + other.spans, emitted);
    receiver_stop(a);
    receiver_stop(b);
}

static void *reload_until_over(void *changes)
{
    int rc;
    do {
        rc = reload();
        CHECK(rc == 0 || rc == ORIEL_ENOTFOUND || rc == ORIEL_ESTATE);
        *(atomic_int *)changes += rc == 0;
    } while (rc == 0);
    return NULL;
}

/* Who stops it does not wait for who changes it, and the other way round. */
TEST(a_change_during_the_stop_is_taken_or_not_and_loses_nothing)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    for (int round = 0; round < 5; round++) {
        atomic_int changes = 0;
        pthread_t t;
        start_from_file(receiver_url(a), "");
        REQUIRE(pthread_create(&t, NULL, reload_until_over, &changes) == 0);
        emit(10);
        write_config(receiver_url(b), "");
        while (changes < round)
            sched_yield();
        CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
        pthread_join(t, NULL);
        leave();
        CHECK_EQ(one.spans + other.spans, 10 * (round + 1));
    }
    receiver_stop(a);
    receiver_stop(b);
}

static void *reload_on_hup(void *done)
{
    sigset_t set;
    int sig;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    CHECK(sigwait(&set, &sig) == 0 && sig == SIGHUP);
    CHECK_EQ(reload(), 0);
    *(atomic_bool *)done = true;
    return NULL;
}

/* As docs/CONFIGURATION.md has it. */
TEST(a_thread_that_waits_for_a_hangup_brings_the_new_receiver)
{
    struct counted one = {0}, other = {0};
    atomic_bool done = false;
    pthread_t t;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a), "");
    REQUIRE(pthread_create(&t, NULL, reload_on_hup, &done) == 0);
    emit(2);
    write_config(receiver_url(b), "");
    REQUIRE(kill(getpid(), SIGHUP) == 0);
    while (!done)
        sched_yield();
    emit(3);
    pthread_join(t, NULL);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK(one.spans == 2 && other.spans == 3);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    receiver_stop(a);
    receiver_stop(b);
}

/* ---- headers of a vault ---- */

#ifndef __SANITIZE_THREAD__ /* which takes who watches over a helper, in our memory, for a fork */

/* A section of the file: the vault that helper() makes. */
static const char *vault_section(const char *name)
{
    static char text[600];
    (void)helper(name);
    snprintf(text, sizeof text,
             "[telemetry.vault]\nprovider = 'command'\ncommand_argv = ['cat', '%s/%s']\n",
             test_tmpdir(), name);
    return text;
}

static void answer(int fd)
{
    static const char text[] = "x-key=v4ult-c4n4ry\n";
    CHECK_EQ(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
}

static void *answer_when_asked(void *unused)
{
    int fd = open_helper("answer", 0);
    REQUIRE(fd >= 0);
    answer(fd);
    return unused;
}

TEST(a_new_receiver_waits_for_its_headers_and_is_given_all_from_the_change_on)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    pthread_t t;
    start_from_file(receiver_url(a), "");
    emit(3);
    write_config(receiver_url(b), vault_section("answer"));
    REQUIRE(pthread_create(&t, NULL, answer_when_asked, NULL) == 0);
    CHECK_EQ(reload(), 0);
    emit(5);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    pthread_join(t, NULL);
    CHECK(one.spans == 3 && one.authorized == 0);
    CHECK(other.spans == 5 && other.authorized == (int)receiver_requests(b));
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
    receiver_stop(b);
}

/* Twice, so that the configuration it asks by is nobody's but its own. */
TEST(a_vault_that_answers_after_the_change_still_lets_the_old_receiver_go)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(b), "");
    write_config(receiver_url(a), vault_section("answer"));
    CHECK_EQ(reload(), 0); /* after two seconds: nobody answers */
    emit(4);
    for (int i = 1; i <= 3; i++) {
        char more[60];
        snprintf(more, sizeof more, "otlp_timeout_ms = %d\n", 20000 + i);
        write_config(receiver_url(b), more);
        CHECK_EQ(reload(), 0);
    }
    emit(5);
    while (other.spans < 5)
        (void)oriel_inprocess_flush(1);
    CHECK_EQ(receiver_requests(a), 0);
    int fd = open_helper("answer", 0);
    REQUIRE(fd >= 0);
    answer(fd);
    CHECK_EQ(oriel_inprocess_flush(LONG_MS), 0);
    CHECK(one.spans == 4 && one.authorized == (int)receiver_requests(a));
    CHECK(other.spans == 5 && other.authorized == 0);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    receiver_stop(a);
    receiver_stop(b);
}

/* It was given nothing, so it goes at once, and so does the one who asks for it. */
TEST(nobody_asks_on_for_a_receiver_that_was_replaced_and_has_nothing)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a), vault_section("answer"));
    int fd = open_helper("answer", 0); /* it runs */
    REQUIRE(fd >= 0);
    write_config(receiver_url(b), "");
    CHECK_EQ(reload(), 0);
    close(fd);
    while ((fd = open_helper("answer", O_NONBLOCK)) >= 0) { /* until nobody reads */
        close(fd);
        emit(1); /* a round of the session */
        (void)oriel_inprocess_flush(1);
    }
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    CHECK_EQ(receiver_requests(a), 0);
    receiver_stop(a);
    receiver_stop(b);
}

TEST(a_stop_waits_neither_for_the_vault_of_the_old_receiver_nor_for_that_of_the_new)
{
    struct counted one = {0}, other = {0};
    struct receiver *a = new_receiver(&one), *b = new_receiver(&other);
    start_from_file(receiver_url(a), vault_section("answer"));
    int old = open_helper("answer", 0);
    REQUIRE(old >= 0);
    emit(3);
    write_config(receiver_url(b), vault_section("another"));
    CHECK_EQ(reload(), 0);
    int new = open_helper("another", 0);
    REQUIRE(new >= 0);
    emit(2);
    int rc = oriel_inprocess_stop(200);
    CHECK(rc == 0 || rc == ORIEL_EBUSY);
    CHECK_EQ(oriel_inprocess_stop(LONG_MS), 0);
    close(old);
    close(new);
    CHECK(receiver_requests(a) == 0 && receiver_requests(b) == 0);
    CHECK_EQ(open_helper("answer", O_NONBLOCK), -1); /* both have ended with us */
    CHECK_EQ(open_helper("another", O_NONBLOCK), -1);
    receiver_stop(a);
    receiver_stop(b);
}

#endif

TEST_MAIN()
