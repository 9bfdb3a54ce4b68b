/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pprof outlet, read back with our protobuf reader. What go tool pprof
 * says of it is asked in tests/pprof, and tests/conformance reads every row.
 */
#include "export/pprof/pprof.h"

#include "export/test_samples.h"
#include "util/gzip.h"
#include "util/pb.h"

extern const struct exporter export_pprof;

static const struct pprof_options plain = {.kind = 0, .spans = false, .gzip = false};

static uint32_t place(struct fixture *f, const char *module, uint64_t address, const char *function,
                      const char *inlined)
{
    struct model_stacks *s = &f->catalog.stacks;
    struct model_module like = {.process = UINT32_MAX,
                                .kind = MODEL_MODULE_FILE,
                                .build_id_bytes = 3,
                                .build_id = {0x0a, 0xbc, 0xff},
                                .path = fixture_text(module)};
    struct model_place *p =
        model_stacks_place(s, model_stacks_module(s, &like)->index, address, false);
    REQUIRE(p);
    if (!function)
        return p->index;
    struct model_line lines[2] = {{.function = fixture_text(inlined ? inlined : function),
                                   .file = MODEL_STR("/src/a.c"),
                                   .line = 7,
                                   .inlined = inlined != NULL},
                                  {.function = fixture_text(function), .line = 20}};
    REQUIRE(model_place_set_lines(s, p, lines, inlined ? 2 : 1) == 0);
    return p->index;
}

/* main > parse (with next inlined) of the program, below a library nobody knows */
static uint32_t tell(struct fixture *f)
{
    struct model_stacks *s = &f->catalog.stacks;
    uint32_t lib = place(f, "/lib/x.so", 0x500, NULL, NULL);
    uint32_t node = model_stacks_node(s, 0, lib);
    node = model_stacks_node(s, node, place(f, "/usr/bin/demo", 0x100, "main", NULL));
    node = model_stacks_node(s, node, place(f, "/usr/bin/demo", 0x200, "parse", "next"));
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, node, 1000)->span_id = 5;
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, node, 3000)->span_id = 6;
    samples_add(f, f->worker, ORIEL_SAMPLE_OFF_CPU, node, 900)->span_id = 5;
    f->batch.items[1].t_ns = f->batch.items[1].u.sample.t_ns = FIXTURE_START + 3000;
    return node;
}

static struct pb_field nth(const struct fixture *f, uint32_t number, unsigned n)
{
    struct pb_reader r = pb_read(f->bytes.data, f->bytes.size);
    struct pb_field field;
    while (pb_next(&r, &field))
        if (field.number == number && n-- == 0)
            return field;
    test_fail(__FILE__, __LINE__, "no field %u", number);
    return (struct pb_field){0};
}

static unsigned count(const struct fixture *f, uint32_t number)
{
    struct pb_reader r = pb_read(f->bytes.data, f->bytes.size);
    struct pb_field field;
    unsigned n = 0;
    while (pb_next(&r, &field))
        n += field.number == number;
    CHECK(!r.failed);
    return n;
}

static uint64_t number_in(struct pb_field message, uint32_t number)
{
    struct pb_field field;
    return pb_find(pb_read_nested(&message), number, &field) ? field.value : 0;
}

static void check_text(const struct fixture *f, uint64_t id, const char *expected)
{
    struct pb_field s = nth(f, PROFILE_STRING, (unsigned)id);
    CHECK_EQ(s.size, strlen(expected));
    CHECK(s.size != strlen(expected) || memcmp(s.bytes, expected, s.size) == 0);
}

