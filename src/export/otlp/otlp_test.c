/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The OTLP outlet: requests as a receiver would take them apart. What each item
 * carries is checked by tests/conformance with readers that are not ours. */
#include "export/otlp/test_taken.h"

#include "export/test_story.h"

extern const struct exporter export_otlp;

static struct otlp_options with(int encoding, int signals)
{
    struct otlp_options o = json;
    o.encoding = encoding;
    o.signals = signals;
    return o;
}

TEST(json_lines_are_as_before)
{
    struct fixture f;
    char path[512];
    fixture_init(&f);
    story_tell(&f);
    fixture_run(&f, &export_otlp, &json);
    snprintf(path, sizeof path, "%s/src/export/otlp/golden.jsonl", TEST_SOURCE_DIR);
    fixture_golden(path, f.bytes.data, f.bytes.size);
    fixture_done(&f);
}

static struct model_event *add_event(struct fixture *f, const struct model_site *site,
                                     uint64_t span_id)
{
    struct model_item *item = fixture_item(f, MODEL_ITEM_EVENT, FIXTURE_START);
    item->u.event = (struct model_event){.t_ns = FIXTURE_START,
                                         .site = site,
                                         .thread = f->main,
                                         .message = MODEL_STR("said"),
                                         .trace_id = {0xab},
                                         .span_id = span_id};
    return &item->u.event;
}

/* How often `text` stands in what was written. */
static unsigned count(struct fixture *f, const char *text)
{
    unsigned n = 0;
    const char *at = buf_cstr(&f->bytes);
    while ((at = strstr(at, text)) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

TEST(an_event_is_a_log_record_and_stands_in_its_span)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "evicted", "demo");
    site->flags = ORIEL_SITE_NAMED;
    add_event(&f, site, 0x10);
    add_event(&f, site, 0x99); /* its span never ends */
    struct model_span *s = fixture_span(&f, span, f.main, 0x10, 0, 0, 5);
    s->event_count = 1;
    fixture_run(&f, &export_otlp, &json);
    CHECK_EQ(count(&f, "\"events\":["), 1);
    CHECK_EQ(count(&f, "\"name\":\"evicted\""), 1);
    CHECK_EQ(count(&f, "\"eventName\":\"evicted\""), 2);
    CHECK_EQ(count(&f, "droppedEventsCount"), 0);
    fixture_done(&f);
}

TEST(events_that_a_span_has_no_room_for_are_counted)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "again", "demo");
    for (unsigned i = 0; i < OTLP_HELD_EVENTS + 3; i++)
        add_event(&f, site, 0x10);
    struct model_span *s = fixture_span(&f, span, f.main, 0x10, 0, 0, 5);
    s->event_count = OTLP_HELD_EVENTS + 3;
    fixture_run(&f, &export_otlp, &json);
    CHECK_EQ(count(&f, "\"name\":\"said\""), OTLP_HELD_EVENTS);
    CHECK_EQ(count(&f, "\"droppedEventsCount\":3"), 1);
    CHECK_EQ(count(&f, "\"severityText\""), OTLP_HELD_EVENTS + 3);
    fixture_done(&f);
}

TEST(places_of_spans_that_ended_are_used_again)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "once", "demo");
    fixture_open(&f, &export_otlp, &json);
    struct otlp *o = f.state;
    for (uint64_t id = 1; id <= 1000; id++) {
        add_event(&f, site, id);
        add_event(&f, site, id + 5000);
        fixture_span(&f, span, f.main, id, 0, 0, 5)->event_count = 1;
        fixture_span(&f, span, f.main, id + 5000, 0, 0, 5)->event_count = 1;
        CHECK_EQ(fixture_write(&f), 0);
    }
    CHECK(o->held.spans.count <= 2);
    CHECK_EQ(o->held.bytes, 0);
    CHECK_EQ(fixture_close(&f), 0);
    CHECK_EQ(count(&f, "\"events\":[{"), 2000);
    fixture_done(&f);
}

