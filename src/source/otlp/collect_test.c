/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The receiver in one thread with its clients: what is answered to whom, by every way in, what is
 * told of it, and what becomes of connections that come, go and say nonsense. Nothing waits for
 * time: both sides take turns until the answer is there.
 */
#include "source/collect.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "source/source.h"
#include "test.h"
#include "util/grpc.h"
#include "util/gzip.h"
#include "util/h2_client.h"
#include "util/pb.h"

extern const struct source source_collect;

struct house {
    struct collect *c;
    void *state;
    struct model_catalog catalog;
    struct model_batch batch;
    unsigned types[ORIEL_REC_MAX + 1];
    uint64_t refused; /* by the outlets */
    bool full;        /* they refuse everything */
    bool holds;       /* no commit: nothing is answered */
};

static uint64_t refused(void *ctx)
{
    struct house *h = ctx;
    h->refused += h->full;
    return h->refused;
}

static void open_house(struct house *h, struct collect_options o)
{
    struct oriel_err err = {0};
    memset(h, 0, sizeof *h);
    o.refused = refused;
    o.ctx = h;
    if (!o.listen_count)
        o.listen_count = 1;
    if (collect_open(&h->c, &o, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    h->state = calloc(1, source_collect.state_size);
    model_catalog_init(&h->catalog);
    model_batch_init(&h->batch, &h->catalog);
    REQUIRE(source_collect.open_with(h->state, h->c, &h->catalog, &err) == 0);
}

static int turn(struct house *h)
{
    model_batch_clear(&h->batch);
    int result = source_collect.poll(h->state, &h->batch, 1000, NULL);
    for (size_t i = 0; i < h->batch.record_count; i++)
        h->types[h->batch.records[i].type]++;
    if (!h->holds)
        source_collect.commit(h->state);
    return result;
}

static struct collect_counts counts(const struct house *h)
{
    struct collect_counts c;
    collect_get_counts(h->c, &c);
    return c;
}

static void close_house(struct house *h)
{
    source_collect.close(h->state);
    collect_close(h->c);
    free(h->state);
    model_batch_done(&h->batch);
    model_catalog_done(&h->catalog);
}

/* ---- clients over HTTP/1.1 ---- */

static int dial(const struct house *h)
{
    const struct net_addr *a = collect_bound(h->c, 0);
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd, (const struct sockaddr *)&a->sa, a->n) == 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t n)
{
    REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
}

struct reply {
    char text[4096];
    size_t n;
    int status; /* 0: the connection was closed without a word */
    const char *body;
    bool closed;
};

static bool is_whole(struct reply *r)
{
    r->text[r->n] = 0;
    char *end = strstr(r->text, "\r\n\r\n"), *length = strcasestr(r->text, "content-length: ");
    if (!end)
        return false;
    r->body = end + 4;
    r->status = (int)strtol(r->text + 9, NULL, 10);
    return length && r->n - (size_t)(r->body - r->text) >= strtoul(length + 16, NULL, 10);
}

/* The next reply, or the end of the connection. */
static void hear(struct house *h, int fd, struct reply *r)
{
    memset(r, 0, sizeof *r);
    while (!r->closed && !is_whole(r)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        (void)turn(h);
        if (poll(&p, 1, 1) != 1)
            continue;
        ssize_t n = recv(fd, r->text + r->n, sizeof r->text - 1 - r->n, MSG_DONTWAIT);
        r->closed = n <= 0;
        r->n += n > 0 ? (size_t)n : 0;
    }
}

static size_t put_request(char *out, size_t max, const char *line, const char *headers,
                          const void *body, size_t body_n)
{
    int n =
        snprintf(out, max, "%s HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n", line, headers, body_n);
    REQUIRE(n > 0 && (size_t)n + body_n <= max);
    memcpy(out + n, body, body_n);
    return (size_t)n + body_n;
}

static int ask(struct house *h, const char *line, const char *headers, const void *body,
               size_t body_n, struct reply *r)
{
    static char text[65536];
    int fd = dial(h);
    say(fd, text, put_request(text, sizeof text, line, headers, body, body_n));
    hear(h, fd, r);
    close(fd);
    return r->status;
}

#define HOST "Host: localhost:1\r\n"
#define JSON HOST "Content-Type: application/json\r\n"
#define PROTOBUF HOST "Content-Type: application/x-protobuf\r\n"
#define TRACES "POST /v1/traces"
#define ONE_SPAN                                                                                   \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"                               \
    "\"0102030405060708090A0b0c0d0e0f10\",\"spanId\":\"1112131415161718\",\"name\":\"n\"}]}]}]}"
#define NO_IDS "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"n\"}]}]}]}"
#define ONE_POINT                                                                                  \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":"            \
    "{\"dataPoints\":[{},{}]}}]}]}]}"

static int ask_text(struct house *h, const char *line, const char *headers, const char *body,
                    struct reply *r)
{
    return ask(h, line, headers, body, strlen(body), r);
}

TEST(what_is_taken_is_told_and_answered_in_the_words_of_the_question)
{
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    CHECK_STR(r.body, "{}");
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    CHECK_EQ(ask_text(&h, TRACES "?x=1", JSON, ONE_SPAN, &r), 200); /* a query is nobody's */
    CHECK_EQ(ask_text(&h, TRACES, JSON, NO_IDS, &r), 200);
    CHECK(strstr(r.body, "\"rejectedSpans\":\"1\"") != NULL);
    CHECK_EQ(ask_text(&h, "POST /v1/metrics", JSON, ONE_POINT, &r), 200);
    CHECK(strstr(r.body, "\"rejectedDataPoints\":\"2\"") != NULL);
    CHECK_EQ(ask(&h, TRACES, PROTOBUF, "", 0, &r), 200);
    CHECK_STR(r.body, "");
    CHECK_EQ(
        ask(&h, "POST /v1/logs", HOST "Content-Type: application/protobuf; v=1\r\n", "", 0, &r),
        200);
    struct collect_counts c = counts(&h);
    CHECK(c.spans == 2 && c.no_id == 1 && c.points == 2);
    CHECK(c.requests == 6 && c.accepted_requests == 6 && c.connections == 6);
    close_house(&h);
}

TEST(who_may_not_ask_is_told_so_and_nothing_is_told_of_it)
{
    static const char type[] = "Content-Type: application/json\r\n";
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"Host: evil.example\r\n", 403},
        {"Host: evil.example:4318\r\n", 403},
        {"Host: 8.8.8.8\r\n", 403},
        {"Host: [::1\r\n", 403},
        {"Host: localhost.evil.example\r\n", 403},
        {"Host: LOCALHOST:4318\r\n", 200},
        {"Host: 127.0.0.2:1\r\n", 200},
        {"Host: [::1]:4318\r\n", 200},
        {"Host: Box\r\n", 200},
        {"Host: second\r\n", 200},
        {"Host: third\r\n", 403},
        {"Host: localhost\r\nOrigin: https://evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: null\r\n", 403},
        {"Host: localhost\r\nOrigin: http://\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost:3000\r\n", 200},
    };
    struct house h;
    struct reply r;
    char headers[300];
    unsigned taken = 0;
    open_house(&h, (struct collect_options){.hosts = "box,second"});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(headers, sizeof headers, "%s%s", rows[i].headers, type);
        if (ask_text(&h, TRACES, headers, ONE_SPAN, &r) != rows[i].status)
            test_fail(__FILE__, __LINE__, "%s: %d", rows[i].headers, r.status);
        taken += rows[i].status == 200;
    }
    CHECK_EQ(h.types[ORIEL_REC_TOLD], taken);
    CHECK_EQ(counts(&h).not_allowed, sizeof rows / sizeof *rows - taken);
    close_house(&h);
}

