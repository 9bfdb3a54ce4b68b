/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples in a Perfetto trace, read back with our protobuf reader. Perfetto's
 * own opinion is asked in tests/perfetto and tests/conformance.
 */
#include "export/perfetto/perfetto.h"
#include "export/test_fixture.h"

extern const struct exporter export_perfetto;

enum { PERF_SAMPLE = 66, STACKS = 7, FRAMES = 6 };
static const struct perfetto_options defaults = {true, true};

static struct model_place *place(struct fixture *f, uint64_t address)
{
    struct model_stacks *s = &f->catalog.stacks;
    struct model_module like = {
        .process = UINT32_MAX, .kind = MODEL_MODULE_FILE, .path = MODEL_STR("/bin/demo")};
    struct model_place *p =
        model_stacks_place(s, model_stacks_module(s, &like)->index, address, false);
    REQUIRE(p);
    return p;
}

/* Two samples of one stack of two places, and one of another kind. */
static void tell(struct fixture *f)
{
    struct model_stacks *s = &f->catalog.stacks;
    uint32_t node = model_stacks_node(s, 0, place(f, 0x10)->index);
    node = model_stacks_node(s, node, place(f, 0x20)->index);
    for (uint8_t i = 0; i < 3; i++) {
        struct model_item *item = fixture_item(f, MODEL_ITEM_SAMPLE, FIXTURE_START + i);
        item->u.sample =
            (struct model_sample){.t_ns = item->t_ns,
                                  .weight = 5,
                                  .count = 1,
                                  .thread = f->worker,
                                  .stack = node,
                                  .kind = i == 2 ? ORIEL_SAMPLE_OFF_CPU : ORIEL_SAMPLE_CPU};
    }
}

/* Fields `number` of all packets, inside field `in` of them when not 0. */
static unsigned count(const struct fixture *f, uint32_t in, uint32_t number)
{
    struct pb_reader trace = pb_read(f->bytes.data, f->bytes.size);
    struct pb_field packet, outer, inner;
    unsigned n = 0;
    while (pb_next(&trace, &packet)) {
        struct pb_reader fields = pb_read_nested(&packet);
        while (pb_next(&fields, &outer)) {
            n += !in && outer.number == number;
            struct pb_reader nested = pb_read_nested(&outer);
            while (outer.number == in && pb_next(&nested, &inner))
                n += inner.number == number;
        }
        CHECK(!fields.failed);
    }
    CHECK(!trace.failed);
    return n;
}

TEST(every_sample_is_a_packet_and_its_stack_is_told_once_for_each_kind)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    fixture_run(&f, &export_perfetto, &defaults);
    CHECK_EQ(count(&f, 0, PERF_SAMPLE), 3);
    CHECK_EQ(count(&f, PACKET_INTERNED, STACKS), 2);
    CHECK_EQ(count(&f, PACKET_INTERNED, FRAMES), 4);
    fixture_done(&f);
}

TEST(lines_that_are_known_only_at_the_end_are_in_the_trace)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    fixture_open(&f, &export_perfetto, &defaults);
    REQUIRE(fixture_write(&f) == 0);
    struct oriel_err err = {0};
    REQUIRE(f.exporter->flush(f.state, &err) == 0);
    CHECK_EQ(count(&f, 0, PERF_SAMPLE), 0);
    const struct model_line lines[2] = {{.function = MODEL_STR("next_inlined"), .inlined = true},
                                        {.function = MODEL_STR("parse")}};
    REQUIRE(model_place_set_lines(&f.catalog.stacks, place(&f, 0x20), lines, 2) == 0);
    REQUIRE(fixture_close(&f) == 0);
    CHECK_EQ(count(&f, 0, PERF_SAMPLE), 3);
    CHECK_EQ(count(&f, PACKET_INTERNED, FRAMES), 6);
    CHECK(memmem(f.bytes.data, f.bytes.size, "next_inlined", 12) != NULL);
    fixture_done(&f);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct oriel_err err = {0};
        buf_clear(&f.bytes);
        fixture_open(&f, &export_perfetto, &defaults);
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        rc = f.exporter->write(f.state, &f.batch, &err);
        mem_fail_after(rc == 0 ? n : 0);
        int closed = fixture_close(&f);
        mem_fail_after(0);
        rc = rc == 0 ? closed : rc;
        CHECK(mem_live_blocks() <= blocks);
    }
    CHECK_EQ(rc, 0);
    fixture_done(&f);
}

TEST_MAIN()
