/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A tracestate that a sampler returns is that of the span, of what begins in it, and of
 * headers, on any thread; and samplers are told the links that a span begins with.
 */
#define ORIEL_TARGET "states.test"
#include <oriel/oriel.h>
#include <oriel/processor.h>

#include <pthread.h>

#include "rec/hooks.h"
#include "recording.h"
#include "test.h"

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static const char *answer; /* of the sampler; NULL: none */
static enum oriel_decision decision;
static char asked[256]; /* the parent's tracestate, and how many links of what flags */
static char told[1024]; /* STATE records: to whom, what */

static enum oriel_decision decide(void *user, const struct oriel_sampling_request *q,
                                  struct oriel_sampling_result *result)
{
    int n = snprintf(asked, sizeof asked, "%s %zu", q->parent->state, q->link_count);
    for (size_t i = 0; i < q->link_count; i++)
        n += snprintf(asked + n, sizeof asked - (size_t)n, " %u", q->links[i].flags);
    if (answer)
        CHECK(oriel_sampling_tracestate(result, answer));
    return decision;
}
static const struct oriel_sampler sampler = {.size = sizeof sampler, .should_sample = decide};

static void keep(void *user, const struct model_record *r)
{
    size_t n = strlen(told);
    if (r->type == ORIEL_REC_STATE)
        snprintf(told + n, sizeof told - n, "%s%.*s\n",
                 r->flags & ORIEL_RECF_HERE ? "span: " : "context: ", (int)(uint32_t)r->raw[3],
                 (const char *)&r->raw[4]);
}

static struct recording r;
static int number;

static void begin(const char *state)
{
    answer = state;
    decision = ORIEL_RECORD_AND_SAMPLE;
    told[0] = 0;
    r = (struct recording){.on_record = keep};
    recording_begin(&r, NULL);
    number = oriel_sampler_set(&sampler);
    CHECK(number > 0);
}

static void end(void)
{
    CHECK_EQ(oriel_hook_remove(number), 0);
    recording_read(&r, true);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

static const char *here(void)
{
    static struct oriel_context c;
    oriel_context_current(&c);
    return c.state;
}

static void *enter(void *span)
{
    struct oriel_guard g = oriel_span_enter(span);
    CHECK_STR(here(), "mine=1");
    oriel_span_exit(&g);
    CHECK_STR(here(), "");
    return NULL;
}

TEST(a_returned_tracestate_is_that_of_the_span_and_of_all_below_it)
{
    struct oriel_context c;
    pthread_t thread;
    begin("mine=1");
    {
        ORIEL_SPAN("root");
        CHECK_STR(here(), "mine=1");
        answer = NULL;
        {
            ORIEL_SPAN("child");
            CHECK_STR(asked, "mine=1 0");
            CHECK_STR(here(), "mine=1");
        }
        struct oriel_span s = ORIEL_OPEN("opened", ORIEL_CURRENT);
        REQUIRE(oriel_context_of(&s, &c));
        CHECK_STR(c.state, "mine=1");
        REQUIRE(pthread_create(&thread, NULL, enter, &s) == 0);
        pthread_join(thread, NULL);
        oriel_span_close(&s);
    }
    CHECK_STR(here(), "");
    end();
    CHECK_STR(told, "span: mine=1\n");
}

TEST(each_span_may_have_another_which_goes_on_below_it_only)
{
    begin("a=1");
    {
        ORIEL_SPAN("root");
        answer = "b=2";
        {
            ORIEL_SPAN("child");
            CHECK_STR(here(), "b=2");
            answer = NULL;
            {
                ORIEL_SPAN("below");
                CHECK_STR(asked, "b=2 0");
                CHECK_STR(here(), "b=2");
            }
        }
        CHECK_STR(here(), "a=1");
        answer = "";
        {
            ORIEL_SPAN("none");
            CHECK_STR(here(), "");
        }
        answer = "no tracestate";
        {
            ORIEL_SPAN("wrong");
            CHECK_STR(here(), "");
        }
    }
    end();
    CHECK_STR(told, "span: a=1\nspan: b=2\nspan: \nspan: \n");
}

TEST(it_takes_the_place_of_the_one_that_came_in_and_of_none_beside_it)
{
    struct oriel_context c;
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &c) == 0);
    REQUIRE(oriel_tracestate_parse(&c, "in=1", 4) == 0);
    begin("out=2");
    {
        ORIEL_CONTEXT(&c);
        {
            ORIEL_SPAN("served");
            CHECK_STR(asked, "in=1 0");
            CHECK_STR(here(), "out=2");
        }
        CHECK_STR(here(), "in=1"); /* the context itself */
        answer = "other=3";
        ORIEL_SPAN("next");
        CHECK_STR(asked, "in=1 0");
        CHECK_STR(here(), "other=3");
    }
    end();
}

TEST(what_is_dropped_passes_it_on_too)
{
    struct oriel_context c;
    begin("mine=1");
    decision = ORIEL_DROP;
    {
        ORIEL_SPAN("dropped");
        CHECK_STR(here(), "mine=1");
        struct oriel_span s = ORIEL_OPEN("opened", ORIEL_ROOT);
        REQUIRE(oriel_context_of(&s, &c));
        CHECK_STR(c.state, "mine=1");
    }
    end();
    CHECK_STR(told, "context: mine=1\n");
}

TEST(a_sampler_is_told_the_links_of_the_beginning)
{
    struct oriel_context links[2];
    REQUIRE(oriel_traceparent_parse(PARENT, sizeof PARENT - 1, &links[0]) == 0);
    links[1] = links[0];
    links[1].flags = 0;
    begin(NULL);
    struct oriel_span s = ORIEL_OPEN_LINKED("batch", links, 2, ORIEL_ROOT, "n", 1);
    CHECK_STR(asked, " 2 1 0");
    oriel_span_close(&s);
    s = ORIEL_OPEN("batch", ORIEL_ROOT);
    CHECK_STR(asked, " 0");
    oriel_span_close(&s);
    end();
    CHECK_EQ(r.by_type[ORIEL_REC_LINK], 2);
}

TEST_MAIN()
