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

#include "capture_pen.h"
#include "test.h"

/* ---- round trips ---- */

/* Writes the batch, reads it, and compares record by record, in order. */
static void check_round_trip(struct maker *m, uint64_t chunk_bytes, int compression, size_t max)
{
    struct pen pen = {0};
    struct eye eye;
    pen.options.compression = compression;
    pen.options.chunk_bytes = chunk_bytes;
    pen_open(&pen, &m->catalog);
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
                test_fail(
                    __FILE__, __LINE__,
                    "record %zu type %u: t %llu/%llu id %llx/%llx position %llu/%llu words %u/%u",
                    at, a->type, (unsigned long long)a->t_ns, (unsigned long long)b->t_ns,
                    (unsigned long long)a->raw_id, (unsigned long long)b->raw_id,
                    (unsigned long long)a->position, (unsigned long long)b->position, a->words,
                    b->words);
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
    check_round_trip(&m, 0, CAPTURE_ZSTD, 100000);
    check_round_trip(&m, 0, CAPTURE_NONE, 100000);
    check_round_trip(&m, 4096, CAPTURE_ZSTD, 7);
    check_round_trip(&m, 4096, CAPTURE_NONE, 1);
    maker_done(&m);
}

TEST(plain_spans_of_four_threads_come_back_in_order)
{
    struct maker m;
    maker_init(&m, 4);
    maker_spans(&m, 4, 200, 2000);
    check_round_trip(&m, 0, CAPTURE_ZSTD, 16384);
    check_round_trip(&m, 8192, CAPTURE_ZSTD, 16384);
    maker_done(&m);
}

/* Spans, some of them before the first look at the clock, with pauses that take eight
 * bytes, and deeper than a stack is kept. */
static void make_odd_spans(struct maker *m, unsigned streams)
{
    m->process->clock.before.base_ticks -= 5000000;
    m->process->clock.before.base_ns -= 2000000;
    for (unsigned i = 0; i < streams; i++)
        m->streams[i].ticks -= 10000000;
    for (unsigned run = 0; run < 400; run++) {
        struct maker_stream *s = &m->streams[run % streams];
        if (run % 20 == 0)
            maker_sync(m, s);
        if (run % 50 == 3)
            s->ticks += UINT64_C(1) << (run % 40);
        for (unsigned i = 0; i < 8; i++)
            if (s->depth && (s->depth > run || maker_random(m) % 4 == 0)) {
                maker_wait(m, s, i % 2 ? 200000 : 20);
                maker_end(m, s);
            } else {
                maker_wait(m, s, 2000);
                maker_begin(m, s, i % 3 ? MAKER_PLAIN : MAKER_OTHER);
            }
        m->batch.watermark_ns = maker_ns(m, s->ticks);
    }
}

TEST(spans_before_the_first_look_at_the_clock_come_back)
{
    struct maker m;
    maker_init(&m, 2);
    make_odd_spans(&m, 2);
    check_round_trip(&m, 0, CAPTURE_ZSTD, 16384);
    check_round_trip(&m, 4096, CAPTURE_NONE, 16384);
    maker_done(&m);
}

/* Reads what was opened to its end: a hash of the records in their order, and how many. */
static uint64_t read_in_order(struct eye *eye)
{
    uint64_t all = 0;
    do {
        model_batch_clear(&eye->batch);
        eye->rc = source_file.poll(&eye->s, &eye->batch, 5000, NULL);
        for (size_t i = 0; i < eye->batch.record_count; i++)
            all = all * 31 + maker_hash(&eye->batch.records[i]);
        eye->records += eye->batch.record_count;
    } while (eye->rc == SOURCE_DATA);
    eye->rc = 0;
    return all;
}

