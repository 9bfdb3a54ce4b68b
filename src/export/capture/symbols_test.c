/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names and lines through a capture: what was known at the end is known to
 * whoever reads it, and a file without its end has none.
 */
#include "base/err.h"
#include <stdlib.h>

#include "capture_pen.h"

enum { PLACES = 4000 };

static struct model_str text(const char *p)
{
    return (struct model_str){p, (uint32_t)strlen(p)};
}

/* A sample at every place; every third one is known, with what was inlined. */
static void make(struct maker *m)
{
    struct model_stacks *s = &m->catalog.stacks;
    struct model_module like = {.process = UINT32_MAX,
                                .kind = MODEL_MODULE_FILE,
                                .build_id_bytes = 20,
                                .build_id = {7, 1, 2},
                                .path = MODEL_STR("/bin/demo")};
    struct model_module jit = {.process = 0, .kind = MODEL_MODULE_JIT, .path = MODEL_STR("[jit]")};
    uint32_t module[2];
    module[0] = model_stacks_module(s, &like)->index;
    module[1] = model_stacks_module(s, &jit)->index;
    for (uint32_t i = 0; i < PLACES; i++) {
        char name[32], file[32];
        snprintf(name, sizeof name, "function_%u", i / 8);
        snprintf(file, sizeof file, "/src/file_%u.c", i / 100);
        struct model_place *p = model_stacks_place(s, module[i % 16 == 0], 0x1000 + i * 16, i & 1);
        const struct model_line lines[2] = {
            {.function = text("inner"), .linkage = text("_Z5inner"), .line = 9, .inlined = true},
            {.function = text(name), .file = text(file), .line = i, .column = 3, .start_line = 1}};
        if (i % 3 == 0)
            REQUIRE(model_place_set_lines(s, p, lines, 2) == 0);
        else if (i % 3 == 1)
            REQUIRE(model_place_set_lines(s, p, lines, 0) == 0);
        uint64_t words[4] = {model_stacks_node(s, 0, p->index), 1000, 1, 0};
        maker_add(m, &m->streams[0], ORIEL_REC_SAMPLE, ORIEL_SAMPLE_CPU, NULL, 0, words, 4);
    }
}

static void write_all(struct pen *pen, struct maker *m)
{
    maker_init(m, 1);
    make(m);
    pen_open(pen, &m->catalog);
    CHECK_EQ(export_capture.write(&pen->state, &m->batch, NULL), 0);
    pen_close(pen);
}

static void check_line(const struct model_line *a, const struct model_line *b)
{
    REQUIRE(model_str_equal(a->function, b->function) && model_str_equal(a->linkage, b->linkage));
    REQUIRE(model_str_equal(a->file, b->file) && a->line == b->line && a->column == b->column);
    REQUIRE(a->start_line == b->start_line && a->inlined == b->inlined);
}

/* Places by module and address: how many have lines, and these are the right ones. */
static uint32_t check_places(const struct model_stacks *put, struct model_stacks *got)
{
    uint32_t named = 0;
    for (uint32_t i = 0; i < put->place_count; i++) {
        const struct model_place *p = put->places[i];
        const struct model_module *m = put->modules[p->module];
        struct model_module like = *m;
        uint32_t before = got->place_count;
        uint32_t module = model_stacks_module(got, &like)->index;
        const struct model_place *q = model_stacks_place(got, module, p->address, p->caller);
        REQUIRE(got->place_count == before);
        CHECK_EQ(q->resolved, q->line_count > 0);
        REQUIRE(q->line_count == 0 || q->line_count == p->line_count);
        for (unsigned k = 0; k < q->line_count; k++)
            check_line(&p->lines[k], &q->lines[k]);
        named += q->line_count > 0;
    }
    return named;
}

TEST(what_a_place_is_called_is_in_the_file)
{
    for (int compression = 0; compression < 2; compression++) {
        struct maker m;
        struct pen pen = {.options = {.symbols = true, .compression = compression}};
        struct eye eye;
        write_all(&pen, &m);
        REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
        eye_drain(&eye, 500);
        CHECK_EQ(eye.records, m.batch.record_count);
        CHECK_EQ(eye.damage.first_offset, UINT64_MAX);
        CHECK(!eye.damage.truncated);
        CHECK_EQ(check_places(&m.catalog.stacks, &eye.catalog.stacks), (PLACES + 2) / 3);
        eye_close(&eye);
        pen_done(&pen);
        maker_done(&m);
    }
}

