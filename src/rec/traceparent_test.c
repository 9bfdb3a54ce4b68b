/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * traceparent as the W3C's validation service asks for it, case by case, and
 * the way of both headers through a carrier.
 */
#include "rec/propagate.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const struct {
    const char *text;
    int flags; /* -1: refused */
} cases[] = {
    {"00-" TRACE "-" SPAN "-00", 0},
    {"00-" TRACE "-" SPAN "-01", 1},
    {"00-" TRACE "-" SPAN "-02", 2},
    {"00-" TRACE "-" SPAN "-03", 3},
    {"00-" TRACE "-" SPAN "-ff", 3}, /* unknown flags count for nothing */
    {"00-" TRACE "-" SPAN "-fc", 0},
    {" 00-" TRACE "-" SPAN "-01", 1}, /* blanks around are the header's */
    {"\t00-" TRACE "-" SPAN "-01", 1},
    {"00-" TRACE "-" SPAN "-01 ", 1},
    {"\t 00-" TRACE "-" SPAN "-01 \t", 1},
    {"00-" TRACE "-" SPAN "-01-", -1}, /* version 0 ends here */
    {"00-" TRACE "-" SPAN "-01.", -1},
    {"00-" TRACE "-" SPAN "-01-what-the-future-will-be-like", -1},
    {"cc-" TRACE "-" SPAN "-01", 1}, /* later versions may go on */
    {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", 1},
    {"cc-" TRACE "-" SPAN "-01-", 1},
    {"cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", -1},
    {"01-" TRACE "-" SPAN "-01", 1},
    {"fe-" TRACE "-" SPAN "-03-x", 3},
    {"ff-" TRACE "-" SPAN "-01", -1},
    {".0-" TRACE "-" SPAN "-01", -1},
    {"0.-" TRACE "-" SPAN "-01", -1},
    {"000-" TRACE "-" SPAN "-01", -1},
    {"0000-" TRACE "-" SPAN "-01", -1},
    {"0-" TRACE "-" SPAN "-01", -1},
    {"00-00000000000000000000000000000000-" SPAN "-01", -1},
    {"00-" TRACE "-0000000000000000-01", -1},
    {"00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01", -1},
    {"00-4bf92f3577b34da6a3ce929d0e0e473.-" SPAN "-01", -1},
    {"00-" TRACE "00-" SPAN "-01", -1},
    {"00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01", -1},
    {"00-" TRACE "-.0f067aa0ba902b7-01", -1},
    {"00-" TRACE "-" SPAN "00-01", -1},
    {"00-" TRACE "-00f067aa0ba902b-01", -1},
    {"00-" TRACE "-" SPAN "-.0", -1},
    {"00-" TRACE "-" SPAN "-0.", -1},
    {"00-" TRACE "-" SPAN "-001", -1},
    {"00-" TRACE "-" SPAN "-1", -1},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", -1},
    {"00-" TRACE "-00F067AA0BA902B7-01", -1},
    {"CC-" TRACE "-" SPAN "-01", -1},
    {"00-" TRACE "-" SPAN "-0A", -1},
    {"00_" TRACE "-" SPAN "-01", -1},
    {"00-" TRACE "_" SPAN "-01", -1},
    {"00-" TRACE "-" SPAN "_01", -1},
    {"00-" TRACE "-" SPAN, -1},
    {"00", -1},
    {" ", -1},
    {"", -1},
};

/* Digits are read eight at a time: none of them says anything of those beside it. */
TEST(every_byte_is_told_from_a_digit_wherever_it_stands)
{
    enum { BYTES = 6 };
    char text[2 * BYTES];
    uint8_t out[BYTES];
    for (size_t at = 0; at < sizeof text; at++)
        for (int c = 0; c < 256; c++) {
            bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            memcpy(text, "0f9a6c53e871", sizeof text);
            text[at] = (char)c;
            CHECK_EQ(hex_read(text, out, BYTES), digit);
            char back[2 * BYTES];
            if (digit) {
                CHECK(hex_write(back, out, BYTES) == back + sizeof back);
                CHECK(memcmp(back, text, sizeof back) == 0);
            }
        }
}

TEST(traceparent_is_read_as_the_standard_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct oriel_context c, before;
        memset(&c, 0x55, sizeof c);
        before = c;
        int rc = oriel_traceparent_parse(cases[i].text, strlen(cases[i].text), &c);
        if (rc != (cases[i].flags < 0 ? ORIEL_EFORMAT : 0))
            test_fail(__FILE__, __LINE__, "%s: %d", cases[i].text, rc);
        if (rc) {
            CHECK(memcmp(&c, &before, sizeof c) == 0);
            continue;
        }
        CHECK_EQ(c.flags, cases[i].flags);
        CHECK_EQ(c.marks, ORIEL_CONTEXT_REMOTE);
        CHECK(c.baggage == NULL && c.state_bytes == 0);
    }
    struct oriel_context c;
    CHECK_EQ(oriel_traceparent_parse(NULL, 10, &c), ORIEL_EFORMAT);
}