/* Also where bytes are wrong or missing behind the checksums. */
TEST(the_short_way_reads_what_the_long_one_reads)
{
    struct maker m;
    struct pen pen = {0};
    unsigned cut_short = 0;
    maker_init(&m, 2);
    make_odd_spans(&m, 2);
    pen.options.compression = CAPTURE_NONE;
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    for (unsigned round = 0; round < 400; round++) {
        struct eye eyes[2];
        uint64_t read[2], flip = maker_random(&m), less = round % 3 == 1 ? flip % 50 : 0;
        for (int is_long = 0; is_long < 2; is_long++) {
            struct eye *e = &eyes[is_long];
            REQUIRE(eye_open(e, pen.bytes.data, pen.bytes.size) == 0);
            struct decoder *d = &e->s.decoder; /* with the only chunk of records */
            const size_t ops = (size_t)((const char *)d->op - d->raw.data);
            if (round % 3 == 2)
                d->raw.data[ops + flip % (d->raw.size - ops)] ^= (char)(1u << flip / 256 % 8);
            d->rest_end -= round % 2 ? less : 0;
            d->time_end -= round % 2 ? 0 : less;
            for (unsigned op = 0; is_long && op < 256; op++)
                d->plain[op].needs = UINT32_MAX;
            read[is_long] = read_in_order(e);
            source_file.damage(&e->s, &e->damage);
        }
        CHECK_EQ(eyes[0].records, eyes[1].records);
        CHECK_EQ(read[0], read[1]);
        CHECK_EQ(eyes[0].damage.records, eyes[1].damage.records);
        CHECK_EQ(eyes[0].records + eyes[0].damage.records, m.made);
        cut_short += eyes[0].damage.records > 0;
        eye_close(&eyes[0]);
        eye_close(&eyes[1]);
    }
    CHECK(cut_short > 50);
    pen_done(&pen);
    maker_done(&m);
}