TEST(a_token_lets_in_who_brings_it_whole)
{
    static const struct {
        const char *said;
        int status;
    } rows[] = {{"", 401},
                {"Authorization: Bearer \r\n", 401},
                {"Authorization: Bearer hunter\r\n", 401},
                {"Authorization: Bearer hunter3\r\n", 401},
                {"Authorization: Bearer hunter22\r\n", 401},
                {"Authorization: Basic hunter2\r\n", 401},
                {"Authorization: hunter2\r\n", 401},
                {"Authorization: bearer hunter2\r\n", 200}};
    struct house h;
    struct reply r;
    char headers[300];
    open_house(&h, (struct collect_options){.token = "hunter2"});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(headers, sizeof headers, JSON "%s", rows[i].said);
        CHECK_EQ(ask_text(&h, TRACES, headers, ONE_SPAN, &r), rows[i].status);
        CHECK_EQ(strcasestr(r.text, "www-authenticate: Bearer") != NULL, rows[i].status == 401);
        CHECK(strstr(r.text, "hunter2") == NULL);
    }
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    close_house(&h);
}

TEST(what_cannot_be_is_refused_with_the_status_that_the_standard_has_for_it)
{
    static const struct {
        const char *line, *headers, *body;
        int status;
        const char *says;
    } rows[] = {
        {"POST /v1/nothing", JSON, "{}", 404, "nothing is received here"},
        {"POST /", JSON, "{}", 404, "/v1/traces"},
        {"PUT /v1/traces", JSON, "{}", 405, "POST"},
        {"POST /v1/traces", HOST, "", 415, "content type"},
        {"POST /v1/traces", HOST "Content-Type: text/plain\r\n", "x", 415, "content type"},
        {"POST /v1/traces", HOST "Content-Type: application/jsonx\r\n", "x", 415, "content type"},
        {"POST /v1/traces", JSON "Content-Encoding: br\r\n", "x", 415, "gzip or zstd"},
        {"POST /v1/traces", JSON "Content-Encoding: gzip\r\n", "x", 400, "damaged"},
        {"POST /v1/traces", JSON "Content-Encoding: zstd\r\n", "x", 400, "damaged"},
        {"POST /v1/traces", JSON "Content-Encoding: identity\r\n", "{}", 200, ""},
        {"POST /v1/traces", JSON, "", 400, ""},
        {"POST /v1/traces", JSON, "[]", 400, ""},
        {"POST /v1/traces", JSON, "{\"resourceSpans\":1}", 400, ""},
        {"POST /v1/traces", PROTOBUF, "\x0a\x7f", 400, "protobuf"},
        {"POST /v1/traces", PROTOBUF, "\x08\x01", 400, "wrong type"},
    };
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ask_text(&h, rows[i].line, rows[i].headers, rows[i].body, &r) != rows[i].status ||
            !strstr(r.text, rows[i].says))
            test_fail(__FILE__, __LINE__, "row %zu: %d %s", i, r.status, r.body);
        CHECK_EQ(strcasestr(r.text, "allow: POST") != NULL, rows[i].status == 405);
    }
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 0);
    struct collect_counts c = counts(&h);
    CHECK_EQ(c.accepted_requests, 1);
    CHECK_EQ(c.unsupported, 7);
    CHECK_EQ(c.malformed, 7);
    close_house(&h);
}

