/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is current: contexts that were entered, with and without a recording,
 * on this thread and on others, and what the records then say.
 */
#define ORIEL_TARGET "current.test"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ratio.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define PARENT "00-" TRACE "-" SPAN "-00" /* not sampled: that is kept */

static struct oriel_context remote(void)
{
    struct oriel_context c;
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &c) == 0);
    REQUIRE(oriel_tracestate_parse(&c, "a=1,b=2", 7) == 0);
    return c;
}

static const char *now(void)
{
    static char text[56 + 1 + ORIEL_TRACESTATE_BYTES];
    struct oriel_context c;
    oriel_context_current(&c);
    size_t n = oriel_traceparent_format(&c, text);
    snprintf(text + n, sizeof text - n, "%s%s", c.state_bytes ? " " : "", c.state);
    return text;
}

/* The traceparent of a span. */
static const char *of(const struct oriel_span *span)
{
    static char text[56];
    struct oriel_context c;
    CHECK(oriel_context_of(span, &c));
    oriel_traceparent_format(&c, text);
    return text;
}

TEST(without_a_recording_what_was_entered_is_passed_on_as_it_is)
{
    struct oriel_context c = remote(), back;
    struct oriel_baggage b;
    REQUIRE(oriel_baggage_set(NULL, "k", "v", NULL, &b) == 0);
    c.baggage = &b;
    CHECK(!oriel_context_current(&back));
    struct oriel_entered e = oriel_context_enter(&c);
    {
        ORIEL_SPAN("not recorded");
        CHECK_STR(now(), PARENT " a=1,b=2");
        REQUIRE(oriel_context_current(&back));
        CHECK(back.baggage == &b);
        CHECK_EQ(back.marks, ORIEL_CONTEXT_REMOTE);
        CHECK(!oriel_context_of(NULL, &back));
    }
    oriel_context_exit(&e);
    oriel_context_exit(&e);
    CHECK(!oriel_context_current(&back));
    CHECK(back.baggage == NULL);
}

TEST(contexts_are_entered_within_each_other)
{
    struct oriel_context a = remote(), b = a, only = {0}, c;
    struct oriel_baggage bag;
    b.span_id[0] = 0xff;
    REQUIRE(oriel_baggage_set(NULL, "k", "v", NULL, &bag) == 0);
    only.baggage = &bag;
    {
        ORIEL_CONTEXT(&a);
        {
            ORIEL_CONTEXT(&b);
            CHECK_STR(now(), "00-" TRACE "-fff067aa0ba902b7-00 a=1,b=2");
        }
        CHECK_STR(now(), PARENT " a=1,b=2");
        {
            ORIEL_CONTEXT(&only); /* baggage, and the span stays */
            CHECK_STR(now(), PARENT " a=1,b=2");
            CHECK(oriel_context_current(&c) && c.baggage == &bag);
        }
        CHECK(oriel_context_current(&c) && c.baggage == NULL);
        ORIEL_CONTEXT(NULL);
        CHECK_STR(now(), PARENT " a=1,b=2");
    }
    CHECK_STR(now(), "");
}

/* ---- while something is recorded ---- */

struct seen {
    uint64_t attach[4], link[5];
    char state[64], link_state[64];
};
static void keep(void *user, const struct model_record *m)
{
    struct seen *s = user;
    if (m->type == ORIEL_REC_ATTACH)
        memcpy(s->attach, m->raw + 2, sizeof s->attach);
    if (m->type == ORIEL_REC_LINK)
        memcpy(s->link, m->raw + 2, sizeof s->link);
    if (m->type == ORIEL_REC_STATE)
        snprintf(m->raw[2] ? s->link_state : s->state, 64, "%.*s", (int)m->raw[3],
                 (const char *)&m->raw[4]);
}