TEST(an_unknown_clock_is_measured_and_times_stay_exact)
{
    struct maker m;
    maker_init(&m, 4);
    memset(&m.process->clock, 0, sizeof m.process->clock);
    m.clock_unknown = true;
    maker_spans(&m, 4, 50, 2000);
    check_round_trip(&m, 0, CAPTURE_ZSTD, 16384);
    maker_everything(&m, 20);
    check_round_trip(&m, 0, CAPTURE_ZSTD, 16384);
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
    pen_open(&pen, &m.catalog);
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
/* ---- size ---- */

static double bytes_per_span(struct maker *m, int compression)
{
    struct pen pen = {.options = {.compression = compression}};
    pen_open(&pen, &m->catalog);
    export_capture.write(&pen.state, &m->batch, NULL);
    pen_close(&pen);
    size_t spans = 0;
    for (size_t i = 0; i < m->batch.record_count; i++)
        spans += m->batch.records[i].type == ORIEL_REC_BEGIN;
    double ratio = (double)pen.bytes.size / (double)spans;
    pen_done(&pen);
    return ratio;
}

TEST(a_plain_span_takes_at_most_10_bytes_and_4_compressed)
{
    struct maker m;
    maker_init(&m, 4);
    maker_spans(&m, 4, 128, 2600); /* one record per microsecond and thread, jitter of 100 % */
    double plain = bytes_per_span(&m, CAPTURE_NONE), packed = bytes_per_span(&m, CAPTURE_ZSTD);
    printf("%.2f bytes per span, %.2f compressed\n", plain, packed);
    if (plain > 10 || packed > 4)
        test_fail(__FILE__, __LINE__, "%.2f bytes per span, %.2f compressed", plain, packed);
    maker_done(&m);
}

/* ---- damage ---- */

/* A capture of many small chunks, as everybody's test material. */
static void write_sample(struct pen *pen, struct maker *m, unsigned rounds, int compression)
{
    maker_init(m, 2);
    maker_everything(m, rounds);
    pen->options.compression = compression;
    pen->options.chunk_bytes = 4096;
    pen_open(pen, &m->catalog);
    CHECK_EQ(export_capture.write(&pen->state, &m->batch, NULL), 0);
    pen_close(pen);
}

struct piece {
    size_t at, end;
    uint32_t records;
    bool in_place, hit;
};

/* Where the chunks of a good file lie. */
static size_t find_pieces(const struct buf *file, struct piece *out, size_t max)
{
    size_t n = 0;
    for (size_t at = 0; at < file->size && n < max; n++) {
        struct wire_capture_frame f;
        REQUIRE(wire_capture_frame_get((const uint8_t *)file->data + at, &f) == 0);
        out[n] = (struct piece){at, at + WIRE_CAPTURE_FRAME_BYTES + f.stored_bytes, f.records,
                                f.flags & WIRE_CAPTURE_IN_PLACE, false};
        at = out[n].end;
    }
    return n;
}

TEST_T(a_file_cut_at_any_byte_is_read_up_to_there, 120)
{
    struct maker m;
    struct pen pen = {0};
    static struct piece pieces[512];
    write_sample(&pen, &m, 40, CAPTURE_ZSTD);
    size_t count = find_pieces(&pen.bytes, pieces, 512);
    CHECK(count > 4);
    size_t step = pen.bytes.size / test_times(pen.bytes.size);
    for (size_t cut = 0; cut <= pen.bytes.size; cut += step) {
        struct eye eye;
        uint64_t whole = 0;
        for (size_t i = 0; i < count && pieces[i].end <= cut; i++)
            whole += pieces[i].records;
        int rc = eye_open(&eye, pen.bytes.data, cut);
        CHECK_EQ(rc == 0, cut >= pieces[0].end);
        if (rc == 0) {
            eye_drain(&eye, 100);
            CHECK_EQ(eye.records, whole);
            CHECK_EQ(eye.damage.truncated,
                     cut != pen.bytes.size && (cut >= pieces[1].end || cut != pieces[0].end));
            if (cut >= pieces[1].end) /* the last words are there: nothing is missed unseen */
                CHECK_EQ(eye.records + eye.damage.records, m.made);
        }
        eye_close(&eye);
    }
    pen_done(&pen);
    maker_done(&m);
}

TEST_T(flipped_bytes_cost_only_the_chunks_they_are_in, 300)
{
    struct maker m;
    struct pen pen = {0};
    static struct piece pieces[512];
    write_sample(&pen, &m, 400, CAPTURE_ZSTD);
    size_t count = find_pieces(&pen.bytes, pieces, 512), size = pen.bytes.size;
    char *copy = malloc(size);
    uint64_t undamaged = 0, read = 0;
    for (unsigned file = 0; file < test_times(2000); file++) {
        struct eye eye;
        uint64_t records = 0;
        bool words = true;
        memcpy(copy, pen.bytes.data, size);
        for (size_t i = 0; i < count; i++)
            pieces[i].hit = false;
        unsigned flips = 1 + (unsigned)(maker_random(&m) % 256);
        for (unsigned i = 0; i < flips; i++) {
            size_t at = maker_random(&m) % size;
            /* Half of them come as a burst, as rot does. */
            if (file % 2)
                at = (file * 7919u + i) % size;
            copy[at] ^= (char)(1 + maker_random(&m) % 255);
            for (size_t k = 0; k < count; k++)
                if (at >= pieces[k].at && at < pieces[k].end)
                    pieces[k].hit = true, words &= !pieces[k].in_place;
        }
        for (size_t k = 0; k < count; k++) {
            undamaged += !pieces[k].hit;
            records += pieces[k].hit ? 0 : pieces[k].records;
        }
        if (eye_open(&eye, copy, size) == 0) {
            eye_drain(&eye, 1000);
            read += eye.damage.chunks_read;
            CHECK(eye.records >= records);
            if (words)
                CHECK_EQ(eye.records + eye.damage.records, m.made);
        }
        eye_close(&eye);
    }
    printf("%llu of %llu undamaged chunks read\n", (unsigned long long)read,
           (unsigned long long)undamaged);
    CHECK(read * 100 >= undamaged * 99);
    free(copy);
    pen_done(&pen);
    maker_done(&m);
}

TEST(a_chunk_inside_a_value_is_not_taken_for_one_of_the_file)
{
    struct maker m;
    struct pen pen = {0}, inner = {0};
    struct eye eye;
    uint64_t w[600];
    maker_init(&m, 1);
    struct maker_stream *s = &m.streams[0];
    /* A capture recorded by a program that handles captures: stored plainly,
     * and the chunk before the value is damaged, so that the search runs over it. */
    memcpy(m.catalog.session_id, "another session!", 16);
    pen_open(&inner, &m.catalog);
    pen_close(&inner);
    memcpy(m.catalog.session_id, "0123456789abcdef", 16);
    pen.options = (struct capture_options){.compression = CAPTURE_NONE, .chunk_bytes = 4096};
    pen_open(&pen, &m.catalog);
    for (unsigned i = 0; i < 3; i++) {
        model_batch_clear(&m.batch);
        uint32_t n =
            maker_text(w, inner.bytes.data, (uint32_t)inner.bytes.size, (uint32_t)inner.bytes.size);
        w[n++] = i;
        maker_add(&m, s, ORIEL_REC_EVENT, 0, m.sites[MAKER_EVENT], 0, w, n);
        export_capture.write(&pen.state, &m.batch, NULL);
        export_capture.flush(&pen.state, NULL);
    }
    pen_close(&pen);
    static struct piece pieces[16];
    size_t count = find_pieces(&pen.bytes, pieces, 16);
    REQUIRE(count >= 5);
    pen.bytes.data[pieces[3].at + 20] ^= 1;
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 100);
    CHECK_EQ(eye.records, 2);
    CHECK_EQ(eye.damage.records, 1);
    eye_close(&eye);
    pen_done(&inner);
    pen_done(&pen);
    maker_done(&m);
}

