/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who waits for which headers of a vault gets those and no others, one answer for all who wait for
 * the same; and who has left is left alone.
 */
#include "session/fetch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "deliver/test_destination.h"
#include "receiver.h"
#include "session/settings.h"

enum { MANY = FETCH_MAX + 1 };

static struct config *c;
static struct fetch *f;
static struct watch heard; /* what is said of headers */
static struct receiver *receiver;
static struct deliver *waiting[MANY];
static char got[MANY][40]; /* x-key of the request of waiting[i] */

static void note_key(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    const unsigned number = destination_number(r->body, r->body_n);
    const char *key = r->header(r, "x-key");
    (void)a;
    (void)arg;
    if (number < MANY)
        snprintf(got[number], sizeof got[number], "%s", key ? key : "none");
}

static void hear(void *user, bool bad, const char *line)
{
    char text[800];
    snprintf(text, sizeof text, "%s %s", bad ? "bad" : "well", line);
    watch_say(user, text);
}

/* The configuration is nobody's but what asks by it. */
static void begin(const char *vault, const char *const *environment)
{
    char text[1000];
    struct oriel_err err = {0};
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    struct deliver_options unused;
    watch_use(&heard, &unused, false);
    snprintf(text, sizeof text, "[telemetry.vault]\n%s\n", vault);
    const struct config_input in = {.size = sizeof in,
                                    .sections = sections,
                                    .section_count = settings_sections(sections),
                                    .file_name = "oriel.toml",
                                    .file_text = text,
                                    .file_bytes = strlen(text)};
    REQUIRE(config_load(&c, &in, &err) == 0 && config_can_start(c));
    const struct fetch_options how = {
        .size = sizeof how, .config = c, .environment = environment, .say = hear, .user = &heard};
    REQUIRE(fetch_new(&f, &how) == 0);
    config_free(c);
    const struct receiver_options ro = {.script = note_key};
    receiver = receiver_start(&ro);
    REQUIRE(receiver != NULL);
    memset(got, 0, sizeof got);
}

/* A message that begins with its number waits in it. */
static void add(unsigned i, const char *name, const char *key)
{
    char text[20];
    struct deliver_options o = destination_options(receiver_url(receiver), false);
    o.held = true;
    waiting[i] = destination_open(&o);
    snprintf(text, sizeof text, "%u ", i);
    const struct out_message m = {
        .signal = OUT_TRACES, .bytes = text, .n = strlen(text), .items = 1};
    CHECK_EQ(out_message(deliver_out(waiting[i]), &m), 0);
    REQUIRE(fetch_add(f, waiting[i], name, key) == 0);
}

static void wait_for_it(void)
{
    fetch_start(f);
    while (fetch_is_pending(f))
        sched_yield();
}

static struct deliver_counts counts(unsigned i)
{
    struct deliver_counts n;
    CHECK_EQ(deliver_flush(waiting[i], destination_in_s(600)), 0);
    deliver_total(waiting[i], &n);
    return n;
}

static void leave(unsigned i)
{
    fetch_leave(f, waiting[i]);
    out_close(deliver_out(waiting[i]));
}

static void end(void)
{
    fetch_unref(f);
    receiver_stop(receiver);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(headers_reach_whoever_waits_for_their_key_and_nobody_else)
{
    const char *const environment[] = {"ZEPH_OTEL_HEADERS=x-key=usual", "OWN=x-key=own",
                                       "OTHER=x-key=other", NULL};
    const char own[] = "OWN"; /* texts are compared, not where they are */
    begin("provider = 'environment'", environment);
    add(0, "otlp", NULL);
    add(1, "otlp.a", "OWN");
    add(2, "otlp", NULL);
    add(3, "otlp.b", "OTHER");
    add(4, "otlp.c", own);
    wait_for_it();
    static const char *const keys[] = {"usual", "own", "usual", "other", "own"};
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(counts(i).delivered, 1);
        CHECK_STR(got[i], keys[i]);
    }
    CHECK_EQ(heard.lines, 0);
    for (unsigned i = 0; i < 5; i++)
        leave(i);
    end();
}

