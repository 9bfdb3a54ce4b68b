/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every record type as the ABI header tells it, then everything that can be
 * wrong with one. Records are laid against the end of a page that may not be
 * read beyond, so a check that looks too far dies.
 */
#include "wire/record.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "random.h"
#include "test.h"

enum { ID_HI = 7, ID_LO = 0x1234 };
#define RAW (((uint64_t)ID_HI << 32) | ID_LO)

struct sample {
    uint32_t type, flags, low, words;
    uint64_t body[16]; /* from word 1 */
};

/* One of each type, as small as it can be. */
static const struct sample samples[] = {
    {ORIEL_REC_SYNC, 0, 0, 10, {100, 1, 2, 3, 4, 5, 2, 11, 12}},
    {ORIEL_REC_SYNC, 0, 0, 8, {100, 0, 0, 0, 0, 0, 0}},
    {ORIEL_REC_BEGIN, 0, 2, 2, {100}},
    {ORIEL_REC_BEGIN, ORIEL_RECF_ROOT, 65535, 2, {100}},
    {ORIEL_REC_END, 0, ID_LO, 2, {100}},
    {ORIEL_REC_SET, 0, 3, 3, {100, RAW}},
    {ORIEL_REC_EVENT, 0, 3, 2, {100}},
    {ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN, 3, 3, {100, RAW}},
    {ORIEL_REC_OPEN, 0, 3, 3, {100, 0}},
    {ORIEL_REC_CLOSE, 0, ID_LO, 3, {100, RAW}},
    {ORIEL_REC_ENTER, 0, ID_LO, 3, {100, RAW}},
    {ORIEL_REC_EXIT, 0, ID_LO, 3, {100, RAW}},
    {ORIEL_REC_LINK, 0, ID_LO, 7, {100, RAW, 1, 2, 3, 0}},
    {ORIEL_REC_STATUS,
     0,
     ID_LO,
     6,
     {100, RAW, ORIEL_STATUS_ERROR, 3 | UINT64_C(3) << 32, 0x636261}},
    {ORIEL_REC_STATUS, 0, ID_LO, 5, {100, RAW, ORIEL_STATUS_OK, 0}},
    {ORIEL_REC_SPAN, ORIEL_RECF_HAS_TIME, 3, 4, {100, 200, 0}},
    {ORIEL_REC_PLOT, 0, 3, 3, {100, 42}},
    {ORIEL_REC_FRAME, 0, 3, 2, {100}},
    {ORIEL_REC_TASK, ORIEL_TASK_SPAWN, 3, 4, {100, 8, 9}},
    {ORIEL_REC_TASK, ORIEL_TASK_NAME, 3, 4, {100, 8, 0}},
    {ORIEL_REC_THREAD, 0, 0, 4, {100, 2 | UINT64_C(2) << 32, 0x6261}},
    {ORIEL_REC_ATTACH, 0, 0, 6, {100, 1, 2, 3, 1}},
    {ORIEL_REC_DETACH, 0, 0, 2, {100}},
    {ORIEL_REC_TRIGGER, 0, 0, 4, {100, 8 | UINT64_C(9) << 32, UINT64_C(0x6161616161616161)}},
    {ORIEL_REC_FOLLOW, 0, ID_LO, 4, {100, RAW, 99}},
    {ORIEL_REC_SAMPLE, ORIEL_SAMPLE_CPU, 0, 6, {100, 3, 1000000, 1, 0}},
    {ORIEL_REC_STACK,
     ORIEL_SAMPLE_ALLOC,
     0,
     8,
     {100, ORIEL_STACK_WALK(2, 0, 1, 0), 4096, 1, 0, 0x401000, 0x402000}},
    {ORIEL_REC_STACK, ORIEL_SAMPLE_FREE, 0, 6, {100, 0, 4096, 1, 0}},
    {ORIEL_REC_HEAP, 0, 0, 6, {100, 3, 3000, 2, 2000}},
    {ORIEL_REC_TOLD, ORIEL_RECF_HAS_TIME, 3, 7, {100, RAW, 5, 1, 2, 0x101}},
    {ORIEL_REC_TOLD_LOG, ORIEL_RECF_HAS_TIME, 3, 6, {100, 1, 2, 5, 1}},
    {ORIEL_REC_TOLD_LINK, ORIEL_RECF_HAS_TIME, 3, 7, {100, RAW, 1, 2, 5, 0}},
    {ORIEL_REC_STATE, 0, ID_LO, 5, {100, RAW, 3 | UINT64_C(3) << 32, 0x633d61}},
    {ORIEL_REC_NAME, 0, ID_LO, 5, {100, RAW, 3 | UINT64_C(3) << 32, 0x636261}},
    {ORIEL_REC_MORE, 0, 0, 5, {100, ORIEL_MORE_WORD(3, 4096), 2 | UINT64_C(2) << 32, 0x6261}},
    {ORIEL_REC_OWNER, 0, 4711, 5, {100, 7, 2 | UINT64_C(2) << 32, 0x6261}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

/* Room for `words` words that ends where reading is forbidden. */
static uint64_t *fenced(uint32_t words)
{
    char *page = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED && words <= 2048);
    REQUIRE(mprotect(page + 4 * 4096, 4096, PROT_NONE) == 0);
    return (uint64_t *)(page + 4 * 4096) - words;
}

static uint64_t *place(const struct sample *s)
{
    uint64_t *w = fenced(s->words);
    w[0] = ORIEL_RECORD_HEADER(s->words, s->type, s->flags, s->low);
    memcpy(w + 1, s->body, (s->words - 1) * 8);
    return w;
}

TEST(a_record_of_every_type_is_whole)
{
    bool seen[ORIEL_REC_MAX + 1] = {false};
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t *w = place(&samples[i]);
        CHECK_EQ(wire_record_check(w, samples[i].words, NULL, 0), samples[i].words);
        seen[samples[i].type] = true;
    }
    for (uint32_t t = 1; t <= ORIEL_REC_MAX; t++)
        CHECK(seen[t]);
}

