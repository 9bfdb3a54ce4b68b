/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samplers over whole pipes: which spans come out, and that none gets lost from
 * the books.
 */
#include "pipe/sample.h"

#include <math.h>

#include "base/ratio.h"
#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *root, *child, *say;
static struct records_stream a, b;

static void open_pipe(struct pipe_sampling how)
{
    how.size = sizeof how;
    struct pipe_options o = {.size = sizeof o, .sampling = &how};
    piped_init(&c, &o);
    root = records_site(&c.w, ORIEL_SITE_SPAN, "root", "");
    child = records_site(&c.w, ORIEL_SITE_SPAN, "child", "");
    say = records_site(&c.w, ORIEL_SITE_EVENT, "say", "");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

static const struct model_site *in_target(const char *name, const char *target)
{
    struct model_site *s = (struct model_site *)records_site(&c.w, ORIEL_SITE_SPAN, name, "");
    s->target = (struct model_str){target, (uint32_t)strlen(target)};
    return s;
}

static void check_counts(size_t given)
{
    struct pipe_counts n = piped_counts(&c);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), given);
    CHECK_EQ(n.spans, given + n.sampled_out + n.tail_held);
}

/* A trace of two spans and an event; begins at t. */
static void trace_at(uint64_t t, const struct model_site *first)
{
    uint64_t r = rec_begin(&c.in, &a, t, first), i = rec_begin(&c.in, &a, t + 1, child);
    rec_event(&c.in, &a, t + 2, say);
    rec_end(&c.in, &a, t + 3, i);
    rec_end(&c.in, &a, t + 4, r);
}

/* ---- the share ---- */

TEST(without_a_sampler_and_with_all_everything_comes_and_is_marked_sampled)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO, .share = 1});
    trace_at(10, root);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(2);
    CHECK_EQ(piped_span(&c, "root")->trace_flags, MODEL_TRACE_SAMPLED | MODEL_TRACE_RANDOM);
    CHECK_EQ(piped_span(&c, "child")->trace_flags, MODEL_TRACE_SAMPLED | MODEL_TRACE_RANDOM);
    piped_done(&c);
}

TEST(always_off_gives_no_span_and_every_event)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_OFF, .parent_based = true});
    trace_at(10, root);
    rec_span(&c.in, &a, 30, child, 20, 25, 0);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(0);
    CHECK_EQ(piped_counts(&c).sampled_out, 3);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK(e->span_unwanted && e->span_id != 0);
    CHECK_EQ(e->trace_flags, MODEL_TRACE_RANDOM);
    piped_done(&c);
}

TEST(a_share_keeps_whole_traces_and_as_many_as_it_says)
{
    enum { TRACES = 20000 };
    open_pipe(
        (struct pipe_sampling){.root = PIPE_SAMPLE_RATIO, .share = 0.1, .parent_based = true});
    for (unsigned i = 0; i < TRACES; i++) {
        trace_at(10 + i * 10, root);
        if (i % 1000 == 999)
            CHECK_EQ(piped_push(&c, 10 + i * 10), 0);
    }
    CHECK_EQ(piped_last(&c), 0);
    size_t n = piped_items(&c, MODEL_ITEM_SPAN), unsampled = 0;
    check_counts(n);
    CHECK_EQ(n % 2, 0);
    CHECK(fabs((double)n / 2 - TRACES * 0.1) < 6 * sqrt(TRACES * 0.1));
    for (size_t i = 0; i < n; i += 2) {
        const struct model_span *x = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        const struct model_span *y = &piped_item(&c, MODEL_ITEM_SPAN, i + 1)->u.span;
        uint64_t lo;
        memcpy(&lo, x->trace_id + 8, 8);
        CHECK(ratio_keeps(lo, ratio_threshold(0.1)));
        CHECK_MEM(x->trace_id, 16, y->trace_id, 16);
        CHECK_EQ(x->parent_id, y->span_id);
    }
    for (size_t i = 0; i < TRACES; i++)
        unsampled += piped_item(&c, MODEL_ITEM_EVENT, i)->u.event.span_unwanted;
    CHECK_EQ(unsampled, TRACES - n / 2);
    piped_done(&c);
}

