/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The capture outlet on bad days: disks that fill up at any byte, memory that
 * runs out, files that an older recorder left. In every one of them
 *   records made = records read back + records counted as not written,
 * not counting the SYNC records that the ring puts between them.
 */
#include "export/capture/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "capture_pen.h"
#include "test.h"

/* ---- an out with a limit ---- */

struct tight_out {
    struct out base;
    struct buf bytes;
    uint64_t limit;
    bool partial; /* like a disk: what fits is written */
};

static int tight_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct tight_out *t = (struct tight_out *)o;
    uint64_t room = t->limit > t->bytes.size ? t->limit - t->bytes.size : 0;
    size_t fits = n <= room ? n : t->partial ? (size_t)room : 0;
    buf_put(&t->bytes, bytes, fits);
    *out_written = fits;
    return fits == n ? 0 : ORIEL_ENOSPC;
}
static int tight_sync(struct out *o)
{
    return 0;
}
static void tight_close(struct out *o)
{
}
static int tight_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    memcpy(((struct tight_out *)o)->bytes.data + offset, bytes, n);
    return 0;
}
static int tight_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read)
{
    struct buf *b = &((struct tight_out *)o)->bytes;
    *out_read = offset >= b->size ? 0 : b->size - offset < n ? b->size - offset : n;
    memcpy(bytes, b->data + offset, *out_read);
    return 0;
}
static int tight_truncate(struct out *o, uint64_t size)
{
    ((struct tight_out *)o)->bytes.size = size;
    return 0;
}

static void tight_open(struct tight_out *t, uint64_t limit, bool partial, bool seekable)
{
    static const struct out_ops disk = {.write = tight_write,
                                        .sync = tight_sync,
                                        .close = tight_close,
                                        .write_at = tight_write_at,
                                        .read_at = tight_read_at,
                                        .truncate = tight_truncate};
    static const struct out_ops pipe = {
        .write = tight_write, .sync = tight_sync, .close = tight_close};
    memset(t, 0, sizeof *t);
    t->base.ops = seekable ? &disk : &pipe;
    t->limit = limit;
    t->partial = partial;
    buf_init(&t->bytes);
}

/* ---- full disks ---- */

/* The program's records read back from bytes, and what the file says was not written. */
static uint64_t read_back(const void *bytes, size_t n, uint64_t *out_unwritten,
                          struct source_damage *out_damage)
{
    struct eye eye;
    uint64_t records = 0;
    memset(out_damage, 0, sizeof *out_damage);
    if (eye_open(&eye, bytes, n) == 0) {
        eye_drain(&eye, 1000);
        records = eye.records - eye.syncs;
        *out_damage = eye.damage;
        *out_unwritten = eye.damage.unwritten;
    } else {
        test_fail(__FILE__, __LINE__, "%zu bytes cannot be read", n);
    }
    eye_close(&eye);
    return records;
}

static void write_until_full(uint64_t limit, bool partial, bool seekable)
{
    struct maker m;
    struct tight_out t;
    struct pen pen = {.out = &t.base, .options = {.chunk_bytes = 4096}};
    struct source_damage damage;
    uint64_t unwritten = 0;
    maker_init(&m, 2);
    tight_open(&t, limit, partial, seekable);
    if (pen_try(&pen, &m.catalog, NULL) != 0) {
        CHECK_EQ(pen.rc, ORIEL_ENOSPC);
        CHECK(limit < 1200); /* the description and the last words must fit */
    } else {
        bool lost = false;
        for (unsigned i = 0; i < 12; i++) {
            maker_everything(&m, 4);
            lost |= export_capture.write(&pen.state, &m.batch, NULL) < 0;
            if (i % 3 == 2)
                lost |= export_capture.flush(&pen.state, NULL) < 0;
        }
        struct oriel_err err = {0};
        int rc = export_capture.close(&pen.state, NULL, &err);
        CHECK_EQ(rc, lost ? ORIEL_ENOSPC : rc);
        CHECK(rc == 0 || strstr(err.text, "records not written"));
        uint64_t records = read_back(t.bytes.data, t.bytes.size, &unwritten, &damage);
        if (seekable) {
            CHECK_EQ(records + unwritten, m.made - m.syncs);
            CHECK_EQ(damage.records, 0);
            CHECK(!damage.truncated);
            CHECK_EQ(rc<0, unwritten> 0);
        } else {
            CHECK(records <= m.made);
        }
    }
    buf_done(&t.bytes);
    maker_done(&m);
}

