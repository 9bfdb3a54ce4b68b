/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of capture framing, numbers and the predictor that both sides share. */
#include "wire/capture.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"
#include "wire/record.h"

static const uint64_t edges[] = {0,
                                 1,
                                 63,
                                 64,
                                 127,
                                 128,
                                 16383,
                                 16384,
                                 (1u << 21) - 1,
                                 1u << 21,
                                 (1u << 30) - 1,
                                 UINT64_C(63) << 24,
                                 (UINT64_C(63) << 24) - 1,
                                 UINT64_C(1) << 48,
                                 (UINT64_C(1) << 49) - 1,
                                 UINT64_C(1) << 49,
                                 (UINT64_C(1) << 56) - 1,
                                 UINT64_C(1) << 56,
                                 UINT64_MAX};
enum { EDGES = sizeof edges / sizeof *edges };

TEST(a_number_takes_one_byte_per_seven_bits_and_comes_back)
{
    for (unsigned i = 0; i < EDGES; i++) {
        uint8_t bytes[WIRE_NUMBER_ROOM] = {0};
        size_t n = (size_t)(wire_number_put(bytes, edges[i]) - bytes);
        unsigned bits = edges[i] ? 64 - (unsigned)__builtin_clzll(edges[i]) : 1;
        CHECK_EQ(n, bits > 56 ? 9 : (bits + 6) / 7);
        /* an exact-length copy: a byte too many is seen by the sanitizer */
        uint8_t *exact = malloc(n);
        memcpy(exact, bytes, n);
        struct wire_cursor c = {exact, exact + n, false};
        CHECK(wire_number_get(&c) == edges[i]);
        CHECK(!c.failed && c.at == c.end);
        for (size_t cut = 0; cut < n; cut++) {
            c = (struct wire_cursor){exact, exact + cut, false};
            CHECK_EQ(wire_number_get(&c), 0);
            CHECK(c.failed);
            CHECK_EQ(wire_number_get(&c), 0); /* and stays so */
        }
        free(exact);
        CHECK(wire_unzigzag(wire_zigzag(edges[i])) == edges[i]);
    }
}

TEST(numbers_in_a_row_are_read_with_and_without_a_margin)
{
    uint8_t bytes[EDGES * WIRE_NUMBER_ROOM + 8], *end = bytes;
    for (unsigned i = 0; i < EDGES; i++)
        end = wire_number_put(end, edges[i]);
    struct wire_cursor c = {bytes, end, false};
    for (unsigned i = 0; i < EDGES; i++)
        CHECK(wire_number_get(&c) == edges[i]);
    CHECK(c.at == end && !c.failed);
    CHECK(wire_bytes_get(&c, 1) == NULL);
    CHECK(c.failed);
    CHECK_EQ(wire_word_get(&c), 0);
}

TEST(a_time_is_a_symbol_and_its_low_bytes)
{
    uint8_t rest[EDGES * WIRE_TIME_ROOM + WIRE_TIME_ROOM], symbols[EDGES], *to = rest;
    for (unsigned i = 0; i < EDGES; i++)
        symbols[i] = wire_time_put(&to, edges[i]);
    const uint8_t *from = rest;
    for (unsigned i = 0; i < EDGES; i++)
        CHECK(wire_time_get(symbols[i], &from) == edges[i]);
    CHECK(from == to);
    CHECK_EQ(symbols[2], 63);   /* 63: no further byte */
    CHECK_EQ(symbols[3], 0x40); /* 64: one */
    CHECK_EQ(symbols[EDGES - 1], 0xff);
}

TEST(a_frame_comes_back_and_nonsense_is_refused)
{
    uint8_t bytes[WIRE_CAPTURE_FRAME_BYTES];
    struct wire_capture_frame f = {.stored_bytes = 100,
                                   .raw_bytes = 200,
                                   .seq = 3,
                                   .records_before = 1u << 20,
                                   .records = 77,
                                   .type = WIRE_CAPTURE_RECORDS,
                                   .flags = WIRE_CAPTURE_FINAL,
                                   .watermark_ns = 5,
                                   .session_tag = 6,
                                   .payload_crc = 7},
                              got;
    wire_capture_frame_put(bytes, &f);
    REQUIRE(wire_capture_frame_get(bytes, &got) == 0);
    CHECK_EQ(got.stored_bytes, 100);
    CHECK_EQ(got.raw_bytes, 200);
    CHECK_EQ(got.seq, 3);
    CHECK_EQ(got.records_before, 1 << 20);
    CHECK_EQ(got.records, 77);
    CHECK_EQ(got.type, WIRE_CAPTURE_RECORDS);
    CHECK_EQ(got.flags, WIRE_CAPTURE_FINAL);
    CHECK_EQ(got.watermark_ns, 5);
    CHECK_EQ(got.session_tag, 6);
    CHECK_EQ(got.payload_crc, 7);
    wire_put32(bytes + 8, WIRE_CAPTURE_STORED_MAX + 1);
    CHECK_EQ(wire_capture_frame_get(bytes, &got), ORIEL_EFORMAT);
    wire_put32(bytes + 8, 100);
    wire_put32(bytes + 12, WIRE_CAPTURE_RAW_MAX + 1);
    CHECK_EQ(wire_capture_frame_get(bytes, &got), ORIEL_EFORMAT);
    bytes[7]++;
    CHECK_EQ(wire_capture_frame_get(bytes, &got), ORIEL_EVERSION);
    bytes[0] = 'X';
    CHECK_EQ(wire_capture_frame_get(bytes, &got), ORIEL_EFORMAT);
}

