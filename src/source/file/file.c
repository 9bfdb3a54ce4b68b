/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads a capture, finished, torn, damaged or still growing. Only whole chunks
 * with good checksums are looked into; after damage the next magic is searched
 * for, and the numbering in the frames tells how many records are missing.
 * Reads with pread: a file cut under our feet is an end, not a signal.
 */
#include "source/file/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "util/crc32c.h"
#include "util/left_out.h"

enum {
    SCAN_BYTES = 64 << 10,
    FIRST_SCAN_BYTES = 64 << 20, /* how far to look for a first good chunk */
    MAGIC_BYTES = 8,
    TAKEN = 1
};

/* ---- bytes ---- */

static void look_at_size(struct file_source *s)
{
    struct stat st;
    if (s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_size >= 0)
        s->size = (uint64_t)st.st_size;
}

/* Up to n bytes at `at`; fewer only at the end of the file. */
static int read_at(struct file_source *s, uint64_t at, void *out, size_t n, size_t *out_read)
{
    size_t got = 0;
    if (s->fd < 0) {
        uint64_t left = at < s->size ? s->size - at : 0;
        got = n < left ? n : (size_t)left;
        if (got)
            memcpy(out, s->memory + at, got);
    }
    while (s->fd >= 0 && got < n) {
        ssize_t one = pread(s->fd, (char *)out + got, n - got, (off_t)(at + got));
        if (one > 0)
            got += (size_t)one;
        else if (one == 0)
            break;
        else if (errno != EINTR)
            return ORIEL_EIO;
    }
    *out_read = got;
    return 0;
}

