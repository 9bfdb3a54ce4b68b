/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What came with a trace from outside goes on with its spans: flags,
 * tracestate, whether the parent is remote; and what links have of it.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

enum { KNOWN = ORIEL_CONTEXT_ORIGIN_KNOWN, REMOTE = ORIEL_CONTEXT_IS_REMOTE };

static struct piped c;
static const struct model_site *outer, *inner, *say;
static struct records_stream a, b;

static void open_pipe(const struct pipe_options *o)
{
    piped_init(&c, o);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    say = records_site(&c.w, ORIEL_SITE_EVENT, "say", "");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

static void check_span(const char *name, unsigned flags, const char *state, bool remote)
{
    const struct model_span *s = piped_span(&c, name);
    CHECK_EQ(s->trace_flags, flags);
    CHECK_STR(piped_text(s->trace_state), state);
    CHECK_EQ((s->flags & MODEL_SPAN_REMOTE_PARENT) != 0, remote);
}

TEST(flags_and_tracestate_go_on_with_all_spans_of_a_trace)
{
    open_pipe(NULL);
    rec_attach_flags(&c.in, &a, 5, 7, 8, 9, 2 | KNOWN | REMOTE);
    rec_state(&c.in, &a, 5, 0, "a=1,b=2");
    uint64_t o = rec_begin(&c.in, &a, 6, outer);
    uint64_t async = rec_open(&c.in, &a, 7, inner, o);
    rec_event(&c.in, &a, 8, say);
    rec_end(&c.in, &a, 9, o);
    rec_detach(&c.in, &a, 10);
    rec_close(&c.in, &b, 11, async); /* after the context is gone, on another thread */
    CHECK_EQ(piped_last(&c), 0);
    check_span("outer", 2, "a=1,b=2", true);
    check_span("inner", 2, "a=1,b=2", false);
    CHECK_EQ(piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event.trace_flags, 2);
    CHECK(piped_span(&c, "outer")->parent_id == 9);
    piped_done(&c);
}

TEST(a_span_opened_below_one_that_has_ended_still_has_the_tracestate)
{
    open_pipe(NULL);
    rec_attach_flags(&c.in, &a, 5, 7, 8, 9, 1 | KNOWN | REMOTE);
    rec_state(&c.in, &a, 5, 0, "late=1");
    uint64_t o = rec_open(&c.in, &a, 6, outer, 0);
    rec_detach(&c.in, &a, 7);
    rec_close(&c.in, &a, 8, o);
    uint64_t i = rec_open(&c.in, &b, 9, inner, o);
    rec_close(&c.in, &b, 10, i);
    rec_span(&c.in, &b, 12, records_site(&c.w, ORIEL_SITE_SPAN, "external", ""), 11, 12, o);
    CHECK_EQ(piped_last(&c), 0);
    check_span("inner", 1, "late=1", false);
    check_span("external", 1, "late=1", false);
    piped_done(&c);
}

TEST(what_is_not_below_the_context_has_nothing_of_it)
{
    open_pipe(NULL);
    rec_attach_flags(&c.in, &a, 5, 7, 8, 9, KNOWN | REMOTE);
    rec_state(&c.in, &a, 5, 0, "a=1");
    rec_detach(&c.in, &a, 6);
    uint64_t o = rec_begin(&c.in, &a, 7, outer);
    rec_end(&c.in, &a, 8, o);
    rec_state(&c.in, &a, 9, 0, "stray=1"); /* no context: damaged input */
    rec_state(&c.in, &a, 9, 4711, "stray=1");
    CHECK_EQ(piped_last(&c), 0);
    check_span("outer", 3, "", false);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 2);
    piped_done(&c);
}

TEST(a_context_of_this_process_is_no_remote_parent)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 5, outer);
    uint64_t lo = oriel_id_mix(o) ^ RECORDS_TRACE_SALT;
    rec_attach_flags(&c.in, &b, 6, RECORDS_TRACE_HI, lo, oriel_id_mix(o), 3 | KNOWN);
    uint64_t i = rec_begin(&c.in, &b, 7, inner);
    rec_end(&c.in, &b, 8, i);
    rec_detach(&c.in, &b, 9);
    rec_end(&c.in, &a, 10, o);
    CHECK_EQ(piped_last(&c), 0);
    check_span("inner", 3, "", false);
    CHECK(piped_span(&c, "inner")->parent_id == piped_span(&c, "outer")->span_id);
    CHECK_MEM(piped_span(&c, "inner")->trace_id, (size_t)16, piped_span(&c, "outer")->trace_id,
              (size_t)16);
    piped_done(&c);
}