TEST(a_bomb_is_refused_before_it_is_unpacked_whole)
{
    static char zeros[1 << 20];
    struct house h;
    struct reply r;
    struct buf small;
    open_house(&h, (struct collect_options){.unpacked_max = 4096});
    buf_init(&small);
    REQUIRE(gzip_compress(zeros, sizeof zeros, &small) == 0);
    CHECK_EQ(ask(&h, TRACES, PROTOBUF "Content-Encoding: gzip\r\n", small.data, small.size, &r),
             413);
    CHECK(strstr(r.text, "larger than 4096") != NULL);
    buf_clear(&small);
    REQUIRE(gzip_compress(ONE_SPAN, strlen(ONE_SPAN), &small) == 0);
    CHECK_EQ(ask(&h, TRACES, JSON "Content-Encoding: gzip\r\n", small.data, small.size, &r), 200);
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    CHECK_EQ(counts(&h).too_large, 1);
    buf_done(&small);
    close_house(&h);
}

TEST(a_request_of_more_fields_than_its_size_may_have_is_refused)
{
    struct house h;
    struct reply r;
    char spans[2 * 1025 + 16];
    open_house(&h, (struct collect_options){.unpacked_max = 4096});
    for (unsigned n = 1022; n <= 1023; n++) { /* and the two that they are in */
        char *p = pb_at_tag(spans, 1, PB_BYTES);
        p = pb_at_varint(p, 2 * n + 3);
        p = pb_at_tag(p, 2, PB_BYTES);
        p = pb_at_varint(p, 2 * n);
        for (unsigned i = 0; i < n; i++)
            p = pb_at_bytes(p, 2, NULL, 0);
        CHECK_EQ(ask(&h, TRACES, PROTOBUF, spans, (size_t)(p - spans), &r), n == 1022 ? 200 : 413);
    }
    CHECK(strstr(r.text, "too many fields") != NULL);
    CHECK_EQ(counts(&h).no_id, 1022); /* a span without ids is one, however short */
    CHECK_EQ(counts(&h).too_large, 1);
    close_house(&h);
}