/* Exactly n bytes. 0, ORIEL_EDAMAGED (the file ends before), ORIEL_EIO. */
static int read_exactly(struct file_source *s, uint64_t at, void *out, size_t n)
{
    size_t got;
    int rc = read_at(s, at, out, n, &got);
    return rc == 0 && got != n ? ORIEL_EDAMAGED : rc;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void note_damage(struct file_source *s, uint64_t at, uint64_t records, uint64_t bytes)
{
    if (s->damage.first_offset == UINT64_MAX)
        s->damage.first_offset = at;
    s->damage.records = add_up(s->damage.records, records);
    s->damage.bytes_skipped = add_up(s->damage.bytes_skipped, bytes);
}

/* ---- chunks ---- */

/* The frame at `at`. 0; ORIEL_EDAMAGED; ORIEL_EVERSION; ORIEL_EIO. */
static int read_frame(struct file_source *s, uint64_t at, struct wire_capture_frame *out)
{
    uint8_t head[WIRE_CAPTURE_FRAME_BYTES];
    int rc = read_exactly(s, at, head, sizeof head);
    if (rc < 0)
        return rc;
    if (crc32c(0, head, WIRE_CAPTURE_FRAME_CRC_AT) != wire_get32(head + WIRE_CAPTURE_FRAME_CRC_AT))
        return ORIEL_EDAMAGED;
    rc = wire_capture_frame_get(head, out);
    return rc == ORIEL_EFORMAT ? ORIEL_EDAMAGED : rc;
}

/* The first good frame from `from` on, but not beyond `limit`.
 * 0; ORIEL_ENOTFOUND, with *out where a search must go on when the file grows;
 * ORIEL_ENOMEM; ORIEL_EIO. */
static int find_frame(struct file_source *s, uint64_t from, uint64_t limit, uint64_t *out)
{
    struct wire_capture_frame f;
    size_t got = SCAN_BYTES;
    uint64_t at = from;
    char *window = buf_reserve(&s->window, SCAN_BYTES);
    if (!window)
        return ORIEL_ENOMEM;
    while (at < limit && got == SCAN_BYTES) {
        int rc = read_at(s, at, window, SCAN_BYTES, &got);
        if (rc < 0)
            return rc;
        const char *p = window, *end = window + got;
        while ((p = memmem(p, (size_t)(end - p), WIRE_CAPTURE_MAGIC, MAGIC_BYTES))) {
            *out = at + (uint64_t)(p - window);
            if (read_frame(s, *out, &f) == 0)
                return 0;
            p++;
        }
        at += got > MAGIC_BYTES ? got - (MAGIC_BYTES - 1) : 0;
    }
    *out = at > from ? at : from;
    return ORIEL_ENOTFOUND;
}

static int skip_to_next(struct file_source *s)
{
    uint64_t at = s->at, next = s->at;
    int rc = find_frame(s, at + 1, UINT64_MAX, &next);
    if (rc < 0 && rc != ORIEL_ENOTFOUND)
        return rc;
    note_damage(s, at, 0, next - at);
    s->at = next;
    return rc == ORIEL_ENOTFOUND ? 0 : TAKEN;
}

static int read_payload(struct file_source *s, const struct wire_capture_frame *f)
{
    buf_clear(&s->payload);
    char *p = buf_reserve(&s->payload, (size_t)f->stored_bytes + 1);
    if (!p)
        return ORIEL_ENOMEM;
    int rc = read_exactly(s, s->at + WIRE_CAPTURE_FRAME_BYTES, p, f->stored_bytes);
    if (rc == 0 && !(f->flags & WIRE_CAPTURE_IN_PLACE) &&
        crc32c(0, p, f->stored_bytes) != f->payload_crc)
        rc = ORIEL_EDAMAGED;
    s->payload.size = f->stored_bytes;
    return rc;
}

static int take_chunk(struct file_source *s, const struct wire_capture_frame *f)
{
    const uint8_t *p = (const uint8_t *)s->payload.data;
    int rc = 0;
    if (f->type == WIRE_CAPTURE_SCHEMA) {
        rc = decoder_schema(&s->decoder, p, f->stored_bytes, !s->schema_seen);
        s->schema_seen |= rc == 0;
    } else if (f->type == WIRE_CAPTURE_LAST_WORDS) {
        if (f->stored_bytes == WIRE_CAPTURE_LAST_WORDS_BYTES)
            s->words_at = s->at + WIRE_CAPTURE_FRAME_BYTES;
    } else if (f->type == WIRE_CAPTURE_RECORDS) {
        rc = decoder_begin(&s->decoder, s->zip, f, p);
        s->decoding = rc == 0;
        s->chunk_at = s->at;
    } else if (f->type == WIRE_CAPTURE_SYMBOLS) {
        rc = decoder_symbols(&s->decoder, s->zip, f, p);
    } /* else: of a later Oriel, to be skipped */
    return rc;
}

/* One whole chunk. TAKEN; 0: none is there (yet); or ORIEL_ENOMEM, ORIEL_EIO. */
static int next_chunk(struct file_source *s)
{
    struct wire_capture_frame f;
    if (s->at + WIRE_CAPTURE_FRAME_BYTES > s->size)
        look_at_size(s);
    if (s->at + WIRE_CAPTURE_FRAME_BYTES > s->size)
        return 0;
    int rc = read_frame(s, s->at, &f);
    if (rc == ORIEL_EDAMAGED || rc == ORIEL_EVERSION)
        return skip_to_next(s);
    if (rc < 0)
        return rc;
    uint64_t whole = WIRE_CAPTURE_FRAME_BYTES + (uint64_t)f.stored_bytes;
    if (whole > s->size - s->at)
        look_at_size(s);
    if (s->size < s->at || whole > s->size - s->at)
        return 0;
    rc = read_payload(s, &f);
    if (rc == 0)
        rc = take_chunk(s, &f);
    if (rc == ORIEL_ENOMEM || rc == ORIEL_EIO)
        return rc;
    if (f.records_before > s->expected)
        note_damage(s, s->at, f.records_before - s->expected, 0);
    if (add_up(f.records_before, f.records) > s->expected)
        s->expected = add_up(f.records_before, f.records);
    if (f.seq >= s->next_seq && f.seq < UINT64_MAX)
        s->next_seq = f.seq + 1;
    if (rc < 0)
        note_damage(s, s->at, f.records, whole);
    else
        s->damage.chunks_read++;
    s->at += whole;
    return TAKEN;
}

/* ---- the end ---- */

static void read_last_words(struct file_source *s)
{
    uint8_t slots[WIRE_CAPTURE_LAST_WORDS_BYTES];
    if (s->words_at == UINT64_MAX || read_exactly(s, s->words_at, slots, sizeof slots) < 0)
        return;
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *slot = slots + (size_t)i * WIRE_CAPTURE_SLOT_BYTES;
        struct wire_capture_last_words w;
        if (crc32c(0, slot, WIRE_CAPTURE_SLOT_CRC_AT) !=
            wire_get32(slot + WIRE_CAPTURE_SLOT_CRC_AT))
            continue;
        wire_capture_last_words_get(slot, &w);
        if (w.generation >= s->words.generation)
            s->words = w;
    }
}

/* Losses that the last words know of and no chunk told belong to nobody. */
static void settle_losses(struct file_source *s)
{
    struct model_catalog *c = s->catalog;
    for (unsigned cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
        uint64_t told = c->lost[cause];
        for (uint32_t i = 0; i < c->thread_count; i++)
            told = add_up(told, c->threads[i]->lost[cause]);
        if (s->words.lost[cause] > told)
            c->lost[cause] = add_up(c->lost[cause], s->words.lost[cause] - told);
    }
}

