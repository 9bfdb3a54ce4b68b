/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The source of OTLP files: requests in JSON, one a line (what the Collector's file
 * exporter and `oriel export --to otlp` write), one JSON document, or one message in
 * protobuf. Runs in a confined child. A line that is no request is counted and passed
 * over. One thread.
 */
#include "source/otlp/file.h"

#include <assert.h>
#include <string.h>

/* ---- what is it? ---- */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The signal of a request in JSON by the first of its keys that says so. */
static bool json_signal(const char *p, const char *end, enum otlp_signal *out)
{
    static const char *const keys[OTLP_SIGNALS] = {"\"resourceSpans\"", "\"resourceLogs\"",
                                                   "\"resourceMetrics\""};
    p = skip_space(p, end);
    if (p == end || *p != '{')
        return false;
    p = skip_space(p + 1, end);
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        size_t n = strlen(keys[i]);
        if ((size_t)(end - p) >= n && memcmp(p, keys[i], n) == 0) {
            *out = (enum otlp_signal)i;
            return true;
        }
    }
    return false;
}

/* A length-delimited field: true if its tag is there; *p is at its content. */
static bool enter(const uint8_t **p, const uint8_t *end, uint8_t tag, uint64_t *out_n)
{
    const uint8_t *at = *p;
    uint64_t n = 0;
    if (at == end || *at++ != tag)
        return false;
    for (unsigned shift = 0; at < end && shift < 63; shift += 7) {
        n |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at++ & 0x80)) {
            *p = at;
            *out_n = n;
            return true;
        }
    }
    return false;
}

/* Past a resource or scope, if there is one, into what it is of. */
static bool enter_behind(const uint8_t **p, const uint8_t *end)
{
    uint64_t n;
    if (enter(p, end, 0x0a, &n)) {
        if (n > (uint64_t)(end - *p))
            return false;
        *p += n;
    }
    return enter(p, end, 0x12, &n);
}

/* A span begins with its trace id, a log record with a time. */
static bool pb_signal(const uint8_t *p, const uint8_t *end, enum otlp_signal *out)
{
    uint64_t n;
    if (!enter(&p, end, 0x0a, &n) || !enter_behind(&p, end) || !enter_behind(&p, end) ||
        end - p < 2)
        return false;
    *out = *p == 0x0a ? OTLP_TRACES : OTLP_LOGS;
    return *p == 0x0a ? p[1] == 16 : *p == 0x09 || *p == 0x59;
}

static bool otlp_recognizes(const uint8_t *head, size_t n)
{
    enum otlp_signal signal;
    return json_signal((const char *)head, (const char *)head + n, &signal) ||
           pb_signal(head, head + n, &signal);
}

/* ---- requests ---- */

/* When what it tells began and when it was over. */
static void times_of(struct pb_reader r, unsigned depth, uint64_t *least, uint64_t *most)
{
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (depth < 2 && f.wire == PB_BYTES && f.number == 2)
            times_of(pb_read_nested(&f), depth + 1, least, most);
        else if (depth == 2 && f.wire == PB_FIXED64 && f.value) {
            *least = f.value < *least ? f.value : *least;
            *most = f.value > *most ? f.value : *most;
        }
    }
}

static int begin_request(struct otlp_file *s, enum otlp_signal signal, const void *bytes, size_t n)
{
    struct oriel_err err = {0};
    int rc = otlp_check(signal, bytes, n, 0, &err);
    if (rc < 0)
        return rc;
    uint64_t least = UINT64_MAX, most = s->tell.now_ns;
    struct pb_reader r = pb_read(bytes, n);
    struct pb_field f;
    while (pb_next(&r, &f))
        if (f.number == 1)
            times_of(pb_read_nested(&f), 0, &least, &most);
    s->tell.now_ns = most; /* it was said when the last of it was over */
    if (least < s->catalog->start_ns || !s->catalog->start_ns)
        s->catalog->start_ns = least == UINT64_MAX ? most : least;
    otlp_decode_begin(&s->decode, signal, bytes, n);
    s->open = true;
    return 0;
}

static void note_damage(struct otlp_file *s, const char *at)
{
    uint64_t offset = (uint64_t)(at - s->text);
    s->damage.records++;
    if (offset < s->damage.first_offset)
        s->damage.first_offset = offset;
}