TEST(logs_of_traces_that_were_not_sampled_go_with_them_where_that_is_wanted)
{
    enum { TRACES = 2000 };
    for (unsigned held = 0; held < 2; held++) { /* of a trace that is held nobody knows yet */
        open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO,
                                         .share = 0.1,
                                         .parent_based = true,
                                         .logs_by_trace = true,
                                         .keep_errors = held});
        for (unsigned i = 0; i < TRACES; i++)
            trace_at(10 + i * 10, root);
        rec_event(&c.in, &b, 10 + TRACES * 10, say); /* in no span: not affected */
        CHECK_EQ(piped_last(&c), 0);
        const size_t kept = piped_items(&c, MODEL_ITEM_SPAN) / 2;
        struct pipe_counts n = piped_counts(&c);
        CHECK_EQ(n.events, TRACES + 1);
        CHECK(kept > 100 && kept < 350);
        CHECK_EQ(piped_items(&c, MODEL_ITEM_EVENT), held ? TRACES + 1 : kept + 1);
        CHECK_EQ(n.events, piped_items(&c, MODEL_ITEM_EVENT) + n.logs_sampled_out);
        for (size_t i = 0; !held && i < kept + 1; i++)
            CHECK(!piped_item(&c, MODEL_ITEM_EVENT, i)->u.event.span_unwanted);
        piped_done(&c);
    }
}

/* Of all spans that came out, and how many there were. */
static size_t all_have_state(const char *state)
{
    size_t n = piped_items(&c, MODEL_ITEM_SPAN);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(piped_text(piped_item(&c, MODEL_ITEM_SPAN, i)->u.span.trace_state), state);
    return n;
}

TEST(traces_of_a_share_tell_its_threshold_in_their_tracestate)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO, .share = 0.5});
    for (unsigned i = 0; i < 100; i++) {
        trace_at(10 + i * 10, root);
        rec_span(&c.in, &a, 16 + i * 10, child, 15 + i * 10, 16 + i * 10, 0);
    }
    CHECK_EQ(piped_last(&c), 0);
    CHECK(all_have_state("ot=th:8") > 50);
    piped_done(&c);

    struct pipe_rate rates[] = {{"often", 1}, {"rare", 0.75}};
    open_pipe((struct pipe_sampling){
        .root = PIPE_SAMPLE_OFF, .parent_based = true, .rates = rates, .rate_count = 2});
    const struct model_site *often = in_target("a", "often"), *rare = in_target("b", "rare");
    for (unsigned i = 0; i < 100; i++) {
        rec_end(&c.in, &a, 11 + i * 10, rec_begin(&c.in, &a, 10 + i * 10, often));
        rec_end(&c.in, &a, 13 + i * 10, rec_begin(&c.in, &a, 12 + i * 10, rare));
    }
    CHECK_EQ(piped_last(&c), 0);
    for (size_t i = 0; i < piped_items(&c, MODEL_ITEM_SPAN); i++) {
        const struct model_span *s = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        CHECK_STR(piped_text(s->trace_state), s->site == rare ? "ot=th:4" : "");
    }
    CHECK(piped_items(&c, MODEL_ITEM_SPAN) > 100);
    piped_done(&c);
}

TEST(what_a_limit_or_an_error_kept_tells_no_threshold)
{
    open_pipe(
        (struct pipe_sampling){.root = PIPE_SAMPLE_RATIO, .share = 0.9, .traces_per_s = 1000});
    for (unsigned i = 0; i < 100; i++)
        trace_at(10 + i * 10, root);
    CHECK_EQ(piped_last(&c), 0);
    CHECK(all_have_state("") > 50);
    piped_done(&c);
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO,
                                     .share = 1e-12,
                                     .keep_errors = true,
                                     .tail_bytes = 1 << 20,
                                     .tail_ns = 1000000000});
    uint64_t id = rec_begin(&c.in, &a, 10, root);
    rec_status(&c.in, &a, 11, id, ORIEL_STATUS_ERROR, "");
    rec_end(&c.in, &a, 12, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(all_have_state(""), 1);
    piped_done(&c);
}