static uint64_t unwritten(const struct file_source *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < WIRE_CAPTURE_CAUSES; i++)
        n = add_up(n, s->words.unwritten[i]);
    return n > s->decoder.unwritten ? n : s->decoder.unwritten;
}

/* No further chunk is there. Says what the file should have held; all of it
 * may be said again when the file has grown. */
static void settle(struct file_source *s)
{
    settle_losses(s);
    s->damage.truncated = s->at < s->size || s->words.chunks > s->next_seq;
    if (s->words.records > s->expected) {
        note_damage(s, s->at, s->words.records - s->expected, 0);
        s->expected = s->words.records;
        s->damage.truncated = true;
    }
}

/* ---- the source ---- */

static void file_close(void *state)
{
    struct file_source *s = state;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    zip_free(s->zip);
    s->zip = NULL;
    buf_done(&s->payload);
    buf_done(&s->window);
    decoder_done(&s->decoder);
}

static int prepare(struct file_source *s, struct model_catalog *catalog)
{
    assert(catalog);
    s->catalog = catalog;
    s->words_at = UINT64_MAX;
    s->damage.first_offset = UINT64_MAX;
    buf_init(&s->payload);
    buf_init(&s->window);
    uint64_t budget =
        FILE_BUDGET_BYTES + (s->size < UINT64_MAX / 32 ? s->size : 0) * FILE_BUDGET_PER_BYTE;
    decoder_init(&s->decoder, catalog, budget);
    return zip_new(&s->zip, 1);
}

/* Nothing can be read: say why in one line. */
static int refuse(const struct file_source *s, int rc, const uint8_t *head, size_t n,
                  struct oriel_err *err)
{
    size_t magic = n < MAGIC_BYTES - 1 ? n : MAGIC_BYTES - 1;
    if (rc == ORIEL_ENOMEM || rc == ORIEL_EIO)
        return err_set(err, rc, "%s: %s at byte %llu", s->path, err_text(rc),
                       (unsigned long long)s->at);
    if (s->size == 0)
        return err_set(err, ORIEL_EFORMAT,
                       "%s: empty at byte 0: nothing was recorded, record again", s->path);
    if (memcmp(head, WIRE_CAPTURE_MAGIC, magic) != 0) {
        const char *gone = left_out_first("SOURCE"); /* who might have known it */
        return err_set(err, ORIEL_EFORMAT,
                       "%s: not an Oriel capture at byte 0: give a file made by `oriel record`%s%s",
                       s->path, gone ? ", or take a build that was not made without " : "",
                       gone ? gone : "");
    }
    if (n >= MAGIC_BYTES && head[MAGIC_BYTES - 1] != WIRE_CAPTURE_VERSION)
        return err_set(err, ORIEL_EVERSION,
                       "%s: capture format %u at byte 7, this Oriel reads %u: use the Oriel that "
                       "recorded it",
                       s->path, head[MAGIC_BYTES - 1], WIRE_CAPTURE_VERSION);
    return err_set(err, ORIEL_EDAMAGED,
                   "%s: cut off or damaged at byte %llu, before the first whole chunk: nothing can "
                   "be read, record again",
                   s->path, (unsigned long long)(n < WIRE_CAPTURE_FRAME_BYTES ? n : s->at));
}

/* Find the first chunk and read up to the first records, so that the catalog
 * knows what the recording is. */
static int begin(struct file_source *s, struct oriel_err *err)
{
    uint8_t head[WIRE_CAPTURE_FRAME_BYTES] = {0};
    struct wire_capture_frame f;
    size_t n = 0;
    int rc = read_at(s, 0, head, sizeof head, &n);
    /* One that is being begun is short now and whole a moment later: no damage. */
    bool is_short = rc == 0 && n < sizeof head;
    if (rc == 0)
        rc = is_short ? ORIEL_EDAMAGED : read_frame(s, 0, &f);
    if (!is_short && (rc == ORIEL_EDAMAGED || rc == ORIEL_EVERSION)) {
        uint64_t first = 0;
        rc = find_frame(s, 1, FIRST_SCAN_BYTES, &first);
        if (rc == 0) {
            note_damage(s, 0, 0, first);
            s->at = first;
        }
    }
    while (rc == 0 && !s->decoding) {
        rc = next_chunk(s);
        if (rc == 0)
            break;
        rc = rc == TAKEN ? 0 : rc;
    }
    if (rc == 0 && s->damage.chunks_read == 0)
        rc = ORIEL_EDAMAGED;
    if (rc < 0)
        return refuse(s, rc, head, n, err);
    read_last_words(s);
    return 0;
}