/* ---- errors ---- */

static void check_refused(const char *what, const void *bytes, size_t n, int code,
                          const char *expected)
{
    struct model_catalog catalog;
    struct oriel_err err = {0};
    char path[128];
    model_catalog_init(&catalog);
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), what);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    struct file_source *s = calloc(1, sizeof *s);
    CHECK_EQ(source_file.open(s, path, &catalog, &err), code);
    if (!strstr(err.text, expected) || strncmp(err.text, path, strlen(path)) != 0 ||
        strchr(err.text, '\n'))
        test_fail(__FILE__, __LINE__, "%s: the line is \"%s\"", what, err.text);
    free(s);
    model_catalog_done(&catalog);
}

TEST(what_cannot_be_read_is_refused_in_one_line)
{
    struct maker m;
    struct pen pen = {0};
    static const char elf[300] = "\x7f"
                                 "ELF and so on";
    write_sample(&pen, &m, 4, CAPTURE_ZSTD);
    check_refused("empty", "", 0, ORIEL_EFORMAT, "empty at byte 0");
    check_refused("short", "ORIEL", 5, ORIEL_EDAMAGED, "cut off or damaged at byte 5");
    check_refused("foreign", elf, sizeof elf, ORIEL_EFORMAT, "not an Oriel capture at byte 0");
    check_refused("text", "hello", 5, ORIEL_EFORMAT, "not an Oriel capture at byte 0");
    check_refused("cut", pen.bytes.data, 100, ORIEL_EDAMAGED, "cut off or damaged at byte");
    for (char *p = pen.bytes.data, *end = p + pen.bytes.size;
         (p = memmem(p, (size_t)(end - p), WIRE_CAPTURE_MAGIC, 8)); p++)
        p[7] = 9;
    check_refused("later", pen.bytes.data, pen.bytes.size, ORIEL_EVERSION,
                  "capture format 9 at byte 7, this Oriel reads 1");
    struct model_catalog catalog;
    struct oriel_err err = {0};
    struct file_source s = {0};
    model_catalog_init(&catalog);
    CHECK_EQ(source_file.open(&s, "/nonexistent/c.oriel", &catalog, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(source_file.open(&s, "/tmp", &catalog, &err), ORIEL_EFORMAT);
    model_catalog_done(&catalog);
    pen_done(&pen);
    maker_done(&m);
}

/* ---- while it is being written ---- */

TEST(a_reader_of_a_growing_file_sees_each_record_once)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    char path[128];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "%s/live.oriel", test_tmpdir());
    maker_init(&m, 2);
    REQUIRE(out_file_open(&pen.out, path, false, NULL) == 0);
    pen_open(&pen, &m.catalog);
    memset(&eye, 0, sizeof eye);
    model_catalog_init(&eye.catalog);
    model_batch_init(&eye.batch, &eye.catalog);
    REQUIRE(source_file.open(&eye.s, path, &eye.catalog, NULL) == 0);
    eye.s.follow = true;
    CHECK_EQ(eye_poll(&eye, 100), SOURCE_IDLE);
    for (unsigned i = 0; i < 30; i++) {
        maker_everything(&m, 2);
        sum += sum_of(&m.batch);
        export_capture.write(&pen.state, &m.batch, NULL);
        CHECK_EQ(eye_poll(&eye, 100), SOURCE_IDLE); /* nothing is in the file yet */
        export_capture.flush(&pen.state, NULL);
        while (eye_poll(&eye, 17) == SOURCE_DATA)
            ;
        CHECK_EQ(eye.records, m.made);
    }
    pen_close(&pen);
    CHECK_EQ(eye_poll(&eye, 100), SOURCE_END);
    CHECK(eye.batch.last);
    CHECK_EQ(eye.sum, sum);
    source_file.damage(&eye.s, &eye.damage);
    CHECK_EQ(eye.damage.records, 0);
    CHECK(!eye.damage.truncated);
    eye_close(&eye);
    out_close(pen.out);
    maker_done(&m);
}