/* A trace of two spans below a remote parent with a tracestate. */
static void under_state(uint64_t trace_lo, uint8_t flags, const char *state)
{
    rec_attach_flags(&c.in, &a, 5, 7, trace_lo, 9, flags);
    rec_state(&c.in, &a, 5, 0, state);
    trace_at(10, root);
    rec_detach(&c.in, &a, 20);
    CHECK_EQ(piped_last(&c), 0);
}

TEST(the_tracestate_of_a_remote_parent_goes_on_and_its_rv_decides)
{
    struct pipe_sampling half = {.root = PIPE_SAMPLE_RATIO, .share = 0.5, .parent_based = true};
    open_pipe(half);
    under_state(8, MODEL_TRACE_SAMPLED, "a=1,ot=th:c;rv:e0000000000000");
    CHECK_EQ(all_have_state("a=1,ot=th:c;rv:e0000000000000"), 2);
    piped_done(&c);
    half.parent_based = false;
    open_pipe(half);
    under_state(0, 0, "a=1,ot=th:c;rv:e0000000000000"); /* of its id it would not be taken */
    CHECK_EQ(all_have_state("ot=th:8;rv:e0000000000000,a=1"), 2);
    piped_done(&c);
    open_pipe(half);
    under_state(UINT64_MAX, MODEL_TRACE_SAMPLED, "ot=rv:70000000000000");
    check_counts(0);
    piped_done(&c);
    open_pipe(half);
    under_state(UINT64_MAX, MODEL_TRACE_SAMPLED, "ot=rv:wrong;th:wrong");
    CHECK_EQ(all_have_state("ot=th:8;rv:wrong"), 2);
    piped_done(&c);
}

TEST(a_secret_in_a_tracestate_from_elsewhere_does_not_go_on)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_ON, .parent_based = true});
    under_state(8, MODEL_TRACE_SAMPLED, "a=ghp_0123456789abcdefghijABCDEFGHIJ012345");
    CHECK_EQ(all_have_state("a=[redacted]"), 2);
    piped_done(&c);
}

/* ---- what is left out ---- */

/* Of traces of one span, how many are in the share. */
static uint64_t fields_at(uint64_t t, const struct model_site *site, unsigned n)
{
    uint64_t kept = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint64_t id = rec_begin(&c.in, &a, t + i, site, "a text", INT64_C(7));
        rec_end(&c.in, &a, t + i, id);
        kept += ratio_keeps(oriel_id_mix(id) ^ c.w.catalog.processes[0]->trace_salt,
                            ratio_threshold(0.25));
    }
    return kept;
}

TEST(of_spans_that_are_not_sampled_nothing_is_made_and_all_are_counted)
{
    const struct pipe_sampling quarter = {
        .root = PIPE_SAMPLE_RATIO, .share = 0.25, .parent_based = true};
    open_pipe(quarter);
    const struct model_site *rich = records_site(&c.w, ORIEL_SITE_SPAN, "rich", "text:s,n:i");
    uint64_t kept = 0;
    for (unsigned push = 0; push < 20; push++) {
        kept += fields_at(10 + 100 * push, rich, 100);
        CHECK_EQ(piped_push(&c, 109 + 100 * push), 0);
        check_counts(kept);
        CHECK_EQ(piped_counts(&c).sampled_out, 100 * (push + 1) - kept);
    }
    CHECK(kept > 350 && kept < 650);
    piped_done(&c);

    struct pipe_sampling none = {.root = PIPE_SAMPLE_OFF, .parent_based = true};
    open_pipe(none);
    rich = records_site(&c.w, ORIEL_SITE_SPAN, "rich", "text:s,n:i");
    for (unsigned i = 0; i < 500; i++) {
        const uint64_t id = rec_begin(&c.in, &a, 10 + i, rich, "a text", INT64_C(7));
        if (i % 2) /* one way and the other */
            rec_set(&c.in, &a, 10 + i, id, records_site(&c.w, ORIEL_SITE_SET, "", "more:i"),
                    INT64_C(1));
        rec_end(&c.in, &a, 10 + i, id);
    }
    CHECK_EQ(piped_last(&c), 0);
    check_counts(0);
    CHECK_EQ(piped_counts(&c).sampled_out, 500);
    CHECK(c.out.arena.first == NULL); /* not one attribute was taken out of its record */
    piped_done(&c);
}