TEST_T(a_disk_that_fills_up_at_any_byte_leaves_a_readable_file_and_a_count, 300)
{
    uint64_t slower = 100 / test_times(100);
    for (uint64_t limit = 0; limit < 12000; limit += slower + limit / 2000)
        write_until_full(limit, true, true);
    for (uint64_t limit = 0; limit < 12000; limit += 36 + slower)
        write_until_full(limit, false, true);
    for (uint64_t limit = 0; limit < 12000; limit += 36 + slower)
        write_until_full(limit, true, false);
}

TEST(recording_goes_on_when_space_comes_back)
{
    struct maker m;
    struct tight_out t;
    struct pen pen = {.out = &t.base, .options = {.chunk_bytes = 4096}};
    struct source_damage damage;
    uint64_t unwritten = 0, before;
    maker_init(&m, 2);
    tight_open(&t, 8000, true, true);
    pen_open(&pen, &m.catalog);
    for (unsigned i = 0; i < 30; i++) {
        maker_everything(&m, 4);
        export_capture.write(&pen.state, &m.batch, NULL);
    }
    export_capture.flush(&pen.state, NULL);
    CHECK(pen.state.words.unwritten[WIRE_CAPTURE_NO_SPACE] > 0);
    uint64_t made = m.made - m.syncs;
    before = made - pen.state.words.unwritten[WIRE_CAPTURE_NO_SPACE];
    t.limit = UINT64_MAX;
    for (unsigned i = 0; i < 10; i++) {
        maker_everything(&m, 4);
        export_capture.write(&pen.state, &m.batch, NULL);
    }
    CHECK_EQ(export_capture.close(&pen.state, NULL, NULL), ORIEL_ENOSPC);
    uint64_t records = read_back(t.bytes.data, t.bytes.size, &unwritten, &damage);
    CHECK_EQ(records, before + m.made - m.syncs - made);
    CHECK_EQ(records + unwritten, m.made - m.syncs);
    buf_done(&t.bytes);
    maker_done(&m);
}

/* Records by origin, added to sums. */
static void add_origins(const struct model_batch *b, uint64_t sums[MODEL_ORIGINS])
{
    for (size_t i = 0; i < b->record_count; i++)
        sums[model_record_origin(&b->records[i])]++;
}

TEST(what_was_seen_of_the_program_is_counted_apart_from_what_it_said)
{
    for (uint64_t limit = 2000; limit < 16000; limit += 997) {
        struct maker m;
        struct tight_out t;
        struct eye eye;
        struct pen pen = {.out = &t.base, .options = {.chunk_bytes = 4096}};
        uint64_t made[MODEL_ORIGINS] = {0}, there[MODEL_ORIGINS] = {0};
        maker_init(&m, 2);
        m.streams[1].serial = MODEL_SERIAL_SEEN + 7; /* of somebody who looks from outside */
        tight_open(&t, limit, true, true);
        pen_open(&pen, &m.catalog);
        for (unsigned i = 0; i < 12; i++) {
            i % 2 ? maker_spans(&m, 2, 3, 200) : maker_everything(&m, 5);
            add_origins(&m.batch, made);
            export_capture.write(&pen.state, &m.batch, NULL);
        }
        CHECK(made[MODEL_SAID] > 100 && made[MODEL_SEEN] > 100);
        export_capture.close(&pen.state, NULL, NULL);
        REQUIRE(eye_open(&eye, t.bytes.data, t.bytes.size) == 0);
        while (eye_poll(&eye, 1000) == SOURCE_DATA)
            add_origins(&eye.batch, there);
        source_file.damage(&eye.s, &eye.damage);
        CHECK_EQ(there[MODEL_SAID] + eye.damage.unwritten, made[MODEL_SAID]);
        CHECK_EQ(there[MODEL_SEEN] + eye.damage.unwritten_seen, made[MODEL_SEEN]);
        CHECK_EQ(export_capture.unwritten_seen(&pen.state), eye.damage.unwritten_seen);
        CHECK_EQ(export_capture.unwritten(&pen.state),
                 eye.damage.unwritten + eye.damage.unwritten_seen);
        eye_close(&eye);
        buf_done(&t.bytes);
        maker_done(&m);
    }
}

