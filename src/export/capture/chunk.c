/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Chunks: columns to bytes with checksums, whole or not at all. When one does
 * not fit the disk, as many of its records as do are written as a smaller one.
 * One thread at a time.
 */
#include "export/capture/capture.h"

#include <assert.h>

#include "base/err.h"
#include "util/crc32c.h"

enum {
    COMPRESS_MIN = 48,   /* smaller sections are stored as they are */
    REST_PAUSE = 15,     /* chunks between two tries to compress the rest section */
    CHUNK_LEAST = 192,   /* no chunk of records is smaller */
    WORDS_THREADS = 4096 /* sum up losses of more threads only at the end */
};

static uint64_t session_tag(const struct capture *c)
{
    return wire_get64(c->env.catalog->session_id);
}

/* Frame in front of the payload that c->chunk holds behind room for it. */
static void finish_frame(struct capture *c, struct wire_capture_frame f)
{
    uint8_t *p = (uint8_t *)c->chunk.data;
    assert(c->chunk.size >= WIRE_CAPTURE_FRAME_BYTES);
    f.stored_bytes = (uint32_t)(c->chunk.size - WIRE_CAPTURE_FRAME_BYTES);
    f.seq = c->seq;
    f.records_before = c->records;
    f.session_tag = session_tag(c);
    if (!(f.flags & WIRE_CAPTURE_IN_PLACE))
        f.payload_crc = crc32c(0, p + WIRE_CAPTURE_FRAME_BYTES, f.stored_bytes);
    wire_capture_frame_put(p, &f);
    wire_put32(p + WIRE_CAPTURE_FRAME_CRC_AT, crc32c(0, p, WIRE_CAPTURE_FRAME_CRC_AT));
}

static void begin_frame(struct capture *c)
{
    static const uint8_t room[WIRE_CAPTURE_FRAME_BYTES];
    buf_clear(&c->chunk);
    buf_put(&c->chunk, room, sizeof room);
}

/* All of c->chunk, or none of it. *out_fitted: how much the disk took. */
static int write_whole(struct capture *c, uint64_t *out_fitted)
{
    struct out *o = c->env.out;
    uint64_t start = o->bytes;
    int rc = out_write(o, c->chunk.data, c->chunk.size);
    *out_fitted = o->bytes - start;
    if (rc == 0) {
        c->words.chunks = ++c->seq;
        c->words.bytes = o->bytes;
    } else if (out_can_seek(o)) {
        out_truncate(o, start);
    }
    return rc;
}

/* ---- schema and last words ---- */

static void put_number(struct buf *b, uint64_t v)
{
    char *p = buf_reserve(b, WIRE_NUMBER_ROOM);
    if (p)
        b->size += (size_t)(wire_number_put((uint8_t *)p, v) - (uint8_t *)p);
}

static void put_text(struct buf *b, const char *p, size_t n)
{
    put_number(b, n);
    buf_put(b, p, n);
}

int capture_write_schema(struct capture *c)
{
    const struct model_catalog *catalog = c->env.catalog;
    uint64_t fitted;
    begin_frame(c);
    put_number(&c->chunk, WIRE_CAPTURE_VERSION);
    put_text(&c->chunk, c->env.version, strlen(c->env.version));
    buf_put(&c->chunk, catalog->session_id, sizeof catalog->session_id);
    put_number(&c->chunk, catalog->start_ns);
    put_number(&c->chunk, catalog->resource_count);
    for (uint32_t i = 0; i < catalog->resource_count; i++) {
        put_text(&c->chunk, catalog->resource[i].key.p, catalog->resource[i].key.n);
        put_text(&c->chunk, catalog->resource[i].value.p, catalog->resource[i].value.n);
    }
    if (c->chunk.failed)
        return ORIEL_ENOMEM;
    if (c->chunk.size > WIRE_CAPTURE_RAW_MAX)
        return ORIEL_ELIMIT;
    uint32_t n = (uint32_t)(c->chunk.size - WIRE_CAPTURE_FRAME_BYTES);
    finish_frame(c, (struct wire_capture_frame){.type = WIRE_CAPTURE_SCHEMA, .raw_bytes = n});
    int rc = write_whole(c, &fitted);
    if (rc == 0) {
        c->schema_at = c->env.out->bytes;
        c->resources_told = catalog->resource_count;
    }
    return rc;
}

/* What is lost so far; threads beyond a few thousand are summed at the end. */
static void sum_losses(struct capture *c)
{
    const struct model_catalog *catalog = c->env.catalog;
    if (c->words.closed || catalog->thread_count > WORDS_THREADS)
        return;
    for (unsigned cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
        uint64_t n = catalog->lost[cause];
        for (uint32_t i = 0; i < catalog->thread_count; i++)
            n += catalog->threads[i]->lost[cause];
        if (n > c->words.lost[cause]) /* after an append the file may know of more */
            c->words.lost[cause] = n;
    }
}