TEST(what_a_tail_rule_may_keep_is_not_left_out_though_its_error_comes_late)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO,
                                     .share = 1e-12,
                                     .parent_based = true,
                                     .keep_errors = true,
                                     .tail_ns = 1000000000});
    for (unsigned i = 0; i < 3; i++) { /* plain spans, and a status two pushes later */
        const uint64_t t = 100 * (i + 1), r = rec_begin(&c.in, &a, t, root);
        for (unsigned k = 0; k < 5; k++)
            rec_end(&c.in, &a, t + 2 + k, rec_begin(&c.in, &a, t + 1 + k, child));
        CHECK_EQ(piped_push(&c, t + 10), 0);
        CHECK_EQ(piped_counts(&c).tail_held, 5);
        rec_end(&c.in, &a, t + 12, rec_begin(&c.in, &a, t + 11, child));
        CHECK_EQ(piped_push(&c, t + 20), 0);
        if (i == 1)
            rec_status(&c.in, &a, t + 21, r, ORIEL_STATUS_ERROR, "");
        rec_end(&c.in, &a, t + 30, r);
        CHECK_EQ(piped_push(&c, t + 40), 0);
        check_counts(i ? 7 : 0);
    }
    CHECK_EQ(piped_last(&c), 0);
    check_counts(7);
    CHECK_EQ(piped_counts(&c).sampled_out, 14);
    piped_done(&c);
}

/* ---- parents elsewhere ---- */

static void under_remote(uint8_t flags)
{
    rec_attach_flags(&c.in, &a, 5, 7, 8, 9, flags);
    trace_at(10, root);
    rec_detach(&c.in, &a, 20);
}

TEST(a_remote_parent_decides_when_the_sampler_goes_by_parents)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_OFF, .parent_based = true});
    under_remote(MODEL_TRACE_SAMPLED);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(2);
    CHECK_EQ(piped_span(&c, "child")->trace_flags, MODEL_TRACE_SAMPLED);
    piped_done(&c);
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_ON, .parent_based = true});
    under_remote(MODEL_TRACE_RANDOM);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(0);
    piped_done(&c);
}

TEST(a_remote_parent_is_ignored_when_it_does_not)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_OFF});
    under_remote(MODEL_TRACE_SAMPLED);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(0);
    piped_done(&c);
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_RATIO, .share = 0.999999});
    under_remote(0); /* the id is 8: R is as low as can be, and still in the share? no */
    CHECK_EQ(piped_last(&c), 0);
    check_counts(ratio_keeps(8, ratio_threshold(0.999999)) ? 2 : 0);
    piped_done(&c);
}

