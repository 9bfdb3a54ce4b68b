/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What replies of a receiver mean, over gRPC and HTTP, and what options say of one. */
#include "export/otlp/otlp.h"
#include "util/grpc.h"

#include "test.h"

extern const struct exporter export_otlp;

static void destination(int protocol, struct export_destination *out)
{
    const struct otlp_options o = {.protocol = protocol, .endpoint = "http://h:1", .proxy = ""};
    export_otlp.destination(&o, out);
}

static struct deliver_verdict judged(int protocol, const struct deliver_reply *r,
                                     enum out_signal signal)
{
    struct export_destination d;
    struct deliver_verdict v;
    destination(protocol, &d);
    memset(&v, 0xa5, sizeof v);
    d.deliver.dialect->judge(signal, r, &v);
    return v;
}

TEST(grpc_failures_are_tried_again_only_where_the_protocol_allows_it)
{
    static const int again[] = {1, 4, 10, 11, 14, 15};
    for (int status = 1; status <= 17; status++) {
        struct deliver_reply r = {.grpc = true, .status = status, .text = "why"};
        bool expected = false;
        for (size_t i = 0; i < sizeof again / sizeof *again; i++)
            expected = expected || again[i] == status;
        struct deliver_verdict v = judged(OTLP_GRPC, &r, OUT_TRACES);
        CHECK_EQ(v.fate, expected ? DELIVER_AGAIN : DELIVER_REFUSED);
        CHECK(strstr(v.text, ": why") != NULL);
    }
    struct deliver_reply full = {.grpc = true, .status = GRPC_RESOURCE_EXHAUSTED};
    CHECK_EQ(judged(OTLP_GRPC, &full, OUT_TRACES).fate, DELIVER_REFUSED);
    full.has_delay = true;
    CHECK_EQ(judged(OTLP_GRPC, &full, OUT_TRACES).fate, DELIVER_AGAIN);
    CHECK_STR(judged(OTLP_GRPC, &full, OUT_TRACES).text, "RESOURCE_EXHAUSTED");
}

TEST(http_failures_too)
{
    for (int status = 300; status < 600; status++) {
        struct deliver_reply r = {.status = status, .text = "Sorry"};
        struct deliver_verdict v = judged(OTLP_HTTP_PROTOBUF, &r, OUT_LOGS);
        bool again = status == 429 || status == 502 || status == 503 || status == 504;
        CHECK_EQ(v.fate, again           ? DELIVER_AGAIN
                         : status == 413 ? DELIVER_TOO_LARGE
                                         : DELIVER_REFUSED);
        CHECK(strstr(v.text, "Sorry") != NULL);
    }
}

/* ExportTraceServiceResponse{partial_success{rejected 3, "two are old"}} */
static const char partial[] = "\x0a\x0f\x08\x03\x12\x0btwo are old";

TEST(partial_success_says_how_many_and_why)
{
    struct deliver_reply r = {.grpc = true, .body = partial, .body_n = sizeof partial - 1};
    struct deliver_verdict v = judged(OTLP_GRPC, &r, OUT_TRACES);
    CHECK_EQ(v.fate, DELIVER_TAKEN);
    CHECK_EQ(v.rejected, 3);
    CHECK_STR(v.text, "two are old");
    r = (struct deliver_reply){.status = 200, .body = partial, .body_n = sizeof partial - 1};
    CHECK_EQ(judged(OTLP_HTTP_PROTOBUF, &r, OUT_TRACES).rejected, 3);
    static const char json[] =
        "{\"partialSuccess\":{\"rejectedLogRecords\":\"7\",\"errorMessage\":\"no\\nroom\"}}";
    r = (struct deliver_reply){.status = 200, .body = json, .body_n = sizeof json - 1};
    v = judged(OTLP_HTTP_JSON, &r, OUT_LOGS);
    CHECK_EQ(v.rejected, 7);
    CHECK(strchr(v.text, '\n') == NULL);
    CHECK_EQ(judged(OTLP_HTTP_JSON, &r, OUT_TRACES).rejected, 0); /* of another signal */
}

TEST(a_reply_that_cannot_be_read_takes_all)
{
    static const char *const bodies[] = {"",
                                         "\xff\xff\xff",
                                         "\x0a\xff",
                                         "{\"partialSuccess\":",
                                         "[]",
                                         "{\"partialSuccess\":{\"rejectedSpans\":-1}}",
                                         "{\"partialSuccess\":{\"rejectedSpans\":\"9x\"}}"};
    for (int protocol = OTLP_GRPC; protocol <= OTLP_HTTP_JSON; protocol++)
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
            struct deliver_reply r = {.grpc = protocol == OTLP_GRPC,
                                      .status = protocol == OTLP_GRPC ? 0 : 200,
                                      .body = bodies[i],
                                      .body_n = strlen(bodies[i])};
            struct deliver_verdict v = judged(protocol, &r, OUT_TRACES);
            CHECK_EQ(v.fate, DELIVER_TAKEN);
            CHECK_EQ(v.rejected, 0);
        }
    struct deliver_reply cut = {
        .status = 200, .body = partial, .body_n = sizeof partial - 1, .cut = true};
    CHECK_EQ(judged(OTLP_HTTP_PROTOBUF, &cut, OUT_TRACES).rejected, 0);
}

TEST(the_status_in_a_body_says_more_than_the_reason_phrase)
{
    static const char status[] = "\x08\x03\x12\x09"
                                 "bad span\x07";
    struct deliver_reply r = {
        .status = 400, .text = "Bad Request", .body = status, .body_n = sizeof status - 1};
    struct deliver_verdict v = judged(OTLP_HTTP_PROTOBUF, &r, OUT_TRACES);
    CHECK(strncmp(v.text, "bad span", 8) == 0);
    CHECK(strchr(v.text, 7) == NULL);
    static const char json[] = "{\"code\":3,\"message\":\"bad log\"}";
    r.body = json;
    r.body_n = sizeof json - 1;
    CHECK_STR(judged(OTLP_HTTP_JSON, &r, OUT_LOGS).text, "bad log");
    r.body_n = 0;
    CHECK_STR(judged(OTLP_HTTP_JSON, &r, OUT_LOGS).text, "HTTP 400 Bad Request");
}

TEST(options_say_where_a_receiver_is_and_how_it_is_spoken_to)
{
    struct export_destination d;
    destination(OTLP_GRPC, &d);
    CHECK(d.deliver.grpc);
    CHECK_STR(d.deliver.endpoint, "http://h:1");
    CHECK(d.deliver.proxy == NULL);
    CHECK_STR(d.deliver.dialect->content_type, "application/x-protobuf");
    CHECK_STR(d.deliver.dialect->paths[OUT_LOGS], "v1/logs");
    destination(OTLP_HTTP_JSON, &d);
    CHECK(!d.deliver.grpc);
    CHECK_STR(d.deliver.dialect->content_type, "application/json");
}

TEST_MAIN()