/* One real file system of `kib` KiB; the share of it that holds readable data. */
static double fill_tmpfs(const char *at, unsigned kib)
{
    char path[160], option[32];
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    struct stat st = {0};
    snprintf(option, sizeof option, "size=%uk", kib);
    snprintf(path, sizeof path, "%s/c.oriel", at);
    REQUIRE(mount("oriel-test", at, "tmpfs", 0, option) == 0);
    maker_init(&m, 4);
    REQUIRE(out_file_open(&pen.out, path, false, NULL) == 0);
    pen_open(&pen, &m.catalog);
    uint64_t made = 0;
    maker_spans(&m, 4, 16, 2000);
    uint64_t own = m.made - m.syncs; /* the program's records in one batch */
    while (pen.state.words.unwritten[WIRE_CAPTURE_NO_SPACE] < 20000) {
        export_capture.write(&pen.state, &m.batch, NULL); /* the same again: only counted */
        made += own;
    }
    CHECK_EQ(export_capture.close(&pen.state, NULL, NULL), ORIEL_ENOSPC);
    out_close(pen.out);
    memset(&eye, 0, sizeof eye);
    model_catalog_init(&eye.catalog);
    model_batch_init(&eye.batch, &eye.catalog);
    eye.only_count = true;
    eye.rc = source_file.open(&eye.s, path, &eye.catalog, NULL);
    CHECK_EQ(eye.rc, 0);
    if (eye.rc == 0) {
        eye_drain(&eye, 16384);
        CHECK_EQ(eye.records - eye.syncs + eye.damage.unwritten, made);
        CHECK_EQ(eye.damage.records, 0);
        CHECK(!eye.damage.truncated);
        CHECK(eye.s.words.closed);
    }
    stat(path, &st);
    eye_close(&eye);
    maker_done(&m);
    umount(at);
    return (double)st.st_size / (kib * 1024.0);
}

TEST_T(a_full_file_system_holds_95_percent_readable_data, 600)
{
    static const unsigned sizes[] = {64, 128, 192, 320, 576, 1024, 4096, 16384};
    if (geteuid() != 0)
        test_skip("mounting a small file system needs root");
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
        test_skip("no mount namespace of our own: %s", strerror(errno));
    const char *at = test_tmpdir();
    bool all = getenv("ORIEL_TEST_LONG");
    unsigned long count = test_times(sizeof sizes / sizeof *sizes);
    for (unsigned i = 0; i < (all ? 256 : count); i++) {
        unsigned kib = all ? 64 * (i + 1) : sizes[i];
        double share = fill_tmpfs(at, kib);
        if (share < 0.95)
            test_fail(__FILE__, __LINE__, "%u KiB: %.2f %% readable", kib, share * 100);
    }
}

/* ---- appending ---- */

static void reopen(struct pen *pen, const struct model_catalog *c, int code)
{
    struct oriel_err err = {0};
    out_close(pen->out);
    REQUIRE(out_buf_open(&pen->out, &pen->bytes) == 0);
    snprintf(pen->out->path, sizeof pen->out->path, "c.oriel");
    pen->options.append = true;
    CHECK_EQ(pen_try(pen, c, &err), code);
    CHECK(code == 0 || strncmp(err.text, "c.oriel: ", 9) == 0);
}

/* Keep batches apart from the maker, which reuses its own. */
static void take_batch(struct maker *m, struct model_batch *out)
{
    *out = m->batch;
    model_batch_init(&m->batch, &m->catalog);
}

