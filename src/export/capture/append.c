/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Taking up a file that a recorder left: what its good chunks cover, so that
 * nothing is written twice, and where they end. The file may be damaged; what
 * cannot be read counts as not there. One thread at a time.
 */
#include "export/capture/capture.h"

#include <assert.h>

#include "base/err.h"
#include "util/crc32c.h"

enum { SCAN_BYTES = 64 << 10, MAGIC_BYTES = 8 };

struct scan {
    struct capture *c;
    struct out *out;
    uint64_t at, good_end;
    struct buf payload, window;
    bool schema, other_session, other_version;
};

/* Exactly n bytes at `at`; ORIEL_EDAMAGED when the file ends before. */
static int read_exactly(struct scan *s, uint64_t at, void *out, size_t n)
{
    size_t got = 0;
    int rc = out_read_at(s->out, at, out, n, &got);
    if (rc == 0 && got != n)
        return ORIEL_EDAMAGED;
    return rc;
}

/* The frame at s->at and its payload; ORIEL_EDAMAGED when either is not good. */
static int read_chunk(struct scan *s, struct wire_capture_frame *f)
{
    uint8_t head[WIRE_CAPTURE_FRAME_BYTES];
    int rc = read_exactly(s, s->at, head, sizeof head);
    if (rc < 0)
        return rc;
    if (crc32c(0, head, WIRE_CAPTURE_FRAME_CRC_AT) != wire_get32(head + WIRE_CAPTURE_FRAME_CRC_AT))
        return ORIEL_EDAMAGED;
    rc = wire_capture_frame_get(head, f);
    s->other_version |= rc == ORIEL_EVERSION;
    if (rc < 0 || f->stored_bytes > s->out->bytes - s->at - sizeof head)
        return ORIEL_EDAMAGED;
    buf_clear(&s->payload);
    char *p = buf_reserve(&s->payload, f->stored_bytes + 1);
    if (!p)
        return ORIEL_ENOMEM;
    rc = read_exactly(s, s->at + sizeof head, p, f->stored_bytes);
    s->payload.size = f->stored_bytes;
    if (rc == 0 && !(f->flags & WIRE_CAPTURE_IN_PLACE) &&
        crc32c(0, p, f->stored_bytes) != f->payload_crc)
        rc = ORIEL_EDAMAGED;
    return rc;
}

/* Where the next magic begins, the end of the file if nowhere. */
static int find_magic(struct scan *s, uint64_t from, uint64_t *out)
{
    char *window = buf_reserve(&s->window, SCAN_BYTES);
    size_t got = 0;
    if (!window)
        return ORIEL_ENOMEM;
    for (uint64_t at = from; at < s->out->bytes; at += SCAN_BYTES - (MAGIC_BYTES - 1)) {
        int rc = out_read_at(s->out, at, window, SCAN_BYTES, &got);
        if (rc < 0)
            return rc;
        const char *found =
            got < MAGIC_BYTES ? NULL : memmem(window, got, WIRE_CAPTURE_MAGIC, MAGIC_BYTES);
        if (found) {
            *out = at + (uint64_t)(found - window);
            return 0;
        }
        if (got < SCAN_BYTES)
            break;
    }
    *out = s->out->bytes;
    return 0;
}

/* Which positions of which streams a records chunk holds. */
static int take_coverage(struct scan *s, const struct wire_capture_frame *f)
{
    struct capture *c = s->c;
    struct wire_capture_dir dir;
    const uint8_t *payload = (const uint8_t *)s->payload.data;
    int rc = wire_capture_dir_get(payload, f->stored_bytes, f->raw_bytes, &dir);
    if (rc < 0)
        return ORIEL_EDAMAGED;
    const uint8_t *tables = payload + WIRE_CAPTURE_DIR_BYTES;
    struct wire_cursor at = {tables, tables + dir.stored[WIRE_CAPTURE_TABLES], false};
    uint32_t raw = dir.raw[WIRE_CAPTURE_TABLES];
    if (dir.stored[WIRE_CAPTURE_TABLES] != raw) {
        buf_clear(&c->tables);
        rc = zip_decompress(c->zip, tables, dir.stored[WIRE_CAPTURE_TABLES], raw, &c->tables);
        if (rc < 0)
            return rc == ORIEL_ENOMEM ? rc : ORIEL_EDAMAGED;
        tables = (const uint8_t *)c->tables.data;
        at = (struct wire_cursor){tables, tables + c->tables.size, false};
    }
    uint64_t streams = wire_number_get(&at);
    for (uint64_t i = 0; i < streams && !at.failed; i++) {
        uint64_t serial = wire_number_get(&at);
        wire_number_get(&at); /* thread */
        uint64_t end = wire_number_get(&at);
        end += wire_number_get(&at);
        wire_bytes_get(&at, 16);
        if (!at.failed && encoder_cover(&c->encoder, (uint32_t)serial, end) < 0)
            return ORIEL_ENOMEM;
    }
    return at.failed ? ORIEL_EDAMAGED : 0;
}