TEST(a_directory_must_fill_its_payload)
{
    uint8_t bytes[WIRE_CAPTURE_DIR_BYTES];
    struct wire_capture_dir d = {.raw = {10, 20, 30, 40, 50}, .stored = {10, 5, 30, 7, 0}}, got;
    uint32_t stored = WIRE_CAPTURE_DIR_BYTES + 52;
    wire_capture_dir_put(bytes, &d);
    CHECK_EQ(wire_capture_dir_get(bytes, stored, 150, &got), 0);
    CHECK_EQ(got.stored[3], 7);
    CHECK_EQ(wire_capture_dir_get(bytes, stored + 1, 150, &got), ORIEL_EFORMAT);
    CHECK_EQ(wire_capture_dir_get(bytes, stored, 151, &got), ORIEL_EFORMAT);
    CHECK_EQ(wire_capture_dir_get(bytes, WIRE_CAPTURE_DIR_BYTES - 1, 150, &got), ORIEL_EFORMAT);
    wire_put32(bytes + 4, 11); /* stored > raw */
    CHECK_EQ(wire_capture_dir_get(bytes, stored + 1, 150, &got), ORIEL_EFORMAT);
}

TEST(last_words_fill_a_slot_and_come_back)
{
    uint8_t slot[WIRE_CAPTURE_SLOT_BYTES];
    struct wire_capture_last_words w = {.generation = 9,
                                        .closed = 1,
                                        .records = 2,
                                        .lost = {1, 2, 3, 4, 5},
                                        .unwritten = {6, 7, 8},
                                        .end_ns = 10},
                                   got;
    wire_capture_last_words_put(slot, &w);
    wire_capture_last_words_get(slot, &got);
    CHECK_MEM(&got, sizeof got, &w, sizeof w);
}

TEST(a_clock_with_both_pieces_comes_back)
{
    struct clock_map m = {.now = {UINT64_C(1) << 50, UINT64_C(1700000000000000000), 1651910498},
                          .before = {(UINT64_C(1) << 50) - 12345, 7, 1651910400}},
                     got;
    uint8_t bytes[WIRE_CLOCK_ROOM + 8];
    struct wire_cursor c = {bytes, wire_clock_put(bytes, &m), false};
    wire_clock_get(&c, &got);
    CHECK(!c.failed && c.at == c.end);
    CHECK_MEM(&got.now, sizeof got.now, &m.now, sizeof m.now);
    CHECK_MEM(&got.before, sizeof got.before, &m.before, sizeof m.before);
}

/* Every tick that a line calls its own has the time that the clock gives it. */
static void check_line(const struct clock_map *m, uint64_t from, int64_t step)
{
    struct wire_clock_line line;
    uint64_t unusual = 0, on_line = 0;
    CHECK(wire_clock_line(m, from, &line));
    for (uint64_t d = 0; d < UINT64_C(1) << 53; d = d * 3 + 1) {
        uint64_t ticks = from + d * (uint64_t)step, ns = wire_clock_ns(&line, ticks, &unusual);
        CHECK(unusual || ns == clock_map_ns(m, ticks));
        on_line += !unusual;
    }
    CHECK(on_line > 5 && unusual != 0);
}

TEST(a_line_agrees_with_the_clock_on_each_of_its_sides)
{
    const uint64_t base = UINT64_C(1) << 55, apart = 123456789;
    struct clock_map m = {.now = {base, UINT64_C(1700000000000000000), 1651910498},
                          .before = {base - apart, UINT64_C(1699999999950000000), 1651910400}};
    struct wire_clock_line line;
    uint64_t unusual;
    check_line(&m, base, 1);
    check_line(&m, base - apart, 1);      /* until the newer piece begins */
    check_line(&m, base - 1, -1);         /* and down to its base */
    check_line(&m, base - apart - 1, -1); /* before both */
    check_line(&m, base - apart - (UINT64_C(1) << 51), 1);
    CHECK(wire_clock_line(&m, base - apart, &line));
    wire_clock_ns(&line, base - 1, &unusual);
    CHECK_EQ(unusual, 0);
    wire_clock_ns(&line, base, &unusual);
    CHECK(unusual != 0);
    wire_clock_ns(&line, base - apart - 1, &unusual);
    CHECK(unusual != 0);
}