static void append_after_cut(size_t cut_off, int compression)
{
    struct maker m;
    struct model_batch first, second;
    struct pen pen = {.options = {.chunk_bytes = 4096, .compression = compression}};
    struct eye eye;
    maker_init(&m, 2);
    maker_spans(&m, 2, 8, 2000);
    take_batch(&m, &first);
    maker_spans(&m, 2, 8, 2000);
    take_batch(&m, &second);
    pen_open(&pen, &m.catalog);
    export_capture.write(&pen.state, &first, NULL);
    export_capture.flush(&pen.state, NULL);
    /* here the recorder dies; a part of its last write may be missing */
    encoder_done(&pen.state.encoder);
    zip_free(pen.state.zip);
    buf_done(&pen.state.tables);
    buf_done(&pen.state.chunk);
    pen.bytes.size -= cut_off;
    reopen(&pen, &m.catalog, 0);
    export_capture.write(&pen.state, &first, NULL);
    export_capture.write(&pen.state, &second, NULL);
    uint64_t duplicates = pen.state.encoder.duplicates;
    pen_close(&pen);
    if (cut_off == 0)
        CHECK_EQ(duplicates, first.record_count);
    else
        CHECK(duplicates < first.record_count && duplicates > first.record_count / 2);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 500);
    CHECK_EQ(eye.records, first.record_count + second.record_count);
    CHECK_EQ(eye.sum, sum_of(&first) + sum_of(&second));
    CHECK_EQ(eye.damage.records, 0);
    CHECK_EQ(eye.damage.chunks, eye.damage.chunks_read);
    CHECK(!eye.damage.truncated);
    eye_close(&eye);
    model_batch_done(&first);
    model_batch_done(&second);
    pen_done(&pen);
    maker_done(&m);
}

TEST(an_append_adds_what_is_missing_and_nothing_twice)
{
    append_after_cut(0, CAPTURE_ZSTD);
    append_after_cut(1, CAPTURE_ZSTD);
    append_after_cut(700, CAPTURE_ZSTD);
    append_after_cut(0, CAPTURE_NONE);
    append_after_cut(1500, CAPTURE_NONE);
}

/* The second recorder reads the clocks anew, so the start of the process that
 * both saw comes out a little different. */
static void tell_losses_twice(uint32_t first_serial)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    maker_init(&m, 2);
    maker_spans(&m, 2, 2, 2000);
    m.catalog.processes[0]->trace_hi = 0x1234;
    m.catalog.processes[0]->trace_salt = 0x5678;
    m.catalog.threads[0]->serial = first_serial;
    m.catalog.threads[0]->lost[ORIEL_LOST_RING_FULL] = 40;
    pen_open(&pen, &m.catalog);
    export_capture.write(&pen.state, &m.batch, NULL);
    pen_close(&pen);
    reopen(&pen, &m.catalog, 0);
    m.catalog.processes[0]->start_ns += 3;
    m.catalog.threads[0]->serial = 1;
    m.catalog.threads[0]->lost[ORIEL_LOST_RING_FULL] = 50;
    export_capture.write(&pen.state, &m.batch, NULL);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 500);
    uint64_t lost = eye.catalog.lost[ORIEL_LOST_RING_FULL];
    for (uint32_t i = 0; i < eye.catalog.thread_count; i++)
        lost += eye.catalog.threads[i]->lost[ORIEL_LOST_RING_FULL];
    CHECK_EQ(eye.catalog.process_count, 1);
    CHECK_EQ(eye.catalog.thread_count, 2);
    CHECK_EQ(eye.records, m.batch.record_count);
    CHECK_EQ(lost, 50);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

TEST(what_two_recorders_tell_of_one_process_and_its_losses_counts_once)
{
    tell_losses_twice(1);
}

/* The first one sampled it and met it before its ring did; recovery has the ring alone. */
TEST(a_thread_under_two_serials_is_one_when_a_stream_joins_them)
{
    tell_losses_twice(0x80000001);
}

TEST(an_append_refuses_what_is_not_its_own_and_leaves_it_alone)
{
    struct maker m;
    struct pen pen = {0};
    static const char foreign[] = "#!/bin/sh\necho not a capture, but somebody's file\n";
    maker_init(&m, 1);
    maker_spans(&m, 1, 1, 2000);
    pen_open(&pen, &m.catalog);
    export_capture.write(&pen.state, &m.batch, NULL);
    pen_close(&pen);
    size_t size = pen.bytes.size;
    m.catalog.session_id[3] ^= 1;
    reopen(&pen, &m.catalog, ORIEL_EINVAL);
    CHECK_EQ(pen.bytes.size, size);
    buf_clear(&pen.bytes);
    buf_put(&pen.bytes, foreign, sizeof foreign);
    reopen(&pen, &m.catalog, ORIEL_EFORMAT);
    CHECK_MEM(pen.bytes.data, pen.bytes.size, foreign, sizeof foreign);
    pen_done(&pen);
    maker_done(&m);
}