/* Every line is a request of at most `batch` items and about max_bytes bytes. */
TEST(requests_keep_their_limits)
{
    struct fixture f;
    struct otlp_options o = json;
    static char text[3000];
    memset(text, 'x', sizeof text);
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    const struct model_value attr = {
        .key = MODEL_STR("text"), .type = ORIEL_TYPE_STR, .v.str = {text, sizeof text}};
    o.batch = 10;
    o.max_bytes = 20000;
    for (uint64_t id = 1; id <= 40; id++) {
        struct model_span *s = fixture_span(&f, span, f.main, id, 0, 0, 5);
        s->attrs = &attr;
        s->attr_count = id > 20;
    }
    fixture_run(&f, &export_otlp, &o);
    CHECK_EQ(count(&f, "\"spanId\""), 40);
    size_t longest = 0, lines = 0;
    for (char *p = f.bytes.data, *end = p + f.bytes.size; p < end; lines++) {
        char *line_end = memchr(p, '\n', (size_t)(end - p));
        REQUIRE(line_end != NULL);
        size_t n = (size_t)(line_end - p);
        longest = n > longest ? n : longest;
        p = line_end + 1;
    }
    CHECK_EQ(lines, 2 + 4); /* 10, 10; five and five large ones, twice */
    CHECK(longest <= o.max_bytes);
    fixture_done(&f);
}

TEST(two_processes_have_two_resources)
{
    struct fixture f;
    fixture_init(&f);
    struct model_process *child =
        model_catalog_add_process(&f.catalog, 200, MODEL_STR("/usr/bin/child"), MODEL_STR("child"));
    struct model_thread *thread = model_catalog_add_thread(&f.catalog, child->index, 200, 9);
    const struct model_site made = {.id = 99,
                                    .process = child->index,
                                    .kind = ORIEL_SITE_SPAN,
                                    .name = MODEL_STR("there"),
                                    .target = MODEL_STR("demo")};
    struct model_site *here = fixture_site(&f, ORIEL_SITE_SPAN, "here", "demo");
    struct model_site *there = model_catalog_add_site(&f.catalog, &made);
    fixture_span(&f, here, f.main, 1, 0, 0, 5);
    fixture_span(&f, there, thread, 2, 0, 0, 5);
    fixture_run(&f, &export_otlp, &json);
    CHECK_EQ(count(&f, "\"resource\":"), 2);
    CHECK_EQ(count(&f, "\"key\":\"process.pid\",\"value\":{\"intValue\":\"200\"}"), 1);
    CHECK_EQ(count(&f, "/usr/bin/child"), 1);
    CHECK_EQ(count(&f, "process.command_args"), 0);
    fixture_done(&f);
}

/* Protobuf messages of a file are one message: the fields of a request come again. */
TEST(a_protobuf_file_is_one_message_of_one_signal)
{
    struct fixture f;
    struct oriel_err err = {0};
    struct otlp_options traces = with(OTLP_PROTOBUF, OTLP_TRACES + 1);
    struct otlp_options both = with(OTLP_PROTOBUF, 0);
    struct pb_field field;
    unsigned resources = 0;
    fixture_init(&f);
    story_tell(&f);
    traces.batch = 2;
    fixture_run(&f, &export_otlp, &traces);
    struct pb_reader r = pb_read(f.bytes.data, f.bytes.size);
    while (pb_next(&r, &field)) {
        CHECK_EQ(field.number, 1);
        resources++;
    }
    CHECK(!r.failed);
    CHECK_EQ(resources, 2); /* four spans, two a request */
    void *state = calloc(1, export_otlp.state_size);
    REQUIRE(out_buf_open(&f.env.out, &f.bytes) == 0);
    CHECK_EQ(export_otlp.open(state, &both, &f.env, &err), ORIEL_EINVAL);
    out_close(f.env.out);
    CHECK(strstr(err.text, "signals traces or logs") != NULL);
    free(state);
    fixture_done(&f);
}

TEST(text_that_is_no_utf8_is_repaired_because_receivers_refuse_it)
{
    struct fixture f;
    struct otlp_options o = with(OTLP_PROTOBUF, OTLP_TRACES + 1);
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "bad \xff name", "demo");
    const struct model_value attr = {
        .key = MODEL_STR("k\xc3"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("\xed\xa0\x80")};
    struct model_span *s = fixture_span(&f, span, f.main, 1, 0, 0, 5);
    s->attrs = &attr;
    s->attr_count = 1;
    fixture_run(&f, &export_otlp, &o);
    CHECK(memmem(f.bytes.data, f.bytes.size, "bad \xef\xbf\xbd name", 12) != NULL);
    CHECK(memmem(f.bytes.data, f.bytes.size, "k\xef\xbf\xbd", 4) != NULL);
    CHECK(memchr(f.bytes.data, '\xff', f.bytes.size) == NULL);
    CHECK(memmem(f.bytes.data, f.bytes.size, "\xed\xa0\x80", 3) == NULL);
    fixture_done(&f);
}

