/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of OTLP's URLs: one row per case of protocol/exporter.md, and what people write. */
#include "config/otlp.h"
#include "test.h"

enum { G = CONFIG_GRPC, P = CONFIG_HTTP_PROTOBUF, J = CONFIG_HTTP_JSON };
enum { T = CONFIG_TRACES, L = CONFIG_LOGS };

static const struct {
    int protocol, signal;
    const char *base, *own;
    bool insecure;
    const char *url; /* NULL: refused */
} cases[] = {
    /* HTTP, nothing said */
    {P, T, NULL, NULL, false, "http://localhost:4318/v1/traces"},
    {P, L, NULL, NULL, false, "http://localhost:4318/v1/logs"},
    {J, T, "", "", false, "http://localhost:4318/v1/traces"},
    {P, T, NULL, NULL, true, "http://localhost:4318/v1/traces"},
    /* HTTP, said for all: the path is added to */
    {P, T, "http://collector:4318", NULL, false, "http://collector:4318/v1/traces"},
    {P, L, "http://collector:4318", NULL, false, "http://collector:4318/v1/logs"},
    {P, T, "http://collector:4318/", NULL, false, "http://collector:4318/v1/traces"},
    {P, T, "http://collector:4318/mine", NULL, false, "http://collector:4318/mine/v1/traces"},
    {P, T, "http://collector:4318/mine/", NULL, false, "http://collector:4318/mine/v1/traces"},
    {P, T, "http://collector/a/b", NULL, false, "http://collector/a/b/v1/traces"},
    {P, T, "http://collector/v1/traces", NULL, false, "http://collector/v1/traces/v1/traces"},
    {P, T, "https://collector", NULL, false, "https://collector/v1/traces"},
    {P, L, "https://collector", NULL, true, "https://collector/v1/logs"},
    {P, T, "https://collector:443", NULL, false, "https://collector:443/v1/traces"},
    {P, T, "http://collector:80", NULL, false, "http://collector:80/v1/traces"},
    {P, T, "HTTP://Collector:4318", NULL, false, "HTTP://Collector:4318/v1/traces"},
    {P, T, "http://127.0.0.1:1", NULL, false, "http://127.0.0.1:1/v1/traces"},
    {P, T, "http://[::1]:4318", NULL, false, "http://[::1]:4318/v1/traces"},
    {P, T, "http://[::1]", NULL, false, "http://[::1]/v1/traces"},
    {P, T, "http://c:4318?a=b", NULL, false, "http://c:4318/v1/traces?a=b"},
    {P, T, "http://c:4318/p?a=b/c", NULL, false, "http://c:4318/p/v1/traces?a=b/c"},
    {P, T, "http://c:4318/p%20q", NULL, false, "http://c:4318/p%20q/v1/traces"},
    {P, T, "http://c:4318/p//", NULL, false, "http://c:4318/p//v1/traces"},
    {J, L, "http://c:4318/p", NULL, false, "http://c:4318/p/v1/logs"},
    /* HTTP, said for the signal: as it is */
    {P, T, NULL, "http://c:4318/v1/traces", false, "http://c:4318/v1/traces"},
    {P, T, NULL, "http://c:4318", false, "http://c:4318/"},
    {P, T, NULL, "http://c:4318/", false, "http://c:4318/"},
    {P, L, NULL, "http://c:4318/v1/traces", false, "http://c:4318/v1/traces"},
    {P, T, NULL, "http://c/x", false, "http://c/x"},
    {P, T, NULL, "http://c/x/", false, "http://c/x/"},
    {P, T, NULL, "https://c", false, "https://c/"},
    {P, T, NULL, "http://c?a=b", false, "http://c/?a=b"},
    {P, T, NULL, "http://c/x?a=b", false, "http://c/x?a=b"},
    {P, T, "http://base:1/b", "http://own:2/o", false, "http://own:2/o"},
    {P, L, "http://base:1/b", NULL, false, "http://base:1/b/v1/logs"},
    {P, T, "http://base:1/b", "", false, "http://base:1/b/v1/traces"},
    {P, T, "nonsense", "http://own/o", false, "http://own/o"},
    {P, T, "unix:/run/o.sock", NULL, false, "unix:/run/o.sock"},
    {P, T, NULL, "unix:///run/o.sock", false, "unix:///run/o.sock"},
    /* HTTP, refused */
    {P, T, "collector:4318", NULL, false, NULL},
    {P, T, "localhost", NULL, true, NULL},
    {P, T, "ftp://c/", NULL, false, NULL},
    {P, T, "grpc://c:4317", NULL, false, NULL},
    {P, T, "http://", NULL, false, NULL},
    {P, T, "http:///v1", NULL, false, NULL},
    {P, T, "http://c:0", NULL, false, NULL},
    {P, T, "http://c:65536", NULL, false, NULL},
    {P, T, "http://c:port", NULL, false, NULL},
    {P, T, "http://user:password@c", NULL, false, NULL},
    {P, T, "http://c/#there", NULL, false, NULL},
    {P, T, "http://c/a b", NULL, false, NULL},
    {P, T, "http://c/\n", NULL, false, NULL},
    {P, T, "http://[::1", NULL, false, NULL},
    {P, T, " http://c", NULL, false, NULL},
    {P, T, NULL, "collector", false, NULL},
    {P, T, "dns:///c:1", NULL, false, NULL},
    /* gRPC, nothing said, a scheme that wins over insecure, and none */
    {G, T, NULL, NULL, false, "http://localhost:4317"},
    {G, L, "", "", true, "http://localhost:4317"},
    {G, T, "http://c:4317", NULL, false, "http://c:4317"},
    {G, T, "https://c:4317", NULL, true, "https://c:4317"},
    {G, T, "HTTPS://c:4317", NULL, false, "https://c:4317"},
    {G, T, "http://c", NULL, false, "http://c"},
    {G, T, "https://c", NULL, false, "https://c"},
    {G, T, "c:4317", NULL, false, "https://c:4317"},
    {G, T, "c:4317", NULL, true, "http://c:4317"},
    {G, T, "c", NULL, true, "http://c"},
    {G, T, "127.0.0.1:9", NULL, true, "http://127.0.0.1:9"},
    {G, T, "[::1]:4317", NULL, true, "http://[::1]:4317"},
    {G, T, "[::1]:4317", NULL, false, "https://[::1]:4317"},
    {G, T, "dns:c:4317", NULL, true, "http://c:4317"},
    {G, T, "dns:///c:4317", NULL, false, "https://c:4317"},
    {G, T, "unix:/run/o.sock", NULL, false, "unix:/run/o.sock"},
    {G, T, "unix:///run/o.sock", NULL, true, "unix:///run/o.sock"},
    {G, T, "http://c:4317/", NULL, false, "http://c:4317"},
    {G, T, "http://c:4317/v1/traces", NULL, false, "http://c:4317"},
    {G, T, "http://c:4317?x=y", NULL, false, "http://c:4317"},
    {G, T, "http://base:1", "https://own:2", false, "https://own:2"},
    {G, L, "http://base:1", "own:2", true, "http://own:2"},
    {G, T, "http://base:1", "", false, "http://base:1"},
    /* gRPC, refused */
    {G, T, "dns://8.8.8.8/c:4317", NULL, false, NULL},
    {G, T, "ftp://c", NULL, false, NULL},
    {G, T, "c:4317:1", NULL, false, NULL},
    {G, T, "c:99999", NULL, false, NULL},
    {G, T, "http://u:p@c", NULL, false, NULL},
    {G, T, "u:p@c", NULL, true, NULL},
    {G, T, "http://", NULL, false, NULL},
    {G, T, "a b", NULL, true, NULL},
    {G, T, "unix:", NULL, true, NULL},
};

