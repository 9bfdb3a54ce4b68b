/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lists of propagators, what several of them read and write together, and a
 * context in a message.
 */
#include "rec/propagate.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const char *fields_of(const char *list, unsigned unknown)
{
    static char text[256];
    struct oriel_propagators p;
    const char *fields[ORIEL_FIELDS_MAX];
    CHECK_EQ(oriel_propagators_parse(list, &p), unknown);
    size_t n = oriel_propagators_fields(&p, fields), at = 0;
    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "", fields[i]);
    return text;
}

TEST(a_list_names_each_propagator_once_and_in_order)
{
    CHECK_STR(fields_of("tracecontext,baggage", 0), "traceparent tracestate baggage");
    CHECK_STR(fields_of("baggage,tracecontext,baggage", 0), "baggage traceparent tracestate");
    CHECK_STR(fields_of(" b3 , b3multi ", 0),
              "b3 x-b3-traceid x-b3-spanid x-b3-sampled x-b3-flags");
    CHECK_STR(fields_of("jaeger", 0), "uber-trace-id");
    CHECK_STR(fields_of("none", 0), "");
    CHECK_STR(fields_of("", 0), "");
    CHECK_STR(fields_of(NULL, 0), "");
    CHECK_STR(fields_of("xray,b3,OT", 2), "b3");
    CHECK_STR(fields_of("none,b3", 1), "b3");
    CHECK_STR(fields_of("B3", 1), "");
    CHECK_STR(fields_of("tracecontext,baggage,b3,b3multi,jaeger,ottrace", 0),
              "traceparent tracestate baggage b3 x-b3-traceid x-b3-spanid x-b3-sampled x-b3-flags "
              "uber-trace-id ot-tracer-traceid ot-tracer-spanid ot-tracer-sampled");
}

static const char *in_use(void)
{
    static char text[256];
    const char *fields[ORIEL_FIELDS_MAX];
    size_t n = oriel_propagators_fields(NULL, fields);
    snprintf(text, sizeof text, "%zu %s", n, n ? fields[0] : "");
    return text;
}

TEST(nobody_said_which_means_trace_context_and_baggage)
{
    unsetenv("OTEL_PROPAGATORS");
    CHECK_STR(in_use(), "3 traceparent");
}

TEST(the_environment_says_which)
{
    setenv("OTEL_PROPAGATORS", "b3,xray", 1);
    CHECK_STR(in_use(), "1 b3");
}

TEST(an_environment_without_a_known_name_counts_for_nothing)
{
    setenv("OTEL_PROPAGATORS", "xray", 1);
    CHECK_STR(in_use(), "3 traceparent");
}

TEST(an_empty_variable_is_none)
{
    setenv("OTEL_PROPAGATORS", "", 1);
    CHECK_STR(in_use(), "3 traceparent");
}

TEST(none_in_the_environment_is_none)
{
    setenv("OTEL_PROPAGATORS", "none", 1);
    CHECK_STR(in_use(), "0 ");
}

TEST(the_program_has_the_last_word)
{
    struct oriel_propagators p;
    setenv("OTEL_PROPAGATORS", "b3", 1);
    oriel_propagators_parse("jaeger", &p);
    oriel_propagators_set(p);
    CHECK_STR(in_use(), "1 uber-trace-id");
}

/* ---- several together ---- */

static unsigned extract(const char *list, struct oriel_header *h, size_t n,
                        struct oriel_context *out, struct oriel_baggage *b)
{
    struct oriel_propagators p;
    struct oriel_headers headers = {.headers = h, .count = n};
    CHECK_EQ(oriel_propagators_parse(list, &p), 0);
    return oriel_extract(&p, &oriel_header_getter, &headers, out, b);
}

TEST(of_several_that_find_a_span_the_last_one_counts)
{
    struct oriel_context c;
    struct oriel_header h[] = {{"traceparent", "00-" TRACE "-" SPAN "-01"},
                               {"tracestate", "a=1"},
                               {"b3", TRACE "-1111111111111111-0"},
                               {"baggage", "k=v"}};
    CHECK_EQ(extract("b3,tracecontext", h, 4, &c, NULL), ORIEL_EXTRACTED_SPAN);
    CHECK_EQ(c.span_id[0], 0);
    CHECK_STR(c.state, "a=1");
    CHECK_EQ(extract("tracecontext,b3", h, 4, &c, NULL), ORIEL_EXTRACTED_SPAN);
    CHECK_EQ(c.span_id[0], 0x11);
    CHECK_STR(c.state, ""); /* of the other one */
    h[2].value = "damaged";
    CHECK_EQ(extract("tracecontext,b3", h, 4, &c, NULL), ORIEL_EXTRACTED_SPAN);
    CHECK_STR(c.state, "a=1");
}

