/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "test.h"
#include "util/http.h"

static int request(const char *text, struct http_head *out)
{
    struct oriel_err err;
    size_t seen = 0, n = http_head_size(text, strlen(text), &seen);
    return http_request_read(text, n ? n : strlen(text), out, &err);
}

static int response(const char *text, struct http_head *out)
{
    struct oriel_err err;
    return http_response_read(text, strlen(text), out, &err);
}

TEST(the_end_of_a_head_is_found_however_it_comes)
{
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n";
    for (size_t step = 1; step < 40; step++) {
        size_t seen = 0, found = 0;
        for (size_t n = 0; n <= strlen(text) && !found; n += step)
            found = http_head_size(text, n, &seen);
        CHECK_EQ(found ? found : http_head_size(text, strlen(text), &seen), 27);
    }
}

TEST(a_request_is_read_into_slices)
{
    struct http_head h;
    REQUIRE(request("POST /v1/traces?x=1 HTTP/1.1\r\nHost:a:1\r\nContent-Length: 12 \r\n"
                    "X-Empty:\r\nX-Text: \t a b \xc3\xa9 \r\n\r\n",
                    &h) == 0);
    CHECK_MEM(h.method, h.method_n, "POST", 4);
    CHECK_MEM(h.target, h.target_n, "/v1/traces?x=1", 14);
    CHECK_EQ(h.framing, HTTP_LENGTH);
    CHECK_EQ(h.length, 12);
    CHECK(h.keep_alive);
    CHECK_EQ(h.count, 4);
    const struct http_header *x = http_find(&h, "X-TEXT");
    REQUIRE(x != NULL);
    CHECK_MEM(x->value, x->value_n, "a b \xc3\xa9", 6);
    CHECK_EQ(http_find(&h, "x-empty")->value_n, 0);
    CHECK(http_find(&h, "x-none") == NULL);
}