TEST(a_recording_that_wants_no_names_has_none)
{
    struct maker m;
    struct pen with = {.options = {.symbols = true}}, without = {.options = {.symbols = false}};
    struct eye eye;
    write_all(&with, &m);
    maker_done(&m);
    write_all(&without, &m);
    CHECK(without.bytes.size < with.bytes.size);
    REQUIRE(eye_open(&eye, without.bytes.data, without.bytes.size) == 0);
    eye_drain(&eye, 500);
    CHECK_EQ(check_places(&m.catalog.stacks, &eye.catalog.stacks), 0);
    eye_close(&eye);
    pen_done(&with);
    pen_done(&without);
    maker_done(&m);
}

TEST(damaged_names_cost_no_record)
{
    struct maker m;
    struct pen pen = {.options = {.symbols = true}};
    struct eye eye;
    write_all(&pen, &m);
    char *bytes = pen.bytes.data;
    char *at = NULL; /* of the last chunk: the names */
    for (char *p = bytes; p < bytes + pen.bytes.size;) {
        struct wire_capture_frame f;
        REQUIRE(wire_capture_frame_get((const uint8_t *)p, &f) == 0);
        at = f.type == WIRE_CAPTURE_SYMBOLS ? p : at;
        p += WIRE_CAPTURE_FRAME_BYTES + f.stored_bytes;
    }
    REQUIRE(at);
    for (size_t n = (size_t)(at - bytes) + WIRE_CAPTURE_FRAME_BYTES; n < pen.bytes.size; n += 7) {
        bytes[n] = (char)(bytes[n] ^ 0x55);
        REQUIRE(eye_open(&eye, bytes, pen.bytes.size) == 0);
        eye_drain(&eye, 5000);
        CHECK_EQ(eye.records, m.batch.record_count);
        CHECK_EQ(eye.damage.records, 0);
        CHECK_EQ(eye.damage.first_offset, (uint64_t)(at - bytes));
        eye_close(&eye);
        bytes[n] = (char)(bytes[n] ^ 0x55);
    }
    pen_done(&pen);
    maker_done(&m);
}

/* The decoder itself, behind the checksum: any change gives an answer. */
TEST(names_are_checked_number_by_number)
{
    struct maker m;
    struct pen pen = {.options = {.symbols = true, .compression = CAPTURE_NONE}};
    struct eye eye;
    write_all(&pen, &m);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    struct wire_capture_frame f = {0};
    const uint8_t *at = NULL, *end = (uint8_t *)pen.bytes.data + pen.bytes.size;
    for (const uint8_t *p = (uint8_t *)pen.bytes.data; p < end && !at;) {
        REQUIRE(wire_capture_frame_get(p, &f) == 0);
        p += WIRE_CAPTURE_FRAME_BYTES;
        at = f.type == WIRE_CAPTURE_SYMBOLS ? p : NULL;
        p += f.stored_bytes;
    }
    REQUIRE(at && f.stored_bytes == f.raw_bytes);
    uint8_t *copy = malloc(f.stored_bytes);
    memcpy(copy, at, f.stored_bytes);
    unsigned refused = 0;
    for (uint32_t n = 0; n < f.stored_bytes; n += n < 2000 ? 1 : 97) {
        copy[n] = (uint8_t)~copy[n];
        int rc = decoder_symbols(&eye.s.decoder, eye.s.zip, &f, copy);
        CHECK(rc == 0 || rc == ORIEL_EDAMAGED);
        refused += rc != 0;
        copy[n] = at[n];
    }
    CHECK(refused > 10);
    eye.s.decoder.budget = UINT64_MAX;
    struct wire_capture_frame cut = f;
    for (cut.stored_bytes = cut.raw_bytes = 0; cut.raw_bytes < f.raw_bytes; cut.raw_bytes++) {
        cut.stored_bytes = cut.raw_bytes;
        if (cut.raw_bytes < 3000 || cut.raw_bytes % 97 == 0)
            CHECK_EQ(decoder_symbols(&eye.s.decoder, eye.s.zip, &cut, copy), ORIEL_EDAMAGED);
    }
    free(copy);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

TEST_MAIN()