static int refuse(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    (void)o;
    (void)bytes;
    (void)n;
    *out_written = 0;
    return ORIEL_ENOSPC;
}

TEST(what_cannot_be_written_is_counted_item_by_item)
{
    static const struct out_ops ops = {.write = refuse};
    struct fixture f;
    struct oriel_err err = {0};
    struct out out = {.ops = &ops};
    fixture_init(&f);
    story_tell(&f);
    fixture_open_to(&f, &export_otlp, &json, &out);
    CHECK_EQ(f.exporter->write(f.state, &f.batch, &err), 0);
    CHECK_EQ(f.exporter->unwritten(f.state), 0); /* it waits for its request */
    CHECK(f.exporter->flush(f.state, &err) < 0);
    CHECK_EQ(f.exporter->unwritten(f.state), 4 + 2 + 2);
    CHECK(strstr(err.text, "writing OTLP") != NULL);
    const struct export_summary end = {0};
    CHECK_EQ(f.exporter->close(f.state, &end, &err), 0);
    free(f.state);
    fixture_done(&f);
}

/* ---- to a receiver ---- */

TEST(a_receiver_gets_one_message_for_each_signal)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    struct oriel_err err = {0};
    fixture_init(&f);
    story_tell(&f);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(t.messages, 0);
    CHECK_EQ(f.exporter->flush(f.state, &err), 0);
    CHECK_EQ(t.messages, 2);
    CHECK_EQ(t.first.signal, OUT_TRACES);
    CHECK_EQ(t.first.items, 4);
    CHECK_EQ(t.last.signal, OUT_LOGS);
    CHECK_EQ(t.last.items, 2 + 2);
    CHECK_EQ(t.text[0], 1 << 3 | 2); /* resource_logs: protobuf */
    end(&f);
    CHECK_EQ(t.items, 8);
}

TEST(a_request_of_one_scope_is_the_same_without_a_copy)
{
    for (int two = 0; two < 2; two++) {
        char text[2][4000];
        size_t n[2];
        for (int copied = 0; copied < 2; copied++) {
            struct fixture f;
            struct taken t = {.base.ops = &taking_whole};
            struct otlp_options o = to_receiver(OTLP_GRPC);
            struct oriel_err err = {0};
            fixture_init(&f);
            tell_scopes(&f, two);
            fixture_open_to(&f, &export_otlp, &o, &t.base);
            CHECK_EQ(fixture_write(&f), 0);
            struct otlp *state = f.state;
            CHECK(state->groups.items[0].front > 0);
            if (copied) /* as if the catalog had learnt something */
                state->groups.items[0].attributes++;
            CHECK_EQ(f.exporter->flush(f.state, &err), 0);
            CHECK_EQ(state->request.capacity > 0, copied || two);
            CHECK_EQ(t.messages, 1);
            CHECK_EQ(t.last.items, 8);
            n[copied] = t.last.n;
            memcpy(text[copied], t.whole, sizeof text[copied]);
            end(&f);
        }
        REQUIRE(n[0] == n[1] && n[0] <= sizeof text[0]);
        CHECK(memcmp(text[0], text[1], n[0]) == 0);
    }
}

TEST(a_resource_that_grew_while_spans_waited_is_told_whole)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking_whole};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    struct oriel_err err = {0};
    fixture_init(&f);
    tell_scopes(&f, false);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("learnt.late"), MODEL_STR("indeed")),
             0);
    CHECK_EQ(f.exporter->flush(f.state, &err), 0);
    REQUIRE(t.last.n <= sizeof t.whole);
    CHECK(memmem(t.whole, t.last.n, "learnt.late", 11) != NULL);
    CHECK_EQ(t.items, 8);
    end(&f);
}