TEST_T(readers_beside_a_writer_see_whole_chunks_only, 120)
{
    char path[128];
    int status = 0;
    snprintf(path, sizeof path, "%s/busy.oriel", test_tmpdir());
    struct maker m;
    maker_init(&m, 2);
    pid_t writer = fork();
    if (writer == 0) {
        struct pen pen = {.options = {.chunk_bytes = 16384}};
        if (out_file_open(&pen.out, path, false, NULL) != 0)
            _exit(1);
        pen_open(&pen, &m.catalog);
        for (unsigned i = 0; i < test_times(3000); i++) {
            maker_spans(&m, 2, 2, 2000);
            export_capture.write(&pen.state, &m.batch, NULL);
            if (i % 3 == 0)
                export_capture.flush(&pen.state, NULL);
        }
        pen_close(&pen);
        _exit(0);
    }
    uint64_t before = 0, reads = 0;
    bool over = false;
    while (!over) {
        struct eye eye;
        over = waitpid(writer, &status, WNOHANG) == writer;
        memset(&eye, 0, sizeof eye);
        model_catalog_init(&eye.catalog);
        model_batch_init(&eye.batch, &eye.catalog);
        eye.rc = source_file.open(&eye.s, path, &eye.catalog, NULL);
        if (eye.rc == 0) {
            eye_drain(&eye, 16384);
            CHECK_EQ(eye.damage.records, 0);
            CHECK_EQ(eye.damage.bytes_skipped, 0);
            CHECK(eye.records >= before);
            before = eye.records;
            reads++;
        }
        eye_close(&eye);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("%llu reads, %llu records in the end\n", (unsigned long long)reads,
           (unsigned long long)before);
    CHECK(before > test_times(1000000));
    maker_done(&m);
}

/* ---- memory ---- */

TEST_T(a_reader_without_memory_gives_up_or_goes_on, 300)
{
    struct maker m;
    struct pen pen = {0};
    bool failed = true;
    write_sample(&pen, &m, 12, CAPTURE_ZSTD);
    for (uint64_t n = 1; failed && n < 5000; n++) {
        struct eye eye;
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        int rc = eye_open(&eye, pen.bytes.data, pen.bytes.size);
        failed = rc < 0;
        for (int result = SOURCE_DATA; rc == 0 && result != SOURCE_END;) {
            model_batch_clear(&eye.batch);
            result = source_file.poll(&eye.s, &eye.batch, 50, NULL);
            eye.records += eye.batch.record_count;
            failed |= result < 0 || eye.s.damage.records;
            CHECK(result >= 0 || result == ORIEL_ENOMEM);
        }
        mem_fail_after(0);
        if (rc == 0) {
            source_file.damage(&eye.s, &eye.damage);
            CHECK_EQ(eye.records + eye.damage.records, m.made);
        }
        eye_close(&eye);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK(!failed);
    pen_done(&pen);
    maker_done(&m);
}
TEST_MAIN()