TEST(what_two_readers_could_read_differently_is_refused)
{
#define HEAD "POST /p HTTP/1.1\r\nHost: a\r\n"
    static const char *const bad[] = {
        HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        HEAD "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
        HEAD "Content-Length: 3\r\ncontent-length: 4\r\n\r\n",
        HEAD "Content-Length: 3, 3\r\n\r\n",
        HEAD "Content-Length: +3\r\n\r\n",
        HEAD "Content-Length: -3\r\n\r\n",
        HEAD "Content-Length: 0x3\r\n\r\n",
        HEAD "Content-Length: 3 4\r\n\r\n",
        HEAD "Content-Length: 3.0\r\n\r\n",
        HEAD "Content-Length:\r\n\r\n",
        HEAD "Content-Length: 99999999999999999999\r\n\r\n",
        HEAD "Content-Length : 3\r\n\r\n",
        HEAD "Content-Length\t: 3\r\n\r\n",
        HEAD " Content-Length: 3\r\n\r\n",
        HEAD "X: a\r\n b\r\n\r\n",
        HEAD "X: a\r\n\tb\r\n\r\n",
        HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD "Transfer-Encoding: chunked, identity\r\n\r\n",
        HEAD "Transfer-Encoding: identity\r\n\r\n",
        HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD "Transfer-Encoding: xchunked\r\n\r\n",
        HEAD "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n",
        HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n",
        HEAD "Transfer-Encoding:\r\n\r\n",
        HEAD "Transfer Encoding: chunked\r\n\r\n",
        HEAD "X: a\nContent-Length: 3\r\n\r\n",
        HEAD "X: a\rContent-Length: 3\r\n\r\n",
        HEAD "X: a\r\r\n\r\n",
        HEAD "X: a\n\n",
        HEAD "X\r\n\r\n",
        HEAD ": a\r\n\r\n",
        HEAD "X: \x01\r\n\r\n",
        HEAD "X: \x7f\r\n\r\n",
        HEAD "X\xc3\xa9: a\r\n\r\n",
        HEAD "X(: a\r\n\r\n",
        HEAD "Host: b\r\n\r\n",
        "POST /p HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST  /p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /p  HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.1 \r\nHost: a\r\n\r\n",
        "POST /p\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "POST\t/p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.1\nHost: a\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a\n\r\n",
        "POST /p http/1.1\r\nHost: a\r\n\r\n",
        "POST /p HTTP/2.0\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.2\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.10\r\nHost: a\r\n\r\n",
        "POST /p HTTP/01.1\r\nHost: a\r\n\r\n",
        "POST /p\r\nHost: a\r\n\r\n",
        "POST p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST http://b/p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "P(ST /p HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nPOST /p HTTP/1.1\r\nHost: a\r\n\r\n",
        " POST /p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.1\r\n Host: a\r\n\r\n",
        "\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    struct http_head h;
    _Static_assert(sizeof bad / sizeof *bad >= 60, "a table of about sixty");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (request(bad[i], &h) == 0)
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
    CHECK_EQ(request(HEAD "X: a\r\n\r\n", &h), 0);
    CHECK_EQ(request(HEAD "Transfer-Encoding: Chunked\r\n\r\n", &h), 0);
}

TEST(a_target_may_have_its_host_which_is_that_of_the_header)
{
    static const char *const bad[] = {
        "POST http://a/p HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "POST http://u@a/p HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "POST http:///p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST https://a/p HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a/b\r\n\r\n",
    };
    struct http_head h;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (request(bad[i], &h) == 0)
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
    CHECK_EQ(request("POST HTTP://A:1/p?q HTTP/1.1\r\nHost: a:1\r\n\r\n", &h), 0);
    CHECK_MEM(h.target, h.target_n, "/p?q", 4);
}

TEST(a_zero_byte_in_a_head_is_refused)
{
    struct http_head h;
    struct oriel_err err;
    const char text[] = HEAD "X: a\0b\r\n\r\n";
    CHECK_EQ(http_request_read(text, sizeof text - 1, &h, &err), ORIEL_EFORMAT);
}

TEST(headers_are_bounded_in_number)
{
    char text[8192] = HEAD;
    struct http_head h;
    size_t n = strlen(text);
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "X%d: a\r\n", i);
    snprintf(text + n, sizeof text - n, "\r\n");
    CHECK_EQ(request(text, &h), ORIEL_ELIMIT);
}

TEST(a_response_says_how_its_body_ends)
{
    struct http_head h;
    REQUIRE(response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &h) == 0);
    CHECK_EQ(h.framing, HTTP_LENGTH);
    CHECK(h.keep_alive);
    REQUIRE(response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n\r\n",
                     &h) == 0);
    CHECK_EQ(h.framing, HTTP_CHUNKED);
    CHECK(!h.keep_alive);
    CHECK(http_list_has(http_find(&h, "connection"), "X"));
    CHECK(!http_list_has(http_find(&h, "connection"), "clos"));
    CHECK(!http_list_has(NULL, "x"));
    REQUIRE(response("HTTP/1.0 503 Busy\r\n\r\n", &h) == 0);
    CHECK_EQ(h.status, 503);
    CHECK_EQ(h.framing, HTTP_UNTIL_CLOSE);
    CHECK(!h.keep_alive);
    REQUIRE(response("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", &h) == 0);
    CHECK_EQ(h.framing, HTTP_NO_BODY);
    CHECK(response("HTTP/1.1 99 X\r\n\r\n", &h) != 0);
    CHECK(response("HTTP/1.1 2000 X\r\n\r\n", &h) != 0);
    CHECK(response("HTTP/1.1  200 X\r\n\r\n", &h) != 0);
    CHECK(response("HTTP/2 200 X\r\n\r\n", &h) != 0);
    CHECK(response("ICY 200 OK\r\n\r\n", &h) != 0);
    CHECK(response("SSH-2.0-x\r\n\r\n", &h) != 0);
}

/* Feeds a body in pieces of `step`; what came out is in `out`. */
static int body(const char *text, bool is_request, size_t step, char *out, bool *out_done)
{
    struct http_head h = {.framing = HTTP_CHUNKED};
    struct http_body b;
    struct oriel_err err;
    size_t n = strlen(text), at = 0, m = 0;
    http_body_init(&b, &h, is_request);
    while (at < n && !b.done) {
        size_t piece = n - at < step ? n - at : step, used, data_n;
        const char *data;
        for (size_t i = 0; i < piece && !b.done; i += used) {
            int rc = http_body_step(&b, text + at + i, piece - i, &used, &data, &data_n, &err);
            if (rc != 0)
                return rc;
            memcpy(out + m, data, data_n);
            m += data_n;
        }
        at += piece;
    }
    out[m] = 0;
    *out_done = b.done;
    return 0;
}

TEST(chunks_are_put_together_however_they_come)
{
    const char *text = "5\r\nhello\r\nA\r\n, world123\r\n0\r\nX: y\r\n\r\n";
    char out[64];
    bool done;
    for (size_t step = 1; step < 45; step++) {
        REQUIRE(body(text, true, step, out, &done) == 0);
        CHECK(done);
        CHECK_STR(out, "hello, world123");
    }
}