TEST(what_the_outlets_did_not_take_is_to_come_again)
{
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    h.full = true;
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 503);
    CHECK(strcasestr(r.text, "retry-after: ") != NULL);
    h.full = false;
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    CHECK_EQ(counts(&h).not_stored, 1);
    close_house(&h);
}

TEST(the_end_answers_who_waits_and_takes_nobody_else)
{
    static char text[4096];
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    int early = dial(&h), late = dial(&h);
    say(early, text, put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN)));
    h.holds = true;
    while (counts(&h).requests == 0 || counts(&h).connections < 2)
        (void)turn(&h);
    while (!collect_is_owing(h.c))
        (void)turn(&h);
    collect_stop(h.c);
    say(late, text, put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN)));
    hear(&h, late, &r);
    CHECK_EQ(r.status, 503);
    CHECK(strstr(r.text, "about to end") != NULL);
    CHECK_EQ(turn(&h), SOURCE_END);
    h.holds = false;
    source_collect.commit(h.state);
    hear(&h, early, &r);
    CHECK_EQ(r.status, 200);
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    close(early);
    close(late);
    close_house(&h);
}

/* ---- connections ---- */

TEST(what_an_answer_lets_in_is_read_without_another_event)
{
    static char text[8192];
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    int fd = dial(&h);
    size_t n = put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN));
    memcpy(text + n, text, n);
    say(fd, text, 2 * n);
    h.holds = true;
    while (!collect_is_owing(h.c))
        (void)turn(&h);
    CHECK(!collect_has_more(h.c)); /* one after the other on this connection */
    h.holds = false;
    source_collect.commit(h.state);
    CHECK(collect_has_more(h.c));
    hear(&h, fd, &r);
    CHECK_EQ(r.status, 200);
    while (h.types[ORIEL_REC_TOLD] < 2)
        (void)turn(&h);
    CHECK(!collect_has_more(h.c));
    close(fd);
    close_house(&h);
}

TEST(who_goes_before_the_answer_is_told_all_the_same)
{
    static char text[4096];
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    int fd = dial(&h);
    say(fd, text, put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN)));
    h.holds = true;
    while (!collect_is_owing(h.c))
        (void)turn(&h);
    close(fd);
    h.holds = false;
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 2);
    CHECK_EQ(counts(&h).accepted_requests, 2);
    close_house(&h);
}

TEST(nonsense_ends_its_connection_and_no_other)
{
    static const char *const nonsense[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01", /* a TLS hello */
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame of HTTP/2 at all, whatever it may say",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    };
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    int good = dial(&h);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        int fd = dial(&h);
        say(fd, nonsense[i], strlen(nonsense[i]));
        shutdown(fd, SHUT_WR);
        do
            hear(&h, fd, &r);
        while (!r.closed);
        close(fd);
    }
    static char text[8192];
    size_t n = put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN));
    memcpy(text + n, text, n); /* two at once: one answer after the other */
    say(good, text, 2 * n);
    hear(&h, good, &r);
    CHECK_EQ(r.status, 200);
    while (counts(&h).accepted_requests < 2)
        (void)turn(&h);
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 2);
    close(good);
    close_house(&h);
}

