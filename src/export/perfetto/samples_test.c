/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples in a Perfetto trace, read back with our protobuf reader. Perfetto's
 * own opinion is asked in tests/perfetto and tests/conformance.
 */
#include "export/perfetto/perfetto.h"
#include "export/test_samples.h"

extern const struct exporter export_perfetto;

enum { PERF_SAMPLE = 66, STACKS = 7, FRAMES = 6 };
static const struct perfetto_options defaults = {true, true};

/* Two samples of one stack of two places, and one of another kind. */
static void tell(struct fixture *f)
{
    uint32_t node = samples_node(f, 0, "/bin/demo", NULL, NULL);
    node = samples_node(f, node, "/bin/demo", NULL, NULL);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, node, 5);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, node, 5);
    samples_add(f, f->worker, ORIEL_SAMPLE_OFF_CPU, node, 5);
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

/* Sums over all samples: of those that say a CPU, and of the numbers they say. */
static unsigned cpus(const struct fixture *f, uint64_t *out_sum)
{
    struct pb_reader trace = pb_read(f->bytes.data, f->bytes.size);
    struct pb_field packet, outer, inner;
    unsigned n = 0;
    *out_sum = 0;
    while (pb_next(&trace, &packet)) {
        struct pb_reader fields = pb_read_nested(&packet);
        while (pb_next(&fields, &outer)) {
            struct pb_reader nested = pb_read_nested(&outer);
            while (outer.number == PERF_SAMPLE && pb_next(&nested, &inner)) {
                n += inner.number == 1;
                *out_sum += inner.number == 1 ? inner.value : 0;
            }
        }
    }
    return n;
}

TEST(a_sample_says_its_cpu_where_that_is_known)
{
    struct fixture f;
    uint64_t sum;
    fixture_init(&f);
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 5)->extra = 1; /* CPU 0 */
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 5)->extra = 8; /* CPU 7 */
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 5)->extra = 0; /* not known */
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 5)->extra = UINT64_C(1)
                                                               << 40;           /* makes no sense */
    samples_add(&f, f.worker, ORIEL_SAMPLE_PREEMPTED, 0, 5)->extra = 101 << 16; /* went on on 100 */
    samples_add(&f, f.worker, ORIEL_SAMPLE_ALLOC, 0, 5)->extra = 0x7000;        /* an address */
    fixture_run(&f, &export_perfetto, &defaults);
    CHECK_EQ(cpus(&f, &sum), 3);
    CHECK_EQ(sum, 107);
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
    struct model_stacks *s = &f.catalog.stacks;
    REQUIRE(model_place_set_lines(s, s->places[s->place_count - 1], lines, 2) == 0);
    REQUIRE(fixture_close(&f) == 0);
    CHECK_EQ(count(&f, 0, PERF_SAMPLE), 3);
    CHECK_EQ(count(&f, PACKET_INTERNED, FRAMES), 6);
    CHECK(memmem(f.bytes.data, f.bytes.size, "next_inlined", 12) != NULL);
    fixture_done(&f);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_perfetto, &defaults);
}

TEST_MAIN()