TEST(spans_in_an_entered_context_go_on_with_its_trace_flags_and_tracestate)
{
    struct seen seen = {{0}, {0}, "", ""};
    struct recording r = {.on_record = keep, .user = &seen};
    struct oriel_context c = remote(), in;
    recording_begin(&r, NULL);
    {
        ORIEL_CONTEXT(&c);
        CHECK_STR(now(), PARENT " a=1,b=2");
        ORIEL_SPAN("child");
        REQUIRE(oriel_context_current(&in));
        CHECK_MEM(in.trace_id, (size_t)16, c.trace_id, (size_t)16);
        CHECK(memcmp(in.span_id, c.span_id, 8) != 0);
        CHECK_EQ(in.flags, 0);
        CHECK_EQ(in.marks, 0);
        CHECK_STR(in.state, "a=1,b=2");
        ORIEL_SPAN("grandchild");
        CHECK(strncmp(now(), PARENT, 36) == 0 && strstr(now(), "-00 a=1,b=2"));
    }
    CHECK_STR(now(), "");
    {
        ORIEL_SPAN("root");
        REQUIRE(oriel_context_current(&in));
        CHECK_EQ(in.flags, ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM);
        CHECK_EQ(in.state_bytes, 0);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_DETACH], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_STATE], 1);
    CHECK_MEM(seen.attach, (size_t)16, c.trace_id, (size_t)16);
    CHECK_EQ(seen.attach[3], ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
    CHECK_STR(seen.state, "a=1,b=2");
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(a_trace_that_was_taken_by_a_share_tells_its_threshold)
{
    struct recording r = {0};
    struct oriel_context c = remote(), in;
    unsigned sampled = 0;
    recording_begin(&r, NULL);
    rec_threshold_told(ratio_threshold(0.5));
    for (int i = 0; i < 100; i++) {
        ORIEL_SPAN("root");
        REQUIRE(oriel_context_current(&in));
        CHECK_STR(in.state, in.flags & ORIEL_TRACE_SAMPLED ? "ot=th:8" : "");
        CHECK_EQ(in.state_bytes, strlen(in.state));
        sampled += in.flags & ORIEL_TRACE_SAMPLED;
        CHECK(oriel_context_of(NULL, &in));
        CHECK_STR(in.state, in.flags & ORIEL_TRACE_SAMPLED ? "ot=th:8" : "");
    }
    CHECK(sampled > 0 && sampled < 100);
    {
        ORIEL_CONTEXT(&c); /* a trace from elsewhere has what it came with */
        ORIEL_SPAN("child");
        REQUIRE(oriel_context_current(&in));
        CHECK_STR(in.state, "a=1,b=2");
    }
    rec_threshold_told(ratio_threshold(0.5) | RATIO_UNTOLD);
    sampled = 0;
    for (int i = 0; i < 100; i++) {
        ORIEL_SPAN("root");
        REQUIRE(oriel_context_current(&in));
        CHECK_STR(in.state, "");
        sampled += in.flags & ORIEL_TRACE_SAMPLED;
    }
    CHECK(sampled > 0 && sampled < 100);
    rec_threshold_told(0);
    recording_read(&r, false);
    recording_end(&r);
}

TEST(a_span_may_be_opened_in_a_context_that_is_not_current)
{
    struct recording r = {0};
    struct oriel_context c = remote(), of_it;
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("other trace");
        struct oriel_span s = ORIEL_OPEN_IN("explicit", &c, "n", 1);
        struct oriel_span bare = ORIEL_OPEN_IN("bare", &c);
        CHECK(strncmp(of(&s), PARENT, 36) == 0);
        CHECK(strncmp(of(&bare), PARENT, 36) == 0);
        CHECK(strncmp(of(NULL), PARENT, 36) != 0); /* what was current is */
        struct oriel_guard g = oriel_span_enter(&s);
        REQUIRE(oriel_context_current(&of_it));
        CHECK_EQ(of_it.flags, 0);
        oriel_span_exit(&g);
        REQUIRE(oriel_context_current(&of_it));
        CHECK_EQ(of_it.flags, 3);
        struct oriel_span child = ORIEL_OPEN("child", &s);
        CHECK(strncmp(of(&child), PARENT, 36) == 0 && strcmp(of(&child) + 52, "-00") == 0);
        oriel_span_close(&child);
        oriel_span_close(&bare);
        oriel_span_close(&s);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_DETACH], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_OPEN], 3);
    recording_end(&r);
}

TEST(a_link_to_a_context_has_its_flags_and_tracestate)
{
    struct seen seen = {{0}, {0}, "", ""};
    struct recording r = {.on_record = keep, .user = &seen};
    struct oriel_context c = remote();
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("batch");
        oriel_span_link_to(NULL, &c);
        oriel_span_link_to(NULL, NULL);
    }
    oriel_span_link_to(NULL, &c); /* no span */
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_LINK], 1);
    CHECK_MEM(&seen.link[1], (size_t)16, c.trace_id, (size_t)16);
    CHECK_EQ(seen.link[4], ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
    CHECK_STR(seen.link_state, "a=1,b=2");
    CHECK_STR(seen.state, "");
    recording_end(&r);
}