/* The lines tell how often was asked: once for each key. */
TEST(a_key_that_is_missing_bars_all_who_wait_for_it_with_one_line)
{
    const char *const environment[] = {"OWN=x-key=own", NULL};
    begin("provider = 'environment'", environment);
    add(0, "otlp", NULL);
    add(1, "otlp.a", "OWN");
    add(2, "otlp.b", "NONE");
    add(3, "otlp", NULL);
    add(4, "otlp.c", "NONE");
    wait_for_it();
    CHECK_EQ(counts(1).delivered, 1);
    CHECK_STR(got[1], "own");
    for (unsigned i = 0; i < 5; i++)
        CHECK(i == 1 || (counts(i).delivered == 0 && counts(i).given == 1 && !got[i][0]));
    CHECK_STR(heard.text, "bad otlp: nothing is sent: vault (environment): $ZEPH_OTEL_HEADERS is "
                          "not set\n"
                          "bad otlp.b: nothing is sent: vault (environment): $NONE is not set\n");
    for (unsigned i = 0; i < 5; i++)
        leave(i);
    end();
}

TEST(there_is_room_for_as_many_as_it_says)
{
    begin("provider = 'environment'", NULL);
    for (unsigned i = 0; i < FETCH_MAX; i++)
        add(i, "otlp", NULL);
    CHECK_EQ(fetch_add(f, waiting[0], "otlp", NULL), ORIEL_ELIMIT);
    wait_for_it();
    CHECK_EQ(heard.lines, 1);
    for (unsigned i = 0; i < FETCH_MAX; i++)
        leave(i);
    end();
}

/* The first of a key has left: the second gets the answer. All of another key: nobody asks. */
TEST(who_has_left_is_left_alone_and_those_who_stay_are_not)
{
    const char *const environment[] = {"OWN=x-key=own", NULL};
    begin("provider = 'environment'", environment);
    add(0, "otlp.a", "OWN");
    add(1, "otlp.b", "OWN");
    add(2, "otlp.c", "NONE");
    leave(0);
    leave(2);
    wait_for_it();
    CHECK_EQ(counts(1).delivered, 1);
    CHECK_STR(got[1], "own");
    CHECK_EQ(heard.lines, 0);
    fetch_unref(f); /* whoever made it goes before the last */
    leave(1);
    f = NULL;
    end();
}

/* The program may change its own as soon as it was started. */
TEST(the_environment_is_the_one_of_the_start)
{
    char text[] = "OWN=x-key=own";
    const char *environment[] = {text, NULL};
    begin("provider = 'environment'", environment);
    add(0, "otlp", "OWN");
    fetch_start(f);
    memset(text, '=', sizeof text - 1);
    environment[0] = NULL;
    while (fetch_is_pending(f))
        sched_yield();
    CHECK_EQ(counts(0).delivered, 1);
    CHECK_STR(got[0], "own");
    leave(0);
    end();
}

#ifndef __SANITIZE_THREAD__ /* which takes who watches over a helper, in our memory, for a fork */

static char path[300];

/* A vault that says nothing until it is written to. */
static void begin_silent(void)
{
    char vault[500];
    snprintf(path, sizeof path, "%s/answer", test_tmpdir());
    REQUIRE(mkfifo(path, 0600) == 0);
    snprintf(vault, sizeof vault, "provider = 'command'\ncommand_argv = ['cat', '%s']", path);
    begin(vault, NULL);
}

TEST(whoever_leaves_while_it_is_asked_is_not_touched_by_the_answer)
{
    static const char answer[] = "x-key=late\n";
    begin_silent();
    add(0, "otlp", NULL);
    add(1, "otlp", NULL);
    fetch_start(f);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* it is asked now */
    REQUIRE(fd >= 0);
    CHECK(fetch_is_pending(f));
    leave(0);
    CHECK_EQ(write(fd, answer, sizeof answer - 1), sizeof answer - 1);
    close(fd);
    CHECK_EQ(counts(1).delivered, 1);
    CHECK_STR(got[1], "late");
    CHECK_STR(got[0], "");
    leave(1);
    end();
}

/* It had something to send, so the end says why that was not sent: once. */
TEST(asking_ends_with_the_last_who_waits)
{
    begin_silent();
    add(0, "otlp", NULL);
    fetch_start(f);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    fetch_unref(f);
    CHECK_EQ(heard.lines, 0);
    leave(0);
    close(fd);
    CHECK_STR(heard.text, "bad otlp: nothing is sent: vault (command): cat: did not answer in "
                          "time\n");
    CHECK_EQ(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1); /* nobody reads any more */
    f = NULL;
    end();
}

TEST(who_is_hurried_bars_those_who_wait)
{
    begin_silent();
    add(0, "otlp", NULL);
    fetch_start(f);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    fetch_hurry(f, clock_mono_ns());
    while (fetch_is_pending(f))
        sched_yield();
    CHECK(counts(0).delivered == 0 && counts(0).refused == 1);
    close(fd);
    leave(0);
    end();
}

#endif

TEST_MAIN()