TEST(each_of_the_five_delegates_is_asked_in_its_case)
{
    static const struct {
        bool remote;
        uint8_t flags;
        struct pipe_sampling how;
        size_t spans;
    } cases[] = {
        {true, 1, {.root = PIPE_SAMPLE_ON, .remote_sampled = PIPE_DELEGATE_OFF}, 0},
        {true, 0, {.root = PIPE_SAMPLE_OFF, .remote_not_sampled = PIPE_DELEGATE_ON}, 2},
        {false, 0, {.root = PIPE_SAMPLE_ON, .local_sampled = PIPE_DELEGATE_OFF}, 1},
        {false, 0, {.root = PIPE_SAMPLE_OFF, .local_not_sampled = PIPE_DELEGATE_ON}, 1},
        {true,
         0,
         {.root = PIPE_SAMPLE_OFF, .remote_not_sampled = PIPE_DELEGATE_RATIO, .share = 1},
         2},
        {false, 0, {.root = PIPE_SAMPLE_ON, .local_sampled = PIPE_DELEGATE_RATIO, .share = 0}, 1},
        {false, 0, {.root = PIPE_SAMPLE_ON}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pipe_sampling how = cases[i].how;
        how.parent_based = true;
        open_pipe(how);
        if (cases[i].remote)
            under_remote(cases[i].flags);
        else
            trace_at(10, root);
        CHECK_EQ(piped_last(&c), 0);
        check_counts(cases[i].spans);
        piped_done(&c);
    }
}

/* ---- spans that no scope holds ---- */

TEST(spans_of_a_trace_go_its_way_on_every_thread_and_after_its_end)
{
    for (unsigned on = 0; on < 2; on++) {
        open_pipe((struct pipe_sampling){.root = on ? PIPE_SAMPLE_RATIO : PIPE_SAMPLE_OFF,
                                         .share = 0.999999999,
                                         .parent_based = true});
        uint64_t o = rec_open(&c.in, &a, 10, root, 0);
        uint64_t k = rec_open(&c.in, &b, 11, child, o);
        rec_enter(&c.in, &b, 12, k);
        uint64_t in = rec_begin(&c.in, &b, 13, child);
        rec_end(&c.in, &b, 14, in);
        rec_exit(&c.in, &b, 15, k);
        rec_close(&c.in, &a, 16, o);
        CHECK_EQ(piped_push(&c, 16), 0);
        uint64_t late = rec_open(&c.in, &b, 20, child, o); /* its parent has ended */
        rec_close(&c.in, &b, 21, late);
        rec_close(&c.in, &b, 22, k);
        CHECK_EQ(piped_last(&c), 0);
        check_counts(on ? 4 : 0);
        piped_done(&c);
    }
}

TEST(spans_whose_parent_was_lost_go_by_its_id)
{
    for (unsigned on = 0; on < 2; on++) {
        open_pipe((struct pipe_sampling){
            .root = PIPE_SAMPLE_RATIO, .share = on ? 0.9999999 : 0, .parent_based = true});
        struct records_stream unseen = a;
        uint64_t r = rec_begin(&c.in, &unseen, 10, root);
        model_batch_clear(&c.in); /* its chunk was lost */
        a = unseen;
        rec_lose(&a, ORIEL_LOST_RING_FULL, 1);
        rec_sync(&c.in, &a, 11, 1, &r);
        uint64_t i = rec_begin(&c.in, &a, 12, child);
        rec_end(&c.in, &a, 13, i);
        CHECK_EQ(piped_last(&c), 0);
        check_counts(on);
        piped_done(&c);
    }
}

/* ---- targets and the limit ---- */

TEST(targets_have_shares_of_their_own_and_the_longest_that_fits_counts)
{
    static const struct pipe_rate rates[] = {{"db", 0}, {"db.fast", 1}, {"net", 1}};
    open_pipe((struct pipe_sampling){
        .root = PIPE_SAMPLE_OFF, .parent_based = true, .rates = rates, .rate_count = 3});
    static const struct {
        const char *target;
        size_t spans;
    } cases[] = {{"db", 0},        {"db.slow", 0}, {"db.fast", 2},  {"db.fast.x", 2},
                 {"db.faster", 0}, {"network", 0}, {"net/http", 2}, {"net::http", 2},
                 {"other", 0},     {"", 0}};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trace_at(100 * (i + 1), in_target("r", cases[i].target));
        sum += cases[i].spans;
        CHECK_EQ(piped_push(&c, 100 * (i + 1) + 50), 0);
        check_counts(sum);
    }
    piped_done(&c);
}

TEST(a_limit_per_second_lets_a_seconds_worth_through_at_once_and_then_its_pace)
{
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_ON, .traces_per_s = 10});
    const uint64_t second = 1000000000, start = 1700000000 * second;
    for (unsigned i = 0; i < 50; i++) /* all at once: ten */
        trace_at(start + i * 10, root);
    CHECK_EQ(piped_push(&c, start + second / 100), 0);
    check_counts(20);
    for (unsigned i = 1; i <= 100; i++) /* then 50 a second for two seconds: twenty */
        trace_at(start + i * second / 50, root);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(60);
    piped_done(&c);
}

/* ---- tails ---- */