TEST(a_span_that_its_request_has_no_room_for_goes_with_the_next)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking_whole};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    struct oriel_err err = {0};
    static char text[3000];
    memset(text, 'x', sizeof text);
    const struct model_value attr = {
        .key = MODEL_STR("text"), .type = ORIEL_TYPE_STR, .v.str = {text, sizeof text}};
    o.max_bytes = 4000;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    for (uint64_t id = 1; id <= 6; id++) {
        struct model_span *s = fixture_span(&f, site, f.main, id, 0, 0, 5);
        s->attrs = &attr;
        s->attr_count = id % 2 == 0;
    }
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(f.exporter->flush(f.state, &err), 0);
    CHECK(t.messages > 1);
    CHECK_EQ(t.items, 6);
    end(&f);
}

TEST(json_goes_to_receivers_that_want_it)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_HTTP_JSON);
    fixture_init(&f);
    story_tell(&f);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(fixture_write(&f), 0);
    end(&f);
    CHECK(strncmp(t.text, "{\"resourceLogs\":[", 17) == 0);
}

TEST(what_waits_goes_out_after_its_delay)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    struct oriel_err err = {0};
    fixture_init(&f);
    story_tell(&f);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(f.exporter->tick(f.state, 50, &err), 0); /* nothing waits */
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(f.exporter->tick(f.state, 100, &err), 0);
    CHECK_EQ(f.exporter->tick(f.state, 1099, &err), 0);
    CHECK_EQ(t.messages, 0);
    CHECK_EQ(f.exporter->tick(f.state, 1100, &err), 0);
    CHECK_EQ(t.messages, 1);
    CHECK_EQ(t.last.signal, OUT_LOGS);
    CHECK_EQ(f.exporter->tick(f.state, 5099, &err), 0);
    CHECK_EQ(t.messages, 1);
    CHECK_EQ(f.exporter->tick(f.state, 5100, &err), 0);
    CHECK_EQ(t.messages, 2);
    CHECK_EQ(t.last.signal, OUT_TRACES);
    end(&f);
    CHECK_EQ(t.messages, 2);
}

TEST(each_signal_has_its_own_size_of_a_batch)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    o.batches[OTLP_TRACES] = 3;
    fixture_init(&f);
    story_tell(&f);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(t.messages, 1);
    CHECK_EQ(t.last.items, 3);
    end(&f);
    CHECK_EQ(t.items, 8);
}

/* A SimpleLogRecordProcessor: records go on as they come, each for itself. */
TEST(in_batches_of_one_each_log_record_is_sent_as_it_comes)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    o.batches[OTLP_LOGS] = 1;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "said", "demo");
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    for (int i = 1; i <= 5; i++) {
        struct model_item *item = fixture_item(&f, MODEL_ITEM_EVENT, FIXTURE_START + (uint64_t)i);
        item->u.event.site = site;
        item->u.event.thread = f.main;
        CHECK_EQ(fixture_write(&f), 0); /* neither a flush nor time that passes */
        CHECK_EQ(t.messages, i);
        CHECK_EQ(t.last.signal, OUT_LOGS);
        CHECK_EQ(t.last.items, 1);
    }
    end(&f);
    CHECK_EQ(t.messages, 5);
}

TEST(what_is_lost_behind_a_queue_is_unwritten_and_what_is_ours_is_known_apart)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    struct oriel_err err = {0};
    fixture_init(&f);
    struct model_site *said = fixture_site(&f, ORIEL_SITE_SPAN, "said", "demo");
    struct model_site *seen = fixture_site(&f, ORIEL_SITE_SPAN, "seen", "demo");
    seen->flags = ORIEL_SITE_SEEN;
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    fixture_span(&f, said, f.main, 1, 0, 0, 5);
    fixture_span(&f, seen, f.main, 2, 0, 0, 5);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(f.exporter->flush(f.state, &err), 0);
    CHECK_EQ(t.seen, 1);
    CHECK_EQ(f.exporter->unwritten(f.state), 0);
    t.lost = 2;
    CHECK_EQ(f.exporter->unwritten(f.state), 2);
    CHECK_EQ(f.exporter->unwritten_seen(f.state), 1);
    t.refuse = ORIEL_ELIMIT;
    fixture_span(&f, seen, f.main, 3, 0, 0, 5);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(f.exporter->flush(f.state, &err), ORIEL_ELIMIT);
    CHECK_EQ(f.exporter->unwritten(f.state), 3);
    CHECK_EQ(f.exporter->unwritten_seen(f.state), 2);
    end(&f);
}