TEST(an_append_to_a_damaged_file_keeps_its_good_chunks)
{
    struct maker m;
    struct model_batch all;
    struct pen pen = {.options = {.chunk_bytes = 4096}};
    struct eye eye;
    maker_init(&m, 2);
    maker_spans(&m, 2, 8, 2000);
    take_batch(&m, &all);
    pen_open(&pen, &m.catalog);
    size_t described = pen.bytes.size;
    export_capture.write(&pen.state, &all, NULL);
    pen_close(&pen);
    memset(pen.bytes.data, 0x55, described); /* schema, last words */
    reopen(&pen, &m.catalog, 0);
    export_capture.write(&pen.state, &all, NULL);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 500);
    CHECK_EQ(eye.sum, sum_of(&all));
    CHECK_EQ(eye.records, all.record_count);
    CHECK_EQ(eye.damage.first_offset, 0);
    CHECK_EQ(model_catalog_resource(&eye.catalog, "service.name").n, 4);
    CHECK(eye.s.words.closed);
    eye_close(&eye);
    model_batch_done(&all);
    pen_done(&pen);
    maker_done(&m);
}

/* ---- the rest of the contract ---- */

TEST(chunks_follow_recorded_time_and_size)
{
    struct maker m;
    struct pen pen = {.options = {.flush_ns = 1000000}};
    maker_init(&m, 1);
    pen_open(&pen, &m.catalog);
    uint64_t chunks = pen.state.words.chunks;
    maker_spans(&m, 1, 1, 20); /* some microseconds */
    export_capture.write(&pen.state, &m.batch, NULL);
    CHECK_EQ(pen.state.words.chunks, chunks);
    maker_spans(&m, 1, 1, 20000); /* several milliseconds */
    export_capture.write(&pen.state, &m.batch, NULL);
    CHECK_EQ(pen.state.words.chunks, chunks + 1);
    export_capture.flush(&pen.state, NULL);
    CHECK_EQ(pen.state.words.chunks, chunks + 1); /* nothing to write */
    pen_close(&pen);
    pen_done(&pen);
    maker_done(&m);
}

TEST(thousands_of_sites_threads_and_streams_are_split_over_chunks)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    enum { SITES = 9000, THREADS = 5000 };
    maker_init(&m, 1);
    model_batch_clear(&m.batch);
    for (unsigned i = 0; i < SITES; i++) {
        char name[32];
        snprintf(name, sizeof name, "site-%u", i);
        const struct model_site *site = maker_site(&m, 100 + i, ORIEL_SITE_SPAN, name, NULL, 0);
        for (unsigned twice = 0; twice < 2; twice++) {
            struct maker_stream *s = &m.streams[0];
            maker_wait(&m, s, 100);
            maker_add(&m, s, ORIEL_REC_BEGIN, 0, site, 0, NULL, 0);
            maker_add(&m, s, ORIEL_REC_END, 0, NULL, (uint32_t)(s->seed + s->position - 16), NULL,
                      0);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        struct maker_stream s = {
            .serial = 100 + i, .seed = 0x7000000000u + i * 0x100000u, .ticks = m.streams[0].ticks};
        s.thread = model_catalog_add_thread(&m.catalog, 0, 10000 + (int32_t)i, s.serial);
        maker_sync(&m, &s);
        maker_begin(&m, &s, MAKER_PLAIN);
        maker_end(&m, &s);
    }
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 16384);
    CHECK_EQ(eye.records, m.made);
    CHECK_EQ(eye.sum, sum_of(&m.batch));
    CHECK_EQ(eye.catalog.thread_count, THREADS + 1);
    CHECK(eye.damage.chunks > 6);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

