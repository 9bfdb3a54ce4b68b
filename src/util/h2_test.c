/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/h2.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"
#include "util/grpc.h"

static struct h2 *session(bool server, struct h2_options o)
{
    struct h2 *h = NULL;
    struct oriel_err err = {0};
    o.size = sizeof o;
    o.server = server;
    REQUIRE(h2_new(&h, &o, &err) == 0);
    return h;
}

/* What one wants to send goes to the other, in pieces; whether there was any. */
static bool carry(struct h2 *from, struct h2 *to, size_t piece, int *out_rc)
{
    const char *bytes;
    struct oriel_err err = {0};
    size_t n = h2_pull(from, &bytes);
    if (n > piece)
        n = piece;
    if (n == 0)
        return false;
    char copy[64 << 10];
    memcpy(copy, bytes, n);
    h2_pulled(from, n);
    int rc = h2_feed(to, copy, n, &err);
    if (rc != 0)
        *out_rc = rc;
    return true;
}

static int talk(struct h2 *client, struct h2 *server, size_t piece)
{
    int rc = 0;
    for (bool more = true; more && rc == 0;) {
        more = carry(client, server, piece, &rc);
        more = carry(server, client, piece, &rc) || more;
    }
    return rc;
}

static struct h2_exchange *start(struct h2 *client, const void *body, size_t n)
{
    struct http_header te = {"te", "trailers", 2, 8};
    struct h2_request r = {.size = sizeof r,
                           .method = "POST",
                           .scheme = "http",
                           .authority = "a",
                           .path = "/x.Y/Z",
                           .headers = &te,
                           .header_count = 1,
                           .body = body,
                           .body_n = n};
    struct h2_exchange *x = NULL;
    struct oriel_err err = {0};
    int rc = h2_start(client, &r, &x, &err);
    return rc == 0 ? x : NULL;
}

/* Answers all that is whole with its own body and a status in the trailers. */
static unsigned echo(struct h2 *server)
{
    struct http_header type = {"content-type", "application/grpc", 12, 16};
    struct http_header trailers[] = {{"grpc-status", "0", 11, 1}, {"grpc-message", "a%20b", 12, 5}};
    struct h2_exchange *x;
    struct oriel_err err = {0};
    unsigned count = 0;
    for (; (x = h2_next(server)); count++) {
        size_t n;
        const char *body = h2_body(x, &n);
        struct h2_response r = {.size = sizeof r,
                                .status = 200,
                                .headers = &type,
                                .header_count = 1,
                                .trailers = trailers,
                                .trailer_count = 2,
                                .body = body,
                                .body_n = n};
        CHECK_STR(h2_header(x, ":path"), "/x.Y/Z");
        CHECK_STR(h2_header(x, "te"), "trailers");
        CHECK_EQ(h2_respond_take(x, &r, &err), 0);
    }
    return count;
}

