/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP in JSON and protobuf, from bytes to records; what is wrong with a request
 * leaves nothing of it behind.
 */
#include "source/otlp/file.h"

#include <stdlib.h>

#include "source/test_bytes.h"
#include "test.h"
#include "wire/record.h"

struct told {
    struct otlp_file *s;
    struct model_catalog catalog;
    struct model_batch batch;
    unsigned types[ORIEL_REC_MAX + 1];
    int result;
};

static void tell(struct told *t, const void *bytes, size_t n)
{
    memset(t, 0, sizeof *t);
    t->s = calloc(1, sizeof *t->s);
    model_catalog_init(&t->catalog);
    model_batch_init(&t->batch, &t->catalog);
    t->result = open_memory(&source_otlp, t->s, bytes, n, &t->catalog, NULL);
    if (t->result < 0)
        return;
    t->result = source_otlp.poll(t->s, &t->batch, 1000, NULL);
    for (size_t i = 0; i < t->batch.record_count; i++)
        t->types[t->batch.records[i].type]++;
}

static void done(struct told *t)
{
    if (t->s->text)
        source_otlp.close(t->s);
    free(t->s);
    model_batch_done(&t->batch);
    model_catalog_done(&t->catalog);
}

static const struct model_record *record(const struct told *t, unsigned type, unsigned nth)
{
    for (size_t i = 0; i < t->batch.record_count; i++)
        if (t->batch.records[i].type == type && nth-- == 0)
            return &t->batch.records[i];
    test_fail(__FILE__, __LINE__, "no record of type %u", type);
    return NULL;
}

static struct model_value value(const struct model_record *r, const char *key)
{
    struct model_values it;
    struct model_value v;
    model_values_begin(&it, r);
    while (model_values_next(&it, &v))
        if (v.key.n == strlen(key) && memcmp(v.key.p, key, v.key.n) == 0)
            return v;
    test_fail(__FILE__, __LINE__, "no value \"%s\"", key);
    return (struct model_value){0};
}

#define SPAN(more)                                                                                 \
    "{\"traceId\":\"0102030405060708090A0b0c0d0e0f10\",\"spanId\":\"1112131415161718\"" more "}"
#define TRACE(spans)                                                                               \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"      \
    "{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":"      \
    "\"2\"},\"spans\":[" spans "]}]}]}\n"