TEST(who_says_nothing_gives_way_to_who_does)
{
    struct house h;
    struct reply r;
    int silent[4];
    open_house(&h, (struct collect_options){.connections = 4});
    for (int i = 0; i < 4; i++) {
        silent[i] = dial(&h);
        if (i == 0)
            say(silent[0], "PRI * HT", 8); /* half a word is none */
        while (counts(&h).connections < (unsigned)i + 1)
            (void)turn(&h);
    }
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    CHECK_EQ(counts(&h).evicted, 1);
    CHECK_EQ(counts(&h).connections, 5);
    for (int i = 0; i < 4; i++)
        close(silent[i]);
    close_house(&h);
}

TEST(a_unix_socket_needs_no_name_and_goes_with_the_receiver)
{
    struct house h;
    struct reply r;
    char path[100];
    snprintf(path, sizeof path, "%s/otlp", test_tmpdir());
    open_house(&h, (struct collect_options){.listens = {{.unix_path = path}}});
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd, (const struct sockaddr *)&at, sizeof at) == 0);
    static char text[4096];
    static const char headers[] = "Host: whatever\r\nContent-Type: application/json\r\n";
    say(fd, text, put_request(text, sizeof text, TRACES, headers, ONE_SPAN, strlen(ONE_SPAN)));
    hear(&h, fd, &r);
    CHECK_EQ(r.status, 200);
    close(fd);
    close_house(&h);
    CHECK(access(path, F_OK) != 0);
}

TEST(other_machines_are_not_received_from_without_a_token)
{
    struct collect_options o = {.listens = {{.address = "0.0.0.0"}}, .listen_count = 1};
    struct oriel_err err = {0};
    struct collect *c;
    CHECK_EQ(collect_open(&c, &o, &err), ORIEL_EPERM);
    o.beyond_loopback = true;
    CHECK_EQ(collect_open(&c, &o, &err), ORIEL_EPERM);
    CHECK(strstr(err.text, "token") != NULL);
    o.token = "";
    CHECK_EQ(collect_open(&c, &o, &err), ORIEL_EPERM);
    struct house h;
    o.token = "hunter2";
    open_house(&h, o);
    close_house(&h);
    collect_close(NULL);
}

/* ---- gRPC ---- */

struct call {
    const char *path, *type, *encoding, *token;
    const void *message;
    size_t n;
    bool packed, unframed;
};

/* The status; what it says is in `text`. */
static int call(struct house *h, struct h2_client *client, const struct call *how, char *text,
                size_t text_n)
{
    static uint8_t body[8192];
    struct http_header headers[4];
    size_t n = 0, frame = how->unframed ? 0 : GRPC_PREFIX;
    const struct {
        const char *name, *value;
    } said[] = {{"content-type", how->type ? how->type : "application/grpc"},
                {"te", "trailers"},
                {"grpc-encoding", how->encoding},
                {"authorization", how->token}};
    for (size_t i = 0; i < 4; i++)
        if (said[i].value)
            headers[n++] = (struct http_header){said[i].name, said[i].value, strlen(said[i].name),
                                                strlen(said[i].value)};
    if (frame)
        grpc_prefix(body, how->n, how->packed);
    memcpy(body + frame, how->message, how->n);
    const struct h2_request r = {.size = sizeof r,
                                 .method = "POST",
                                 .path = how->path,
                                 .headers = headers,
                                 .header_count = n,
                                 .body = body,
                                 .body_n = frame + how->n};
    struct h2_exchange *x = NULL;
    struct oriel_err err = {0};
    REQUIRE(h2_client_start(client, &r, clock_mono_ns(), &x, &err) == 0);
    while (!h2_done(x)) {
        (void)h2_client_step(client, clock_mono_ns(), &err);
        (void)turn(h);
    }
    struct grpc_result result;
    grpc_result_read(x, &result);
    snprintf(text, text_n, "%s", result.text);
    h2_exchange_free(x);
    return result.status;
}