TEST(limits_of_the_standard_are_kept_and_what_they_cost_is_told)
{
    struct fixture f;
    struct otlp_options o = json;
    fixture_init(&f);
    struct model_site *span = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    struct model_site *event = fixture_site(&f, ORIEL_SITE_EVENT, "again", "demo");
    const struct model_value attrs[] = {
        {.key = MODEL_STR("a"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("\xc3\xa4\xc3\xb6xyz")},
        {.key = MODEL_STR("b"), .type = ORIEL_TYPE_I64, .v.i64 = 12345},
        {.key = MODEL_STR("c"), .type = ORIEL_TYPE_BOOL, .v.b = true}};
    const struct model_link links[] = {{.span_id = 7, .follows_from = true}, {.span_id = 8}};
    for (int i = 0; i < 3; i++) {
        struct model_event *e = add_event(&f, event, 0x10);
        e->attrs = attrs;
        e->attr_count = 3;
    }
    struct model_span *s = fixture_span(&f, span, f.main, 0x10, 0, 0, 5);
    s->attrs = attrs;
    s->attr_count = 3;
    s->links = links;
    s->link_count = 2;
    s->event_count = 3;
    o.of[OTLP_TRACES] = (struct otlp_limits){2, 3};
    o.of[OTLP_LOGS] = (struct otlp_limits){0, -1};
    o.event_count = 1;
    o.event_attribute_count = 1;
    o.link_count = 1;
    o.link_attribute_count = 0;
    const char *text = fixture_run(&f, &export_otlp, &o);
    CHECK_EQ(count(&f, "\"\xc3\xa4\xc3\xb6x\""), 2); /* of the span and of its event */
    CHECK_EQ(count(&f, "\"12345\""), 1);
    CHECK_EQ(count(&f, "\"key\":\"c\""), 0);
    CHECK_EQ(count(&f, "\"droppedEventsCount\":2"), 1);
    CHECK_EQ(count(&f, "\"droppedLinksCount\":1"), 1);
    CHECK_EQ(count(&f, "\"droppedAttributesCount\":1"), 2); /* of the span, of the link */
    CHECK_EQ(count(&f, "\"droppedAttributesCount\":2"), 1); /* of the event in the span */
    CHECK_EQ(count(&f, "\"droppedAttributesCount\":3"), 3); /* of the log records */
    CHECK(text != NULL);
    fixture_done(&f);
}

TEST(memory_that_ends_costs_items_and_no_request)
{
    unsigned failed = 0;
    for (uint64_t n = 1; n < 200; n++) {
        struct fixture f;
        struct oriel_err err = {0};
        fixture_init(&f);
        story_tell(&f);
        fixture_open(&f, &export_otlp, &json);
        mem_fail_after(n);
        int rc = f.exporter->write(f.state, &f.batch, &err);
        mem_fail_after(0);
        failed += rc < 0;
        const uint64_t lost = f.exporter->unwritten(f.state);
        CHECK_EQ(rc<0, lost> 0);
        CHECK_EQ(fixture_close(&f), 0);
        CHECK_EQ(count(&f, "\"startTimeUnixNano\"") + count(&f, "\"observedTimeUnixNano\"") + lost,
                 4 + 2 + 2);
        fixture_done(&f);
    }
    CHECK(failed > 3);
}

TEST(memory_that_ends_costs_no_receiver_a_whole_request)
{
    unsigned failed = 0;
    for (uint64_t n = 1; n < 100; n++) {
        struct fixture f;
        struct taken t = {.base.ops = &taking_whole};
        struct otlp_options o = to_receiver(OTLP_GRPC);
        struct oriel_err err = {0};
        fixture_init(&f);
        story_tell(&f);
        fixture_open_to(&f, &export_otlp, &o, &t.base);
        mem_fail_after(n);
        int rc = f.exporter->write(f.state, &f.batch, &err);
        mem_fail_after(0);
        failed += rc < 0;
        const uint64_t lost = f.exporter->unwritten(f.state);
        CHECK_EQ(rc<0, lost> 0);
        CHECK_EQ(f.exporter->flush(f.state, &err), 0);
        CHECK_EQ(t.items + lost, 4 + 2 + 2);
        end(&f);
    }
    CHECK(failed > 3);
}

TEST_MAIN()