TEST(a_span_has_its_ids_times_and_attributes)
{
    static const char text[] = TRACE(SPAN(
        ",\"parentSpanId\":\"2122232425262728\",\"name\":\"GET\",\"kind\":3,\"flags\":513,"
        "\"startTimeUnixNano\":\"1700000000000000001\",\"endTimeUnixNano\":1700000000000000009,"
        "\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-5\"}},"
        "{\"key\":\"s\",\"value\":{\"stringValue\":\"x\"}},"
        "{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"doubleValue\":1}"
        ","
        "{\"bytesValue\":\"AA==\"},{}]}}}]"));
    struct told t;
    tell(&t, text, sizeof text - 1);
    CHECK_EQ(t.result, SOURCE_DATA);
    const struct model_record *r = record(&t, ORIEL_REC_TOLD, 0);
    const uint64_t id = oriel_id_mix(r->raw[2]);
    CHECK(memcmp(&id, "\x11\x12\x13\x14\x15\x16\x17\x18", 8) == 0);
    CHECK(memcmp(&r->raw[3], "\x21\x22\x23\x24\x25\x26\x27\x28", 8) == 0);
    CHECK(memcmp(&r->raw[4], "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16) == 0);
    CHECK_EQ(r->raw[1], 1700000000000000001u);
    CHECK_EQ(r->raw[6], 513);
    CHECK_EQ(record(&t, ORIEL_REC_CLOSE, 0)->raw[1], 1700000000000000009u);
    CHECK_EQ(value(r, "i").v.i64, -5);
    CHECK(model_str_equal(value(r, "otel.kind").v.str, MODEL_STR("client")));
    CHECK(value(r, "otel.kind").flags & ORIEL_FIELD_META);
    CHECK(
        model_str_equal(value(r, "a").v.str, MODEL_STR("[1,1.0,{\"bytesValue\":\"AA==\"},null]")));
    CHECK(value(r, "a").flags & ORIEL_FIELD_NESTED);
    CHECK(model_str_equal(r->site->name, MODEL_STR("GET")));
    CHECK(model_str_equal(t.catalog.scopes[r->site->scope - 1]->version, MODEL_STR("2")));
    CHECK(model_str_equal(t.catalog.processes[0]->name, MODEL_STR("shop")));
    CHECK_EQ(t.catalog.start_ns, 1700000000000000001u);
    done(&t);
}

TEST(equal_spans_share_their_site_and_one_more_key_makes_another)
{
    static const char text[] = TRACE(SPAN(",\"name\":\"a\"") "," SPAN(",\"name\":\"a\"") "," SPAN(
        ",\"name\":\"a\",\"attributes\":[{\"key\":\"k\",\"value\":{\"boolValue\":true}}]"));
    struct told t;
    tell(&t, text, sizeof text - 1);
    CHECK(record(&t, ORIEL_REC_TOLD, 0)->site == record(&t, ORIEL_REC_TOLD, 1)->site);
    CHECK(record(&t, ORIEL_REC_TOLD, 0)->site != record(&t, ORIEL_REC_TOLD, 2)->site);
    CHECK_EQ(t.catalog.site_count, 2);
    done(&t);
}

TEST(a_log_record_has_its_trace_and_its_body_is_its_message)
{
    static const char text[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"7\","
        "\"observedTimeUnixNano\":\"8\",\"severityNumber\":18,\"severityText\":\"E2\",\"body\":"
        "{\"stringValue\":\"no\"},\"traceId\":\"0102030405060708090a0b0c0d0e0f10\","
        "\"eventName\":\"e\"}]}]}]}";
    struct told t;
    tell(&t, text, sizeof text - 1);
    const struct model_record *r = record(&t, ORIEL_REC_TOLD_LOG, 0);
    CHECK_EQ(r->raw[1], 7);
    CHECK_EQ(r->site->level, ORIEL_LEVEL_ERROR);
    CHECK(r->site->flags & ORIEL_SITE_NAMED);
    CHECK(model_str_equal(value(r, "otel.body").v.str, MODEL_STR("no")));
    CHECK_EQ(value(r, "otel.severity_number").v.u64, 18);
    CHECK_EQ(value(r, "otel.observed_time").v.u64, 8);
    CHECK(model_str_equal(r->site->format, MODEL_STR("%s")));
    done(&t);
}

TEST(spans_without_ids_are_refused_and_counted)
{
    static const char text[] =
        TRACE("{\"name\":\"none\"},{\"traceId\":\"00000000000000000000000000000000\",\"spanId\":"
              "\"1112131415161718\"}," SPAN(""));
    struct told t;
    struct source_damage damage;
    tell(&t, text, sizeof text - 1);
    CHECK_EQ(t.types[ORIEL_REC_TOLD], 1);
    source_otlp.damage(t.s, &damage);
    CHECK_EQ(damage.records, 2);
    CHECK_EQ(t.s->tell.refused[OTLP_NO_ID], 2);
    done(&t);
}

TEST(a_line_that_is_no_request_is_passed_over_whole)
{
    static const char text[] =
        TRACE(SPAN("")) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" SPAN("") "," SPAN(
            ",\"kind\":\"x\"") "]}]}]}\n" TRACE(SPAN(""));
    struct told t;
    struct source_damage damage;
    tell(&t, text, sizeof text - 1);
    CHECK_EQ(t.types[ORIEL_REC_TOLD], 2);
    source_otlp.damage(t.s, &damage);
    CHECK_EQ(damage.records, 1);
    CHECK_EQ(damage.first_offset, sizeof(TRACE(SPAN(""))) - 1);
    done(&t);
}

TEST(more_attributes_than_a_record_holds_follow_in_others)
{
    struct buf text;
    struct told t;
    buf_init(&text);
    buf_puts(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
                    "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"1112131415161718\","
                    "\"attributes\":[");
    for (unsigned i = 0; i < 1500; i++)
        buf_printf(&text, "%s{\"key\":\"k%u\",\"value\":{\"intValue\":%u}}", i ? "," : "", i, i);
    buf_puts(&text, "]}]}]}]}");
    tell(&t, text.data, text.size);
    CHECK_EQ(t.types[ORIEL_REC_TOLD], 1);
    CHECK(t.types[ORIEL_REC_SET] >= 7);
    /* 1,024 places: one is the kind that was not told, one this count, among the first */
    CHECK_EQ(value(record(&t, ORIEL_REC_TOLD, 0), "otel.dropped_attributes_count").v.u64, 478);
    buf_done(&text);
    done(&t);
}

TEST(a_text_beyond_the_limit_is_cut_between_characters_and_says_how_long_it_was)
{
    struct buf text;
    struct told t;
    buf_init(&text);
    buf_puts(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
                    "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"1112131415161718\","
                    "\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"x");
    for (unsigned i = 0; i < 40000; i++)
        buf_puts(&text, "\xc3\xa4");
    buf_puts(&text, "\"}}]}]}]}]}");
    tell(&t, text.data, text.size);
    struct model_value v = value(record(&t, ORIEL_REC_TOLD, 0), "k");
    CHECK_EQ(v.v.str.n, 4095); /* in its record; the rest stands before it */
    CHECK_EQ(v.full_bytes, 80001);
    CHECK(v.flags & MODEL_VALUE_TRUNCATED);
    CHECK_EQ(t.types[ORIEL_REC_MORE], 15);
    const struct model_record *last = record(&t, ORIEL_REC_MORE, 14);
    CHECK_EQ(ORIEL_MORE_OFFSET(last->raw[2]) + (uint32_t)last->raw[3], OTLP_TEXT_MAX - 1);
    CHECK_EQ(t.s->tell.truncated, 1);
    buf_done(&text);
    done(&t);
}

static void nest(struct buf *out, unsigned depth)
{
    struct buf inner;
    if (!depth)
        return;
    buf_init(&inner);
    nest(&inner, depth - 1);
    struct buf any;
    buf_init(&any);
    pb_bytes(&any, 1, inner.data, inner.size); /* ArrayValue.values */
    pb_bytes(out, 5, any.data, any.size);      /* AnyValue.array_value */
    buf_done(&any);
    buf_done(&inner);
}

TEST(a_request_nested_too_deep_or_cut_off_is_refused)
{
    struct buf any;
    struct oriel_err err = {0};
    buf_init(&any);
    nest(&any, 40);
    struct buf request, part;
    buf_init(&request);
    buf_init(&part);
    pb_bytes(&part, 2, any.data, any.size); /* KeyValue */
    static const uint32_t path[] = {9, 2, 2, 1};
    for (unsigned i = 0; i < 4; i++) {
        buf_clear(&request);
        pb_bytes(&request, path[i], part.data, part.size);
        buf_clear(&part);
        buf_put(&part, request.data, request.size);
    }
    CHECK_EQ(otlp_check(OTLP_TRACES, request.data, request.size, 0, &err), ORIEL_ELIMIT);
    CHECK_EQ(otlp_check(OTLP_TRACES, request.data, request.size - 1, 0, NULL), ORIEL_EFORMAT);
    CHECK_EQ(otlp_check(OTLP_TRACES, "\x0a\xff\xff\xff\xff\x0f", 6, 0, NULL), ORIEL_EFORMAT);
    CHECK_EQ(otlp_check(OTLP_TRACES, "\x08\x01", 2, 0, NULL), ORIEL_EFORMAT);
    CHECK_EQ(otlp_check(OTLP_TRACES, "", 0, 0, NULL), 0);
    buf_done(&request);
    buf_done(&part);
    buf_done(&any);
}

TEST(names_without_end_take_no_memory_without_end)
{
    struct told t;
    struct buf text;
    buf_init(&text);
    buf_puts(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&text,
                   "%s{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
                   "\"%016x\",\"name\":\"name %u\"}",
                   i ? "," : "", i + 1, i);
    buf_puts(&text, "]}]}]}");
    tell(&t, text.data, text.size);
    while (t.result == SOURCE_DATA) {
        model_batch_clear(&t.batch);
        t.result = source_otlp.poll(t.s, &t.batch, 1000, NULL);
    }
    CHECK_EQ(t.result, SOURCE_END);
    CHECK_EQ(t.s->tell.spans, 20000);
    CHECK(t.catalog.site_count < 17000);
    CHECK(t.s->tell.generic > 3000);
    buf_done(&text);
    done(&t);
}

TEST(a_long_text_is_said_in_parts_up_to_the_limit)
{
    struct told t;
    struct buf text;
    buf_init(&text);
    buf_puts(&text, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"attributes\":[");
    for (unsigned i = 0; i < 3; i++) {
        buf_printf(&text, "%s{\"key\":\"k%u\",\"value\":{\"stringValue\":\"", i ? "," : "", i);
        for (unsigned k = 0; k < (i == 2 ? 40000 : 3000); k++) /* two bytes each */
            buf_puts(&text, "\xc3\xa4");
        buf_puts(&text, "\"}}");
    }
    buf_puts(&text, "]}]}]}]}");
    tell(&t, text.data, text.size);
    CHECK_EQ(t.result, SOURCE_DATA);
    uint32_t next[3] = {0}, last = 0;
    const struct model_record *log = record(&t, ORIEL_REC_TOLD_LOG, 0);
    for (unsigned i = 0; i < 3; i++)
        next[i] = value(log, (const char[]){'k', (char)('0' + i), 0}).v.str.n;
    for (unsigned i = 0; i < t.types[ORIEL_REC_MORE]; i++) {
        const struct model_record *m = record(&t, ORIEL_REC_MORE, i);
        uint32_t of = ORIEL_MORE_VALUE(m->raw[2]) - (log->site->field_count - 3u);
        REQUIRE(of < 3 && m < log);
        CHECK(of >= last);
        CHECK_EQ(ORIEL_MORE_OFFSET(m->raw[2]), next[of]);
        CHECK_EQ(wire_record_check(m->raw, m->words, NULL, 0), m->words);
        next[of] += (uint32_t)m->raw[3];
        last = of;
    }
    CHECK_EQ(next[0], 6000);
    CHECK_EQ(next[1], 6000);
    CHECK_EQ(next[2], OTLP_TEXT_MAX);
    CHECK_EQ(value(log, "k2").full_bytes, 80000);
    CHECK_EQ(t.s->tell.truncated, 1);
    buf_done(&text);
    done(&t);
}

TEST(where_in_the_code_it_was_is_that_of_the_site_and_an_attribute_still)
{
#define CODE(f, file, l, line)                                                                     \
    ",\"name\":\"a\",\"attributes\":[{\"key\":\"" f "\",\"value\":{\"stringValue\":\"work\"}},"    \
    "{\"key\":\"" file "\",\"value\":{\"stringValue\":\"/src/app.py\"}},"                          \
    "{\"key\":\"" l "\",\"value\":{\"intValue\":\"" line "\"}}]"
    static const char text[] =
        TRACE(SPAN(CODE("code.function.name", "code.file.path", "code.line.number", "17")) "," SPAN(
            CODE("code.function", "code.filepath", "code.lineno",
                 "18")) "," SPAN(CODE("code.function", "code.filepath", "code.lineno",
                                      "19")) "," SPAN(CODE("code.function", "code.filepath",
                                                           "code.lineno", "-1")));
    struct told t;
    tell(&t, text, sizeof text - 1);
    CHECK_EQ(t.types[ORIEL_REC_TOLD], 4);
    static const uint32_t lines[] = {17, 18, 19, 0};
    for (unsigned i = 0; i < 4; i++) {
        const struct model_record *r = record(&t, ORIEL_REC_TOLD, i);
        CHECK(model_str_equal(r->site->function, MODEL_STR("work")));
        CHECK(model_str_equal(r->site->file, MODEL_STR("/src/app.py")));
        CHECK_EQ(r->site->line, lines[i]);
        CHECK(model_str_equal(r->site->name, MODEL_STR("a")));
    }
    CHECK_EQ(value(record(&t, ORIEL_REC_TOLD, 0), "code.line.number").v.i64, 17);
    CHECK_EQ(value(record(&t, ORIEL_REC_TOLD, 3), "code.lineno").v.i64, -1);
    done(&t);
}

#define THREAD(id, name)                                                                           \
    SPAN(",\"attributes\":[{\"key\":\"thread.name\",\"value\":{\"stringValue\":\"" name            \
         "\"}},{\"key\":\"thread.id\",\"value\":{\"intValue\":" id "}}]")

TEST(spans_of_a_thread_that_is_told_stand_in_its_lane)
{
    static const char text[] =
        TRACE(THREAD("7", "worker") "," THREAD("8", "other") "," THREAD("7", "renamed") "," SPAN(
            "") "," THREAD("0", "none") "," THREAD("\"4294967297\"", "huge") "," THREAD("-3",
                                                                                        "minus"));
    struct told t;
    tell(&t, text, sizeof text - 1);
    CHECK_EQ(t.types[ORIEL_REC_TOLD], 7);
    const struct model_record *r[7];
    for (unsigned i = 0; i < 7; i++)
        r[i] = record(&t, ORIEL_REC_TOLD, i);
    test_stop_if_failed();
    CHECK_EQ(r[0]->thread->tid, 7);
    CHECK(model_str_equal(r[0]->thread->name, MODEL_STR("worker")));
    CHECK_EQ(r[1]->thread->tid, 8);
    CHECK(r[2]->thread == r[0]->thread && r[2]->stream == r[0]->stream);
    CHECK(r[1]->stream != r[0]->stream && r[3]->stream != r[0]->stream);
    for (unsigned i = 4; i < 7; i++) /* no ids that a thread has */
        CHECK(r[i]->thread == r[3]->thread);
    CHECK(r[0]->site == r[1]->site);                  /* whoever says it: it is the same place */
    for (size_t i = 1; i < t.batch.record_count; i++) /* all of a span in one lane, in order */
        if (t.batch.records[i].type == ORIEL_REC_CLOSE)
            CHECK(t.batch.records[i].stream == t.batch.records[i - 1].stream);
    done(&t);
}

TEST(threads_without_end_take_no_lanes_without_end)
{
    enum { SPANS = 400 };
    static char text[SPANS * 300 + 1000];
    char *p = text;
    struct told t;
    p += snprintf(p, sizeof text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
    for (int i = 0; i < SPANS; i++)
        p += snprintf(p, (size_t)(text + sizeof text - p),
                      "%s{\"traceId\":\"0102030405060708090A0b0c0d0e0f10\",\"spanId\":"
                      "\"11121314151617%02x\",\"attributes\":[{\"key\":\"thread.id\",\"value\":"
                      "{\"intValue\":%d}}]}",
                      i ? "," : "", i & 255, i + 1);
    p += snprintf(p, (size_t)(text + sizeof text - p), "]}]}]}\n");
    tell(&t, text, (size_t)(p - text));
    while (t.result == SOURCE_DATA && t.types[ORIEL_REC_TOLD] < SPANS) {
        const size_t from = t.batch.record_count;
        t.result = source_otlp.poll(t.s, &t.batch, from + 1000, NULL);
        for (size_t i = from; i < t.batch.record_count; i++)
            t.types[t.batch.records[i].type]++;
    }
    CHECK_EQ(t.types[ORIEL_REC_TOLD], SPANS);
    CHECK_EQ(t.catalog.thread_count, 257);
    CHECK_EQ(record(&t, ORIEL_REC_TOLD, SPANS - 1)->thread->index, 0);
    done(&t);
}

TEST(a_number_that_its_field_cannot_have_is_no_request)
{
    static const struct {
        const char *text;
        bool good;
    } of[] = {
        {TRACE(SPAN(",\"startTimeUnixNano\":\"18446744073709551615\"")), true},
        {TRACE(SPAN(",\"startTimeUnixNano\":\"18446744073709551616\"")), false},
        {TRACE(SPAN(",\"startTimeUnixNano\":\"99999999999999999999\"")), false},
        {TRACE(SPAN(",\"endTimeUnixNano\":\"-5\"")), false},
        {TRACE(SPAN(",\"endTimeUnixNano\":-5")), false},
        {TRACE(SPAN(",\"endTimeUnixNano\":-5e1")), false},
        {TRACE(SPAN(",\"endTimeUnixNano\":5e1")), true},
        {TRACE(SPAN(",\"endTimeUnixNano\":\"\"")), false},
        {TRACE(SPAN(",\"endTimeUnixNano\":\" 5\"")), false},
        {TRACE(SPAN(",\"kind\":-1")), false},
        {TRACE(SPAN(",\"droppedAttributesCount\":4294967295")), true},
        {TRACE(SPAN(",\"droppedAttributesCount\":4294967296")), false},
        {TRACE(SPAN(",\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":"
                    "\"-9223372036854775808\"}}]")),
         true},
        {TRACE(SPAN(",\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":"
                    "9223372036854775808}}]")),
         false},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct told t;
        tell(&t, of[i].text, strlen(of[i].text));
        if ((t.types[ORIEL_REC_TOLD] > 0) != of[i].good)
            test_fail(__FILE__, __LINE__, "%s", of[i].text);
        done(&t);
    }
}

TEST(what_is_not_otlp_is_not_recognized)
{
    static const char json[] = TRACE(SPAN(""));
    CHECK(source_otlp.recognizes((const uint8_t *)json, sizeof json - 1));
    CHECK(!source_otlp.recognizes((const uint8_t *)"{\"spans\":[]}", 12));
    CHECK(!source_otlp.recognizes((const uint8_t *)"\x0a\x04\x08\x01\x10\x02", 6)); /* pprof */
    struct told t;
    tell(&t, "no", 2);
    CHECK_EQ(t.result, ORIEL_EFORMAT);
    free(t.s);
    model_batch_done(&t.batch);
    model_catalog_done(&t.catalog);
}

TEST(memory_that_ends_ends_nothing_else)
{
    static const char text[] = TRACE(SPAN(",\"attributes\":[{\"key\":\"k\",\"value\":"
                                          "{\"boolValue\":true}}],\"events\":[{\"name\":\"e\"}]"));
    for (uint64_t n = 1; n < 120; n++) {
        struct told t;
        mem_fail_after(n);
        tell(&t, text, sizeof text - 1);
        mem_fail_after(0);
        CHECK(t.result >= SOURCE_DATA || t.result == ORIEL_ENOMEM || t.result == SOURCE_IDLE);
        done(&t);
    }
}

TEST_MAIN()
