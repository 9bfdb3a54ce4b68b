/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ids as hex, and the words for causes and levels.
 */
#include "model/batch.h"

#include "test.h"

TEST(ids_are_lower_case_hex_in_memory_order)
{
    uint8_t trace[16];
    uint64_t span;
    char text[33], short_text[17];
    for (int i = 0; i < 16; i++)
        trace[i] = (uint8_t)(i * 17);
    memcpy(&span, trace + 8, 8);
    model_trace_hex(trace, text);
    CHECK_STR(text, "00112233445566778899aabbccddeeff");
    model_span_hex(span, short_text);
    CHECK_STR(short_text, "8899aabbccddeeff");
}

TEST(every_cause_of_loss_has_a_text_and_a_remedy)
{
    for (uint32_t c = 0; c < ORIEL_LOST_CAUSES; c++) {
        CHECK(strlen(model_lost_text(c)) > 0);
        CHECK(strlen(model_lost_remedy(c)) > 0);
    }
    CHECK_STR(model_lost_text(ORIEL_LOST_RING_FULL), "ring full");
    CHECK_STR(model_lost_text(99), "unknown cause");
    CHECK_STR(model_lost_remedy(99), "");
}

TEST(levels_have_the_severity_numbers_of_opentelemetry)
{
    static const struct {
        uint8_t level;
        const char *text;
        int severity;
    } rows[] = {{1, "TRACE", 1},  {2, "DEBUG", 5},  {3, "INFO", 9}, {4, "WARN", 13},
                {5, "ERROR", 17}, {6, "FATAL", 21}, {0, "INFO", 9}, {200, "INFO", 9}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_STR(model_level_text(rows[i].level), rows[i].text);
        CHECK_EQ(model_level_severity(rows[i].level), rows[i].severity);
    }
}

TEST_MAIN()