TEST(a_record_cut_at_any_word_is_refused_without_reading_on)
{
    for (int i = 0; i < SAMPLES; i++)
        for (uint32_t keep = 0; keep < samples[i].words; keep++) {
            uint64_t *w = place(&samples[i]);
            uint64_t *cut = fenced(keep ? keep : 1);
            memcpy(cut, w, keep * 8);
            CHECK_EQ(wire_record_check(cut, keep, NULL, 0), 0);
        }
}

TEST(a_record_that_claims_another_length_is_refused)
{
    for (int i = 0; i < SAMPLES; i++)
        for (uint32_t claim = 0; claim < samples[i].words + 3; claim++) {
            const struct sample *s = &samples[i];
            uint64_t *w = fenced(s->words + 3);
            if (claim == s->words)
                continue;
            memset(w, 0, (s->words + 3) * 8);
            w[0] = ORIEL_RECORD_HEADER(claim, s->type, s->flags, s->low);
            memcpy(w + 1, s->body, (s->words - 1) * 8);
            uint32_t got = wire_record_check(w, s->words + 3, (const uint8_t *)"", 0);
            CHECK_EQ(got, 0);
        }
}

TEST(the_header_of_a_longest_record_is_the_limit)
{
    static uint64_t w[ORIEL_RECORD_MAX_BYTES / 8 + 2];
    uint32_t most = ORIEL_RECORD_MAX_BYTES / 8;
    w[0] = ORIEL_RECORD_HEADER(most, ORIEL_REC_BEGIN, 0, 2);
    CHECK_EQ(wire_record_check(w, most + 1, NULL, 0), most);
    w[0] = ORIEL_RECORD_HEADER(most + 1, ORIEL_REC_BEGIN, 0, 2);
    CHECK_EQ(wire_record_check(w, most + 1, NULL, 0), 0);
}

TEST(unknown_types_and_flags_are_refused)
{
    uint64_t w[4] = {0};
    for (uint32_t type = 0; type < 256; type++)
        if (type == 0 || type > ORIEL_REC_MAX) {
            w[0] = ORIEL_RECORD_HEADER(2, type, 0, 2);
            CHECK_EQ(wire_record_check(w, 4, NULL, 0), 0);
            CHECK_EQ(wire_record_prefix_words(type, 0), 0);
            CHECK(!wire_record_has_site(type));
        }
    for (uint32_t flags = 0; flags < 256; flags++) {
        w[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_FRAME, flags, 2);
        CHECK_EQ(wire_record_check(w, 4, NULL, 0), flags < 16 ? 2 : 0);
        w[0] = ORIEL_RECORD_HEADER(4, ORIEL_REC_TASK, flags, 2);
        bool is_op = flags >= ORIEL_TASK_SPAWN && flags <= ORIEL_TASK_NAME;
        CHECK_EQ(wire_record_check(w, 4, NULL, 0), is_op ? 4 : 0);
    }
}