static void take_last_words(struct scan *s)
{
    struct capture *c = s->c;
    const uint8_t *slot = (const uint8_t *)s->payload.data;
    for (unsigned i = 0; i < 2; i++, slot += WIRE_CAPTURE_SLOT_BYTES) {
        struct wire_capture_last_words w;
        if (crc32c(0, slot, WIRE_CAPTURE_SLOT_CRC_AT) !=
            wire_get32(slot + WIRE_CAPTURE_SLOT_CRC_AT))
            continue;
        wire_capture_last_words_get(slot, &w);
        if (w.generation > c->words.generation)
            c->words = w;
    }
    c->words_at = s->at + WIRE_CAPTURE_FRAME_BYTES;
}

/* Version, Oriel's version, session id: only the last matters here. */
static void take_schema(struct scan *s)
{
    const uint8_t *p = (const uint8_t *)s->payload.data;
    struct wire_cursor at = {p, p + s->payload.size, false};
    const uint8_t *ours = s->c->env.catalog->session_id;
    static const uint8_t none[16];
    wire_number_get(&at);
    wire_bytes_get(&at, wire_number_get(&at));
    const uint8_t *id = wire_bytes_get(&at, sizeof none);
    s->schema = true;
    if (id && memcmp(ours, none, sizeof none) != 0 && memcmp(id, ours, sizeof none) != 0)
        s->other_session = true;
}

static int take_chunk(struct scan *s, const struct wire_capture_frame *f)
{
    struct capture *c = s->c;
    int rc = 0;
    if (f->type == WIRE_CAPTURE_SCHEMA)
        take_schema(s);
    else if (f->type == WIRE_CAPTURE_LAST_WORDS && f->stored_bytes == WIRE_CAPTURE_LAST_WORDS_BYTES)
        take_last_words(s);
    else if (f->type == WIRE_CAPTURE_RECORDS)
        rc = take_coverage(s, f);
    if (rc < 0)
        return rc;
    c->seq = f->seq + 1;
    c->records = f->records_before + f->records;
    s->at += WIRE_CAPTURE_FRAME_BYTES + f->stored_bytes;
    s->good_end = s->at;
    return 0;
}

static int scan_file(struct scan *s)
{
    while (s->at < s->out->bytes) {
        struct wire_capture_frame f;
        int rc = read_chunk(s, &f);
        if (rc == 0)
            rc = take_chunk(s, &f);
        if (rc == ORIEL_EDAMAGED)
            rc = find_magic(s, s->at + 1, &s->at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int judge(const struct scan *s, int rc, struct oriel_err *err)
{
    const char *path = s->out->path;
    if (rc < 0)
        return err_set(err, rc, "%s: at byte %llu: %s", path, (unsigned long long)s->at,
                       err_text(rc));
    if (s->other_session)
        return err_set(err, ORIEL_EINVAL,
                       "%s: holds another recording: nothing was changed; choose another file",
                       path);
    if (s->other_version)
        return err_set(err, ORIEL_EVERSION,
                       "%s: written by another version of Oriel (format %u expected at byte 7): "
                       "choose another file",
                       path, WIRE_CAPTURE_VERSION);
    if (!s->good_end)
        return err_set(err, ORIEL_EFORMAT,
                       "%s: not an Oriel capture (no chunk found from byte 0): choose another file",
                       path);
    return 0;
}

int capture_append(struct capture *c, struct oriel_err *err)
{
    struct scan s = {.c = c, .out = c->env.out};
    struct zip *own = NULL;
    if (!out_can_seek(s.out))
        return err_set(err, ORIEL_EUNSUPPORTED, "%s: only a file can be appended to", s.out->path);
    if (!c->zip) { /* we write plainly, but what is there may be compressed */
        if (zip_new(&own, 1) < 0)
            return err_set(err, ORIEL_ENOMEM, "%s: %s", s.out->path, err_text(ORIEL_ENOMEM));
        c->zip = own;
    }
    buf_init(&s.payload);
    buf_init(&s.window);
    int rc = judge(&s, scan_file(&s), err);
    if (rc == 0 && s.good_end < s.out->bytes) {
        rc = out_truncate(s.out, s.good_end);
        if (rc < 0)
            err_set(err, rc, "%s: the torn end at byte %llu cannot be cut off: %s", s.out->path,
                    (unsigned long long)s.good_end, err_text(rc));
    }
    c->words.closed = 0;
    c->words.chunks = c->seq;
    c->schema_at = s.good_end;
    c->resources_told = c->env.catalog->resource_count;
    if (!s.schema)
        c->schema_at = 0, c->resources_told = UINT32_MAX; /* write one at once */
    buf_done(&s.payload);
    buf_done(&s.window);
    if (own) {
        zip_free(own);
        c->zip = NULL;
    }
    return rc;
}