TEST(losses_reach_the_file_even_when_no_record_does)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    struct export_summary end = {.lost = {0, 0, 0, 0, 9}, .damaged = 3};
    maker_init(&m, 3);
    pen_open(&pen, &m.catalog);
    m.catalog.threads[1]->lost[ORIEL_LOST_RING_FULL] = 40;
    m.catalog.lost[ORIEL_LOST_NO_THREAD] = 2;
    CHECK_EQ(export_capture.close(&pen.state, &end, NULL), 0);
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 10);
    const struct model_thread *t = model_catalog_thread(&eye.catalog, 2);
    REQUIRE(t != NULL);
    CHECK_EQ(t->lost[ORIEL_LOST_RING_FULL], 40);
    CHECK_EQ(eye.catalog.lost[ORIEL_LOST_NO_THREAD], 2);
    CHECK_EQ(eye.catalog.lost[ORIEL_LOST_OVERWRITTEN], 9);
    CHECK_EQ(eye.damage.records, 3);
    eye_close(&eye);
    pen_done(&pen);
    maker_done(&m);
}

/* A recorder that is killed after the flush has told whose they were. */
TEST(losses_after_the_last_record_reach_the_file_with_a_flush)
{
    struct maker m;
    struct pen pen = {0};
    struct eye eye;
    maker_init(&m, 2);
    maker_spans(&m, 2, 2, 2000);
    pen_open(&pen, &m.catalog);
    export_capture.write(&pen.state, &m.batch, NULL);
    export_capture.flush(&pen.state, NULL);
    m.catalog.threads[1]->lost[ORIEL_LOST_RING_FULL] = 40;
    m.catalog.loss_changes++;
    export_capture.flush(&pen.state, NULL);
    size_t size = pen.bytes.size;
    export_capture.flush(&pen.state, NULL);
    CHECK_EQ(pen.bytes.size, size); /* told once */
    REQUIRE(eye_open(&eye, pen.bytes.data, pen.bytes.size) == 0);
    eye_drain(&eye, 500);
    const struct model_thread *t = model_catalog_thread(&eye.catalog, m.catalog.threads[1]->serial);
    REQUIRE(t != NULL);
    CHECK_EQ(t->lost[ORIEL_LOST_RING_FULL], 40);
    CHECK_EQ(eye.catalog.lost[ORIEL_LOST_RING_FULL], 0);
    CHECK_EQ(eye.records, m.batch.record_count);
    eye_close(&eye);
    pen_close(&pen);
    pen_done(&pen);
    maker_done(&m);
}

TEST(a_pipe_gets_a_readable_stream_with_the_last_words_at_its_end)
{
    struct maker m;
    struct tight_out t;
    struct pen pen = {.out = &t.base};
    struct source_damage damage;
    uint64_t unwritten = 1;
    maker_init(&m, 2);
    tight_open(&t, UINT64_MAX, true, false);
    pen_open(&pen, &m.catalog);
    maker_everything(&m, 10);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    CHECK_EQ(read_back(t.bytes.data, t.bytes.size, &unwritten, &damage), m.made - m.syncs);
    CHECK_EQ(unwritten, 0);
    CHECK(!damage.truncated);
    buf_done(&t.bytes);
    maker_done(&m);
}

TEST_T(no_allocation_that_fails_loses_records_uncounted, 300)
{
    bool failed = true;
    for (uint64_t n = 1; failed && n < 5000; n++) {
        struct maker m;
        struct tight_out t;
        struct pen pen = {.out = &t.base, .options = {.chunk_bytes = 4096}};
        struct source_damage damage;
        uint64_t unwritten = 0;
        maker_init(&m, 2);
        maker_everything(&m, 12);
        tight_open(&t, UINT64_MAX, true, true);
        buf_reserve(&t.bytes, 1 << 20);
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        int rc = pen_try(&pen, &m.catalog, NULL);
        if (rc == 0) {
            failed = export_capture.write(&pen.state, &m.batch, NULL) < 0;
            int closed = export_capture.close(&pen.state, NULL, NULL);
            failed |= closed < 0;
            CHECK(closed == 0 || closed == ORIEL_ENOMEM);
        }
        mem_fail_after(0);
        CHECK_EQ(mem_live_blocks(), blocks);
        if (rc == 0) {
            uint64_t records = read_back(t.bytes.data, t.bytes.size, &unwritten, &damage);
            CHECK_EQ(records + unwritten, m.made - m.syncs);
            CHECK_EQ(damage.records, 0);
        } else {
            CHECK_EQ(rc, ORIEL_ENOMEM);
        }
        buf_done(&t.bytes);
        maker_done(&m);
        failed |= rc < 0;
    }
    CHECK(!failed);
}
TEST_MAIN()
