/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * B3 in both forms, and the headers and baggage of Jaeger and OpenTracing: what is read, and what
 * is written for it.
 */
#include "rec/propagate.h"

#include "base/err.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define HALF "a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static struct oriel_propagators named(const char *list)
{
    struct oriel_propagators p;
    CHECK_EQ(oriel_propagators_parse(list, &p), 0);
    return p;
}

/* The traceparent of what one header brings, with its marks; "" for nothing. */
static const char *through(const char *list, struct oriel_header *h, size_t n)
{
    static char text[64];
    struct oriel_context c;
    struct oriel_headers headers = {.headers = h, .count = n};
    struct oriel_propagators p = named(list);
    unsigned found = oriel_extract(&p, &oriel_header_getter, &headers, &c, NULL);
    if (!found)
        return "";
    CHECK(c.marks & ORIEL_CONTEXT_REMOTE);
    size_t at = oriel_traceparent_format(&c, text);
    snprintf(text + at, sizeof text - at, "%s", c.marks & ORIEL_CONTEXT_DEBUG ? " debug" : "");
    return text;
}

TEST(b3_in_one_header_is_read)
{
    static const char *const cases[][2] = {
        {TRACE "-" SPAN "-1", "00-" TRACE "-" SPAN "-01"},
        {TRACE "-" SPAN "-0", "00-" TRACE "-" SPAN "-00"},
        {TRACE "-" SPAN "-d", "00-" TRACE "-" SPAN "-01 debug"},
        {TRACE "-" SPAN, "00-" TRACE "-" SPAN "-00"},
        {TRACE "-" SPAN "-1-05e3ac9a4f6e3b90", "00-" TRACE "-" SPAN "-01"},
        {HALF "-" SPAN "-1", "00-0000000000000000" HALF "-" SPAN "-01"},
        {" " TRACE "-" SPAN "-1 ", "00-" TRACE "-" SPAN "-01"},
        {"0", ""},
        {"1", ""},
        {TRACE "-" SPAN "-2", ""},
        {TRACE "-" SPAN "-", ""},
        {TRACE "-" SPAN "-1-", ""},
        {TRACE "-" SPAN "-1-05e3ac9a4f6e3b9", ""},
        {TRACE "-" SPAN "-1-05e3ac9a4f6e3b90-1", ""},
        {TRACE "-" SPAN "-true", ""},
        {"0000000000000000-" SPAN "-1", ""},
        {TRACE "-0000000000000000-1", ""},
        {"4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-1", ""},
        {TRACE "-" SPAN "1-1", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct oriel_header h[] = {{"B3", cases[i][0]}};
        CHECK_STR(through("b3", h, 1), cases[i][1]);
        CHECK_STR(through("b3multi", h, 1), cases[i][1]);
    }
}

TEST(b3_in_several_headers_is_read)
{
    struct oriel_header h[] = {{"X-B3-TraceId", TRACE},
                               {"X-B3-SpanId", SPAN},
                               {"X-B3-Sampled", "1"},
                               {"X-B3-ParentSpanId", "05e3ac9a4f6e3b90"}};
    CHECK_STR(through("b3", h, 4), "00-" TRACE "-" SPAN "-01");
    CHECK_STR(through("b3multi", h, 2), "00-" TRACE "-" SPAN "-00");
    h[2].value = "true";
    CHECK_STR(through("b3multi", h, 3), "00-" TRACE "-" SPAN "-01");
    h[2].value = "0";
    CHECK_STR(through("b3multi", h, 3), "00-" TRACE "-" SPAN "-00");
    h[2] = (struct oriel_header){"x-b3-flags", "1"};
    CHECK_STR(through("b3multi", h, 3), "00-" TRACE "-" SPAN "-01 debug");
    h[0].value = HALF;
    CHECK_STR(through("b3multi", h, 2), "00-0000000000000000" HALF "-" SPAN "-00");
    CHECK_STR(through("b3multi", h, 1), "");
    CHECK_STR(through("b3multi", h + 1, 2), "");
}

TEST(of_both_forms_of_b3_the_single_header_counts)
{
    struct oriel_header h[] = {
        {"x-b3-traceid", HALF}, {"x-b3-spanid", SPAN}, {"b3", TRACE "-" SPAN "-1"}};
    CHECK_STR(through("b3multi", h, 3), "00-" TRACE "-" SPAN "-01");
    h[2].value = "damaged";
    CHECK_STR(through("b3", h, 3), "00-0000000000000000" HALF "-" SPAN "-00");
}

/* All headers that are written, "name: value" by line. */
static const char *written(const char *list, const struct oriel_context *c)
{
    static char all[1024];
    struct oriel_header h[16];
    char text[1024];
    struct oriel_headers headers = {h, 0, 16, text, 0, sizeof text};
    struct oriel_propagators p = named(list);
    size_t n = 0;
    CHECK_EQ(oriel_inject(&p, c, &oriel_header_setter, &headers), 0);
    all[0] = 0;
    for (size_t i = 0; i < headers.count; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s: %s\n", h[i].name, h[i].value);
    return all;
}

TEST(b3_and_jaeger_are_written)
{
    struct oriel_context c;
    static const char in[] = "00-" TRACE "-" SPAN "-01";
    REQUIRE(oriel_traceparent_parse(in, sizeof in - 1, &c) == 0);
    CHECK_STR(written("b3", &c), "b3: " TRACE "-" SPAN "-1\n");
    CHECK_STR(written("b3multi", &c),
              "x-b3-traceid: " TRACE "\nx-b3-spanid: " SPAN "\nx-b3-sampled: 1\n");
    CHECK_STR(written("jaeger", &c), "uber-trace-id: " TRACE ":" SPAN ":0:01\n");
    c.flags = 0;
    CHECK_STR(written("b3", &c), "b3: " TRACE "-" SPAN "-0\n");
    CHECK_STR(written("jaeger", &c), "uber-trace-id: " TRACE ":" SPAN ":0:00\n");
    c.flags = 1;
    c.marks |= ORIEL_CONTEXT_DEBUG;
    CHECK_STR(written("b3", &c), "b3: " TRACE "-" SPAN "-d\n");
    CHECK_STR(written("b3multi", &c),
              "x-b3-traceid: " TRACE "\nx-b3-spanid: " SPAN "\nx-b3-flags: 1\n");
    CHECK_STR(written("jaeger", &c), "uber-trace-id: " TRACE ":" SPAN ":0:03\n");
    memset(&c, 0, sizeof c);
    CHECK_STR(written("b3,b3multi,jaeger", &c), "");
}

TEST(jaeger_is_read)
{
    static const char *const cases[][2] = {
        {TRACE ":" SPAN ":0:1", "00-" TRACE "-" SPAN "-01"},
        {TRACE ":" SPAN ":0:01", "00-" TRACE "-" SPAN "-01"},
        {TRACE ":f067aa0ba902b7:0:0", "00-" TRACE "-" SPAN "-00"},
        {"e4736:2b7:0:3", "00-000000000000000000000000000e4736-00000000000002b7-01 debug"},
        {TRACE "%3A" SPAN "%3a0%3A1", "00-" TRACE "-" SPAN "-01"},
        {"4BF92F3577B34DA6A3CE929D0E0E4736:" SPAN ":0:1", "00-" TRACE "-" SPAN "-01"},
        {TRACE ":" SPAN ":" SPAN ":5", "00-" TRACE "-" SPAN "-01"},
        {TRACE ":" SPAN ":0:2", "00-" TRACE "-" SPAN "-01 debug"},
        {TRACE ":" SPAN ":0", ""},
        {TRACE ":" SPAN ":0:1:1", ""},
        {TRACE ":" SPAN ":0:", ""},
        {TRACE "0:" SPAN ":0:1", ""},
        {TRACE ":" SPAN "0:0:1", ""},
        {TRACE ":0:0:1", ""},
        {"0:" SPAN ":0:1", ""},
        {"x:" SPAN ":0:1", ""},
        {TRACE ":" SPAN ":0:100", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct oriel_header h[] = {{"Uber-Trace-Id", cases[i][0]}};
        CHECK_STR(through("jaeger", h, 1), cases[i][1]);
    }
}

TEST(jaegers_baggage_is_a_header_for_each_member)
{
    struct oriel_header h[] = {{"Uberctx-User", "a%20b"},
                               {"uberctx-", "x"},
                               {"other", "y"},
                               {"uberctx-k", "1"},
                               {"uberctx-bad name", "2"}};
    struct oriel_headers headers = {.headers = h, .count = 5};
    struct oriel_baggage b;
    struct oriel_context c;
    struct oriel_baggage_member m;
    struct oriel_propagators p = named("jaeger");
    CHECK_EQ(oriel_extract(&p, &oriel_header_getter, &headers, &c, &b), ORIEL_EXTRACTED_BAGGAGE);
    CHECK(c.baggage == &b);
    CHECK_EQ(b.count, 2);
    CHECK(oriel_baggage_get(&b, "user", &m) && m.value_bytes == 3 && !memcmp(m.value, "a b", 3));
    CHECK_STR(written("jaeger", &c), "uberctx-user: a%20b\nuberctx-k: 1\n");
    CHECK_EQ(oriel_baggage_set(&b, "no header", "1", NULL, &b), 0);
    CHECK_STR(written("jaeger", &c), "uberctx-user: a%20b\nuberctx-k: 1\n");
}

TEST(ottrace_is_read_and_written)
{
    static const char *const cases[][4] = {
        {HALF, SPAN, "true", "00-0000000000000000" HALF "-" SPAN "-01"},
        {HALF, SPAN, "1", "00-0000000000000000" HALF "-" SPAN "-01"},
        {HALF, SPAN, "false", "00-0000000000000000" HALF "-" SPAN "-00"},
        {HALF, SPAN, "TRUE", "00-0000000000000000" HALF "-" SPAN "-00"},
        {TRACE, SPAN, "true", "00-" TRACE "-" SPAN "-01"},
        {"1f", "2", "true", "00-0000000000000000000000000000001f-0000000000000002-01"},
        {TRACE "0", SPAN, "true", ""},
        {HALF, SPAN "0", "true", ""},
        {"0", SPAN, "true", ""},
        {HALF, "0", "true", ""},
        {"x", SPAN, "true", ""},
        {"", SPAN, "true", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct oriel_header h[] = {{"Ot-Tracer-Traceid", cases[i][0]},
                                   {"ot-tracer-spanid", cases[i][1]},
                                   {"ot-tracer-sampled", cases[i][2]}};
        CHECK_STR(through("ottrace", h, 3), cases[i][3]);
        CHECK_STR(through("ottrace", h, 1), "");
    }
    struct oriel_context c;
    static const char in[] = "00-" TRACE "-" SPAN "-01";
    static const char half[] = "00-4bf92f3577b34da60000000000000000-" SPAN "-01";
    REQUIRE(oriel_traceparent_parse(in, sizeof in - 1, &c) == 0);
    CHECK_STR(written("ottrace", &c),
              "ot-tracer-traceid: " HALF "\not-tracer-spanid: " SPAN "\not-tracer-sampled: true\n");
    c.flags = 0;
    CHECK_STR(written("ottrace", &c), "ot-tracer-traceid: " HALF "\not-tracer-spanid: " SPAN
                                      "\not-tracer-sampled: false\n");
    REQUIRE(oriel_traceparent_parse(half, sizeof half - 1, &c) == 0);
    CHECK_STR(written("ottrace", &c), "");
}

TEST(baggage_of_ottrace_goes_as_it_is)
{
    struct oriel_header h[] = {
        {"Ot-Baggage-User", "a%20 b"}, {"ot-baggage-", "x"},         {"other", "y"},
        {"ot-baggage-k", "1"},         {"ot-baggage-u", "\xc3\xa4"}, {"ot-baggage-bad name", "2"}};
    struct oriel_headers headers = {.headers = h, .count = 6};
    struct oriel_baggage b;
    struct oriel_context c;
    struct oriel_propagators p = named("ottrace");
    CHECK_EQ(oriel_extract(&p, &oriel_header_getter, &headers, &c, &b), ORIEL_EXTRACTED_BAGGAGE);
    CHECK_EQ(b.count, 2);
    CHECK_STR(written("ottrace", &c), "ot-baggage-user: a%20 b\not-baggage-k: 1\n");
    CHECK_EQ(oriel_baggage_set(&b, "no header", "1", NULL, &b), 0);
    CHECK_EQ(oriel_baggage_set(&b, "line", "1\r\nx: y", NULL, &b), 0);
    CHECK_EQ(oriel_baggage_set(&b, "blank", "1 ", NULL, &b), 0);
    CHECK_STR(written("ottrace", &c), "ot-baggage-user: a%20 b\not-baggage-k: 1\n");
}

TEST_MAIN()