TEST(rows_of_one_stack_are_summed_and_kinds_are_types_of_their_own)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    fixture_run(&f, &export_pprof, &plain);
    CHECK_EQ(count(&f, PROFILE_SAMPLE_TYPE), 4);
    CHECK_EQ(count(&f, PROFILE_SAMPLE), 2);
    check_text(&f, number_in(nth(&f, PROFILE_SAMPLE_TYPE, 1), VALUE_TYPE), "cpu");
    check_text(&f, number_in(nth(&f, PROFILE_SAMPLE_TYPE, 3), VALUE_TYPE), "off_cpu");
    struct pb_field sums, row = nth(&f, PROFILE_SAMPLE, 0);
    REQUIRE(pb_find(pb_read_nested(&row), SAMPLE_VALUE, &sums));
    struct pb_reader r = pb_read_nested(&sums);
    const uint64_t expected[] = {2, 4000, 0, 0};
    for (int i = 0; i < 4; i++) {
        uint64_t v = 99;
        CHECK(pb_next_varint(&r, &v));
        CHECK_EQ(v, expected[i]);
    }
    CHECK_EQ(nth(&f, PROFILE_PERIOD, 0).value, 2000);
    check_text(&f, nth(&f, PROFILE_DEFAULT_TYPE, 0).value, "cpu");
    check_text(&f, nth(&f, PROFILE_COMMENT, 0).value, "command: demo -v");
    CHECK_EQ(nth(&f, PROFILE_TIME, 0).value, FIXTURE_START);
    CHECK_EQ(nth(&f, PROFILE_DURATION, 0).value, 3000);
    fixture_done(&f);
}

TEST(the_program_is_the_first_mapping_and_unknown_ones_are_left_to_the_reader)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    fixture_run(&f, &export_pprof, &plain);
    CHECK_EQ(count(&f, PROFILE_MAPPING), 2);
    struct pb_field program = nth(&f, PROFILE_MAPPING, 0), lib = nth(&f, PROFILE_MAPPING, 1);
    check_text(&f, number_in(program, MAPPING_FILE), "/usr/bin/demo");
    check_text(&f, number_in(program, MAPPING_BUILD_ID), "0abcff");
    CHECK_EQ(number_in(program, MAPPING_HAS_FUNCTIONS), 1);
    check_text(&f, number_in(lib, MAPPING_FILE), "/lib/x.so");
    CHECK_EQ(number_in(lib, MAPPING_HAS_FUNCTIONS), 0);
    fixture_done(&f);
}

TEST(inlined_calls_stand_before_the_function_they_are_in)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    fixture_run(&f, &export_pprof, &plain);
    struct pb_field ids, row = nth(&f, PROFILE_SAMPLE, 0), line;
    REQUIRE(pb_find(pb_read_nested(&row), SAMPLE_LOCATION, &ids));
    struct pb_reader r = pb_read_nested(&ids);
    uint64_t leaf = 0;
    REQUIRE(pb_next_varint(&r, &leaf));
    for (unsigned i = 0; i < 3; i++) {
        struct pb_field location = nth(&f, PROFILE_LOCATION, i);
        if (number_in(location, LOCATION_ID) != leaf)
            continue;
        CHECK_EQ(number_in(location, LOCATION_ADDRESS), 0x200);
        REQUIRE(pb_find(pb_read_nested(&location), LOCATION_LINE, &line));
        CHECK_EQ(number_in(line, LINE_LINE), 7);
        struct pb_field function =
            nth(&f, PROFILE_FUNCTION, (unsigned)number_in(line, LINE_FUNCTION) - 1);
        check_text(&f, number_in(function, FUNCTION_NAME), "next");
        check_text(&f, number_in(function, FUNCTION_FILE), "/src/a.c");
    }
    fixture_done(&f);
}

TEST(spans_are_told_apart_on_request_and_kinds_chosen)
{
    struct pprof_options o = {.kind = ORIEL_SAMPLE_CPU, .spans = true, .gzip = true};
    struct fixture f;
    struct buf packed;
    fixture_init(&f);
    tell(&f);
    fixture_run(&f, &export_pprof, &o);
    packed = f.bytes;
    buf_init(&f.bytes);
    REQUIRE(gzip_decompress(packed.data, packed.size, 1 << 20, &f.bytes) == 0);
    CHECK_EQ(count(&f, PROFILE_SAMPLE), 2);
    CHECK_EQ(count(&f, PROFILE_SAMPLE_TYPE), 2);
    bool found = false;
    for (unsigned i = 0; i < count(&f, PROFILE_STRING); i++) {
        struct pb_field s = nth(&f, PROFILE_STRING, i);
        char hex[17];
        model_span_hex(6, hex);
        found |= s.size == 16 && memcmp(s.bytes, hex, 16) == 0;
    }
    CHECK(found);
    buf_done(&packed);
    fixture_done(&f);
}

TEST(a_recording_without_samples_is_said_to_be_one_and_nothing_is_written)
{
    samples_none(&export_pprof, &plain);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_pprof, &plain);
}

TEST_MAIN()