TEST(baggage_comes_with_and_without_a_span)
{
    struct oriel_context c;
    struct oriel_baggage b;
    struct oriel_header h[] = {
        {"traceparent", "00-" TRACE "-" SPAN "-01"}, {"baggage", "k=v"}, {"Baggage", "l=w"}};
    CHECK_EQ(extract("tracecontext,baggage", h, 3, &c, &b),
             ORIEL_EXTRACTED_SPAN | ORIEL_EXTRACTED_BAGGAGE);
    CHECK(c.baggage == &b && b.count == 2);
    CHECK_EQ(extract("tracecontext,baggage", h, 1, &c, &b), ORIEL_EXTRACTED_SPAN);
    CHECK(c.baggage == NULL && b.count == 0);
    CHECK_EQ(extract("baggage", h, 3, &c, &b), ORIEL_EXTRACTED_BAGGAGE);
    CHECK(c.baggage == &b && !oriel_context_valid(&c));
    CHECK_EQ(extract("none", h, 3, &c, &b), 0);
}

struct refusing {
    unsigned calls, refuse;
};
static int set_or_refuse(void *carrier, const char *name, const char *value, size_t bytes)
{
    struct refusing *r = carrier;
    CHECK_EQ(strlen(value), bytes);
    return ++r->calls == r->refuse ? -77 : 0;
}

TEST(what_a_setter_says_is_returned_and_the_others_are_called_all_the_same)
{
    static const struct oriel_setter setter = {set_or_refuse};
    struct oriel_context c;
    struct oriel_propagators p;
    struct refusing r = {0, 2};
    static const char in[] = "00-" TRACE "-" SPAN "-01";
    REQUIRE(oriel_traceparent_parse(in, sizeof in - 1, &c) == 0);
    oriel_propagators_parse("tracecontext,b3,jaeger", &p);
    CHECK_EQ(oriel_inject(&p, &c, &setter, &r), -77);
    CHECK_EQ(r.calls, 3);
    r = (struct refusing){0, 0};
    CHECK_EQ(oriel_inject(&p, &c, &setter, &r), 0);
    memset(&c, 0, sizeof c);
    r = (struct refusing){0, 0};
    CHECK_EQ(oriel_inject(&p, &c, &setter, &r), 0);
    CHECK_EQ(r.calls, 0);
}

/* ---- in a message ---- */

TEST(a_context_in_a_message_has_the_form_of_grpc_trace_bin)
{
    static const uint8_t expected[] = {0,    0,    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
                                       0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36, 1,    0x00,
                                       0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7, 2,    3};
    uint8_t packed[ORIEL_CONTEXT_PACKED];
    struct oriel_context c, back;
    static const char in[] = "00-" TRACE "-" SPAN "-03";
    REQUIRE(oriel_traceparent_parse(in, sizeof in - 1, &c) == 0);
    CHECK(oriel_context_pack(&c, packed));
    CHECK_MEM(packed, sizeof packed, expected, sizeof expected);
    memset(&back, 0x55, sizeof back);
    CHECK_EQ(oriel_context_unpack(packed, sizeof packed, &back), 0);
    CHECK(memcmp(&back, &c, sizeof c) == 0);
}

TEST(bytes_that_are_no_context_are_refused)
{
    uint8_t packed[ORIEL_CONTEXT_PACKED];
    struct oriel_context c = {0}, out = {.flags = 9};
    CHECK(!oriel_context_pack(&c, packed));
    CHECK(!oriel_context_pack(NULL, packed));
    CHECK_EQ(oriel_context_unpack(packed, sizeof packed, &out), ORIEL_EFORMAT);
    c.trace_id[0] = c.span_id[0] = 1;
    CHECK(oriel_context_pack(&c, packed));
    static const size_t marks[] = {0, 1, 18, 27};
    for (size_t i = 0; i < 4; i++) {
        packed[marks[i]] ^= 0x40;
        CHECK_EQ(oriel_context_unpack(packed, sizeof packed, &out), ORIEL_EFORMAT);
        packed[marks[i]] ^= 0x40;
    }
    CHECK_EQ(oriel_context_unpack(packed, sizeof packed - 1, &out), ORIEL_EFORMAT);
    CHECK_EQ(oriel_context_unpack(NULL, 29, &out), ORIEL_EFORMAT);
    CHECK_EQ(out.flags, 9);
    CHECK_EQ(oriel_context_unpack(packed, sizeof packed, &out), 0);
}

TEST_MAIN()