TEST(chunks_that_are_not_as_they_say_are_refused)
{
    static const char *const bad[] = {
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "\r\n",
        "5\r\nhelloX\r\n",
        "-5\r\nhello\r\n",
        "+5\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n",
        "ffffffffffffffff\r\n",
        "0000000000000000\r\n",
        "5\rhello",
        "g\r\n",
        "0\r\n: x\r\n\r\n",
        "0\r\n x\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n\rX",
    };
    char out[64];
    bool done;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t step = 1; step < 8; step++)
            if (body(bad[i], true, step, out, &done) == 0)
                test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
    /* From a server they are only passed over. */
    REQUIRE(body("5;a=\"b\"\r\nhello\r\n0;x\r\n\r\n", false, 3, out, &done) == 0);
    CHECK(done);
    CHECK_STR(out, "hello");
}

TEST(a_body_that_ends_early_is_not_whole)
{
    struct http_head h = {.framing = HTTP_LENGTH, .length = 5};
    struct http_body b;
    struct oriel_err err;
    size_t used, n;
    const char *data;
    http_body_init(&b, &h, false);
    REQUIRE(http_body_step(&b, "abc", 3, &used, &data, &n, &err) == 0);
    CHECK_EQ(http_body_end(&b, &err), ORIEL_ECLOSED);
    REQUIRE(http_body_step(&b, "defg", 4, &used, &data, &n, &err) == 0);
    CHECK_EQ(used, 2);
    CHECK(b.done);
    h.framing = HTTP_UNTIL_CLOSE;
    http_body_init(&b, &h, false);
    CHECK_EQ(http_body_end(&b, &err), 0);
}

TEST(retry_after_is_seconds_or_a_date)
{
    uint64_t s = 7;
    CHECK(http_retry_after("120", 3, 0, &s));
    CHECK_EQ(s, 120);
    CHECK(http_retry_after("99999999999999999999", 20, 0, &s));
    CHECK_EQ(s, UINT32_MAX);
    const char *dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"};
    for (int i = 0; i < 3; i++) {
        CHECK(http_retry_after(dates[i], strlen(dates[i]), 784111777 - 30, &s));
        CHECK_EQ(s, 30);
        CHECK(http_retry_after(dates[i], strlen(dates[i]), 784111777 + 30, &s));
        CHECK_EQ(s, 0);
    }
    CHECK(!http_retry_after("", 0, 0, &s));
    CHECK(!http_retry_after("-1", 2, 0, &s));
    CHECK(!http_retry_after("soon", 4, 0, &s));
}

TEST(urls_are_taken_apart)
{
    struct http_url u;
    struct oriel_err err;
    struct buf b;
    buf_init(&b);
    REQUIRE(http_url_read("http://localhost:4318", &u, &err) == 0);
    CHECK_STR(u.host, "localhost");
    CHECK_EQ(u.port, 4318);
    CHECK_STR(u.path, "/");
    http_url_authority(&u, &b);
    CHECK_STR(buf_cstr(&b), "localhost:4318");
    REQUIRE(http_url_read("HTTPS://[::1]/a/b?c=d#e", &u, &err) == 0);
    CHECK_EQ(u.scheme, HTTP_TLS);
    CHECK_EQ(u.port, 443);
    CHECK_STR(u.host, "::1");
    CHECK_STR(u.path, "/a/b?c=d");
    buf_clear(&b);
    http_url_authority(&u, &b);
    CHECK_STR(buf_cstr(&b), "[::1]");
    REQUIRE(http_url_read("unix:///run/x.sock", &u, &err) == 0);
    CHECK_EQ(u.scheme, HTTP_UNIX);
    CHECK_STR(u.path, "/run/x.sock");
    REQUIRE(http_url_read("http://a?b", &u, &err) == 0);
    CHECK_STR(u.path, "/?b");
    buf_done(&b);
}

TEST(a_url_that_is_none_is_refused_without_its_password)
{
    static const char *const bad[] = {"",
                                      "localhost:4317",
                                      "ftp://a",
                                      "http://",
                                      "http:///x",
                                      "http://a:0",
                                      "http://a:65536",
                                      "http://a:b",
                                      "http://a b/",
                                      "http://a/ b",
                                      "http://[::1",
                                      "http://[x]",
                                      "http://[::1]x",
                                      "http://a\r\nb/",
                                      "http://a/\r\n",
                                      "unix:",
                                      "http://-x-.../",
                                      "http://user:canary@a/"};
    struct http_url u;
    struct oriel_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (http_url_read(bad[i], &u, &err) == 0)
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
        CHECK(strstr(err.text, "canary") == NULL && strlen(err.text) > 0);
    }
}

TEST_MAIN()
