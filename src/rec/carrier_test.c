/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lists of headers and environments as carriers: names, limits, and an
 * environment that execve can take.
 */
#include "rec/propagate.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define PARENT "00-" TRACE "-" SPAN "-01"

static struct oriel_context some(void)
{
    struct oriel_context c;
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &c) == 0);
    REQUIRE(oriel_tracestate_parse(&c, "a=1", 3) == 0);
    return c;
}

static struct oriel_propagators all(void)
{
    struct oriel_propagators p;
    oriel_propagators_parse("tracecontext,baggage,b3multi", &p);
    return p;
}

TEST(a_header_that_is_there_is_replaced)
{
    struct oriel_context c = some();
    struct oriel_propagators p = all();
    struct oriel_header h[8] = {{"TraceParent", "old"}, {"host", "x"}};
    char text[512];
    struct oriel_headers headers = {h, 2, 8, text, 0, sizeof text};
    CHECK_EQ(oriel_inject(&p, &c, &oriel_header_setter, &headers), 0);
    CHECK_EQ(headers.count, 6);
    CHECK_STR(h[0].value, PARENT);
    CHECK_STR(h[1].value, "x");
    CHECK_STR(h[2].name, "tracestate");
    CHECK_STR(h[2].value, "a=1");
    CHECK_STR(h[5].name, "x-b3-sampled");
}

TEST(a_list_that_is_full_says_so_and_holds_what_it_held)
{
    struct oriel_context c = some();
    struct oriel_propagators p = all();
    struct oriel_header h[1];
    char text[512];
    struct oriel_headers headers = {h, 0, 1, text, 0, sizeof text};
    CHECK_EQ(oriel_inject(&p, &c, &oriel_header_setter, &headers), ORIEL_ELIMIT);
    CHECK_EQ(headers.count, 1);
    CHECK_STR(h[0].value, PARENT);
    headers = (struct oriel_headers){h, 0, 1, text, 0, 12};
    CHECK_EQ(oriel_inject(&p, &c, &oriel_header_setter, &headers), ORIEL_ELIMIT);
    CHECK_EQ(headers.count, 0);
}

TEST(an_environment_is_read_by_the_names_it_has)
{
    struct oriel_propagators p = all();
    struct oriel_context c;
    struct oriel_baggage b;
    const char *environment[] = {
        "TRACEPARENTS=x",      "traceparent=y",  "BAGGAGE=k=v", "PATH=/bin",
        "TRACEPARENT=" PARENT, "TRACESTATE=a=1", NULL};
    CHECK_EQ(oriel_extract(&p, &oriel_environment_getter, environment, &c, &b), 3);
    CHECK_STR(c.state, "a=1");
    CHECK_EQ(b.count, 1);
    const char *b3[] = {"X_B3_TRACEID=" TRACE, "X_B3_SPANID=" SPAN, "X_B3_SAMPLED=1", NULL};
    CHECK_EQ(oriel_extract(&p, &oriel_environment_getter, b3, &c, NULL), 1);
    CHECK_EQ(c.flags, 1);
    CHECK_EQ(oriel_extract(&p, &oriel_environment_getter, NULL, &c, NULL), 0);
}

TEST(an_environment_is_made_beside_the_one_there_is)
{
    struct oriel_context c = some();
    struct oriel_propagators p = all();
    struct oriel_baggage b;
    const char *from[] = {"A=1", "TRACEPARENT=stale", "B3=stale", "UBER_TRACE_ID=stale", "B=2",
                          NULL};
    char *out[16], text[1024];
    REQUIRE(oriel_baggage_set(NULL, "k", "v", NULL, &b) == 0);
    c.baggage = &b;
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 16, text, sizeof text), 0);
    static const char *const expected[] = {"A=1",
                                           "B=2",
                                           "TRACEPARENT=" PARENT,
                                           "TRACESTATE=a=1",
                                           "BAGGAGE=k=v",
                                           "X_B3_TRACEID=" TRACE,
                                           "X_B3_SPANID=" SPAN,
                                           "X_B3_SAMPLED=1"};
    for (size_t i = 0; i < 8; i++)
        CHECK_STR(out[i], expected[i]);
    CHECK(out[8] == NULL);
    /* As many slots and bytes as it takes, and one less. */
    size_t bytes = (size_t)(strchr(out[7], 0) + 1 - text);
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 9, text, bytes), 0);
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 8, text, bytes),
             ORIEL_ELIMIT);
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 9, text, bytes - 1),
             ORIEL_ELIMIT);
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 0, text, bytes),
             ORIEL_ELIMIT);
    CHECK_EQ(oriel_environment_make(&p, &c, (char *const *)from, out, 2, text, bytes),
             ORIEL_ELIMIT);
    CHECK_EQ(oriel_environment_make(&p, &c, NULL, out, 9, text, bytes), 0);
    CHECK_STR(out[0], expected[2]);
}

TEST(a_stale_context_is_not_passed_on_where_there_is_none)
{
    struct oriel_context none = {0};
    struct oriel_propagators p = all();
    const char *from[] = {"TRACEPARENT=stale", "B=2", NULL};
    char *out[4], text[64];
    CHECK_EQ(oriel_environment_make(&p, &none, (char *const *)from, out, 4, text, sizeof text), 0);
    CHECK_STR(out[0], "B=2");
    CHECK(out[1] == NULL);
}

TEST(a_child_finds_the_context_in_its_environment_and_this_process_does_not)
{
    extern char **environ;
    struct oriel_context c = some();
    struct oriel_propagators p = all();
    char *out[512], text[1024];
    unsetenv("TRACEPARENT");
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) { /* nothing here but what a signal handler may do */
        const char *argv[] = {"/bin/sh", "-c",
                              "test \"$TRACEPARENT$TRACESTATE\" = \"" PARENT "a=1\"", NULL};
        if (oriel_environment_make(&p, &c, environ, out, 512, text, sizeof text) == 0)
            execve(argv[0], (char *const *)argv, out);
        _exit(9);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    CHECK(getenv("TRACEPARENT") == NULL);
}

TEST_MAIN()
