/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Capture files, written by the outlet and read back: everything comes back
 * word for word, whatever was cut, flipped, or is still being written.
 */
#include "source/file/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture_maker.h"
#include "export/capture/capture.h"
#include "test.h"

extern const struct exporter export_capture;

/* ---- writing into memory ---- */

struct pen {
    struct buf bytes;
    struct out *out;
    struct capture_options options;
    struct capture state;
    int rc;
};

static void pen_open(struct pen *p, const struct model_catalog *c, const char *chunk_bytes)
{
    struct oriel_err err = {0};
    if (!p->out) {
        buf_init(&p->bytes);
        out_buf_open(&p->out, &p->bytes);
    }
    memset(&p->options, 0, sizeof p->options);
    p->options = (struct capture_options){.level = 1, .chunk_bytes = 256 << 10,
                                          .flush_ns = UINT64_MAX, .schema_bytes = 16 << 20};
    if (chunk_bytes)
        p->options.chunk_bytes = (uint64_t)atoll(chunk_bytes);
    struct export_env env = {c, p->out, "demo", "0.1.0"};
    memset(&p->state, 0, sizeof p->state);
    p->rc = export_capture.open(&p->state, &p->options, &env, &err);
    if (p->rc)
        test_fail(__FILE__, __LINE__, "open: %s", err.text);
}

static void pen_close(struct pen *p)
{
    struct export_summary end = {0};
    CHECK_EQ(export_capture.close(&p->state, &end, NULL), 0);
}

static void pen_done(struct pen *p)
{
    out_close(p->out);
    buf_done(&p->bytes);
}

/* ---- reading from memory ---- */

struct eye {
    struct file_source s;
    struct model_catalog catalog;
    struct model_batch batch;
    struct source_damage damage;
    uint64_t records, sum; /* sum of hashes: does not depend on the order */
    int rc;
};

static int eye_open(struct eye *e, const void *bytes, size_t n)
{
    memset(e, 0, sizeof *e);
    model_catalog_init(&e->catalog);
    model_batch_init(&e->batch, &e->catalog);
    e->rc = file_source_open_memory(&e->s, bytes, n, &e->catalog, NULL);
    return e->rc;
}

static int eye_poll(struct eye *e, size_t max)
{
    model_batch_clear(&e->batch);
    int rc = source_file.poll(&e->s, &e->batch, max, NULL);
    CHECK(rc >= 0);
    for (size_t i = 0; i < e->batch.record_count; i++)
        e->sum += maker_hash(&e->batch.records[i]);
    e->records += e->batch.record_count;
    return rc;
}

static void eye_drain(struct eye *e, size_t max)
{
    while (eye_poll(e, max) == SOURCE_DATA)
        ;
    source_file.damage(&e->s, &e->damage);
}

static void eye_close(struct eye *e)
{
    if (e->rc == 0)
        source_file.close(&e->s);
    model_batch_done(&e->batch);
    model_catalog_done(&e->catalog);
}

__attribute__((unused)) static uint64_t sum_of(const struct model_batch *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->record_count; i++)
        sum += maker_hash(&b->records[i]);
    return sum;
}

/* ---- round trips ---- */

/* Writes the batch, reads it, and compares record by record, in order. */
static void check_round_trip(struct maker *m, const char *chunk_bytes, int compression, size_t max)
{
    struct pen pen = {0};
    struct eye eye;
    pen_open(&pen, &m->catalog, chunk_bytes);
    if (compression == CAPTURE_NONE) {
        zip_free(pen.state.zip);
        pen.state.zip = NULL;
    }
    CHECK_EQ(export_capture.write(&pen.state, &m->batch, NULL), 0);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    size_t at = 0, wrong = 0;
    for (;;) {
        model_batch_clear(&eye.batch);
        int rc = source_file.poll(&eye.s, &eye.batch, max, NULL);
        REQUIRE(rc >= 0);
        if (rc != SOURCE_DATA)
            break;
        CHECK(eye.batch.record_count <= max);
        for (size_t i = 0; i < eye.batch.record_count && at < m->batch.record_count; i++, at++) {
            const struct model_record *a = &m->batch.records[at], *b = &eye.batch.records[i];
            bool same = maker_same(a, b) && memcmp(a->raw, b->raw, (size_t)a->words * 8) == 0;
            if (!same && wrong++ < 5)
                test_fail(__FILE__, __LINE__,
                          "record %zu type %u: t %llu/%llu id %llx/%llx position %llu/%llu words %u/%u",
                          at, a->type, (unsigned long long)a->t_ns, (unsigned long long)b->t_ns,
                          (unsigned long long)a->raw_id, (unsigned long long)b->raw_id,
                          (unsigned long long)a->position, (unsigned long long)b->position,
                          a->words, b->words);
        }
    }
    source_file.damage(&eye.s, &eye.damage);
    CHECK_EQ(at, m->batch.record_count);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(eye.damage.records, 0);
    CHECK_EQ(eye.damage.chunks, eye.damage.chunks_read);
    CHECK_EQ(eye.damage.first_offset, UINT64_MAX);
    CHECK(!eye.damage.truncated);
    eye_close(&eye);
    pen_done(&pen);
}