TEST(the_low_half_must_be_what_the_type_says)
{
    uint64_t w[8] = {0, 100, RAW};
    w[0] = ORIEL_RECORD_HEADER(3, ORIEL_REC_CLOSE, 0, ID_LO + 1);
    CHECK_EQ(wire_record_check(w, 3, NULL, 0), 0);
    w[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_DETACH, 0, 1);
    CHECK_EQ(wire_record_check(w, 3, NULL, 0), 0);
    w[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_BEGIN, 0, ORIEL_SITE_UNSEEN);
    CHECK_EQ(wire_record_check(w, 3, NULL, 0), 0);
    w[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_BEGIN, 0, ORIEL_SITE_ID_MAX + 1);
    CHECK_EQ(wire_record_check(w, 3, NULL, 0), 0);
}

TEST(sync_carries_at_most_the_kept_stack)
{
    static uint64_t w[256];
    for (uint64_t depth = 0; depth < 80; depth++) {
        uint32_t kept = depth < ORIEL_STACK_DEPTH ? (uint32_t)depth : ORIEL_STACK_DEPTH;
        w[7] = depth;
        w[0] = ORIEL_RECORD_HEADER(8 + kept, ORIEL_REC_SYNC, 0, 0);
        CHECK_EQ(wire_record_check(w, 256, NULL, 0), 8 + kept);
        w[0] = ORIEL_RECORD_HEADER(9 + kept, ORIEL_REC_SYNC, 0, 0);
        CHECK_EQ(wire_record_check(w, 256, NULL, 0), 0);
    }
    w[7] = UINT64_MAX;
    w[0] = ORIEL_RECORD_HEADER(8 + 64, ORIEL_REC_SYNC, 0, 0);
    CHECK_EQ(wire_record_check(w, 256, NULL, 0), 0);
}

TEST(a_status_code_must_be_known)
{
    uint64_t w[5] = {ORIEL_RECORD_HEADER(5, ORIEL_REC_STATUS, 0, ID_LO), 100, RAW, 3, 0};
    CHECK_EQ(wire_record_check(w, 5, NULL, 0), 0);
}

/* A BEGIN with one str value of these lengths and this first byte in the pad. */
static uint32_t check_text(uint64_t stored, uint64_t original, uint32_t body_words, uint8_t pad)
{
    static const uint8_t types[] = {ORIEL_TYPE_STR};
    uint64_t *w = fenced(3 + body_words);
    w[0] = ORIEL_RECORD_HEADER(3 + body_words, ORIEL_REC_BEGIN, 0, 2);
    w[1] = 100;
    w[2] = stored | original << 32;
    memset(w + 3, 'x', body_words * 8);
    if (stored % 8 && stored < body_words * 8) {
        memset((char *)(w + 3) + stored, 0, body_words * 8 - stored);
        ((uint8_t *)(w + 3))[stored] = pad;
    }
    return wire_record_check(w, 3 + body_words, types, 1);
}

TEST(texts_are_as_long_as_they_say_and_padded_with_zeros)
{
    CHECK_EQ(check_text(0, 0, 0, 0), 3);
    CHECK_EQ(check_text(0, 5, 0, 0), 3); /* cut to nothing */
    CHECK_EQ(check_text(1, 1, 1, 0), 4);
    CHECK_EQ(check_text(8, 8, 1, 0), 4);
    CHECK_EQ(check_text(9, 9, 2, 0), 5);
    CHECK_EQ(check_text(7, 4000000000, 1, 0), 4);
    CHECK_EQ(check_text(7, 7, 1, 1), 0); /* something in the padding */
    CHECK_EQ(check_text(8, 7, 1, 0), 0); /* longer than the original */
    CHECK_EQ(check_text(8, 8, 0, 0), 0); /* bytes missing */
    CHECK_EQ(check_text(1, 1, 2, 0), 0); /* a word too many */
    CHECK_EQ(check_text(UINT32_MAX, UINT32_MAX, 1, 0), 0);
    CHECK_EQ(check_text(ORIEL_STRING_MAX_BYTES, ORIEL_STRING_MAX_BYTES, 512, 0), 515);
    CHECK_EQ(check_text(ORIEL_STRING_MAX_BYTES + 1, ORIEL_STRING_MAX_BYTES + 1, 513, 0), 0);
}