TEST(a_span_below_a_local_context_is_sampled_as_its_parent_was)
{
    struct pipe_sampling how = {
        .size = sizeof how, .root = PIPE_SAMPLE_ON, .parent_based = true, .traces_per_s = 1};
    struct pipe_options o = {.size = sizeof o, .sampling = &how};
    open_pipe(&o);
    for (uint64_t t = 10; t < 30; t += 10) { /* the second trace is beyond the limit */
        uint64_t id = rec_begin(&c.in, &a, t, outer);
        uint64_t lo = oriel_id_mix(id) ^ RECORDS_TRACE_SALT;
        rec_attach_flags(&c.in, &b, t + 1, RECORDS_TRACE_HI, lo, oriel_id_mix(id), 3 | KNOWN);
        if (t == 20)
            rec_end(&c.in, &a, t + 2, id); /* it has ended already */
        rec_end(&c.in, &b, t + 4, rec_begin(&c.in, &b, t + 3, inner));
        rec_detach(&c.in, &b, t + 5);
        if (t == 10)
            rec_end(&c.in, &a, t + 6, id);
    }
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 2);
    CHECK_EQ(piped_counts(&c).sampled_out, 2);
    piped_done(&c);
}

TEST(links_have_flags_and_tracestate)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 5, outer);
    rec_link_flags(&c.in, &a, 6, o, 7, 8, 9, 2 | KNOWN | REMOTE);
    rec_state(&c.in, &a, 6, o, "linked=1");
    rec_link(&c.in, &a, 7, o, 7, 8, 10); /* by its ids only */
    rec_link_flags(&c.in, &a, 8, o, 7, 8, 11, KNOWN);
    rec_end(&c.in, &a, 9, o);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "outer");
    REQUIRE(s->link_count == 3);
    CHECK_EQ(s->links[0].flags, 2 | KNOWN | REMOTE);
    CHECK_STR(piped_text(s->links[0].trace_state), "linked=1");
    CHECK_EQ(s->links[1].flags, 1);
    CHECK_EQ(s->links[1].trace_state.n, 0);
    CHECK_EQ(s->links[2].flags, KNOWN);
    piped_done(&c);
}

TEST(a_link_beyond_the_limit_takes_its_tracestate_with_it)
{
    struct pipe_options o = {.size = sizeof o, .link_count_limit = 1};
    open_pipe(&o);
    uint64_t id = rec_begin(&c.in, &a, 5, outer);
    rec_link(&c.in, &a, 6, id, 7, 8, 9);
    rec_link(&c.in, &a, 7, id, 7, 8, 10);
    rec_state(&c.in, &a, 7, id, "of the second=1");
    rec_end(&c.in, &a, 9, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "outer");
    CHECK_EQ(s->link_count, 1);
    CHECK_EQ(s->links[0].trace_state.n, 0);
    piped_done(&c);
}

TEST(tracestates_are_kept_once_and_given_back)
{
    struct spans s = {.free = NULL};
    uint32_t one = spans_state_new(&s, "a=1", 3), two = spans_state_new(&s, "b=2", 3);
    REQUIRE(one && two && one != two);
    CHECK_EQ(spans_state_ref(&s, one), one);
    spans_state_unref(&s, one);
    CHECK_STR(piped_text(spans_state(&s, one)), "a=1");
    spans_state_unref(&s, one);
    CHECK_EQ(spans_state_new(&s, "c=3", 3), one); /* its place is used again */
    CHECK_STR(piped_text(spans_state(&s, two)), "b=2");
    CHECK_EQ(spans_state_ref(&s, 0), 0);
    spans_state_unref(&s, 0);
    CHECK_EQ(spans_state(&s, 0).n, 0);
    mem_fail_after(1);
    CHECK_EQ(spans_state_new(&s, "d=4", 3), 0);
    mem_fail_after(0);
    spans_done(&s);
}

TEST_MAIN()
