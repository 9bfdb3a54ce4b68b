/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the figures a session tells of itself: their names, and how a recording keeps them. */
#include "session/figures.h"

#include "test.h"

TEST(the_figures_have_their_names_once_and_a_place_each)
{
    /* Stands in for a capacity; says why of another. */
    bool used[FIGURES] = {[FIGURE_QUEUE_BYTES] = true, [FIGURE_FILE_WHY] = true};
    for (int i = 0; i < FIGURE_ROWS; i++) {
        const struct figure_row *row = &figure_rows[i];
        REQUIRE(row->name && row->unit && row->value < FIGURES);
        CHECK_EQ(strncmp(row->name, "otel.sdk.", 9) == 0, i < FIGURE_OTEL_ROWS);
        CHECK(!used[row->value]);
        used[row->value] = true;
        if (row->failed < FIGURES) {
            CHECK(!used[row->failed]);
            used[row->failed] = true;
        }
        for (int k = 0; k < i; k++)
            CHECK(strcmp(row->name, figure_rows[k].name) != 0);
    }
    for (int i = 0; i < FIGURES; i++)
        CHECK(used[i]);
}

TEST(a_recording_keeps_what_is_not_zero_in_words)
{
    struct model_catalog c;
    uint64_t values[FIGURES] = {[FIGURE_SPAN_STARTED] = 12,
                                [FIGURE_SPAN_EXPORTED] = 10,
                                [FIGURE_SPAN_EXPORTED_FAILED] = 2,
                                [FIGURE_OPERATIONS] = 4,
                                [FIGURE_OPERATION_NS] = 1500000000};
    model_catalog_init(&c);
    CHECK_EQ(figures_note(values, &c), 0);
    CHECK_EQ(c.resource_count, 3);
    CHECK_STR(model_catalog_resource(&c, "otel.sdk.span.started").p, "12");
    CHECK_STR(model_catalog_resource(&c, "otel.sdk.exporter.span.exported").p,
              "10, 2 of them with an error");
    CHECK_STR(model_catalog_resource(&c, "otel.sdk.exporter.operation.duration").p,
              "4 in 1.500000000 s");
    model_catalog_done(&c);
}

TEST(a_queue_that_is_bounded_in_bytes_says_so)
{
    const struct figure_row *row = figure_rows;
    const char *unit;
    uint64_t values[FIGURES] = {[FIGURE_QUEUE_BYTES] = 16 << 20};
    struct model_catalog c;
    while (row->value != FIGURE_SPAN_QUEUE_CAPACITY)
        row++;
    CHECK_EQ(figure_value(row, values, FIGURES, &unit), 16 << 20);
    CHECK_STR(unit, "By");
    CHECK_EQ(figure_value(row, values, FIGURE_QUEUE_BYTES, &unit), 0); /* an older recorder */
    CHECK_STR(unit, "{span}");
    model_catalog_init(&c);
    CHECK_EQ(figures_note(values, &c), 0);
    CHECK_STR(model_catalog_resource(&c, "otel.sdk.processor.span.queue.capacity").p,
              "16777216 bytes");
    model_catalog_done(&c);
    values[FIGURE_SPAN_QUEUE_CAPACITY] = 40;
    CHECK_EQ(figure_value(row, values, FIGURES, &unit), 40);
    CHECK_STR(unit, "{span}");
}

TEST_MAIN()
