/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "certs.h"
#include "peer.h"
#include "test.h"
#include "util/http_client.h"
#include "util/net.h"

static int context(struct tls_context **out, struct tls_options o, struct oriel_err *err)
{
    o.size = sizeof o;
    return tls_context_new(out, &o, err);
}

/* The OpenSSL that is loaded may be missing: then nothing of this can be seen. */
static struct tls_context *need(struct tls_options o)
{
    struct tls_context *c = NULL;
    struct oriel_err err = {0};
    int rc = context(&c, o, &err);
    if (rc == ORIEL_EUNSUPPORTED)
        test_skip("%s", err.text);
    if (rc != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return c;
}

static struct tls_context *server_of(const char *name, const char *client_ca, const char *alpn)
{
    char cert[300], key[300], ca[300], file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    cert_path(file, cert, sizeof cert);
    snprintf(file, sizeof file, "%s.key", name);
    cert_path(file, key, sizeof key);
    return need(
        (struct tls_options){.server = true,
                             .cert_file = cert,
                             .key_file = key,
                             .alpn = alpn,
                             .ca_file = client_ca ? cert_path(client_ca, ca, sizeof ca) : NULL});
}

static void carry(struct tls *from, struct tls *to, size_t piece)
{
    char bytes[4096];
    size_t n;
    while ((n = tls_drain(from, bytes, piece)) > 0)
        CHECK_EQ(tls_feed(to, bytes, n), 0);
}

/* Both to the end of the handshake: what each of them says. */
static void shake(struct tls *client, struct tls *server, int *out_client, int *out_server,
                  struct oriel_err *err)
{
    struct oriel_err theirs;
    *out_client = *out_server = NET_AGAIN;
    for (int i = 0; i < 20 && *out_client >= 0 && (*out_client || *out_server == NET_AGAIN); i++) {
        if (*out_client == NET_AGAIN)
            *out_client = tls_handshake(client, err);
        carry(client, server, 100);
        if (*out_server == NET_AGAIN)
            *out_server = tls_handshake(server, &theirs);
        carry(server, client, 4096);
    }
}

struct verdict {
    const char *server, *host;
    bool insecure;
    int rc;
    const char *says;
};

TEST(only_the_right_certificate_is_taken)
{
    static const struct verdict cases[] = {
        {"good", "localhost", false, 0, ""},
        {"good", "LOCALHOST.", false, 0, ""},
        {"good", "127.0.0.1", false, 0, ""},
        {"good", "[::1]", false, 0, ""},
        {"good", "127.0.0.2", false, ORIEL_EPERM, "mismatch"},
        {"good", "other.example", false, ORIEL_EPERM, "mismatch"},
        {"other", "localhost", false, ORIEL_EPERM, "mismatch"},
        {"expired", "localhost", false, ORIEL_EPERM, "expired"},
        {"foreign", "localhost", false, ORIEL_EPERM, "self"},
        {"foreign", "localhost", true, 0, ""},
        {"expired", "other.example", true, 0, ""},
    };
    char ca[300];
    certs_make();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct verdict *v = &cases[i];
        struct tls_context *s = server_of(v->server, NULL, NULL);
        struct tls_context *c = need((struct tls_options){
            .ca_file = cert_path("ca.pem", ca, sizeof ca), .insecure = v->insecure});
        struct tls *client, *server;
        struct oriel_err err = {0};
        int client_rc, server_rc;
        REQUIRE(tls_new(&client, c, v->host, &err) == 0);
        REQUIRE(tls_new(&server, s, NULL, &err) == 0);
        shake(client, server, &client_rc, &server_rc, &err);
        if (client_rc != v->rc || !strstr(err.text, v->says) || strchr(err.text, '\n'))
            test_fail(__FILE__, __LINE__, "%s for %s: %d %s", v->server, v->host, client_rc,
                      err.text);
        tls_free(client);
        tls_free(server);
        tls_context_free(c);
        tls_context_free(s);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_is_said_arrives_however_it_is_cut)
{
    char ca[300], got[100000], *said = malloc(sizeof got);
    certs_make();
    struct tls_context *s = server_of("good", NULL, "h2,http/1.1");
    struct tls_context *c = need(
        (struct tls_options){.ca_file = cert_path("ca.pem", ca, sizeof ca), .alpn = "http/1.1,h2"});
    struct tls *client, *server;
    struct oriel_err err = {0};
    int client_rc, server_rc;
    REQUIRE(said != NULL);
    for (size_t i = 0; i < sizeof got; i++)
        said[i] = (char)(i * 13);
    REQUIRE(tls_new(&client, c, "localhost", &err) == 0);
    REQUIRE(tls_new(&server, s, NULL, &err) == 0);
    shake(client, server, &client_rc, &server_rc, &err);
    REQUIRE(client_rc == 0 && server_rc == 0);
    CHECK_STR(tls_alpn(client), "h2"); /* the server's order counts */
    CHECK_STR(tls_alpn(server), "h2");
    size_t sent = 0, have = 0, n;
    while (have < sizeof got) {
        if (sent < sizeof got && tls_write(client, said + sent, sizeof got - sent, &n, &err) == 0)
            sent += n;
        carry(client, server, 777);
        while (have < sizeof got && tls_read(server, got + have, sizeof got - have, &n, &err) == 0)
            have += n;
    }
    CHECK_MEM(got, sizeof got, said, sizeof got);
    CHECK_EQ(tls_read(server, got, 1, &n, &err), NET_AGAIN);
    tls_bye(client);
    carry(client, server, 100);
    REQUIRE(tls_read(server, got, 1, &n, &err) == 0);
    CHECK_EQ(n, 0);
    tls_free(client);
    tls_free(server);
    tls_context_free(c);
    tls_context_free(s);
    free(said);
}

TEST(files_that_do_not_fit_are_named)
{
    char ca[300], cert[300], key[300];
    struct tls_context *c = NULL;
    struct oriel_err err = {0};
    certs_make();
    tls_context_free(need((struct tls_options){0}));
    static const char *const cases[][4] = {
        {"none.pem", NULL, NULL, "cannot be read: No such file"},
        {"client.key", NULL, NULL, "holds no certificates"},
        {"", NULL, NULL, "is a directory"},
        {"../../../../../../../dev/null", NULL, NULL, "is no regular file"},
        {"ca.pem", "none.pem", "client.key", "cannot be read: No such file"},
        {"ca.pem", "client.key", "client.key", "holds no certificate"},
        {"ca.pem", "client.pem", "good.key", "is not the key of the certificate in"},
        {"ca.pem", "client.pem", "none.key", "cannot be read: No such file"},
        {"ca.pem", "client.pem", "ca.pem", "holds no private key"},
        {"ca.pem", "client.pem", "locked.key", "with a password"}, /* nobody is asked for it */
        {"ca.pem", "client.pem", NULL, "no file with the key is named"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_options o = {.ca_file = cert_path(cases[i][0], ca, sizeof ca)};
        if (cases[i][1])
            o.cert_file = cert_path(cases[i][1], cert, sizeof cert);
        if (cases[i][2])
            o.key_file = cert_path(cases[i][2], key, sizeof key);
        o.ca_said = "--ca";
        o.cert_said = "--cert";
        o.key_said = "--key";
        err.text[0] = 0;
        CHECK(context(&c, o, &err) != 0);
        const bool of_key = i >= 6 && cases[i][2];
        CHECK(strstr(err.text, i < 4 ? ca : of_key ? key : cert) != NULL);
        CHECK(strstr(err.text, i < 4 ? " (--ca): " : of_key ? " (--key): " : " (--cert): "));
        CHECK(strstr(err.text, cases[i][3]) != NULL);
        CHECK(strstr(err.text, "system lib") == NULL);
    }
    struct tls_options lonely = {.key_file = "x"};
    CHECK_EQ(context(&c, lonely, &err), ORIEL_EFORMAT);
    CHECK(strstr(err.text, "without its certificate") != NULL);
    CHECK_EQ(mem_live_blocks(), 0);
}

/* ---- through sockets ---- */

struct https {
    struct tls_context *context;
    const char *reply;
};

/* Serves one HTTP exchange over TLS; ends early when the client does not like us. */
static void serve(int fd, unsigned which, void *arg)
{
    const struct https *h = arg;
    struct stream *s;
    struct oriel_err err;
    char got[8192];
    size_t have = 0, n, sent = 0, all = strlen(h->reply);
    int own = dup(fd), rc = 0;
    if (stream_accepted(&s, own, h->context, &err) != 0)
        return;
    while (sent < all && rc >= 0) {
        struct net_wait w;
        rc = stream_step(s, 0, &err);
        if (rc == 0 && !memmem(got, have, "\r\n\r\n", 4)) {
            rc = stream_read(s, got + have, sizeof got - have, &n, &err);
            if (rc == 0 && n == 0)
                break;
            have += rc == 0 ? n : 0;
        } else if (rc == 0 && (rc = stream_write(s, h->reply + sent, all - sent, &n, &err)) == 0)
            sent += n;
        if (rc != NET_AGAIN)
            continue;
        net_wait_init(&w);
        stream_wait(s, true, have > 0, &w);
        net_wait_sleep(&w, UINT64_MAX);
    }
    stream_free(s);
}

static int get(uint16_t port, struct tls_context *c, const char *host, int *out_status,
               struct oriel_err *err)
{
    struct http_client_options o = {.size = sizeof o,
                                    .authority = "localhost",
                                    .stream = {.size = sizeof o.stream,
                                               .host = "127.0.0.1",
                                               .port = port,
                                               .tls = c,
                                               .tls_host = host}};
    struct http_request r = {.size = sizeof r, .method = "GET", .target = "/"};
    struct http_client *client;
    struct http_reply reply;
    REQUIRE(http_client_new(&client, &o, err) == 0);
    int rc = http_client_call(client, &r, clock_mono_ns() + UINT64_C(60000000000), &reply, err);
    *out_status = rc == 0 ? reply.head.status : 0;
    http_client_free(client);
    return rc;
}

TEST(https_is_http_in_tls_and_asks_for_a_client_certificate_if_it_wants)
{
    char ca[300], cert[300], key[300];
    int status;
    struct oriel_err err = {0};
    certs_make();
    struct https plain = {server_of("good", NULL, NULL),
                          "HTTP/1.1 202 Yes\r\nContent-Length: 2\r\n\r\nok"};
    struct https mutual = {server_of("good", "ca.pem", NULL), plain.reply};
    struct peer *p = peer_start(serve, &plain, NULL), *m = peer_start(serve, &mutual, NULL);
    cert_path("ca.pem", ca, sizeof ca);
    struct tls_context *anonymous = need((struct tls_options){.ca_file = ca});
    struct tls_context *known =
        need((struct tls_options){.ca_file = ca,
                                  .cert_file = cert_path("client.pem", cert, sizeof cert),
                                  .key_file = cert_path("client.key", key, sizeof key)});
    CHECK_EQ(get(peer_port(p), anonymous, NULL, &status, &err), 0);
    CHECK_EQ(status, 202);
    CHECK_EQ(get(peer_port(p), anonymous, "other.example", &status, &err), ORIEL_EPERM);
    CHECK_EQ(get(peer_port(m), known, "localhost", &status, &err), 0);
    CHECK_EQ(status, 202);
    CHECK(get(peer_port(m), anonymous, "localhost", &status, &err) < 0);
    CHECK_EQ(status, 0);
    peer_stop(p);
    peer_stop(m);
    tls_context_free(anonymous);
    tls_context_free(known);
    tls_context_free(plain.context);
    tls_context_free(mutual.context);
    CHECK_EQ(mem_live_blocks(), 0);
}

static void speak_plainly(int fd, unsigned which, void *arg)
{
    peer_send(fd, "HTTP/1.1 400 Plain\r\n\r\n");
    peer_drain(fd);
}

static void say_nothing(int fd, unsigned which, void *arg)
{
    peer_drain(fd);
}

TEST(a_server_without_tls_or_without_words_is_no_https)
{
    int status;
    struct oriel_err err = {0};
    struct tls_context *c = need((struct tls_options){.insecure = true});
    struct peer *p = peer_start(speak_plainly, NULL, NULL);
    CHECK_EQ(get(peer_port(p), c, NULL, &status, &err), ORIEL_EFORMAT);
    peer_stop(p);
    p = peer_start(say_nothing, NULL, NULL);
    struct stream_options o = {
        .size = sizeof o, .host = "127.0.0.1", .port = peer_port(p), .tls = c};
    struct http_client_options h = {.size = sizeof h, .authority = "a", .stream = o};
    struct http_request r = {.size = sizeof r, .method = "GET", .target = "/"};
    struct http_client *client;
    struct http_reply reply;
    REQUIRE(http_client_new(&client, &h, &err) == 0);
    CHECK_EQ(http_client_call(client, &r, clock_mono_ns() + 30000000, &reply, &err),
             ORIEL_ETIMEOUT);
    http_client_free(client);
    peer_stop(p);
    tls_context_free(c);
}

TEST_MAIN()