TEST(a_clock_of_strange_numbers_has_no_line)
{
    struct clock_map m = {.now = {1000, UINT64_C(1700000000000000000), 1651910498}};
    struct wire_clock_line line;
    m.before = m.now;
    CHECK(wire_clock_line(&m, 1000, &line));
    m.now.mult = UINT64_C(1) << 40;
    CHECK(!wire_clock_line(&m, 1000, &line));
    m.now.mult = 1;
    m.now.base_ns = UINT64_C(1) << 62;
    CHECK(!wire_clock_line(&m, 1000, &line));
    CHECK(wire_clock_line(&m, 999, &line)); /* before both, which asks the older */
    m.before.base_ns = 1000;                /* the times before it would be below zero */
    CHECK(!wire_clock_line(&m, 999, &line));
    m.before.base_ns = UINT64_C(1) << 62;
    CHECK(!wire_clock_line(&m, 999, &line));
    m.before = (struct clock_piece){2000, 1, 1}; /* pieces in the wrong order */
    CHECK(!wire_clock_line(&m, 999, &line));
}

TEST(every_type_has_a_shape_that_agrees_with_its_prefix)
{
    for (uint32_t type = 0; type < 256; type++) {
        const char *shape = wire_capture_shape(type, 0);
        CHECK_EQ(shape != NULL, wire_record_prefix_words(type, 0) != 0);
        uint32_t words = 2;
        for (const char *p = shape; p && *p; p++)
            words += strchr("inwtk", *p) != NULL;
        if (shape && type != ORIEL_REC_SYNC)
            CHECK_EQ(words, wire_record_prefix_words(type, 0));
    }
    CHECK_STR(wire_capture_shape(ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN), "if");
}

TEST(the_stack_keeps_the_innermost_spans)
{
    struct wire_capture_stream s = {.seed = 1000, .position = 16};
    CHECK_EQ(wire_stack_top(&s), 1016);
    wire_stack_pop(&s);
    CHECK_EQ(s.depth, 0);
    for (uint64_t i = 0; i < 100; i++)
        wire_stack_push(&s, i);
    CHECK_EQ(wire_stack_top(&s), 99);
    wire_stack_end(&s, 98); /* 99 is abandoned */
    CHECK_EQ(s.depth, 98);
    wire_stack_end(&s, 3); /* too far out to be known */
    CHECK_EQ(s.depth, 98);
    while (s.depth > 98 - ORIEL_STACK_DEPTH) {
        CHECK_EQ(wire_stack_top(&s), s.depth - 1);
        wire_stack_pop(&s);
    }
}

TEST(the_stack_follows_enter_attach_and_sync)
{
    struct wire_capture_stream s = {0};
    uint64_t w[WIRE_SYNC_IDS_AT + ORIEL_STACK_DEPTH] = {0, 0, 5, 6, 7};
    wire_stack_follow(&s, ORIEL_REC_ENTER, w, 3);
    wire_stack_follow(&s, ORIEL_REC_ATTACH, w, 6);
    CHECK_EQ(wire_stack_top(&s), 7);
    wire_stack_follow(&s, ORIEL_REC_EXIT, w, 3); /* 5 is not on top */
    CHECK_EQ(s.depth, 2);
    wire_stack_follow(&s, ORIEL_REC_DETACH, w, 2);
    wire_stack_follow(&s, ORIEL_REC_EXIT, w, 3);
    CHECK_EQ(s.depth, 0);
    for (unsigned i = 0; i < ORIEL_STACK_DEPTH; i++)
        w[WIRE_SYNC_IDS_AT + i] = 500 + i;
    w[WIRE_SYNC_DEPTH_AT] = 70;
    wire_stack_follow(&s, ORIEL_REC_SYNC, w, WIRE_SYNC_IDS_AT + ORIEL_STACK_DEPTH);
    CHECK_EQ(s.depth, ORIEL_STACK_DEPTH);
    CHECK_EQ(s.lost[0], 5);
    CHECK_EQ(wire_sync_expected(&s, 2, 0), 502);
    /* As deep as known: the innermost known ones are kept. */
    for (unsigned i = 0; i < 6; i++)
        wire_stack_push(&s, 900 + i);
    wire_stack_follow(&s, ORIEL_REC_SYNC, w, WIRE_SYNC_IDS_AT + ORIEL_STACK_DEPTH);
    CHECK_EQ(wire_stack_top(&s), 905);
    CHECK_EQ(wire_sync_expected(&s, 2, 77), 77);
}

TEST(a_low_half_names_the_latest_id_before_it)
{
    CHECK_EQ(wire_id_resolve(UINT64_C(0x500000010), 0x8), UINT64_C(0x500000008));
    CHECK_EQ(wire_id_resolve(UINT64_C(0x500000010), 0xfffffff0u), UINT64_C(0x4fffffff0));
    CHECK_EQ(wire_select(wire_end_mask(ORIEL_REC_END), 1, 2), 1);
    CHECK_EQ(wire_select(wire_end_mask(ORIEL_REC_BEGIN), 1, 2), 2);
}
TEST_MAIN()