TEST(values_must_fill_the_record_exactly)
{
    static const uint8_t types[] = {ORIEL_TYPE_BOOL, ORIEL_TYPE_STR, ORIEL_TYPE_F64,
                                    ORIEL_TYPE_BYTES, ORIEL_TYPE_PTR};
    uint64_t w[] = {0,    100, 1, 2 | UINT64_C(2) << 32, 0x6161, 5, 1 | UINT64_C(1) << 32,
                    0x61, 99,  0};
    for (uint32_t words = 2; words <= 10; words++) {
        w[0] = ORIEL_RECORD_HEADER(words, ORIEL_REC_BEGIN, 0, 2);
        CHECK_EQ(wire_record_check(w, 10, types, 5), words == 9 ? 9 : 0);
    }
    w[0] = ORIEL_RECORD_HEADER(9, ORIEL_REC_BEGIN, 0, 2);
    CHECK_EQ(wire_record_check(w, 10, types, 4), 0);
    CHECK_EQ(wire_record_check(w, 10, (const uint8_t *)"\1\5\4\6\10", 5), 0); /* type 8 */
    CHECK_EQ(wire_record_check(w, 10, (const uint8_t *)"\1\5\4\6\0", 5), 0);
}

TEST(a_plot_has_one_number)
{
    uint64_t w[4] = {ORIEL_RECORD_HEADER(3, ORIEL_REC_PLOT, 0, 2), 100, 42};
    static const uint8_t f64[] = {ORIEL_TYPE_F64, ORIEL_TYPE_F64}, str[] = {ORIEL_TYPE_STR};
    CHECK_EQ(wire_record_check(w, 4, f64, 1), 3);
    CHECK_EQ(wire_record_check(w, 4, f64, 2), 0);
    CHECK_EQ(wire_record_check(w, 4, f64, 0), 0);
    w[2] = 0; /* would read as an empty text */
    CHECK_EQ(wire_record_check(w, 4, str, 1), 0);
}

TEST(a_record_without_values_cannot_come_from_a_site_with_fields)
{
    static const uint8_t types[] = {ORIEL_TYPE_I64};
    uint64_t w[4] = {ORIEL_RECORD_HEADER(2, ORIEL_REC_FRAME, 0, 2), 100};
    CHECK_EQ(wire_record_check(w, 4, types, 0), 2);
    CHECK_EQ(wire_record_check(w, 4, types, 1), 0);
}

TEST(prefixes_and_site_types_follow_the_record_table)
{
    CHECK_EQ(wire_record_prefix_words(ORIEL_REC_EVENT, 0), 2);
    CHECK_EQ(wire_record_prefix_words(ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN), 3);
    CHECK_EQ(wire_record_prefix_words(ORIEL_REC_BEGIN, ORIEL_RECF_HAS_SPAN), 2);
    CHECK_EQ(wire_record_prefix_words(ORIEL_REC_SPAN, 0), 4);
    CHECK_EQ(wire_record_prefix_words(100000, 0), 0);
    CHECK(wire_record_has_site(ORIEL_REC_PLOT) && !wire_record_has_site(ORIEL_REC_END));
    CHECK(!wire_record_has_site(UINT32_MAX));
}

TEST(random_words_never_pass_as_longer_than_they_are)
{
    static const uint8_t types[] = {ORIEL_TYPE_STR, ORIEL_TYPE_U64, ORIEL_TYPE_BYTES};
    uint64_t seed = 1;
    for (int round = 0; round < 200000; round++) {
        uint32_t n = (uint32_t)round % 12 + 1;
        static uint64_t *at;
        if (!at)
            at = fenced(12) + 12;
        uint64_t *w = at - n;
        for (uint32_t i = 0; i < n; i++) {
            const uint64_t random = random_next(&seed);
            w[i] = random & (random % 3 ? 0xff00000000000fff : 0x0000000f0000000f);
        }
        w[0] = (w[0] & ~UINT64_C(0xfffffff)) | random_below(&seed, n + 2) |
               (uint64_t)random_below(&seed, 22) << 16;
        CHECK(wire_record_check(w, n, round % 2 ? types : NULL, round % 2 ? 3 : 0) <= n);
    }
}

TEST_MAIN()
