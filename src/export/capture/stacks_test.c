/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples through a capture: every stack that went in comes out, place by
 * place, whatever chunk it falls into.
 */
#include "base/err.h"
#include "capture_pen.h"

enum { SAMPLES = 3000 };

static uint32_t random_stack(struct maker *m, uint32_t modules)
{
    struct model_stacks *s = &m->catalog.stacks;
    uint32_t node = 0;
    for (uint64_t depth = maker_random(m) % 40; depth > 0; depth--) {
        uint64_t address = 0x1000 + maker_random(m) % 300 * 16;
        uint32_t module = (uint32_t)(maker_random(m) % modules);
        node = model_stacks_node(s, node, model_stacks_place(s, module, address, depth > 1)->index);
    }
    return node;
}

static void add_sample(struct maker *m, struct maker_stream *s, uint32_t stack)
{
    uint64_t words[4] = {stack, maker_random(m) % 10000000, 1, 0};
    maker_add(m, s, ORIEL_REC_SAMPLE, ORIEL_SAMPLE_CPU, NULL, 0, words, 4);
}

static void make(struct maker *m, int samples)
{
    static const char *const paths[] = {"/bin/demo", "/lib/libc.so.6", "[kernel]"};
    for (uint8_t i = 0; i < 3; i++) {
        struct model_module like = {.process = UINT32_MAX,
                                    .kind = i == 2 ? MODEL_MODULE_KERNEL : MODEL_MODULE_FILE,
                                    .build_id_bytes = i == 2 ? 0 : 20,
                                    .build_id = {i, 1, 2},
                                    .path = {paths[i], (uint32_t)strlen(paths[i])}};
        REQUIRE(model_stacks_module(&m->catalog.stacks, &like));
    }
    for (int i = 0; i < samples; i++)
        add_sample(m, &m->streams[i % 2], random_stack(m, 3));
}

static void check_stack(const struct model_stacks *a, uint32_t at, const struct model_stacks *b,
                        uint32_t bt)
{
    const struct model_stack *x = model_stack(a, at), *y = model_stack(b, bt);
    for (; x && y; x = model_stack(a, x->parent), y = model_stack(b, y->parent)) {
        const struct model_place *p = model_stack_place(a, x), *q = model_stack_place(b, y);
        const struct model_module *m = a->modules[p->module], *n = b->modules[q->module];
        REQUIRE(p->address == q->address && p->caller == q->caller && x->depth == y->depth);
        REQUIRE(m->kind == n->kind && model_str_equal(m->path, n->path));
        REQUIRE(m->build_id_bytes == n->build_id_bytes &&
                memcmp(m->build_id, n->build_id, m->build_id_bytes) == 0);
    }
    REQUIRE(!x && !y);
}

static void round_trip(uint32_t chunk_bytes)
{
    struct maker m;
    struct pen pen = {.options = {.chunk_bytes = chunk_bytes}};
    struct eye eye;
    size_t at = 0;
    maker_init(&m, 2);
    make(&m, SAMPLES);
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    while (eye_poll(&eye, 500) == SOURCE_DATA) {
        for (size_t i = 0; i < eye.batch.record_count; i++, at++) {
            const struct model_record *got = &eye.batch.records[i], *put = &m.batch.records[at];
            REQUIRE(got->type == put->type && got->t_ns == put->t_ns && got->words == put->words);
            if (got->type != ORIEL_REC_SAMPLE)
                continue;
            REQUIRE(got->raw[3] == put->raw[3] && got->flags == ORIEL_SAMPLE_CPU);
            check_stack(&m.catalog.stacks, (uint32_t)put->raw[2], &eye.catalog.stacks,
                        (uint32_t)got->raw[2]);
        }
    }
    CHECK_EQ(at, m.batch.record_count);
    source_file.damage(&eye.s, &eye.damage);
    CHECK_EQ(eye.damage.records, 0);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

TEST(samples_come_back_with_their_stacks)
{
    round_trip(256 << 10);
}

TEST(every_chunk_tells_the_stacks_it_needs)
{
    round_trip(4 << 10);
}

TEST(a_chunk_whose_stacks_are_damaged_costs_only_itself)
{
    struct maker m;
    struct pen pen = {.options = {.chunk_bytes = 4 << 10, .compression = 0}};
    struct eye eye;
    maker_init(&m, 2);
    make(&m, 300);
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    /* Cut anywhere: what is read is right, and nothing is read twice. */
    for (size_t n = 1; n < pen.bytes.size; n += pen.bytes.size / 97 + 1) {
        if (eye_open(&eye, pen.bytes.data, n) == 0) {
            eye_drain(&eye, 100);
            CHECK(eye.records <= m.batch.record_count);
        }
        eye_close(&eye);
    }
    pen_done(&pen);
    maker_done(&m);
}

/* 24 MiB and 16 times the file is what a catalog may grow by: told again and again,
 * these would be more. */
TEST(stacks_that_every_chunk_tells_again_take_memory_once)
{
    enum { STACKS = 2000, ROUNDS = 60 };
    static uint32_t stacks[STACKS];
    struct maker m;
    struct pen pen = {.options = {.chunk_bytes = 4096}};
    struct eye eye;
    maker_init(&m, 2);
    make(&m, 0);
    for (int i = 0; i < STACKS; i++)
        stacks[i] = random_stack(&m, 3);
    for (int i = 0; i < STACKS * ROUNDS; i++)
        add_sample(&m, &m.streams[0], stacks[i % STACKS]);
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    uint64_t samples = 0;
    while (eye_poll(&eye, 5000) == SOURCE_DATA)
        samples += eye.batch.record_count;
    CHECK(samples >= (uint64_t)STACKS * ROUNDS);
    source_file.damage(&eye.s, &eye.damage);
    CHECK_EQ(eye.damage.records, 0);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

TEST(a_stack_costs_little)
{
    struct maker m;
    struct pen pen = {.options = {.chunk_bytes = 256 << 10}};
    maker_init(&m, 2);
    make(&m, 0);
    uint32_t stacks[50];
    for (int i = 0; i < 50; i++)
        stacks[i] = random_stack(&m, 3);
    for (int i = 0; i < SAMPLES; i++)
        add_sample(&m, &m.streams[i % 2], stacks[maker_random(&m) % 50]);
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    CHECK(pen.bytes.size / SAMPLES < 20);
    pen_done(&pen);
    maker_done(&m);
}

TEST_MAIN()