TEST(requests_go_side_by_side_and_come_back_whole)
{
    static const size_t pieces[] = {1, 7, 1000, 64 << 10};
    enum { MANY = 20, BIG = 300000 };
    char *body = malloc(BIG);
    REQUIRE(body != NULL);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)(i * 7);
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        struct h2 *client = session(false, (struct h2_options){0});
        struct h2 *server = session(true, (struct h2_options){0});
        struct h2_exchange *x[MANY];
        unsigned answered = 0;
        size_t big = p < 2 ? 3000 : BIG;
        for (int i = 0; i < MANY; i++)
            REQUIRE((x[i] = start(client, body, i * big / MANY)) != NULL);
        CHECK_EQ(h2_live(client), MANY);
        while (answered < MANY) { /* each round answers some, or fails */
            REQUIRE(talk(client, server, pieces[p]) == 0);
            unsigned n = echo(server);
            REQUIRE(n > 0);
            answered += n;
        }
        REQUIRE(talk(client, server, pieces[p]) == 0);
        for (int i = 0; i < MANY; i++) {
            size_t n;
            REQUIRE(h2_done(x[i]));
            CHECK_EQ(h2_result(x[i], NULL), 0);
            CHECK_EQ(h2_status(x[i]), 200);
            CHECK_STR(h2_header(x[i], "grpc-message"), "a%20b");
            const char *got = h2_body(x[i], &n);
            CHECK_MEM(got, n, body, (size_t)i * big / MANY);
            h2_exchange_free(x[i]);
        }
        CHECK_EQ(h2_live(client), 0);
        CHECK_EQ(h2_live(server), 0);
        h2_free(client);
        h2_free(server);
    }
    free(body);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(more_than_is_allowed_is_refused_here_and_waits_there)
{
    struct h2 *client = session(false, (struct h2_options){.streams_max = 3});
    struct h2 *server = session(true, (struct h2_options){.streams_max = 2});
    struct h2_exchange *x[3];
    talk(client, server, 100); /* the settings: from here on the third waits at home */
    for (int i = 0; i < 3; i++)
        REQUIRE((x[i] = start(client, NULL, 0)) != NULL);
    CHECK(start(client, NULL, 0) == NULL);
    unsigned answered = 0;
    for (int rounds = 0; answered < 3 && rounds < 10; rounds++) {
        REQUIRE(talk(client, server, 100) == 0);
        CHECK(h2_live(server) <= 2);
        answered += echo(server);
    }
    CHECK_EQ(answered, 3);
    talk(client, server, 100);
    for (int i = 0; i < 3; i++) {
        REQUIRE(h2_done(x[i]));
        CHECK_EQ(h2_result(x[i], NULL), 0);
        h2_exchange_free(x[i]);
    }
    h2_free(client);
    h2_free(server);
}

TEST(a_body_beyond_the_limit_ends_that_exchange_and_no_other)
{
    char body[3000] = {0};
    struct h2 *client = session(false, (struct h2_options){.body_max = 1000});
    struct h2 *server = session(true, (struct h2_options){.body_max = 2000});
    struct h2_exchange *both[] = {start(client, body, 3000), start(client, body, 1500),
                                  start(client, body, 900)};
    talk(client, server, 500);
    CHECK_EQ(echo(server), 2);
    talk(client, server, 500);
    for (int i = 0; i < 3; i++)
        REQUIRE(h2_done(both[i]));
    CHECK_EQ(h2_result(both[0], NULL), ORIEL_ECLOSED); /* reset by the server */
    CHECK_EQ(h2_result(both[1], NULL), ORIEL_ELIMIT);  /* too large for us */
    CHECK_EQ(h2_result(both[2], NULL), 0);
    for (int i = 0; i < 3; i++)
        h2_exchange_free(both[i]);
    h2_free(client);
    h2_free(server);
}

TEST(what_many_exchanges_hold_together_has_a_limit)
{
    char body[1000] = {0};
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2 *server = session(true, (struct h2_options){.body_max = 1000, .held_max = 2500});
    struct h2_exchange *x[4];
    for (int i = 0; i < 4; i++)
        REQUIRE((x[i] = start(client, body, sizeof body)) != NULL);
    talk(client, server, 500);
    CHECK_EQ(echo(server), 2);
    talk(client, server, 500);
    int whole = 0;
    for (int i = 0; i < 4; i++) {
        whole += h2_done(x[i]) && h2_result(x[i], NULL) == 0;
        h2_exchange_free(x[i]);
    }
    CHECK_EQ(whole, 2);
    CHECK((x[0] = start(client, body, sizeof body)) != NULL); /* there is room again */
    talk(client, server, 500);
    CHECK_EQ(echo(server), 1);
    h2_exchange_free(x[0]);
    h2_free(client);
    h2_free(server);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_head_beyond_the_limit_is_reset)
{
    char value[3000];
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2 *server = session(true, (struct h2_options){.head_max = 2000});
    memset(value, 'x', sizeof value);
    struct http_header large = {"x", value, 1, sizeof value};
    struct h2_request r = {.size = sizeof r,
                           .method = "GET",
                           .scheme = "http",
                           .authority = "a",
                           .path = "/",
                           .headers = &large,
                           .header_count = 1};
    struct h2_exchange *x;
    struct oriel_err err = {0};
    REQUIRE(h2_start(client, &r, &x, &err) == 0);
    CHECK_EQ(talk(client, server, 500), 0);
    CHECK(h2_next(server) == NULL);
    REQUIRE(h2_done(x));
    CHECK_EQ(h2_result(x, &err), ORIEL_ECLOSED);
    h2_exchange_free(x);
    h2_free(client);
    h2_free(server);
}

