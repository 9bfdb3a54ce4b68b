/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "symbol/cache.h"
#include "symbol/find.h"
#include "test.h"

static const uint8_t id_bytes[] = {0xab, 0xcd, 0xef};
static const struct bytes id = {id_bytes, 3};
static struct symbols_stats stats;
static char client[3000], cache[3000];

/* A client that does what the script says. */
static struct finder with_client(struct symbols_options *o, const char *script)
{
    snprintf(client, sizeof client, "%s/client", test_tmpdir());
    snprintf(cache, sizeof cache, "%s/cache", test_tmpdir());
    int fd = open(client, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    REQUIRE(fd >= 0);
    dprintf(fd, "#!/bin/sh\n%s\n", script);
    close(fd);
    *o = (struct symbols_options){.size = sizeof *o,
                                  .cache_dir = cache,
                                  .cache_max_bytes = 1 << 20,
                                  .debuginfod_urls = "http://127.0.0.1:1/",
                                  .debuginfod_find = client,
                                  .debuginfod_ms = 600000};
    return (struct finder){.options = o, .stats = &stats};
}

TEST(a_server_is_asked_once_and_its_answer_kept)
{
    struct symbols_options o;
    char out[4096], expected[4096];
    struct finder f = with_client(
        &o, "[ \"$1 $2 $DEBUGINFOD_URLS\" = 'debuginfo abcdef http://127.0.0.1:1/' ] || exit 1\n"
            "echo \"$0\"");
    snprintf(expected, sizeof expected, "%s", client);
    CHECK(finder_fetch(&f, id, out, sizeof out));
    CHECK_STR(out, expected);
    CHECK(finder_fetch(&f, id, out, sizeof out));
    CHECK_STR(out, expected);
    struct finder later = with_client(&o, "exit 1"); /* another run of ours */
    CHECK(finder_fetch(&later, id, out, sizeof out));
    CHECK_STR(out, expected);
    CHECK_EQ(stats.asked_servers, 1);
    finder_done(&f);
    finder_done(&later);
}

TEST(what_the_client_dropped_from_its_cache_is_asked_for_again)
{
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "echo \"$0.gone\"");
    CHECK(finder_fetch(&f, id, out, sizeof out));
    struct finder later = {.options = &o, .stats = &stats};
    CHECK(finder_fetch(&later, id, out, sizeof out));
    CHECK_EQ(stats.asked_servers, 2);
    finder_done(&f);
    finder_done(&later);
}

/* As kept by a run of another day. */
static void say_before(const struct symbols_options *o, const char *text)
{
    cache_store(o->cache_dir, id, CACHE_ASKED, (struct bytes){(const uint8_t *)text, strlen(text)},
                o->cache_max_bytes);
}

TEST(a_no_of_long_ago_is_none)
{
    struct symbols_options o;
    char out[4096], text[64];
    struct finder f = with_client(&o, "echo \"$0\"");
    snprintf(text, sizeof text, "%llu no", (unsigned long long)(clock_unix_ns() / 1000000000 - 60));
    say_before(&o, text);
    CHECK(!finder_would_fetch(&f, id));
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    snprintf(text, sizeof text, "%llu late",
             (unsigned long long)(clock_unix_ns() / 1000000000 - 3600));
    say_before(&o, text);
    CHECK(finder_would_fetch(&f, id));
    say_before(&o, "1000 no");
    CHECK(finder_would_fetch(&f, id));
    CHECK(finder_fetch(&f, id, out, sizeof out));
    CHECK(!finder_would_fetch(&f, id));
    finder_done(&f);
}

TEST(all_questions_together_have_one_deadline)
{
    static const uint8_t other_bytes[] = {1, 2, 3};
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "exec sleep 86400");
    o.debuginfod_ms = 100;
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    CHECK(!finder_fetch(&f, (struct bytes){other_bytes, 3}, out, sizeof out));
    CHECK_EQ(stats.asked_servers, 1);
    finder_done(&f);
}

TEST(no_is_an_answer_too)
{
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "echo 'Server query failed' >&2; exit 1");
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    CHECK_EQ(stats.asked_servers, 1);
    finder_done(&f);
}

TEST(a_server_that_hangs_is_waited_for_once_and_not_long)
{
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "exec sleep 86400");
    o.debuginfod_ms = 100;
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    o.debuginfod_ms = 3600000; /* once more would be longer than this test may last */
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    CHECK_EQ(stats.asked_servers, 1);
    finder_done(&f);
}

TEST(nobody_is_asked_unless_told_so)
{
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "echo /x");
    o.debuginfod_urls = NULL;
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    o.debuginfod_urls = "";
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    CHECK_EQ(stats.asked_servers, 0);
    finder_done(&f);
}

TEST(a_client_that_is_not_installed_is_no_trouble)
{
    struct symbols_options o;
    char out[4096];
    struct finder f = with_client(&o, "exit 0");
    o.debuginfod_find = "/no/such/client";
    CHECK(!finder_fetch(&f, id, out, sizeof out));
    finder_done(&f);
}

TEST_MAIN()