#define GRPC_TRACES "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define GRPC_METRICS "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

static struct h2_client *client_of(const struct house *h)
{
    struct h2_client *client;
    struct oriel_err err = {0};
    const struct sockaddr_in *a = (const struct sockaddr_in *)&collect_bound(h->c, 0)->sa;
    const struct h2_client_options o = {
        .size = sizeof o,
        .stream = {.size = sizeof o.stream, .host = "127.0.0.1", .port = ntohs(a->sin_port)},
        .authority = "127.0.0.1",
        .h2 = {.size = sizeof o.h2}};
    REQUIRE(h2_client_new(&client, &o, &err) == 0);
    return client;
}

TEST(calls_are_refused_with_the_status_that_tells_the_sender_what_to_do)
{
    /* A span with its ids, in a scope, in a resource. */
    static const char span[] = "\x0a\x22\x12\x20\x12\x1e\x0a\x10"
                               "0123456789abcdef\x12\x08"
                               "01234567\x2a\x00";
    static const struct {
        struct call call;
        int status;
        const char *says;
    } rows[] = {
        {{.path = GRPC_TRACES, .message = span, .n = sizeof span - 1}, GRPC_OK, ""},
        {{.path = GRPC_TRACES, .message = "", .n = 0}, GRPC_OK, ""},
        {{.path = GRPC_METRICS, .message = "", .n = 0}, GRPC_OK, ""},
        {{.path = "/other.Service/Export", .message = ""}, GRPC_UNIMPLEMENTED, "nothing is"},
        {{.path = GRPC_TRACES, .message = "\x0a\x7f", .n = 2}, GRPC_INVALID_ARGUMENT, "protobuf"},
        {{.path = GRPC_TRACES, .message = "x", .n = 1, .unframed = true},
         GRPC_INVALID_ARGUMENT,
         ""},
        {{.path = GRPC_TRACES, .message = "x", .n = 1, .packed = true},
         GRPC_INVALID_ARGUMENT,
         "without grpc-encoding"},
        {{.path = GRPC_TRACES, .message = "x", .n = 1, .packed = true, .encoding = "gzip"},
         GRPC_INVALID_ARGUMENT,
         "damaged"},
        {{.path = GRPC_TRACES, .message = "x", .n = 1, .packed = true, .encoding = "snappy"},
         GRPC_UNIMPLEMENTED,
         "gzip or zstd"},
    };
    struct house h;
    char text[512];
    open_house(&h, (struct collect_options){0});
    struct h2_client *client = client_of(&h);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (call(&h, client, &rows[i].call, text, sizeof text) != rows[i].status ||
            !strstr(text, rows[i].says))
            test_fail(__FILE__, __LINE__, "row %zu: %s", i, text);
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    h.full = true;
    CHECK_EQ(call(&h, client, &rows[0].call, text, sizeof text), GRPC_UNAVAILABLE);
    CHECK_EQ(counts(&h).connections, 1); /* none of it ended the connection */
    h2_client_free(client);
    close_house(&h);
}

TEST(a_call_without_the_token_is_unauthenticated)
{
    struct house h;
    char text[512];
    open_house(&h, (struct collect_options){.token = "hunter2"});
    struct h2_client *client = client_of(&h);
    struct call how = {.path = GRPC_TRACES, .message = "", .token = "Bearer wrong"};
    CHECK_EQ(call(&h, client, &how, text, sizeof text), GRPC_UNAUTHENTICATED);
    how.token = "Bearer hunter2";
    CHECK_EQ(call(&h, client, &how, text, sizeof text), GRPC_OK);
    h2_client_free(client);
    close_house(&h);
}