TEST(every_type_and_value_comes_back_word_for_word)
{
    struct maker m;
    maker_init(&m, 2);
    maker_everything(&m, 60);
    check_round_trip(&m, NULL, CAPTURE_ZSTD, 100000);
    check_round_trip(&m, NULL, CAPTURE_NONE, 100000);
    check_round_trip(&m, "4096", CAPTURE_ZSTD, 7);
    check_round_trip(&m, "4096", CAPTURE_NONE, 1);
    maker_done(&m);
}

TEST(plain_spans_of_four_threads_come_back_in_order)
{
    struct maker m;
    maker_init(&m, 4);
    maker_spans(&m, 4, 200, 2000);
    check_round_trip(&m, NULL, CAPTURE_ZSTD, 16384);
    check_round_trip(&m, "8192", CAPTURE_ZSTD, 16384);
    maker_done(&m);
}

TEST(an_unknown_clock_is_measured_and_times_stay_exact)
{
    struct maker m;
    maker_init(&m, 4);
    memset(&m.process->clock, 0, sizeof m.process->clock);
    m.clock_unknown = true;
    maker_spans(&m, 4, 50, 2000);
    check_round_trip(&m, NULL, CAPTURE_ZSTD, 16384);
    maker_everything(&m, 20);
    check_round_trip(&m, NULL, CAPTURE_ZSTD, 16384);
    maker_done(&m);
}

TEST(the_catalog_comes_back)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    maker_init(&m, 2);
    maker_everything(&m, 4);
    m.catalog.threads[1]->lost[ORIEL_LOST_RING_FULL] = 17;
    m.catalog.lost[ORIEL_LOST_NO_THREAD] = 5;
    pen_open(&pen, &m.catalog, NULL);
    export_capture.write(&pen.state, &m.batch, NULL);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 1000);
    const struct model_catalog *c = &eye.catalog;
    CHECK_EQ(c->process_count, 1);
    CHECK_EQ(c->processes[0]->pid, 4711);
    CHECK_EQ(c->processes[0]->ppid, 1);
    CHECK_EQ(c->processes[0]->trace_hi, m.process->trace_hi);
    CHECK_EQ(c->processes[0]->trace_salt, m.process->trace_salt);
    CHECK_MEM(c->processes[0]->cmdline.p, c->processes[0]->cmdline.n, "demo\0-v\0", 8);
    CHECK_EQ(c->thread_count, 2);
    CHECK_MEM(c->threads[1]->name.p, c->threads[1]->name.n, "worker-1", 8);
    CHECK_EQ(c->threads[1]->lost[ORIEL_LOST_RING_FULL], 17);
    CHECK_EQ(c->lost[ORIEL_LOST_NO_THREAD], 5);
    CHECK_EQ(c->lost[ORIEL_LOST_RING_FULL], 0);
    CHECK_MEM(c->session_id, 16, "0123456789abcdef", 16);
    CHECK_EQ(c->start_ns, m.catalog.start_ns);
    struct model_str commit = model_catalog_resource(c, "vcs.ref.head.revision");
    CHECK_EQ(commit.n, 40);
    const struct model_site *s = model_catalog_site(c, 0, 4);
    REQUIRE(s != NULL);
    CHECK_EQ(s->line, 104);
    CHECK_EQ(s->field_count, 7);
    CHECK_EQ(s->fields[3].flags, ORIEL_FIELD_ARG);
    CHECK_MEM(s->function.p, s->function.n, "serve", 5);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}
TEST_MAIN()