static void make_slot(struct capture *c, uint8_t slot[WIRE_CAPTURE_SLOT_BYTES])
{
    sum_losses(c);
    c->words.generation++;
    c->words.records = c->records;
    c->words.duplicates = c->encoder.duplicates;
    c->words.start_ns = c->env.catalog->start_ns;
    wire_capture_last_words_put(slot, &c->words);
    wire_put32(slot + WIRE_CAPTURE_SLOT_CRC_AT, crc32c(0, slot, WIRE_CAPTURE_SLOT_CRC_AT));
}

int capture_write_last_words_block(struct capture *c)
{
    uint8_t slot[WIRE_CAPTURE_SLOT_BYTES];
    uint64_t fitted, at = c->env.out->bytes + WIRE_CAPTURE_FRAME_BYTES;
    begin_frame(c);
    c->words.generation += c->words.generation % 2; /* odd ones go to the first slot */
    for (unsigned i = 0; i < 2; i++) {
        make_slot(c, slot);
        buf_put(&c->chunk, slot, sizeof slot);
    }
    if (c->chunk.failed)
        return ORIEL_ENOMEM;
    finish_frame(c, (struct wire_capture_frame){.type = WIRE_CAPTURE_LAST_WORDS,
                                                .flags = WIRE_CAPTURE_IN_PLACE,
                                                .raw_bytes = WIRE_CAPTURE_LAST_WORDS_BYTES});
    int rc = write_whole(c, &fitted);
    if (rc == 0 && out_can_seek(c->env.out))
        c->words_at = at;
    return rc;
}

void capture_update_last_words(struct capture *c)
{
    uint8_t slot[WIRE_CAPTURE_SLOT_BYTES];
    if (c->words_at == UINT64_MAX)
        return;
    make_slot(c, slot);
    /* The other slot stays good if this write is torn. */
    uint64_t at = c->words_at + (c->words.generation + 1) % 2 * WIRE_CAPTURE_SLOT_BYTES;
    out_write_at(c->env.out, at, slot, sizeof slot);
}

void capture_lose(struct capture *c, int rc, uint64_t said, uint64_t seen)
{
    static const struct {
        int code;
        enum wire_capture_unwritten cause;
        const char *remedy;
    } causes[] = {
        {ORIEL_ENOSPC, WIRE_CAPTURE_NO_SPACE, "free some space or write elsewhere with -o"},
        {ORIEL_ENOMEM, WIRE_CAPTURE_NO_MEMORY, "free some memory"},
        {0, WIRE_CAPTURE_IO_ERROR, "look at the file system"},
    };
    unsigned i = 0;
    while (causes[i].code && causes[i].code != rc)
        i++;
    c->words.unwritten[causes[i].cause] += said;
    c->words.unwritten_seen += seen;
    c->lost_here += said + seen;
    c->seen_here += seen;
    uint64_t total = c->words.unwritten_seen;
    for (unsigned k = 0; k < WIRE_CAPTURE_CAUSES; k++)
        total += c->words.unwritten[k];
    err_set(&c->loss, rc, "%s: %s: %llu records not written so far: %s",
            c->env.out->path[0] ? c->env.out->path : "capture", err_text(rc),
            (unsigned long long)total, causes[i].remedy);
}

void capture_begin_chunk(struct capture *c)
{
    begin_frame(c);
}

int capture_end_chunk(struct capture *c, uint8_t type, uint32_t raw_bytes)
{
    uint64_t fitted;
    if (c->chunk.failed)
        return ORIEL_ENOMEM;
    if (raw_bytes > WIRE_CAPTURE_RAW_MAX || c->chunk.size > WIRE_CAPTURE_RAW_MAX)
        return ORIEL_ELIMIT;
    finish_frame(c, (struct wire_capture_frame){.type = type, .raw_bytes = raw_bytes});
    return write_whole(c, &fitted);
}

/* ---- records ---- */

/* Append a section to the chunk, compressed where that helps. */
static void put_section(struct capture *c, unsigned section, const void *bytes, size_t n,
                        struct wire_capture_dir *dir)
{
    dir->raw[section] = dir->stored[section] = (uint32_t)n;
    bool rest = section == WIRE_CAPTURE_REST;
    bool numbers = c->options.level == 1 &&
                   (rest || section == WIRE_CAPTURE_OPS || section == WIRE_CAPTURE_TIMES);
    if (c->zip && n >= COMPRESS_MIN && !(rest && c->rest_pause)) {
        size_t before = c->chunk.size;
        bool failed = c->chunk.failed;
        int rc = numbers ? zip_compress_numbers(c->zip, bytes, n, &c->chunk)
                         : zip_compress(c->zip, bytes, n, &c->chunk);
        size_t packed = c->chunk.size - before;
        if (rc == 0 && packed < n - n / 32) {
            dir->stored[section] = (uint32_t)packed;
            return;
        }
        c->chunk.size = before; /* not worth it, or no memory for it: store plainly */
        c->chunk.failed = failed;
        if (rest && n >= 1024)
            c->rest_pause = REST_PAUSE + 1;
    }
    buf_put(&c->chunk, bytes, n);
}