TEST(what_was_read_is_written_byte_for_byte)
{
    struct oriel_context c;
    char text[56];
    static const char in[] = "00-" TRACE "-" SPAN "-03";
    REQUIRE(oriel_traceparent_parse(in, sizeof in - 1, &c) == 0);
    CHECK_EQ(oriel_traceparent_format(&c, text), 55);
    CHECK_STR(text, in);
    /* Of a later version what is known goes on as version 0. */
    static const char later[] = "cc-" TRACE "-" SPAN "-ff-more";
    REQUIRE(oriel_traceparent_parse(later, sizeof later - 1, &c) == 0);
    oriel_traceparent_format(&c, text);
    CHECK_STR(text, in);
}

TEST(a_context_without_a_span_has_no_traceparent)
{
    struct oriel_context c = {.flags = 1};
    char text[56] = "x";
    CHECK_EQ(oriel_traceparent_format(&c, text), 0);
    CHECK_STR(text, "");
    c.trace_id[3] = 1;
    CHECK_EQ(oriel_traceparent_format(&c, text), 0);
    CHECK_EQ(oriel_traceparent_format(NULL, text), 0);
}

TEST(every_single_wrong_character_is_refused)
{
    static const char good[] = "00-" TRACE "-" SPAN "-01";
    for (size_t i = 0; i < sizeof good - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            struct oriel_context c;
            memcpy(text, good, sizeof text);
            text[i] = (char)byte;
            bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            bool right = good[i] == '-' ? byte == '-' : hex;
            if (i < 2) /* another version, but ff, which takes both */
                right = hex;
            CHECK_EQ(oriel_traceparent_parse(text, sizeof text - 1, &c) == 0, right);
        }
}

/* ---- through a carrier ---- */

static const struct oriel_propagators W3C = {ORIEL_PROPAGATOR_TRACECONTEXT};

static unsigned extract(struct oriel_header *h, size_t n, struct oriel_context *out)
{
    struct oriel_headers headers = {.headers = h, .count = n};
    return oriel_extract(&W3C, &oriel_header_getter, &headers, out, NULL);
}

TEST(names_of_headers_have_no_case)
{
    struct oriel_context c;
    struct oriel_header h[] = {
        {"TraceParent", "00-" TRACE "-" SPAN "-01"}, {"TRACESTATE", "a=1"}, {"traceState", "b=2"}};
    CHECK_EQ(extract(h, 3, &c), ORIEL_EXTRACTED_SPAN);
    CHECK_STR(c.state, "a=1,b=2");
    struct oriel_header other[] = {{"trace-parent", "00-" TRACE "-" SPAN "-01"}};
    CHECK_EQ(extract(other, 1, &c), 0);
}

TEST(two_traceparents_say_nothing)
{
    struct oriel_context c;
    struct oriel_header h[] = {{"traceparent", "00-" TRACE "-" SPAN "-01"},
                               {"traceparent", "00-" TRACE "-" SPAN "-01"}};
    CHECK_EQ(extract(h, 2, &c), 0);
    CHECK(!oriel_context_valid(&c));
}

TEST(a_wrong_tracestate_does_not_cost_the_trace)
{
    struct oriel_context c;
    struct oriel_header h[] = {
        {"traceparent", "00-" TRACE "-" SPAN "-01"}, {"tracestate", "a=1"}, {"tracestate", "A=1"}};
    CHECK_EQ(extract(h, 3, &c), ORIEL_EXTRACTED_SPAN);
    CHECK(oriel_context_valid(&c));
    CHECK_STR(c.state, "");
}

TEST(a_tracestate_alone_is_no_context)
{
    struct oriel_context c;
    struct oriel_header h[] = {{"tracestate", "a=1"}, {"traceparent", "garbage"}};
    CHECK_EQ(extract(h, 1, &c), 0);
    CHECK_EQ(extract(h, 2, &c), 0);
    CHECK_EQ(c.state_bytes, 0);
}

TEST_MAIN()
