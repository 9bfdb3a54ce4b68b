/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that a program gave their ids, or whose sampling it decided itself: ids,
 * parents, traces and flags are what the record says, and what is below goes by them.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

enum { DECIDED = ORIEL_RECF_HERE | ORIEL_RECF_DECIDED };

static struct piped c;
static const struct model_site *outer, *inner;
static struct records_stream a;

static void open_pipe(const struct pipe_options *o)
{
    piped_init(&c, o);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    a = records_thread(&c.w, 1);
}

/* Of trace 7,8; entered, as those of a scope are. Returns its raw id. */
static uint64_t given(uint64_t t_ns, const struct model_site *site, uint64_t w3c, uint64_t parent,
                      uint64_t flags, uint8_t recf)
{
    const uint64_t raw = oriel_id_unmix(w3c);
    rec_given(&c.in, &a, t_ns, site, recf, (const uint64_t[]){raw, parent, 7, 8, flags});
    rec_enter(&c.in, &a, t_ns, raw);
    return raw;
}
static void over(uint64_t t_ns, uint64_t raw)
{
    rec_exit(&c.in, &a, t_ns, raw);
    rec_close(&c.in, &a, t_ns, raw);
}

TEST(a_given_span_has_its_ids_and_is_no_span_of_another_program)
{
    open_pipe(NULL);
    uint64_t o = given(5, outer, 0x99, 0, 3, ORIEL_RECF_HERE);
    uint64_t i = rec_begin(&c.in, &a, 6, inner);
    rec_end(&c.in, &a, 7, i);
    over(8, o);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "outer");
    CHECK_EQ(s->span_id, 0x99);
    CHECK_EQ(s->trace_id[0], 7);
    CHECK_EQ(s->trace_id[8], 8);
    CHECK_EQ(s->parent_id, 0);
    CHECK_EQ(s->trace_flags, 3);
    CHECK_EQ(s->flags & (MODEL_SPAN_ROOT | MODEL_SPAN_TOLD | MODEL_SPAN_EXTERNAL), MODEL_SPAN_ROOT);
    CHECK_EQ(s->busy_ns, 3);
    s = piped_span(&c, "inner");
    CHECK_EQ(s->parent_id, 0x99);
    CHECK_EQ(s->trace_id[8], 8);
    piped_done(&c);
}

TEST(what_the_program_decided_not_to_sample_no_receiver_gets)
{
    open_pipe(NULL);
    uint64_t o = given(5, outer, 0x99, 0, 2, DECIDED);
    uint64_t i = given(6, inner, 0x9a, 0x99, 3, DECIDED);
    over(7, i);
    over(8, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, 0x99);
    CHECK_EQ(piped_span(&c, "inner")->trace_flags, 3);
    piped_done(&c);
}

TEST(a_decision_of_the_program_counts_before_those_of_the_configuration)
{
    const struct pipe_sampling none = {
        .size = sizeof none, .root = PIPE_SAMPLE_OFF, .parent_based = true};
    const struct pipe_options o = {.size = sizeof o, .sampling = &none};
    open_pipe(&o);
    uint64_t decided = given(5, outer, 0x99, 0, 3, DECIDED);
    over(6, decided);
    uint64_t not_decided = given(7, inner, 0x9a, 0, 3, ORIEL_RECF_HERE);
    over(8, not_decided);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    CHECK_EQ(piped_span(&c, "outer")->trace_flags, 3);
    piped_done(&c);
}

TEST(a_given_span_has_the_tracestate_and_the_remote_parent_of_its_context)
{
    open_pipe(NULL);
    rec_attach_flags(&c.in, &a, 4, 7, 8, 9,
                     3 | ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
    rec_state(&c.in, &a, 4, 0, "a=1");
    uint64_t o = given(5, outer, 0x99, 9, 3 | ORIEL_CONTEXT_IS_REMOTE, DECIDED);
    uint64_t i = given(6, inner, 0x9a, 0x99, 3, DECIDED);
    over(7, i);
    over(8, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_STR(piped_text(piped_span(&c, "outer")->trace_state), "a=1");
    CHECK(piped_span(&c, "outer")->flags & MODEL_SPAN_REMOTE_PARENT);
    CHECK_STR(piped_text(piped_span(&c, "inner")->trace_state), "a=1");
    CHECK_EQ(piped_span(&c, "inner")->flags & MODEL_SPAN_REMOTE_PARENT, 0);
    piped_done(&c);
}

TEST_MAIN()