int file_source_open_memory(struct file_source *s, const void *bytes, size_t n,
                            struct model_catalog *catalog, struct oriel_err *err)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->memory = bytes;
    s->size = n;
    memcpy(s->path, "memory", 7);
    int rc = prepare(s, catalog);
    if (rc == 0)
        rc = begin(s, err);
    if (rc < 0)
        file_close(s);
    return rc;
}

static int open_fd(struct file_source *s, int fd, const char *path, struct model_catalog *catalog,
                   struct oriel_err *err)
{
    struct stat st;
    size_t n = strnlen(path, sizeof s->path - 1);
    memset(s, 0, sizeof *s);
    memcpy(s->path, path, n);
    s->fd = fd;
    int rc = fstat(s->fd, &st) != 0 ? err_set_errno(err, errno, "%s: cannot be read", path)
             : !S_ISREG(st.st_mode)
                 ? err_set(err, ORIEL_EFORMAT,
                           "%s: not a file: give a capture made by `oriel record`", path)
                 : 0;
    if (rc == 0) {
        s->size = (uint64_t)st.st_size;
        rc = prepare(s, catalog);
        rc = rc < 0 ? err_set(err, rc, "%s: %s", path, err_text(rc)) : begin(s, err);
    }
    if (rc < 0)
        file_close(s);
    return rc;
}

static int file_open(void *state, const char *path, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, errno, "%s: cannot be opened", path);
    return open_fd(state, fd, path, catalog, err);
}

static int file_open_with(void *state, const void *options, struct model_catalog *catalog,
                          struct oriel_err *err)
{
    const struct file_options *o = options;
    return open_fd(state, o->fd, o->path, catalog, err);
}

/* What is left of the current chunk, as far as the batch takes it. */
static int decode(struct file_source *s, struct model_batch *batch, size_t max_records)
{
    int rc = decoder_next(&s->decoder, batch, max_records);
    s->watermark_ns = s->decoder.watermark_ns;
    if (rc > 0)
        return 0;
    s->decoding = false;
    if (rc < 0)
        note_damage(s, s->chunk_at, s->decoder.records_left, 0);
    if (rc == ORIEL_EDAMAGED) {
        s->damage.chunks_read--;
        rc = 0;
    }
    return rc;
}

/* Records until the batch is full or no whole chunk is left. */
static int fill(struct file_source *s, struct model_batch *batch, size_t max_records)
{
    while (!decoder_is_enough(&s->decoder, batch, max_records)) {
        bool between = !s->decoding;
        int rc = between ? next_chunk(s) : decode(s, batch, max_records);
        if (rc < 0 || (between && rc == 0))
            return rc;
    }
    return 0;
}

static int file_poll(void *state, struct model_batch *batch, size_t max_records,
                     struct oriel_err *err)
{
    struct file_source *s = state;
    assert(batch && max_records > 0);
    decoder_new_batch(&s->decoder);
    int rc = fill(s, batch, max_records);
    batch->watermark_ns = s->watermark_ns;
    if (rc < 0 && batch->record_count == 0)
        return err_set(err, rc, "%s: %s at byte %llu", s->path, err_text(rc),
                       (unsigned long long)s->at);
    if (batch->record_count)
        return SOURCE_DATA;
    /* The last words first: what they tell of was in the file before them. */
    uint64_t size = s->size;
    read_last_words(s);
    look_at_size(s);
    if (s->size != size && (rc = fill(s, batch, max_records)) == 0 && batch->record_count) {
        batch->watermark_ns = s->watermark_ns;
        return SOURCE_DATA;
    }
    settle(s);
    if (s->follow && !s->words.closed)
        return SOURCE_IDLE;
    batch->last = true;
    return SOURCE_END;
}

static void file_damage(const void *state, struct source_damage *out)
{
    const struct file_source *s = state;
    *out = s->damage;
    out->chunks = s->next_seq > s->words.chunks ? s->next_seq : s->words.chunks;
    if (out->chunks < out->chunks_read) /* numbered twice: not by us */
        out->chunks = out->chunks_read;
    out->records = add_up(out->records, s->words.damaged);
    out->unwritten = unwritten(s);
    out->unwritten_seen = s->words.unwritten_seen;
}

static bool file_recognizes(const uint8_t *head, size_t n)
{
    return n >= MAGIC_BYTES - 1 && memcmp(head, WIRE_CAPTURE_MAGIC, MAGIC_BYTES - 1) == 0;
}

const struct source source_file = {
    .name = "file",
    .recognizes = file_recognizes,
    .state_size = sizeof(struct file_source),
    .open = file_open,
    .open_with = file_open_with,
    .poll = file_poll,
    .damage = file_damage,
    .close = file_close,
};