static void failing_trace(uint64_t t, bool fails)
{
    uint64_t r = rec_begin(&c.in, &a, t, root), i = rec_begin(&c.in, &a, t + 1, child);
    rec_end(&c.in, &a, t + 2, i);
    uint64_t k = rec_begin(&c.in, &a, t + 3, child);
    if (fails)
        rec_status(&c.in, &a, t + 4, k, ORIEL_STATUS_ERROR, "no such key");
    rec_end(&c.in, &a, t + 5, k);
    uint64_t l = rec_begin(&c.in, &a, t + 6, child);
    rec_end(&c.in, &a, t + 7, l);
    rec_end(&c.in, &a, t + 8, r);
}

TEST(a_trace_with_an_error_comes_whole_and_others_do_not)
{
    open_pipe(
        (struct pipe_sampling){.root = PIPE_SAMPLE_OFF, .parent_based = true, .keep_errors = true});
    for (unsigned i = 0; i < 6; i++) {
        failing_trace(100 * (i + 1), i == 2 || i == 4);
        CHECK_EQ(piped_push(&c, 100 * (i + 1) + (i == 2 ? 5 : 50)), 0); /* within one, too */
    }
    CHECK_EQ(piped_last(&c), 0);
    check_counts(8);
    CHECK_EQ(piped_counts(&c).tail_kept, 8);
    CHECK_EQ(piped_counts(&c).tail_held, 0);
    uint64_t before = 0;
    for (size_t i = 0; i < c.out.item_count; i++) {
        CHECK(c.out.items[i].t_ns >= before);
        before = c.out.items[i].t_ns;
    }
    unsigned errors = 0;
    for (size_t i = 0; i < 8; i++) {
        const struct model_span *s = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        errors += s->status == ORIEL_STATUS_ERROR;
        if (s->status == ORIEL_STATUS_ERROR)
            CHECK_STR(piped_text(s->status_message), "no such key");
        CHECK(s->flags & MODEL_SPAN_UNSAMPLED);
    }
    CHECK_EQ(errors, 2);
    piped_done(&c);
}

TEST(a_slow_local_root_brings_its_trace)
{
    open_pipe((struct pipe_sampling){
        .root = PIPE_SAMPLE_OFF, .parent_based = true, .keep_slow_ns = 1000});
    trace_at(100, root);
    uint64_t r = rec_begin(&c.in, &a, 200, root), i = rec_begin(&c.in, &a, 201, child);
    rec_end(&c.in, &a, 202, i);
    rec_end(&c.in, &a, 1200, r);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(2);
    piped_done(&c);
}

TEST(what_waits_is_bounded_in_bytes_and_in_time)
{
    const uint64_t second = 1000000000;
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_OFF,
                                     .parent_based = true,
                                     .keep_errors = true,
                                     .tail_bytes = 64 << 10,
                                     .tail_ns = 30 * second});
    uint64_t o = rec_open(&c.in, &a, second, root, 0);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t k = rec_open(&c.in, &a, second + i, child, o);
        rec_close(&c.in, &a, second + i + 1, k);
    }
    CHECK_EQ(piped_push(&c, 2 * second), 0);
    struct pipe_counts n = piped_counts(&c);
    CHECK(n.tail_held * sizeof(struct model_span) <= 64 << 10);
    CHECK_EQ(n.tail_held + n.sampled_out, 2000);
    uint64_t k = rec_open(&c.in, &a, 3 * second, child, o);
    rec_close(&c.in, &a, 3 * second + 1, k);
    CHECK_EQ(piped_push(&c, 4 * second), 0);
    CHECK_EQ(piped_counts(&c).tail_held, 1);
    trace_at(40 * second, root); /* later than a trace may wait */
    CHECK_EQ(piped_push(&c, 41 * second), 0);
    CHECK_EQ(piped_counts(&c).tail_held, 0);
    check_counts(0);
    rec_close(&c.in, &a, 42 * second, o);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(0);
    piped_done(&c);
}

/* ---- options ---- */