/* The chunk of what the encoder holds up to `cut` into c->chunk. */
static int make_chunk(struct capture *c, const struct encode_mark *cut, bool final)
{
    struct encoder *e = &c->encoder;
    struct wire_capture_dir dir;
    uint8_t directory[WIRE_CAPTURE_DIR_BYTES] = {0};
    uint64_t raw = 0;
    int rc = encoder_tables(e, cut, final, c->words.unwritten, &c->tables);
    if (rc < 0)
        return rc;
    begin_frame(c);
    buf_put(&c->chunk, directory, sizeof directory);
    put_section(c, WIRE_CAPTURE_TABLES, c->tables.data, c->tables.size, &dir);
    for (unsigned i = WIRE_CAPTURE_OPS; i < WIRE_CAPTURE_SECTIONS; i++)
        put_section(c, i, e->start[i], cut->used[i], &dir);
    if (c->chunk.failed)
        return ORIEL_ENOMEM;
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++)
        raw += dir.raw[i];
    if (raw > WIRE_CAPTURE_RAW_MAX)
        return ORIEL_ELIMIT;
    wire_capture_dir_put((uint8_t *)c->chunk.data + WIRE_CAPTURE_FRAME_BYTES, &dir);
    finish_frame(c, (struct wire_capture_frame){.type = WIRE_CAPTURE_RECORDS,
                                                .flags = final ? WIRE_CAPTURE_FINAL : 0,
                                                .raw_bytes = (uint32_t)raw,
                                                .records = cut->records,
                                                .watermark_ns = e->watermark_first});
    return 0;
}

/* Make the largest chunk of at most `limit` bytes. Sizes grow with the number
 * of records, nearly; so does the search. 0; ORIEL_ENOSPC: none is that small. */
static int make_fitting(struct capture *c, uint64_t limit, struct encode_mark *out)
{
    struct encoder *e = &c->encoder;
    size_t low = 0, high = e->marks.count; /* the marks below `low` fit */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int rc = make_chunk(c, &e->marks.items[middle], false);
        if (rc < 0)
            return rc;
        if (c->chunk.size <= limit)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return ORIEL_ENOSPC;
    *out = e->marks.items[low - 1];
    int rc = make_chunk(c, out, false);
    return rc == 0 && c->chunk.size > limit ? ORIEL_ENOSPC : rc;
}

/* A whole chunk did not fit: write the part that does. True: up to *out. */
static bool write_part(struct capture *c, uint64_t fitted, struct encode_mark *out)
{
    struct encode_mark cut;
    uint64_t limit = fitted ? fitted : c->chunk.size / 2;
    if (fitted == 0 && c->full)
        return false; /* known to be full; do not search in vain every time */
    while (limit >= CHUNK_LEAST && make_fitting(c, limit, &cut) == 0) {
        if (write_whole(c, &fitted) == 0) {
            *out = cut;
            return true;
        }
        limit = fitted && fitted < limit ? fitted : limit / 2;
    }
    return false;
}

static void repeat_schema(struct capture *c)
{
    if (c->env.out->bytes - c->schema_at >= c->options.schema_bytes ||
        c->resources_told != c->env.catalog->resource_count)
        capture_write_schema(c); /* one that fails is tried again later */
}

int capture_write_records(struct capture *c, bool final)
{
    struct encoder *e = &c->encoder;
    struct encode_mark end, written = {0};
    uint64_t fitted = 0;
    repeat_schema(c);
    encoder_end(e, &end);
    if (c->rest_pause)
        c->rest_pause--;
    int rc = make_chunk(c, &end, final);
    if (rc == 0) {
        rc = write_whole(c, &fitted);
        if (rc == 0) {
            written = end;
            c->loss_changes = c->env.catalog->loss_changes;
        } else if (rc == ORIEL_ENOSPC) {
            (void)write_part(c, fitted, &written);
        }
        c->full = rc == ORIEL_ENOSPC;
    }
    c->records += written.records;
    if (e->last_ns > c->words.end_ns)
        c->words.end_ns = e->last_ns;
    if (rc < 0) {
        encoder_forget_told(e);
        uint32_t said = end.by_origin[MODEL_SAID] - written.by_origin[MODEL_SAID];
        uint32_t seen = end.by_origin[MODEL_SEEN] - written.by_origin[MODEL_SEEN];
        assert(said + seen <= end.records);
        if (said + seen)
            capture_lose(c, rc, said, seen);
        else
            rc = 0; /* the ring's own notes between do not count */
    }
    encoder_reset(e);
    return rc;
}