/* ---- other threads ---- */

static void *go_on(void *context)
{
    struct oriel_context c;
    ORIEL_CONTEXT((struct oriel_context *)context);
    ORIEL_SPAN("elsewhere");
    CHECK(oriel_context_current(&c));
    CHECK_STR(c.state, "a=1,b=2");
    *(struct oriel_context *)context = c;
    return NULL;
}

TEST(what_is_current_here_can_be_entered_on_another_thread)
{
    struct seen seen = {{0}, {0}, "", ""};
    struct recording r = {.on_record = keep, .user = &seen};
    struct oriel_context c = remote(), given, before;
    pthread_t thread;
    recording_begin(&r, NULL);
    {
        ORIEL_CONTEXT(&c);
        ORIEL_SPAN("here");
        REQUIRE(oriel_context_current(&given));
        before = given;
        REQUIRE(pthread_create(&thread, NULL, go_on, &given) == 0);
        pthread_join(thread, NULL);
        CHECK_MEM(given.trace_id, (size_t)16, c.trace_id, (size_t)16);
        CHECK(memcmp(given.span_id, before.span_id, 8) != 0);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 2);
    CHECK_MEM(&seen.attach[2], (size_t)8, before.span_id, (size_t)8);
    CHECK_EQ(seen.attach[3], ORIEL_CONTEXT_ORIGIN_KNOWN); /* no other process */
    recording_end(&r);
}

/* ---- entered before there was a recording ---- */

TEST(a_recording_that_begins_later_still_has_what_was_entered)
{
    struct recording r = {0};
    struct oriel_context outer = remote(), inner = outer;
    inner.span_id[0] = 0xff;
    struct oriel_entered a = oriel_context_enter(&outer), b = oriel_context_enter(&inner);
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("first");
        CHECK(strncmp(now(), PARENT, 36) == 0);
    }
    CHECK_STR(now(), "00-" TRACE "-fff067aa0ba902b7-00 a=1,b=2");
    oriel_context_exit(&b);
    CHECK_STR(now(), PARENT " a=1,b=2");
    {
        ORIEL_SPAN("second");
        CHECK(strncmp(now(), PARENT, 36) == 0);
    }
    oriel_context_exit(&a);
    {
        ORIEL_SPAN("root");
        CHECK(strncmp(now(), PARENT, 36) != 0);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_DETACH], 2);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(a_fork_child_goes_on_in_the_context_of_its_parent)
{
    struct recording r = {0};
    struct oriel_context c = remote();
    recording_begin(&r, NULL);
    ORIEL_CONTEXT(&c);
    {
        ORIEL_SPAN("before");
    }
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ORIEL_SPAN("in the child");
        _exit(strncmp(now(), PARENT, 36) != 0);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    recording_read(&r, false);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 2);
    recording_end(&r);
}

/* ---- the context of the process ---- */

static void *plain_thread(void *out)
{
    ORIEL_SPAN("thread");
    snprintf(out, 64, "%s", now());
    return NULL;
}

TEST(threads_without_a_context_have_that_of_the_process)
{
    struct recording r = {0};
    char text[64];
    pthread_t thread;
    setenv("TRACEPARENT", PARENT, 1);
    setenv("TRACESTATE", "a=1,b=2", 1);
    setenv("BAGGAGE", "k=v", 1);
    CHECK(oriel_context_join());
    CHECK(!oriel_context_join());
    CHECK_STR(now(), PARENT " a=1,b=2");
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("main");
        struct oriel_context c;
        CHECK(oriel_context_current(&c) && c.baggage && c.baggage->count == 1);
        CHECK(strncmp(now(), PARENT, 36) == 0);
    }
    REQUIRE(pthread_create(&thread, NULL, plain_thread, text) == 0);
    pthread_join(thread, NULL);
    CHECK(strncmp(text, PARENT, 36) == 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_STATE], 2);
    recording_end(&r);
}

TEST(an_environment_without_a_context_is_none)
{
    unsetenv("TRACEPARENT");
    CHECK(!oriel_context_join());
    CHECK_STR(now(), "");
}

TEST_MAIN()