TEST(new_rates_hold_for_what_begins_and_open_spans_stay_as_they_were)
{
    const struct pipe_sampling off = {
        .size = sizeof off, .root = PIPE_SAMPLE_OFF, .parent_based = true};
    const struct pipe_sampling all = {
        .size = sizeof all, .root = PIPE_SAMPLE_ON, .parent_based = true};
    const struct pipe_sampling wrong = {
        .size = sizeof wrong, .root = PIPE_SAMPLE_RATIO, .share = 2};
    open_pipe((struct pipe_sampling){.root = PIPE_SAMPLE_ON, .parent_based = true});
    uint64_t open = rec_begin(&c.in, &a, 10, root);
    CHECK_EQ(piped_push(&c, 10), 0);
    CHECK_EQ(pipe_set_sampling(c.pipe, &wrong), ORIEL_EINVAL);
    CHECK_EQ(pipe_set_sampling(c.pipe, NULL), ORIEL_EINVAL);
    CHECK_EQ(pipe_set_sampling(c.pipe, &off), 0);
    uint64_t inner = rec_begin(&c.in, &a, 20, child); /* of a trace that is wanted */
    rec_end(&c.in, &a, 21, inner);
    rec_end(&c.in, &a, 22, open);
    trace_at(30, root); /* not wanted */
    CHECK_EQ(piped_push(&c, 40), 0);
    CHECK_EQ(pipe_set_sampling(c.pipe, &all), 0);
    trace_at(50, root);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(4);
    CHECK_EQ(piped_counts(&c).sampled_out, 2);
    piped_done(&c);
}

/* Traces of which the first half was recorded before rates changed, and the roots are still open.
 */
TEST(a_trace_goes_on_as_its_root_was_sampled_whatever_the_rates_are_now)
{
    enum { TRACES = 64 };
    struct pipe_sampling how = {
        .size = sizeof how, .root = PIPE_SAMPLE_RATIO, .share = 0.5, .parent_based = true};
    struct records_stream s[TRACES];
    uint64_t ids[TRACES];
    open_pipe(how);
    for (unsigned i = 0; i < TRACES; i++) {
        s[i] = records_thread(&c.w, 10 + (int32_t)i);
        ids[i] = rec_begin(&c.in, &s[i], 10, root);
        rec_end(&c.in, &s[i], 12, rec_begin(&c.in, &s[i], 11, child));
    }
    CHECK_EQ(piped_push(&c, 20), 0);
    const size_t half = piped_items(&c, MODEL_ITEM_SPAN);
    CHECK(half > TRACES / 4 && half < TRACES - TRACES / 4);
    check_counts(half);
    static const double shares[] = {0, 1, 0.75};
    for (unsigned k = 0; k < 3; k++) {
        how.share = shares[k];
        CHECK_EQ(pipe_set_sampling(c.pipe, &how), 0);
        for (unsigned i = 0; i < TRACES; i++)
            rec_end(&c.in, &s[i], 32 + 10 * k, rec_begin(&c.in, &s[i], 31 + 10 * k, child));
        CHECK_EQ(piped_push(&c, 35 + 10 * k), 0);
        check_counts(half * (k + 2));
    }
    for (unsigned i = 0; i < TRACES; i++)
        rec_end(&c.in, &s[i], 100, ids[i]);
    CHECK_EQ(piped_last(&c), 0);
    check_counts(half * 5);
    CHECK_EQ(piped_counts(&c).sampled_out, (TRACES - half) * 5);
    CHECK_EQ(all_have_state("ot=th:8"), half * 5);
    piped_done(&c);
}

TEST(options_out_of_range_are_refused)
{
    static const struct pipe_rate wrong[] = {{"db", 1.5}};
    const struct pipe_sampling bad[] = {
        {.size = 3},
        {.size = sizeof *bad, .root = (enum pipe_sampler)9},
        {.size = sizeof *bad, .root = PIPE_SAMPLE_RATIO, .share = 1.01},
        {.size = sizeof *bad, .root = PIPE_SAMPLE_RATIO, .share = -0.1},
        {.size = sizeof *bad, .root = PIPE_SAMPLE_RATIO, .share = NAN},
        {.size = sizeof *bad, .local_sampled = (enum pipe_delegate)4},
        {.size = sizeof *bad, .rates = wrong, .rate_count = 1},
    };
    struct records w;
    records_init(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pipe_options o = {.size = sizeof o, .sampling = &bad[i]};
        struct pipe *p;
        CHECK_EQ(pipe_new(&p, &o, &w.catalog), ORIEL_EINVAL);
    }
    records_done(&w);
}

TEST_MAIN()