static int take_json(struct otlp_file *s, const char *p, size_t n)
{
    enum otlp_signal signal;
    struct oriel_err err = {0};
    const char *begin = skip_space(p, p + n);
    if (begin == p + n)
        return 0;
    int rc = json_signal(p, p + n, &signal) ? 0 : ORIEL_EFORMAT;
    buf_clear(&s->request);
    if (rc == 0)
        rc = otlp_from_json(signal, p, n, &s->request, &err);
    if (rc == 0)
        rc = begin_request(s, signal, s->request.data, s->request.size);
    if (rc < 0 && rc != ORIEL_ENOMEM)
        note_damage(s, p);
    return rc == ORIEL_ENOMEM ? rc : 0;
}

/* The next request; 0: begun or passed over, 1: there is none. */
static int next_request(struct otlp_file *s)
{
    assert(s->at >= s->text && s->at <= s->end && !s->open);
    if (s->at == s->end)
        return 1;
    const char *p = s->at;
    if (s->protobuf) {
        s->at = s->end;
        int rc = begin_request(s, s->signal, p, (size_t)(s->end - p));
        if (rc < 0 && rc != ORIEL_ENOMEM)
            note_damage(s, p);
        return rc == ORIEL_ENOMEM ? rc : 0;
    }
    const char *stop = s->one_document ? NULL : memchr(p, '\n', (size_t)(s->end - p));
    s->at = stop ? stop + 1 : s->end;
    return take_json(s, p, (size_t)((stop ? stop : s->end) - p));
}

/* ---- the source ---- */

/* Requests one a line end each with a brace; a document over several lines does not. */
static bool is_one_document(const char *p, const char *end)
{
    p = skip_space(p, end);
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    if (!stop)
        return true;
    while (stop > p && (stop[-1] == '\r' || stop[-1] == ' '))
        stop--;
    return stop == p || stop[-1] != '}';
}

static void otlp_file_close(void *state)
{
    struct otlp_file *s = state;
    otlp_tell_done(&s->tell);
    buf_done(&s->request);
}

static int otlp_file_open(void *state, const struct source_bytes *file,
                          struct model_catalog *catalog, struct oriel_err *err)
{
    struct otlp_file *s = state;
    memset(s, 0, sizeof *s);
    s->catalog = catalog;
    s->text = file->size ? file->bytes : "";
    s->at = s->text;
    s->end = s->text + file->size;
    s->damage.first_offset = UINT64_MAX;
    buf_init(&s->request);
    if (!json_signal(s->at, s->end, &s->signal)) {
        s->protobuf = pb_signal((const uint8_t *)s->at, (const uint8_t *)s->end, &s->signal);
        if (!s->protobuf)
            return err_set(err, ORIEL_EFORMAT, "%s: no OTLP in JSON or protobuf", file->path);
    }
    s->one_document = !s->protobuf && is_one_document(s->at, s->end);
    int rc = otlp_tell_init(&s->tell, catalog);
    (void)model_catalog_set_resource(catalog, MODEL_STR("oriel.import"), MODEL_STR("otlp"));
    return rc < 0 ? err_set(err, rc, "%s: %s", file->path, err_text(rc)) : 0;
}

static int otlp_file_poll(void *state, struct model_batch *batch, size_t max_records,
                          struct oriel_err *err)
{
    struct otlp_file *s = state;
    int rc = 0;
    s->tell.batch = batch;
    while (batch->record_count < max_records && rc == 0) {
        if (s->open)
            s->open = !otlp_decode_run(&s->decode, &s->tell, max_records);
        else
            rc = next_request(s);
    }
    s->tell.batch = NULL;
    batch->watermark_ns = s->tell.now_ns;
    if (batch->record_count)
        return SOURCE_DATA;
    if (rc < 0)
        return err_set(err, rc, "otlp: %s", err_text(rc));
    batch->watermark_ns = UINT64_MAX;
    batch->last = true;
    return SOURCE_END;
}

static void otlp_damage(const void *state, struct source_damage *out)
{
    const struct otlp_file *s = state;
    *out = s->damage;
    for (unsigned i = 0; i < OTLP_CAUSES; i++)
        out->records += s->tell.refused[i];
}

const struct source source_otlp = {.name = "otlp",
                                   .state_size = sizeof(struct otlp_file),
                                   .recognizes = otlp_recognizes,
                                   .open_bytes = otlp_file_open,
                                   .poll = otlp_file_poll,
                                   .damage = otlp_damage,
                                   .close = otlp_file_close};