TEST(every_url_is_what_the_standard_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[1400] = "untouched";
        struct oriel_err err = {0};
        int rc = config_otlp_url((enum config_protocol)cases[i].protocol,
                                 (enum config_signal)cases[i].signal, cases[i].base, cases[i].own,
                                 cases[i].insecure, url, sizeof url, &err);
        bool right = cases[i].url ? rc == 0 && strcmp(url, cases[i].url) == 0
                                  : rc == ORIEL_EFORMAT && err.text[0];
        if (!right)
            test_fail(__FILE__, __LINE__, "case %zu (%s, %s): %d %s %s", i,
                      cases[i].base ? cases[i].base : "-", cases[i].own ? cases[i].own : "-", rc,
                      url, err.text);
    }
}

TEST(a_password_in_a_refused_url_is_not_repeated)
{
    for (int protocol = G; protocol <= J; protocol++) {
        char url[100];
        struct oriel_err err = {0};
        CHECK(config_otlp_url((enum config_protocol)protocol, CONFIG_TRACES, NULL,
                              "http://me:hunter2@c:1", false, url, sizeof url, &err) < 0);
        CHECK(!strstr(err.text, "hunter2"));
    }
}

TEST(what_does_not_fit_is_a_limit_and_no_half_url)
{
    char url[24];
    struct oriel_err err = {0};
    CHECK_EQ(config_otlp_url(CONFIG_HTTP_PROTOBUF, CONFIG_TRACES, "http://collector:4318", NULL,
                             false, url, sizeof url, &err),
             ORIEL_ELIMIT);
    CHECK_EQ(config_otlp_url(CONFIG_GRPC, CONFIG_TRACES, "http://collector:4318", NULL, false, url,
                             sizeof url, &err),
             0);
}

TEST(the_protocol_nobody_chose_is_guessed_from_port_and_path)
{
    static const struct {
        const char *endpoint;
        enum config_protocol protocol;
    } guesses[] = {{"", CONFIG_GRPC},
                   {"http://c:4317", CONFIG_GRPC},
                   {"http://c:4317/", CONFIG_GRPC},
                   {"c:4317", CONFIG_GRPC},
                   {"https://c", CONFIG_GRPC},
                   {"unix:/run/o.sock", CONFIG_GRPC},
                   {"http://c:4318", CONFIG_HTTP_PROTOBUF},
                   {"https://c/otlp", CONFIG_HTTP_PROTOBUF},
                   {"http://c:9/v1/traces", CONFIG_HTTP_PROTOBUF}};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
        CHECK_EQ(config_otlp_guess(guesses[i].endpoint), guesses[i].protocol);
    CHECK_EQ(config_otlp_guess(NULL), CONFIG_GRPC);
}

TEST_MAIN()