TEST(http_of_version_2_is_answered_as_that_of_version_1)
{
    static const struct http_header type = {"content-type", "application/json", 12, 16};
    static const struct {
        const char *body;
        int status;
    } rows[] = {{ONE_SPAN, 200}, {"[]", 400}};
    struct house h;
    struct oriel_err err = {0};
    open_house(&h, (struct collect_options){0});
    struct h2_client *client = client_of(&h);
    for (int i = 0; i < 2; i++) {
        struct h2_exchange *x;
        const struct h2_request r = {.size = sizeof r,
                                     .method = "POST",
                                     .path = "/v1/traces",
                                     .headers = &type,
                                     .header_count = 1,
                                     .body = rows[i].body,
                                     .body_n = strlen(rows[i].body)};
        REQUIRE(h2_client_start(client, &r, clock_mono_ns(), &x, &err) == 0);
        while (!h2_done(x)) {
            (void)h2_client_step(client, clock_mono_ns(), &err);
            (void)turn(&h);
        }
        CHECK_EQ(h2_status(x), rows[i].status);
        h2_exchange_free(x);
    }
    CHECK_EQ(h.types[ORIEL_REC_TOLD], 1);
    h2_client_free(client);
    close_house(&h);
}

/* A call that is told and waits for its answer. */
static struct h2_exchange *leave_waiting(struct house *h, struct h2_client *client)
{
    static const uint8_t empty[GRPC_PREFIX];
    static const struct http_header type = {"content-type", "application/grpc", 12, 16};
    const struct h2_request r = {.size = sizeof r,
                                 .method = "POST",
                                 .path = GRPC_TRACES,
                                 .headers = &type,
                                 .header_count = 1,
                                 .body = empty,
                                 .body_n = sizeof empty};
    struct h2_exchange *x;
    struct oriel_err err = {0};
    h->holds = true;
    REQUIRE(h2_client_start(client, &r, clock_mono_ns(), &x, &err) == 0);
    while (!collect_is_owing(h->c)) {
        (void)h2_client_step(client, clock_mono_ns(), &err);
        (void)turn(h);
    }
    return x;
}

TEST(a_call_whose_connection_is_gone_is_answered_to_nobody)
{
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){.connections = 1});
    struct h2_client *client = client_of(&h);
    struct h2_exchange *x = leave_waiting(&h, client);
    h2_client_drop(client);
    int fd = dial(&h); /* gets the one place, once the other is seen to be gone */
    while (counts(&h).connections < 2)
        (void)turn(&h);
    close(fd);
    h.holds = false;
    CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    CHECK_EQ(counts(&h).accepted_requests, 2);
    h2_exchange_free(x);
    h2_client_free(client);
    close_house(&h);
}

TEST(a_receiver_that_ends_at_once_leaves_nothing_of_who_waits)
{
    struct house h;
    open_house(&h, (struct collect_options){0});
    struct h2_client *client = client_of(&h);
    struct h2_exchange *x = leave_waiting(&h, client);
    CHECK(collect_fd(h.c) >= 0);
    CHECK_EQ(collect_listeners(h.c), 1);
    close_house(&h);
    h2_exchange_free(x);
    h2_client_free(client);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_was_rejected_of_protobuf_is_counted_in_protobuf)
{
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    /* A span without ids, in a scope, in a resource. */
    CHECK_EQ(ask_text(&h, TRACES, PROTOBUF, "\x0a\x06\x12\x04\x12\x02\x30\x01", &r), 200);
    REQUIRE(r.n - (size_t)(r.body - r.text) > 4);
    CHECK_EQ(r.body[0], 0x0a); /* partial_success */
    CHECK(r.body[2] == 0x08 && r.body[3] == 1);
    CHECK_EQ(counts(&h).no_id, 1);
    close_house(&h);
}

TEST(memory_that_ends_costs_one_request_and_no_receiver)
{
    static char text[4096];
    const size_t n = put_request(text, sizeof text, TRACES, JSON, ONE_SPAN, strlen(ONE_SPAN));
    struct house h;
    struct reply r;
    open_house(&h, (struct collect_options){0});
    for (uint64_t at = 1; at < 60; at++) {
        mem_fail_after(at);
        int fd = dial(&h);
        say(fd, text, n);
        hear(&h, fd, &r);
        mem_fail_after(0);
        CHECK(r.closed || r.status == 200 || r.status == 503);
        close(fd);
        CHECK_EQ(ask_text(&h, TRACES, JSON, ONE_SPAN, &r), 200);
    }
    close_house(&h);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