TEST(headers_that_cannot_be_sent_are_refused)
{
    static const struct http_header bad[] = {
        {"X", "a", 1, 1}, {"x", "a\nb", 1, 3}, {"x y", "a", 3, 1}};
    struct h2 *client = session(false, (struct h2_options){0});
    for (size_t i = 0; i < 3; i++) {
        struct h2_request r = {.size = sizeof r,
                               .method = "GET",
                               .scheme = "http",
                               .authority = "a",
                               .path = "/",
                               .headers = &bad[i],
                               .header_count = 1};
        struct h2_exchange *x;
        CHECK_EQ(h2_start(client, &r, &x, NULL), ORIEL_EINVAL);
    }
    h2_free(client);
}

TEST(a_server_that_goes_away_finishes_what_it_has)
{
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2 *server = session(true, (struct h2_options){0});
    struct h2_exchange *x = start(client, "a", 1);
    talk(client, server, 500);
    h2_go_away(server);
    struct h2_exchange *late = start(client, "b", 1); /* before it has heard of it */
    talk(client, server, 500);
    CHECK(h2_is_going_away(client));
    CHECK(start(client, "c", 1) == NULL);
    CHECK_EQ(echo(server), 1);
    talk(client, server, 500);
    REQUIRE(h2_done(x) && h2_done(late));
    CHECK_EQ(h2_result(x, NULL), 0);
    CHECK_EQ(h2_result(late, NULL), ORIEL_EBUSY); /* not looked at: safe to repeat */
    h2_exchange_free(x);
    h2_exchange_free(late);
    h2_free(client);
    h2_free(server);
}

TEST(exchanges_outlive_their_session)
{
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2_exchange *x = start(client, "a", 1);
    h2_free(client);
    REQUIRE(h2_done(x));
    CHECK_EQ(h2_result(x, NULL), ORIEL_ECLOSED);
    h2_exchange_free(x);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(pings_are_answered)
{
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2 *server = session(true, (struct h2_options){0});
    CHECK_EQ(h2_ping(client), 0);
    talk(client, server, 500);
    CHECK_EQ(h2_pongs(client), 1);
    h2_free(client);
    h2_free(server);
}

TEST(a_client_that_only_resets_is_sent_away)
{
    struct h2 *client = session(false, (struct h2_options){0});
    struct h2 *server = session(true, (struct h2_options){0});
    int rc = 0, rounds = 0;
    for (; rc == 0 && rounds < 5000 && !h2_is_going_away(client); rounds++) {
        struct h2_exchange *x = start(client, "a", 1);
        if (!x)
            break;
        rc = talk(client, server, 32 << 10);
        h2_exchange_free(x);
        rc = talk(client, server, 32 << 10);
    }
    CHECK(rounds < 5000);
    h2_free(client);
    h2_free(server);
}

TEST(what_is_no_http2_is_an_error)
{
    struct oriel_err err = {0};
    struct h2 *server = session(true, (struct h2_options){0});
    CHECK_EQ(h2_feed(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, &err), ORIEL_EFORMAT);
    h2_free(server);
    struct h2 *client = session(false, (struct h2_options){0});
    CHECK(h2_feed(client, "HTTP/1.1 400 Bad\r\n\r\nxxxxxxxxxxxxxxx", 35, &err) != 0 ||
          h2_is_over(client) || h2_is_going_away(client));
    h2_free(client);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(no_memory_for_a_session_is_an_error)
{
    struct h2 *h = NULL;
    struct h2_options o = {.size = sizeof o};
    int rc = -1;
    for (uint64_t n = 1; rc != 0 && n < 200; n++) {
        struct oriel_err err = {0};
        mem_fail_after(n);
        rc = h2_new(&h, &o, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (rc != 0)
            CHECK_EQ(mem_live_blocks(), 0);
    }
    CHECK_EQ(rc, 0);
    h2_free(h);
}

TEST_MAIN()
